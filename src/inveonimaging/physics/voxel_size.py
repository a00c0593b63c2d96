"""Whether voxel sizes go with the detector: centimetres in a key of millimetres make them ten times off.

The detector's own measures: half the axial crystal pitch is the distance of slices of a PET; the ring's diameter and
length, or the CT detector as seen at the centre of rotation, bound what can be imaged. `zoom` is in the voxel size
already. Slices may be rebinned, and images resliced or downsampled, so that only what nothing explains is reported.
"""

from __future__ import annotations

from dataclasses import dataclass

from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import BedMotion, Modality

_SAME = 0.02
_TEN, _NEARLY = 10.0, 0.04
_WIDER, _LONGER = 1.2, 1.5  # than the detector: resliced images have room around them
_UNEQUAL = 9.0  # times; nobody asks for that
_UM_PER_MM = 1e3
_RAW_PITCH_UM = 35.0  # pixels of the CT detector are smaller, binned ones larger

Sizes = tuple[float, float, float]
"""Of a voxel along x, y, z, mm."""


@dataclass(frozen=True)
class _Detector:
    """What bounds an image, mm: width and length, and the distance of slices by each key; None is not known.

    An image shows the whole width of a CT detector, or a part of it; that of a PET depends on `zoom`.
    """

    name: str
    width: float | None
    length: float | None
    slices: dict[str, float]
    is_seen_whole: bool = False


def voxel_size_findings(
    header: Header, modality: Modality, shape: tuple[int, int, int], sizes: Sizes, source: str
) -> tuple[Finding, ...]:
    """Return a warning if voxel sizes contradict the detector or one another: the first reason of all.

    Args:
        header: the header.
        modality: of the image.
        shape: number of voxels along x, y, z.
        sizes: their size, mm.
        source: where that between slices is from, in the words of a message.
    """
    detector = _ct(header) if modality is Modality.CT else _pet(header) if modality is Modality.PET else _UNKNOWN
    key = source.split(maxsplit=1)[0]
    reasons = (
        (key, _between(detector, source, shape, sizes)),
        ("pixel_size" if header.geometry.pixel_size_x_mm is None else "pixel_size_x", _across(detector, shape, sizes)),
        (key, _along(detector, shape, sizes)),
        (key, _unequal(sizes)),
    )
    found = next(((where, message) for where, message in reasons if message), None)
    return (Finding("voxel-size-implausible", found[1], key=found[0]),) if found else ()


_UNKNOWN = _Detector("", None, None, {})


def _pet(header: Header) -> _Detector:
    ring = header.detector
    radius, pitch = ring.radius_mm or ring.radial_fov_mm, ring.axial_crystal_pitch_mm
    crystals = (ring.axial_crystals_per_block or 0) * (ring.axial_blocks or 0)
    slices = {
        "axial_crystal_pitch / 2": pitch / 2 if pitch else 0.0,
        "axial_plane_size": ring.axial_plane_size_mm or 0.0,
    }
    return _Detector(
        "detector ring",
        2 * radius if radius and radius > 0 else None,
        crystals * pitch if pitch and pitch > 0 and crystals > 0 and not _is_moved(header) else None,
        {name: size for name, size in slices.items() if size > 0},
    )


def _ct(header: Header) -> _Detector:
    ct, plane = header.ct, header.detector.axial_plane_size_mm
    pitch = (ct.detector_pitch_um or 0.0) / _UM_PER_MM
    is_raw = 0 < pitch * _UM_PER_MM < _RAW_PITCH_UM
    across = pitch * (ct.projection_size_transaxial or 0) * ((ct.transaxial_bin_factor or 1) if is_raw else 1)
    along = pitch * (ct.projection_size_axial or 0) * ((ct.axial_bin_factor or 1) if is_raw else 1)
    return _Detector(
        "detector",
        across if across > 0 else None,
        along if along > 0 and not _is_moved(header) else None,
        {"axial_plane_size": plane} if plane and plane > 0 else {},
        is_seen_whole=True,
    )


def _is_moved(header: Header) -> bool:
    """Whether the bed was moved, so that an image can be longer than the detector."""
    return (header.bed.positions or 0) > 1 or header.bed.motion not in _STILL


_STILL = {None, BedMotion.STATIC}


def _between(detector: _Detector, source: str, shape: tuple[int, int, int], sizes: Sizes) -> str | None:
    """Hold the distance of slices against that of the detector."""
    spacing = sizes[2]
    stated = f"{source} says {spacing:g} mm between slices"
    for name, expected in detector.slices.items():
        ratio = spacing / expected
        if source in detector.slices and abs(ratio - 1) > _SAME:
            return f"{stated}, {name} says {expected:g} mm; {source} is taken"
        if abs(ratio / _TEN - 1) < _NEARLY:
            return f"{stated}, ten times the {expected:g} mm of {name}: cm and mm mixed up?"
        if abs(ratio * _TEN - 1) < _NEARLY and _fits(detector, shape, sizes):
            return f"{stated}, a tenth of the {expected:g} mm of {name}: cm in a key of mm?"
    return None


def _fits(detector: _Detector, shape: tuple[int, int, int], sizes: Sizes) -> bool:
    """Whether the image would fit the detector if its slices were ten times as far apart, and voxels no flatter."""
    length, width = shape[2] * sizes[2] * _TEN, shape[0] * sizes[0] * (_TEN if sizes[0] < sizes[2] * _TEN / 2 else 1)
    is_narrow = detector.width is None or width <= detector.width * _WIDER
    return is_narrow and (detector.length is None or length <= detector.length * _LONGER)


def _across(detector: _Detector, shape: tuple[int, int, int], sizes: Sizes) -> str | None:
    """Hold the width of the image against that of the detector."""
    if detector.width is None:
        return None
    width, count, size = max((n * each, n, each) for n, each in zip(shape[:2], sizes[:2], strict=True))
    shown = f"{count} voxels of {size:g} mm are {width:.4g} mm, but the {detector.name} is {detector.width:.4g} mm wide"
    if width > detector.width * _WIDER:
        return shown
    is_tenth = detector.is_seen_whole and abs(width * _TEN / detector.width - 1) < _NEARLY
    return f"{shown}, ten times that: cm in a key of mm?" if is_tenth else None


def _along(detector: _Detector, shape: tuple[int, int, int], sizes: Sizes) -> str | None:
    """Hold the length of the image against that of the detector."""
    length = shape[2] * sizes[2]
    if detector.length is not None and length > detector.length * _LONGER:
        return (
            f"{shape[2]} slices of {sizes[2]:g} mm are {length:.4g} mm long, but the {detector.name} is "
            f"{detector.length:.4g} mm long, and the bed was not moved"
        )
    return None


def _unequal(sizes: Sizes) -> str | None:
    shown = " x ".join(f"{size:g}" for size in sizes)
    return f"a voxel is {shown} mm: cm and mm mixed up?" if max(sizes) > _UNEQUAL * min(sizes) else None
