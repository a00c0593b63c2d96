"""Enhanced CT and Enhanced PET Image IODs (PS3.3 A.38, A.56).

Frames stand in the order of time and, in each time step or gate, along the normal: GDCM knows the distance between
slices only if the first frame is the lowest one, and other programs stack frames as they come.
"""

from pydicom.uid import EnhancedCTImageStorage, EnhancedPETImageStorage

from inveonimaging.dicom.iods.groups import FRAME_CONTENT, PLANE_POSITION
from inveonimaging.dicom.iods.iod import MultiFrameIod
from inveonimaging.dicom.modules.deidentification import deidentification, safe_private
from inveonimaging.dicom.modules.enhanced_ct import CT_ACQUISITION, ct_image_frame_type, enhanced_ct_image
from inveonimaging.dicom.modules.enhanced_pet import (
    enhanced_pet_acquisition,
    enhanced_pet_corrections,
    enhanced_pet_image,
    enhanced_pet_isotope,
    enhanced_pet_series,
    pet_frame_acquisition,
    pet_frame_correction_factors,
    pet_frame_type,
    pet_position,
    pet_reconstruction,
    pet_table_dynamics,
    radiopharmaceutical_usage,
)
from inveonimaging.dicom.modules.functional_groups import (
    frame_anatomy,
    frame_voi_lut,
    irradiation_event,
    pixel_measures,
    pixel_value_transformation,
    plane_orientation,
    real_world_value_mapping,
)
from inveonimaging.dicom.modules.general import (
    body_part_examined,
    enhanced_general_equipment,
    frame_of_reference,
    general_equipment,
    general_series,
    general_study,
    patient_position,
    sop_common,
)
from inveonimaging.dicom.modules.header_text import original_header
from inveonimaging.dicom.modules.image import image_comments, image_pixel
from inveonimaging.dicom.modules.multi_frame import (
    acquisition_context,
    multi_frame_dimension,
    multi_frame_functional_groups,
    sop_instance_of_object,
)
from inveonimaging.dicom.modules.patient import patient, patient_study
from inveonimaging.dicom.modules.synchronization import synchronization_of_frame

_COMMON = (
    patient,
    general_study,
    patient_study,
    general_series,
    body_part_examined,
    patient_position,
    frame_of_reference,
    general_equipment,
    enhanced_general_equipment,
    image_comments,
    image_pixel,
    multi_frame_dimension,
    acquisition_context,
    sop_common,
    deidentification,
)
_OF_OBJECT = (multi_frame_functional_groups, sop_instance_of_object)
_SHARED = (pixel_measures, frame_anatomy, frame_voi_lut)

ENHANCED_CT_IMAGE = MultiFrameIod(
    name="Enhanced CT Image",
    sop_class=EnhancedCTImageStorage,
    constant=(*_COMMON, enhanced_ct_image),
    of_first=(original_header, safe_private),
    by_object=_OF_OBJECT,
    shared=(
        *_SHARED,
        ct_image_frame_type,
        *CT_ACQUISITION,
    ),
    repeated=(plane_orientation,),
    by_frame=(irradiation_event, synchronization_of_frame),
    by_slope=(pixel_value_transformation, real_world_value_mapping),
    groups=(FRAME_CONTENT, PLANE_POSITION),
    may_be_concatenated=True,
    is_in_spatial_order=True,
)

ENHANCED_PET_IMAGE = MultiFrameIod(
    name="Enhanced PET Image",
    sop_class=EnhancedPETImageStorage,
    constant=(
        *_COMMON,
        enhanced_pet_series,
        enhanced_pet_isotope,
        enhanced_pet_acquisition,
        enhanced_pet_corrections,
        enhanced_pet_image,
    ),
    of_first=(original_header, safe_private),
    by_object=_OF_OBJECT,
    shared=(
        *_SHARED,
        radiopharmaceutical_usage,
        pet_frame_type,
        pet_frame_acquisition,
        pet_position,
        pet_reconstruction,
        pet_table_dynamics,
    ),
    repeated=(plane_orientation,),
    by_frame=(pet_frame_correction_factors, synchronization_of_frame),
    by_slope=(pixel_value_transformation, real_world_value_mapping),
    groups=(FRAME_CONTENT, PLANE_POSITION),
    may_be_concatenated=True,
    is_in_spatial_order=True,
)
