"""A scan of two animals becomes one study each: the voxels, their places, who it is, and what it was cut from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset
from typer.testing import Result

import inveonimaging
from contract import Plane, errors_in, groups_of, planes_of, validated
from helpers import assert_one_line_error, files_below, header_text, inveon
from inveonimaging import Options, convert
from inveonimaging.inveon.hdr.enums import DataType
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, frames_of, write_scan

if TYPE_CHECKING:
    from dicom_validator.validator.dicom_info import DicomInfo

SHAPE, SPACING = (8, 7, 6), (3.5, 4.0, 9.0)
CT = replace(CT_SCAN, shape=SHAPE, spacing_mm=SPACING)
PET = replace(PET_SCAN, shape=SHAPE, spacing_mm=SPACING, frames=frames_of(20, 40), data_type=DataType.INT16_BE)
GATED = replace(
    PET,
    frames=frames_of(60.0),
    gates=2,
    gate_description="ECG R-wave",
    data_type=DataType.INT16_LE,
    spacing_mm=(4, 4, 9),
)
SPECT = replace(SPECT_SCAN, shape=SHAPE, spacing_mm=SPACING, frames=frames_of(60.0, 60.0), data_type=DataType.INT16_LE)
# What the scans of the phantom are shifted by, (-1.45, -0.85, 0.55) of the CT and (-0.63, 1.17, -1.31) of the PET:
# their lower faces are at -14 - 1.45 = -15.45, -14.85, -26.45 and at -14.63, -12.83, -28.31 mm.
SHEET = """patient_id,position,weight_g,dose_MBq,injection_time,posture,sex
m12,left,20.5,7.1,2014-06-17 13:51:37,,F
m13,right,17.4,6.9,2014-06-17 13:50:00,HFS,M
"""
BOXES = {
    "schema": 1,
    "program": "inveonimaging",
    "animals": [
        {"position": "left", "low_mm": [-11, -8, -18], "high_mm": [-4, 8, 18]},
        {"position": "right", "low_mm": [4, -8, -18], "high_mm": [8, 8, 10]},
    ],
}
# 3 mm around them: -14 to -1 and 1 to 11 mm along i, -11 to 11 along j, -21 to 21 and -21 to 13 along k.
# CT, along i, voxels from -15.45 on of 3.5 mm: (-14 + 15.45) / 3.5 = 0.4 and 14.45 / 3.5 = 4.1; 4.7 and 7.6;
# along j from -14.85 of 4 mm: 0.96 and 6.5; along k from -26.45 of 9 mm: 0.6 and 5.3, 4.4.
FIRST_STOP = {
    ("m12", "1"): ((0, 0, 0), (5, 7, 6)),
    ("m13", "1"): ((4, 0, 0), (8, 7, 5)),
    # PET: 0.63 / 3.5 = 0.2 and 13.63 / 3.5 = 3.9; 4.5 and 7.3; 1.83 / 4 = 0.5 and 5.96; 7.31 / 9 = 0.8, 5.5, 4.6.
    ("m12", "2"): ((0, 0, 0), (4, 6, 6)),
    ("m13", "2"): ((4, 0, 0), (8, 6, 5)),
}
FORMS = ("classic", "enhanced", "legacy")


@dataclass(frozen=True)
class Hotel:
    """A group's files, with the study of all and that of each animal, in one form."""

    source: Path
    whole: Path
    parts: Path

    @cached_property
    def wholes(self) -> dict[str, FileDataset]:
        """The instances of the group, by their UIDs."""
        found = [pydicom.dcmread(path) for path in sorted(self.whole.rglob("*.dcm"))]
        return {str(ds.SOPInstanceUID): ds for ds in found}

    def series(self, animal: str, number: str) -> list[FileDataset]:
        return [pydicom.dcmread(path) for path in sorted((self.parts / animal / number).iterdir())]

    def all(self, animal: str) -> list[FileDataset]:
        return [pydicom.dcmread(path) for path in sorted((self.parts / animal).rglob("*.dcm"))]


def options_of(folder: Path, form: str = "classic") -> Options:
    return Options(sheet=folder / "hotel.csv", form=form)


