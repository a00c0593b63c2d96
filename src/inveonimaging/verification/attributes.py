"""The table of what is compared besides pixels and places: what planes state, and what headers tell of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pydicom.uid as uids

from inveonimaging.physics.quantification import Unit
from inveonimaging.verification.comparison import (
    Excuse,
    Fact,
    all_of,
    no_excuse,
    numbers,
    one_of,
    relative,
    same_text,
    seconds,
)
from inveonimaging.verification.concepts import ISOTOPE_CODES, isotope, same_compound, same_species
from inveonimaging.verification.dicom_times import acquired, clock_of, joined, parsed
from inveonimaging.verification.planes import Plane, number
from inveonimaging.verification.result import Kind
from inveonimaging.verification.source import Scan
from inveonimaging.verification.vendor import (
    middle_of_frame,
    mm_as_cm,
    name_of_file,
    private_facts,
    randoms_not_named,
    sex_not_known,
    six_digits,
)

CLASSIC = frozenset({uids.CTImageStorage, uids.PositronEmissionTomographyImageStorage})
ENHANCED = frozenset({uids.EnhancedCTImageStorage, uids.EnhancedPETImageStorage})
LEGACY = frozenset({uids.LegacyConvertedEnhancedCTImageStorage, uids.LegacyConvertedEnhancedPETImageStorage})
NM = frozenset({uids.NuclearMedicineImageStorage})
SOP_CLASSES = {
    "CT": {uids.CTImageStorage, uids.EnhancedCTImageStorage, uids.LegacyConvertedEnhancedCTImageStorage},
    "PT": {
        uids.PositronEmissionTomographyImageStorage,
        uids.EnhancedPETImageStorage,
        uids.LegacyConvertedEnhancedPETImageStorage,
    },
    "NM": {uids.NuclearMedicineImageStorage},
}
UNITS = {Unit.BQML: ("BQML",), Unit.PROPCNTS: ("PROPCNTS", "CNTS"), Unit.PER_CM: ("1CM",), Unit.HU: ("HU",)}
UCUM = {
    Unit.BQML: ("Bq/ml", "Bq/mL"),
    Unit.PROPCNTS: ("{propcounts}", "{counts}"),
    Unit.PER_CM: ("/cm", "1/cm", "cm-1"),
    Unit.HU: ("[hnsf'U]",),
}
_FLAGS = {
    "DECY": "DecayCorrected",
    "ATTN": "AttenuationCorrected",
    "SCAT": "ScatterCorrected",
    "DTIM": "DeadTimeCorrected",
    "RAN": "RandomsCorrected",
    "NORM": "DetectorNormalizationCorrection",
}
_MILLISECOND = 1e-3 + 1e-6  # s
_ROUNDED_MS = 0.5 + 1e-6  # Actual Frame Duration counts whole milliseconds
_RELATIVE = 1e-6  # Decimal Strings have ten digits and more
_CALENDAR = "%Y%m%d"
_CUT = 64  # characters of a Long String
_UNKNOWN = "261665006"  # SNOMED CT: unknown


# What planes state, and headers tell.


def _is_pet(scan: Scan, _plane: Plane) -> bool:
    return scan.modality == "PT"


def _is_traced_pet(scan: Scan, _plane: Plane) -> bool:
    return scan.modality == "PT" and scan.has_tracer


def _is_single_pet(scan: Scan, plane: Plane) -> bool:
    return scan.modality == "PT" and plane.get("SOPClassUID") not in ENHANCED | NM


def _is_functional(_scan: Scan, plane: Plane) -> bool:
    return plane.get("SOPClassUID") in ENHANCED | LEGACY


def _never(_scan: Scan, _plane: Plane) -> bool:
    return False


def _stated(keyword: str) -> Callable[[Plane], Any]:
    return lambda plane: plane.get(keyword)


def _moment(day: str, clock: str) -> Callable[[Plane], Any]:
    def found(plane: Plane) -> Any:
        values = plane.get(day), plane.get(clock)
        return None if None in values else joined(*values) or f"{values[0]} {values[1]}"

    return found


def _parsed(keyword: str) -> Callable[[Plane], Any]:
    def found(plane: Plane) -> Any:
        value = plane.get(keyword)
        return value and (parsed(value) or value)

    return found


def _float(keyword: str) -> Callable[[Plane], Any]:
    def found(plane: Plane) -> Any:
        value = plane.get(keyword)
        parsed_number = number(value)
        return value if parsed_number is None else parsed_number

    return found


def _of_tracer(keyword: str) -> Callable[[Plane], Any]:
    def found(plane: Plane) -> Any:
        item = plane.get("RadiopharmaceuticalInformationSequence")
        value = item and item.get(keyword)
        parsed_number = None if keyword.endswith("Time") or keyword == "Radiopharmaceutical" else number(value)
        return value if parsed_number is None else parsed_number

    return found


def _dose_bq(plane: Plane) -> Any:
    """Return the total dose in Bq; NM has it in MBq (PS3.3 C.8.4.10), PET in Bq (C.8.9.2)."""
    dose = _of_tracer("RadionuclideTotalDose")(plane)
    return dose * 1e6 if isinstance(dose, float) and plane.get("SOPClassUID") in NM else dose


def _begun(*, is_single: bool) -> Callable[[Plane], Any]:
    """Return what finds Acquisition DateTime: of an instance that is one frame's alone, or of one of many frames."""
    found = _parsed("AcquisitionDateTime")
    return lambda plane: found(plane) if (plane.get("SOPClassUID") in CLASSIC) is is_single else None


