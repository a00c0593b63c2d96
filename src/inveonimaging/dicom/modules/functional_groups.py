"""Functional group macros that several multi-frame IODs share (PS3.3 C.7.6.16.2)."""

from __future__ import annotations

from datetime import timedelta

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import dataset, dt, lo, put, sh
from inveonimaging.dicom.modules.general import is_unpaired, region_of
from inveonimaging.dicom.modules.image import image_plane, rescale, voi_lut
from inveonimaging.dicom.modules.pet import UNITS
from inveonimaging.dicom.series import Instance, Series
from inveonimaging.physics.quantification import HIGHEST, LOWEST, Slope, Unit
from inveonimaging.units import MS_PER_S

_STACK = "1"
_UCUM = {
    Unit.BQML: Code("Bq/ml", "UCUM", "Becquerels/milliliter"),
    Unit.HU: Code("[hnsf'U]", "UCUM", "Hounsfield unit"),
    Unit.PROPCNTS: Code("{propcounts}", "UCUM", "Proportional to counts"),
    Unit.PER_CM: Code("/cm", "UCUM", "/Centimeter"),
}
_NOTHING_TO_SEE = dataset(WindowCenter="0.5", WindowWidth="1")


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
    """Frame Anatomy Macro (PS3.3 C.7.6.16.2.8): a region that the header does not tell has the code for unknown."""
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
        dataset(FrameAcquisitionNumber=frame + 1, TemporalPositionIndex=series.steps[frame] + 1),
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
