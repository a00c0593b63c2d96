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
    OF_ITS_SCANS,
    SUBJECT,
    Line,
    Listing,
    Typed,
    cell_of,
    titles_of,
)
from inveonimaging.errors import listed
from inveonimaging.prefill import cells_of
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.sheet.matching import harmless, plain_subject
from inveonimaging.sheet.reading import TAKEN_AWAY, value_of
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.reading import read_pairs
from inveonimaging.units import counted


class Subject(NamedTuple):
    """An animal that headers name.

    Attributes:
        name: what they say under `subject_identifier`, as one line.
        scans: how many name it.
        agreed: what all of them say, by title.
        differing: titles of what they do not agree on.
    """

    name: str
    scans: int
    agreed: Mapping[str, str]
    differing: frozenset[str]

    @property
    def key(self) -> str:
        """Of its row: no path of a scan begins so."""
        return f"{SUBJECT}{self.name}"


class Subjects(NamedTuple):
    """The animals of a table, in the order of their first scans, and what has no row."""

    subjects: tuple[Subject, ...] = ()
    problems: tuple[str, ...] = ()


def subjects_of(listing: Listing, progress: Progress = no_progress) -> Subjects:
    """Return the animals that the headers of all scans name; some scans are read at a time, and forgotten.

    Args:
        listing: the scans.
        progress: called with how many headers are read, and how many there are.
    """
    found: dict[str, list[tuple[str, Mapping[str, str]]]] = {}
    nameless, unread = list[str](), list[str]()
    counter = StepCounter(progress, len(listing.pairs))
    for _, group in groupby(listing.pairs.items(), key=lambda each: each[1].data.parent):
        folder = list(group)
        for begin in range(0, len(folder), MOST_TOGETHER):
            pairs = {pair: key for key, pair in folder[begin : begin + MOST_TOGETHER]}
            study = read_pairs(tuple(pairs), listing.root, Corrections())
            cells = cells_of(listing.root, study)
            unread += [pairs[pair] for pair in study.errors if pair in pairs]
            for scan in study.scans:
                name = harmless(scan.image.header.subject.identifier or "")
                known = {title: text for title, text in cells[scan.pair].items() if title in OF_A_SUBJECT}
                if name:
                    found.setdefault(plain_subject(name), []).append((name, known))
                else:
                    nameless.append(pairs[scan.pair])
            counter.step(len(pairs))
    told = [f"no header names an animal: {listed(nameless, NAMED)}"] if nameless else []
    told += [f"cannot be read: {listed(unread, NAMED)}"] if unread else []
    return Subjects(tuple(_subject(scans) for scans in found.values()), tuple(told))


def _subject(scans: Sequence[tuple[str, Mapping[str, str]]]) -> Subject:
    said: dict[str, set[str]] = {}
    for _, cells in scans:
        for title, text in cells.items():
            said.setdefault(title, set()).add(text)
    agreed = {title: next(iter(texts)) for title, texts in said.items() if len(texts) == 1}
    differing = frozenset(title for title, texts in said.items() if len(texts - {""}) > 1)
    alone = {title: next(iter(texts - {""})) for title, texts in said.items() if len(texts - {""}) == 1}
    return Subject(scans[0][0], len(scans), {**agreed, **alone}, differing)


def titles_of_subjects(typed: Typed, more: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the titles of a table of animals: those of `titles_of` that are of all scans of an animal."""
    return tuple(title for title in titles_of(typed, more) if title in OF_A_SUBJECT)


def subject_lines(
    subjects: Sequence[Subject], typed: Typed, titles: Sequence[str], shown: slice = slice(None)
) -> tuple[Line, ...]:
    """Return rows of the table of animals; no header is read."""
    numbered = list(enumerate(subjects, 1))[shown]
    return tuple(_subject_line(number, each, typed.get(each.key, {}), titles) for number, each in numbered)


def _subject_line(number: int, subject: Subject, typed: Mapping[str, str], titles: Sequence[str]) -> Line:
    doubts = [(title, OF_ITS_SCANS) for title in subject.differing]
    texts = {**subject.agreed, **typed}
    if not texts.get("weight_g") and "weight_g" not in subject.differing:
        doubts.append(("weight_g", IN_SHORT["weight-unknown"]))
    with contextlib.suppress(ValueError):
        weight_kg = value_of(EDITABLE["weight_g"], texts.get("weight_g") or TAKEN_AWAY)
        if found := weight_finding(weight_kg, texts.get("species"), strain=texts.get("strain")):
            doubts.append(("weight_g", found.message))
    cells = tuple(cell_of(title, subject.agreed.get(title, ""), typed.get(title), doubts) for title in titles)
    return Line(number, subject.key, subject.name, (counted(subject.scans, "scan"),), cells)
