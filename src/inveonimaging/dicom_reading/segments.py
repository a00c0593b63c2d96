"""DICOM Segmentation (PS3.3 A.51, A.104) read as plain values: where its voxels lie, and which are in each segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

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
    """A segment.

    Attributes:
        label: of it.
        numbers: (nk, nj, ni) of the smallest box that holds it: 1 where it is, else 0.
        first: where that box begins, i, j, k.
    """

    label: str
    numbers: npt.NDArray[np.uint8]
    first: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a segmentation holds.

    Attributes:
        space: Frame of Reference UID.
        affine: (4, 4), index i, j, k (column, row, slice) -> LPS mm.
        segments: those that have voxels, in the order of their numbers.
        is_fractional: whether voxels were taken where their fraction is a half or more.
    """

    space: str
    affine: Float
    segments: tuple[Segment, ...] = field(repr=False)
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
    if kind == "LABELMAP":
        whole = np.zeros((slices, rows, columns), np.uint16)
        for k, pixels in zip(numbers, file.pixels(), strict=True):
            whole[k] = pixels
        found = tuple(_of_map(whole, labels))
    else:
        least = 1 if kind == "BINARY" else _HALF * most
        pieces: dict[int, list[_Piece]] = {}
        for plane, k, pixels in zip(planes, numbers, file.pixels(), strict=True):
            if piece := _piece(pixels >= least, k):
                pieces.setdefault(_segment_of(plane, path), []).append(piece)
        found = tuple(_joined(number, pieces[number], labels) for number in sorted(pieces))
        if sum(each.numbers.size for each in found) > _MOST_VOXELS:
            raise InputError("its segments are too large", path=path, expected=f"at most {_MOST_VOXELS} voxels")
    return Segmentation(str(planes[0].get("FrameOfReferenceUID") or ""), affine, found, kind == "FRACTIONAL")


class _Piece(NamedTuple):
    """What of a segment is in a slice: the smallest rectangle of pixels, and where it begins."""

    k: int
    j: int
    i: int
    pixels: npt.NDArray[np.bool_]


def _piece(pixels: npt.NDArray[np.bool_], k: int) -> _Piece | None:
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not rows.size:
        return None
    j, i = int(rows[0]), int(columns[0])
    return _Piece(k, j, i, pixels[j : rows[-1] + 1, i : columns[-1] + 1].copy())


def _joined(number: int, pieces: list[_Piece], labels: dict[int, str]) -> Segment:
    """Return a segment of its pieces: the smallest box that holds them."""
    k, stop_k = min(each.k for each in pieces), max(each.k for each in pieces) + 1
    j, stop_j = min(each.j for each in pieces), max(each.j + each.pixels.shape[0] for each in pieces)
    i, stop_i = min(each.i for each in pieces), max(each.i + each.pixels.shape[1] for each in pieces)
    numbers = np.zeros((stop_k - k, stop_j - j, stop_i - i), np.uint8)
    for each in pieces:
        height, width = each.pixels.shape
        top, left = each.j - j, each.i - i
        numbers[each.k - k, top : top + height, left : left + width] |= each.pixels
    return Segment(labels.get(number, f"segment {number}"), numbers, (i, j, k))


def _described(path: Path) -> tuple[dict[int, str], str, float]:
    """Return the label of each segment, the kind of segmentation, and the value that means all of a voxel."""
    with opened(path) as file:
        header = file.header
        if header.get("SOPClassUID") not in (SEGMENTATION, LABEL_MAP):
            raise InputError("is not a DICOM segmentation", path=path)
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
        raise InputError("its position or spacing is not possible", path=path)
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
    raise InputError("its frames are not evenly spaced", path=path, expected="slices of one volume")


def _of_map(whole: npt.NDArray[np.uint16], labels: dict[int, str]) -> Iterator[Segment]:
    pieces: dict[int, list[_Piece]] = {}
    for k, plane in enumerate(whole):
        for number in np.unique(plane).tolist():
            if number in labels and (piece := _piece(plane == number, k)):  # without a description: the background
                pieces.setdefault(number, []).append(piece)
    return (_joined(number, pieces[number], labels) for number in sorted(pieces))
