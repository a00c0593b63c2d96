"""Sheets of subjects: how files are read, which rows are about a scan, what is refused and how that is reported."""

from __future__ import annotations

import csv
import errno
import io
import os
import pickle
import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from fnmatch import fnmatchcase
from pathlib import Path
from time import process_time as time_of_cpu
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from helpers import ROOT, assert_harmless, header_text
from inveonimaging import extras
from inveonimaging.animal import Code
from inveonimaging.animal.sheet_values import Origin, SheetValues, Source
from inveonimaging.errors import InputError, InveonError, OptionError
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet import books, reading
from inveonimaging.sheet.columns import COLUMNS, Scope
from inveonimaging.sheet.matching import Sheet, _matches, sheet_values_of, unused_rows
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.sheet.values import escaped, unescaped

Make = Callable[..., Path]


@pytest.fixture
def sheet(tmp_path: Path) -> Make:
    """Return a function that writes a file."""

    def write(content: str | bytes, name: str = "subjects.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def values(found: Sheet, row: int = 0) -> dict[str, Any]:
    return {name: cell.value for name, cell in found.rows[row].cells.items()}


def header(identifier: str | None = None, **keys: str) -> Header:
    return parse(header_text({"subject_identifier": identifier, **keys}).encode())[0]


def pair(path: str) -> Pair:
    return Pair(Path(path + ".hdr"), Path(path))


def values_for(found: Sheet, path: str = "/data/study/m1.pet.img", identifier: str | None = None) -> SheetValues:
    return found.of_scan(pair(path), header(identifier))


def refused(path: Path, error: type[InveonError] = OptionError) -> str:
    """Return the one harmless line that a file is refused with."""
    with pytest.raises(error) as caught:
        read_sheet(path)
    assert_harmless(str(caught.value))
    return str(caught.value)


# Files.

TITLES = ["subject", "patient_name", "weight_g", "injection_time", "neutered"]
ROW = ["M 12", "Mäuschen^Ä", "24.6", "2014-06-17 10:05:30", "yes"]
TRUE = {
    "name": "Mäuschen^Ä",
    "weight_kg": 0.0246,
    "injection_time": datetime(2014, 6, 17, 10, 5, 30),
    "neutered": True,
}


def book(*rows: Sequence[Any], change: Callable[[Any], object] = lambda _sheet: None, title: str = "Sheet") -> bytes:
    made = Workbook()
    made.active.title = title  # type: ignore[union-attr]
    for row in rows:
        made.active.append(list(row))  # type: ignore[union-attr]
    change(made.active)
    kept = io.BytesIO()
    made.save(kept)
    return kept.getvalue()


def joined(separator: str, *rows: Sequence[str]) -> str:
    return "\r\n".join(separator.join(row) for row in rows) + "\r\n"


FILES: dict[str, tuple[str, bytes, int]] = {  # name, content, row
    "commas": ("s.csv", joined(",", TITLES, ROW).encode(), 2),
    "semicolons": ("s.csv", joined(";", TITLES, ROW).encode(), 2),
    "semicolons and a decimal comma": ("s.csv", joined(";", TITLES, [*ROW[:2], "24,6", *ROW[3:]]).encode(), 2),
    "with a mark": ("s.csv", joined(",", TITLES, ROW).encode("utf-8-sig"), 2),
    "Windows-1252": ("s.csv", joined(";", TITLES, ROW).encode("cp1252"), 2),
    "UTF-16 as Excel's Unicode text": ("s.tsv", joined("\t", TITLES, ROW).encode("utf-16"), 2),
    "tabs": ("s.TSV", joined("\t", TITLES, ROW).encode(), 2),
    "told separator": ("s.csv", ("sep=;\r\n" + joined(";", TITLES, ROW)).encode(), 3),
    "empty lines": ("s.csv", ("\n" + joined(",", TITLES) + "\n,,\n" + joined(",", ROW)).encode(), 5),
    "quoted": ("s.csv", joined(",", [f'"{t}"' for t in TITLES], [f'"{t}"' for t in ROW]).encode(), 2),
    "titles as people write them": (
        "s.csv",
        joined(",", ["Subject", "Patient Name", "Weight (g)", "injection-time", "NEUTERED"], ROW).encode(),
        2,
    ),
    "Excel": ("s.xlsx", book(TITLES, ROW), 2),
    "Excel with types": (
        "s.xlsx",
        book(TITLES, ["M 12", "Mäuschen^Ä", 24.6, datetime(2014, 6, 17, 10, 5, 30), True]),
        2,
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_every_kind_of_file_says_the_same(sheet: Make, case: str) -> None:
    name, content, row = FILES[case]
    found = read_sheet(sheet(content, name))
    [only] = found.rows
    assert (only.number, only.subject) == (row, "M 12")
    assert values(found) == TRUE
    codes = [finding.code for finding in found.findings]
    assert codes == (["sheet-encoding"] if case == "Windows-1252" else [])


def test_numbers_and_dates_are_taken_as_they_are_written(sheet: Make) -> None:
    found = read_sheet(sheet("subject,patient_id,birth_date,sex,dose_MBq\n007,0012,2014-03-04,F,7.030\n"))
    assert found.rows[0].subject == "007"
    assert values(found) == {"id": "0012", "birth_date": date(2014, 3, 4), "sex": "F", "dose_mbq": 7.03}
    found = read_sheet(sheet("subject,weight_g,patient_id\na,1e1,12345678901234567890\n"))
    assert values(found) == {"weight_kg": 0.01, "id": "12345678901234567890"}


def test_dates_of_excel_are_dates(sheet: Make) -> None:
    rows = (["subject", "birth_date", "injection_time", "patient_id", "weight_g"],)
    content = book(*rows, ["a", datetime(2014, 3, 4), datetime(2014, 6, 17), 12, 0.1 + 0.2])
    assert values(read_sheet(sheet(content, "s.xlsx"))) == {
        "birth_date": date(2014, 3, 4),
        "injection_time": datetime(2014, 6, 17),
        "id": "12",
        "weight_kg": 0.0003,  # as Excel shows it, not 0.00030000000000000003
    }


def test_of_several_sheets_that_of_subjects_is_read_else_the_first(sheet: Make) -> None:
    made = Workbook()
    made.active.append(["subject", "sex"])  # type: ignore[union-attr]
    made.active.append(["first", "F"])  # type: ignore[union-attr]
    other = made.create_sheet("Notes")
    other.append(["no title of ours"])
    kept = io.BytesIO()
    made.save(kept)
    assert read_sheet(sheet(kept.getvalue(), "s.xlsx")).rows[0].subject == "first"
    named = made.create_sheet("Subjects")
    named.append(["subject", "sex"])
    named.append(["second", "M"])
    kept = io.BytesIO()
    made.save(kept)
    assert read_sheet(sheet(kept.getvalue(), "s.xlsx")).rows[0].subject == "second"


def test_lines_in_a_cell_become_one_and_rows_count_as_in_a_spreadsheet(sheet: Make) -> None:
    found = read_sheet(sheet('subject,strain\n"a","C57BL/6J\nJackson"\nb,BALB/c\n'))
    assert values(found) == {"strain": "C57BL/6J Jackson"}
    assert [row.number for row in found.rows] == [2, 3]


def test_columns_with_a_hash_are_not_read(sheet: Make) -> None:
    found = read_sheet(sheet("subject,# cage,#,sex\na,=1+1,x,F\n"))
    assert values(found) == {"sex": "F"}


def test_all_columns_are_read(sheet: Make) -> None:
    skipped = {"weight_kg", "dose_mCi", "residual_mCi"}
    columns = [each for each in COLUMNS if each.title not in skipped]
    examples = {"MATCH": "x"}
    cells = [examples.get(each.scope.name) or each.codec.example or "text" for each in columns]
    found = read_sheet(sheet(joined(",", [each.title for each in columns], [f'"{cell}"' for cell in cells])))
    assert set(values(found)) == {each.name for each in columns if each.scope is not Scope.MATCH}


def test_units_are_those_of_the_title(sheet: Make) -> None:
    found = read_sheet(sheet("subject,weight_kg,dose_mCi,residual_mCi\na,0.0246,0.19,0.01\n"))
    assert values(found) == {"weight_kg": 0.0246, "dose_mbq": 7.03, "residual_mbq": 0.37}  # 1 mCi is 37 MBq


@pytest.mark.parametrize(
    ("title", "cell", "value"),
    [
        ("weight_g", "24.6 g", 0.0246),
        ("weight_g", "24.6g", 0.0246),
        ("weight_g", "0.0246 kg", 0.0246),
        ("weight_kg", "24600 mg", 0.0246),
        ("dose_MBq", "0.19 mCi", 7.03),  # 1 mCi is 37 MBq
        ("dose_MBq", "190uCi", 7.03),
        ("dose_mCi", "7.03 MBq", 7.03),
        ("residual_MBq", "0 MBq", 0.0),
        ("residual_MBq", "310 kBq", 0.31),
    ],
)
def test_a_unit_in_a_cell_counts(sheet: Make, title: str, cell: str, value: float) -> None:
    (found,) = values(read_sheet(sheet(f"subject,{title}\na,{cell}\n"))).values()
    assert found == value
    comma = f"subject;{title}\na;{cell.replace('.', ',')}\n"
    assert list(values(read_sheet(sheet(comma))).values()) == [value]


def test_codes_and_several_values(sheet: Make) -> None:
    found = read_sheet(
        sheet(
            "subject,strain_codes,genetic_modifications,breed_registry\n"
            'a,3028467^MGI^C57BL/6J | X^99LAB^black 6,"Apoe<tm1Unc>, hom | Ldlr<tm1Her>",American Canine Association\n'
        )
    )
    assert values(found) == {
        "strain_codes": (Code("3028467", "MGI", "C57BL/6J"), Code("X", "99LAB", "black 6")),
        "modifications": ("Apoe<tm1Unc>, hom", "Ldlr<tm1Her>"),
        "breed_registry": "American Canine Association",
    }


# What is refused.


@pytest.mark.parametrize(
    ("title", "cell", "expected"),
    [
        ("weight_g", "24,6", "a number like 24.6, with a point as decimal mark, alone or with its unit"),
        ("weight_g", "24,6 g", "a number like 24.6, with a point as decimal mark, alone or with its unit"),
        ("weight_g", "24.6 MBq", "a number like 24.6, alone or with its unit"),
        ("weight_g", "-24.6 g", "a number above 0"),
        ("dose_MBq", "7 mBq", "a number like 7.03, alone or with its unit"),
        ("molar_activity_GBq_per_umol", "50 GBq", "a number like 50, without its unit"),
        ("weight_g", "0", "a number above 0"),
        ("weight_g", "-3", "a number above 0"),
        ("weight_g", "nan", "a number like 24.6"),
        ("weight_g", "1e999", "a number like 24.6"),
        ("residual_MBq", "-1", "a number 0 or above"),
        ("birth_date", "03/04/2014", "a date like 2014-03-04"),
        ("birth_date", "4.3.14", "a date like 2014-03-04"),
        ("sex", "castrated", "M, F or O"),
        ("neutered", "maybe", "yes or no"),
        ("injection_time", "10:05", "a date and a time like 2014-06-17 13:51:37"),
        ("injection_time", "2014-06-17", "a date and a time"),
        ("injection_time", "2014-02-30 10:00", "a date and a time"),
        ("injection_time", "2014-06-17T10:05:00Z", "without a zone"),
        ("injection_time", "17.06.2014 10:05", "a date and a time"),
        ("responsible_role", "BOSS", "one of OWNER, "),
        ("strain_codes", "3028467", "VALUE^SCHEME^MEANING"),
        ("strain_codes", "1^MGI^", "VALUE^SCHEME^MEANING"),
        ("strain_codes", "1^SEVENTEENLETTERSX^a", "VALUE^SCHEME^MEANING"),
        ("project", "FDG pilot", "letters from A to Z, digits, _ and -"),
        ("patient_name", "x" * 65, "a name of at most 64 characters"),
        ("patient_name", "a^b^c^d^e^f", "a name of at most 64 characters"),
        ("patient_id", "x" * 65, "at most 64 characters, and not 65"),
        ("strain", "ä" * 65, "at most 64 characters, and not 65"),
        ("strain", "a\\b", "text without backslash and control characters"),
        ("strain", "a\x1b[31m", "text without backslash and control characters"),
        ("strain", "none", "an empty cell, which leaves it to the header, or unknown, which removes the header's"),
        ("patient_id", "-", "an empty cell"),
        ("patient_id", "N/A", "an empty cell"),
        ("file", "/data/a.img", "the end of a path"),
        ("file", r"D:\data\a.img", "the end of a path"),
        ("folder", "../other", "the end of a path"),
        ("folder", "/", "the end of a path"),
    ],
)
def test_a_cell_that_makes_no_sense_is_refused_with_its_place(
    sheet: Make, title: str, cell: str, expected: str
) -> None:
    titles = ["subject", "sex", title] if title != "sex" else ["subject", "breed", title]
    made = io.StringIO(newline="")
    csv.writer(made).writerows([titles, ["a", "", ""], ["b", "F", cell]])
    path = sheet(made.getvalue())
    line = refused(path)
    assert line.startswith(f"{path}:3: {title} is '")
    assert expected in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("subject,wieght_g\na,3\n", ":1: there is no column 'wieght_g'; did you mean weight_g? "),
        ("subject,weight\na,3\n", ":1: there is no column 'weight'; did you mean weight_g or weight_kg? "),
        ("subject,dose [mCi/kg]\na,3\n", ":1: there is no column 'dose [mCi/kg]'"),
        ("subject,cage\na,3\n", "a title that starts with # is not read: # cage"),
        ("subject,sex,Sex\na,F,M\n", ":1: two columns are sex: 'sex' and 'Sex'"),
        ("subject,weight_g,weight_kg\na,3,4\n", ":2: weight_g and weight_kg are given, expected one"),
        ("subject,sex\na,F,M\n", ":2: cell 3 is 'M', and its column has no title"),
        ("subject,weight_g\na,24,6\n", "; if a decimal comma has split a number: write a point, or separate the"),
        ("subject,birth_date\na,03/04/2014\n", "like 2014-03-04, as a spreadsheet program saves it from a column of"),
        (
            "subject,injection_time\na,17.06.2014 13:51\n",
            "without a zone, as a spreadsheet program saves it from a column of the format yyyy-mm-dd hh:mm:ss",
        ),
        ("subject,sex\n,F\n", ":2: the row does not say which scans it is for; fill one of file, folder and subject"),
        ("", "the sheet has no rows"),
        ("subject,sex\n", "the sheet has no rows"),
        ('subject,sex\n"a"b,F\n', ":2: cannot be read as text in columns"),
        (
            b"subject,sex\n\x81\x8d,F\n",
            "belongs to no known encoding, expected UTF-8; save it in the",
        ),
    ],
)
def test_a_sheet_that_makes_no_sense_is_refused(sheet: Make, content: str | bytes, message: str) -> None:
    assert message in refused(sheet(content))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.txt", "", "the sheet's name ends in '.txt', expected one of .csv, .tsv, .xlsx"),
        ("s", "", "the sheet's name has no ending, expected one of .csv, .tsv, .xlsx"),
        ("s.xlsx", "PK", "is not an Excel workbook"),
        ("s.xlsx", book(["subject", "weight_g"], ["a", "=20+4"]), ":2: cell B2 holds a formula; replace it by its"),
        ("s.xlsx", book(["subject", "weight_g"], ["a", "#N/A"]), ":2: cell B2 holds an error, #N/A"),
        ("s.xlsx", book(["subject", "injection_time"], ["a", time(10, 5)]), "injection_time is '10:05:00', expected"),
        (
            "s.xlsx",
            book(["subject", "sex"], ["a", "F"], ["b", ""], change=lambda sheet: sheet.merge_cells("B2:B3")),
            "cells B2:B3 are merged",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(sheet: Make, name: str, content: str | bytes, message: str) -> None:
    assert message in refused(sheet(content, name))


FAR = "XFD1048576"


def unzipped(data: bytes, changed: Callable[[str, bytes], bytes]) -> bytes:
    """Return a workbook with its parts changed."""
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as packed, zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as made:
        for name in packed.namelist():
            made.writestr(name, changed(name, packed.read(name)))
    return kept.getvalue()


def with_far_cell(content: bytes = b"") -> bytes:
    """Return a workbook of a row, and one more cell in the last place that Excel has."""
    added = b'<row r="1048576"><c r="%s"%s/c></row></sheetData>' % (FAR.encode(), content or b" s='0'")
    added = added.replace(b"/c>", b"></c>") if content else added.replace(b"/c>", b"/>")

    def changed(name: str, part: bytes) -> bytes:
        return part.replace(b"</sheetData>", added) if name.endswith("sheet1.xml") else part

    return unzipped(book(TITLES, ROW), changed)


def test_a_cell_with_a_format_far_away_is_no_cell(sheet: Make) -> None:
    """Such a workbook of 5 KB took minutes and gigabytes."""
    found = read_sheet(sheet(with_far_cell(), "s.xlsx"))
    assert [row.number for row in found.rows] == [2]
    assert values(found) == TRUE


def test_a_value_far_away_is_refused(sheet: Make) -> None:
    line = refused(sheet(with_far_cell(b"><v>1</v><"), "s.xlsx"))
    assert "the sheet goes to row 1048576, expected at most 200000" in line


def test_merged_cells_are_refused_whatever_their_number(sheet: Make) -> None:
    def changed(name: str, part: bytes) -> bytes:
        merged = b'</sheetData><mergeCells count="1"><mergeCell ref="A1:%s"/></mergeCells>' % FAR.encode()
        return part.replace(b"</sheetData>", merged) if name.endswith("sheet1.xml") else part

    line = refused(sheet(unzipped(book(TITLES, ROW), changed), "s.xlsx"))
    assert f"cells A1:{FAR} are merged" in line


def with_part(ending: str, old: bytes, new: bytes) -> bytes:
    """Return a workbook of a row in which something of a part is changed."""

    def changed(name: str, part: bytes) -> bytes:
        return part.replace(old, new, 1) if name.endswith(ending) else part

    return unzipped(book(TITLES, ROW), changed)


@pytest.mark.parametrize(
    ("ending", "old", "new"),
    [
        ("styles.xml", b"</cellXfs>", b"<xf/>" * 3000 + b"</cellXfs>"),
        ("theme1.xml", b"</a:theme>", b"<si><t/></si>" * 6000 + b"</a:theme>"),
        ("theme1.xml", b"</a:theme>", b"<si>%s</si></a:theme>" % (b"<r/>" * 11_000)),
        ("sheet1.xml", b"<sheetData>", b"<cols>%s</cols><sheetData>" % (b'<col min="1"/>' * 3000)),
        ("Content_Types].xml", b"</Types>", b'<Default Extension="a" ContentType="b"/>' * 3000 + b"</Types>"),
    ],
)
def test_elements_beyond_all_reason_are_refused_before_anything_is_made_of_them(
    sheet: Make, monkeypatch: pytest.MonkeyPatch, ending: str, old: bytes, new: bytes
) -> None:
    """With a hundred times so many, such workbooks of 60 KB took a minute, and up to 3 GB."""
    for name in ("_MOST_OTHERS", "_MOST_OF_STRINGS", "_MOST_OF_CELLS"):
        monkeypatch.setattr(books, name, getattr(books, name) // 100)
    monkeypatch.setattr("openpyxl.load_workbook", pytest.fail)
    path = sheet(with_part(ending, old, new), "s.xlsx")
    assert "holds too many cells, texts or formats; save the sheet of subjects alone" in refused(path)


def test_a_workbook_of_more_parts_than_any_has_is_refused(sheet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_MOST_PARTS", 3)
    assert "unpacks to 9 parts, expected at most 3" in refused(sheet(book(TITLES, ROW), "s.xlsx"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"</sheetData>", b'<row r="2"><c r="A2"><v>9</v></c></row></sheetData>'),
        (b'<row r="2"', b'<row r="3"/><row r="2"'),
        (b"</row></sheetData>", b'<c r="A2"><v>9</v></c></row></sheetData>'),
        (b"</row></sheetData>", b'<c r="Z5"><v>9</v></c></row></sheetData>'),
        (b"<sheetData>", b'<sheetData><row r="0"><c r="A0"><v>9</v></c></row>'),
    ],
    ids=["a row twice", "rows", "a cell twice", "a cell of another row", "row 0"],
)
def test_rows_and_cells_out_of_order_are_refused(sheet: Make, old: bytes, new: bytes) -> None:
    """openpyxl passes over rows that come late, and takes the last of two cells in one place."""
    line = refused(sheet(with_part("sheet1.xml", old, new), "s.xlsx"))
    assert "the rows or cells of the sheet are out of order at row" in line
    assert "open it in a spreadsheet program and save it again" in line


BOMB = b'<!DOCTYPE a [<!ENTITY a0 "%s">%s]>' % (
    b"x" * 100,
    b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 9)),
)


@pytest.mark.parametrize("where", ["sheet1.xml", "theme1.xml", "workbook.xml", "styles.xml"])
def test_entities_of_entities_are_not_unpacked(sheet: Make, where: str) -> None:
    def changed(name: str, part: bytes) -> bytes:
        if not name.endswith(where):
            return part
        begin = part.index(b">") + 1 if part.startswith(b"<?xml") else 0
        return part[:begin] + BOMB + re.sub(rb"(<[a-z][^>]*>)", rb"\1&a8;", part[begin:], count=1)

    path, begun = sheet(unzipped(book(TITLES, ROW), changed), "s.xlsx"), time_of_cpu()
    assert "a part has a DOCTYPE, which no spreadsheet program writes" in refused(path)
    assert time_of_cpu() - begun < 5  # unpacked, it is 10 GB


def test_a_first_line_of_any_length_is_refused(sheet: Make) -> None:
    assert ":1: cannot be read as text in columns: field larger" in refused(sheet("a" * 200_000 + "\nb\n"))
    assert ":1: the sheet has 100001 columns, expected at most 256" in refused(sheet("," * 100_000 + "x\n1\n"))


def test_more_rows_than_anybody_has_are_not_kept(sheet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ROWS", 3)
    assert ":8: the sheet has more than 3 rows" in refused(
        sheet("subject\n" + "a\n\n" * 3 + "a\n" * 1000).with_name("subjects.csv")
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_or_a_device_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.csv")
    assert refused(tmp_path / "s.csv").endswith("s.csv: the sheet cannot be read: is not a regular file")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    assert refused(tmp_path / "zero.csv").endswith("zero.csv: the sheet cannot be read: is not a regular file")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "the sheet cannot be read: No such file" in refused(tmp_path / "s.csv")


def test_a_sheet_that_another_program_locks_says_so(sheet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")  # as Windows says it of a workbook that Excel has open

    monkeypatch.setattr(reading, "read_bounded", locked)
    assert refused(sheet("")).endswith(
        "the sheet cannot be read: Permission denied; if another program has it open, close it there"
    )


@pytest.mark.parametrize("suffix", [".yaml", ".YML"])
def test_a_list_is_refused_and_the_line_says_what_to_use(sheet: Make, suffix: str) -> None:
    path = sheet('[{"subject": "a", "sex": "F"}]', f"s{suffix}")
    assert refused(path) == (
        f"{path}: the sheet's name ends in '{suffix.lower()}', expected one of .csv, .tsv, .xlsx; "
        "use .csv, which every spreadsheet program reads and writes"
    )


def test_a_missing_extra_is_one_line(sheet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda wanted: None if wanted == "openpyxl" else object())
    assert refused(sheet("", "s.xlsx")) == 'an .xlsx file needs openpyxl; pip install "inveonimaging[xlsx]"'


@given(data=st.binary(max_size=300), name=st.sampled_from(["s.csv", "s.tsv", "s.xlsx"]))
def test_no_bytes_crash(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    try:
        read_sheet(path)
    except OptionError as error:
        assert_harmless(str(error))


# Formulas.


@given(text=st.text("=+-@'\",;\t ab", max_size=12) | st.text(max_size=12))
def test_what_is_escaped_starts_no_formula_and_comes_back(text: str) -> None:
    cell = escaped(text)
    assert unescaped(cell) == text
    for part in (piece for separator in ",;\t" for piece in cell.split(separator)):
        assert not part.lstrip(' "').startswith(("=", "+", "-", "@"))


def test_what_needs_no_escape_has_none() -> None:
    for text in ("'t Hooft", "C57BL/6J", "a-b", "1 = 2", "O'Neil^Tom"):
        assert escaped(text) == unescaped(text) == text


# Which rows are about a scan.


def rows(sheet: Make, *lines: str) -> Sheet:
    return read_sheet(sheet("\n".join(lines)))


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("m1.pet.img", True),
        ("m1.pet.img.hdr", True),
        ("M1.PET.IMG", True),
        ("study/m1.pet.img", True),
        (r"study\m1.pet.img", True),
        ("./study/m1.pet.img", True),
        ("data/study/m1.pet.img", True),
        ("*.pet.img", True),
        ("m?.pet.*", True),
        ("*/m1.pet.img", True),
        ("s*/m[12].pet.img", True),
        ("m1", False),
        ("m1.pet", False),
        ("other/m1.pet.img", False),
        ("*", True),
        ("a/b/c/data/study/m1.pet.img", False),
        ("m1.ct.img", False),
    ],
)
def test_a_file_is_matched_by_the_end_of_its_path(sheet: Make, pattern: str, matches: bool) -> None:
    found = rows(sheet, "file,sex", f"{pattern},F")
    assert bool(values_for(found).rows) is matches


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("study", True), ("STUDY", True), ("data/study", True), ("*/study", True), ("data", False), ("st?dy/", True)],
)
def test_a_folder_is_that_of_the_files(sheet: Make, pattern: str, matches: bool) -> None:
    assert bool(values_for(rows(sheet, "folder,sex", f"{pattern},F")).rows) is matches


@pytest.mark.skipif(sys.platform == "win32", reason="a backslash parts folders there")
@pytest.mark.parametrize(
    ("pattern", "matches"), [("b?m1.img", True), ("a?b/b?m1.img", True), ("*/*m1.img", True), ("m1.img", False)]
)
def test_a_backslash_in_a_name_parts_no_folders(sheet: Make, pattern: str, matches: bool) -> None:
    assert bool(values_for(rows(sheet, "file,sex", f"{pattern},F"), r"/data/a\b/b\m1.img").rows) is matches


@pytest.mark.parametrize(("message", "matches"), [("M 12", True), ("m  12 ", True), ("M 1", False), (None, False)])
def test_a_subject_is_that_of_the_header(sheet: Make, message: str | None, matches: bool) -> None:
    assert bool(values_for(rows(sheet, "subject,sex", "M 12,F"), identifier=message).rows) is matches


def test_all_that_a_row_names_must_match(sheet: Make) -> None:
    found = rows(sheet, "file,subject,sex", "*.pet.img,M 12,F")
    assert values_for(found, identifier="M 12").rows == (2,)
    assert values_for(found, identifier="M 13").rows == ()
    assert values_for(found, "/data/study/m1.ct.img", "M 12").rows == ()


def test_a_name_with_brackets_is_found_as_it_is(sheet: Make) -> None:
    found = rows(sheet, "file,sex", "mouse[1].img,F")
    assert values_for(found, "/data/mouse[1].img").get("sex") == "F"
    assert values_for(found, "/data/mouse1.img").get("sex") == "F"  # as a pattern


def test_the_closest_row_counts_value_by_value(sheet: Make) -> None:
    found = rows(
        sheet,
        "subject,folder,file,patient_id,strain,species,protocol",
        "M 12,,,by subject,s,mouse,p",
        ",study,,by folder,s2,,p2",
        ",,*.pet.img,by pattern,,,p3",
        ",,m1.pet.img,by name,,,",
    )
    shown = values_for(found, identifier="M 12")
    assert shown.rows == (2, 3, 4, 5)
    assert {name: (cell.value, cell.row) for name, cell in shown.cells.items()} == {
        "id": ("by name", 5),
        "protocol": ("p3", 4),
        "strain": ("s2", 3),
        "species": ("mouse", 2),
    }
    assert shown.origin("id") == Origin(Source.SHEET, "subjects.csv", 5)
    assert str(shown.origin("id")) == "subjects.csv:5"


def test_rows_that_match_alike_must_not_contradict_each_other(sheet: Make) -> None:
    found = rows(sheet, "file,sex,strain", "m1.pet.img,F,s", "m1.pet.img,F,", "m1.pet.img.hdr,M,")
    with pytest.raises(InputError) as caught:
        values_for(found)
    assert str(caught.value).endswith("subjects.csv:4: sex is 'M', but row 2 says 'F'; both match m1.pet.img alike")
    assert values_for(rows(sheet, "file,sex,strain", "m1.pet.img,F,s", "m1.pet.img,F,")).rows == (2, 3)


@pytest.mark.parametrize(
    ("titles", "first", "second", "message"),
    [
        ("weight_g", "30", "31", "weight_g is '31', but row 2 says '30'"),
        ("weight_g,weight_kg", "30,", ",0.031", "weight_kg is '0.031', but row 2 says weight_g '30'"),
        ("dose_MBq,dose_mCi", "1,", ",0.2", "dose_mCi is '0.2', but row 2 says dose_MBq '1'"),
        ("residual_mCi", "0.0", "Unknown", "residual_mCi is 'Unknown', but row 2 says '0.0'"),
        ("neutered", "castrated", "intact", "neutered is 'intact', but row 2 says 'castrated'"),
        ("birth_date", "4 Mar 2014", "20140305", "birth_date is '20140305', but row 2 says '4 Mar 2014'"),
    ],
)
def test_a_contradiction_shows_what_the_cells_say(
    sheet: Make, titles: str, first: str, second: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        values_for(rows(sheet, f"file,{titles}", f"m1.pet.img,{first}", f"m1.pet.img,{second}"))
    assert str(caught.value).endswith(f"subjects.csv:3: {message}; both match m1.pet.img alike")


def test_unknown_takes_the_headers_value_away(sheet: Make) -> None:
    shown = values_for(rows(sheet, "file,strain,dose_MBq", "m1.pet.img,Unknown,unknown"))
    assert shown.cells["strain"].value is None
    assert shown.get("dose_mbq") is None


def study(found: Sheet, *paths: str, **keys: str) -> tuple[tuple[SheetValues, ...], SheetValues]:
    return sheet_values_of(found, [(pair(path), header(**keys)) for path in paths])


def test_what_is_given_for_one_scan_is_that_of_the_study(sheet: Make) -> None:
    found = rows(sheet, "file,strain,dose_MBq", "*.pet.img,s,7")
    (ct, pet), whole = study(found, "/d/m.ct.img", "/d/m.pet.img")
    assert (ct.get("strain"), pet.get("strain"), whole.get("strain")) == ("s", "s", "s")
    assert (ct.get("dose_mbq"), pet.get("dose_mbq"), whole.get("dose_mbq")) == (None, 7.0, None)
    assert (ct.rows, pet.rows, whole.rows) == ((), (2,), (2,))


def test_rows_of_one_study_must_not_contradict_each_other(sheet: Make) -> None:
    found = rows(sheet, "file,strain,dose_MBq", "*.pet.img,B6,7", "*.ct.img,SV,8")
    with pytest.raises(InputError) as caught:
        study(found, "/d/m.ct.img", "/d/m.pet.img")
    assert str(caught.value).endswith(
        "subjects.csv:3: strain is 'SV', but row 2 says 'B6'; a study has one value, and scans of it match both rows"
    )


def test_rows_may_give_each_scan_of_a_study_its_weight(sheet: Make) -> None:
    found = rows(sheet, "file,weight_g", "a.pet.img,20", "b.pet.img,26")
    scans, whole = study(found, "/d/a.pet.img", "/d/b.pet.img")
    assert [each.get("weight_kg") for each in scans] == [0.020, 0.026]
    assert "weight_kg" not in whole.cells


def test_of_several_contradictions_the_first_columns_is_reported(sheet: Make) -> None:
    titles = [each.title for each in COLUMNS if each.codec.example == "" and each.scope is Scope.STUDY]
    for told_first, *others in (titles, titles[::-1]):
        found = rows(
            sheet,
            ",".join(["file", told_first, *others]),
            ",".join(["*.pet.img", *("a" for _ in titles)]),
            ",".join(["*.ct.img", *("b" for _ in titles)]),
        )
        with pytest.raises(InputError, match=f"subjects.csv:3: {told_first} is 'b', but row 2 says 'a'"):
            study(found, "/d/m.ct.img", "/d/m.pet.img")


@pytest.mark.parametrize(
    ("titles", "cells", "message"),
    [
        ("breed_registration", "123", "breed_registration is given, expected breed_registry in the same row"),
        ("breed_registry", "ILCR", "breed_registry is given, expected breed_registration in the same row"),
        ("genetic_modifications", "a", "expected genetic_modifications_nomenclature in the same row"),
        ("strain_stock,strain_source", "1,JAX", "strain_stock is given, expected strain_registry in the same row"),
        (
            "genetic_modifications,genetic_modifications_nomenclature,genetic_modifications_codes",
            "a | b,MGI_2013,1^MGI^a",
            "genetic_modifications_codes is given, expected as many as genetic_modifications: 2",
        ),
        ("responsible_role", "OWNER", "responsible_role is given, expected responsible_person in the same row"),
    ],
)
def test_a_part_of_a_whole_is_refused(sheet: Make, titles: str, cells: str, message: str) -> None:
    found = rows(sheet, f"file,{titles}", f"*,{cells}")
    with pytest.raises(InputError) as caught:
        study(found, "/d/m.ct.img")
    assert f"subjects.csv:2: {message}" in str(caught.value) or message in str(caught.value)


def test_rows_that_no_scan_matched_are_named(sheet: Make) -> None:
    found = rows(sheet, "subject,sex", *(f"m{number},F" for number in range(2, 14)))
    [finding] = unused_rows(found, [2, 5])
    assert finding.code == "sheet-row-unused"
    assert finding.message == "10 of 12 rows match no scan: 3, 4, 6, 7, 8, 9, 10, 11 and 2 more"
    assert unused_rows(found, range(2, 14)) == ()


def test_a_long_sheet_is_not_searched_row_by_row(sheet: Make) -> None:
    found = rows(sheet, "file,sex", *(f"scan{number}.img,F" for number in range(20_000)), "*.special.img,M")
    place = list(found._likely(_place("/d/scan7.img")))
    assert [row.number for row in place] == [9, 20_002]
    assert values_for(found, "/d/scan7.img").rows == (9,)


@given(st.text("ab*?[]!.", max_size=8), st.text("ab[]!.", max_size=8))
def test_patterns_match_as_those_of_the_shell(pattern: str, name: str) -> None:
    assert _matches(name, pattern) == fnmatchcase(name, pattern)


def test_a_sheet_of_patterns_is_matched_in_time(sheet: Make) -> None:
    """100,000 patterns, each compiled once for each name of each scan, took 18 s of two scans."""
    found = rows(sheet, "file,sex", *(f"m?{number}*.pet.img,F" for number in range(20_000)), "m*.pet.img,M")
    assert values_for(found, "/d/m1.pet.img").rows == (20_002,)
    begun = time_of_cpu()
    for number in range(5):
        values_for(found, f"/d/scan{number}.pet.img")
    assert time_of_cpu() - begun < 3  # 0.3 s; compiled, 10 s


def _place(path: str) -> Any:
    from inveonimaging.sheet.matching import place_of

    return place_of(pair(path), header())


def test_a_sheet_goes_to_another_process_whole(sheet: Make) -> None:
    found = rows(sheet, "file,sex", "a.img,F")
    values_for(found)
    copy = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own
    assert copy == found
    assert "_by_key" not in vars(copy)


def test_without_a_sheet_nothing_is_reported() -> None:
    scans, whole = sheet_values_of(None, [(pair("/d/a.img"), header())])
    assert (scans, whole) == ((SheetValues(),), SheetValues())


def test_the_readers_of_formats_load_only_when_they_are_needed() -> None:
    import subprocess

    code = "import sys, inveonimaging.sheet.reading; print(sorted({'openpyxl', 'pydicom'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_has_a_row_for_each_column() -> None:
    page = (ROOT / "docs" / "how-to" / "subjects.md").read_text("utf-8")
    table = page.split("## Columns")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == [column.title for column in COLUMNS]
    kinds = re.findall(r"^\| `[^`]+` \| (\w+) \|", table, re.MULTILINE)
    assert kinds == [column.scope.value for column in COLUMNS]


def test_the_pages_example_is_read(sheet: Make) -> None:
    page = (ROOT / "docs" / "how-to" / "subjects.md").read_text("utf-8")
    example = page.split("## An example")[1].split("\n## ")[0]
    lines = [line.strip() for line in example.splitlines() if line.startswith("    ")]
    found = rows(sheet, *lines)
    shown = values_for(found, "/archive/mouse_fdg_v1.pet.img", "M0042")
    assert (shown.rows, shown.get("id"), shown.get("residual_mbq")) == ((2, 3), "LEP-0042", 0.31)


@pytest.mark.parametrize("above", ["", "\n\n", "sep=,\n"])
def test_an_unknown_title_is_named_with_its_own_line(tmp_path: Path, above: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f"{above}file,wieght_g\na,\nb,\nc,24.6\n")
    with pytest.raises(OptionError) as caught:
        read_sheet(path)
    assert (caught.value.line, caught.value.message) == (above.count("\n") + 1, "there is no column 'wieght_g'")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("file,weight_g\na,24.6\n".encode("utf-16")[:-1], "is UTF-16 that is broken at byte"),
        (b"\xff\xfef\x00\x00\xd8", "is UTF-16 that is broken at byte 4"),
        ("file,weight_g\na,24.6\n".encode("utf-16-le"), "has zero bytes, as UTF-16 without a byte order mark"),
        ("file,weight_g\na,24.6\n".encode("utf-32"), "is UTF-32"),
        (b"PK\x03\x04" + b"x" * 50, "is a workbook: give its name the ending .xlsx"),
    ],
)
def test_what_is_no_text_says_so(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(data)
    with pytest.raises(OptionError) as caught:
        read_sheet(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert 'as "CSV UTF-8"' in str(caught.value)
