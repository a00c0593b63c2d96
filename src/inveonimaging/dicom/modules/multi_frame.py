"""What multi-frame objects with functional groups share: the object itself, its dimensions, its place in a whole."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from inveonimaging.dicom.encode import da, dataset, dt, lo, put, tm
from inveonimaging.dicom.modules.synchronization import delay_keywords
from inveonimaging.dicom.series import MultiFrame, Series
from inveonimaging.inveon.frame_groups import beds_are_joined
from inveonimaging.physics.gating import Trigger

ORIGINAL, DERIVED = "ORIGINAL", "DERIVED"
_VOLUME = MappingProxyType(
    {"PixelPresentation": "MONOCHROME", "VolumetricProperties": "VOLUME", "VolumeBasedCalculationTechnique": "NONE"}
)


def multi_frame_functional_groups(series: Series, multi_frame: MultiFrame) -> Dataset:
    """Multi-frame Functional Groups Module (PS3.3 C.7.6.16), without the groups; with the place in a Concatenation."""
    module = dataset(InstanceNumber=str(multi_frame.number), NumberOfFrames=str(len(multi_frame.slices)))
    if series.start:
        module.update(dataset(ContentDate=da(series.start), ContentTime=tm(series.start)))
    place = multi_frame.concatenation
    if place:
        module.ConcatenationUID = place.uid
        module.SOPInstanceUIDOfConcatenationSource = place.source_uid
        module.InConcatenationNumber = place.number
        module.InConcatenationTotalNumber = place.total
        module.ConcatenationFrameOffsetNumber = multi_frame.slices.start
    return module


def sop_instance_of_object(series: Series, multi_frame: MultiFrame) -> Dataset:
    """SOP Instance UID (0008,0018) of the SOP Common Module."""
    return dataset(SOPInstanceUID=multi_frame.uid)


def multi_frame_dimension(series: Series) -> Dataset:
    """Multi-frame Dimension Module (PS3.3 C.7.6.17): stack, position in the stack, time or gate.

    Time is last, as nibabel asks it of a volume over time.
    """
    organization = series.uids.uid("dimension organization", series.uid)
    step, group = delay_keywords(series) or ("TemporalPositionIndex", "FrameContentSequence")
    dimensions = (
        ("StackID", "FrameContentSequence", "Stack"),
        ("InStackPositionNumber", "FrameContentSequence", "Slice along the normal"),
        (step, group, "Gate" if series.gating else "Time"),
    )
    return dataset(
        DimensionOrganizationSequence=[dataset(DimensionOrganizationUID=organization)],
        DimensionOrganizationType="3D_TEMPORAL" if len(series.image.frames) > 1 else "3D",
        DimensionIndexSequence=[
            dataset(
                DimensionIndexPointer=Tag(keyword),
                FunctionalGroupPointer=Tag(group),
                DimensionDescriptionLabel=lo(label),
                DimensionOrganizationUID=organization,
            )
            for keyword, group, label in dimensions
        ],
    )


def acquisition_context(series: Series) -> Dataset:
    """Acquisition Context Module (PS3.3 C.7.6.14): type 2, and empty."""
    return dataset(AcquisitionContextSequence=[])


def enhanced_image(series: Series, origin: str = ORIGINAL) -> Dataset:
    """Enhanced CT and PET Image Modules (PS3.3 C.8.15.2, C.8.22.3), but for Image Pixel.

    An image is ORIGINAL if its header tells all that the standard asks of an acquisition, else DERIVED. An object that
    is converted from single-frame instances is what they are.
    """
    module = dataset(
        ImageType=image_type(origin),
        **_VOLUME,
        ContentQualification="RESEARCH",
        BurnedInAnnotation="NO",
        LossyImageCompression="00",
        PresentationLUTShape="IDENTITY",
    )
    if series.start is None:
        return module
    first, last = series.extent_s
    start = series.start + timedelta(seconds=first)
    header = series.image.header
    whole = header.ct.scan_s if beds_are_joined(header) else last - first
    return put(module, AcquisitionDateTime=dt(start), AcquisitionDuration=whole or None)


def is_told(series: Series) -> bool:
    """Return whether what every ORIGINAL must tell of its times is known.

    A gate of a breath never is: it would have to tell the threshold of its trigger.
    """
    is_breath = series.gating is not None and series.gating.trigger is Trigger.RESPIRATORY
    return not is_breath and all(frame.duration_s for frame in series.image.frames)


def frame_type(origin: str) -> Dataset:
    """Return the item of CT Image and PET Frame Type; `origin` is ORIGINAL or DERIVED."""
    return dataset(FrameType=image_type(origin), **_VOLUME)


def image_type(origin: str) -> list[str]:
    """Return Image Type (0008,0008) or Frame Type (0008,9007) of a volume (PS3.3 C.8.16.1)."""
    return [origin, "PRIMARY", "VOLUME", "NONE"]


def centres(series: Series) -> Dataset:
    """CT and PET Position Macro (PS3.3 C.8.15.3.5, C.8.22.5.4): bed offset, and centres of gantry and volume, LPS mm.

    A volume of joined bed positions has no one table position.
    """
    grid = series.image.grid
    gantry = grid.axes @ (0.0, 0.0, grid.bed_mm)
    volume = gantry + grid.axes @ grid.shift_mm
    item = dataset(
        DataCollectionCenterPatient=(gantry + 0.0).tolist(), ReconstructionTargetCenterPatient=(volume + 0.0).tolist()
    )
    return put(
        item, TablePosition=None if beds_are_joined(series.image.header) else series.image.frames[0].bed_offset_mm
    )
