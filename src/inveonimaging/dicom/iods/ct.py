"""CT Image IOD (PS3.3 A.3)."""

from pydicom.uid import CTImageStorage

from inveonimaging.dicom.iods.iod import SingleFrameIod
from inveonimaging.dicom.modules.ct import ct_image
from inveonimaging.dicom.modules.deidentification import deidentification, safe_private
from inveonimaging.dicom.modules.general import (
    body_part,
    frame_of_reference,
    general_acquisition,
    general_equipment,
    general_series,
    general_study,
    patient_position,
    sop_common,
    sop_instance,
)
from inveonimaging.dicom.modules.header_text import original_header
from inveonimaging.dicom.modules.image import (
    general_image,
    image_comments,
    image_pixel,
    image_plane,
    image_position,
    rescale,
    slice_location,
    voi_lut,
)
from inveonimaging.dicom.modules.patient import patient, patient_study

CT_IMAGE = SingleFrameIod(
    name="CT Image",
    sop_class=CTImageStorage,
    constant=(
        patient,
        general_study,
        patient_study,
        general_series,
        body_part,
        patient_position,
        frame_of_reference,
        general_equipment,
        image_comments,
        image_plane,
        image_pixel,
        ct_image,
        voi_lut,
        sop_common,
        deidentification,
    ),
    by_frame=(general_acquisition,),
    by_slice=(image_position, slice_location),
    by_slope=(rescale,),
    by_instance=(general_image, sop_instance),
    of_first=(original_header, safe_private),
)
