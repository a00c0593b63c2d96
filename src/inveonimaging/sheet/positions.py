"""Where an animal lies in a hotel: the text of a position <-> its place beside, below and behind the others.

A hotel names its positions (`left`, `top right`, `ctr`) or numbers them from 1 (`2,1`: second column, first row). What
is not named lies in the middle, so that `left` and `right` lie beside each other, and `top` lies above both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

MOST = 99
EXPECTED = "a position such as left, middle, top right or bottom, or column,row from 1 such as 2,1"
_AXES = 3
_NEGATIVE = ("left", "top", "front")
_POSITIVE = ("right", "bottom", "back")
_WORDS: Mapping[str, tuple[int | None, int]] = {
    **{word: (axis, -1) for axis, word in enumerate(_NEGATIVE)},
    **{word: (axis, 1) for axis, word in enumerate(_POSITIVE)},
    **dict.fromkeys(("upper", "above", "up"), (1, -1)),
    **dict.fromkeys(("lower", "below", "down"), (1, 1)),
    **dict.fromkeys(("rear", "behind"), (2, 1)),
    **dict.fromkeys(("middle", "mid", "centre", "center", "central"), (None, 0)),
}
"""Axis (0 across, 1 down, 2 along the bed; None for any) and side of each word."""
_LETTERS = {"l": "left", "r": "right", "t": "top", "b": "bottom", "c": "centre", "m": "middle", "ctr": "centre"}
_SPLIT = re.compile(r"[\W_]+")
_NUMBERED = re.compile(
    r"(?:(?:positions?|pos)[\s_#.\-]*|#\s*)?\(?\s*(\d{1,4}(?:\s*[,;/]\s*\d{1,4}){0,2})\s*\)?", re.ASCII
)
_GLUED = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)))


class Side(str, Enum):
    """Which side of the scanner positions are as seen from: the front is where the bed enters."""

    FRONT = "front"
    BACK = "back"


@dataclass(frozen=True, order=True)
class Slot:
    """A position in a hotel.

    Attributes:
        z, y, x: place along the bed, from the top and from the left, as the sheet sees it: from 1, or of a named one
            -1, 0 or 1, in the middle 0.
        is_named: it has a name rather than numbers.
    """

    z: int
    y: int
    x: int
    is_named: bool = False

    def __str__(self) -> str:
        """Return it as a cell holds it: `top left`, `2,1`, or with a place along the bed `2,1,2`."""
        if not self.is_named:
            return f"{self.x},{self.y}" + (f",{self.z}" if self.z > 1 else "")
        named = ((self.z, "front", "back"), (self.y, "top", "bottom"), (self.x, "left", "right"))
        return " ".join(first if side < 0 else last for side, first, last in named if side) or "middle"

    def seen_from(self, side: Side) -> tuple[int, int, int]:
        """Return (x, y, z) that grow to the right, down and away, as seen from the front.

        They compare with those of the same hotel; only a named position's, and those from the front, are its numbers.
        """
        turned = -1 if side is Side.BACK else 1
        return turned * self.x, self.y, turned * self.z


def slot_of(text: str) -> Slot:
    """Return the position that a text says; upper and lower case, blanks and hyphens aside.

    Raises:
        ValueError: what is expected.
    """
    plain = " ".join(text.casefold().split())
    numbered = _NUMBERED.fullmatch(plain)
    if numbered:
        return _numbered(numbered[1])
    return _named([word for part in _SPLIT.split(plain) if part for word in _words(part)])


def _numbered(text: str) -> Slot:
    x, y, z = [*map(int, re.split(r"\s*[,;/]\s*", text)), 1, 1][:_AXES]
    if not all(1 <= each <= MOST for each in (x, y, z)):
        raise ValueError(f"numbers from 1 to {MOST}: column, row, and place along the bed")
    return Slot(z, y, x)


def _words(part: str) -> list[str]:
    """Return the words of a part of a position's text: `lt` is left and top, `topleft` top and left."""
    if part in _WORDS:
        return [part]
    if part in _LETTERS:
        return [_LETTERS[part]]
    if len(part) == 2 and all(letter in _LETTERS for letter in part):  # noqa: PLR2004 - one letter an axis
        return [_LETTERS[letter] for letter in part]
    glued = _GLUED.findall(part)
    if "".join(glued) != part:
        raise ValueError(EXPECTED)
    return list(glued)


def _named(words: list[str]) -> Slot:
    sides: dict[int, int] = {}
    middles = 0
    for word in words:
        axis, side = _WORDS[word]
        if axis is None:
            middles += 1
        elif axis in sides:
            raise ValueError(f"{EXPECTED}; {word} and another side cannot both be meant")
        else:
            sides[axis] = side
    if not words or len(sides) + middles > _AXES:
        raise ValueError(EXPECTED)
    return Slot(sides.get(2, 0), sides.get(1, 0), sides.get(0, 0), is_named=True)


def side_of(text: str) -> Side:
    """Return the side of the scanner that a text says.

    Raises:
        ValueError: what is expected.
    """
    word = text.strip().casefold()
    if word not in (each.value for each in Side):
        raise ValueError("front, where the bed enters, or back")
    return Side(word)


def relative_positions(slots: Iterable[Slot], side: Side) -> dict[Slot, tuple[int, int, int]]:
    """Return x, y, z of each position of a hotel, from 1: to the right, down and away, seen from the front.

    That is how Subject Relative Position in Image (0010,0028) counts. Named positions are counted among all of the
    hotel; from the back, columns and places along the bed are counted from the other end.
    """
    known = list(slots)
    if not known:
        return {}
    places = {slot: slot.seen_from(side) for slot in known}
    named = known[0].is_named
    counts = [sorted({place[axis] for place in places.values()}) for axis in range(_AXES)]

    def number(value: int, axis: int) -> int:
        if named:
            return 1 + counts[axis].index(value)
        return value if value > 0 else 1 + value - counts[axis][0]

    return {slot: (number(x, 0), number(y, 1), number(z, 2)) for slot, (x, y, z) in places.items()}
