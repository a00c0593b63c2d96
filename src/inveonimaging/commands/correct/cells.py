"""The cells of the table: which columns there are, what a cell holds, and what is wrong with a text."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from inveonimaging.animal.sheet_values import Cell as Value
from inveonimaging.errors import InputError, printable
from inveonimaging.inveon.pairs import Pair, pair_of, scan_folder
from inveonimaging.sheet.application import KEYS
from inveonimaging.sheet.columns import COLUMNS, Column, Scope, column_of
from inveonimaging.sheet.pasted import has_decimal_comma
from inveonimaging.sheet.positions import Side
from inveonimaging.sheet.reading import TAKEN_AWAY, value_of
from inveonimaging.study.cut import Extent
from inveonimaging.study.folder import below

MOST_SCANS = 5000
_MOST_FOLDERS = 5000
MOST_TOGETHER = 100  # scans of one folder that are compared with each other
LONGEST = 1000
_LONGEST_CELL = 32_767  # of a spreadsheet
NAMED = 3
SUBJECT = "//"
"""Begins the key of the row of an animal that headers name."""
_NAMES = {"patient_id", "patient_name"}
_OTHER_UNITS = {"weight_kg", "dose_mCi", "residual_mCi"}
EDITABLE: Mapping[str, Column] = {
    each.title: each for each in COLUMNS if each.scope is not Scope.MATCH and each.title not in _OTHER_UNITS
}
"""The columns of the table, by title."""
USUAL = (
    *("patient_id", "weight_g", "dose_MBq", "injection_time"),
    *("sex", "species", "posture", "strain", "birth_date"),
)
"""The titles of those that people need."""
OF_A_DOSE = ("dose_time", "residual_MBq", "residual_time")
"""Titles of what a dose is made from, if the header has it; who types another dose must see them."""
TITLE_OF = {each.name: title for title, each in EDITABLE.items()}
OF_A_SUBJECT = {title for title, each in EDITABLE.items() if each.scope is Scope.STUDY}
OF_KEY = {
    **{key: TITLE_OF[name] for name, keys in KEYS.items() if name in TITLE_OF for key in keys},
    **dict.fromkeys(("subject_identifier", "animal_number"), "patient_id"),
    "dose": "dose_MBq",
    "activity_before_injection": "dose_MBq",
}
IN_SHORT = {
    "weight-unknown": "missing, and SUV needs it",
    "dose-unknown": "missing, and SUV needs it",
    "injection-time-unknown": "missing, and SUV needs it",
    "subject-unknown": "missing; the file's name is used instead",
    "several-subjects": "several animals in one folder",
}
"""What is wrong with a cell, where the finding says more than fits."""
OF_EACH_DAY = "its own each day"

Typed = Mapping[str, Mapping[str, str]]
"""What was typed: by the key of a row, and by title."""


class Cell(NamedTuple):
    """One cell.

    Attributes:
        title: of its column.
        text: what was typed, else what the header says, or another row of the same animal.
        is_typed: whether it was typed here.
        wrong: why it cannot be read; empty if it can.
        doubts: what is missing, or contradicts.
        instead: the value that an empty cell means.
    """

    title: str
    text: str
    is_typed: bool = False
    wrong: str = ""
    doubts: tuple[str, ...] = ()
    instead: str = ""


@dataclass(frozen=True)
class Line:
    """A row of the table: one scan, with what distinguishes it from others.

    Attributes:
        number: from 1, as messages name it.
        key: of the row.
        name: of the file.
        notes: folder below the root, kind, start, and the animal's name in the header.
        cells: in the order of the titles.
        problem: why the scan cannot be read, or the row contradicts another one.
        is_read: whether there is something to correct.
    """

    number: int
    key: str
    name: str
    notes: tuple[str, ...]
    cells: tuple[Cell, ...]
    problem: str = ""
    is_read: bool = True


@dataclass(frozen=True)
class Listing:
    """The scans of a folder, or of those below it if it holds none itself.

    Attributes:
        root: the folder, or the one file.
        pairs: by their keys, the paths of their data files as seen from the root; in the order of the rows.
        problems: folders that cannot be read, and that there are more scans than are listed.
    """

    root: Path
    pairs: Mapping[str, Pair]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Animals:
    """Those of scans that show several.

    Attributes:
        extents: where each lies, by the key of its row.
        side: from which positions are seen.
    """

    extents: Mapping[str, Extent]
    side: str = Side.FRONT.value

    def named(self, typed: Typed) -> tuple[str, ...]:
        """Return the rows in which an animal has a name; the others are empty places."""
        return tuple(key for key in self.extents if _NAMES & typed.get(key, {}).keys())


def listing_of(root: Path) -> Listing:
    """Return the scans of a folder, or of those below it if it holds none itself; no header is read.

    Raises:
        InputError: there is none.
    """
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        pair = pair_of(root)
        return Listing(root, {pair.name: pair})
    folder = scan_folder(root)
    if folder.pairs:
        return Listing(root, {each.name: each for each in folder.pairs})
    problems: list[str] = []
    pairs = list(pairs_below(root, problems))
    if not pairs:
        raise folder.without_pairs()
    if len(pairs) > MOST_SCANS:
        problems.append(f"only the first {MOST_SCANS} scans are shown: open a folder further down")
    return Listing(root, {below(each.data, root): each for each in pairs[:MOST_SCANS]}, tuple(problems))


def pairs_below(root: Path, problems: list[str]) -> Iterator[Pair]:
    """Yield the pairs of a folder and of all below it, each before those inside it; one more than are listed."""
    waiting, looked, found = deque([root]), 0, 0
    while waiting and found <= MOST_SCANS:
        looked += 1
        if looked > _MOST_FOLDERS:
            problems.append(f"only the first {_MOST_FOLDERS} folders were looked into: open a folder further down")
            return
        try:
            folder = scan_folder(waiting.popleft())
        except InputError as error:
            problems.append(printable(error, LONGEST))
            continue
        yield from folder.pairs
        found += len(folder.pairs)
        waiting.extendleft(reversed(folder.entered))


def normal(title: str, text: str, *, has_comma: bool | None = None) -> tuple[str, str]:
    """Return the title and the text of a cell as the table has them; what cannot be read stays as it was typed.

    A weight in kg is one in g, and so on. An empty text is an empty cell.

    Args:
        title: of any column but those that say what scans a row is about.
        text: as typed.
        has_comma: commas in numbers are decimal marks; None sees by this cell alone.

    Raises:
        InputError: there is no such column.
    """
    column = column_of(title)
    shown = None if column is None else TITLE_OF.get(column.name)
    if column is None or shown is None:
        raise InputError(f"there is no column '{printable(title, 40)}' to fill")
    content = " ".join(text.split())[:_LONGEST_CELL]
    comma = has_decimal_comma([content]) if has_comma is None else has_comma
    try:
        value = value_of(column, content, has_decimal_comma=comma) if content else None
    except ValueError:
        return shown, content
    if value is None:
        return shown, content and TAKEN_AWAY
    return shown, EDITABLE[shown].codec.spell(value)


def changed(typed: Typed, changes: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    """Return what was typed with changes, each a row's key, title and text; an empty text takes the cell away."""
    found = {key: dict(cells) for key, cells in typed.items()}
    for key, title, text in changes:
        found.setdefault(key, {})[title] = text
        if not text:
            del found[key][title]
    return {key: cells for key, cells in found.items() if cells}


