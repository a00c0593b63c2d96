"""When things happened: frames, decay, the injection and time zones; seconds unless a name says otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Frame, Header
from inveonimaging.inveon.modality import is_mu_map

_SAME_FACTOR = 1e-3  # headers print factors with 4 to 7 digits
_TINY = 1e-6
_MOST_HALF_LIVES = 100.0  # beyond, nothing but a slip; bounds the power of 2
_QUARTER = timedelta(minutes=15)
_CLOCK_READ_TWICE = timedelta(seconds=30)
_EAST = timedelta(hours=14)
_WEST = timedelta(hours=-12)
_SAME_DOSE = 0.05
_SAME_TIME_S = 0.05
_BQ_PER_MBQ = 1e6


def frame_reference_time(start: float, duration: float, half_life: float | None) -> float:
    """Return Frame Reference Time in s: when the activity equals its mean over the frame (PS3.3 C.8.9.4.1.5).

    Activity falls as `exp(-l t)` with `l = ln 2 / half_life`; its mean over a frame of duration T from `start` on is
    `exp(-l start) (1 - exp(-l T)) / (l T)`, so the time is `start + ln(l T / (1 - exp(-l T))) / l`. Without a half-life
    it is the middle of the frame.

    Args:
        start: of the frame, s after the start of the series.
        duration: of the frame, s.
        half_life: s; None if it is not known.
    """
    if not half_life or half_life < 0 or duration <= 0:
        return start + max(duration, 0.0) / 2
    decay = math.log(2) * duration / half_life
    if math.isinf(decay):
        return start
    if decay < _TINY:  # the series' first terms: mid-frame, less decay / 24 of the duration
        return start + duration * (0.5 - decay / 24)
    return start + duration / decay * math.log(decay / -math.expm1(-decay))


def decay_factor(start: float, duration: float, half_life: float) -> float:
    """Return the factor from a frame's mean activity to that at the start of the scan (Decay Factor, PS3.3 C.8.9.4).

    `exp(l start) l T / (1 - exp(-l T))`, with `l = ln 2 / half_life` and T the duration; all in s. For T of 0 that is
    `exp(l start)`.
    """
    constant = math.log(2) / half_life
    decay = constant * duration
    at_start = math.exp(constant * start)
    return at_start if decay <= 0 else at_start * decay / -math.expm1(-decay)


def expected_decay_factor(frame: Frame, half_life: float | None) -> float | None:
    """Return what the frame's `decay_correction` should be, None if the header does not say."""
    if not half_life or half_life <= 0 or frame.start_s is None or not frame.duration_s:
        return None
    try:
        return decay_factor(frame.start_s, frame.duration_s, half_life)
    except OverflowError:
        return None


def factor_to_injection(header: Header) -> float | None:
    """Return the decay from the injection to the scan's start, if the frames' factors contain it; None if not.

    They usually do not, and `injection_decay_correction` is apart from them. They do if each is that to the scan's
    start times `injection_decay_correction`, and this is `2 ** ((scan_time - injection_time) / half-life)`: then the
    values are those at the injection. A factor that cannot be distinguished from 1 is none.
    """
    since, half_life = header.tracer.injection_decay_correction, header.tracer.half_life_s
    start, injected = header.acquisition.started_at, header.tracer.injected_at
    if not header.corrections.decay or not since or not half_life or half_life < 0 or not start or not injected:
        return None
    half_lives = (start - injected).total_seconds() / half_life
    allowed = _SAME_FACTOR + math.log(2) / half_life  # times have whole seconds
    if abs(half_lives) > _MOST_HALF_LIVES or abs(since / 2.0**half_lives - 1) > allowed or abs(since - 1) <= allowed:
        return None
    expected = [expected_decay_factor(frame, half_life) for frame in header.frames]
    given = [frame.decay_correction for frame in header.frames]
    alike = (
        bool(e and g) and abs(g / (e * since) - 1) <= allowed for e, g in zip(expected, given, strict=True) if e and g
    )
    return since if all(expected) and all(given) and all(alike) else None


