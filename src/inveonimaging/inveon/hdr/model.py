"""What a header says, typed and frozen; None is what it does not say (key absent, value empty or untypable).

A name carries its unit (`half_life_s`, `pixel_size_mm`); the few values whose unit is in another key keep the
number as it was written and give the converted one as a property (`dose` in `dose_units`, `dose_bq`).
Each attribute is declared with the key that fills it; sources and doubts of every key: the header dictionary in
`docs/reference/header.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NamedTuple

from inveonimaging import units
from inveonimaging.errors import printable
from inveonimaging.inveon.dose import Measured, net_dose
from inveonimaging.inveon.hdr import enums
from inveonimaging.inveon.hdr.lexer import END, Block
from inveonimaging.inveon.hdr.redaction import Redaction
from inveonimaging.inveon.hdr.values import (
    CM,
    COUNTS,
    OFFSET,
    Codec,
    DeltaElements,
    Filter,
    GateBins,
    GateDescription,
    Indexed,
    Singles,
    User,
    Xyz,
)

_EPOCH_YEAR = 1970


_BQ = {enums.ActivityUnits.MCI: units.MBQ_PER_MCI * units.BQ_PER_MBQ, enums.ActivityUnits.MBQ: units.BQ_PER_MBQ}
_KG = {
    enums.WeightUnits.GRAM: units.KG_PER_GRAM,
    enums.WeightUnits.OUNCE: units.KG_PER_OUNCE,
    enums.WeightUnits.KILOGRAM: units.ONE,
    enums.WeightUnits.POUND: units.KG_PER_POUND,
}
_M = {
    enums.LengthUnits.MM: units.M_PER_MM,
    enums.LengthUnits.CM: units.M_PER_MM * units.MM_PER_CM,
    enums.LengthUnits.INCH: units.M_PER_MM * units.MM_PER_INCH,
}


def _converted(value: float | None, factor: Decimal | None) -> float | None:
    converted = units.convert(value, factor) if value and value > 0 and factor else 0.0
    return converted if 0 < converted < math.inf else None


def _entered(moment: datetime | None) -> datetime | None:
    return moment if moment and moment.year > _EPOCH_YEAR else None


class Extra(NamedTuple):
    """A line of an unknown key, or of a known one whose value could not be typed."""

    key: str
    value: str


class Key(NamedTuple):
    """The row of an attribute; `fields` makes the table of the format of them.

    Attributes:
        name: the key that fills the attribute.
        comment: what a written header says above the key, as the scanner's own headers do.
        codec: how the value is read and spelled, if not as values of the attribute's type are.
        repeats: the key occurs many times.
        redaction: what de-identification makes of the value, if not what it makes of values of its type.
        old: a former name of the key.
    """

    name: str
    comment: str
    codec: Codec | None = None
    repeats: bool = False
    redaction: Redaction | None = None
    old: str | None = None


def key(name: str, comment: str, codec: Codec | None = None, *, repeats: bool = False, **more: Any) -> Any:
    """Declare an attribute that a key fills; arguments as `Key`. It is None without the key, or empty if it repeats."""
    row = Key(name, comment, codec, repeats, **more)
    return field(default=() if repeats else None, metadata={"key": row})


class KeyedText:
    """The texts of a block's keys, as they were written: a mapping from key to text.

    `source` holds the lines as they were read, so that writing a header back changes only what was changed; it takes no
    part in comparison.
    """

    source: Block

    @property
    def _where(self) -> str:
        return "the header"

    def line_of(self, key: str) -> int | None:
        """Return the number of the line that gives this key, None if there is none."""
        return next((line.number for line in reversed(self.source) if line.key == key), None)

    def __getitem__(self, key: str) -> str:
        """Return the text of a key, as it was written; of a key that occurs again, the last one.

        Raises:
            KeyError: the block has no such key.
        """
        found = self.texts(key)
        if found:
            return found[-1]
        near = get_close_matches(str(key), self.keys(), n=1)
        meant = f"; did you mean '{near[0]}'?" if near else ""
        raise KeyError(f"{self._where} has no key '{printable(str(key), 60)}'{meant}")

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> tuple[str, ...]:
        """Return the keys of the block, each once, in their order."""
        return tuple(dict.fromkeys(line.key for line in self.source if line.key and line.key != END))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return all texts of a key, such as `user`, in their order; empty if the block does not have it."""
        return tuple(line.value for line in self.source if line.key and line.key == key)


