"""A table of scans, as a sheet of subjects has it: filled from the headers, corrected cell by cell, and saved.

What is typed is kept as texts, by scan and title, and nothing else: an empty cell leaves it to the header. Every look
at the table reads the headers of the scans that are shown, with what was typed as their sheet, as a conversion does.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from inveonimaging.animal.sheet_values import Cell as Value
from inveonimaging.checks.checked import check_image
from inveonimaging.commands.split import check_boxes
from inveonimaging.errors import InputError, InveonError, OutputError, listed, printable
from inveonimaging.findings import Severity
from inveonimaging.hotels.boxes import boxes_json, boxes_of
from inveonimaging.hotels.positions import assigned
from inveonimaging.hotels.splitting import NEEDED, read_group
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair, pair_of, scan_folder
from inveonimaging.prefill import Filled, cells_of, file_pattern, refuse_kind, sheet_bytes
from inveonimaging.sheet.application import KEYS, has_tracer
from inveonimaging.sheet.columns import COLUMNS, OF_AN_ANIMAL, Column, Scope, column_of
from inveonimaging.sheet.matching import Row, Sheet
from inveonimaging.sheet.pasted import Block, has_decimal_comma
from inveonimaging.sheet.positions import Side
from inveonimaging.sheet.reading import TAKEN_AWAY, sheet_of, value_of
from inveonimaging.sheet.values import escaped
from inveonimaging.storage.folders import is_same_folder, real_path
from inveonimaging.storage.whole_files import refuse_taken, write_whole
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.cut import Extent
from inveonimaging.study.image import read_pair
from inveonimaging.study.reading import Scan, Study, below, read_pairs

MOST_SCANS = 5000
_MOST_FOLDERS = 5000
_MOST_TOGETHER = 100  # scans of one folder that are compared with each other
_LONGEST = 1000
_NAMED = 3
_NAMES = {"patient_id", "patient_name"}
_OTHER_UNITS = {"weight_kg", "dose_mCi", "residual_mCi"}
EDITABLE: Mapping[str, Column] = {
    each.title: each for each in COLUMNS if each.scope is not Scope.MATCH and each.title not in _OTHER_UNITS
}
"""The columns of the table, by title."""
USUAL = (
    *("patient_id", "weight_g", "dose_MBq", "injection_time"),
    *("sex", "species", "posture", "strain", "birth_date"),
)
"""The titles of those that people need."""
OF_A_DOSE = ("dose_time", "residual_MBq", "residual_time")
"""Titles of what a dose is made from, if the header has it; who types another dose must see them."""
_TITLE_OF = {each.name: title for title, each in EDITABLE.items()}
_OF_KEY = {
    **{key: _TITLE_OF[name] for name, keys in KEYS.items() if name in _TITLE_OF for key in keys},
    **dict.fromkeys(("subject_identifier", "animal_number"), "patient_id"),
    "dose": "dose_MBq",
    "activity_before_injection": "dose_MBq",
}
_IN_SHORT = {
    "weight-unknown": "missing, and SUV needs it",
    "dose-unknown": "missing, and SUV needs it",
    "injection-time-unknown": "missing, and SUV needs it",
    "subject-unknown": "missing; without it the file's name counts",
    "subject-disagrees": "not the same in all scans of this folder",
    "several-subjects": "several animals in one folder",
}
"""What is wrong with a cell, where the finding says more than fits."""
_BETWEEN_SCANS = {_IN_SHORT["subject-disagrees"], _IN_SHORT["several-subjects"]}
"""Of these an empty cell is no part, and what was typed is meant so."""

Typed = Mapping[str, Mapping[str, str]]
"""What was typed: by the key of a row, and by title."""


class Cell(NamedTuple):
    """One cell.

    Attributes:
        title: of its column.
        text: what was typed, else what the header says, or another row of the same animal.
        is_typed: whether it was typed here.
        wrong: why it cannot be read; empty if it can.
        doubts: what is missing, or contradicts.
    """

    title: str
    text: str
    is_typed: bool = False
    wrong: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A row of the table: one scan, with what tells it from others.

    Attributes:
        number: from 1, as messages name it.
        key: of the row.
        name: of the file.
        notes: kind, start, and the animal's name in the header.
        cells: in the order of the titles.
        problem: why the scan cannot be read, or the row contradicts another one.
        is_read: whether there is something to correct.
    """

    number: int
    key: str
    name: str
    notes: tuple[str, ...]
    cells: tuple[Cell, ...]
    problem: str = ""
    is_read: bool = True


