"""`inveon subjects`: a sheet from headers; unedited it changes nothing, edited it does, and it runs no formula."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from openpyxl import load_workbook

from helpers import CT, PET, assert_harmless, assert_one_line_error, digests, inveon, write_small_study
from inveonimaging import Options, convert, subjects
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import ActivityUnits, FileType, LengthUnits, WeightUnits
from inveonimaging.phantom import SPECT_SCAN, PhantomScan, frames_of, write_scan
from inveonimaging.phantom.scan import FDG
from inveonimaging.sheet.columns import COLUMNS
from inveonimaging.sheet.reading import read_sheet

KINDS = ("csv", "tsv", "xlsx")
SPECT = replace(SPECT_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4.0, 9.0), frames=frames_of(60.0))
INJECTED = PET.scan_time - timedelta(seconds=30)  # of the phantom
HOSTILE = (
    "=HYPERLINK(1)",
    "+1+1",
    "-2",
    "@SUM(A1)",
    "x;=1+1",
    'x",=cmd',
    "'=1",
    "\t=1",
    "'t Hooft",
    "a\\b",
    "Ü|ü^=",
    "bell\x07\x1b[31m",
)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a sheet as other programs read them."""
    if path.suffix == ".xlsx":
        titles, *lines = load_workbook(path).worksheets[0].iter_rows(values_only=True)
        return [{str(t): str(c) for t, c in zip(titles, line, strict=True) if c is not None} for line in lines]
    separator = "\t" if path.suffix == ".tsv" else ","
    text = path.read_bytes().decode("utf-8-sig")
    found = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    return [{title: cell for title, cell in row.items() if cell} for row in found]


def written(root: Path, path: Path, *options: object) -> list[dict[str, str]]:
    done = inveon("subjects", root, "-o", path, *options)
    assert done.exit_code == 0, done.stderr
    return read_rows(path)


def titles_of(path: Path) -> list[str]:
    return path.read_text("utf-8-sig").splitlines()[0].split(",")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree of studies: an ordinary one, one of doubtful headers, and one of another subject."""
    root = tmp_path_factory.mktemp("archive")
    write_small_study(root / "a" / "monday")
    doubtful = replace(
        PET.subject, weight=1.0, weight_units=WeightUnits.OUNCE, length_units=LengthUnits.INCH, age="9 weeks"
    )
    measured = replace(
        FDG,
        dose=0.0,
        activity_units=ActivityUnits.MCI,
        activity_before_injection=0.2,
        activity_before_injection_time=INJECTED - timedelta(seconds=600),
        residual_activity=0.0135,
        residual_activity_time=INJECTED + timedelta(seconds=300),
    )
    (root / "b").mkdir()
    write_scan(root / "b" / "m2.pet.img", replace(PET, subject=doubtful, tracer=measured))
    write_scan(root / "b" / "m2.ct.img", replace(CT, subject=replace(doubtful, weight=2.0, sex="unknown")))
    write_scan(root / "b" / "m2.spect.img", replace(SPECT, subject=replace(doubtful, identifier=None)))
    (root / "c").mkdir()
    write_scan(root / "c" / "m3.img", replace(CT, subject=replace(CT.subject, identifier="Other 7", genus=None)))
    return root


@pytest.fixture(scope="module")
def plain(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what the archive becomes without a sheet."""
    output = tmp_path_factory.mktemp("plain")
    convert(archive, output, Options(recursive=True))
    return digests(output)


