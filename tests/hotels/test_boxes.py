"""The file of boxes, what is refused of it, and what cannot be split."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import inveonimaging
from helpers import CT, PET, assert_one_line_error, inveon
from inveonimaging import InveonError, Options
from inveonimaging.hotels.boxes import boxes_json, read_boxes
from inveonimaging.phantom import write_scan
from inveonimaging.study.cut import Extent

LEFT = {"position": "left", "low_mm": [-11, -8, -18], "high_mm": [-4, 8, 18]}
RIGHT = {"position": "right", "low_mm": [4, -8, -18], "high_mm": [8, 8, 10]}
SHEET = "patient_id,position\nm12,left\nm13,right\n,middle\n"


def document(*animals: Any, **changed: Any) -> dict[str, Any]:
    return {"schema": 1, "program": "inveonimaging", "animals": list(animals), **changed}


def test_what_is_written_is_read_back_and_can_be_edited(tmp_path: Path) -> None:
    boxes = (
        ("top left", Extent((-1.23456, 2.0, -3.0), (4.0, 5.5, 6.0))),
        ("right", Extent((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))),
    )
    path = tmp_path / "boxes.json"
    path.write_bytes(boxes_json(boxes))
    assert read_boxes(path)[0].extent == Extent((-1.235, 2.0, -3.0), (4.0, 5.5, 6.0))
    assert [str(box.slot) for box in read_boxes(path)] == ["top left", "right"]
    assert path.read_text("ascii").splitlines()[1] == (
        '  {"position": "top left", "low_mm": [-1.235, 2.0, -3.0], "high_mm": [4.0, 5.5, 6.0]},'
    )


NO_FORM = "is not a file of boxes"
WRONG: dict[str, tuple[Any, str]] = {
    "no object": ([LEFT], NO_FORM),
    "another schema": (document(LEFT, RIGHT, schema=2), NO_FORM),
    "another program": (document(LEFT, RIGHT, program="x"), NO_FORM),
    "true as schema": (document(LEFT, RIGHT, schema=True), NO_FORM),
    "1.0 as schema": (document(LEFT, RIGHT, schema=1.0), NO_FORM),
    "another part": (document(LEFT, RIGHT, Animals=[]), "'Animals' does not belong in a file of boxes"),
    "no animals": (document(), "has boxes of 0 animals, expected 1 to 100"),
    "a key too few": (document({"position": "left", "low_mm": [0, 0, 0]}), "entry 1 of animals is not of its form"),
    "a key too many": (document({**LEFT, "x": 1}), "entry 1 of animals is not of its form"),
    "an entry that is none": (document(LEFT, "right"), "entry 2 of animals is not of its form"),
    "no position": (document({**LEFT, "position": "upstairs"}), "entry 1 of animals: position is 'upstairs'"),
    "a number as position": (document({**LEFT, "position": 3}), "entry 1 of animals: position is '3'"),
    "two numbers": (document({**LEFT, "low_mm": [0, 0]}), "entry 1 of animals: low_mm is [0, 0]"),
    "a text": (document({**LEFT, "low_mm": [0, 0, "0"]}), 'entry 1 of animals: low_mm is [0, 0, "0"]'),
    "true": (document({**LEFT, "low_mm": [0, 0, True]}), "entry 1 of animals: low_mm is [0, 0, true]"),
    "not finite": (document({**LEFT, "high_mm": [0, 0, float("inf")]}), "is not JSON: Infinity is not a number"),
    "huge": (document({**LEFT, "high_mm": [0, 0, 10**400]}), "is not JSON: a number has very many digits"),
    "turned about": (document({**LEFT, "high_mm": [-12, 8, 18]}), "entry 1 of animals: low_mm is not below high_mm"),
    "twice": (document(LEFT, {**RIGHT, "position": "l"}), "the position 'left' occurs twice"),
    "one too few": (document(LEFT), "no box for row 3 (right, m13)"),
    "an empty position": (
        document(LEFT, RIGHT, {**RIGHT, "position": "middle"}),
        "the sheet has no animal at 'middle'",
    ),
    "left and right exchanged": (
        document({**LEFT, "position": "right"}, {**RIGHT, "position": "left"}),
        "the boxes of row 2 (left, m12), row 3 (right, m13) do not lie as the positions say: they are at (6, 0, 4)",
    ),
    "two in one place": (document(LEFT, {**LEFT, "position": "right"}), "do not lie as the positions say"),
    "beside all": (
        document(LEFT, {**RIGHT, "low_mm": [300, 0, 0], "high_mm": [310, 9, 9]}),
        "the box of row 3 (right, m13) lies outside all images",
    ),
}


@pytest.fixture(scope="module")
def hotel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CT in `in`, and a sheet; tests add files of other names."""
    folder = tmp_path_factory.mktemp("hotel")
    (folder / "in").mkdir()
    write_scan(folder / "in" / "a.ct.img", CT)
    (folder / "hotel.csv").write_text(SHEET, "ascii")
    (folder / "boxes.json").write_text(json.dumps(document(LEFT, RIGHT)), "ascii")
    return folder


@pytest.mark.parametrize("name", WRONG)
def test_wrong_boxes_are_refused_in_one_line(hotel: Path, tmp_path: Path, name: str) -> None:
    found, expected = WRONG[name]
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps(found), "ascii")
    run = inveon("split", hotel / "in", tmp_path / "out", "--subjects", hotel / "hotel.csv", "--boxes", boxes)
    assert expected in assert_one_line_error(run.exit_code, run.stdout, run.stderr)
    assert not (tmp_path / "out").exists()


