"""Sheets of Excel: cells -> texts, and back. Formulas, errors and merged cells are refused, since none is a value.

A workbook is a zip of XML, of which a few kilobytes unpack to millions of elements, and openpyxl makes objects of all:
they are counted first. The sheet's own part is looked at for how far its values go, for merged cells, and for rows and
cells that are out of order, some of which openpyxl passes over; it makes every cell up to the last one, also of cells
that have a format and no value.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.parsers import expat

from inveonimaging.errors import OptionError, printable
from inveonimaging.extras import refuse_without_extra

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

NAME = "subjects"
MOST_ROWS = 100_000
MOST_COLUMNS = 256
_LARGEST = 64 * 1024 * 1024  # unpacked
_MOST_CELLS = 1_000_000
_MOST_PARTS = 10_000
_OF_CELLS = frozenset({"row", "c", "v", "f", "is"})
_OF_STRINGS = frozenset({"si", "t", "r"})
_MOST_OF_CELLS, _MOST_OF_STRINGS, _MOST_OTHERS = 4 * _MOST_CELLS, _MOST_CELLS, 250_000  # Excel has 65490 cell formats
_END = (1_048_576, 16_384)  # last row and column of Excel
_LONGEST = 32_767  # characters of a cell in Excel
_PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})", re.ASCII)
_CONTENTS = frozenset({"v", "is", "f"})
_OF_ENCODING = {expat.errors.XML_ERROR_UNKNOWN_ENCODING, expat.errors.XML_ERROR_INCORRECT_ENCODING}
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
    try:
        yield from _rows(path, data)
    except OptionError:
        raise
    except Exception as error:  # openpyxl raises whatever a damaged part leads to
        raise OptionError(f"is not an Excel workbook: {printable(error)}", path=path, expected=".xlsx") from error


def _rows(path: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    from openpyxl import load_workbook

    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        _refuse_larger(path, packed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # parts of a workbook that are no cells
            book = load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
        if not book.worksheets:
            raise OptionError("has no sheet with cells", path=path)
        named = [each for each in book.worksheets if each.title.strip().casefold() == NAME]
        sheet: Any = (named or book.worksheets)[0]
        with packed.open(sheet._worksheet_path) as part:  # noqa: SLF001 - there is no public name of a sheet's part
            extent = _extent(path, part)
    if extent.last_row:
        rows = sheet.iter_rows(max_row=extent.last_row, max_col=extent.last_column)
        yield from ((number, [_text(path, cell) for cell in cells]) for number, cells in enumerate(rows, 1))


def _refuse_larger(path: Path, packed: zipfile.ZipFile) -> None:
    """Refuse what would take much memory or time, before anything is made of it.

    Raises:
        OptionError: it has too many parts, bytes or elements.
        ValueError: a part has definitions of its own, or an encoding that cannot be looked at.
    """
    parts = packed.infolist()
    size = sum(each.file_size for each in parts)
    if size > _LARGEST:
        raise OptionError(f"unpacks to {size} bytes", path=path, expected=f"at most {_LARGEST}")
    if len(parts) > _MOST_PARTS:
        raise OptionError(f"unpacks to {len(parts)} parts", path=path, expected=f"at most {_MOST_PARTS}")
    elements = _Elements(path)
    for each in parts:
        with packed.open(each) as part:
            elements.count(part)


class _Elements:
    """Counts the elements of a workbook: those of cells, those of texts, and others, as formats."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cells = self._strings = self._others = 0

    def count(self, part: IO[bytes]) -> None:
        """Count those of a part; nothing of what is no XML, as a picture.

        Raises:
            OptionError: there are too many.
            ValueError: it defines entities, or has an encoding that cannot be looked at.
        """
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            parser.ParseFile(part)
        except expat.ExpatError as error:  # as far as it is XML for others, too, unless they read more encodings
            if expat.errors.messages[error.code] in _OF_ENCODING:
                raise ValueError(str(error)) from error

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        element = name.rpartition(":")[2]
        if element in _OF_CELLS:
            self._cells += 1
        elif element in _OF_STRINGS:
            self._strings += 1
        else:
            self._others += 1
        if self._cells > _MOST_OF_CELLS or self._strings > _MOST_OF_STRINGS or self._others > _MOST_OTHERS:
            hint = "save the sheet of subjects alone, as .csv or in a new workbook"
            raise OptionError("holds too many cells, texts or formats", path=self._path, hint=hint)


