"""Dates and times of DICOM as datetime, in local time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from inveonimaging.verification.planes import Plane

_DATE = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})")
_CLOCK = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?")
_MOMENT = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?")
_LEAP = 60
_MOST = 4096


@lru_cache(_MOST)
def joined(day: Any, clock: Any) -> datetime | None:
    """Return the moment of a Date and a Time; None if one is missing or senseless."""
    date, time = _DATE.fullmatch(str(day or "")), _CLOCK.fullmatch(str(clock or ""))
    if date is None or time is None:
        return None
    try:
        return datetime(*map(int, date.groups())) + _since_midnight(time)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None


@lru_cache(_MOST)
def clock_of(clock: Any) -> timedelta | None:
    """Return a Time as what has passed since midnight; None if it is missing or senseless."""
    time = _CLOCK.fullmatch(str(clock or ""))
    return None if time is None else _since_midnight(time)


@lru_cache(_MOST)
def parsed(moment: Any) -> datetime | None:
    """Return a DateTime by the clock on the wall, whatever its zone; None if it is missing or senseless."""
    match = _MOMENT.fullmatch(str(moment or ""))
    return None if match is None else joined(match[1], match[2] or "00")


def acquired(plane: Plane) -> datetime | None:
    """Return the start of a plane's acquisition."""
    return parsed(plane.get("FrameAcquisitionDateTime")) or joined(
        plane.get("AcquisitionDate"), plane.get("AcquisitionTime")
    )


def _since_midnight(time: re.Match[str]) -> timedelta:
    hours, minutes, seconds = (int(part or 0) for part in time.groups()[:3])
    fraction = int((time[4] or "0").ljust(6, "0"))
    return timedelta(hours=hours, minutes=minutes, seconds=min(seconds, _LEAP), microseconds=fraction)
