"""SUV readiness: can a viewer compute SUVbw of a PET series, and would it be right?

The attributes are those of the vendor-neutral SUV pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from inveonimaging.checks.facts import Facts
from inveonimaging.checks.suv_issues import Item, SuvIssue, is_suv, suv_issues_of
from inveonimaging.findings import Finding, Severity
from inveonimaging.units import plain

_G_PER_KG, _BQ_PER_MBQ = 1e3, 1e6


class State(str, Enum):
    """Of one attribute."""

    PRESENT = "present"
    DOUBTFUL = "doubtful"
    NOT_NEEDED = "not needed"  # empty, and viewers take another one
    UNUSABLE = "not usable"  # SUV cannot be computed with its value
    MISSING = "missing"


class SuvVerdict(str, Enum):
    """Of a series."""

    READY = "ready"
    DOUBTFUL = "ready with doubts"
    NOT_READY = "not ready"
    ALREADY = "already SUV"  # the values are SUV: nothing is to be computed


@dataclass(frozen=True)
class SuvAttribute:
    """One attribute: its name and tag, state, value as text (empty if there is none), and problems."""

    attribute: str
    tag: str
    state: State
    value: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Readiness:
    """Of one PET series: what it is called, the verdict, its attributes, and the SUVbw of 1 Bq/mL if there is one."""

    series: str
    verdict: SuvVerdict
    rows: tuple[SuvAttribute, ...]
    suv_per_bqml: float | None


def readiness_of(
    series: str, facts: Facts, more: tuple[SuvIssue, ...] = (), refused: tuple[Finding, ...] = ()
) -> Readiness:
    """Return the SUV readiness of a series.

    Args:
        series: what it is called.
        facts: what it says.
        more: problems beyond those that the facts themselves show.
        refused: why no conversion makes DICOM of it; then nothing is ready, whatever it says.
    """
    issues = (*suv_issues_of(facts), *more)
    if is_suv(facts):
        issues = tuple(issue for issue in issues if issue.item is Item.UNITS)
        return Readiness(series, SuvVerdict.ALREADY, (_row(Item.UNITS, facts, list(issues)),), None)
    by_item = {item: [issue for issue in issues if _is_about(issue, item, facts)] for item in _ATTRIBUTES}
    rows = tuple(_row(item, facts, found) for item, found in by_item.items())
    if refused:
        rows = (SuvAttribute("Conversion", "", State.MISSING, "refused", refused), *rows)
    states = {row.state for row in rows}
    factor = None if refused else _factor(facts, issues)
    verdict = (
        SuvVerdict.NOT_READY
        if states & {State.MISSING, State.UNUSABLE} or factor is None
        else SuvVerdict.DOUBTFUL
        if State.DOUBTFUL in states
        else SuvVerdict.READY
    )
    return Readiness(series, verdict, tuple(row for row in rows if row.attribute), factor)


def _is_about(issue: SuvIssue, item: Item, facts: Facts) -> bool:
    """Return whether an issue is that of an attribute; two of them have the time of an injection."""
    is_in_both = item is Item.INJECTED_TIME and issue.item is Item.INJECTED and facts.injected and facts.injected_time
    return issue.item is item or bool(is_in_both)


def _is_derived(item: Item, facts: Facts) -> bool:
    """Return whether a value is not written in its own attribute: the moment of a time of injection alone."""
    return item is Item.INJECTED and facts.injected is None and facts.injected_day is None


def _row(item: Item, facts: Facts, issues: list[SuvIssue]) -> SuvAttribute:
    name, tag, value = _ATTRIBUTES[item]
    if facts.is_enhanced:
        name, tag = _OF_ENHANCED.get(item, (name, tag))
    state = State.PRESENT
    if any(issue.finding.severity is not Severity.INFO for issue in issues):
        stopped = State.UNUSABLE if value(facts) and not _is_derived(item, facts) else State.MISSING
        state = stopped if any(issue.stops for issue in issues) else State.DOUBTFUL
    elif not value(facts):
        state = State.NOT_NEEDED if item is Item.INJECTED_TIME and facts.injected else State.MISSING
    return SuvAttribute(name, tag, state, value(facts), tuple(issue.finding for issue in issues))


def _factor(facts: Facts, issues: tuple[SuvIssue, ...]) -> float | None:
    if any(issue.stops and issue.finding.code not in _REFUSED_BY_VIEWERS for issue in issues):
        return None
    dose = facts.decayed_dose_bq
    if facts.units != "BQML" or not dose or not facts.weight_kg:
        return None
    factor = facts.weight_kg * _G_PER_KG / dose
    return factor if 0 < factor < math.inf else None


def _time(moment: datetime | None) -> str:
    return "" if moment is None else str(moment)


def _quantity(value: float | None, unit: str) -> str:
    return "" if not value else f"{plain(value, 8)} {unit}"


_REFUSED_BY_VIEWERS = {"attenuation-not-corrected"}  # the formula holds
_ATTRIBUTES: dict[Item, tuple[str, str, Callable[[Facts], str]]] = {
    Item.UNITS: ("Units", "(0054,1001)", lambda facts: facts.units or ""),
    Item.CORRECTED: ("Corrected Image", "(0028,0051)", lambda facts: " ".join(facts.corrected or ())),
    Item.DECAY: ("Decay Correction", "(0054,1102)", lambda facts: facts.decay_correction or ""),
    Item.START: (
        "Series Date and Time",
        "(0008,0021) (0008,0031)",
        lambda facts: _time(facts.series_start or (facts.start if facts.is_enhanced else None)),
    ),
    Item.ACQUISITION: (
        "Acquisition Date and Time",
        "(0008,0022) (0008,0032)",
        lambda facts: _time(facts.first),
    ),
    Item.INJECTED: ("Radiopharmaceutical Start DateTime", "(0018,1078)", lambda facts: _time(facts.injection)),
    Item.INJECTED_TIME: (
        "Radiopharmaceutical Start Time",
        "(0018,1072)",
        lambda facts: str(facts.injected_time or ""),
    ),
    Item.DOSE: (
        "Radionuclide Total Dose",
        "(0018,1074)",
        lambda facts: _quantity((facts.dose_bq or 0) / _BQ_PER_MBQ, "MBq"),
    ),
    Item.HALF_LIFE: ("Radionuclide Half Life", "(0018,1075)", lambda facts: _quantity(facts.half_life_s, "s")),
    Item.WEIGHT: ("Patient's Weight", "(0010,1030)", lambda facts: _quantity((facts.weight_kg or 0) * _G_PER_KG, "g")),
}
_OF_ENHANCED = {
    Item.UNITS: ("Measurement Units Code Sequence", "(0040,08EA)"),
    Item.CORRECTED: ("Attenuation Corrected, Decay Corrected", "(0018,9759) (0018,9758)"),
    Item.DECAY: ("Decay Correction DateTime", "(0018,9701)"),
    Item.ACQUISITION: ("Frame Acquisition DateTime", "(0018,9074)"),
    Item.INJECTED_TIME: ("", ""),
}
"""What an Enhanced PET has instead: name and tag."""
