"""De-identification: nothing that is removed is in any byte that comes out, and all that is science stays the same."""

from __future__ import annotations

import base64
import hmac
import re
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import cycle, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian
from typer.testing import Result

import inveonimaging
from contract import errors_in, validated
from helpers import CT, PET, ROOT, assert_one_line_error, draw_one_pixel, header_text, inveon, write_small_study
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.modules.header_text import header_bytes
from inveonimaging.inveon.hdr import Header, fields, parse
from inveonimaging.inveon.hdr.redaction import Redaction
from inveonimaging.phantom import SPECT_SCAN, frames_of, write_scan
from inveonimaging.redaction.context import neutral, redaction_context_of
from inveonimaging.redaction.header_text import redacted
from inveonimaging.redaction.request import Dates, Deidentify
from inveonimaging.study.suv import suv_factor

if TYPE_CHECKING:
    from dicom_validator.validator.dicom_info import DicomInfo

KEY = "a secret of sixteen letters"
KEPT_AS_TYPED = {key for key, field in fields.MAIN.items() if field.redacted is Redaction.WORDS}
TEXTS = {key for key, field in fields.MAIN.items() if field.codec.expected.startswith(("text", "a key", "a gate"))}
TRUE_DATES = [datetime(2014, 6, 17, 13, 52, 7), datetime(2014, 6, 16, 9, 8, 7), datetime(2014, 3, 4)]
MARK = "Qzxjvwk"
FORMS = ("classic", "enhanced", "legacy")
COMPRESSIONS = ("none", "rle", "jpegls", "j2k", "deflated")


def marker(what: str) -> str:
    """Return a text that is nowhere else: a made-up name."""
    return f"{MARK}{what.replace('_', '').replace(':', '').title()}Olsén"


# The table.


def test_no_text_is_kept_as_a_number() -> None:
    for key in TEXTS:
        assert fields.MAIN[key].redacted is not Redaction.NUMBER


WORDS = {  # how the page says what happens
    Redaction.REMOVE: "removed",
    Redaction.PERSON: "removed",
    Redaction.NAME: "removed",
    Redaction.SUBJECT: "a pseudonym",
    Redaction.SPACE: "a number",
    Redaction.ATTENUATION: "the new name",
    Redaction.DATE: "kept, or shifted",
    Redaction.BIRTH: "shifted",
    Redaction.CLOCK: "a time of day",
    Redaction.AGE: "kept if it is an age",
    Redaction.SEX: "kept if it is a sex",
    Redaction.WORDS: "kept as typed",
    Redaction.MEASURE: "kept if it is numbers",
    Redaction.NUMBER: "kept |",
}


def test_the_page_says_what_happens_to_each_key() -> None:
    page = (ROOT / "docs" / "how-to" / "deidentify.md").read_text("utf-8")
    main, frame = page.split("### Main block")[1].split("### Frame blocks")
    for text, table in ((main, fields.MAIN), (frame, fields.FRAME)):
        rows = re.findall(r"^\| `([^`]+)` \| (.*)$", text, re.MULTILINE)
        assert [key for key, _ in rows] == list(table)
        assert not [key for key, words in rows if not words.startswith(WORDS[table[key].redacted])]


def asked(**how: Any) -> Deidentify:
    return Deidentify(**{"key": KEY.encode(), **how})


def text_of(data: bytes, request: Deidentify | None = None, patient_id: str | None = None) -> str:
    """Return what is left of a header that is alone in its study."""
    context = redaction_context_of([(neutral(1), data)], request or asked(), patient_id)
    return redacted(data, context)[0].decode("utf-8")


DATED_KINDS = {Redaction.DATE, Redaction.BIRTH, Redaction.CLOCK, Redaction.AGE}
WITH_DATES = [  # keys in which dates matter with both, the others with each in turn
    (key, dates)
    for number, key in enumerate([*fields.MAIN, "nobody_knows"])
    for index, dates in enumerate(Dates)
    if (key in fields.MAIN and fields.MAIN[key].redacted in DATED_KINDS) or index == number % len(Dates)
]


@pytest.mark.parametrize(("key", "dates"), WITH_DATES)
def test_a_name_in_a_key_of_the_main_block_is_removed(key: str, dates: Dates) -> None:
    name = marker(key)
    left = text_of(header_text({key: f"1 {name}", "investigator": name}).encode(), asked(dates=dates))
    assert MARK.lower() not in left.lower()


@pytest.mark.parametrize("key", [*fields.FRAME, "nobody_knows"])
def test_a_name_in_a_key_of_a_frame_is_removed(key: str) -> None:
    left = text_of(header_text(frames=[{key: f"1 {marker(key)}"}]).encode())
    assert MARK.lower() not in left.lower()


@pytest.mark.parametrize(
    "line",
    ["# {}", "#{}", "end_of_header {}", "{}", "{} 12", "\ufeff{}", "user {} 7", "\t operator\t{}", "OPERATOR {}"],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_name_between_the_lines_is_removed(line: str, newline: str) -> None:
    lines = [line.format(marker("free")), *header_text().split("\n")]
    left = text_of(newline.join(lines).encode("latin-1", "replace"))
    assert MARK.lower() not in left.lower()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40), st.integers(0, 45))
def test_text_around_a_header_never_hinders_and_never_stays(noise: str, where: int) -> None:
    lines = header_text().split("\n")
    lines.insert(min(where, len(lines) - 1), f"# {noise} {MARK}")
    left = text_of("\n".join(lines).encode())
    assert MARK not in left
    assert parse(left.encode())[0].array.x == 4


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("injected_compound", "FDG for Olsen"),
        ("subject_phenotype", "C57BL/6 of KOLSEN"),
        ("subject_genus", "Mus musculus, born 4.3.2014"),
        ("subject_scan_region", "head 2014-06-17"),
        ("gate_description", r"1 D:\olsen\ecg"),
        ("subject_phenotype", "ask k@olsen.org"),
        ("injected_compound", "FDG Mar 4 batch"),
        ("injected_compound", "F" * 65),
    ],
)
def test_what_is_kept_as_typed_is_removed_with_a_name_a_date_or_an_address(key: str, value: str) -> None:
    data = header_text({key: value, "investigator": "Kim Olsen", "operator": "kolsen"}).encode()
    left, findings = redacted(data, redaction_context_of([(neutral(1), data)], asked(), None))
    assert key not in left.decode()
    assert [(finding.code, finding.key) for finding in findings] == [("value-removed", key)]
    assert value not in findings[0].message