@pytest.mark.parametrize("by", ["scan", "subject"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_sheet_that_nobody_edits_changes_no_byte(
    archive: Path, plain: dict[str, str], tmp_path: Path, kind: str, by: str
) -> None:
    sheet = tmp_path / f"subjects.{kind}"
    written(archive, sheet, "--by", by, "--columns", "basic" if by == "scan" else "all")
    convert(archive, tmp_path / "out", Options(recursive=True, sheet=read_sheet(sheet)))
    assert digests(tmp_path / "out") == plain


def test_a_row_a_scan_holds_what_the_headers_say(archive: Path, tmp_path: Path) -> None:
    found = {row["file"]: row for row in written(archive, tmp_path / "s.csv", "--columns", "all")}
    assert list(found) == [
        "a/monday/m1.ct.img",
        "a/monday/m1.pet.img",
        "b/m2.ct.img",
        "b/m2.pet.img",
        "b/m2.spect.img",
        "c/m3.img",
    ]
    assert found["a/monday/m1.pet.img"] == {
        "file": "a/monday/m1.pet.img",
        "# kind": "PET",
        "# scan start": str(PET.scan_time),
        "# subject_identifier": "M0042",
        "patient_name": "M0042",
        "patient_id": "M0042",
        "birth_date": "2014-03-04",
        "sex": "F",
        "species": "Mus musculus",
        "strain": "C57BL/6J",
        "weight_g": "24.6",
        "dose_MBq": "7.03",
        "injection_time": str(INJECTED),
        "posture": "HFP",
        "responsible_person": "investigator 1",
        "responsible_role": "INVESTIGATOR",
        "responsible_organization": "Imaging Core Facility",
        "study_description": "FDG uptake of a subcutaneous tumour",
    }
    assert "dose_MBq" not in found["a/monday/m1.ct.img"]
    # 0.2 mCi x 37; 0.0135 mCi x 37; each scan has its own header's weight: 2 oz the CT, 1 oz the PET
    measured = found["b/m2.pet.img"]
    assert (measured["dose_MBq"], measured["residual_MBq"]) == ("7.4", "0.4995")
    assert measured["dose_time"] == str(INJECTED - timedelta(seconds=600))
    assert measured["weight_g"] == "28.349523125"
    assert found["b/m2.ct.img"]["weight_g"] == "56.69904625"


def test_a_row_a_subject_holds_what_its_studies_agree_on(archive: Path, tmp_path: Path) -> None:
    done = inveon("subjects", archive, "-o", tmp_path / "s.csv", "--by", "subject")
    rows = {row["subject"]: row for row in read_rows(tmp_path / "s.csv")}
    assert list(rows) == ["M0042", "Other 7"]
    assert rows["M0042"]["# scans"] == "4"
    assert rows["M0042"]["sex"] == "F"
    assert "weight_g" not in rows["M0042"]  # 24.6 g in one study, 2 oz in the other
    assert "1 scans have no subject_identifier" in done.stderr


BASIC = ["patient_id", "birth_date", "sex", "species", "strain", "weight_g", "dose_MBq", "injection_time"]
OF_A_DOSE = ["dose_time", "residual_MBq", "residual_time"]


def test_the_columns_that_people_need_are_first_and_all_others_on_demand(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    notes = ["file", "# kind", "# scan start", "# subject_identifier"]
    written(archive / "a", path)
    assert titles_of(path) == notes + BASIC
    written(archive, path, "--overwrite")  # among them a dose that was measured
    assert titles_of(path) == notes + BASIC + OF_A_DOSE
    written(archive, path, "--overwrite", "--columns", "all")
    assert titles_of(path)[: len(notes + BASIC)] == notes + BASIC
    assert len(titles_of(path)) == len(notes) + len(COLUMNS) - 6  # what rows are matched by; kg and mCi
    written(archive, path, "--overwrite", "--by", "subject")
    assert titles_of(path) == ["subject", "# scans", *BASIC[:-2]]


def test_what_was_given_has_its_column(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "given.csv").write_text("file,responsible_person\n*,Doe^Jo\n")
    given = ("--patient-name", "Minnie", "--subjects", tmp_path / "given.csv")
    rows = written(archive / "a", tmp_path / "s.csv", *given)
    assert {(row["patient_name"], row["responsible_person"]) for row in rows} == {("Minnie", "Doe^Jo")}
    assert titles_of(tmp_path / "s.csv")[4:] == [*BASIC, "patient_name", "responsible_person"]


def test_numbers_are_written_as_people_write_them(archive: Path, tmp_path: Path) -> None:
    for weight, dose, cells in (("20g", "100MBq", ("20", "100")), ("0.5g", "1kBq", ("0.5", "0.001"))):
        rows = written(archive / "a", tmp_path / "s.csv", "--overwrite", "--weight", weight, "--dose", dose)
        assert (rows[1]["weight_g"], rows[1]["dose_MBq"]) == cells


def test_an_edited_sheet_changes_what_was_edited(archive: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "s.csv"
    written(archive, sheet)
    text = sheet.read_bytes().decode("utf-8-sig").replace("24.6", "25.1").replace("7.03", "6.9")
    sheet.write_text(text, "utf-8")
    convert(archive, tmp_path / "out", Options(recursive=True, sheet=read_sheet(sheet)))
    ds = pydicom.dcmread(tmp_path / "out" / "a" / "monday" / "2" / "PET-000001.dcm")
    assert float(ds.PatientWeight) == 0.0251
    assert float(ds.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose) == 6.9e6


def test_one_folder_of_a_tree_takes_the_trees_sheet(archive: Path, tmp_path: Path) -> None:
    written(archive, tmp_path / "s.csv")
    [study] = convert(archive / "b", tmp_path / "out", Options(sheet=read_sheet(tmp_path / "s.csv")))
    assert study.rows == (4, 5, 6)


def test_a_single_file_is_a_sheet_of_one_row(archive: Path, tmp_path: Path) -> None:
    [row] = written(archive / "c" / "m3.img", tmp_path / "s.csv")
    assert (row["file"], row["patient_id"]) == ("m3.img", "Other 7")
    assert "species" not in row


# Formulas.


def hostile(folder: Path, scan: PhantomScan = CT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(HOSTILE):
        place = folder / str(number)
        place.mkdir()
        subject = replace(scan.subject, identifier=text, phenotype=text, genus=text)

        def change(header: Header, text: str = text) -> Header:
            return replace(header, study=text, acquisition=replace(header.acquisition, investigator=text))

        write_scan(place / f"=m{number}.img", replace(scan, subject=subject), change=change)
    return folder


@pytest.fixture(scope="module")
def hostile_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile(tmp_path_factory.mktemp("hostile") / "in")


@pytest.fixture(scope="module")
def plain_hostile(hostile_root: Path) -> dict[str, str]:
    """Return what it becomes without a sheet."""
    convert(hostile_root, hostile_root.parent / "plain", Options(recursive=True))
    return digests(hostile_root.parent / "plain")


@pytest.mark.parametrize("kind", KINDS)
def test_header_text_is_no_formula_and_comes_back(
    hostile_root: Path, plain_hostile: dict[str, str], tmp_path: Path, kind: str
) -> None:
    root = hostile_root
    sheet = tmp_path / f"s.{kind}"
    rows = written(root, sheet)
    for row in rows:
        for cell in row.values():
            for separator in ",;\t":
                assert not any(part.lstrip(' "').startswith(("=", "+", "-", "@")) for part in cell.split(separator))
            assert_harmless(cell)
    convert(root, tmp_path / "out", Options(recursive=True, sheet=read_sheet(sheet)))
    assert digests(tmp_path / "out") == plain_hostile


def test_a_workbook_holds_texts_alone(tmp_path: Path) -> None:
    written(hostile(tmp_path / "in"), tmp_path / "s.xlsx")
    with zipfile.ZipFile(tmp_path / "s.xlsx") as packed:
        text = b"".join(packed.read(name) for name in packed.namelist() if "worksheets" in name)
    assert b"<f>" not in text
    assert b"<f " not in text
    cells = [cell for row in load_workbook(tmp_path / "s.xlsx").worksheets[0].iter_rows() for cell in row if cell.value]
    assert {cell.data_type for cell in cells} == {"s"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("kind", KINDS)
def test_odd_file_names_are_patterns(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "in"
    root.mkdir()
    pair = write_scan(root / "m.img", CT)
    name = os.fsdecode(b"m\x07\xff [1].img")  # a control character, and a byte that is no text
    pair.data.rename(root / name)
    pair.header.rename(root / f"{name}.hdr")
    [row] = written(root, tmp_path / f"s.{kind}")
    assert row["file"] == "m?? [[]1].img"
    [study] = convert(root, tmp_path / "out", Options(sheet=read_sheet(tmp_path / f"s.{kind}")))
    assert len(study.rows) == 1


@pytest.mark.skipif(os.name == "nt", reason="a backslash parts folders there")
@pytest.mark.parametrize("kind", KINDS)
def test_backslashes_in_names_are_patterns(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "in" / r"a\b"
    place.mkdir(parents=True)
    write_scan(place / r"b\m.img", CT)
    sheet = tmp_path / f"s.{kind}"
    [row] = written(tmp_path / "in", sheet)
    assert row["file"] == "a?b/b?m.img"
    [study] = convert(tmp_path / "in", tmp_path / "out", Options(sheet=read_sheet(sheet), recursive=True))
    assert len(study.rows) == 1


# What is refused, and left aside.


def test_nothing_is_overwritten_unasked(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("mine", "utf-8")
    done = inveon("subjects", archive, "-o", path)
    assert "exists already" in assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert path.read_text("utf-8") == "mine"
    assert len(written(archive, path, "--overwrite")) == 6
    assert sorted(each.name for each in tmp_path.iterdir()) == ["s.csv"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("{empty}", "-o", "{out}/s.csv"), 1, "no Inveon images here"),
        (("{archive}", "-o", "{out}/s.txt"), 2, "expected one of .csv, .tsv, .xlsx"),
        (("{archive}", "-o", "{out}/none/s.csv"), 1, "there is no such folder"),
        (("{empty}/none", "-o", "{out}/s.csv"), 1, "no such file or folder"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    archive: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    names = {"empty": tmp_path / "empty", "out": tmp_path, "archive": archive}
    done = inveon("subjects", *(each.format(**names) for each in arguments))
    assert message in assert_one_line_error(done.exit_code, done.stdout, done.stderr, code)


def test_a_header_that_cannot_be_read_is_an_error_and_the_others_have_rows(tmp_path: Path) -> None:
    source = write_small_study(tmp_path / "in")
    (source / "m1.ct.img.hdr").write_bytes(b"\0\0")
    done = inveon("subjects", source, "-o", tmp_path / "s.csv")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {source / 'm1.ct.img.hdr'}: this is binary data")
    assert [row["file"] for row in read_rows(tmp_path / "s.csv")] == ["m1.pet.img"]


def test_raw_data_have_no_row(tmp_path: Path) -> None:
    source = write_small_study(tmp_path / "in")
    write_scan(source / "raw.img", CT, change=lambda header: replace(header, file_type=FileType.LIST_MODE))
    done = inveon("subjects", source, "-o", tmp_path / "s.csv")
    assert "skipped: " in done.stderr
    assert [row["file"] for row in read_rows(tmp_path / "s.csv")] == ["m1.ct.img", "m1.pet.img"]


def test_scans_of_several_subjects_have_a_row_each(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("M1", "M2"):
        subject = replace(CT.subject, identifier=name)
        write_scan(tmp_path / "in" / f"{name}.img", replace(CT, subject=subject))
    done = inveon("subjects", tmp_path / "in", "-o", tmp_path / "s.csv")
    assert done.exit_code == 0
    assert done.stderr.startswith(
        f"warning: {tmp_path / 'in'}: subject_identifier differs within the study: 'M1', 'M2'"
    )
    assert "error" not in done.stderr
    assert [row["patient_id"] for row in read_rows(tmp_path / "s.csv")] == ["M1", "M2"]


def test_folders_are_those_that_a_batch_enters(archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name in ("a", ".earlier"):
        write_small_study(root / name)
    (root / "link").symlink_to(archive / "c", target_is_directory=True)
    done = inveon("subjects", root, "-o", tmp_path / "s.csv")
    assert done.exit_code == 0
    assert [row["file"] for row in read_rows(tmp_path / "s.csv")] == ["a/m1.ct.img", "a/m1.pet.img"]
    assert "note: 1 hidden folder was not entered" in done.stdout
    assert "note: 1 link to a folder was not followed" in done.stdout


@pytest.mark.parametrize("by", ["scan", "subject"])
def test_a_folder_that_cannot_be_read_is_an_error_and_the_others_have_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    source = tmp_path / "in"
    for name in ("a", "shut", "z"):
        write_small_study(source / name)
    scandir = os.scandir

    def refuse(path: os.PathLike[str]) -> object:
        if Path(path) == source / "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    done = inveon("subjects", source, "-o", tmp_path / "s.csv", "--by", by)
    assert done.exit_code == 1
    assert f"error: {source / 'shut'}: cannot be read: Permission denied\n" in done.stderr
    assert len(read_rows(tmp_path / "s.csv")) == (4 if by == "scan" else 1)


def test_progress_is_called_with_the_folders_looked_at(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_scan(tmp_path / name / "m.img", CT)
    seen: list[tuple[int, int]] = []
    subjects(tmp_path, tmp_path / "sheet.csv", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1), (2, 2), (3, 3)]  # the root, a and b; how many there are is known in the end
