"""A scan of several animals that is not split: the group's items in each SOP class and form, its sums, and no SUV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.dataset import Dataset, FileDataset

from contract import errors_in, unexpected_warnings, validated
from helpers import instances, inveon, write_small_study
from inveonimaging.animal.limits import dose_finding, weight_finding
from inveonimaging.conversion import Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.errors import InputError
from inveonimaging.phantom import SPECT_SCAN, write_scan
from inveonimaging.redaction.request import Deidentify
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.reading import Study, read_study
from inveonimaging.study.suv import suv, suv_per_value

if TYPE_CHECKING:
    from dicom_validator.validator.dicom_info import DicomInfo

# The phantom: 24.6 g, 7.03 MBq at 13:51:37 of F-18 (half-life 6586.2 s), head first prone.
TITLES = "position,patient_id,weight_g,dose_MBq,injection_time,posture,sex,birth_date,species"
ROWS = (
    "left,m12,12.1,3.5,2014-06-17 13:51:37,,F,2014-03-01,mouse",
    "middle,,,,,,,,",
    "right,m13,12.5,3.53,2014-06-17 13:51:37,HFS,M,2014-03-01,mouse",
)
ITEMS = [("m12", [1, 1, 1], "HFP"), ("m13", [3, 1, 1], "HFS")]  # middle is empty, and counts
SPECT = replace(SPECT_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4.0, 9.0))


def sheet(folder: Path, *rows: str, titles: str = TITLES) -> Path:
    path = folder / "hotel.csv"
    path.write_text("\n".join((titles, *rows)) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hotel")
    write_scan(write_small_study(folder / "scans") / "m1.spect.img", SPECT)
    sheet(folder, *ROWS)
    return folder


@pytest.fixture(scope="module")
def converted(folder: Path) -> Mapping[Form, list[FileDataset]]:
    """Return the first file of each series, in each form."""
    found = {}
    for form in Form:
        convert(folder / "scans", folder / form.value, Options(form=form, sheet=read_sheet(folder / "hotel.csv")))
        series = {each.SeriesInstanceUID: each for each in reversed(instances(folder / form.value))}
        found[form] = list(series.values())
    return found


def items(ds: Dataset) -> list[tuple[str, list[int], str]]:
    return [
        (each.PatientID, list(each.SubjectRelativePositionInImage), each.get("PatientPosition"))
        for each in ds.get("GroupOfPatientsIdentificationSequence", ())
    ]


def read(folder: Path, path: Path) -> Study:
    return read_study(folder / "scans", Corrections(sheet=read_sheet(path)))


@pytest.mark.parametrize("form", Form)
def test_each_sop_class_names_each_animal_its_place_and_posture(
    converted: Mapping[Form, list[FileDataset]], form: Form
) -> None:
    assert len(converted[form]) == 3
    for ds in converted[form]:
        assert items(ds) == ITEMS
        assert ds["GroupOfPatientsIdentificationSequence"].tag == 0x00100027
        assert (ds.PatientID, ds.PatientWeight, ds.PatientSex) == ("M0042", 0.0246, "")  # the group's; of sex both
        assert (ds.PatientBirthDate, ds.PatientSpeciesDescription) == ("20140301", "mouse")  # as all


@pytest.mark.parametrize("form", Form)
def test_validators_agree(
    converted: Mapping[Form, list[FileDataset]], dicom_edition: DicomInfo, dciodvfy: str, form: Form
) -> None:
    from dicom_validator.validator.iod_validator import IODValidator

    for ds in converted[form]:
        report = validated(dciodvfy, Path(str(ds.filename)))
        assert not errors_in(report)
        assert not [line for line in unexpected_warnings(report) if "0010,002" in line or "Relative" in line]
        found = {
            str(tag.tag) for tags in IODValidator(ds, dicom_edition).validate().module_errors.values() for tag in tags
        }
        assert not {tag for tag in found if "0010,002" in tag or "0018,5100" in tag}


def test_uids_depend_on_the_animals(folder: Path, converted: Mapping[Form, list[FileDataset]], tmp_path: Path) -> None:
    other = sheet(tmp_path, *(row.replace("m13", "m14") for row in ROWS))
    convert(folder / "scans", tmp_path / "out", Options(sheet=read_sheet(other)))
    assert instances(tmp_path / "out")[0].StudyInstanceUID != converted[Form.CLASSIC][0].StudyInstanceUID


def test_verify_compares_the_group(folder: Path, converted: Mapping[Form, list[FileDataset]], tmp_path: Path) -> None:
    assert converted
    for form in Form:
        done = inveon("verify", folder / "scans", folder / form.value, "--subjects", folder / "hotel.csv")
        assert done.exit_code == 0, done.stdout + done.stderr
    for wrong, message in (
        (("right", "bottom"), "m13 at 3, 1, 1 HFS, expected"),
        (("HFS", "FFS"), "m12 at 1, 1, 1 HFP; m13 at 3, 1, 1 HFS, expected m12 at 1, 1, 1 HFP; m13 at 3, 1, 1 FFS"),
        (("m13", "m14"), "m13 at 3, 1, 1 HFS, expected m12 at 1, 1, 1 HFP; m14 at 3, 1, 1 HFS"),
    ):
        path = sheet(tmp_path, *(row.replace(*wrong) for row in ROWS))
        done = inveon("verify", folder / "scans", folder / "classic", "--subjects", path)
        assert done.exit_code == 1
        assert "patient-group" in done.stdout
        assert message in " ".join(done.stdout.split())
    done = inveon("verify", folder / "scans", folder / "classic")
    assert "Group of Patients Identification Sequence is stated, and was not compared: " in done.stderr


def test_no_suv_is_computed_from_sums(folder: Path, converted: Mapping[Form, list[FileDataset]]) -> None:
    assert converted
    study = read(folder, folder / "hotel.csv")
    pet = next(each.image for each in study.series if each.image.pair.name == "m1.pet.img")
    assert suv_per_value(pet) is None
    with pytest.raises(InputError, match=r"SUV cannot be computed: weight and dose are the sums of 2 animals"):
        suv(pet)
    assert [each.code for each in study.findings].count("group-of-animals") == 1
    alone = read_study(folder / "scans").series
    assert suv_per_value(next(each.image for each in alone if each.image.pair.name == "m1.pet.img")) is not None
    assert not [each for one in alone for each in one.scan.all_findings if "group" in each.code]
    for form in Form:
        done = inveon("check", folder / form.value)
        assert "2 animals lie in this scan" in done.stdout
        assert "not ready" in done.stdout
    done = inveon("check", folder / "scans", "--subjects", folder / "hotel.csv")
    assert "m12 (left), m13 (right)" in done.stdout
    assert "not ready" in done.stdout
    done = inveon("info", folder / "scans", "--subjects", folder / "hotel.csv")
    assert "the sums of 2 animals: no SUV" in done.stdout


def test_of_one_animal_among_empty_positions_it_is_a_study(folder: Path, tmp_path: Path) -> None:
    study = read(folder, sheet(tmp_path, ROWS[0].replace("left", "2;1"), "1;1,,,,,,,,"))
    pet = next(each.image for each in study.series if each.image.pair.name == "m1.pet.img")
    assert pet.group == ()
    assert (study.animal.id, study.animal.weight_kg, study.animal.sex) == ("m12", 0.0121, "F")
    assert (pet.header.tracer.dose_bq, suv_per_value(pet) is None) == (3.5e6, False)
    assert study.sheet_values.rows == (2, 3)


def test_patient_id_is_that_of_the_group(folder: Path, tmp_path: Path) -> None:
    options = Options(sheet=read_sheet(folder / "hotel.csv"), subject={"id": "group 7"})
    convert(folder / "scans", tmp_path / "out", options)
    ds = instances(tmp_path / "out")[0]
    assert ds.PatientID == "group 7"
    assert items(ds) == ITEMS


def test_deidentified_the_animals_are_called_as_the_sheet_says_and_dates_are_shifted(
    folder: Path, tmp_path: Path
) -> None:
    convert(
        folder / "scans",
        tmp_path / "out",
        Options(sheet=read_sheet(folder / "hotel.csv"), deidentify=Deidentify(key=b"k" * 32)),
    )
    for ds in instances(tmp_path / "out"):
        assert items(ds) == ITEMS
        assert ds.PatientBirthDate != "20140301"
    assert b"hotel.csv" not in b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm"))


# Sums.


def codes(folder: Path, *rows: str) -> dict[str, str]:
    study = read(folder, sheet(folder, *rows))
    scan = next(each for each in study.scans if each.pair.name == "m1.pet.img")
    return {each.code: each.message for each in scan.all_findings if "group" in each.code}


def test_sums_that_agree_raise_nothing_whenever_each_was_injected(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "scans").symlink_to(folder / "scans")
    assert codes(tmp_path, *ROWS) == {}
    # One half-life later the half is injected for the same dose at 13:51:37: 3.53 / 2 = 1.765, at 15:41:23.2.
    late = ROWS[2].replace("3.53,2014-06-17 13:51:37", "1.765,2014-06-17 15:41:23.2")
    assert codes(tmp_path, ROWS[0], late) == {}


def test_sums_that_disagree_are_reported_with_their_parts(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "scans").symlink_to(folder / "scans")
    heavy, strong = ROWS[2].replace("12.5", "13.5"), ROWS[2].replace(",3.53,", ",3.0,")
    assert codes(tmp_path, ROWS[0], heavy) == {
        "group-weight-disagrees": (
            "the weights of the animals are 12.1 + 13.5 = 25.6 g, but that of the scan is 24.6 g"
        )
    }
    assert codes(tmp_path, ROWS[0], strong) == {
        "group-dose-disagrees": (
            "the doses of the animals are 3.5 + 3 = 6.5 MBq at 2014-06-17 13:51:37, but that of the scan is 7.03 MBq"
        )
    }
    late = ROWS[2].replace("13:51:37", "15:41:23.2")  # 3.53 MBq then are 7.06 MBq one half-life before
    assert "3.5 + 7.06 = 10.56 MBq" in codes(tmp_path, ROWS[0], late)["group-dose-disagrees"]
    assert codes(tmp_path, ROWS[0], ROWS[2].replace("12.5,3.53", ",")) == {}  # one is not known: no sum


def test_values_of_an_animal_that_make_no_sense_are_reported_with_their_row(folder: Path, tmp_path: Path) -> None:
    study = read(folder, sheet(tmp_path, ROWS[0], ROWS[2].replace("12.5,3.53", "1250,353")))
    scan = next(each for each in study.scans if each.pair.name == "m1.pet.img")
    assert [each.message for each in scan.all_findings if "implausible" in each.code] == [
        "the weight is 1250 g, and a mouse has 3 to 100 g (weight_g of row 3)",
        "the dose is 353 MBq, and a mouse is given 0.5 to 100 MBq (dose_MBq of row 3)",
    ]


def test_limits_of_a_group_are_those_of_so_many() -> None:
    assert weight_finding(0.15, "mouse") is not None
    assert weight_finding(0.15, "mouse", 2) is None
    assert weight_finding(0.25, "Mus musculus", strain="Sprague Dawley (SD)") is None
    assert weight_finding(0.25, "Mus musculus", strain="C57BL/6J") is not None
    found = weight_finding(2.5, "Mus musculus", strain="Wistar")
    assert found
    assert found.message == "the weight is 2500 g, and a rat has 5 to 1200 g"
    found = dose_finding(250e6, "mouse", 2)
    assert found
    assert found.message == "the dose is 250 MBq, and 2 animals are given 1 to 200 MBq"


def test_a_dose_of_which_a_part_is_missing_is_refused_with_its_row(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "scans").symlink_to(folder / "scans")
    titles = "position,patient_id,dose_MBq,residual_MBq"
    path = sheet(tmp_path, "left,m12,3.5,0.1", "right,m13,3.5,", titles=titles)
    errors = read(tmp_path, path).errors
    assert next(str(each).rpartition("/")[2] for each in errors.values()).startswith(
        "hotel.csv:2: residual_MBq is given, expected residual_time in the same row"
    )


def test_rows_that_name_no_scans_are_not_for_several_studies(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_small_study(tmp_path / "in" / name)
    path, expected = sheet(tmp_path, *ROWS), "hotel.csv:2: the row with the position 'left' names no scans"
    with pytest.raises(InputError, match=expected):
        convert(tmp_path / "in", tmp_path / "out", Options(recursive=True, sheet=read_sheet(path)))
    done = inveon("batch", tmp_path / "in", tmp_path / "out", "--subjects", path)
    assert expected in done.stderr
    assert done.exit_code != 0
    named = sheet(tmp_path, *(f"a,{row}" for row in ROWS), titles=f"folder,{TITLES}")
    convert(tmp_path / "in", tmp_path / "out", Options(recursive=True, sheet=read_sheet(named)))
    assert [bool(items(ds)) for ds in instances(tmp_path / "out")].count(True) == 18  # those of a


def test_the_report_shows_sums_and_no_suv(folder: Path, tmp_path: Path) -> None:
    done = inveon(
        "report", folder / "scans" / "m1.pet.img", "-o", tmp_path / "r.html", "--subjects", folder / "hotel.csv"
    )
    assert done.exit_code == 0, done.stderr
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "7.03 MBq, the sum of 2 animals: no SUV" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert "m12 (left)" in page.replace("\N{NO-BREAK SPACE}", " ")
