"""Decay, frame reference time and time zone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from decimal import Context, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers import header_text
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Frame, Header, parse
from inveonimaging.physics.timing import (
    decay_factor,
    decay_findings,
    expected_decay_factor,
    frame_reference_time,
    utc_offset,
)

F18, C11, O15 = 6586.2, 1223.4, 122.24
FRAMES = [
    (0, 1, F18),
    (0, 3600, F18),
    (3600, 600, F18),
    (-60, 60, F18),
    (5.5, 0.1, O15),
    (0, 3600, C11),
    (600, 7200, O15),
]
QUADRATURE = 1e-12  # relative; 20 Gauss nodes on each of 64 panels, and half-lives enough to sum rounding errors


def mean_activity(start: float, duration: float, half_life: float) -> float:
    """Return a frame's mean activity, as a fraction of that at the scan's start, by Gauss-Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(start, start + duration, 65)
    times = edges[:-1, None] + np.diff(edges)[:, None] * (nodes + 1) / 2
    activity = 2.0 ** (-times / half_life)
    return float((activity @ weights / 2).mean())


@pytest.mark.parametrize(("start", "duration", "half_life"), FRAMES)
def test_decay_factor_undoes_the_mean_decay(start: float, duration: float, half_life: float) -> None:
    assert decay_factor(start, duration, half_life) == pytest.approx(
        1 / mean_activity(start, duration, half_life), rel=QUADRATURE
    )


@pytest.mark.parametrize(("start", "duration", "half_life"), FRAMES)
def test_at_the_reference_time_the_activity_is_the_mean(start: float, duration: float, half_life: float) -> None:
    reference = frame_reference_time(start, duration, half_life)
    assert 2 ** (-reference / half_life) == pytest.approx(mean_activity(start, duration, half_life), rel=QUADRATURE)
    assert start < reference < start + duration / 2


def test_one_half_life_by_hand() -> None:
    # over one half-life the mean is 1 / (2 ln 2), reached after log2(2 ln 2) = 1 + log2(ln 2) = 0.4712336271 half-lives
    assert decay_factor(0, 100, 100) == pytest.approx(2 * math.log(2), rel=1e-15)
    assert decay_factor(300, 100, 100) == pytest.approx(16 * math.log(2), rel=1e-14)
    assert frame_reference_time(0, 100, 100) == pytest.approx(47.12336271, abs=1e-8)
    assert frame_reference_time(300, 100, 100) == pytest.approx(347.12336271, abs=1e-8)


@pytest.mark.parametrize("half_life", [None, 0, 0.0, -1.0, -F18, 1e300])
@pytest.mark.parametrize(
    ("start", "duration", "middle"), [(0, 60, 30), (30, 5, 32.5), (-10, 4, -8), (7, 0, 7), (7, -5, 7)]
)
def test_without_decay_the_reference_is_mid_frame(
    half_life: float | None, start: float, duration: float, middle: float
) -> None:
    assert frame_reference_time(start, duration, half_life) == middle


def test_a_frame_of_no_duration_is_at_its_start() -> None:
    assert frame_reference_time(50, 0, F18) == 50
    assert decay_factor(F18, 0, F18) == pytest.approx(2, rel=1e-15)


@pytest.mark.parametrize("half_lives", [100, 1e4, 1e8])
def test_very_long_frames(half_lives: float) -> None:
    # all activity is there at first, so the mean over d is 1 / (lambda d), reached at log(lambda d) / lambda
    decay = half_lives * math.log(2)
    assert decay_factor(0, half_lives * O15, O15) == pytest.approx(decay, rel=1e-12)
    assert frame_reference_time(0, half_lives * O15, O15) == pytest.approx(O15 * math.log2(decay), rel=1e-12)


@pytest.mark.parametrize("half_life", [1e-320, 5e-324, 1e-300])
def test_no_half_life_is_too_short(half_life: float) -> None:
    assert 0 <= frame_reference_time(0, 3600, half_life) <= 1800


def exact_fraction(decay: float) -> Decimal:
    """Return the reference time as a fraction of the frame, log(x / (1 - exp(-x))) / x, to 40 digits."""
    with localcontext(Context(prec=80)):
        x = Decimal(decay)
        return (x / (1 - (-x).exp())).ln() / x


