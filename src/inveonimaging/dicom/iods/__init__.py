"""The SOP classes, each a declaration of modules."""

from __future__ import annotations

from inveonimaging.dicom.iods.ct import CT_IMAGE
from inveonimaging.dicom.iods.iod import Iod
from inveonimaging.dicom.iods.pet import PET_IMAGE
from inveonimaging.hdr.enums import Modality

CLASSIC = {Modality.CT: CT_IMAGE, Modality.PET: PET_IMAGE}

__all__ = ["CLASSIC", "CT_IMAGE", "PET_IMAGE", "Iod"]
