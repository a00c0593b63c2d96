"""Modules that all image IODs share, but for the patient and the picture itself."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom import codes, specified
from inveonimaging.dicom.encode import ST, cs, da, dataset, lo, pn, put, sh, text, tm, zone
from inveonimaging.dicom.modules.patient import is_non_human
from inveonimaging.dicom.series import Instance, Series
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality, ModalityConfiguration, Model
from inveonimaging.version import __version__

MODALITY = {Modality.CT: "CT", Modality.PET: "PT", Modality.SPECT: "NM"}
_WHOLE_BODY = {"WHOLE BODY", "WHOLE_BODY", "WHOLEBODY", "BODY"}
_UNPAIRED = {
    "WHOLEBODY",
    "HEAD",
    "BRAIN",
    "SKULL",
    "NECK",
    "CHEST",
    "HEART",
    "ABDOMEN",
    "LIVER",
    "PELVIS",
    "SPINE",
    "TAIL",
}
UNKNOWN = "UNKNOWN"
_SIEMENS = "Siemens"
_INVEON = {Model.INVEON_PET, Model.INVEON_MM}
_INVEON_PARTS = {each for each in ModalityConfiguration if "Inveon" in each.label}
_PROCESSING = Code("109102", "DCM", "Processing Equipment")


def general_study(series: Series) -> Dataset:
    """General Study Module (PS3.3 C.7.2.1)."""
    study = series.study
    module = dataset(
        StudyInstanceUID=study.uid,
        StudyDate=da(study.start) if study.start else "",
        StudyTime=tm(study.start) if study.start else "",
        ReferringPhysicianName=pn(study.animal.investigator or ""),
        StudyID=sh(study.id),
        AccessionNumber="",
    )
    return put(module, StudyDescription=lo(study.description))


def general_series(series: Series) -> Dataset:
    """General Series Module (PS3.3 C.7.3.1), without Patient Position, which not every IOD may carry."""
    header = series.image.header
    module = dataset(
        Modality=MODALITY[series.image.modality], SeriesInstanceUID=series.uid, SeriesNumber=str(series.number)
    )
    if series.start:
        put(module, SeriesDate=da(series.start), SeriesTime=tm(series.start))
    if is_non_human(series.study.animal):
        module.AnatomicalOrientationType = "BIPED"  # the axes are those of a human's: left, posterior, head
    return put(
        module,
        SeriesDescription=lo(series.description),
        ProtocolName=lo(series.protocol),
        OperatorsName=header.acquisition.operator and pn(header.acquisition.operator),
        CommentsOnThePerformedProcedureStep=header.acquisition.notes and text(header.acquisition.notes, ST),
    )


def body_part(series: Series) -> Dataset:
    """Body Part Examined and Laterality of the General Series Module; an unknown side is empty (type 2C)."""
    region = region_of(series)
    module = put(Dataset(), BodyPartExamined=region)
    if not is_unpaired(region):
        module.Laterality = ""
    return module


def body_part_examined(series: Series) -> Dataset:
    """Body Part Examined of the General Series Module; multi-frame objects state the side by frame."""
    return put(Dataset(), BodyPartExamined=region_of(series))


def region_of(series: Series) -> str | None:
    """Return Body Part Examined (0018,0015); None if it is not known, or no code string."""
    code = cs(series.image.header.subject.scan_region or "")
    return "WHOLEBODY" if code in _WHOLE_BODY else code


def is_unpaired(region: str | None) -> bool:
    """Return whether a body part is known to exist once."""
    return region in _UNPAIRED


def patient_position(series: Series) -> Dataset:
    """Patient Position (0018,5100) of the General Series Module: type 2C, and not beside orientation codes."""
    orientation = series.image.grid.orientation
    return dataset(PatientPosition=orientation.name if orientation else "")


def frame_of_reference(series: Series) -> Dataset:
    """Frame of Reference Module (PS3.3 C.7.4.1)."""
    return dataset(FrameOfReferenceUID=series.frame_of_reference_uid, PositionReferenceIndicator="")


def general_equipment(series: Series) -> Dataset:
    """General Equipment Module (PS3.3 C.7.5.1): the scanner."""
    header = series.image.header
    versions = {
        "header": header.version,
        "histogram": header.reconstruction.histogram_version,
        "rebinning": header.reconstruction.rebinning_version,
        "reconstruction": header.reconstruction.version,
        "scatter": header.corrections.scatter_version,
    }
    return put(
        dataset(Manufacturer=lo(_manufacturer(series))),
        InstitutionName=lo(series.study.animal.institution or ""),
        ManufacturerModelName=_model_name(series),
        SoftwareVersions=[f"{name} {version:g}" for name, version in versions.items() if version],
    )


def enhanced_general_equipment(series: Series) -> Dataset:
    """Enhanced General Equipment Module (PS3.3 C.7.5.2): type 1 attributes that the header may not give are UNKNOWN."""
    known = general_equipment(series)
    module = Dataset()
    for keyword in ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"):
        setattr(module, keyword, known.get(keyword) or UNKNOWN)
    return module


def general_acquisition(series: Series, frame: int) -> Dataset:
    """General Acquisition Module (PS3.3 C.7.10.1): the frame's start."""
    start = series.frame_start(frame)
    return dataset(
        AcquisitionNumber=str(frame + 1),
        AcquisitionDate=da(start) if start else "",
        AcquisitionTime=tm(start) if start else "",
    )


def sop_common(series: Series) -> Dataset:
    """SOP Common Module (PS3.3 C.12.1), but for the SOP Instance UID; names this program as converter."""
    converter = (
        dataset(  # no model name nor versions here: readers that flatten sequences would take them for the scanner's
            PurposeOfReferenceCodeSequence=[codes.item(_PROCESSING)],
            Manufacturer="inveonimaging",
            ContributionDescription=f"Converted from Siemens Inveon files by inveonimaging {__version__}",
        )
    )
    module = dataset(ContributingEquipmentSequence=[converter])
    return put(module, TimezoneOffsetFromUTC=None if series.utc_offset is None else zone(series.utc_offset))


def sop_instance(series: Series, instance: Instance) -> dict[str, str]:
    """SOP Instance UID (0008,0018) of the SOP Common Module."""
    return {"SOPInstanceUID": instance.uid}


def _manufacturer(series: Series) -> str:
    """Return the header's manufacturer; else Siemens, who alone made the Inveon, and whom the specification names."""
    header = series.image.header
    return header.manufacturer or (_SIEMENS if series.study.specified else manufacturer_of(header))


def manufacturer_of(header: Header) -> str:
    """Return the header's manufacturer; else Siemens for an Inveon, which no one else made; else nothing."""
    is_inveon = header.model in _INVEON or header.modality_configuration in _INVEON_PARTS
    return header.manufacturer or (_SIEMENS if is_inveon else "")


def _model_name(series: Series) -> str | None:
    """Return the scanner as its vendor's workstation names it, `Inveon MM Platform`, or as the specification does."""
    header = series.image.header
    if series.study.specified:
        return specified.model_name(header)
    named = header.model or header.modality_configuration
    return lo(named.label) if named else None
