"""The facts of a PET series in DICOM, of any program: PET Image, Enhanced PET, Legacy Converted Enhanced PET."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from inveonimaging.check.doubts import Doubt, Item
from inveonimaging.check.facts import Facts
from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.readback import Plane, Series
from inveonimaging.timing import decay_factor

_ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
_DATE_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)?(\d\d)?(\d\d)?(\.\d{1,6})?", re.ASCII)
_ZONE = re.compile(r"([+-])(\d\d)(\d\d)\s*$", re.ASCII)
_SAME_TIME = timedelta(seconds=1)
_SAME_FACTOR = 2e-3  # times have whole seconds, half-lives are short
_MS_PER_S = 1000.0
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
    said = _text(_get(first, "Modality")), _text(_get(first, "CountsSource")), _text(_get(first, "Units"))
    return said[0] == "PT" and said[1] != "TRANSMISSION" and said[2] != "1CM"


def facts_of_series(series: Series) -> Facts:
    """Return what a PET series says; what cannot be understood counts as not told."""
    first = series.first
    is_enhanced = str(_get(first, "SOPClassUID")) == _ENHANCED_PET
    tracer = _Tracer(first)
    spans = [_span(plane) for instance in series.instances for plane in instance.planes]
    starts = [start for start, _ in spans if start is not None]
    ends = [end for _, end in spans if end is not None]
    start = _moment(_get(first, "SeriesDate"), _get(first, "SeriesTime"))
    begun = min(starts, default=None)
    injected = _local(first, tracer.get("RadiopharmaceuticalStartDateTime"))
    return Facts(
        units=_units(first),
        corrected=_corrected(first, is_enhanced=is_enhanced),
        decay_correction=_decay(first, start or begun, injected)
        if is_enhanced
        else _text(_get(first, "DecayCorrection")),
        start=start,
        first=begun,
        end=max(ends, default=None),
        injected=injected,
        injected_time=_clock(tracer.get("RadiopharmaceuticalStartTime")),
        dose_bq=_number(tracer.get("RadionuclideTotalDose")),
        half_life_s=_number(tracer.get("RadionuclideHalfLife")),
        weight_kg=_number(_get(first, "PatientWeight")),
        positrons=_number(tracer.get("RadionuclidePositronFraction")),
        isotope=_meaning(tracer.get("RadionuclideCodeSequence")),
        species=_text(_get(first, "PatientSpeciesDescription")) or _meaning(_get(first, "PatientSpeciesCodeSequence")),
        is_enhanced=is_enhanced,
    )


def doubts_of_series(series: Series, facts: Facts) -> tuple[Doubt, ...]:
    """Return what instances tell beyond the facts: values that differ or cannot be read, and decay factors."""
    return (*_differing(series), *_unreadable(series, facts), *_decay_factors(series, facts))


def _differing(series: Series) -> Iterator[Doubt]:
    seen: dict[str, set[str]] = {}
    for instance in series.instances:
        plane = instance.planes[0] if instance.planes else Plane(instance, 0)
        tracer = _Tracer(plane)
        values = {name: _get(plane, name) for name in _ALIKE} | {name: tracer.get(name) for name in _ALIKE_OF_TRACER}
        for name, value in values.items():
            seen.setdefault(name, set()).add(str(value))
    items = _ALIKE | _ALIKE_OF_TRACER
    for name, values_seen in seen.items():
        if len(values_seen) > 1:
            shown = ", ".join(printable(value, 30) for value in sorted(values_seen)[:3])
            message = f"{name} differs between the files of the series: {shown}"
            yield Doubt(items[name], Finding("series-mixed", message), stops=True)


def _unreadable(series: Series, facts: Facts) -> Iterator[Doubt]:
    """Yield an injection with a date that is none: viewers take it before the time that has no date."""
    stated = _Tracer(series.first).text("RadiopharmaceuticalStartDateTime")
    if stated and facts.injected is None:
        shown = printable(stated, 30)
        message = f"Radiopharmaceutical Start DateTime is '{shown}', which is no date and time; viewers refuse SUV"
        yield Doubt(Item.INJECTED, Finding("injection-time-unknown", message), stops=True)


def _decay_factors(series: Series, facts: Facts) -> Iterator[Doubt]:
    if facts.decay_correction != "START" or facts.start is None or not facts.half_life_s or facts.half_life_s < 0:
        return
    for instance in series.instances:
        for plane in instance.planes:
            given, begun = _number(_get(plane, "DecayFactor")), _span(plane)[0]
            duration = _duration_s(plane)
            if given is None or begun is None or not duration:
                continue
            after = (begun - facts.start).total_seconds()
            if abs(after / facts.half_life_s) > _MOST_HALF_LIVES:
                continue
            expected = decay_factor(after, duration, facts.half_life_s)
            if abs(given - expected) > _SAME_FACTOR * expected:
                message = f"Decay Factor is {given:g}, but from the start of the series it would be {expected:.6g}"
                path = str(instance.path)
                yield Doubt(Item.DECAY, Finding("decay-factor-disagrees", message, key="decay_correction", path=path))
                return


_MOST_HALF_LIVES = 500.0


class _Tracer:
    """The first item of Radiopharmaceutical Information Sequence (0054,0016)."""

    def __init__(self, plane: Plane) -> None:
        items = _get(plane, "RadiopharmaceuticalInformationSequence")
        self._item = items[0] if items else None

    def get(self, keyword: str) -> Any:
        return None if self._item is None else _of(self._item, keyword)

    def text(self, keyword: str) -> str:
        """Return what stands there, also where pydicom cannot make a value of it."""
        element = None if self._item is None or keyword not in self._item else self._item.get_item(keyword)
        value = getattr(element, "value", None) or ""
        return (value.decode("latin-1") if isinstance(value, bytes) else str(value)).strip("\0 ")


def _get(plane: Plane, keyword: str) -> Any:
    return _of(plane, keyword)


def _of(holder: Any, keyword: str) -> Any:
    """Return an attribute; None for one that is absent, empty, or that pydicom cannot make a value of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = holder.get(keyword)
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            return None
    return None if value is None or value == "" else value


