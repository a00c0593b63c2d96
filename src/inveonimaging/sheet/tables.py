"""A sheet's file -> titles and texts, row by row; what they mean is not looked at here.

Rows count as a spreadsheet shows them: the titles are row 1.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.errors import OptionError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.sheet.columns import NOTE, column_of

LARGEST = 32 * 1024 * 1024
MOST_ROWS = 100_000
_SEPARATORS = (",", ";", "\t")
_LISTS = {".json", ".yaml", ".yml"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Raw:
    """A row: its number, and title and text of each cell that is not empty."""

    number: int
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """A file's rows.

    Attributes:
        rows: those that are not empty.
        has_decimal_comma: a comma is a decimal mark, since columns are parted by semicolons.
        findings: how the file was read, if that is to be known.
    """

    rows: tuple[Raw, ...]
    has_decimal_comma: bool = False
    findings: tuple[Finding, ...] = ()


def refuse_other_kind(path: Path) -> None:
    """Refuse a file whose name ends in no kind of sheet; OptionError says which there are."""
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        hint = "use .csv, which every spreadsheet program reads and writes" if suffix in _LISTS else None
        message, expected = f"the sheet's name ends in '{printable(suffix)}'", f"one of {', '.join(_READERS)}"
        raise OptionError(message, path=path, expected=expected, hint=hint)


def read_table(path: Path, data: bytes) -> Table:
    """Return the rows of a sheet.

    Raises:
        OptionError: it is of no kind that is read, a package is missing, or it is damaged; with the row.
    """
    refuse_other_kind(path)
    table = _READERS[path.suffix.lower()](path, data)
    if len(table.rows) > MOST_ROWS:
        raise OptionError(f"the sheet has {len(table.rows)} rows", path=path, expected=f"at most {MOST_ROWS}")
    return table


def table_of(path: Path, lines: Iterable[tuple[int, list[str]]]) -> Iterator[Raw]:
    """Yield the rows below the titles, which are the first row that is not empty.

    Raises:
        OptionError: a title stands twice, or a row has cells where there is no title.
    """
    titles: list[str] | None = None
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if titles is None:
            titles = [cell.strip() for cell in cells]
            _refuse_twice(path, number, titles)
            continue
        yield Raw(number, tuple(_titled(path, number, titles, cells)))


def _titled(path: Path, number: int, titles: list[str], cells: list[str]) -> Iterator[tuple[str, str]]:
    for at, cell in enumerate(cells):
        content = cell.strip()
        if content:
            if at >= len(titles) or not titles[at]:
                message = f"cell {at + 1} is '{printable(content)}', and its column has no title"
                raise OptionError(message, path=path, line=number, hint=f"{NOTE} as a title: the column is not read")
            yield titles[at], content


def _refuse_twice(path: Path, number: int, titles: list[str]) -> None:
    seen: dict[str, str] = {}
    for title in titles:
        column = column_of(title)
        if column and column.title in seen:
            message = f"two columns are {column.title}: '{printable(seen[column.title])}' and '{printable(title)}'"
            raise OptionError(message, path=path, line=number)
        if column:
            seen[column.title] = title


def _comma_separated(path: Path, data: bytes) -> Table:
    return _separated(path, data, None)


def _tab_separated(path: Path, data: bytes) -> Table:
    return _separated(path, data, "\t")


def _separated(path: Path, data: bytes, separator: str | None) -> Table:
    text, findings = _decoded(path, data)
    first, _, rest = text.partition("\n")
    marker = first.strip().strip('"')
    skipped = 0
    if marker.lower().startswith("sep=") and len(marker) == len("sep=,"):  # how Excel is told the separator
        separator, text, skipped = marker[-1], rest, 1
    chosen = separator or _likely(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=chosen, strict=True)
    try:
        rows = tuple(table_of(path, enumerate(reader, 1 + skipped)))
    except csv.Error as error:
        raise OptionError(f"cannot be read as text in columns: {error}", path=path, line=reader.line_num) from error
    return Table(rows, chosen == ";", findings)


def _decoded(path: Path, data: bytes) -> tuple[str, tuple[Finding, ...]]:
    """Return the text of UTF-8, of UTF-16 with its mark, else of Windows-1252, as Excel saves in the West."""
    try:
        return data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig"), ()
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is in no encoding that is known"
        raise OptionError(message, path=path, expected="UTF-8", hint="save it as 'CSV UTF-8'") from error
    message = "is not UTF-8; read as Windows-1252: look at the letters beyond a to z"
    return text, (Finding("sheet-encoding", message, Severity.INFO, path=str(path)),)


def _likely(text: str) -> str:
    """Return the separator that makes most titles of the first line that is not empty."""
    line = next((line for line in text.splitlines() if line.strip()), "")

    def titles(separator: str) -> int:
        return sum(column_of(cell) is not None for row in csv.reader([line], delimiter=separator) for cell in row)

    return max(_SEPARATORS, key=titles)


def _book(path: Path, data: bytes) -> Table:
    from inveonimaging.sheet.books import read_book

    return Table(tuple(table_of(path, read_book(path, data))))


_READERS: dict[str, Callable[[Path, bytes], Table]] = {
    ".csv": _comma_separated,
    ".tsv": _tab_separated,
    ".xlsx": _book,
}