@settings(max_examples=300)
@given(st.floats(1e-12, 700))
@example(1e-6)
@example(math.nextafter(1e-6, 0))
@example(9.99e-7)
@example(1.01e-6)
@example(1e-3)
def test_reference_time_on_both_sides_of_the_series(decay: float) -> None:
    fraction = frame_reference_time(0, decay / math.log(2), 1.0) / (decay / math.log(2))
    # log(1 + x / 2) / x loses 1.1e-16 / x digits: worst at the series' threshold of 1e-6, where that is 3e-10
    assert fraction == pytest.approx(float(exact_fraction(decay)), abs=1e-9)


def test_reference_time_is_continuous_where_the_series_ends() -> None:
    duration = 3600.0
    half_lives = np.linspace(0.99, 1.01, 401) * math.log(2) * duration / 1e-6
    times = [frame_reference_time(0, duration, float(half_life)) for half_life in half_lives]
    assert np.ptp(times) < 1e-5  # s; 3e-10 of the frame, and the slope itself is 3e-6 s over this range


@given(st.floats(-1e4, 1e5), st.floats(1e-3, 1e5), st.floats(60, 1e9))
def test_reference_time_lies_in_the_first_half(start: float, duration: float, half_life: float) -> None:
    slack = 1e-9 * (abs(start) + duration)  # see the test above, and the rounding of start + ...
    assert start - slack <= frame_reference_time(start, duration, half_life) <= start + duration / 2 + slack


# ---------------------------------------------------------------------------------------------------------------------
# The header's own decay factors.


def header_of(main: Mapping[str, str | None], frames: list[dict[str, str | None]]) -> Header:
    """Return a header with decay correction applied."""
    return parse(header_text({"decay_correction_applied": "1", **main}, frames).encode())[0]


def decay_frame(start: float, duration: float, factor: object) -> dict[str, str | None]:
    """Return a frame with times in s and a decay factor."""
    return {
        "frame_start": str(start),
        "frame_duration": str(duration),
        "decay_correction": None if factor is None else str(factor),
    }


def test_expected_factor_by_hand() -> None:
    # l = 1.052423e-4 per s; exp(0.1262908) = 1.1346122; x = 0.0631454; x / (1 - exp(-x)) = 1 + x/2 + x^2/12 = 1.0319049
    frame = Frame(start_s=1200, duration_s=600)
    assert expected_decay_factor(frame, F18) == pytest.approx(1.1346122 * 1.0319049, rel=1e-6)


@pytest.mark.parametrize(
    ("frame", "half_life"),
    [
        (Frame(start_s=0, duration_s=60), None),
        (Frame(start_s=0, duration_s=60), 0.0),
        (Frame(start_s=0, duration_s=60), -1.0),
        (Frame(start_s=0), F18),
        (Frame(start_s=0, duration_s=0), F18),
        (Frame(duration_s=60), F18),
        (Frame(start_s=1e300, duration_s=60), F18),
    ],
)
def test_no_expected_factor(frame: Frame, half_life: float | None) -> None:
    assert expected_decay_factor(frame, half_life) is None


def findings_of(main: Mapping[str, str | None], frames: list[dict[str, str | None]]) -> tuple[Finding, ...]:
    """Return problems in a header's decay factors."""
    return decay_findings(header_of(main, frames))


@pytest.mark.parametrize("offset", [-9e-4, 0, 9e-4])
def test_a_printed_factor_agrees(offset: float) -> None:
    factors = [decay_factor(start, 600, F18) * (1 + offset) for start in (0, 600)]
    assert findings_of({}, [decay_frame(600 * n, 600, f"{factor:.7g}") for n, factor in enumerate(factors)]) == ()


@pytest.mark.parametrize(
    "wrong", [1.0, 1.0 / decay_factor(600, 600, F18), decay_factor(600, 600, F18) * 1.002, decay_factor(600, 600, C11)]
)
def test_a_factor_to_another_time_is_a_finding(wrong: float) -> None:
    frames = [
        decay_frame(0, 600, decay_factor(0, 600, F18)),
        decay_frame(600, 600, wrong),
        decay_frame(1200, 600, wrong),
    ]
    # exp(0.0631454) * 1.0319049 = 1.0651817 * 1.0319049
    (found,) = findings_of({}, frames)
    assert (found.code, found.key, found.severity) == ("decay-factor-disagrees", "decay_correction", Severity.WARNING)
    assert found.line == header_of({}, frames).frames[1].line_of("decay_correction")
    assert found.message == f"decay_correction of frame 1 is {wrong:g}, but from scan start it would be 1.09917"


