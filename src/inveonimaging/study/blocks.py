"""An image of any size as means over blocks of voxels, collected plane by plane in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from inveonimaging.physics.geometry import Grid

MOST_VOXELS = 4_000_000
_SMALLEST_MM = 1e-6
_LARGEST = 1e30  # far inside float32, also when summed

Float = npt.NDArray[np.float64]


class Blocks:
    """Collects the planes of a volume into blocks of voxels.

    Attributes:
        size: how many voxels along i, j, k make a block; the last block of an axis may have fewer.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing_mm: Iterable[float],
        size_mm: float,
        most_voxels: int = MOST_VOXELS,
    ) -> None:
        """Make blocks of at most `size_mm` where voxels are smaller, and larger ones where there were too many."""
        self.size = _size(shape, tuple(spacing_mm), size_mm, most_voxels)
        nx, ny, nz = _numbers(shape, self.size)
        self._sum = np.zeros((nz, ny, nx))
        self._count = np.zeros((nz, ny, nx))
        bx, by, _ = self.size
        self._rows, self._columns = np.arange(0, shape[1], by), np.arange(0, shape[0], bx)
        widths = (np.diff(np.append(starts, n)) for starts, n in ((self._rows, shape[1]), (self._columns, shape[0])))
        self._area = np.multiply.outer(*widths, dtype=np.float64)

    def add(
        self,
        numbers: Iterable[int],
        planes: npt.NDArray[np.generic],
        factor: float = 1.0,
        offset: float = 0.0,
        weight: float = 1.0,
    ) -> None:
        """Add planes (n, ny, nx) with these numbers along k; what is not finite, or beyond all reason, is left out."""
        for k, plane in zip(numbers, planes, strict=True):
            total, count = self._total(plane, factor, offset)
            self._sum[k // self.size[2]] += total * weight
            self._count[k // self.size[2]] += count * weight

    def _total(self, plane: npt.NDArray[np.generic], factor: float, offset: float) -> tuple[Float, Float]:
        """Return the sum of the values in each block of a plane, and how many there are."""
        if plane.dtype.kind in "iu" and abs(factor) * 2.0**32 + abs(offset) < _LARGEST:
            return self._reduced(plane) * factor + offset * self._area, self._area
        with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN; factors beyond reason
            values = plane.astype(np.float64) * factor + offset
        finite = np.abs(values) < _LARGEST
        return self._reduced(np.where(finite, values, 0.0)), self._reduced(finite)

    def _reduced(self, plane: npt.NDArray[np.generic]) -> Float:
        summed = np.add.reduceat(plane, self._rows, axis=0, dtype=np.float64)
        return np.asarray(np.add.reduceat(summed, self._columns, axis=1))

    def means(self, empty: float = 0.0) -> npt.NDArray[np.float32]:
        """Return the mean of each block, (nz, ny, nx) float32; `empty` where no value was finite."""
        filled = self._count > 0
        mean = np.divide(self._sum, self._count, out=np.full_like(self._sum, empty), where=filled)
        return np.clip(mean, -_LARGEST, _LARGEST).astype(np.float32)

    def grid(self, fine: Grid) -> Grid:
        """Return the grid of the blocks of a fine grid: the first block lies where its voxels do."""
        number = _numbers(fine.shape, self.size)
        x, y, z = (
            shift + ((block - 1) - (n - 1) + (of_blocks - 1) * block) / 2 * spacing
            for n, of_blocks, block, spacing, shift in zip(
                fine.shape, number, self.size, fine.spacing_mm, fine.shift_mm, strict=True
            )
        )
        i, j, k = (block * spacing for block, spacing in zip(self.size, fine.spacing_mm, strict=True))
        return replace(fine, shape=number, spacing_mm=(i, j, k), shift_mm=(x, y, z))


def _numbers(shape: tuple[int, int, int], size: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return how many blocks there are along each axis."""
    x, y, z = (math.ceil(n / block) for n, block in zip(shape, size, strict=True))
    return x, y, z


def _size(
    shape: tuple[int, int, int], spacing_mm: tuple[float, ...], size_mm: float, most_voxels: int
) -> tuple[int, int, int]:
    """Return how many voxels of each axis make a block."""
    size = size_mm
    while True:
        x, y, z = (
            min(n, max(1, int(size / max(spacing, _SMALLEST_MM)))) for n, spacing in zip(shape, spacing_mm, strict=True)
        )
        if math.prod(_numbers(shape, (x, y, z))) <= most_voxels:
            return x, y, z
        size *= 1.25
