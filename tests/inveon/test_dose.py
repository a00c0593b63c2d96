"""The net dose: what was drawn up less what was left, both at the injection; worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from inveonimaging.findings import Severity
from inveonimaging.inveon.dose import Measured, at_injection, net_dose
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import ActivityUnits
from inveonimaging.inveon.hdr.model import Tracer
from inveonimaging.physics.timing import dose_findings

F18, C11 = 6586.2, 1221.66  # s
INJECTED = datetime(2014, 6, 17, 10, 0, 0)
TRACER = Tracer(
    half_life_s=F18,
    injection_time=INJECTED,
    activity_units=ActivityUnits.MBQ,
    activity_before_injection=8.0,
    activity_before_injection_time=INJECTED - timedelta(minutes=10),
    residual_activity=0.5,
    residual_activity_time=INJECTED + timedelta(minutes=5),
)


def at(minutes: float) -> datetime:
    return INJECTED + timedelta(minutes=minutes)


def test_the_net_dose_of_fluorine() -> None:
    # ln 2 x 600 / 6586.2 = 0.06314541; e**-0.06314541 = 0.93880695; ln 2 x 300 / 6586.2 = 0.03157271;
    # e**0.03157271 = 1.03207641
    found = net_dose(Measured(8.0, at(-10)), Measured(0.5, at(5)), INJECTED, F18)
    assert found == pytest.approx(8 * 0.93880695 - 0.5 * 1.03207641, rel=1e-8)
    assert found == pytest.approx(6.9944174, rel=1e-7)


def test_the_net_dose_of_carbon_drawn_up_a_half_life_before() -> None:
    # half of 100 is 50; what is left 2 half-lives later was 4 times as much
    half_life = timedelta(seconds=C11)
    found = net_dose(Measured(100.0, INJECTED - half_life), Measured(1.0, INJECTED + 2 * half_life), INJECTED, C11)
    assert found == pytest.approx(46.0, rel=1e-12)


def test_what_is_measured_after_the_injection_was_more_at_the_injection() -> None:
    assert at_injection(Measured(1.0, INJECTED + timedelta(seconds=F18)), INJECTED, F18) == pytest.approx(2.0)
    assert at_injection(Measured(1.0, INJECTED - timedelta(seconds=F18)), INJECTED, F18) == pytest.approx(0.5)
    assert at_injection(Measured(1.0, INJECTED), INJECTED, F18) == 1.0


def test_midnight_lies_between_like_any_other_time() -> None:
    before, injected, after = datetime(2014, 6, 17, 23, 50), datetime(2014, 6, 18, 0, 0), datetime(2014, 6, 18, 0, 5)
    over = net_dose(Measured(8.0, before), Measured(0.5, after), injected, F18)
    assert over == pytest.approx(net_dose(Measured(8.0, at(-10)), Measured(0.5, at(5)), INJECTED, F18), rel=1e-15)


@pytest.mark.parametrize(
    ("before", "residual", "injected", "half_life"),
    [
        (Measured(None, at(-10)), Measured(0.5, at(5)), INJECTED, F18),
        (Measured(8.0, None), Measured(0.5, at(5)), INJECTED, F18),
        (Measured(8.0, at(-10)), Measured(None, at(5)), INJECTED, F18),
        (Measured(8.0, at(-10)), Measured(0.5, None), INJECTED, F18),
        (Measured(8.0, at(-10)), Measured(0.5, at(5)), None, F18),
        (Measured(8.0, at(-10)), Measured(0.5, at(5)), INJECTED, None),
        (Measured(8.0, at(-10)), Measured(0.5, at(5)), INJECTED, 0.0),
        (Measured(8.0, at(-10)), Measured(0.5, at(5)), INJECTED, -F18),
        (Measured(-8.0, at(-10)), Measured(0.5, at(5)), INJECTED, F18),
        (Measured(8.0, datetime(1990, 1, 1)), Measured(0.5, at(5)), INJECTED, F18),  # 117,000 half-lives
    ],
)
def test_without_a_part_there_is_no_net_dose(
    before: Measured, residual: Measured, injected: datetime | None, half_life: float | None
) -> None:
    assert net_dose(before, residual, injected, half_life) is None


def test_a_residual_above_the_dose_is_not_made_up_to_be_none() -> None:
    found = net_dose(Measured(1.0, INJECTED), Measured(3.0, INJECTED), INJECTED, F18)
    assert found == -2.0


# Headers.


@pytest.mark.parametrize(("unit", "factor"), [(ActivityUnits.MBQ, 1e6), (ActivityUnits.MCI, 37e6)])
def test_a_header_without_a_dose_has_the_net_dose(unit: ActivityUnits, factor: float) -> None:
    tracer = replace(TRACER, activity_units=unit)
    assert tracer.dose_bq == pytest.approx(6.9944174 * factor, rel=1e-7)
    [finding] = dose_findings(Header(tracer=tracer))
    assert (finding.code, finding.severity, finding.key) == (
        "dose-from-activities",
        Severity.INFO,
        "activity_before_injection",
    )
    assert f"{6.9944174 * factor / 1e6:.4g} MBq" in finding.message


def test_what_was_measured_counts_and_another_dose_that_was_entered_is_reported() -> None:
    tracer = replace(TRACER, dose=8.0, dose_units=ActivityUnits.MBQ)
    assert tracer.dose_bq == pytest.approx(6994417.4, rel=1e-7)
    [finding] = dose_findings(Header(tracer=tracer))
    assert (finding.code, finding.severity) == ("dose-disagrees", Severity.WARNING)
    assert "8 MBq" in finding.message
    assert "6.994 MBq" in finding.message


def test_a_dose_within_a_twentieth_of_the_net_dose_does_not_disagree() -> None:
    # 6.9944174 x 1.05 = 7.34414
    for dose, code in ((7.34, "dose-from-activities"), (7.35, "dose-disagrees")):
        tracer = replace(TRACER, dose=dose, dose_units=ActivityUnits.MBQ)
        assert tracer.dose_bq == pytest.approx(6994417.4, rel=1e-7)
        assert [finding.code for finding in dose_findings(Header(tracer=tracer))] == [code]


@pytest.mark.parametrize("entered", [None, 8.0])
def test_more_left_than_there_was_is_reported_and_not_used(entered: float | None) -> None:
    tracer = replace(TRACER, residual_activity=9.0, dose=entered, dose_units=ActivityUnits.MBQ)
    assert tracer.dose_bq == (entered and 8e6)
    [finding] = dose_findings(Header(tracer=tracer))
    assert (finding.code, finding.severity) == ("dose-residual-odd", Severity.WARNING)


@pytest.mark.parametrize(
    "nothing",
    [
        {"activity_before_injection": 0.0, "residual_activity": 0.0},  # as consoles write what nobody entered
        {"residual_activity": 0.0, "residual_activity_time": datetime(1970, 1, 1)},
        {"activity_before_injection_time": datetime(1970, 1, 1)},
        {"activity_units": ActivityUnits.UNKNOWN},
        {"activity_units": None},
        {"injection_time": datetime(1970, 1, 1)},
    ],
)
def test_what_nobody_entered_is_no_dose(nothing: dict[str, object]) -> None:
    tracer = replace(TRACER, **nothing)  # type: ignore[arg-type]
    assert tracer.dose_bq is None
    assert list(dose_findings(Header(tracer=tracer))) == []


def test_an_empty_syringe_that_was_measured_leaves_all() -> None:
    tracer = replace(TRACER, residual_activity=0.0)
    assert tracer.dose_bq == pytest.approx(8e6 * 0.93880695, rel=1e-8)
