"""Dates and times of a PET series in DICOM: when it was acquired, to when decay is corrected, when was injected."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from inveonimaging.dicom_reading.series import Plane
from inveonimaging.dicom_reading.times import date_time, later, local_moment, moment_of, number_of, offset_of
from inveonimaging.physics.timing import decay_factor, frame_reference_time

_GE_BLOCK, _GE_CREATOR, _GE_SCAN_TIME = 0x0009, "GEMS_PETD_01", 0x0D
_SAME_FACTOR = 2e-3  # times have whole seconds, half-lives are short
_MOST_HALF_LIVES = 500.0
_MS_PER_S = 1000.0


class Timed(NamedTuple):
    """When a plane was acquired, how long, its Frame Reference Time (0054,1300), its Decay Factor (0054,1321)."""

    begun: datetime | None
    duration_s: float | None
    reference_s: float | None
    factor: float | None

    @property
    def ended(self) -> datetime | None:
        """When its acquisition ended."""
        if self.begun is None or not self.duration_s:
            return self.begun
        return later(self.begun, self.duration_s) or self.begun


def timed(plane: Plane) -> Timed:
    """Return the times of a plane."""
    begun = local(plane, value_of(plane, "FrameAcquisitionDateTime"))
    begun = begun or moment_of(value_of(plane, "AcquisitionDate"), value_of(plane, "AcquisitionTime"))
    begun = begun or local(plane, value_of(plane, "AcquisitionDateTime"))
    duration = number_of(value_of(plane, "FrameAcquisitionDuration"))
    duration = number_of(value_of(plane, "ActualFrameDuration")) if duration is None else duration
    reference = number_of(value_of(plane, "FrameReferenceTime"))
    return Timed(
        begun,
        None if duration is None else duration / _MS_PER_S,
        None if reference is None else reference / _MS_PER_S,
        number_of(value_of(plane, "DecayFactor")),
    )


def start_of(
    stated: Sequence[datetime | None], planes: Sequence[Timed], half_life_s: float | None, *, is_corrected: bool
) -> datetime | None:
    """Return the start of a scan, to which its values are corrected for decay.

    As the vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA) has it: the series' time if
    it is not after the first acquisition, since programs alter it; else what a vendor states of its own; else the first
    acquisition, less Frame Reference Time; else the first acquisition. Beyond that: the first of them which the Decay
    Factors fit comes before those that they do not fit.

    Args:
        stated: moments that are said to be it, the best first.
        planes: of the series.
        half_life_s: of the isotope, if it is known.
        is_corrected: whether Decay Factors are those to the start of the scan.
    """
    first = min((plane.begun for plane in planes if plane.begun is not None), default=None)
    before = [each for each in stated if each is not None and (first is None or each <= first)]
    candidates = [each for each in (*before, _counted_back(planes, half_life_s), first) if each is not None]
    if is_corrected:
        fitting = (each for each in candidates if fits(each, planes, half_life_s))
        return next(fitting, candidates[0] if candidates else None)
    return candidates[0] if candidates else None


def fits(start: datetime, planes: Sequence[Timed], half_life_s: float | None) -> bool:
    """Return whether there are Decay Factors, and all are those to a start."""
    return any(expected_factor(each, start, half_life_s) is not None for each in planes) and not any(
        is_odd(each, start, half_life_s) for each in planes
    )


def is_odd(plane: Timed, start: datetime, half_life_s: float | None) -> bool:
    """Return whether a plane's Decay Factor is another one than that to a start."""
    expected = expected_factor(plane, start, half_life_s)
    return expected is not None and abs((plane.factor or 0.0) - expected) > _SAME_FACTOR * expected


def expected_factor(plane: Timed, start: datetime, half_life_s: float | None) -> float | None:
    """Return what the Decay Factor should be; None if there is none, or nothing to tell it by."""
    if plane.factor is None or plane.begun is None or not plane.duration_s or not half_life_s or half_life_s < 0:
        return None
    after = (plane.begun - start).total_seconds()
    if abs(after / half_life_s) > _MOST_HALF_LIVES:
        return math.inf
    return decay_factor(after, plane.duration_s, half_life_s)


def _counted_back(planes: Sequence[Timed], half_life_s: float | None) -> datetime | None:
    """Return the earliest acquisition less the time from the scan's start to it, by Frame Reference Time."""
    known = [each for each in planes if each.begun is not None]
    plane = min(known, key=lambda each: each.begun or datetime.max, default=None)
    if plane is None or plane.begun is None or not plane.reference_s or not plane.duration_s:
        return None
    after = plane.reference_s - frame_reference_time(0.0, plane.duration_s, half_life_s)
    is_middle = abs(plane.reference_s - plane.duration_s / 2) < _A_SECOND  # some write it instead
    return plane.begun if abs(after) < _A_SECOND or is_middle else later(plane.begun, -after)


_A_SECOND = 1.0


def vendor_start(plane: Plane) -> datetime | None:
    """Return when GE says that the scan started, in a private element."""
    try:
        block = plane.instance.header.private_block(_GE_BLOCK, _GE_CREATOR)
        value = block[_GE_SCAN_TIME].value
    except (KeyError, ValueError):
        return None
    return local(plane, value.decode("latin-1").strip("\0 ") if isinstance(value, bytes) else value)


def local(plane: Plane, value: Any) -> datetime | None:
    """Return a DateTime by the clock of the dates and times beside it."""
    return local_moment(value, value_of(plane, "TimezoneOffsetFromUTC"))


def are_zones_told(plane: Plane, value: Any) -> bool:
    """Return whether a DateTime has a zone, and the dates and times beside it have one, too."""
    return None not in (date_time(value).offset, offset_of(value_of(plane, "TimezoneOffsetFromUTC")))


def value_of(holder: Any, keyword: str) -> Any:
    """Return an attribute; None for one that is absent, empty, or that pydicom cannot make a value of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = holder.get(keyword)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            return None
    return None if value is None or value == "" else value