def write_hotel(folder: Path) -> Path:
    """Write the scans of two animals, with sheet and boxes beside them; return the scans' folder."""
    source = folder / "in"
    source.mkdir(parents=True)
    write_scan(source / "a.ct.img", CT)
    write_scan(source / "b.pet.img", PET)
    write_scan(source / "c.gated.img", GATED)
    write_scan(source / "d.spect.img", SPECT)
    (folder / "hotel.csv").write_text(SHEET, "ascii")
    (folder / "boxes.json").write_text(json.dumps(BOXES), "ascii")
    return source


@pytest.fixture(scope="module", params=FORMS)
def hotel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Hotel:
    folder = tmp_path_factory.mktemp(request.param)
    source, options = write_hotel(folder), options_of(folder, request.param)
    convert(source, folder / "whole", options)
    inveonimaging.split(source, folder / "parts", options, boxes=folder / "boxes.json")
    return Hotel(source, folder / "whole", folder / "parts")


def sources_of(ds: FileDataset) -> Iterator[tuple[str, int]]:
    """Yield UID and frame, from 0, of the source of each frame, with all that is beside them."""
    if "PerFrameFunctionalGroupsSequence" in ds:
        for groups in groups_of(ds):
            derived = groups["DerivationImageSequence"]
            yield from _references(derived)
    else:
        yield from _references(ds)


def _references(holder: Dataset) -> Iterator[tuple[str, int]]:
    (code,) = holder.DerivationCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113131", "DCM")
    assert code.CodeMeaning == "Extraction of individual subject from group"
    for item in holder.SourceImageSequence:
        (purpose,) = item.PurposeOfReferenceCodeSequence
        assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("113130", "DCM")
        assert purpose.CodeMeaning == "Predecessor containing group of imaging subjects"
        frames = item.get("ReferencedFrameNumber", 1)
        for frame in [frames] if isinstance(frames, int) else frames:
            yield str(item.ReferencedSOPInstanceUID), int(frame) - 1


def _whole_planes(hotel: Hotel) -> dict[tuple[str, int], Plane]:
    return {(uid, n): plane for uid, ds in hotel.wholes.items() for n, plane in enumerate(planes_of([ds]))}


@pytest.mark.parametrize("animal", ["m12", "m13"])
def test_each_slice_is_a_box_of_the_one_that_it_names_at_its_place(hotel: Hotel, animal: str) -> None:
    whole = _whole_planes(hotel)
    axes = np.diag([1.0, 1.0, 1.0]) if animal == "m12" else np.diag([-1.0, -1.0, 1.0])  # HFP turned to HFS: about z
    for ds in hotel.all(animal):
        planes, sources = planes_of([ds]), list(sources_of(ds))
        assert len(planes) == len(sources)
        for plane, source in zip(planes, sources, strict=True):
            of_group = whole[source]
            rows, columns = plane.stored.shape
            first = axes @ plane.position - of_group.position  # in the group's axes
            at = first @ of_group.cosines.T / of_group.spacing[::-1]
            i, j = (round(each) for each in at)
            assert np.allclose(at, (i, j), atol=1e-6)
            assert np.allclose(axes @ plane.place(1, 1), of_group.place(i + 1, j + 1), atol=1e-6)
            same, slopes = of_group.stored[j : j + rows, i : i + columns], (float(plane.slope), float(of_group.slope))
            away = plane.stored * slopes[0] - same * slopes[1]
            assert np.abs(away).max() <= (0 if slopes[0] == slopes[1] else sum(slopes) / 2 * (1 + 1e-9))
            assert ds.Modality != "CT" or slopes[0] == slopes[1]


@pytest.mark.parametrize(("animal", "number"), FIRST_STOP)
def test_the_boxes_are_those_that_the_millimetres_touch(hotel: Hotel, animal: str, number: str) -> None:
    ((i, j, k), (i_stop, j_stop, k_stop)) = FIRST_STOP[animal, number]
    instances = hotel.series(animal, number)
    frames = 1 if number == "1" else len(PET.frames)
    assert {(ds.Columns, ds.Rows) for ds in instances} == {(i_stop - i, j_stop - j)}
    assert len(planes_of(instances)) == frames * (k_stop - k)