@dataclass(frozen=True)
class Listing:
    """The scans of a folder, or of those below it if it holds none itself.

    Attributes:
        root: the folder, or the one file.
        pairs: by their keys, the paths of their data files as seen from the root; in the order of the rows.
        problems: folders that cannot be read, and that there are more scans than are listed.
    """

    root: Path
    pairs: Mapping[str, Pair]
    problems: tuple[str, ...] = ()


def listing_of(root: Path) -> Listing:
    """Return the scans of a folder, or of those below it if it holds none itself; no header is read.

    Raises:
        InputError: there is none.
    """
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        pair = pair_of(root)
        return Listing(root, {pair.name: pair})
    folder = scan_folder(root)
    if folder.pairs:
        return Listing(root, {each.name: each for each in folder.pairs})
    problems: list[str] = []
    pairs = list(_below(root, problems))
    if not pairs:
        raise folder.without_pairs()
    if len(pairs) > MOST_SCANS:
        problems.append(f"only the first {MOST_SCANS} scans are shown: open a folder further down")
    return Listing(root, {below(each.data, root): each for each in pairs[:MOST_SCANS]}, tuple(problems))


def _below(root: Path, problems: list[str]) -> Iterator[Pair]:
    """Yield the pairs of all folders below one, each before those inside it; one more than are listed."""
    waiting, looked, found = deque([root]), 0, 0
    while waiting and found <= MOST_SCANS:
        looked += 1
        if looked > _MOST_FOLDERS:
            problems.append(f"only the first {_MOST_FOLDERS} folders were looked into: open a folder further down")
            return
        try:
            folder = scan_folder(waiting.popleft())
        except InputError as error:
            problems.append(printable(error, _LONGEST))
            continue
        yield from folder.pairs
        found += len(folder.pairs)
        waiting.extendleft(reversed(folder.entered))


def normal(title: str, text: str, *, has_comma: bool | None = None) -> tuple[str, str]:
    """Return the title and the text of a cell as the table has them; what cannot be read stays as it was typed.

    A weight in kg is one in g, and so on. An empty text is an empty cell.

    Args:
        title: of any column but those that say what scans a row is about.
        text: as typed.
        has_comma: commas in numbers are decimal marks; None sees by this cell alone.

    Raises:
        InputError: there is no such column.
    """
    column = column_of(title)
    shown = None if column is None else _TITLE_OF.get(column.name)
    if column is None or shown is None:
        raise InputError(f"there is no column '{printable(title, 40)}' to fill")
    content = " ".join(text.split())[:_LONGEST]
    comma = has_decimal_comma([content]) if has_comma is None else has_comma
    try:
        value = value_of(column, content, has_decimal_comma=comma) if content else None
    except ValueError:
        return shown, content
    if value is None:
        return shown, content and TAKEN_AWAY
    return shown, EDITABLE[shown].codec.spell(value)


