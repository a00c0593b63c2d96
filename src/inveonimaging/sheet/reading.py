"""A sheet's file -> `Sheet`: titles through the table of columns, cells through their codecs.

Rows count as a spreadsheet shows them: the titles are row 1.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from inveonimaging.animal.free_text import NOT_GIVEN
from inveonimaging.animal.sheet_values import Cell
from inveonimaging.errors import OptionError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.sheet.books import MOST_COLUMNS, MOST_ROWS, read_book
from inveonimaging.sheet.columns import NOTE, Column, Scope, column_of, meant, plain
from inveonimaging.sheet.matching import Row, Sheet, parts_of_path
from inveonimaging.sheet.records import Rows, Texts, ccdb_rows, is_ccdb, pixi_rows
from inveonimaging.sheet.values import unescaped
from inveonimaging.storage.bounded import encoding_of, read_bounded

TAKEN_AWAY = "unknown"
_DECIMAL_COMMA = re.compile(r"(\d+),(\d+(?:\s*[^\W\d]+)?)")
_EMPTY = "an empty cell, which leaves it to the header, or unknown, which removes the header's value"
LARGEST = 32 * 1024 * 1024
_SEPARATORS = (",", ";", "\t")
_MOST_LINES = 1_048_576  # of Excel
RECORD = ".json"
_LISTS = {RECORD, ".yaml", ".yml"}
_OTHERS = {
    b"PK\x03\x04": "a workbook: give its name the ending .xlsx",
    b"\xd0\xcf\x11\xe0": "an old workbook (.xls)",
    b"\xff\xfe\x00\x00": "UTF-32",
}
_COMMA = "if a decimal comma has split a number: write a point, or separate the columns by semicolons"
_SAVE = 'save it in the spreadsheet program as "CSV UTF-8"'


def read_sheet(path: str | os.PathLike[str]) -> Sheet:
    """Read a sheet of subjects and scans: .csv, .tsv or .xlsx; a hotel record of PIXI, .json; or a sheet of the CCDB.

    Raises:
        OptionError: it cannot be read, or says what makes no sense: with the row, the column, what was found and what
            was expected.
    """
    path = Path(path)
    try:
        data = read_bounded(path, LARGEST)
    except OSError as error:
        hint = "if another program has it open, close it there" if isinstance(error, PermissionError) else None
        raise OptionError(f"the sheet cannot be read: {error.strerror or error}", path=path, hint=hint) from error
    return sheet_of(path, data)


def sheet_of(path: Path, data: bytes) -> Sheet:
    """Return the sheet that a file holds; as `read_sheet`."""
    table = _read_table(path, data)
    if is_ccdb(title for _, texts in table.rows for title, _ in texts):
        table = _translated(ccdb_rows(path, table.rows), table.findings)
    rows = tuple(
        _row(path, number, texts, table)._replace(day=day)
        for (number, texts), day in zip(table.rows, table.days or (None,) * len(table.rows), strict=True)
    )
    if not rows:
        raise OptionError("the sheet has no rows", path=path, expected="titles, and a row for each subject or scan")
    return Sheet(path, hashlib.sha256(data).hexdigest(), rows, table.findings)


def _row(path: Path, number: int, texts: Texts, table: _Table) -> Row:
    matched: dict[str, str] = {}
    cells: dict[str, Cell] = {}
    for title, content in texts:
        if title.startswith(NOTE):
            continue
        column = column_of(title)
        if column is None:
            raise _unknown(path, 1, title)
        if column.name in cells:
            other = cells[column.name].title
            raise OptionError(f"{other} and {column.title} are given, expected one", path=path, line=number)
        if column.scope is Scope.MATCH:
            matched[column.name] = _pattern(path, number, column, content)
        else:
            value = _value(path, number, column, content, table)
            cells[column.name] = Cell(value, number, table.calls.get(column.title, column.title), content)
    if not matched and "position" not in cells and not table.days:
        hint = "fill one of file, folder and subject"
        raise OptionError("the row does not say which scans it is for", path=path, line=number, hint=hint)
    file, folder, subject = (matched.get(name, "") for name in ("file", "folder", "subject"))
    return Row(number, file, folder, subject, cells)


def _value(path: Path, number: int, column: Column, content: str, table: _Table) -> object:
    try:
        return value_of(column, content, has_decimal_comma=table.has_decimal_comma)
    except ValueError as error:
        called = table.calls.get(column.title, column.title)
        raise OptionError(path=path, line=number, key=called, got=content, expected=str(error)) from None


def value_of(column: Column, content: str, *, has_decimal_comma: bool = False) -> Any:
    """Return the value of a cell that is not empty; None if it takes the header's away.

    Args:
        column: its column, none of those that say what scans a row is about.
        content: its text, without blanks around it.
        has_decimal_comma: a comma in a number is its decimal mark.

    Raises:
        ValueError: what is expected.
    """
    is_of_header = column.scope is not Scope.HOTEL
    if is_of_header and content.lower() == TAKEN_AWAY:
        return None
    if is_of_header and content.lower() in NOT_GIVEN:
        raise ValueError(_EMPTY)
    match = _DECIMAL_COMMA.fullmatch(content) if column.is_number and has_decimal_comma else None
    return column.codec.parse(f"{match[1]}.{match[2]}" if match else unescaped(content))


def _pattern(path: Path, number: int, column: Column, content: str) -> str:
    """Return what scans a row is about."""
    text = unescaped(content)
    if column.name == "subject":
        return text
    parts = parts_of_path(text)
    is_rooted = text.startswith(("/", "\\")) or ":" in text[:2]
    if not parts or ".." in parts or is_rooted:
        expected = "the end of a path, such as mouse7/*.pet.img"
        raise OptionError(path=path, line=number, key=column.title, got=content, expected=expected)
    return text


@dataclass(frozen=True)
class _Table:
    """A file's rows.

    Attributes:
        rows: number and texts of those that are not empty.
        has_decimal_comma: a comma is a decimal mark, since columns are separated by semicolons.
        findings: how the file was read, if that is to be known.
        calls: what the file calls our columns, where it is of another kind.
        days: of each row of another kind, the day of the scans that it is about, None for any.
    """

    rows: tuple[tuple[int, Texts], ...]
    has_decimal_comma: bool = False
    findings: tuple[Finding, ...] = ()
    calls: Mapping[str, str] = field(default_factory=dict)
    days: tuple[date | None, ...] = ()


def _translated(found: Rows, findings: tuple[Finding, ...] = ()) -> _Table:
    """Return the rows of another kind of sheet as ours."""
    rows = tuple((number, texts) for number, texts, _ in found.rows)
    days = tuple(day for _, _, day in found.rows)
    return _Table(rows, findings=(*findings, *found.findings), calls=found.calls, days=days)


def refuse_other_kind(path: Path) -> None:
    """Refuse a file whose name ends in no kind of sheet; OptionError says which there are."""
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        hint = "use .csv, which every spreadsheet program reads and writes" if suffix in _LISTS else None
        ending = f"ends in '{printable(suffix)}'" if suffix else "has no ending"
        message, expected = f"the sheet's name {ending}", f"one of {', '.join(_READERS)}"
        raise OptionError(message, path=path, expected=expected, hint=hint)


def _read_table(path: Path, data: bytes) -> _Table:
    """Return the rows of a sheet.

    Raises:
        OptionError: it is of no kind that is read, a package is missing, or it is damaged; with the row.
    """
    if path.suffix.lower() == RECORD:
        return _translated(pixi_rows(path, data))
    refuse_other_kind(path)
    return _READERS[path.suffix.lower()](path, data)


def _rows(path: Path, lines: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, Texts]]:
    """Yield the rows below the titles, which are the first row that is not empty.

    Raises:
        OptionError: a title occurs twice, or is not known above a value; a row has cells where there is no title; or
            there are too many of either.
    """
    titles: list[str] | None = None
    count, line, is_other = 0, 0, False
    for number, cells in lines:
        if number > _MOST_LINES:
            raise OptionError(f"the sheet has more than {_MOST_LINES} lines", path=path)
        if not any(map(str.strip, cells)):
            continue
        if titles is None:
            if len(cells) > MOST_COLUMNS:
                message = f"the sheet has {len(cells)} columns"
                raise OptionError(message, path=path, line=number, expected=f"at most {MOST_COLUMNS}")
            titles, line = [cell.strip() for cell in cells], number
            is_other = is_ccdb(titles)
            _refuse_twice(path, number, titles, is_other=is_other)
            continue
        count += 1
        if count > MOST_ROWS:
            raise OptionError(f"the sheet has more than {MOST_ROWS} rows", path=path, line=number)
        texts = tuple(_titled(path, number, titles, cells))
        unknown = (title for title, _ in texts if not title.startswith(NOTE) and not column_of(title))
        if (title := next(unknown, None)) and not is_other:
            raise _unknown(path, line, title)
        yield number, texts


def _unknown(path: Path, line: int, title: str) -> OptionError:
    return OptionError(f"there is no column '{printable(title, 40)}'", path=path, line=line, hint=meant(title))


def _titled(path: Path, number: int, titles: list[str], cells: list[str]) -> Iterator[tuple[str, str]]:
    for at, cell in enumerate(cells):
        content = cell.strip()
        if content:
            if at >= len(titles) or not titles[at]:
                message = f"cell {at + 1} is '{printable(content)}', and its column has no title"
                is_split = any(one.strip().isdigit() and other.strip().isdigit() for one, other in pairwise(cells))
                hint = f"{NOTE} as a title: the column is not read"
                raise OptionError(message, path=path, line=number, hint=_COMMA if is_split else hint)
            yield titles[at], content


def _refuse_twice(path: Path, number: int, titles: list[str], *, is_other: bool) -> None:
    """Refuse two titles of one column: in a sheet of another kind, two that are spelled alike."""
    seen: dict[str, str] = {}
    for title in titles:
        column = column_of(title)
        name = title if is_other and plain(title) else column and column.title
        if not name:
            continue
        known = plain(name)
        if known in seen:
            message = f"two columns are {printable(name, 40)}: '{printable(seen[known])}' and '{printable(title)}'"
            raise OptionError(message, path=path, line=number)
        seen[known] = title


def _separated(separator: str | None, path: Path, data: bytes) -> _Table:
    text, findings = _decoded(path, data)
    first, _, rest = text.partition("\n")
    marker = first.strip().strip('"')
    skipped = 0
    if marker.lower().startswith("sep=") and len(marker) == len("sep=,"):  # how Excel learns the separator
        separator, text, skipped = marker[-1], rest, 1
    chosen = separator or _likely(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=chosen, strict=True)
    try:
        rows = tuple(_rows(path, enumerate(reader, 1 + skipped)))
    except csv.Error as error:
        raise OptionError(f"cannot be read as text in columns: {error}", path=path, line=reader.line_num) from error
    return _Table(rows, chosen == ";", findings)


def _decoded(path: Path, data: bytes) -> tuple[str, tuple[Finding, ...]]:
    """Return the text of UTF-8, of UTF-16 with its mark, else of Windows-1252, as Excel saves in the West.

    Raises:
        OptionError: it is another file than a text, or one whose encoding is broken.
    """
    kind = next((kind for start, kind in _OTHERS.items() if data.startswith(start)), None)
    if kind:
        raise OptionError(f"is {kind}", path=path, expected="text in columns", hint=_SAVE)
    encoding = encoding_of(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-16":
            message = f"is UTF-16 that is broken at byte {error.start}, as that of a copy that broke off"
            raise OptionError(message, path=path, expected="UTF-8", hint=_SAVE) from error
    else:
        if "\0" in text:
            raise OptionError(
                "has zero bytes, as UTF-16 without a byte order mark", path=path, expected="UTF-8", hint=_SAVE
            )
        return text, ()
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} belongs to no known encoding"
        raise OptionError(message, path=path, expected="UTF-8", hint=_SAVE) from error
    message = "is not UTF-8; read as Windows-1252: check all letters other than a to z"
    return text, (Finding("sheet-encoding", message, Severity.INFO, path=str(path)),)


def _likely(text: str) -> str:
    """Return the separator that makes most titles of the first line that is not empty, or else most cells."""
    line = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")

    def titles(separator: str) -> tuple[int, int]:
        try:
            cells = [cell for row in csv.reader([line], delimiter=separator) for cell in row[:MOST_COLUMNS]]
        except csv.Error:  # reported with its line when the sheet is read
            return 0, 0
        return sum(column_of(cell) is not None for cell in cells), len(cells)

    return max(_SEPARATORS, key=titles)


_READERS: dict[str, Callable[[Path, bytes], _Table]] = {
    ".csv": partial(_separated, None),
    ".tsv": partial(_separated, "\t"),
    ".xlsx": lambda path, data: _Table(tuple(_rows(path, read_book(path, data)))),
}
