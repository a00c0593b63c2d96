"""Problems in the data: returned to the caller, who prints, logs or refuses; never printed here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import PurePath

from inveonimaging.errors import InveonError, listed, place_of, printable

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_MORE = re.compile(r" has (\d{1,9}) more of these: [\w-]+$")
_LINES_NAMED, _FILES_NAMED = 3, 3


class Severity(str, Enum):
    """How much a finding matters."""

    INFO = "info"  # worth knowing; nothing to do
    WARNING = "warning"  # a value is missing or doubtful, and left out or taken as the message says
    ERROR = "error"  # not convertible unless an option says so

    @property
    def label(self) -> str:
        """How a line about it starts."""
        return "note" if self is Severity.INFO else self.value


@dataclass(frozen=True)
class Finding:
    """One problem in the data: a stable code, a sentence, and its place.

    Attributes:
        code: stable, in kebab-case, for programs.
        message: one line for people.
        severity: see `Severity`.
        key: header key that it is about, if any.
        line: line in the header file, 1-based.
        path: file that it is about.
    """

    code: str
    message: str
    severity: Severity = Severity.WARNING
    key: str | None = None
    line: int | None = None
    path: str | None = None

    def __str__(self) -> str:
        where = place_of(self.path, self.line)
        return f"{where}: {self.message}" if where else self.message


def not_convertible(error: InveonError, path: PurePath | None = None) -> Finding:
    """Return why a conversion refuses something, at the place that the error names, else at a path."""
    place = error.path or (None if path is None else str(path))
    return Finding("not-convertible", error.sentence, Severity.ERROR, line=error.line, path=place)


def more_of(first: Finding, count: int) -> Finding:
    """Return that there are so many more findings with the code and key of one, which are not kept."""
    return replace(first, message=f"{first.key or 'the header'} has {count} more of these: {first.code}")


def in_few_lines(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings for people: what repeats itself is one finding, which says where it is as well.

    One for each problem of a file, whatever lines it is in and whatever numbers they hold; and one for a problem that
    more than a few files have.
    """
    return _of_files(_of_lines(dict.fromkeys(findings)))


def _of_lines(findings: Iterable[Finding]) -> list[Finding]:
    groups: dict[tuple[object, ...], list[Finding]] = {}
    more: dict[tuple[object, ...], int] = {}  # by the group that they belong to
    for each in findings:
        kind = each.code, each.severity, each.path, each.key
        found = _MORE.search(each.message)
        group = next((group for group in groups if group[: len(kind)] == kind), None) if found else None
        if found and group:
            more[group] = int(found[1])
            continue
        words = each.message if each.line is None else _NUMBER.sub("#", each.message)
        groups.setdefault((*kind, each.line is None, words), []).append(each)
    return [_once(alike, more.get(group, 0)) for group, alike in groups.items()]


def _once(alike: list[Finding], more: int) -> Finding:
    """Return findings of several lines as one; `more` of them are not in the list."""
    first, count = alike[0], len(alike) + more
    if count == 1:
        return first
    lines = [str(each.line) for each in alike if each.line is not None]
    is_same = all(each.message == first.message for each in alike)
    times = f"{count} times" if is_same else f"and {count - 1} more like this"
    named = ", ".join(lines[:_LINES_NAMED])
    others = f" and {count - _LINES_NAMED} more" if count > _LINES_NAMED else ""
    return replace(first, message=f"{first.message} ({times}: lines {named}{others})")


def _of_files(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.code, each.severity, each.message), []).append(each)
    found: list[Finding] = []
    for alike in groups.values():
        if len(alike) <= _FILES_NAMED:
            found += alike
            continue
        names = [printable(PurePath(each.path or "").name, 60) for each in alike[1:]]
        message = f"{alike[0].message} (and in {len(names)} more: {listed(names, _FILES_NAMED)})"
        found.append(replace(alike[0], message=message))
    return tuple(found)
