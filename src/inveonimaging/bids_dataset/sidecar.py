"""The sidecar of a PET, as BIDS has it: what header and sheet give, and what they do not.

All times are in seconds from TimeZero, which is the start of the scan: an injection before it is negative, also where
midnight lies between them. Units: MBq, ug, MBq/ug, GBq/umol.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inveonimaging.bids_dataset.reconstruction import reconstruction_of
from inveonimaging.dicom import codes
from inveonimaging.dicom.modules.general import manufacturer_of
from inveonimaging.dicom.modules.pet import randoms
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.hdr.enums import Labelled
from inveonimaging.physics.quantification import Unit
from inveonimaging.physics.timing import expected_decay_factor, factor_to_injection
from inveonimaging.study.image import header_bytes
from inveonimaging.study.reading import Series
from inveonimaging.units import BQ_PER_MBQ

NOT_KNOWN = "n/a"
_UNITS = {Unit.BQML: "Bq/mL", Unit.HU: "HU", Unit.PROPCNTS: "arbitrary", Unit.PER_CM: "1/cm"}
_LIST_MODE = ".lst"
_RANDOMS = {"DLYD": "delayed coincidence window", "NONE": "none"}
_SNOMED = "SCT"

REQUIRED: Mapping[str, str] = {
    "Manufacturer": "the header's manufacturer",
    "ManufacturersModelName": "the header's model",
    "TracerName": "column tracer",
    "TracerRadionuclide": "the header's isotope",
    "InjectedRadioactivity": "column dose_MBq",
    "ModeOfAdministration": "column administration",
    "TimeZero": "the header's scan_time, or --scan-time",
    "InjectionStart": "column injection_time",
    "FrameTimesStart": "the header's frame_start",
    "FrameDuration": "the header's frame_duration",
    "AcquisitionMode": "column acquisition",
    "ImageDecayCorrected": "the header's decay_correction_applied",
    "ImageDecayCorrectionTime": "the header's decay_correction_applied",
    "ReconMethodName": "the header's recon_algorithm",
    "ReconMethodParameterLabels": "the header's keys of iterations and subsets",
    "ReconFilterType": "the header's x_filter, y_filter and z_filter",
    "ReconFilterSize": "no key of a header, and no column",
    "AttenuationCorrection": "the header's attenuation_applied",
    "InfusionRadioactivity": "no key of a header, and no column",
    "InfusionStart": "no key of a header, and no column",
    "InfusionSpeed": "no key of a header, and no column",
    "InfusionSpeedUnits": "no key of a header, and no column",
    "InjectedVolume": "no key of a header, and no column",
}
"""What BIDS requires and may be unknown, with what gives it."""
OF_AN_INFUSION = ("InfusionRadioactivity", "InfusionStart", "InfusionSpeed", "InfusionSpeedUnits", "InjectedVolume")
MAY_BE_UNKNOWN = {
    "InjectedMass": "column injected_mass_ug",
    "SpecificRadioactivity": "column specific_activity_MBq_per_ug, or injected_mass_ug",
}
"""What BIDS requires, and takes `n/a` for."""


@dataclass(frozen=True)
class Sidecar:
    """What is in the JSON file beside an image.

    Attributes:
        values: by the names of BIDS, in their order.
        missing: names of values that BIDS requires and that are missing.
        not_known: names that BIDS requires, and that are `n/a`.
    """

    values: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    not_known: tuple[str, ...] = ()


def sidecar_of(series: Series, administration: str | None = None) -> Sidecar:
    """Return the sidecar of a PET series of an animal.

    Args:
        series: with the sheet's values in its header.
        administration: how the tracer was given, where no sheet says it.
    """
    header = series.image.header
    mode = series.sheet_values.get("administration") or administration
    values = {
        **equipment_of(series),
        "BodyPart": header.subject.scan_region,
        "Units": _UNITS[series.image.scaling.unit],
        **_tracer(series, mode),
        **_times(series),
        **_acquisition(series),
        **_decay(series),
        **reconstruction_of(header),
        **_corrections(header),
        "ScaleFactor": [1] * len(series.image.frames),
        "Anaesthesia": header.subject.anesthesia,
    }
    known = _known(values)
    required = (*REQUIRED, *MAY_BE_UNKNOWN)
    return Sidecar(
        values=known,
        missing=tuple(name for name in required if name not in known and _is_required(name, known)),
        not_known=tuple(name for name in MAY_BE_UNKNOWN if known.get(name) == NOT_KNOWN),
    )


def _is_required(name: str, known: Mapping[str, Any]) -> bool:
    if name == "ReconFilterSize":
        return bool(known.get("ReconFilterType", "none") != "none")
    return name not in OF_AN_INFUSION or known.get("ModeOfAdministration") == "bolus-infusion"


def plain_sidecar_of(series: Series) -> Sidecar:
    """Return what is written of an image that BIDS has no form for: scanner, unit, and how it was made."""
    header, image = series.image.header, series.image
    ct = header.ct
    values = {
        **equipment_of(series),
        "Modality": image.kind,
        "Units": _UNITS[image.scaling.unit],
        "SeriesTime": series.start and f"{series.start:%H:%M:%S}",
        **_frames(series),
        **({} if header.reconstruction.algorithm is None else reconstruction_of(header)),
        "XRayTubeVoltage_kVp": ct.voltage_kv,
        "XRayTubeCurrent_uA": ct.anode_current_ua,
        "ExposureTime_ms": ct.exposure_time_ms,
    }
    return Sidecar(_known(values))


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known; a number beyond all numbers is not, and no JSON."""
    return {
        name: value
        for name, value in values.items()
        if value not in (None, "") and not (isinstance(value, float) and not math.isfinite(value))
    }


