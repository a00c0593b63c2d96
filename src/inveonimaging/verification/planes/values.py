"""Every voxel compared: what a reader makes of the pixels, and what the source gives, within half a rescale slope."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.dicom_reading.pixels import read_planes
from inveonimaging.dicom_reading.planes import Float, Plane
from inveonimaging.dicom_reading.times import number_of
from inveonimaging.errors import InputError
from inveonimaging.study.masking import shown_value
from inveonimaging.verification.attributes.vendor import is_cut_off
from inveonimaging.verification.planes.diagnosis import Diagnosis, diagnosed
from inveonimaging.verification.planes.layout import sample
from inveonimaging.verification.planes.plane_matching import Placing, Slot
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import SourceScan

HALF = 0.5 + 1e-6  # of a slope, and the rounding of the comparison itself
_RELATIVE = 1e-12  # of a value, likewise
_RELATIVE_OF_WINDOW = 1e-6  # of its width, likewise
_FLOAT = 1e-6  # of a value that is stored as a floating point number
_COARSE = 256  # steps; fewer between 0 and the largest value is worth a note
_DIAGNOSED = 12
_NAMED = 3


@dataclass
class Compared:
    """What came of the voxels of a series.

    Attributes:
        planes, voxels: how many were compared.
        largest: largest difference, in the image's unit.
        largest_steps: the same, in rescale slopes.
        highest: largest true value, by its size.
        extent: lowest and highest true value.
        beyond: how many voxels are below and above the window of their plane.
        is_whole: whether all slices of all frames are there.
        coarsest: largest rescale slope.
        unmapped: planes with pixels that their Real World Value Mapping leaves out.
        guessed: voxels that are nothing here, and not in the source, of scans of which it is not known what is masked.
        cut_off: step of planes whose values the vendor's workstation stretched and cut off, and how far that is.
        differences: what differs.
        notes: what is worth knowing.
    """

    planes: int = 0
    voxels: int = 0
    largest: float = 0.0
    largest_steps: float = 0.0
    highest: float = 0.0
    extent: tuple[float, float] = (math.inf, -math.inf)
    beyond: tuple[int, int] = (0, 0)
    is_whole: bool = False
    coarsest: float = 0.0
    guessed: int = 0
    cut_off: tuple[float, float] = (0.0, 0.0)
    unmapped: list[Plane] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Failure:
    """A plane with voxels that differ, and by how much."""

    plane: Plane
    slot: Slot
    largest: float
    scale: tuple[float, float]


def compare_values(planes: Sequence[Plane], scan: SourceScan, placing: Placing, step: Callable[[], None]) -> Compared:
    """Compare every voxel of the planes that have a place in the source.

    Args:
        planes: of one series.
        scan: the source.
        placing: where the planes belong.
        step: called after each plane.
    """
    result = Compared()
    failures: list[_Failure] = []
    broken: list[InputError] = []
    lost: list[Plane] = []
    for plane, slot, pixels in _read(planes, placing, broken, lost):
        step()
        failure = _compared(plane, slot, placing.layout.undone(pixels), scan, result)
        if failure is not None:
            failures.append(failure)
    result.is_whole = result.planes == scan.planes
    if broken:
        result.differences.append(
            Difference(
                "pixels-unreadable",
                Kind.VOXELS,
                f"pixels of {_planes(len(lost))} cannot be read: {broken[0].message or broken[0]}",
                broken[0].path,
                len(lost),
            )
        )
    if result.unmapped:
        first = result.unmapped[0]
        message = f"Real World Value Mapping leaves out pixels of {_planes(len(result.unmapped))}"
        result.differences.append(
            Difference("mapped-range", Kind.VOXELS, message, str(first.file.path), len(result.unmapped))
        )
    if result.guessed:
        what = f"{result.guessed} voxels are {shown_value(scan.image)}, and not so in the source"
        message = f"{what}: neighbours were masked, and no inveon-manifest.json beside the series says where"
        result.differences.append(Difference("mask-unknown", Kind.VOXELS, message, str(planes[0].file.path)))
    result.differences += _explained(failures, scan, placing)
    _note(result, scan)
    return result


def _read(
    planes: Sequence[Plane], placing: Placing, broken: list[InputError], lost: list[Plane]
) -> Iterator[tuple[Plane, Slot, npt.NDArray[Any]]]:
    """Yield planes that have a place, with their pixels, file by file."""
    placed = zip(planes, placing.slots, strict=True)
    for file, members in groupby(placed, key=lambda pair: pair[0].file):
        wanted = {plane.index: (plane, slot) for plane, slot in members if slot is not None}
        try:
            for index, pixels in enumerate(read_planes(file.path, file.native) if wanted else ()):
                if index in wanted:
                    yield (*wanted.pop(index), pixels)
                if not wanted:
                    break
        except InputError as error:
            broken.append(error)
        if wanted:
            lost.extend(plane for plane, _ in wanted.values())
            if not broken or broken[-1].path != str(file.path):
                broken.append(InputError(f"there are {_planes(len(wanted))} less than it says", path=file.path))


def scale_of(plane: Plane) -> tuple[float, float]:
    """Return slope and intercept that a reader applies; those of Real World Value Mapping without others."""
    slope, intercept = plane.number("RescaleSlope"), plane.number("RescaleIntercept")
    if slope is None and plane.get("RealWorldValueMappingSequence") is not None:
        slope, intercept = _mapping(plane)
    return 1.0 if slope is None else slope, intercept or 0.0


def _mapping(plane: Plane) -> tuple[float | None, float]:
    """Return slope and intercept of Real World Value Mapping; the slope is None if there is none."""
    item = plane.get("RealWorldValueMappingSequence") or {}
    return number_of(item.get("RealWorldValueSlope")), number_of(item.get("RealWorldValueIntercept")) or 0.0


def _compared(
    plane: Plane, slot: Slot, pixels: npt.NDArray[Any], scan: SourceScan, result: Compared
) -> _Failure | None:
    true = scan.plane(*slot)
    if pixels.shape != true.shape:
        return _Failure(plane, slot, float("inf"), scale_of(plane))
    slope, intercept = scale_of(plane)
    found = pixels.astype(np.float64) * slope + intercept
    if scan.may_be_masked:
        true = _as_masked(true, found, scan.image.scaling.nothing, HALF * (abs(slope) or 1.0), result)
    away = np.abs(found - true)
    lowest, highest = float(true.min()), float(true.max())
    _look_beyond(plane, true, (lowest, highest), result)
    largest, highest, size = float(away.max()), max(abs(lowest), abs(highest)), abs(slope) or 1.0
    result.planes, result.voxels = result.planes + 1, result.voxels + true.size
    result.highest, result.coarsest = max(result.highest, highest), max(result.coarsest, size)
    allowed = HALF * size + _RELATIVE * highest if pixels.dtype.kind in "iu" else _FLOAT * highest
    result.largest, result.largest_steps = max(result.largest, largest), max(result.largest_steps, largest / size)
    if largest > allowed and is_cut_off(plane, pixels, true, (slope, intercept)):
        result.cut_off = max(result.cut_off, (size, largest))
        return None
    if largest <= allowed:
        return _mapped(plane, slot, pixels, true, (slope, intercept), result)
    return _Failure(plane, slot, largest, (slope, intercept))


def _as_masked(true: Float, found: Float, nothing: float, allowed: float, result: Compared) -> Float:
    """Return true values with nothing where that is found; count where it is not what the source has."""
    is_nothing = np.abs(found - nothing) <= allowed
    result.guessed += int(np.count_nonzero(is_nothing & (np.abs(true - nothing) > allowed)))
    return np.where(is_nothing, nothing, true)


def window_of(plane: Plane) -> tuple[float, float] | None:
    """Return lowest and highest value of a plane's window; None if it has none, or several."""
    centre, width = plane.number("WindowCenter"), plane.number("WindowWidth")
    return None if centre is None or width is None else (centre - width / 2, centre + width / 2)


