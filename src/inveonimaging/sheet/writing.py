"""A sheet as the bytes of a file: .csv, .tsv, .xlsx, .json or .yaml."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from inveonimaging.errors import OptionError, printable
from inveonimaging.sheet.books import book_of
from inveonimaging.sheet.extra import refuse_without_extra
from inveonimaging.sheet.lists import json_of, yaml_of
from inveonimaging.sheet.prefill import Cells, Filled


def refuse_kind(path: Path) -> None:
    """Refuse a file's name that tells no kind of sheet, and a kind that cannot be written here.

    Raises:
        OptionError: what the name should end in, or which package is missing.
    """
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        expected = f"one of {', '.join(_WRITERS)}"
        raise OptionError(f"the sheet's name ends in '{printable(suffix)}'", path=path, expected=expected)
    if suffix in _EXTRA:
        refuse_without_extra(_EXTRA[suffix])


def sheet_bytes(filled: Filled, path: Path) -> bytes:
    """Return what a sheet's file holds, by its name; errors as `refuse_kind`."""
    refuse_kind(path)
    return _WRITERS[path.suffix.lower()](filled)


def _separated(filled: Filled, separator: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(filled.titles)
    writer.writerows(_texts(filled, row) for row in filled.rows)
    return text.getvalue().encode("utf-8-sig")  # without the mark, Excel takes it for its old encoding


def _texts(filled: Filled, row: Cells) -> list[str]:
    return [row.get(title, "") for title in filled.titles]


def _filled_cells(filled: Filled) -> list[Cells]:
    return [{title: text for title, text in row.items() if text} for row in filled.rows]


_EXTRA = {".xlsx": "xlsx", ".yaml": "yaml", ".yml": "yaml"}
_WRITERS: dict[str, Callable[[Filled], bytes]] = {
    ".csv": lambda filled: _separated(filled, ","),
    ".tsv": lambda filled: _separated(filled, "\t"),
    ".xlsx": lambda filled: book_of(filled.titles, [_texts(filled, row) for row in filled.rows]),
    ".json": lambda filled: json_of(_filled_cells(filled)),
    ".yaml": lambda filled: yaml_of(_filled_cells(filled)),
    ".yml": lambda filled: yaml_of(_filled_cells(filled)),
}
