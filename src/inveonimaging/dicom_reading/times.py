"""Dates, times and numbers of DICOM as Python's own, by pydicom's value types; None for what is missing or senseless.

Timezone Offset From UTC (0008,0201) is the zone of all Dates and Times of an instance, and of each DateTime without an
offset of its own (PS3.3 C.12.1); a DateTime may have one (PS3.5 6.2). So a DateTime with an offset is converted to the
clock of the Dates and Times beside it if (0008,0201) gives their zone. Without (0008,0201) it is not known how the two
clocks relate, and the DateTime counts as it is written.
"""

from __future__ import annotations

import math
import re
import warnings
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from pydicom.valuerep import DT

_MOST = 4096
_DIGITS = re.compile(r"\d*", re.ASCII)
_TO_THE_DAY, _TO_THE_MINUTE = 8, 12  # digits of YYYYMMDD, and of YYYYMMDDHHMM
_SOME_DAY = "20000101"


class DateTime(NamedTuple):
    """A DICOM DateTime as it is written: its date, if it has one; its time, if it has hours and minutes; its offset."""

    day: date | None = None
    clock: time | None = None
    offset: timedelta | None = None

    @property
    def moment(self) -> datetime | None:
        """Date and time as one, without the offset."""
        return datetime.combine(self.day, self.clock) if self.day and self.clock else None


_NO_DATE_TIME = DateTime()


def date_time(value: Any) -> DateTime:
    """Return a DateTime as it is written; it may end after any of its parts (PS3.5 6.2)."""
    return _NO_DATE_TIME if value is None else _read("".join(str(value).split()))


def moment_of(day: Any, clock: Any) -> datetime | None:
    """Return the moment of a Date and a Time; points and dashes are those of ACR-NEMA."""
    known_day = None if day is None else date_time(re.sub("[.-]", "", str(day))).day
    known_clock = clock_of(clock)
    return datetime.combine(known_day, known_clock) if known_day and known_clock else None


def clock_of(value: Any) -> time | None:
    """Return a Time; colons are those of ACR-NEMA. An hour alone is no time."""
    return None if value is None else date_time(_SOME_DAY + str(value).replace(":", "")).clock


def local_moment(value: Any, zone: Any) -> datetime | None:
    """Return a DateTime by the clock of the Dates and Times beside it.

    Args:
        value: the DateTime.
        zone: Timezone Offset From UTC (0008,0201) of the instance, `-0500`; None if it has none.
    """
    written, offset = date_time(value), offset_of(zone)
    if written.moment is None or written.offset is None or offset is None:
        return written.moment
    return later(written.moment, (offset - written.offset).total_seconds())


def offset_of(zone: Any) -> timedelta | None:
    """Return a Timezone Offset From UTC (0008,0201)."""
    return None if zone is None else date_time(f"{_SOME_DAY}{zone}").offset


def later(moment: datetime, seconds: float) -> datetime | None:
    """Return a moment so much later; None beyond the years that a calendar has."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None


def number_of(value: Any) -> float | None:
    """Return a finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


@lru_cache(_MOST)
def _read(text: str) -> DateTime:
    """Return what is written; pydicom fills up what is cut off, so the digits show how far the text goes."""
    digits = len(_DIGITS.match(text)[0])  # type: ignore[index]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # second 60 becomes 59
            found = DT(text)
    except (ValueError, OverflowError):
        return _NO_DATE_TIME
    if found is None or digits % 2:
        return _NO_DATE_TIME
    whole = datetime(*found.timetuple()[:6], found.microsecond)
    return DateTime(
        whole.date() if digits >= _TO_THE_DAY else None,
        whole.time() if digits >= _TO_THE_MINUTE else None,
        found.utcoffset(),
    )
