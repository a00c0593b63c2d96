"""One study is of one animal: several are refused, each scan has its own weight, and nobody is without an ID."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest

from helpers import header_text, instances, inveon
from inveonimaging import Options, convert
from inveonimaging.animal import GivenSubject, Source, animal_of, stem_of
from inveonimaging.animal.several import mentions_several, names_several
from inveonimaging.conversion.plan import plan
from inveonimaging.errors import InputError, OptionError
from inveonimaging.inveon.hdr import parse
from inveonimaging.redaction.request import Deidentify
from inveonimaging.reports.contents import contents_of
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.reading import read_study
from inveonimaging.units import plain, spell
from inveonimaging.verification.job import verify

KEY = b"a secret of sixteen letters and more"
SCAN = {
    "subject_genus": "mouse",
    "subject_weight_units": "1",
    "acquisition_mode": "2",
    "decay_correction_applied": "0",
    "dose_units": "2",
    "dose": "7.4",
    "injection_time": "Thu Mar  5 09:20:30 2015",
    "attenuation_applied": "8",
}
CT = {"modality": "1", "acquisition_mode": "9", "isotope": "", "dose": "0", "injection_time": ""}


def write(folder: Path, **scans: Mapping[str, str | None]) -> Path:
    """Write scans by name, `a` as a.pet.img."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in scans.items():
        (folder / f"{name}.pet.img.hdr").write_text(header_text({**SCAN, **values}))
        (folder / f"{name}.pet.img").write_bytes(bytes(range(48)))
    return folder


def first_of_each(folder: Path) -> list[Any]:
    return [each for each in instances(folder) if int(each.InstanceNumber) == 1]


# Several animals in one folder.


@pytest.mark.parametrize(
    ("one", "other", "key"),
    [
        ({"animal_number": "1"}, {"animal_number": "2"}, "animal_number"),
        ({"animal_number": "0"}, {"animal_number": "1"}, "animal_number"),
        ({"animal_number": "left"}, {"animal_number": "right"}, "animal_number"),
        (
            {"subject_identifier": "", "subject_sex": "M"},
            {"subject_identifier": "", "subject_sex": "female"},
            "subject_sex",
        ),
        (
            {"subject_identifier": "", "subject_date_of_birth": "Mar 4 2014"},
            {"subject_identifier": "", "subject_date_of_birth": "Mar 5 2014"},
            "subject_date_of_birth",
        ),
    ],
)
def test_two_animals_are_not_one_patient(
    tmp_path: Path, one: Mapping[str, str], other: Mapping[str, str], key: str
) -> None:
    source = write(tmp_path / "in", a=one, b=other)
    with pytest.raises(InputError, match=f"{key} differs within the study") as raised:
        plan(source, tmp_path / "out", Options())
    assert "--patient-id" in str(raised.value)
    assert "folder of its own" in str(raised.value)
    plan(source, tmp_path / "out", Options(subject=GivenSubject(id="one")))


def test_two_animals_are_not_one_patient_without_their_names(tmp_path: Path) -> None:
    source = write(tmp_path / "in", a={"animal_number": "1"}, b={"animal_number": "2"})
    with pytest.raises(InputError, match="animal_number differs"):
        plan(source, tmp_path / "out", Options(deidentify=Deidentify(key=KEY)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"animal_number": "1"}, {}),
        ({"animal_number": "1"}, {"animal_number": "01"}),
        ({"subject_identifier": "M 7"}, {"subject_identifier": "m  7"}),
        ({"subject_sex": "M"}, {"subject_sex": "F"}),  # one identifier: a slip of typing, and a warning
        ({"subject_genus": "mouse"}, {"subject_genus": " Mouse"}),
    ],
)
def test_one_animal_is_not_refused(tmp_path: Path, one: Mapping[str, str], other: Mapping[str, str]) -> None:
    (study,) = plan(write(tmp_path, a=one, b=other), tmp_path / "out", Options())
    codes = {each.code for each in study.all_findings}
    assert ("subject-disagrees" in codes) is ("subject_sex" in one)


# A weight for each scan.

TWO_WEIGHTS = {"a": {"subject_weight": "20"}, "b": {"subject_weight": "26"}}