NAMED = [  # who or what is named, and where it is
    ("investigator", "王伟", "王伟 line"),
    ("investigator", "王伟", "王伟的小鼠"),
    ("investigator", "李", "line of 李"),
    ("investigator", "王伟 教授", "王伟 line"),
    ("investigator", "Li", "strain Li"),
    ("operator", "(Li)", "x_Li, LI's"),
    ("subject_identifier", "7", "CD-1 7"),
    ("subject_identifier", "M-7", "line M_7"),
    ("institution", "UC", "from UC."),
    ("investigator", "John Smith", "C57_Smith_colony"),
    ("acquisition_user_id", "john_smith", "Smith line"),
    ("institution", "North Lab", "North__Lab"),
    ("investigator", "Müller", "Mu\N{COMBINING DIAERESIS}ller line"),
    ("investigator", "Mu\N{COMBINING DIAERESIS}ller", "MÜLLER"),
    ("investigator", "José", "JOSE line"),
    ("investigator", "Straße", "STRASSE"),
    ("operator", "\N{FULLWIDTH LATIN CAPITAL LETTER L}i", "line li"),
    ("operator", "Smith", "Sm\N{SOFT HYPHEN}ith"),
    ("operator", "Smith", "Smith的小鼠"),
]


@pytest.mark.parametrize(("key", "name", "text"), NAMED)
def test_names_are_found_however_they_are_typed(key: str, name: str, text: str) -> None:
    data = header_text({key: name, "subject_phenotype": text}).encode()
    left, findings = redacted(data, redaction_context_of([(neutral(1), data)], asked(), None))
    assert text not in left.decode()
    assert [(finding.code, finding.key) for finding in findings] == [("value-removed", "subject_phenotype")]


@pytest.mark.parametrize(
    ("key", "name", "kept", "text"),
    [
        ("subject_identifier", "6", "subject_phenotype", "C57BL/6"),
        ("subject_identifier", "6", "subject_phenotype", "C57BL/6J x B6.129P2"),
        ("subject_identifier", "18", "isotope", "F 18"),
        ("subject_identifier", "18", "isotope", "^18^Fluorine"),
        ("subject_identifier", "F18", "isotope", "F18"),
        ("subject_identifier", "18", "injected_compound", "F-18 FDG"),
        ("subject_identifier", "7", "gate_description", "7 ECG"),
        ("subject_identifier", "7", "subject_phenotype", "p53 1.7"),
        ("investigator", "Li", "subject_phenotype", "Li-Fraumeni line"),
        ("investigator", "李", "subject_phenotype", "桃李线"),
        ("investigator", "Wei Li", "subject_phenotype", "strain Li"),  # no word of four letters
        ("investigator", "Smith", "subject_phenotype", "Smithson"),
        ("investigator", "Smith", "subject_phenotype", "Goldsmith"),
        ("investigator", "?!", "subject_phenotype", "what?!"),
        ("investigator", "not specified", "subject_phenotype", "specified"),
    ],
)
def test_what_is_no_name_stays(key: str, name: str, kept: str, text: str) -> None:
    data = header_text({key: name, kept: text}).encode()
    left, findings = redacted(data, redaction_context_of([(neutral(1), data)], asked(), None))
    assert f"{kept} {text}\n" in left.decode()
    assert not findings


@pytest.mark.parametrize("name", ["0", "1", "4", "18", "511", "e", "F"])
def test_a_short_name_damages_no_number(name: str) -> None:
    changes = {**SCIENCE, "subject_identifier": name, "investigator": name}
    left = text_of(header_text(changes, frames=[{"scale_factor": "1e-3"}]).encode(), patient_id="S1")
    lines = left.split("\n")
    assert [key for key, value in SCIENCE.items() if f"{key} {value}" not in lines] == []
    assert "scale_factor 1e-3" in lines


@pytest.mark.parametrize(
    "text",
    [
        "born 17. Mai 2014",
        "DOB:140304",
        "140304 (DOB)",
        "né le 3",
        "födelsedag 3.4",
        "date 140304",
        "17. März",
        "4 de marzo de 2014",
        "17 août",
        "1º de maio",
        "4 gen 2014",
        "17 toukokuuta",
        "17 czerwca",
        "17. června",
        "17_Jun_14",
        "17_06_2014",
        "2014_06_17",
        "17Jun2014",
        "data/smith",
        "../smith",
        "~/smith",
        "/smith",
        "Users/smith",
        "m7.img.hdr",
    ],
)
def test_dates_in_words_and_relative_paths_are_removed(text: str) -> None:
    assert "subject_phenotype" not in text_of(header_text({"subject_phenotype": text}).encode())


@pytest.mark.parametrize(
    "text",
    [
        "B6;129S4-Gt(ROSA)26Sor<tm1>/J",
        "CD-1 nude (Crl:CD1-Foxn1nu)",
        "Tg(APPswe,PSEN1dE9)85Dbo",
        "NOD.Cg-Prkdcscid Il2rgtm1Wjl/SzJ",
        "B6 x 129",
        "Apoe-/- Il2rg+/+",
        "BALB/cAnNCrl gen 5",
        "octreotide 111",
        "NAC 100 mg",
        "[68Ga]Ga-DOTA-TATE",
        "newborn 3",
        "head/neck",
        "PET/CT",
    ],
)
def test_strains_and_compounds_are_no_dates_and_no_paths(text: str) -> None:
    changes = {"subject_phenotype": text, "investigator": "Kim Olsen", "subject_identifier": "M12"}
    assert f"subject_phenotype {text}\n" in text_of(header_text(changes).encode())