@dataclass(frozen=True, kw_only=True)
class Bed:
    """Bed control and calibration."""

    control: enums.BedControl | None = key("bed_control", "Bed controller")
    motion: enums.BedMotion | None = key("bed_motion", "Bed motion")
    positions: int | None = key("number_of_bed_positions", "Number of bed positions")
    horizontal_calibration_um: float | None = key(
        "horizontal_bed_calibration", "Horizontal bed calibration, in microns"
    )
    vertical_calibration_um: float | None = key("vertical_bed_calibration", "Vertical bed calibration, in microns")


@dataclass(frozen=True, kw_only=True)
class Tracer:
    """Isotope, compound and doses."""

    isotope: str | None = key("isotope", "Isotope", redaction=Redaction.WORDS)
    half_life_s: float | None = key("isotope_half_life", "Isotope half-life, in seconds")
    branching_fraction: float | None = key(
        "isotope_branching_fraction", "Isotope branching fraction; not included in the scale factors"
    )
    compound: str | None = key("injected_compound", "Injected compound", redaction=Redaction.WORDS)
    dose_units: enums.ActivityUnits | None = key("dose_units", "Units of the dose")
    dose: float | None = key("dose", "Injected dose")
    injection_time: datetime | None = key("injection_time", "Injection time, local time")
    injection_decay_correction: float | None = key(
        "injection_decay_correction", "Decay factor from injection to start of scan; not included in the scale factors"
    )
    activity_units: enums.ActivityUnits | None = key("activity_units", "Units of the activities")
    activity_before_injection: float | None = key("activity_before_injection", "Activity before the injection")
    activity_before_injection_time: datetime | None = key("activity_before_injection_time", "Time of that activity")
    residual_activity: float | None = key("residual_activity", "Residual activity after the injection")
    residual_activity_time: datetime | None = key("residual_activity_time", "Time of the residual activity")

    @property
    def entered_dose_bq(self) -> float | None:
        """`dose` in Bq; None without a dose above 0 or without a known unit."""
        return _converted(self.dose, _BQ.get(self.dose_units or enums.ActivityUnits.UNKNOWN))

    @property
    def before_injection_bq(self) -> float | None:
        """`activity_before_injection` in Bq; None without an activity above 0 or without a known unit."""
        return _converted(self.activity_before_injection, _BQ.get(self.activity_units or enums.ActivityUnits.UNKNOWN))

    @property
    def residual_bq(self) -> float | None:
        """`residual_activity` in Bq, 0 or above; None if it is not known, or has no known unit."""
        factor = _BQ.get(self.activity_units or enums.ActivityUnits.UNKNOWN)
        return 0.0 if factor and self.residual_activity == 0 else _converted(self.residual_activity, factor)

    @property
    def measured_dose_bq(self) -> float | None:
        """`activity_before_injection` less `residual_activity`, both at the injection, in Bq.

        It is 0 or less where more was left than had been there. It is None unless all of it is known: a console
        writes 0 for an activity, and the epoch for a time, that nobody entered.
        """
        before = Measured(self.before_injection_bq, _entered(self.activity_before_injection_time))
        residual = Measured(self.residual_bq, _entered(self.residual_activity_time))
        return net_dose(before, residual, self.injected_at, self.half_life_s)

    @property
    def dose_bq(self) -> float | None:
        """The dose at the injection, in Bq: what was measured, else what was entered; None if neither is known."""
        measured = self.measured_dose_bq
        return measured if measured and measured > 0 else self.entered_dose_bq

    @property
    def injected_at(self) -> datetime | None:
        """`injection_time`; None for the epoch, which a console writes for no time at all."""
        return _entered(self.injection_time)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """System calibration; not contained in a frame's scale factor."""

    units: enums.CalibrationUnits | None = key("calibration_units", "Units of the calibrated data")
    factor: float | None = key("calibration_factor", "Calibration factor; not included in the scale factors")
    branching_fraction: float | None = key(
        "calibration_branching_fraction", "Branching fraction of the calibration source"
    )


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """The filter that the workstation ran over the voxels after the reconstruction."""

    filter: enums.Smoothing | None = key("smooth_types", "Smoothing filter run over the voxels by the workstation")
    iterations: int | None = key("smooth_iter", "How often the smoothing filter was run")
    threshold_percent: float | None = key("smooth_threshold", "Threshold of the smoothing, in percent")


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What was corrected, how, and with which file."""

    deadtime: enums.DeadtimeCorrection | None = key(
        "deadtime_correction_applied", "Dead-time correction applied to the data set"
    )
    decay: bool | None = key("decay_correction_applied", "Decay correction applied to the data set")
    normalization: enums.Normalization | None = key("normalization_applied", "Normalization applied to the data set")
    normalization_file: str | None = key("normalization_filename", "Normalization file")
    attenuation: enums.Attenuation | None = key("attenuation_applied", "Attenuation correction applied")
    attenuation_file: str | None = key(
        "attenuation_filename", "Attenuation correction file", redaction=Redaction.ATTENUATION
    )
    scatter: enums.Scatter | None = key("scatter_correction", "Scatter correction applied")
    scatter_version: float | None = key("scatter_version", "Version of the scatter program")
    arc: bool | None = key("arc_correction_applied", "Arc correction applied to the data set")


@dataclass(frozen=True, kw_only=True)
class Detector:
    """PET detector geometry, energy and coincidence windows."""

    transaxial_crystals_per_block: int | None = key("transaxial_crystals_per_block", "Transaxial crystals per block")
    axial_crystals_per_block: int | None = key("axial_crystals_per_block", "Axial crystals per block")
    intrinsic_crystal_offset: int | None = key("intrinsic_crystal_offset", "Crystal offset for intrinsic rotation")
    transaxial_blocks: int | None = key("transaxial_blocks", "Number of transaxial blocks")
    axial_blocks: int | None = key("axial_blocks", "Number of axial blocks")
    transaxial_crystal_pitch_mm: float | None = key("transaxial_crystal_pitch", "Transaxial crystal pitch, in cm", CM)
    axial_crystal_pitch_mm: float | None = key("axial_crystal_pitch", "Axial crystal pitch, in cm", CM)
    radius_mm: float | None = key("radius", "Ring radius to crystal face, in cm", CM)
    radial_fov_mm: float | None = key("radial_fov", "Radial field of view, in cm", CM)
    source_radius_mm: float | None = key("src_radius", "Transmission source radius, in cm", CM, old="pt_src_radius")
    source_mm_per_revolution: float | None = key("src_cm_per_rev", "Source travel per revolution, in cm", CM)
    source_steps_per_revolution: int | None = key(
        "src_steps_per_rev", "Source encoder steps per revolution", old="pt_src_steps_per_rev"
    )
    transmission_source: enums.TransmissionSource | None = key("tx_src_type", "Transmission source type")
    default_projections: int | None = key("default_projections", "Default number of projections")
    default_transaxial_angles: int | None = key("default_transaxial_angles", "Default number of transaxial angles")
    crystal_thickness_mm: float | None = key("crystal_thickness", "Crystal thickness, in cm", CM)
    depth_of_interaction_mm: float | None = key("depth_of_interaction", "Depth of interaction, in cm", CM)
    transaxial_bin_size_mm: float | None = key("transaxial_bin_size", "Transaxial projection bin size, in cm", CM)
    axial_plane_size_mm: float | None = key("axial_plane_size", "Axial plane size, in cm", CM)
    panels: int | None = key("number_detector_panels", "Number of detector panels")
    lower_energy_kev: float | None = key("lld", "Lower level energy threshold, in keV")
    upper_energy_kev: float | None = key("uld", "Upper level energy threshold, in keV")
    timing_window_ns: float | None = key("timing_window", "Coincidence timing window, in ns")
    span: int | None = key("span", "Span of the 3D sinogram")
    ring_difference: int | None = key("ring_difference", "Maximum ring difference of the 3D sinogram")
    singles_rates: int | None = key("number_of_singles_rates", "Number of singles rates of each frame")


@dataclass(frozen=True, kw_only=True)
class Array:
    """Type and size of the voxel array; x is fastest, then y, z and frame."""

    data_type: enums.DataType | None = key("data_type", "Data type and byte order")
    order: enums.DataOrder | None = key("data_order", "Data order")
    dimensions: int | None = key("number_of_dimensions", "Number of dimensions of the data set")
    x: int | None = key("x_dimension", "Size of the x dimension")
    y: int | None = key("y_dimension", "Size of the y dimension")
    z: int | None = key("z_dimension", "Size of the z dimension")
    w: int | None = key("w_dimension", "Size of the w dimension (frames)")
    delta_elements: tuple[DeltaElements, ...] = key(
        "delta_elements", "Elements per step of the delta dimension", repeats=True
    )


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """Reconstruction and what went before it."""

    x_filter: Filter | None = key("x_filter", "Reconstruction filter in x, window and cutoff (0.5 is Nyquist)")
    y_filter: Filter | None = key("y_filter", "Reconstruction filter in y, window and cutoff")
    z_filter: Filter | None = key("z_filter", "Reconstruction filter in z, window and cutoff")
    histogram_version: float | None = key("histogram_version", "Version of the histogramming program")
    rebinning_type: enums.Rebinning | None = key("rebinning_type", "Rebinning")
    rebinning_version: float | None = key("rebinning_version", "Version of the rebinning program")
    algorithm: enums.ReconAlgorithm | None = key("recon_algorithm", "Reconstruction algorithm")
    version: float | None = key("recon_version", "Version of the reconstruction program")
    map_subsets: int | None = key("map_subsets", "MAP subsets")
    map_osem3d_iterations: int | None = key("map_osem3d_iterations", "OSEM3D iterations before MAP")
    map_iterations: int | None = key("map_iterations", "MAP iterations")
    map_beta: float | None = key("map_beta", "MAP beta value")
    map_blur_type: int | None = key("map_blur_type", "MAP blur type")
    map_prior_type: int | None = key("map_prior_type", "MAP prior type")
    map_blur_file: str | None = key("map_blur_file", "MAP blur file")
    map_pmatrix_file: str | None = key("map_pmatrix_file", "MAP p-matrix file")
    osem2d_method: enums.Osem2dMethod | None = key("osem2d_method", "OSEM2D method")
    osem2d_subsets: int | None = key("osem2d_subsets", "OSEM2D subsets")
    osem2d_iterations: int | None = key("osem2d_iterations", "OSEM2D iterations")
    osem2d_em_iterations: int | None = key("osem2d_em_iterations", "OSEM2D EM iterations")
    osem2d_map: str | None = key("osem2d_map", "OSEM2D epsilon and power for MAP", redaction=Redaction.MEASURE)
    osem2d_x_offset_mm: float | None = key("osem2d_x_offset", "OSEM2D large object offset in x, in cm", CM)
    osem2d_y_offset_mm: float | None = key("osem2d_y_offset", "OSEM2D large object offset in y, in cm", CM)
    osem2d_zoom: float | None = key("osem2d_zoom", "OSEM2D zoom")


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Size and place of the voxels."""

    rotation_deg: float | None = key("rotation", "Rotation applied to the data set, in degrees")
    x_offset_mm: float | None = key("x_offset", "Offset in x applied to the data set, in cm", CM)
    y_offset_mm: float | None = key("y_offset", "Offset in y applied to the data set, in cm", CM)
    z_offset_mm: float | None = key("z_offset", "Offset in z applied to the data set, in cm", CM)
    zoom: float | None = key("zoom", "Zoom applied to the data set")
    volume_origin_x: int | None = key("volume_origin_x", "Origin of the volume in x, in voxels")
    volume_origin_y: int | None = key("volume_origin_y", "Origin of the volume in y, in voxels")
    volume_origin_z: int | None = key("volume_origin_z", "Origin of the volume in z, in voxels")
    pixel_size_mm: float | None = key("pixel_size", "Pixel size in the plane, in cm", CM)
    pixel_size_x_mm: float | None = key("pixel_size_x", "Voxel size in x, in mm")
    pixel_size_y_mm: float | None = key("pixel_size_y", "Voxel size in y, in mm")
    pixel_size_z_mm: float | None = key("pixel_size_z", "Voxel size in z, in mm")
    image_ref_shift_mm: Xyz | None = key("image_ref_shift", "Image reference shift in x, y and z, in mm")
    image_ref_rotation_deg: Xyz | None = key("image_ref_rotation", "Image reference rotation in x, y and z, in degrees")
    orientation: enums.Orientation | None = key("subject_orientation", "Subject orientation in the scanner")
    registration: enums.Registration | None = key("registration_available", "Registration data available for this file")
    transformation_matrix_file: str | None = key("transformation_matrix", "Transformation matrix file")
    spatial_identifier: str | None = key(
        "spatial_identifier", "Spatial identifier for registered data", redaction=Redaction.SPACE
    )


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """Who acquired what, and when (local time of the workstation, and the same in GMT)."""

    investigator: str | None = key("investigator", "Investigator", redaction=Redaction.PERSON)
    operator: str | None = key("operator", "Operator", redaction=Redaction.PERSON)
    study_identifier: str | None = key("study_identifier", "Study identifier")
    acquisition_user: str | None = key("acquisition_user_id", "User who acquired", redaction=Redaction.PERSON)
    histogram_user: str | None = key("histogram_user_id", "User who histogrammed", redaction=Redaction.PERSON)
    reconstruction_user: str | None = key(
        "reconstruction_user_id", "User who reconstructed", redaction=Redaction.PERSON
    )
    scatter_correction_user: str | None = key(
        "scatter_correction_user_id", "User who corrected scatter", redaction=Redaction.PERSON
    )
    notes: str | None = key("acquisition_notes", "Acquisition notes")
    scan_time: datetime | None = key("scan_time", "Start of the scan, local time")
    gmt_scan_time: datetime | None = key("gmt_scan_time", "Start of the scan, GMT")

    @property
    def started_at(self) -> datetime | None:
        """`scan_time`; None for the epoch, which a console writes for no time."""
        return _entered(self.scan_time)

    @property
    def started_at_gmt(self) -> datetime | None:
        """`gmt_scan_time`; None for the epoch, likewise."""
        return _entered(self.gmt_scan_time)


