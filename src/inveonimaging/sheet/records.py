"""Hotel records of XNAT's PIXI plugin (JSON), and the older sheets of the CCDB (CSV), as rows of a sheet of subjects.

Their fields become cells with our titles, which are then read as ever: units are converted once, mCi and g as typed.
A record has the text of numbers as it was written, so that no digit is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple

from inveonimaging.errors import OptionError, listed, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.sheet.columns import plain
from inveonimaging.storage.strict_json import json_of

Texts = tuple[tuple[str, str], ...]
"""Title and text of each cell of a row that is not empty."""

MOST_ANIMALS = 99
_NAMED = 8
_SPELLS = ("%Y%m%d", "%Y-%m-%d")
_CLOCKS = ("%H%M%S", "%H:%M:%S", "%H:%M", "%H%M%S.%f", "%H:%M:%S.%f")
_CLOCKS_OF_CCDB = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p")
_DATES_OF_CCDB = ("%m/%d/%y", "%m/%d/%Y", "%Y-%m-%d")
_WILD = re.compile(r"[*?[]")
_ENDED = "[!0-9a-z]*"
"""What follows the name of a scan in that of its file: `em1` is not `em10`."""

PIXI_CALLS = {
    "patient_id": "subjectLabel",
    "seen_from": "technicianPerspective",
    "posture": "orientation",
    "weight_g": "weight",
    "dose_mCi": "activity",
    "injection_time": "injectionDate, injectionTime",
}
"""What a record calls our columns."""

_OF_A_SUBJECT = {"orientation": "posture", "weight": "weight_g", "activity": "dose_mCi"}
_NAMES = ("subjectId", "subjectLabel", "injectionDate", "injectionTime")

CCDB_CALLS = {
    "position": "Hotel Position",
    "patient_id": "Animal #",
    "weight_g": "Animal Weight(g)",
    "birth_date": "Date of Birth",
    "sex": "Sex",
    "dose_mCi": "Activity (mCi)",
    "injection_time": "Injection Time",
    "species": "Species",
    "strain": "Strain",
    "study_description": "Study Name",
    "protocol": "Protocol Number",
    "file": "Scan Name",
}
"""What a sheet of the CCDB calls our columns."""

_OURS = {plain(theirs): ours for ours, theirs in CCDB_CALLS.items()}
_DAY = plain("Study Date")
_NOT_READ = frozenset(
    map(
        plain,
        (
            "Hotel Subject",
            "Scan Type",
            "Time Points",
            "Date Weaned",
            "Scan Time",
            "Scanner",
            "Tracer",
            "Litter ID",
            "Notes",
        ),
    )
)
_ANIMAL, _HOTEL = plain("Animal #"), {plain("Hotel Subject"), plain("Hotel Position")}
_OF_EACH = ("patient_id", "position", "weight_g", "birth_date", "sex", "dose_mCi", "injection_time", "strain")


class Rows(NamedTuple):
    """Rows of another kind of sheet: number, cells by our titles, and the day of the scans that they are about."""

    rows: tuple[tuple[int, Texts, date | None], ...]
    calls: Mapping[str, str]
    findings: tuple[Finding, ...] = ()


# Records of PIXI.


def pixi_rows(path: Path, data: bytes) -> Rows:
    """Return the rows of a hotel record, one an animal, numbered from 1; they are about all scans.

    Raises:
        OptionError: it is no such record, or says what makes no sense.
    """
    record = _record(path, data)
    side = _text(path, None, "technicianPerspective", record.get("technicianPerspective"))
    subjects = record["hotelSubjects"]
    if not isinstance(subjects, list) or not 1 <= len(subjects) <= MOST_ANIMALS:
        raise OptionError("hotelSubjects is not a list of animals", path=path, expected=f"1 to {MOST_ANIMALS} of them")
    rows, left = [], dict[str, None]()
    for number, subject in enumerate(subjects, 1):
        if not isinstance(subject, dict):
            raise OptionError("an animal of hotelSubjects is none", path=path, line=number, expected="its fields")
        cells = {"position": _place(path, number, subject.get("position")), "seen_from": side}
        cells |= _of_pixi(path, number, subject)
        left |= dict.fromkeys(_unread(subject))
        rows.append((number, tuple((title, text) for title, text in cells.items() if text), None))
    return Rows(tuple(rows), PIXI_CALLS, _left_out(path, left))


def _record(path: Path, data: bytes) -> dict[str, Any]:
    """Return what a file holds, its numbers as texts."""
    what = "a hotel record of PIXI, with hotelSubjects"
    hint = "for a sheet use .csv, which every spreadsheet program reads and writes"
    try:
        found = json_of(data, texts=True)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"is not JSON: {printable(error)}", path=path, expected=what, hint=hint) from error
    if not isinstance(found, dict) or "hotelSubjects" not in found:
        raise OptionError("is another kind of JSON", path=path, expected=what, hint=hint)
    return found


def _text(path: Path, number: int | None, name: str, value: object) -> str:
    """Return a field's text; empty for none."""
    if value is not None and not isinstance(value, str):
        raise OptionError(f"{name} is neither text nor a number", path=path, line=number)
    return (value or "").strip()


