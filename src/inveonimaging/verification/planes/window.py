"""The window that a series is first shown with (PS3.3 C.11.2): one that shows something; of this program its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from inveonimaging.dicom_reading.planes import Plane
from inveonimaging.dicom_reading.times import number_of
from inveonimaging.dicom_reading.writer import own_class
from inveonimaging.errors import printable
from inveonimaging.verification.planes.values import Compared
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import SourceScan

_HU = (250.0, 1500.0)  # centre and width: soft tissue and bone
_NOTHING = (0.5, 1.0)  # of a series without any contrast
_FEW = 0.01  # of the voxels
_EDGE = 1e-6  # of a width: how far a window may end beyond the largest value, by its rounding
_EXACT = "LINEAR_EXACT"


def compare_window(planes: Sequence[Plane], scan: SourceScan, values: Compared) -> Iterator[Difference]:
    """Yield a window that is none, or shows nothing of the values; of this program one that it does not write.

    Other programs choose their own, which may differ from file to file. This one writes soft tissue and bone of a CT in
    HU, and else what shows nearly all values, from 0 or from those of a CT.

    Args:
        planes: of the series.
        scan: the source.
        values: what came of comparing all of them.
    """
    wrong: dict[str, list[Plane]] = {}
    for plane in planes:
        if why := _why(plane, scan, values):
            wrong.setdefault(why, []).append(plane)
    for why, those in wrong.items():
        many = f" in {len(those)} planes" if len(those) > 1 else ""
        found = " and ".join(printable(str(those[0].get(keyword))) for keyword in ("WindowCenter", "WindowWidth"))
        message = f"Window Center and Width are {found}{many}, {why}"
        yield Difference("window", Kind.DISPLAY, message, str(those[0].file.path), len(those))


def _why(plane: Plane, scan: SourceScan, values: Compared) -> str | None:
    """Return what is wrong with the window of a plane; None if nothing is, or it has none."""
    centres, widths = (_several(plane.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    is_own = own_class(plane) is not None and values.is_whole
    if not centres and not widths:
        return "expected a window" if is_own and _shows_something(scan, values) else None
    least = 0.0 if plane.get("VOILUTFunction") == _EXACT else 1.0
    if len(centres) != len(widths):
        return "expected as many of both"
    for centre, width in zip(map(number_of, centres), map(number_of, widths), strict=True):
        if centre is None or width is None or width < least or not width:
            return f"expected a width {'of 1 and more' if least else 'above 0'}"
        if values.is_whole and (values.extent[0] > centre + width / 2 or values.extent[1] < centre - width / 2):
            return "which shows nothing of the values"
        if is_own and not _is_own(scan, values, centre, width):
            return f"expected one of the values, {values.extent[0]:.6g} to {values.extent[1]:.6g}"
    return None


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _shows_something(scan: SourceScan, values: Compared) -> bool:
    """Return whether a first look can show anything: more than one value, and of all but a CT one above 0."""
    lowest, highest = values.extent
    return lowest < highest if scan.modality == "CT" else lowest >= 0 and highest > 0


def _is_own(scan: SourceScan, values: Compared, centre: float, width: float) -> bool:
    """Return whether this program would write it: it ends within the values, and leaves few of them out."""
    if (centre, width) == (_HU if scan.modality == "CT" else _NOTHING):
        return True
    low, high, slack = centre - width / 2, centre + width / 2, _EDGE * width
    start = values.extent[0] if scan.modality == "CT" else 0.0
    is_within = low >= start - slack and (scan.modality == "CT" or low <= slack) and high <= values.extent[1] + slack
    beyond = max(values.beyond) if scan.modality == "CT" else values.beyond[1]
    return is_within and beyond <= max(1, _FEW * values.voxels)
