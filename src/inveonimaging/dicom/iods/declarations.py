"""The SOP classes, each a declaration of modules and functional groups, but for the legacy converted ones."""

from __future__ import annotations

from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedPETImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
)

from inveonimaging.dicom.iods.iod import Constant, Group, Iod, MultiFrameIod
from inveonimaging.dicom.modules import ct, enhanced_pet, general, image, multi_frame, nm, pet
from inveonimaging.dicom.modules.deidentification import deidentification
from inveonimaging.dicom.modules.derivation import (
    derivation,
    derivation_of_frame,
    purpose,
    source_evidence,
    source_group,
    source_image,
    source_images,
)
from inveonimaging.dicom.modules.patient import patient, patient_study
from inveonimaging.dicom.modules.synchronization import synchronization_of_frame
from inveonimaging.dicom.series import Series
from inveonimaging.physics.quantification import Slope

_COMMON: Constant = (
    patient,
    general.general_study,
    patient_study,
    general.general_series,
    general.frame_of_reference,
    general.general_equipment,
    image.image_pixel,
    general.sop_common,
    deidentification,
    source_group,
)
MULTI_FRAME: Constant = (*_COMMON, multi_frame.multi_frame_dimension, multi_frame.acquisition_context)
"""Modules of objects with functional groups."""

_CLASSIC: Constant = (*_COMMON, general.body_part, image.image_comments, image.voi_lut, derivation)
_SOURCE_IMAGE = Group(keyword="SourceImageSequence", repeated=(purpose,), by_instance=(source_image,))

CT_IMAGE = Iod(  # PS3.3 A.3
    name="CT Image",
    sop_class=CTImageStorage,
    constant=(*_CLASSIC, general.patient_position, image.image_plane, ct.ct_image),
    by_frame=(general.general_acquisition,),
    by_slice=(image.image_position, image.slice_location),
    by_slope=(image.rescale,),
    by_instance=(image.general_image, general.sop_instance),
    groups=(_SOURCE_IMAGE,),
)

PET_IMAGE = Iod(  # PS3.3 A.21
    name="PET Image",
    sop_class=PositronEmissionTomographyImageStorage,
    constant=(
        *_CLASSIC,
        image.image_plane,
        pet.pet_series,
        pet.pet_isotope,
        pet.pet_multi_gated_acquisition,
        pet.nm_pet_patient_orientation,
        pet.pet_image,
    ),
    by_frame=(general.general_acquisition, pet.pet_image_of_frame),
    by_slice=(image.image_position, image.slice_location),
    by_slope=(image.rescale,),
    by_instance=(image.general_image, pet.pet_image_of_instance, general.sop_instance),
    groups=(_SOURCE_IMAGE,),
)

# PS3.3 A.5, for reconstructed SPECT: an object for each time frame, or for all gates. It has one position, and dcm2niix
# and NiiVue take it for granted that slices go on towards the head: so columns are reversed where row x column would
# point towards the feet.
NM_IMAGE = MultiFrameIod(
    name="NM Image",
    sop_class=NuclearMedicineImageStorage,
    constant=(
        *_CLASSIC,
        pet.nm_pet_patient_orientation,
        nm.nm_image_pixel,
        nm.nm_isotope,
        nm.nm_detector,
        nm.nm_tomo_acquisition,
        nm.nm_multi_gated_acquisition,
        nm.nm_reconstruction,
    ),
    by_object=(nm.nm_image, nm.nm_multi_frame, nm.nm_values, source_images, multi_frame.sop_instance_of_object),
    may_be_concatenated=False,
    holds_one_time_frame=True,
    points_to_head=True,
)


def with_functional_groups(
    name: str,
    sop_class: UID,
    constant: Constant,
    shared: Constant,
    by_frame: tuple[Callable[[Series, int], Dataset], ...] = (),
    by_slope: tuple[Callable[[Series, Slope], Dataset], ...] = (),
    groups: tuple[Group, ...] = (),
) -> MultiFrameIod:
    """Return an IOD with Multi-frame Functional Groups (PS3.3 C.7.6.16): its own, and those that all have.

    GDCM knows the distance between slices only if the first frame is the lowest one, and other programs stack frames
    as they come: so frames are in the order of time or gate and, in it, along the normal.
    """
    frame_content = Group(
        keyword="FrameContentSequence",
        by_frame=(multi_frame.frame_content_of_frame,),
        by_slice=(multi_frame.frame_content_of_slice,),
        by_instance=(multi_frame.dimension_index_values,),
    )
    plane_position = Group(keyword="PlanePositionSequence", by_slice=(image.image_position,))  # C.7.6.16.2.3
    derived = Group(keyword="DerivationImageSequence", repeated=(derivation_of_frame,), groups=(_SOURCE_IMAGE,))
    return MultiFrameIod(
        name=name,
        sop_class=sop_class,
        constant=constant,
        by_object=(multi_frame.multi_frame_functional_groups, source_evidence, multi_frame.sop_instance_of_object),
        shared=(multi_frame.pixel_measures, multi_frame.frame_voi_lut, *shared),
        repeated=(multi_frame.plane_orientation,),
        by_frame=(synchronization_of_frame, *by_frame),
        by_slope=(multi_frame.pixel_value_transformation, *by_slope),
        groups=(frame_content, plane_position, derived, *groups),
    )


_ENHANCED: Constant = (
    *MULTI_FRAME,
    general.body_part_examined,
    general.patient_position,
    general.enhanced_general_equipment,
    image.image_comments,
)

ENHANCED_CT_IMAGE = with_functional_groups(  # PS3.3 A.38
    name="Enhanced CT Image",
    sop_class=EnhancedCTImageStorage,
    constant=(*_ENHANCED, ct.enhanced_ct_image),
    shared=(multi_frame.frame_anatomy, ct.ct_image_frame_type, *ct.CT_ACQUISITION),
    by_frame=(multi_frame.irradiation_event,),
    by_slope=(multi_frame.real_world_value_mapping,),
)

ENHANCED_PET_IMAGE = with_functional_groups(  # PS3.3 A.56
    name="Enhanced PET Image",
    sop_class=EnhancedPETImageStorage,
    constant=(
        *_ENHANCED,
        enhanced_pet.enhanced_pet_series,
        enhanced_pet.enhanced_pet_isotope,
        enhanced_pet.enhanced_pet_acquisition,
        enhanced_pet.enhanced_pet_corrections,
        enhanced_pet.enhanced_pet_image,
    ),
    shared=(
        multi_frame.frame_anatomy,
        enhanced_pet.radiopharmaceutical_usage,
        enhanced_pet.pet_frame_type,
        enhanced_pet.pet_frame_acquisition,
        enhanced_pet.pet_position,
        enhanced_pet.pet_reconstruction,
        enhanced_pet.pet_table_dynamics,
    ),
    by_frame=(enhanced_pet.pet_frame_correction_factors,),
    by_slope=(multi_frame.real_world_value_mapping,),
)
