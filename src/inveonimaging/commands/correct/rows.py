"""A row for each scan, or for each animal of scans that show several; read as a conversion does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from inveonimaging.checks.checked import check_image
from inveonimaging.commands.correct.cells import (
    EDITABLE,
    IN_SHORT,
    MOST_TOGETHER,
    OF_KEY,
    SUBJECT,
    Cell,
    Line,
    Listing,
    Typed,
    cell_of,
    values_of,
)
from inveonimaging.commands.correct.contradictions import (
    NAME,
    Differing,
    ScanTexts,
    add_differing,
    of_another_day,
    overlaid,
    words_of,
)
from inveonimaging.errors import InveonError, printable
from inveonimaging.findings import Severity
from inveonimaging.hotels.splitting import NEEDED
from inveonimaging.inveon.pairs import Pair
from inveonimaging.prefill import cells_of, own_cells_of
from inveonimaging.sheet.application import has_tracer
from inveonimaging.sheet.columns import OF_AN_ANIMAL
from inveonimaging.sheet.matching import Row, Sheet, pattern_of
from inveonimaging.sheet.positions import Side
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.reading import Scan, Study, read_pairs
from inveonimaging.study.sessions import span_of

_MOST_REFUSED = 3  # rows, before none is read any more


def lines_of(listing: Listing, typed: Typed, titles: Sequence[str], shown: slice = slice(None)) -> tuple[Line, ...]:
    """Return rows of the table.

    Args:
        listing: the scans.
        typed: what was typed.
        titles: of the columns.
        shown: which of the rows.
    """
    numbers = {key: number for number, key in enumerate(listing.pairs, 1)}
    lines: list[tuple[_Looked, str]] = []
    apart, carried, beside = dict[tuple[str, str], dict[str, str]](), dict[tuple[str, str], str](), list[ScanTexts]()
    fellows: dict[Path, dict[str, Pair]] = {}
    for key, pair in listing.pairs.items():
        fellows.setdefault(pair.data.parent, {})[key] = pair
    for folder, group in groupby(list(listing.pairs.items())[shown], key=lambda each: each[1].data.parent):
        asked = dict(group)
        together = fellows[folder] if len(fellows[folder]) <= MOST_TOGETHER else asked
        rows = [_row(numbers[key], key, cells) for key, cells in typed.items() if key in together]
        rows += _subject_rows(typed, len(numbers))
        looked = _looked_at(listing.root, tuple(together.values()), rows)
        all_texts = _scan_texts(looked, together, typed)
        lines += [(looked, key) for key in asked]
        beside += [each for each in all_texts if each.key in asked]
        add_differing(all_texts, apart)
        carried |= of_another_day(all_texts, typed)
    add_differing(beside, apart)
    owns = {each.key: each.texts for each in beside}
    return tuple(
        _line(
            looked,
            (numbers[key], key, listing.pairs[key]),
            typed.get(key, {}),
            titles,
            _apart(
                key,
                owns.get(key, {}),
                {**looked.cells.get(listing.pairs[key], {}), **typed.get(key, {})},
                apart,
                carried,
            ),
        )
        for looked, key in lines
    )


def _apart(
    key: str, own: Mapping[str, str], shown: Mapping[str, str], apart: Differing, carried: Mapping[tuple[str, str], str]
) -> Iterator[tuple[str, str]]:
    """Yield title and words of what other scans of the animal say, and of a weight that is of another day."""
    for title in own:
        if others := apart.get((key, title)):
            yield title, words_of(others, own[title], shown.get(title, ""))
        if other := carried.get((key, title)):
            yield title, f"that of {printable(other, NAME)}, of another day: type this day's here"


def _scan_texts(looked: _Looked, together: Mapping[str, Pair], typed: Typed) -> list[ScanTexts]:
    """Return what scans of a folder say of their animal, each by itself."""
    owns, spans = own_cells_of(looked.study), {scan.pair: span_of(scan.image.header) for scan in looked.study.scans}
    return [
        ScanTexts(key, str(pair.data.parent), spans[pair], overlaid(owns[pair], typed.get(key, {})))
        for key, pair in together.items()
        if pair in owns
    ]


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
    pairs = tuple(listing.pairs.values())[:MOST_TOGETHER]
    of_scans = [_row(len(keys) + n, key, typed[key]) for n, key in enumerate(listing.pairs, 1) if key in typed]
    whole = _looked_at(listing.root, pairs, of_scans)
    rows = [animal_row(number, typed.get(key, {}), side) for number, key in enumerate(keys, 1)]
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
        doubts.append((title, IN_SHORT["dose-unknown"]))
    if name == "id" and not typed.get(title) and not typed.get("patient_name"):
        doubts.append((title, "missing: no animal at this position"))
    return cell_of(title, known, typed.get(title), tuple(dict.fromkeys(doubts)))


def animal_row(number: int, typed: Mapping[str, str], side: str) -> Row:
    """Return what was typed of an animal as the row of a sheet; it is about all scans."""
    return Row(number, "", "", "", dict(values_of(number, placed(typed, side))))


def placed(typed: Mapping[str, str], side: str) -> dict[str, str]:
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
    left = tuple(rows)
    while True:
        try:
            study = read_pairs(pairs, root, Corrections(sheet=Sheet(root, "", left) if left else None))
            break
        except InveonError as error:  # rows that contradict each other: the others count without the one
            if not left:
                raise
            refusals[error.line] = error.sentence
            others = tuple(each for each in left if each.number != error.line)
            left = others if len(others) < len(left) and len(refusals) < _MOST_REFUSED else ()
    doubts = {scan.pair: tuple(_doubts(study, scan)) for scan in study.scans}
    return _Looked(study, cells_of(root, study), doubts, refusals)


def _doubts(study: Study, scan: Scan) -> Iterator[tuple[str, str]]:
    """Yield title and words of what is missing of a scan for SUV, makes no sense, or contradicts another scan."""
    found, _ = check_image(scan.image, scan.all_findings, datetime.now(), header_alone=True)
    for each in dict.fromkeys((*found, *study.findings)):
        title = OF_KEY.get(each.key or "")
        if title and each.code != "subject-disagrees" and each.severity is not Severity.INFO:
            yield title, IN_SHORT.get(each.code, each.message)


def _line(
    looked: _Looked,
    row: tuple[int, str, Pair],
    typed: Mapping[str, str],
    titles: Sequence[str],
    apart: Iterable[tuple[str, str]],
) -> Line:
    number, key, pair = row
    known, doubts = looked.cells.get(pair, {}), (*looked.doubts.get(pair, ()), *apart)
    error = looked.study.errors.get(pair)
    problem = error.sentence if error else looked.refusals.get(number) or looked.refusals.get(None, "")
    cells = tuple(cell_of(title, known.get(title, ""), typed.get(title), doubts) for title in titles)
    return Line(number, key, pair.name, _notes(looked.study, pair, key), cells, problem, error is None)


def _notes(study: Study, pair: Pair, key: str) -> tuple[str, ...]:
    scan = next((each for each in study.scans if each.pair == pair), None)
    folder = key.rpartition("/")[0]
    if scan is None:
        return (folder,) if folder else ()
    header = scan.image.header
    return tuple(filter(None, (folder, scan.image.kind, str(scan.start or ""), header.subject.identifier or "")))


def _subject_rows(typed: Typed, before: int) -> list[Row]:
    """Return what was typed of animals by their names as rows, numbered after all scans."""
    keys = [key for key in typed if key.startswith(SUBJECT)]
    return [
        Row(number, "", "", key.removeprefix(SUBJECT), dict(values_of(number, typed[key])))
        for number, key in enumerate(keys, before + 1)
    ]


def _row(number: int, key: str, typed: Mapping[str, str]) -> Row:
    """Return what was typed of a scan as the row of a sheet; what cannot be read is left out."""
    return Row(number, pattern_of(key), "", "", dict(values_of(number, typed)))
