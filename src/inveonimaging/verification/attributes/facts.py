"""The table of what is compared besides pixels and places: what planes state, and what headers say of it, by kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from pydicom.uid import CTImageStorage

from inveonimaging.dicom_reading.planes import GROUP, Plane, uid_name
from inveonimaging.dicom_reading.times import clock_of
from inveonimaging.dicom_reading.writer import own_class
from inveonimaging.physics.quantification import Unit
from inveonimaging.verification.attributes.comparison import (
    MOMENT,
    ONE_OF,
    TERMS,
    Comparison,
    Fact,
    numbers,
    plain,
    same_by,
)
from inveonimaging.verification.attributes.concepts import (
    ISOTOPE_CODES,
    SPECIES_CODES,
    is_known_scheme,
    isotope,
    same_compound,
    same_species,
)
from inveonimaging.verification.attributes.display import display_facts
from inveonimaging.verification.attributes.own import (
    ALL,
    ANY_PET,
    CT,
    ENHANCED_CT,
    ENHANCED_PET,
    GROUPED,
    LEGACY_CT,
    LEGACY_PET,
    NM_IMAGE,
    PLAIN_PET,
    has_factors,
    own_facts,
)
from inveonimaging.verification.attributes.vendor import (
    middle_of_frame,
    mm_as_cm,
    name_of_file,
    private_facts,
    randoms_not_named,
    sex_not_known,
    six_digits,
)
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import CLASSIC, ENHANCED, LEGACY, NM, OF_MODALITY, SourceScan

_TERMS = {Unit.BQML: ("BQML",), Unit.PROPCNTS: ("PROPCNTS", "CNTS"), Unit.PER_CM: ("1CM",), Unit.HU: ("HU",)}
_UCUM = {
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
"""Terms of Corrected Image (0028,0051), and what Enhanced PET has instead (PS3.3 C.8.22.4)."""

_OF_TRACER = (
    "RadionuclideTotalDose",
    "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalStartTime",
    "RadionuclideCodeSequence",
    "Radiopharmaceutical",
    "RadionuclideHalfLife",
)
_PLACE = "SubjectRelativePositionInImage"
_UNKNOWN = "261665006"  # SNOMED CT: unknown
_STRAIN = re.compile(r"Strain: ([^;]*)")
_BQ_PER_MBQ, _MS_PER_S = 1e6, 1000.0
_A_MILLISECOND = Comparison(numbers, 1.0)
_ROUNDED = Comparison(numbers, 0.5 + 1e-6)  # Actual Frame Duration counts whole milliseconds


def _all(is_same: Callable[[str, str], bool]) -> Comparison:
    """Compare all that a plane says of one thing with what is true, by a measure of its own."""
    return same_by(lambda found, true: all(is_same(str(each), true) for each in found))


# For which scans a value is expected.


def _ct(scan: SourceScan) -> bool:
    return scan.modality == "CT"


def _pet(scan: SourceScan) -> bool:
    return scan.modality == "PT"


def _traced(scan: SourceScan) -> bool:
    return scan.has_tracer


def _traced_pet(scan: SourceScan) -> bool:
    return scan.modality == "PT" and scan.has_tracer


# Which planes must state a value that the header gives.


def _never(_scan: SourceScan, _plane: Plane) -> bool:
    return False


def _if_traced_pet(scan: SourceScan, _plane: Plane) -> bool:
    return _traced_pet(scan)


def _if_pet(scan: SourceScan, _plane: Plane) -> bool:
    return _pet(scan)


def _if_plain_pet(scan: SourceScan, plane: Plane) -> bool:
    """PET Image and Legacy Converted Enhanced PET, which have the attributes of a PET Image."""
    return _pet(scan) and plane.get("SOPClassUID") not in ENHANCED | NM


def _if_enhanced_pet(scan: SourceScan, plane: Plane) -> bool:
    return _pet(scan) and plane.get("SOPClassUID") in ENHANCED


def _if_functional(_scan: SourceScan, plane: Plane) -> bool:
    """Whatever has functional groups."""
    return plane.get("SOPClassUID") in ENHANCED | LEGACY


def _if_own_and_named(_scan: SourceScan, plane: Plane) -> bool:
    """Whatever this program wrote, but for what is de-identified."""
    return own_class(plane) is not None and plane.get("PatientIdentityRemoved") != "YES"


# What a plane states, where it is not the value of one attribute. What cannot be read is its text, which then differs.


def _series_time(plane: Plane) -> Any:
    values = plane.get("SeriesDate"), plane.get("SeriesTime")
    return None if None in values else plane.moment("SeriesDate", "SeriesTime") or f"{values[0]} {values[1]}"


def _acquired(plane: Plane) -> Any:
    return plane.acquired or plane.get("FrameAcquisitionDateTime") or plane.get("AcquisitionTime")


def _begun(plane: Plane, *, is_single: bool) -> Any:
    """Return Acquisition DateTime of an instance that is one frame's alone, or of one of many frames."""
    if (plane.get("SOPClassUID") in CLASSIC) is not is_single:
        return None
    return plane.local_moment("AcquisitionDateTime") or plane.get("AcquisitionDateTime")


