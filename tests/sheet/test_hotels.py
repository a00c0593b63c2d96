"""Sheets of hotels: which rows are which animal, what is of all, and which sheets are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import assert_harmless, header_text
from inveonimaging.errors import InputError, OptionError
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.hotels import Hotel, hotel_of
from inveonimaging.sheet.matching import sheet_values_of
from inveonimaging.sheet.positions import Side
from inveonimaging.sheet.reading import read_sheet

Make = Callable[..., Path]


@pytest.fixture
def sheet(tmp_path: Path) -> Make:
    """Return a function that writes a sheet of lines."""

    def write(*lines: str) -> Path:
        path = tmp_path / "hotel.csv"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    return write


def scan(name: str) -> tuple[Pair, Header]:
    path = Path("/data/s1") / name
    return Pair(path.with_name(name + ".hdr"), path), parse(header_text({}).encode())[0]


CT, PET = scan("m.ct.img"), scan("m.pet.img")


def hotel_in(path: Path) -> Hotel:
    found = hotel_of(read_sheet(path), [CT, PET])
    assert found
    return found


def test_rows_with_other_positions_are_animals_and_no_contradiction(sheet: Make) -> None:
    path = sheet("position,patient_id,weight_g,dose_MBq", "left,m12,18.4,7.2", "middle,,,", "right,m13,19.5,7.5")
    hotel = hotel_in(path)
    assert [(each.id, str(each.slot), each.rows) for each in hotel.animals] == [
        ("m12", "left", (2,)),
        ("m13", "right", (4,)),
    ]
    assert [str(each.slot) for each in hotel.positions if not each.id] == ["middle"]
    assert [each.of_study.get("weight_kg") for each in hotel.animals] == [0.0184, 0.0195]
    assert [each.of_scans[1].get("dose_mbq") for each in hotel.animals] == [7.2, 7.5]
    assert list(hotel.relative_positions.values()) == [(1, 1, 1), (2, 1, 1), (3, 1, 1)]
    assert hotel.side is Side.FRONT


def test_an_animal_may_have_a_row_for_each_scan_and_none_names_files(sheet: Make) -> None:
    path = sheet(
        "file,position,patient_id,weight_g,dose_MBq,seen_from",
        "*.ct.img,l,m12,18.4,,back",
        "*.ct.img,r,m13,19.5,,",
        "*.pet.img,left,,,7.2,Back",
        "*.pet.img,right,m13,,7.5,",
    )
    hotel = hotel_in(path)
    assert [(each.id, each.rows) for each in hotel.animals] == [("m12", (2, 4)), ("m13", (3, 5))]
    assert [each.of_scans[1].get("dose_mbq") for each in hotel.animals] == [7.2, 7.5]
    assert [each.of_scans[0].get("dose_mbq") for each in hotel.animals] == [None, None]
    assert hotel.side is Side.BACK
    assert list(hotel.relative_positions.values()) == [(2, 1, 1), (1, 1, 1)]


def test_rows_without_a_position_say_what_is_of_all_but_not_whose_it_is(sheet: Make) -> None:
    path = sheet(
        "file,position,patient_id,species,weight_g,dose_MBq",
        "*,,group7,mouse,37.9,14.7",
        ",left,m12,,18.4,",
        ",right,m13,rat,,7.5",
    )
    first, second = hotel_in(path).animals
    assert (first.of_study.get("species"), second.of_study.get("species")) == ("mouse", "mouse")  # a file is closer
    assert (first.id, first.of_scans[1].get("dose_mbq"), second.of_study.get("weight_kg")) == ("m12", None, None)
    of_group, whole = sheet_values_of(read_sheet(path), [CT, PET])
    assert (whole.get("id"), whole.get("weight_kg"), of_group[1].get("dose_mbq")) == ("group7", 0.0379, 14.7)
    assert of_group[1].rows == (2, 3, 4)


def test_of_the_group_is_what_all_animals_have_and_nothing_in_which_they_differ(sheet: Make) -> None:
    path = sheet(
        "position,patient_id,species,sex,birth_date,posture,strain",
        "left,m12,mouse,F,2019-01-02,HFP,C57BL/6J",
        "right,m13,mouse,M,2019-01-02,HFS,",
        "middle,,,,,,",
    )
    _, whole = sheet_values_of(read_sheet(path), [CT])
    assert whole.get("species") == "mouse"
    assert str(whole.get("birth_date")) == "2019-01-02"
    assert (whole.cells["sex"].value, "id" in whole.cells, "strain" in whole.cells) == (None, False, False)
    assert "posture" not in sheet_values_of(read_sheet(path), [CT])[0][0].cells


def test_without_positions_there_is_no_hotel(sheet: Make) -> None:
    assert hotel_of(None, [CT]) is None
    assert hotel_of(read_sheet(sheet("file,patient_id", "*,m1")), [CT]) is None
    other = sheet("file,position,patient_id", "other.img,left,m1", "other.img,right,m2")
    assert hotel_of(read_sheet(other), [CT]) is None


WRONG = {
    "unknown position": (
        ("position,patient_id", "left,m1", "rihgt,m2"),
        r":3: position is 'rihgt', expected a position",
    ),
    "position unknown": (("position,patient_id", "unknown,m1"), r":2: position is 'unknown', expected a position"),
    "two in one place": (
        ("position,patient_id", "left,m1", "L,m2"),
        r":3: 'm2' is at 'left', and so is 'm1' of row 2, expected another position",
    ),
    "two names in one place": (
        ("position,patient_name", "1,Minnie", "1;1,Mickey"),
        r":3: 'Mickey' is at '1,1', and so is 'Minnie' of row 2",
    ),
    "one ID twice": (
        ("position,patient_id", "left,m1", "right,M1"),
        r":3: 'M1' is at 'right' and, in row 2, at 'left', expected another patient_id",
    ),
    "another side": (
        ("position,patient_id,seen_from", "left,m1,front", "right,m2,back"),
        r":3: seen_from is 'back', but row 2 says 'front', expected one side",
    ),
    "no side": (("position,patient_id,seen_from", "left,m1,above"), r":2: seen_from is 'above', expected front"),
    "dose without subject": (
        ("position,patient_id,dose_MBq", "left,m1,7", "right,,7"),
        r":3: dose_MBq is given for the position 'right', and no animal lies there, expected patient_id",
    ),
    "names beside numbers": (
        ("position,patient_id", "left,m1", "2,m2"),
        r":3: position is '2,1', but row 2 says 'left', expected names in all rows",
    ),
    "no animal": (("position,patient_id", "left,", "right,"), r":2: no position has an animal, expected patient_id"),
    "a side without positions": (
        ("file,patient_id,seen_from", "*,m1,back"),
        r":2: seen_from is given, and no row has a position",
    ),
    "two weights": (
        ("position,patient_id,weight_g", "left,m1,20", "left,m1,21", "right,m2,20"),
        r":3: weight_g is '21', but row 2 says '20'",
    ),
    "posture": (("position,patient_id,posture", "left,m1,LFP"), r":2: posture is 'LFP', expected one of FFP, HFP"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_sheets_are_refused_in_one_line_with_their_row(sheet: Make, case: str) -> None:
    lines, expected = WRONG[case]
    with pytest.raises((InputError, OptionError)) as caught:
        hotel_in(sheet(*lines))
    assert_harmless(str(caught.value))
    assert re.search(r"hotel\.csv" + expected, str(caught.value))


def test_an_empty_position_may_say_what_is_of_all(sheet: Make) -> None:
    path = sheet("position,patient_id,species,protocol", "left,m12,mouse,FDG", "right,,mouse,FDG")
    assert [each.id for each in hotel_in(path).animals] == ["m12"]


def test_rows_of_other_sessions_are_not_looked_at_twice(sheet: Make) -> None:
    rows = [f"s{n},{side},m{n}{side}" for n in range(50) for side in ("left", "right")]
    found = read_sheet(sheet("folder,position,patient_id", *rows))
    about, numbers = found.about([CT, PET])
    assert [row.number for row in about.rows] == [4, 5]
    assert numbers == ((4, 5), (4, 5))
    assert [each.id for each in (hotel_of(found, [CT, PET]) or hotel_in(Path())).animals] == ["m1left", "m1right"]
