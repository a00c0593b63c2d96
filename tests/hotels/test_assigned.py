"""Which body is which animal of the sheet, by hand, in gantry mm: i to the right, j down, k to the front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from helpers import assert_harmless
from hotels import scenes
from inveonimaging.animal.sheet_values import SheetValues
from inveonimaging.errors import InputError
from inveonimaging.hotels.positions import assigned
from inveonimaging.physics.geometry import Mm
from inveonimaging.sheet.hotels import Hotel, Position
from inveonimaging.sheet.positions import Side, slot_of


class Found(NamedTuple):
    """A body of a mouse: 26 mm wide, 22 mm high, 85 mm long."""

    low_mm: Mm
    high_mm: Mm
    centre_mm: Mm


def body(i: float, j: float = 0.0, k: float = 0.0) -> Found:
    return Found((i - 13, j - 11, k - 40), (i + 13, j + 11, k + 45), (i, j, k))


def hotel(*positions: str, empty: Sequence[str] = (), side: Side = Side.FRONT) -> Hotel:
    rows = [
        Position(slot_of(text), (row,), "" if text in empty else f"m{row}", (), SheetValues())
        for row, text in enumerate(positions, 2)
    ]
    return Hotel(Path("hotel.csv"), side, tuple(rows))


Scene = tuple[tuple[str, ...], Sequence[str], Sequence[tuple[float, ...]]]
SCENES: dict[str, Scene] = {  # positions, empty ones, and where each animal of the others lies
    "two": (("left", "right"), (), [(-15, 2), (16, -3)]),
    "two, told from the right": (("right", "left"), (), [(16, -3), (-15, 2)]),
    "two, by numbers": (("2,1", "1,1"), (), [(16, 0), (-15, 0)]),
    "three in a row, unevenly": (("left", "middle", "right"), (), [(-29, 4), (1, -7), (30, 6)]),
    "five in a row": (tuple(f"Position{n}" for n in range(1, 6)), (), [(30 * n, (-1) ** n * 5) for n in range(5)]),
    "one above two": (("top", "bottom left", "bottom right"), (), [(2, -13), (-15, 9), (16, 11)]),
    "one above two, as PIXI numbers them": (("1,1", "1,2", "2,2"), (), [(2, -13), (-15, 9), (16, 11)]),
    "two above one": (("top left", "top right", "bottom"), (), [(-15, -9), (15, -12), (-3, 10)]),
    "one above two, in short": (("top", "left", "right"), (), [(2, -13), (-15, 9), (16, 11)]),
    "two by two": (("lt", "rt", "lb", "rb"), (), [(-15, -11), (14, -8), (-13, 12), (16, 15)]),
    "two above three": (
        ("1,1", "2,1", "1,2", "2,2", "3,2"),
        (),
        [(-16, -12), (17, -9), (-31, 13), (1, 9), (29, 11)],
    ),
    "head to tail": (("front", "back"), (), [(0, 0, 50), (3, 2, -48)]),
    "head to tail, by numbers": (("1,1,2", "1,1,1"), (), [(0, 0, -50), (3, 2, 48)]),
    "two rows along the bed": (
        ("1,1,1", "2,1,1", "1,1,2", "2,1,2"),
        (),
        [(-15, 0, 50), (15, 0, 44), (-14, 3, -50), (16, 1, -41)],
    ),
    "the right of three is empty": (("left", "middle", "right"), ("right",), [(-29, 4), (1, -7)]),
    "the middle of three is empty": (("left", "middle", "right"), ("middle",), [(-29, 4), (29, -7)]),
    "a corner is empty": (("lt", "rt", "lb", "rb"), ("rb",), [(-15, -11), (14, -8), (-13, 12)]),
    "a corner is empty, by numbers": (("1,1", "2,1", "1,2", "2,2"), ("1,2",), [(-15, -11), (14, -8), (16, 12)]),
    "a diagonal": (("lt", "rt", "lb", "rb"), ("rt", "lb"), [(-15, -11), (16, 12)]),
    "one alone": (("left", "right"), ("left",), [(-20, 0)]),
    "one alone, anywhere": (("3,2",), (), [(0, 0)]),
}


def mixed(places: Sequence[tuple[float, ...]], seed: int) -> tuple[list[Found], list[int]]:
    """Return bodies in another order, and which of them is each of the places."""
    order = sorted(range(len(places)), key=lambda number: (7 * number + 3 * seed) % len(places))
    return [body(*places[number]) for number in order], [order.index(number) for number in range(len(places))]


@pytest.mark.parametrize("scene", SCENES)
def test_animals_are_distinguished_by_their_order(scene: str) -> None:
    positions, empty, places = SCENES[scene]
    for seed in range(3):
        bodies, expected = mixed(places, seed)
        assert list(assigned(bodies, hotel(*positions, empty=empty))) == expected


def test_from_the_back_left_is_at_high_i_and_the_front_at_low_k() -> None:
    assert assigned([body(-15), body(15)], hotel("left", "right", side=Side.BACK)) == (1, 0)
    assert assigned([body(-15), body(15)], hotel("1,1", "2,1", side=Side.BACK)) == (1, 0)
    assert assigned([body(0, 0, 50), body(0, 0, -50)], hotel("front", "back", side=Side.BACK)) == (1, 0)
    corners = [body(-15, -11), body(15, -11), body(-15, 11), body(15, 11)]
    assert assigned(corners, hotel("lt", "rt", "lb", "rb", side=Side.BACK)) == (1, 0, 3, 2)


UNFIT: dict[str, Scene] = {
    "a row of three is no triangle": (("top", "bottom left", "bottom right"), (), [(-29, 4), (1, -7), (30, 3)]),
    "a triangle is no row": (("left", "middle", "right"), (), [(2, -13), (-15, 9), (16, 11)]),
    "two are above each other": (("left", "right"), (), [(1, -12), (-1, 12)]),
    "two are beside each other": (("top", "bottom"), (), [(-15, 3), (15, -3)]),
    "two are head to tail": (("left", "right"), (), [(0, 0, 50), (2, 0, -48)]),
    "another corner is empty": (("lt", "rt", "lb", "rb"), ("rb",), [(-15, -11), (14, -8), (16, 12)]),
    "the other diagonal": (("lt", "rt", "lb", "rb"), ("rt", "lb"), [(16, -11), (-15, 12)]),
    "in one place": (("left", "right"), (), [(0, 0), (1, 0)]),
}


@pytest.mark.parametrize("scene", UNFIT)
def test_what_does_not_lie_as_the_sheet_says_is_refused(scene: str) -> None:
    positions, empty, places = UNFIT[scene]
    with pytest.raises(InputError) as caught:
        assigned([body(*place) for place in places], hotel(*positions, empty=empty))
    assert_harmless(str(caught.value))
    assert str(caught.value).startswith("hotel.csv:2: the animals do not lie as the positions say: found at (")


def test_a_view_from_the_other_side_is_reported() -> None:
    with pytest.raises(InputError) as caught:
        assigned([body(16, -11), body(-15, 12)], hotel("lt", "rb"))
    assert str(caught.value) == (
        "hotel.csv:2: the animals do not lie as the positions say: found at (16, -11, 0), (-15, 12, 0) mm right, down "
        "and away; the sheet has row 2 (top left, m2), row 3 (bottom right, m3); they do with seen_from back: a marked "
        "scan settles it"
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_other_numbers_are_refused_with_both(count: int) -> None:
    with pytest.raises(InputError) as caught:
        assigned([body(30 * number) for number in range(count)], hotel("left", "middle", "right", empty=["middle"]))
    where = {0: "", 1: " at (0, 0, 0) mm right, down and away", 3: " at (0, 0, 0), (30, 0, 0), (60, 0, 0) mm right, "}
    line = str(caught.value)
    assert_harmless(line)
    assert line.startswith(f"hotel.csv:2: {count} animals were found{where[count]}")
    assert "the sheet has 2: row 2 (left, m2), row 4 (right, m4); give each animal a row" in line


def test_many_animals_are_distinguished_in_no_time_and_more_are_refused() -> None:
    places = [(30.0 * number, 0.0) for number in range(12)]
    bodies, expected = mixed(places, 1)
    assert list(assigned(bodies, hotel(*(str(number) for number in range(1, 13))))) == expected
    with pytest.raises(InputError, match="13 animals are too many"):
        assigned([body(30.0 * number) for number in range(13)], hotel(*(str(number) for number in range(1, 14))))


@pytest.mark.parametrize(
    ("name", "positions"),
    [
        ("two by two", ("top left", "top right", "bottom left", "bottom right")),
        ("head to tail, close", ("back", "front")),  # composed from low k on, and the front is at high k
    ],
)
def test_genuine_animals_put_together_are_named_by_their_places(name: str, positions: tuple[str, ...]) -> None:
    scenes.skip_without_real()
    scene = scenes.looked_at(name)
    bodies = scene.found.bodies
    for animal, found in enumerate(assigned(bodies, hotel(*positions)), 1):
        k, j, i = np.nonzero((scene.owners == animal) & (scene.values > -250))
        middle = scenes.gantry_mm(scene.image, i, j, k).mean(axis=0)
        assert np.linalg.norm(np.array(bodies[found].centre_mm) - middle) < 10
