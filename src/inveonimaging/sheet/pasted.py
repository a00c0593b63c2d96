"""A block of cells from the clipboard of a spreadsheet program -> rows of texts, by our columns if it has titles."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from inveonimaging.errors import InputError, printable
from inveonimaging.sheet.books import MOST_COLUMNS, MOST_ROWS
from inveonimaging.sheet.columns import NOTE, Column, Scope, column_of, lacks_unit, meant

_OF_ROWS = {"scan": "file", "animal": "subject"}
_COMMA = re.compile(r"\d+,\d+(?:\s*[^\W\d]+)?")
_THOUSANDS = re.compile(r"\d+,\d{3}(?:\s*[^\W\d]+)?")
_POINT = re.compile(r"\d*\.\d+(?:\s*[^\W\d]+)?")


class Block(NamedTuple):
    """Cells of a clipboard.

    Attributes:
        titles: the columns that the first row names, None of those that are not read; empty if it names none.
        rows: the texts of the others, as many in each as there are.
        has_decimal_comma: a comma in a number is its decimal mark.
        unread: titles that are no column.
    """

    titles: tuple[Column | None, ...]
    rows: tuple[tuple[str, ...], ...]
    has_decimal_comma: bool
    unread: tuple[str, ...] = ()


def block_of(text: str) -> Block:
    """Return the cells of a text in columns, as spreadsheet programs put it into the clipboard.

    Cells are separated by tabs, or as in a file whose text was copied, by semicolons or commas; one with a tab, a line
    break or a quotation mark may be quoted. The first row of several is titles if at least half of its cells are, with
    those that lack their unit.

    Raises:
        InputError: there are more rows or columns than a sheet has; a title lacks its unit, or is there twice; the
            first one, which may say whose the rows are, is not known, and no other says it; a row has more cells than
            there are titles; or a file's quotation marks do not match.
    """
    rows = [tuple(cell.strip() for cell in row) for row in _cells(text.replace("\0", ""))]
    while rows and not any(rows[-1]):
        rows.pop()
    if len(rows) > MOST_ROWS or any(len(row) > MOST_COLUMNS for row in rows):
        raise InputError("too much is pasted", expected=f"at most {MOST_ROWS} rows and {MOST_COLUMNS} columns")
    filled = [cell for cell in rows[0] if cell] if len(rows) > 1 else []
    if not filled or 2 * sum(bool(_named(cell)) or lacks_unit(cell) for cell in filled) < len(filled):
        return Block((), tuple(rows), has_decimal_comma(cell for row in rows for cell in row))
    titles = tuple(_named(cell) for cell in rows[0])
    unread = tuple(cell for cell in filled if not _named(cell) and not cell.startswith(NOTE))
    names_rows = any(each and each.scope is Scope.MATCH for each in titles)
    for cell in unread:
        if lacks_unit(cell) or (cell == rows[0][0] and not names_rows):
            raise InputError(f"the title {printable(cell, 40)!r} is none of a sheet", hint=meant(cell))
    _refuse_doubtful(titles, rows[1:])
    return Block(titles, tuple(rows[1:]), has_decimal_comma(cell for row in rows[1:] for cell in row), unread)


def _named(title: str) -> Column | None:
    """Return the column of a title of a sheet, or of the first column of the table that a person looks at."""
    return None if title.startswith(NOTE) else column_of(_OF_ROWS.get(title.strip().lower(), title))


def has_decimal_comma(texts: Iterable[str]) -> bool:
    """Return whether numbers among texts that belong together have a comma as decimal mark.

    So it is if one has a comma that separates no thousands, and none has a point.
    """
    known = list(texts)
    has_comma = any(_COMMA.fullmatch(text) and not _THOUSANDS.fullmatch(text) for text in known)
    return has_comma and not any(_POINT.fullmatch(text) for text in known)


def _cells(text: str) -> list[list[str]]:
    delimiter, content = _of_a_file(text) or ("\t", text)
    try:
        return list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:  # a quotation mark that quotes nothing
        if delimiter != "\t":
            raise InputError(f"cannot be read as text in columns: {error}") from error
        return [line.split(delimiter) for line in content.splitlines()]


def _of_a_file(text: str) -> tuple[str, str] | None:
    """Return separator and text of a file that was opened as text: its first line has several titles, and no tab."""
    lines = text.lstrip("\ufeff\r\n").splitlines(keepends=True)
    if lines and re.fullmatch('"?sep=[;,]"?', lines[0].strip(), re.IGNORECASE):  # how Excel learns the separator
        del lines[0]
    if not lines[1:] or "\t" in lines[0]:
        return None
    for each in ";,":
        with contextlib.suppress(csv.Error):
            if sum(bool(_named(cell)) for cell in next(csv.reader(lines[:1], delimiter=each), ())) > 1:
                return each, "".join(lines)
    return None


def _refuse_doubtful(titles: Sequence[Column | None], rows: Sequence[Sequence[str]]) -> None:
    """Refuse two columns of one meaning, and a row with more cells than titles, as of a number with a bare comma.

    Raises:
        InputError: naming the first.
    """
    names = [each.name for each in titles if each]
    for each in titles:
        if each and names.count(each.name) > 1:
            raise InputError(f"two columns are {each.title}", hint="leave one of them out")
    for number, row in enumerate(rows, 2):
        if any(row[len(titles) :]):
            shown = printable(next(filter(None, row[len(titles) :])), 40)
            hint = 'a number with a comma is quoted where commas separate cells: "24,6"'
            raise InputError(f"row {number} has more cells than there are titles: '{shown}'", hint=hint)
