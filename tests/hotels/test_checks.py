"""Animals that may have been swapped: orders by hand, with margins below which nothing is reported."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from helpers import header_text
from inveonimaging.hotels.checks import (
    AnimalTracer,
    MeasuredAnimal,
    MeasuredGroup,
    Sums,
    activity_at_injection,
    table_of,
)
from inveonimaging.inveon.pairs import pair_of
from inveonimaging.physics.geometry import Box
from inveonimaging.study.cut import cut
from inveonimaging.study.image import Image, read_pair

ASKED = ": are they swapped, in the hotel or in the sheet?"
INJECTED = datetime(2015, 3, 5, 10, 0)


def animal(
    name: str,
    weight_g: float | None = None,
    volume_ml: float | None = None,
    *tracers: tuple[float | None, float | None],
    at: datetime = INJECTED,
) -> MeasuredAnimal:
    """Return an animal with dose and activity, MBq, of each scan."""
    scans = tuple(
        AnimalTracer(f"{n}.img", f"{n}.img.hdr", dose and dose * 1e6, seen and seen * 1e6, at, 6586.2)
        for n, (dose, seen) in enumerate(tracers, 1)
    )
    return MeasuredAnimal(name, "left", volume_ml, weight_g and weight_g / 1000, scans)


def found_in(*animals: MeasuredAnimal) -> list[tuple[str, str]]:
    found = dict.fromkeys(each for own in MeasuredGroup(animals).findings for each in own)
    return [(each.code, each.message) for each in found]


def test_a_heavier_animal_with_a_smaller_body_is_reported_with_both() -> None:
    assert found_in(animal("m1", 25.0, 16.0), animal("m2", 20.0, 21.0)) == [
        ("swapped-by-weight", f"m1 (left) weighs 25 g and has 16 mL, m2 (left) weighs 20 g and has 21 mL{ASKED}"),
    ]


def test_more_activity_where_less_was_given_is_reported_with_both() -> None:
    assert found_in(animal("m1", None, None, (7.0, 5.0)), animal("m2", None, None, (5.0, 6.6))) == [
        (
            "swapped-by-dose",
            f"m1 (left) was given 7 MBq and has 5 MBq, m2 (left) was given 5 MBq and has 6.6 MBq{ASKED}",
        )
    ]


def test_what_several_scans_show_is_reported_once_of_each_animal() -> None:
    scans = ((7.0, 5.2), (7.0, 5.0), (7.0, 4.8))
    one, other = animal("m1", 25.0, 16.0, *scans), animal("m2", 20.0, 21.0, *((5.0, 6.6),) * 3)
    found = MeasuredGroup((one, other), sheet="hotel.csv").findings
    assert [[(each.code, each.path) for each in own] for own in found] == [
        [("swapped-by-weight", "hotel.csv"), ("swapped-by-dose", "1.img.hdr")]
    ] * 2
    agrees = animal("m1", None, None, (7.0, 7.0), (7.0, 5.0)), animal("m2", None, None, (5.0, 5.0), (5.0, 6.6))
    assert [each.path for each in MeasuredGroup(agrees).findings[0]] == ["2.img.hdr"]


def test_doses_and_activities_are_compared_at_one_time() -> None:
    """5 MBq 6586.2 s later are 10 MBq at 10:00, and 2.5 MBq in the box then are 5 MBq."""
    late = datetime(2015, 3, 5, 11, 49, 46, 200_000)
    early = animal("m1", None, None, (7.0, 8.0))
    assert found_in(early, animal("m2", None, None, (5.0, 4.5), at=late)) == []
    ((code, message),) = found_in(early, animal("m2", None, None, (5.0, 2.5), at=late))
    assert code == "swapped-by-dose"
    assert message.startswith("m1 (left) was given 7 MBq and has 8 MBq at 2015-03-05 10:00:00, m2 (left) was given 10 ")


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
    assert found_in(*(animal("m", w, v) for w, v in zip(weights, volumes, strict=True))) == []


def test_of_three_the_pair_that_contradicts_is_named() -> None:
    found = found_in(animal("m1", 30.0, 20.0), animal("m2", 25.0, 24.0), animal("m3", 20.0, 16.0))
    assert [(code, message.count("m1"), message.count("m2")) for code, message in found] == [
        ("swapped-by-weight", 1, 1)
    ]


def test_the_table_has_the_sums_beside_those_of_the_header() -> None:
    animals = animal("m12", 18.4, 14.9, (7.2, 6.0)), animal("m13", 19.5, 16.0, (7.5, None))
    sums = (Sums("1.img", 14.7e6, None, 14.689e6),)
    titles, rows = table_of(MeasuredGroup(animals, 0.0379, sums))
    assert titles[2:] == ("Body, mL", "Weight, g", "Dose, MBq", "In the box at injection, MBq")
    assert rows == [
        ["left", "m12", "14.9", "18.4", "7.2", "6"],
        ["left", "m13", "16", "19.5", "7.5", ""],
        ["all", "", "30.9", "37.9", "14.7", ""],
        ["header", "", "", "37.9", "14.69", ""],
    ]
    assert [row[1] for row in table_of(MeasuredGroup(animals, 0.0379, sums), ids=False)[1]] == [""] * 4
    two = animal("m12", None, None, (7.2, 6.0), (3.0, 1.0))
    titles, rows = table_of(MeasuredGroup((two,), None, (*sums, Sums("2.img", 3e6, 1e6, None))))
    assert titles[-1] == "Scan"
    assert [row[-3:] for row in rows] == [
        ["7.2", "6", "1.img"],
        ["3", "1", "2.img"],
        ["14.7", "", "1.img"],
        ["14.69", "", "1.img"],
        ["3", "1", "2.img"],
        ["", "", "2.img"],
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
