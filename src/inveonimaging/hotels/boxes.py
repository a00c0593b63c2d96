"""The file of boxes: where each animal of a hotel lies, to be looked at, corrected by hand, and taken again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inveonimaging.errors import InputError, listed, printable
from inveonimaging.hotels.positions import refuse_other_order
from inveonimaging.physics.geometry import Mm, mm_of
from inveonimaging.sheet.hotels import Hotel, shown
from inveonimaging.sheet.positions import Slot, slot_of
from inveonimaging.storage.bounded import read_bounded
from inveonimaging.storage.shapes import fits
from inveonimaging.storage.strict_json import json_of
from inveonimaging.study.cut import Extent

PROGRAM = "inveonimaging"
SCHEMA = 1
_LARGEST_FILE = 1024 * 1024
_MOST = 100
_FARTHEST_MM = 10_000.0
_KEYS = ("position", "low_mm", "high_mm")
_SHAPE = {"schema": int, "program": str, "animals": list}
_NAMED = 8
_EXPECTED = '{"schema": 1, "program": "inveonimaging", "animals": [{"position": "left", "low_mm": [...], ...}]}'


@dataclass(frozen=True)
class AnimalBox:
    """Where an animal lies: its position in the hotel, and its extent in the gantry."""

    slot: Slot
    extent: Extent


def as_many(extents: Sequence[Extent], number: int, reach: Extent) -> tuple[Extent, ...]:
    """Return so many extents, to be corrected by hand: the largest ones; if there are too few, the widest in halves.

    Args:
        extents: that were found.
        number: how many there are to be.
        reach: of the images; it is what is cut where nothing was found.
    """
    found = sorted(extents or (reach,), key=_size_mm3, reverse=True)[:number]
    while len(found) < number:
        widest = max(found, key=lambda each: each.high_mm[0] - each.low_mm[0])
        middle = widest.centre_mm[0]
        left = Extent(widest.low_mm, (middle, *widest.high_mm[1:]))
        right = Extent((middle, *widest.low_mm[1:]), widest.high_mm)
        at = found.index(widest)
        found[at : at + 1] = [left, right]
    return tuple(sorted(found, key=lambda each: each.centre_mm))


def _size_mm3(extent: Extent) -> float:
    return math.prod(b - a for a, b in zip(extent.low_mm, extent.high_mm, strict=True))


def boxes_json(boxes: Iterable[tuple[str, Extent]]) -> bytes:
    """Return the file of boxes, as people edit it: each animal's position, and mm in the gantry with three decimals."""
    animals = [
        {"position": position, "low_mm": _rounded(extent.low_mm), "high_mm": _rounded(extent.high_mm)}
        for position, extent in boxes
    ]
    lines = ",\n".join(f"  {json.dumps(each)}" for each in animals)
    head = f'{{"schema": {SCHEMA}, "program": "{PROGRAM}", "animals": ['
    return f"{head}\n{lines}\n]}}\n".encode()


def _rounded(mm: Mm) -> list[float]:
    return [round(each, 3) for each in mm]


def read_boxes(path: Path) -> tuple[AnimalBox, ...]:
    """Read a file of boxes.

    Raises:
        InputError: it cannot be read, or is not of its form; with the entry, what was found and what was expected.
    """
    try:
        data = read_bounded(path, _LARGEST_FILE)
    except OSError as error:
        raise InputError(f"the boxes cannot be read: {error.strerror or error}", path=path) from error
    return boxes_of(path, data)


def boxes_of(path: Path, data: bytes) -> tuple[AnimalBox, ...]:
    """Return what a file of boxes holds; as `read_boxes`."""
    try:
        document = json_of(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {printable(error, 100)}", path=path, expected=_EXPECTED) from error
    animals = _animals(document, path)
    boxes = tuple(_box(entry, number, path) for number, entry in enumerate(animals, 1))
    slots = [box.slot for box in boxes]
    again = next((slot for n, slot in enumerate(slots) if slot in slots[:n]), None)
    if again:
        raise InputError(f"the position '{again}' occurs twice", path=path, expected="one box for each position")
    return boxes


def _animals(document: Any, path: Path) -> list[Any]:
    """Return the entries of a file of boxes."""
    if not fits(document, _SHAPE) or (document["schema"], document["program"]) != (SCHEMA, PROGRAM):
        raise InputError("is not a file of boxes", path=path, expected=_EXPECTED)
    stray = next((name for name in document if name not in _SHAPE), None)
    if stray is not None:
        got = f"'{printable(stray, 40)}'"
        raise InputError(f"{got} does not belong in a file of boxes", path=path, expected=", ".join(_SHAPE))
    animals: list[Any] = document["animals"]
    if not 1 <= len(animals) <= _MOST:
        raise InputError(f"has boxes of {len(animals)} animals", path=path, expected=f"1 to {_MOST}")
    return animals


def _box(entry: Any, number: int, path: Path) -> AnimalBox:
    where = f"entry {number} of animals"
    if not isinstance(entry, dict) or set(entry) != set(_KEYS):
        raise InputError(f"{where} is not of its form", path=path, expected=", ".join(_KEYS))
    try:
        slot = slot_of(entry["position"]) if isinstance(entry["position"], str) else None
    except ValueError:
        slot = None
    if slot is None:
        got = printable(str(entry["position"]), 40)
        raise InputError(f"{where}: position is '{got}'", path=path, expected="a position of the sheet, as left")
    low, high = (_mm(entry[key], f"{where}: {key}", path) for key in _KEYS[1:])
    if not all(a < b for a, b in zip(low, high, strict=True)):
        raise InputError(f"{where}: low_mm is not below high_mm", path=path, expected="low_mm below high_mm, each axis")
    return AnimalBox(slot, Extent(low, high))


def _mm(value: Any, what: str, path: Path) -> Mm:
    numbers = value if isinstance(value, list) and len(value) == len(_KEYS) else []
    if not numbers or not all(_is_mm(each) for each in numbers):
        got = printable(json.dumps(value), 60)
        expected = f"three numbers of at most {_FARTHEST_MM:g} mm: along i, j and k"
        raise InputError(f"{what} is {got}", path=path, expected=expected)
    return mm_of(numbers)


def _is_mm(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -_FARTHEST_MM <= value <= _FARTHEST_MM  # which no NaN is


def extents_of(boxes: Sequence[AnimalBox], hotel: Hotel, path: Path) -> tuple[Extent, ...]:
    """Return the extent of each animal of a sheet, in the order of `hotel.animals`.

    Raises:
        InputError: an animal has no box, or a box no animal; two boxes lie the other way than their positions.
    """
    by_slot = {box.slot: box.extent for box in boxes}
    animals = {each.slot: each for each in hotel.animals}
    without = [each for slot, each in animals.items() if slot not in by_slot]
    if without:
        raise InputError(f"no box for {shown(without)}", path=path, expected="a box for each row with an animal")
    stray = [str(slot) for slot in by_slot if slot not in animals]
    if stray:
        message = f"the sheet has no animal at {listed([repr(each) for each in stray], _NAMED)}"
        raise InputError(message, path=path, expected=f"boxes of {shown(hotel.animals)} alone")
    extents = tuple(by_slot[slot] for slot in animals)
    refuse_other_order(extents, hotel, path)
    return extents
