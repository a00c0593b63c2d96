"""Which scans of a study belong to one session, in which the animal stays on the bed, as far as their times show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from inveonimaging.errors import listed
from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header

_LONGEST_BREAK = timedelta(hours=12)  # a CT in the morning, the PET in the evening
_LONGEST_NIGHT = timedelta(hours=6)  # a session that goes past midnight
_NAMED = 4


Span = tuple[datetime, datetime]
"""When a scan began, and when its last frame ended."""


def sessions_of(headers: Sequence[Header], scan_time: datetime | None = None) -> tuple[int | None, ...]:
    """Return the number of each scan's session, from 0 in the order of time; None for a scan without a start.

    Args:
        headers: of each scan, with all frames.
        scan_time: start of the scans whose header has none.
    """
    return sessions_in([span_of(header, scan_time) for header in headers])


def sessions_in(spans: Sequence[Span | None]) -> tuple[int | None, ...]:
    """Return the number of each scan's session, as `sessions_of`.

    A new session begins after a break of 12 hours, or of 6 hours in which the date changes.
    """
    known = {n: span for n, span in enumerate(spans) if span}
    sessions: dict[int, int] = {}
    session, before, end = 0, None, datetime.min
    for n, (start, its_end) in sorted(known.items(), key=lambda each: (each[1][0], each[0])):
        limit = _LONGEST_NIGHT if before and start.date() != before.date() else _LONGEST_BREAK
        session += before is not None and start - end > limit
        before, end = start, max(end, its_end)
        sessions[n] = session
    return tuple(sessions.get(n) for n in range(len(spans)))


def span_of(header: Header, scan_time: datetime | None = None) -> Span | None:
    """Return when a scan began and ended, None without a start; the start is the end for times beyond the calendar."""
    start = header.acquisition.started_at or scan_time
    if start is None:
        return None
    seconds = max(((frame.start_s or 0.0) + (frame.duration_s or 0.0) for frame in header.frames), default=0.0)
    try:
        return start, start + timedelta(seconds=max(0.0, seconds))
    except (OverflowError, ValueError):
        return start, start


def session_findings(
    headers: Sequence[Header], numbers: Sequence[int], sessions: Sequence[int | None], scan_time: datetime | None
) -> Iterator[Finding]:
    """Yield one warning if a study holds scans of several sessions; arguments as of `frames_of_reference`."""
    firsts: dict[int, tuple[datetime, int]] = {}
    for header, number, session in zip(headers, numbers, sessions, strict=True):
        start = header.acquisition.started_at or scan_time
        if session is not None and start is not None:
            firsts[session] = min(firsts.get(session, (start, number)), (start, number))
    if len(firsts) > 1:
        named = [f"{start:%Y-%m-%d %H:%M} (series {number})" for start, number in sorted(firsts.values())]
        message = (
            f"this one study holds scans of {len(firsts)} sessions, starting {listed(named, _NAMED)}; its "
            "Study Date is that of the first. For a study each, give each session a folder of its own, or use "
            "inveon batch --group header"
        )
        yield Finding("several-sessions", message, key="scan_time")
