"""What animals weigh and are given, in round limits far outside what is usual, to tell slips of unit and of typing."""

from __future__ import annotations

import re
from typing import NamedTuple


class Limits(NamedTuple):
    """Of a kind of animal: what it is called, weight in kg and dose in Bq, from lowest to highest."""

    name: str
    weight_kg: tuple[float, float]
    dose_bq: tuple[float, float]


_LEAST_BQ = 0.5e6
_MOUSE = Limits("a mouse", (0.003, 0.1), (_LEAST_BQ, 100e6))
_RAT = Limits("a rat", (0.005, 1.2), (_LEAST_BQ, 185e6))
_RABBIT = Limits("a rabbit", (0.03, 8.0), (_LEAST_BQ, 370e6))
ANY = Limits("a small animal", (0.001, 15.0), (_LEAST_BQ, 370e6))
_WORDS = {
    "mouse": _MOUSE,
    "mice": _MOUSE,
    "mus": _MOUSE,
    "rat": _RAT,
    "rats": _RAT,
    "rattus": _RAT,
    "rabbit": _RABBIT,
    "rabbits": _RABBIT,
    "oryctolagus": _RABBIT,
}


def limits_of(species: str | None) -> Limits:
    """Return the limits of a species as typed, in English or Latin; wide ones for one that is not known."""
    words = re.findall(r"[a-z]+", (species or "").lower())
    return next((_WORDS[word] for word in words if word in _WORDS), ANY)
