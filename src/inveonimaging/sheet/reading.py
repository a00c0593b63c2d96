"""A sheet's file -> `Sheet`: titles through the table of columns, cells through their codecs."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from inveonimaging.animal.free_text import NOT_GIVEN
from inveonimaging.animal.sheet_values import Cell
from inveonimaging.errors import OptionError, printable
from inveonimaging.sheet.columns import NOTE, Column, Scope, column_of, meant
from inveonimaging.sheet.escape import unescaped
from inveonimaging.sheet.matching import Row, Sheet, parts_of_path
from inveonimaging.sheet.tables import LARGEST, Raw, Table, read_table

TAKEN_AWAY = "unknown"
_DECIMAL_COMMA = re.compile(r"(\d+),(\d+)", re.ASCII)
_EMPTY = "an empty cell, which leaves it to the header, or unknown, which takes the header's value away"


def read_sheet(path: str | os.PathLike[str]) -> Sheet:
    """Read a sheet of subjects and scans: .csv, .tsv or .xlsx.

    Raises:
        OptionError: it cannot be read, or says what makes no sense: with the row, the column, what was found and what
            was expected.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise OptionError(f"the sheet cannot be read: {error.strerror or error}", path=path) from error
    if len(data) > LARGEST:
        raise OptionError("the sheet is too large", path=path, expected=f"at most {LARGEST} bytes")
    table = read_table(path, data)
    rows = tuple(_row(path, raw, table) for raw in table.rows)
    if not rows:
        raise OptionError("the sheet has no rows", path=path, expected="titles, and a row for each subject or scan")
    return Sheet(path, hashlib.sha256(data).hexdigest(), rows, table.findings)


def _row(path: Path, raw: Raw, table: Table) -> Row:
    matched: dict[str, str] = {}
    cells: dict[str, Cell] = {}
    for title, content in raw.cells:
        if title.startswith(NOTE):
            continue
        column = column_of(title)
        if column is None:
            message = f"there is no column '{printable(title, 40)}'"
            raise OptionError(message, path=path, line=raw.number, hint=meant(title))
        if column.name in cells:
            other = cells[column.name].title
            raise OptionError(f"{other} and {column.title} are given, expected one", path=path, line=raw.number)
        if column.scope is Scope.MATCH:
            matched[column.name] = _pattern(path, raw.number, column, content)
        else:
            value = _value(path, raw.number, column, content, table)
            cells[column.name] = Cell(value, raw.number, column.title, content)
    if not matched:
        hint = "fill one of file, folder and subject"
        raise OptionError("the row does not say what scans it is about", path=path, line=raw.number, hint=hint)
    file, folder, subject = (matched.get(name, "") for name in ("file", "folder", "subject"))
    return Row(raw.number, file, folder, subject, cells)


def _value(path: Path, number: int, column: Column, content: str, table: Table) -> object:
    if content.lower() == TAKEN_AWAY:
        return None
    expected: str | None = None
    if content.lower() in NOT_GIVEN:
        expected = _EMPTY
    else:
        try:
            return column.codec.parse(_with_point(unescaped(content), column, table))
        except ValueError as error:
            expected = str(error)
    raise OptionError(path=path, line=number, key=column.title, got=content, expected=expected)


def _with_point(content: str, column: Column, table: Table) -> str:
    """Return a number with a point, in a file whose numbers have commas."""
    match = _DECIMAL_COMMA.fullmatch(content) if column.is_number and table.has_decimal_comma else None
    return f"{match[1]}.{match[2]}" if match else content


def _pattern(path: Path, number: int, column: Column, content: str) -> str:
    """Return what scans a row is about."""
    plain = unescaped(content)
    if column.name == "subject":
        return plain
    parts = parts_of_path(plain)
    is_rooted = plain.startswith(("/", "\\")) or ":" in plain[:2]
    if not parts or ".." in parts or is_rooted:
        expected = "the end of a path, such as mouse7/*.pet.img"
        raise OptionError(path=path, line=number, key=column.title, got=content, expected=expected)
    return plain
