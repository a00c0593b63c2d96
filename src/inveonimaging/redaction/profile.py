"""The table of what happens to each key of a header; a key without a row is removed, and so is every comment.

`docs/how-to/deidentify.md` says the same, with the reasons.
"""

from __future__ import annotations

from enum import Enum


class Action(str, Enum):
    """What happens to the value of a key."""

    NUMBER = "kept if it is a number or a code"
    WORDS = "kept as typed, if it is short and holds no date, address or removed name"
    MEASURE = "kept if it is numbers, with a unit"
    AGE = "kept if it is an age"
    SEX = "kept if it is a sex"
    DATE = "kept or shifted"
    CLOCK = "kept if it is a time of day; kept or shifted with a date"
    BIRTH = "shifted; with dates that are kept, replaced by the age"
    SUBJECT = "replaced by a pseudonym"
    SPACE = "replaced by a number that is the same for the same text"
    ATTENUATION = "replaced by the new name of the CT that it names, else removed"
    REMOVE = "removed"


def _rows(actions: dict[Action, str]) -> dict[str, Action]:
    return {key: action for action, keys in actions.items() for key in keys.split()}


MAIN = _rows(
    {
        Action.REMOVE: """
            institution study file_name transformation_matrix user acquisition_file_name
            map_blur_file map_pmatrix_file normalization_filename
            investigator operator study_identifier acquisition_user_id histogram_user_id reconstruction_user_id
            scatter_correction_user_id acquisition_notes
            animal_number study_model anesthesia analgesia other_drugs food_access water_access
            roi_file: ct_defect_map_file_name
        """,
        Action.SUBJECT: "subject_identifier",
        Action.SPACE: "spatial_identifier",
        Action.ATTENUATION: "attenuation_filename",
        Action.DATE: """
            scan_time gmt_scan_time injection_time activity_before_injection_time residual_activity_time
        """,
        Action.BIRTH: "subject_date_of_birth",
        Action.CLOCK: "subject_glucose_level_time",
        Action.AGE: "subject_age",
        Action.SEX: "subject_sex",
        Action.WORDS: """
            manufacturer isotope injected_compound gate_description subject_genus subject_phenotype subject_scan_region
        """,
        Action.MEASURE: "osem2d_map subject_glucose_level spect_pinhole_params ct_scan_time",
        Action.NUMBER: """
            version model modality modality_configuration file_type acquisition_mode
            bed_control bed_motion number_of_bed_positions horizontal_bed_calibration vertical_bed_calibration
            registration_available total_frames time_frames
            isotope_half_life isotope_branching_fraction
            transaxial_crystals_per_block axial_crystals_per_block intrinsic_crystal_offset transaxial_blocks
            axial_blocks transaxial_crystal_pitch axial_crystal_pitch radius radial_fov src_radius pt_src_radius
            src_cm_per_rev src_steps_per_rev pt_src_steps_per_rev tx_src_type default_projections
            default_transaxial_angles crystal_thickness depth_of_interaction transaxial_bin_size axial_plane_size
            number_detector_panels lld uld timing_window span ring_difference number_of_singles_rates
            data_type data_order number_of_dimensions x_dimension y_dimension z_dimension w_dimension delta_elements
            x_filter y_filter z_filter histogram_version rebinning_type rebinning_version recon_algorithm recon_version
            map_subsets map_osem3d_iterations map_iterations map_beta map_blur_type map_prior_type
            osem2d_method osem2d_subsets osem2d_iterations osem2d_em_iterations osem2d_x_offset osem2d_y_offset
            osem2d_zoom
            deadtime_correction_applied decay_correction_applied normalization_applied attenuation_applied
            scatter_correction scatter_version arc_correction_applied
            rotation x_offset y_offset z_offset zoom volume_origin_x volume_origin_y volume_origin_z
            pixel_size pixel_size_x pixel_size_y pixel_size_z image_ref_shift image_ref_rotation subject_orientation
            calibration_units calibration_factor calibration_branching_fraction
            smooth_types smooth_iter smooth_threshold
            dose_units dose injection_decay_correction activity_units activity_before_injection residual_activity
            gate_inputs gate_bins
            subject_length_units subject_length subject_weight_units subject_weight
            gantry_rotation rotation_direction rotating_stage_start_position rotating_stage_stop_position
            number_of_projections gantry_revolutions projection projection_duration
            ct_file_version ct_header_size ct_proj_size_transaxial ct_proj_size_axial ct_average_dark_projections
            ct_average_light_projections ct_light_calibration_projections ct_dependent_light_calibration_projections
            ct_calibration_exposures ct_xray_detector_offset ct_detector_transaxial_position
            ct_uncropped_transaxial_pixels ct_uncropped_axial_pixels ct_cropped_transaxial_pixels
            ct_cropped_axial_pixels ct_xray_detector_pitch ct_horiz_rot_axis_bed_angle ct_vert_rot_axis_bed_angle
            ct_exposure_time ct_warping ct_xray_voltage ct_anode_current ct_cone_angle ct_projection_interpolation
            ct_source_to_detector ct_source_to_crot ct_detector_vertical_offset ct_detector_horizontal_tilt
            ct_detector_vertical_tilt ct_transaxial_bin_factor ct_axial_bin_factor ct_gating ct_hounsfield_scale
            ct_hounsfield_offset ct_attenuation_water ct_proj_downsample_factor ct_first_recon_proj
            ct_last_recon_proj ct_recon_every_nth_proj ct_tx_rotation_offsets ct_tx_transaxial_offsets
            ct_bh_correction ct_aluminum_filter_thickness ct_projection_average_center_offset
            ct_projection_center_offset ct_projection_horizontal_bed_offset
        """,
    }
)
"""Keys of the main block."""

FRAME = _rows(
    {
        Action.NUMBER: """
            frame detector_panel event_type energy_window gate bed bed_offset ending_bed_offset bed_passes
            vertical_bed_offset data_file_pointer frame_start frame_duration scale_factor minimum maximum
            deadtime_correction decay_correction prompts prompts_rate delays delays_rate trues singles
        """,
    }
)
"""Keys of a frame block."""

NAMES_OF_PEOPLE = (
    "investigator",
    "operator",
    "acquisition_user_id",
    "histogram_user_id",
    "reconstruction_user_id",
    "scatter_correction_user_id",
)
"""Keys whose values, and the longer words in them, must not stand in what is kept as typed."""

NAMES = (*NAMES_OF_PEOPLE, "institution", "subject_identifier")
"""Keys whose values must not stand in what is kept as typed."""