def test_all_of_an_animal_is_one_study_in_one_space_and_its_own(hotel: Hotel) -> None:
    animals = {name: hotel.all(name) for name in ("m12", "m13")}
    groups = list(hotel.wholes.values())
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        found = [{str(ds.get(keyword)) for ds in each if keyword in ds} for each in (*animals.values(), groups)]
        assert [len(each) for each in found[:2]] == [1, 1]
        assert not found[0] & found[1]
        assert not found[2] & (found[0] | found[1])
    assert {ds.PatientID for ds in groups} == {"M0042"}
    for name, instances in animals.items():
        for ds in instances:
            assert (ds.PatientID, ds.PatientName) == (name, name)
            assert ds.SourcePatientGroupIdentificationSequence[0].PatientID == "M0042"
            assert ds.ImageType[0] == "DERIVED"
            assert ds.PatientSex == {"m12": "F", "m13": "M"}[name]
            assert float(ds.PatientWeight) == {"m12": 0.0205, "m13": 0.0174}[name]
            assert "PatientAge" not in ds
            assert ds.PatientBirthDate == ""
            assert ds.get("PatientPosition") in (None, {"m12": "HFP", "m13": "HFS"}[name])


def test_doses_are_those_of_the_animals(hotel: Hotel) -> None:
    for name, dose, time in (("m12", 7.1e6, "135137"), ("m13", 6.9e6, "135000")):
        for number in ("2", "3", "4"):
            for ds in hotel.series(name, number):
                item = ds.get("RadiopharmaceuticalInformationSequence")
                if item is None:  # of a Legacy Converted object
                    shared = groups_of(ds)[0]["UnassignedSharedConvertedAttributesSequence"]
                    item = shared.RadiopharmaceuticalInformationSequence
                per_mbq = 1e6 if ds.Modality == "NM" else 1
                assert float(item[0].RadionuclideTotalDose) * per_mbq == pytest.approx(dose, rel=1e-12)
                if "RadiopharmaceuticalStartTime" in item[0]:
                    assert str(item[0].RadiopharmaceuticalStartTime)[:6] == time


def test_dciodvfy_finds_no_error(hotel: Hotel, dciodvfy: str) -> None:
    for animal in ("m12", "m13"):
        for number in ("1", "2", "3", "4"):
            file = min((hotel.parts / animal / number).iterdir())
            assert errors_in(validated(dciodvfy, file, "-allpffgitems")) == []


def test_dicom_validator_finds_no_more_than_in_the_whole(hotel: Hotel, dicom_edition: DicomInfo) -> None:
    from dicom_validator.validator.iod_validator import IODValidator

    def tags(folder: Path) -> set[str]:
        first = pydicom.dcmread(min(folder.iterdir()))
        errors = IODValidator(first, dicom_edition).validate().module_errors
        return {str(tag.tag) for tags in errors.values() for tag in tags}

    for number in ("1", "2", "3", "4"):
        assert tags(hotel.parts / "m12" / number) <= tags(hotel.whole / number)


