"""Legacy Converted Enhanced CT and PET Image IODs (PS3.3 A.70, A.72): conversions of our own single-frame instances.

Whatever a single-frame instance says is kept: at the top, in a functional group, or among the unassigned attributes,
which are shared where all instances say the same. Frames stand in the order of those of Enhanced objects.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, LegacyConvertedEnhancedCTImageStorage, LegacyConvertedEnhancedPETImageStorage

from inveonimaging.dicom.encode import dataset, merged
from inveonimaging.dicom.iods.ct import CT_IMAGE
from inveonimaging.dicom.iods.groups import FRAME_CONTENT, PLANE_POSITION
from inveonimaging.dicom.iods.iod import Attributes, Constant, Group, Iod, MultiFrameIod
from inveonimaging.dicom.iods.pet import PET_IMAGE
from inveonimaging.dicom.modules.deidentification import deidentification, safe_private
from inveonimaging.dicom.modules.functional_groups import (
    frame_voi_lut,
    irradiation_event,
    known_frame_anatomy,
    pixel_measures,
    pixel_value_transformation,
    plane_orientation,
    real_world_value_mapping,
)
from inveonimaging.dicom.modules.general import (
    body_part,
    frame_of_reference,
    general_equipment,
    general_series,
    general_study,
    patient_position,
    region_of,
    sop_common,
)
from inveonimaging.dicom.modules.header_text import original_header
from inveonimaging.dicom.modules.image import image_pixel
from inveonimaging.dicom.modules.multi_frame import (
    ORIGINAL,
    acquisition_context,
    enhanced_image,
    frame_type,
    multi_frame_dimension,
    multi_frame_functional_groups,
    sop_instance_of_object,
)
from inveonimaging.dicom.modules.patient import patient, patient_study
from inveonimaging.dicom.modules.synchronization import synchronization_of_frame
from inveonimaging.dicom.series import Instance, Series
from inveonimaging.physics.quantification import Slope

_ELSEWHERE = frozenset(  # attributes of single-frame instances that stand in a macro, or are those of the object
    Tag(keyword)
    for keyword in (
        "AcquisitionDate",
        "AcquisitionNumber",
        "AcquisitionTime",
        "BodyPartExamined",
        "ContentDate",
        "ContentTime",
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
_COMMON: Constant = (
    patient,
    general_study,
    patient_study,
    general_series,
    frame_of_reference,
    general_equipment,
    image_pixel,
    multi_frame_dimension,
    acquisition_context,
    enhanced_image,
    sop_common,
    deidentification,
)


@dataclass(frozen=True)
class _Said:
    """What single-frame instances say and a multi-frame object has no other place for.

    Attributes:
        classic: their IOD.
        top: the modules of the multi-frame object.
    """

    classic: Iod
    top: Constant

    def shared(self, series: Series) -> Dataset:
        """Unassigned Shared Converted Attributes Macro (PS3.3 C.7.6.16.2.25.1)."""
        said = self.classic.constant_part(series)
        if len(series.image.frames) == 1:
            said.update(self.classic.frame_part(series, 0))
        at_the_top = merged(module(series) for module in self.top).keys()
        rest = _without(said, _ELSEWHERE | at_the_top)
        return dataset(UnassignedSharedConvertedAttributesSequence=[rest]) if rest else Dataset()

    def of_frame(self, series: Series, frame: int) -> Dataset:
        """Return what instances say of one frame of several."""
        several = len(series.image.frames) > 1
        return _without(self.classic.frame_part(series, frame), _ELSEWHERE) if several else Dataset()

    def of_slice(self, series: Series, k: int) -> Attributes:
        """Return what instances say of the slice's place."""
        return _unplaced(self.classic.slice_part(series, k))

    def of_instance(self, series: Series, instance: Instance) -> Attributes:
        """Return what one instance alone says."""
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


def _legacy(
    classic: Iod,
    name: str,
    sop_class: UID,
    own: Constant = (),
    groups: Constant = (),
    by_slope: tuple[Callable[[Series, Slope], Dataset], ...] = (),
    by_frame: tuple[Callable[[Series, int], Dataset], ...] = (),
) -> MultiFrameIod:
    """Return the IOD of what a single-frame IOD is converted to."""
    constant = (*_COMMON, _unknown_region, *own)
    said = _Said(classic, constant)
    return MultiFrameIod(
        name=name,
        sop_class=sop_class,
        constant=constant,
        by_object=(multi_frame_functional_groups, sop_instance_of_object),
        of_first=(original_header, safe_private),
        shared=(pixel_measures, known_frame_anatomy, frame_voi_lut, *groups, said.shared),
        repeated=(plane_orientation,),
        by_frame=(synchronization_of_frame, *by_frame),
        by_slope=(pixel_value_transformation, *by_slope),
        groups=(FRAME_CONTENT, PLANE_POSITION, *said.groups),
        may_be_concatenated=True,
        is_in_spatial_order=True,
    )


def _unknown_region(series: Series) -> Dataset:
    """Body Part Examined and Laterality of the General Series Module, where no Frame Anatomy tells of them."""
    return Dataset() if region_of(series) else body_part(series)


def _without(said: Dataset, tags: Collection[BaseTag]) -> Dataset:
    """Return a dataset without some attributes, and without private ones, which stand at the top."""
    rest = Dataset()
    rest.update({element.tag: element for element in said if element.tag not in tags and not element.tag.is_private})
    return rest


def _unplaced(said: Attributes) -> Attributes:
    """Return the values that have no other place."""
    return {keyword: value for keyword, value in said.items() if Tag(keyword) not in _ELSEWHERE}


def _ct_frame_type(_series: Series) -> Dataset:
    """CT Image Frame Type Macro (PS3.3 C.8.15.3.1)."""
    return dataset(CTImageFrameTypeSequence=[frame_type(ORIGINAL)])


def _pet_frame_type(_series: Series) -> Dataset:
    """PET Frame Type Macro (PS3.3 C.8.22.5.1)."""
    return dataset(PETFrameTypeSequence=[frame_type(ORIGINAL)])


LEGACY_CT_IMAGE = _legacy(
    CT_IMAGE,
    name="Legacy Converted Enhanced CT Image",
    sop_class=LegacyConvertedEnhancedCTImageStorage,
    own=(patient_position,),
    groups=(_ct_frame_type,),
    by_frame=(irradiation_event,),
)
LEGACY_PET_IMAGE = _legacy(
    PET_IMAGE,
    name="Legacy Converted Enhanced PET Image",
    sop_class=LegacyConvertedEnhancedPETImageStorage,
    groups=(_pet_frame_type,),
    by_slope=(real_world_value_mapping,),
)
