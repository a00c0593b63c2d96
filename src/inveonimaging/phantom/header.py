"""A scan's header, and what its voxels hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import OptionError
from inveonimaging.geometry import grid_of
from inveonimaging.hdr import Frame, Header, enums
from inveonimaging.hdr.enums import CalibrationUnits, DataType, Modality
from inveonimaging.hdr.model import (
    Acquisition,
    Array,
    Bed,
    Corrections,
    Ct,
    Detector,
    Filter,
    Gantry,
    Geometry,
    Indexed,
    Reconstruction,
    Singles,
    Tracer,
)
from inveonimaging.phantom.mouse import Float, Labels, Mouse
from inveonimaging.phantom.scan import FrameTime, Scan
from inveonimaging.timing import decay_factor

MOUSE = Mouse()
_BQ_PER_NCI = 37.0
_ML_PER_MM3 = 1e-3
_MEASURED_PER_DECAY = 0.055
_RANDOMS_PER_TRUE = 0.08
_BLOCKS = 4
_HALF_STEP = 0.5000001  # rounding, and that of the division before it


@dataclass(frozen=True)
class Contents:
    """A scan's header and voxels: frame n is `stored[n][labels]`.

    Attributes:
        header: with the frames' scale factors, extremes and counts.
        labels: (nz, ny, nx), the mouse's tissues.
        stored: stored value of each label, for each frame.
    """

    header: Header
    labels: Labels
    stored: tuple[npt.NDArray[Any], ...]


def header_of(scan: Scan, mouse: Mouse = MOUSE) -> Header:
    """Return the header that goes with a scan of a mouse; its frames' extremes and counts are those of the voxels.

    Raises:
        HeaderError: shape or voxel size make no sense.
        OptionError: the modality is neither PET nor CT.
    """
    return contents_of(scan, mouse).header


def contents_of(scan: Scan, mouse: Mouse = MOUSE) -> Contents:
    """Return header and voxels of a scan of a mouse; errors as `header_of`."""
    main = _main(scan, mouse)
    labels = mouse.labels_on(grid_of(main)[0])
    voxels = np.sum([np.bincount(plane.ravel(), minlength=len(mouse.tissues) + 1) for plane in labels], axis=0)
    filled = [_frame(scan, mouse, n, voxels) for n in range(len(scan.frames))]
    header = replace(main, frames=tuple(frame for frame, _ in filled))
    return Contents(header, labels, tuple(stored for _, stored in filled))


def _frame(scan: Scan, mouse: Mouse, index: int, voxels: npt.NDArray[Any]) -> tuple[Frame, npt.NDArray[Any]]:
    """Return a frame's block and the stored value of each label; `voxels` are the labels' numbers of voxels."""
    time = scan.frames[index]
    is_ct = scan.modality is Modality.CT
    truth = mouse.hounsfield_of_labels() if is_ct else mouse.activity_of_labels(time.start_s, time.stop_s)
    per_scaled = 1.0 if is_ct else _bqml_per_scaled(scan)
    present = voxels > 0
    scale = _scale_factor(scan, time, float(np.abs(truth[present]).max()) / per_scaled)
    stored = _stored(truth / (scale * per_scaled), present, scan.dtype)
    frame = replace(
        _BLOCK,
        index=index,
        data_offset=scan.offsets[index],
        start_s=time.start_s,
        duration_s=time.duration_s,
        scale_factor=scale,
        minimum=float(stored[present].min()),
        maximum=float(stored[present].max()),
    )
    return (frame if is_ct else _counted(frame, scan, time, float(truth @ voxels))), stored


def _counted(frame: Frame, scan: Scan, time: FrameTime, bqml_voxels: float) -> Frame:
    """Return a PET frame with its corrections and counts; `bqml_voxels` is the sum over the voxels, in Bq/mL."""
    duration = time.duration_s or 1.0
    becquerel = bqml_voxels * math.prod(scan.spacing_mm) * _ML_PER_MM3
    trues = int(becquerel * duration * _MEASURED_PER_DECAY / _decay(scan, time) / _deadtime(time))
    delays = int(trues * _RANDOMS_PER_TRUE)
    rates = (round(trues / duration * (3.0 + 0.1 * block), 1) for block in range(_BLOCKS))
    return replace(
        frame,
        event_type=enums.EventType.TRUES,
        deadtime_correction=_deadtime(time),
        decay_correction=_decay(scan, time),
        prompts=trues + delays,
        delays=delays,
        trues=trues,
        prompts_rate=float(int((trues + delays) / duration)),
        delays_rate=float(int(delays / duration)),
        singles=tuple(Singles(block, rate, round(rate * 1.02, 1)) for block, rate in enumerate(rates)),
    )


def _scale_factor(scan: Scan, time: FrameTime, largest: float) -> float:
    """Return a frame's scale factor; integers get the one that stores `largest` as their type's largest number."""
    if scan.scale_factor is not None:
        return scan.scale_factor
    is_ct = scan.modality is Modality.CT
    if scan.dtype.kind == "i" and largest > 0 and (not is_ct or scan.data_type is DataType.INT8):
        return largest / float(np.iinfo(scan.dtype).max)
    return 1.0 if is_ct else _deadtime(time) * _decay(scan, time) / (time.duration_s or 1.0)


def _stored(values: Float, present: npt.NDArray[np.bool_], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return values as the data type holds them; those of labels that no voxel has do not matter."""
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    held = np.clip(np.rint(values), limits.min, limits.max)
    if np.any(np.abs(held - values)[present] > _HALF_STEP):
        raise OptionError(f"scale_factor is too small for {dtype.name}", expected="one that keeps all values in range")
    return held.astype(dtype)


