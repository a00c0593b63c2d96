"""What instances say of their de-identification: attributes of the Patient and SOP Common Modules."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import dataset
from inveonimaging.dicom.modules.header_text import CREATOR, GROUP
from inveonimaging.dicom.series import Series
from inveonimaging.redaction.request import Dates

METHOD = "inveonimaging --deidentify"  # the profile is documented in docs/how-to/deidentify.md

_OPTIONS = (  # CID 7050
    Code("113100", "DCM", "Basic Application Confidentiality Profile"),
    Code("113105", "DCM", "Clean Descriptors Option"),
    Code("113108", "DCM", "Retain Patient Characteristics Option"),
    Code("113111", "DCM", "Retain Safe Private Option"),
)
_OF_DATES = {
    Dates.KEEP: Code("113106", "DCM", "Retain Longitudinal Temporal Information Full Dates Option"),
    Dates.SHIFT: Code("113107", "DCM", "Retain Longitudinal Temporal Information Modified Dates Option"),
}
_TEMPORAL = {Dates.KEEP: "UNMODIFIED", Dates.SHIFT: "MODIFIED"}
_METHOD_OF_DATES = {Dates.KEEP: "dates kept", Dates.SHIFT: "dates shifted by whole days"}


def deidentification(series: Series) -> Dataset:
    """Patient Identity Removed and how, of the Patient and SOP Common Modules (PS3.3 C.7.1.1, C.12.1).

    Profile and options: PS3.15 Annex E, by their codes in CID 7050. Empty for what is not de-identified.
    """
    dates = series.study.deidentified
    if dates is None:
        return Dataset()
    return dataset(
        PatientIdentityRemoved="YES",
        DeidentificationMethod=[METHOD, _METHOD_OF_DATES[dates]],
        DeidentificationMethodCodeSequence=[codes.item(code) for code in (*_OPTIONS, _OF_DATES[dates])],
        LongitudinalTemporalInformationModified=_TEMPORAL[dates],
    )


def safe_private(series: Series) -> Dataset:
    """Private Data Element Characteristics Sequence of the SOP Common Module: the header in it is de-identified."""
    if series.study.deidentified is None:
        return Dataset()
    block = dataset(
        PrivateGroupReference=GROUP,
        PrivateCreatorReference=CREATOR,
        BlockIdentifyingInformationStatus="SAFE",
    )
    return dataset(PrivateDataElementCharacteristicsSequence=[block])