def equipment_of(series: Series) -> dict[str, Any]:
    """Return the scanner's manufacturer, model and institution."""
    header = series.image.header
    named = header.model or header.modality_configuration
    return {
        "Manufacturer": manufacturer_of(header),
        "ManufacturersModelName": named.label if named else None,
        "InstitutionName": series.animal.institution or header.institution,
    }


def _tracer(series: Series, mode: str | None) -> dict[str, Any]:
    tracer = series.image.header.tracer
    isotope = codes.isotope_of(tracer.isotope or "")
    compound = codes.radiopharmaceutical(tracer.compound, isotope) if tracer.compound else None
    dose = tracer.dose_bq and tracer.dose_bq / float(BQ_PER_MBQ)
    return {
        "TracerName": tracer.compound,
        "TracerSNOMED": compound.value if compound and compound.scheme == _SNOMED else None,
        "TracerRadionuclide": isotope.replace("-", "") if isotope else tracer.isotope,
        "InjectedRadioactivity": dose,
        "InjectedRadioactivityUnits": "MBq",
        **_mass(series, dose),
        "ModeOfAdministration": mode,
    }


def _mass(series: Series, dose_mbq: float | None) -> dict[str, Any]:
    """Return mass and specific activity at the injection; the one follows from the other and the dose."""
    mass, specific = series.sheet_values.get("mass_ug"), series.sheet_values.get("specific_activity")
    molar = series.sheet_values.get("molar_activity")
    if dose_mbq and mass and not specific:
        specific = dose_mbq / mass
    elif dose_mbq and specific and not mass:
        mass = dose_mbq / specific
    return {
        "InjectedMass": mass or NOT_KNOWN,
        "InjectedMassUnits": "ug" if mass else NOT_KNOWN,
        "SpecificRadioactivity": specific or NOT_KNOWN,
        "SpecificRadioactivityUnits": "MBq/ug" if specific else NOT_KNOWN,
        "MolarActivity": molar,
        "MolarActivityUnits": "GBq/umol" if molar else None,
    }


def _times(series: Series) -> dict[str, Any]:
    return {
        "TimeZero": series.start and f"{series.start:%H:%M:%S}",
        "ScanStart": 0,
        "InjectionStart": _injection_s(series),
        **_frames(series),
    }


def _injection_s(series: Series) -> float | None:
    """Return when the tracer was injected, seconds after the start of the scan."""
    injected = series.image.header.tracer.injected_at
    if injected is None or series.start is None:
        return None
    return _whole((injected - series.start).total_seconds())


def _frames(series: Series) -> dict[str, Any]:
    frames = series.image.frames
    return {
        "FrameTimesStart": _all_known([frame.start_s for frame in frames]),
        "FrameDuration": _all_known([frame.duration_s for frame in frames]),
    }


def _all_known(values: Sequence[float | None]) -> list[float] | None:
    known = [_whole(value) for value in values if value is not None and math.isfinite(value)]
    return known if len(known) == len(values) else None


def _whole(value: float) -> float:
    """Return a whole number as one: JSON then has no `.0`."""
    return int(value) if value == int(value) else value


def _acquisition(series: Series) -> dict[str, Any]:
    given = series.sheet_values.get("acquisition")
    return {"AcquisitionMode": given or ("list mode" if _acquired(series).lower().endswith(_LIST_MODE) else None)}


def _acquired(series: Series) -> str:
    """Return the name of the acquisition's file; a redacted header does not have it, and its suffix names nobody."""
    header = series.image.header
    if series.image.pair != series.scan.pair:
        header, _ = parse(header_bytes(series.scan.pair.header))
    return header.acquisition_file_name or ""


def _decay(series: Series) -> dict[str, Any]:
    """Return to which moment values are corrected for decay; that of values that are not is the start of the scan."""
    header = series.image.header
    is_corrected = header.corrections.decay
    if is_corrected is None:
        return {}
    to_injection = is_corrected and factor_to_injection(header)
    factors = [_factor(series, index) for index in range(len(series.image.frames))] if is_corrected else []
    return {
        "ImageDecayCorrected": is_corrected,
        "ImageDecayCorrectionTime": _injection_s(series) if to_injection else 0,
        "DecayCorrectionFactor": factors if factors and all(factors) else None,
    }


def _factor(series: Series, index: int) -> float | None:
    header, frame = series.image.header, series.image.frames[index]
    return frame.decay_correction or expected_decay_factor(frame, header.tracer.half_life_s)


def _corrections(header: Header) -> dict[str, Any]:
    applied = header.corrections
    return {
        "AttenuationCorrection": _named(applied.attenuation),
        "ScatterCorrectionMethod": _named(applied.scatter),
        "RandomsCorrectionMethod": _RANDOMS.get(randoms(header) or ""),
    }


def _named(correction: Labelled | None) -> str | None:
    """Return how a correction was made; None if the header does not say."""
    return None if correction is None else correction.label


def with_origins(missing: Sequence[str]) -> Iterator[str]:
    """Yield names of BIDS, each with what gives its value."""
    for name in missing:
        yield f"{name} ({REQUIRED.get(name) or MAY_BE_UNKNOWN[name]})"