def changed(typed: Typed, changes: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    """Return what was typed with changes, each a row's key, title and text; an empty text takes the cell away."""
    found = {key: dict(cells) for key, cells in typed.items()}
    for key, title, text in changes:
        found.setdefault(key, {})[title] = text
        if not text:
            del found[key][title]
    return {key: cells for key, cells in found.items() if cells}


def titles_of(typed: Typed, more: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the titles that a table shows: those that people need, those asked for, and those in which is something.

    What a dose is made from is among them, to be left out by `without_empty`; columns of a hotel are not.
    """
    used = {title for cells in typed.values() for title in cells} | set(more)
    others = (title for title, each in EDITABLE.items() if title in used and each.scope is not Scope.HOTEL)
    return tuple(dict.fromkeys((*USUAL[:3], *OF_A_DOSE, *USUAL[3:], *others)))


def without_empty(
    titles: Sequence[str], lines: Sequence[Line], asked: Iterable[str] = ()
) -> tuple[tuple[str, ...], tuple[Line, ...]]:
    """Return titles and rows without the columns of what a dose is made from of which no cell holds something.

    Args:
        titles: of all columns.
        lines: the rows.
        asked: titles of columns that stay.
    """
    filled = set(asked) | {cell.title for line in lines for cell in line.cells if cell.text or cell.wrong}
    left = tuple(title for title in titles if title not in OF_A_DOSE or title in filled)
    kept = (replace(line, cells=tuple(cell for cell in line.cells if cell.title in left)) for line in lines)
    return left, tuple(kept)


def wrong_with(title: str, text: str) -> str:
    """Return why a text cannot be the cell of a column; empty if it can."""
    try:
        value_of(EDITABLE[title], text)
    except ValueError as error:
        return f"expected {error}"
    return ""


def lines_of(listing: Listing, typed: Typed, titles: Sequence[str], shown: slice = slice(None)) -> tuple[Line, ...]:
    """Return rows of the table.

    Args:
        listing: the scans.
        typed: what was typed.
        titles: of the columns.
        shown: which of the rows.
    """
    numbers = {key: number for number, key in enumerate(listing.pairs, 1)}
    lines: list[Line] = []
    for folder, group in groupby(list(listing.pairs.items())[shown], key=lambda each: each[1].data.parent):
        asked = dict(group)
        fellows = {key: pair for key, pair in listing.pairs.items() if pair.data.parent == folder}
        together = fellows if len(fellows) <= _MOST_TOGETHER else asked
        rows = [_row(numbers[key], key, cells) for key, cells in typed.items() if key in together]
        looked = _looked_at(listing.root, tuple(together.values()), rows)
        lines += [_line(looked, numbers[key], key, pair, typed.get(key, {}), titles) for key, pair in asked.items()]
    return tuple(lines)


def animal_lines(
    listing: Listing, typed: Typed, titles: Sequence[str], keys: Sequence[str], side: str = Side.FRONT.value
) -> tuple[Line, ...]:
    """Return a row for each animal of scans that show several, with what the headers say of all of them.

    What is of one animal, as ID and weight, is in no header.

    Args:
        listing: the scans, of one session.
        typed: what was typed, positions too.
        titles: of the columns, `position` among them.
        keys: of the animals' rows.
        side: from which their positions are seen.
    """
    pairs = tuple(listing.pairs.values())[:_MOST_TOGETHER]
    of_scans = [_row(len(keys) + n, key, typed[key]) for n, key in enumerate(listing.pairs, 1) if key in typed]
    whole = _looked_at(listing.root, pairs, of_scans)
    rows = [_animal_row(number, typed.get(key, {}), side) for number, key in enumerate(keys, 1)]
    looked = _looked_at(listing.root, pairs, [*of_scans, *(row for row in rows if row.slot)])
    first, *others = whole.cells.values() or ({},)
    agreed = {title: text for title, text in first.items() if all(each.get(title) == text for each in others)}
    is_traced = any(has_tracer(scan.image.header) for scan in looked.study.scans)
    lines = []
    for number, key in enumerate(keys, 1):
        cells = tuple(
            _cell_of_animal(title, number, typed.get(key, {}), agreed, looked, is_traced=is_traced) for title in titles
        )
        problem = looked.refusals.get(number) or looked.refusals.get(None, "")
        lines.append(Line(number, key, typed.get(key, {}).get("position", ""), (), cells, problem))
    return tuple(lines)


def _cell_of_animal(
    title: str, number: int, typed: Mapping[str, str], agreed: Mapping[str, str], looked: _Looked, *, is_traced: bool
) -> Cell:
    name = EDITABLE[title].name
    known = agreed.get(title, "") if name not in OF_AN_ANIMAL or title == "posture" else ""
    suffix = f"of row {number})"
    doubts = [each for of_scan in looked.doubts.values() for each in of_scan if each[1].endswith(suffix)]
    if is_traced and name in NEEDED and not typed.get(title):
        doubts.append((title, _IN_SHORT["dose-unknown"]))
    if name == "id" and not typed.get(title) and not typed.get("patient_name"):
        doubts.append((title, "missing: nobody lies here"))
    return _cell(title, known, typed.get(title), tuple(dict.fromkeys(doubts)))


def _animal_row(number: int, typed: Mapping[str, str], side: str) -> Row:
    """Return what was typed of an animal as the row of a sheet; it is about all scans."""
    return Row(number, "", "", "", dict(_values(number, _placed(typed, side))))


def _placed(typed: Mapping[str, str], side: str) -> dict[str, str]:
    """Return what was typed of an animal, with the side from which its position is seen, if that is not the front."""
    return {**typed, "seen_from": side} if side != Side.FRONT.value else dict(typed)


class _Looked(NamedTuple):
    """Scans of a folder, as a conversion reads them with what was typed.

    Attributes:
        study: of them.
        cells: what it takes for each, by title.
        doubts: title and words of what is missing or contradicts, of each scan.
        refusals: why rows are refused, by their numbers.
    """

    study: Study
    cells: Mapping[Pair, Mapping[str, str]]
    doubts: Mapping[Pair, tuple[tuple[str, str], ...]]
    refusals: Mapping[int | None, str]


def _looked_at(root: Path, pairs: tuple[Pair, ...], rows: Sequence[Row]) -> _Looked:
    refusals: dict[int | None, str] = {}
    sheet = Sheet(root, "", tuple(rows)) if rows else None
    try:
        study = read_pairs(pairs, root, Corrections(sheet=sheet))
    except InveonError as error:  # rows that contradict each other
        if sheet is None:
            raise
        refusals[error.line] = error.sentence
        study = read_pairs(pairs, root, Corrections())
    doubts = {scan.pair: tuple(_doubts(study, scan)) for scan in study.scans}
    return _Looked(study, cells_of(root, study), doubts, refusals)


def _doubts(study: Study, scan: Scan) -> Iterator[tuple[str, str]]:
    """Yield title and words of what is missing of a scan for SUV, makes no sense, or contradicts another scan."""
    found, _ = check_image(scan.image, scan.all_findings, datetime.now(), header_alone=True)
    for each in dict.fromkeys((*found, *study.findings)):
        title = _OF_KEY.get(each.key or "")
        if title and each.severity is not Severity.INFO:
            yield title, _IN_SHORT.get(each.code, each.message)


def _line(looked: _Looked, number: int, key: str, pair: Pair, typed: Mapping[str, str], titles: Sequence[str]) -> Line:
    known, doubts = looked.cells.get(pair, {}), looked.doubts.get(pair, ())
    error = looked.study.errors.get(pair)
    problem = error.sentence if error else looked.refusals.get(number) or looked.refusals.get(None, "")
    cells = tuple(_cell(title, known.get(title, ""), typed.get(title), doubts) for title in titles)
    return Line(number, key, pair.name, _notes(looked.study, pair), cells, problem, error is None)


def _cell(title: str, known: str, typed: str | None, doubts: Iterable[tuple[str, str]]) -> Cell:
    wrong = wrong_with(title, typed) if typed else ""
    text = typed or known
    told = (words for of, words in doubts if of == title and (words not in _BETWEEN_SCANS or (text and not typed)))
    return Cell(title, text, bool(typed), wrong, tuple(told))


def _notes(study: Study, pair: Pair) -> tuple[str, ...]:
    scan = next((each for each in study.scans if each.pair == pair), None)
    if scan is None:
        return ()
    header = scan.image.header
    return tuple(filter(None, (scan.image.kind, str(scan.start or ""), header.subject.identifier or "")))


def _row(number: int, key: str, typed: Mapping[str, str]) -> Row:
    """Return what was typed of a scan as the row of a sheet; what cannot be read is left out."""
    return Row(number, file_pattern(key), "", "", dict(_values(number, typed)))


def _values(number: int, typed: Mapping[str, str]) -> Iterator[tuple[str, Value]]:
    for title, text in typed.items():
        if not wrong_with(title, text):
            yield EDITABLE[title].name, Value(value_of(EDITABLE[title], text), number, title, text)


# What comes as a whole: a block, a sheet.


class Filling(NamedTuple):
    """What a block or a sheet says: key, title and text of each cell, and what of it is not taken."""

    changes: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...] = ()


def pasted(
    block: Block, keys: Sequence[str], titles: Sequence[str], at: tuple[str, str], matched: Mapping[int, Sequence[str]]
) -> Filling:
    """Return what a block of the clipboard fills.

    Args:
        block: its cells.
        keys: of the rows of the table, in their order.
        titles: of its columns, in their order.
        at: key and title of the cell that it is pasted into: rows follow downwards from there; columns to the right, if
            the block has no titles.
        matched: of rows of the block that name scans, the keys of those.

    Raises:
        InputError: there is no such cell.
    """
    if at[0] not in keys or at[1] not in titles:
        raise InputError("there is no such cell to paste into")
    named = [each.title if each else "" for each in block.titles]
    columns = named or list(titles[titles.index(at[1]) :])
    names_scans = any(each and each.scope is Scope.MATCH for each in block.titles)
    below_it, beyond = keys[keys.index(at[0]) :], 0
    changes: list[tuple[str, str, str]] = []
    for number, row in enumerate(block.rows):
        into = matched.get(number, ()) if names_scans else below_it[number : number + 1]
        beyond += any(row) and not into
        for title, text in zip(columns, row, strict=False):
            column = column_of(title) if title else None
            if column and column.name in _TITLE_OF and (text or not block.titles):
                changes += [(key, *normal(column.title, text, has_comma=block.has_decimal_comma)) for key in into]
    wider = max((len(row) for row in block.rows), default=0) - len(columns)
    notes = [f"not read: {listed([printable(each, 40) for each in block.unread], _NAMED)}"] if block.unread else []
    notes += (
        [f"{beyond} rows match no scan of the table" if names_scans else f"{beyond} rows are more than the table has"]
        if beyond
        else []
    )
    notes += [f"{wider} columns are more than the table has"] if wider > 0 and not block.titles else []
    return Filling(tuple(changes), tuple(notes))


def scans_named(block: Block, listing: Listing) -> dict[int, list[str]]:
    """Return the keys of the scans that each row of a block names, in columns such as `file`; none if it has none."""
    places = {each.name: at for at, each in enumerate(block.titles) if each and each.scope is Scope.MATCH}
    rows = []
    for number, row in enumerate(block.rows):
        named = {name: row[at] if at < len(row) else "" for name, at in places.items()}
        if any(named.values()):
            rows.append(Row(number, named.get("file", ""), named.get("folder", ""), named.get("subject", ""), {}))
    if not rows:
        return {}
    sheet, found = Sheet(listing.root, "", tuple(rows)), dict[int, list[str]]()
    for key, pair in listing.pairs.items():
        for number in sheet.rows_of(pair, _header(pair)):
            found.setdefault(number, []).append(key)
    return found


def taken(sheet: Sheet, listing: Listing) -> Filling:
    """Return what a sheet says of each scan of a table; rows of animals that were scanned together are left aside.

    Raises:
        InputError: rows that match a scan alike say different things.
    """
    plain = Sheet(sheet.path, sheet.sha256, tuple(row for row in sheet.rows if row.slot is None), sheet.findings)
    used: set[int] = set()
    changes = []
    for key, pair in listing.pairs.items():
        values = plain.of_scan(pair, _header(pair))
        used |= set(values.rows)
        changes += [(key, *spelled) for name, cell in values.cells.items() if (spelled := _spelled(name, cell))]
    notes = [printable(each.message, _LONGEST) for each in sheet.findings]
    if unused := sorted({row.number for row in plain.rows} - used):
        notes.append(f"rows that match no scan here: {listed(list(map(str, unused)), _NAMED)}")
    return Filling(tuple(changes), tuple(notes))


def taken_animals(sheet: Sheet, listing: Listing, animals: Animals) -> tuple[Filling, str]:
    """Return what a sheet says of the animals of boxes, by their positions, and from which side these are seen.

    Raises:
        InputError: it has no positions, not as many animals as there are boxes, or they do not lie as it says.
    """
    pairs = tuple(listing.pairs.values())
    hotel = read_group(pairs, listing.root, Corrections(sheet=sheet)).hotel
    keys = list(animals.extents)
    changes: list[tuple[str, str, str]] = []
    for animal, number in zip(hotel.animals, assigned(list(animals.extents.values()), hotel), strict=True):
        cells = {name: cell for row in sheet.rows if row.slot == animal.slot for name, cell in row.cells.items()}
        spelled = (_spelled(name, cell) for name, cell in cells.items() if name != "seen_from")
        changes += [(keys[number], *each) for each in spelled if each]
    notes = tuple(printable(each.message, _LONGEST) for each in sheet.findings)
    return Filling(tuple(changes), notes), hotel.side.value


def _spelled(name: str, cell: Value) -> tuple[str, str] | None:
    title = _TITLE_OF.get(name)
    if title is None:
        return None
    return title, TAKEN_AWAY if cell.value is None else EDITABLE[title].codec.spell(cell.value)


def _header(pair: Pair) -> Header:
    """Return the header of a scan; an empty one of what cannot be read, which rows by file match all the same."""
    try:
        return read_pair(pair).header
    except InveonError:
        return Header()


# Saved.


def sheet_name(output: Path) -> str:
    """Return what the sheet for an output is called, which lies beside it."""
    return f"{output.name.removesuffix('-dicom')}-subjects.csv"


@dataclass(frozen=True)
class Animals:
    """Those of scans that show several.

    Attributes:
        extents: where each lies, by the key of its row.
        side: from which positions are seen.
    """

    extents: Mapping[str, Extent]
    side: str = Side.FRONT.value

    def named(self, typed: Typed) -> tuple[str, ...]:
        """Return the rows in which an animal has a name; the others are empty places."""
        return tuple(key for key in self.extents if _NAMES & typed.get(key, {}).keys())


class Saved(NamedTuple):
    """What was written: the sheet and what it holds, and likewise the boxes of animals that were scanned together."""

    sheet: Path
    content: bytes
    boxes: Path | None = None
    held: bytes = b""


def boxes_beside(path: Path) -> Path:
    """Return where the boxes of animals lie that a sheet tells of."""
    return path.with_name(f"{path.stem}-boxes.json")


def save(
    path: Path, listing: Listing, typed: Typed, *, animals: Animals | None = None, overwrite: bool = False
) -> Saved:
    """Write what was typed as a sheet, `.csv`, `.tsv` or `.xlsx`, and where animals lie as `NAME-boxes.json`.

    It is read back before it gets its name, and appears whole or not at all. What is left to the headers is not in it.

    Args:
        path: the sheet.
        listing: the scans of the table.
        typed: what was typed.
        animals: of scans that show several; None, or none of them with a name, if they do not.
        overwrite: replace files of the same names.

    Raises:
        InputError: nothing was typed, what was typed cannot be read, or boxes do not fit it.
        OptionError: the name tells no kind of sheet, or what is needed is not installed.
        OutputError: a file is there already, lies among the scans, or cannot be written.
    """
    refuse_kind(path)
    refuse_among(path, listing)
    refuse_taken(path, overwrite=overwrite)
    is_hotel = animals is not None and bool(animals.named(typed))
    rows = [*(_rows_of(animals, typed) if animals and is_hotel else ()), *_rows_of_scans(listing, typed)]
    if wrong := [f"{each.name}, {title}: {why}" for each in rows for title, why in _wrong(each.cells)]:
        shown = listed([printable(each, 120) for each in wrong], _NAMED)
        raise InputError(f"cells cannot be read yet: {shown}", hint="correct or empty them")
    if not rows:
        raise InputError("nothing is typed, so there is nothing to save: what the headers say counts")
    content = _content(path, rows)
    if not (animals and is_hotel):
        write_whole(path, content, overwrite=overwrite)
        return Saved(path, content)
    boxes = boxes_beside(path)
    refuse_taken(boxes, overwrite=overwrite)
    held = boxes_json([(typed[key]["position"], animals.extents[key]) for key in animals.named(typed)])
    check_boxes(listing.root, sheet_of(path, content), boxes_of(boxes, held), boxes)
    write_whole(boxes, held, overwrite=overwrite)
    write_whole(path, content, overwrite=overwrite)
    return Saved(path, content, boxes, held)


def refuse_boxes(listing: Listing, typed: Typed, animals: Animals) -> None:
    """Refuse boxes that are not those of the animals that were typed.

    None is refused before an animal has a name, or while a position cannot be read.

    Raises:
        InputError: what does not fit.
    """
    named = [(typed[key].get("position", ""), animals.extents[key]) for key in animals.named(typed)]
    if not named or any(wrong_with("position", name) or not name for name, _ in named):
        return
    rows = [_animal_row(n, typed.get(key, {}), animals.side) for n, key in enumerate(animals.extents, 1)]
    path = listing.root / "boxes.json"
    sheet = Sheet(listing.root, "", tuple(row for row in rows if row.slot))
    check_boxes(listing.root, sheet, boxes_of(path, boxes_json(named)), path)


class _Written(NamedTuple):
    """A row of a sheet: what it is called in messages, what scans it is about, and its cells."""

    name: str
    file: str
    cells: Mapping[str, str]


def _rows_of(animals: Animals, typed: Typed) -> Iterator[_Written]:
    for key in animals.extents:
        cells = typed.get(key, {})
        if not cells.get("position"):
            raise InputError("an animal has no position", expected="a position in each row, such as left")
        yield _Written(cells["position"], "", _placed(cells, animals.side))


def _rows_of_scans(listing: Listing, typed: Typed) -> Iterator[_Written]:
    return (_Written(key, file_pattern(key), typed[key]) for key in listing.pairs if key in typed)


def _content(path: Path, rows: Sequence[_Written]) -> bytes:
    """Return what a sheet's file holds; reading it gives what its rows say.

    Raises:
        OutputError: it does not.
    """
    used = {title for each in rows for title in each.cells}
    titles = (*(("file",) if any(each.file for each in rows) else ()), *(title for title in EDITABLE if title in used))
    texts = [{"file": row.file, **{title: escaped(text) for title, text in row.cells.items()}} for row in rows]
    content = sheet_bytes(Filled(titles, tuple(texts), (), (), frozenset()), path)
    meant = [{name: each.value for name, each in _values(0, row.cells)} for row in rows]
    if [{name: each.value for name, each in row.cells.items()} for row in sheet_of(path, content).rows] != meant:
        raise OutputError("the sheet would not say what was typed, and is not written", path=path)
    return content


def _wrong(typed: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((title, why) for title, text in typed.items() if (why := wrong_with(title, text)))


def refuse_among(path: Path, listing: Listing) -> None:
    """Refuse to write into a folder of scans, or below it.

    Raises:
        OutputError: the path lies there.
    """
    folders = {listing.root} if listing.root.is_dir() else {each.data.parent for each in listing.pairs.values()}
    for folder in map(real_path, folders):
        for above in (real_path(path.parent), *real_path(path.parent).parents):
            if is_same_folder(above, folder):
                raise OutputError("lies among the scanner's files, which are left as they are", path=path)