def volume(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image: sitk.Image = reader.Execute()
    return image


def test_simpleitk_finds_each_voxel_of_a_part_where_it_is_in_the_whole(tmp_path: Path) -> None:
    source = write_hotel(tmp_path)
    convert(source / "a.ct.img", tmp_path / "whole", options_of(tmp_path))
    inveonimaging.split(source / "a.ct.img", tmp_path / "parts", options_of(tmp_path), boxes=tmp_path / "boxes.json")
    whole, part = volume(tmp_path / "whole" / "1"), volume(tmp_path / "parts" / "m12" / "1")
    assert part.GetSize() == (5, 7, 6)
    values = set()
    for index in np.ndindex(*part.GetSize()):
        at = whole.TransformPhysicalPointToContinuousIndex(part.TransformIndexToPhysicalPoint(index))
        nearest = [round(each) for each in at]
        assert np.allclose(at, nearest, atol=1e-6)
        assert part.GetPixel(*index) - whole.GetPixel(*nearest) == 0
        values.add(part.GetPixel(*index))
    assert len(values) > 10


# The command.


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CT in `in`, a sheet and boxes; tests read them only."""
    folder = tmp_path_factory.mktemp("scans")
    (folder / "in").mkdir()
    write_scan(folder / "in" / "a.ct.img", CT)
    (folder / "hotel.csv").write_text(SHEET, "ascii")
    (folder / "boxes.json").write_text(json.dumps(BOXES), "ascii")
    return folder


def split(scans: Path, output: Path, *options: object, sheet: Path | None = None, boxes: Path | None = None) -> Result:
    given = ("--subjects", sheet or scans / "hotel.csv", "--boxes", boxes or scans / "boxes.json")
    return inveon("split", scans / "in", output, *given, *options)


def test_the_command_writes_a_folder_an_animal(scans: Path, tmp_path: Path) -> None:
    run = split(scans, tmp_path / "out")
    assert run.exit_code == 0, run.stderr
    names = [*(f"m12/1/CT-{n:06}.dcm" for n in range(1, 7)), *(f"m13/1/CT-{n:06}.dcm" for n in range(1, 6))]
    assert files_below(tmp_path / "out") == names
    assert "row 2 (left, m12)" in run.stderr  # of which no birth date is known
    again = split(scans, tmp_path / "out")
    line = assert_one_line_error(again.exit_code, again.stdout, again.stderr)
    assert line.endswith("name a new folder; inveon split --overwrite replaces an earlier conversion\n")
    again = split(scans, tmp_path / "out", "--as", "inveon")
    line = assert_one_line_error(again.exit_code, again.stdout, again.stderr)
    assert line.endswith("nothing is overwritten; name a new folder\n")  # --overwrite is refused there
    again = split(scans, tmp_path / "out", "--overwrite")
    assert (again.exit_code, "animal-left-behind" in again.stderr) == (0, False)


def test_the_folder_of_an_id_that_was_corrected_is_named(scans: Path, tmp_path: Path) -> None:
    out, sheet = tmp_path / "out", tmp_path / "hotel.csv"
    convert(scans / "in", out / "whole", options_of(scans))  # of the same scans, but no animal of theirs
    convert(scans / "in", out / "m12", options_of(scans))  # what is replaced is not left behind
    shutil.copytree(scans / "in", out / "raw")
    assert split(scans, out, "--overwrite").exit_code == 0
    sheet.write_text(SHEET.replace("m13", "m31"), "ascii")
    message = (
        f'warning: {out / "m13"}: has an animal that is not in the sheet, and is kept; to remove it: inveon remove "'
    )
    for options in (("--dry-run",), ()):
        run = split(scans, out, "--overwrite", "--json", *options, sheet=sheet)
        assert run.exit_code == 0, run.stderr
        assert [line for line in run.stderr.splitlines() if "animal-left-behind" in line] == [
            f'{message}{out / "m13"}" [animal-left-behind]'
        ]
        (left,) = json.loads(run.stdout)["left_behind"]
        assert left["path"] == str(out / "m13")
    done = inveonimaging.split(scans / "in", out, Options(sheet=sheet, overwrite=True), boxes=scans / "boxes.json")
    assert [[each.code for each in one.findings].count("animal-left-behind") for one in done] == [1, 0]
    assert "left-behind" not in (out / "m12" / "inveon-manifest.json").read_text("ascii")
    assert inveon("remove", out / "m13", "--yes").exit_code == 0
    assert split(scans, out, "--overwrite", sheet=sheet).stderr.count("left-behind") == 0


def test_a_dry_run_shows_the_series_and_writes_nothing(scans: Path, tmp_path: Path) -> None:
    run = split(scans, tmp_path / "out", "--dry-run", "--json")
    assert run.exit_code == 0
    shapes = {Path(each["folder"]).parent.name: each["shape"] for each in json.loads(run.stdout)["series"]}
    assert shapes == {"m12": [5, 7, 6], "m13": [4, 7, 5]}
    left = {"position": "left", "patient_id": "m12", "low_mm": [-11, -8, -18], "high_mm": [-4, 8, 18]}
    assert json.loads(run.stdout)["boxes"][0] == left
    assert not (tmp_path / "out").exists()


def test_a_deidentified_split_has_numbers_for_folders(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INVEON_DEIDENTIFY_KEY", raising=False)
    run = split(scans, tmp_path / "out", "--deidentify", "--dates", "keep")
    line = assert_one_line_error(run.exit_code, run.stdout, run.stderr, 2)
    assert "the patient ID of the group cannot be hidden without a secret; put one into" in line
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", "sixteen characters")
    run = split(scans, tmp_path / "out", "--deidentify", "--dates", "keep")
    assert run.exit_code == 0, run.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["study-1", "study-2"]


def half_and_half(folder: Path, left: int, right: int, *names: str) -> Path:
    """Write PETs whose left half has one value everywhere and its right half another; return their folder."""
    keys = {"scan_time": "Tue Jun 17 14:00:00 2014", "decay_correction_applied": "1", "x_dimension": "8"}
    keys |= {"isotope_branching_fraction": "1", "subject_weight_units": "1", "subject_weight": "38.5"}
    keys |= {"dose_units": "2", "dose": "14.5", "injection_time": "Tue Jun 17 13:51:37 2014"}
    values = np.full((2, 3, 8), left, "<i2")
    values[:, :, 4:] = right
    source = folder / "in"
    source.mkdir(parents=True)
    for name in names or ("m.pet.img",):
        (source / f"{name}.hdr").write_text(header_text({**keys, "data_type": "2"}))
        (source / name).write_bytes(values.tobytes())
    animals = [  # the image is 4 mm wide: with 3 mm around it, each box holds a part of the other half, too
        {"position": "left", "low_mm": [-2, -0.3, -2], "high_mm": [-1.9, 0.3, 2]},
        {"position": "right", "low_mm": [1.9, -0.3, -2], "high_mm": [2, 0.3, 2]},
    ]
    (folder / "boxes.json").write_text(json.dumps({**BOXES, "animals": animals}))
    (folder / "hotel.csv").write_text(SHEET)
    return source


@pytest.mark.parametrize(("left", "right", "is_told"), [(100, 300, True), (300, 100, False), (100, 104, False)])
def test_animals_whose_doses_contradict_their_activities_are_reported(
    tmp_path: Path, left: int, right: int, *, is_told: bool
) -> None:
    source = half_and_half(tmp_path, left, right)
    sheet = (tmp_path / "hotel.csv").read_text().replace("6.9", "5.1")  # 7.1 and 5.1 MBq
    (tmp_path / "hotel.csv").write_text(sheet)
    done = inveon(
        *("split", source, tmp_path / "out", "--subjects", tmp_path / "hotel.csv"),
        *("--boxes", tmp_path / "boxes.json", "--dry-run"),
    )
    assert done.exit_code == 0, done.stderr
    assert ("swapped-by-dose" in done.stderr) is is_told
    assert not is_told or "m12 (left) was given 7.1 MBq and has" in done.stderr


def test_an_empty_position_is_no_unused_row(scans: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "hotel.csv"
    sheet.write_text("patient_id,position,folder\nm12,left,\n,middle,\nm13,right,\nx,,elsewhere\n", "ascii")
    run = split(scans, tmp_path / "out", sheet=sheet)
    assert run.exit_code == 0, run.stderr
    (line,) = [each for each in run.stderr.splitlines() if "sheet-row-unused" in each]
    assert "1 of 4 rows match no scan: 5" in line


# Of half and half: each box holds 7 of 8 columns, in 3 rows and 2 slices of voxels of 0.5 x 0.25 x 2 mm, 0.25 mm3. The
# left one has 4 columns of 100 and 3 of 300 Bq/mL: 6 x 1300 x 0.00025 mL = 1.95 Bq at its start, 503 s after the
# injection of m12; the right one 3 and 4: 2.25 Bq, 600 s after that of m13. The half-life is 6586.2 s.
IN_BOX_MBQ = (1.95e-6 * 2 ** (503 / 6586.2), 2.25e-6 * 2 ** (600 / 6586.2))


def test_the_table_of_what_was_measured_is_shown_everywhere(tmp_path: Path) -> None:
    source = half_and_half(tmp_path, 100, 300)
    given = ("--subjects", tmp_path / "hotel.csv", "--boxes", tmp_path / "boxes.json")
    dry = inveon("split", source, tmp_path / "out", *given, "-n", "--json", "--preview", tmp_path / "page.html")
    measured = json.loads(dry.stdout)["measured"]
    for animal, activity, dose, weight in zip(measured["animals"], IN_BOX_MBQ, (7.1, 6.9), (20.5, 17.4), strict=True):
        (tracer,) = animal["tracers"]
        assert tracer["activity_MBq"] == pytest.approx(activity, rel=1e-6)
        assert tracer["dose_MBq"] == pytest.approx(dose, rel=1e-9)
        assert animal["weight_g"] == pytest.approx(weight, rel=1e-9)
        assert animal["volume_ml"] is None  # with boxes that are given nothing is looked for
    assert [each["position"] for each in measured["animals"]] == ["left", "right"]
    sums = measured["sums"]
    assert sums["weight_g"] == pytest.approx(37.9)
    (tracer,) = sums["tracers"]
    assert (sums["header_weight_g"], tracer["header_dose_MBq"]) == pytest.approx((38.5, 14.5))
    assert tracer["dose_MBq"] == pytest.approx(7.1 + 6.9 * 2 ** (-97 / 6586.2), rel=1e-9)  # at 13:51:37
    text = inveon("split", source, tmp_path / "out", *given, "-n").stdout
    page = (tmp_path / "page.html").read_text("utf-8")
    done = inveon("split", source, tmp_path / "out", *given, "--report")
    assert done.exit_code == 0, done.stderr
    report = (tmp_path / "out" / "m12" / "report.html").read_text("utf-8")
    for shown in (f"{IN_BOX_MBQ[0]:.4g}", f"{IN_BOX_MBQ[1]:.4g}", "37.9", "38.5", "14.5", "header"):
        assert shown in text
        assert f"<td>{shown}</td>" in page
        assert f"<td>{shown}</td>" in report


def test_a_contradiction_is_reported_once_however_many_scans_show_it(tmp_path: Path) -> None:
    source = half_and_half(tmp_path, 100, 300, "a.pet.img", "b.pet.img", "c.pet.img")
    sheet = (tmp_path / "hotel.csv").read_text().replace("6.9", "5.1")
    (tmp_path / "hotel.csv").write_text(sheet)
    given = ("--subjects", tmp_path / "hotel.csv", "--boxes", tmp_path / "boxes.json")
    assert inveon("split", source, tmp_path / "out", *given, "-n").stderr.count("swapped-by-dose") == 1


def test_findings_on_the_sheet_of_a_deidentified_split_name_it_neutrally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", "sixteen characters")
    source = half_and_half(tmp_path, 100, 300)
    (tmp_path / "hotel.csv").write_text("patient_id,position\nm12,left\nm13,right\n")
    given = ("--subjects", tmp_path / "hotel.csv", "--boxes", tmp_path / "boxes.json", "--deidentify")
    lines = inveon("split", source, tmp_path / "out", *given, "-n").stderr.splitlines()
    own = [each for each in lines if "animal-values-unknown" in each]
    assert [each.partition(" the sheet does not")[0] for each in own] == ["warning: sheet:2:", "warning: sheet:3:"]
    assert not [each for each in lines if ": :" in each or str(tmp_path) in each.replace(str(given[1]), "")]


def test_the_suv_of_a_part_is_that_of_its_animal(tmp_path: Path) -> None:
    """By what a viewer takes from the file: 100 Bq/mL, 20.5 g, and of 7.1 MBq what is left 503 s later."""
    source = half_and_half(tmp_path, 100, 300)
    options = options_of(tmp_path)
    inveonimaging.split(source, tmp_path / "out", options, boxes=tmp_path / "boxes.json")
    ds = pydicom.dcmread(min((tmp_path / "out" / "m12" / "1").iterdir()))
    (tracer,) = ds.RadiopharmaceuticalInformationSequence
    assert (ds.Units, ds.DecayCorrection, ds.SeriesTime[:6]) == ("BQML", "START", "140000")
    assert str(tracer.RadiopharmaceuticalStartDateTime)[:14] == "20140617135137"
    left = float(tracer.RadionuclideTotalDose) * 2 ** (-503 / float(tracer.RadionuclideHalfLife))
    voxel = ds.pixel_array[0, 0] * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    suv = voxel * float(ds.PatientWeight) * 1000 / left
    assert suv == pytest.approx(100 * 20.5 / (7.1e6 * 2 ** (-503 / 6586.2)), rel=1e-4)


def test_an_outsider_finds_compressed_parts_where_they_are_in_the_whole(tmp_path: Path) -> None:
    source = write_hotel(tmp_path) / "a.ct.img"
    options = replace(options_of(tmp_path, "enhanced"), compression="rle")
    convert(source, tmp_path / "whole", options_of(tmp_path, "enhanced"))
    inveonimaging.split(source, tmp_path / "parts", options, boxes=tmp_path / "boxes.json")
    whole, part = (
        sitk.ReadImage(str(next((folder / "1").iterdir()))) for folder in (tmp_path / "whole", tmp_path / "parts/m12")
    )
    assert part.GetSize() == (5, 7, 6)
    for index in np.ndindex(*part.GetSize()):
        at = whole.TransformPhysicalPointToIndex(part.TransformIndexToPhysicalPoint(index))
        assert part.GetPixel(*index) == whole.GetPixel(*at)
