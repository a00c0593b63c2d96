"""A small volume in the patient's space, of an image of any size: for looking for what lies where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from inveonimaging.dicom_reading.planes import Plane
from inveonimaging.dicom_reading.series import Series
from inveonimaging.errors import InputError
from inveonimaging.study.blocks import Blocks
from inveonimaging.study.image import Image

_COARSE_MM = 0.7  # a syringe is a few millimetres wide

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
        self._blocks = Blocks(shape, np.linalg.norm(affine[:3, :3], axis=0), _COARSE_MM)
        size = self._blocks.size
        self._affine = affine @ np.diag([*map(float, size), 1.0])
        middle = np.array([(block - 1) / 2 for block in size] + [1.0])
        self._affine[:3, 3] = (affine @ middle)[:3]
        self.add = self._blocks.add

    def scene(self, *, is_ct: bool) -> Scene:
        """Return what was collected."""
        return Scene(self._blocks.means(), self._affine, is_ct)


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
