"""Animals that were found, and positions of a sheet -> which is which.

Stored i grows to the right and j downwards as seen from the front of the scanner, where the bed enters; k grows towards
the front. Animals do not lie on an exact grid: two in one row may lie some millimetres above each other. So only the
order counts: of each two positions, whether one is left of, above or in front of the other. Where it could be either,
the sheet's word holds; where it cannot be so, it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, islice, pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple, Protocol

from inveonimaging.animal.sheet_values import SheetValues
from inveonimaging.errors import InputError
from inveonimaging.physics.geometry import Mm, mm_of
from inveonimaging.sheet.hotels import Hotel, Position, shown
from inveonimaging.sheet.positions import Side, Slot

_Rows = tuple[tuple[int, ...], ...]

MOST_ANIMALS = 12
_APART = 0.55  # of a body's size: so far one must lie above, or in front of, another
_BESIDE = 0.25  # likewise left of it: bodies in a row lie side by side, and limbs make them look wider
_LEVEL = 0.75  # of a body's size: so far apart may animals of one row lie
_MOST_NAMED = 3  # places along one axis: left, middle, right
_SMALLEST_MM = (12.0, 12.0, 30.0)  # of a body along i, j, k; that of emission may be a part of it


class Placed(Protocol):
    """An animal that was found: its extent and its middle in the gantry, along i, j and k, mm."""

    @property
    def low_mm(self) -> Mm:
        """Lower faces of its extent."""

    @property
    def high_mm(self) -> Mm:
        """Upper faces of its extent."""

    @property
    def centre_mm(self) -> Mm:
        """The middle of its trunk."""


class _Order(NamedTuple):
    """What must hold between two animals: along x, y and z (right, down, away) the least and the most of a difference.

    In parts of a body's size; None if nothing must.
    """

    least: tuple[float | None, float | None, float | None]
    most: tuple[float | None, float | None, float | None]


def assigned(bodies: Sequence[Placed], hotel: Hotel) -> tuple[int, ...]:
    """Return for each animal of a sheet, in the order of `hotel.animals`, which of the bodies it is, from 0.

    Raises:
        InputError: their numbers differ, or they do not lie as the sheet says; one line, with what was found where.
    """
    _refuse_other_number(bodies, hotel)
    fits = list(islice(_fits(bodies, hotel, hotel.side), 2))
    if len(fits) == 1:
        return fits[0]
    line = hotel.animals[0].rows[0]
    both = f"found {_where(bodies)}; the sheet has {shown(hotel.animals)}"
    if fits:
        message = f"two arrangements fit the positions: {both}"
        raise InputError(message, path=hotel.path, line=line, hint="give more exact positions, such as top left")
    message = f"the animals do not lie as the positions say: {both}"
    other = Side.FRONT if hotel.side is Side.BACK else Side.BACK
    turned = len(list(islice(_fits(bodies, hotel, other), 2))) == 1
    hint = f"they do with seen_from {other.value}: a marked scan settles it" if turned else "correct the positions"
    raise InputError(message, path=hotel.path, line=line, hint=hint)


def refuse_other_order(bodies: Sequence[Placed], hotel: Hotel, path: Path) -> None:
    """Refuse bodies of `hotel.animals`, in that order, of which two lie the other way than their positions.

    How far apart they lie is left to who drew their boxes.

    Raises:
        InputError: naming the file of the boxes, both animals, and where they lie.
    """
    for one, other in combinations(range(len(bodies)), 2):
        animals, pair = (hotel.animals[one], hotel.animals[other]), (bodies[one], bodies[other])
        if not _are_in_order(animals, pair, hotel):
            message = f"the boxes of {shown(animals)} do not lie as the positions say: they are {_where(pair)}"
            hint = "give each box the position of its animal; boxes go by the gantry's mm, positions by seen_from"
            raise InputError(message, path=path, hint=hint)


def _are_in_order(animals: tuple[Position, Position], pair: tuple[Placed, Placed], hotel: Hotel) -> bool:
    one, other = (_from_front(each.centre_mm) for each in pair)
    signs = _order(*animals, hotel, hotel.side).least
    return all(sign is None or (b - a) * sign > 0 for a, b, sign in zip(one, other, signs, strict=True))


def slots_of(bodies: Sequence[Placed]) -> tuple[Slot, ...]:
    """Return the position of each body, as seen from the front, by which `assigned` distinguishes it from all others.

    They are named if names suffice, else numbered from the left, the top and the front.

    Raises:
        InputError: no positions would distinguish them.
    """
    if not bodies:
        return ()
    size, places = _size(bodies), [_from_front(each.centre_mm) for each in bodies]
    levels = [_levels([place[axis] for place in places], _APART * size[axis]) for axis in (1, 2)]
    rows: _Rows = tuple(zip(*levels, strict=True))
    across = tuple(
        sum(other[0] < place[0] for other, its in zip(places, rows, strict=True) if its == row)
        for place, row in zip(places, rows, strict=True)
    )
    for number in (_named, _numbered):
        slots = number((across, *map(tuple, levels)), rows)
        if slots and len(bodies) <= MOST_ANIMALS and _are_unambiguous(bodies, slots):
            return slots
    message = f"positions do not distinguish {len(bodies)} animals: found {_where(bodies)}"
    raise InputError(message, hint="write the sheet by hand, and say with --boxes where each lies")


def _levels(values: Sequence[float], apart: float) -> list[int]:
    """Return the level of each value, from 0; levels lie further from each other than `apart`."""
    ordered = sorted(values)
    begins = [b for a, b in pairwise(ordered) if b - a > apart]
    return [sum(value >= begin for begin in begins) for value in values]


def _named(places: _Rows, rows: _Rows) -> tuple[Slot, ...]:
    """Return slots with names; none if there are more places along an axis than names."""
    x, y, z = places
    widths = [rows.count(row) for row in rows]
    counts = (max(widths), max(y) + 1, max(z) + 1)
    if max(counts) > _MOST_NAMED:
        return ()
    named = zip(x, widths, y, z, strict=True)
    return tuple(
        Slot(_side(c, counts[2]), _side(b, counts[1]), _side(a, width), is_named=True) for a, width, b, c in named
    )


def _side(number: int, count: int) -> int:
    """Return -1, 0 or 1 of the first, the middle or the last."""
    return 0 if 2 * number == count - 1 else -1 if not number else 1


def _numbered(places: _Rows, _rows: _Rows) -> tuple[Slot, ...]:
    return tuple(Slot(z + 1, y + 1, x + 1) for x, y, z in zip(*places, strict=True))


def _are_unambiguous(bodies: Sequence[Placed], slots: Sequence[Slot]) -> bool:
    """Return whether a sheet with these positions would find each body in its own, and in no other way."""
    nothing = SheetValues()
    positions = tuple(Position(slot, (), "?", (), nothing) for slot in slots)
    fits = islice(_fits(bodies, Hotel(Path(), Side.FRONT, positions), Side.FRONT), 2)
    return [*fits] == [tuple(range(len(bodies)))]


def _refuse_other_number(bodies: Sequence[Placed], hotel: Hotel) -> None:
    found, expected = len(bodies), len(hotel.animals)
    if found == expected <= MOST_ANIMALS:
        return
    line = hotel.animals[0].rows[0]
    if found == expected:
        message = f"{found} animals are too many to distinguish"
        raise InputError(message, path=hotel.path, line=line, expected=f"at most {MOST_ANIMALS}")
    where = f" {_where(bodies)}" if bodies else ""
    message = f"{found} animals were found{where}, and the sheet has {expected}: {shown(hotel.animals)}"
    hint = "give each animal a row with its position and an empty position none, or correct the boxes and pass --boxes"
    raise InputError(message, path=hotel.path, line=line, hint=hint)


def _where(bodies: Sequence[Placed]) -> str:
    """Return where bodies are, as seen from the front: to the right, down and away from the middle of the gantry."""
    places = (_from_front(each.centre_mm) for each in bodies)
    return "at " + ", ".join(f"({x:.0f}, {y:.0f}, {z:.0f})" for x, y, z in places) + " mm right, down and away"


def _from_front(place: Mm) -> Mm:
    i, j, k = place
    return i, j, 0.0 - k


def _fits(bodies: Sequence[Placed], hotel: Hotel, side: Side) -> Iterator[tuple[int, ...]]:
    """Yield each way to give a body to every animal in which all pairs lie as their positions say."""
    places = [_from_front(each.centre_mm) for each in bodies]
    size = _size(bodies)
    animals = hotel.animals
    orders = {
        (one, other): _order(animals[one], animals[other], hotel, side)
        for other in range(len(animals))
        for one in range(other)
    }

    def grown(chosen: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        number = len(chosen)
        if number == len(animals):
            yield chosen
            return
        for body in range(len(bodies)):
            if body not in chosen and all(
                _holds(orders[one, number], places[chosen[one]], places[body], size) for one in range(number)
            ):
                yield from grown((*chosen, body))

    return grown(())


def _size(bodies: Sequence[Placed]) -> Mm:
    """Return the usual size of a body along i, j and k, mm."""
    sizes = [[high - low for low, high in zip(each.low_mm, each.high_mm, strict=True)] for each in bodies]
    return mm_of(max(median(each[axis] for each in sizes), _SMALLEST_MM[axis]) for axis in range(3))


def _order(one: Position, other: Position, hotel: Hotel, side: Side) -> _Order:
    """Return what must hold between two animals."""
    x, y, z = (b - a for a, b in zip(one.slot.seen_from(side), other.slot.seen_from(side), strict=True))
    across = _signed(x, _BESIDE) if not (y or z) or _are_columns(one.slot, other.slot, hotel) else None
    down, away = None if z else _signed(y, _APART), _signed(z, _APART)
    return _Order((across, down, away), (None, None if y or z else _LEVEL, None if z else _LEVEL))


def _signed(difference: int, least: float) -> float | None:
    return None if not difference else least if difference > 0 else -least


def _are_columns(one: Slot, other: Slot, hotel: Hotel) -> bool:
    """Return whether columns of two rows can be compared: left and right always, numbers only in rows of one length."""
    if one.is_named:
        return one.x * other.x < 0
    counts = [sum((each.slot.y, each.slot.z) == (slot.y, slot.z) for each in hotel.positions) for slot in (one, other)]
    return counts[0] == counts[1]


def _holds(order: _Order, one: Mm, other: Mm, size: Mm) -> bool:
    for axis, (least, most) in enumerate(zip(order.least, order.most, strict=True)):
        apart = (other[axis] - one[axis]) / size[axis]
        if least is not None and (apart if least > 0 else -apart) < abs(least):
            return False
        if most is not None and abs(apart) > most:
            return False
    return True
