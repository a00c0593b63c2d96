"""Positron Emission Tomography Image IOD (PS3.3 A.21)."""

from pydicom.uid import PositronEmissionTomographyImageStorage

from inveonimaging.dicom.iods.iod import SingleFrameIod
from inveonimaging.dicom.modules.deidentification import deidentification, safe_private
from inveonimaging.dicom.modules.general import (
    body_part,
    frame_of_reference,
    general_acquisition,
    general_equipment,
    general_series,
    general_study,
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
from inveonimaging.dicom.modules.pet import (
    nm_pet_patient_orientation,
    pet_image,
    pet_image_of_frame,
    pet_image_of_instance,
    pet_isotope,
    pet_multi_gated_acquisition,
    pet_series,
)

PET_IMAGE = SingleFrameIod(
    name="PET Image",
    sop_class=PositronEmissionTomographyImageStorage,
    constant=(
        patient,
        general_study,
        patient_study,
        general_series,
        body_part,
        pet_series,
        pet_isotope,
        pet_multi_gated_acquisition,
        nm_pet_patient_orientation,
        frame_of_reference,
        general_equipment,
        image_comments,
        image_plane,
        image_pixel,
        pet_image,
        voi_lut,
        sop_common,
        deidentification,
    ),
    by_frame=(general_acquisition, pet_image_of_frame),
    by_slice=(image_position, slice_location),
    by_slope=(rescale,),
    by_instance=(general_image, pet_image_of_instance, sop_instance),
    of_first=(original_header, safe_private),
)
