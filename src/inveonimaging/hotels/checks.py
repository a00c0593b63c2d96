"""Whether animals may have been swapped: what was measured in the image against what the sheet says of each.

The volume of a body goes with its weight, and the activity in its box with its dose. Both are rough: organs differ in
density, tracer leaves with the urine, a box holds some of the neighbour. So only an order that contradicts by clear
margins is told, and of each two animals that one measure at least can tell apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import prod
from typing import NamedTuple

import numpy as np

from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_transmission
from inveonimaging.physics.quantification import Unit
from inveonimaging.physics.timing import factor_to_injection
from inveonimaging.study.group import Member, dose_at, sum_findings
from inveonimaging.study.image import Image, locate
from inveonimaging.study.reading import Scan, Study
from inveonimaging.study.suv import half_lives

__all__ = ["Measured", "activity_at_injection", "dose_at", "sum_findings", "swap_findings", "swaps_of"]

_CLEAR_WEIGHT, _CLEAR_VOLUME = 0.08, 0.08  # of the lighter, the smaller: two mice of 16.1 and 15.4 mL weigh alike
_CLEAR_DOSE, _CLEAR_ACTIVITY = 0.10, 0.10  # a box holds a part of what its animal still has
_MOST_HALF_LIVES = 100.0  # bounds the power of 2
_G_PER_KG, _BQ_PER_MBQ, _MM3_PER_ML = 1e3, 1e6, 1e3


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
        weights = Two(one.weight_kg, other.weight_kg).times(_G_PER_KG)
        volumes = Two(of_one.volume_ml, of_other.volume_ml)
        if weights.contradicts(volumes, _CLEAR_WEIGHT, _CLEAR_VOLUME):
            message = _swapped(one, other, weights, volumes, "weighs {:.3g} g and has {:.3g} mL")
            yield Finding("swapped-by-weight", message)
        doses = Two(dose_at(one, header), dose_at(other, header)).times(1 / _BQ_PER_MBQ)
        activities = Two(of_one.activity_bq, of_other.activity_bq).times(1 / _BQ_PER_MBQ)
        if doses.contradicts(activities, _CLEAR_DOSE, _CLEAR_ACTIVITY):
            message = _swapped(one, other, doses, activities, "was given {:.3g} MBq and has {:.3g} MBq")
            yield Finding("swapped-by-dose", message)


def activity_at_injection(image: Image) -> float | None:
    """Return the activity that a PET image shows, such as that of a box, as it was at the injection, Bq.

    It is the mean of the frames that begin after the injection, by their durations; a frame is held at a time. None if
    the image is not in Bq/mL or not corrected for decay, or start, injection and half-life are not all known.
    """
    header = image.header
    start, injected = header.acquisition.started_at, header.tracer.injected_at
    is_tracer = image.modality is Modality.PET and not is_transmission(header)
    if not is_tracer or image.scaling.unit is not Unit.BQML or not header.corrections.decay:
        return None
    if not (start and injected and (header.tracer.half_life_s or 0.0) > 0):
        return None
    passed = 0.0 if factor_to_injection(header) else half_lives(header)
    late = (injected - start).total_seconds()
    durations = {n: each.duration_s or 0.0 for n, each in enumerate(image.frames) if (each.start_s or 0.0) >= late}
    total = sum(durations.values())
    if total <= 0 or abs(passed) > _MOST_HALF_LIVES:
        return None
    sums = (part * float(np.nansum(image.values(n), dtype=np.float64)) for n, part in durations.items())
    return float(sum(sums) / total * prod(image.grid.spacing_mm) / _MM3_PER_ML * 2.0**passed)


def swaps_of(
    whole: Study, parts: Sequence[Study], volumes_ml: Sequence[float | None] = ()
) -> tuple[tuple[Finding, ...], ...]:
    """Return what `swap_findings` finds in a group and its parts, of each part what names its animal.

    Args:
        whole: the group, read with its sheet.
        parts: the study of each animal, in the order of the sheet.
        volumes_ml: of each body in the CT, in that order; none if they are not known.
    """
    volumes = volumes_ml or (None,) * len(parts)
    found: list[list[Finding]] = [[] for _ in parts]
    for scan in whole.scans:
        members = scan.image.group
        if len(members) != len(parts):
            continue
        measured = [
            Measured(volume, next((_activity(each) for each in part.scans if each.pair == scan.pair), None))
            for part, volume in zip(parts, volumes, strict=True)
        ]
        for finding in swap_findings(members, measured, scan.image.header):
            located = locate(finding, scan.image.pair.header, scan.image.header)
            for member, own in zip(members, found, strict=True):
                if str(member) in finding.message and located not in own:
                    own.append(located)
    return tuple(map(tuple, found))


def _activity(scan: Scan) -> float | None:
    return activity_at_injection(scan.image)


class Two(NamedTuple):
    """One quantity of two animals; None if it is not known of one."""

    one: float | None
    other: float | None

    def times(self, factor: float) -> Two:
        """Return it in another unit."""
        return Two(*(None if each is None else each * factor for each in self))

    def contradicts(self, seen: Two, clear: float, clear_seen: float) -> bool:
        """Return whether the animal that should have more has less, both by more than a part of the lesser."""
        ratios = []
        for one, other in (self, seen):
            if not one or not other or min(one, other) <= 0:
                return False
            ratios.append(one / other)
        told, found = ratios
        is_reversed = (told > 1) != (found > 1)
        return is_reversed and max(told, 1 / told) - 1 > clear and max(found, 1 / found) - 1 > clear_seen


def _swapped(one: Member, other: Member, told: Two, seen: Two, words: str) -> str:
    first, second = (words.format(*values) for values in zip(told, seen, strict=True))
    return f"{one} {first}, {other} {second}: are they swapped, in the hotel or in the sheet?"
