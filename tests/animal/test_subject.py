"""The animal: from the command line, else from the headers; what DICOM says of it, and findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers import CT, PET, header_text
from inveonimaging import Options, convert
from inveonimaging.animal import (
    Animal,
    GivenSubject,
    Source,
    age_of,
    animal_of,
    birth_date_of,
    given_subject,
    sex_of,
)
from inveonimaging.conversion.plan import plan
from inveonimaging.errors import InputError, OptionError
from inveonimaging.findings import Severity
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.hdr.enums import LengthUnits, WeightUnits
from inveonimaging.phantom import PET_SCAN, PhantomScan, frames_of, write_scan

HOSTILE = "left\\right \x1b[31mred\x1b[0m\tone\x07"


def header(**keys: str | None) -> Header:
    """Return the header of a text with these keys."""
    return parse(header_text(keys).encode())[0]


def animal(*headers: Header, **given: Any) -> Animal:
    """Return the animal of headers with no problem in them."""
    found, findings = animal_of(headers, GivenSubject(**given))
    assert not findings
    return found


# What was given on the command line, and what the headers say.


def test_the_header_says_who_the_animal_is() -> None:
    found = animal(
        header(
            subject_identifier="M 12",
            subject_date_of_birth="Mar 4 2014",
            subject_sex="Female",
            subject_age="15 weeks",
            subject_genus="Mus musculus",
            subject_phenotype="C57BL/6J",
            investigator="A. Curie",
            institution="Core",
        )
    )
    assert (found.name, found.id, found.birth_date, found.sex) == ("M 12", "M 12", date(2014, 3, 4), "F")
    assert (found.age, found.species, found.strain) == ("015W", "Mus musculus", "C57BL/6J")
    assert (found.investigator, found.institution) == ("A. Curie", "Core")
    assert {origin.source for origin in found.sources.values()} == {Source.HEADER}


def test_the_command_line_wins_over_the_header() -> None:
    shown = header(subject_identifier="M 12", subject_date_of_birth="Mar 4 2014", subject_sex="male")
    given = given_subject("Minnie", "M 13", "2013-12-25", "f")
    found, findings = animal_of([shown], given)
    assert not findings
    assert (found.name, found.id, found.birth_date, found.sex) == ("Minnie", "M 13", date(2013, 12, 25), "F")
    assert {found.sources[name].source for name in ("name", "id", "birth_date", "sex")} == {Source.COMMAND_LINE}


def test_one_given_value_leaves_the_others_to_the_header() -> None:
    found = animal(header(subject_identifier="M 12", subject_sex="male"), id="X")
    assert (found.name, found.id, found.sex) == ("M 12", "X", "M")
    assert (found.sources["name"].source, found.sources["id"].source) == (Source.HEADER, Source.COMMAND_LINE)


def test_what_is_given_as_empty_is_not_given() -> None:
    assert given_subject("", "", "", "") == GivenSubject()
    assert given_subject(None, None, None, None) == GivenSubject()


def test_a_given_name_is_refused_rather_than_cut() -> None:
    assert given_subject("x" * 64, "y" * 64, None, None) == GivenSubject(name="x" * 64, id="y" * 64)
    with pytest.raises(OptionError, match="name has 65 characters, expected at most 64"):
        given_subject("x" * 65, None, None, None)
    with pytest.raises(OptionError, match="ID has 65 characters, expected at most 64"):
        given_subject(None, "x" * 65, None, None)


def test_what_nobody_says_is_empty_and_not_made_up() -> None:
    assert animal(header(subject_identifier=None)) == Animal(sources={})


@pytest.mark.parametrize("typed", ["", "unknown", "Unknown", "N/A", "n/a", "none", "-", "?", "  "])
def test_words_for_nothing_are_nothing(typed: str) -> None:
    found = animal(
        header(
            subject_identifier=typed,
            subject_sex=typed,
            subject_date_of_birth=typed,
            subject_age=typed,
            subject_genus=typed,
            subject_phenotype=typed,
        )
    )
    assert found == Animal(sources={})


@pytest.mark.parametrize("typed", ["04.03.14", "03/04/2014", "31.02.2014", "yesterday", "2014"])
def test_a_given_birth_date_must_be_a_date(typed: str) -> None:
    with pytest.raises(OptionError, match="birth date"):
        given_subject(None, None, typed, None)


@pytest.mark.parametrize("typed", ["x", "mf", "männlich\x1b[31m"])
def test_a_given_sex_must_be_one(typed: str) -> None:
    with pytest.raises(OptionError, match="expected M, F or O") as caught:
        given_subject(None, None, None, typed)
    assert str(caught.value).isprintable()


# Forms of single values.


@pytest.mark.parametrize(
    ("typed", "sex"),
    [
        *[(typed, "M") for typed in ("M", "m", "Male", "male", "MALE", " male ")],
        *[(typed, "F") for typed in ("F", "f", "Female", "female", "FEMALE")],
        *[(typed, "O") for typed in ("O", "other")],
        *[(typed, None) for typed in ("", "x", "mouse", "fm", "castrated male")],
    ],
)
def test_sexes_as_people_write_them(typed: str, sex: str | None) -> None:
    assert sex_of(typed) == sex


@pytest.mark.parametrize(
    "typed",
    [
        "Mar 4 2014",
        "mar 04 2014",
        "March 4, 2014",
        "4 Mar 2014",
        "04-Mar-2014",
        "Tue Mar  4 00:00:00 2014",
        "Tue Mar 4 13:59:59 2014",
        "2014-03-04",
        "2014-3-4",
        "2014/03/04",
        "2014.03.04",
        "20140304",
    ],
)
def test_birth_dates_as_people_write_them(typed: str) -> None:
    assert birth_date_of(typed) == date(2014, 3, 4)


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("25.12.2013", date(2013, 12, 25)),
        ("12/25/2013", date(2013, 12, 25)),
        ("4.4.2014", date(2014, 4, 4)),
        ("03/04/2014", None),  # March or April?
        ("4.3.14", None),
        ("Mar 4 14", None),  # which century?
        ("Feb 30 2014", None),
        ("2014-13-01", None),
        ("Mar 2014", None),
        ("8 weeks", None),
        ("", None),
        ("2014", None),
        ("Foo 4 2014", None),
        ("Mar 4 99999999999999999999", None),
        ("0000-00-00", None),
        ("4" * 5000, None),
    ],
)
def test_dates_are_only_taken_when_they_can_be_read_in_one_way(typed: str, day: date | None) -> None:
    assert birth_date_of(typed) == day


@pytest.mark.parametrize(
    ("typed", "age"),
    [
        ("15 weeks", "015W"),
        ("15weeks", "015W"),
        ("15 wk", "015W"),
        ("15 wks", "015W"),
        ("8w", "008W"),
        ("8 W", "008W"),
        ("1 week", "001W"),
        ("56 d", "056D"),
        ("56 days", "056D"),
        ("3 months", "003M"),
        ("3 mo.", "003M"),
        ("2 y", "002Y"),
        ("2 yrs", "002Y"),
        ("8.0 weeks", "008W"),
        ("999 days", "999D"),
        ("1000 days", None),
        ("8.5 weeks", None),  # 59.5 days
        ("15", None),  # of what?
        ("-3 weeks", None),
        ("adult", None),
        ("P56", None),
        ("3 minutes", None),
    ],
)
def test_ages_as_people_write_them(typed: str, age: str | None) -> None:
    assert age_of(typed) == age


@settings(max_examples=50)
@given(typed=st.text() | st.from_regex(r"[0-9A-Za-z]{1,25}([ ./:,-][0-9A-Za-z]{1,25}){0,4}"))
@example(typed="Mar 4 " + "9" * 25)
@example(typed="٤ Mar ٢٠١٤")
@example(typed="Tue Mar 99 99:99:99 9999")
@example(typed="9" * 5000 + " weeks")
def test_no_text_crashes_and_what_is_read_is_in_range(typed: str) -> None:
    day = birth_date_of(typed)
    assert day is None or day.year > 1000
    assert age_of(typed) is None or len(str(age_of(typed))) == 4
    assert sex_of(typed) in {None, "M", "F", "O"}


@pytest.mark.parametrize(
    ("units", "weight", "kilograms"),
    [("1", "22.5", 0.0225), ("2", "1", 0.028349523125), ("3", "0.31", 0.31), ("4", "0.5", 0.226796185)],
)
def test_weights_come_in_four_units(units: str, weight: str, kilograms: float) -> None:
    found = animal(header(subject_weight_units=units, subject_weight=weight))
    assert found.weight_kg == pytest.approx(kilograms, rel=1e-15)  # one product in decimal arithmetic


@pytest.mark.parametrize(("units", "length", "metres"), [("1", "75", 0.075), ("2", "7.5", 0.075), ("3", "3", 0.0762)])
def test_lengths_come_in_three_units(units: str, length: str, metres: float) -> None:
    found = animal(header(subject_length_units=units, subject_length=length))
    assert found.length_m == pytest.approx(metres, rel=1e-15)  # likewise


def test_without_an_age_the_birth_date_gives_it_at_the_scan() -> None:
    found = animal(header(subject_date_of_birth="Mar 4 2014", scan_time="Tue Jun 17 13:52:07 2014"))
    assert found.age == "105D"  # 27 days of March, 30, 31 and 17 of June
    assert found.sources["age"].source is Source.DERIVED


@pytest.mark.parametrize(("birth", "doubtful"), [("Jun 18 2014", ["birth-after-scan"]), ("Mar 4 2004", [])])
def test_no_age_is_made_of_a_birth_after_the_scan_or_beyond_three_digits(birth: str, doubtful: list[str]) -> None:
    odd_header = header(subject_date_of_birth=birth, scan_time="Tue Jun 17 13:52:07 2014")
    found, findings = animal_of([odd_header], GivenSubject())
    assert (found.age, [each.code for each in findings]) == (None, doubtful)


def test_drugs_and_food_become_the_history() -> None:
    found = animal(header(anesthesia="isoflurane 2 %", food_access="fasted 6 h", other_drugs="none"))
    assert found.history is not None
    assert "isoflurane 2 %" in found.history
    assert "fasted 6 h" in found.history
    assert "none" not in found.history


# What is doubtful.


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"subject_sex": "castrated"}, "subject_sex is 'castrated'"),
        ({"subject_date_of_birth": "03/04/2014"}, "subject_date_of_birth is '03/04/2014'"),
        ({"subject_age": "adult"}, "subject_age is 'adult'"),
        ({"subject_weight_units": "1", "subject_weight": "0"}, "subject_weight is 0"),
        ({"subject_weight_units": "0", "subject_weight": "22"}, "no unit"),
        ({"subject_weight": "22"}, "no unit"),
        ({"subject_weight_units": "1", "subject_weight": "-3"}, "subject_weight"),
        ({"subject_length_units": "0", "subject_length": "75"}, "subject_length"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_reported(keys: Mapping[str, str], named: str) -> None:
    found, findings = animal_of([header(**keys)], GivenSubject())
    [finding] = findings
    assert named in finding.message
    assert finding.severity is Severity.WARNING
    assert finding.key in keys
    assert (found.sex, found.birth_date, found.age) == ("", None, None)
    assert (found.weight_kg, found.length_m) == (None, None)


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("subject_sex", "male", "female"),
        ("subject_date_of_birth", "Mar 4 2014", "Mar 5 2014"),
        ("subject_genus", "mouse", "rat"),
        ("subject_age", "3 weeks", "4 weeks"),
    ],
)
def test_headers_that_disagree_are_a_finding_and_the_first_counts(key: str, one: str, other: str) -> None:
    found, findings = animal_of([header(**{key: one}), header(**{key: other})], GivenSubject())
    [finding] = findings
    assert (finding.code, finding.key) == ("subject-disagrees", key)
    assert finding.severity is Severity.WARNING
    first, _ = animal_of([header(**{key: one})], GivenSubject())
    assert found == first


def test_several_subjects_are_an_error_that_names_all() -> None:
    headers = [header(subject_identifier=name) for name in ("M1", "M2", "M3", "M4")]
    _, [finding] = animal_of(headers, GivenSubject())
    assert (finding.code, finding.severity) == ("several-subjects", Severity.ERROR)
    assert "'M1', 'M2', 'M3', 'M4'" in finding.message


def test_a_subject_in_other_letters_is_the_same() -> None:
    headers = [header(subject_identifier="Mouse 7"), header(subject_identifier="mouse  7")]
    found, findings = animal_of(headers, GivenSubject())
    assert (found.id, findings) == ("Mouse 7", ())


def test_scans_of_several_subjects_are_not_converted_without_a_patient_id(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("M1", "M2"):
        scan = replace(PET_SCAN, shape=(4, 3, 2), frames=frames_of(60.0))
        write_scan(source / f"{name}.pet.img", replace(scan, subject=replace(scan.subject, identifier=name)))
    with pytest.raises(InputError, match="differs within the study: 'M1', 'M2', expected one animal; give each animal"):
        convert(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    convert(source, tmp_path / "out", Options(subject=GivenSubject(id="M3")))
    assert {str(pydicom.dcmread(file).PatientName) for file in (tmp_path / "out").rglob("*.dcm")} == {"M3"}


def test_a_header_that_says_nothing_does_not_disagree() -> None:
    silent = header(subject_identifier=None)
    assert animal(silent, header(subject_identifier="M2", subject_sex="m")).id == "M2"


def test_the_same_in_other_words_does_not_disagree() -> None:
    one = header(subject_sex="m", subject_date_of_birth="Mar 4 2014")
    assert animal(one, header(subject_sex="Male", subject_date_of_birth="2014-03-04")).sex == "M"


def test_a_given_value_settles_what_headers_disagree_on() -> None:
    headers = [header(subject_identifier="M1"), header(subject_identifier="M2", subject_sex="castrated")]
    found, findings = animal_of(headers, GivenSubject(id="M3", name="M3", sex="M"))
    assert (found.id, found.name, found.sex) == ("M3", "M3", "M")
    assert not findings


def test_a_given_id_settles_id_and_name_of_several_subjects() -> None:
    headers = [header(subject_identifier="M1"), header(subject_identifier="M2")]
    found, findings = animal_of(headers, GivenSubject(id="M3"))
    assert (found.id, found.name, findings) == ("M3", "M3", ())


def test_findings_stand_where_the_header_says_it(tmp_path: Path) -> None:
    pair = write_scan(tmp_path / "a.ct.img", replace(CT, subject=replace(CT.subject, sex="castrated")))
    [study] = plan(tmp_path, tmp_path / "out", Options())
    [finding] = [finding for finding in study.findings if finding.key == "subject_sex"]
    assert finding.path == str(pair.header)
    lines = pair.header.read_text("utf-8").split("\n")
    assert finding.line is not None
    assert lines[finding.line - 1] == "subject_sex castrated"


# What DICOM says of it.


def dicom_of(
    folder: Path, scan: PhantomScan = CT, *, options: Options | None = None, **subject: Any
) -> pydicom.FileDataset:
    """Return an instance of a scan with these attributes of its subject, after a conversion.

    It is the second one: the first holds the original header, with all that is wrong with it. By default it has every
    element that there is for an animal.
    """
    folder.mkdir(exist_ok=True)
    write_scan(folder / "a.img", replace(scan, subject=replace(scan.subject, **subject)))
    convert(folder / "a.img", folder / "out", options or Options(unlimited_text=True))
    return pydicom.dcmread(min((folder / "out").rglob("*000002.dcm")))


@pytest.mark.parametrize("scan", [CT, PET], ids=["CT", "PET"])
def test_every_kind_of_image_names_the_animal(tmp_path: Path, scan: PhantomScan) -> None:
    ds = dicom_of(tmp_path, scan)
    assert (str(ds.PatientName), ds.PatientID, ds.PatientBirthDate, ds.PatientSex) == (
        "M0042",
        "M0042",
        "20140304",
        "F",
    )
    assert ds.PatientAge == "015W"
    assert float(ds.PatientSize) == 0.075
    assert float(ds.PatientWeight) == pytest.approx(scan.subject.weight_kg, rel=1e-9)  # a DS of 16 characters
    assert ds.StrainDescription == "C57BL/6J"
    assert ds.ResponsibleOrganization == "Imaging Core Facility"
    assert (str(ds.ResponsiblePerson), ds.ResponsiblePersonRole) == ("investigator 1", "INVESTIGATOR")
    assert "SpecificCharacterSet" not in ds


@pytest.mark.parametrize(
    ("genus", "value", "meaning"),
    [
        ("mouse", "447612001", "Mus musculus"),
        ("Mus musculus", "447612001", "Mus musculus"),
        ("RAT", "371565004", "Rattus norvegicus"),
        ("Rattus norvegicus", "371565004", "Rattus norvegicus"),
        ("Rattus", "371564000", "Rattus"),
    ],
)
def test_a_species_is_text_and_code(tmp_path: Path, genus: str, value: str, meaning: str) -> None:
    ds = dicom_of(tmp_path, genus=genus)
    assert ds.PatientSpeciesDescription == genus
    [code] = ds.PatientSpeciesCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == (value, "SCT", meaning)
    assert ds.PatientSexNeutered == ""  # type 2C
    assert ds.PatientBreedDescription == ""  # type 2C
    assert list(ds.PatientBreedCodeSequence) == []  # type 2C
    assert ds.AnatomicalOrientationType == "BIPED"


def test_a_species_without_a_code_is_text_and_a_finding(tmp_path: Path) -> None:
    ds = dicom_of(tmp_path, genus="Danio rerio")
    assert ds.PatientSpeciesDescription == "Danio rerio"
    assert "PatientSpeciesCodeSequence" not in ds
    [study] = plan(tmp_path / "a.img", tmp_path / "other", Options())
    assert "species-not-coded" in {finding.code for finding in study.findings}


@pytest.mark.parametrize("genus", [None, "", "human", "Homo sapiens", "Homo sapiens sapiens"])
def test_a_phantom_or_a_human_has_no_attributes_of_animals(tmp_path: Path, genus: str | None) -> None:
    ds = dicom_of(tmp_path, genus=genus)
    organism = (
        "PatientSpeciesDescription",
        "PatientSpeciesCodeSequence",
        "PatientBreedDescription",
        "PatientBreedCodeSequence",
        "BreedRegistrationSequence",
        "ResponsibleOrganization",
        "PatientSexNeutered",
        "AnatomicalOrientationType",
    )
    assert [name for name in organism if name in ds] == []
    assert "PatientName" in ds


def test_an_unknown_animal_is_empty_where_dicom_wants_it_and_absent_elsewhere(tmp_path: Path) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("identifier", "genus", "date_of_birth", "age", "sex", "phenotype", "weight", "weight_units", "length")
    )
    ds = dicom_of(tmp_path, **nothing)
    for keyword in ("PatientBirthDate", "PatientSex"):
        assert keyword in ds
        assert str(ds[keyword].value or "") == ""
    assert ds.PatientName == ds.PatientID == "a"  # of a.img
    for keyword in ("PatientAge", "PatientSize", "PatientWeight", "StrainDescription"):
        assert keyword not in ds


@pytest.mark.parametrize(
    ("units", "weight", "kilograms"),
    [(WeightUnits.GRAM, 22.5, 0.0225), (WeightUnits.KILOGRAM, 0.31, 0.31), (WeightUnits.UNKNOWN, 22.5, None)],
)
def test_weight_is_in_kilograms_or_absent(
    tmp_path: Path, units: WeightUnits, weight: float, kilograms: float | None
) -> None:
    ds = dicom_of(tmp_path, weight=weight, weight_units=units)
    assert (float(ds.PatientWeight) if "PatientWeight" in ds else None) == kilograms


def test_length_is_in_metres(tmp_path: Path) -> None:
    assert float(dicom_of(tmp_path, length=3.0, length_units=LengthUnits.INCH).PatientSize) == 0.0762


def test_long_text_is_cut_to_what_dicom_holds(tmp_path: Path) -> None:
    long = "x" * 300
    change: dict[str, Any] = dict.fromkeys(("identifier", "genus", "phenotype", "anesthesia"), long)
    ds = dicom_of(tmp_path, options=Options(study_description=long, unlimited_text=True), **change)
    assert ds.PatientID == ds.PatientSpeciesDescription == ds.StrainDescription == ds.StudyDescription == "x" * 64
    assert str(ds.PatientName) == "x" * 64
    assert len(ds.StudyID) <= 16
    assert long in ds.AdditionalPatientHistory


@pytest.mark.parametrize("scan", [CT, PET], ids=["CT", "PET"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_other_alphabets_get_a_character_set_and_read_back(tmp_path: Path, scan: PhantomScan, encoding: str) -> None:
    ds = dicom_of(tmp_path, replace(scan, encoding=encoding), identifier="Mäuschen é", phenotype="Größe ½")
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert (str(ds.PatientName), ds.PatientID) == ("Mäuschen é", "Mäuschen é")
    assert ds.StrainDescription == "Größe ½"


@pytest.mark.parametrize("name", ["鼠^一", "Maus Ü", "Мышь", "🐭"])
def test_other_alphabets_on_the_command_line_get_a_character_set(tmp_path: Path, name: str) -> None:
    ds = dicom_of(tmp_path, options=Options(subject=GivenSubject(name=name)))
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert str(ds.PatientName) == name


def test_another_alphabet_in_a_file_name_alone_reads_back(tmp_path: Path) -> None:
    pair = write_scan(tmp_path / "a.img", CT)
    pair.data.rename(tmp_path / "mäuse.img")
    pair.header.rename(tmp_path / "mäuse.img.hdr")
    convert(tmp_path / "mäuse.img", tmp_path / "out")
    for file in (tmp_path / "out").rglob("*.dcm"):
        ds = pydicom.dcmread(file)
        block = [element for element in ds if element.tag.is_private]
        assert not any("?" in str(element.value) for element in block if element.VR == "LO")
    first = pydicom.dcmread(tmp_path / "out" / "1" / "CT-000001.dcm")
    assert "mäuse.img.hdr" in [element.value for element in first if element.tag.is_private]


@pytest.mark.parametrize("scan", [CT, PET], ids=["CT", "PET"])
def test_backslashes_and_control_characters_stay_out_of_the_attributes(tmp_path: Path, scan: PhantomScan) -> None:
    names = ("identifier", "genus", "phenotype", "anesthesia", "scan_region")
    hostile: dict[str, Any] = dict.fromkeys(names, HOSTILE)
    tracer = replace(scan.tracer, compound=HOSTILE)
    ds = dicom_of(tmp_path, replace(scan, tracer=tracer), **hostile)
    cleaned = "left/right [31mred [0m one"
    assert str(ds.PatientName) == ds.PatientID == ds.PatientSpeciesDescription == ds.StrainDescription == cleaned
    texts = [str(element.value) for element in ds.iterall() if element.VR in {"LO", "SH", "PN", "LT", "ST", "CS"}]
    assert len(texts) > 20
    assert not [text for text in texts if "\x1b" in text or "\x07" in text or "\t" in text]
    assert ds["PatientID"].VM == 1


def test_the_given_study_description_wins_over_the_headers(tmp_path: Path) -> None:
    assert dicom_of(tmp_path / "one").StudyDescription == "FDG uptake of a subcutaneous tumour"
    ds = dicom_of(tmp_path / "two", options=Options(study_description="Pilot"))
    assert ds.StudyDescription == "Pilot"


def test_a_birth_date_and_time_from_the_console_is_its_date() -> None:
    moment = datetime(2014, 3, 4, 17, 30)
    assert birth_date_of(moment.strftime("%a %b %d %H:%M:%S %Y")) == moment.date()
