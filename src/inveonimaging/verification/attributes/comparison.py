"""Values that planes state besides their pixels, compared with those expected from the header."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime, time
from functools import cached_property
from typing import Any, NamedTuple

from pydicom.datadict import dictionary_description, dictionary_VR, tag_for_keyword

from inveonimaging.dicom_reading.planes import Plane
from inveonimaging.dicom_reading.private import WORKSTATION
from inveonimaging.dicom_reading.times import number_of
from inveonimaging.dicom_reading.writer import own_class
from inveonimaging.errors import printable
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import SourceScan

_RELATIVE = 1e-6
_CUT = 64  # characters of a Long String
_NUMBERS = {"DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"}  # value representations (PS3.5 6.2)
_FACTORS = {
    1e-3: "a thousandth",
    1e3: "a thousand times as much",
    1e-6: "as if in MBq",
    1e6: "a million times as much",
    1 / 37e6: "as if in mCi",
    37.0: "37 times as much",
    1 / 37: "a 37th",
    1e-9: "as if in GBq",
    10.0: "ten times as much: mm taken for cm",
}

Excuse = Callable[[SourceScan, int, Any, Any], str | None]
"""What to note of a frame that the vendor's workstation wrote instead of a difference, from what is found and what is
true; None if it is one."""


class Comparison(NamedTuple):
    """How what is found is compared with what is true.

    Attributes:
        away: how far the one is from the other; infinite for what is not a number and not the same.
        allowed: how far it may be.
    """

    away: Callable[[Any, Any], float]
    allowed: float = 0.0


@dataclass(frozen=True)
class Fact:
    """Something that planes state and the header gives.

    Attributes:
        kind: of comparison.
        code: of the difference.
        attribute: keyword of the DICOM attribute, or what people call what is no single attribute.
        true: what the header says, of a frame; None or an empty text if it does not.
        of: the scans for which it is expected.
        found: what a plane states; None if it does not. By default the value of the attribute.
        how: they are compared; by default as the attribute's VR asks for.
        unit: of both.
        needed: whether a plane must state it if the header gives it.
        own: SOP classes of which the files of this program state it whenever the header gives it.
        is_own: whether it is compared in these files alone, since other programs may say something else.
        only_known: whether files of this program state it only if the header, or what is given instead, has it.
        is_noted: whether it is worth a note if only one of both has it.
        excuse: what the vendor's workstation, which is known to write something else, is excused for.
    """

    kind: Kind
    code: str
    attribute: str
    true: Callable[[SourceScan, int], Any]
    _: KW_ONLY
    of: Callable[[SourceScan], bool] = lambda _scan: True
    found: Callable[[Plane], Any] | None = None
    how: Comparison | None = None
    unit: str = ""
    needed: Callable[[SourceScan, Plane], bool] = lambda _scan, _plane: True
    own: frozenset[str] = frozenset()
    is_own: bool = False
    only_known: bool = False
    is_noted: bool = False
    excuse: Excuse | None = None

    @cached_property
    def vr(self) -> str:
        """Value representation of the attribute (PS3.6); empty if it is no single one."""
        return dictionary_VR(self.attribute) if tag_for_keyword(self.attribute) else ""

    @cached_property
    def label(self) -> str:
        """What people call it."""
        return dictionary_description(self.attribute) if self.vr else self.attribute

    @cached_property
    def comparison(self) -> Comparison:
        """How what is found is compared with what is true."""
        return self.how or (MOMENT if self.vr == "DT" else RELATIVE if self.vr in _NUMBERS else TEXT)

    def stated(self, plane: Plane) -> Any:
        """Return what a plane states; what cannot be read is its text, which then differs from what is true."""
        if self.found is not None:
            return self.found(plane)
        value: Any = None
        if self.vr == "DT":
            value = plane.local_moment(self.attribute)
        elif self.vr in _NUMBERS:
            value = plane.number(self.attribute)
        return plane.get(self.attribute) if value is None else value

    def expected(self, scan: SourceScan, frame: int) -> Any:
        """Return what the header says, of a frame; None if it does not."""
        value = self.true(scan, frame) if self.of(scan) else None
        return None if value == "" else value


@dataclass
class Tally:
    """What was compared of one fact, or of several of a kind."""

    compared: int = 0
    largest: float = 0.0
    differing: int = 0
    missing: int = 0
    unexpected: int = 0


@dataclass
class FactResults:
    """Results of comparing all facts of a series."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare_facts(
    facts: Sequence[Fact], planes: Sequence[Plane], frames: Sequence[int | None], scan: SourceScan
) -> FactResults:
    """Compare all that planes state with what the header says.

    Args:
        facts: what is compared.
        planes: of one series.
        frames: of each plane; None for one that has no place in the source.
        scan: the source.
    """
    results = FactResults()
    placed = [
        (plane, frame, own_class(plane)) for plane, frame in zip(planes, frames, strict=True) if frame is not None
    ]
    classes = {own for _, _, own in placed}
    for fact in facts:
        results.tallies.setdefault(fact.label, Tally())
        if not fact.is_own or classes & fact.own:
            _compare(fact, placed, scan, results)
    return results


