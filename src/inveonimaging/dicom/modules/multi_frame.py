"""Modules and functional groups that multi-frame objects share (PS3.3 C.7.6.16, C.7.6.17, C.8.15.2, C.8.22.3)."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import da, dataset, dt, lo, put, sh, tm, us
from inveonimaging.dicom.modules.general import is_unpaired, region_of
from inveonimaging.dicom.modules.image import image_plane, rescale, voi_lut
from inveonimaging.dicom.modules.pet import UNITS
from inveonimaging.dicom.modules.synchronization import delay_keywords
from inveonimaging.dicom.series import Instance, MultiFrame, Series
from inveonimaging.inveon.frame_groups import beds_are_joined
from inveonimaging.physics.gating import Trigger
from inveonimaging.physics.quantification import HIGHEST, LOWEST, Slope, Unit
from inveonimaging.units import MS_PER_S

ORIGINAL, DERIVED = "ORIGINAL", "DERIVED"
_VOLUME = MappingProxyType(
    {"PixelPresentation": "MONOCHROME", "VolumetricProperties": "VOLUME", "VolumeBasedCalculationTechnique": "NONE"}
)
_STACK = "1"
_UCUM = {
    Unit.BQML: Code("Bq/ml", "UCUM", "Becquerels/milliliter"),
    Unit.HU: Code("[hnsf'U]", "UCUM", "Hounsfield unit"),
    Unit.PROPCNTS: Code("{propcounts}", "UCUM", "Proportional to counts"),
    Unit.PER_CM: Code("/cm", "UCUM", "/Centimeter"),
}
_NOTHING_TO_SEE = dataset(WindowCenter="0.5", WindowWidth="1")


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


def enhanced_image(series: Series, origin: str | None = None) -> Dataset:
    """Enhanced CT and PET Image Modules (PS3.3 C.8.15.2, C.8.22.3), but for Image Pixel.

    An image is ORIGINAL if its header gives all that the standard asks of an acquisition, and it is not cut from
    another, else DERIVED. An object that is converted from single-frame instances is what they are.
    """
    module = dataset(
        ImageType=image_type(origin or origin_of(series)),
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


def origin_of(series: Series) -> str:
    """Return value 1 of Image Type (0008,0008) of what is not for want of values DERIVED."""
    return DERIVED if series.is_cut else ORIGINAL


def times_are_known(series: Series) -> bool:
    """Return whether what every ORIGINAL must state of its times is known.

    A gate of a breath never is: it would have to state the threshold of its trigger.
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
    volume = gantry + grid.axes @ series.uncut.shift_mm
    item = dataset(
        DataCollectionCenterPatient=(gantry + 0.0).tolist(), ReconstructionTargetCenterPatient=(volume + 0.0).tolist()
    )
    return put(
        item, TablePosition=None if beds_are_joined(series.image.header) else series.image.frames[0].bed_offset_mm
    )


def pixel_measures(series: Series) -> Dataset:
    """Pixel Measures Macro (PS3.3 C.7.6.16.2.1)."""
    measures = image_plane(series)
    del measures.ImageOrientationPatient
    return dataset(PixelMeasuresSequence=[measures])


def plane_orientation(series: Series) -> Dataset:
    """Plane Orientation (Patient) Macro (PS3.3 C.7.6.16.2.4), in each frame: if shared, dcm2niix mixes them."""
    cosines = image_plane(series).ImageOrientationPatient
    return dataset(PlaneOrientationSequence=[dataset(ImageOrientationPatient=cosines)])


def frame_voi_lut(series: Series) -> Dataset:
    """Frame VOI LUT Macro (PS3.3 C.7.6.16.2.10); a series without any contrast has a window that shows nothing."""
    return dataset(FrameVOILUTSequence=[voi_lut(series) or _NOTHING_TO_SEE])


def frame_anatomy(series: Series) -> Dataset:
    """Frame Anatomy Macro (PS3.3 C.7.6.16.2.8): a region that the header does not give has the code for unknown."""
    region = region_of(series)
    code = codes.anatomic_region(region or "") if is_unpaired(region) else codes.local(region)
    item = dataset(FrameLaterality="U", AnatomicRegionSequence=[codes.item(code)])
    return dataset(FrameAnatomySequence=[item])


def known_frame_anatomy(series: Series) -> Dataset:
    """Frame Anatomy Macro of converted objects: only if the single-frame instances name a body part."""
    return frame_anatomy(series) if region_of(series) else Dataset()


def frame_content_of_frame(series: Series, frame: int) -> Dataset:
    """Frame Content Macro (PS3.3 C.7.6.16.2.2): when."""
    start, duration = series.frame_start(frame), series.image.frames[frame].duration_s
    after = timedelta(milliseconds=series.frame_reference_times_ms[frame])
    return put(
        dataset(TemporalPositionIndex=series.steps[frame] + 1),
        FrameAcquisitionNumber=us(frame + 1),
        FrameAcquisitionDateTime=dt(start) if start else None,
        FrameReferenceDateTime=dt(series.start + after) if series.start else None,
        FrameAcquisitionDuration=duration * MS_PER_S if duration else None,
    )


def frame_content_of_slice(series: Series, k: int) -> dict[str, str | int]:
    """Frame Content Macro (PS3.3 C.7.6.16.2.2): where in the stack."""
    return {"StackID": _STACK, "InStackPositionNumber": series.along_normal(k)}


def dimension_index_values(series: Series, instance: Instance) -> dict[str, list[int]]:
    """Dimension Index Values (0020,9157) of the Frame Content Macro: stack, slice, time or gate."""
    return {"DimensionIndexValues": [1, series.along_normal(instance.k), series.steps[instance.frame] + 1]}


def irradiation_event(series: Series, frame: int) -> Dataset:
    """Irradiation Event Identification Macro (PS3.3 C.7.6.16.2.18): gates of one time and bed are one event."""
    block = series.image.frames[frame]
    name = (series.image.pair.name, block.bed, block.start_s)
    uid = series.uids.uid("irradiation event", series.study.uid, *name)
    return dataset(IrradiationEventIdentificationSequence=[dataset(IrradiationEventUID=uid)])


def pixel_value_transformation(series: Series, slope: Slope) -> Dataset:
    """Pixel Value Transformation Macro (PS3.3 C.7.6.16.2.9, C.8.15.3.10): HU for CT, else unspecified."""
    item = rescale(series, slope)
    item.RescaleType = "HU" if series.image.scaling.unit is Unit.HU else "US"
    return dataset(PixelValueTransformationSequence=[item])


def real_world_value_mapping(series: Series, slope: Slope) -> Dataset:
    """Real World Value Mapping Macro (PS3.3 C.7.6.16.2.11): all stored values, in a UCUM unit."""
    unit = series.image.scaling.unit
    item = dataset(
        LUTExplanation=lo(unit.value),
        LUTLabel=sh(UNITS.get(unit, unit.value)),
        MeasurementUnitsCodeSequence=[codes.item(_UCUM[unit])],
        RealWorldValueIntercept=series.image.scaling.intercept,
        RealWorldValueSlope=slope.value,
    )
    for keyword, value in (("RealWorldValueFirstValueMapped", LOWEST), ("RealWorldValueLastValueMapped", HIGHEST)):
        item.add(DataElement(Tag(keyword), "SS", value))  # US or SS: here, the pixels are signed
    return dataset(RealWorldValueMappingSequence=[item])
