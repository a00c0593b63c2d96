"""Page 3: the table of scans, what is typed and pasted into it, and the sheet that is saved."""

from __future__ import annotations

import html
import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from app.driving import change, front_of, opened
from helpers import LAST_RESORT_S, digests, header_text, write_thin_study
from inveonimaging.app.memory import sheets
from inveonimaging.app.memory.state import State
from inveonimaging.app.pages.correct import PER_PAGE
from inveonimaging.app.pages.front import link
from inveonimaging.app.pages.grid import heading
from inveonimaging.commands import correct
from inveonimaging.commands.correct import rows
from inveonimaging.commands.correct.contradictions import ScanTexts, add_differing, words_of
from inveonimaging.conversion.plan import plan
from inveonimaging.errors import InputError
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair, pair_of
from inveonimaging.sheet.columns import column_of
from inveonimaging.sheet.pasted import block_of
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.reading import Study, read_pairs, read_study

HOSTILE = """"'><script>alert(1)</script><img src=x onerror=alert(1)>"""
PET, CT = "m1.pet.img", "m1.ct.img"


@dataclass
class Page:
    """The page of one source, as a browser has it."""

    root: Path
    source: Path

    def __post_init__(self) -> None:
        self.front = front_of(self.root)
        self.client = opened(self.front)

    def get(self, **query: object) -> str:
        answer = self.client.get(link("/correct", source=self.source, **query))
        assert answer.status_code == 200
        return str(answer.text)

    def post(self, what: str, **fields: str) -> str:
        answer = change(self.client, self.front, f"/correct/{what}", {"source": str(self.source), **fields})
        assert answer.status_code in {200, 400}
        return str(answer.text)

    def type(self, row: str, title: str, text: str) -> str:
        return self.post("cell", row=quote(row, errors="surrogateescape"), title=title, text=text)

    def paste(self, row: str, title: str, text: str) -> str:
        return self.post("paste", row=quote(row), title=title, text=text)

    @property
    def typed(self) -> Any:
        return self.front.sheets.of(self.source).typed


def cells(page: str, row: int) -> dict[str, str]:
    """Return what the cells of a row hold."""
    found = re.findall(rf'id="c-{row}-(\w+)"[^>]*><input type="text" value="([^"]*)"', page)
    return {title: html.unescape(text) for title, text in found}


def why(page: str, row: int, title: str) -> str:
    """Return what a cell is marked with."""
    found = re.search(rf'id="w-{row}-{title}">([^<]*)<', page)
    return html.unescape(found[1]) if found else ""


def add(folder: Path, name: str, **keys: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(bytes(48))
    (folder / f"{name}.hdr").write_text(header_text(keys), "utf-8")


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path / "data", write_thin_study(tmp_path / "data" / "study"))


# The table.


def test_cells_hold_what_the_headers_say(page: Page) -> None:
    shown = page.get()
    assert cells(shown, 2) == {
        "patient_id": "M0042",
        "weight_g": "24.6",
        "dose_MBq": "7.03",
        "injection_time": "2014-06-17 13:51:37",
        "sex": "F",
        "species": "Mus musculus",
        "posture": "HFP",
        "strain": "C57BL/6J",
        "birth_date": "2014-03-04",
    }
    assert cells(shown, 1)["dose_MBq"] == ""  # of a CT
    assert "Nothing is missing" in shown
    assert 'aria-current="step">Correct<' in shown


def test_what_is_missing_or_contradicts_is_marked_in_words(page: Page) -> None:
    add(page.source, "m2.pet.img", subject_identifier="M0042", subject_sex="male", subject_genus="Mus musculus")
    add(page.source, "m3.img", modality="9")
    shown = page.get()
    assert why(shown, 3, "dose_MBq") == why(shown, 3, "injection_time") == "missing, and SUV needs it"
    assert [why(shown, row, "sex") for row in (1, 2)] == ["m2.pet.img says M"] * 2
    assert why(shown, 3, "sex") == "its own header says M, but m1.ct.img says F"  # which counts
    assert "expected -1 to 2" in shown  # the kind of the last one, in its row
    assert cells(shown, 4) == {}
    shown = page.type("m2.pet.img", "weight_g", "2460")
    assert why(shown, 3, "weight_g") == "the weight is 2460 g, and a mouse has 3 to 100 g (weight_g of row 3)"
    shown = page.type("m2.pet.img", "sex", "F")
    assert [why(shown, row, "sex") for row in (1, 2, 3)] == ["", "", ""]


def test_what_a_dose_is_made_from_is_shown_where_a_header_has_it(page: Page) -> None:
    """Else who corrects the activity drawn up would not see that it is of another time than the injection."""
    assert "dose_time" not in cells(page.get(), 2)
    keys = {"activity_units": "2", "activity_before_injection": "8.1", "residual_activity": "0.31"}
    times = {
        "activity_before_injection_time": "Tue Jun 17 13:41:00 2014",
        "residual_activity_time": "Tue Jun 17 13:56:00 2014",
        "injection_time": "Tue Jun 17 13:51:37 2014",
    }
    add(page.source, "m2.pet.img", isotope="F-18", isotope_half_life="6586.2", **keys, **times)
    shown = cells(page.get(), 3)
    assert (shown["dose_MBq"], shown["dose_time"], shown["residual_MBq"]) == ("8.1", "2014-06-17 13:41:00", "0.31")
    shown = cells(page.type("m2.pet.img", "dose_MBq", "8.2"), 3)
    assert (shown["dose_MBq"], shown["dose_time"]) == ("8.2", "")  # the header's activities count no more
    page.paste("m2.pet.img", "dose_MBq", "8.3\t2014-06-17 13:42:00\n")
    assert page.typed["m2.pet.img"] == {"dose_MBq": "8.3", "dose_time": "2014-06-17 13:42:00"}


