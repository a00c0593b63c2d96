"""A row for each animal that headers name, which is about all its scans."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from inveonimaging.animal.limits import weight_finding
from inveonimaging.commands.correct.cells import (
    EDITABLE,
    IN_SHORT,
    MOST_TOGETHER,
    NAMED,
    OF_A_SUBJECT,
    OF_EACH_DAY,
    SUBJECT,
    Cell,
    Line,
    Listing,
    Typed,
    cell_of,
    titles_of,
)
from inveonimaging.commands.correct.contradictions import ScanTexts, add_differing, of_a_study, overlaid, words_of
from inveonimaging.errors import listed, one_line
from inveonimaging.prefill import own_cells_of
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.sheet.matching import plain_subject
from inveonimaging.sheet.reading import TAKEN_AWAY, value_of
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.reading import read_pairs
from inveonimaging.study.sessions import span_of
from inveonimaging.units import counted


class NamedAnimal(NamedTuple):
    """An animal that headers name.

    Attributes:
        name: what they say under `subject_identifier`, as one line.
        scans: what each that names it says.
    """

    name: str
    scans: tuple[ScanTexts, ...]

    @property
    def key(self) -> str:
        """Of its row: no path of a scan begins so."""
        return f"{SUBJECT}{self.name}"


class Subjects(NamedTuple):
    """The animals of a table, in the order of their first scans, and what has no row."""

    subjects: tuple[NamedAnimal, ...] = ()
    problems: tuple[str, ...] = ()


def subjects_of(listing: Listing, progress: Progress = no_progress) -> Subjects:
    """Return the animals that the headers of all scans name; some scans are read at a time, and forgotten.

    Args:
        listing: the scans.
        progress: called with how many headers are read, and how many there are.
    """
    found: dict[str, list[tuple[str, ScanTexts]]] = {}
    nameless, unread = list[str](), list[str]()
    counter = StepCounter(progress, len(listing.pairs))
    for parent, group in groupby(listing.pairs.items(), key=lambda each: each[1].data.parent):
        folder = list(group)
        for begin in range(0, len(folder), MOST_TOGETHER):
            pairs = {pair: key for key, pair in folder[begin : begin + MOST_TOGETHER]}
            study = read_pairs(tuple(pairs), listing.root, Corrections())
            owns = own_cells_of(study)
            unread += [pairs[pair] for pair in study.errors if pair in pairs]
            for scan in study.scans:
                name = one_line(scan.image.header.subject.identifier or "")
                if name:
                    span, texts = span_of(scan.image.header), overlaid(owns[scan.pair])
                    texts_of_scan = ScanTexts(pairs[scan.pair], str(parent), span, texts)
                    found.setdefault(plain_subject(name), []).append((name, texts_of_scan))
                else:
                    nameless.append(pairs[scan.pair])
            counter.step(len(pairs))
    left_out = [f"no header names an animal: {listed(nameless, NAMED)}"] if nameless else []
    left_out += [f"cannot be read: {listed(unread, NAMED)}"] if unread else []
    subjects = (
        NamedAnimal(scans[0][0], tuple(texts_of_scan for _, texts_of_scan in scans)) for scans in found.values()
    )
    return Subjects(tuple(subjects), tuple(left_out))


def titles_of_subjects(typed: Typed, more: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the titles of a table of animals: those of `titles_of` that are of all scans of an animal."""
    return tuple(title for title in titles_of(typed, more) if title in OF_A_SUBJECT)


def subject_lines(
    subjects: Sequence[NamedAnimal], typed: Typed, titles: Sequence[str], shown: slice = slice(None)
) -> tuple[Line, ...]:
    """Return rows of the table of animals; no header is read."""
    numbered = list(enumerate(subjects, 1))[shown]
    mates: dict[str, dict[str, str]] = {}  # what rows of scans say of all scans of their folders
    for subject in subjects if any(not key.startswith(SUBJECT) for key in typed) else ():
        for scan in subject.scans:
            mates.setdefault(scan.folder, {}).update(of_a_study(typed.get(scan.key, {})))
    return tuple(_subject_line(number, each, typed, titles, mates) for number, each in numbered)


def _subject_line(
    number: int, subject: NamedAnimal, typed: Typed, titles: Sequence[str], mates: Mapping[str, Mapping[str, str]]
) -> Line:
    row = typed.get(subject.key, {})
    scans = [
        each._replace(texts=overlaid(each.texts, mates.get(each.folder, {}), row, typed.get(each.key, {})))
        for each in subject.scans
    ]
    apart: dict[tuple[str, str], dict[str, str]] = {}
    add_differing(scans, apart)
    cells, doubts = list[Cell](), list[tuple[str, str]]()
    texts = {title: dict.fromkeys(each.texts[title] for each in scans if title in each.texts) for title in titles}
    known = {title: next(iter(found)) for title, found in texts.items() if len(found) == 1}
    for title in titles:
        others = {key: text for each in scans for key, text in apart.get((each.key, title), {}).items()}
        if others := {key: text for key, text in others.items() if text != row.get(title)}:
            doubts.append((title, words_of(others)))
    counts = {**known, **row}
    if not counts.get("weight_g") and not texts.get("weight_g"):
        doubts.append(("weight_g", IN_SHORT["weight-unknown"]))
    with contextlib.suppress(ValueError):
        weight_kg = value_of(EDITABLE["weight_g"], counts.get("weight_g") or TAKEN_AWAY)
        if found := weight_finding(weight_kg, counts.get("species"), strain=counts.get("strain")):
            doubts.append(("weight_g", found.message))
    for title in titles:
        cell = cell_of(title, known.get(title, ""), row.get(title), doubts)
        is_own = not cell.text and not cell.doubts and len(texts[title]) > 1
        cells.append(cell._replace(instead=OF_EACH_DAY if is_own else ""))
    return Line(number, subject.key, subject.name, (counted(len(scans), "scan"),), tuple(cells))
