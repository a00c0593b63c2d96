"""The SOP classes, each a declaration of modules."""

from __future__ import annotations

from enum import Enum

from inveonimaging.dicom.iods.declarations import CT_IMAGE, ENHANCED_CT_IMAGE, ENHANCED_PET_IMAGE, NM_IMAGE, PET_IMAGE
from inveonimaging.dicom.iods.iod import Iod, MultiFrameIod
from inveonimaging.dicom.iods.legacy import LEGACY_CT_IMAGE, LEGACY_PET_IMAGE
from inveonimaging.inveon.hdr.enums import Modality


class Form(str, Enum):
    """Which SOP classes are written; SPECT has one only."""

    CLASSIC = "classic"
    ENHANCED = "enhanced"
    LEGACY = "legacy"


IODS: dict[Form, dict[Modality, Iod]] = {
    Form.CLASSIC: {Modality.CT: CT_IMAGE, Modality.PET: PET_IMAGE, Modality.SPECT: NM_IMAGE},
    Form.ENHANCED: {Modality.CT: ENHANCED_CT_IMAGE, Modality.PET: ENHANCED_PET_IMAGE, Modality.SPECT: NM_IMAGE},
    Form.LEGACY: {Modality.CT: LEGACY_CT_IMAGE, Modality.PET: LEGACY_PET_IMAGE, Modality.SPECT: NM_IMAGE},
}


__all__ = ["IODS", "LEGACY_PET_IMAGE", "PET_IMAGE", "Form", "Iod", "MultiFrameIod"]
