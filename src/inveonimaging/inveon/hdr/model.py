"""What a header says, typed and frozen; None is what it does not say (key absent, value empty or untypable).

A name carries its unit (`half_life_s`, `pixel_size_mm`); the few values whose unit stands in another key keep the
number as it was written and give the converted one as a property (`dose` in `dose_units`, `dose_bq`).
One row of `fields.FIELDS` maps one key to one attribute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import NamedTuple

from inveonimaging import units
from inveonimaging.errors import printable
from inveonimaging.inveon.dose import Measured, net_dose
from inveonimaging.inveon.hdr import enums
from inveonimaging.inveon.hdr.lexer import END, Block

Xyz = tuple[float, float, float]

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


class Filter(NamedTuple):
    """hdr `x_filter`, `y_filter`, `z_filter`: window and cutoff (0.5 is the Nyquist frequency)."""

    window: enums.FilterWindow
    cutoff: float | None


class GateBins(NamedTuple):
    """hdr `gate_bins`: gate input, bins a cycle, shortest and longest cycle (a negative limit is open)."""

    input: int
    bins: int
    minimum_s: float
    maximum_s: float


class GateDescription(NamedTuple):
    """hdr `gate_description`: gate input and its text."""

    input: int
    text: str


class Indexed(NamedTuple):
    """An index and a value, for keys that occur many times."""

    number: int
    value: float


class Singles(NamedTuple):
    """hdr `singles`, of a frame: block, singles per second, raw singles per second."""

    block: int
    rate: float
    raw_rate: float | None


class DeltaElements(NamedTuple):
    """hdr `delta_elements`: ring difference (or similar) and the number of elements there."""

    dimension: int
    elements: int


class User(NamedTuple):
    """hdr `user`: a free key and its value."""

    key: str
    value: str


class Extra(NamedTuple):
    """A line of an unknown key, or of a known one whose value could not be typed."""

    key: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Bed:
    """Bed control and calibration."""

    control: enums.BedControl | None = None
    motion: enums.BedMotion | None = None
    positions: int | None = None
    horizontal_calibration_um: float | None = None
    vertical_calibration_um: float | None = None


@dataclass(frozen=True, kw_only=True)
class Tracer:
    """Isotope, compound and doses."""

    isotope: str | None = None
    half_life_s: float | None = None
    branching_fraction: float | None = None
    compound: str | None = None
    dose_units: enums.ActivityUnits | None = None
    dose: float | None = None
    injection_time: datetime | None = None
    injection_decay_correction: float | None = None
    activity_units: enums.ActivityUnits | None = None
    activity_before_injection: float | None = None
    activity_before_injection_time: datetime | None = None
    residual_activity: float | None = None
    residual_activity_time: datetime | None = None

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

    units: enums.CalibrationUnits | None = None
    factor: float | None = None
    branching_fraction: float | None = None


@dataclass(frozen=True, kw_only=True)
class Smoothing:
    """The filter that the workstation ran over the voxels after the reconstruction."""

    filter: enums.Smoothing | None = None
    iterations: int | None = None
    threshold_percent: float | None = None


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What was corrected, how, and with which file."""

    deadtime: enums.DeadtimeCorrection | None = None
    decay: bool | None = None
    normalization: enums.Normalization | None = None
    normalization_file: str | None = None
    attenuation: enums.Attenuation | None = None
    attenuation_file: str | None = None
    scatter: enums.Scatter | None = None
    scatter_version: float | None = None
    arc: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Detector:
    """PET detector geometry, energy and coincidence windows."""

    transaxial_crystals_per_block: int | None = None
    axial_crystals_per_block: int | None = None
    intrinsic_crystal_offset: int | None = None
    transaxial_blocks: int | None = None
    axial_blocks: int | None = None
    transaxial_crystal_pitch_mm: float | None = None
    axial_crystal_pitch_mm: float | None = None
    radius_mm: float | None = None
    radial_fov_mm: float | None = None
    source_radius_mm: float | None = None
    source_mm_per_revolution: float | None = None
    source_steps_per_revolution: int | None = None
    transmission_source: enums.TransmissionSource | None = None
    default_projections: int | None = None
    default_transaxial_angles: int | None = None
    crystal_thickness_mm: float | None = None
    depth_of_interaction_mm: float | None = None
    transaxial_bin_size_mm: float | None = None
    axial_plane_size_mm: float | None = None
    panels: int | None = None
    lower_energy_kev: float | None = None
    upper_energy_kev: float | None = None
    timing_window_ns: float | None = None
    span: int | None = None
    ring_difference: int | None = None
    singles_rates: int | None = None


