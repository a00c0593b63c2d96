"""Positions in a hotel: what texts mean, and how DICOM counts them."""

from __future__ import annotations

import pytest

from inveonimaging.sheet.positions import Side, Slot, relative_positions, slot_of
from inveonimaging.sheet.values import POSITION

NAMES = {  # by their place across, down and along the bed: -1, 0, 1
    (-1, 0, 0): "left l L LEFT",
    (0, 0, 0): "middle centre Center ctr c m mid middle-middle centre_middle",
    (1, 0, 0): "right r middle-right right,centre",
    (0, -1, 0): "top upper above top-middle t",
    (0, 1, 0): "bottom lower below b",
    (-1, -1, 0): "top_left left-top TopLeft lt tl Upper-Left Left/Top",
    (1, -1, 0): "top-right rt tr above_right",
    (-1, 1, 0): "bottom-left lb bl LEFTBOTTOM",
    (1, 1, 0): "Bottom_Right right-lower rb br",
    (0, 0, -1): "front",
    (0, 0, 1): "back rear behind",
    (-1, -1, 1): "back-top-left left_top_rear",
}


@pytest.mark.parametrize(
    ("text", "place"),
    [(text, place) for place, texts in NAMES.items() for text in texts.split()],
)
def test_names_are_read_in_any_order_and_case(text: str, place: tuple[int, int, int]) -> None:
    for each in (text, text.replace("_", " "), f"  {text.upper()} "):
        x, y, z = place
        assert slot_of(each) == Slot(z, y, x, is_named=True)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("1,1", (1, 1, 1)),
        ("2, 1", (2, 1, 1)),
        ("(3;2)", (3, 2, 1)),
        ("1/2/3", (1, 2, 3)),
        ("5", (5, 1, 1)),
        ("Position5", (5, 1, 1)),
        ("position 2", (2, 1, 1)),
        ("pos. 2,2", (2, 2, 1)),
    ],
)
def test_numbers_count_from_one(text: str, place: tuple[int, int, int]) -> None:
    x, y, z = place
    assert slot_of(text) == Slot(z, y, x)


@pytest.mark.parametrize(
    "text",
    [
        *("", "links", "left right", "top bottom", "top top", "middle left top back", "left 2", "tx", "lr", "nowhere"),
        *("0", "0,1", "1,0", "1,2,0", "1,2,3,4", "100", "-1", "1.2", "2019-03-05", "9" * 20),
    ],
)
def test_what_is_no_position_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"a position such as left|numbers from 1 to 99"):
        slot_of(text)


def test_positions_are_spelled_so_that_they_are_read_again() -> None:
    spelled = {"top left", "left", "middle", "back bottom right", "2,1", "2,1,3", "front"}
    assert {POSITION.spell(slot_of(each)) for each in spelled} == spelled


def counted(*texts: str, side: Side = Side.FRONT) -> list[tuple[int, int, int]]:
    return list(relative_positions(map(slot_of, texts), side).values())


def test_dicom_counts_from_the_left_the_top_and_the_front() -> None:
    assert counted("left", "right") == [(1, 1, 1), (2, 1, 1)]
    assert counted("right", "middle", "left") == [(3, 1, 1), (2, 1, 1), (1, 1, 1)]
    assert counted("top left", "top right", "bottom left", "bottom right") == [
        (1, 1, 1),
        (2, 1, 1),
        (1, 2, 1),
        (2, 2, 1),
    ]
    assert counted("top", "bottom left", "bottom right") == [(2, 1, 1), (1, 2, 1), (3, 2, 1)]
    assert counted("front", "back") == [(1, 1, 1), (1, 1, 2)]
    assert counted("2,1", "3,1", "1,2,2") == [(2, 1, 1), (3, 1, 1), (1, 2, 2)]
    assert counted() == []


def test_from_the_back_left_is_right_and_the_far_end_is_near_and_top_stays_top() -> None:
    assert counted("left", "right", side=Side.BACK) == [(2, 1, 1), (1, 1, 1)]
    assert counted("top left", "bottom right", side=Side.BACK) == [(2, 1, 1), (1, 2, 1)]
    assert counted("1,1", "2,1", "3,1", side=Side.BACK) == [(3, 1, 1), (2, 1, 1), (1, 1, 1)]
    assert counted("front", "back", side=Side.BACK) == [(1, 1, 2), (1, 1, 1)]
    assert counted("1,1,1", "1,1,2", side=Side.BACK) == [(1, 1, 2), (1, 1, 1)]