def _rescale_type(plane: Plane) -> Any:
    """Return Rescale Type; without one it is HU in a CT Image (PS3.3 C.8.2.1)."""
    return plane.get("RescaleType") or ("HU" if plane.get("SOPClassUID") == CTImageStorage else None)


def _mapped_unit(plane: Plane) -> Any:
    code = (plane.get("RealWorldValueMappingSequence") or {}).get("MeasurementUnitsCodeSequence")
    return code and (code.value if code.scheme == "UCUM" else f"{code.value} of the scheme {code.scheme}")


def _dose_bq(plane: Plane) -> Any:
    """Return the total dose in Bq; NM has it in MBq (PS3.3 C.8.4.10), PET in Bq (C.8.9.2)."""
    dose = plane.number("RadionuclideTotalDose")
    if dose is None:
        return plane.get("RadionuclideTotalDose")
    return dose * _BQ_PER_MBQ if plane.get("SOPClassUID") in NM else dose


def _isotope(plane: Plane) -> Any:
    """Return the isotope of the code's value and of its meaning; both if they are not one.

    None if there is no code, or another program's of which neither is known; what is no code of a known scheme may be a
    site's own, and says nothing.
    """
    code = plane.get("RadionuclideCodeSequence")
    if code is None:
        return None
    value, meaning = ISOTOPE_CODES.get(str(code.value)), isotope(code.meaning)
    if own_class(plane) is None:
        return _different(value, meaning)
    if not is_known_scheme(code.scheme):
        return _different(value and f"{value} of the scheme {code.scheme}", meaning) or ()
    return _different(value or str(code.value), meaning or str(code.meaning))


def _compound(plane: Plane) -> Any:
    code = plane.get("RadiopharmaceuticalCodeSequence")
    return _different(
        plane.get("Radiopharmaceutical"), None if code is None or code.value == _UNKNOWN else code.meaning
    )


def _different(*values: Any) -> Any:
    return tuple(dict.fromkeys(each for each in values if each)) or None


def _injected_by_clock(plane: Plane) -> Any:
    value = plane.get("RadiopharmaceuticalStartTime")
    clock = clock_of(value)
    return value if clock is None else clock


def _any_tracer(plane: Plane) -> Any:
    """Return what is stated of a tracer, as one text; None if nothing is."""
    return ", ".join(keyword for keyword in _OF_TRACER if plane.get(keyword)) or None


def _corrected(plane: Plane) -> Any:
    """Return the terms of Corrected Image, with `not X` for each that is not there; None without the attribute."""
    terms = plane.get("CorrectedImage")
    if terms is None:
        flags = {term: plane.get(keyword) for term, keyword in _FLAGS.items()}
        if not any(flags.values()):
            return None
        terms = tuple(term for term, value in flags.items() if value == "YES")
    there = _FLAGS.keys() & set(terms if isinstance(terms, tuple) else (terms,))
    return frozenset(there | {f"not {term}" for term in _FLAGS.keys() - there})


def _members(plane: Plane) -> Any:
    """Return ID, place and posture of each animal of a group; what they are called and where they lie is one text."""
    items = (dict(item) for item in plane.get(GROUP) or ())
    return _group((each.get("PatientID"), each.get(_PLACE), each.get("PatientPosition")) for each in items)


