"""Text of one value <-> typed value; a codec parses, spells, and says what it expects."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from inveonimaging import units
from inveonimaging.inveon.hdr.enums import E, FilterWindow, Labelled

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CTIME = re.compile(r"[A-Za-z]{3}\s+([A-Za-z]{3})\s+(\d{1,2})\s+(\d{1,2}):(\d{2}):(\d{2})\s+(\d{4})", re.ASCII)
_LONGEST_INTEGER = 20
_INTEGER = re.compile(rf"[+-]?\d{{1,{_LONGEST_INTEGER}}}", re.ASCII)
_LOW = 0xFFFFFFFF
_COUNTS_WRITTEN = 3


Xyz = tuple[float, float, float]


class Filter(NamedTuple):
    """hdr `x_filter`, `y_filter`, `z_filter`: window and cutoff (0.5 is the Nyquist frequency)."""

    window: FilterWindow
    cutoff: float | None


class GateBins(NamedTuple):
    """hdr `gate_bins`: gate input, bins a cycle, shortest and longest cycle (a negative limit is open)."""

    input: int
    bins: int
    minimum_s: float
    maximum_s: float


class GateDescription(NamedTuple):
    """hdr `gate_description`: gate input and its text."""

    input: int
    text: str


class Indexed(NamedTuple):
    """An index and a value, for keys that occur many times."""

    number: int
    value: float


class Singles(NamedTuple):
    """hdr `singles`, of a frame: block, singles per second, raw singles per second."""

    block: int
    rate: float
    raw_rate: float | None


class DeltaElements(NamedTuple):
    """hdr `delta_elements`: ring difference (or similar) and the number of elements there."""

    dimension: int
    elements: int


class User(NamedTuple):
    """hdr `user`: a free key and its value."""

    key: str
    value: str


@dataclass(frozen=True)
class Codec:
    """How a value is read (ValueError if it cannot be), how it is spelled, and what is expected, in words.

    `parse` returns None for a value that is in order and says nothing.
    """

    parse: Callable[[str], Any]
    spell: Callable[[Any], str]
    expected: str
    choices: type[Labelled] | None = None


def integer(text: str) -> int:
    """Return a whole number; `2.0` counts as one."""
    if _INTEGER.fullmatch(text):
        return int(text)
    value = units.decimal(text)
    if value != value.to_integral_value() or value.adjusted() > _LONGEST_INTEGER:
        raise ValueError(f"not a whole number: {text!r}")
    return int(value)


def ctime(text: str) -> datetime:
    """Return the date of C's `ctime`, `Sun Sep 16 01:03:52 1973`; English names whatever the locale, no zone."""
    match = _CTIME.fullmatch(text.strip())
    month = match and match[1].capitalize()
    if not match or month not in MONTHS:
        raise ValueError(f"not a date: {text!r}")
    day, hour, minute, second, year = (int(part) for part in match.groups()[1:])
    return datetime(year, MONTHS.index(month) + 1, day, hour, minute, second)


def spell_ctime(value: datetime) -> str:
    """Return a date as C's `ctime` prints it."""
    clock = f"{value.hour:02}:{value.minute:02}:{value.second:02}"
    return f"{_DAYS[value.weekday()]} {MONTHS[value.month - 1]} {value.day:2} {clock} {value.year:04}"


def _offset(text: str) -> int:
    words = [integer(word) for word in text.split()]
    if len(words) == 1 and words[0] > _LOW:
        return words[0]
    high, low = words if len(words) > 1 else (0, words[0])
    return (high << 32) + (low & _LOW)  # the low word may be printed signed


def _spell_offset(offset: int) -> str:
    low = offset & _LOW
    return f"{offset >> 32} {low - (1 << 32) if low >> 31 else low}"


def _words(text: str, *parts: Callable[[str], Any], optional: int = 0) -> list[Any]:
    words = text.split()
    if not len(parts) - optional <= len(words) <= len(parts):
        raise ValueError(f"not {len(parts)} values: {text!r}")
    values = [part(word) for part, word in zip(parts, words, strict=False)]
    return values + [None] * (len(parts) - len(values))