_Placed = tuple[Plane, int, "str | None"]
"""A plane, its frame, and its SOP class if this program wrote it."""


def _compare(fact: Fact, placed: Sequence[_Placed], scan: SourceScan, results: FactResults) -> None:
    tally = results.tallies[fact.label]
    truths = [fact.expected(scan, frame) for frame in range(len(scan.frames))]
    known: dict[Hashable, tuple[float, str | None]] = {}
    worst: tuple[float, Plane, Any, Any] | None = None
    silent: Plane | None = None
    for plane, frame, own in placed:
        if fact.is_own and own not in fact.own:
            continue
        found, true = fact.stated(plane), truths[frame]
        if found is None:
            tally.missing += true is not None
            silent = silent or (plane if true is not None else None)
            continue
        key = (found, frame)
        if key not in known:
            known[key] = _judged(fact, scan, plane, frame, found, true)
        away, note = known[key]
        tally.compared += true is not None
        tally.unexpected += true is None and note is None
        if note is not None:
            results.notes.append(note)
        if note is not None or true is None:
            continue
        tally.largest = max(tally.largest, away)
        if away > fact.comparison.allowed:
            tally.differing += 1
            if worst is None or away > worst[0]:
                worst = (away, plane, found, true)
    _report(fact, tally, worst, silent, scan, results)
    if fact.only_known and scan.is_animal_known:
        _report_unfounded(fact, [plane for plane, frame, own in placed if own and truths[frame] is None], results)


def _report_unfounded(fact: Fact, planes: Sequence[Plane], results: FactResults) -> None:
    """Report what files of this program state although neither header nor options give it."""
    stating = [plane for plane in planes if fact.stated(plane) is not None]
    if stating:
        many = f" in {len(stating)} planes" if len(stating) > 1 else ""
        message = f"{fact.label} is {_shown(fact.stated(stating[0]), fact)}{many}, and no header or option gives it"
        results.differences.append(_difference(fact, message, stating[0], len(stating)))


def _judged(fact: Fact, scan: SourceScan, plane: Plane, frame: int, found: Any, true: Any) -> tuple[float, str | None]:
    """Return how far what is found is from what is true, and what excuses it if that is too far."""
    away = math.inf if true is None else fact.comparison.away(found, true)
    if fact.excuse is None or away <= fact.comparison.allowed or plane.get(WORKSTATION) is None:
        return away, None
    return away, fact.excuse(scan, frame, found, true)


def _report(
    fact: Fact,
    tally: Tally,
    worst: tuple[float, Plane, Any, Any] | None,
    silent: Plane | None,
    scan: SourceScan,
    results: FactResults,
) -> None:
    if worst is not None:
        _away, plane, found, true = worst
        many = f" in {tally.differing} planes" if tally.differing > 1 else ""
        message = f"{fact.label} is {_shown(found, fact)}, expected {_shown(true, fact)}{many}{_ratio(found, true)}"
        if isinstance(true, frozenset):
            message = f"{fact.label}: {_terms(found, true)}{many}"
        results.differences.append(_difference(fact, message, plane, tally.differing))
    if silent is not None:
        many = f" in {tally.missing} planes" if tally.missing > 1 else ""
        true = next(value for frame in range(len(scan.frames)) if (value := fact.expected(scan, frame)) is not None)
        message = f"{fact.label} is not stated{many}, expected {_shown(true, fact)}"
        if fact.needed(scan, silent) or own_class(silent) in fact.own:
            results.differences.append(_difference(fact, message, silent, tally.missing, "-missing"))
        elif fact.is_noted and not tally.compared:
            results.notes.append(message)
    if fact.is_noted and tally.unexpected and not tally.compared:
        results.notes.append(f"{fact.label} is stated, and was not compared: nothing says what it should be")


