"""What a sheet or the command line gives for a scan, and where each value of a study came from."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple


class Source(str, Enum):
    """What kind of source a value came from."""

    COMMAND_LINE = "command line"
    SHEET = "sheet"
    HEADER = "header"
    DERIVED = "derived from other values"
    FILE_NAME = "file name"


class Origin(NamedTuple):
    """Where a value came from: the kind of source, and for a sheet or header its file's name and line."""

    source: Source
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Return `subjects.csv:5`, `m1.pet.img.hdr:41`, `command line` or `derived from other values`."""
        if not self.file:
            return self.source.value
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Code(NamedTuple):
    """A coded concept: value, coding scheme and meaning."""

    value: str
    scheme: str
    meaning: str


class Cell(NamedTuple):
    """A value, None if it takes the header's away, with its row, its title, and its text.

    What was typed on the command line has no row, and is called as its option.
    """

    value: Any
    row: int | None
    title: str
    text: str


@dataclass(frozen=True)
class SheetValues:
    """What the rows of a sheet, and the command line, say of a scan, or of a study.

    Attributes:
        path: the sheet; None without one.
        cells: by what the columns' table calls it.
        rows: the numbers of the rows that match.
    """

    path: Path | None = None
    cells: Mapping[str, Cell] = field(default_factory=dict)
    rows: tuple[int, ...] = ()

    def get(self, name: str) -> Any:
        """Return a value; None if no row gives it, and if a row takes the header's away."""
        cell = self.cells.get(name)
        return None if cell is None else cell.value

    def origin(self, name: str) -> Origin:
        """Return where a value that is given came from."""
        if self.cells[name].row is None:
            return Origin(Source.COMMAND_LINE)
        return Origin(Source.SHEET, self.path.name if self.path else "", self.cells[name].row)

    def only(self, names: Container[str]) -> SheetValues:
        """Return the values of these names, in the same order."""
        return SheetValues(self.path, {name: cell for name, cell in self.cells.items() if name in names}, self.rows)


NO_SHEET_VALUES = SheetValues()