SCIENCE = {
    "injected_compound": "FDG",
    "isotope": "F-18",
    "subject_genus": "Mus musculus",
    "subject_phenotype": "B6;129S-Tg(APPSwe)2576",
    "subject_scan_region": "whole body",
    "subject_sex": "female",
    "subject_age": "15 weeks",
    "subject_glucose_level": "7.1 mmol/L",
    "subject_glucose_level_time": "13:05",
    "subject_weight": "24.6",
    "dose": "0.19",
    "ct_scan_time": "8:20",
    "osem2d_map": "0.001 2",
    "spect_pinhole_params": "1 0.12345678 -3.5e-02 20.5",
    "gate_description": "1 ECG R-wave",
    "x_filter": "1 0.5",
    "modality": "7",  # no such code: it must be refused as ever
}


@pytest.mark.parametrize("key", SCIENCE)
def test_what_is_science_stays_as_it_is_written(key: str) -> None:
    assert f"{key} {SCIENCE[key]}\n" in text_of(header_text({key: SCIENCE[key], "investigator": "Kim Olsen"}).encode())


@pytest.mark.parametrize("value", ["1" + " " * 60_000 + "x", "1e" + "1" * 60_000 + "x", "Jan " * 15_000])
@pytest.mark.parametrize(
    "key", ["osem2d_map", "injected_compound", "subject_glucose_level_time", "subject_age", "dose"]
)
def test_long_values_take_no_time(key: str, value: str) -> None:
    began = time.process_time()
    assert value not in text_of(header_text({key: value}).encode())
    assert time.process_time() - began < 30  # some hundredths; what goes back and forth needs minutes


def test_findings_name_the_lines_of_the_file() -> None:
    data = header_text({"operator": "K", "x_dimension": "four"}).encode()
    _, before = parse(data)
    _, after = parse(text_of(data).encode())
    (true,) = [each.line for each in before if each.key == "x_dimension"]
    assert [each.line for each in after if each.key == "x_dimension"] == [true]


# Pseudonyms and dates.


def test_a_pseudonym_is_a_keyed_hash_of_the_subject() -> None:
    digest = hmac.digest(KEY.encode(), b"inveonimaging pseudonym\0mouse 7", "sha256")
    expected = "ANON-" + base64.b32encode(digest[:10]).decode()
    for typed in ("mouse 7", " Mouse  7", "MOUSE 7"):
        assert asked().pseudonym(typed) == expected
    assert Deidentify(key=b"another secret of mine").pseudonym("mouse 7") != expected
    assert len(expected) == 21


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_a_secret_in_a_file_is_its_text_however_windows_saves_it(tmp_path: Path, encoding: str) -> None:
    """PowerShell's `>` writes UTF-16, an editor UTF-8 with a mark; the same text gives the same pseudonyms."""
    mark = "\ufeff" if encoding.startswith("utf-16") else ""
    (tmp_path / "key").write_bytes(f"{mark}Geheimnis für alle\r\n".encode(encoding))
    assert Deidentify(key=tmp_path / "key").key == "Geheimnis für alle".encode()


def test_a_secret_of_bytes_that_begin_like_a_mark_is_those_bytes(tmp_path: Path) -> None:
    secret = b"\xff\xfe" + b"\x00\xd8" * 9  # a mark, then halves of characters
    (tmp_path / "key").write_bytes(secret)
    assert Deidentify(key=tmp_path / "key").key == secret


def test_days_are_a_keyed_hash_of_the_subject() -> None:
    number = int.from_bytes(hmac.digest(KEY.encode(), b"inveonimaging days\0mouse 7", "sha256")[:8], "big")
    assert asked().days_for("Mouse  7") == -(1461 + number % 3652)
    days = {asked().days_for(f"mouse {n}") for n in range(200)}
    assert len(days) > 180
    assert all(-1461 - 3652 < each <= -1461 for each in days)
    assert asked(dates=Dates.KEEP).days_for(None) == 0
    assert asked(shift_days=12).days_for(None) == 12


def test_secrets_are_not_shown() -> None:
    shown = repr(asked(shift_days=-1234))
    assert KEY not in shown
    assert "1234" not in shown


def test_dates_move_together_and_the_epoch_does_not() -> None:
    changes = {
        "scan_time": "Tue Jun 17 13:52:07 2014",
        "gmt_scan_time": "Tue Jun 17 17:52:07 2014",
        "injection_time": "Thu Jan  1 00:00:00 1970",
        "residual_activity_time": "Sat Mar  1 00:00:01 2014",
        "subject_date_of_birth": "25.12.2013",
        "subject_glucose_level_time": "Tue Jun 17 13:00:00 2014",
    }
    header, _ = parse(text_of(header_text(changes).encode(), asked(shift_days=-107)).encode())
    assert header.acquisition.scan_time == datetime(2014, 3, 2, 13, 52, 7)  # 107 days: 17 + 31 (May) + 30 + 29 to Mar 2
    assert header.acquisition.gmt_scan_time == datetime(2014, 3, 2, 17, 52, 7)
    assert header.tracer.injection_time is None
    assert header.tracer.residual_activity_time == datetime(2013, 11, 14, 0, 0, 1)
    assert header.subject.date_of_birth == "2013-09-09"
    assert header.subject.glucose_level_time == "Sun Mar  2 13:00:00 2014"


def test_with_dates_that_are_kept_the_age_replaces_the_birth_date() -> None:
    changes = {"subject_date_of_birth": "Mar 4 2014", "scan_time": "Tue Jun 17 13:52:07 2014"}
    header, _ = parse(text_of(header_text(changes).encode(), asked(dates=Dates.KEEP)).encode())
    assert (header.subject.date_of_birth, header.subject.age) == (None, "105 d")  # 27 + 30 + 31 + 17
    assert header.acquisition.scan_time == datetime(2014, 6, 17, 13, 52, 7)


# Whole studies.