def _difference(fact: Fact, message: str, plane: Plane, planes: int, suffix: str = "") -> Difference:
    return Difference(fact.code + suffix, fact.kind, message, str(plane.file.path), planes)


def _shown(value: Any, fact: Fact) -> str:
    if isinstance(value, float):
        text = f"{value:.10g}"
    elif isinstance(value, tuple):
        text = " or ".join(map(str, value))
    elif isinstance(value, frozenset):
        text = ", ".join(sorted(term for term in value if not term.startswith("not "))) or "none"
    else:
        text = str(value)
    return " ".join(filter(None, (printable(text), fact.unit)))


def _terms(found: frozenset[str], true: frozenset[str]) -> str:
    """Return which terms are there and should not be, or the reverse."""
    wrong = sorted(true - found)
    lacking = ", ".join(term for term in wrong if not term.startswith("not "))
    added = ", ".join(term.removeprefix("not ") for term in wrong if term.startswith("not "))
    parts = (f"{lacking} is missing" if lacking else "", f"{added} is there, but was not done" if added else "")
    return "; ".join(filter(None, parts))


def _ratio(found: Any, true: Any) -> str:
    """Return which mistake a factor between two numbers is a sign of."""
    if not isinstance(found, float) or not isinstance(true, float) or not true or not found:
        return ""
    words = next((words for factor, words in _FACTORS.items() if abs(found / true / factor - 1) < _RELATIVE), "")
    return f" ({words})" if words else ""


# How values are compared.


def numbers(found: Any, true: Any) -> float:
    """Return how far numbers are apart."""
    value = number_of(found)
    return math.inf if value is None else abs(value - true)


def relative(found: Any, true: Any) -> float:
    """Return how far numbers are apart, as a share of the true one."""
    value = number_of(found)
    return math.inf if value is None else abs(value - true) / (abs(true) or 1.0)


def seconds(found: Any, true: Any) -> float:
    """Return how far moments, or times of a day, are apart, in s."""
    if isinstance(found, time):
        found, true = (datetime.combine(date.min, each) for each in (found, true))
    if isinstance(found, datetime):
        return float(abs((found - true).total_seconds()))
    return math.inf


def number_or_text(found: Any, true: Any) -> float:
    """Return how far numbers are apart, as a share of the true one; of anything else whether it is the same."""
    if isinstance(true, float) and isinstance(found, float):
        return relative(found, true)
    return 0.0 if found == true else math.inf


def same_by(is_same: Callable[[Any, Any], bool]) -> Comparison:
    """Compare by whether two values are the same."""
    return Comparison(lambda found, true: 0.0 if is_same(found, true) else math.inf)


def plain(text: Any) -> str:
    """Return text without what a DICOM text cannot hold: separators, control characters, more than 64 of them."""
    flat = "".join(" " if c in "^=" or not c.isprintable() else c for c in str(text).replace("\\", "/"))
    return " ".join(flat.split())[:_CUT].strip()


def same_text(found: Any, true: Any) -> bool:
    """Return whether texts are the same in the form that DICOM can hold."""
    return (isinstance(found, str) and found == true) or plain(found) == plain(true)


MOMENT = Comparison(seconds, 1e-3 + 1e-6)
RELATIVE = Comparison(relative, _RELATIVE)  # Decimal Strings have ten digits and more
TEXT = same_by(same_text)
ONE_OF = same_by(lambda found, true: found in true)
TERMS = same_by(lambda found, true: true <= found)  # `X` is to be there, and `not X` is not
