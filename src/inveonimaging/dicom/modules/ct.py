"""CT Image."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.dicom.encode import dataset, ds, put, sh, whole
from inveonimaging.dicom.modules.reconstruction import ct_kernel, reconstruction_diameter
from inveonimaging.dicom.series import Series
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import RotationDirection
from inveonimaging.inveon.hdr.model import Ct
from inveonimaging.units import UA_PER_MA

_DIRECTION = {RotationDirection.CLOCKWISE: "CW", RotationDirection.COUNTERCLOCKWISE: "CC"}


def ct_image(series: Series) -> Dataset:
    """CT Image Module (PS3.3 C.8.2.1), but for the rescale slope."""
    header = series.image.header
    ct, mode = header.ct, header.acquisition_mode
    module = dataset(
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
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
        **_exposure(ct),
    )


def rotation_direction(header: Header) -> str | None:
    """Rotation Direction (0018,1140)."""
    direction = header.gantry.direction
    return None if direction is None else _DIRECTION[direction]


def _exposure(ct: Ct) -> dict[str, str | None]:
    """Exposure of one projection; in milliamperes only a current that is a whole number of them."""
    current, time = ct.anode_current_ua, ct.exposure_time_ms
    return {
        "ExposureTime": whole(time) if time else None,
        "XRayTubeCurrentInuA": ds(current) if current else None,
        "XRayTubeCurrent": whole(current / UA_PER_MA) if current and current % UA_PER_MA == 0 else None,
    }