def test_rows_of_one_study_that_contradict_each_other_are_marked_in_their_row(page: Page) -> None:
    page.type(CT, "species", "mouse")
    shown = page.type(PET, "species", "rat")
    assert [cells(shown, row)["species"] for row in (1, 2)] == ["mouse", "rat"]
    assert "1 row with a problem" in shown
    assert "Nothing is missing" not in shown
    assert re.search(r"m1\.pet\.img.*?class=\"why bad\">species is &#39;rat&#39;, but row 1 says", shown, re.DOTALL)
    shown = page.type(PET, "species", "")
    assert cells(shown, 2)["species"] == "mouse"  # of the other row: one animal
    assert "why bad" not in shown


SCANNED = {"scan_time": "Tue Jun 17 14:00:00 2014"}
NEXT_DAY = {"scan_time": "Wed Jun 18 10:00:00 2014"}
TIMELESS = {"scan_time": None}
WEEKS_LATER = {"scan_time": "Tue Jul 15 14:00:00 2014"}


def marks(source: Path, title: str, typed: dict[str, dict[str, str]]) -> list[str]:
    """Return what the cells of a column are marked with."""
    kept = {row: dict(correct.normal(*cell) for cell in texts.items()) for row, texts in typed.items()}
    lines = correct.lines_of(correct.listing_of(source), kept, [title])
    return [cell.wrong or "; ".join(cell.doubts) for line in lines for cell in line.cells]


def test_values_of_one_animal_that_differ_between_its_scans_are_marked_in_both(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path)
    given = {CT: {"weight_g": "30"}, PET: {"weight_g": "26"}}
    assert marks(study, "weight_g", given) == ["m1.pet.img says 26", "m1.ct.img says 30"]
    heavy = {CT: {"weight_g": "heavy"}}
    assert marks(study, "weight_g", heavy) == ["expected a number like 24.6, alone or with its unit", ""]
    for alike in (
        {PET: {"weight_g": "26"}},  # counts for all scans of the study, as its sex
        {PET: {"sex": "M"}},
        {CT: {"weight_g": "26"}, PET: {"weight_g": "0.026 kg"}},
        {CT: {"weight_g": "unknown"}, PET: {"weight_g": "26"}},
    ):
        title = next(title for texts in alike.values() for title in texts)
        assert marks(study, title.replace("_kg", "_g"), alike) == ["", ""], alike


def test_what_an_animal_keeps_is_marked_in_both_cells_though_its_row_is_refused(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path)
    texts = {
        "species": ("mouse", "rat"),
        "sex": ("M", "F"),
        "birth_date": ("2014-03-04", "2014-03-05"),
        "patient_id": ("M1", "M2"),
    }
    for title, (one, other) in texts.items():
        typed = {CT: {title: one}, PET: {title: other, "dose_MBq": "7"}}
        assert marks(study, title, typed) == [f"{PET} says {other}", f"{CT} says {one}"]
    add(study, "m2.pet.img", subject_identifier="M0042", isotope="F-18")
    typed = {"m2.pet.img": {"dose_MBq": "7.1"}, CT: {"species": "mouse"}, PET: {"species": "rat"}}
    assert marks(study, "dose_MBq", typed) == ["", "", ""]  # what the other rows say counts


@pytest.mark.parametrize(
    ("when", "is_marked", "is_apart_marked"),
    [(SCANNED, True, True), (NEXT_DAY, False, False), (WEEKS_LATER, False, False), (TIMELESS, True, False)],
)
def test_weights_are_compared_within_a_session_and_the_rest_whenever(
    tmp_path: Path, when: dict[str, Any], is_marked: bool, is_apart_marked: bool
) -> None:
    """In one folder a scan without a time may be of any session; in two it is not known to be."""
    study, later = write_thin_study(tmp_path / "study"), tmp_path / "zlater"
    keys = {"subject_identifier": "m0042", "subject_weight": "26", "subject_weight_units": "1", **when}
    add(study, "m2.pet.img", subject_sex="male", subject_genus="Mus musculus", **keys)
    for place in ("study/", "zlater/"):
        found, name = marks(tmp_path, "weight_g", {}), f"{place}m2.pet.img"
        shown = is_marked if place == "study/" else is_apart_marked
        assert found == ([f"{name} says 26"] * 2 + ["study/m1.ct.img says 24.6"] if shown else [""] * 3)
        assert marks(tmp_path, "sex", {})[:2] == [f"{name} says M"] * 2
        later.mkdir(exist_ok=True)
        for file in study.glob("m2*"):
            file.rename(later / file.name)