def _text(value: Any) -> str | None:
    return None if value is None else str(value).strip() or None


def _number(value: Any) -> float | None:
    try:
        number = math.nan if value is None else float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _meaning(items: Any) -> str | None:
    return _text(_of(items[0], "CodeMeaning")) if items else None


def _units(plane: Plane) -> str | None:
    units = _text(_get(plane, "Units"))
    if units is not None:
        return units
    codes = _get(plane, "MeasurementUnitsCodeSequence")
    code = _text(_of(codes[0], "CodeValue")) if codes else None
    return "BQML" if code is not None and code.lower() == "bq/ml" else code


def _corrected(plane: Plane, *, is_enhanced: bool) -> tuple[str, ...] | None:
    if is_enhanced:
        flags = {"ATTN": "AttenuationCorrected", "DECY": "DecayCorrected"}
        return tuple(term for term, keyword in flags.items() if _get(plane, keyword) == "YES")
    value = _get(plane, "CorrectedImage")
    if value is None:
        return None
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _decay(plane: Plane, start: datetime | None, injected: datetime | None) -> str | None:
    """Return to when an Enhanced PET is corrected, in the words of a PET Image."""
    told = _local(plane, _get(plane, "DecayCorrectionDateTime"))
    if told is None:
        return None
    if start is not None and abs(told - start) <= _SAME_TIME:
        return "START"
    return "ADMIN" if injected is not None and abs(told - injected) <= _SAME_TIME else str(told)


def _span(plane: Plane) -> tuple[datetime | None, datetime | None]:
    """Return when a plane's acquisition began and ended."""
    begun = _local(plane, _get(plane, "FrameAcquisitionDateTime"))
    begun = begun or _moment(_get(plane, "AcquisitionDate"), _get(plane, "AcquisitionTime"))
    begun = begun or _local(plane, _get(plane, "AcquisitionDateTime"))
    duration = _duration_s(plane)
    if begun is None or not duration:
        return begun, begun
    try:
        return begun, begun + timedelta(seconds=duration)
    except OverflowError:
        return begun, begun


def _duration_s(plane: Plane) -> float | None:
    duration = _number(_get(plane, "FrameAcquisitionDuration"))
    duration = _number(_get(plane, "ActualFrameDuration")) if duration is None else duration
    return None if duration is None else duration / _MS_PER_S


def _moment(day: Any, clock: Any) -> datetime | None:
    known_day, known_clock = _day(day), _clock(clock)
    return datetime.combine(known_day, known_clock) if known_day and known_clock else None


def _day(value: Any) -> date | None:
    whole = _date_time(value)
    return whole and whole.date()


def _clock(value: Any) -> time | None:
    """Return a DICOM Time; colons are those of ACR-NEMA."""
    whole = _date_time("20000101" + str(value).replace(":", "")) if value is not None else None
    return None if whole is None else whole.time()


def _local(plane: Plane, value: Any) -> datetime | None:
    """Return a DICOM DateTime by the clock of the dates and times beside it, if both zones are told."""
    moment, zone, own = _date_time(value), _zone(value), _zone(_get(plane, "TimezoneOffsetFromUTC"))
    return moment if moment is None or zone is None or own is None else moment + (own - zone)


def _zone(value: Any) -> timedelta | None:
    match = _ZONE.search(str(value)) if value is not None else None
    if match is None:
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -offset if match[1] == "-" else offset


def _date_time(value: Any) -> datetime | None:
    """Return a DICOM DateTime as it is written, without its zone."""
    match = _DATE_TIME.match(str(value).strip()) if value is not None else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    fraction = match.group(7)
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    return moment + timedelta(seconds=float(fraction or 0.0))