def _injected_at(plane: Plane) -> Any:
    value = _of_tracer("RadiopharmaceuticalStartDateTime")(plane)
    return value and (parsed(value) or value)


def _injected_by_clock(plane: Plane) -> Any:
    value = _of_tracer("RadiopharmaceuticalStartTime")(plane)
    clock = clock_of(value)
    return value if clock is None else clock


def _isotope(plane: Plane) -> Any:
    """Return the isotope of the code's value and of its meaning; both if they are not one, None if neither is known."""
    value, meaning = _of_tracer("RadionuclideCodeSequence")(plane) or (None, None)
    return _all_of(ISOTOPE_CODES.get(str(value)), isotope(meaning))


def _compound(plane: Plane) -> Any:
    value, meaning = _of_tracer("RadiopharmaceuticalCodeSequence")(plane) or (None, None)
    return _all_of(_of_tracer("Radiopharmaceutical")(plane), None if value == _UNKNOWN else meaning)


def _species(plane: Plane) -> Any:
    """Return the species in words; a sheet may give a code beside them that says more."""
    _, meaning = plane.get("PatientSpeciesCodeSequence") or (None, None)
    return plane.get("PatientSpeciesDescription") or meaning


def _all_of(*told: Any) -> Any:
    return tuple(dict.fromkeys(each for each in told if each)) or None


def _every(same: Callable[[str, str], bool]) -> Callable[[Any, Any], float]:
    """Return whether all that is told is the same, by a measure of its own."""
    return lambda found, true: 0.0 if all(same(str(each), true) for each in found) else math.inf


def _clock(scan: Scan, _frame: int) -> timedelta | None:
    moment = scan.injection_time
    if moment is None or not scan.has_tracer:
        return None
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)


def _of_emission(value: Callable[[Scan], Any]) -> Callable[[Scan, int], Any]:
    return lambda scan, _frame: value(scan) if scan.has_tracer else None


def _of_pet(value: Callable[[Scan], Any]) -> Callable[[Scan, int], Any]:
    return lambda scan, _frame: value(scan) if scan.modality == "PT" else None


def _of_ct(attribute: str) -> Callable[[Scan, int], Any]:
    return lambda scan, _frame: _positive(getattr(scan.header.ct, attribute)) if scan.modality == "CT" else None