@pytest.mark.parametrize(
    ("main", "factor"),
    [
        ({"decay_correction_applied": "0"}, 9.0),
        ({"decay_correction_applied": None}, 9.0),
        ({"isotope_half_life": "0"}, 9.0),
        ({}, None),
    ],
)
def test_nothing_to_compare(main: dict[str, str | None], factor: float | None) -> None:
    assert findings_of(main, [decay_frame(0, 600, factor)]) == ()


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=300)
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
@example(-1e9, 60, 6586.2, 1.0)
@example(0, 1e300, 1e-300, 1.0)
@example(0, 60, 5e-324, 1.0)
def test_any_numbers_give_findings_and_a_finite_time(
    start: float, duration: float, half_life: float, factor: float
) -> None:
    header = header_of({"isotope_half_life": repr(half_life)}, [decay_frame(start, duration, repr(factor))])
    assert {finding.code for finding in decay_findings(header)} <= {"decay-factor-disagrees"}
    if abs(start) + abs(duration) < 1e300:
        assert math.isfinite(frame_reference_time(start, duration, half_life))


# ---------------------------------------------------------------------------------------------------------------------
# Time zone.


def offset_of(local: str | None, gmt: str | None) -> tuple[timedelta | None, list[str]]:
    """Return local time less GMT, and the codes of findings."""
    offset, findings = utc_offset(parse(header_text({"scan_time": local, "gmt_scan_time": gmt}).encode())[0])
    assert all((f.key, f.severity) == ("gmt_scan_time", Severity.WARNING) for f in findings)
    return offset, [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("gmt", "hours"),
    [
        ("Thu Mar  5 10:20:30 2015", 0),
        ("Thu Mar  5 09:20:30 2015", 1),
        ("Thu Mar  5 15:20:30 2015", -5),
        ("Thu Mar  5 04:50:30 2015", 5.5),
        ("Thu Mar  5 04:35:30 2015", 5.75),
        ("Thu Mar  5 13:50:30 2015", -3.5),
        ("Wed Mar  4 20:20:30 2015", 14),
        ("Thu Mar  5 22:20:30 2015", -12),
        ("Wed Mar  4 23:50:30 2015", 10.5),
    ],
)
def test_utc_offset(gmt: str, hours: float) -> None:
    assert offset_of("Thu Mar  5 10:20:30 2015", gmt) == (timedelta(hours=hours), [])


@pytest.mark.parametrize("local", ["Thu Jan  1 01:00:00 2015", "Sun Mar  1 02:30:00 2015", "Sat Feb 28 23:30:00 2015"])
def test_utc_offset_across_midnight(local: str) -> None:
    day, clock = (("Wed Dec 31", "2014"), "23:00:00") if "Jan" in local else ((local[:10], "2015"), local[11:19])
    gmt = f"{day[0]} {clock} {day[1]}"
    assert offset_of(local, gmt)[0] == timedelta(hours=2 if "Jan" in local else 0)


@pytest.mark.parametrize(
    "gmt",
    [
        "Wed Mar  4 20:05:30 2015",  # 14:15
        "Thu Mar  5 22:35:30 2015",  # -12:15
        "Thu Mar  5 09:19:59 2015",  # 31 seconds from 1 h
        "Thu Mar  5 09:30:30 2015",  # 50 min
        "Fri Mar  6 10:20:30 2015",
    ],
)
def test_no_time_zone(gmt: str) -> None:
    assert offset_of("Thu Mar  5 10:20:30 2015", gmt) == (None, ["time-zone-odd"])


@pytest.mark.parametrize(
    ("local", "gmt"),
    [
        (None, None),
        ("Thu Mar  5 10:20:30 2015", "Thu Jan  1 00:00:00 1970"),  # of a console that wrote none
        ("Thu Mar  5 10:20:30 2015", None),
        (None, "Thu Mar  5 10:20:30 2015"),
        ("Thu Mar  5 10:20:30 2015", ""),
        ("x", "y"),
    ],
)
def test_no_time_given(local: str | None, gmt: str | None) -> None:
    assert offset_of(local, gmt) == (None, [])
