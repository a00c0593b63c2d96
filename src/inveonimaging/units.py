"""Units of the header and the factors between them; conversions and nothing else.

Decimal arithmetic keeps what was printed: 0.08 cm is 0.8 mm and back again, to the last digit.
"""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal
from itertools import pairwise
from types import MappingProxyType

ONE = Decimal(1)
M_PER_MM = Decimal("0.001")
MM_PER_CM = Decimal(10)
MM_PER_INCH = Decimal("25.4")
MM_PER_UM = Decimal("0.001")
KG_PER_GRAM = Decimal("0.001")
KG_PER_OUNCE = Decimal("0.028349523125")
KG_PER_POUND = Decimal("0.45359237")
MBQ_PER_MCI = Decimal(37)
BQ_PER_MBQ = Decimal(1_000_000)
BQ_PER_NCI = 37
KG_PER = MappingProxyType(
    {
        "g": KG_PER_GRAM,
        "kg": ONE,
        "mg": Decimal("0.000001"),
        "oz": KG_PER_OUNCE,
        "lb": KG_PER_POUND,
    }
)
"""kg of one of each unit of weight that people type."""
MBQ_PER = MappingProxyType(
    {
        "MBq": ONE,
        "kBq": Decimal("0.001"),
        "Bq": Decimal("0.000001"),
        "GBq": Decimal(1000),
        "mCi": MBQ_PER_MCI,
        "uCi": Decimal("0.037"),
        "\N{MICRO SIGN}Ci": Decimal("0.037"),
        "\N{GREEK SMALL LETTER MU}Ci": Decimal("0.037"),
        "nCi": Decimal("0.000037"),
    }
)
"""MBq of one of each unit of activity that people type."""
UA_PER_MA = 1000
MS_PER_S = 1000
S_PER_MINUTE = 60
_S_PER = (("d", 86400), ("h", 3600), ("min", S_PER_MINUTE), ("s", 1))

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_LONGEST = 64
_PLAIN_LOWEST, _PLAIN_HIGHEST = Decimal("1e-12"), Decimal("1e15")
_CONTEXT = Context(prec=28)


def decimal(text: str) -> Decimal:
    """Return the number that text spells with a point as decimal mark, whatever the locale; else ValueError."""
    return Decimal(_spelled(text))


def _spelled(text: str) -> str:
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        raise ValueError(f"not a number: {text[:_LONGEST]!r}")
    return text


def number(text: str, factor: Decimal = ONE) -> float:
    """Return text as a finite float, times a factor; ValueError if it is none."""
    value = float(_spelled(text) if factor == 1 else _CONTEXT.multiply(decimal(text), factor))
    if math.isinf(value):
        raise ValueError(f"not a finite number: {text!r}")
    return value


def spell(value: float, factor: Decimal = ONE) -> str:
    """Return the shortest text t with number(t, factor) == value."""
    if factor == 1 or not value:
        return _without_exponent(repr(float(value)).removesuffix(".0"))
    return _without_exponent(str(_CONTEXT.divide(Decimal(repr(float(value))), factor).normalize(_CONTEXT)))


def plain(value: float, digits: int = 6) -> str:
    """Return a number for people to read, with so many significant digits, without an exponent for usual sizes."""
    return _without_exponent(f"{value:.{digits}g}")


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return a number of things: 1 file, 2 files; the plural of most words has an s."""
    return f"{count} {one if count == 1 else several or f'{one}s'}"


def duration(seconds: float) -> str:
    """Return a time in s for people: `7.5 s`, `1 min 40 s`, `2 h 5 min`; at most two units."""
    sign, left = "-" if seconds < 0 else "", abs(seconds)
    if round(left, 1) < S_PER_MINUTE:
        return f"{sign}{plain(left, 3)} s"
    steps = (pair for pair in pairwise(_S_PER) if round(left / pair[1][1]) * pair[1][1] >= pair[0][1])
    (unit, size), (smaller, step) = next(steps)
    whole, rest = divmod(round(left / step), size // step)
    return f"{sign}{whole} {unit}" + (f" {rest} {smaller}" if rest else "")


def _without_exponent(text: str) -> str:
    """Return a number without an exponent; beyond usual sizes as it is."""
    if "e" not in text.lower() or not _PLAIN_LOWEST <= abs(Decimal(text)) < _PLAIN_HIGHEST:
        return text
    return f"{Decimal(text):f}"


def convert(value: float, factor: Decimal) -> float:
    """Return value times factor as if both had been written by hand: 0.2 x 37 is 7.4."""
    return float(_CONTEXT.multiply(Decimal(repr(float(value))), factor))
