"""A sheet in a conversion: what DICOM then says, that reports and verification agree, and what is shown of sources."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from contract import errors_in, unexpected_warnings, validated
from helpers import CT, PET, assert_one_line_error, digests, files_below, instances, inveon, write_thin_study
from inveonimaging import Options, convert
from inveonimaging.animal import GivenSubject
from inveonimaging.animal.xnat_route import Route
from inveonimaging.conversion.job import StudyResult
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.modules.header_text import header_bytes
from inveonimaging.errors import InputError
from inveonimaging.inveon.hdr.enums import ActivityUnits
from inveonimaging.phantom import SPECT_SCAN, PhantomScan, frames_of, write_scan
from inveonimaging.phantom.scan import FDG
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.storage.manifests import MANIFEST

if TYPE_CHECKING:
    from dicom_validator.validator.dicom_info import DicomInfo

INJECTED = datetime(2014, 6, 17, 13, 51, 37)  # of the phantom
SPECT = replace(SPECT_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4.0, 9.0), frames=frames_of(60.0))
FULL = {
    "patient_name": "Mäuschen^Minnie",
    "patient_id": "M-0042/b",
    "birth_date": "2014-03-11",
    "sex": "M",
    "neutered": "yes",
    "species": "Rattus norvegicus",
    "breed": "Wistar Unilever",
    "breed_registration": "AB 123",
    "breed_registry": "american canine association",
    "strain": "RccHan:WIST",
    "strain_nomenclature": "RGD",
    "strain_codes": "13508588^RGD^RccHan:WIST | 99-1^99LAB^Wistar Han",
    "strain_stock": "273",
    "strain_source": "Envigo",
    "strain_registry": "ILCR",
    "genetic_modifications": "Lepr<fa>, hom | Trp53<tm1>, het",
    "genetic_modifications_nomenclature": "RGD",
    "genetic_modifications_codes": "3001^RGD^Lepr<fa> | 3002^RGD^Trp53<tm1>",
    "weight_g": "251.5",
    "dose_MBq": "40.5",
    "injection_time": "2014-06-17 13:51:00",
    "responsible_person": "Vet^Anna",
    "responsible_role": "veterinarian",
    "responsible_organization": "Tierklinik Süd",
    "protocol": "FDG dynamic 60 min",
    "study_description": "Leptin pilot",
    "series_description": "As acquired",
    "project": "LEP_01",
    "xnat_subject": "M0042",
    "xnat_session": "M0042_d1",
}

ONE = {"genetic_modifications": "Lepr<fa>, hom", "genetic_modifications_codes": "3001^RGD^Lepr<fa>"}
"""dciodvfy knows an older Genetic Modifications Sequence, which had one item; it now has one or more."""
SCHEMES = tuple(
    f"Unrecognized defined term <{name}> for value 1 of attribute <Coding Scheme Designator>"
    for name in ("RGD", "99LAB")  # the sheet's own
)


def sheet_of(folder: Path, *rows: dict[str, str], name: str = "subjects.csv") -> Path:
    """Write a sheet beside a study's folder."""
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(title for row in rows for title in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def one_scan(folder: Path, scan: PhantomScan = PET) -> Path:
    (folder / "in").mkdir(parents=True)
    write_scan(folder / "in" / "m1.img", scan)
    return folder / "in"


def converted(folder: Path, row: dict[str, str], scan: PhantomScan = PET, **options: Any) -> Dataset:
    """Return the first instance of a scan that is converted with a sheet of one row."""
    source = one_scan(folder, scan)
    sheet = read_sheet(sheet_of(folder, {"file": "m1.img", **row}))
    convert(source, folder / "out", Options(sheet=sheet, **options))
    return pydicom.dcmread(folder / "out" / files_below(folder / "out")[0])


def tracer_of(ds: Dataset) -> Dataset:
    [item] = ds.RadiopharmaceuticalInformationSequence
    return item  # type: ignore[no-any-return]


def code(item: Dataset) -> tuple[str, str, str]:
    return item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """An instance with every element that a sheet can fill."""
    return converted(tmp_path_factory.mktemp("full"), FULL, unlimited_text=True)


# What DICOM says.


def test_the_patient_is_as_the_sheet_says(full: Dataset) -> None:
    assert (str(full.PatientName), full.PatientID, full.PatientBirthDate, full.PatientSex) == (
        "Mäuschen^Minnie",
        "M-0042/b",
        "20140311",
        "M",
    )
    assert full.SpecificCharacterSet == "ISO_IR 192"
    assert (full.PatientSexNeutered, float(full.PatientWeight)) == ("ALTERED", 0.2515)
    assert full.PatientAge == "098D"  # from the sheet's birth date: 20 days of March, 30, 31 and 17
    assert (str(full.ResponsiblePerson), full.ResponsiblePersonRole) == ("Vet^Anna", "VETERINARIAN")
    assert full.ResponsibleOrganization == "Tierklinik Süd"
    assert full.InstitutionName == "Imaging Core Facility"  # where the scanner is
    assert full.PatientComments == "Project: LEP_01 Subject: M0042 Session: M0042_d1"


def test_species_breed_and_strain_are_as_the_sheet_says(full: Dataset) -> None:
    assert full.PatientSpeciesDescription == "Rattus norvegicus"
    assert code(full.PatientSpeciesCodeSequence[0]) == ("371565004", "SCT", "Rattus norvegicus")
    assert (full.PatientBreedDescription, list(full.PatientBreedCodeSequence)) == ("Wistar Unilever", [])
    [registered] = full.BreedRegistrationSequence
    assert registered.BreedRegistrationNumber == "AB 123"
    assert [code(item) for item in registered.BreedRegistryCodeSequence] == [
        ("109202", "DCM", "American Canine Association")  # CID 7481
    ]
    assert (full.StrainDescription, full.StrainNomenclature) == ("RccHan:WIST", "RGD")
    assert [code(item) for item in full.StrainCodeSequence] == [
        ("13508588", "RGD", "RccHan:WIST"),
        ("99-1", "99LAB", "Wistar Han"),
    ]
    [stock] = full.StrainStockSequence
    assert (stock.StrainStockNumber, stock.StrainSource) == ("273", "Envigo")
    assert code(stock.StrainSourceRegistryCodeSequence[0]) == ("126850", "DCM", "ILCR")  # CID 7490


def test_genetic_modifications_are_as_the_sheet_says(full: Dataset) -> None:
    assert [
        (
            item.GeneticModificationsDescription,
            item.GeneticModificationsNomenclature,
            [code(each) for each in item.GeneticModificationsCodeSequence],
        )
        for item in full.GeneticModificationsSequence
    ] == [
        ("Lepr<fa>, hom", "RGD", [("3001", "RGD", "Lepr<fa>")]),
        ("Trp53<tm1>, het", "RGD", [("3002", "RGD", "Trp53<tm1>")]),
    ]


def test_strain_and_modifications_stand_in_the_history_for_all_programs(tmp_path: Path) -> None:
    source = one_scan(tmp_path)
    sheet = read_sheet(sheet_of(tmp_path, {"file": "m1.img", **FULL}))
    [study] = convert(source, tmp_path / "out", Options(sheet=sheet))
    ds = pydicom.dcmread(tmp_path / "out" / files_below(tmp_path / "out")[0])
    known = "Strain: RccHan:WIST; Genetic modifications: Lepr<fa>, hom, Trp53<tm1>, het (RGD)"
    assert ds.AdditionalPatientHistory.startswith(known)
    assert "StrainDescription" not in ds
    assert "GeneticModificationsSequence" not in ds  # its description is of type 1
    assert (ds.StrainNomenclature, len(ds.StrainCodeSequence), len(ds.StrainStockSequence)) == ("RGD", 2, 1)
    [finding] = [each for each in study.findings if each.code == "code-left-out"]
    assert "codes of genetic modifications" in finding.message


LONG = dict.fromkeys(("species_code", "strain_codes", "strain_registry"), "31415926535897932384^99LAB^Any")
LONG |= {
    "breed_registry": LONG["species_code"],
    "strain_stock": "1",
    "strain_source": "here",
    "breed_registration": "1",
}


def test_long_codes_are_left_out_with_what_cannot_do_without_them(tmp_path: Path) -> None:
    source = one_scan(tmp_path)
    sheet = read_sheet(sheet_of(tmp_path, {"file": "m1.img", **LONG, "species": "unknown"}))
    [study] = convert(source, tmp_path / "out", Options(sheet=sheet))
    left_out = [each.message for each in study.findings if each.code == "code-left-out"]
    assert len(left_out) == 4
    assert all("31415926535897932384" in message and "--unlimited-text" in message for message in left_out)
    ds = pydicom.dcmread(tmp_path / "out" / files_below(tmp_path / "out")[0])
    assert ds.PatientSpeciesDescription == "Any"  # the meaning of the code that cannot be written
    assert list(ds.BreedRegistrationSequence) == []  # of type 2
    for keyword in ("PatientSpeciesCodeSequence", "StrainCodeSequence", "StrainStockSequence"):
        assert keyword not in ds
    convert(source, tmp_path / "all", Options(sheet=sheet, unlimited_text=True))
    ds = pydicom.dcmread(tmp_path / "all" / files_below(tmp_path / "all")[0])
    for item in (ds.PatientSpeciesCodeSequence[0], ds.StrainStockSequence[0].StrainSourceRegistryCodeSequence[0]):
        assert item.LongCodeValue == "31415926535897932384"


def test_tracer_and_descriptions_are_as_the_sheet_says(full: Dataset) -> None:
    tracer = tracer_of(full)
    assert float(tracer.RadionuclideTotalDose) == 40.5e6
    assert (tracer.RadiopharmaceuticalStartDateTime, tracer.RadiopharmaceuticalStartTime) == (
        "20140617135100",
        "135100",
    )
    assert (full.StudyDescription, full.SeriesDescription, full.ProtocolName) == (
        "Leptin pilot",
        "As acquired",
        "FDG dynamic 60 min",
    )


def test_the_original_header_stays_as_it_is(tmp_path: Path) -> None:
    ds = converted(tmp_path, FULL)
    assert header_bytes(ds) == (tmp_path / "in" / "m1.img.hdr").read_bytes()


KINDS = {"CT": CT, "PET": PET, "SPECT": SPECT}
OBJECTS = [(kind, form) for kind in KINDS for form in Form if kind != "SPECT" or form is Form.CLASSIC]  # NM has one
Filled = Callable[..., Path]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """Return the first file of a scan in a form, with a row of a sheet; each is converted once."""
    known: dict[str, Path] = {}

    def made(kind: str, form: Form, row: dict[str, str], *, unlimited_text: bool = False) -> Path:
        key = repr((kind, form, row, unlimited_text))
        if key not in known:
            folder = tmp_path_factory.mktemp("filled")
            converted(folder, row, KINDS[kind], form=form, unlimited_text=unlimited_text)
            known[key] = folder / "out" / files_below(folder / "out")[0]
        return known[key]

    return made


@pytest.mark.parametrize("unlimited_text", [False, True])
@pytest.mark.parametrize(("kind", "form"), OBJECTS)
def test_dciodvfy_finds_no_error_in_any_sop_class(
    filled: Filled, dciodvfy: str, kind: str, form: Form, *, unlimited_text: bool
) -> None:
    options = () if form is Form.CLASSIC else ("-allpffgitems",)
    report = validated(dciodvfy, filled(kind, form, FULL | ONE, unlimited_text=unlimited_text), *options)
    assert not errors_in(report)
    usual = unexpected_warnings(validated(dciodvfy, filled(kind, form, {}), *options))
    assert set(unexpected_warnings(report, SCHEMES)) <= set(usual)


@pytest.fixture(scope="module")
def wrong_tags(dicom_edition: DicomInfo) -> Callable[[Path], set[Any]]:
    """Return the tags of a file in which dicom-validator finds something wrong."""
    from dicom_validator.validator.iod_validator import IODValidator

    def found(file: Path) -> set[Any]:
        errors = IODValidator(pydicom.dcmread(file), dicom_edition).validate().module_errors
        return {tag.tag for tags in errors.values() for tag in tags}

    return found


@pytest.mark.parametrize("unlimited_text", [False, True])
@pytest.mark.parametrize(("kind", "form"), OBJECTS)
def test_dicom_validator_finds_nothing_new(
    filled: Filled, wrong_tags: Callable[[Path], set[Any]], kind: str, form: Form, *, unlimited_text: bool
) -> None:
    full = filled(kind, form, FULL, unlimited_text=unlimited_text)
    assert wrong_tags(full) <= wrong_tags(filled(kind, form, {}))


def test_a_ct_takes_the_animal_and_no_dose(tmp_path: Path) -> None:
    ds = converted(tmp_path, {**FULL, "dose_time": "2014-06-17 13:41:00"}, CT)
    assert (ds.PatientID, float(ds.PatientWeight), ds.ProtocolName) == ("M-0042/b", 0.2515, "FDG dynamic 60 min")
    assert "RadiopharmaceuticalInformationSequence" not in ds


def test_spect_has_its_dose_in_mbq(tmp_path: Path) -> None:
    assert float(tracer_of(converted(tmp_path, {"dose_MBq": "40.5"}, SPECT)).RadionuclideTotalDose) == 40.5


def test_a_species_with_a_code_alone(tmp_path: Path) -> None:
    ds = converted(tmp_path, {"species": "unknown", "species_code": "447482001^SCT^Mus genus", "strain": "x"})
    assert "PatientSpeciesDescription" not in ds
    assert code(ds.PatientSpeciesCodeSequence[0]) == ("447482001", "SCT", "Mus genus")
    assert (ds.PatientSexNeutered, ds.PatientBreedDescription) == ("", "")
    assert ds.AdditionalPatientHistory.startswith("Strain: x")


def test_what_needs_a_species_is_left_out_and_reported(tmp_path: Path) -> None:
    source = one_scan(tmp_path)
    sheet = read_sheet(sheet_of(tmp_path, {"file": "*", **FULL, "species": "unknown"}))
    [study] = convert(source, tmp_path / "out", Options(sheet=sheet))
    [finding] = [each for each in study.findings if each.code == "species-needed"]
    assert "breed, breed_registration, strain_codes" in finding.message
    ds = pydicom.dcmread(tmp_path / "out" / files_below(tmp_path / "out")[0])
    for keyword in ("StrainDescription", "BreedRegistrationSequence", "GeneticModificationsSequence"):
        assert keyword not in ds
    assert ds.AdditionalPatientHistory.startswith("Strain: RccHan:WIST; Genetic modifications: Lepr<fa>")  # needs none
    assert (ds.PatientSexNeutered, ds.ResponsibleOrganization) == ("ALTERED", "Tierklinik Süd")  # may be present


def test_a_registry_without_a_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"subjects.csv:2: breed_registry is 'Kennel', expected VALUE\^SCHEME"):
        converted(tmp_path, {"breed_registration": "1", "breed_registry": "Kennel"})