def _positive(value: float | None) -> float | None:
    return float(value) if value and value > 0 else None


def _reference_moment(scan: Scan, frame: int) -> datetime | None:
    if scan.start is None:
        return None
    return scan.start + timedelta(milliseconds=scan.reference_times_ms[frame])


def _duration_ms(scan: Scan, frame: int) -> float | None:
    duration = scan.frames[frame].duration_s
    return 1000.0 * duration if duration else None


def _first_start(scan: Scan, _frame: int) -> datetime | None:
    return None if scan.start is None else scan.start + timedelta(seconds=min(scan.starts_s))


def _mapped_unit(plane: Plane) -> Any:
    mapping = plane.get("RealWorldValueMappingSequence")
    return mapping and mapping["unit"]


def _stated_unit(plane: Plane) -> Any:
    """Return the unit of PET values; Enhanced PET has it in its Real World Value Mapping."""
    return plane.get("Units")


def _rescale_type(plane: Plane) -> Any:
    """Return Rescale Type; without one it is HU in a CT Image (PS3.3 C.8.2.1)."""
    stated = plane.get("RescaleType")
    return "HU" if stated is None and plane.get("SOPClassUID") == uids.CTImageStorage else stated


def _decay_word(scan: Scan, _frame: int) -> Any:
    corrected = scan.is_decay_corrected
    if scan.modality != "PT":
        return None
    return ("NONE",) if not corrected else ("ADMIN",) if scan.is_corrected_to_injection else ("START",)


def _corrected(plane: Plane) -> Any:
    """Return the terms of Corrected Image, with `not X` for each that is not there; None without the attribute."""
    stated = plane.get("CorrectedImage")
    if stated is not None:
        terms = set(stated if isinstance(stated, tuple) else (stated,))
    else:
        flags = {term: plane.get(keyword) for term, keyword in _FLAGS.items()}
        if not any(flags.values()):
            return None
        terms = {term for term, value in flags.items() if value == "YES"}
    return frozenset(terms & _FLAGS.keys() | {f"not {term}" for term in _FLAGS.keys() - terms})


def _to_be_corrected(scan: Scan, _frame: int) -> Any:
    if scan.modality != "PT" or scan.is_mu_map:
        return None
    told = {term: done for term, done in scan.corrected.items() if done is not None}
    return frozenset(term if done else f"not {term}" for term, done in told.items()) or None


def _is_corrected(scan: Scan, plane: Plane) -> bool:
    """Return whether a PET must say what was corrected: one of which the header says that something was."""
    return _is_pet(scan, plane) and any(scan.corrected.values())


def _facts() -> Iterator[Fact]:
    yield from _counts()
    yield from _moments()
    yield from _durations()
    yield from _units()
    yield from _tracer()
    yield from _injection()
    yield from _corrections()
    yield from _identity()
    yield from private_facts()


def _counts() -> Iterator[Fact]:
    def count(code: str, keyword: str, label: str, true: Callable[[Scan], int | None]) -> Fact:
        return Fact(
            code=code,
            kind=Kind.INSTANCES,
            label=label,
            found=_float(keyword),
            true=_of_pet(true),
            away=numbers,
            needed=_never,
        )

    yield count("slice-count", "NumberOfSlices", "Number of Slices", lambda scan: scan.image.grid.shape[2])
    yield count("time-slice-count", "NumberOfTimeSlices", "Number of Time Slices", _steps(is_gated=False))
    yield count("time-slot-count", "NumberOfTimeSlots", "Number of Time Slots", _steps(is_gated=True))


def _steps(*, is_gated: bool) -> Callable[[Scan], int | None]:
    return lambda scan: len(scan.frames) if scan.is_gated is is_gated else None