def test_a_weight_that_counts_for_another_day_is_marked_there(page: Page) -> None:
    """A row of a sheet gives it to all scans of the study whose own rows give none."""
    add(
        page.source, "m2.pet.img", subject_identifier="M0042", subject_weight="27", subject_weight_units="1", **NEXT_DAY
    )
    shown = page.type("m2.pet.img", "weight_g", "28")
    assert [cells(shown, row)["weight_g"] for row in (1, 2, 3)] == ["28", "28", "28"]
    words = "that of m2.pet.img, of another day: type this day's here"
    assert [why(shown, row, "weight_g") for row in (1, 2, 3)] == [words, words, ""]
    shown = page.type(PET, "weight_g", "24.6")
    assert [cells(shown, row)["weight_g"] for row in (2, 3)] == ["24.6", "28"]
    assert [why(shown, row, "weight_g") for row in (2, 3)] == ["", ""]


@pytest.mark.parametrize(
    ("title", "text", "kept", "expected"),
    [
        ("weight_g", " 24.6g ", "24.6", ""),
        ("weight_g", "24,6", "24.6", ""),
        ("weight_g", "0.0246 kg", "24.6", ""),
        ("weight_kg", "0.0246", "24.6", ""),
        ("weight_g", "1,234", "1,234", "expected a number like 24.6, with a point as decimal mark"),
        ("weight_g", "heavy", "heavy", "expected a number like 24.6, alone or with its unit"),
        ("weight_g", "0", "0", "expected a number above 0"),
        ("weight_g", "n/a", "n/a", "expected an empty cell, which leaves it to the header, or unknown"),
        ("weight_g", "Unknown", "unknown", ""),
        ("dose_MBq", "7.03MBq", "7.03", ""),
        ("dose_MBq", "0.19 mCi", "7.03", ""),
        ("dose_mCi", "0.19", "7.03", ""),
        ("dose_MBq", "7 mBq", "7 mBq", "expected a number like 7.03"),
        ("injection_time", "2014-06-17 10:05", "2014-06-17 10:05:00", ""),
        ("injection_time", "10:05", "10:05", "expected a date and a time like"),
        ("birth_date", "4 Mar 2014", "2014-03-04", ""),
        ("birth_date", "03/04/2014", "03/04/2014", "expected a date like"),
        ("sex", "female", "F", ""),
        ("posture", "hfp", "HFP", ""),
        ("posture", "belly", "belly", "expected one of FFP"),
        ("patient_id", "a\\b", "a\\b", "expected text without backslash"),
        ("patient_id", HOSTILE, HOSTILE, ""),
    ],
)
def test_a_cell_is_read_by_the_rules_of_the_sheet(title: str, text: str, kept: str, expected: str) -> None:
    name, found = correct.normal(title, text)
    assert found == kept
    assert correct.wrong_with(name, found).startswith(expected)
    assert bool(correct.wrong_with(name, found)) is bool(expected)


def test_a_cell_that_is_typed_is_kept_and_says_what_is_wrong(page: Page) -> None:
    shown = page.type(PET, "weight_kg", "0.0246")
    assert page.typed == {PET: {"weight_g": "24.6"}}
    assert 'id="c-2-weight_g" class="typed "' in shown
    shown = page.type(PET, "weight_g", HOSTILE)
    assert page.typed == {PET: {"weight_g": HOSTILE}}
    assert cells(shown, 2)["weight_g"] == HOSTILE
    assert why(shown, 2, "weight_g") == "expected a number like 24.6, alone or with its unit"
    assert 'id="c-2-weight_g" class="typed bad"' in shown
    assert 'aria-invalid="true"' in shown
    assert "<script>alert" not in shown
    assert cells(page.get(), 2)["weight_g"] == HOSTILE  # loaded again


def test_headings_are_read_as_the_titles_that_they_are() -> None:
    for title in correct.EDITABLE:
        column = column_of(heading(title))
        assert column is not None
        assert column.title == title
    assert heading("weight_g") == "Weight, g"
    assert heading("patient_id") == "Patient ID"


def test_texts_of_headers_and_names_are_inert(page: Page) -> None:
    add(page.source, "<b>&'.img", subject_identifier=HOSTILE, subject_genus=HOSTILE, subject_sex=HOSTILE)
    for shown in (page.get(), page.type("<b>&'.img", "weight_g", "25")):
        assert "<script>alert" not in shown
        assert "<b>" not in shown
    assert page.typed == {"<b>&'.img": {"weight_g": "25"}}


def test_two_thousand_scans_are_paged_and_each_answer_is_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data" / "many"
    folder.mkdir(parents=True)
    (tmp_path / "header").write_text(header_text({"subject_identifier": "M1"}), "utf-8")
    (tmp_path / "data.img").write_bytes(bytes(48))
    for number in range(2000):
        (folder / f"m{number:04}.img").hardlink_to(tmp_path / "data.img")
        (folder / f"m{number:04}.img.hdr").hardlink_to(tmp_path / "header")
    page, looked = Page(tmp_path / "data", folder), list[int]()

    def counted(pairs: Sequence[Pair], *how: Any) -> Study:
        looked.append(len(pairs))
        return read_pairs(pairs, *how)

    monkeypatch.setattr(rows, "read_pairs", counted)
    shown = page.get(page=40)
    assert "Page 40 of 40" in shown
    shown = page.post("cell", row="m1999.img", title="weight_g", text="24.6g", page="40")
    assert looked == [PER_PAGE, PER_PAGE]  # headers of the page alone
    assert cells(shown, 2000)["weight_g"] == "24.6"
    assert 'id="r-1"' not in shown