def test_unknown_empties_what_the_header_says(tmp_path: Path) -> None:
    row = dict.fromkeys(
        ("patient_name", "patient_id", "birth_date", "sex", "strain", "weight_g", "dose_MBq", "injection_time"),
        "unknown",
    )
    ds = converted(tmp_path, {**row, "study_description": "unknown", "responsible_person": "unknown"})
    assert (str(ds.PatientName), ds.PatientID, ds.PatientBirthDate, ds.PatientSex) == ("", "", "", "")
    assert str(ds.ResponsiblePerson) == ""
    for keyword in ("PatientWeight", "StudyDescription", "ResponsiblePersonRole"):
        assert keyword not in ds
    assert "Strain" not in ds.AdditionalPatientHistory
    for keyword in ("RadionuclideTotalDose", "RadiopharmaceuticalStartDateTime"):
        assert keyword not in tracer_of(ds)


def test_a_patient_id_leaves_the_name_to_the_header(tmp_path: Path) -> None:
    ds = converted(tmp_path, {"patient_id": "M7"})
    assert (str(ds.PatientName), ds.PatientID) == ("M0042", "M7")


def test_parts_of_a_file_keep_their_names(tmp_path: Path) -> None:
    scan = replace(PET, beds=(312.5, 345.25))
    converted(tmp_path, {"series_description": "Whole body"}, scan)
    found = {pydicom.dcmread(file).SeriesDescription for file in (tmp_path / "out").rglob("*.dcm")}
    assert found == {"Whole body, bed 0", "Whole body, bed 1"}


