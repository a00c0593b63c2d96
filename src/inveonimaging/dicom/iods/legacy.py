"""Legacy Converted Enhanced CT and PET Image IODs (PS3.3 A.70, A.72): conversions of our own single-frame instances.

Whatever a single-frame instance holds is kept: at the top, in a functional group, or among the unassigned attributes,
which are shared where all instances agree. Frames are in the order of those of Enhanced objects.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import LegacyConvertedEnhancedCTImageStorage, LegacyConvertedEnhancedPETImageStorage

from inveonimaging.dicom.encode import dataset, merged
from inveonimaging.dicom.iods.declarations import CT_IMAGE, MULTI_FRAME, PET_IMAGE, with_functional_groups
from inveonimaging.dicom.iods.iod import Attributes, Constant, Group, Iod
from inveonimaging.dicom.modules.general import body_part, patient_position, region_of
from inveonimaging.dicom.modules.multi_frame import (
    enhanced_image,
    frame_type,
    irradiation_event,
    known_frame_anatomy,
    origin_of,
    real_world_value_mapping,
)
from inveonimaging.dicom.series import Instance, Series

_ELSEWHERE = frozenset(  # attributes of single-frame instances that a macro holds, or that are those of the object
    Tag(keyword)
    for keyword in (
        "AcquisitionDate",
        "AcquisitionNumber",
        "AcquisitionTime",
        "BodyPartExamined",
        "ContentDate",
        "ContentTime",
        "DerivationCodeSequence",
        "DerivationDescription",
        "ImageOrientationPatient",
        "ImagePositionPatient",
        "ImageType",
        "Laterality",
        "PixelSpacing",
        "RescaleIntercept",
        "RescaleSlope",
        "RescaleType",
        "SOPClassUID",
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "SliceThickness",
        "SpacingBetweenSlices",
        "VOILUTFunction",
        "WindowCenter",
        "WindowWidth",
    )
)


@dataclass(frozen=True)
class _Unassigned:
    """What single-frame instances hold and a multi-frame object has no other place for.

    Attributes:
        classic: their IOD.
        top: the modules of the multi-frame object.
    """

    classic: Iod
    top: Constant

    def shared(self, series: Series) -> Dataset:
        """Unassigned Shared Converted Attributes Macro (PS3.3 C.7.6.16.2.25.1)."""
        held = self.classic.constant_part(series)
        if len(series.image.frames) == 1:
            held.update(self.classic.frame_part(series, 0))
        at_the_top = merged(module(series) for module in self.top).keys()
        rest = _without(held, _ELSEWHERE | at_the_top)
        return dataset(UnassignedSharedConvertedAttributesSequence=[rest]) if rest else Dataset()

    def of_frame(self, series: Series, frame: int) -> Dataset:
        """Return what instances hold of one frame of several."""
        several = len(series.image.frames) > 1
        return _without(self.classic.frame_part(series, frame), _ELSEWHERE) if several else Dataset()

    def of_slice(self, series: Series, k: int) -> Attributes:
        """Return what instances hold of the slice's place."""
        return _unplaced(self.classic.slice_part(series, k))

    def of_instance(self, series: Series, instance: Instance) -> Attributes:
        """Return what one instance alone holds."""
        return _unplaced(self.classic.instance_part(series, instance))

    def source(self, _series: Series, instance: Instance) -> Attributes:
        """Image Frame Conversion Source Macro (PS3.3 C.7.6.16.2.25.3)."""
        return {"ReferencedSOPClassUID": self.classic.sop_class, "ReferencedSOPInstanceUID": instance.uid}

    @property
    def groups(self) -> tuple[Group, ...]:
        """Unassigned Per-Frame Converted Attributes Macro (PS3.3 C.7.6.16.2.25.2), and the source."""
        unassigned = Group(
            keyword="UnassignedPerFrameConvertedAttributesSequence",
            by_frame=(self.of_frame,),
            by_slice=(self.of_slice,),
            by_instance=(self.of_instance,),
        )
        return unassigned, Group(keyword="ConversionSourceAttributesSequence", by_instance=(self.source,))


def _unknown_region(series: Series) -> Dataset:
    """Body Part Examined and Laterality of the General Series Module, where there is no Frame Anatomy."""
    return Dataset() if region_of(series) else body_part(series)


def _without(held: Dataset, tags: Collection[BaseTag]) -> Dataset:
    """Return a dataset without some attributes, and without private ones, which are at the top."""
    rest = Dataset()
    rest.update({element.tag: element for element in held if element.tag not in tags and not element.tag.is_private})
    return rest


def _unplaced(held: Attributes) -> Attributes:
    """Return the values that have no other place."""
    return {keyword: value for keyword, value in held.items() if Tag(keyword) not in _ELSEWHERE}


def _ct_frame_type(series: Series) -> Dataset:
    """CT Image Frame Type Macro (PS3.3 C.8.15.3.1)."""
    return dataset(CTImageFrameTypeSequence=[frame_type(origin_of(series))])


def _pet_frame_type(series: Series) -> Dataset:
    """PET Frame Type Macro (PS3.3 C.8.22.5.1)."""
    return dataset(PETFrameTypeSequence=[frame_type(origin_of(series))])


_TOP: Constant = (*MULTI_FRAME, enhanced_image, _unknown_region)
_OF_CT = _Unassigned(CT_IMAGE, (*_TOP, patient_position))
_OF_PET = _Unassigned(PET_IMAGE, _TOP)

LEGACY_CT_IMAGE = with_functional_groups(
    name="Legacy Converted Enhanced CT Image",
    sop_class=LegacyConvertedEnhancedCTImageStorage,
    constant=_OF_CT.top,
    shared=(known_frame_anatomy, _ct_frame_type, _OF_CT.shared),
    by_frame=(irradiation_event,),
    groups=_OF_CT.groups,
)
LEGACY_PET_IMAGE = with_functional_groups(
    name="Legacy Converted Enhanced PET Image",
    sop_class=LegacyConvertedEnhancedPETImageStorage,
    constant=_OF_PET.top,
    shared=(known_frame_anatomy, _pet_frame_type, _OF_PET.shared),
    by_slope=(real_world_value_mapping,),
    groups=_OF_PET.groups,
)