def test_scans_in_folders_below_are_rows_of_their_own_animals(page: Page) -> None:
    write_thin_study(page.root / "other")
    page.source = page.root
    shown = page.type("other/m1.pet.img", "patient_id", "M7")
    assert [cells(shown, row)["patient_id"] for row in (1, 2, 3, 4)] == ["M7", "M7", "M0042", "M0042"]
    assert re.findall(r"<small>(\w+), CT", shown) == ["other", "study"]  # two of one name


@pytest.mark.skipif(os.name == "nt", reason="no such names on Windows")
def test_a_name_that_is_no_text_has_its_row(page: Page) -> None:
    name = os.fsdecode(b"latin-\xe9 \n.img")
    add(page.source, name)
    page.type(name, "weight_g", "25")
    assert page.typed == {name: {"weight_g": "25"}}
    sheet = page.root / "s.csv"
    assert "Saved" in page.post("save", path=str(sheet))
    assert sheet.read_text("utf-8-sig").splitlines()[1] == "latin-? ?.img,25"
    scans = {scan.pair.name: scan for scan in read_study(page.source, Corrections(sheet=sheet)).scans}
    assert scans[name].animal.weight_kg == 0.025


# Blocks and sheets.


def test_a_block_fills_from_its_cell_to_the_right_and_downwards(page: Page) -> None:
    add(page.source, "m2.pet.img")
    shown = page.paste(CT, "weight_g", '24,6\t7,03\r\n"25,1"\t\r\n26\t8,5\r\n27\t1\r\n')
    assert page.typed == {
        CT: {"weight_g": "24.6", "dose_MBq": "7.03"},
        PET: {"weight_g": "25.1"},
        "m2.pet.img": {"weight_g": "26", "dose_MBq": "8.5"},
    }
    assert "1 row too many" in shown


def test_titles_of_a_block_say_which_columns_and_which_scans(page: Page) -> None:
    block = 'Strain\tDose (mCi)\tComment\nC57BL/6J\t0.19\tx\n"BALB/c\nbyJ"\t=1+1\ty\n'
    shown = page.paste(CT, "birth_date", block)
    assert page.typed == {
        CT: {"strain": "C57BL/6J", "dose_MBq": "7.03"},
        PET: {"strain": "BALB/c byJ", "dose_MBq": "=1+1"},
    }
    assert "not read: Comment" in shown
    assert "4 typed, not saved yet" in shown
    assert "typed" not in cells(page.post("clear"), 1)
    shown = page.paste(CT, "patient_id", "file\tWeight, g\nm1.pet*\t30\nnothing.img\t5\n")
    assert page.typed == {PET: {"weight_g": "30"}}
    assert "1 row without a scan in the table" in shown


def test_the_tables_own_titles_say_which_scans_and_titles_that_are_none_are_refused(page: Page) -> None:
    page.paste(CT, "patient_id", "Scan\tWeight, g\tDose, MBq\nm1.pet.img\t30\t7\n")
    assert page.typed == {PET: {"weight_g": "30", "dose_MBq": "7"}}
    for titles, message in {
        "file\tweight": "&#39;weight&#39; is none of a sheet; did you mean weight_g or weight_kg?",
        "Mouse\tWeight, g": "&#39;Mouse&#39; is none of a sheet",
    }.items():
        assert message in page.paste(CT, "patient_id", f"{titles}\nm1.pet.img\t31\n")
    assert page.typed == {PET: {"weight_g": "30", "dose_MBq": "7"}}


def test_the_text_of_a_file_is_pasted_as_its_cells() -> None:
    for text in (
        "file;weight_g;dose_MBq\nm1.pet.img;24,7;7,1\n",
        "Scan;Weight, g;dose_MBq\r\nm1.pet.img;24,7;7,1",
        'file,weight_g,dose_MBq\nm1.pet.img,"24,7","7,1"\n',
        'Scan,"Weight, g",dose_MBq\rm1.pet.img,"24,7","7,1"\r',
        '\ufeffsep=;\nfile;"weight_g";dose_MBq\nm1.pet.img;24,7;7,1\n',
    ):
        block = block_of(text)
        assert [each and each.title for each in block.titles] == ["file", "weight_g", "dose_MBq"]
        assert (block.rows, block.has_decimal_comma) == ((("m1.pet.img", "24,7", "7,1"),), True)
    assert block_of('file;weight_g;strain\na;3;"b;c\td"').rows == (("a", "3", "b;c\td"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,weight_g\nm1.pet.img,24,7\n", "row 2 has more cells than there are titles: '7'"),
        ("file\tweight_g\nm1.pet.img\t24\t7\n", "row 2 has more cells than there are titles: '7'"),
        ("file\tweight_g\tweight_kg\nm1.pet.img\t24\t0.025\n", "two columns are weight_g"),
        ('file,weight_g\n"m1.pet.img,24\n', "cannot be read as text in columns"),
        (
            "file;weight_g\nm1.pet.img;24\nM1.PET.img;24\nm1.*;25\n",
            "two rows differ for m1.pet.img, weight_g: '24' and '25'",
        ),
    ],
)
def test_a_block_that_may_mean_another_number_is_refused(page: Page, text: str, message: str) -> None:
    assert message in html.unescape(page.paste(PET, "weight_g", text))
    assert page.typed == {}