@pytest.mark.parametrize("form", ["classic", "enhanced", "legacy"])
def test_each_series_has_the_weight_of_its_own_header_and_all_commands_agree(tmp_path: Path, form: str) -> None:
    source, output = write(tmp_path / "in", **TWO_WEIGHTS), tmp_path / "out"
    done = inveon("convert", source, output, "--as", form)
    assert done.exit_code == 0
    assert (
        done.stderr.count("subject_weight differs within the study: 20 g, 26 g; each series has that of its own") == 1
    )
    assert [float(each.PatientWeight) for each in first_of_each(output)] == [0.020, 0.026]

    checks = [json.loads(inveon("check", path, "--json").stdout)["files"] for path in (source, output)]
    for files in checks:
        rows = [{row["name"]: row["value"] for row in each["suv"]["attributes"]} for each in files]
        assert [each["Patient's Weight"] for each in rows] == ["20 g", "26 g"]

    assert verify(source, output).same
    altered = tmp_path / "altered"
    write(altered, a={"subject_weight": "20"}, b={"subject_weight": "27"})
    assert {each.code for each in verify(altered, output).studies[0].all_differences} == {"weight"}

    study = contents_of(read_study(source), datetime(2026, 1, 1))
    assert [each.animal.weight_kg for each in study.series] == [0.020, 0.026]
    inveon("subjects", source, "-o", tmp_path / "s.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "s.csv").read_text("utf-8-sig"))))
    assert [each["weight_g"] for each in rows] == ["20", "26"]


def test_a_sheet_that_nobody_edits_changes_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "in", **TWO_WEIGHTS)
    inveon("subjects", source, "-o", tmp_path / "s.csv")
    (plain,), (with_sheet,) = (
        convert(source, tmp_path / name, Options(sheet=sheet))
        for name, sheet in {"plain": None, "sheet": read_sheet(tmp_path / "s.csv")}.items()
    )
    assert plain.study_instance_uid == with_sheet.study_instance_uid
    assert "subject-disagrees" not in {each.code for each in with_sheet.all_findings}


def test_a_row_of_the_subject_gives_the_weight_of_all(tmp_path: Path) -> None:
    source = write(tmp_path / "in", **TWO_WEIGHTS)
    (tmp_path / "s.csv").write_text("subject,weight_g\nmouse 7,23\n")
    sheet = read_sheet(tmp_path / "s.csv")
    (study,) = plan(source, tmp_path / "out", Options(sheet=sheet))
    assert [each.animal.weight_kg for each in study.series] == [0.023, 0.023]
    assert "subject-disagrees" not in {each.code for each in study.all_findings}
    convert(source, tmp_path / "out", Options(sheet=sheet))
    assert verify(source, tmp_path / "out", Corrections(sheet=sheet)).same


@pytest.mark.parametrize(
    ("others", "weight"), [({"b": "26"}, 0.026), ({"b": "26", "c": "26"}, 0.026), ({"b": "26", "c": "27"}, None)]
)
def test_a_scan_without_a_weight_has_the_only_one_of_the_study(
    tmp_path: Path, others: Mapping[str, str], weight: float | None
) -> None:
    scans = {"a": {"subject_weight": "0"}, **{name: {"subject_weight": each} for name, each in others.items()}}
    source, output = write(tmp_path / "in", **scans), tmp_path / "out"
    (study,) = convert(source, output)
    assert first_of_each(output)[0].get("PatientWeight") == weight
    assert ("weight-of-study" in {each.code for each in study.all_findings}) is (weight is not None)
    checked = json.loads(inveon("check", source, "--json").stdout)["files"][0]["suv"]["attributes"]
    assert {each["name"]: each["value"] for each in checked}["Patient's Weight"] == (weight and f"{1000 * weight:g} g")
    assert verify(source, output).same
    assert contents_of(read_study(source), datetime(2026, 1, 1)).series[0].animal.weight_kg == weight


def test_an_x_ray_takes_a_weight_without_a_word(tmp_path: Path) -> None:
    (study,) = plan(
        write(tmp_path, a={**CT, "subject_weight": ""}, b={"subject_weight": "26"}), tmp_path / "o", Options()
    )
    assert [each.animal.weight_kg for each in study.series] == [0.026, 0.026]
    assert "weight-of-study" not in {each.code for each in study.all_findings}


def test_uids_depend_on_the_weight_of_every_series(tmp_path: Path) -> None:
    other = {**TWO_WEIGHTS, "b": {"subject_weight": "27"}}
    uids = {
        convert(write(tmp_path / name, **scans), tmp_path / f"{name}-dicom")[0].study_instance_uid
        for name, scans in {"one": TWO_WEIGHTS, "same": TWO_WEIGHTS, "other": other}.items()
    }
    assert len(uids) == 2


