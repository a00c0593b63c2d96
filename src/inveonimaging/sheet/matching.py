"""Which rows of a sheet are about a scan, and which of their values counts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from inveonimaging.animal.sheet_values import NO_SHEET_VALUES, Cell, SheetValues
from inveonimaging.errors import InputError, listed, one_line, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.columns import HOTEL_NAMES, OF_A_DAY, OF_AN_ANIMAL, OF_ONE_ANIMAL, STUDY_NAMES
from inveonimaging.sheet.positions import Slot

_WILD = frozenset("*?[")
_LITERALS = re.compile(r"[^*?]+")
_NAMED = 8
_TOGETHER = (  # DICOM has them as one item, all of type 1
    ("breed_registration", "breed_registry"),
    ("modifications", "modifications_nomenclature"),
    ("strain_stock", "strain_source", "strain_registry"),
)
_TITLES = {"modifications": "genetic_modifications", "modifications_nomenclature": "genetic_modifications_nomenclature"}
_NOT_OF_A_GROUP = {*OF_ONE_ANIMAL, *HOTEL_NAMES, *(name for names in _TOGETHER for name in names)} | {
    "modifications_codes",
    "responsible_role",
}
Rank = tuple[int, int, int]
Ranked = Sequence[tuple["Rank", "Row"]]


class Row(NamedTuple):
    """A row: its number, what scans it is about (empty or None for any), and its values by their names."""

    number: int
    file: str
    folder: str
    subject: str
    cells: Mapping[str, Cell]
    day: date | None = None

    @property
    def names_scans(self) -> bool:
        """Whether it is about some scans only."""
        return bool(self.file or self.folder or self.subject or self.day)

    @property
    def slot(self) -> Slot | None:
        """The position of the animal that it is about, None if it is about all of a scan."""
        cell = self.cells.get("position")
        return None if cell is None else cell.value


class ScanPlace(NamedTuple):
    """What rows are matched by, all in lower case: folders from the root on, names of both files, the subject."""

    folders: tuple[str, ...]
    names: tuple[str, str]
    subject: str
    day: date | None = None


def place_of(pair: Pair, header: Header) -> ScanPlace:
    """Return what rows of a scan are matched by."""
    folder = Path(os.path.abspath(pair.data.parent))  # noqa: PTH100 - links stay as they are
    names = pair.data.name.casefold(), pair.header.name.casefold()
    folders = tuple(each.casefold() for each in folder.parts[1:])
    start = header.acquisition.started_at
    return ScanPlace(folders, names, plain_subject(header.subject.identifier), start.date() if start else None)


def plain_subject(text: str | None) -> str:
    """Return a `subject_identifier` as it is compared: blanks, control characters, upper and lower case aside."""
    return one_line(text or "").casefold()


def parts_of_path(text: str) -> tuple[str, ...]:
    """Return the parts of a pattern of a path, in lower case; slashes separate them, and backslashes as well."""
    return tuple(part for part in text.replace("\\", "/").casefold().split("/") if part not in ("", "."))


def pattern_of(path: str) -> str:
    """Return what the column `file` says of a path with forward slashes, and of no other that is like it.

    What means something in a pattern, and a blank that a cell loses, are a pattern of that character; what no cell
    holds, and a colon that looks like that of a drive, is one of any character.
    """
    ends = {0, len(path) - 1}

    def escaped(at: int, character: str) -> str:
        if not character.isprintable() or character == "\\" or (character == ":" and at < len("C:")):
            return "?"
        return f"[{character}]" if character in _WILD or (character == " " and at in ends) else character

    return "".join(escaped(at, character) for at, character in enumerate(path))


@dataclass(frozen=True)
class Sheet:
    """A sheet that was read.

    Attributes:
        path: the file.
        sha256: of its bytes.
        rows: in their order.
        findings: how the file was read, if that is to be known.
    """

    path: Path
    sha256: str
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = ()

    def __getstate__(self) -> dict[str, object]:
        """Return what another process needs to have the same sheet."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def of_scan(self, pair: Pair, header: Header) -> SheetValues:
        """Return what the rows say of a scan: of each value that of the row that matches most closely.

        Rows with a position are about one animal each; of several animals it is what holds for all of them.

        Raises:
            InputError: two rows that match alike say different things.
        """
        ranked = sorted(self._ranked(pair, header), key=lambda each: (each[0], -each[1].number), reverse=True)
        slots = list(dict.fromkeys(row.slot for _, row in ranked if row.slot))
        cells = self._cells([each for each in ranked if each[1].slot is None], pair)
        if slots:
            animals = [self._cells([each for each in ranked if each[1].slot == slot], pair) for slot in slots]
            cells = {**_of_all(animals), **cells}
        own = {name: cell for name, cell in cells.items() if name not in HOTEL_NAMES}
        return SheetValues(self.path, own, tuple(sorted(row.number for _, row in ranked)))

    def _cells(self, ranked: Ranked, pair: Pair) -> dict[str, Cell]:
        """Return of each value that of the first row, the closest; InputError if another as close differs."""
        cells: dict[str, tuple[Rank, Cell]] = {}
        for rank, row in ranked:
            for name, cell in row.cells.items():
                found = cells.setdefault(name, (rank, cell))
                if found[0] == rank and found[1].value != cell.value:
                    raise self._contradiction(cell, found[1], f"both match {printable(pair.data.name)} alike")
        return {name: cell for name, (_, cell) in cells.items()}

    def at(self, slot: Slot) -> Sheet:
        """Return the sheet of one animal of a hotel: rows with its position, and what other rows say of all.

        Those say nothing of what each animal has for itself: its name, weight and dose.
        """
        return replace(self, rows=tuple(_stripped(row) for row in self.rows if row.slot in (None, slot)))

    def about(self, scans: Iterable[tuple[Pair, Header]]) -> tuple[Sheet, tuple[tuple[int, ...], ...]]:
        """Return the sheet of those rows that match one of several scans, and the numbers of those of each."""
        matching = [[row for _, row in self._ranked(*scan)] for scan in scans]
        found = {id(row): row for rows in matching for row in rows}  # of one line there may be several
        numbers = tuple(tuple(sorted({row.number for row in rows})) for rows in matching)
        return replace(self, rows=tuple(sorted(found.values(), key=lambda row: row.number))), numbers

    def rows_of(self, pair: Pair, header: Header) -> tuple[int, ...]:
        """Return the numbers of the rows that match a scan, whatever they say of it."""
        return tuple(sorted(row.number for _, row in self._ranked(pair, header)))

    def of_study(self, sheet_values: Iterable[SheetValues]) -> SheetValues:
        """Return the values of a study as a whole from those of its scans; a weight only if all agree.

        Raises:
            InputError: rows say different things of it.
        """
        cells: dict[str, Cell] = {}
        rows: set[int] = set()
        differing: set[str] = set()
        for each in sheet_values:
            rows |= set(each.rows)
            for name, cell in each.only(STUDY_NAMES).cells.items():
                found = cells.setdefault(name, cell)
                if found.value != cell.value and name not in OF_A_DAY:
                    raise self._contradiction(cell, found, "a study has one value, and scans of it match both rows")
                differing |= {name} if found.value != cell.value else set()
        agreed = {name: cell for name, cell in cells.items() if name not in differing}
        return SheetValues(self.path, agreed, tuple(sorted(rows)))

    def _contradiction(self, one: Cell, other: Cell, why: str) -> InputError:
        first, second = sorted((one, other), key=lambda cell: cell.row or 0)
        other_title = "" if first.title == second.title else f"{first.title} "
        message = f"{second.title} is {_shown(second)}, but row {first.row} says {other_title}{_shown(first)}; {why}"
        return InputError(message, path=self.path, line=second.row)

    def _ranked(self, pair: Pair, header: Header) -> Iterator[tuple[Rank, Row]]:
        """Yield the rows that match a scan, and how closely."""
        place = place_of(pair, header)
        yield from ((rank, each.row) for each in self._likely(place) if (rank := _rank(each, place)))

    def _likely(self, place: ScanPlace) -> Iterator[_Asked]:
        """Yield the rows that may match, so that not every row of a long sheet is looked at for every scan."""
        for kind, keys in (("file", place.names), ("folder", place.folders[-1:]), ("subject", (place.subject,))):
            for key in keys:
                yield from self._by_key.get((kind, key), ())
        yield from self._by_key.get(("", ""), ())

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], list[_Asked]]:
        """Rows by what they name without a wildcard; those with none under an empty key."""
        found: dict[tuple[str, str], list[_Asked]] = {}
        for row in self.rows:
            asked = _asked(row)
            found.setdefault(_key(asked), []).append(asked)
        return found