def test_each_of_thousands_of_scans_may_say_something_else_without_filling_the_memory() -> None:
    found = dict[tuple[str, str], dict[str, str]]()
    add_differing([ScanTexts(f"{n}.img", "f", None, {"strain": f"s{n}"}) for n in range(600)], found)
    assert sum(map(len, found.values())) < 40_000  # not the square
    assert words_of(found["0.img", "strain"]).endswith("2.img says s2, 3.img says s3 and many more")


def test_a_sheet_with_other_titles_is_refused_by_its_first_title(page: Page) -> None:
    sheet = page.root / "animals.csv"
    sheet.write_text("Datei;Gewicht\nm1;24,7\n", "utf-8")
    assert "there is no column &#39;Datei&#39;" in page.post("take", sheet=str(sheet))


def test_whatever_is_pasted_leaves_a_table(page: Page) -> None:
    for text in ("", "\t\t\n\t", 'a"b\tc', "\0\0", "\t" * 300, '"' * 99, "x\n" * 5000, HOSTILE + "\t"):
        shown = page.paste(CT, "patient_id", text)
        assert "<script>alert" not in shown
    assert cells(page.get(), 2)["weight_g"] == "24.6"


def test_numbers_of_a_block_have_one_decimal_mark() -> None:
    assert block_of("24,6\t1,234\n").has_decimal_comma
    assert not block_of("24.6\t1,23\n").has_decimal_comma
    assert not block_of("1,234\n").has_decimal_comma
    with pytest.raises(InputError, match="too much is pasted"):
        block_of("x\t" * 300)


def test_a_sheet_of_someone_elses_encoding_is_taken_in(page: Page) -> None:
    sheet = page.root / "mäuse.csv"
    sheet.write_bytes("file;weight_g;strain;dose_mCi\nm1.pet*;24,6 g;Jäger;0,19\nm9*;20;;\n".encode("cp1252"))
    shown = page.post("take", sheet=str(sheet))
    assert page.typed == {PET: {"weight_g": "24.6", "strain": "Jäger", "dose_MBq": "7.03"}}
    assert "Windows-1252" in shown
    assert "rows that match no scan here: 3" in shown


def test_what_is_no_sheet_is_refused_and_the_table_stays(page: Page) -> None:
    (page.root.parent / "secret.csv").write_text("file,weight_g\n*,25\n", "utf-8")
    (page.source / "bad.csv").write_text("file,weight_g\n*,heavy\n", "utf-8")
    for name in ("../secret.csv", "/etc/passwd", "nothing.csv", "m1.ct.img", "bad.csv"):
        shown = page.post("take", sheet=name if name.startswith("/") else f"{page.source}/{name}")
        assert 'class="problem"' in shown
        assert page.typed == {}
        assert cells(shown, 2)["weight_g"] == "24.6"


def test_a_sheet_beside_the_scans_is_offered(page: Page) -> None:
    (page.source / "animals <b>.csv").write_text("file,weight_g\n*,25\n", "utf-8")
    assert "Beside the scans: animals &lt;b&gt;.csv" in page.get()


# A row for each animal.


@pytest.fixture
def animals(page: Page) -> Page:
    """The page of two animals with two scans each, and one scan that names none."""
    for name, sex in (("a", "male"), ("b", "")):
        add(
            page.root / "seven" / name,
            f"{name}.pet.img",
            subject_identifier=" M 7 ",
            subject_sex=sex,
            subject_genus=name,
        )
    add(page.root / "nobody", "c.img", subject_identifier="")
    page.source = page.root
    return page


def by_animal(page: Page) -> str:
    end = time.monotonic() + LAST_RESORT_S
    while 'id="look"' in (shown := page.get(by="animal")) and time.monotonic() < end:
        time.sleep(0.02)
    return shown


def test_a_row_for_each_animal_is_about_all_its_scans(animals: Page) -> None:
    shown = by_animal(animals)
    assert re.findall(r'id="n-\d"><span class="dim">\d</span> ([^<]*)<small>([^<]*)<', shown) == [
        ("M 7", "2 scans"),
        ("M0042", "2 scans"),
    ]
    assert "no header names an animal: nobody/c.img" in shown
    assert cells(shown, 2)["weight_g"] == "24.6"
    assert "dose_MBq" not in cells(shown, 2)
    assert why(shown, 1, "weight_g") == "missing, and SUV needs it"
    assert (cells(shown, 1)["sex"], why(shown, 1, "sex")) == ("M", "")  # one of them says nothing
    assert (cells(shown, 1)["species"], why(shown, 1, "species")) == (
        "",
        "seven/b/b.pet.img says b, seven/a/a.pet.img says a",
    )
    row = quote("//M 7")
    shown = animals.post("cell", part="subjects", row=row, title="weight_g", text="0.3kg")
    shown = animals.post("cell", part="subjects", row=row, title="species", text="mouse")
    assert why(shown, 1, "weight_g") == "the weight is 300 g, and a mouse has 3 to 100 g"
    animals.post(
        "paste", part="subjects", row=row, title="patient_id", text="subject\tsex\tweight_g\nm  7\tF\t30\nm9\tM\t1\n"
    )
    assert animals.typed == {"//M 7": {"weight_g": "30", "species": "mouse", "sex": "F"}}
    scans = animals.get()
    assert [cells(scans, row)["weight_g"] for row in (1, 2, 3, 4, 5)] == ["", "30", "30", "24.6", "24.6"]


