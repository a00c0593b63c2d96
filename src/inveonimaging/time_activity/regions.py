"""Regions: which voxels of an image are in them, by the place of each voxel's centre; LPS mm.

A voxel counts as a whole or not at all: it is in a region if its centre is.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import OptionError, printable
from inveonimaging.physics.geometry import Box, Grid, Mm
from inveonimaging.study.cut import Extent

Float = npt.NDArray[np.float64]
Inside = npt.NDArray[np.bool_]

FARTHEST_MM = 10_000.0
LONGEST_NAME = 64
HALF = 0.5  # of a voxel
_SAME_MM = 1e-6
_SAME_INDEX = 6  # decimals of an index
_SIDES = ("LR", "PA", "HF")
_COORDINATE = re.compile(r"([-+\N{MINUS SIGN}]?[\d.]+(?:[eE][-+]?\d+)?) ?([A-Za-z]?)", re.ASCII)
_KEPT = 2**20  # voxels of planes
_FORMULA = "=+-@\t\r"


class Region(Protocol):
    """Some place in a patient's space.

    Attributes:
        name: of it.
        space: UID of the frame of reference that it was drawn in; None if that is not stated, and it is in all.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class
    @property
    def space(self) -> str | None: ...  # noqa: D102 - likewise

    def bounds(self, grid: Grid) -> tuple[Float, Float]:
        """Return the lowest and highest index along i, j and k that it reaches, (3,) each, of any size."""

    def inside(self, grid: Grid, box: Box) -> Inside:
        """Return which voxels of a box of a grid are in it, (nk, nj, ni)."""


def centres(grid: Grid, box: Box) -> Float:
    """Return where the centres of a box's voxels are, (nk, nj, ni, 3), LPS mm."""
    i, j, k = (np.arange(first, stop, dtype=float) for first, stop in zip(box.first, box.stop, strict=True))
    index = np.stack(np.broadcast_arrays(i, j[:, np.newaxis], k[:, np.newaxis, np.newaxis]), axis=-1)
    return np.asarray(index @ grid.affine[:3, :3].T + grid.affine[:3, 3])


def index_of(grid: Grid, lps_mm: Float) -> Float:
    """Return places, (n, 3) LPS mm, as indices along i, j and k, (n, 3)."""
    inverse = np.linalg.inv(grid.affine)
    return np.asarray(lps_mm @ inverse[:3, :3].T + inverse[:3, 3])


def box_in(grid: Grid, region: Region) -> Box | None:
    """Return the voxels of a grid that a region can reach; None if it lies beside all of them."""
    low, high = region.bounds(grid)
    first = np.maximum(np.ceil(np.round(low, _SAME_INDEX)), 0).astype(int).tolist()
    last = np.minimum(np.floor(np.round(high, _SAME_INDEX)), np.array(grid.shape) - 1).astype(int).tolist()
    if any(a > b for a, b in zip(first, last, strict=True)):
        return None
    return Box((first[0], first[1], first[2]), (last[0] + 1, last[1] + 1, last[2] + 1))


def touches(grid: Grid, region: Region) -> bool:
    """Return whether a region may reach some voxel of a grid, if only between their centres."""
    low, high = region.bounds(grid)
    return bool(np.all(high > -HALF) and np.all(low < np.array(grid.shape) - HALF))


def reaches_beyond(grid: Grid, region: Region) -> bool:
    """Return whether a region reaches beyond the outer faces of a grid's voxels."""
    low, high = (np.round(each, _SAME_INDEX) for each in region.bounds(grid))
    return bool(np.any(low < -HALF) or np.any(high > np.array(grid.shape) - HALF))


@dataclass(frozen=True)
class Sphere:
    """A sphere: voxels whose centres are not farther from its own than half its diameter."""

    name: str
    centre_mm: Mm
    diameter_mm: float
    space: str | None = None

    def bounds(self, grid: Grid) -> tuple[Float, Float]:
        """See `Region`."""
        (centre,) = index_of(grid, np.array([self.centre_mm]))
        reach = self.diameter_mm / 2 / np.array(grid.spacing_mm)
        return centre - reach, centre + reach

    def inside(self, grid: Grid, box: Box) -> Inside:
        """See `Region`."""
        apart = centres(grid, box) - np.array(self.centre_mm)
        distance = np.sqrt(np.einsum("...n,...n->...", apart, apart))
        return np.asarray(distance <= self.diameter_mm / 2 + _SAME_MM)


@dataclass(frozen=True)
class Cuboid:
    """A box along the axes of the gantry, as that of an animal."""

    name: str
    extent: Extent
    space: str | None = None

    def bounds(self, grid: Grid) -> tuple[Float, Float]:
        """See `Region`."""
        middle = np.array(grid.shift_mm) + np.array([0.0, 0.0, grid.bed_mm])
        low, high = (
            (np.array(each) - middle) / grid.spacing_mm + (np.array(grid.shape) - 1) / 2
            for each in (self.extent.low_mm, self.extent.high_mm)
        )
        return low, high

    def inside(self, grid: Grid, box: Box) -> Inside:  # noqa: ARG002 - as of all regions
        """See `Region`; the box is within its bounds."""
        return np.ones(box.shape[::-1], np.bool_)


