"""The facts of a PET series in DICOM, of any program: PET Image, Enhanced PET, Legacy Converted Enhanced PET."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from inveonimaging.checks.dicom_times import (
    Timed,
    are_zones_told,
    expected_factor,
    fits,
    is_odd,
    local,
    start_of,
    timed,
    value_of,
    vendor_start,
)
from inveonimaging.checks.facts import Facts
from inveonimaging.checks.suv_issues import Item, SuvIssue
from inveonimaging.checks.units import of_code
from inveonimaging.dicom_reading.series import Plane, Series
from inveonimaging.dicom_reading.times import clock_of, date_time, moment_of, number_of
from inveonimaging.errors import printable
from inveonimaging.findings import Finding

_ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
_SAME_TIME = timedelta(seconds=1)
_ALIKE = {
    "Units": Item.UNITS,
    "CorrectedImage": Item.CORRECTED,
    "DecayCorrection": Item.DECAY,
    "SeriesDate": Item.START,
    "SeriesTime": Item.START,
    "PatientWeight": Item.WEIGHT,
}
_ALIKE_OF_TRACER = {
    "RadionuclideTotalDose": Item.DOSE,
    "RadionuclideHalfLife": Item.HALF_LIFE,
    "RadiopharmaceuticalStartDateTime": Item.INJECTED,
    "RadiopharmaceuticalStartTime": Item.INJECTED_TIME,
}


def is_pet_series(series: Series) -> bool:
    """Return whether a series shows a tracer in PET: no mu map, and no transmission scan."""
    first = series.first
    said = _text(value_of(first, "Modality")), _text(value_of(first, "CountsSource")), _text(value_of(first, "Units"))
    return said[0] == "PT" and said[1] != "TRANSMISSION" and said[2] != "1CM"


def facts_of_series(series: Series) -> Facts:
    """Return the facts of a PET series; a value that cannot be read counts as missing."""
    first = series.first
    is_enhanced = str(value_of(first, "SOPClassUID")) == _ENHANCED_PET
    tracer = _Tracer(first)
    planes = planes_of(series)
    starts = [plane.begun for plane in planes if plane.begun is not None]
    half_life = number_of(tracer.get("RadionuclideHalfLife"))
    clock = clock_of(tracer.get("RadiopharmaceuticalStartTime"))
    injected, day = _injected(first, tracer, clock)
    stated = moment_of(value_of(first, "SeriesDate"), value_of(first, "SeriesTime"))
    corrected_to = local(first, value_of(first, "DecayCorrectionDateTime")) if is_enhanced else None
    decay = _text(value_of(first, "DecayCorrection"))
    units, suv_type = _units(first)
    start = start_of((stated, vendor_start(first)), planes, half_life, is_corrected=decay == "START")
    if is_enhanced:
        decay, start = _decay(corrected_to, (stated, start), injected, planes, half_life)
    return Facts(
        units=units,
        suv_type=_text(value_of(first, "SUVType")) or suv_type,
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
        is_zone_known=are_zones_told(first, tracer.get("RadiopharmaceuticalStartDateTime")),
        dose_bq=number_of(tracer.get("RadionuclideTotalDose")),
        half_life_s=half_life,
        weight_kg=number_of(value_of(first, "PatientWeight")),
        positrons=number_of(tracer.get("RadionuclidePositronFraction")),
        isotope=_meaning(tracer.get("RadionuclideCodeSequence")),
        species=_text(value_of(first, "PatientSpeciesDescription"))
        or _meaning(value_of(first, "PatientSpeciesCodeSequence")),
        names=tuple(_text(value_of(first, name)) for name in ("PatientID", "PatientName")),
        texts=(_text(value_of(first, "StudyDescription")),),
        is_enhanced=is_enhanced,
    )


def planes_of(series: Series) -> tuple[Timed, ...]:
    """Return the times of all planes, those that are alike once."""
    return tuple(dict.fromkeys(timed(plane) for instance in series.instances for plane in instance.planes))


def _injected(plane: Plane, tracer: _Tracer, clock: time | None) -> tuple[datetime | None, date | None]:
    """Return when the tracer was injected, or else the day of it, by its date and time.

    A date and time that was cut to its date, or filled up with a midnight that the time alone contradicts, tells the
    day; one that was cut to the minute has the seconds of the time alone, if they agree.
    """
    value = tracer.get("RadiopharmaceuticalStartDateTime")
    moment, stated = local(plane, value), date_time(value)
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
    for instance in series.instances:
        plane = instance.planes[0] if instance.planes else Plane(instance, 0)
        tracer = _Tracer(plane)
        values = {name: value_of(plane, name) for name in _ALIKE} | {
            name: tracer.get(name) for name in _ALIKE_OF_TRACER
        }
        for name, value in values.items():
            seen.setdefault(name, set()).add(str(value))
    items = _ALIKE | _ALIKE_OF_TRACER
    for name, values_seen in seen.items():
        if len(values_seen) > 1:
            shown = ", ".join(printable(value, 30) for value in sorted(values_seen)[:3])
            message = f"{name} differs between the files of the series: {shown}"
            yield SuvIssue(items[name], Finding("series-mixed", message), stops=True)


def _unreadable(series: Series, facts: Facts) -> Iterator[SuvIssue]:
    """Yield an injection whose date and time is none, or is cut short: viewers take it before the time alone."""
    tracer = _Tracer(series.first)
    stated = tracer.text("RadiopharmaceuticalStartDateTime")
    if not stated or facts.injected is not None:
        return
    shown = printable(stated, 30)
    if facts.injected_day is None:
        message = f"Radiopharmaceutical Start DateTime is '{shown}', which is no date and time; viewers refuse SUV"
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
    for instance in series.instances:
        for plane in instance.planes:
            times = timed(plane)
            if is_odd(times, facts.start, facts.half_life_s):
                expected = expected_factor(times, facts.start, facts.half_life_s)
                message = f"Decay Factor is {times.factor:g}, but from the start of the scan it would be {expected:.6g}"
                path = str(instance.path)
                yield SuvIssue(
                    Item.DECAY, Finding("decay-factor-disagrees", message, key="decay_correction", path=path)
                )
                return


class _Tracer:
    """The first item of Radiopharmaceutical Information Sequence (0054,0016)."""

    def __init__(self, plane: Plane) -> None:
        items = value_of(plane, "RadiopharmaceuticalInformationSequence")
        self._item = items[0] if items else None

    def get(self, keyword: str) -> Any:
        return None if self._item is None else value_of(self._item, keyword)

    def text(self, keyword: str) -> str:
        """Return what stands there, also where pydicom cannot make a value of it."""
        element = None if self._item is None or keyword not in self._item else self._item.get_item(keyword)
        value = getattr(element, "value", None) or ""
        return (value.decode("latin-1") if isinstance(value, bytes) else str(value)).strip("\0 ")


def _text(value: Any) -> str | None:
    return None if value is None else str(value).strip() or None


def _meaning(items: Any) -> str | None:
    return _text(value_of(items[0], "CodeMeaning")) if items else None


def _units(plane: Plane) -> tuple[str | None, str | None]:
    """Return the units, and the SUV type that a code for them tells."""
    units = _text(value_of(plane, "Units"))
    if units is not None:
        return units, None
    codes = value_of(plane, "MeasurementUnitsCodeSequence")
    return of_code(_text(value_of(codes[0], "CodeValue")) if codes else None)


def _corrected(plane: Plane, *, is_enhanced: bool) -> tuple[str, ...] | None:
    if is_enhanced:
        flags = {"ATTN": "AttenuationCorrected", "DECY": "DecayCorrected"}
        return tuple(term for term, keyword in flags.items() if value_of(plane, keyword) == "YES")
    value = value_of(plane, "CorrectedImage")
    if value is None:
        return None
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _decay(
    told: datetime | None,
    starts: Sequence[datetime | None],
    injected: datetime | None,
    planes: Sequence[Timed],
    half_life_s: float | None,
) -> tuple[str | None, datetime | None]:
    """Return to when an Enhanced PET is corrected, in the words of a PET Image, and the start of the scan.

    What Decay Correction DateTime (0018,9701) says is the start is it, however the series' time was altered.
    """
    start = next((each for each in reversed(starts) if each is not None), None)
    if told is None:
        return None, start
    is_start = any(each is not None and abs(told - each) <= _SAME_TIME for each in starts)
    if not is_start and injected is not None and abs(told - injected) <= _SAME_TIME:
        return "ADMIN", start
    return ("START", told) if is_start or fits(told, planes, half_life_s) else (str(told), start)
