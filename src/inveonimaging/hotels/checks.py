"""Whether animals may have been swapped: what was measured in the image against what the sheet says of each.

The volume of a body goes with its weight, and the activity in its box with its dose. Both are rough: organs differ in
density, tracer leaves with the urine, a box holds some of the neighbour. So only an order that contradicts by clear
margins is told, and of each two animals that one measure at least can tell apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header
from inveonimaging.study.group import Member, dose_at, sum_findings

__all__ = ["Measured", "dose_at", "sum_findings", "swap_findings"]

_CLEAR_WEIGHT, _CLEAR_VOLUME = 0.08, 0.08  # of the lighter, the smaller: two mice of 16.1 and 15.4 mL weigh alike
_CLEAR_DOSE, _CLEAR_ACTIVITY = 0.10, 0.10  # a box holds a part of what its animal still has
_G_PER_KG, _BQ_PER_MBQ = 1e3, 1e6


class Measured(NamedTuple):
    """What was found in the image of an animal; None if it was not measured.

    Attributes:
        volume_ml: of its body in the CT.
        activity_bq: in its box, decayed to its injection.
    """

    volume_ml: float | None = None
    activity_bq: float | None = None


def swap_findings(members: Sequence[Member], measured: Sequence[Measured], header: Header) -> Iterator[Finding]:
    """Yield each two animals whose order by weight or by dose contradicts what was measured.

    Args:
        members: the animals, as the sheet says them.
        measured: of each, in the same order.
        header: of the scan of a tracer, or of the CT; its injection is what doses are decayed to.
    """
    for (one, of_one), (other, of_other) in combinations(zip(members, measured, strict=True), 2):
        pair = (one, other)
        yield from _contradiction(
            "swapped-by-weight",
            pair,
            _scaled((one.weight_kg, other.weight_kg), _G_PER_KG),
            (of_one.volume_ml, of_other.volume_ml),
            lambda told, seen: f"weighs {told:.3g} g and has {seen:.3g} mL",
            (_CLEAR_WEIGHT, _CLEAR_VOLUME),
        )
        yield from _contradiction(
            "swapped-by-dose",
            pair,
            _scaled((dose_at(one, header), dose_at(other, header)), 1 / _BQ_PER_MBQ),
            _scaled((of_one.activity_bq, of_other.activity_bq), 1 / _BQ_PER_MBQ),
            lambda told, seen: f"was given {told:.3g} MBq and has {seen:.3g} MBq",
            (_CLEAR_DOSE, _CLEAR_ACTIVITY),
        )


Two = tuple[float | None, float | None]


def _scaled(values: Two, factor: float) -> Two:
    one, other = (None if each is None else each * factor for each in values)
    return one, other


def _contradiction(
    code: str,
    pair: tuple[Member, Member],
    told: Two,
    seen: Two,
    words: Callable[[float, float], str],
    clear: tuple[float, float],
) -> Iterator[Finding]:
    """Yield that of two animals the one that should have more has less, both by clear margins."""
    if not all((*told, *seen)):
        return
    first, second = (each or 0.0 for each in told)
    found, other = (each or 0.0 for each in seen)
    if min(first, second, found, other) <= 0 or (first > second) == (found > other):
        return
    if max(first, second) / min(first, second) - 1 < clear[0] or max(found, other) / min(found, other) - 1 < clear[1]:
        return
    one, two = pair
    message = (
        f"{one} {words(first, found)}, {two} {words(second, other)}: are they swapped, in the hotel or in the sheet?"
    )
    yield Finding(code, message)