def _moments() -> Iterator[Fact]:
    def times(
        code: str, label: str, found: Callable[[Plane], Any], true: Callable[[Scan, int], Any], needed: Any
    ) -> Fact:
        return Fact(
            code=code,
            kind=Kind.TIMES,
            label=label,
            found=found,
            true=true,
            away=seconds,
            allowed=_MILLISECOND,
            needed=needed,
        )

    yield times(
        "series-time", "Series Date and Time", _moment("SeriesDate", "SeriesTime"), lambda scan, _: scan.start, _is_pet
    )
    yield times("acquisition-time", "Acquisition Date and Time", acquired_of, Scan.started, _is_pet)
    yield times(
        "acquisition-datetime",
        "Acquisition DateTime",
        _begun(is_single=False),
        _first_start,
        lambda _scan, plane: plane.get("SOPClassUID") in ENHANCED,
    )
    yield times("acquisition-datetime", "Acquisition DateTime", _begun(is_single=True), Scan.started, _never)
    yield Fact(
        code="time-zone",
        kind=Kind.TIMES,
        label="Timezone Offset From UTC",
        found=_stated("TimezoneOffsetFromUTC"),
        true=lambda scan, _: scan.time_zone,
        away=same_text,
        needed=_never,
    )
    yield times(
        "frame-reference-datetime",
        "Frame Reference DateTime",
        _parsed("FrameReferenceDateTime"),
        _reference_moment,
        _is_functional,
    )


def _durations() -> Iterator[Fact]:
    def milliseconds(
        code: str, label: str, keyword: str, true: Any, allowed: float, needed: Any, excuse: Excuse = no_excuse
    ) -> Fact:
        return Fact(
            code=code,
            kind=Kind.TIMES,
            label=label,
            found=_float(keyword),
            true=true,
            away=numbers,
            allowed=allowed,
            unit="ms",
            needed=needed,
            excuse=excuse,
        )

    yield milliseconds(
        "frame-reference-time",
        "Frame Reference Time",
        "FrameReferenceTime",
        lambda scan, frame: scan.reference_times_ms[frame] if scan.modality == "PT" else None,
        1.0,
        _is_single_pet,
        middle_of_frame,
    )
    yield milliseconds(
        "frame-duration",
        "Actual Frame Duration",
        "ActualFrameDuration",
        lambda scan, frame: _duration_ms(scan, frame) if scan.modality == "PT" else None,
        _ROUNDED_MS,
        _is_single_pet,
    )
    yield milliseconds(
        "frame-acquisition-duration",
        "Frame Acquisition Duration",
        "FrameAcquisitionDuration",
        _duration_ms,
        _ROUNDED_MS,
        _is_functional,
    )
    for code, label, keyword in (
        ("trigger-time", "Trigger Time", "TriggerTime"),
        ("cardiac-delay", "Nominal Cardiac Trigger Delay Time", "NominalCardiacTriggerDelayTime"),
        ("respiratory-delay", "Nominal Respiratory Trigger Delay Time", "NominalRespiratoryTriggerDelayTime"),
    ):
        yield milliseconds(code, label, keyword, Scan.trigger_ms, 1.0, _never)


def acquired_of(plane: Plane) -> Any:
    """Return the start of a plane's acquisition; what is stated and cannot be read as text."""
    stated = plane.get("FrameAcquisitionDateTime") or plane.get("AcquisitionTime")
    return acquired(plane) or stated


