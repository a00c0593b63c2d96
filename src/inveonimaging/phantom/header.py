"""The main block of a scan's header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from inveonimaging.errors import OptionError
from inveonimaging.inveon.hdr import Header, enums
from inveonimaging.inveon.hdr.enums import AcquisitionMode, BedMotion, Modality
from inveonimaging.inveon.hdr.model import (
    Acquisition,
    Array,
    Bed,
    Corrections,
    Ct,
    Detector,
    Gantry,
    Gating,
    Geometry,
    Reconstruction,
    Tracer,
)
from inveonimaging.inveon.hdr.values import Filter, GateBins, GateDescription, Indexed
from inveonimaging.phantom.mouse import Mouse
from inveonimaging.phantom.scan import NOT_CALIBRATED, PhantomScan

SINGLES_BLOCKS = 4


def main_of(scan: PhantomScan, mouse: Mouse) -> Header:
    """Return the main block of the header that goes with a scan of a mouse.

    Raises:
        OptionError: the scan asks for what does not go together.
    """
    _check(scan)
    x, y, z = scan.shape
    number = len(scan.blocks)
    at_rest = BedMotion.STEP_AND_SHOOT if len(scan.beds) > 1 else BedMotion.STATIC
    common = Header(
        version=1.91,
        manufacturer="Siemens Medical Solutions USA, Inc.",
        model=enums.Model.INVEON_MM,
        modality=scan.modality,
        institution="Imaging Core Facility",
        study="FDG uptake of a subcutaneous tumour",
        file_type=enums.FileType.IMAGE,
        total_frames=number,
        time_frames=len(scan.frames),
        bed=replace(_BED, motion=BedMotion.CONTINUOUS if scan.continuous else at_rest, positions=len(scan.beds)),
        array=Array(
            data_type=scan.data_type,
            order=enums.DataOrder.SINOGRAM,  # as images have it; (X)MedCon refuses the other one
            dimensions=4 if number > 1 else 3,
            x=x,
            y=y,
            z=z,
            w=number,
        ),
        geometry=_geometry(scan),
        acquisition=replace(_ACQUISITION, scan_time=scan.scan_time, gmt_scan_time=scan.scan_time - scan.utc_offset),
        gating=_gating(scan),
        subject=scan.subject,
        encoding=scan.encoding,
    )
    return _OF_MODALITY[scan.modality](common, scan, mouse)


def _check(scan: PhantomScan) -> None:
    """Raise OptionError for a scan that cannot be."""
    if scan.modality not in _OF_MODALITY:
        raise OptionError(f"the phantom has no {scan.modality.label}", expected="PET, CT or SPECT")
    if min(scan.gates, scan.energy_windows, len(scan.beds)) < 1:
        raise OptionError("a scan without gates, energy windows or beds", expected="at least one of each")
    if scan.energy_windows > 1 and scan.modality is not Modality.SPECT:
        raise OptionError(f"energy_windows is {scan.energy_windows}", expected="1, unless modality is SPECT")
    if scan.mu_map and (scan.modality is not Modality.PET or len(scan.frames) * scan.gates > 1):
        raise OptionError("the scan cannot be a mu map", expected="a PET with one time frame and one gate")


def _gating(scan: PhantomScan) -> Gating:
    if scan.gates == 1:
        return Gating()
    return Gating(
        inputs=1,
        bins=scan.gate_bins or (GateBins(input=1, bins=scan.gates, minimum_s=0.18, maximum_s=0.26),),
        descriptions=(GateDescription(1, scan.gate_description),),
    )


def _pet(header: Header, scan: PhantomScan, mouse: Mouse) -> Header:
    if scan.mu_map:
        return _mu_map(header)
    return replace(
        header,
        modality_configuration=enums.ModalityConfiguration.MM_PET,
        acquisition_mode=_pet_mode(scan),
        acquisition_file_name="mouse_fdg.lst",
        tracer=_injected(scan, mouse),
        calibration=scan.calibration,
        corrections=replace(_PET_CORRECTIONS, decay=bool(scan.tracer.half_life_s and scan.decay_corrected)),
        detector=_RINGS,
        reconstruction=_OSEM3D_MAP,
    )


def _pet_mode(scan: PhantomScan) -> AcquisitionMode:
    """Return the one mode that a PET's header can name: the first of these that fits."""
    modes = {
        AcquisitionMode.CONTINUOUS_BED: scan.continuous,
        AcquisitionMode.GATED: scan.gates > 1,
        AcquisitionMode.DYNAMIC: len(scan.frames) > 1,
        AcquisitionMode.EMISSION: True,
    }
    return next(mode for mode, fits in modes.items() if fits)


def _mu_map(header: Header) -> Header:
    """Return the header of a PET's mu map.

    It is made from the CT, for an emission scan: nothing has been transmitted, so that its mode is that scan's.
    """
    return replace(
        header,
        file_type=enums.FileType.MU_MAP,
        modality_configuration=enums.ModalityConfiguration.MM_PET,
        acquisition_mode=AcquisitionMode.EMISSION,
        acquisition_file_name="mouse_ct1.cat",
        calibration=NOT_CALIBRATED,
        corrections=Corrections(decay=False),
        detector=_RINGS,
    )


