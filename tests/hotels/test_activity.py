"""PET beside a CT: what it shows of an animal widens its box; what belongs to none is a finding. Places as drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hotels import scenes
from inveonimaging import Corrections
from inveonimaging.findings import Finding
from inveonimaging.hotels.activity import widened
from inveonimaging.hotels.bodies import Found, find_in_ct
from inveonimaging.hotels.locating import locate
from inveonimaging.hotels.splitting import read_group
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.pairs import scan_folder
from inveonimaging.phantom import write_scan
from inveonimaging.physics.geometry import Mm
from inveonimaging.study.cut import Extent
from inveonimaging.study.image import read
from several_mice import Hotel

HOTEL = Hotel.of("left", "right")  # middles of trunks at (-33, 0, 0) and (33, 0, 0) mm
MM = 2.0
SHAPE = (60, 40, 80)  # of the PET, along i, j, k: 120 x 80 x 160 mm around the middle of the gantry
Spot = tuple[tuple[float, float, float], float]


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What is found in the CT of two animals."""
    path = tmp_path_factory.mktemp("ct") / "a.ct.img"
    return find_in_ct(read(write_scan(path, HOTEL.scan(Modality.CT, 1.2), mouse=HOTEL.mouse).data))


@pytest.fixture(scope="module")
def alone(ct: Found) -> tuple[Extent, Extent]:
    """The extents by the CT alone."""
    left, right = (Extent(each.low_mm, each.high_mm) for each in ct.bodies)
    return left, right


def write_spots(path: Path, spots: Sequence[Spot], shift_mm: Mm = (0, 0, 0), **keys: str) -> Path:
    """Write a PET of balls of one activity: place of the middle in the gantry, and radius, mm."""
    k, j, i = np.mgrid[: SHAPE[2], : SHAPE[1], : SHAPE[0]]
    middles = [(index - (n - 1) / 2) * MM + by for index, n, by in zip((i, j, k), SHAPE, shift_mm, strict=True)]
    values = np.zeros(SHAPE[::-1], np.float32)
    for place, radius in spots:
        away = sum((axis - at) ** 2 for axis, at in zip(middles, place, strict=True))
        values[away <= radius**2] = 1000
    keys["image_ref_shift"] = " ".join(map(str, shift_mm))
    return scenes.write_pet(path, values, (MM, MM, MM), **keys)


def wider(
    ct: Found, alone: tuple[Extent, ...], folder: Path, spots: Sequence[Spot], shift_mm: Mm = (0, 0, 0)
) -> tuple[tuple[Extent, ...], tuple[Finding, ...]]:
    return widened(ct, alone, read(write_spots(folder / "b.pet.img", spots, shift_mm)), 3.0)


TRUNKS: tuple[Spot, ...] = (((-33, 0, 0), 9), ((33, 0, 0), 9))


def test_activity_within_the_bodies_changes_nothing(ct: Found, tmp_path: Path, alone: tuple[Extent, Extent]) -> None:
    extents, found = wider(ct, alone, tmp_path, TRUNKS)
    assert extents == alone
    assert found == ()


@pytest.mark.parametrize("shift_mm", [(0, 0, 0), (3.3, -2.1, 5.7)])
def test_what_goes_on_from_a_body_widens_its_box_alone(
    ct: Found, tmp_path: Path, alone: tuple[Extent, Extent], shift_mm: Mm
) -> None:
    """A catheter from the left animal, to the left and up, 9 mm beyond its box: in mm, whatever the PET's shift."""
    low_i, low_j = alone[0].low_mm[:2]
    spots = [((low_i + 6 - 1.5 * n, low_j + 6 - n, 0), 3) for n in range(10)]
    extents, found = wider(ct, alone, tmp_path, [*TRUNKS, *spots], shift_mm)
    left, right = extents
    assert right == alone[1]
    # The last ball has its middle 7.5 mm to the left and 3 mm above the box, and reaches 3 mm further.
    assert left.low_mm[0] == pytest.approx(low_i - 10.5, abs=MM)
    assert left.low_mm[1] == pytest.approx(low_j - 6, abs=MM)
    assert left.high_mm == alone[0].high_mm
    assert found == ()


def test_a_spot_near_one_animal_is_its_own(ct: Found, tmp_path: Path, alone: tuple[Extent, Extent]) -> None:
    i = alone[0].low_mm[0] - 7  # the animal's flank is a few mm inside its box at most
    extents, found = wider(ct, alone, tmp_path, [*TRUNKS, ((i, 0, 0), 3)])
    assert extents[0].low_mm[0] == pytest.approx(i - 3, abs=MM)
    assert extents[1] == alone[1]
    assert found == ()


def test_activity_far_from_all_animals_or_between_two_is_reported_and_nobodys(
    ct: Found, tmp_path: Path, alone: tuple[Extent, Extent]
) -> None:
    extents, found = wider(ct, alone, tmp_path, [*TRUNKS, ((-33, 34, 0), 4)])
    assert extents == alone
    assert [(each.code, each.message.partition(" lies ")[2]) for each in found] == [
        ("activity-beside-animals", "around (-33, 34, 0) mm along i, j and k in no animal's box")
    ]
    extents, found = wider(ct, alone, tmp_path, [*TRUNKS, ((0, 0, 0), 4)])
    assert extents == alone
    assert [each.code for each in found] == ["activity-beside-animals"]


def test_another_number_in_the_pet_is_reported_and_the_ct_counts(
    ct: Found, tmp_path: Path, alone: tuple[Extent, Extent]
) -> None:
    extents, found = wider(ct, alone, tmp_path, TRUNKS[:1])
    assert extents == alone
    assert [(each.code, each.message) for each in found] == [
        ("animals-disagree", "the CT shows 2 animals, and PET 1; the CT is used")
    ]


def test_a_head_that_the_ct_does_not_reach_is_in_the_box(tmp_path: Path) -> None:
    """A CT of the trunks alone: heads lie further to the front, and that of the right animal to the side."""
    scan = HOTEL.scan(Modality.CT, 1.2)
    short = replace(scan, shape=(*scan.shape[:2], 50), shift_mm=(*scan.shift_mm[:2], -6.0))
    source = tmp_path / "in"
    source.mkdir()
    write_scan(source / "a.ct.img", short, mouse=HOTEL.mouse)
    (tmp_path / "hotel.csv").write_text("patient_id,position\nm13,right\nm12,left\n", "ascii")

    def extents() -> tuple[Extent, ...]:
        located = locate(read_group(scan_folder(source).pairs, source, Corrections(sheet=tmp_path / "hotel.csv")))
        assert located.extents is not None
        assert located.findings == ()
        return located.extents

    right, left = extents()  # in the order of the sheet
    high = right.high_mm[0]
    aside = [((33 + (high - 33) * n / 8, 0.0, 5.0 + 5 * n), 6.0) for n in range(9)]
    write_spots(source / "b.pet.img", [*TRUNKS, *aside], scan_time="Tue Jun 17 14:30:00 2014")
    with_pet = extents()
    assert with_pet[0].high_mm[0] == pytest.approx(high + 6, abs=MM)
    assert with_pet[0].low_mm[0] == right.low_mm[0]
    assert with_pet[0].high_mm[2] >= 80  # the PET's end, to which what reaches the CT's end is taken
    assert (with_pet[1].low_mm[:2], with_pet[1].high_mm[:2]) == (left.low_mm[:2], left.high_mm[:2])
