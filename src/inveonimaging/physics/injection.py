"""Whether the time of an injection makes sense beside that of the scan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import NamedTuple

from inveonimaging.findings import Finding, Severity
from inveonimaging.units import duration

_MANY_HALF_LIVES = 10.0
_S_PER_HOUR = 3600.0
_CHANGE = timedelta(hours=2)  # at night, when clocks are changed
_WORTH_TELLING = 0.005


class ScanTimes(NamedTuple):
    """What an injection is compared with; None is not known.

    Attributes:
        start, end: of the scan; local time.
        time_frames: how many different times frames begin at.
        half_life_s: of the isotope.
        is_from_injection: values are those at the injection, so that the time between does not matter.
    """

    start: datetime | None
    end: datetime | None
    time_frames: int
    half_life_s: float | None
    is_from_injection: bool = False


def injection_findings(injected: datetime, scan: ScanTimes, *, is_zone_known: bool = False) -> Iterator[Finding]:
    """Yield what is doubtful in the time of an injection, by itself and beside the scan.

    Args:
        injected: local time.
        scan: what it is compared with.
        is_zone_known: the zones of both are stated, so that a change of clocks does no harm.
    """
    if injected.time() == time():
        message = (
            f"the injection at {injected} is at midnight, to the second: often a date to which no time was entered"
        )
        yield Finding("injection-time-cut", message, key="injection_time")
    if scan.start is None:
        return
    yield from _late(injected, scan, scan.start)
    if not is_zone_known and not scan.is_from_injection:
        yield from _clocks(injected, scan, scan.start)
    before = (scan.start - injected).total_seconds()
    if scan.half_life_s and scan.half_life_s > 0 and before > _MANY_HALF_LIVES * scan.half_life_s:
        half_lives = before / scan.half_life_s
        message = f"the injection at {injected} is {half_lives:.3g} half-lives before the scan at {scan.start}"
        yield Finding("injection-long-before", message, key="injection_time")


def _late(injected: datetime, scan: ScanTimes, start: datetime) -> Iterator[Finding]:
    late = (injected - start).total_seconds()
    if scan.end is not None and injected > max(scan.end, start):
        message = f"the injection at {injected} is after the end of the scan at {scan.end}"
        yield Finding("injection-after-end", message, key="injection_time")
    elif late > 0 and scan.time_frames > 1:
        message = (
            f"the tracer was injected {duration(late)} after the start of the scan; SUV counts from the dose that this "
            "would have been at the start. Some viewers refuse SUV"
        )
        yield Finding("injection-within-scan", message, Severity.INFO, key="injection_time")
    elif late > 0:
        message = (
            f"the tracer was injected {duration(late)} after the start of the scan, which has one time frame: its "
            "values are means over a time without tracer and one with it"
        )
        yield Finding("injection-after-start", message, key="injection_time")


def _clocks(injected: datetime, scan: ScanTimes, start: datetime) -> Iterator[Finding]:
    """Yield that clocks may have been changed in a night between injection and scan: local times do not show it."""
    if not scan.half_life_s or scan.half_life_s < 0:
        return
    change = 2.0 ** min(_S_PER_HOUR / scan.half_life_s, 1.0) - 1
    if (injected - _CHANGE).date() < (start - _CHANGE).date() and change >= _WORTH_TELLING:
        percent = f"{100 * change:.2g} %" if scan.half_life_s > _S_PER_HOUR else "100 % and more"
        message = (
            f"the tracer was injected at {injected}, a night or more before the scan at {start}: if the clock was "
            f"changed between (summer time), it was an hour more or less, and SUV is {percent} off"
        )
        yield Finding("clock-change-possible", message, Severity.INFO, key="injection_time")
