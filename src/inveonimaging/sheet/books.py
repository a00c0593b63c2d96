"""Sheets of Excel: cells -> texts, and back. Formulas, errors and merged cells are refused, since none is a value.

The whole sheet is read at once: openpyxl's quicker way, cell after cell, does not tell which cells are merged.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inveonimaging.errors import OptionError, printable
from inveonimaging.extras import refuse_without_extra

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

NAME = "subjects"
_LARGEST = 64 * 1024 * 1024  # unpacked
_WIDEST = 60


def refuse_without_openpyxl() -> None:
    """Refuse to read or write a workbook without the package that does; OptionError says how to get it."""
    refuse_without_extra("an .xlsx file", "xlsx", {"openpyxl": "openpyxl"})


def read_book(path: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield number and texts of the rows of the sheet named `subjects`, else of the first one.

    Raises:
        OptionError: openpyxl is missing, it is no such file, or a cell holds no value.
    """
    refuse_without_openpyxl()
    sheet = _sheet(path, data)
    if sheet.merged_cells.ranges:
        where = min(str(each) for each in sheet.merged_cells.ranges)
        message = f"cells {where} are merged: a value would count for the first of their rows only"
        raise OptionError(message, path=path, hint="unmerge the cells and fill each one")
    for number, cells in enumerate(sheet.iter_rows(), 1):
        yield number, [_text(path, cell) for cell in cells]


def _sheet(path: Path, data: bytes) -> Worksheet:
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            _refuse_larger(path, sum(each.file_size for each in packed.infolist()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # parts of a workbook that are no cells
            book = load_workbook(io.BytesIO(data), keep_links=False)
    except OptionError:
        raise
    except Exception as error:  # openpyxl raises whatever a damaged part leads to
        raise OptionError(f"is no Excel workbook: {printable(error)}", path=path, expected=".xlsx") from error
    named = [each for each in book.worksheets if each.title.strip().casefold() == NAME]
    if not book.worksheets:
        raise OptionError("has no sheet with cells", path=path)
    return (named or book.worksheets)[0]


def _refuse_larger(path: Path, size: int) -> None:
    if size > _LARGEST:
        raise OptionError(f"unpacks to {size} bytes", path=path, expected=f"at most {_LARGEST}")


def _text(path: Path, cell: Any) -> str:
    value = cell.value
    if cell.data_type == "f":
        message = f"cell {cell.coordinate} holds a formula"
        raise OptionError(message, path=path, line=cell.row, hint="replace it by its value: copy, and paste as values")
    if cell.data_type == "e":
        message = f"cell {cell.coordinate} holds an error, {printable(value)}"
        raise OptionError(message, path=path, line=cell.row, expected="a value, or nothing")
    return _spelled(value)


def _spelled(value: Any) -> str:
    """Return a cell's value as its text would be typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.15g}"  # as many digits as Excel shows
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def book_of(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Return a workbook of one sheet; every cell is text, and is marked so, that none becomes a formula or a date."""
    refuse_without_openpyxl()
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    book = Workbook()
    book.remove(book.worksheets[0])
    sheet: Worksheet = book.create_sheet(NAME)
    for number, texts in enumerate((titles, *rows), 1):
        for at, content in enumerate(texts, 1):
            if content:
                cell = sheet.cell(number, at, content)
                cell.data_type, cell.number_format, cell.quotePrefix = "s", "@", True
    sheet.freeze_panes = "A2"
    for at, title in enumerate(titles, 1):
        longest = max(len(text) for text in (title, *(row[at - 1] for row in rows)))
        sheet.column_dimensions[get_column_letter(at)].width = min(longest + 2, _WIDEST)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()
