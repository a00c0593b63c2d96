"""The facts of a PET series in DICOM, of any program: PET Image, Enhanced PET, Legacy Converted Enhanced PET.

Among them its times: when it was acquired, to when decay is corrected, when the tracer was injected.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from pydicom.uid import EnhancedPETImageStorage

from inveonimaging.checks.facts import Facts
from inveonimaging.checks.suv_issues import Item, SuvIssue
from inveonimaging.checks.units import of_code
from inveonimaging.dicom_reading.planes import GROUP, Plane
from inveonimaging.dicom_reading.private import GE_SCAN_TIME
from inveonimaging.dicom_reading.series import Series
from inveonimaging.dicom_reading.times import clock_of, date_time, later, offset_of
from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.physics.timing import decay_factor, frame_reference_time

_SAME_TIME = timedelta(seconds=1)
_ALIKE = {
    "Units": Item.UNITS,
    "CorrectedImage": Item.CORRECTED,
    "DecayCorrection": Item.DECAY,
    "SeriesDate": Item.START,
    "SeriesTime": Item.START,
    "PatientWeight": Item.WEIGHT,
    "RadionuclideTotalDose": Item.DOSE,
    "RadionuclideHalfLife": Item.HALF_LIFE,
    "RadiopharmaceuticalStartDateTime": Item.INJECTED,
    "RadiopharmaceuticalStartTime": Item.INJECTED_TIME,
}


def is_pet_series(series: Series) -> bool:
    """Return whether a series shows a tracer in PET: no mu map, and no transmission scan."""
    first = series.first
    is_emission = first.get("CountsSource") != "TRANSMISSION" and first.get("Units") != "1CM"
    return bool(first.get("Modality") == "PT" and is_emission)


def facts_of_series(series: Series) -> Facts:
    """Return the facts of a PET series; a value that cannot be read counts as missing."""
    first = series.first
    is_enhanced = first.get("SOPClassUID") == EnhancedPETImageStorage
    planes = tuple(dict.fromkeys(map(timed, series.planes)))  # those that are alike once
    starts = [plane.begun for plane in planes if plane.begun is not None]
    half_life = first.number("RadionuclideHalfLife")
    clock = clock_of(first.get("RadiopharmaceuticalStartTime"))
    injected, day = _injected(first, clock)
    stated = first.moment("SeriesDate", "SeriesTime")
    corrected_to = first.local_moment("DecayCorrectionDateTime") if is_enhanced else None
    decay = _text(first.get("DecayCorrection"))
    units, suv_type = _units(first)
    zone = offset_of(first.get("TimezoneOffsetFromUTC"))
    start = start_of((stated, first.local_moment(GE_SCAN_TIME)), planes, half_life, is_corrected=decay == "START")
    if is_enhanced:
        decay, start = _decay(corrected_to, (stated, start), injected, planes, half_life)
    return Facts(
        units=units,
        suv_type=_text(first.get("SUVType")) or suv_type,
        corrected=_corrected(first, is_enhanced=is_enhanced),
        decay_correction=decay,
        series_start=stated,
        start=start,
        first=min(starts, default=None),
        end=max((plane.ended for plane in planes if plane.ended is not None), default=None),
        time_frames=len(set(starts)),
        injected=injected,
        injected_day=day,
        injected_time=clock,
        is_zone_known=None not in (zone, date_time(first.get("RadiopharmaceuticalStartDateTime")).offset),
        dose_bq=first.number("RadionuclideTotalDose"),
        half_life_s=half_life,
        weight_kg=first.number("PatientWeight"),
        positrons=first.number("RadionuclidePositronFraction"),
        isotope=_meaning(first.get("RadionuclideCodeSequence")),
        species=_text(first.get("PatientSpeciesDescription")) or _meaning(first.get("PatientSpeciesCodeSequence")),
        names=tuple(_text(first.get(name)) for name in ("PatientID", "PatientName")),
        texts=(_text(first.get("StudyDescription")),),
        is_enhanced=is_enhanced,
        animals=len(first.get(GROUP) or ()) or 1,
    )


def _injected(plane: Plane, clock: time | None) -> tuple[datetime | None, date | None]:
    """Return when the tracer was injected, or else the day of it, by its date and time.

    A date and time that was cut to its date, or filled up with a midnight that the time alone contradicts, gives the
    day; one that was cut to the minute has the seconds of the time alone, if they agree.
    """
    moment = plane.local_moment("RadiopharmaceuticalStartDateTime")
    stated = date_time(plane.get("RadiopharmaceuticalStartDateTime"))
    if moment is None or (stated.clock == time() and clock not in (None, time())):
        return None, stated.day
    is_cut = clock is not None and moment.second == 0 and moment.microsecond == 0
    if clock is not None and is_cut and (clock.hour, clock.minute) == (moment.hour, moment.minute):
        return datetime.combine(moment, clock), None
    return moment, None


def suv_issues_of_series(series: Series, facts: Facts) -> tuple[SuvIssue, ...]:
    """Return problems that the facts do not show: values that differ or cannot be read, and decay factors."""
    return (*_differing(series), *_unreadable(series, facts), *_decay_factors(series, facts))


def _differing(series: Series) -> Iterator[SuvIssue]:
    seen: dict[str, set[str]] = {}
    for file in series.files:
        values = {name: file.planes[0].get(name) for name in _ALIKE}
        for name, value in values.items():
            seen.setdefault(name, set()).add(str(value))
    for name, values_seen in seen.items():
        if len(values_seen) > 1:
            shown = ", ".join(printable(value, 30) for value in sorted(values_seen)[:3])
            message = f"{name} differs between the files of the series: {shown}"
            yield SuvIssue(_ALIKE[name], Finding("series-mixed", message), stops=True)


def _unreadable(series: Series, facts: Facts) -> Iterator[SuvIssue]:
    """Yield an injection whose date and time is none, or is cut short: viewers take it before the time alone."""
    stated = _text(series.first.get("RadiopharmaceuticalStartDateTime"))
    if not stated or facts.injected is not None:
        return
    shown = printable(stated, 30)
    if facts.injected_day is None:
        message = f"Radiopharmaceutical Start DateTime is '{shown}', which is not a date and time; viewers refuse SUV"
        yield SuvIssue(Item.INJECTED, Finding("injection-time-unknown", message), stops=True)
        return
    message = f"Radiopharmaceutical Start DateTime is '{shown}', a date without a time of its own"
    if facts.injected_time is None:
        yield SuvIssue(Item.INJECTED, Finding("injection-time-cut", f"{message}; SUV cannot be computed"), stops=True)
        return
    taken = f"{message}; the time is taken from Radiopharmaceutical Start Time: {facts.injection}"
    yield SuvIssue(Item.INJECTED, Finding("injection-time-cut", f"{taken}. Viewers refuse SUV, or count from midnight"))
    hour = stated[_HOUR]
    if hour.isdigit() and int(hour) not in (0, facts.injected_time.hour):
        message = f"injection is in hour {hour} by its date and time, but at {facts.injected_time} by its time alone"
        yield SuvIssue(Item.INJECTED_TIME, Finding("injection-times-disagree", message))


_HOUR = slice(8, 10)


def _decay_factors(series: Series, facts: Facts) -> Iterator[SuvIssue]:
    if facts.decay_correction != "START" or facts.start is None:
        return
    for plane in series.planes:
        times = timed(plane)
        if is_wrong(times, facts.start, facts.half_life_s):
            expected = expected_factor(times, facts.start, facts.half_life_s)
            message = f"Decay Factor is {times.factor:g}, but from the start of the scan it would be {expected:.6g}"
            found = Finding("decay-factor-disagrees", message, key="decay_correction", path=str(plane.file.path))
            yield SuvIssue(Item.DECAY, found)
            return


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _meaning(code: Any) -> str | None:
    return _text(code[1]) if code else None


def _units(plane: Plane) -> tuple[str | None, str | None]:
    """Return the units, and the SUV type that a code for them gives."""
    units = _text(plane.get("Units"))
    if units is not None:
        return units, None
    code = plane.get("MeasurementUnitsCodeSequence")
    return of_code(_text(code[0]) if code else None)


def _corrected(plane: Plane, *, is_enhanced: bool) -> tuple[str, ...] | None:
    if is_enhanced:
        flags = {"ATTN": "AttenuationCorrected", "DECY": "DecayCorrected"}
        return tuple(term for term, keyword in flags.items() if plane.get(keyword) == "YES")
    value = plane.get("CorrectedImage")
    if value is None:
        return None
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _decay(
    corrected_to: datetime | None,
    starts: Sequence[datetime | None],
    injected: datetime | None,
    planes: Sequence[Timed],
    half_life_s: float | None,
) -> tuple[str | None, datetime | None]:
    """Return to when an Enhanced PET is corrected, in the words of a PET Image, and the start of the scan.

    What Decay Correction DateTime (0018,9701) says is the start is it, however the series' time was altered.
    """
    start = next((each for each in reversed(starts) if each is not None), None)
    if corrected_to is None:
        return None, start
    is_start = any(each is not None and abs(corrected_to - each) <= _SAME_TIME for each in starts)
    if not is_start and injected is not None and abs(corrected_to - injected) <= _SAME_TIME:
        return "ADMIN", start
    return (
        ("START", corrected_to) if is_start or fits(corrected_to, planes, half_life_s) else (str(corrected_to), start)
    )


_SAME_FACTOR = 2e-3  # times have whole seconds, half-lives are short
_MOST_HALF_LIVES = 500.0
_MS_PER_S = 1000.0


class Timed(NamedTuple):
    """When a plane was acquired, how long, its Frame Reference Time (0054,1300), its Decay Factor (0054,1321)."""

    begun: datetime | None
    duration_s: float | None
    reference_s: float | None
    factor: float | None

    @property
    def ended(self) -> datetime | None:
        """When its acquisition ended."""
        if self.begun is None or not self.duration_s:
            return self.begun
        return later(self.begun, self.duration_s) or self.begun


def timed(plane: Plane) -> Timed:
    """Return the times of a plane."""
    duration = plane.number("FrameAcquisitionDuration")
    duration = plane.number("ActualFrameDuration") if duration is None else duration
    reference = plane.number("FrameReferenceTime")
    return Timed(
        plane.acquired or plane.local_moment("AcquisitionDateTime"),
        None if duration is None else duration / _MS_PER_S,
        None if reference is None else reference / _MS_PER_S,
        plane.number("DecayFactor"),
    )


def start_of(
    stated: Sequence[datetime | None], planes: Sequence[Timed], half_life_s: float | None, *, is_corrected: bool
) -> datetime | None:
    """Return the start of a scan, to which its values are corrected for decay.

    As the vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA) has it: the series' time if
    it is not after the first acquisition, since programs alter it; else what a vendor states of its own; else the first
    acquisition, less Frame Reference Time; else the first acquisition. Beyond that: the first of them which the Decay
    Factors fit comes before those that they do not fit.

    Args:
        stated: moments that are stated as it, the best first.
        planes: of the series.
        half_life_s: of the isotope, if it is known.
        is_corrected: whether Decay Factors are those to the start of the scan.
    """
    first = min((plane.begun for plane in planes if plane.begun is not None), default=None)
    before = [each for each in stated if each is not None and (first is None or each <= first)]
    candidates = [each for each in (*before, _counted_back(planes, half_life_s), first) if each is not None]
    if is_corrected:
        fitting = (each for each in candidates if fits(each, planes, half_life_s))
        return next(fitting, candidates[0] if candidates else None)
    return candidates[0] if candidates else None


def fits(start: datetime, planes: Sequence[Timed], half_life_s: float | None) -> bool:
    """Return whether there are Decay Factors, and all are those to a start."""
    return any(expected_factor(each, start, half_life_s) is not None for each in planes) and not any(
        is_wrong(each, start, half_life_s) for each in planes
    )


def is_wrong(plane: Timed, start: datetime, half_life_s: float | None) -> bool:
    """Return whether a plane's Decay Factor is another one than that to a start."""
    expected = expected_factor(plane, start, half_life_s)
    return expected is not None and abs((plane.factor or 0.0) - expected) > _SAME_FACTOR * expected


def expected_factor(plane: Timed, start: datetime, half_life_s: float | None) -> float | None:
    """Return what the Decay Factor should be; None if there is none, or too little is known."""
    if plane.factor is None or plane.begun is None or not plane.duration_s or not half_life_s or half_life_s < 0:
        return None
    after = (plane.begun - start).total_seconds()
    if abs(after / half_life_s) > _MOST_HALF_LIVES:
        return math.inf
    return decay_factor(after, plane.duration_s, half_life_s)


def _counted_back(planes: Sequence[Timed], half_life_s: float | None) -> datetime | None:
    """Return the earliest acquisition less the time from the scan's start to it, by Frame Reference Time."""
    known = [each for each in planes if each.begun is not None]
    plane = min(known, key=lambda each: each.begun or datetime.max, default=None)
    if plane is None or plane.begun is None or not plane.reference_s or not plane.duration_s:
        return None
    after = plane.reference_s - frame_reference_time(0.0, plane.duration_s, half_life_s)
    is_middle = abs(plane.reference_s - plane.duration_s / 2) < _A_SECOND  # some write it instead
    return plane.begun if abs(after) < _A_SECOND or is_middle else later(plane.begun, -after)


_A_SECOND = 1.0
