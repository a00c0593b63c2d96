"""Values that planes state besides their pixels, compared with those expected from the header."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime, time
from typing import Any, NamedTuple

from inveonimaging.dicom_reading.times import number_of
from inveonimaging.errors import printable
from inveonimaging.verification.planes import Plane
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import SourceScan

_RELATIVE = 1e-6
_CUT = 64  # characters of a Long String
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

Excuse = Callable[[SourceScan, Plane, int, Any, Any], str | None]
"""What to note of a plane's frame instead of a difference, from what is found and what is true; None if it is one."""


def no_excuse(_scan: SourceScan, _plane: Plane, _frame: int, _found: Any, _true: Any) -> None:
    """Return that a difference is one."""


class Comparison(NamedTuple):
    """How what is found is compared with what is true.

    Attributes:
        away: how far the one is from the other; infinite for what is no number and not the same.
        allowed: how far it may be.
    """

    away: Callable[[Any, Any], float]
    allowed: float = 0.0


@dataclass(frozen=True)
class Fact:
    """Something that planes state and the header tells.

    Attributes:
        code: of the difference.
        label: what people call it.
        found: what a plane states; None if it does not.
        true: what the header says, of a frame; None if it does not.
        kind: of comparison.
        how: they are compared.
        unit: of both.
        needed: whether a plane must state it if the header tells it.
        is_noted: whether it is worth a note if only one of both tells it.
        excuse: what a program that is known to write something else is to be excused for.
    """

    code: str
    label: str
    found: Callable[[Plane], Any]
    true: Callable[[SourceScan, int], Any]
    _: KW_ONLY
    kind: Kind
    how: Comparison
    unit: str = ""
    needed: Callable[[SourceScan, Plane], bool] = lambda _scan, _plane: True
    is_noted: bool = False
    excuse: Excuse = no_excuse


@dataclass
class Tally:
    """What was compared of one fact, or of several of a kind."""

    compared: int = 0
    largest: float = 0.0
    differing: int = 0
    missing: int = 0
    untold: int = 0


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
    for fact in facts:
        _compare(fact, planes, frames, scan, results)
    return results


def _compare(
    fact: Fact, planes: Sequence[Plane], frames: Sequence[int | None], scan: SourceScan, results: FactResults
) -> None:
    tally = results.tallies.setdefault(fact.label, Tally())
    truths = [fact.true(scan, frame) for frame in range(len(scan.frames))]
    known: dict[Hashable, tuple[float, str | None]] = {}
    worst: tuple[float, Plane, Any, Any] | None = None
    silent: Plane | None = None
    for plane, frame in zip(planes, frames, strict=True):
        if frame is None:
            continue
        found, true = fact.found(plane), truths[frame]
        if found is None:
            tally.missing += true is not None
            silent = silent or (plane if true is not None else None)
            continue
        key = (found, frame)
        if key not in known:
            known[key] = _judged(fact, scan, plane, frame, found, true)
        away, note = known[key]
        tally.compared += true is not None
        tally.untold += true is None and note is None
        if note is not None:
            results.notes.append(note)
        if note is not None or true is None:
            continue
        tally.largest = max(tally.largest, away)
        if away > fact.how.allowed:
            tally.differing += 1
            if worst is None or away > worst[0]:
                worst = (away, plane, found, true)
    _report(fact, tally, worst, silent, scan, results)


def _judged(fact: Fact, scan: SourceScan, plane: Plane, frame: int, found: Any, true: Any) -> tuple[float, str | None]:
    """Return how far what is found is from what is true, and what excuses it if that is too far."""
    away = math.inf if true is None else fact.how.away(found, true)
    return away, fact.excuse(scan, plane, frame, found, true) if away > fact.how.allowed else None


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
        true = next(value for frame in range(len(scan.frames)) if (value := fact.true(scan, frame)) is not None)
        message = f"{fact.label} is not stated{many}, expected {_shown(true, fact)}"
        if fact.needed(scan, silent):
            results.differences.append(_difference(fact, message, silent, tally.missing, "-missing"))
        elif fact.is_noted and not tally.compared:
            results.notes.append(message)
    if fact.is_noted and tally.untold and not tally.compared:
        results.notes.append(f"{fact.label} is stated, but missing in the header")


def _difference(fact: Fact, message: str, plane: Plane, planes: int, suffix: str = "") -> Difference:
    return Difference(
        code=fact.code + suffix, kind=fact.kind, message=message, path=str(plane.file.path), planes=planes
    )


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


def same_text(found: Any, true: Any) -> float:
    """Return whether texts are the same, in the form that DICOM can hold."""
    return 0.0 if plain(found) == plain(true) else math.inf


def one_of(found: Any, true: Any) -> float:
    """Return whether a value is one of those that may be."""
    return 0.0 if found in true else math.inf


def all_of(found: Any, true: Any) -> float:
    """Compare terms with those that are to be there (`X`) and those that are not (`not X`)."""
    return 0.0 if true <= found else math.inf


def plain(text: Any) -> str:
    """Return text without what a DICOM text cannot hold: separators, control characters, more than 64 of them."""
    flat = "".join(" " if c in "^=" or not c.isprintable() else c for c in str(text).replace("\\", "/"))
    return " ".join(flat.split())[:_CUT].strip()


MOMENT = Comparison(seconds, 1e-3 + 1e-6)
RELATIVE = Comparison(relative, _RELATIVE)  # Decimal Strings have ten digits and more
TEXT = Comparison(same_text)
ONE_OF = Comparison(one_of)
TERMS = Comparison(all_of)