def _bqml_per_scaled(scan: Scan) -> float:
    """Return Bq/mL of a PET's `stored * scale_factor` of 1; 1 without calibration."""
    unit = {CalibrationUnits.NCI_PER_CC: _BQ_PER_NCI, CalibrationUnits.BQ_PER_CC: 1.0}
    becquerel = unit.get(scan.calibration.units or CalibrationUnits.UNKNOWN, 0.0) * (scan.calibration.factor or 0.0)
    fraction = scan.tracer.branching_fraction or 1.0
    return becquerel / (fraction if 0 < fraction <= 1 else 1.0) or 1.0


def _decay(scan: Scan, time: FrameTime) -> float:
    half_life = scan.tracer.half_life_s
    return decay_factor(time.start_s, time.duration_s, half_life) if half_life else 1.0


def _deadtime(time: FrameTime) -> float:
    return round(1.013 + 0.041 * math.exp(-time.start_s / 900.0), 6)


def _main(scan: Scan, mouse: Mouse) -> Header:
    """Return the header's main block."""
    if scan.modality not in _OF_MODALITY:
        raise OptionError(f"the phantom has no {scan.modality.label}", expected="PET or CT")
    number = len(scan.frames)
    common = Header(
        version=1.91,
        manufacturer="Siemens Medical Solutions USA, Inc.",
        model=enums.Model.INVEON_MM,
        modality=scan.modality,
        institution="Imaging Core Facility",
        study="FDG uptake of a subcutaneous tumour",
        file_type=enums.FileType.IMAGE,
        total_frames=number,
        time_frames=number,
        bed=_BED,
        array=_array(scan),
        geometry=_geometry(scan),
        acquisition=_acquisition(scan),
        subject=scan.subject,
        encoding=scan.encoding,
    )
    return _OF_MODALITY[scan.modality](common, scan, mouse)


def _pet(header: Header, scan: Scan, mouse: Mouse) -> Header:
    dynamic = len(scan.frames) > 1
    return replace(
        header,
        modality_configuration=enums.ModalityConfiguration.MM_PET,
        acquisition_mode=enums.AcquisitionMode.DYNAMIC if dynamic else enums.AcquisitionMode.EMISSION,
        acquisition_file_name="mouse_fdg.lst",
        tracer=_injected(scan, mouse),
        calibration=scan.calibration,
        corrections=replace(_PET_CORRECTIONS, decay=bool(scan.tracer.half_life_s)),
        detector=_RINGS,
        reconstruction=_OSEM3D_MAP,
    )