def _group(members: Iterable[tuple[Any, Any, Any]]) -> str | None:
    """Return the animals of a group in the order of their IDs: `m12 at 1, 1, 1 FFS; m13 at 2, 1, 1 HFS`."""
    shown = []
    for name, place, posture in members:
        numbers = ", ".join(map(str, place)) if isinstance(place, tuple) else place
        shown.append(f"{name} at {numbers}" + (f" {posture}" if posture else ""))
    return "; ".join(sorted(shown)) or None


def _species(plane: Plane) -> Any:
    """Return the species in words, in those of its code, and by the code's value if that is known."""
    code = plane.get("PatientSpeciesCodeSequence")
    known = code and SPECIES_CODES.get(str(code.value))
    return _different(plane.get("PatientSpeciesDescription"), code and code.meaning, known)


def _strain(plane: Plane) -> Any:
    """Return the strain: what Strain Description has, and what begins the history in a file of this program."""
    matched = _STRAIN.match(str(plane.get("AdditionalPatientHistory"))) if own_class(plane) else None
    return _different(plane.get("StrainDescription"), matched and matched[1])


def _same_words(found: str, true: str) -> bool:
    """Return whether a text is the true one, or a beginning of it that ends with the field, or with a semicolon."""
    return plain(true).startswith(plain(found)) and (plain(found) == plain(true) or ";" in true)


# What the header says, where it is not one of its values.


def _after_start(scan: SourceScan, seconds: float) -> Any:
    return None if scan.start is None else scan.start + timedelta(seconds=seconds)


def _steps(scan: SourceScan, *, is_gated: bool) -> int | None:
    return len(scan.frames) if scan.is_gated is is_gated else None


def _duration_ms(scan: SourceScan, frame: int) -> float | None:
    duration = scan.frames[frame].duration_s
    return _MS_PER_S * duration if duration else None


def _positive(value: float | None) -> float | None:
    return float(value) if value and value > 0 else None


def _fraction(scan: SourceScan, _frame: int) -> float | None:
    value = scan.header.tracer.branching_fraction
    return value if value is not None and 0 < value <= 1 else None


def _decay_correction(scan: SourceScan, _frame: int) -> tuple[str]:
    if not scan.is_decay_corrected:
        return ("NONE",)
    return ("ADMIN",) if scan.is_corrected_to_injection else ("START",)


def _to_be_corrected(scan: SourceScan, _frame: int) -> Any:
    known = {} if scan.is_mu_map else {term: done for term, done in scan.corrected.items() if done is not None}
    return frozenset(term if done else f"not {term}" for term, done in known.items()) or None


_count = partial(Fact, Kind.INSTANCES, of=_pet, how=Comparison(numbers), needed=_never)
_time = partial(Fact, Kind.TIMES)
_delay = partial(Fact, Kind.TIMES, true=SourceScan.trigger_ms, how=_A_MILLISECOND, unit="ms", needed=_never)
_unit = partial(Fact, Kind.UNITS, how=ONE_OF)
_distance = partial(
    Fact, Kind.UNITS, "source-distance", of=_ct, unit="mm", needed=_never, own=CT | LEGACY_CT, excuse=mm_as_cm
)
_quantity = partial(Fact, Kind.TRACER, is_noted=True)
_tracer = partial(Fact, Kind.TRACER, of=_traced, needed=_never)
_correction = partial(Fact, Kind.CORRECTIONS)
_identity = partial(Fact, Kind.IDENTITY)
_name = partial(Fact, Kind.IDENTITY, needed=_never, is_noted=True)