def _ct(header: Header, scan: PhantomScan, _mouse: Mouse) -> Header:
    seconds = int(sum(time.duration_s for time in scan.frames))
    return replace(
        header,
        modality_configuration=enums.ModalityConfiguration.MM_HIRES_STD_CT,
        acquisition_mode=AcquisitionMode.CT,
        acquisition_file_name="mouse_ct1.cat",
        corrections=Corrections(normalization=enums.Normalization.CT_LOG),
        detector=Detector(panels=1),
        reconstruction=_FELDKAMP,
        gantry=_gantry(_PROJECTIONS, revolutions=1.0),
        ct=replace(_XRAY, scan_time=f"{seconds // 60}:{seconds % 60:02}", gating=int(scan.gates > 1)),
    )


def _spect(header: Header, scan: PhantomScan, mouse: Mouse) -> Header:
    """Return a SPECT's header; no public source knows a `modality_configuration` of the platform's SPECT.

    The gantry makes one revolution for each time frame of each bed position; the durations of the projections, in s,
    are those of the first time frame.
    """
    step_s = scan.frames[0].duration_s / _SPECT_PROJECTIONS
    durations = tuple(Indexed(n, step_s) for n in range(_SPECT_PROJECTIONS))
    return replace(
        header,
        modality_configuration=enums.ModalityConfiguration.UNKNOWN,
        acquisition_mode=AcquisitionMode.SPECT,
        study="myocardial perfusion",
        tracer=_injected(scan, mouse),
        calibration=scan.calibration,
        corrections=replace(_SPECT_CORRECTIONS, decay=bool(scan.tracer.half_life_s and scan.decay_corrected)),
        detector=Detector(panels=2, lower_energy_kev=126.0, upper_energy_kev=154.0),
        reconstruction=_OSEM3D,
        gantry=_gantry(_SPECT_PROJECTIONS, float(len(scan.frames) * len(scan.beds)), durations),
    )


def _gantry(projections: int, revolutions: float, durations: tuple[Indexed, ...] = ()) -> Gantry:
    """Return a gantry that makes its projections in equal steps of a revolution."""
    step_deg = 360.0 / projections
    return Gantry(
        rotation=enums.GantryRotation.STEPS,
        direction=enums.RotationDirection.CLOCKWISE,
        start_deg=0.0,
        stop_deg=360.0 - step_deg,
        projections=projections,
        revolutions=revolutions,
        projection_angles_deg=tuple(Indexed(n, n * 360.0 / projections) for n in range(projections)),
        projection_durations=durations,
    )


_OF_MODALITY: dict[Modality, Callable[[Header, PhantomScan, Mouse], Header]] = {
    Modality.PET: _pet,
    Modality.CT: _ct,
    Modality.SPECT: _spect,
}


def _geometry(scan: PhantomScan) -> Geometry:
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


def _injected(scan: PhantomScan, mouse: Mouse) -> Tracer:
    before, tracer = mouse.injected_before_s, scan.tracer
    decayed = 2 ** (before / tracer.half_life_s) if tracer.half_life_s else None
    return replace(
        tracer,
        injection_time=tracer.injection_time or scan.scan_time - timedelta(seconds=before),
        injection_decay_correction=tracer.injection_decay_correction or decayed,
    )


_ACQUISITION = Acquisition(
    investigator="investigator 1",
    operator="operator 1",
    study_identifier="DEMO-01",
    acquisition_user="operator 1",
    histogram_user="operator 1",
    reconstruction_user="operator 2",
    scatter_correction_user="operator 2",
    notes="phantom: a mouse of ellipsoids, syringe on its left",
)
_BED = Bed(
    control=enums.BedControl.MULTIMODALITY,
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
    singles_rates=SINGLES_BLOCKS,
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
_OSEM3D = Reconstruction(
    algorithm=enums.ReconAlgorithm.OSEM3D,
    version=2.4,
    map_subsets=6,
    map_osem3d_iterations=8,
)
_SPECT_CORRECTIONS = Corrections(
    deadtime=enums.DeadtimeCorrection.NONE,
    normalization=enums.Normalization.SPECT_FLOOD,
    attenuation=enums.Attenuation.NONE,
    scatter=enums.Scatter.NONE,
)
_SPECT_PROJECTIONS = 60
_PROJECTIONS = 180
_XRAY = Ct(
    projection_size_transaxial=1024,
    projection_size_axial=800,
    average_dark_projections=25,
    average_light_projections=25,
    light_calibration_positions=1,
    light_calibration_at_scan_positions=False,
    calibration_exposures=25,
    detector_offset_mm=0.0,
    detector_transaxial_position_mm=0.0,
    uncropped_transaxial_pixels=4096,
    uncropped_axial_pixels=4064,
    cropped_transaxial_pixels=4096,
    cropped_axial_pixels=3200,
    detector_pitch_um=100.0,
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