def decay_findings(header: Header) -> tuple[Finding, ...]:
    """Return what a frame's decay factor shows: that values are those at the injection; or that it fits nothing."""
    if not header.corrections.decay or is_mu_map(header):
        return ()
    if since := factor_to_injection(header):
        message = (
            f"the frames' decay_correction contains injection_decay_correction, {since:g}: values are those at the "
            "injection, and Decay Correction is ADMIN"
        )
        return (Finding("decay-from-injection", message, Severity.INFO, key="injection_decay_correction"),)
    for index, frame in enumerate(header.frames):
        expected = expected_decay_factor(frame, header.tracer.half_life_s)
        given = frame.decay_correction
        if expected is not None and given is not None and abs(given - expected) > _SAME_FACTOR * expected:
            message = f"decay_correction of frame {index} is {given:g}, but from scan start it would be {expected:.6g}"
            return (
                Finding(
                    "decay-factor-disagrees", message, key="decay_correction", line=frame.line_of("decay_correction")
                ),
            )
    return ()


def frame_time_findings(frames: Sequence[Frame]) -> Iterator[Finding]:
    """Yield where time frames of one series overlap or leave gaps: the first of each, and how many there are."""
    timed = [frame for frame in frames if frame.start_s is not None and frame.duration_s]
    ordered = sorted(timed, key=lambda frame: frame.start_s or 0.0)
    steps = [
        (one, (two.start_s or 0.0) - (one.start_s or 0.0) - (one.duration_s or 0.0)) for one, two in pairwise(ordered)
    ]
    over = [(frame, step) for frame, step in steps if step < -_SAME_TIME_S]
    apart = [(frame, step) for frame, step in steps if step > _SAME_TIME_S]
    if over:
        frame, step = over[0]
        message = f"{_after(frame)} begins {-step:g} s before that one ends; {len(over)} of {len(steps)} frames overlap"
        yield Finding("frames-overlap", message, key="frame_start", line=frame.line_of("frame_duration"))
    if apart:
        frame, step = apart[0]
        message = f"{_after(frame)} begins {step:g} s after that one ends; {len(apart)} of {len(steps)} leave gaps"
        yield Finding("frames-gap", message, Severity.INFO, key="frame_start", line=frame.line_of("frame_duration"))


def _after(frame: Frame) -> str:
    return f"the frame after that at {frame.start_s:g} s"


def extent(frames: Sequence[Frame], start: datetime | None) -> tuple[datetime | None, datetime | None]:
    """Return when the first frame began and the last one ended; a scan beyond all dates has no times."""
    starts = [frame.start_s for frame in frames if frame.start_s is not None]
    if start is None or not starts:
        return start, start
    ends = [(frame.start_s or 0.0) + max(frame.duration_s or 0.0, 0.0) for frame in frames]
    try:
        return start + timedelta(seconds=min(starts)), start + timedelta(seconds=max(ends))
    except OverflowError:
        return start, start


def dose_findings(header: Header) -> Iterator[Finding]:
    """Yield where the dose comes from, or what disagrees, if the syringe was measured before and after the injection.

    What was measured counts: whether a site enters `dose` with or without the residual, nobody knows.
    """
    entered, measured = header.tracer.entered_dose_bq, header.tracer.measured_dose_bq
    if measured is None:
        return
    net = f"activity_before_injection less residual_activity is {measured / _BQ_PER_MBQ:.4g} MBq at the injection"
    if measured <= 0:
        yield Finding("dose-residual-odd", f"{net}; not used", key="residual_activity")
    elif entered and abs(entered / measured - 1) > _SAME_DOSE:
        message = f"dose is {entered / _BQ_PER_MBQ:.4g} MBq, but {net}; what was measured is taken"
        yield Finding("dose-disagrees", message, key="dose")
    else:
        message = f"the dose is what was measured: {net}"
        yield Finding("dose-from-activities", message, Severity.INFO, key="activity_before_injection")


def utc_offset(header: Header) -> tuple[timedelta | None, tuple[Finding, ...]]:
    """Return local time minus GMT, to the quarter of an hour, None when the header does not say, or says nonsense.

    The console reads its clock twice, so that the two times may be seconds apart.
    """
    local, gmt = header.acquisition.started_at, header.acquisition.started_at_gmt
    if local is None or gmt is None:
        return None, ()
    offset = round((local - gmt) / _QUARTER) * _QUARTER
    if not _WEST <= offset <= _EAST or abs(local - gmt - offset) > _CLOCK_READ_TWICE:
        offset = local - gmt
        message = f"scan_time and gmt_scan_time are {offset} apart, which is not a time zone; left out"
        return None, (Finding("time-zone-odd", message, key="gmt_scan_time"),)
    return offset, ()