def _stripped(row: Row) -> Row:
    """Return a row as the sheet of one animal has it."""
    left_out = HOTEL_NAMES if row.slot else HOTEL_NAMES | OF_ONE_ANIMAL
    return row._replace(cells={name: cell for name, cell in row.cells.items() if name not in left_out})


def _of_all(animals: Sequence[Mapping[str, Cell]]) -> dict[str, Cell]:
    """Return what holds for a hotel as a whole: values that all its animals have; of an animal none if they differ."""
    filled = [cells for cells in animals if OF_AN_ANIMAL & set(cells)]
    found: dict[str, Cell] = {}
    for name, cell in (filled[0] if filled else {}).items():
        if name in _NOT_OF_A_GROUP or not all(name in each for each in filled):
            continue
        if all(each[name].value == cell.value for each in filled):
            found[name] = cell
        elif name in STUDY_NAMES:
            found[name] = cell._replace(value=None)
    return found


class _Asked(NamedTuple):
    """A row, with what it asks of a scan as it is compared: each empty if any will do."""

    row: Row
    file: tuple[str, ...]
    folder: tuple[str, ...]
    subject: str

    @property
    def number(self) -> int:
        """The row's number."""
        return self.row.number


def _asked(row: Row) -> _Asked:
    return _Asked(row, parts_of_path(row.file), parts_of_path(row.folder), plain_subject(row.subject))