def _look_beyond(plane: Plane, true: Float, extent: tuple[float, float], result: Compared) -> None:
    """Note the extent of the values of a plane, and how many are beyond its window."""
    result.extent = min(result.extent[0], extent[0]), max(result.extent[1], extent[1])
    low, high = window_of(plane) or extent
    low, high = low - _RELATIVE_OF_WINDOW * abs(high - low), high + _RELATIVE_OF_WINDOW * abs(high - low)
    below = int(np.count_nonzero(true < low)) if extent[0] < low else 0
    above = int(np.count_nonzero(true > high)) if extent[1] > high else 0
    result.beyond = result.beyond[0] + below, result.beyond[1] + above


def _mapped(
    plane: Plane,
    slot: Slot,
    pixels: npt.NDArray[Any],
    true: Float,
    scale: tuple[float, float],
    result: Compared,
) -> _Failure | None:
    """Compare by Real World Value Mapping, where it says other than Rescale Slope and Intercept."""
    slope, intercept = _mapping(plane)
    _look_at_range(plane, pixels, result)
    if slope is None or (slope, intercept) == scale:
        return None
    largest = float(np.abs(pixels.astype(np.float64) * slope + intercept - true).max())
    allowed = HALF * abs(slope) + _RELATIVE * float(np.abs(true).max())
    return _Failure(plane, slot, largest, (slope, intercept)) if largest > allowed else None


