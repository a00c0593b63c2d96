"""DICOM Segmentation (PS3.3 A.51, A.104) read as plain values: where its voxels lie, and which are in each segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom.uid import UID

from inveonimaging.dicom_reading.opening import opened
from inveonimaging.dicom_reading.planes import Float, Plane, Reader
from inveonimaging.errors import InputError, printable

SEGMENTATION, LABEL_MAP = UID("1.2.840.10008.5.1.4.1.1.66.4"), UID("1.2.840.10008.5.1.4.1.1.66.7")
_MOST_VOXELS = 2**30
_MOST_SLICES = 65535
_HALF = 0.5
_SAME_MM = 1e-3
_SAME_STEP = 0.01  # of the distance between slices


class Segment(NamedTuple):
    """A segment: its number, from 1, and its label."""

    number: int
    label: str


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a segmentation holds.

    Attributes:
        space: Frame of Reference UID.
        affine: (4, 4), index i, j, k (column, row, slice) -> LPS mm.
        volumes: of each segment that has voxels, (nk, nj, ni): its number where it is, else another one.
        is_fractional: whether voxels were taken where their fraction is a half or more.
    """

    space: str
    affine: Float
    volumes: tuple[tuple[Segment, npt.NDArray[Any]], ...] = field(repr=False)
    is_fractional: bool = False


def read_segmentation(path: Path) -> Segmentation:
    """Read a segmentation.

    Raises:
        InputError: it cannot be read; its slices do not lie beside each other.
    """
    labels, kind, most = _described(path)
    file = Reader().read(path)
    planes = file.planes
    affine, numbers, slices = _stack(planes, path)
    rows, columns = file.size or (0, 0)
    if rows * columns * slices > _MOST_VOXELS or rows * columns * len(planes) > _MOST_VOXELS:
        raise InputError(f"has {columns} x {rows} x {slices} voxels", path=path, expected=f"at most {_MOST_VOXELS}")
    volumes: dict[int, npt.NDArray[Any]] = {}
    is_map = kind == "LABELMAP"
    least = 1 if kind == "BINARY" else _HALF * most
    for plane, k, pixels in zip(planes, numbers, file.pixels(), strict=True):
        number = 0 if is_map else _segment_of(plane, path)
        if number not in volumes:
            volumes[number] = np.zeros((slices, rows, columns), np.uint16 if is_map else np.uint8)
        if is_map:
            volumes[number][k] = pixels
        else:
            volumes[number][k] |= (pixels >= least).astype(np.uint8)
    found = _of_map(volumes, labels) if is_map else _of_each(volumes, labels)
    return Segmentation(str(planes[0].get("FrameOfReferenceUID") or ""), affine, tuple(found), kind == "FRACTIONAL")


def _described(path: Path) -> tuple[dict[int, str], str, float]:
    """Return the label of each segment, the kind of segmentation, and the value that stands for all of a voxel."""
    with opened(path) as file:
        header = file.header
        if header.get("SOPClassUID") not in (SEGMENTATION, LABEL_MAP):
            raise InputError("is no DICOM segmentation", path=path)
        kind = str(header.get("SegmentationType") or "").strip().upper()
        if kind not in {"BINARY", "FRACTIONAL", "LABELMAP"}:
            expected = "BINARY, FRACTIONAL or LABELMAP"
            raise InputError(f"Segmentation Type is '{printable(kind)}'", path=path, expected=expected)
        labels: dict[int, str] = {}
        for item in header.get("SegmentSequence") or ():
            number, label = item.get("SegmentNumber"), str(item.get("SegmentLabel") or "")
            if isinstance(number, int):
                labels[number] = label or f"segment {number}"
        most = header.get("MaximumFractionalValue")
        return labels, kind, float(most) if isinstance(most, int) and most > 0 else 255.0


def _segment_of(plane: Plane, path: Path) -> int:
    number = plane.get("ReferencedSegmentNumber")
    if not isinstance(number, int):
        raise InputError(f"frame {plane.index + 1} does not say of which segment it is", path=path)
    return number


def _stack(planes: tuple[Plane, ...], path: Path) -> tuple[Float, list[int], int]:
    """Return index -> LPS mm, which slice each frame is, and how many slices there are."""
    first = planes[0]
    cosines, spacing = first.cosines, first.spacing
    places = [plane.position for plane in planes]
    if cosines is None or spacing is None or any(place is None for place in places) or np.any(spacing <= 0):
        raise InputError("does not say where its frames lie", path=path, expected="position, orientation and spacing")
    if any(_differ(plane.cosines, cosines) or _differ(plane.spacing, spacing) for plane in planes):
        raise InputError("its frames have different directions or sizes", path=path, expected="slices of one volume")
    normal = np.cross(*cosines)
    apart = np.array(places) - places[0]
    along = apart @ normal
    if np.abs(apart - np.outer(along, normal)).max() > _SAME_STEP:
        raise InputError("its frames are shifted sideways", path=path, expected="slices of one volume")
    step, numbers = _steps(first, along - along.min(), path)
    affine = np.eye(4)
    affine[:3, :3] = np.transpose([cosines[0] * spacing[1], cosines[1] * spacing[0], normal * step])
    affine[:3, 3] = places[int(np.argmin(along))]
    if abs(np.linalg.det(affine)) < _SAME_MM**3:
        raise InputError("its place makes no sense", path=path)
    return affine, numbers, max(numbers) + 1


def _differ(one: Float | None, other: Float) -> bool:
    return one is None or bool(np.abs(one - other).max() > _SAME_MM)


def _steps(first: Plane, along: Float, path: Path) -> tuple[float, list[int]]:
    """Return the distance between slices, which all positions are multiples of, and the number of each frame's."""
    between = np.diff(np.unique(np.round(along / _SAME_MM) * _SAME_MM))
    stated = (first.number("SpacingBetweenSlices"), first.number("SliceThickness"))
    for step in (*stated, float(between.min()) if between.size else None):
        if step is None or not step > _SAME_MM:
            continue
        numbers = along / step
        nearest = np.rint(numbers)
        if np.abs(numbers - nearest).max() <= _SAME_STEP and nearest.max() < _MOST_SLICES:
            return step, nearest.astype(int).tolist()
    raise InputError("its frames do not lie at even distances", path=path, expected="slices of one volume")


def _of_each(volumes: dict[int, npt.NDArray[Any]], labels: dict[int, str]) -> Iterator[tuple[Segment, Any]]:
    for number in sorted(volumes):
        label = labels.get(number, f"segment {number}")
        yield Segment(number, label), np.where(volumes[number], np.uint16(number), np.uint16(0))


def _of_map(volumes: dict[int, npt.NDArray[Any]], labels: dict[int, str]) -> Iterator[tuple[Segment, Any]]:
    for volume in volumes.values():
        for number in np.unique(volume).tolist():
            if number in labels:  # what has no description is the background
                yield Segment(number, labels[number]), volume
