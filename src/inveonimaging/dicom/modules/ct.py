"""CT Image (PS3.3 C.8.2.1), Enhanced CT Image and its functional groups (C.8.15).

A functional group is there if the header gives all of it. What no Inveon header ever gives, and an original must have,
is UNKNOWN, or 0 for the focal spot; see docs/reference/conformance.md.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.dicom.encode import dataset, ds, group, merged, put, sh, whole
from inveonimaging.dicom.modules.general import UNKNOWN
from inveonimaging.dicom.modules.multi_frame import (
    DERIVED,
    ORIGINAL,
    centres,
    enhanced_image,
    frame_type,
    origin_of,
    times_are_known,
)
from inveonimaging.dicom.modules.reconstruction import ct_kernel, reconstruction_diameter
from inveonimaging.dicom.modules.synchronization import synchronization
from inveonimaging.dicom.series import Series
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import BedMotion, ReconAlgorithm, RotationDirection, Smoothing
from inveonimaging.units import MM_PER_UM, MS_PER_S, UA_PER_MA

_DIRECTION = {RotationDirection.CLOCKWISE: "CW", RotationDirection.COUNTERCLOCKWISE: "CC"}
_ALGORITHM = {ReconAlgorithm.FBP: "FILTER_BACK_PROJ", ReconAlgorithm.FELDKAMP: "FILTER_BACK_PROJ"}
_SMOOTHED = {
    Smoothing.BOXCAR: "3 PT BOXCAR",
    Smoothing.GAUSSIAN: "3 PT GAUSSIAN",
    Smoothing.TRIANGULAR: "3 PT TRIANGULAR",
}
_FULL_TURN_DEG = 360
_UNKNOWN_SIZE = "0"  # of the focal spot, which no header has; see docs/reference/conformance.md


def ct_image(series: Series) -> Dataset:
    """CT Image Module (PS3.3 C.8.2.1), but for the rescale slope."""
    header = series.image.header
    ct, mode, current = header.ct, header.acquisition_mode, header.ct.anode_current_ua
    module = dataset(
        ImageType=[origin_of(series), "PRIMARY", "AXIAL"],
        RescaleType="HU",
        KVP=ds(ct.voltage_kv) if ct.voltage_kv else "",
    )
    return put(
        module,
        ScanOptions=None if mode is None else f"ACQ MODE {int(mode)}",  # as the vendor's workstation writes it
        ReconstructionDiameter=reconstruction_diameter(series),
        DistanceSourceToDetector=ct.source_to_detector_mm and ds(ct.source_to_detector_mm),
        DistanceSourceToPatient=ct.source_to_rotation_centre_mm and ds(ct.source_to_rotation_centre_mm),
        RotationDirection=rotation_direction(header),
        ConvolutionKernel=ct_kernel(header),
        FilterType=sh(f"AL {ct.aluminum_filter_mm:g} MM") if ct.aluminum_filter_mm else None,
        ExposureTime=whole(ct.exposure_time_ms) if ct.exposure_time_ms else None,  # of one projection
        XRayTubeCurrentInuA=ds(current) if current else None,
        XRayTubeCurrent=whole(current / UA_PER_MA) if current and current % UA_PER_MA == 0 else None,  # if whole mA
    )


def rotation_direction(header: Header) -> str | None:
    """Rotation Direction (0018,1140)."""
    direction = header.gantry.direction
    return None if direction is None else _DIRECTION[direction]


def enhanced_ct_image(series: Series) -> Dataset:
    """Enhanced CT Image Module (PS3.3 C.8.15.2), with the synchronization of gates."""
    origin = _origin(series)
    return merged((enhanced_image(series, origin), synchronization(series, is_original=origin == ORIGINAL)))


def ct_image_frame_type(series: Series) -> Dataset:
    """CT Image Frame Type Macro (PS3.3 C.8.15.3.1)."""
    return group("CTImageFrameTypeSequence", frame_type(_origin(series)))


def ct_acquisition_type(series: Series) -> Dataset:
    """CT Acquisition Type Macro (PS3.3 C.8.15.3.2): the animal lies still, and source and detector go around it."""
    moves = series.image.header.bed.motion is BedMotion.CONTINUOUS
    item = dataset(AcquisitionType="SPIRAL" if moves else "STATIONARY", FluoroscopyFlag="NO", ConstantVolumeFlag="NO")
    return group("CTAcquisitionTypeSequence", item)


def ct_acquisition_details(series: Series) -> Dataset:
    """CT Acquisition Details Macro (PS3.3 C.8.15.3.3).

    hdr `ct_xray_detector_pitch` is of a binned pixel, as seen at the centre of rotation: times `ct_proj_size_*` it is
    the field of view.
    """
    header = series.image.header
    pixel = header.ct.detector_pitch_um and header.ct.detector_pitch_um * float(MM_PER_UM)
    axial, transaxial = header.ct.projection_size_axial, header.ct.projection_size_transaxial
    height = header.frames[0].vertical_bed_offset_mm
    item = put(
        dataset(GantryDetectorTilt="0"),  # it cannot tilt
        RotationDirection=rotation_direction(header),
        RevolutionTime=_revolution_s(series),
        SingleCollimationWidth=pixel,
        TotalCollimationWidth=pixel and axial and pixel * axial,
        TableHeight=None if height is None else ds(height),
        DataCollectionDiameter=ds(pixel * transaxial) if pixel and transaxial else None,
    )
    return group(
        "CTAcquisitionDetailsSequence",
        item,
        "RotationDirection",
        "RevolutionTime",
        "SingleCollimationWidth",
        "TotalCollimationWidth",
        "TableHeight",
        "DataCollectionDiameter",
    )


def ct_table_dynamics(series: Series) -> Dataset:
    """CT Table Dynamics Macro (PS3.3 C.8.15.3.4): empty for a table that does not move."""
    moves = series.image.header.bed.motion is BedMotion.CONTINUOUS
    return Dataset() if moves else dataset(CTTableDynamicsSequence=[Dataset()])


def ct_position(series: Series) -> Dataset:
    """CT Position Macro (PS3.3 C.8.15.3.5)."""
    return group("CTPositionSequence", centres(series), "TablePosition")


def ct_geometry(series: Series) -> Dataset:
    """CT Geometry Macro (PS3.3 C.8.15.3.6)."""
    ct = series.image.header.ct
    item = put(
        Dataset(),
        DistanceSourceToDetector=ct.source_to_detector_mm and ds(ct.source_to_detector_mm),
        DistanceSourceToDataCollectionCenter=ct.source_to_rotation_centre_mm,
    )
    return group("CTGeometrySequence", item, "DistanceSourceToDetector", "DistanceSourceToDataCollectionCenter")


def ct_reconstruction(series: Series) -> Dataset:
    """CT Reconstruction Macro (PS3.3 C.8.15.3.7)."""
    header = series.image.header
    x, y, _ = series.image.grid.spacing_mm
    smoothing = header.smoothing.filter if header.smoothing.iterations else None
    item = put(
        dataset(
            ReconstructionDiameter=reconstruction_diameter(series),
            ReconstructionPixelSpacing=[y, x],
            ConvolutionKernelGroup=UNKNOWN,
            ImageFilter=_SMOOTHED.get(smoothing or Smoothing.UNKNOWN, UNKNOWN),
        ),
        ReconstructionAlgorithm=_ALGORITHM.get(header.reconstruction.algorithm or ReconAlgorithm.UNKNOWN),
        ConvolutionKernel=ct_kernel(header),
        ReconstructionAngle=_FULL_TURN_DEG * header.gantry.revolutions if header.gantry.revolutions else None,
    )
    return group(
        "CTReconstructionSequence", item, "ReconstructionAlgorithm", "ConvolutionKernel", "ReconstructionAngle"
    )


def ct_exposure(series: Series) -> Dataset:
    """CT Exposure Macro (PS3.3 C.8.15.3.8): of all projections, since each voxel is made from all of them."""
    header = series.image.header
    given = header.ct.anode_current_ua, header.ct.exposure_time_ms, header.gantry.projections
    current, time, projections = (value if value and value > 0 else None for value in given)
    total_ms = time * projections if time and projections else None
    current_ma = current / UA_PER_MA if current else None
    item = put(
        dataset(ExposureModulationType="NONE", CTDIvol=None),
        ExposureTimeInms=total_ms,
        XRayTubeCurrentInmA=current_ma,
        ExposureInmAs=current_ma * total_ms / MS_PER_S if current_ma and total_ms else None,
    )
    return group("CTExposureSequence", item, "ExposureTimeInms", "XRayTubeCurrentInmA", "ExposureInmAs")


def ct_x_ray_details(series: Series) -> Dataset:
    """CT X-Ray Details Macro (PS3.3 C.8.15.3.9)."""
    ct = series.image.header.ct
    item = put(
        dataset(FocalSpots=_UNKNOWN_SIZE),
        KVP=ct.voltage_kv and ds(ct.voltage_kv),
        FilterType=None if ct.aluminum_filter_mm is None else "FLAT" if ct.aluminum_filter_mm else "NONE",
        FilterMaterial="ALUMINUM" if ct.aluminum_filter_mm else None,
    )
    return group("CTXRayDetailsSequence", item, "KVP", "FilterType")


def _origin(series: Series) -> str:
    """Return ORIGINAL if all functional groups that an original must have are complete, else DERIVED."""
    is_complete = times_are_known(series) and all(macro(series) for macro in CT_ACQUISITION)
    return origin_of(series) if is_complete else DERIVED


CT_ACQUISITION = (
    ct_acquisition_type,
    ct_acquisition_details,
    ct_table_dynamics,
    ct_position,
    ct_geometry,
    ct_reconstruction,
    ct_exposure,
    ct_x_ray_details,
)


def _revolution_s(series: Series) -> float | None:
    """Return the time of one turn, s: the time of one bed position by its number of turns.

    hdr `frame_duration` is of one bed position, `ct_scan_time` (min:sec) of all of them.
    """
    header = series.image.header
    turns, duration = header.gantry.revolutions, header.frames[0].duration_s
    if not turns or turns < 0:
        return None
    if duration and duration > 0:
        return duration / turns
    whole = header.ct.scan_s
    return whole and whole / (turns * max(header.bed.positions or 1, 1))