def _ct(header: Header, scan: Scan, _mouse: Mouse) -> Header:
    seconds = int(sum(time.duration_s for time in scan.frames))
    return replace(
        header,
        modality_configuration=enums.ModalityConfiguration.MM_HIRES_STD_CT,
        acquisition_mode=enums.AcquisitionMode.CT,
        acquisition_file_name="mouse_ct1.cat",
        corrections=Corrections(normalization=enums.Normalization.CT_LOG),
        detector=Detector(panels=1),
        reconstruction=_FELDKAMP,
        gantry=_GANTRY,
        ct=replace(_XRAY, scan_time=f"{seconds // 60}:{seconds % 60:02}"),
    )


_OF_MODALITY: dict[Modality, Callable[[Header, Scan, Mouse], Header]] = {Modality.PET: _pet, Modality.CT: _ct}


def _array(scan: Scan) -> Array:
    x, y, z = scan.shape
    number = len(scan.frames)
    return Array(
        data_type=scan.data_type,
        order=enums.DataOrder.SINOGRAM,  # as images have it; (X)MedCon refuses the other one
        dimensions=4 if number > 1 else 3,
        x=x,
        y=y,
        z=z,
        w=number,
    )


def _geometry(scan: Scan) -> Geometry:
    x, y, z = scan.spacing_mm
    return Geometry(
        rotation_deg=0.0,
        x_offset_mm=0.0,
        y_offset_mm=0.0,
        z_offset_mm=0.0,
        zoom=1.0,
        volume_origin_x=0,
        volume_origin_y=0,
        volume_origin_z=0,
        pixel_size_mm=x if x == y else None,
        pixel_size_x_mm=x,
        pixel_size_y_mm=y,
        pixel_size_z_mm=z,
        image_ref_shift_mm=scan.shift_mm,
        image_ref_rotation_deg=(0.0, 0.0, 0.0),
        registration=enums.Registration.NONE,
        spatial_identifier="bed 1, mouse M0042",
        orientation=scan.orientation,
    )


def _acquisition(scan: Scan) -> Acquisition:
    return Acquisition(
        investigator="investigator 1",
        operator="operator 1",
        study_identifier="DEMO-01",
        acquisition_user="operator 1",
        histogram_user="operator 1",
        reconstruction_user="operator 2",
        scatter_correction_user="operator 2",
        notes="phantom: a mouse of ellipsoids, syringe on its left",
        scan_time=scan.scan_time,
        gmt_scan_time=scan.scan_time - scan.utc_offset,
    )


def _injected(scan: Scan, mouse: Mouse) -> Tracer:
    before, tracer = mouse.injected_before_s, scan.tracer
    decayed = 2 ** (before / tracer.half_life_s) if tracer.half_life_s else None
    return replace(
        tracer,
        injection_time=tracer.injection_time or scan.scan_time - timedelta(seconds=before),
        injection_decay_correction=tracer.injection_decay_correction or decayed,
    )