def _units() -> Iterator[Fact]:
    yield Fact(
        code="units",
        kind=Kind.UNITS,
        label="Units",
        found=_stated_unit,
        true=lambda scan, _: UNITS[scan.image.scaling.unit] if scan.modality == "PT" else None,
        away=one_of,
        needed=_is_single_pet,
    )
    yield Fact(
        code="rescale-type",
        kind=Kind.UNITS,
        label="Rescale Type",
        found=_rescale_type,
        true=lambda scan, _: UNITS[scan.image.scaling.unit] if scan.modality == "CT" else None,
        away=one_of,
    )
    yield Fact(
        code="mapped-unit",
        kind=Kind.UNITS,
        label="the unit of Real World Value Mapping",
        found=_mapped_unit,
        true=lambda scan, _: UCUM[scan.image.scaling.unit],
        away=one_of,
        needed=lambda scan, plane: scan.modality == "PT" and plane.get("SOPClassUID") in ENHANCED,
    )
    for label, keyword, distance in (
        ("Distance Source to Detector", "DistanceSourceToDetector", "source_to_detector_mm"),
        ("Distance Source to Patient", "DistanceSourceToPatient", "source_to_rotation_centre_mm"),
    ):
        yield Fact(
            code="source-distance",
            kind=Kind.UNITS,
            label=label,
            found=_float(keyword),
            true=_of_ct(distance),
            away=relative,
            allowed=_RELATIVE,
            unit="mm",
            needed=_never,
            excuse=mm_as_cm,
        )


def _tracer() -> Iterator[Fact]:
    def tracer(code: str, label: str, found: Callable[[Plane], Any], true: Any, unit: str, needed: Any) -> Fact:
        return Fact(
            code=code,
            kind=Kind.TRACER,
            label=label,
            found=found,
            true=true,
            away=relative,
            allowed=_RELATIVE,
            unit=unit,
            needed=needed,
            is_noted=True,
        )

    half_life = _of_pet(lambda scan: _positive(scan.header.tracer.half_life_s) if scan.has_tracer else None)
    dose = _of_emission(lambda scan: _positive(scan.header.tracer.dose_bq))
    yield tracer("dose", "Radionuclide Total Dose", _dose_bq, dose, "Bq", _is_traced_pet)
    yield tracer(
        "half-life", "Radionuclide Half Life", _of_tracer("RadionuclideHalfLife"), half_life, "s", _is_traced_pet
    )
    yield tracer(
        "branching-fraction",
        "Radionuclide Positron Fraction",
        _of_tracer("RadionuclidePositronFraction"),
        _of_pet(lambda scan: _fraction(scan.header.tracer.branching_fraction) if scan.has_tracer else None),
        "",
        _never,
    )
    yield Fact(
        code="isotope",
        kind=Kind.TRACER,
        label="Radionuclide Code",
        found=_isotope,
        true=_of_emission(lambda scan: isotope(scan.header.tracer.isotope)),
        away=_every(str.__eq__),
        needed=_never,
    )
    yield Fact(
        code="compound",
        kind=Kind.TRACER,
        label="Radiopharmaceutical",
        found=_compound,
        true=_of_emission(lambda scan: scan.header.tracer.compound or None),
        away=_every(same_compound),
        needed=_never,
        is_noted=True,
    )

    yield Fact(
        code="tracer-of-transmission",
        kind=Kind.TRACER,
        label="tracer of a mu map or transmission image",
        found=_any_tracer,
        true=lambda scan, _: None if scan.modality != "PT" or scan.has_tracer else "none",
        away=lambda _found, _true: math.inf,
        needed=_never,
    )


def _any_tracer(plane: Plane) -> Any:
    """Return what is stated of a tracer, as one text; None if nothing is."""
    names = (
        "RadionuclideTotalDose",
        "RadiopharmaceuticalStartDateTime",
        "RadiopharmaceuticalStartTime",
        "RadionuclideCodeSequence",
        "Radiopharmaceutical",
        "RadionuclideHalfLife",
    )
    return ", ".join(name for name in names if _of_tracer(name)(plane)) or None


def _injection() -> Iterator[Fact]:
    yield Fact(
        code="injection-time",
        kind=Kind.TRACER,
        label="Radiopharmaceutical Start DateTime",
        found=_injected_at,
        true=_of_emission(lambda scan: scan.injection_time),
        away=seconds,
        allowed=_MILLISECOND,
        needed=lambda scan, plane: _is_traced_pet(scan, plane) and _injected_by_clock(plane) is None,
    )
    yield Fact(
        code="injection-clock-time",
        kind=Kind.TRACER,
        label="Radiopharmaceutical Start Time",
        found=_injected_by_clock,
        true=_clock,
        away=seconds,
        allowed=_MILLISECOND,
        needed=_never,
    )


