"""A series' voxels, slab by slab, for all that the pictures and curves show.

A CT is read once. An emission image is read twice, since its planes go through its hottest region, which is known when
all was read. Never more than a slab of one frame, and planes, are in memory.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from inveonimaging.physics.geometry import Grid
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports.planes import AnatomicalPlane, Float, Values, View, stored_axis, view_of
from inveonimaging.study.image import Image
from inveonimaging.study.late_frames import is_gated, shown_frames

MOST_TILES = 48  # of a contact sheet: all frames, or evenly chosen ones
HOT_MM = 3.0  # side of the box whose mean is the largest
HISTOGRAM_HU = (-1200.0, 3000.0, 10.0)  # first edge, last edge, width of a bin
_NOT_AIR = {Unit.HU: -300.0, Unit.PER_CM: 0.05}  # water is 0 HU and 0.096/cm
_LOOKED_AT = 24  # slices in which the animal is looked for
_FULL = 0.5  # of what the fullest plane shows

Cut = Mapping[AnatomicalPlane, int]
"""A plane of each direction, by its index along the stored axis across it."""

Wanted = Callable[[Cut], Iterable[tuple[AnatomicalPlane, int]]]
"""Planes to keep besides those of a cut, by their index along the stored axis across them."""


class Through(str, Enum):
    """What the planes of a still picture go through."""

    HOTTEST = "the hottest region"
    BODY = "the middle of what is denser than air"
    MIDDLE = "the middle of the volume"


class HotRegion(NamedTuple):
    """A box of voxels: where it is in an array (k, j, i); its middle, LPS mm; its size along i, j and k, mm."""

    box: tuple[slice, ...]
    centre_mm: tuple[float, ...]
    size_mm: tuple[float, ...]


@dataclass(frozen=True)
class VoxelSurvey:
    """What was found in the voxels, in the image's unit.

    Attributes:
        shown: which frames the planes are the mean of, weighted by duration.
        through: what the planes go through.
        cut: where they cut the volume.
        planes: the plane of each direction.
        highest: the largest value along each direction (maximum intensity projection).
        wanted: planes that were asked for, by plane and stored index.
        tiles: a coronal picture of some frames, by frame: the plane of gates, else the projection.
        sums: (frames,) sum of a frame's values.
        hottest: the box of about 3 mm with the largest mean, of emission images; None if no value is above 0.
        hot: (frames,) its mean in each frame.
        histogram: counts in the bins of `HISTOGRAM_HU`, of a CT; values outside are in the outer bins.
        not_finite: how many values are NaN or infinite; they count as 0.
    """

    shown: tuple[int, ...]
    through: Through
    cut: Cut
    planes: Mapping[AnatomicalPlane, View]
    highest: Mapping[AnatomicalPlane, View]
    wanted: Mapping[tuple[AnatomicalPlane, int], View]
    tiles: Mapping[int, View]
    sums: Float
    hottest: HotRegion | None
    hot: Float
    histogram: npt.NDArray[np.int64]
    not_finite: int


def survey_of(image: Image, wanted: Wanted = lambda _cut: ()) -> VoxelSurvey:
    """Read a series.

    Args:
        image: the series.
        wanted: which planes to keep besides those that are shown, once it is known where these are.

    Raises:
        DataError: the file cannot be read any more.
    """
    whole = _Whole(image)
    if is_emission(image):
        _read(image, range(len(image.frames)), whole)
        region = whole.hottest.region()
        through = Through.HOTTEST if region else Through.MIDDLE
        cut = _cut_at(image.grid, [(side.start + side.stop - 1) // 2 for side in region.box]) if region else None
        cut = cut or _middle(image.grid)
        planes = _Planes(image, cut, wanted(cut))
        _read(image, range(len(image.frames)) if is_gated(image) else whole.shown, planes)
    else:
        region, body = None, _body(image)
        through = Through.BODY if body else Through.MIDDLE
        cut = body or _middle(image.grid)
        planes = _Planes(image, cut, wanted(cut))
        _read(image, range(len(image.frames)), whole, planes)
    return VoxelSurvey(
        shown=whole.shown,
        through=through,
        cut=cut,
        planes={plane: stack.view() for plane, stack in planes.cut.items()},
        highest={plane: stack.view() for plane, stack in whole.highest.items()},
        wanted={key: stack.view() for key, stack in planes.wanted.items()},
        tiles={frame: stack.view() for frame, stack in (planes.tiles or whole.tiles).items()},
        sums=whole.sums,
        hottest=region,
        hot=_means(image, region) if region else np.zeros(0),
        histogram=whole.histogram,
        not_finite=whole.not_finite,
    )


def is_emission(image: Image) -> bool:
    """Return whether there is a hottest region to look for: not in what shows how dense something is."""
    return image.scaling.unit not in _NOT_AIR


def values_of(image: Image, frame: int, first: int, stop: int) -> tuple[Values, int]:
    """Return the values of some slices of a frame, (n, ny, nx), and how many were NaN or infinite; these are 0."""
    stored = image.source.slices(frame, first, stop)
    with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN; beyond float32 is infinite
        values = np.multiply(stored, image.scaling.factors[frame], dtype=np.float64).astype(np.float32)
    if image.scaling.intercept:
        values += np.float32(image.scaling.intercept)
    bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    return (np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) if bad else values), bad


class _Taker(Protocol):
    """Takes slabs, (n, ny, nx), by their first slice: of the frames, and the mean of those that are shown."""

    def frame(self, first: int, frame: int, values: Values) -> None:
        """Take a slab of a frame."""

    def mean(self, first: int, values: Values) -> None:
        """Take a slab of the mean."""

    def not_numbers(self, count: int) -> None:
        """Take how many values of a slab were no numbers."""


def _read(image: Image, frames: Sequence[int], *takers: _Taker) -> None:
    """Read frames of a series once."""
    shown, weights = shown_frames(image)
    weight = dict(zip(shown, weights.astype(np.float32), strict=True))
    slices, step = image.source.shape[0], image.slices_in_slab
    for first in range(0, slices, step):
        mean: Values | None = None
        for frame in frames:
            values, bad = values_of(image, frame, first, min(first + step, slices))
            for taker in takers:
                taker.not_numbers(bad)
                taker.frame(first, frame, values)
            if frame in weight:
                weighted = values * weight[frame] if len(weight) > 1 else values
                mean = weighted if mean is None else np.add(mean, weighted, out=mean)
        if mean is not None:
            for taker in takers:
                taker.mean(first, mean)


class _Whole:
    """What all voxels give."""

    def __init__(self, image: Image) -> None:
        counts = len(image.frames)
        self.shown, _ = shown_frames(image)
        self.highest = {plane: _Highest(image.grid, plane) for plane in AnatomicalPlane}
        self.tiles = (
            {} if is_gated(image) else {frame: _Highest(image.grid, AnatomicalPlane.CORONAL) for frame in _tiles(image)}
        )
        self.sums = np.zeros(counts)
        self.hottest = _Hottest(image.grid)
        self._is_emission, self._is_ct = is_emission(image), image.scaling.unit is Unit.HU
        low, high, width = HISTOGRAM_HU
        self.histogram = np.zeros(round((high - low) / width), np.int64)
        self.not_finite = 0

    def frame(self, first: int, frame: int, values: Values) -> None:
        self.sums[frame] += values.sum(dtype=np.float64)
        if self._is_ct:
            self.histogram += _histogram(values)
        if frame in self.tiles:
            self.tiles[frame].add(first, values)

    def mean(self, first: int, values: Values) -> None:
        for stack in self.highest.values():
            stack.add(first, values)
        if self._is_emission:
            self.hottest.add(values)

    def not_numbers(self, count: int) -> None:
        self.not_finite += count


class _Planes:
    """The planes of the mean that are shown or wanted, and the coronal one of each gate."""

    def __init__(self, image: Image, cut: Cut, wanted: Iterable[tuple[AnatomicalPlane, int]]) -> None:
        self.cut = {plane: _OnePlane(image.grid, plane, index) for plane, index in cut.items()}
        self.wanted = {each: _OnePlane(image.grid, *each) for each in wanted}
        gates = _tiles(image) if is_gated(image) else ()
        self.tiles = {
            frame: _OnePlane(image.grid, AnatomicalPlane.CORONAL, cut[AnatomicalPlane.CORONAL]) for frame in gates
        }

    def frame(self, first: int, frame: int, values: Values) -> None:
        if frame in self.tiles:
            self.tiles[frame].add(first, values)

    def mean(self, first: int, values: Values) -> None:
        for stack in (*self.cut.values(), *self.wanted.values()):
            stack.add(first, values)

    def not_numbers(self, count: int) -> None:
        """They were counted when all was read."""


def _tiles(image: Image) -> range:
    """Return the frames of a contact sheet."""
    counts = len(image.frames)
    return range(0, counts, math.ceil(counts / MOST_TILES)) if counts > 1 else range(0)


class _Stack:
    """A picture of a volume along one direction, as slabs come in."""

    def __init__(self, grid: Grid, plane: AnatomicalPlane, index: int, fill: float) -> None:
        self._grid, self._plane, self._index = grid, plane, index
        self._axis = 2 - stored_axis(grid, plane.normal)  # of an array (k, j, i)
        left = tuple(size for axis, size in enumerate(grid.shape[::-1]) if axis != self._axis)
        self.values: Values = np.full(left, fill, np.float32)

    def view(self) -> View:
        """Return it as it is shown."""
        return view_of(self.values, self._grid, self._plane, self._index)


class _OnePlane(_Stack):
    """One plane of a volume."""

    def __init__(self, grid: Grid, plane: AnatomicalPlane, index: int) -> None:
        super().__init__(grid, plane, index, 0.0)

    def add(self, first: int, slab: Values) -> None:
        """Take a slab (n, ny, nx) whose first slice has a number."""
        if self._axis:
            self.values[first : first + len(slab)] = slab.take(self._index, axis=self._axis)
        elif first <= self._index < first + len(slab):
            self.values[:] = slab[self._index - first]


class _Highest(_Stack):
    """The largest value across all planes of one direction."""

    def __init__(self, grid: Grid, plane: AnatomicalPlane) -> None:
        super().__init__(grid, plane, _middle(grid)[plane], -np.inf)

    def add(self, first: int, slab: Values) -> None:
        """Take a slab (n, ny, nx) whose first slice has a number."""
        if self._axis:
            self.values[first : first + len(slab)] = slab.max(axis=self._axis)
        else:
            np.maximum(self.values, slab.max(axis=0), out=self.values)


def _middle(grid: Grid) -> Cut:
    """Return the planes through the middle of a volume."""
    return _cut_at(grid, [count // 2 for count in grid.shape[::-1]])


def _cut_at(grid: Grid, place: Sequence[int]) -> Cut:
    """Return the planes through a voxel (k, j, i)."""
    return {plane: place[2 - stored_axis(grid, plane.normal)] for plane in AnatomicalPlane}


def _body(image: Image) -> Cut | None:
    """Return planes that show what is denser than air, as near to its middle as they can be; None if nothing is.

    It is looked for in `_LOOKED_AT` slices.
    """
    slices = image.source.shape[0]
    looked_at = range(0, slices, math.ceil(slices / _LOOKED_AT))
    dense = [values_of(image, 0, k, k + 1)[0][0] > _NOT_AIR[image.scaling.unit] for k in looked_at]
    counts = (
        np.array([each.sum() for each in dense]),
        np.sum([each.sum(axis=1) for each in dense], axis=0),
        np.sum([each.sum(axis=0) for each in dense], axis=0),
    )
    if not counts[0].any():
        return None
    k, j, i = map(_full_and_central, counts)
    return _cut_at(image.grid, (looked_at[k], j, i))


def _full_and_central(counts: npt.NDArray[np.int64]) -> int:
    """Return the place nearest to the median of what is counted, among those that hold a good deal of it."""
    median = np.searchsorted(counts.cumsum(), counts.sum() / 2)
    full = np.flatnonzero(counts >= _FULL * counts.max())
    return int(full[np.abs(full - median).argmin()])


class _Hottest:
    """The box with the largest mean, found as slices come in: sums in the plane, then a running sum across."""

    def __init__(self, grid: Grid) -> None:
        i, j, k = (_odd(HOT_MM / mm, n) for mm, n in zip(grid.spacing_mm, grid.shape, strict=True))
        self.grid, self.size = grid, (k, j, i)
        self.best, self.first, self.number = -math.inf, (0, 0, 0), 0
        self.slices: deque[Float] = deque(maxlen=k)
        self.running: Float | float = 0.0

    def add(self, slab: Values) -> None:
        """Take the next slices."""
        depth, rows, columns = self.size
        for plane in slab:
            if len(self.slices) == depth:
                self.running = self.running - self.slices[0]
            self.slices.append(_box_sums(_box_sums(plane.astype(np.float64), rows, 0), columns, 1))
            self.running = self.running + self.slices[-1]
            self.number += 1
            sums = np.asarray(self.running)
            place = int(np.argmax(sums))
            if len(self.slices) == depth and sums.flat[place] > self.best:
                j, i = np.unravel_index(place, sums.shape)
                self.best, self.first = float(sums.flat[place]), (self.number - depth, int(j), int(i))

    def region(self) -> HotRegion | None:
        """Return the box; None if nothing in it is above 0."""
        if self.best <= 0:
            return None
        box = tuple(slice(first, first + size) for first, size in zip(self.first, self.size, strict=True))
        middle = [(part.start + part.stop - 1) / 2 for part in box[::-1]]
        size_mm = tuple(n * mm for n, mm in zip(self.size[::-1], self.grid.spacing_mm, strict=True))
        return HotRegion(box, tuple((self.grid.affine @ [*middle, 1.0])[:3].tolist()), size_mm)


def _odd(wanted: float, most: int) -> int:
    """Return the odd number (2n + 1) of voxels nearest to a number, of which there are so many."""
    odd = max(1, 2 * round((wanted - 1) / 2) + 1)
    return odd if odd <= most else most - (1 - most % 2)


def _box_sums(values: Float, size: int, axis: int) -> Float:
    """Return the sums of all runs of so many values along an axis."""
    shape = list(values.shape)
    shape[axis] = 1
    sums = np.concatenate((np.zeros(shape), values.cumsum(axis)), axis)
    count = sums.shape[axis]
    return np.asarray(sums.take(range(size, count), axis) - sums.take(range(count - size), axis))


def _means(image: Image, region: HotRegion) -> Float:
    """Return (frames,) the mean of a region's values in each frame."""
    depth, *plane = region.box
    slabs = (values_of(image, frame, depth.start, depth.stop)[0] for frame in range(len(image.frames)))
    return np.array([slab[(slice(None), *plane)].mean(dtype=np.float64) for slab in slabs])


def _histogram(values: Values) -> npt.NDArray[np.int64]:
    low, high, width = HISTOGRAM_HU
    bins = round((high - low) / width)
    places = np.clip((values - np.float32(low)) * np.float32(1 / width), 0, bins - 1).astype(np.int32)
    return np.bincount(places.ravel(), minlength=bins).astype(np.int64)
