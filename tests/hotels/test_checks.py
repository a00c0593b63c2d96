"""Animals that may have been swapped: orders by hand, with margins below which nothing is said."""

from __future__ import annotations

from datetime import datetime

import pytest

from helpers import header_text
from inveonimaging.hotels.checks import Measured, swap_findings
from inveonimaging.inveon.hdr import parse
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.study.group import Member

ASKED = ": are they swapped, in the hotel or in the sheet?"
INJECTED = datetime(2015, 3, 5, 10, 0)
HEADER = parse(header_text({"injection_time": "Thu Mar  5 10:00:00 2015"}).encode())[0]  # half-life 6586.2 s


def member(name: str, weight_g: float | None = None, dose_mbq: float | None = None, at: datetime = INJECTED) -> Member:
    weight, dose = weight_g and weight_g / 1000, dose_mbq and dose_mbq * 1e6
    return Member(name, "left", (1, 1, 1), Orientation.HFP, weight, dose, at)


def told(*animals: tuple[Member, Measured]) -> list[tuple[str, str]]:
    members, measured = zip(*animals, strict=True)
    return [(each.code, each.message) for each in swap_findings(members, measured, HEADER)]


def test_a_heavier_animal_with_a_smaller_body_is_told_with_both() -> None:
    found = told((member("m1", 25.0), Measured(16.0)), (member("m2", 20.0), Measured(21.0)))
    assert found == [
        ("swapped-by-weight", f"m1 (left) weighs 25 g and has 16 mL, m2 (left) weighs 20 g and has 21 mL{ASKED}"),
    ]


def test_more_activity_where_less_was_given_is_told_with_both() -> None:
    found = told((member("m1", dose_mbq=7.0), Measured(None, 5e6)), (member("m2", dose_mbq=5.0), Measured(None, 6.6e6)))
    assert found == [
        (
            "swapped-by-dose",
            f"m1 (left) was given 7 MBq and has 5 MBq, m2 (left) was given 5 MBq and has 6.6 MBq{ASKED}",
        )
    ]


def test_doses_are_compared_at_one_time() -> None:
    late = member("m2", dose_mbq=5.0, at=datetime(2015, 3, 5, 11, 49, 46))  # 6586 s later: 10 MBq at 10:00
    early = member("m1", dose_mbq=7.0)
    assert told((early, Measured(None, 5e6)), (late, Measured(None, 8e6))) == []
    assert [code for code, _ in told((early, Measured(None, 8e6)), (late, Measured(None, 5e6)))] == ["swapped-by-dose"]


@pytest.mark.parametrize(
    ("weights", "volumes"),
    [
        ((20.0, 20.0), (16.0, 20.0)),  # equal weights have no order
        ((21.0, 20.0), (16.0, 20.0)),  # 5 % of weight is a meal
        ((25.0, 20.0), (16.0, 17.0)),  # 6 % of volume is fur and a bladder
        ((18.4, 19.5), (16.1, 15.4)),  # the two real mice: 6 % and 5 %
        ((25.0, 20.0), (21.0, 16.0)),  # in order
        ((None, 20.0), (16.0, 21.0)),
        ((25.0, 20.0), (None, 21.0)),
        ((25.0, 20.0), (0.0, 21.0)),
    ],
)
def test_noise_and_what_is_not_known_warn_of_nothing(
    weights: tuple[float | None, float], volumes: tuple[float | None, float]
) -> None:
    assert told(*((member("m", w), Measured(v)) for w, v in zip(weights, volumes, strict=True))) == []


def test_of_three_the_pair_that_contradicts_is_named() -> None:
    found = told(
        (member("m1", 30.0), Measured(20.0)), (member("m2", 25.0), Measured(24.0)), (member("m3", 20.0), Measured(16.0))
    )
    assert [(code, message.count("m1"), message.count("m2")) for code, message in found] == [
        ("swapped-by-weight", 1, 1)
    ]
