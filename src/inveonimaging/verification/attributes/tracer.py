"""Which tracer was injected, how much of it and when."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import time
from functools import partial
from typing import Any

from inveonimaging.dicom_reading.times import clock_of, local_moment
from inveonimaging.verification.attributes.columns import (
    in_tracer,
    never,
    number_in_tracer,
    of_emission,
    of_pet,
    positive,
    traced_pet,
)
from inveonimaging.verification.comparison import MOMENT, RELATIVE, Comparison, Fact
from inveonimaging.verification.concepts import ISOTOPE_CODES, isotope, same_compound
from inveonimaging.verification.planes import Plane
from inveonimaging.verification.result import Kind
from inveonimaging.verification.sop_classes import NM
from inveonimaging.verification.source import SourceScan

_UNKNOWN = "261665006"  # SNOMED CT: unknown
_BQ_PER_MBQ = 1e6


def _dose_bq(plane: Plane) -> Any:
    """Return the total dose in Bq; NM has it in MBq (PS3.3 C.8.4.10), PET in Bq (C.8.9.2)."""
    dose = number_in_tracer("RadionuclideTotalDose")(plane)
    return dose * _BQ_PER_MBQ if isinstance(dose, float) and plane.get("SOPClassUID") in NM else dose


def _isotope(plane: Plane) -> Any:
    """Return the isotope of the code's value and of its meaning; both if they are not one, None if neither is known."""
    value, meaning = in_tracer("RadionuclideCodeSequence")(plane) or (None, None)
    return _different(ISOTOPE_CODES.get(str(value)), isotope(meaning))


def _compound(plane: Plane) -> Any:
    value, meaning = in_tracer("RadiopharmaceuticalCodeSequence")(plane) or (None, None)
    return _different(in_tracer("Radiopharmaceutical")(plane), None if value == _UNKNOWN else meaning)


def _different(*values: Any) -> Any:
    return tuple(dict.fromkeys(each for each in values if each)) or None


def _injected(plane: Plane) -> Any:
    value = in_tracer("RadiopharmaceuticalStartDateTime")(plane)
    return local_moment(value, plane.get("TimezoneOffsetFromUTC")) or value


def _injected_by_clock(plane: Plane) -> Any:
    value = in_tracer("RadiopharmaceuticalStartTime")(plane)
    clock = clock_of(value)
    return value if clock is None else clock


def _any_tracer(plane: Plane) -> Any:
    """Return what is stated of a tracer, as one text; None if nothing is."""
    return ", ".join(name for name in _OF_TRACER if in_tracer(name)(plane)) or None


_OF_TRACER = (
    "RadionuclideTotalDose",
    "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalStartTime",
    "RadionuclideCodeSequence",
    "Radiopharmaceutical",
    "RadionuclideHalfLife",
)


def _fraction(scan: SourceScan) -> float | None:
    value = scan.header.tracer.branching_fraction
    return value if scan.has_tracer and value is not None and 0 < value <= 1 else None


def _clock(scan: SourceScan) -> time | None:
    return None if scan.injection_time is None else scan.injection_time.time()


def _all(same: Callable[[str, str], bool]) -> Comparison:
    """Compare all that a plane says of one thing with what is true, by a measure of its own."""
    return Comparison(lambda found, true: 0.0 if all(same(str(each), true) for each in found) else math.inf)


_quantity = partial(Fact, kind=Kind.TRACER, how=RELATIVE, is_noted=True)
_tracer = partial(Fact, kind=Kind.TRACER, needed=never)

TRACER = (
    _quantity(
        "dose",
        "Radionuclide Total Dose",
        _dose_bq,
        of_emission(lambda scan: positive(scan.header.tracer.dose_bq)),
        unit="Bq",
        needed=traced_pet,
    ),
    _quantity(
        "half-life",
        "Radionuclide Half Life",
        number_in_tracer("RadionuclideHalfLife"),
        of_pet(lambda scan: positive(scan.header.tracer.half_life_s) if scan.has_tracer else None),
        unit="s",
        needed=traced_pet,
    ),
    _quantity(
        "branching-fraction",
        "Radionuclide Positron Fraction",
        number_in_tracer("RadionuclidePositronFraction"),
        of_pet(_fraction),
        needed=never,
    ),
    _tracer(
        "isotope",
        "Radionuclide Code",
        _isotope,
        of_emission(lambda scan: isotope(scan.header.tracer.isotope)),
        how=_all(str.__eq__),
    ),
    _tracer(
        "compound",
        "Radiopharmaceutical",
        _compound,
        of_emission(lambda scan: scan.header.tracer.compound or None),
        how=_all(same_compound),
        is_noted=True,
    ),
    _tracer(
        "tracer-of-transmission",
        "tracer of a mu map or transmission image",
        _any_tracer,
        of_pet(lambda scan: None if scan.has_tracer else "none"),
        how=Comparison(lambda _found, _true: math.inf),
    ),
    _tracer(
        "injection-time",
        "Radiopharmaceutical Start DateTime",
        _injected,
        of_emission(lambda scan: scan.injection_time),
        how=MOMENT,
        needed=lambda scan, plane: traced_pet(scan, plane) and _injected_by_clock(plane) is None,
    ),
    _tracer(
        "injection-clock-time", "Radiopharmaceutical Start Time", _injected_by_clock, of_emission(_clock), how=MOMENT
    ),
)