def test_size_and_age_are_those_of_the_scan_too(tmp_path: Path) -> None:
    first = {"subject_length_units": "1", "subject_length": "80", "subject_age": "8 weeks"}
    later = {"subject_length_units": "1", "subject_length": "90", "subject_age": "11 weeks"}
    convert(write(tmp_path / "in", a=first, b=later), tmp_path / "out")
    found = first_of_each(tmp_path / "out")
    assert [float(each.PatientSize) for each in found] == [0.08, 0.09]
    assert [each.PatientAge for each in found] == ["008W", "011W"]


# Several animals in one scan.


@pytest.mark.parametrize(
    "name",
    [
        "m1 & m2",
        "m1,m2",
        "M101+M102",
        "cage 4 m1-m4",
        "m1/m2",
        "m1 m2",
        "m1;m2",
        "3 mice",
        "m1 and m2",
        "m1 & 2",
        "101 & 102",
        "101,102",
        "mouse 12 + mouse 13\n    ",
        "mice 1-4",
        "two mice",
        "m1m2",
        "M-101/M-102",
        "F12 & M3",
        "F12 & F13",
        "M1 (left) M2 (right)",
        "cage4_m1_m2",
        "1031 1032",
        "mouse A & mouse B",
        "7, 8, 9\n    ",
        "Maus 1 und 2",
        "4 animals",
    ],
)
def test_a_name_of_several_animals(name: str) -> None:
    assert names_several(name.strip())


@pytest.mark.parametrize(
    "name",
    [
        "M-101",
        "mouse 12",
        "C57BL/6-3",
        "A-1-2",
        "12-345",
        "2014-03-04_m7",
        "KO/WT 3",
        "m12 left",
        "M7, 2014-03-04",
        "m7, day 3",
        "m7, 25 g",
        "m7 d1 d2\n    ",
        "129S1/SvImJ 4",
        "APP/PS1 12",
        "B6;129 4",
        "NOD-SCID 12",
        "cage 4 mouse 2",
        "G1-M2",
        "m7 & phantom",
        "20140304 14:05",
        "m7 scan 1 scan 2",
        "m7 1h 2h\n    ",
        "mpet3537a_ct1_v1.ct",
        "hotel_s1",
        "NF1+/- 12",
        "R6/2 12",
        "TG2576, 14 months",
        "M1 F-18",
        "FDG M7 F18",
        "CT26 m3",
        "12, 2nd scan",
        "",
        "1/2",
    ],
)
def test_a_name_of_one_animal(name: str) -> None:
    assert not names_several(name.strip())


@pytest.mark.parametrize(
    ("text", "several"),
    [
        ("2 mice", True),
        ("hotel, two mice", True),
        ("m1 left m2 right", True),
        ("2-mouse hotel", True),
        ("FDG study of 12 mice", False),
        ("4 mice per group", False),
        ("M1 macrophages", False),
        ("bed 1 bed 2", False),
        (None, False),
    ],
)
def test_a_text_that_names_several_animals(text: str | None, several: bool) -> None:
    assert mentions_several(text) is several


@pytest.mark.parametrize(
    "values",
    [{"subject_identifier": "m1 & m2"}, {"study": "FDG, two mice"}, {"subject_identifier": "", "name": "m1_m2"}],
)
def test_weight_and_dose_of_several_animals_are_in_doubt_in_source_and_dicom(
    tmp_path: Path, values: dict[str, str]
) -> None:
    name = values.pop("name", "a")
    source, output = write(tmp_path / "in", **{name: {"subject_weight": "40", **values}}), tmp_path / "out"
    done = inveon("convert", source, output)
    assert done.exit_code == 0
    assert "reads like several animals in one scan" in done.stderr
    for path in (source, output):
        (file,) = json.loads(inveon("check", path, "--json").stdout)["files"]
        found = {row["name"]: row["findings"] for row in file["suv"]["attributes"]}
        assert "several-animals" in found["Patient's Weight"]
        assert "several-animals" in found["Radionuclide Total Dose"]


# Nobody is without an ID.


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("mpet3967b_ct1_v1.ct.img.hdr", "mpet3967b_ct1_v1.ct"),
        ("M7.IMG.HDR", "M7"),
        ("m7.hdr", "m7"),
        (".img.hdr", ".img.hdr"),
    ],
)
def test_the_vendor_names_patients_by_the_file(file: str, stem: str) -> None:
    assert stem_of(file) == stem


