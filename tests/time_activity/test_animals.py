"""Curves of each animal of a hotel: its box, and its own SUV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inveonimaging
from helpers import assert_one_line_error, header_text, inveon
from inveonimaging import CurvesOptions
from inveonimaging.errors import InputError, OptionError
from inveonimaging.hotels.locating import Located
from inveonimaging.study.cut import Extent
from inveonimaging.time_activity.measuring import Curve

# 20 x 8 x 6 voxels of 2 mm around the middle: along i their centres are at -19 to 19 mm in the gantry.
SHEET = """patient_id,position,weight_g,dose_MBq,injection_time
m12,left,20,5,2015-03-05 10:19:30
m13,right,25,8,2015-03-05 10:10:30
"""
BOXES: dict[str, Any] = {
    "schema": 1,
    "program": "inveonimaging",
    "animals": [
        {"position": "left", "low_mm": [-16, -4, -4], "high_mm": [-4, 4, 4]},  # centres at -15 to -5: i 2 to 7
        {"position": "right", "low_mm": [6.5, -5, -3], "high_mm": [13.5, 5, 6]},  # at 7 to 13: i 13 to 16
    ],
}


@pytest.fixture
def hotel(tmp_path: Path) -> Path:
    study = tmp_path / "in"
    study.mkdir()
    main = {
        "x_dimension": "20",
        "y_dimension": "8",
        "z_dimension": "6",
        **dict.fromkeys(("pixel_size_x", "pixel_size_y", "pixel_size_z"), "2"),
        "subject_orientation": "1",
        "isotope_branching_fraction": "1",
        "decay_correction_applied": "1",
    }
    (study / "h.pet.img.hdr").write_text(header_text(main), "utf-8")
    np.arange(960, dtype="<i2").tofile(study / "h.pet.img")
    (tmp_path / "hotel.csv").write_text(SHEET, "ascii")
    (tmp_path / "boxes.json").write_text(json.dumps(BOXES), "ascii")
    return study


def curves_of(hotel: Path, **options: Any) -> dict[str, Curve]:
    options = {"sheet": hotel.parent / "hotel.csv", **options}
    found = inveonimaging.curves(hotel, options=CurvesOptions(**options)).curves
    return {each.region: each for each in found}


def test_each_animal_is_its_box_with_its_own_suv(hotel: Path) -> None:
    found = curves_of(
        hotel, boxes=hotel.parent / "boxes.json", spheres=["a=-10,0,0,4", "b=10,0,0,4", "between=0,0,0,4"]
    )
    values = np.arange(960.0).reshape(6, 8, 20)
    # along j of 8 and k of 6 voxels of 2 mm centres are at -7 to 7 and -5 to 5
    left, right = values[1:5, 2:6, 2:8], values[1:6, 1:7, 13:17]
    assert found["m12"].means[0] == pytest.approx(left.mean())
    assert found["m13"].means[0] == pytest.approx(right.mean())
    assert [found[name].voxels[0] for name in ("m12", "m13")] == [left.size, right.size]
    factors = {
        "m12": 20 / (5e6 * 2 ** (-60 / 6586.2)),  # 60 s before the scan at 10:20:30
        "m13": 25 / (8e6 * 2 ** (-600 / 6586.2)),
    }
    for name, animal in (("m12", "m12"), ("m13", "m13"), ("a", "m12"), ("b", "m13")):
        assert found[name].suvs[0] == pytest.approx(found[name].means[0] * factors[animal], rel=1e-6), name
    assert [found[name].injection_s for name in ("m12", "b")] == [-60, -600]
    assert np.isnan(found["between"].suvs).all()
    assert found["between"].injection_s is None


def test_each_animal_has_its_own_hottest_sphere(hotel: Path) -> None:
    """Values grow with i, then j, then k: the last voxel of each box, with a sphere of one voxel."""
    found = curves_of(hotel, boxes=hotel.parent / "boxes.json", hottest_mm=1)
    values = np.arange(960.0).reshape(6, 8, 20)
    assert list(found) == ["m12", "m13", "m12 hottest", "m13 hottest"]
    assert found["m12 hottest"].means.tolist() == [values[4, 5, 7]]
    assert found["m13 hottest"].means.tolist() == [values[5, 6, 16]]
    assert found["m13 hottest"].suv_per_value == found["m13"].suv_per_value


def test_boxes_that_overlap_are_each_their_animals(hotel: Path) -> None:
    """A sphere that reaches into both is neither's."""
    boxes = json.loads(json.dumps(BOXES))
    boxes["animals"][0]["high_mm"][0] = 8
    (hotel.parent / "near.json").write_text(json.dumps(boxes), "ascii")
    found = curves_of(hotel, boxes=hotel.parent / "near.json", spheres=["a=-10,0,0,4", "both=7,0,0,4"])
    assert all(found[name].suv_per_value for name in ("m12", "m13", "a"))
    assert found["both"].suv_per_value is None


def test_without_animals_a_group_has_no_suv(hotel: Path) -> None:
    options = CurvesOptions(sheet=hotel.parent / "hotel.csv", spheres="a=-10,0,0,4")
    result = inveonimaging.curves(hotel, options=options)
    assert np.isnan(result.curves[0].suvs).all()
    (reported,) = (each for each in result.findings if each.code == "curve-without-suv")
    assert "the sums of 2 animals" in reported.message


def test_deidentified_animals_are_their_positions(hotel: Path, tmp_path: Path) -> None:
    deidentify = inveonimaging.Deidentify(key=b"a secret of some length")
    boxes = tmp_path / "boxes.json"
    output = tmp_path / "t.csv"
    options = CurvesOptions(sheet=tmp_path / "hotel.csv", boxes=boxes, deidentify=deidentify)
    result = inveonimaging.curves(hotel, output, options)
    assert [each.region for each in result.curves] == ["left", "right"]
    assert not np.isnan(result.curves[0].suvs).any()
    assert "m12" not in output.read_text()
    assert "h.pet" not in output.read_text()


def test_animals_are_found_or_the_doubt_is_reported(hotel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extents = tuple(Extent(tuple(each["low_mm"]), tuple(each["high_mm"])) for each in BOXES["animals"])
    places = "inveonimaging.hotels.cutting.locate"
    monkeypatch.setattr(places, lambda _group: Located(extents, None, extents))
    given = curves_of(hotel, boxes=hotel.parent / "boxes.json")
    assert {name: each.means[0] for name, each in curves_of(hotel, animals=True).items()} == {
        name: each.means[0] for name, each in given.items()
    }
    doubt = InputError("two animals or three")
    monkeypatch.setattr(places, lambda _group: Located(None, doubt, extents))
    with pytest.raises(InputError, match=r"two animals or three.*inveon split .*--boxes"):
        curves_of(hotel, animals=True)


def test_animals_need_a_sheet_with_positions(hotel: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="which animal lies where is missing"):
        curves_of(hotel, animals=True, sheet=None)
    (tmp_path / "one.csv").write_text("file,weight_g\nh.pet.img,20\n", "ascii")
    with pytest.raises(InputError, match="has a position"):
        curves_of(hotel, animals=True, sheet=tmp_path / "one.csv")
    typed = ("--subjects", tmp_path / "hotel.csv", "--animals", "--weight", "20g", "-o", tmp_path / "t.csv")
    done = inveon("curves", hotel, *typed)
    assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert "--weight is for one animal" in done.stderr
