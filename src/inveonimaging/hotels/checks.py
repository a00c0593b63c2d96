"""What was measured of each animal beside what the sheet says of it, and whether animals may have been swapped.

The volume of a body goes with its weight, and the activity in its box with its dose. Both are rough: organs differ in
density, tracer leaves with the urine, a box holds some of the neighbour. So only an order that contradicts by clear
margins is reported, and of each two animals that one measure at least can distinguish.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from math import prod
from typing import NamedTuple

import numpy as np

from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_transmission
from inveonimaging.physics.quantification import Unit
from inveonimaging.physics.timing import factor_to_injection
from inveonimaging.sheet.application import has_tracer
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Scan, Study

_CLEAR_WEIGHT, _CLEAR_VOLUME = 0.08, 0.08  # of the lighter, the smaller: two mice of 16.1 and 15.4 mL weigh alike
_CLEAR_DOSE, _CLEAR_ACTIVITY = 0.10, 0.10  # a box holds a part of what its animal still has
_MOST_HALF_LIVES = 100.0  # bounds the power of 2
_G_PER_KG, _BQ_PER_MBQ, _MM3_PER_ML = 1e3, 1e6, 1e3


@dataclass(frozen=True)
class AnimalTracer:
    """The tracer of an animal in one scan.

    Attributes:
        scan: name of the data file.
        header: of the animal's part, where its path is for findings.
        dose_bq: as the sheet says, at the injection; None if it is not known.
        activity_bq: in the animal's box, decayed to the injection; None if it is not known.
        injected_at: the animal's injection, else that of the header; None if neither is known.
        half_life_s: of the isotope.
    """

    scan: str
    header: str
    dose_bq: float | None = None
    activity_bq: float | None = None
    injected_at: datetime | None = None
    half_life_s: float | None = None

    def at(self, value_bq: float | None, moment: datetime | None) -> float | None:
        """Return an activity at the injection as it is at another moment, Bq; None if it is not known."""
        if value_bq is None or moment is None or self.injected_at is None or moment == self.injected_at:
            return value_bq
        if not self.half_life_s or self.half_life_s <= 0:
            return None
        passed = (moment - self.injected_at).total_seconds() / self.half_life_s
        return value_bq * 2.0**-passed if abs(passed) < _MOST_HALF_LIVES else None


@dataclass(frozen=True)
class MeasuredAnimal:
    """An animal of a group, as it was measured and as the sheet has it.

    Attributes:
        id: Patient ID.
        position: as the sheet names it.
        volume_ml: of its body in the CT; None if it was not measured.
        weight_kg: as the sheet says.
        tracers: of each scan of a tracer, in the order of the study.
    """

    id: str
    position: str
    volume_ml: float | None = None
    weight_kg: float | None = None
    tracers: tuple[AnimalTracer, ...] = ()

    def __str__(self) -> str:
        """Return it as messages name it: `m12 (left)`."""
        return f"{printable(self.id, 30)} ({self.position})"


class Sums(NamedTuple):
    """What the animals have together, and what the header says of the whole; doses at the header's injection.

    None is what is not known of the header, or of one of the animals.
    """

    scan: str
    dose_bq: float | None
    activity_bq: float | None
    header_dose_bq: float | None


@dataclass(frozen=True)
class MeasuredGroup:
    """What was measured of the animals of a group, beside what the sheet says of them.

    Attributes:
        animals: in the order of the sheet.
        header_weight_kg: of all, as the header says.
        sums: of each scan of a tracer.
        sheet: its path, by which findings name it.
    """

    animals: tuple[MeasuredAnimal, ...]
    header_weight_kg: float | None = None
    sums: tuple[Sums, ...] = ()
    sheet: str | None = None

    @property
    def volume_ml(self) -> float | None:
        """Of all bodies."""
        return _sum([each.volume_ml for each in self.animals])

    @property
    def weight_kg(self) -> float | None:
        """Of all animals."""
        return _sum([each.weight_kg for each in self.animals])

    @property
    def findings(self) -> tuple[tuple[Finding, ...], ...]:
        """Of each animal, the orders that contradict and name it, each reported once however many scans show it."""
        found: list[list[Finding]] = [[] for _ in self.animals]
        for one, other in combinations(range(len(self.animals)), 2):
            for finding in swap_findings(self.animals[one], self.animals[other], self.sheet):
                found[one].append(finding)
                found[other].append(finding)
        return tuple(map(tuple, found))


def swap_findings(one: MeasuredAnimal, other: MeasuredAnimal, sheet: str | None = None) -> Iterator[Finding]:
    """Yield that the order of two animals by weight, or by dose, contradicts what was measured.

    Doses and activities are compared at one time. Of several scans the first that contradicts is reported.
    """
    weights = Two(one.weight_kg, other.weight_kg).times(_G_PER_KG)
    volumes = Two(one.volume_ml, other.volume_ml)
    if weights.contradicts(volumes, _CLEAR_WEIGHT, _CLEAR_VOLUME):
        message = _swapped(one, other, weights, volumes, "weighs {:.3g} g and has {:.3g} mL")
        yield Finding("swapped-by-weight", message, path=sheet)
    for mine, its in zip(one.tracers, other.tracers, strict=True):
        at = mine.injected_at
        doses = Two(mine.dose_bq, its.at(its.dose_bq, at)).times(1 / _BQ_PER_MBQ)
        activities = Two(mine.activity_bq, its.at(its.activity_bq, at)).times(1 / _BQ_PER_MBQ)
        if doses.contradicts(activities, _CLEAR_DOSE, _CLEAR_ACTIVITY):
            when = "" if at == its.injected_at else f" at {at}"
            message = _swapped(one, other, doses, activities, f"was given {{:.3g}} MBq and has {{:.3g}} MBq{when}")
            yield Finding("swapped-by-dose", message, path=mine.header)
            return


def activity_at_injection(image: Image, injected: datetime | None = None) -> float | None:
    """Return the activity that a PET image shows, such as that of a box, as it was at the injection, Bq.

    It is the mean of the frames that begin after the injection, by their durations; a frame is held at a time. None if
    the image is not in Bq/mL or not corrected for decay, or start, injection and half-life are not all known.

    Args:
        image: of all frames.
        injected: when; None is the header's injection.
    """
    header = image.header
    start, injected = header.acquisition.started_at, injected or header.tracer.injected_at
    half_life = header.tracer.half_life_s or 0.0
    is_tracer = image.modality is Modality.PET and not is_transmission(header)
    if not is_tracer or image.scaling.unit is not Unit.BQML or not header.corrections.decay:
        return None
    if not (start and injected and half_life > 0):
        return None
    late = (injected - start).total_seconds()
    passed = 0.0 if factor_to_injection(header) else -late / half_life
    durations = {n: each.duration_s or 0.0 for n, each in enumerate(image.frames) if (each.start_s or 0.0) >= late}
    total = sum(durations.values())
    if total <= 0 or abs(passed) > _MOST_HALF_LIVES:
        return None
    sums = (part * float(np.nansum(image.values(n), dtype=np.float64)) for n, part in durations.items())
    return float(sum(sums) / total * prod(image.grid.spacing_mm) / _MM3_PER_ML * 2.0**passed)


def measured_of(parts: Sequence[Study], ids: Sequence[str], volumes_ml: Sequence[float | None] = ()) -> MeasuredGroup:
    """Return what was measured of the animals of a group, beside what the sheet says of them.

    Args:
        parts: the study of each animal, in the order of the sheet.
        ids: the Patient ID of each, as the sheet says.
        volumes_ml: of each body in the CT, in that order; none if they are not known.
    """
    volumes = volumes_ml or (None,) * len(parts)
    whole = parts[0].part.whole if parts and parts[0].part else None
    traced = [each for each in (whole.scans if whole else ()) if has_tracer(each.image.header)]
    animals = tuple(
        MeasuredAnimal(
            id=id_,
            position=study.part.position if study.part else "",
            volume_ml=volume,
            weight_kg=next((each.animal.weight_kg for each in study.scans if each.animal.weight_kg), None),
            tracers=tuple(_tracer(study, each) for each in traced),
        )
        for study, id_, volume in zip(parts, ids, volumes, strict=True)
    )
    weights = (each.image.header.subject.weight_kg for each in (whole.scans if whole else ()))
    sheet = whole.corrections.sheet if whole else None
    sums = (_sums(animals, number, each) for number, each in enumerate(traced))
    return MeasuredGroup(animals, next(filter(None, weights), None), tuple(sums), str(sheet.path) if sheet else None)


def _tracer(study: Study, of_whole: Scan) -> AnimalTracer:
    """Return the tracer of an animal in a scan, of which there may be no part."""
    pair, header = of_whole.image.pair, of_whole.image.header
    scan = next((each for each in study.scans if each.pair == of_whole.pair), None)
    own = scan.image.header.tracer if scan else None
    dose, injected = (own.dose_bq, own.injected_at) if own else (None, None)
    injected = injected or header.tracer.injected_at
    # Between bed positions that are not joined, the same tissue may lie in two of them.
    is_one_bed = scan is not None and len({each.grid.bed_mm for each in scan.groups}) == 1
    activity = activity_at_injection(scan.image, injected) if scan and is_one_bed else None
    return AnimalTracer(pair.data.name, str(pair.header), dose, activity, injected, header.tracer.half_life_s)


def _sums(animals: Sequence[MeasuredAnimal], number: int, scan: Scan) -> Sums:
    header: Header = scan.image.header
    at = header.tracer.injected_at
    tracers = [each.tracers[number] for each in animals]
    doses = _sum([each.at(each.dose_bq, at) for each in tracers])
    activities = _sum([each.at(each.activity_bq, at) for each in tracers])
    return Sums(scan.image.pair.data.name, doses, activities, header.tracer.dose_bq)


def _sum(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return sum(known) if known and len(known) == len(values) else None


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
        stated, found = ratios
        is_reversed = (stated > 1) != (found > 1)
        return is_reversed and max(stated, 1 / stated) - 1 > clear and max(found, 1 / found) - 1 > clear_seen


def _swapped(one: MeasuredAnimal, other: MeasuredAnimal, stated: Two, seen: Two, words: str) -> str:
    first, second = (words.format(*values) for values in zip(stated, seen, strict=True))
    return f"{one} {first}, {other} {second}: are they swapped, in the hotel or in the sheet?"


# As a table, for people and for programs.


def table_of(measured: MeasuredGroup, *, ids: bool = True) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return titles and rows of texts: of each animal and scan of a tracer, then the sums beside the header's.

    Args:
        measured: from `measured_of`.
        ids: whether Patient IDs are shown.
    """
    titles = ("Position", "Animal", "Body, mL", "Weight, g", "Dose, MBq", "In the box at injection, MBq", "Scan")
    scans = range(max(len(measured.sums), 1))
    rows = [_row(each, n, ids=ids) for each in measured.animals for n in scans]
    for n in scans:
        sums = measured.sums[n] if measured.sums else Sums("", None, None, None)
        weights = _grams(measured.weight_kg), _grams(measured.header_weight_kg)
        doses = _mbq(sums.dose_bq), _mbq(sums.header_dose_bq)
        rows.append(["all", "", _shown(measured.volume_ml), weights[0], doses[0], _mbq(sums.activity_bq), sums.scan])
        rows.append(["header", "", "", weights[1], doses[1], "", sums.scan])
    if len(measured.sums) > 1:
        return titles, rows
    return titles[:-1], [row[:-1] for row in rows]