# The dose. Half-life of F-18 in the phantom: 6586.2 s.


def dose_of(folder: Path, row: dict[str, str], scan: PhantomScan = PET) -> float:
    return float(tracer_of(converted(folder, row, scan)).RadionuclideTotalDose)


def test_a_dose_at_another_time_is_brought_to_the_injection(tmp_path: Path) -> None:
    # 600 s before the injection: x 2**(-600 / 6586.2) = 0.93880695
    found = dose_of(tmp_path, {"dose_MBq": "8", "dose_time": "2014-06-17 13:41:37"})
    assert found == pytest.approx(8e6 * 0.93880695, rel=1e-8)


def test_what_was_left_is_subtracted_at_the_injection(tmp_path: Path) -> None:
    row = {
        "dose_MBq": "8",
        "dose_time": "2014-06-17 13:41:37",
        "residual_MBq": "0.5",
        "residual_time": "2014-06-17 13:56:37",
    }
    assert dose_of(tmp_path, row) == pytest.approx(6994417.4, rel=1e-8)  # as in test_dose.py


def test_a_dose_without_a_time_is_that_at_the_injection(tmp_path: Path) -> None:
    # in mCi: 0.2 x 37 = 7.4; 0.01 x 37 x 2**(300 / 6586.2) = 0.37 x 1.03207641
    row = {"dose_mCi": "0.2", "residual_mCi": "0.01", "residual_time": "2014-06-17 13:56:37"}
    assert dose_of(tmp_path, row) == pytest.approx(7.4e6 - 0.37e6 * 1.03207641, rel=1e-8)