def test_the_row_of_an_animal_is_marked_with_its_scans_that_say_otherwise(animals: Page) -> None:
    by_animal(animals)
    row = {"part": "subjects", "row": quote("//M0042")}
    animals.post("cell", **row, title="weight_g", text="30")
    animals.type("study/m1.pet.img", "weight_g", "31")
    shown = by_animal(animals)
    assert why(shown, 2, "weight_g") == "study/m1.pet.img says 31"
    scans = animals.get()
    names = ("study/m1.pet.img says 31", "study/m1.ct.img says 30")
    assert (why(scans, 4, "weight_g"), why(scans, 5, "weight_g")) == names
    shown = animals.post("cell", **row, title="weight_g", text="31")
    assert why(shown, 2, "weight_g") == ""


def test_an_animal_that_gained_weight_is_not_marked(page: Page) -> None:
    keys = {"subject_identifier": "M0042", "subject_sex": "female", "subject_genus": "Mus musculus", **WEEKS_LATER}
    add(page.root / "later", "m2.pet.img", subject_weight="26", subject_weight_units="1", **keys)
    page.source = page.root
    shown = by_animal(page)
    assert (cells(shown, 1)["weight_g"], why(shown, 1, "weight_g")) == ("", "")
    assert 'placeholder="its own each day"' in shown
    shown = page.type("study/m1.ct.img", "weight_g", "24.7")
    shown = by_animal(page)
    assert why(shown, 1, "weight_g") == "study/m1.pet.img says 24.6, study/m1.ct.img says 24.7"


def test_animals_are_saved_by_their_names_and_taken_again(animals: Page, tmp_path: Path) -> None:
    by_animal(animals)
    animals.front.roots = type(animals.front.roots)([tmp_path])
    animals.post("cell", part="subjects", row=quote("//M 7"), title="weight_g", text="30")
    animals.type("study/m1.pet.img", "weight_g", "31")
    sheet = tmp_path / "animals.csv"
    assert "Saved" in animals.post("save", path=str(sheet))
    titles, *rows = sheet.read_text("utf-8-sig").splitlines()
    assert (titles, rows[0]) == ("file,subject,weight_g", ",M 7,30")
    assert [each for each in rows if not each.endswith(",,")] == [",M 7,30", "study/m1.pet.img,,31"]
    animals.post("clear")
    shown = animals.post("take", part="subjects", sheet=str(sheet))
    assert animals.typed == {"//M 7": {"weight_g": "30"}}
    assert "1 row not imported" in shown


# Two pages, and what is kept.


def test_two_pages_of_one_source_do_not_lose_each_others_cells(page: Page) -> None:
    titles = ["weight_g", "dose_MBq", "sex", "posture"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda title: page.type(PET, title, correct.EDITABLE[title].codec.example), titles))
    assert set(page.typed[PET]) == set(titles)
    page.type(PET, "weight_g", "30")
    shown = page.type(CT, "weight_g", "31")  # of a page that was loaded before
    assert (cells(shown, 1)["weight_g"], cells(shown, 2)["weight_g"]) == ("31", "30")


def test_what_was_typed_is_there_after_a_restart_and_a_damaged_state_is_none(page: Page) -> None:
    page.type(PET, "weight_g", "30")
    again = front_of(page.root)
    assert again.sheets.of(page.source).typed == {PET: {"weight_g": "30"}}
    (kept,) = (page.front.state.folder / "sheets").glob("*.json")
    for text in (
        '{"typed": {"a": {"nothing": "1"}}, "columns": [1], "saved": ""}',
        "[",
        "[]",
        '{"typed": [], "columns": [], "saved": ""}',
        '{"typed": {"a": 1}, "columns": [], "saved": ""}',
    ):
        kept.write_text(text, "utf-8")
        assert front_of(page.root).sheets.of(page.source).typed == {}
    assert isinstance(again.state, State)


