"""What animals weigh and are given, in round limits far outside what is usual, to find slips of unit and of typing."""

from __future__ import annotations

import re
from typing import NamedTuple

from inveonimaging.findings import Finding
from inveonimaging.units import plain


class Limits(NamedTuple):
    """Of a kind of animal: what it is called, weight in kg and dose in Bq, from lowest to highest."""

    name: str
    weight_kg: tuple[float, float]
    dose_bq: tuple[float, float]


_LEAST_BQ = 0.5e6
_MOUSE = Limits("a mouse", (0.003, 0.1), (_LEAST_BQ, 100e6))
_RAT = Limits("a rat", (0.005, 1.2), (_LEAST_BQ, 185e6))
_RABBIT = Limits("a rabbit", (0.03, 8.0), (_LEAST_BQ, 370e6))
_G_PER_KG, _BQ_PER_MBQ = 1e3, 1e6
ANY = Limits("a small animal", (0.001, 15.0), (_LEAST_BQ, 370e6))
_SPECT = ANY._replace(dose_bq=(_LEAST_BQ, 3700e6))  # collimators let little through, so more is given
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


_STRAINS_OF_RATS = (
    *("wistar", "spraguedawley", "longevans", "fischer344", "f344", "brownnorway", "gotokakizaki", "zucker"),
    *("lewisrat", "sdrat", "wkyrat"),
)
"""How names of strains and stocks that are only rats' begin, without spaces and signs."""


def limits_of(species: str | None, strain: str | None = None) -> Limits:
    """Return the limits of a species as typed, in English or Latin; wide ones for one that is not known.

    A strain that only rats have means a rat: consoles keep the species of the animal before.
    """
    if re.sub(r"[\W_]+", "", (strain or "").lower()).startswith(_STRAINS_OF_RATS):
        return _RAT
    words = re.findall(r"[a-z]+", (species or "").lower())
    return next((_WORDS[word] for word in words if word in _WORDS), ANY)


def weight_finding(
    weight_kg: float | None, species: str | None, animals: int = 1, *, strain: str | None = None
) -> Finding | None:
    """Return that such an animal, or so many together, does not weigh that; None if it may, or none is known."""
    limits = limits_of(species, strain)
    low, high = (animals * limit for limit in limits.weight_kg)
    if not weight_kg or weight_kg < 0 or low <= weight_kg <= high:
        return None
    shown, least, most = (plain(value * _G_PER_KG) for value in (weight_kg, low, high))
    who = f"{limits.name} has" if animals == 1 else f"{animals} animals have"
    message = f"the weight is {shown} g, and {who} {least} to {most} g"
    return Finding("weight-implausible", message, key="subject_weight")


def dose_finding(
    dose_bq: float | None,
    species: str | None,
    animals: int = 1,
    *,
    strain: str | None = None,
    is_spect: bool = False,
) -> Finding | None:
    """Return that such an animal, or so many together, is not given that; None if it may be, or none is known."""
    limits = _SPECT if is_spect else limits_of(species, strain)
    low, high = (animals * limit for limit in limits.dose_bq)
    if not dose_bq or dose_bq < 0 or low <= dose_bq <= high:
        return None
    shown, least, most = (plain(value / _BQ_PER_MBQ) for value in (dose_bq, low, high))
    who = f"{limits.name} is" if animals == 1 else f"{animals} animals are"
    message = f"the dose is {shown} MBq, and {who} given {least} to {most} MBq"
    return Finding("dose-implausible", message, key="dose")