def test_what_is_given_twice_is_refused(hotel: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    good = json.dumps(document(LEFT, RIGHT))
    for text, name in (
        (good.replace('"schema": 1', '"schema": 1, "schema": 1'), "schema"),
        (good.replace('"position": "left"', '"position": "right", "position": "left"'), "position"),
        (good.replace('"low_mm"', '"low_mm": [0, 0, 0], "low_mm"', 1), "low_mm"),
    ):
        boxes.write_text(text, "ascii")
        run = inveon("split", hotel / "in", tmp_path / "out", "--subjects", hotel / "hotel.csv", "--boxes", boxes)
        assert f"is not JSON: '{name}' is given twice" in assert_one_line_error(run.exit_code, run.stdout, run.stderr)
    boxes.write_text(good.replace("18]}", "1e999]}"), "ascii")
    run = inveon("split", hotel / "in", tmp_path / "out", "--subjects", hotel / "hotel.csv", "--boxes", boxes)
    assert "high_mm is [-4, 8, Infinity]" in assert_one_line_error(run.exit_code, run.stdout, run.stderr)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x1b[2J", '{"schema": NaN}'])
def test_what_is_no_json_of_boxes_is_refused_in_one_line(hotel: Path, tmp_path: Path, text: str) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(text, "ascii")
    run = inveon("split", hotel / "in", tmp_path / "out", "--subjects", hotel / "hotel.csv", "--boxes", boxes)
    assert_one_line_error(run.exit_code, run.stdout, run.stderr)


REFUSED = {
    "--weight 20g": "--weight is for one animal; give each its own in the sheet's column weight_g",
    "--dose 7MBq": "--dose is for one animal",
    "--patient-id m1": "--patient-id is for one animal",
    "--patient-name m1": "--patient-name is for one animal",
    "--xnat-route a/b/c": "--xnat-route is for one animal",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_what_is_of_one_animal_is_refused(hotel: Path, tmp_path: Path, typed: str) -> None:
    given = ("--subjects", hotel / "hotel.csv", "--boxes", hotel / "boxes.json", *typed.split())
    run = inveon("split", hotel / "in", tmp_path / "out", *given)
    assert REFUSED[typed] in assert_one_line_error(run.exit_code, run.stdout, run.stderr, 2)


def test_a_sheet_is_needed_and_positions_in_it(hotel: Path, tmp_path: Path) -> None:
    run = inveon("split", hotel / "in", tmp_path / "out", "--boxes", hotel / "boxes.json")
    assert "--subjects" in assert_one_line_error(run.exit_code, run.stdout, run.stderr, 2)
    plain = tmp_path / "plain.csv"
    plain.write_text("patient_id,file\nm12,a.ct.img\n", "ascii")
    run = inveon("split", hotel / "in", tmp_path / "out", "--boxes", hotel / "boxes.json", "--subjects", plain)
    assert "has a position" in assert_one_line_error(run.exit_code, run.stdout, run.stderr)


def test_scans_of_two_sessions_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write_scan(source / "a.ct.img", CT)
    write_scan(source / "b.pet.img", replace(PET, scan_time=PET.scan_time + timedelta(days=2)))
    (tmp_path / "hotel.csv").write_text(SHEET, "ascii")
    (tmp_path / "boxes.json").write_text(json.dumps(document(LEFT, RIGHT)), "ascii")
    with pytest.raises(InveonError, match="the scans are of 2 sessions, between which animals were moved"):
        inveonimaging.split(
            source, tmp_path / "out", Options(sheet=tmp_path / "hotel.csv"), boxes=tmp_path / "boxes.json"
        )


@pytest.mark.parametrize(
    ("id_", "folder"),
    [
        ("m12", "m12"),
        ("M-12_a.3", "M-12_a.3"),
        ("../m12", "m12-"),
        ("..", "study-"),
        ("con", "con-"),
        ("nul.x", "nul_x-"),
        ("a/b", "a_b-"),
        ("m12.", "m12-"),
        ("Mäuschen", "M_uschen-"),
    ],
)
def test_a_folder_is_a_name_alone_on_any_system(hotel: Path, tmp_path: Path, id_: str, folder: str) -> None:
    sheet = tmp_path / "hotel.csv"
    sheet.write_text(f"patient_id,position\n{id_},left\nm13,right\n", "utf-8")
    options = Options(sheet=sheet)
    results = inveonimaging.split(hotel / "in", tmp_path / "out", options, boxes=hotel / "boxes.json")
    names = [Path(each.output).name for each in results]
    assert [Path(each.output).parent for each in results] == [tmp_path / "out"] * 2
    assert names[1] == "m13"
    assert names[0] == folder if not folder.endswith("-") else names[0].startswith(folder) and len(names[0]) > 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hotel.csv", "out"]


def test_an_animal_beside_one_image_has_the_others(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write_scan(source / "a.ct.img", CT)
    write_scan(source / "b.pet.img", replace(PET, shift_mm=(-30.0, 0.0, 0.0)))  # up to -30 + 14 = -16 mm along i
    (tmp_path / "hotel.csv").write_text(SHEET, "ascii")
    (tmp_path / "boxes.json").write_text(json.dumps(document({**LEFT, "low_mm": [-40, -8, -18]}, RIGHT)), "ascii")
    results = inveonimaging.split(
        source, tmp_path / "out", Options(sheet=tmp_path / "hotel.csv"), boxes=tmp_path / "boxes.json"
    )
    assert [[each.folder for each in study.series] for study in results] == [["1", "2"], ["1"]]
    assert [each.code for each in results[1].findings if each.path and each.path.endswith("b.pet.img.hdr")] == [
        "animal-beside-image"
    ]