def _look_at_range(plane: Plane, pixels: npt.NDArray[Any], result: Compared) -> None:
    """Note a plane with pixels that its Real World Value Mapping leaves out."""
    item = plane.get("RealWorldValueMappingSequence") or {}
    first, last = (number_of(item.get(f"RealWorldValue{end}ValueMapped")) for end in ("First", "Last"))
    if first is not None and last is not None and not first <= pixels.min() <= pixels.max() <= last:
        result.unmapped.append(plane)


def _explained(failures: Sequence[_Failure], scan: SourceScan, placing: Placing) -> list[Difference]:
    """Return one difference for each way in which planes are wrong, from a look at some of them."""
    groups: dict[str, list[tuple[_Failure, Diagnosis]]] = defaultdict(list)
    for failure in sample(failures, _DIAGNOSED):
        found = diagnosed(failure.plane, failure.slot, scan, placing.layout, failure.scale)
        groups[found.code].append((failure, found))
    looked_at = sum(map(len, groups.values()))
    return [
        _difference(code, group, failures, scan, share=len(group) / looked_at, is_only=len(groups) == 1)
        for code, group in groups.items()
    ]


def _difference(
    code: str,
    group: Sequence[tuple[_Failure, Diagnosis]],
    failures: Sequence[_Failure],
    scan: SourceScan,
    *,
    share: float,
    is_only: bool,
) -> Difference:
    count = len(failures) if is_only else max(len(group), round(share * len(failures)))
    about = "" if is_only or len(failures) <= _DIAGNOSED else "about "
    worst = max((failure for failure, _ in group), key=lambda failure: failure.largest)
    words = list(dict.fromkeys(diagnosis.message for _, diagnosis in group))
    more = f", and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    size = "" if np.isinf(worst.largest) else f"; up to {worst.largest:.6g} {scan.image.scaling.unit.value} away"
    first = group[0][0]
    message = f"voxels of {about}{_planes(count)} differ{size}: {'; '.join(words[:_NAMED])}{more}"
    return Difference(code, Kind.VOXELS, message, str(first.plane.file.path), count)


def _note(result: Compared, scan: SourceScan) -> None:
    step, largest = result.cut_off
    if step:
        unit = scan.image.scaling.unit.value
        result.notes.append(
            f"the vendor's workstation stretched the values to 16 bits, in steps of {step:.6g} {unit}, and cut them "
            f"off instead of rounding: up to {largest:.4g} {unit} away. The source's are right"
        )
    if result.planes and not result.differences and 0 < result.highest < _COARSE * result.coarsest:
        if scan.image.scaling.unit.value == "HU" and result.coarsest <= 1:
            return
        steps = round(result.highest / result.coarsest)
        result.notes.append(f"values are rounded to {steps} steps between 0 and the largest of them")


def _planes(count: int) -> str:
    return "1 plane" if count == 1 else f"{count} planes"
