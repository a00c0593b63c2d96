"""Problems that prevent SUV or make it uncertain: facts -> findings, each about one attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, time
from enum import Enum
from typing import NamedTuple

from inveonimaging.animal.limits import dose_finding, weight_finding
from inveonimaging.animal.several import several_in
from inveonimaging.checks import units
from inveonimaging.checks.facts import MOST_HALF_LIVES, Facts
from inveonimaging.checks.nuclides import nuclide_of
from inveonimaging.errors import printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.physics.injection import ScanTimes, injection_findings
from inveonimaging.units import plain

_SAME_HALF_LIFE = 0.02  # evaluations differ by up to 1.8 %
_SAME_FRACTION = 0.1
_A_SECOND = 1.0
_S_PER_DAY = 86400.0


class Item(Enum):
    """What an SUV needs."""

    UNITS = "units"
    CORRECTED = "corrected"
    DECAY = "decay correction"
    START = "series time"
    ACQUISITION = "acquisition time"
    INJECTED = "injection date and time"
    INJECTED_TIME = "injection time"
    DOSE = "dose"
    HALF_LIFE = "half-life"
    WEIGHT = "weight"


class SuvIssue(NamedTuple):
    """A finding about one thing that SUV needs; `stops` if SUV cannot be computed, else it is only uncertain."""

    item: Item
    finding: Finding
    stops: bool = False


def suv_issues_of(facts: Facts) -> tuple[SuvIssue, ...]:
    """Return all problems with SUV; of values that are SUV already, only what they are."""
    judges = (_units,) if is_suv(facts) else _JUDGES
    return tuple(issue for judge in judges for issue in judge(facts))


def is_suv(facts: Facts) -> bool:
    """Return whether the values are SUV already, so that nothing is to be computed."""
    return units.suv_type(facts.units, facts.suv_type) is not None


def _units(facts: Facts) -> Iterator[SuvIssue]:
    kind, shown = units.suv_type(facts.units, facts.suv_type), printable(facts.units or "", 30)
    if units.contradicts(facts.units, facts.suv_type):
        message = f"Units is {shown or 'missing'}, but SUV Type is {printable(facts.suv_type or '', 30)}"
        yield SuvIssue(Item.UNITS, Finding("suv-type-contradicts", message))
    if kind:
        message = f"the values are SUV already, by {printable(units.words(kind), 40)} (Units {shown})"
        yield SuvIssue(Item.UNITS, Finding("already-suv", message, Severity.INFO))
    elif not facts.units or units.plain(facts.units) in units.COUNTS:
        what = f"is {shown}, which is counts" if facts.units else "is missing"
        message = f"Units {what}, and SUV needs BQML: the values are not in Bq/mL"
        yield SuvIssue(Item.UNITS, Finding("not-calibrated", message, key="calibration_factor"), stops=True)
    elif facts.units != units.ACTIVITY:
        message = f"Units is {shown}, and SUV needs BQML; viewers refuse SUV"
        yield SuvIssue(Item.UNITS, Finding("units-other", message), stops=True)


def _corrected(facts: Facts) -> Iterator[SuvIssue]:
    terms = facts.corrected or ()
    if "ATTN" not in terms:
        message = "attenuation is not marked as corrected; many viewers refuse SUV, and values deep in the body are low"
        yield SuvIssue(
            Item.CORRECTED, Finding("attenuation-not-corrected", message, key="attenuation_applied"), stops=True
        )
    if "DECY" not in terms:
        message = "decay is not marked as corrected; viewers refuse SUV"
        found = Finding("decay-not-corrected", message, key="decay_correction_applied")
        yield SuvIssue(Item.CORRECTED, found, stops=True)


def _decay(facts: Facts) -> Iterator[SuvIssue]:
    if facts.decay_correction not in ("START", "ADMIN"):
        what = f"is {printable(facts.decay_correction)}" if facts.decay_correction else "is missing"
        message = f"Decay Correction {what}, and SUV needs START or ADMIN: it is not known to what time the values are"
        found = Finding("decay-not-corrected", message, key="decay_correction_applied")
        yield SuvIssue(Item.DECAY, found, stops=True)


def _times(facts: Facts) -> Iterator[SuvIssue]:
    if facts.series_start is None and not (facts.is_enhanced and facts.start):
        message = "the start of the scan is missing; SUV cannot be computed"
        yield SuvIssue(Item.START, Finding("scan-time-unknown", message, key="scan_time"), stops=True)
    if facts.first is None:
        message = "the time of acquisition is missing; SUV cannot be computed"
        yield SuvIssue(Item.ACQUISITION, Finding("scan-time-unknown", message, key="scan_time"), stops=True)
    stated, start = facts.series_start, facts.start
    if stated is None or start is None:
        return
    if facts.first and stated > facts.first:
        message = (
            f"the series begins at {stated}, after its first acquisition at {facts.first}: Series Time was altered; "
            f"the scan is taken to start at {start}"
        )
        yield SuvIssue(Item.START, Finding("series-time-late", message))
    elif abs((stated - start).total_seconds()) > _A_SECOND:
        message = (
            f"the series begins at {stated}, but decay is corrected to {start} by its factors: Series Time was "
            "altered; the scan is taken to start then"
        )
        yield SuvIssue(Item.START, Finding("series-time-early", message))


def _injection(facts: Facts) -> Iterator[SuvIssue]:
    injected = facts.injection
    if injected is None:
        if facts.injected_day is None:  # else it is reported with the value itself
            message = "injection_time is missing; SUV cannot be computed"
            yield SuvIssue(Item.INJECTED, Finding("injection-time-unknown", message, key="injection_time"), stops=True)
        return
    if facts.injected and facts.injected_time and _apart(facts.injected, facts.injected_time) > _A_SECOND:
        message = (
            f"injection is at {facts.injected} by its date and time, but at {facts.injected_time} by its time alone"
        )
        yield SuvIssue(Item.INJECTED_TIME, Finding("injection-times-disagree", message))
    if facts.start and facts.injected is None and facts.injected_day is None and injected.date() != facts.start.date():
        message = (
            f"the injection has a time and no date; it is taken to be at {injected}, since the scan lies beside "
            "midnight. Viewers take the day of the scan"
        )
        yield SuvIssue(Item.INJECTED, Finding("injection-day-assumed", message))
    for finding in injection_findings(injected, _scan_of(facts), is_zone_known=facts.is_zone_known):
        yield SuvIssue(Item.INJECTED, finding, stops=_stops(finding, facts, injected))


def _apart(injected: datetime, clock: time) -> float:
    """Return how many seconds two times of the day are apart."""
    apart = abs((injected - datetime.combine(injected, clock)).total_seconds())
    return min(apart, _S_PER_DAY - apart)


def _scan_of(facts: Facts) -> ScanTimes:
    is_from_injection = facts.decay_correction == "ADMIN"
    return ScanTimes(facts.start, facts.end, facts.time_frames, facts.half_life_s, is_from_injection=is_from_injection)


def _stops(finding: Finding, facts: Facts, injected: datetime) -> bool:
    """Return whether SUV cannot be computed from such an injection."""
    if finding.code != "injection-long-before" or facts.start is None or not facts.half_life_s:
        return finding.code == "injection-after-end"
    half_lives = (facts.start - injected).total_seconds() / facts.half_life_s
    return half_lives >= MOST_HALF_LIVES and facts.decay_correction != "ADMIN"


def _dose(facts: Facts) -> Iterator[SuvIssue]:
    if not facts.dose_bq or facts.dose_bq < 0:
        message = "dose is missing, 0 or has no unit; SUV cannot be computed"
        yield SuvIssue(Item.DOSE, Finding("dose-unknown", message, key="dose"), stops=True)
        return
    if finding := dose_finding(facts.dose_bq, facts.species, facts.animals, strain=facts.strain):
        yield SuvIssue(Item.DOSE, finding)


def _half_life(facts: Facts) -> Iterator[SuvIssue]:
    if not facts.half_life_s or facts.half_life_s < 0:
        message = "isotope_half_life is missing or 0; SUV cannot be computed"
        yield SuvIssue(Item.HALF_LIFE, Finding("half-life-unknown", message, key="isotope_half_life"), stops=True)
        return
    known = nuclide_of(facts.isotope)
    if known is not None and abs(facts.half_life_s / known.half_life_s - 1) > _SAME_HALF_LIFE:
        message = (
            f"the half-life is {plain(facts.half_life_s)} s, but that of {known.name} is {plain(known.half_life_s)} s"
        )
        yield SuvIssue(Item.HALF_LIFE, Finding("half-life-disagrees", message, key="isotope_half_life"))


def _positrons(facts: Facts) -> Iterator[SuvIssue]:
    known = nuclide_of(facts.isotope)
    if known is None or known.positrons is None:
        return
    if abs((facts.positrons or 1.0) / known.positrons - 1) > _SAME_FRACTION:
        shown = f"{facts.positrons:g}" if facts.positrons else "missing, and counted as 1"
        message = f"the branching fraction is {shown}, but that of {known.name} is {known.positrons:g}"
        yield SuvIssue(Item.UNITS, Finding("branching-fraction-disagrees", message, key="isotope_branching_fraction"))


def _weight(facts: Facts) -> Iterator[SuvIssue]:
    if not facts.weight_kg or facts.weight_kg < 0:
        message = "the weight is missing, 0 or has no unit; SUV cannot be computed"
        yield SuvIssue(Item.WEIGHT, Finding("weight-unknown", message, key="subject_weight"), stops=True)
        return
    if finding := weight_finding(facts.weight_kg, facts.species, facts.animals, strain=facts.strain):
        yield SuvIssue(Item.WEIGHT, finding)


def _several(facts: Facts) -> Iterator[SuvIssue]:
    if facts.animals > 1:
        message = (
            f"{facts.animals} animals lie in this scan: its weight and dose are the sums of all, and no SUV can be "
            "computed from them"
        )
        found = Finding("group-of-animals", message, key="subject_identifier")
        yield SuvIssue(Item.WEIGHT, found, stops=True)
        yield SuvIssue(Item.DOSE, found, stops=True)
        return
    for finding in several_in(facts.names, facts.texts):
        yield SuvIssue(Item.WEIGHT, finding)
        yield SuvIssue(Item.DOSE, finding)


_JUDGES: tuple[Callable[[Facts], Iterator[SuvIssue]], ...] = (
    _units,
    _corrected,
    _decay,
    _times,
    _injection,
    _dose,
    _half_life,
    _positrons,
    _weight,
    _several,
)
