"""How many planes of what there are, in which unit their values are, and distances in the scanner."""

from __future__ import annotations

from functools import partial
from typing import Any

from pydicom.uid import CTImageStorage

from inveonimaging.physics.quantification import Unit
from inveonimaging.verification.attributes.columns import (
    Expected,
    enhanced_pet,
    never,
    number_at,
    of_ct,
    of_pet,
    of_scan,
    plain_pet,
    positive,
    stated,
)
from inveonimaging.verification.comparison import ONE_OF, RELATIVE, Comparison, Fact, numbers
from inveonimaging.verification.planes import Plane
from inveonimaging.verification.result import Kind
from inveonimaging.verification.vendor import mm_as_cm

_TERMS = {Unit.BQML: ("BQML",), Unit.PROPCNTS: ("PROPCNTS", "CNTS"), Unit.PER_CM: ("1CM",), Unit.HU: ("HU",)}
_UCUM = {
    Unit.BQML: ("Bq/ml", "Bq/mL"),
    Unit.PROPCNTS: ("{propcounts}", "{counts}"),
    Unit.PER_CM: ("/cm", "1/cm", "cm-1"),
    Unit.HU: ("[hnsf'U]",),
}


def _steps(*, is_gated: bool) -> Expected:
    return of_pet(lambda scan: len(scan.frames) if scan.is_gated is is_gated else None)


def _rescale_type(plane: Plane) -> Any:
    """Return Rescale Type; without one it is HU in a CT Image (PS3.3 C.8.2.1)."""
    is_ct_image = plane.get("SOPClassUID") == CTImageStorage
    return plane.get("RescaleType") or ("HU" if is_ct_image else None)


def _mapped_unit(plane: Plane) -> Any:
    return (plane.get("RealWorldValueMappingSequence") or {}).get("unit")


_count = partial(Fact, kind=Kind.INSTANCES, how=Comparison(numbers), needed=never)
_unit = partial(Fact, kind=Kind.UNITS, how=ONE_OF)
_distance = partial(Fact, kind=Kind.UNITS, how=RELATIVE, unit="mm", needed=never, excuse=mm_as_cm)

COUNTS = (
    _count(
        "slice-count", "Number of Slices", number_at("NumberOfSlices"), of_pet(lambda scan: scan.image.grid.shape[2])
    ),
    _count("time-slice-count", "Number of Time Slices", number_at("NumberOfTimeSlices"), _steps(is_gated=False)),
    _count("time-slot-count", "Number of Time Slots", number_at("NumberOfTimeSlots"), _steps(is_gated=True)),
)
UNITS = (
    _unit("units", "Units", stated("Units"), of_pet(lambda scan: _TERMS[scan.image.scaling.unit]), needed=plain_pet),
    _unit("rescale-type", "Rescale Type", _rescale_type, of_ct(lambda scan: _TERMS[scan.image.scaling.unit])),
    _unit(
        "mapped-unit",
        "the unit of Real World Value Mapping",
        _mapped_unit,
        of_scan(lambda scan: _UCUM[scan.image.scaling.unit]),
        needed=enhanced_pet,
    ),
    _distance(
        "source-distance",
        "Distance Source to Detector",
        number_at("DistanceSourceToDetector"),
        of_ct(lambda scan: positive(scan.header.ct.source_to_detector_mm)),
    ),
    _distance(
        "source-distance",
        "Distance Source to Patient",
        number_at("DistanceSourceToPatient"),
        of_ct(lambda scan: positive(scan.header.ct.source_to_rotation_centre_mm)),
    ),
)
