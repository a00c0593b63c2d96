"""Which animals a sheet describes in one scan: rows that match it and have a position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.animal.sheet_values import Cell, SheetValues
from inveonimaging.errors import InputError, listed, printable
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.columns import OF_AN_ANIMAL
from inveonimaging.sheet.matching import Row, Sheet, sheet_values_of
from inveonimaging.sheet.positions import Side, Slot, relative_positions

_NAMED = 8
_NAMES = ("id", "name")


@dataclass(frozen=True)
class Position:
    """A position of a hotel, with the animal that lies there, if one does.

    Attributes:
        slot: where.
        rows: the numbers of the sheet's rows that have it.
        id: Patient ID of the animal, its name if that alone is given; empty if there is none.
        of_scans: what the sheet says of it at each scan of the study.
        of_study: what the sheet says of it at all.
    """

    slot: Slot
    rows: tuple[int, ...]
    id: str
    of_scans: tuple[SheetValues, ...]
    of_study: SheetValues

    def __str__(self) -> str:
        """Return it as messages name it: `row 2 (left, m12)`."""
        who = f", {printable(self.id, 30)}" if self.id else ""
        return f"row {self.rows[0]} ({self.slot}{who})"


@dataclass(frozen=True)
class Hotel:
    """Several animals in one scan, as a sheet describes them.

    Attributes:
        path: the sheet.
        side: from which the positions are seen.
        positions: in the order of their rows.
        rows: of each scan of the study, the numbers of all rows that match it.
    """

    path: Path
    side: Side
    positions: tuple[Position, ...]
    rows: tuple[tuple[int, ...], ...] = ()

    @property
    def animals(self) -> tuple[Position, ...]:
        """The positions that are not empty."""
        return tuple(each for each in self.positions if each.id)

    @property
    def relative_positions(self) -> Mapping[Slot, tuple[int, int, int]]:
        """Subject Relative Position in Image of each position: see `relative_positions`."""
        return relative_positions([each.slot for each in self.positions], self.side)


def hotel_of(sheet: Sheet | None, scans: Sequence[tuple[Pair, Header]]) -> Hotel | None:
    """Return the hotel that a sheet describes in the scans of a study, None if no row that matches has a position.

    Raises:
        InputError: what it says cannot be; with the row.
    """
    if sheet is None:
        return None
    sheet, numbers = sheet.about(scans)
    rows = sheet.rows
    placed: dict[Slot, list[Row]] = {}
    for row in rows:
        if row.slot:
            placed.setdefault(row.slot, []).append(row)
    side = _side(sheet, rows, is_hotel=bool(placed))
    if not placed:
        return None
    _refuse_two_kinds(sheet, placed)
    for slot, at_one in placed.items():
        _refuse_two_in_one_place(sheet, slot, at_one)
    positions = tuple(_position(sheet, slot, at_one, scans) for slot, at_one in placed.items())
    _refuse_twice(sheet, positions)
    hotel = Hotel(sheet.path, side, positions, numbers)
    if not hotel.animals:
        first = positions[0]
        raise _error(sheet, first.rows[0], "no position has an animal", "patient_id in the row of each animal")
    return hotel


def refuse_for_several_studies(sheet: Sheet | None) -> None:
    """Refuse a sheet of which animals would be those of every study, since their rows name no scans.

    Raises:
        InputError: with the first such row.
    """
    rows = sheet.rows if sheet else ()
    row = next(
        (each for each in rows if each.slot and not (each.file or each.folder or each.subject or each.day)), None
    )
    if sheet and row:
        message = f"the row with the position '{row.slot}' names no scans, and would be about those of every study"
        raise _error(sheet, row.number, message, "file or folder in each row, or one study at a time")


def _side(sheet: Sheet, rows: Sequence[Row], *, is_hotel: bool) -> Side:
    """Return from which side positions are seen; from the front, unless a row says something else."""
    cells = [row.cells["seen_from"] for row in rows if "seen_from" in row.cells]
    if not cells:
        return Side.FRONT
    first, *others = cells
    if not is_hotel:
        raise _error(sheet, first.row, "seen_from is given, and no row has a position", "position in the same row")
    for each in others:
        if each.value is not first.value:
            message = f"seen_from is '{each.value.value}', but row {first.row} says '{first.value.value}'"
            raise _error(sheet, each.row, message, "one side for all animals of a scan")
    side: Side = first.value
    return side


def _refuse_two_kinds(sheet: Sheet, placed: Mapping[Slot, Sequence[Row]]) -> None:
    first = next(iter(placed))
    other = next((slot for slot in placed if slot.is_named != first.is_named), None)
    if other:
        message = f"position is '{other}', but row {placed[first][0].number} says '{first}'"
        raise _error(sheet, placed[other][0].number, message, "names in all rows of a hotel, or numbers in all")


def _refuse_two_in_one_place(sheet: Sheet, slot: Slot, rows: Sequence[Row]) -> None:
    for name in _NAMES:
        cells = [row.cells[name] for row in rows if name in row.cells]
        for cell in cells[1:]:
            if cell.value != cells[0].value:
                one, other = printable(cell.text, 40), printable(cells[0].text, 40)
                message = f"'{one}' is at '{slot}', and so is '{other}' of row {cells[0].row}"
                raise _error(sheet, cell.row, message, "another position for each animal")


def _position(sheet: Sheet, slot: Slot, rows: Sequence[Row], scans: Sequence[tuple[Pair, Header]]) -> Position:
    of_scans, of_study = sheet_values_of(sheet.at(slot), scans)
    named = next((str(value) for name in _NAMES if (value := of_study.get(name))), "")
    if not named:
        stray = next(_own(rows), None)
        if stray:
            message = f"{stray.title} is given for the position '{slot}', and no animal lies there"
            raise _error(sheet, stray.row, message, "patient_id in the same row, or the position alone")
    return Position(slot, tuple(row.number for row in rows), named, of_scans, of_study)


def _own(rows: Sequence[Row]) -> Iterator[Cell]:
    """Yield what rows of a position say of an animal."""
    return (cell for row in rows for name, cell in row.cells.items() if name in OF_AN_ANIMAL)


def _refuse_twice(sheet: Sheet, positions: Sequence[Position]) -> None:
    """Refuse two animals with one ID; their folders would be one, also where upper and lower case are."""
    seen: dict[str, Position] = {}
    for each in filter(lambda position: position.id, positions):
        other = seen.setdefault(each.id.casefold(), each)
        if other is not each:
            message = f"'{printable(each.id, 40)}' is at '{each.slot}' and, in row {other.rows[0]}, at '{other.slot}'"
            raise _error(sheet, each.rows[0], message, "another patient_id for each animal")


def _error(sheet: Sheet, row: int | None, message: str, expected: str) -> InputError:
    return InputError(message, path=sheet.path, line=row, expected=expected)


def shown(positions: Sequence[Position]) -> str:
    """Return positions as a message lists them."""
    return listed([str(each) for each in positions], _NAMED)