@dataclass(frozen=True, eq=False)
class Atlas:
    """Numbers of voxels on a grid of their own: what voxels of other grids lie in.

    Attributes:
        numbers: (nk, nj, ni) whole numbers; 0 is none.
        affine: (4, 4), index i, j, k -> LPS mm.
    """

    numbers: npt.NDArray[Any] = field(repr=False)
    affine: Float
    _known: dict[tuple[Grid, int], npt.NDArray[Any]] = field(default_factory=dict, repr=False)

    def plane(self, grid: Grid, k: int) -> npt.NDArray[Any]:
        """Return the number in which the centre of each voxel of a grid's slice lies, (nj, ni).

        A centre on the face between two voxels lies in the one of the higher index. The last planes are kept, since
        each region asks for them.
        """
        if (grid, k) not in self._known:
            if len(self._known) * grid.shape[0] * grid.shape[1] > _KEPT:
                self._known.clear()
            nx, ny, _ = grid.shape
            inverse = np.linalg.inv(self.affine)
            (places,) = centres(grid, Box((0, 0, k), (nx, ny, k + 1)))
            index = places @ inverse[:3, :3].T + inverse[:3, 3]
            nearest = np.floor(np.round(index, _SAME_INDEX) + 0.5).astype(np.int64)
            shape = np.array(self.numbers.shape[::-1])
            is_there = np.all((nearest >= 0) & (nearest < shape), axis=-1)
            at_i, at_j, at_k = np.moveaxis(np.clip(nearest, 0, shape - 1), -1, 0)
            self._known[grid, k] = np.where(is_there, self.numbers[at_k, at_j, at_i], 0)
        return self._known[grid, k]


@dataclass(frozen=True, eq=False)
class Mask:
    """Voxels that have a number in an atlas.

    Attributes:
        name: of it.
        atlas: with all numbers.
        number: of the region, above 0.
        first, last: the lowest and highest index i, j, k of its voxels.
        space: see `Region`.
    """

    name: str
    atlas: Atlas
    number: int
    first: tuple[int, int, int]
    last: tuple[int, int, int]
    space: str | None = None

    def bounds(self, grid: Grid) -> tuple[Float, Float]:
        """See `Region`."""
        ends = zip(self.first, self.last, strict=True)
        corners = np.stack(np.meshgrid(*[(low - 0.5, high + 0.5) for low, high in ends]), axis=-1).reshape(-1, 3)
        affine = self.atlas.affine
        index = index_of(grid, corners @ affine[:3, :3].T + affine[:3, 3])
        return index.min(axis=0), index.max(axis=0)

    def inside(self, grid: Grid, box: Box) -> Inside:
        """See `Region`."""
        (i, j, k), (i_stop, j_stop, k_stop) = box.first, box.stop
        planes = [self.atlas.plane(grid, each)[j:j_stop, i:i_stop] == self.number for each in range(k, k_stop)]
        return np.stack(planes)


def plain_name(text: str) -> str:
    """Return a name that a file gives a region, as one short line that no spreadsheet takes for a formula."""
    return " ".join(printable(text.strip(), LONGEST_NAME).split()).lstrip(_FORMULA) or "region"


def named(key: str, text: Any) -> str:
    """Return a name that a person gives a region.

    Raises:
        OptionError: it is empty, long, of several lines, or begins like a formula.
    """
    name = text.strip() if isinstance(text, str) else ""
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or name[0] in _FORMULA:
        expected = f"a name of 1 to {LONGEST_NAME} letters, which does not begin with one of = + - @"
        raise OptionError(key=key, got=name or None, expected=expected)
    return name


def coordinate(text: str, axis: int) -> float:
    """Return an LPS coordinate in mm: `-12.3`, or with its side, `12.3 R`; ValueError if it is none.

    Args:
        text: as people type it.
        axis: 0 of left and right, 1 of back and belly (P, A), 2 of head and feet.
    """
    match = _COORDINATE.fullmatch(text.strip())
    if not match:
        raise ValueError(text)
    number, side = float(match[1].replace("\N{MINUS SIGN}", "-")), match[2].upper()
    if side and (side not in _SIDES[axis] or match[1][0] in "-\N{MINUS SIGN}"):
        raise ValueError(text)
    return _mm(-number if side and side == _SIDES[axis][1] else number)


def diameter(text: str) -> float:
    """Return a diameter in mm, above 0; ValueError if it is none."""
    number = _mm(float(text))
    if number <= 0:
        raise ValueError(text)
    return number


def _mm(number: float) -> float:
    if not math.isfinite(number) or abs(number) > FARTHEST_MM:
        raise ValueError(number)
    return number + 0.0


def sphere_of(name: str, texts: list[str]) -> Sphere:
    """Return a sphere of its name and of x, y, z and diameter as they are typed; ValueError if they are none."""
    if len(texts) != 4:  # noqa: PLR2004 - x, y, z and the diameter
        raise ValueError(texts)
    x, y, z = (coordinate(text, axis) for axis, text in enumerate(texts[:3]))
    return Sphere(name, (x, y, z), diameter(texts[3].strip()))