def _refuse_doctype(*_: object) -> None:
    raise ValueError("a part has a DOCTYPE, which no spreadsheet program writes")


class _Extent:
    """How far the values of a sheet go, found in its part of the workbook: no cell without a value is made.

    Attributes:
        last_row, last_column: of the cells that hold something, from 1; 0 if none does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._row = self._column = self._cells = 0
        self.last_row = self.last_column = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the start of an element.

        Raises:
            OptionError: cells are merged, out of order, or there are too many.
            ValueError: a row has no number.
        """
        element = name.rpartition(":")[2]
        if element == "row":
            self._go(int(attributes.get("r", self._row + 1)), 0)
        elif element == "c":
            self._cells += 1
            place = _PLACE.fullmatch(attributes["r"]) if "r" in attributes else None
            self._go(*((int(place[2]), _column(place[1])) if place else (self._row, self._column + 1)))
        elif element in _CONTENTS:
            self._hold()
        elif element == "mergeCell":
            message = f"cells {printable(attributes.get('ref', ''), 40)} are merged: a value would count for the first "
            message += "of their rows only"
            raise OptionError(message, path=self._path, hint="unmerge the cells and fill each one")

    def _go(self, row: int, column: int) -> None:
        """Go to a row, whose column is 0 then, or to a cell in it; each comes once, and after those before it."""
        is_next = row > self._row if column == 0 else row == self._row and column > self._column
        if not is_next or row > _END[0] or column > _END[1]:
            message = f"the rows or cells of the sheet are out of order at row {row}"
            hint = "open it in a spreadsheet program and save it again"
            raise OptionError(message, path=self._path, hint=hint)
        self._row, self._column = row, column

    def _hold(self) -> None:
        self.last_row, self.last_column = max(self.last_row, self._row), max(self.last_column, self._column)
        limits = (
            ("row", self.last_row, 2 * MOST_ROWS),  # a row may be empty
            ("column", self.last_column, MOST_COLUMNS),
            ("cell", self._cells, _MOST_CELLS),
        )
        for what, found, most in limits:
            if found > most:
                raise OptionError(f"the sheet goes to {what} {found}", path=self._path, expected=f"at most {most}")


def _extent(path: Path, part: IO[bytes]) -> _Extent:
    """Return how far the values of a sheet go.

    Raises:
        OptionError: cells are merged, or it goes too far.
    """
    found = _Extent(path)
    parser = expat.ParserCreate()
    parser.StartElementHandler = found.start
    parser.ParseFile(part)
    return found


def _column(letters: str) -> int:
    """Return a column's number, from 1: of AA 27."""
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _text(path: Path, cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        message = f"cell {cell.coordinate} holds a formula"
        raise OptionError(message, path=path, line=cell.row, hint="replace it by its value: copy, and paste as values")
    if cell.data_type == "e":
        message = f"cell {cell.coordinate} holds an error, {printable(value)}"
        raise OptionError(message, path=path, line=cell.row, expected="a value, or nothing")
    text = _spelled(value)
    if len(text) > _LONGEST:
        message = f"cell {cell.coordinate} has {len(text)} characters"
        raise OptionError(message, path=path, line=cell.row, expected=f"at most {_LONGEST}")
    return text


def _spelled(value: Any) -> str:
    """Return a cell's value as its text would be typed."""
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