def spellings(day: datetime) -> set[str]:
    """Return how a date can be written."""
    month = day.strftime("%b")
    ways = {f"{day:%Y%m%d}", f"{day:%Y-%m-%d}", f"{day:%Y/%m/%d}", f"{day:%d.%m.%Y}", f"{day:%d/%m/%Y}"}
    return ways | {f"{month} {day.day:2} ", f"{month} {day.day} ", f"{day.day} {month}", f"{day:%m/%d/%Y}"}


def rewritten(header: Path, changes: dict[str, str]) -> None:
    """Give keys of a header other values, add unknown keys and comments, and put markers into its frames."""
    lines = [f"# {marker('comment')}"]
    for line in header.read_text("utf-8").split("\n"):
        key = line.split(" ", 1)[0]
        if key in changes or (key in fields.MAIN and key in TEXTS and key not in KEPT_AS_TYPED | changes.keys()):
            continue
        if key == "end_of_header" and changes:
            lines += [f"{name} {value}".rstrip() for name, value in changes.items()]
            lines += [f"{name} {marker(name)}" for name in sorted(TEXTS - KEPT_AS_TYPED - changes.keys())]
            lines += [f"user {marker('userkey')} {marker('uservalue')}", f"{marker('unknownkey')} {marker('unknown')}"]
            changes = {}
        elif key == "end_of_header":
            lines.append(f"unknown_of_frame {marker('frame')}")
        lines.append(f"{line} # {marker('trailing')}" if line.startswith("# ") else line)
    header.write_text("\n".join(lines), "utf-8")


def write_marked_study(folder: Path) -> Path:
    """Write CT, dynamic PET and SPECT, with a marker in everything that is to be removed."""
    study = folder / marker("folder") / "deeper"
    study.mkdir(parents=True)
    common = {
        "subject_identifier": marker("subject"),
        "animal_number": "77123456789",
        "spatial_identifier": marker("space"),
        "subject_date_of_birth": "Mar 4 2014",
        "scan_time": "Tue Jun 17 13:52:07 2014",
        "gmt_scan_time": "Tue Jun 17 17:52:07 2014",
    }
    injected = {
        "injection_time": "Mon Jun 16 09:08:07 2014",
        "activity_before_injection_time": "Mon Jun 16 09:00:00 2014",
    }
    ct = {"acquisition_file_name": f"{marker('ctname')}.cat"}
    pet = {"attenuation_filename": rf"D:\{marker('path')}\{marker('ctname')}.ct.img", "attenuation_applied": "8"}
    scans = {
        "ctscan.ct": (CT, ct),
        "pet.pet": (PET, {**injected, **pet}),
        "spect": (replace(SPECT_SCAN, frames=frames_of(60)), injected),
    }
    for name, (scan, own) in scans.items():
        path = study / f"{marker(name)}.img"
        write_scan(
            path, replace(scan, shape=(34, 32, 3), spacing_mm=(1.0, 1.0, 18.0))
        )  # JPEG 2000 takes no smaller ones
        rewritten(path.with_name(path.name + ".hdr"), {**common, **own})
    (study / f"{marker('stray')}.txt").write_text(marker("note"))
    (study / f"{marker('orphan')}.img").write_bytes(b"\0")
    (study / marker("nested")).mkdir()
    return study


@dataclass(frozen=True)
class Converted:
    """What a conversion wrote and printed."""

    output: Path
    result: Result

    @cached_property
    def instances(self) -> list[pydicom.FileDataset]:
        return [pydicom.dcmread(path) for path in sorted(self.output.rglob("*.dcm"))]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_marked_study(tmp_path_factory.mktemp("marked"))


@pytest.fixture(scope="module")
def made(study: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Converted]:
    """Return conversions by form, compression and what happens to dates; with one report.

    A codec touches pixels alone, whatever the form, and so each has one form; what is deflated packs all text.
    """
    coded = {("rle", "classic"), ("jpegls", "enhanced"), ("j2k", "legacy")}
    found = {}
    for form, compression, dates in product(FORMS, COMPRESSIONS, ("shift", "keep")):
        shifted = compression in ("none", "deflated") or (compression, form) in coded
        if (dates == "shift" and shifted) or compression == "none" or (compression, form) == ("deflated", "classic"):
            output = tmp_path_factory.mktemp("made") / "out"
            options = ["--deidentify", "--dates", dates, "--as", form, "--compress", compression]
            more = ["--verify", *(["--report"] if form == "classic" else [])] if compression == "none" else []
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("INVEON_DEIDENTIFY_KEY", KEY)
                if dates == "keep":  # the pictures are the same
                    draw_one_pixel(patch)
                found[form, compression, dates] = Converted(
                    output, inveon("convert", study, output, *options, *more, columns=200)
                )
    return found


