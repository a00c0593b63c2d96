"""Nuclear Medicine Image IOD (PS3.3 A.5) for reconstructed SPECT: an object for each time frame, or for all gates.

Slices stand in the order along the normal, since readers stack them in that direction. The object has one position,
and dcm2niix and NiiVue take it for granted that slices go on towards the head: so columns are reversed where row x
column would point towards the feet.
"""

from pydicom.uid import NuclearMedicineImageStorage

from inveonimaging.dicom.iods.iod import MultiFrameIod
from inveonimaging.dicom.modules.deidentification import deidentification, safe_private
from inveonimaging.dicom.modules.general import (
    body_part,
    frame_of_reference,
    general_equipment,
    general_series,
    general_study,
    sop_common,
)
from inveonimaging.dicom.modules.header_text import original_header
from inveonimaging.dicom.modules.image import image_comments, image_pixel, voi_lut
from inveonimaging.dicom.modules.multi_frame import sop_instance_of_object
from inveonimaging.dicom.modules.nm import (
    nm_detector,
    nm_image,
    nm_image_pixel,
    nm_isotope,
    nm_multi_frame,
    nm_multi_gated_acquisition,
    nm_reconstruction,
    nm_tomo_acquisition,
    nm_values,
)
from inveonimaging.dicom.modules.patient import patient, patient_study
from inveonimaging.dicom.modules.pet import nm_pet_patient_orientation

NM_IMAGE = MultiFrameIod(
    name="NM Image",
    sop_class=NuclearMedicineImageStorage,
    constant=(
        patient,
        general_study,
        patient_study,
        general_series,
        body_part,
        nm_pet_patient_orientation,
        frame_of_reference,
        general_equipment,
        image_comments,
        image_pixel,
        nm_image_pixel,
        nm_isotope,
        nm_detector,
        nm_tomo_acquisition,
        nm_multi_gated_acquisition,
        nm_reconstruction,
        voi_lut,
        sop_common,
        deidentification,
    ),
    by_object=(nm_image, nm_multi_frame, nm_values, sop_instance_of_object),
    of_first=(original_header, safe_private),
    holds_one_time_frame=True,
    is_in_spatial_order=True,
    points_to_head=True,
)
