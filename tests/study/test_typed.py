"""Weight, dose, injection, species, strain and sex from the command line: the same numbers in every command."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pydicom
import pytest

from contract import SPECT
from helpers import CT, PET, assert_one_line_error, draw_one_pixel, inveon, write_small_study
from inveonimaging import Corrections, Deidentify, OptionError, Options, check, convert, read_study, verify
from inveonimaging.phantom import write_scan
from inveonimaging.phantom.scan import FDG

INJECTED = datetime(2014, 6, 17, 13, 50)
TYPED = ["--weight", "30g", "--dose", "0.19mCi", "--injected-at", "2014-06-17T13:50:00"]
TYPED += ["--species", "rat", "--strain", "Wistar", "--sex", "M", "--posture", "FFS"]
IMPOSSIBLE = ("0001-01-01T00:00:00", "1899-12-31T23:59:59", "1970-06-17T13:51:37", "2201-01-01T00:00:00")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a PET of which nothing is known that SUV needs."""
    subject = replace(PET.subject, weight=0.0, genus=None, phenotype=None, sex=None)
    tracer = replace(FDG, dose=0.0, injection_time=None)
    folder = tmp_path_factory.mktemp("bare")
    write_scan(folder / "m.pet.img", replace(PET, subject=subject, tracer=tracer))
    return folder


def first_of(output: Path) -> pydicom.Dataset:
    return pydicom.dcmread(next(output.rglob("*.dcm")))


@pytest.mark.parametrize(
    ("text", "weight_kg"),
    [
        ("24.6g", 0.0246),
        (" 24.6 g ", 0.0246),
        ("24600mg", 0.0246),
        ("0.0246KG", 0.0246),
        ("24.6 G", 0.0246),  # a gram: giga is no unit
        ("1oz", 0.028349523125),  # by definition, 1/16 of 0.45359237 kg
        ("1lb", 0.45359237),
        ("2.46e1 g", 0.0246),
        (0.0246, 0.0246),
    ],
)
def test_weights(text: str | float, weight_kg: float) -> None:
    assert Corrections(weight_kg=text).weight_kg == weight_kg


@pytest.mark.parametrize(
    "text",
    [
        "7.03MBq",
        "7.03MBQ",
        "7.03Mbq",
        "7.03 MBq",
        "7030kBq",
        "7030000Bq",
        "0.00703GBq",
        "0.00703gbq",
        "0.19mCi",
        "0.19mci",
        "190uCi",
        "190UCI",
        "190µCi",
        7.03,
    ],
)
def test_doses_in_every_unit_are_the_same_number(text: str | float) -> None:
    assert Corrections(dose_mbq=text).dose_mbq == 7.03  # 0.19 mCi x 37


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("weight_kg", text)
            for text in ("24.6", "24,6g", "0g", "-1g", "g", "24.6Mg", "24.6stone", "", "1e999kg", "1e-999kg", "٣g")
        ),
        *(
            ("dose_mbq", text)
            for text in ("7.03", "7.03mBq", "7.03mbq", "7.03MCi", "7.03g", "nanMBq", "infMBq", "1e305MBq")
        ),
        *(
            ("injected_at", text)
            for text in ("13:51:37", "2014-06-17", "2014-06-17T13:51:37+02:00", "yesterday", *IMPOSSIBLE)
        ),
        *(("scan_time", text) for text in IMPOSSIBLE),
        *(("injected_at", datetime.fromisoformat(text)) for text in IMPOSSIBLE),
        ("dose_mbq", "1e305MBq"),
        ("dose_mbq", 1e305),  # infinite in Bq
        ("species", "a\\b"),
        ("strain", "x" * 65),
        ("weight_kg", True),
        ("weight_kg", float("nan")),
        ("species", 7),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, text: object) -> None:
    with pytest.raises(OptionError, match="expected"):
        Corrections(**{name: text})  # type: ignore[arg-type]


