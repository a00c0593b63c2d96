"""`inveon verify` of what was split: it sees what is wrong in a part, whoever cut it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

import inveonimaging
from helpers import CT, PET, inveon
from inveonimaging import Corrections, Options, verify
from inveonimaging.inveon.hdr.enums import DataType
from inveonimaging.phantom import write_scan

SHEET = """patient_id,position,weight_g,dose_MBq,injection_time,sex
m12,left,20.5,7.1,2014-06-17 13:51:37,F
m13,right,,6.9,2014-06-17 13:50:00,M
"""
BOXES = {
    "schema": 1,
    "program": "inveonimaging",
    "animals": [
        {"position": "left", "low_mm": [-11, -8, -18], "high_mm": [-4, 8, 18]},
        {"position": "right", "low_mm": [4, -8, -18], "high_mm": [8, 8, 10]},
    ],
}
FORMS = ("classic", "enhanced", "legacy")


@pytest.fixture(scope="module")
def hotel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scans, sheet and what was split of them in each form; tests read it only."""
    folder = tmp_path_factory.mktemp("hotel")
    (folder / "in").mkdir()
    write_scan(folder / "in" / "a.ct.img", CT)
    write_scan(folder / "in" / "b.pet.img", replace(PET, data_type=DataType.INT16_LE))
    (folder / "hotel.csv").write_text(SHEET, "ascii")
    (folder / "boxes.json").write_text(json.dumps(BOXES), "ascii")
    for form in FORMS:
        options = Options(sheet=folder / "hotel.csv", form=form)
        inveonimaging.split(folder / "in", folder / form, options, boxes=folder / "boxes.json")
    return folder


def codes(hotel: Path, dicom: Path, *, with_sheet: bool = True) -> set[str]:
    corrections = Corrections(sheet=hotel / "hotel.csv") if with_sheet else None
    return {each.code for each in verify(hotel / "in", dicom, corrections).differences}


@pytest.mark.parametrize("form", FORMS)
def test_what_was_split_is_the_same_as_the_whole(hotel: Path, form: str) -> None:
    result = verify(hotel / "in", hotel / form, Corrections(sheet=hotel / "hotel.csv"))
    assert result.differences == ()
    assert [Path(study.dicom).name for study in result.studies] == ["m12", "m13"]
    assert [[each.planes for each in study.series] for study in result.studies] == [[6, 12], [5, 10]]
    assert codes(hotel, hotel / form / "m13") == set()
    assert codes(hotel, hotel / form / "m13", with_sheet=False) == set()


def test_the_command_says_what_is_the_same(hotel: Path) -> None:
    run = inveon("verify", hotel / "in", hotel / "classic", "--subjects", hotel / "hotel.csv")
    assert run.exit_code == 0
    assert run.stdout == "no difference: 4 series, 33 planes; -v shows what was compared\n"
    run = inveon("verify", hotel / "in", hotel / "classic" / "m12")
    assert "--subjects with the sheet" in run.stderr


def move(millimetres: float) -> Callable[[FileDataset], None]:
    def moved(ds: FileDataset) -> None:
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [round(float(x) + millimetres, 6), y, z]

    return moved


def as_the_whole(ds: FileDataset) -> None:
    """Leave the position of the whole's first voxel, as a program that forgets it does."""
    (x, y, z), columns = ds.ImagePositionPatient, ds.Columns
    assert columns == 4  # of the 8: the part begins at voxel 4, 14 mm to the animal's right
    ds.ImagePositionPatient = [round(float(x) + 4 * 3.5, 6), y, z]


def one_voxel(ds: FileDataset) -> None:
    pixels = ds.pixel_array.copy()
    pixels[1, 2] += 50
    ds.PixelData = pixels.tobytes()


def set_to(keyword: str, value: object) -> Callable[[FileDataset], None]:
    return lambda ds: setattr(ds, keyword, value)


def dose_of_the_group(ds: FileDataset) -> None:
    if "RadiopharmaceuticalInformationSequence" in ds:
        ds.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = str(PET.tracer.dose or 0)


def another_group(ds: FileDataset) -> None:
    ds.SourcePatientGroupIdentificationSequence[0].PatientID = "other"


WRONG: dict[str, tuple[Callable[[FileDataset], None], str]] = {
    "one voxel": (one_voxel, "voxels-differ"),
    "the place of the whole": (as_the_whole, "voxels-differ"),
    "between the voxels": (move(1.0), "box-off-grid"),
    "beside the image": (move(100.0), "box-outside"),
    "weight of the group": (set_to("PatientWeight", "0.0246"), "group-value"),
    "dose of the group": (dose_of_the_group, "dose"),
    "nobody of the sheet": (set_to("PatientID", "m14"), "patient-id"),
    "sex of another": (set_to("PatientSex", "F"), "patient-sex"),
    "another group": (another_group, "group-id"),
    "head of another": (set_to("ImageOrientationPatient", [1, 0, 0, 0, 1, 0]), "box-outside"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_part_is_a_difference(hotel: Path, tmp_path: Path, name: str) -> None:
    change, code = WRONG[name]
    shutil.copytree(hotel / "classic" / "m13", tmp_path / "m13")
    for path in (tmp_path / "m13").rglob("*.dcm"):
        ds = pydicom.dcmread(path)
        change(ds)
        ds.save_as(path)
    assert code in codes(hotel, tmp_path / "m13")


def test_parts_that_are_missing_or_exchanged_are_differences(hotel: Path, tmp_path: Path) -> None:
    shutil.copytree(hotel / "classic", tmp_path / "all")
    shutil.rmtree(tmp_path / "all" / "m12" / "2")
    assert codes(hotel, tmp_path / "all") == {"series-missing"}
    shutil.rmtree(tmp_path / "all" / "m12")
    assert codes(hotel, tmp_path / "all") == {"animal-missing"}
    assert codes(hotel, tmp_path / "all" / "m13") == set()
    shutil.copytree(hotel / "classic" / "m12", tmp_path / "all" / "m12")
    other = {"m12": "m13", "m13": "m12"}
    for path in (tmp_path / "all").rglob("*.dcm"):
        ds = pydicom.dcmread(path)
        ds.PatientID = other[ds.PatientID]
        ds.save_as(path)
    assert "animals-swapped" in codes(hotel, tmp_path / "all")


def test_two_animals_with_one_study_uid_are_a_difference(hotel: Path, tmp_path: Path) -> None:
    shutil.copytree(hotel / "classic", tmp_path / "all")
    for path in (tmp_path / "all").rglob("*.dcm"):
        ds = pydicom.dcmread(path)
        ds.StudyInstanceUID, ds.FrameOfReferenceUID = "1.2.3", "1.2.4"
        ds.save_as(path)
    assert codes(hotel, tmp_path / "all") == {"study-uid", "frame-of-reference"}


def test_convert_verifies_what_it_split(hotel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", "sixteen characters")
    given = ("--subjects", hotel / "hotel.csv", "--boxes", hotel / "boxes.json", "--verify")
    for options in ((), ("--deidentify",)):
        run = inveon("split", hotel / "in" / "a.ct.img", tmp_path / f"out{len(options)}", *given, *options)
        assert run.exit_code == 0, run.stdout
        assert "no difference: 2 series, 11 planes" in run.stdout
    ids = {str(pydicom.dcmread(path).PatientID) for path in (tmp_path / "out1").rglob("*.dcm")}
    assert ids == {"m12", "m13"}
    assert np.all([path.name.startswith("study-") for path in (tmp_path / "out1").iterdir()])