@pytest.mark.parametrize("name", ["", "unknown", "N/A"])
def test_an_animal_that_nothing_names_has_the_name_of_the_first_file(tmp_path: Path, name: str) -> None:
    scan = {"subject_identifier": name}
    source, output = write(tmp_path / "in", m7={**scan, **CT}, m8=scan), tmp_path / "out"
    done = inveon("convert", source, output)
    assert {(str(each.PatientID), str(each.PatientName)) for each in instances(output)} == {("m7.pet", "m7.pet")}
    (line,) = [each for each in done.stderr.splitlines() if "subject_identifier is missing" in each]
    assert line.startswith("warning")
    assert "--patient-id" in line
    assert "--subjects" in line
    assert verify(source, output).same
    assert contents_of(read_study(source), datetime(2026, 1, 1)).study.animal.id == "m7.pet"


def test_what_is_given_counts_and_is_the_name_as_well(tmp_path: Path) -> None:
    source = write(tmp_path / "in", m7={"subject_identifier": ""})
    (study,) = plan(source, tmp_path / "out", Options(subject=GivenSubject(id="K 12")))
    assert (study.animal.id, study.animal.name) == ("K 12", "K 12")
    assert "subject-unknown" not in {each.code for each in study.all_findings}
    (study,) = plan(source, tmp_path / "out", Options(subject=GivenSubject(name="Minnie")))
    assert (study.animal.id, study.animal.name) == ("m7.pet", "Minnie")
    assert study.animal.sources["id"].source is Source.FILE_NAME


def test_a_header_of_the_study_names_all(tmp_path: Path) -> None:
    (study,) = plan(write(tmp_path, a={"subject_identifier": ""}, b={}), tmp_path / "out", Options())
    assert study.animal.id == "mouse 7"
    assert "subject-unknown" not in {each.code for each in study.all_findings}


def test_without_files_there_is_no_name() -> None:
    header = parse(header_text({"subject_identifier": ""}).encode())[0]
    assert animal_of([header], GivenSubject())[0].id == ""


@pytest.mark.usefixtures("batches_here")
def test_the_published_commands_and_xnat_name_it_too(tmp_path: Path) -> None:
    from inveonimaging import inveonFolder2DICOM

    source = write(tmp_path / "in", m7={"subject_identifier": ""})
    assert inveonFolder2DICOM.main([str(source), str(tmp_path / "published")]) == 0
    assert inveon("xnat", source, tmp_path / "xnat").exit_code == 0
    assert inveon("batch", tmp_path / "in", tmp_path / "batch").exit_code == 0
    for output in ("published", "xnat", "batch"):
        files = [pydicom.dcmread(path) for path in (tmp_path / output).rglob("*.dcm")]
        assert {str(each.PatientID) for each in files} == {"m7.pet"}


def test_de_identified_it_has_a_pseudonym_and_not_the_name_of_a_file(tmp_path: Path) -> None:
    source, output = write(tmp_path / "in", smith7={"subject_identifier": ""}), tmp_path / "out"
    request = Deidentify(key=KEY, shift_days=-2000)
    (study,) = convert(source, output, Options(deidentify=request))
    assert {str(each.PatientID) for each in instances(output)} == {request.pseudonym("smith7.pet")}
    assert all(b"smith7" not in path.read_bytes() for path in output.rglob("*") if path.is_file())
    assert "subject-unknown" in {each.code for each in study.all_findings}
    assert verify(source, output).same
    with pytest.raises(OptionError, match="a name for the subject"):
        convert(source, tmp_path / "other", Options(deidentify=Deidentify(shift_days=-2000)))


# Numbers that people read.


@pytest.mark.parametrize(
    ("value", "text"),
    [(20.0, "20"), (300.0, "300"), (0.0005, "0.0005"), (1e-5, "0.00001"), (24.6, "24.6"), (1e16, "1e+16")],
)
def test_numbers_are_plain(value: float, text: str) -> None:
    assert spell(value) == text


def test_significant_digits_are_plain() -> None:
    assert [plain(185e6, 8), plain(1234567.8), plain(0.00001234)] == ["185000000", "1234570", "0.00001234"]


@pytest.mark.parametrize("kind", ["csv", "tsv", "xlsx"])
def test_a_sheet_has_plain_numbers(tmp_path: Path, kind: str) -> None:
    scan = {"subject_weight": "20.0", "dose": "0.0005"}
    source = write(tmp_path / "in", a=scan, b={"subject_weight": "300"})
    path = tmp_path / f"s.{kind}"
    assert inveon("subjects", source, "-o", path).exit_code == 0
    sheet = read_sheet(path)
    cells = [row.cells for row in sheet.rows]
    assert [each["weight_kg"].text for each in cells] == ["20", "300"]
    assert cells[0]["dose_mbq"].text == "0.0005"