def test_a_number_without_its_unit_is_reported_what_to_type(bare: Path) -> None:
    done = inveon("info", bare, "--weight", "24.6")
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert line.startswith("error: --weight is '24.6', expected a number above 0 and its unit (g, kg,")
    assert line.endswith("as 24.6g\n")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        *((option, IMPOSSIBLE[0], "of a year from 1971 to 2200") for option in ("--injected-at", "--scan-time")),
        *(("--injected-at", text, f"is '{text}', expected local time") for text in IMPOSSIBLE),
        ("--patient-birth-date", "1850-01-01", "of a year from 1900 to 2200"),
        ("--dose", "7.03mbq", "; m is milli and M is mega: 7.03MBq, if that is meant"),
        ("--dose", "0.19MCi", "; m is milli and M is mega: 0.19mCi, if that is meant"),
        ("--posture", "prone", "is 'prone', expected one of FFP"),
        ("--orientation", "prone", "is 'prone', expected one of FFP"),
        ("--sex", "q", "is 'q', expected M, F or O"),
        ("--patient-sex", "q", "is 'q', expected M, F or O"),
        ("--patient-name", "x" * 65, ": the patient's name has 65 characters, expected at most 64"),
        ("--cycle-length", "0", "is '0', expected milliseconds above 0, up to a minute"),
        ("--flip", "q", "is 'q', expected letters of xyz"),
        ("--strain", "a\\b", "expected text without backslash"),
    ],
)
def test_what_is_refused_is_named_as_it_was_typed(bare: Path, option: str, value: str, message: str) -> None:
    for typed in ([option, value], [f"{option}={value}"]):
        done = inveon("info", bare, *typed)
        line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
        assert line.startswith(f"error: {option}")
        assert message in line


@pytest.mark.parametrize("title", ["injection_time", "dose_time", "residual_time"])
@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_a_moment_of_a_sheet_is_refused_with_its_row(bare: Path, tmp_path: Path, title: str, text: str) -> None:
    sheet = tmp_path / "s.csv"
    sheet.write_text(f"file,{title}\n*,{text}\n")
    done = inveon("check", bare, "--subjects", sheet)
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert line.startswith(f"error: {sheet}:2: {title} is '{text}', expected")
    assert "of a year from 1971 to 2200" in line


def test_a_typed_moment_is_not_shifted_to_one_that_counts_as_none(bare: Path, tmp_path: Path) -> None:
    typed = ["--deidentify", "--shift-days", "-20000", "--patient-id", "A", "--injected-at", "2014-06-17T13:50:00"]
    done = inveon("convert", bare, tmp_path / "out", *typed)
    assert_one_line_error(done.exit_code, done.stdout, done.stderr, done.exit_code)
    assert done.exit_code
    assert "cannot be shifted" in done.stderr


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--ct-prefix", "a/b"], "--ct-prefix is 'a/b', expected a start of a file name"),
        (["-p", "a/b"], "-p is 'a/b', expected a start of a file name"),
        (["--nm-prefix", "a/b"], "--nm-prefix is 'a/b', expected a start of a file name"),
        (["-f", "a/b"], "-f is 'a/b', expected a name alone"),
        (["--max-object-size", "5"], "--max-object-size is '5', expected 1MiB"),
        (["--xnat-route", "a"], "--xnat-route is 'a', expected PROJECT/SUBJECT/SESSION"),
    ],
)
def test_options_of_a_conversion_are_named_as_they_were_typed(
    bare: Path, tmp_path: Path, typed: list[str], message: str
) -> None:
    done = inveon("convert", bare, tmp_path / "out", *typed)
    assert assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2).startswith(f"error: {message}")


def test_suv_is_ready_with_what_was_missing(bare: Path) -> None:
    without = inveon("check", bare)
    assert "not ready" in without.stdout
    typed = inveon("check", bare, *TYPED)
    assert ": ready" in typed.stdout
    assert "30 g" in typed.stdout
    assert "7.03 MBq" in typed.stdout


# What makes no sense, and is taken all the same: every command says so, and with one code.

