"""The words of the published specification for codes of the header (pixi-inveon, doc/conversion_specifications.md)."""

from __future__ import annotations

import re

from inveonimaging.dicom.encode import LT, lo, text
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import AcquisitionMode, FilterWindow, ModalityConfiguration, Model

_OLDER = {  # scanners by their label; the others are their label, with `_` for blanks and hyphens
    "microPET P4": "Primate",
    "microPET R4": "Rodent",
    "microPET II": "microPET2",
    "microPET Focus 220": "Focus_220",
    "microPET Focus 120": "Focus_120",
    "microCAT": "mCAT",
    "microCAT II": "mCATII",
    "microSPECT": "mSPECT",
}


def _scanner(label: str) -> str:
    return _OLDER.get(label) or re.sub("[ -]", "_", label)


MODELS = {each: _scanner(each.label) for each in Model}
CONFIGURATIONS = {each: _scanner(each.label) for each in ModalityConfiguration} | {
    ModalityConfiguration.UNKNOWN: "Unknown"
}
ACQUISITIONS = {
    AcquisitionMode.UNKNOWN: "Unknown acquisition mode",
    AcquisitionMode.BLANK: "Blank acquisition",
    AcquisitionMode.EMISSION: "Emission acquisition",
    AcquisitionMode.DYNAMIC: "Dynamic acquisition",
    AcquisitionMode.GATED: "Gated acquisition",
    AcquisitionMode.CONTINUOUS_BED: "Continuous bed motion acquisition",
    AcquisitionMode.SINGLES_TX: "Singles transmission acquisition",
    AcquisitionMode.WINDOWED_TX: "Windowed coincidence transmission acquisition",
    AcquisitionMode.NON_WINDOWED_TX: "Non-windowed coincidence transmission acquisition",
    AcquisitionMode.CT: "CT projection acquisition",
    AcquisitionMode.CT_CALIBRATION: "CT calibration acquisition",
    AcquisitionMode.SPECT_PLANAR: "SPECT planar projection acquisition",
    AcquisitionMode.SPECT: "SPECT multi-projection acquisition",
    AcquisitionMode.SPECT_CALIBRATION: "SPECT calibration acquisition",
    AcquisitionMode.SPECT_TOMO_NORMALIZATION: "SPECT tomography normalization acquisition",
    AcquisitionMode.SPECT_DETECTOR_SETUP: "SPECT detector setup acquisition",
    AcquisitionMode.SPECT_SCOUT: "SPECT scout view acquisition",
    AcquisitionMode.SPECT_PLANAR_NORMALIZATION: "SPECT planar normalization acquisition",
}
FILTERS = {
    FilterWindow.NONE: "No filter",
    FilterWindow.RAMP: "Ramp filter (backprojection) or no filter",
    FilterWindow.BUTTERWORTH1: "First-order Butterworth window",
    FilterWindow.HANN: "Hanning window",
    FilterWindow.HAMMING: "Hamming window",
    FilterWindow.PARZEN: "Parzen window",
    FilterWindow.SHEPP: "Shepp filter",
    FilterWindow.BUTTERWORTH2: "Second-order Butterworth window",
}


def model_name(header: Header) -> str | None:
    """Return `Inveon_MM_Platform:Inveon_MM_PET`; None if neither the model nor its configuration is known."""
    model, configuration = header.model, header.modality_configuration
    if model is None and configuration is None:
        return None
    parts = MODELS[model or Model.UNKNOWN], CONFIGURATIONS[configuration or ModalityConfiguration.UNKNOWN]
    return lo(":".join(parts))


def filter_names(header: Header) -> str:
    """Return the names of the filters in x, y and z, with their cutoffs as `0.5`; empty if the header names none."""
    made = header.reconstruction
    filters = {"x": made.x_filter, "y": made.y_filter, "z": made.z_filter}
    named = [
        f"{axis}: {FILTERS[each.window]}" + (f", cutoff {each.cutoff:g}" if each.window and each.cutoff else "")
        for axis, each in filters.items()
        if each
    ]
    return text("; ".join(named), LT)
