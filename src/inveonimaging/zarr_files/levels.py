"""The resolutions of a store: how large each is, and where its voxels lie.

A coarser voxel is the mean of two along each axis that is halved, and lies in their middle; an odd voxel at the end
of an axis is left out of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SMALL = 64
"""Axes of so many voxels are not halved."""
_CHUNK = (64, 128, 128)  # voxels along z, y, x
_SLAB = 32 * 1024 * 1024  # bytes of the slices of a chunk, which are in memory

Triple = tuple[int, int, int]
Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Level:
    """One resolution.

    Attributes:
        shape: (nz, ny, nx).
        factors: how many of the finest voxels one is, along z, y and x.
        halved: how many of the voxels of the level before one is, 1 or 2 along each axis.
    """

    shape: Triple
    factors: Triple = (1, 1, 1)
    halved: Triple = (1, 1, 1)

    @property
    def coarser(self) -> Level | None:
        """The next one; None if this is small."""
        by = _triple([2 if n > SMALL else 1 for n in self.shape])
        if by == (1, 1, 1):
            return None
        shape = _triple([n // step for n, step in zip(self.shape, by, strict=True)])
        factors = _triple([a * b for a, b in zip(self.factors, by, strict=True)])
        return Level(shape, factors, by)

    def chunk(self, itemsize: int) -> Triple:
        """Return the shape of a chunk: as many slices as may be in memory at a time."""
        nz, ny, nx = self.shape
        slices = max(1, min(_CHUNK[0], nz, _SLAB // (ny * nx * itemsize)))
        return slices, min(_CHUNK[1], ny), min(_CHUNK[2], nx)

    def place(self, sizes_mm: tuple[float, ...], first_mm: tuple[float, ...]) -> tuple[list[float], list[float]]:
        """Return size and place of a voxel, mm, along z, y and x.

        Args:
            sizes_mm: of the finest voxels.
            first_mm: where the middle of the first of these lies.
        """
        scale = [size * factor for size, factor in zip(sizes_mm, self.factors, strict=True)]
        moved = [
            first + size * (factor - 1) / 2
            for first, size, factor in zip(first_mm, sizes_mm, self.factors, strict=True)
        ]
        return scale, moved


def levels_of(shape: Triple) -> tuple[Level, ...]:
    """Return the resolutions of a volume, (nz, ny, nx), the finest first."""
    found = [Level(shape)]
    while coarser := found[-1].coarser:
        found.append(coarser)
    return tuple(found)


def halved(values: Array, by: Triple) -> Array:
    """Return the means of blocks of voxels, in the type of the values; integers are rounded, halves to even ones.

    Args:
        values: (nz, ny, nx).
        by: size of a block along each axis; what is left at an end is left out.
    """
    z, y, x = (n // step for n, step in zip(values.shape, by, strict=True))
    cut = values[: z * by[0], : y * by[1], : x * by[2]]
    with np.errstate(invalid="ignore"):  # infinity less infinity, as a damaged image may have
        mean = cut.reshape(z, by[0], y, by[1], x, by[2]).mean((1, 3, 5), dtype=np.float64)
    if values.dtype.kind in "iu":
        mean = np.rint(mean)
    return np.asarray(mean.astype(values.dtype))


def _triple(values: list[int]) -> Triple:
    z, y, x = values
    return z, y, x