FACTS = (
    _count("slice-count", "NumberOfSlices", lambda scan, _: scan.image.grid.shape[2], own=PLAIN_PET),
    _count(
        "time-slice-count",
        "NumberOfTimeSlices",
        lambda scan, _: _steps(scan, is_gated=False),
        needed=lambda scan, plane: len(scan.frames) > 1 and own_class(plane) in PLAIN_PET,
    ),
    _count("time-slot-count", "NumberOfTimeSlots", lambda scan, _: _steps(scan, is_gated=True), own=PLAIN_PET),
    _time(
        "series-time",
        "Series Date and Time",
        lambda scan, _: scan.start,
        found=_series_time,
        how=MOMENT,
        needed=_if_pet,
        own=ALL,
    ),
    _time(
        "acquisition-time",
        "Acquisition Date and Time",
        SourceScan.started,
        found=_acquired,
        how=MOMENT,
        needed=_if_pet,
        own=ALL,
    ),
    _time(
        "acquisition-datetime",
        "AcquisitionDateTime",
        lambda scan, _: _after_start(scan, min(scan.starts_s)),
        found=partial(_begun, is_single=False),
        needed=lambda _scan, plane: plane.get("SOPClassUID") in ENHANCED,
        own=GROUPED,
    ),
    _time(
        "acquisition-datetime",
        "AcquisitionDateTime",
        SourceScan.started,
        found=partial(_begun, is_single=True),
        needed=_never,
    ),
    _time("time-zone", "TimezoneOffsetFromUTC", lambda scan, _: scan.time_zone, needed=_never, own=ALL),
    _time(
        "frame-reference-datetime",
        "FrameReferenceDateTime",
        lambda scan, frame: _after_start(scan, scan.reference_times_ms[frame] / _MS_PER_S),
        needed=_if_functional,
    ),
    _time(
        "frame-reference-time",
        "FrameReferenceTime",
        lambda scan, frame: scan.reference_times_ms[frame],
        of=_pet,
        how=_A_MILLISECOND,
        unit="ms",
        needed=_if_plain_pet,
        excuse=middle_of_frame,
    ),
    _time(
        "frame-duration", "ActualFrameDuration", _duration_ms, of=_pet, how=_ROUNDED, unit="ms", needed=_if_plain_pet
    ),
    _time(
        "frame-acquisition-duration",
        "FrameAcquisitionDuration",
        _duration_ms,
        how=_ROUNDED,
        unit="ms",
        needed=_if_functional,
    ),
    _delay("trigger-time", "TriggerTime", own=PLAIN_PET),
    _delay("cardiac-delay", "NominalCardiacTriggerDelayTime"),
    _delay("respiratory-delay", "NominalRespiratoryTriggerDelayTime"),
    _unit("units", "Units", lambda scan, _: _TERMS[scan.image.scaling.unit], of=_pet, needed=_if_plain_pet),
    _unit("rescale-type", "RescaleType", lambda scan, _: _TERMS[scan.image.scaling.unit], of=_ct, found=_rescale_type),
    _unit(
        "pet-rescale-type",
        "RescaleType",
        lambda scan, _: ("US", *_TERMS[scan.image.scaling.unit]),
        of=lambda scan: not _ct(scan),
        needed=_never,
    ),
    _unit(
        "mapped-unit",
        "the unit of Real World Value Mapping",
        lambda scan, _: _UCUM[scan.image.scaling.unit],
        found=_mapped_unit,
        needed=_if_enhanced_pet,
        own=ENHANCED_CT | LEGACY_PET | NM_IMAGE,
    ),
    _distance("DistanceSourceToDetector", lambda scan, _: _positive(scan.header.ct.source_to_detector_mm)),
    _distance("DistanceSourceToPatient", lambda scan, _: _positive(scan.header.ct.source_to_rotation_centre_mm)),
    _quantity(
        "dose",
        "RadionuclideTotalDose",
        lambda scan, _: _positive(scan.header.tracer.dose_bq),
        of=_traced,
        found=_dose_bq,
        unit="Bq",
        needed=_if_traced_pet,
        own=NM_IMAGE,
        only_known=True,
    ),
    _quantity(
        "half-life",
        "RadionuclideHalfLife",
        lambda scan, _: _positive(scan.header.tracer.half_life_s),
        of=_traced_pet,
        unit="s",
    ),
    _quantity(
        "branching-fraction", "RadionuclidePositronFraction", _fraction, of=_traced_pet, needed=_never, own=ANY_PET
    ),
    _tracer(
        "isotope",
        "Radionuclide Code",
        lambda scan, _: isotope(scan.header.tracer.isotope),
        found=_isotope,
        how=_all(str.__eq__),
        own=ANY_PET | NM_IMAGE,
    ),
    _tracer(
        "compound",
        "Radiopharmaceutical",
        lambda scan, _: scan.header.tracer.compound,
        found=_compound,
        how=_all(same_compound),
        is_noted=True,
    ),
    _tracer(
        "tracer-of-transmission",
        "tracer of a mu map or transmission image",
        lambda scan, _: None if scan.has_tracer else "none",
        of=_pet,
        found=_any_tracer,
        how=same_by(lambda _found, _true: False),
    ),
    _tracer(
        "injection-time",
        "RadiopharmaceuticalStartDateTime",
        lambda scan, _: scan.injection_time,
        needed=lambda scan, plane: _traced_pet(scan) and _injected_by_clock(plane) is None,
        own=ANY_PET,
        only_known=True,
    ),
    _tracer(
        "injection-clock-time",
        "RadiopharmaceuticalStartTime",
        lambda scan, _: scan.injection_time and scan.injection_time.time(),
        found=_injected_by_clock,
        how=MOMENT,
        own=PLAIN_PET | NM_IMAGE,
        only_known=True,
    ),
    _correction("decay-correction", "DecayCorrection", _decay_correction, of=_pet, how=ONE_OF, needed=_if_plain_pet),
    _correction(
        "decay-correction-time", "DecayCorrectionDateTime", lambda scan, _: scan.corrected_to, needed=_if_enhanced_pet
    ),
    _correction(
        "decay-factor",
        "DecayFactor",
        SourceScan.decay_factor,
        of=_pet,
        needed=lambda scan, plane: own_class(plane) in ENHANCED_PET and has_factors(scan),
        own=PLAIN_PET,
        excuse=six_digits,
    ),
    _correction(
        "corrected-image",
        "CorrectedImage",
        _to_be_corrected,
        of=_pet,
        found=_corrected,
        how=TERMS,
        needed=lambda scan, _plane: any(scan.corrected.values()),
        excuse=randoms_not_named,
    ),
    _identity("patient-id", "PatientID", lambda scan, _: scan.animal.id, is_noted=True, excuse=name_of_file),
    _name("patient-name", "PatientName", lambda scan, _: scan.animal.name, own=ALL, excuse=name_of_file),
    _identity(
        "patient-group",
        GROUP,
        lambda scan, _: _group(
            (each.id, each.place, each.posture.name if each.posture else None) for each in scan.image.group
        ),
        found=_members,
        how=same_by(lambda found, true: found == true),
        is_noted=True,
    ),
    _name("patient-sex", "PatientSex", lambda scan, _: scan.animal.sex, own=ALL, excuse=sex_not_known, only_known=True),
    _name(
        "patient-birth-date",
        "PatientBirthDate",
        lambda scan, _: scan.animal.birth_date and scan.animal.birth_date.strftime("%Y%m%d"),
        needed=_if_own_and_named,
        only_known=True,
    ),
    _identity(
        "species",
        "Patient Species",
        lambda scan, _: scan.animal.species,
        found=_species,
        how=_all(same_species),
        needed=_never,
        own=ALL,
    ),
    _name(
        "strain",
        "Strain",
        lambda scan, _: scan.animal.strain,
        found=_strain,
        how=_all(_same_words),
        needed=_if_own_and_named,
    ),
    _identity(
        "weight",
        "PatientWeight",
        lambda scan, _: scan.animal.weight_kg,
        unit="kg",
        needed=_if_traced_pet,
        own=ALL,
        only_known=True,
    ),
    _identity("modality", "Modality", lambda scan, _: scan.modality, is_noted=True),
    _identity(
        "sop-class",
        "SOP Class",
        lambda scan, _: tuple(sorted(each.name for each in OF_MODALITY[scan.modality])),
        found=lambda plane: uid_name(plane.get("SOPClassUID")) or None,
        how=ONE_OF,
    ),
    *display_facts(),
    *own_facts(),
    *private_facts(),
)


def keywords_of(differences: Iterable[Difference]) -> frozenset[str]:
    """Return the attributes that differences from the source are about."""
    codes = {difference.code.removesuffix("-missing") for difference in differences}
    return frozenset(fact.attribute for fact in FACTS if fact.code in codes)