@dataclass(frozen=True, kw_only=True)
class Gating:
    """Gate inputs of a gated scan."""

    inputs: int | None = key("gate_inputs", "Number of gate inputs")
    bins: tuple[GateBins, ...] = key("gate_bins", "Gate input, bins, shortest and longest cycle in s", repeats=True)
    descriptions: tuple[GateDescription, ...] = key(
        "gate_description", "Gate input and description", redaction=Redaction.WORDS, repeats=True
    )


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The animal as the operator typed it."""

    identifier: str | None = key("subject_identifier", "Subject identifier", redaction=Redaction.SUBJECT)
    animal_number: int | None = key("animal_number", "Number of the animal in a group", redaction=Redaction.REMOVE)
    genus: str | None = key("subject_genus", "Genus of the subject", redaction=Redaction.WORDS)
    length_units: enums.LengthUnits | None = key("subject_length_units", "Units of the subject's length")
    length: float | None = key("subject_length", "Length of the subject")
    weight_units: enums.WeightUnits | None = key("subject_weight_units", "Units of the subject's weight")
    weight: float | None = key("subject_weight", "Weight of the subject")
    phenotype: str | None = key("subject_phenotype", "Phenotype of the subject", redaction=Redaction.WORDS)
    study_model: str | None = key("study_model", "Study model")
    anesthesia: str | None = key("anesthesia", "Anesthesia")
    analgesia: str | None = key("analgesia", "Analgesia")
    other_drugs: str | None = key("other_drugs", "Other drugs")
    food_access: str | None = key("food_access", "Food access")
    water_access: str | None = key("water_access", "Water access")
    date_of_birth: str | None = key("subject_date_of_birth", "Date of birth of the subject", redaction=Redaction.BIRTH)
    age: str | None = key("subject_age", "Age of the subject", redaction=Redaction.AGE)
    sex: str | None = key("subject_sex", "Sex of the subject", redaction=Redaction.SEX)
    scan_region: str | None = key("subject_scan_region", "Scanned region of the subject", redaction=Redaction.WORDS)
    glucose_level: str | None = key(
        "subject_glucose_level", "Glucose level of the subject", redaction=Redaction.MEASURE
    )
    glucose_level_time: str | None = key(
        "subject_glucose_level_time", "Time of the glucose level", redaction=Redaction.CLOCK
    )

    @property
    def weight_kg(self) -> float | None:
        """`weight` in kg; None without a weight above 0 or without a known unit."""
        return _converted(self.weight, _KG.get(self.weight_units or enums.WeightUnits.UNKNOWN))

    @property
    def length_m(self) -> float | None:
        """`length` in m; None without a length above 0 or without a known unit."""
        return _converted(self.length, _M.get(self.length_units or enums.LengthUnits.UNKNOWN))


@dataclass(frozen=True, kw_only=True)
class Gantry:
    """Rotation of the CT or SPECT gantry."""

    rotation: enums.GantryRotation | None = key("gantry_rotation", "Gantry rotation")
    direction: enums.RotationDirection | None = key("rotation_direction", "Direction of gantry rotation")
    start_deg: float | None = key("rotating_stage_start_position", "Rotating stage start position, in degrees")
    stop_deg: float | None = key("rotating_stage_stop_position", "Rotating stage stop position, in degrees")
    projections: int | None = key("number_of_projections", "Number of projections")
    revolutions: float | None = key("gantry_revolutions", "Gantry revolutions")
    projection_angles_deg: tuple[Indexed, ...] = key("projection", "Projection and its angle, in degrees", repeats=True)
    projection_durations: tuple[Indexed, ...] = key("projection_duration", "Projection and its duration", repeats=True)
    spect_pinhole_params: tuple[str, ...] = key(
        "spect_pinhole_params", "SPECT pinhole geometry", redaction=Redaction.MEASURE, repeats=True
    )


@dataclass(frozen=True, kw_only=True)
class Ct:
    """X-ray source, detector and reconstruction of a CT."""

    file_version: int | None = key("ct_file_version", "CT file version")
    header_size: int | None = key("ct_header_size", "CT header size, in bytes")
    projection_size_transaxial: int | None = key("ct_proj_size_transaxial", "CT transaxial projection size, in pixels")
    projection_size_axial: int | None = key("ct_proj_size_axial", "CT axial projection size, in pixels")
    average_dark_projections: int | None = key(
        "ct_average_dark_projections", "CT dark calibration projections averaged"
    )
    average_light_projections: int | None = key(
        "ct_average_light_projections", "CT light calibration projections averaged"
    )
    light_calibration_positions: int | None = key(
        "ct_light_calibration_projections", "CT positions at which light calibration projections were taken"
    )
    light_calibration_at_scan_positions: bool | None = key(
        "ct_dependent_light_calibration_projections", "CT light calibration taken at the positions of the scan"
    )
    calibration_exposures: int | None = key("ct_calibration_exposures", "CT calibration exposures")
    detector_offset_mm: float | None = key("ct_xray_detector_offset", "CT detector offset, in mm")
    detector_transaxial_position_mm: float | None = key(
        "ct_detector_transaxial_position", "CT detector position, in cm", CM
    )
    uncropped_transaxial_pixels: int | None = key("ct_uncropped_transaxial_pixels", "CT uncropped transaxial pixels")
    uncropped_axial_pixels: int | None = key("ct_uncropped_axial_pixels", "CT uncropped axial pixels")
    cropped_transaxial_pixels: int | None = key("ct_cropped_transaxial_pixels", "CT cropped transaxial pixels")
    cropped_axial_pixels: int | None = key("ct_cropped_axial_pixels", "CT cropped axial pixels")
    detector_pitch_um: float | None = key("ct_xray_detector_pitch", "CT detector pixel pitch, in microns")
    horizontal_rotation_axis_bed_angle_deg: float | None = key(
        "ct_horiz_rot_axis_bed_angle", "CT horizontal angle of rotation axis and bed, in degrees"
    )
    vertical_rotation_axis_bed_angle_deg: float | None = key(
        "ct_vert_rot_axis_bed_angle", "CT vertical angle of rotation axis and bed, in degrees"
    )
    exposure_time_ms: float | None = key("ct_exposure_time", "CT exposure time, in ms")
    scan_time: str | None = key("ct_scan_time", "CT total scan time, min:sec", redaction=Redaction.MEASURE)
    warping: enums.CtWarping | None = key("ct_warping", "CT warping")
    defect_map_file: str | None = key("ct_defect_map_file_name", "CT defect map file")
    voltage_kv: float | None = key("ct_xray_voltage", "CT tube voltage, in kVp")
    anode_current_ua: float | None = key("ct_anode_current", "CT anode current, in uA")
    cone_angle_deg: float | None = key("ct_cone_angle", "CT cone angle, in degrees")
    projection_interpolation: enums.CtInterpolation | None = key(
        "ct_projection_interpolation", "CT projection interpolation"
    )
    source_to_detector: float | None = key("ct_source_to_detector", "CT distance source to detector")
    source_to_rotation_centre: float | None = key("ct_source_to_crot", "CT distance source to centre of rotation")
    detector_vertical_offset_px: float | None = key(
        "ct_detector_vertical_offset", "CT detector vertical offset, in pixels"
    )
    detector_horizontal_tilt_deg: float | None = key(
        "ct_detector_horizontal_tilt", "CT detector horizontal tilt, in degrees"
    )
    detector_vertical_tilt_deg: float | None = key("ct_detector_vertical_tilt", "CT detector vertical tilt, in degrees")
    transaxial_bin_factor: int | None = key("ct_transaxial_bin_factor", "CT transaxial bin factor")
    axial_bin_factor: int | None = key("ct_axial_bin_factor", "CT axial bin factor")
    gating: int | None = key("ct_gating", "CT gating signal used")
    hounsfield_scale: float | None = key("ct_hounsfield_scale", "CT Hounsfield scale")
    hounsfield_offset: float | None = key("ct_hounsfield_offset", "CT Hounsfield offset")
    attenuation_water_per_cm: float | None = key("ct_attenuation_water", "CT attenuation of water, in 1/cm")
    projection_downsample_factor: int | None = key("ct_proj_downsample_factor", "CT projection downsample factor")
    first_recon_projection: int | None = key("ct_first_recon_proj", "CT first reconstructed projection")
    last_recon_projection: int | None = key("ct_last_recon_proj", "CT last reconstructed projection")
    recon_every_nth_projection: int | None = key("ct_recon_every_nth_proj", "CT every nth projection reconstructed")
    tx_rotation_offsets_mm: Xyz | None = key("ct_tx_rotation_offsets", "CT to TX rotation offsets in x, y and z, in mm")
    tx_transaxial_offsets_mm: Xyz | None = key("ct_tx_transaxial_offsets", "CT to TX offsets in x, y and z, in mm")
    beam_hardening_correction: bool | None = key("ct_bh_correction", "CT beam hardening correction applied")
    aluminum_filter_mm: float | None = key("ct_aluminum_filter_thickness", "CT aluminum filter thickness, in mm")
    projection_average_center_offset_mm: float | None = key(
        "ct_projection_average_center_offset", "CT mean projection centre offset, in mm"
    )
    projection_center_offsets_mm: tuple[Indexed, ...] = key(
        "ct_projection_center_offset", "CT projection and its centre offset, in mm", repeats=True
    )
    projection_horizontal_bed_offsets_mm: tuple[Indexed, ...] = key(
        "ct_projection_horizontal_bed_offset", "CT projection and its bed offset, in mm", repeats=True
    )

    @property
    def scan_s(self) -> float | None:
        """`ct_scan_time`, min:sec, of all bed positions, in s."""
        minutes, colon, seconds = (self.scan_time or "").partition(":")
        is_clock = colon and minutes.isdecimal() and seconds.isdecimal()
        return float(int(minutes) * units.S_PER_MINUTE + int(seconds)) if is_clock else None

    @property
    def source_to_detector_mm(self) -> float | None:
        """Distance source to detector; documented in cm, but files hold mm: 100 and above means mm."""
        return _cm_or_mm(self.source_to_detector)

    @property
    def source_to_rotation_centre_mm(self) -> float | None:
        """Distance source to centre of rotation; cm or mm as for `source_to_detector_mm`."""
        return _cm_or_mm(self.source_to_rotation_centre)


_SHORTEST_IN_MM = 100


def _cm_or_mm(distance: float | None) -> float | None:
    if distance is None or distance <= 0:
        return None
    return distance if distance >= _SHORTEST_IN_MM else units.convert(distance, units.MM_PER_CM)


@dataclass(frozen=True, kw_only=True)
class Frame(KeyedText):
    """One frame block: a time frame, gate or bed position."""

    index: int | None = key("frame", "Frame number, from 0")
    detector_panel: int | None = key("detector_panel", "Detector panel")
    event_type: enums.EventType | None = key("event_type", "Event type")
    energy_window: int | None = key("energy_window", "Energy window")
    gate: int | None = key("gate", "Gate number")
    bed: int | None = key("bed", "Bed number")
    bed_offset_mm: float | None = key("bed_offset", "Bed offset, in cm", CM)
    ending_bed_offset_mm: float | None = key("ending_bed_offset", "Ending bed offset, in cm", CM)
    bed_passes: int | None = key("bed_passes", "Number of bed passes")
    vertical_bed_offset_mm: float | None = key("vertical_bed_offset", "Vertical bed offset, in cm", CM)
    data_offset: int | None = key("data_file_pointer", "Offset of the data in the file, high and low 32 bits", OFFSET)
    start_s: float | None = key("frame_start", "Start of the frame after the start of the scan, in s")
    duration_s: float | None = key("frame_duration", "Duration of the frame, in s")
    scale_factor: float | None = key("scale_factor", "Scale factor for the data")
    minimum: float | None = key("minimum", "Minimum of the stored values")
    maximum: float | None = key("maximum", "Maximum of the stored values")
    deadtime_correction: float | None = key("deadtime_correction", "Dead-time correction; included in the scale factor")
    decay_correction: float | None = key("decay_correction", "Decay correction; included in the scale factor")
    prompts: int | None = key("prompts", "Number of prompts", COUNTS)
    prompts_rate: float | None = key("prompts_rate", "Prompts per second")
    delays: int | None = key("delays", "Number of delays", COUNTS)
    delays_rate: float | None = key("delays_rate", "Delays per second")
    trues: int | None = key("trues", "Number of trues", COUNTS)
    singles: tuple[Singles, ...] = key("singles", "Block, singles per second, raw singles per second", repeats=True)
    extras: tuple[Extra, ...] = ()
    source: Block = field(default=(), compare=False, repr=False)

    @property
    def _where(self) -> str:
        return f"frame {self.index}" if self.index is not None else "the frame block"


@dataclass(frozen=True, kw_only=True)
class Header(KeyedText):
    """A whole header.

    `encoding` is that of the file, and takes no part in comparison.
    """

    version: float | None = key("version", "Version of header parameters (float)")
    manufacturer: str | None = key("manufacturer", "Manufacturer's name", redaction=Redaction.WORDS)
    model: enums.Model | None = key("model", "Scanner model")
    modality: enums.Modality | None = key("modality", "Imaging modality")
    modality_configuration: enums.ModalityConfiguration | None = key(
        "modality_configuration", "Configuration of the modality"
    )
    institution: str | None = key("institution", "Institution's name", redaction=Redaction.NAME)
    study: str | None = key("study", "Study type or description")
    file_name: str | None = key("file_name", "Data file, possibly with path; may be out of date")
    file_type: enums.FileType | None = key("file_type", "Kind of data")
    acquisition_mode: enums.AcquisitionMode | None = key("acquisition_mode", "Acquisition mode")
    total_frames: int | None = key("total_frames", "Total number of frames, over time, gates and beds")
    time_frames: int | None = key("time_frames", "Number of time frames")
    user: tuple[User, ...] = key("user", "User defined value, key and text", repeats=True)
    acquisition_file_name: str | None = key("acquisition_file_name", "Acquisition file, without path")
    roi_file: str | None = key("roi_file:", "Region of interest file")
    bed: Bed = Bed()
    tracer: Tracer = Tracer()
    calibration: Calibration = Calibration()
    smoothing: Smoothing = Smoothing()
    corrections: Corrections = Corrections()
    detector: Detector = Detector()
    array: Array = Array()
    reconstruction: Reconstruction = Reconstruction()
    geometry: Geometry = Geometry()
    acquisition: Acquisition = Acquisition()
    gating: Gating = Gating()
    subject: Subject = Subject()
    gantry: Gantry = Gantry()
    ct: Ct = Ct()
    frames: tuple[Frame, ...] = ()
    extras: tuple[Extra, ...] = ()
    source: Block = field(default=(), compare=False, repr=False)
    encoding: str = field(default="utf-8", compare=False)

    def __getitem__(self, key: str) -> str:
        """Return the text of a key of the main block, as `KeyedText` does."""
        if isinstance(key, str) and key not in self and any(key in frame for frame in self.frames):
            raise KeyError(f"'{printable(key, 60)}' is a key of the frame blocks: header.frames[0][{key!r}]")
        return super().__getitem__(key)