def test_times_count_from_the_sheets_injection_over_midnight(tmp_path: Path) -> None:
    scan = replace(PET, scan_time=datetime(2014, 6, 18, 0, 10, 0))
    row = {
        "injection_time": "2014-06-18 00:05:00",
        "dose_MBq": "8",
        "dose_time": "2014-06-17 23:55:00",
        "residual_MBq": "0.5",
        "residual_time": "2014-06-18 00:10:00",
    }
    assert dose_of(tmp_path, row, scan) == pytest.approx(6994417.4, rel=1e-8)


def test_the_headers_syringe_less_the_sheets_residual(tmp_path: Path) -> None:
    tracer = replace(
        FDG,
        dose=8.0,  # entered as drawn up
        dose_units=ActivityUnits.MBQ,
        activity_units=ActivityUnits.MCI,
        activity_before_injection=8.0 / 37,
        activity_before_injection_time=INJECTED - timedelta(minutes=10),
    )
    row = {"residual_MBq": "0.5", "residual_time": "2014-06-17 13:56:37"}
    assert dose_of(tmp_path, row, replace(PET, tracer=tracer)) == pytest.approx(6994417.4, rel=1e-8)


def test_a_sheets_dose_replaces_all_that_the_header_says_of_activity(tmp_path: Path) -> None:
    tracer = replace(
        FDG,
        activity_units=ActivityUnits.MBQ,
        activity_before_injection=80.0,
        activity_before_injection_time=INJECTED,
        residual_activity=1.0,
        residual_activity_time=INJECTED,
    )
    source = one_scan(tmp_path, replace(PET, tracer=tracer))
    codes: list[set[str]] = []
    for row in ({}, {"dose_MBq": "7"}):
        sheet = read_sheet(sheet_of(tmp_path, {"file": "*", **row}))
        [study] = convert(source, tmp_path / f"out{len(codes)}", Options(sheet=sheet))
        codes.append({finding.code for finding in study.all_findings})
    assert "dose-disagrees" in codes[0]
    assert "dose-disagrees" not in codes[1]