def _row(animal: MeasuredAnimal, number: int, *, ids: bool) -> list[str]:
    tracer = animal.tracers[number] if animal.tracers else AnimalTracer("", "")
    known = [animal.position, printable(animal.id, 40) if ids else "", _shown(animal.volume_ml)]
    known += [_grams(animal.weight_kg), _mbq(tracer.dose_bq), _mbq(tracer.activity_bq)]
    return [*known, tracer.scan]


def _grams(weight_kg: float | None) -> str:
    return _shown(weight_kg and weight_kg * _G_PER_KG)


def _mbq(activity_bq: float | None) -> str:
    return _shown(activity_bq and activity_bq / _BQ_PER_MBQ)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def document_of(measured: MeasuredGroup) -> dict[str, object]:
    """Return the same for programs; None is what is not known."""
    animals = [
        {
            "position": each.position,
            "patient_id": each.id,
            "volume_ml": each.volume_ml,
            "weight_g": _times(each.weight_kg, _G_PER_KG),
            "tracers": [
                {
                    "scan": tracer.scan,
                    "injected_at": tracer.injected_at,
                    "dose_MBq": _times(tracer.dose_bq, 1 / _BQ_PER_MBQ),
                    "activity_MBq": _times(tracer.activity_bq, 1 / _BQ_PER_MBQ),
                }
                for tracer in each.tracers
            ],
        }
        for each in measured.animals
    ]
    tracers = [
        {
            "scan": each.scan,
            "dose_MBq": _times(each.dose_bq, 1 / _BQ_PER_MBQ),
            "activity_MBq": _times(each.activity_bq, 1 / _BQ_PER_MBQ),
            "header_dose_MBq": _times(each.header_dose_bq, 1 / _BQ_PER_MBQ),
        }
        for each in measured.sums
    ]
    weights = {"weight_g": measured.weight_kg, "header_weight_g": measured.header_weight_kg}
    sums = {"volume_ml": measured.volume_ml, **{key: _times(value, _G_PER_KG) for key, value in weights.items()}}
    return {"animals": animals, "sums": {**sums, "tracers": tracers}}


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
