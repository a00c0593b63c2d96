"""The private block that the vendor's workstation writes into its DICOM: group 0079, creator SMIL_PB79.

Its elements repeat keys of the Inveon header as text. Which element is which key was found by comparing exports of a CT
and of a PET with what is known of their headers. Element 04 (3 in a dynamic PET, absent from a CT) is not settled.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

CREATOR = "SMIL_PB79"
GROUP = 0x0079
KEYS = {  # element in the block: key of the header
    0x02: "bed_motion",
    0x06: "injection_decay_correction",
    0x07: "isotope",
    0x09: "rebinning_type",
    0x0A: "rebinning_version",
    0x0B: "recon_algorithm",
    0x0C: "recon_version",
    0x0D: "injected_compound",
    0x11: "version",
    0x13: "x_offset",
    0x14: "y_offset",
    0x15: "zoom",
    0x17: "subject_orientation",
}


def workstation_values(dataset: Dataset) -> dict[str, str] | None:
    """Return the text of each known element by the header's key; None if the workstation did not write the dataset."""
    try:
        block = dataset.private_block(GROUP, CREATOR)
    except KeyError:
        return None
    return {key: text for element, key in KEYS.items() if element in block and (text := _text(block[element].value))}


def _text(value: object) -> str:
    """Return a value as text; one whose VR is not known comes as bytes."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return text.strip("\0 ")
