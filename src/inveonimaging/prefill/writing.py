"""A sheet as the bytes of a file: .csv, .tsv or .xlsx."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from inveonimaging.prefill.sheet import Cells, Filled
from inveonimaging.sheet.books import book_of, refuse_without_openpyxl
from inveonimaging.sheet.tables import refuse_other_kind


def refuse_kind(path: Path) -> None:
    """Refuse a file's name that tells no kind of sheet, and a kind that cannot be written here.

    Raises:
        OptionError: what the name should end in, or which package is missing.
    """
    refuse_other_kind(path)
    if path.suffix.lower() == ".xlsx":
        refuse_without_openpyxl()


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


_WRITERS: dict[str, Callable[[Filled], bytes]] = {
    ".csv": lambda filled: _separated(filled, ","),
    ".tsv": lambda filled: _separated(filled, "\t"),
    ".xlsx": lambda filled: book_of(filled.titles, [_texts(filled, row) for row in filled.rows]),
}