ABSURD = {
    ("--weight", "1e300g"): "weight-implausible",
    ("--weight", "1e-5g"): "weight-implausible",
    ("--dose", "200GBq"): "dose-implausible",
    ("--dose", "1e-9Bq"): "dose-implausible",
    ("--injected-at", "2014-06-10T13:51:37"): "injection-long-before",  # 7 days, 92 half-lives of 109.77 min
    ("--injected-at", "2014-06-18T13:51:37"): "injection-after-end",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a PET of which all is known, and the DICOM made of it."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "in").mkdir()
    write_scan(folder / "in" / "m.pet.img", PET)
    convert(folder / "in", folder / "dicom")
    return folder / "in", folder / "dicom"


@pytest.mark.parametrize("typed", ABSURD)
def test_what_makes_no_sense_is_a_warning_that_names_the_option(
    whole: tuple[Path, Path], tmp_path: Path, typed: tuple[str, str]
) -> None:
    code = ABSURD[typed]
    assert code not in inveon("info", whole[0]).stderr
    line = next(line for line in inveon("info", whole[0], *typed).stderr.splitlines() if code in line)
    assert line.startswith("warning: ")
    assert line.endswith(f" ({typed[0]}) [{code}]")
    assert inveon("convert", whole[0], tmp_path / "strict", "--strict", *typed).exit_code == 1


@pytest.mark.usefixtures("batches_here")
def test_every_command_warns_of_what_makes_no_sense(
    whole: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_one_pixel(monkeypatch)
    typed = [*("--weight", "1e300g"), *("--dose", "200GBq"), *("--injected-at", "2014-06-18T13:51:37")]
    commands: dict[str, tuple[object, ...]] = {
        "convert": (tmp_path / "out",),
        "batch": (tmp_path / "batch",),
        "report": ("--png", tmp_path / "png"),
        "subjects": ("-o", tmp_path / "s.csv"),
        "verify": (whole[1],),
        "check": (),
    }
    for command, more in commands.items():
        reported = inveon(command, whole[0], *more, *typed).output
        for code in ("weight-implausible", "dose-implausible", "injection-after-end"):
            assert code in reported, command


@pytest.mark.parametrize(
    ("title", "value", "code"),
    [
        ("weight_g", "24600", "weight-implausible"),
        ("dose_MBq", "7030", "dose-implausible"),
        ("injection_time", "2014-06-10 13:51:37", "injection-long-before"),
    ],
)
def test_a_sheet_is_warned_of_with_its_row(
    whole: tuple[Path, Path], tmp_path: Path, title: str, value: str, code: str
) -> None:
    sheet = tmp_path / "s.csv"
    sheet.write_text(f"file,{title}\n*,{value}\n")
    [scan] = read_study(whole[0], Corrections(sheet=sheet)).scans
    doubt = next(each for each in scan.doubts if each.code == code)
    assert doubt.message.endswith(f" ({title} of row 2)")


def test_a_species_makes_the_weight_of_a_header_doubtful(whole: tuple[Path, Path]) -> None:
    assert not read_study(whole[0]).scans[0].doubts
    assert not read_study(whole[0], Corrections(species="mouse")).scans[0].doubts
    [doubt] = read_study(whole[0], Corrections(species="rabbit")).scans[0].doubts  # 24.6 g
    assert doubt.code == "weight-implausible"


def test_a_spect_is_given_more(tmp_path: Path) -> None:
    write_scan(tmp_path / "m.spect.img", SPECT)
    assert not read_study(tmp_path, Corrections(dose_mbq="740MBq")).scans[0].doubts
    assert [each.code for each in read_study(tmp_path, Corrections(dose_mbq="7.4GBq")).scans[0].doubts] == [
        "dose-implausible"
    ]


def test_check_says_of_an_injection_what_is_written(whole: tuple[Path, Path]) -> None:
    early = check(whole[0], Corrections(injected_at="2014-06-18T13:51:37")).files[0].suv
    assert early is not None
    states = {row.attribute: (row.state.value, row.value) for row in early.rows}
    assert states["Radiopharmaceutical Start DateTime"] == ("not usable", "2014-06-18 13:51:37")
    assert states["Radiopharmaceutical Start Time"] == ("not usable", "13:51:37")


def test_a_typed_scan_time_counts_in_every_command(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "m.pet.img", replace(PET, scan_time=datetime(1970, 1, 1)))
    typed = ("--scan-time", "2014-06-17T14:51:37", "--injected-at", "2014-06-17T13:51:37")
    assert "2014-06-17 14:51:37" in inveon("info", tmp_path / "in", *typed).stdout
    assert ": ready" in inveon("check", tmp_path / "in", *typed).stdout
    assert inveon("convert", tmp_path / "in", tmp_path / "out", *typed).exit_code == 0
    same = inveon("verify", tmp_path / "in", tmp_path / "out")
    assert same.exit_code == 0, same.output
    assert (
        "injection-after-end" in inveon("info", tmp_path / "in", *typed[:1], "2014-06-16T14:51:37", *typed[2:]).stderr
    )


def test_info_and_the_sheet_show_what_was_typed(bare: Path, tmp_path: Path) -> None:
    shown = " ".join(inveon("info", bare, *TYPED).stdout.split())
    for words in (
        "Species │ rat",
        "Strain │ Wistar",
        "Sex │ M",
        "Weight │ 30 g",
        "Dose │ 7.03 MBq",
        "Injected │ 2014-06-17 13:50:00",
    ):
        assert words in shown
    assert inveon("subjects", bare, "-o", tmp_path / "s.csv", *TYPED).exit_code == 0
    assert ",M,rat,Wistar,30,7.03,2014-06-17 13:50:00" in (tmp_path / "s.csv").read_text("utf-8-sig")


def test_dicom_and_manifest_hold_what_was_typed_and_verify_agrees(bare: Path, tmp_path: Path) -> None:
    done = inveon("convert", bare, tmp_path / "out", *TYPED, "--unlimited-text")
    assert done.exit_code == 0, done.stderr
    ds = first_of(tmp_path / "out")
    [tracer] = ds.RadiopharmaceuticalInformationSequence
    assert (float(ds.PatientWeight), ds.PatientSex, ds.StrainDescription) == (0.03, "M", "Wistar")
    assert (ds.PatientSpeciesDescription, ds.PatientSpeciesCodeSequence[0].CodeMeaning) == ("rat", "Rattus norvegicus")
    assert float(tracer.RadionuclideTotalDose) == 7.03e6
    assert tracer.RadiopharmaceuticalStartDateTime == "20140617135000"
    assert ds.PatientGantryRelationshipCodeSequence[0].CodeMeaning == "feet-first"
    document = json.loads((tmp_path / "out" / "inveon-manifest.json").read_text())
    assert {name: document["values"][name] for name in ("weight_kg", "species", "strain", "sex")} == dict.fromkeys(
        ("weight_kg", "species", "strain", "sex"), "command line"
    )
    assert document["series"][0]["values"] == {"dose": "command line", "injection_time": "command line"}
    again = inveon("verify", bare, tmp_path / "out", "--sex", "M")
    assert again.exit_code == 0, again.stdout
    other = inveon("verify", bare, tmp_path / "out", "--sex", "M", "--weight", "31g")
    assert "[weight]" in other.output


def test_a_manifest_that_was_edited_gives_nothing_that_makes_no_sense(bare: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    convert(bare, output, Options(weight_kg="30g", dose_mbq=7.03, injected_at=INJECTED))
    path = output / "inveon-manifest.json"
    document = json.loads(path.read_text())
    document["options"] |= {
        "weight_kg": -1,
        "dose_mbq": [7.03],
        "injected_at": 5,
        "species": "\x1b[1m",
        "cycle_ms": 1e9,
    }
    path.write_text(json.dumps(document))
    assert verify(bare, output).studies[0].assumed == {}


def test_a_typed_dose_replaces_all_that_a_sheet_says_of_it(bare: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "s.csv"
    sheet.write_text(
        "file,weight_g,dose_MBq,dose_time,residual_MBq,residual_time,injection_time,species,species_code\n"
        "*,25,8.1,2014-06-17 13:41:00,0.31,2014-06-17 13:56:00,2014-06-17 13:51:37,mouse,1^L^own mouse\n"
    )
    [scan] = read_study(bare, Corrections(sheet=sheet, dose_mbq="7.03MBq", species="rat")).scans
    tracer = scan.image.header.tracer
    assert (tracer.dose_bq, tracer.injected_at) == (7.03e6, datetime(2014, 6, 17, 13, 51, 37))
    assert scan.image.header.subject.weight_kg == 0.025
    assert (scan.animal.species, scan.animal.species_code) == ("rat", None)
    [same] = read_study(bare, Corrections(sheet=sheet, species="Mouse")).scans
    assert same.animal.species_code is not None
    [none] = read_study(bare, Corrections(sheet=sheet, species="unknown")).scans
    assert (none.animal.species, none.image.header.subject.genus) == (None, None)


def test_a_ct_has_weight_and_no_dose(tmp_path: Path) -> None:
    study = read_study(write_small_study(tmp_path / "in"), Corrections(weight_kg="30g", dose_mbq="5MBq"))
    ct, pet = (scan.image.header for scan in study.scans)
    assert (ct.subject.weight_kg, ct.tracer.dose_bq, pet.subject.weight_kg, pet.tracer.dose_bq) == (
        0.03,
        None,
        0.03,
        5e6,
    )


@pytest.mark.parametrize("what", ["isotope", "day"])
@pytest.mark.parametrize("option", [("--dose", "7MBq"), ("--injected-at", "2014-06-17T13:50:00")])
def test_one_dose_is_not_that_of_several_injections(tmp_path: Path, what: str, option: tuple[str, str]) -> None:
    other = replace(FDG, isotope="Cu-64") if what == "isotope" else FDG
    later = PET.scan_time + timedelta(days=1) if what == "day" else PET.scan_time
    tracer = replace(other, injection_time=later - timedelta(seconds=30))
    write_scan(tmp_path / "in1.pet.img", replace(PET, tracer=replace(FDG, isotope="18F")))
    write_scan(tmp_path / "in2.pet.img", PET)
    assert inveon("info", tmp_path, *option).exit_code == 0  # the same isotope in other words
    write_scan(tmp_path / "in3.pet.img", replace(PET, tracer=tracer, scan_time=later))
    done = inveon("info", tmp_path, *option)
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert f"{option[0]} is for one injection, and the headers have several" in line
    assert inveon("info", tmp_path, "--weight", "30g").exit_code == 0


def test_a_typed_injection_is_shifted_with_the_headers(bare: Path, tmp_path: Path) -> None:
    given = Options(
        weight_kg="30g",
        dose_mbq=7.03,
        injected_at=INJECTED,
        deidentify=Deidentify(shift_days=-100),
        subject={"id": "A"},
    )
    convert(bare, tmp_path / "out", given)
    [tracer] = first_of(tmp_path / "out").RadiopharmaceuticalInformationSequence
    assert tracer.RadiopharmaceuticalStartDateTime == "20140309135000"  # 100 days before 2014-06-17
    assert "2014" not in (tmp_path / "out" / "inveon-manifest.json").read_text()


def test_typed_values_give_the_uids_of_the_same_values_in_a_sheet(bare: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "s.csv"
    sheet.write_text("file,weight_g,dose_MBq,injection_time\n*,30,7.03,2014-06-17 13:50:00\n")
    convert(bare, tmp_path / "a", Options(sheet=sheet))
    convert(bare, tmp_path / "b", Options(weight_kg="30g", dose_mbq="7.03MBq", injected_at=INJECTED))
    assert first_of(tmp_path / "a") == first_of(tmp_path / "b")


def test_a_plain_ct_takes_a_dose_silently(tmp_path: Path) -> None:
    write_scan(tmp_path / "m.ct.img", CT)
    assert inveon("info", tmp_path, "--dose", "7MBq").exit_code == 0