@dataclass(frozen=True, kw_only=True)
class Array:
    """Type and size of the voxel array; x is fastest, then y, z and frame."""

    data_type: enums.DataType | None = None
    order: enums.DataOrder | None = None
    dimensions: int | None = None
    x: int | None = None
    y: int | None = None
    z: int | None = None
    w: int | None = None
    delta_elements: tuple[DeltaElements, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """Reconstruction and what went before it."""

    x_filter: Filter | None = None
    y_filter: Filter | None = None
    z_filter: Filter | None = None
    histogram_version: float | None = None
    rebinning_type: enums.Rebinning | None = None
    rebinning_version: float | None = None
    algorithm: enums.ReconAlgorithm | None = None
    version: float | None = None
    map_subsets: int | None = None
    map_osem3d_iterations: int | None = None
    map_iterations: int | None = None
    map_beta: float | None = None
    map_blur_type: int | None = None
    map_prior_type: int | None = None
    map_blur_file: str | None = None
    map_pmatrix_file: str | None = None
    osem2d_method: enums.Osem2dMethod | None = None
    osem2d_subsets: int | None = None
    osem2d_iterations: int | None = None
    osem2d_em_iterations: int | None = None
    osem2d_map: str | None = None
    osem2d_x_offset_mm: float | None = None
    osem2d_y_offset_mm: float | None = None
    osem2d_zoom: float | None = None


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Size and place of the voxels."""

    rotation_deg: float | None = None
    x_offset_mm: float | None = None
    y_offset_mm: float | None = None
    z_offset_mm: float | None = None
    zoom: float | None = None
    volume_origin_x: int | None = None
    volume_origin_y: int | None = None
    volume_origin_z: int | None = None
    pixel_size_mm: float | None = None
    pixel_size_x_mm: float | None = None
    pixel_size_y_mm: float | None = None
    pixel_size_z_mm: float | None = None
    image_ref_shift_mm: Xyz | None = None
    image_ref_rotation_deg: Xyz | None = None
    registration: enums.Registration | None = None
    transformation_matrix_file: str | None = None
    spatial_identifier: str | None = None
    orientation: enums.Orientation | None = None


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """Who acquired what, and when (local time of the workstation, and the same in GMT)."""

    investigator: str | None = None
    operator: str | None = None
    study_identifier: str | None = None
    acquisition_user: str | None = None
    histogram_user: str | None = None
    reconstruction_user: str | None = None
    scatter_correction_user: str | None = None
    notes: str | None = None
    scan_time: datetime | None = None
    gmt_scan_time: datetime | None = None

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

    inputs: int | None = None
    bins: tuple[GateBins, ...] = ()
    descriptions: tuple[GateDescription, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The animal as the operator typed it."""

    identifier: str | None = None
    genus: str | None = None
    length_units: enums.LengthUnits | None = None
    length: float | None = None
    weight_units: enums.WeightUnits | None = None
    weight: float | None = None
    phenotype: str | None = None
    study_model: str | None = None
    anesthesia: str | None = None
    analgesia: str | None = None
    other_drugs: str | None = None
    food_access: str | None = None
    water_access: str | None = None
    date_of_birth: str | None = None
    age: str | None = None
    sex: str | None = None
    scan_region: str | None = None
    glucose_level: str | None = None
    glucose_level_time: str | None = None
    animal_number: int | None = None

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

    rotation: enums.GantryRotation | None = None
    direction: enums.RotationDirection | None = None
    start_deg: float | None = None
    stop_deg: float | None = None
    projections: int | None = None
    revolutions: float | None = None
    projection_angles_deg: tuple[Indexed, ...] = ()
    projection_durations: tuple[Indexed, ...] = ()
    spect_pinhole_params: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ct:
    """X-ray source, detector and reconstruction of a CT."""

    file_version: int | None = None
    header_size: int | None = None
    projection_size_transaxial: int | None = None
    projection_size_axial: int | None = None
    average_dark_projections: int | None = None
    average_light_projections: int | None = None
    light_calibration_positions: int | None = None
    light_calibration_at_scan_positions: bool | None = None
    calibration_exposures: int | None = None
    detector_offset_mm: float | None = None
    detector_transaxial_position_mm: float | None = None
    uncropped_transaxial_pixels: int | None = None
    uncropped_axial_pixels: int | None = None
    cropped_transaxial_pixels: int | None = None
    cropped_axial_pixels: int | None = None
    detector_pitch_um: float | None = None
    horizontal_rotation_axis_bed_angle_deg: float | None = None
    vertical_rotation_axis_bed_angle_deg: float | None = None
    exposure_time_ms: float | None = None
    scan_time: str | None = None
    warping: enums.CtWarping | None = None
    defect_map_file: str | None = None
    voltage_kv: float | None = None
    anode_current_ua: float | None = None
    cone_angle_deg: float | None = None
    projection_interpolation: enums.CtInterpolation | None = None
    source_to_detector: float | None = None
    source_to_rotation_centre: float | None = None
    detector_vertical_offset_px: float | None = None
    detector_horizontal_tilt_deg: float | None = None
    detector_vertical_tilt_deg: float | None = None
    transaxial_bin_factor: int | None = None
    axial_bin_factor: int | None = None
    gating: int | None = None
    hounsfield_scale: float | None = None
    hounsfield_offset: float | None = None
    attenuation_water_per_cm: float | None = None
    projection_downsample_factor: int | None = None
    first_recon_projection: int | None = None
    last_recon_projection: int | None = None
    recon_every_nth_projection: int | None = None
    tx_rotation_offsets_mm: Xyz | None = None
    tx_transaxial_offsets_mm: Xyz | None = None
    beam_hardening_correction: bool | None = None
    aluminum_filter_mm: float | None = None
    projection_average_center_offset_mm: float | None = None
    projection_center_offsets_mm: tuple[Indexed, ...] = ()
    projection_horizontal_bed_offsets_mm: tuple[Indexed, ...] = ()

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
class Frame:
    """One frame block: a time frame, gate or bed position."""

    index: int | None = None
    detector_panel: int | None = None
    event_type: enums.EventType | None = None
    energy_window: int | None = None
    gate: int | None = None
    bed: int | None = None
    bed_offset_mm: float | None = None
    ending_bed_offset_mm: float | None = None
    bed_passes: int | None = None
    vertical_bed_offset_mm: float | None = None
    data_offset: int | None = None
    start_s: float | None = None
    duration_s: float | None = None
    scale_factor: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    deadtime_correction: float | None = None
    decay_correction: float | None = None
    prompts: int | None = None
    delays: int | None = None
    trues: int | None = None
    prompts_rate: float | None = None
    delays_rate: float | None = None
    singles: tuple[Singles, ...] = ()
    extras: tuple[Extra, ...] = ()
    source: Block = field(default=(), compare=False, repr=False)

    def line_of(self, key: str) -> int | None:
        """Return the number of the line that gives this key, None if there is none."""
        return _line_of(key, self.source)

    def __getitem__(self, key: str) -> str:
        """Return the text of a key of this block, as it stands; of a key that occurs again, the last one.

        Raises:
            KeyError: the block has no such key.
        """
        return _last_text(key, self.source, f"frame {self.index}" if self.index is not None else "the frame block")

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> tuple[str, ...]:
        """Return the keys of this block, each once, in their order."""
        return _keys(self.source)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return all texts of a key of this block, in their order; empty if it has none."""
        return _texts(key, self.source)


@dataclass(frozen=True, kw_only=True)
class Header:
    """A whole header.

    `source` and the frames' `source` hold the lines as they were read, so that writing a header back changes only
    what was changed; they take no part in comparison.
    """

    version: float | None = None
    manufacturer: str | None = None
    model: enums.Model | None = None
    modality: enums.Modality | None = None
    modality_configuration: enums.ModalityConfiguration | None = None
    institution: str | None = None
    study: str | None = None
    file_name: str | None = None
    file_type: enums.FileType | None = None
    acquisition_mode: enums.AcquisitionMode | None = None
    total_frames: int | None = None
    time_frames: int | None = None
    user: tuple[User, ...] = ()
    acquisition_file_name: str | None = None
    roi_file: str | None = None
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

    def line_of(self, key: str) -> int | None:
        """Return the number of the line in the main block that gives this key, None if there is none."""
        return _line_of(key, self.source)

    def __getitem__(self, key: str) -> str:
        """Return the text of a key of the main block, as it stands; of a key that occurs again, the last one.

        Raises:
            KeyError: the main block has no such key.
        """
        if isinstance(key, str) and key not in self and any(key in frame for frame in self.frames):
            raise KeyError(f"'{printable(key, 60)}' is a key of the frame blocks: header.frames[0][{key!r}]")
        return _last_text(key, self.source, "the header")

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> tuple[str, ...]:
        """Return the keys of the main block, each once, in their order."""
        return _keys(self.source)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return all texts of a key of the main block, such as `user`, in their order; empty if it has none."""
        return _texts(key, self.source)


def _line_of(key: str, block: Block) -> int | None:
    return next((line.number for line in reversed(block) if line.key == key), None)


def _keys(block: Block) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.key for line in block if line.key and line.key != END))


def _texts(key: str, block: Block) -> tuple[str, ...]:
    return tuple(line.value for line in block if line.key and line.key == key)


def _last_text(key: str, block: Block, where: str) -> str:
    found = _texts(key, block)
    if found:
        return found[-1]
    near = get_close_matches(str(key), _keys(block), n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    raise KeyError(f"{where} has no key '{printable(str(key), 60)}'{meant}")
