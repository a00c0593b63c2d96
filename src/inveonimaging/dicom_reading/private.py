"""Private blocks of DICOM: that of the vendor's workstation, group 0079, creator SMIL_PB79, and one of GE.

The workstation's elements repeat keys of the Inveon header as text. Which element is which key was found by comparing
exports of a CT and of a PET with what is known of their headers. Element 04 (3 in a dynamic PET, absent from a CT) is
not settled.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

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


WORKSTATION = "workstation"
"""In the place of a keyword: the text of each known element by the header's key, if the workstation wrote the file."""

GE_SCAN_TIME = "ge scan time"
"""In the place of a keyword: the DateTime when a PET scan started, which GE keeps to itself."""

_GE_BLOCK = (0x0009, "GEMS_PETD_01")
_GE_ELEMENT = 0x0D
_GROUPS = frozenset((GROUP, _GE_BLOCK[0]))


def private_values(dataset: Dataset) -> dict[str, Any]:
    """Return what is known of private blocks."""
    values: dict[str, Any] = {}
    if not any(tag >> 16 in _GROUPS for tag in dataset.keys()):  # noqa: SIM118 - a Dataset iterates over its elements
        return values  # of most files; to look for a block takes as long as to read the others
    with suppress(KeyError):
        block = dataset.private_block(GROUP, CREATOR)
        texts = {key: _text(dataset, block.get_tag(element)) for element, key in KEYS.items() if element in block}
        values[WORKSTATION] = {key: text for key, text in texts.items() if text}
    with suppress(KeyError):
        values[GE_SCAN_TIME] = _text(dataset, dataset.private_block(*_GE_BLOCK)[_GE_ELEMENT].tag)
    return values


def _text(dataset: Dataset, tag: BaseTag) -> str:
    """Return an element's value as text, as it is in the file, whatever its VR says."""
    raw: object = dataset.get_item(tag)
    value = raw.value if isinstance(raw, RawDataElement) else dataset[tag].value
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ")
