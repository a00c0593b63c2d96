"""Animals that may have been swapped: orders by hand, with margins below which nothing is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from helpers import header_text
from inveonimaging.hotels.checks import Measured, activity_at_injection, swap_findings
from inveonimaging.inveon.hdr import parse
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.inveon.pairs import pair_of
from inveonimaging.physics.geometry import Box
from inveonimaging.study.cut import cut
from inveonimaging.study.group import Member
from inveonimaging.study.image import Image, read_pair

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


# 24 voxels of 0.5 x 0.25 x 2 mm = 0.25 mm3, together 0.006 mL.
AT_START = {"decay_correction_applied": "1", "isotope_branching_fraction": "1", "scan_time": "Thu Mar  5 10:00:00 2015"}


def pet(folder: Path, values: Sequence[int], **keys: str) -> Image:
    """Return a PET whose frames, of 60 s one after the other, have one value each, in Bq/mL."""
    frames = [{"frame_start": str(60 * n), "data_file_pointer": f"0 {48 * n}"} for n in range(len(values))]
    (folder / "m.pet.img.hdr").write_text(header_text({**AT_START, **keys}, frames))
    (folder / "m.pet.img").write_bytes(b"".join(np.full(24, value, "<i2").tobytes() for value in values))
    return read_pair(pair_of(folder / "m.pet.img"))


@pytest.mark.parametrize(
    ("injected", "expected"),
    [
        ("10:00:00", 9.0),  # the mean of 1000 and 2000 Bq/mL in 0.006 mL
        ("08:10:13.8", 18.0),  # 6586.2 s, a half-life, before
        ("10:00:30", 12.0 * 2 ** (-30 / 6586.2)),  # only the second frame is after it, and values are those at 10:00
    ],
)
def test_the_activity_of_a_box_is_that_at_the_injection(tmp_path: Path, injected: str, expected: float) -> None:
    clock, _, fraction = injected.partition(".")
    image = pet(tmp_path, [1000, 2000], injection_time=f"Thu Mar  5 {clock} 2015")
    assert activity_at_injection(image) == pytest.approx(expected, rel=1e-3 if fraction else 1e-9)
    half = cut(image, Box((0, 0, 0), (2, 3, 2)))
    assert activity_at_injection(half) == pytest.approx(expected / 2, rel=1e-3 if fraction else 1e-9)


@pytest.mark.parametrize(
    "keys",
    [
        {"injection_time": ""},
        {"injection_time": "Thu Mar  5 11:00:00 2015"},  # after all frames
        {"injection_time": "Thu Mar  5 09:00:00 2015", "decay_correction_applied": "0"},
        {"injection_time": "Thu Mar  5 09:00:00 2015", "isotope_half_life": "0"},
        {"injection_time": "Thu Mar  5 09:00:00 2015", "calibration_units": "0"},
        {"injection_time": "Thu Mar  5 09:00:00 2015", "isotope_half_life": "1"},  # 3600 half-lives
    ],
)
def test_an_activity_that_cannot_be_known_is_none(tmp_path: Path, keys: dict[str, str]) -> None:
    assert activity_at_injection(pet(tmp_path, [1000], **keys)) is None