def test_what_was_typed_longest_ago_is_forgotten(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_MOST_FILES", 2)
    folder = page.front.state.folder / "sheets"
    for number in range(4):
        page.front.sheets.change(page.root / str(number), lambda kept: replace(kept, number=1))
        (newest,) = [each for each in folder.iterdir() if each.stat().st_mtime_ns > 10**18]
        os.utime(newest, ns=(number, number))
    left = [front_of(page.root).sheets.of(page.root / str(number)).number for number in range(4)]
    assert left == [0, 0, 1, 1]


def test_a_row_that_is_none_is_refused(page: Page) -> None:
    for row in ("../secret/a.img", "/etc/passwd", "nothing.img", "", "m1.pet.img.hdr", "@left"):
        assert 'class="problem"' in page.type(row, "weight_g", "25")
    assert 'class="problem"' in page.type(PET, "file", "x")
    assert page.typed == {}


# Saved.


def test_what_was_typed_alone_is_saved_and_used_by_the_conversion(page: Page) -> None:
    before = digests(page.source)
    for title, text in (("weight_g", "30g"), ("patient_id", "=1+1"), ("species", "unknown"), ("strain", "-a\tb")):
        page.type(PET, title, text)
    sheet = page.root / "study-subjects.csv"
    assert str(sheet) in page.get()
    assert "Saved" in page.post("save", path=str(sheet))
    titles, *rows = sheet.read_text("utf-8-sig").splitlines()
    assert (titles, rows) == ("file,patient_id,species,strain,weight_g", [f"{CT},,,,", f"{PET},'=1+1,unknown,'-a b,30"])
    _, row = read_sheet(sheet).rows
    assert {name: cell.value for name, cell in row.cells.items()} == {
        "id": "=1+1",
        "species": None,
        "strain": "-a b",
        "weight_kg": 0.03,
    }
    assert page.front.drafts[str(page.source)]["subjects"] == str(sheet)
    study = read_study(page.source, Corrections(sheet=sheet))
    assert (study.animal.id, study.animal.weight_kg) == ("=1+1", 0.03)
    assert plan(page.source, page.root / "out", page_options(page))
    assert str(sheet) in page.client.get(link("/make", source=page.source)).text
    assert digests(page.source) == before


def saved(page: Page, key: str, name: str) -> tuple[str, list[str]]:
    """Save a sheet with something of one scan alone; return what is shown, and which scans below get it."""
    page.post("clear")
    page.type(key, "protocol", "of one")
    sheet = page.root / name
    shown = page.post("save", path=str(sheet))
    if not sheet.exists():
        return html.unescape(shown), []
    read = read_sheet(sheet)
    got = [each for each in page.source.rglob("*.img") if "protocol" in read.of_scan(pair_of(each), Header()).cells]
    return html.unescape(shown), [each.relative_to(page.source).as_posix() for each in got]


ODD = ["a[1].img", "a1.img", "b*.img", "bb.img", "[!x].img", "=x.img", "-3.img", "#h.img"]
ODD += [] if os.name == "nt" else [" c .img", "c .img", "d?.img", "dd.img", "e:f.img"]


def test_what_was_typed_of_a_scan_is_of_no_other_whatever_their_names(tmp_path: Path) -> None:
    (tmp_path / "data" / "study").mkdir(parents=True)
    page = Page(tmp_path / "data", tmp_path / "data" / "study")
    for name in [*ODD, *(each for each in ("F.img", "f.img") if os.name != "nt")]:
        add(page.source, name)
    for number, name in enumerate(ODD):
        shown, got = saved(page, name, f"{number}.csv")
        assert "Saved" in shown
        assert got == [name]
        assert page.get().count('value="of one"') == 1
    if os.name != "nt":
        shown, got = saved(page, "f.img", "case.csv")
        assert "a sheet cannot distinguish these files: F.img, f.img; rename one of them" in shown
        assert got == []


@pytest.mark.parametrize(
    ("names", "key"), [(("m/x.img", "k/m/x.img"), "m/x.img"), (("x.img", "later/x.img", "later/y.img"), "x.img")]
)
def test_what_was_typed_of_a_scan_is_not_of_one_of_the_same_name_further_down(
    tmp_path: Path, names: tuple[str, ...], key: str
) -> None:
    (tmp_path / "data" / "study").mkdir(parents=True)
    page = Page(tmp_path / "data", tmp_path / "data" / "study")
    for name in names:
        (page.source / name).parent.mkdir(parents=True, exist_ok=True)
        add((page.source / name).parent, Path(name).name)
    shown, got = saved(page, key, "s.csv")
    assert "Saved" in shown
    assert got == [key]
    rows = (page.root / "s.csv").read_text("utf-8-sig").splitlines()
    assert f"study/{key},of one" in rows


def test_scans_of_which_nothing_was_typed_are_not_warned_of(page: Page) -> None:
    page.type(PET, "weight_g", "25")
    sheet = page.root / "s.csv"
    page.post("save", path=str(sheet))
    read = read_study(page.source, Corrections(sheet=sheet))
    assert "scan-not-in-sheet" not in {each.code for scan in read.scans for each in scan.all_findings}


def test_what_the_table_does_not_hold_is_reported(page: Page) -> None:
    add(page.source, "gone.img")
    page.type("gone.img", "weight_g", "25")
    for suffix in (".img", ".img.hdr"):
        (page.source / f"gone{suffix}").unlink()
    assert "typed for scans that are no longer here is not used: gone.img." in page.get()
    page.front.drafts.keep(page.source, {"subjects": str(page.root / "mine.csv")})
    assert "mine.csv, which is not in this table: import it, or saving replaces it." in page.get()
    page.type(PET, "weight_g", "25")
    page.post("save", path=str(page.root / "s.csv"))
    assert "take it in" not in page.get()
    (page.root / "s.csv").write_text("file,weight_g\nm1.pet.img,31\n")
    assert "s.csv was changed or removed after it was saved here, and Make uses it as it is" in page.get()
    page.post("save", path=str(page.root / "s.csv"), overwrite="yes")
    (page.root / "s-boxes.json").write_text("{}")  # of another sheet
    assert "was changed or removed" not in page.get()


def test_make_says_that_what_was_typed_is_not_saved(page: Page) -> None:
    words, sheet = "is not saved, so it is not used here", page.root / "s.csv"

    def makes() -> list[str]:
        return [page.client.get(link(path, source=page.source)).text for path in ("/make", "/batch")]

    assert not any(words in each for each in makes())
    page.type(PET, "weight_g", "25")
    assert all(words in each for each in makes())
    page.post("save", path=str(sheet))
    assert not any(words in each for each in makes())
    page.type(PET, "weight_g", "26")
    assert all(words in each for each in makes())


@pytest.mark.parametrize("way", ["cell", "clear"])
def test_what_is_taken_back_counts_no_more_once_that_is_saved(page: Page, way: str) -> None:
    page.type(PET, "weight_g", "25")
    page.post("save", path=str(page.root / "s.csv"))
    assert page.front.drafts.of(page.source)["subjects"]
    page.post("clear") if way == "clear" else page.type(PET, "weight_g", "")
    assert "is not saved, so it is not used here" in page.client.get(link("/make", source=page.source)).text
    assert "no longer uses the sheet" in page.post("save", path=str(page.root / "s.csv"))
    assert "subjects" not in page.front.drafts.of(page.source)
    made = page.client.get(link("/make", source=page.source)).text
    assert "s.csv" not in made
    assert "is not saved" not in made


def page_options(page: Page) -> Any:
    from inveonimaging import Options
    from inveonimaging.app.pages.make import options_kept

    kept = options_kept(page.front, page.source)
    assert kept is not None
    return Options(**kept.values)


def test_a_sheet_without_a_scan_that_is_gone_is_not_all_that_was_typed(page: Page, tmp_path: Path) -> None:
    page.front.roots = type(page.front.roots)([tmp_path])
    add(page.source, "m2.pet.img")
    for scan in (PET, "m2.pet.img"):
        page.type(scan, "weight_g", "24")
    for is_whole in (True, False):
        page.post("save", path=str(tmp_path / f"{is_whole}.csv"))
        kept = page.front.sheets.of(page.source)
        assert (kept.is_saved, kept.is_whole, kept.is_elsewhere) == (True, is_whole, is_whole)
        (page.source / "m2.pet.img").unlink(missing_ok=True)
        (page.source / "m2.pet.img.hdr").unlink(missing_ok=True)


def test_each_saving_says_when_and_what_is_typed_after_it_is_distinguished_from_it(page: Page, tmp_path: Path) -> None:
    page.front.roots = type(page.front.roots)([tmp_path])
    assert "data-unsaved" in page.type(PET, "weight_g", "24.7")
    assert re.search(r">Saved at \d\d:\d\d:\d\d<", page.post("save", path=str(tmp_path / "s.csv")))
    assert "data-unsaved" not in page.get()


def test_a_file_that_is_there_is_replaced_only_if_that_is_asked_for(page: Page) -> None:
    page.type(PET, "weight_g", "30")
    sheet = page.root / "mine.csv"
    sheet.write_text("mine", "utf-8")
    shown = page.post("save", path=str(sheet))
    assert "exists already" in shown
    assert 'name="overwrite"' in shown
    assert sheet.read_text("utf-8") == "mine"
    assert "Saved" in page.post("save", path=str(sheet), overwrite="yes")
    page.type(PET, "weight_g", "31")
    assert "Saved" in page.post("save", path=str(sheet))  # what was saved here itself
    sheet.write_text("changed by hand", "utf-8")
    assert "exists already" in page.post("save", path=str(sheet))
    assert sheet.read_text("utf-8") == "changed by hand"


ELSEWHERE = {
    "study/s.csv": "is in a folder of the scanner",
    "study/below/s.csv": "is in a folder of the scanner",
    "way/s.csv": "is in a folder of the scanner",
    "../s.csv": "goes upwards",
    "s.txt": "name ends in",
    "nothing/s.csv": "there is no such folder",
}


def test_where_a_sheet_may_not_be_saved(page: Page) -> None:
    (page.source / "below").mkdir()
    (page.root / "way").symlink_to(page.source)
    page.type(PET, "weight_g", "30")
    before = digests(page.root)
    for path, expected in ELSEWHERE.items():
        assert expected in page.post("save", path=f"{page.root}/{path}")
    assert "no folder is given" in page.post("save", path="")
    assert digests(page.root) == before


def test_nothing_is_saved_of_cells_that_cannot_be_read_or_of_none(page: Page) -> None:
    sheet = page.root / "s.csv"
    assert "nothing is typed" in page.post("save", path=str(sheet))
    page.type(PET, "weight_g", "30")
    page.type(CT, "sex", "both")
    assert "m1.ct.img, sex: expected M, F or O" in page.post("save", path=str(sheet))
    assert not sheet.exists()


def test_the_sheet_of_one_scan_is_offered_outside_of_its_folder(page: Page) -> None:
    page.source = page.source / PET
    assert f'name="path" value="{page.root / "m1.pet-subjects.csv"}"' in page.get()
    page.type(PET, "weight_g", "30")
    assert "is in a folder of the scanner" in page.post("save", path=str(page.source.parent / "s.csv"))
    assert "Saved" in page.post("save", path=str(page.root / "s.csv"))