def _key(asked: _Asked) -> tuple[str, str]:
    for kind, parts in (("file", asked.file), ("folder", asked.folder)):
        if parts and not _WILD & set(parts[-1]):
            return kind, parts[-1]
    return ("subject", asked.subject) if asked.row.subject else ("", "")


def _rank(asked: _Asked, place: ScanPlace) -> Rank | None:
    """Return how closely a row matches: by file, by folder, by subject; without wildcards more; None if it does not."""
    file = folder = subject = 0
    if asked.row.day and place.day and asked.row.day != place.day:
        return None
    if asked.file:
        file = max(_closeness(asked.file, (*place.folders, name)) for name in place.names)
        if not file:
            return None
    if asked.folder:
        folder = _closeness(asked.folder, place.folders)
        if not folder:
            return None
    if asked.row.subject:
        subject = int(asked.subject == place.subject)
        if not subject:
            return None
    return file, folder, subject


def _closeness(parts: Sequence[str], path: Sequence[str]) -> int:
    """Return 2 if the end of a path is what the parts of a pattern say, 1 if it matches them, else 0."""
    end = tuple(path[-len(parts) :])
    if len(end) < len(parts):
        return 0
    return 2 if end == parts else int(all(map(_matches, reversed(end), reversed(parts))))


def _matches(name: str, pattern: str) -> bool:
    """Return what `fnmatchcase` does; it compiles each pattern, so that it is asked only of those that it must be."""
    if "[" in pattern:
        return fnmatchcase(name, pattern)
    if "?" in pattern:
        return _has_in_order(name, _LITERALS.findall(pattern)) and fnmatchcase(name, pattern)
    if "*" not in pattern:
        return name == pattern
    head, *middle, tail = pattern.split("*")
    end = len(name) - len(tail)
    return (
        len(head) <= end
        and name.startswith(head)
        and name.endswith(tail)
        and _has_in_order(name[len(head) : end], middle)
    )