@pytest.fixture(scope="module")
def true(study: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return conversions that keep all that the headers say, by form."""
    outputs = {form: tmp_path_factory.mktemp("true") / "out" for form in FORMS}
    for form, output in outputs.items():
        inveonimaging.convert(study, output, inveonimaging.Options(form=Form(form)))
    return outputs


def pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and what is packed in it."""
    data = path.read_bytes()
    yield data
    if path.suffix == ".dcm":
        meta = pydicom.filereader.read_file_meta_info(path)
        if meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
            packed = data[132 + 12 + meta.FileMetaInformationGroupLength :]
            yield zlib.decompress(packed, -zlib.MAX_WBITS)
    for text in re.findall(rb"base64,([A-Za-z0-9+/=]+)", data):
        yield base64.b64decode(text)


def encoded(text: str) -> set[bytes]:
    """Return a text as bytes in all encodings that could be met, in lower case."""
    plain = text.lower()
    escaped = plain.encode("ascii", "backslashreplace"), plain.encode("ascii", "xmlcharrefreplace")
    return {*(plain.encode(code) for code in ("utf-8", "latin-1", "utf-16-le", "utf-16-be")), *escaped}


def assert_nowhere(texts: set[str], converted: Converted) -> None:
    """Show that texts are in no file, in no file's name, and in nothing that was printed."""
    wanted = {way for text in texts for way in encoded(text)}
    searched = [piece for path in converted.output.rglob("*") if path.is_file() for piece in pieces(path)]
    searched += [str(path.relative_to(converted.output)).encode() for path in converted.output.rglob("*")]
    searched += [converted.result.stdout.encode(), converted.result.stderr.encode()]
    assert len(searched) > 5
    for piece in searched:
        lower = piece.lower()
        assert not [text for text in wanted if text in lower]


def test_the_search_finds_what_is_not_removed(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_one_pixel(monkeypatch)
    shown = inveon("convert", study, tmp_path / "out", "--compress", "deflated", "--report")
    for what in ("operator", "folder", "pet.pet", "comment", "userkey", "unknown", "frame", "acquisition_notes"):
        with pytest.raises(AssertionError):
            assert_nowhere({marker(what)}, Converted(tmp_path / "out", shown))
    with pytest.raises(AssertionError):
        assert_nowhere(spellings(TRUE_DATES[0]), Converted(tmp_path / "out", shown))


def test_nothing_that_is_removed_is_in_any_byte(made: dict[tuple[str, str, str], Converted], study: Path) -> None:
    assert {form for form, *_ in made} == set(FORMS)
    for converted in made.values():
        assert converted.result.exit_code == 0, converted.result.stderr
        assert_nowhere({MARK, "olsén", "77123456789", str(study), KEY}, converted)


def test_no_true_date_is_in_any_byte(made: dict[tuple[str, str, str], Converted]) -> None:
    for (_, _, dates), converted in made.items():
        days = TRUE_DATES if dates == "shift" else TRUE_DATES[2:]  # the birth date never stays
        assert_nowhere({way for day in days for way in spellings(day)}, converted)


def test_classes_are_all_there(made: dict[tuple[str, str, str], Converted]) -> None:
    classes = {ds.SOPClassUID.name for key, each in made.items() if key[1] == "none" for ds in each.instances}
    assert len(classes) == 7


def test_every_instance_says_how_it_was_deidentified(made: dict[tuple[str, str, str], Converted]) -> None:
    for (_, _, dates), converted in made.items():
        for ds in converted.instances:
            assert ds.PatientIdentityRemoved == "YES"
            assert len(ds.DeidentificationMethod) == 2
            codes = [(item.CodeValue, item.CodingSchemeDesignator) for item in ds.DeidentificationMethodCodeSequence]
            option = "113107" if dates == "shift" else "113106"
            assert codes == [(code, "DCM") for code in ("113100", "113105", "113108", "113111", option)]
            assert ds.LongitudinalTemporalInformationModified == ("MODIFIED" if dates == "shift" else "UNMODIFIED")
            assert ds.PatientID == ds.PatientName == asked().pseudonym(marker("subject"))
            block = ds.get("PrivateDataElementCharacteristicsSequence")
            assert ((0x0099, 0x0010) in ds) == bool(block)
            assert not block or block[0].BlockIdentifyingInformationStatus == "SAFE"


def test_codes_are_those_of_the_standard() -> None:
    from pydicom.sr.codedict import codes

    named = {
        "113100": codes.cid7050.BasicApplicationConfidentialityProfile,
        "113105": codes.cid7050.CleanDescriptorsOption,
        "113106": codes.cid7050.RetainLongitudinalTemporalInformationFullDatesOption,
        "113107": codes.cid7050.RetainLongitudinalTemporalInformationModifiedDatesOption,
        "113108": codes.cid7050.RetainPatientCharacteristicsOption,
        "113111": codes.cid7050.RetainSafePrivateOption,
    }
    from inveonimaging.dicom.modules.deidentification import _OF_DATES, _OPTIONS

    for code in (*_OPTIONS, *_OF_DATES.values()):
        assert (code.value, code.meaning) == (named[code.value].value, named[code.value].meaning)


BASIC = [  # attributes that PS3.15 Table E.1-1 removes or empties, and no option that is claimed retains
    "AccessionNumber",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "OperatorsName",
    "ReferringPhysicianName",
    "ResponsiblePerson",
    "ResponsibleOrganization",
    "StudyID",
    "PatientComments",
    "PerformingPhysicianName",
    "ProtocolName",
    "CommentsOnThePerformedProcedureStep",
    "RequestingService",
    "ImageComments",
    "DeviceUID",
    "OtherPatientIDsSequence",
]


def test_the_basic_profile_is_kept(made: dict[tuple[str, str, str], Converted]) -> None:
    for (_, _, dates), converted in made.items():
        for ds in converted.instances:
            assert not [keyword for keyword in BASIC if ds.get(keyword)]
            assert ds.get("DeviceSerialNumber") in (None, "UNKNOWN")
            assert "StudyDescription" not in ds
            assert bool(ds.PatientBirthDate) == (dates == "shift")


def moments(ds: Dataset) -> list[tuple[str, str, str]]:
    """Return the dates and times of a dataset and its items: VR, attribute and value."""
    return [(e.VR, e.keyword, str(e.value)) for e in ds.iterall() if e.VR in ("DA", "DT", "TM") and e.value]


@pytest.mark.parametrize("form", FORMS)
def test_every_interval_stays(form: str, made: dict[tuple[str, str, str], Converted], true: dict[str, Path]) -> None:
    days = asked().days_for(marker("subject"))
    pairs = zip(
        (pydicom.dcmread(path) for path in sorted(true[form].rglob("*.dcm"))),
        made[form, "none", "shift"].instances,
        strict=True,
    )
    for kept, moved in pairs:
        assert len(moments(kept)) == len(moments(moved)) > 3
        for (vr, keyword, one), (_, other, two) in zip(moments(kept), moments(moved), strict=True):
            assert keyword == other
            if vr == "TM":
                assert one == two
            else:
                later = datetime.strptime(one[:8], "%Y%m%d") + timedelta(days=days)
                assert f"{later:%Y%m%d}{one[8:]}" == two
        for keyword in ("PatientAge", "TimezoneOffsetFromUTC", "PatientWeight", "PatientSpeciesDescription", "Rows"):
            assert kept.get(keyword) == moved.get(keyword)
        assert kept.PixelData == moved.PixelData
        assert kept.SOPInstanceUID != moved.SOPInstanceUID


def test_uptake_is_the_same(made: dict[tuple[str, str, str], Converted], study: Path, tmp_path: Path) -> None:
    instances = made["classic", "none", "shift"].instances
    (whole,) = [header_bytes(ds) for ds in instances if (0x0099, 0x0010) in ds and ds.Modality == "PT"]
    (source,) = study.glob("*Pet.Pet*.img")
    (tmp_path / "1.img.hdr").write_bytes(whole)
    (tmp_path / "1.img").write_bytes(source.read_bytes())
    true, left = inveonimaging.read(source), inveonimaging.read(tmp_path / "1.img")
    assert suv_factor(left) == suv_factor(true)
    assert (left.values(1) == true.values(1)).all()
    (pet, *_) = [ds for ds in instances if ds.Modality == "PT"]
    (tracer,) = pet.RadiopharmaceuticalInformationSequence
    injected = datetime.strptime(tracer.RadiopharmaceuticalStartDateTime[:14], "%Y%m%d%H%M%S")
    start = datetime.strptime(f"{pet.SeriesDate}{pet.SeriesTime[:6]}", "%Y%m%d%H%M%S")
    half_lives = (start - injected).total_seconds() / tracer.RadionuclideHalfLife
    dose = float(tracer.RadionuclideTotalDose) * 2**-half_lives
    assert 1000 * float(pet.PatientWeight) / dose == pytest.approx(suv_factor(true), rel=1e-9)


def test_a_pet_still_refers_to_its_ct_and_shares_its_space(made: dict[tuple[str, str, str], Converted]) -> None:
    ct, pet, _ = made["enhanced", "none", "shift"].instances
    assert pet.RelatedSeriesSequence[0].SeriesInstanceUID == ct.SeriesInstanceUID
    assert pet.FrameOfReferenceUID == ct.FrameOfReferenceUID
    assert b"attenuation_filename 1.img\n" in header_bytes(pet)


def test_validators_find_no_error(made: dict[tuple[str, str, str], Converted], dciodvfy: str) -> None:
    for (_, compression, _), converted in made.items():
        if compression == "none":
            for folder in sorted(path for path in converted.output.iterdir() if path.is_dir()):
                first = min(folder.iterdir())
                assert not errors_in(validated(dciodvfy, first)), first


def test_the_dicom_validator_finds_nothing_new(
    made: dict[tuple[str, str, str], Converted], true: dict[str, Path], dicom_edition: DicomInfo
) -> None:
    from dicom_validator.validator.iod_validator import IODValidator

    for form in FORMS:
        for number in "123":
            reports = [
                IODValidator(pydicom.dcmread(min((output / number).iterdir())), dicom_edition).validate().module_errors
                for output in (true[form], made[form, "none", "shift"].output)
            ]
            before, after = ({tag.tag for tags in report.values() for tag in tags} for report in reports)
            assert after - {RESPONSIBLE_PERSON_ROLE} <= before


RESPONSIBLE_PERSON_ROLE = 0x00102298  # needed only if there is a Responsible Person, which dicom-validator overlooks


# The commands.


def test_studies_of_one_subject_are_shifted_alike_in_all_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", KEY)
    source = tmp_path / "in"
    for name, subject, day in (("smith", "M 7", 17), ("jones", "m  7", 19), ("zuse", "M 8", 17)):
        (source / name).mkdir(parents=True)
        path = source / name / "a.img"
        named = replace(CT.subject, identifier=subject)
        write_scan(path, replace(CT, scan_time=datetime(2014, 6, day, 10), subject=named))
    done = inveon("convert", source, tmp_path / "out", "--recursive", "--deidentify")
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["study-1", "study-2", "study-3"]
    jones, smith, zuse = (pydicom.dcmread(min((tmp_path / "out" / f"study-{n}" / "1").iterdir())) for n in (1, 2, 3))
    days = [datetime.strptime(ds.StudyDate, "%Y%m%d") for ds in (jones, smith, zuse)]
    assert days[0] - days[1] == timedelta(days=2)
    assert jones.PatientID == smith.PatientID != zuse.PatientID
    assert days[1] != days[2]


def test_what_the_user_gives_is_the_pseudonym(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVEON_DEIDENTIFY_KEY", raising=False)
    options = ["--deidentify", "--patient-id", "S01", "-s", "Pilot", "--shift-days", "-400", "--patient-birth-date"]
    shown = inveon("convert", study, tmp_path / "out", *options, "20140305", "--json")
    assert shown.exit_code == 0, shown.stderr
    assert_nowhere({MARK, *spellings(datetime(2014, 3, 5))}, Converted(tmp_path / "out", shown))
    assert "400" not in (tmp_path / "out" / "inveon-manifest.json").read_text().split('"sources"')[0]
    ds = pydicom.dcmread(tmp_path / "out" / "1" / "CT-000001.dcm")
    found = (ds.PatientID, ds.PatientName, ds.StudyDescription, ds.StudyDate, ds.PatientBirthDate)
    assert found == ("S01", "S01", "Pilot", "20130513", "20130129")  # 400 days before 2014-06-17, and 2014-03-05


def test_what_a_sheet_gives_is_the_pseudonym_and_its_dates_are_shifted(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", KEY)
    draw_one_pixel(monkeypatch)
    sheet = tmp_path / f"{marker('sheet')}.csv"
    rows = [
        "subject,file,patient_id,species,birth_date,dose_MBq,injection_time",
        f"{marker('subject')},,S02,Rattus norvegicus,2014-03-05,,",
        f",{marker('pet.pet')}.img,,,,7.5,2014-06-17T13:00:00",
    ]
    sheet.write_text("\n".join(rows), "utf-8")
    options = ["--deidentify", "--subjects", sheet, "--verify", "--report", "--json"]
    shown = inveon("convert", study, tmp_path / "out", *options)
    assert shown.exit_code == 0, shown.stdout
    days = {*spellings(TRUE_DATES[0]), *spellings(datetime(2014, 3, 5))}
    assert_nowhere({MARK, *days}, Converted(tmp_path / "out", shown))
    pet = pydicom.dcmread(tmp_path / "out" / "2" / "PET-000001.dcm")
    shift = timedelta(days=asked().days_for("S02"))
    (tracer,) = pet.RadiopharmaceuticalInformationSequence
    assert tracer.RadiopharmaceuticalStartDateTime == f"{datetime(2014, 6, 17, 13) + shift:%Y%m%d%H%M%S}"
    assert float(tracer.RadionuclideTotalDose) == 7.5e6
    assert (pet.PatientID, pet.PatientSpeciesDescription) == ("S02", "Rattus norvegicus")
    assert (pet.PatientBirthDate, pet.PatientAge) == (f"{datetime(2014, 3, 5) + shift:%Y%m%d}", "104D")
    later = inveon("verify", study, tmp_path / "out", "--subjects", sheet)
    assert "no difference" in later.stdout, later.output


def without_start(header: Header) -> Header:
    return replace(header, acquisition=replace(header.acquisition, scan_time=None, gmt_scan_time=None))


def test_a_start_that_the_user_gives_is_shifted_too(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write_scan(source / "a.img", CT, change=without_start)
    options = ["--deidentify", "--patient-id", "S01", "--shift-days", "-400", "--scan-time", "2014-06-17T10:00:00"]
    shown = inveon("convert", source, tmp_path / "out", *options, "--verify")
    assert shown.exit_code == 0, shown.output
    assert_nowhere(spellings(TRUE_DATES[0]), Converted(tmp_path / "out", shown))
    assert pydicom.dcmread(tmp_path / "out" / "1" / "CT-000001.dcm").StudyDate == "20130513"


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--deidentify"], "--patient-id"),
        (["--deidentify", "--dates", "keep"], "--patient-id"),
        (["--deidentify", "--patient-id", "S1"], "--dates keep"),
        (["--dates", "keep"], "without --deidentify"),
        (["--shift-days", "3"], "without --deidentify"),
        (["--deidentify", "--dates", "keep", "--shift-days", "3"], "--shift-days"),
        (["--deidentify", "--shift-days", "0"], "0 days"),
        (["--deidentify", "--key-file", "nowhere"], "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: list[str], hint: str, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INVEON_DEIDENTIFY_KEY", raising=False)
    shown = inveon("convert", study, tmp_path / "out", *options)
    line = assert_one_line_error(shown.exit_code, shown.stdout, shown.stderr, 2)
    assert hint in line
    assert MARK not in line
    assert not (tmp_path / "out").exists()


def test_a_key_may_stand_in_a_file(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", "the file wins over this")
    (tmp_path / "key").write_text(f"{KEY}\n")
    shown = inveon("convert", study, tmp_path / "out", "--deidentify", "--key-file", tmp_path / "key")
    assert shown.exit_code == 0, shown.stderr
    ds = pydicom.dcmread(tmp_path / "out" / "1" / "CT-000001.dcm")
    assert ds.PatientID == asked().pseudonym(marker("subject"))
    (tmp_path / "key").write_text("short")
    shown = inveon("convert", study, tmp_path / "out2", "--deidentify", "--key-file", tmp_path / "key")
    assert "at least 16" in assert_one_line_error(shown.exit_code, shown.stdout, shown.stderr, 2)


def test_the_page_begins_with_commands_that_work(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text(f"{KEY}\n")
    page = (ROOT / "docs" / "how-to" / "deidentify.md").read_text("utf-8").partition("\n## ")[0]
    typed = re.findall(r"^    inveon convert mouse_study dicom (.*)$", page, re.MULTILINE)
    assert len(typed) == 2
    for number, options in enumerate(typed):
        done = inveon("convert", study, f"out{number}", *options.split())
        assert done.exit_code == 0, done.stderr


def test_what_is_kept_of_a_strain_is_compared(tmp_path: Path) -> None:
    source = write_small_study(tmp_path / "s")
    options = ["--deidentify", "--patient-id", "S01", "--dates", "keep"]
    assert inveon("convert", source, tmp_path / "out", *options).exit_code == 0
    done = inveon("verify", source, tmp_path / "out")
    assert (done.exit_code, "Strain" in done.stdout + done.stderr) == (0, False)
    assert "Patient ID is stated, and was not compared: nothing says what it should be" in done.stderr
    for path in (tmp_path / "out").rglob("*.dcm"):
        ds = pydicom.dcmread(path)
        assert ds.AdditionalPatientHistory.startswith("Strain: C57BL/6J")
        ds.AdditionalPatientHistory = "Strain: BALB/c"
        ds.save_as(path)
    done = inveon("verify", source, tmp_path / "out")
    assert done.exit_code == 1
    assert "Strain is BALB/c, expected C57BL/6J" in " ".join((done.stdout + done.stderr).split())


def test_uids_repeat_and_do_not_depend_on_names(study: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in study.iterdir():
        if path.is_file() and not path.name.startswith(marker("orphan")):
            (other / path.name.replace(MARK, "a")).write_bytes(path.read_bytes())
    options = ["--deidentify", "--patient-id", "S01", "--shift-days", "-400"]
    found = []
    for n, source in enumerate((study, other)):
        inveon("convert", source, tmp_path / str(n), *options)
        found.append([path.read_bytes() for path in sorted((tmp_path / str(n)).rglob("*.dcm"))])
    assert found[0] == found[1]


# Comparison.


@pytest.mark.parametrize("form", FORMS)
def test_a_later_comparison_knows_it(form: str, made: dict[tuple[str, str, str], Converted], study: Path) -> None:
    for dates in ("shift", "keep"):
        shown = inveon("verify", study, made[form, "none", dates].output)
        assert shown.exit_code == 0, shown.output
        assert {line.partition(":")[0] for line in shown.stderr.splitlines()} <= {"note"}
        assert shown.stdout.startswith("no difference: 3 series, ")


def changed(converted: Converted, output: Path, change: Any) -> Path:
    for path in sorted(converted.output.rglob("*.dcm")):
        ds = pydicom.dcmread(path)
        change(ds)
        target = output / path.relative_to(converted.output)
        target.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(target)
    return output


def put_operator(ds: Dataset) -> None:
    ds.OperatorsName = marker("operator")


def put_subject_into_a_sequence(ds: Dataset) -> None:
    ds.ContributingEquipmentSequence[0].ContributionDescription = f"of {marker('subject')}, made here"


def put_other_day(ds: Dataset) -> None:
    if ds.Modality == "PT":
        ds.SeriesDate = f"{datetime.strptime(ds.SeriesDate, '%Y%m%d') + timedelta(days=1):%Y%m%d}"


def put_other_dose(ds: Dataset) -> None:
    if ds.Modality == "PT":
        ds.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = "1000000"


@pytest.mark.parametrize(
    ("change", "code", "compression"),
    [
        (put_operator, "identity-left", "none"),
        (put_operator, "identity-left", "deflated"),
        (put_subject_into_a_sequence, "identity-left", "none"),
        (put_other_day, "series-time", "none"),
        (put_other_dose, "dose", "deflated"),
    ],
)
def test_a_comparison_notices_what_is_left_or_wrong(
    change: Any, code: str, compression: str, made: dict[tuple[str, str, str], Converted], study: Path, tmp_path: Path
) -> None:
    from inveonimaging.verification import verify

    output = changed(made["classic", compression, "shift"], tmp_path / "out", change)
    found = [each for checked in verify(study, output).studies for each in checked.all_differences]
    assert {each.code for each in found} == {code}
    assert not any(MARK in each.message for each in found)


def test_a_comparison_notices_dates_that_are_not_shifted(
    made: dict[tuple[str, str, str], Converted], study: Path, tmp_path: Path
) -> None:
    from inveonimaging.verification import verify

    def claim(ds: Dataset) -> None:
        ds.LongitudinalTemporalInformationModified = "MODIFIED"

    output = changed(made["classic", "none", "keep"], tmp_path / "out", claim)
    found = [each.code for checked in verify(study, output).studies for each in checked.all_differences]
    assert found == ["dates-left"]


def write_named_study(folder: Path, changes: dict[str, str]) -> Path:
    """Write a PET scan whose header says so."""
    folder.mkdir()
    path = folder / "a.img"
    write_scan(path, replace(PET, shape=(2, 2, 2), frames=frames_of(60), subject=replace(PET.subject, identifier="")))
    header = path.with_name("a.img.hdr")
    lines = header.read_text("utf-8").split("\n")
    kept = [line for line in lines if line.split(" ", 1)[0] not in changes]
    kept[kept.index("end_of_header") : kept.index("end_of_header")] = [f"{key} {text}" for key, text in changes.items()]
    header.write_text("\n".join(kept), "utf-8")
    return folder


def said_after(change: Any, study: Path, tmp_path: Path) -> list[tuple[str, str]]:
    """Convert a study, change the DICOM, and return what a comparison finds: code and message."""
    from inveonimaging.verification import verify

    options = ["--deidentify", "--patient-id", "S01", "--shift-days", "-400"]
    done = inveon("convert", study, tmp_path / "out", *options)
    assert done.exit_code == 0, done.stderr
    output = changed(Converted(tmp_path / "out", done), tmp_path / "changed", change)
    found = [each for checked in verify(study, output).studies for each in checked.all_differences]
    return [(each.code, each.message) for each in found]


def put_nothing(_: Dataset) -> None:
    pass


DATED = [("subject_phenotype", text, text) for text in ("born 17. Mai 2014", "DOB:140304", "data/smith")]


@pytest.mark.parametrize(
    ("key", "name", "text", "where"),
    [(*each, where) for each, where in zip([*NAMED, *DATED], cycle(["attribute", "header"]), strict=False)],
)
def test_a_comparison_notices_what_is_removed(key: str, name: str, text: str, where: str, tmp_path: Path) -> None:
    def put(ds: Dataset) -> None:
        ds.SpecificCharacterSet = "ISO_IR 192"
        if where == "attribute":
            ds.AdditionalPatientHistory = f"Strain: {text}"
        elif (0x0099, 0x0010) in ds:
            block = ds.private_block(0x0099, "INVEONIMAGING HEADER 1")
            block[0x01].value += f"\nsubject_phenotype {text}\n"

    study = write_named_study(tmp_path / "in", {key: name, "subject_phenotype": text})
    ((code, message),) = said_after(put, study, tmp_path)
    assert (code, key in message) == ("identity-left", True)


@pytest.mark.parametrize("name", ["0", "1", "2", "4", "6", "18", "e", "F", "LO", "by"])
def test_a_comparison_takes_no_number_for_a_name(name: str, tmp_path: Path) -> None:
    changes = {"subject_identifier": name, "investigator": name, "subject_phenotype": "C57BL/6", "isotope": "F 18"}
    study = write_named_study(tmp_path / "in", {**changes, "acquisition_notes": "FDG", "subject_genus": "Mus musculus"})
    assert said_after(put_nothing, study, tmp_path) == []


def test_a_comparison_reads_a_value_of_no_known_kind_as_text(
    made: dict[tuple[str, str, str], Converted], study: Path, tmp_path: Path
) -> None:
    from inveonimaging.verification import verify

    output = changed(made["classic", "none", "shift"], tmp_path / "out", put_operator)
    for path in output.rglob("*.dcm"):
        path.write_bytes(path.read_bytes().replace(b"\x70\x10PN", b"\x70\x10ZZ"))
        with pytest.raises(NotImplementedError):
            pydicom.dcmread(path).OperatorsName  # noqa: B018 - it is read here
    found = [each.code for checked in verify(study, output).studies for each in checked.all_differences]
    assert found == ["identity-left"]
