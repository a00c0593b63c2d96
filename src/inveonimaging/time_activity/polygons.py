"""Regions that are drawn as closed contours in slices: even-odd in the plane, half way to the next slice across it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import InputError, printable
from inveonimaging.physics.geometry import Box, Grid
from inveonimaging.time_activity.regions import Inside, index_of

Float = npt.NDArray[np.float64]

_SAME_MM = 1e-3
_FLAT_MM = 0.05
_SAME_INDEX = 6  # decimals of an index
_AT_A_TIME = 2**20  # crossings of edges and rows
_EVEN = 1.5  # of the smallest distance between contours: farther ones have a gap between them


@dataclass(frozen=True, eq=False)
class Polygons:
    """A region of closed contours across the axis from feet to head.

    A voxel is in it if its centre is inside an odd number of the contours of one plane, as holes are drawn, and if that
    plane is not farther from it than half the smallest distance between planes; the upper end is not in it. A region of
    one plane is as thick as the slices that it is laid on.

    Attributes:
        name: of it.
        contours: (n, 3) points of each, LPS mm.
        space: see `Region`.
    """

    name: str
    contours: tuple[Float, ...] = field(repr=False)
    space: str | None = None

    @cached_property
    def planes(self) -> tuple[tuple[float, tuple[Float, ...]], ...]:
        """Where each plane is, z in mm, and the contours in it."""
        found: list[tuple[float, list[Float]]] = []
        for contour in sorted(self.contours, key=lambda points: float(points[:, 2].mean())):
            z = float(contour[:, 2].mean())
            if found and z - found[-1][0] <= _SAME_MM:
                found[-1][1].append(contour)
            else:
                found.append((z, [contour]))
        return tuple((z, tuple(each)) for z, each in found)

    @cached_property
    def distances_mm(self) -> Float:
        """From each plane to the next."""
        return np.diff([z for z, _ in self.planes])

    @property
    def has_gaps(self) -> bool:
        """Whether some planes are farther apart than others, so that nothing is between them."""
        apart = self.distances_mm
        return bool(apart.size) and bool(apart.max() > _EVEN * apart.min())

    def bounds(self, grid: Grid) -> tuple[Float, Float]:
        """See `Region`."""
        points = np.concatenate(self.contours)
        half = self._half_mm(grid)
        across = np.array([0.0, 0.0, half])
        index = index_of(grid, np.array([points.min(axis=0) - across, points.max(axis=0) + across]))
        return index.min(axis=0), index.max(axis=0)

    def inside(self, grid: Grid, box: Box) -> Inside:
        """See `Region`."""
        found = np.zeros(box.shape[::-1], np.bool_)
        known: dict[int, Inside] = {}
        heights = np.array([z for z, _ in self.planes])
        half = self._half_mm(grid)
        for number, k in enumerate(range(box.first[2], box.stop[2])):
            z = float((grid.affine @ [0.0, 0.0, k, 1.0])[2])
            nearest = int(np.argmin(np.abs(heights - z) - (heights < z) * _SAME_MM / 10))
            apart = round(z - float(heights[nearest]), _SAME_INDEX)
            if -half - _SAME_MM / 10 <= apart < half - _SAME_MM / 10 or apart == 0:
                if nearest not in known:
                    contours = [index_of(grid, points)[:, :2] for points in self.planes[nearest][1]]
                    known = {nearest: _even_odd(contours, box)}
                found[number] = known[nearest]
        return found

    def _half_mm(self, grid: Grid) -> float:
        apart = self.distances_mm
        return float(apart.min() if apart.size else grid.spacing_mm[2]) / 2


def polygons_of(name: str, contours: Sequence[Float], space: str | None, path: str) -> Polygons:
    """Return a region of contours.

    Raises:
        InputError: a contour does not lie in a plane from left to right and from back to belly.
    """
    for points in contours:
        if np.ptp(points[:, 2]) > _FLAT_MM:
            message = f"a contour of '{printable(name, 60)}' does not lie in one transverse slice"
            raise InputError(message, path=path, expected="contours drawn in transverse slices")
    return Polygons(name, tuple(contours), space)


def _even_odd(contours: Sequence[Float], box: Box) -> Inside:
    """Return which pixels of a box's slice are inside an odd number of contours, (nj, ni); points are (i, j) indices.

    A centre on a left or an upper edge is inside, on a right or a lower one outside, so that each centre on an edge
    that two regions share is in one of them.
    """
    (i0, j0, _), (ni, nj, _) = box.first, box.shape
    crossed = np.zeros((nj, ni + 1), np.int64)
    for points in contours:
        one = np.round(points, _SAME_INDEX)
        other = np.roll(one, -1, axis=0)
        low, high = np.minimum(one[:, 1], other[:, 1]), np.maximum(one[:, 1], other[:, 1])
        first = np.clip(np.ceil(low), j0, j0 + nj).astype(np.int64)
        stop = np.clip(np.ceil(high), j0, j0 + nj).astype(np.int64)  # low <= j < high
        counts = np.maximum(stop - first, 0)
        step = max(1, _AT_A_TIME // nj)
        for begin in range(0, len(one), step):
            some = slice(begin, begin + step)
            edge = np.repeat(np.arange(len(one))[some], counts[some])
            j = np.arange(len(edge)) - np.repeat(np.cumsum(counts[some]) - counts[some], counts[some]) + first[edge]
            (ax, ay), (bx, by) = one[edge].T, other[edge].T
            x = ax + (j - ay) / (by - ay) * (bx - ax)
            i = np.clip(np.ceil(np.round(x, _SAME_INDEX)) - i0, 0, ni).astype(np.int64)
            np.add.at(crossed, (j - j0, i), 1)
    return np.asarray(np.cumsum(crossed, axis=1)[:, :ni] % 2 == 1)
