"""Values of one animal that differ between its scans: which scan says what else.

An animal weighs what it does on a day: weights differ if they are of one session. What it keeps, such as its sex,
differs whenever it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from inveonimaging.commands.correct.cells import EDITABLE, NAMED, OF_A_SUBJECT, SUBJECT, Typed, wrong_with
from inveonimaging.errors import printable
from inveonimaging.sheet.columns import OF_A_DAY
from inveonimaging.sheet.reading import TAKEN_AWAY
from inveonimaging.study.sessions import Span, sessions_in

_OF_A_STUDY = {"study_description", "project", "xnat_session"}
_OF_PEOPLE = {"responsible_person", "responsible_role", "responsible_organization"}
_OF_A_DAY = {title for title, each in EDITABLE.items() if each.name in OF_A_DAY}
NAME = 80  # characters of one that is shown
_MOST_OTHERS = 50  # values of a cell's fellows that are kept: each of thousands of scans may say another one

Differing = Mapping[tuple[str, str], Mapping[str, str]]
"""Of a cell, by key and title, a scan for each other value: the scan's key, and what it says."""


class ScanTexts(NamedTuple):
    """What one scan says of its animal: its key, its folder, when it was, and its texts by title."""

    key: str
    folder: str
    span: Span | None
    texts: Mapping[str, str]


def overlaid(texts: Mapping[str, str], *typed: Mapping[str, str]) -> dict[str, str]:
    """Return what counts of an animal: what was typed and can be read goes before the header, the last one first."""
    found = {title: text for title, text in texts.items() if title in OF_A_SUBJECT}
    for cells in typed:
        found |= {title: text for title, text in cells.items() if title in OF_A_SUBJECT and not wrong_with(title, text)}
    return {title: text for title, text in found.items() if text not in {"", TAKEN_AWAY}}


def of_a_study(typed: Mapping[str, str]) -> dict[str, str]:
    """Return what was typed of a scan that counts for all scans of its folder, too."""
    return {title: text for title, text in overlaid({}, typed).items() if title not in _OF_A_DAY}


def add_differing(scans: Sequence[ScanTexts], found: dict[tuple[str, str], dict[str, str]]) -> None:
    """Add what scans say of one animal that others of its scans do not, as `Differing`.

    Scans of one folder are of one animal, and so are those of one patient ID in several.
    """
    folders, animals = dict[str, list[ScanTexts]](), dict[str, list[ScanTexts]]()
    for each in scans:
        folders.setdefault(each.folder, []).append(each)
        if name := _plain(each.texts.get("patient_id", "")):
            animals.setdefault(name, []).append(each)
    for group in folders.values():
        _compare(group, OF_A_SUBJECT, found)
    for group in animals.values():
        if len({each.folder for each in group}) > 1:
            _compare([each for each in group if each.span], OF_A_SUBJECT & _OF_A_DAY, found)
            _compare(group, OF_A_SUBJECT - _OF_A_DAY - _OF_A_STUDY - _OF_PEOPLE, found)


def _compare(group: Sequence[ScanTexts], titles: Iterable[str], found: dict[tuple[str, str], dict[str, str]]) -> None:
    """Add what scans of one animal say that others do not; one without a time may be of any session."""
    numbers = sessions_in([each.span for each in group])
    sessions = [
        [each for each, number in zip(group, numbers, strict=True) if number in {session, None}]
        for session in dict.fromkeys(number for number in numbers if number is not None)
    ]
    for title in titles:
        for together in (sessions or [list(group)]) if title in _OF_A_DAY else [group]:
            firsts: dict[str, ScanTexts] = {}
            for each in together:
                if text := each.texts.get(title):
                    firsts.setdefault(_plain(text), each)
            for each in together if len(firsts) > 1 else ():
                own = _plain(each.texts.get(title, ""))
                if own:
                    others = ((one.key, one.texts[title]) for text, one in firsts.items() if text != own)
                    found.setdefault((each.key, title), {}).update(islice(others, _MOST_OTHERS))


def of_another_day(scans: Sequence[ScanTexts], typed: Typed) -> dict[tuple[str, str], str]:
    """Return the scan whose weight counts for one of another session, by key and title of that cell.

    A sheet that gives one weight for a scan gives it to all of the folder whose rows give none.
    """
    numbers = {each.key: n for each, n in zip(scans, sessions_in([each.span for each in scans]), strict=True)}
    found: dict[tuple[str, str], str] = {}
    for title in _OF_A_DAY if not any(key.startswith(SUBJECT) for key in typed) else ():
        given = {key: typed[key][title] for key in numbers if typed.get(key, {}).get(title)}
        sessions = {numbers[key]: key for key in reversed(given) if not wrong_with(title, given[key])}
        if len(set(given.values())) == 1 and None not in sessions:
            first = next(iter(sessions.values()), "")
            others = (key for key, number in numbers.items() if key not in given and number is not None)
            found |= {(key, title): first for key in others if numbers[key] not in sessions and first}
    return found


def words_of(others: Mapping[str, str], own: str = "", shown: str = "") -> str:
    """Return what a cell is marked with: which scans say what else.

    Args:
        others: what they say, by their keys.
        own: what the cell's own scan says.
        shown: what the cell shows: of a study the first value counts.
    """
    named = [f"{printable(key, NAME)} says {printable(text, NAME)}" for key, text in others.items()]
    count = len(named) - NAMED if len(named) < _MOST_OTHERS else "many"
    more = f" and {count} more" if len(named) > NAMED else ""
    words = ", ".join(named[:NAMED]) + more
    if own and shown and _plain(own) != _plain(shown):
        return f"its own header says {printable(own, NAME)}, but {words}"
    return words


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