_BLOCK = Frame(
    detector_panel=0,
    event_type=enums.EventType.UNKNOWN,
    energy_window=0,
    gate=0,
    bed=0,
    bed_offset_mm=312.5,
    ending_bed_offset_mm=312.5,
    bed_passes=1,
    vertical_bed_offset_mm=41.3,
)
_BED = Bed(
    control=enums.BedControl.MULTIMODALITY,
    motion=enums.BedMotion.STATIC,
    positions=1,
    horizontal_calibration_um=12.7,
    vertical_calibration_um=6.35,
)
_PET_CORRECTIONS = Corrections(
    deadtime=enums.DeadtimeCorrection.SINGLES,
    normalization=enums.Normalization.CYLINDER_COMPONENT,
    normalization_file=r"C:\Inveon\Normalization\cylinder.nrm",
    attenuation=enums.Attenuation.CT,
    attenuation_file=r"D:\Data\M0042\mouse_ct1.atn",
    scatter=enums.Scatter.ANALYTIC,
    scatter_version=2.0,
    arc=True,
)
_RINGS = Detector(
    transaxial_crystals_per_block=20,
    axial_crystals_per_block=20,
    intrinsic_crystal_offset=10,
    transaxial_blocks=16,
    axial_blocks=4,
    transaxial_crystal_pitch_mm=1.63,
    axial_crystal_pitch_mm=1.592,
    radius_mm=80.5,
    radial_fov_mm=104.3,
    source_radius_mm=70.0,
    source_mm_per_revolution=10.0,
    source_steps_per_revolution=8192,
    transmission_source=enums.TransmissionSource.POINT,
    default_projections=128,
    default_transaxial_angles=160,
    crystal_thickness_mm=10.0,
    depth_of_interaction_mm=4.8,
    transaxial_bin_size_mm=0.815,
    panels=1,
    lower_energy_kev=350.0,
    upper_energy_kev=650.0,
    timing_window_ns=3.0,
    span=3,
    ring_difference=79,
    singles_rates=_BLOCKS,
)
_OSEM3D_MAP = Reconstruction(
    x_filter=Filter(enums.FilterWindow.NONE, 0.5),
    y_filter=Filter(enums.FilterWindow.NONE, 0.5),
    z_filter=Filter(enums.FilterWindow.NONE, 0.5),
    histogram_version=2.4,
    rebinning_type=enums.Rebinning.FULL_3D,
    rebinning_version=2.0,
    algorithm=enums.ReconAlgorithm.OSEM3D_MAP,
    version=2.4,
    map_subsets=16,
    map_osem3d_iterations=2,
    map_iterations=18,
    map_beta=0.0115,
    map_blur_type=0,
    map_prior_type=0,
)
_FELDKAMP = Reconstruction(
    x_filter=Filter(enums.FilterWindow.SHEPP, 0.5),
    algorithm=enums.ReconAlgorithm.FELDKAMP,
    version=2.1,
)
_PROJECTIONS = 180
_GANTRY = Gantry(
    rotation=enums.GantryRotation.STEPS,
    direction=enums.RotationDirection.CLOCKWISE,
    start_deg=0.0,
    stop_deg=358.0,
    projections=_PROJECTIONS,
    revolutions=1.0,
    projection_angles_deg=tuple(Indexed(n, n * 360.0 / _PROJECTIONS) for n in range(_PROJECTIONS)),
)
_XRAY = Ct(
    projection_size_transaxial=768,
    projection_size_axial=512,
    average_dark_projections=25,
    average_light_projections=25,
    light_calibration_projections=1,
    dependent_light_calibration_projections=0,
    calibration_exposures=25,
    detector_offset_mm=0.0,
    detector_transaxial_position_mm=0.0,
    uncropped_transaxial_pixels=4096,
    uncropped_axial_pixels=4096,
    cropped_transaxial_pixels=3072,
    cropped_axial_pixels=2048,
    detector_pitch_um=27.0,
    horizontal_rotation_axis_bed_angle_deg=0.0,
    vertical_rotation_axis_bed_angle_deg=0.0,
    exposure_time_ms=180.0,
    warping=enums.CtWarping.BILINEAR,
    defect_map_file=r"C:\Inveon\CT\defects.map",
    voltage_kv=80.0,
    anode_current_ua=500.0,
    cone_angle_deg=22.0,
    projection_interpolation=enums.CtInterpolation.BILINEAR,
    source_to_detector=402.99,
    source_to_rotation_centre=344.27,
    detector_vertical_offset_px=0.0,
    detector_horizontal_tilt_deg=0.0,
    detector_vertical_tilt_deg=0.0,
    transaxial_bin_factor=4,
    axial_bin_factor=4,
    gating=0,
    hounsfield_scale=4719.0,
    hounsfield_offset=-1000.0,
    attenuation_water_per_cm=0.2119,
    projection_downsample_factor=1,
    first_recon_projection=0,
    last_recon_projection=_PROJECTIONS - 1,
    recon_every_nth_projection=1,
    tx_rotation_offsets_mm=(0.0, 0.0, 0.0),
    tx_transaxial_offsets_mm=(0.0, 0.0, 0.0),
    beam_hardening_correction=True,
    aluminum_filter_mm=0.5,
    projection_average_center_offset_mm=0.0,
)
