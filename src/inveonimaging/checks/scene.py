"""A small volume in the patient's space, of an image of any size: for looking for what lies where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from inveonimaging.dicom_reading.planes import Plane
from inveonimaging.dicom_reading.series import Series
from inveonimaging.errors import InputError
from inveonimaging.study.image import Image

_COARSE_MM = 0.7  # a syringe is a few millimetres wide
_MOST_VOXELS = 4_000_000
_SMALLEST_MM = 1e-6
_LARGEST = 1e30  # far inside float32, also when summed

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """Mean values (nz, ny, nx) of blocks of voxels, their (4, 4) affine: index (i, j, k, 1) -> LPS mm; is it a CT?"""

    values: npt.NDArray[np.float32]
    affine: Float
    is_ct: bool

    @property
    def spacing_mm(self) -> Float:
        """(3,) size of a voxel along i, j, k."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))


def scene_of(image: Image) -> Scene:
    """Return the scene of an image, the mean of its frames; reads a slab at a time.

    Raises:
        DataError: the data file cannot be read, or ends early.
    """
    coarse = Coarse(image.grid.shape, image.grid.affine)
    for frame in range(len(image.frames)):
        k = 0
        for slab in image.slabs(frame):
            coarse.add(range(k, k + len(slab)), slab, image.scaling.factors[frame], image.scaling.intercept)
            k += len(slab)
    return coarse.scene(is_ct=image.scaling.unit.value == "HU")


class Coarse:
    """Collects planes into blocks; shape and affine are those of the fine voxels (i, j, k)."""

    def __init__(self, shape: tuple[int, int, int], affine: Float) -> None:
        self._blocks = _blocks_of(shape, np.linalg.norm(affine[:3, :3], axis=0))
        nx, ny, nz = (math.ceil(n / block) for n, block in zip(shape, self._blocks, strict=True))
        self._sum = np.zeros((nz, ny, nx))
        self._count = np.zeros((nz, ny, nx))
        bx, by, _ = self._blocks
        self._rows, self._columns = np.arange(0, shape[1], by), np.arange(0, shape[0], bx)
        self._affine = affine @ np.diag([*map(float, self._blocks), 1.0])
        middle = np.array([(block - 1) / 2 for block in self._blocks] + [1.0])
        self._affine[:3, 3] = (affine @ middle)[:3]

    def add(
        self, numbers: Iterable[int], planes: npt.NDArray[np.generic], factor: float = 1.0, offset: float = 0.0
    ) -> None:
        """Add planes (n, ny, nx) with these numbers along k; what is not finite, or beyond all reason, is left out."""
        for k, plane in zip(numbers, planes, strict=True):
            with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN; factors beyond reason
                values = plane.astype(np.float64) * factor + offset
            finite = np.abs(values) < _LARGEST
            self._sum[k // self._blocks[2]] += self._reduced(np.where(finite, values, 0.0))
            self._count[k // self._blocks[2]] += self._reduced(finite.astype(np.float64))

    def _reduced(self, plane: Float) -> Float:
        summed = np.add.reduceat(np.add.reduceat(plane, self._rows, axis=0), self._columns, axis=1)
        return np.asarray(summed)

    def scene(self, *, is_ct: bool) -> Scene:
        """Return what was collected."""
        mean = np.divide(self._sum, self._count, out=np.zeros_like(self._sum), where=self._count > 0)
        return Scene(np.clip(mean, -_LARGEST, _LARGEST).astype(np.float32), self._affine, is_ct)


def _blocks_of(shape: tuple[int, int, int], spacing_mm: Float) -> tuple[int, int, int]:
    """Return how many voxels of each axis make a block."""
    size = _COARSE_MM
    while True:
        x, y, z = (
            min(n, max(1, int(size / max(spacing, _SMALLEST_MM)))) for n, spacing in zip(shape, spacing_mm, strict=True)
        )
        if math.prod(math.ceil(n / block) for n, block in zip(shape, (x, y, z), strict=True)) <= _MOST_VOXELS:
            return x, y, z
        size *= 1.25


_SAME_MM = 0.01


def scene_of_series(series: Series) -> Scene:
    """Return the scene of a series of parallel slices; slices at one place are averaged. Reads a plane at a time.

    Raises:
        InputError: the planes have no places, are not parallel, or cannot be decoded.
    """
    planes = series.planes
    places = [round(_along_normal_mm(plane) / _SAME_MM) for plane in planes]
    numbers = {place: k for k, place in enumerate(sorted(set(places)))}
    first = series.first
    if first.file.size is None:
        raise InputError("does not say how large its image is", path=first.file.path)
    rows, columns = first.file.size
    coarse = Coarse((columns, rows, len(numbers)), _affine(planes, places))
    for plane, place, pixels in zip(planes, places, _stored(series), strict=True):
        if pixels.shape != (rows, columns):
            raise InputError("has planes of another size than the first of its series", path=plane.file.path)
        slope, offset = plane.number("RescaleSlope") or 1.0, plane.number("RescaleIntercept") or 0.0
        coarse.add((numbers[place],), pixels[np.newaxis], slope, offset)
    return coarse.scene(is_ct=first.get("Modality") == "CT")


def _stored(series: Series) -> Iterator[npt.NDArray[np.generic]]:
    """Yield the pixels of all planes of a series; InputError if a file has fewer than it says."""
    for file in series.files:
        count = 0
        for pixels in islice(file.pixels(), len(file.planes)):
            count += 1
            yield pixels
        if count < len(file.planes):
            raise InputError(f"has {count} of {len(file.planes)} planes", path=file.path)


def _affine(planes: Sequence[Plane], places: Sequence[int]) -> Float:
    """Return (4, 4) voxel index (i, j, k, 1) -> LPS mm, k along the normal; `places` are along it, too."""
    low, high = (planes[places.index(end)] for end in (min(places), max(places)))
    along_row, along_column = _known(low, "ImageOrientationPatient", low.cosines)
    down, right = _known(low, "PixelSpacing", low.spacing)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 3] = along_row * right, along_column * down, _position(low)
    steps = len(set(places)) - 1
    affine[:3, 2] = (_position(high) - _position(low)) / steps if steps else np.cross(along_row, along_column)
    return affine


def _along_normal_mm(plane: Plane) -> float:
    return float(np.cross(*_known(plane, "ImageOrientationPatient", plane.cosines)) @ _position(plane))


def _position(plane: Plane) -> Float:
    return _known(plane, "ImagePositionPatient", plane.position)


def _known(plane: Plane, keyword: str, value: Float | None) -> Float:
    if value is None:
        raise InputError(f"has no {keyword}", path=plane.file.path, expected="planes with their places")
    return value