def _fraction(value: float | None) -> float | None:
    return value if value is not None and 0 < value <= 1 else None


def _corrections() -> Iterator[Fact]:
    yield Fact(
        code="decay-correction",
        kind=Kind.CORRECTIONS,
        label="Decay Correction",
        found=_stated("DecayCorrection"),
        true=_decay_word,
        away=one_of,
        needed=_is_single_pet,
    )
    yield Fact(
        code="decay-correction-time",
        kind=Kind.CORRECTIONS,
        label="Decay Correction DateTime",
        found=_parsed("DecayCorrectionDateTime"),
        true=lambda scan, _: scan.corrected_to,
        away=seconds,
        allowed=_MILLISECOND,
        needed=lambda scan, plane: scan.modality == "PT" and plane.get("SOPClassUID") in ENHANCED,
    )
    yield Fact(
        code="decay-factor",
        kind=Kind.CORRECTIONS,
        label="Decay Factor",
        found=_float("DecayFactor"),
        true=lambda scan, frame: scan.decay_factor(frame) if scan.modality == "PT" else None,
        away=relative,
        allowed=_RELATIVE,
        needed=_never,
        excuse=six_digits,
    )
    yield Fact(
        code="corrected-image",
        kind=Kind.CORRECTIONS,
        label="Corrected Image",
        found=_corrected,
        true=_to_be_corrected,
        away=all_of,
        needed=_is_corrected,
        excuse=randoms_not_named,
    )


def _identity() -> Iterator[Fact]:
    def text(code: str, label: str, keyword: str, true: Any, needed: Any, excuse: Excuse = no_excuse) -> Fact:
        return Fact(
            code=code,
            kind=Kind.IDENTITY,
            label=label,
            found=_stated(keyword),
            true=true,
            away=same_text,
            needed=needed,
            is_noted=True,
            excuse=excuse,
        )

    def always(_scan: Scan, _plane: Plane) -> bool:
        return True

    yield text("patient-id", "Patient ID", "PatientID", lambda scan, _: scan.animal.id or None, always, name_of_file)
    yield text(
        "patient-name", "Patient's Name", "PatientName", lambda scan, _: scan.animal.name or None, _never, name_of_file
    )
    yield text(
        "patient-sex", "Patient's Sex", "PatientSex", lambda scan, _: scan.animal.sex or None, _never, sex_not_known
    )
    yield text(
        "patient-birth-date",
        "Patient's Birth Date",
        "PatientBirthDate",
        lambda scan, _: scan.animal.birth_date and scan.animal.birth_date.strftime(_CALENDAR),
        _never,
    )
    yield Fact(
        code="species",
        kind=Kind.IDENTITY,
        label="Patient Species",
        found=_species,
        true=lambda scan, _: scan.animal.species or None,
        away=lambda found, true: 0.0 if same_species(str(found), true) else math.inf,
        needed=_never,
    )
    yield Fact(
        code="weight",
        kind=Kind.IDENTITY,
        label="Patient's Weight",
        found=_float("PatientWeight"),
        true=lambda scan, _: scan.animal.weight_kg,
        away=relative,
        allowed=_RELATIVE,
        unit="kg",
        needed=_is_traced_pet,
    )
    yield text("modality", "Modality", "Modality", lambda scan, _: scan.modality, always)
    yield Fact(
        code="sop-class",
        kind=Kind.IDENTITY,
        label="SOP Class",
        found=lambda plane: uids.UID(plane.get("SOPClassUID") or "").name or None,
        true=lambda scan, _: tuple(sorted(each.name for each in SOP_CLASSES[scan.modality])),
        away=one_of,
    )


FACTS = tuple(_facts())
