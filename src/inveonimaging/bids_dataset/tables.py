"""Tables of a data set, `participants.tsv` and `sessions.tsv`: rows are added, and what is known is never lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.errors import OutputError, one_line, printable
from inveonimaging.storage.bounded import read_bounded

NOT_KNOWN = "n/a"
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True)
class Table:
    """A table of text; the first column names the row.

    Attributes:
        columns: their titles.
        rows: in their order, each a mapping of title and text; the names of rows differ.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...] = ()

    @property
    def content(self) -> bytes:
        """The file."""
        lines = [self.columns, *([row.get(title) or NOT_KNOWN for title in self.columns] for row in self.rows)]
        return "".join("\t".join(map(_plain, line)) + "\n" for line in lines).encode()

    def row(self, name: str) -> Mapping[str, str] | None:
        """Return the row of this name; None if there is none."""
        return next((row for row in self.rows if row[self.columns[0]] == name), None)


def _plain(text: str) -> str:
    """Return a text as one cell: tabs and ends of lines are blanks."""
    return one_line(text) or NOT_KNOWN


def read_table(path: Path, key: str) -> Table | None:
    """Read a table; None if there is no such file.

    Args:
        path: the file.
        key: title of the column that names rows.

    Raises:
        OutputError: it is not a table of this kind, which could not be added to.
    """
    if not path.exists():
        return None
    lines = text_of(path, "nothing is added to it; save it as UTF-8").split("\n")
    columns = tuple(lines[0].split("\t")) if lines else ()
    if key not in columns or len(set(columns)) != len(columns):
        raise OutputError(
            f"has no column {key}, or a column twice", path=path, line=1, expected="columns with tabs between"
        )
    rows: dict[str, Mapping[str, str]] = {}
    for number, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        if not line.strip():
            continue
        row = dict(zip(columns, cells, strict=False))
        if len(cells) != len(columns) or row[key] in rows:
            what = "is a row twice" if len(cells) == len(columns) else f"has {len(cells)} cells"
            raise OutputError(
                f"{what}: {printable(cells[0], 40)}", path=path, line=number, expected=f"{len(columns)} cells"
            )
        rows[row[key]] = row
    first = (key, *(title for title in columns if title != key))
    return Table(first, tuple(rows.values()))


def text_of(path: Path, hint: str | None = None) -> str:
    """Return the text of a file of a data set, with ends of lines as Linux has them.

    Raises:
        OutputError: it cannot be read, or is none.
    """
    try:
        return read_bounded(path, _LARGEST).decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise OutputError(f"cannot be read: {error.strerror}", path=path) from error
    except UnicodeDecodeError as error:
        raise OutputError("is not text in UTF-8", path=path, hint=hint) from error


Join = Callable[[str, str], str]
"""Makes one text of the one that is there and the new one, both known."""


def merged(table: Table | None, new: Table, path: Path, *, overwrite: bool = False) -> Table:
    """Return a table with new rows, and with what is new in rows that are there.

    What is there stays: rows, columns, and whatever the new row does not know.

    Args:
        table: what is there; None for nothing.
        new: what is to be in it.
        path: the file, for messages.
        overwrite: take new values where they differ.

    Raises:
        OutputError: a value is another one than what is there.
    """
    if table is None:
        return new
    key = new.columns[0]
    columns = (*table.columns, *(title for title in new.columns if title not in table.columns))
    rows = {row[key]: row for row in table.rows}
    for row in new.rows:
        before = rows.get(row[key], {})
        rows[row[key]] = {**before, **row} if not before else _joined(before, row, path, overwrite=overwrite)
    return Table(columns, tuple(rows.values()))


def _joined(before: Mapping[str, str], row: Mapping[str, str], path: Path, *, overwrite: bool) -> Mapping[str, str]:
    found = dict(before)
    for title, text in row.items():
        own = before.get(title, NOT_KNOWN)
        new = _plain(text)
        if new in (NOT_KNOWN, own):
            continue
        if own == NOT_KNOWN or overwrite:
            found[title] = new
        elif title in JOINED:
            found[title] = JOINED[title](own, new)
        else:
            name = printable(next(iter(row.values())), 60)
            raise OutputError(
                f"{title} of {name} is '{printable(own, 40)}' there and '{printable(new, 40)}' in the input",
                path=path,
                hint="correct one of them, or take the new one with --overwrite",
            )
    return found


def smaller(own: str, new: str) -> str:
    """Return the smaller of two numbers; the first if one is none."""
    try:
        return min(own, new, key=float)
    except ValueError:
        return own


def earlier(own: str, new: str) -> str:
    """Return the earlier of two moments as ISO 8601 writes them."""
    return min(own, new)


JOINED: Mapping[str, Join] = {"age": smaller, "acq_time": earlier}
"""What becomes of values that differ from scan to scan; others contradict each other."""


def rows_of(columns: Sequence[str], rows: Sequence[Mapping[str, str]], path: Path) -> Table:
    """Return a table of new rows, those of one name joined.

    Raises:
        OutputError: two rows of one name contradict each other.
    """
    named: dict[str, Mapping[str, str]] = {}
    for row in rows:
        name = row[columns[0]]
        named[name] = _joined(named[name], row, path, overwrite=False) if name in named else row
    return Table(tuple(columns), tuple(named.values()))
