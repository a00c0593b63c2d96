"""What an SUV is computed from, from Inveon headers or from DICOM of any program."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from inveonimaging.animal.several import names_of, texts_of
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_transmission
from inveonimaging.physics.quantification import Unit, branching_fraction
from inveonimaging.physics.timing import extent, factor_to_injection
from inveonimaging.study.image import Image

_UNITS = {Unit.BQML: "BQML", Unit.PROPCNTS: "PROPCNTS"}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A PET series; None is what is missing.

    Attributes:
        units: Units (0054,1001).
        suv_type: SUV Type (0054,1006), of values that are SUV.
        corrected: Corrected Image (0028,0051), of its terms `ATTN` and `DECY`.
        decay_correction: `START`, `ADMIN` or `NONE`.
        series_start: Series Date and Time, as they are written.
        start: the start of the scan, to which decay is corrected.
        first: the earliest Acquisition Date and Time.
        end: when the last frame ended.
        time_frames: how many different times frames begin at.
        injected: Radiopharmaceutical Start DateTime (0018,1078), if it has a date and a time.
        injected_day: its date, if it has no time, or one that is not precise enough.
        injected_time: Radiopharmaceutical Start Time (0018,1072), which has no day.
        is_zone_known: whether the zones of injection and scan are stated, so that a change of clocks does no harm.
        dose_bq, half_life_s, weight_kg, positrons: positrons are those per decay.
        isotope, species, strain: as they are written.
        names, texts: what names the subject, and what describes the study.
        is_enhanced: an Enhanced PET has other attributes for the same.
        animals: how many lie in it, as the DICOM says; weight and dose are then their sums.
    """

    units: str | None = None
    suv_type: str | None = None
    corrected: tuple[str, ...] | None = None
    decay_correction: str | None = None
    series_start: datetime | None = None
    start: datetime | None = None
    first: datetime | None = None
    end: datetime | None = None
    time_frames: int = 1
    injected: datetime | None = None
    injected_day: date | None = None
    injected_time: time | None = None
    is_zone_known: bool = False
    dose_bq: float | None = None
    half_life_s: float | None = None
    weight_kg: float | None = None
    positrons: float | None = None
    isotope: str | None = None
    species: str | None = None
    strain: str | None = None
    names: tuple[str | None, ...] = ()
    texts: tuple[str | None, ...] = ()
    is_enhanced: bool = False
    animals: int = 1

    @property
    def injection(self) -> datetime | None:
        """When the tracer was injected; a time without a day is one of the day of the series, or next to midnight."""
        if self.injected is not None or self.injected_time is None:
            return self.injected
        if self.injected_day is not None:
            return datetime.combine(self.injected_day, self.injected_time)
        return None if self.start is None else _on_some_day(self.injected_time, self.start, self.end or self.start)

    @property
    def decayed_dose_bq(self) -> float | None:
        """The dose at the moment to which decay is corrected, None if something for it is not known."""
        if self.decay_correction == "ADMIN":
            return self.dose_bq
        if not self.dose_bq or not self.half_life_s or self.start is None or self.injection is None:
            return None
        passed = (self.start - self.injection).total_seconds() / self.half_life_s
        return self.dose_bq * 2.0**-passed if abs(passed) < MOST_HALF_LIVES else None


MOST_HALF_LIVES = 100.0  # beyond, nothing but a slip; bounds the power of 2
_DAY, _HALF_A_DAY = timedelta(days=1), timedelta(hours=12)


def _on_some_day(clock: time, start: datetime, end: datetime) -> datetime:
    """Return a time of day on the day of the start, or on a day next to it if only that fits a scan near midnight."""
    same = datetime.combine(start, clock)
    if not date.min.year < start.year < date.max.year:
        return same
    near = [each for each in (same, same - _DAY, same + _DAY) if each <= end and abs(start - each) <= _HALF_A_DAY]
    return min(near, key=lambda each: abs(start - each), default=same)


def is_pet(image: Image) -> bool:
    """Return whether an image shows a tracer in PET."""
    return image.modality is Modality.PET and not is_transmission(image.header)


def facts_of(image: Image) -> Facts:
    """Return what a conversion would write of a PET image."""
    header, tracer = image.header, image.header.tracer
    start, injected = header.acquisition.started_at, header.tracer.injected_at
    first, end = extent(image.frames, start)
    applied = {"ATTN": header.corrections.attenuation, "DECY": header.corrections.decay}
    return Facts(
        units=_UNITS.get(image.scaling.unit),
        corrected=tuple(term for term, done in applied.items() if done),
        decay_correction=_decay_correction(image.header),
        series_start=start,
        start=start,
        first=first,
        end=end,
        time_frames=len({frame.start_s for frame in image.frames}),
        injected=injected,
        injected_time=None if injected is None else injected.time(),
        dose_bq=tracer.dose_bq,
        half_life_s=tracer.half_life_s if (tracer.half_life_s or 0.0) > 0 else None,
        weight_kg=header.subject.weight_kg,
        positrons=branching_fraction(header),
        isotope=tracer.isotope,
        species=header.subject.genus,
        strain=header.subject.phenotype,
        names=names_of(header, image.pair.header.name),
        texts=texts_of(header),
        animals=len(image.group) or 1,
    )


def _decay_correction(header: Header) -> str:
    if not header.corrections.decay:
        return "NONE"
    return "ADMIN" if factor_to_injection(header) else "START"