def titles_of(typed: Typed, more: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the titles that a table shows: those that people need, those asked for, and those in which is something.

    What a dose is made from is among them, to be left out by `without_empty`; columns of a hotel are not.
    """
    used = {title for cells in typed.values() for title in cells} | set(more)
    others = (title for title, each in EDITABLE.items() if title in used and each.scope is not Scope.HOTEL)
    return tuple(dict.fromkeys((*USUAL[:3], *OF_A_DOSE, *USUAL[3:], *others)))


def without_empty(
    titles: Sequence[str], lines: Sequence[Line], asked: Iterable[str] = ()
) -> tuple[tuple[str, ...], tuple[Line, ...]]:
    """Return titles and rows without the columns of what a dose is made from of which no cell holds something.

    Args:
        titles: of all columns.
        lines: the rows.
        asked: titles of columns that stay.
    """
    filled = set(asked) | {cell.title for line in lines for cell in line.cells if cell.text or cell.wrong}
    left = tuple(title for title in titles if title not in OF_A_DOSE or title in filled)
    kept = (replace(line, cells=tuple(cell for cell in line.cells if cell.title in left)) for line in lines)
    return left, tuple(kept)


def wrong_with(title: str, text: str) -> str:
    """Return why a text cannot be the cell of a column; empty if it can."""
    try:
        value_of(EDITABLE[title], text)
    except ValueError as error:
        return f"expected {error}"
    return ""


def values_of(number: int, typed: Mapping[str, str]) -> Iterator[tuple[str, Value]]:
    """Yield name and value of each cell of a row, as a sheet has them; what cannot be read is left out."""
    for title, text in typed.items():
        if not wrong_with(title, text):
            yield EDITABLE[title].name, Value(value_of(EDITABLE[title], text), number, title, text)


def cell_of(title: str, known: str, typed: str | None, doubts: Iterable[tuple[str, str]]) -> Cell:
    """Return a cell.

    Args:
        title: of its column.
        known: what the headers say, or another row.
        typed: what was typed, if something was.
        doubts: titles and words of what is missing or contradicts in the row.
    """
    wrong = wrong_with(title, typed) if typed else ""
    text = typed or known
    of_cell = (words for of, words in doubts if of == title and (text or words != IN_SHORT["several-subjects"]))
    return Cell(title, text, bool(typed), wrong, tuple(of_cell))
