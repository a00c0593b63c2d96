"""Hotel records of XNAT's PIXI plugin and sheets of the CCDB: read as sheets of subjects, or refused in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from helpers import assert_harmless, header_text
from inveonimaging.errors import InveonError
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.hotels import Hotel, hotel_of
from inveonimaging.sheet.matching import Sheet
from inveonimaging.sheet.positions import Side
from inveonimaging.sheet.reading import read_sheet


def scan(name: str, day: str = "Tue Mar  5 14:00:00 2019") -> tuple[Pair, Header]:
    path = Path("/data/s1") / name
    return Pair(path.with_name(name + ".hdr"), path), parse(header_text({"scan_time": day}).encode())[0]


def hotel(found: Sheet, *names: str, day: str = "Tue Mar  5 14:00:00 2019") -> Hotel:
    reported = hotel_of(found, [scan(name, day) for name in names])
    assert reported
    return reported


# PIXI.


def subject(x: int, **fields: Any) -> dict[str, Any]:
    empty = {"subjectId": "", "subjectLabel": "", "orientation": "", "weight": None, "injectionDate": None}
    empty |= {"injectionTime": None, "activity": None, "notes": "", "splitSessionLabel": ""}
    return {**empty, "position": {"name": f"Position{x}", "x": x, "y": 1, "z": 1}, **fields}


M12 = subject(
    1,
    subjectId="XNAT_S00012",
    subjectLabel="m12",
    orientation="HFP",
    weight=18.4,
    injectionDate="20190305",
    injectionTime="135137",
    activity=0.19,
    notes="lame",
)
M13 = subject(3, subjectId="XNAT_S00013", subjectLabel="m13", weight=19.5, activity=0.2035)
RECORD = {
    "projectID": "P1",
    "hotelSessionID": "session7",
    "technicianPerspective": "Back",
    "hotelSubjects": [M12, subject(2), M13],
}


@pytest.fixture
def record(tmp_path: Path) -> Callable[[object], Path]:
    """Return a function that writes a record, or a text instead."""

    def write(content: object) -> Path:
        path = tmp_path / "record.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path

    return write


def test_a_record_is_a_hotel_with_empty_positions(record: Callable[[object], Path]) -> None:
    found = read_sheet(record(RECORD))
    reported = hotel(found, "m.ct.img", "m.pet.img")
    assert reported.side is Side.BACK
    assert [(each.id, str(each.slot), each.rows) for each in reported.positions] == [
        ("m12", "1,1", (1,)),
        ("", "2,1", (2,)),
        ("m13", "3,1", (3,)),
    ]
    first, second = (each.of_scans[1] for each in reported.animals)
    assert (first.get("weight_kg"), first.get("dose_mbq")) == (0.0184, 7.03)  # 0.19 mCi x 37, to the last digit
    assert (second.get("weight_kg"), second.get("dose_mbq")) == (0.0195, 7.5295)
    assert first.get("injection_time") == datetime(2019, 3, 5, 13, 51, 37)
    assert first.get("posture") is Orientation.HFP
    assert "posture" not in second.cells
    assert list(reported.relative_positions.values()) == [(3, 1, 1), (2, 1, 1), (1, 1, 1)]  # as seen from the back
    assert [each.message for each in found.findings] == ["not read: notes"]


def test_blanks_of_all_kinds_are_nothing_and_positions_may_be_names(record: Callable[[object], Path]) -> None:
    one = {"subjectId": "S1", "position": {"name": "Bottom Left", "x": None}}
    other = {"subjectLabel": " m2 ", "position": "Top", "weight": "", "activity": None, "injectionDate": "20190305"}
    found = read_sheet(record({"hotelSubjects": [one, other]}))
    reported = hotel(found, "m.pet.img")
    assert [(each.id, str(each.slot)) for each in reported.animals] == [("S1", "bottom left"), ("m2", "top")]
    assert reported.side is Side.FRONT
    assert [each.message for each in found.findings] == ["not read: injectionDate without injectionTime"]


WRONG_RECORDS = {
    "no JSON": ("{", "is not JSON"),
    "other JSON": ({"a": 1}, "is another kind of JSON, expected a hotel record"),
    "a list": ([1], "is another kind of JSON"),
    "deep": ("[" * 100_000, "is not JSON"),
    "not a number": ('{"hotelSubjects": [{"weight": NaN}]}', "NaN is not a number"),
    "twice": ('{"hotelSubjects": [], "hotelSubjects": []}', "'hotelSubjects' is given twice"),
    "no animals": ({"hotelSubjects": []}, "hotelSubjects is not a list of animals, expected 1 to 99"),
    "no animal": ({"hotelSubjects": [None]}, ":1: an animal of hotelSubjects is none"),
    "no position": ({"hotelSubjects": [{"subjectLabel": "m"}]}, ":1: position is missing"),
    "a list as weight": ({"hotelSubjects": [{**M12, "weight": [1]}]}, ":1: weight is neither text nor a number"),
    "no weight": ({"hotelSubjects": [{**M12, "weight": -1}]}, ":1: weight is '-1', expected a number above 0"),
    "no activity": ({"hotelSubjects": [M13, {**M12, "activity": 0}]}, ":2: activity is '0', expected a number above 0"),
    "no day": ({"hotelSubjects": [{**M12, "injectionDate": ""}]}, ":1: injectionDate is missing, expected one like"),
    "no clock": (
        {"hotelSubjects": [{**M12, "injectionTime": "1"}]},
        ":1: injectionTime is '1', expected one like 135137",
    ),
    "an odd posture": ({"hotelSubjects": [{**M12, "orientation": "LFP"}]}, ":1: orientation is 'LFP', expected one of"),
    "a side": ({**RECORD, "technicianPerspective": "Top"}, ":1: technicianPerspective is 'Top', expected front"),
    "position zero": (
        {"hotelSubjects": [subject(0, subjectLabel="m")]},
        ":1: position is '0,1,1', expected numbers from 1",
    ),
    "weight of nobody": ({"hotelSubjects": [M12, subject(2, weight=20)]}, ":2: weight is given for the position '2,1'"),
    "in one place": (
        {"hotelSubjects": [M12, {**M13, "position": M12["position"]}]},
        ":2: 'm13' is at '1,1', and so is",
    ),
    "one twice": ({"hotelSubjects": [M12, {**M13, "subjectLabel": "m12"}]}, ":2: 'm12' is at '3,1' and, in row 1"),
}


@pytest.mark.parametrize("case", WRONG_RECORDS)
def test_records_that_make_no_sense_are_refused_in_one_line(record: Callable[[object], Path], case: str) -> None:
    content, expected = WRONG_RECORDS[case]
    with pytest.raises(InveonError) as caught:
        hotel(read_sheet(record(content)), "m.pet.img")
    assert_harmless(str(caught.value))
    assert expected in str(caught.value)
    assert "record.json" in str(caught.value)


# CCDB.

TITLES = (
    "Hotel Subject,Scan Name,Scan Type,Time Points,Hotel Position,Animal #,Animal Weight(g),Date of Birth,Date Weaned,"
    "Sex,Activity (mCi),Scan Time,Injection Time,Scanner,Tracer,Study Date,Study Name,Protocol Number,Species,Strain,"
    "Litter ID,Notes"
)
CCDB = (
    'h7,mp1_ct1,CT,,,"10,2",,,,,,14:00,,Inveon,,3/5/19,pilot,,mouse,,,',
    "h7,mp1_em1,PET,,1,10,18.4,1/2/19,,F,0.19,14:10,13:51:37,Inveon,FDG,3/5/19,pilot,,mouse,C57BL/6,,",
    "h7,mp1_em1,PET,,2,2,19.5,1/2/19,,M,0.2035,14:10,1:52 PM,Inveon,FDG,3/5/19,pilot,,mouse,C57BL/6,,fat",
    "h8,mp2_em1,PET,,1,11,20,,,F,0.1,15:10,14:51,Inveon,FDG,3/5/19,pilot,,mouse,,,",
    "h8,mp2_em1,PET,,2,,,,,,,,,,,3/5/19,,,,,,",
)


def ccdb(tmp_path: Path, *rows: str, titles: str = TITLES) -> Path:
    path = tmp_path / "ccdb.csv"
    path.write_text("\n".join((titles, *rows)) + "\n")
    return path


def test_a_sheet_of_the_ccdb_describes_several_sessions_by_the_names_of_scans(tmp_path: Path) -> None:
    found = read_sheet(ccdb(tmp_path, *CCDB))
    reported = hotel(found, "mp1_ct1_v1.ct.img", "mp1_em1_v1.pet.img")
    assert [(each.id, str(each.slot), each.rows) for each in reported.animals] == [
        ("10", "1,1", (2, 3)),
        ("2", "2,1", (2, 4)),
    ]
    first, second = (each.of_scans[1] for each in reported.animals)
    assert [first.get(name) for name in ("weight_kg", "dose_mbq", "sex", "species")] == [0.0184, 7.03, "F", "mouse"]
    assert first.get("injection_time") == datetime(2019, 3, 5, 13, 51, 37)
    assert second.get("injection_time") == datetime(2019, 3, 5, 13, 52)
    assert str(first.get("birth_date")) == "2019-01-02"  # month first
    assert reported.animals[0].of_scans[0].get("dose_mbq") is None  # of the CT
    other = hotel(found, "MP2_em1.img")
    assert [(each.id, str(each.slot)) for each in other.positions] == [("11", "1,1"), ("", "2,1")]
    assert hotel_of(found, [scan("mp3.img")]) is None
    assert hotel_of(found, [scan("mp1_em10.pet.img")]) is None
    assert [each.code for each in found.findings] == ["sheet-fields-left-out"]


def test_a_list_of_animals_is_in_the_order_of_positions_unless_other_rows_say_where(tmp_path: Path) -> None:
    alone = read_sheet(ccdb(tmp_path, CCDB[0]))
    assert [(each.id, str(each.slot)) for each in hotel(alone, "mp1_ct1.img").animals] == [("10", "1,1"), ("2", "2,1")]
    named = read_sheet(ccdb(tmp_path, CCDB[0], CCDB[1].replace(",1,10,", ",r,10,"), CCDB[2].replace(",2,2,", ",l,2,")))
    reported = hotel(named, "mp1_ct1.img", "mp1_em1.img")
    assert [(each.id, str(each.slot)) for each in reported.animals] == [("10", "right"), ("2", "left")]
    weights = read_sheet(ccdb(tmp_path, CCDB[0].replace('"10,2",,', '"10,2","18.4, 19.5",')))
    assert [each.of_study.get("weight_kg") for each in hotel(weights, "mp1_ct1.img").animals] == [0.0184, 0.0195]


def test_without_a_scan_name_the_day_decides(tmp_path: Path) -> None:
    rows = [row.replace("mp1_em1", "") for row in CCDB[1:3]]
    other = [row.replace("3/5/19", "3/12/2019").replace(",10,", ",20,") for row in rows]
    found = read_sheet(ccdb(tmp_path, *rows, *other))
    assert [each.id for each in hotel(found, "a.img").animals] == ["10", "2"]
    assert [each.id for each in hotel(found, "a.img", day="Tue Mar 12 09:00:00 2019").animals] == ["20", "2"]
    assert hotel_of(found, [scan("a.img", day="Wed Mar 13 09:00:00 2019")]) is None


WRONG_CCDB = {
    "weights twice": (
        (TITLES + ",animal weight (G)", CCDB[1] + ",20"),
        ":1: two columns are animal weight (G): 'Animal Weight(g)' and 'animal weight (G)'",
    ),
    "an unknown title": (
        (TITLES + ",Colour", CCDB[0] + ",red"),
        ":2: there is no column 'Colour' in a sheet of the CCDB",
    ),
    "an unknown activity": (
        (TITLES, CCDB[1].replace("0.19", "much")),
        ":2: Activity (mCi) is 'much', expected a number",
    ),
    "an odd date": (
        (TITLES, CCDB[1].replace("1/2/19", "25/2/19")),
        ":2: Date of Birth is '25/2/19', expected one like",
    ),
    "an odd day": ((TITLES, CCDB[1].replace("3/5/19", "5 March")), ":2: Study Date is '5 March'"),
    "no day": (
        (TITLES, CCDB[1].replace("3/5/19", "")),
        ":2: Injection Time is a time of day, expected Study Date in the same row",
    ),
    "an odd clock": (
        (TITLES, CCDB[1].replace("13:51:37", "noon")),
        ":2: Injection Time is 'noon', expected one like 10:05",
    ),
    "one weight of two": (
        (TITLES, CCDB[0].replace('"10,2",', '"10,2",38')),
        ":2: Animal Weight(g) is '38', expected 2 values",
    ),
    "three weights of two": (
        (TITLES, CCDB[0].replace('"10,2",', '"10,2","1,2,3"')),
        ":2: Animal Weight(g) is '1,2,3', expected 2 values",
    ),
    "a gap in a list": (
        (TITLES, CCDB[0].replace('"10,2"', '"10,,2"')),
        ":2: Animal # is '10,,2', expected numbers, as 10,2",
    ),
    "an odd position": ((TITLES, CCDB[1].replace(",1,10,", ",attic,10,")), ":2: Hotel Position is 'attic', expected"),
    "two in one place": (
        (TITLES, CCDB[1], CCDB[2].replace(",2,2,", ",1,2,")),
        ":3: '2' is at '1,1', and so is '10' of row 2",
    ),
    "dose of nobody": (
        (TITLES, CCDB[1], CCDB[2].replace(",2,2,", ",2,,")),
        ":3: Animal Weight(g) is given for the position",
    ),
}


@pytest.mark.parametrize("case", WRONG_CCDB)
def test_sheets_of_the_ccdb_that_make_no_sense_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    (titles, *rows), expected = WRONG_CCDB[case]
    with pytest.raises(InveonError) as caught:
        hotel(read_sheet(ccdb(tmp_path, *rows, titles=titles)), "mp1_ct1.img", "mp1_em1.img")
    assert_harmless(str(caught.value))
    assert f"ccdb.csv{expected}" in str(caught.value)
