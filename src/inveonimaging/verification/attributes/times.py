"""When a scan and its frames were acquired, and how long."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from inveonimaging.verification.attributes.columns import (
    Found,
    date_and_time,
    enhanced,
    functional,
    moment_at,
    never,
    number_at,
    of_scan,
    pet,
    plain_pet,
    stated,
)
from inveonimaging.verification.comparison import MOMENT, TEXT, Comparison, Fact, numbers
from inveonimaging.verification.planes import Plane
from inveonimaging.verification.result import Kind
from inveonimaging.verification.sop_classes import CLASSIC
from inveonimaging.verification.source import SourceScan
from inveonimaging.verification.vendor import middle_of_frame

_A_MILLISECOND = Comparison(numbers, 1.0)
_ROUNDED = Comparison(numbers, 0.5 + 1e-6)  # Actual Frame Duration counts whole milliseconds


def _acquired(plane: Plane) -> Any:
    """Return the start of a plane's acquisition; what is stated and cannot be read as text."""
    return plane.acquired or plane.get("FrameAcquisitionDateTime") or plane.get("AcquisitionTime")


def _begun(*, is_single: bool) -> Found:
    """Find Acquisition DateTime of an instance that is one frame's alone, or of one of many frames."""
    found = moment_at("AcquisitionDateTime")
    return lambda plane: found(plane) if (plane.get("SOPClassUID") in CLASSIC) is is_single else None


def _first_start(scan: SourceScan) -> datetime | None:
    return None if scan.start is None else scan.start + timedelta(seconds=min(scan.starts_s))


def _reference_moment(scan: SourceScan, frame: int) -> datetime | None:
    return None if scan.start is None else scan.start + timedelta(milliseconds=scan.reference_times_ms[frame])


def _reference_ms(scan: SourceScan, frame: int) -> float | None:
    return scan.reference_times_ms[frame] if scan.modality == "PT" else None


def _duration_ms(scan: SourceScan, frame: int) -> float | None:
    duration = scan.frames[frame].duration_s
    return 1000.0 * duration if duration else None


def _pet_duration_ms(scan: SourceScan, frame: int) -> float | None:
    return _duration_ms(scan, frame) if scan.modality == "PT" else None


_moment = partial(Fact, kind=Kind.TIMES, how=MOMENT)
_duration = partial(Fact, kind=Kind.TIMES, how=_ROUNDED, unit="ms")
_delay = partial(Fact, kind=Kind.TIMES, how=_A_MILLISECOND, unit="ms", true=SourceScan.trigger_ms, needed=never)

TIMES = (
    _moment(
        "series-time",
        "Series Date and Time",
        date_and_time("SeriesDate", "SeriesTime"),
        of_scan(lambda scan: scan.start),
        needed=pet,
    ),
    _moment("acquisition-time", "Acquisition Date and Time", _acquired, SourceScan.started, needed=pet),
    _moment(
        "acquisition-datetime", "Acquisition DateTime", _begun(is_single=False), of_scan(_first_start), needed=enhanced
    ),
    _moment("acquisition-datetime", "Acquisition DateTime", _begun(is_single=True), SourceScan.started, needed=never),
    Fact(
        "time-zone",
        "Timezone Offset From UTC",
        stated("TimezoneOffsetFromUTC"),
        of_scan(lambda scan: scan.time_zone),
        kind=Kind.TIMES,
        how=TEXT,
        needed=never,
    ),
    _moment(
        "frame-reference-datetime",
        "Frame Reference DateTime",
        moment_at("FrameReferenceDateTime"),
        _reference_moment,
        needed=functional,
    ),
    Fact(
        "frame-reference-time",
        "Frame Reference Time",
        number_at("FrameReferenceTime"),
        _reference_ms,
        kind=Kind.TIMES,
        how=_A_MILLISECOND,
        unit="ms",
        needed=plain_pet,
        excuse=middle_of_frame,
    ),
    _duration(
        "frame-duration", "Actual Frame Duration", number_at("ActualFrameDuration"), _pet_duration_ms, needed=plain_pet
    ),
    _duration(
        "frame-acquisition-duration",
        "Frame Acquisition Duration",
        number_at("FrameAcquisitionDuration"),
        _duration_ms,
        needed=functional,
    ),
    _delay("trigger-time", "Trigger Time", number_at("TriggerTime")),
    _delay("cardiac-delay", "Nominal Cardiac Trigger Delay Time", number_at("NominalCardiacTriggerDelayTime")),
    _delay(
        "respiratory-delay", "Nominal Respiratory Trigger Delay Time", number_at("NominalRespiratoryTriggerDelayTime")
    ),
)