def _place(path: Path, number: int, value: object) -> str:
    """Return a position as our column has it: by its numbers, else by its name."""
    if isinstance(value, str):
        return value.strip()
    place = value if isinstance(value, dict) else {}
    numbers = [_text(path, number, f"position {axis}", place.get(axis)) for axis in "xyz"]
    name = _text(path, number, "position name", place.get("name"))
    found = ",".join([*numbers[:2], numbers[2] or "1"]) if all(numbers[:2]) else name
    if not found:
        raise OptionError("position is missing", path=path, line=number, expected="its name, or x, y and z")
    return found


def _of_pixi(path: Path, number: int, subject: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of an animal; of an empty position those that nobody should have filled."""
    texts = {name: _text(path, number, name, subject.get(name)) for name in (*_OF_A_SUBJECT, *_NAMES)}
    cells = {"patient_id": texts["subjectLabel"] or texts["subjectId"]}
    cells |= {ours: texts[theirs] for theirs, ours in _OF_A_SUBJECT.items()}
    if texts["injectionTime"]:
        day = _moment(path, number, "injectionDate", texts["injectionDate"], _SPELLS, "20190305")
        clock = _moment(path, number, "injectionTime", texts["injectionTime"], _CLOCKS, "135137")
        cells["injection_time"] = _joined(day.date(), clock.time())
    return cells


def _unread(subject: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields that say something that is not read; a date without a time is no moment."""
    yield from (name for name, value in subject.items() if name not in {*_OF_A_SUBJECT, *_NAMES, "position"} and value)
    if subject.get("injectionDate") and not subject.get("injectionTime"):
        yield "injectionDate without injectionTime"


def _left_out(path: Path, names: Iterable[str]) -> tuple[Finding, ...]:
    known = [printable(name, 40) for name in names]
    if not known:
        return ()
    message = f"not read: {listed(known, _NAMED)}"
    return (Finding("sheet-fields-left-out", message, Severity.INFO, path=str(path)),)


def _moment(path: Path, number: int, name: str, text: str, spells: Iterable[str], example: str) -> datetime:
    for spell in spells:
        try:
            return datetime.strptime(text, spell)
        except ValueError:
            continue
    raise OptionError(path=path, line=number, key=name, got=text or None, expected=f"one like {example}")


def _joined(day: date, clock: time) -> str:
    return f"{day.isoformat()} {clock.isoformat()}"


# Sheets of the CCDB.


def is_ccdb(titles: Iterable[str]) -> bool:
    """Return whether titles are those of a sheet of the CCDB."""
    known = set(map(plain, titles))
    return _ANIMAL in known and bool(_HOTEL & known)


def ccdb_rows(path: Path, rows: Iterable[tuple[int, Texts]]) -> Rows:
    """Return the rows of a sheet of the CCDB: one an animal; a row of several, `10,2`, lists them by their positions.

    A row is about the scans whose names begin with its Scan Name; without one, about those of its Study Date.

    Raises:
        OptionError: a row says what makes no sense.
    """
    known = list(rows)
    places = _places(known)
    found, left = [], dict[str, None]()
    for number, texts in known:
        cells, day, unread = _of_ccdb(path, number, texts)
        left |= dict.fromkeys(unread)
        session = _session(texts)
        for one in _animals(path, number, cells, {name: at for (of, name), at in places.items() if of == session}):
            row = tuple((title, text) for title, text in one.items() if text)
            found.append((number, row, None if one.get("file") else day))
    return Rows(tuple(found), CCDB_CALLS, _left_out(path, left))


def _session(texts: Texts) -> tuple[str, ...]:
    named = {plain(title): text.casefold() for title, text in texts}
    return named.get(plain("Hotel Subject"), ""), named.get(_DAY, "")


def _places(rows: Iterable[tuple[int, Texts]]) -> dict[tuple[tuple[str, ...], str], str]:
    """Return where rows of one animal say that it lies, by session and animal."""
    found = {}
    for _, texts in rows:
        named = {_OURS.get(plain(title)): text for title, text in texts}
        animal, place = named.get("patient_id", ""), named.get("position", "")
        if animal and place and "," not in animal:
            found[_session(texts), animal] = place
    return found


def _of_ccdb(path: Path, number: int, texts: Texts) -> tuple[dict[str, str], date | None, list[str]]:
    """Return the cells of a row by our titles, the day of the study, and the titles that are not read."""
    cells: dict[str, str] = {}
    unread, day = [], None
    for title, text in texts:
        name = plain(title)
        if name in _OURS:
            cells[_OURS[name]] = text
        elif name == _DAY:
            day = _moment(path, number, title, text, _DATES_OF_CCDB, "3/5/19").date()
        elif name in _NOT_READ:
            unread.append(title)
        else:
            raise OptionError(
                f"there is no column '{printable(title, 40)}' in a sheet of the CCDB", path=path, line=number
            )
    if "birth_date" in cells and "," not in cells["birth_date"]:
        born = _moment(path, number, CCDB_CALLS["birth_date"], cells["birth_date"], _DATES_OF_CCDB, "3/5/19")
        cells["birth_date"] = born.date().isoformat()
    if "file" in cells:
        cells["file"] = _WILD.sub("?", cells["file"]) + _ENDED
    return _with_times(path, number, cells, day), day, unread


def _with_times(path: Path, number: int, cells: dict[str, str], day: date | None) -> dict[str, str]:
    """Return cells whose times of day, of each animal of a row, are moments of the study's day."""
    if "injection_time" not in cells:
        return cells
    name = CCDB_CALLS["injection_time"]
    if day is None:
        raise OptionError(f"{name} is a time of day", path=path, line=number, expected="Study Date in the same row")
    clocks = [_moment(path, number, name, part, _CLOCKS_OF_CCDB, "10:05") for part in _parts(cells["injection_time"])]
    return {**cells, "injection_time": ",".join(_joined(day, clock.time()) for clock in clocks)}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _animals(path: Path, number: int, cells: Mapping[str, str], places: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the cells of each animal of a row."""
    names = _parts(cells.get("patient_id", ""))
    if len(names) == 1:
        yield dict(cells)
        return
    if len(names) > MOST_ANIMALS or not all(names):
        raise OptionError(path=path, line=number, key="Animal #", got=cells["patient_id"], expected="numbers, as 10,2")
    shared = {title: text for title, text in cells.items() if title not in _OF_EACH}
    for at, name in enumerate(names):
        own = {title: _part(path, number, title, cells[title], at, len(names)) for title in _OF_EACH if title in cells}
        yield {**shared, "position": places.get(name) or str(at + 1), **own}


def _part(path: Path, number: int, title: str, text: str, at: int, count: int) -> str:
    """Return what a cell says of one animal of a row: its part of a list, or what it says of all."""
    parts = _parts(text)
    if len(parts) == 1:
        if title in ("weight_g", "dose_mCi", "position"):
            expected = f"{count} values with commas between them, one an animal"
            raise OptionError(path=path, line=number, key=CCDB_CALLS[title], got=text, expected=expected)
        return text
    if len(parts) != count:
        expected = f"{count} values, one an animal"
        raise OptionError(path=path, line=number, key=CCDB_CALLS[title], got=text, expected=expected)
    return parts[at]