def _spell_words(values: tuple[Any, ...]) -> str:
    spelled = (units.spell(value) if isinstance(value, float) else str(value) for value in values if value is not None)
    return " ".join(spelled)


def _head_and_text(text: str) -> tuple[str, str]:
    head, *rest = text.split(None, 1)
    return head, rest[0] if rest else ""


def _counts(text: str) -> int | None:
    """Return the number of events; None for three numbers of which several are above 0, since none says what each is.

    Old consoles write three 64-bit numbers, as minc-tools' upet2mnc knows.
    """
    words = [integer(word) for word in text.split()]
    if len(words) not in (1, _COUNTS_WRITTEN):
        raise ValueError(f"neither one number nor three: {text!r}")
    counted = [word for word in words if word]
    return sum(counted) if len(counted) <= 1 else None


def _flag(text: str) -> bool:
    return integer(text) != 0


def _filter(text: str) -> Filter:
    window, cutoff = _words(text, integer, units.number, optional=1)
    return Filter(FilterWindow.of(window), cutoff)


def quantity(factor: Decimal, unit: str) -> Codec:
    """Return the codec of a number in `unit` that becomes `factor` times as much."""
    return Codec(
        lambda text: units.number(text, factor), lambda value: units.spell(value, factor), f"a number ({unit})"
    )


def code(enum: type[E]) -> Codec:
    """Return the codec of a numeric code."""
    numbers = [int(member) for member in enum]
    dense = numbers == list(range(numbers[0], numbers[-1] + 1))
    expected = f"{numbers[0]} to {numbers[-1]}" if dense else "one of " + ", ".join(map(str, numbers))
    return Codec(lambda text: enum.of(integer(text)), lambda member: str(int(member)), expected, enum)


TEXT = Codec(str, str, "text")
INT = Codec(integer, str, "a whole number")
FLOAT = Codec(units.number, units.spell, "a number")
CM = quantity(units.MM_PER_CM, "cm")
COUNTS = Codec(_counts, str, "a whole number, or three")
FLAG = Codec(_flag, lambda value: str(int(value)), "0 or 1")
DATE = Codec(ctime, spell_ctime, "a date like 'Sun Sep 16 01:03:52 1973'")
OFFSET = Codec(_offset, _spell_offset, "one or two whole numbers")
XYZ = Codec(lambda text: tuple(_words(text, *[units.number] * 3)), _spell_words, "three numbers")
FILTER = Codec(_filter, lambda f: _spell_words((int(f.window), f.cutoff)), "a code from 0 to 7 and a number")
INDEXED = Codec(lambda t: Indexed(*_words(t, integer, units.number)), _spell_words, "an index and a number")
GATE_BINS = Codec(
    lambda t: GateBins(*_words(t, integer, integer, units.number, units.number)),
    _spell_words,
    "two whole numbers and two numbers",
)
SINGLES = Codec(
    lambda t: Singles(*_words(t, integer, units.number, units.number, optional=1)),
    _spell_words,
    "a block and one or two rates",
)
DELTAS = Codec(lambda t: DeltaElements(*_words(t, integer, integer)), _spell_words, "two whole numbers")


def _gate_description(text: str) -> GateDescription:
    head, rest = _head_and_text(text)
    return GateDescription(integer(head), rest)


GATE_DESCRIPTION = Codec(_gate_description, lambda g: f"{g.input} {g.text}".strip(), "a gate input and a text")
USER = Codec(
    lambda text: User(*_head_and_text(text)), lambda user: f"{user.key} {user.value}".strip(), "a key and a text"
)

OF_TYPE: dict[Any, Codec] = {
    str: TEXT,
    int: INT,
    float: FLOAT,
    bool: FLAG,
    datetime: DATE,
    Xyz: XYZ,
    Filter: FILTER,
    Indexed: INDEXED,
    GateBins: GATE_BINS,
    GateDescription: GATE_DESCRIPTION,
    Singles: SINGLES,
    DeltaElements: DELTAS,
    User: USER,
}
"""How values are read and spelled that have a type of their own; codes have their enumeration's."""