MEASURED = replace(
    FDG,
    dose=8.0,
    dose_units=ActivityUnits.MBQ,
    activity_units=ActivityUnits.MCI,
    activity_before_injection=8.0 / 37,
    activity_before_injection_time=INJECTED - timedelta(minutes=10),
    residual_activity=0.5 / 37,
    residual_activity_time=INJECTED + timedelta(minutes=5),
)
LEFT = {"residual_MBq": "0.5", "residual_time": "2014-06-17 13:56:37"}


@pytest.mark.parametrize(
    ("row", "dose"),
    [
        ({}, 6994417.4),  # as in test_dose.py
        ({"residual_MBq": "unknown"}, 8e6),  # what was measured is not known: what was entered counts
        ({"residual_mCi": "unknown", "residual_time": "unknown"}, 8e6),
        ({"residual_time": "unknown"}, 8e6),
        ({"dose_time": "unknown"}, 8e6),
        ({"injection_time": "unknown"}, 8e6),
        ({"dose_MBq": "unknown"}, None),
        ({"dose_MBq": "unknown", "residual_MBq": "unknown", "dose_time": "unknown"}, None),
        ({"dose_MBq": "5", "residual_MBq": "unknown", "residual_time": "unknown"}, 5e6),
        ({"residual_MBq": "0", "residual_time": "unknown"}, 8e6 * 0.93880695),
    ],
)
@pytest.mark.parametrize("entered", [8.0, None])
def test_unknown_takes_away_what_the_header_says_of_the_dose(
    tmp_path: Path, row: dict[str, str], dose: float | None, entered: float | None
) -> None:
    scan = replace(PET, tracer=replace(MEASURED, dose=entered))
    found = tracer_of(converted(tmp_path, row, scan)).get("RadionuclideTotalDose")
    if dose == 8e6 and entered is None:
        dose = None
    assert (found and float(found)) == (dose and pytest.approx(dose, rel=1e-8))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"dose_MBq": "unknown", **LEFT}, "residual_MBq is given, expected dose_MBq in the same row"),
        ({"dose_time": "unknown", **LEFT}, "residual_MBq is given, expected dose_MBq in the same row"),
        (
            {"residual_MBq": "0.5", "residual_time": "unknown"},
            "residual_MBq is given, expected residual_time in the same row",
        ),
        ({"dose_MBq": "8", "dose_time": "unknown"}, "dose_time is unknown, expected a time, or an empty cell if"),
    ],
)
def test_what_unknown_makes_a_part_of_a_dose_is_refused(tmp_path: Path, row: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        converted(tmp_path, row, replace(PET, tracer=MEASURED))
    assert str(caught.value).startswith(f"{tmp_path / 'subjects.csv'}:2: {message}")


def test_the_place_of_a_dose_is_where_its_values_stand(tmp_path: Path) -> None:
    source = one_scan(tmp_path, replace(PET, tracer=MEASURED))
    lines = (source / "m1.img.hdr").read_text("utf-8").split("\n")
    of_syringe = 1 + [line.split(" ")[0] for line in lines].index("activity_before_injection")
    both = {"dose_MBq": "6", "dose_time": "2014-06-17 13:41:37", **LEFT}
    for number, (row, line) in enumerate(((both, None), (LEFT, of_syringe))):
        sheet = read_sheet(sheet_of(tmp_path, {"file": "*", **row}))
        [study] = convert(source, tmp_path / f"out{number}", Options(sheet=sheet))
        [finding] = [each for each in study.all_findings if each.code.startswith("dose-")]
        assert (finding.code, finding.line) == ("dose-from-activities", line)


def test_a_header_dose_that_counts_after_all_is_found_at_its_line(tmp_path: Path) -> None:
    converted(tmp_path, {"residual_MBq": "unknown"}, replace(PET, tracer=MEASURED))
    lines = (tmp_path / "in" / "m1.img.hdr").read_text("utf-8").split("\n")
    [series] = json.loads((tmp_path / "out" / MANIFEST).read_text("utf-8"))["series"]
    assert series["values"]["dose"] == f"m1.img.hdr:{1 + [line.split(' ')[0] for line in lines].index('dose')}"


@pytest.mark.parametrize(
    ("row", "subject", "born"),
    [
        ({"birth_date": "2015-01-01"}, {}, "2015-01-01"),
        ({"birth_date": "2014-06-18"}, {}, "2014-06-18"),
        ({"birth_date": "2014-06-17"}, {}, None),
        ({}, {"birth_date": date(2015, 1, 2)}, "2015-01-02"),
        ({"birth_date": "2015-01-01"}, {"birth_date": date(2014, 1, 2)}, None),
    ],
)
def test_a_birth_after_the_scan_is_reported(
    tmp_path: Path, row: dict[str, str], subject: dict[str, Any], born: str | None
) -> None:
    study, _ = study_with(tmp_path, {"file": "*", **row}, subject=GivenSubject(**subject))
    found = [each.message for each in study.all_findings if each.code == "birth-after-scan"]
    assert found == ([] if born is None else [f"the birth date is {born}, after the scan at {CT.scan_time}"])


def test_check_shows_a_birth_after_the_scan_once_a_file(tmp_path: Path) -> None:
    source = write_thin_study(tmp_path / "in")
    sheet = sheet_of(tmp_path, {"file": "*", "birth_date": "2015-01-01"})
    found = json.loads(inveon("check", source, "--subjects", sheet, "--json").stdout)
    study_of_sheet = [[f["code"] for f in each["findings"]].count("birth-after-scan") for each in found["files"]]
    assert study_of_sheet == [1, 1]
    assert "birth-after-scan" not in [each["code"] for each in found["findings"]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"residual_MBq": "0.5", "residual_time": "2014-06-17 13:56:37"}, "residual_MBq is given, expected dose_MBq"),
        ({"dose_MBq": "8", "residual_MBq": "0.5"}, "residual_MBq is given, expected residual_time in the same row"),
        ({"dose_time": "2014-06-17 13:41:37"}, "dose_time is given, expected dose_MBq in the same row"),
        ({"residual_time": "2014-06-17 13:41:37"}, "residual_time is given, expected residual_MBq in the same row"),
        (
            {"dose_MBq": "8", "dose_time": "2014-06-17 13:41:37", "injection_time": "unknown"},
            "dose_time is given, expected injection_time, and a half-life",
        ),
        (
            {"dose_MBq": "0.5", "residual_MBq": "0.6", "residual_time": "2014-06-17 13:51:37"},
            "residual_MBq is given, expected less than the dose: at the injection nothing would be left",
        ),
    ],
)
def test_a_part_of_a_dose_is_refused(tmp_path: Path, row: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        converted(tmp_path, row)
    assert str(caught.value).startswith(f"{tmp_path / 'subjects.csv'}:2: {message}")
    assert not (tmp_path / "out").exists()


def test_an_empty_syringe_needs_no_time(tmp_path: Path) -> None:
    assert dose_of(tmp_path, {"dose_MBq": "8", "residual_MBq": "0"}) == 8e6


# Studies.


def study_with(folder: Path, *rows: dict[str, str], **options: Any) -> tuple[StudyResult, list[Dataset]]:
    source = write_thin_study(folder / "in")
    sheet = read_sheet(sheet_of(folder, *rows))
    [study] = convert(source, folder / "out", Options(sheet=sheet, **options))
    return study, [pydicom.dcmread(folder / "out" / file) for file in files_below(folder / "out")]


def test_a_row_of_a_subject_and_one_of_a_scan(tmp_path: Path) -> None:
    study, found = study_with(
        tmp_path, {"subject": "m0042", "patient_id": "M7", "weight_g": "25"}, {"file": "*.pet.img", "dose_MBq": "6"}
    )
    assert {ds.PatientID for ds in found} == {"M7"}
    assert {float(ds.PatientWeight) for ds in found} == {0.025}
    assert float(tracer_of(found[-1]).RadionuclideTotalDose) == 6e6
    assert study.rows == (2, 3)
    assert "scan-not-in-sheet" not in {finding.code for finding in study.all_findings}


def test_a_scan_without_a_row_is_reported_and_shares_what_is_given_of_the_study(tmp_path: Path) -> None:
    study, found = study_with(tmp_path, {"file": "*.pet.img", "patient_id": "M7"})
    assert {ds.PatientID for ds in found} == {"M7"}
    [finding] = [finding for finding in study.all_findings if finding.code == "scan-not-in-sheet"]
    assert (finding.message, Path(finding.path or "").name) == (
        "no row of subjects.csv matches this scan",
        "m1.ct.img.hdr",
    )


def test_one_id_settles_scans_of_several_subjects(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("M1", "M2"):
        write_scan(tmp_path / "in" / f"{name}.img", replace(CT, subject=replace(CT.subject, identifier=name)))
    rows = [{"subject": name, "patient_id": "M3"} for name in ("M1", "M2")]
    convert(tmp_path / "in", tmp_path / "out", Options(sheet=read_sheet(sheet_of(tmp_path, *rows))))
    rows[1]["patient_id"] = "M4"
    with pytest.raises(InputError, match=r"subjects.csv:3: patient_id is 'M4', but row 2 says 'M3'"):
        convert(tmp_path / "in", tmp_path / "other", Options(sheet=read_sheet(sheet_of(tmp_path, *rows))))


def test_the_command_line_wins_over_the_sheet(tmp_path: Path) -> None:
    _, found = study_with(
        tmp_path,
        {"file": "*", **FULL},
        subject=GivenSubject(id="X", sex="F"),
        study_description="Typed",
        xnat_route=Route("A", "B", "C"),
    )
    ds = found[-1]
    assert (ds.PatientID, ds.PatientSex, str(ds.PatientName)) == ("X", "F", "Mäuschen^Minnie")
    assert (ds.StudyDescription, ds.PatientComments) == ("Typed", "Project: A Subject: B Session: C")


def test_a_project_alone_is_written(tmp_path: Path) -> None:
    _, found = study_with(tmp_path, {"file": "*", "project": "LEP_01"})
    assert found[0].PatientComments == "Project: LEP_01"


# Identity.


def uids(found: Iterable[Dataset]) -> set[str]:
    return {uid for ds in found for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID)}


def test_a_sheet_that_says_what_the_headers_say_changes_no_byte(tmp_path: Path) -> None:
    study_with(tmp_path / "sheet", {"file": "*.pet.img", "dose_mCi": "0.19", "weight_kg": "0.0246", "sex": "female"})
    convert(tmp_path / "sheet" / "in", tmp_path / "plain")
    assert digests(tmp_path / "sheet" / "out") == digests(tmp_path / "plain")


@pytest.fixture(scope="module")
def plain_uids(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the UIDs of the study without a sheet."""
    folder = tmp_path_factory.mktemp("plain")
    convert(write_thin_study(folder / "in"), folder / "out")
    return uids(instances(folder / "out"))


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """Return a CT and a PET of a slice each, and their UIDs without a sheet."""
    folder = tmp_path_factory.mktemp("slices")
    (folder / "in").mkdir()
    for name, scan in (("m1.ct.img", CT), ("m1.pet.img", PET)):
        write_scan(folder / "in" / name, replace(scan, shape=(2, 2, 1)))
    convert(folder / "in", folder / "out")
    return folder / "in", uids(instances(folder / "out"))


@pytest.mark.parametrize("title", FULL)
def test_each_value_that_takes_effect_gives_other_uids(
    tmp_path: Path, slices: tuple[Path, set[str]], title: str
) -> None:
    together = {
        "breed_registration": ("breed_registry",),
        "breed_registry": ("breed_registration",),
        "strain_stock": ("strain_source", "strain_registry"),
        "strain_source": ("strain_stock", "strain_registry"),
        "strain_registry": ("strain_stock", "strain_source"),
        "genetic_modifications": ("genetic_modifications_nomenclature",),
        "genetic_modifications_nomenclature": ("genetic_modifications",),
        "genetic_modifications_codes": ("genetic_modifications", "genetic_modifications_nomenclature"),
    }
    row = {name: FULL[name] for name in (title, *together.get(title, ()))}
    source, plain = slices
    convert(source, tmp_path / "out", Options(sheet=read_sheet(sheet_of(tmp_path, {"file": "*", **row}))))
    assert not uids(instances(tmp_path / "out")) & plain


def test_a_study_elsewhere_has_the_same_uids(tmp_path: Path, plain_uids: set[str]) -> None:
    convert(write_thin_study(tmp_path / "in"), tmp_path / "out")
    assert uids(instances(tmp_path / "out")) == plain_uids


# The manifest, the report, the commands.


def test_the_manifest_shows_sources_and_no_values(tmp_path: Path) -> None:
    study_with(tmp_path, {"file": "*.pet.img", **FULL}, subject=GivenSubject(id="Typed 7"))
    text = (tmp_path / "out" / MANIFEST).read_text("utf-8")
    found = json.loads(text)
    assert found["subjects"]["name"] == "subjects.csv"
    assert len(found["subjects"]["sha256"]) == 64
    shown = found["values"]
    assert (shown["id"], shown["name"], shown["modifications"]) == ("command line", "subjects.csv:2", "subjects.csv:2")
    assert shown["institution"].startswith("m1.ct.img.hdr:")
    assert shown["age"] == "derived from other values"
    ct, pet = (series["values"] for series in found["series"])
    assert ct == {}
    assert pet == dict.fromkeys(("dose", "injection_time", "protocol", "series_description"), "subjects.csv:2")
    secret = ("Typed 7", "Minnie", "RccHan", "Envigo", "Anna", "Leptin", "AB 123", "251.5", "20140311", "LEP_01")
    assert [value for value in secret if value in text] == []


def test_the_manifest_names_the_headers_lines(tmp_path: Path) -> None:
    source = write_thin_study(tmp_path / "in")
    convert(source, tmp_path / "out")
    found = json.loads((tmp_path / "out" / MANIFEST).read_text("utf-8"))
    assert found["subjects"] is None
    lines = (source / "m1.pet.img.hdr").read_text("utf-8").split("\n")
    file, _, line = found["series"][1]["values"]["dose"].rpartition(":")
    assert (file, lines[int(line) - 1].split()[0]) == ("m1.pet.img.hdr", "dose")
    lines = (source / "m1.ct.img.hdr").read_text("utf-8").split("\n")
    for name, key in (("id", "subject_identifier"), ("weight_kg", "subject_weight"), ("study_description", "study")):
        file, _, line = found["values"][name].rpartition(":")
        assert (file, lines[int(line) - 1].split()[0]) == ("m1.ct.img.hdr", key)


@pytest.fixture(scope="module")
def study_of_sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a study, a sheet, and the study converted with it."""
    folder = tmp_path_factory.mktemp("told")
    write_thin_study(folder / "in")
    sheet_of(folder, {"file": "*.pet.img", **FULL}, {"file": "*.ct.img"}, {"subject": "nobody"})
    done = inveon("convert", folder / "in", folder / "out", "--subjects", folder / "subjects.csv", "--json")
    assert done.exit_code == 0, done.stderr
    (folder / "told.json").write_text(done.stdout, "utf-8")
    (folder / "told.txt").write_text(done.stderr, "utf-8")
    return folder


def test_convert_names_rows_that_no_scan_matched(study_of_sheet: Path) -> None:
    line = f"note: {study_of_sheet / 'subjects.csv'}:4: 1 of 3 rows match no scan: 4 [sheet-row-unused]\n"
    assert line in (study_of_sheet / "told.txt").read_text("utf-8")
    [study] = json.loads((study_of_sheet / "told.json").read_text("utf-8"))["studies"]
    assert study["rows"] == [2, 3]


def test_verify_with_the_sheet_finds_no_difference_and_without_it_does(study_of_sheet: Path) -> None:
    sheet = ("--subjects", study_of_sheet / "subjects.csv")
    same = inveon("verify", study_of_sheet / "in", study_of_sheet / "out", *sheet, "--json")
    assert (same.exit_code, json.loads(same.stdout)["same"]) == (0, True)
    other = inveon("verify", study_of_sheet / "in", study_of_sheet / "out", "--json")
    found = json.loads(other.stdout)
    assert other.exit_code == 1
    differs = {each["code"] for study in found["studies"] for part in study["series"] for each in part["differences"]}
    assert {"dose", "injection-time", "weight", "patient-id", "patient-name", "patient-sex"} <= differs
    assert "--subjects takes it into account" in " ".join(found["studies"][0]["notes"])


def test_verify_sees_a_dose_that_is_not_the_sheets(study_of_sheet: Path) -> None:
    text = (study_of_sheet / "subjects.csv").read_text("utf-8").replace("40.5", "40.6")
    (study_of_sheet / "other.csv").write_text(text, "utf-8")
    other = inveon(
        "verify", study_of_sheet / "in", study_of_sheet / "out", "--subjects", study_of_sheet / "other.csv", "--json"
    )
    assert other.exit_code == 1
    differences = [d for each in json.loads(other.stdout)["studies"][0]["series"] for d in each["differences"]]
    assert {each["code"] for each in differences} == {"dose"}


def test_convert_verifies_what_it_was_given(study_of_sheet: Path, tmp_path: Path) -> None:
    done = inveon(
        "convert",
        study_of_sheet / "in",
        tmp_path / "out",
        "--subjects",
        study_of_sheet / "subjects.csv",
        "--verify",
        "--as",
        "enhanced",
    )
    assert done.exit_code == 0, done.stderr
    assert "no difference" in done.stdout


def test_check_takes_the_sheet(study_of_sheet: Path) -> None:
    row = {"file": "*.pet.img", "weight_g": "24600", "dose_MBq": "unknown"}
    sheet = sheet_of(study_of_sheet, row, name="heavy.csv")
    done = inveon("check", study_of_sheet / "in", "--subjects", sheet, "--json")
    codes = {finding["code"] for each in json.loads(done.stdout)["files"] for finding in each["findings"]}
    assert {"weight-implausible", "dose-unknown", "scan-not-in-sheet"} <= codes


@pytest.mark.usefixtures("blank")
def test_reports_show_where_values_came_from(study_of_sheet: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = inveon("report", study_of_sheet / "in", "-o", page, "--subjects", study_of_sheet / "subjects.csv")
    assert done.exit_code == 0, done.stderr
    arguments = (
        study_of_sheet / "in",
        tmp_path / "out",
        "--subjects",
        study_of_sheet / "subjects.csv",
        "--report",
        "--patient-id",
        "X7",
    )
    assert inveon("convert", *arguments).exit_code == 0
    beside = (tmp_path / "out" / "report.html").read_text("utf-8")
    for text in (page.read_text("utf-8"), beside):
        assert (
            '<dt>Dose</dt>\n<dd><span class="from" title="subjects.csv:2">40.5\N{NO-BREAK SPACE}MBq</span></dd>' in text
        )
        assert (
            '<dt>Weight</dt>\n<dd><span class="from" title="subjects.csv:2">251.5\N{NO-BREAK SPACE}g</span></dd>'
            in text
        )
        assert re.search(
            r'<dt>Institution</dt>\n<dd><span class="from" title="m1.ct.img.hdr:\d+">Imaging Core Facility<', text
        )
        assert "Lepr&lt;fa&gt;, hom" in text
    assert '<dt>Subject</dt>\n<dd><span class="from" title="command line">X7</span></dd>' in beside


def test_a_bad_sheet_is_wrong_usage(study_of_sheet: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "s.csv"
    sheet.write_text("file,weight\n*,3\n", "utf-8")
    for command in (
        ("convert", study_of_sheet / "in", tmp_path / "out"),
        ("verify", study_of_sheet / "in", study_of_sheet / "out"),
    ):
        done = inveon(*command, "--subjects", sheet)
        line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
        assert "did you mean weight_g or weight_kg?" in line
    assert not (tmp_path / "out").exists()