def _has_in_order(name: str, parts: Sequence[str]) -> bool:
    """Return whether a name has parts, one after the other."""
    at = 0
    for part in parts:
        at = name.find(part, at) + len(part)
        if at < len(part):
            return False
    return True


def _shown(cell: Cell) -> str:
    return f"'{printable(cell.text, 40)}'"


def sheet_values_of(
    sheet: Sheet | None, scans: Sequence[tuple[Pair, Header]]
) -> tuple[tuple[SheetValues, ...], SheetValues]:
    """Return what a sheet says of each scan of a study, with what it says of the study, and that alone.

    Raises:
        InputError: rows contradict each other, or give a part of what only makes sense as a whole; with the row.
    """
    if sheet is None:
        return (NO_SHEET_VALUES,) * len(scans), NO_SHEET_VALUES
    of_scans = [sheet.of_scan(*scan) for scan in scans]
    whole = sheet.of_study(of_scans)
    _refuse_incomplete(sheet.path, whole, [header for _, header in scans])
    return tuple(SheetValues(each.path, {**each.cells, **whole.cells}, each.rows) for each in of_scans), whole


def _refuse_incomplete(path: Path, sheet_values: SheetValues, headers: Sequence[Header]) -> None:
    """Refuse a part of what DICOM has as a whole.

    Raises:
        InputError: with the row that gives the part, and what is missing.
    """
    for names in _TOGETHER:
        given = [name for name in names if sheet_values.get(name)]
        missing = [name for name in names if not sheet_values.get(name)]
        if given and missing:
            raise _needs(path, sheet_values, given[0], f"{_TITLES.get(missing[0], missing[0])} in the same row")
    codes, modifications = sheet_values.get("modifications_codes") or (), sheet_values.get("modifications") or ()
    if codes and len(codes) != len(modifications):
        raise _needs(
            path, sheet_values, "modifications_codes", f"as many as genetic_modifications: {len(modifications)}"
        )
    known = sheet_values.get("investigator") or any(header.acquisition.investigator for header in headers)
    if sheet_values.get("responsible_role") and not known:
        raise _needs(path, sheet_values, "responsible_role", "responsible_person in the same row")


def _needs(path: Path, sheet_values: SheetValues, name: str, what: str) -> InputError:
    cell = sheet_values.cells[name]
    return InputError(f"{cell.title} is given", path=path, line=cell.row, expected=what)


def unmatched_scan(sheet: Sheet, sheet_values: SheetValues) -> tuple[Finding, ...]:
    """Return a finding if no row is about a scan."""
    if sheet_values.rows:
        return ()
    return (Finding("scan-not-in-sheet", f"no row of {printable(sheet.name)} matches this scan"),)


def sheet_findings(sheet: Sheet | None, used: Iterable[int]) -> tuple[Finding, ...]:
    """Return how a sheet was read, and which of its rows no scan matched; arguments as `unused_rows`."""
    return () if sheet is None else (*sheet.findings, *unused_rows(sheet, used))


def unused_rows(sheet: Sheet, used: Iterable[int]) -> tuple[Finding, ...]:
    """Return a finding with the rows that no scan matched.

    Args:
        sheet: the sheet.
        used: the numbers of rows that scans matched.
    """
    unused = sorted({row.number for row in sheet.rows} - set(used))
    if not unused:
        return ()
    message = f"{len(unused)} of {len(sheet.rows)} rows match no scan: {listed(list(map(str, unused)), _NAMED)}"
    return (Finding("sheet-row-unused", message, Severity.INFO, line=unused[0], path=str(sheet.path)),)
