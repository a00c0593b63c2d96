"""The table of the format: one row a key, with the attribute of the model it fills, its type, and its comment.

The comments are what a written header says above each key, as the scanner's own headers do.
Sources and doubts of every row: the header dictionary in `docs/reference/header.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from inveonimaging.inveon.hdr import enums
from inveonimaging.inveon.hdr.redaction import Redaction
from inveonimaging.inveon.hdr.values import (
    CM,
    COUNTS,
    DATE,
    DELTAS,
    FILTER,
    FLAG,
    FLOAT,
    GATE_BINS,
    GATE_DESCRIPTION,
    INDEXED,
    INT,
    OFFSET,
    SINGLES,
    TEXT,
    USER,
    XYZ,
    Codec,
    code,
)


@dataclass(frozen=True)
class Field:
    """One row of the table.

    Attributes:
        attribute: its path in the model.
        codec: how the value is read and spelled.
        comment: what a written header says above it.
        repeats: the key occurs many times.
        redaction: what de-identification makes of the value; without it, text is removed, dates are shifted, and
            numbers and codes are kept.
    """

    attribute: str
    codec: Codec
    comment: str
    repeats: bool = False
    redaction: Redaction | None = None

    @property
    def redacted(self) -> Redaction:
        """What de-identification makes of the value."""
        return self.redaction or _REDACTIONS.get(self.codec, Redaction.NUMBER)


_REDACTIONS = {
    TEXT: Redaction.REMOVE,
    USER: Redaction.REMOVE,
    GATE_DESCRIPTION: Redaction.REMOVE,
    DATE: Redaction.DATE,
}


MAIN: dict[str, Field] = {
    "version": Field("version", FLOAT, "Version of header parameters (float)"),
    "manufacturer": Field("manufacturer", TEXT, "Manufacturer's name", redaction=Redaction.WORDS),
    "model": Field("model", code(enums.Model), "Scanner model"),
    "modality": Field("modality", code(enums.Modality), "Imaging modality"),
    "modality_configuration": Field(
        "modality_configuration", code(enums.ModalityConfiguration), "Configuration of the modality"
    ),
    "institution": Field("institution", TEXT, "Institution's name", redaction=Redaction.NAME),
    "study": Field("study", TEXT, "Study type or description"),
    "file_name": Field("file_name", TEXT, "Data file, possibly with path; may be out of date"),
    "file_type": Field("file_type", code(enums.FileType), "Kind of data"),
    "acquisition_mode": Field("acquisition_mode", code(enums.AcquisitionMode), "Acquisition mode"),
    "bed_control": Field("bed.control", code(enums.BedControl), "Bed controller"),
    "bed_motion": Field("bed.motion", code(enums.BedMotion), "Bed motion"),
    "number_of_bed_positions": Field("bed.positions", INT, "Number of bed positions"),
    "horizontal_bed_calibration": Field(
        "bed.horizontal_calibration_um", FLOAT, "Horizontal bed calibration, in microns"
    ),
    "vertical_bed_calibration": Field("bed.vertical_calibration_um", FLOAT, "Vertical bed calibration, in microns"),
    "registration_available": Field(
        "geometry.registration", code(enums.Registration), "Registration data available for this file"
    ),
    "transformation_matrix": Field("geometry.transformation_matrix_file", TEXT, "Transformation matrix file"),
    "spatial_identifier": Field(
        "geometry.spatial_identifier", TEXT, "Spatial identifier for registered data", redaction=Redaction.SPACE
    ),
    "total_frames": Field("total_frames", INT, "Total number of frames, over time, gates and beds"),
    "time_frames": Field("time_frames", INT, "Number of time frames"),
    "user": Field("user", USER, "User defined value, key and text", repeats=True),
    "acquisition_file_name": Field("acquisition_file_name", TEXT, "Acquisition file, without path"),
    "isotope": Field("tracer.isotope", TEXT, "Isotope", redaction=Redaction.WORDS),
    "isotope_half_life": Field("tracer.half_life_s", FLOAT, "Isotope half-life, in seconds"),
    "isotope_branching_fraction": Field(
        "tracer.branching_fraction", FLOAT, "Isotope branching fraction; not included in the scale factors"
    ),
    "transaxial_crystals_per_block": Field(
        "detector.transaxial_crystals_per_block", INT, "Transaxial crystals per block"
    ),
    "axial_crystals_per_block": Field("detector.axial_crystals_per_block", INT, "Axial crystals per block"),
    "intrinsic_crystal_offset": Field(
        "detector.intrinsic_crystal_offset", INT, "Crystal offset for intrinsic rotation"
    ),
    "transaxial_blocks": Field("detector.transaxial_blocks", INT, "Number of transaxial blocks"),
    "axial_blocks": Field("detector.axial_blocks", INT, "Number of axial blocks"),
    "transaxial_crystal_pitch": Field("detector.transaxial_crystal_pitch_mm", CM, "Transaxial crystal pitch, in cm"),
    "axial_crystal_pitch": Field("detector.axial_crystal_pitch_mm", CM, "Axial crystal pitch, in cm"),
    "radius": Field("detector.radius_mm", CM, "Ring radius to crystal face, in cm"),
    "radial_fov": Field("detector.radial_fov_mm", CM, "Radial field of view, in cm"),
    "src_radius": Field("detector.source_radius_mm", CM, "Transmission source radius, in cm"),
    "pt_src_radius": Field("detector.source_radius_mm", CM, "Transmission source radius, in cm (old name)"),
    "src_cm_per_rev": Field("detector.source_mm_per_revolution", CM, "Source travel per revolution, in cm"),
    "src_steps_per_rev": Field("detector.source_steps_per_revolution", INT, "Source encoder steps per revolution"),
    "pt_src_steps_per_rev": Field(
        "detector.source_steps_per_revolution", INT, "Source encoder steps per revolution (old name)"
    ),
    "tx_src_type": Field("detector.transmission_source", code(enums.TransmissionSource), "Transmission source type"),
    "default_projections": Field("detector.default_projections", INT, "Default number of projections"),
    "default_transaxial_angles": Field(
        "detector.default_transaxial_angles", INT, "Default number of transaxial angles"
    ),
    "crystal_thickness": Field("detector.crystal_thickness_mm", CM, "Crystal thickness, in cm"),
    "depth_of_interaction": Field("detector.depth_of_interaction_mm", CM, "Depth of interaction, in cm"),
    "transaxial_bin_size": Field("detector.transaxial_bin_size_mm", CM, "Transaxial projection bin size, in cm"),
    "axial_plane_size": Field("detector.axial_plane_size_mm", CM, "Axial plane size, in cm"),
    "number_detector_panels": Field("detector.panels", INT, "Number of detector panels"),
    "lld": Field("detector.lower_energy_kev", FLOAT, "Lower level energy threshold, in keV"),
    "uld": Field("detector.upper_energy_kev", FLOAT, "Upper level energy threshold, in keV"),
    "timing_window": Field("detector.timing_window_ns", FLOAT, "Coincidence timing window, in ns"),
    "data_type": Field("array.data_type", code(enums.DataType), "Data type and byte order"),
    "data_order": Field("array.order", code(enums.DataOrder), "Data order"),
    "span": Field("detector.span", INT, "Span of the 3D sinogram"),
    "ring_difference": Field("detector.ring_difference", INT, "Maximum ring difference of the 3D sinogram"),
    "number_of_dimensions": Field("array.dimensions", INT, "Number of dimensions of the data set"),
    "x_dimension": Field("array.x", INT, "Size of the x dimension"),
    "y_dimension": Field("array.y", INT, "Size of the y dimension"),
    "z_dimension": Field("array.z", INT, "Size of the z dimension"),
    "w_dimension": Field("array.w", INT, "Size of the w dimension (frames)"),
    "delta_elements": Field("array.delta_elements", DELTAS, "Elements per step of the delta dimension", repeats=True),
    "x_filter": Field(
        "reconstruction.x_filter", FILTER, "Reconstruction filter in x, window and cutoff (0.5 is Nyquist)"
    ),
    "y_filter": Field("reconstruction.y_filter", FILTER, "Reconstruction filter in y, window and cutoff"),
    "z_filter": Field("reconstruction.z_filter", FILTER, "Reconstruction filter in z, window and cutoff"),
    "histogram_version": Field("reconstruction.histogram_version", FLOAT, "Version of the histogramming program"),
    "rebinning_type": Field("reconstruction.rebinning_type", code(enums.Rebinning), "Rebinning"),
    "rebinning_version": Field("reconstruction.rebinning_version", FLOAT, "Version of the rebinning program"),
    "recon_algorithm": Field("reconstruction.algorithm", code(enums.ReconAlgorithm), "Reconstruction algorithm"),
    "recon_version": Field("reconstruction.version", FLOAT, "Version of the reconstruction program"),
    "map_subsets": Field("reconstruction.map_subsets", INT, "MAP subsets"),
    "map_osem3d_iterations": Field("reconstruction.map_osem3d_iterations", INT, "OSEM3D iterations before MAP"),
    "map_iterations": Field("reconstruction.map_iterations", INT, "MAP iterations"),
    "map_beta": Field("reconstruction.map_beta", FLOAT, "MAP beta value"),
    "map_blur_type": Field("reconstruction.map_blur_type", INT, "MAP blur type"),
    "map_prior_type": Field("reconstruction.map_prior_type", INT, "MAP prior type"),
    "map_blur_file": Field("reconstruction.map_blur_file", TEXT, "MAP blur file"),
    "map_pmatrix_file": Field("reconstruction.map_pmatrix_file", TEXT, "MAP p-matrix file"),
    "osem2d_method": Field("reconstruction.osem2d_method", code(enums.Osem2dMethod), "OSEM2D method"),
    "osem2d_subsets": Field("reconstruction.osem2d_subsets", INT, "OSEM2D subsets"),
    "osem2d_iterations": Field("reconstruction.osem2d_iterations", INT, "OSEM2D iterations"),
    "osem2d_em_iterations": Field("reconstruction.osem2d_em_iterations", INT, "OSEM2D EM iterations"),
    "osem2d_map": Field(
        "reconstruction.osem2d_map", TEXT, "OSEM2D epsilon and power for MAP", redaction=Redaction.MEASURE
    ),
    "osem2d_x_offset": Field("reconstruction.osem2d_x_offset_mm", CM, "OSEM2D large object offset in x, in cm"),
    "osem2d_y_offset": Field("reconstruction.osem2d_y_offset_mm", CM, "OSEM2D large object offset in y, in cm"),
    "osem2d_zoom": Field("reconstruction.osem2d_zoom", FLOAT, "OSEM2D zoom"),
    "deadtime_correction_applied": Field(
        "corrections.deadtime", code(enums.DeadtimeCorrection), "Dead-time correction applied to the data set"
    ),
    "decay_correction_applied": Field("corrections.decay", FLAG, "Decay correction applied to the data set"),
    "normalization_applied": Field(
        "corrections.normalization", code(enums.Normalization), "Normalization applied to the data set"
    ),
    "normalization_filename": Field("corrections.normalization_file", TEXT, "Normalization file"),
    "attenuation_applied": Field("corrections.attenuation", code(enums.Attenuation), "Attenuation correction applied"),
    "attenuation_filename": Field(
        "corrections.attenuation_file", TEXT, "Attenuation correction file", redaction=Redaction.ATTENUATION
    ),
    "scatter_correction": Field("corrections.scatter", code(enums.Scatter), "Scatter correction applied"),
    "scatter_version": Field("corrections.scatter_version", FLOAT, "Version of the scatter program"),
    "arc_correction_applied": Field("corrections.arc", FLAG, "Arc correction applied to the data set"),
    "rotation": Field("geometry.rotation_deg", FLOAT, "Rotation applied to the data set, in degrees"),
    "x_offset": Field("geometry.x_offset_mm", CM, "Offset in x applied to the data set, in cm"),
    "y_offset": Field("geometry.y_offset_mm", CM, "Offset in y applied to the data set, in cm"),
    "z_offset": Field("geometry.z_offset_mm", CM, "Offset in z applied to the data set, in cm"),
    "zoom": Field("geometry.zoom", FLOAT, "Zoom applied to the data set"),
    "volume_origin_x": Field("geometry.volume_origin_x", INT, "Origin of the volume in x, in voxels"),
    "volume_origin_y": Field("geometry.volume_origin_y", INT, "Origin of the volume in y, in voxels"),
    "volume_origin_z": Field("geometry.volume_origin_z", INT, "Origin of the volume in z, in voxels"),
    "pixel_size": Field("geometry.pixel_size_mm", CM, "Pixel size in the plane, in cm"),
    "pixel_size_x": Field("geometry.pixel_size_x_mm", FLOAT, "Voxel size in x, in mm"),
    "pixel_size_y": Field("geometry.pixel_size_y_mm", FLOAT, "Voxel size in y, in mm"),
    "pixel_size_z": Field("geometry.pixel_size_z_mm", FLOAT, "Voxel size in z, in mm"),
    "image_ref_shift": Field("geometry.image_ref_shift_mm", XYZ, "Image reference shift in x, y and z, in mm"),
    "image_ref_rotation": Field(
        "geometry.image_ref_rotation_deg", XYZ, "Image reference rotation in x, y and z, in degrees"
    ),
    "subject_orientation": Field("geometry.orientation", code(enums.Orientation), "Subject orientation in the scanner"),
    "calibration_units": Field("calibration.units", code(enums.CalibrationUnits), "Units of the calibrated data"),
    "calibration_factor": Field("calibration.factor", FLOAT, "Calibration factor; not included in the scale factors"),
    "calibration_branching_fraction": Field(
        "calibration.branching_fraction", FLOAT, "Branching fraction of the calibration source"
    ),
    "smooth_types": Field(
        "smoothing.filter", code(enums.Smoothing), "Smoothing filter run over the voxels by the workstation"
    ),
    "smooth_iter": Field("smoothing.iterations", INT, "How often the smoothing filter was run"),
    "smooth_threshold": Field("smoothing.threshold_percent", FLOAT, "Threshold of the smoothing, in percent"),
    "number_of_singles_rates": Field("detector.singles_rates", INT, "Number of singles rates of each frame"),
    "investigator": Field("acquisition.investigator", TEXT, "Investigator", redaction=Redaction.PERSON),
    "operator": Field("acquisition.operator", TEXT, "Operator", redaction=Redaction.PERSON),
    "study_identifier": Field("acquisition.study_identifier", TEXT, "Study identifier"),
    "acquisition_user_id": Field("acquisition.acquisition_user", TEXT, "User who acquired", redaction=Redaction.PERSON),
    "histogram_user_id": Field("acquisition.histogram_user", TEXT, "User who histogrammed", redaction=Redaction.PERSON),
    "reconstruction_user_id": Field(
        "acquisition.reconstruction_user", TEXT, "User who reconstructed", redaction=Redaction.PERSON
    ),
    "scatter_correction_user_id": Field(
        "acquisition.scatter_correction_user", TEXT, "User who corrected scatter", redaction=Redaction.PERSON
    ),
    "acquisition_notes": Field("acquisition.notes", TEXT, "Acquisition notes"),
    "scan_time": Field("acquisition.scan_time", DATE, "Start of the scan, local time"),
    "gmt_scan_time": Field("acquisition.gmt_scan_time", DATE, "Start of the scan, GMT"),
    "injected_compound": Field("tracer.compound", TEXT, "Injected compound", redaction=Redaction.WORDS),
    "dose_units": Field("tracer.dose_units", code(enums.ActivityUnits), "Units of the dose"),
    "dose": Field("tracer.dose", FLOAT, "Injected dose"),
    "injection_time": Field("tracer.injection_time", DATE, "Injection time, local time"),
    "injection_decay_correction": Field(
        "tracer.injection_decay_correction",
        FLOAT,
        "Decay factor from injection to start of scan; not included in the scale factors",
    ),
    "activity_units": Field("tracer.activity_units", code(enums.ActivityUnits), "Units of the activities"),
    "activity_before_injection": Field("tracer.activity_before_injection", FLOAT, "Activity before the injection"),
    "activity_before_injection_time": Field("tracer.activity_before_injection_time", DATE, "Time of that activity"),
    "residual_activity": Field("tracer.residual_activity", FLOAT, "Residual activity after the injection"),
    "residual_activity_time": Field("tracer.residual_activity_time", DATE, "Time of the residual activity"),
    "gate_inputs": Field("gating.inputs", INT, "Number of gate inputs"),
    "gate_bins": Field("gating.bins", GATE_BINS, "Gate input, bins, shortest and longest cycle in s", repeats=True),
    "gate_description": Field(
        "gating.descriptions", GATE_DESCRIPTION, "Gate input and description", repeats=True, redaction=Redaction.WORDS
    ),
    "subject_identifier": Field("subject.identifier", TEXT, "Subject identifier", redaction=Redaction.SUBJECT),
    "animal_number": Field("subject.animal_number", INT, "Number of the animal in a group", redaction=Redaction.REMOVE),
    "subject_genus": Field("subject.genus", TEXT, "Genus of the subject", redaction=Redaction.WORDS),
    "subject_length_units": Field("subject.length_units", code(enums.LengthUnits), "Units of the subject's length"),
    "subject_length": Field("subject.length", FLOAT, "Length of the subject"),
    "subject_weight_units": Field("subject.weight_units", code(enums.WeightUnits), "Units of the subject's weight"),
    "subject_weight": Field("subject.weight", FLOAT, "Weight of the subject"),
    "subject_phenotype": Field("subject.phenotype", TEXT, "Phenotype of the subject", redaction=Redaction.WORDS),
    "study_model": Field("subject.study_model", TEXT, "Study model"),
    "anesthesia": Field("subject.anesthesia", TEXT, "Anesthesia"),
    "analgesia": Field("subject.analgesia", TEXT, "Analgesia"),
    "other_drugs": Field("subject.other_drugs", TEXT, "Other drugs"),
    "food_access": Field("subject.food_access", TEXT, "Food access"),
    "water_access": Field("subject.water_access", TEXT, "Water access"),
    "subject_date_of_birth": Field(
        "subject.date_of_birth", TEXT, "Date of birth of the subject", redaction=Redaction.BIRTH
    ),
    "subject_age": Field("subject.age", TEXT, "Age of the subject", redaction=Redaction.AGE),
    "subject_sex": Field("subject.sex", TEXT, "Sex of the subject", redaction=Redaction.SEX),
    "subject_scan_region": Field(
        "subject.scan_region", TEXT, "Scanned region of the subject", redaction=Redaction.WORDS
    ),
    "subject_glucose_level": Field(
        "subject.glucose_level", TEXT, "Glucose level of the subject", redaction=Redaction.MEASURE
    ),
    "subject_glucose_level_time": Field(
        "subject.glucose_level_time", TEXT, "Time of the glucose level", redaction=Redaction.CLOCK
    ),
    "roi_file:": Field("roi_file", TEXT, "Region of interest file"),
    "gantry_rotation": Field("gantry.rotation", code(enums.GantryRotation), "Gantry rotation"),
    "rotation_direction": Field("gantry.direction", code(enums.RotationDirection), "Direction of gantry rotation"),
    "rotating_stage_start_position": Field("gantry.start_deg", FLOAT, "Rotating stage start position, in degrees"),
    "rotating_stage_stop_position": Field("gantry.stop_deg", FLOAT, "Rotating stage stop position, in degrees"),
    "number_of_projections": Field("gantry.projections", INT, "Number of projections"),
    "gantry_revolutions": Field("gantry.revolutions", FLOAT, "Gantry revolutions"),
    "projection": Field("gantry.projection_angles_deg", INDEXED, "Projection and its angle, in degrees", repeats=True),
    "projection_duration": Field("gantry.projection_durations", INDEXED, "Projection and its duration", repeats=True),
    "spect_pinhole_params": Field(
        "gantry.spect_pinhole_params", TEXT, "SPECT pinhole geometry", repeats=True, redaction=Redaction.MEASURE
    ),
    "ct_file_version": Field("ct.file_version", INT, "CT file version"),
    "ct_header_size": Field("ct.header_size", INT, "CT header size, in bytes"),
    "ct_proj_size_transaxial": Field("ct.projection_size_transaxial", INT, "CT transaxial projection size, in pixels"),
    "ct_proj_size_axial": Field("ct.projection_size_axial", INT, "CT axial projection size, in pixels"),
    "ct_average_dark_projections": Field(
        "ct.average_dark_projections", INT, "CT dark calibration projections averaged"
    ),
    "ct_average_light_projections": Field(
        "ct.average_light_projections", INT, "CT light calibration projections averaged"
    ),
    "ct_light_calibration_projections": Field(
        "ct.light_calibration_positions", INT, "CT positions at which light calibration projections were taken"
    ),
    "ct_dependent_light_calibration_projections": Field(
        "ct.light_calibration_at_scan_positions", FLAG, "CT light calibration taken at the positions of the scan"
    ),
    "ct_calibration_exposures": Field("ct.calibration_exposures", INT, "CT calibration exposures"),
    "ct_xray_detector_offset": Field("ct.detector_offset_mm", FLOAT, "CT detector offset, in mm"),
    "ct_detector_transaxial_position": Field("ct.detector_transaxial_position_mm", CM, "CT detector position, in cm"),
    "ct_uncropped_transaxial_pixels": Field("ct.uncropped_transaxial_pixels", INT, "CT uncropped transaxial pixels"),
    "ct_uncropped_axial_pixels": Field("ct.uncropped_axial_pixels", INT, "CT uncropped axial pixels"),
    "ct_cropped_transaxial_pixels": Field("ct.cropped_transaxial_pixels", INT, "CT cropped transaxial pixels"),
    "ct_cropped_axial_pixels": Field("ct.cropped_axial_pixels", INT, "CT cropped axial pixels"),
    "ct_xray_detector_pitch": Field("ct.detector_pitch_um", FLOAT, "CT detector pixel pitch, in microns"),
    "ct_horiz_rot_axis_bed_angle": Field(
        "ct.horizontal_rotation_axis_bed_angle_deg", FLOAT, "CT horizontal angle of rotation axis and bed, in degrees"
    ),
    "ct_vert_rot_axis_bed_angle": Field(
        "ct.vertical_rotation_axis_bed_angle_deg", FLOAT, "CT vertical angle of rotation axis and bed, in degrees"
    ),
    "ct_exposure_time": Field("ct.exposure_time_ms", FLOAT, "CT exposure time, in ms"),
    "ct_scan_time": Field("ct.scan_time", TEXT, "CT total scan time, min:sec", redaction=Redaction.MEASURE),
    "ct_warping": Field("ct.warping", code(enums.CtWarping), "CT warping"),
    "ct_defect_map_file_name": Field("ct.defect_map_file", TEXT, "CT defect map file"),
    "ct_xray_voltage": Field("ct.voltage_kv", FLOAT, "CT tube voltage, in kVp"),
    "ct_anode_current": Field("ct.anode_current_ua", FLOAT, "CT anode current, in uA"),
    "ct_cone_angle": Field("ct.cone_angle_deg", FLOAT, "CT cone angle, in degrees"),
    "ct_projection_interpolation": Field(
        "ct.projection_interpolation", code(enums.CtInterpolation), "CT projection interpolation"
    ),
    "ct_source_to_detector": Field("ct.source_to_detector", FLOAT, "CT distance source to detector"),
    "ct_source_to_crot": Field("ct.source_to_rotation_centre", FLOAT, "CT distance source to centre of rotation"),
    "ct_detector_vertical_offset": Field(
        "ct.detector_vertical_offset_px", FLOAT, "CT detector vertical offset, in pixels"
    ),
    "ct_detector_horizontal_tilt": Field(
        "ct.detector_horizontal_tilt_deg", FLOAT, "CT detector horizontal tilt, in degrees"
    ),
    "ct_detector_vertical_tilt": Field("ct.detector_vertical_tilt_deg", FLOAT, "CT detector vertical tilt, in degrees"),
    "ct_transaxial_bin_factor": Field("ct.transaxial_bin_factor", INT, "CT transaxial bin factor"),
    "ct_axial_bin_factor": Field("ct.axial_bin_factor", INT, "CT axial bin factor"),
    "ct_gating": Field("ct.gating", INT, "CT gating signal used"),
    "ct_hounsfield_scale": Field("ct.hounsfield_scale", FLOAT, "CT Hounsfield scale"),
    "ct_hounsfield_offset": Field("ct.hounsfield_offset", FLOAT, "CT Hounsfield offset"),
    "ct_attenuation_water": Field("ct.attenuation_water_per_cm", FLOAT, "CT attenuation of water, in 1/cm"),
    "ct_proj_downsample_factor": Field("ct.projection_downsample_factor", INT, "CT projection downsample factor"),
    "ct_first_recon_proj": Field("ct.first_recon_projection", INT, "CT first reconstructed projection"),
    "ct_last_recon_proj": Field("ct.last_recon_projection", INT, "CT last reconstructed projection"),
    "ct_recon_every_nth_proj": Field("ct.recon_every_nth_projection", INT, "CT every nth projection reconstructed"),
    "ct_tx_rotation_offsets": Field("ct.tx_rotation_offsets_mm", XYZ, "CT to TX rotation offsets in x, y and z, in mm"),
    "ct_tx_transaxial_offsets": Field("ct.tx_transaxial_offsets_mm", XYZ, "CT to TX offsets in x, y and z, in mm"),
    "ct_bh_correction": Field("ct.beam_hardening_correction", FLAG, "CT beam hardening correction applied"),
    "ct_aluminum_filter_thickness": Field("ct.aluminum_filter_mm", FLOAT, "CT aluminum filter thickness, in mm"),
    "ct_projection_average_center_offset": Field(
        "ct.projection_average_center_offset_mm", FLOAT, "CT mean projection centre offset, in mm"
    ),
    "ct_projection_center_offset": Field(
        "ct.projection_center_offsets_mm", INDEXED, "CT projection and its centre offset, in mm", repeats=True
    ),
    "ct_projection_horizontal_bed_offset": Field(
        "ct.projection_horizontal_bed_offsets_mm", INDEXED, "CT projection and its bed offset, in mm", repeats=True
    ),
}

FRAME: dict[str, Field] = {
    "frame": Field("index", INT, "Frame number, from 0"),
    "detector_panel": Field("detector_panel", INT, "Detector panel"),
    "event_type": Field("event_type", code(enums.EventType), "Event type"),
    "energy_window": Field("energy_window", INT, "Energy window"),
    "gate": Field("gate", INT, "Gate number"),
    "bed": Field("bed", INT, "Bed number"),
    "bed_offset": Field("bed_offset_mm", CM, "Bed offset, in cm"),
    "ending_bed_offset": Field("ending_bed_offset_mm", CM, "Ending bed offset, in cm"),
    "bed_passes": Field("bed_passes", INT, "Number of bed passes"),
    "vertical_bed_offset": Field("vertical_bed_offset_mm", CM, "Vertical bed offset, in cm"),
    "data_file_pointer": Field("data_offset", OFFSET, "Offset of the data in the file, high and low 32 bits"),
    "frame_start": Field("start_s", FLOAT, "Start of the frame after the start of the scan, in s"),
    "frame_duration": Field("duration_s", FLOAT, "Duration of the frame, in s"),
    "scale_factor": Field("scale_factor", FLOAT, "Scale factor for the data"),
    "minimum": Field("minimum", FLOAT, "Minimum of the stored values"),
    "maximum": Field("maximum", FLOAT, "Maximum of the stored values"),
    "deadtime_correction": Field("deadtime_correction", FLOAT, "Dead-time correction; included in the scale factor"),
    "decay_correction": Field("decay_correction", FLOAT, "Decay correction; included in the scale factor"),
    "prompts": Field("prompts", COUNTS, "Number of prompts"),
    "prompts_rate": Field("prompts_rate", FLOAT, "Prompts per second"),
    "delays": Field("delays", COUNTS, "Number of delays"),
    "delays_rate": Field("delays_rate", FLOAT, "Delays per second"),
    "trues": Field("trues", COUNTS, "Number of trues"),
    "singles": Field("singles", SINGLES, "Block, singles per second, raw singles per second", repeats=True),
}
