"""One pass over a series' voxels, slab by slab, that gathers all that the pictures and curves show.

Never more than a slab of one frame, and planes, are in memory.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inveonimaging.inveon.hdr import Frame
from inveonimaging.physics.geometry import Grid
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports.planes import Float, Plane, Values, View, stored_axis, view_of
from inveonimaging.study.image import Image

MOST_TILES = 48  # of a contact sheet: all frames, or evenly chosen ones
HOT_MM = 3.0  # side of the box whose mean is the largest
HISTOGRAM_HU = (-1200.0, 3000.0, 10.0)  # first edge, last edge, width of a bin


class Region(NamedTuple):
    """A box of voxels: where it is in an array (k, j, i); its middle, LPS mm; its size along i, j and k, mm."""

    box: tuple[slice, ...]
    centre_mm: tuple[float, ...]
    size_mm: tuple[float, ...]


@dataclass(frozen=True)
class VoxelSurvey:
    """What a pass over the voxels found, in the image's unit.

    Attributes:
        shown: which frames the planes are the mean of, weighted by duration.
        middle: the plane through the middle of the volume, of each direction.
        highest: the largest value along each direction (maximum intensity projection).
        wanted: planes that were asked for, by plane and stored index.
        tiles: a coronal picture of some frames, by frame: the middle plane of gates, else the projection.
        sums: (frames,) sum of a frame's values.
        hottest: the box of about 3 mm with the largest mean, of emission images.
        hot: (frames,) its mean in each frame.
        histogram: counts in the bins of `HISTOGRAM_HU`, of a CT; values outside are in the outer bins.
        not_finite: how many values are NaN or infinite; they count as 0.
    """

    shown: tuple[int, ...]
    middle: Mapping[Plane, View]
    highest: Mapping[Plane, View]
    wanted: Mapping[tuple[Plane, int], View]
    tiles: Mapping[int, View]
    sums: Float
    hottest: Region | None
    hot: Float
    histogram: npt.NDArray[np.int64]
    not_finite: int


def is_gated(image: Image) -> bool:
    """Return whether the frames differ by gate, and not by time."""
    return image.part is not None and image.part.is_gated


def span_s(frames: Sequence[Frame]) -> tuple[float, float] | None:
    """Return when the first frame starts and the last one ends, s after the scan's start; None if one has no start."""
    starts = [frame.start_s for frame in frames if frame.start_s is not None]
    if len(starts) < len(frames):
        return None
    return min(starts), max((frame.start_s or 0.0) + (frame.duration_s or 0.0) for frame in frames)


def shown_frames(image: Image) -> tuple[tuple[int, ...], Float]:
    """Return the frames that a still picture is the mean of, and their weights, which sum to 1.

    All gates; of time frames those that start in the second half of the scan, when the tracer is where it goes.
    """
    frames = image.frames
    indices = list(range(len(frames)))
    span = span_s(frames)
    if span and len(frames) > 1 and not is_gated(image):
        half = sum(span) / 2
        late = [index for index, frame in enumerate(frames) if (frame.start_s or 0.0) >= half]
        indices = late or [max(indices, key=lambda index: frames[index].start_s or 0.0)]
    durations = np.array([frames[index].duration_s or 0.0 for index in indices])
    weights = durations if np.all(durations > 0) else np.ones(len(indices))
    return tuple(indices), weights / weights.sum()


def survey_of(image: Image, wanted: Sequence[tuple[Plane, int]] = ()) -> VoxelSurvey:
    """Read a series once.

    Args:
        image: the series.
        wanted: planes to keep besides the middle ones, by their index along the stored axis across them.

    Raises:
        DataError: the file cannot be read any more.
    """
    gathering = _Gathering(image, tuple(wanted))
    slices, step = image.source.shape[0], image.slices_in_slab
    for first in range(0, slices, step):
        gathering.add(first, min(first + step, slices))
    return gathering.done()


def values_of(image: Image, frame: int, first: int, stop: int) -> tuple[Values, int]:
    """Return the values of some slices of a frame, (n, ny, nx), and how many were NaN or infinite; these are 0."""
    stored = image.source.slices(frame, first, stop)
    with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN; beyond float32 is infinite
        values = np.multiply(stored, image.scaling.factors[frame], dtype=np.float64).astype(np.float32)
    if image.scaling.intercept:
        values += np.float32(image.scaling.intercept)
    bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    return (np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0) if bad else values), bad


class _Gathering:
    """What a pass has gathered so far."""

    def __init__(self, image: Image, wanted: tuple[tuple[Plane, int], ...]) -> None:
        self._image, self._grid = image, image.grid
        self._shown, weights = shown_frames(image)
        self._weights = dict(zip(self._shown, weights.astype(np.float32), strict=True))
        counts = len(image.frames)
        self._planes = {plane: _Stack(image.grid, plane) for plane in Plane}
        self._wanted = {each: _Stack(image.grid, each[0], each[1]) for each in wanted}
        tiles = range(0, counts, math.ceil(counts / MOST_TILES)) if counts > 1 else ()
        self._tiles = {frame: _Stack(image.grid, Plane.CORONAL) for frame in tiles}
        self._sums = np.zeros(counts)
        self._hottest = None if image.scaling.unit in (Unit.HU, Unit.PER_CM) else _Hottest(image.grid)
        low, high, width = HISTOGRAM_HU
        self._histogram = np.zeros(round((high - low) / width), np.int64)
        self._not_finite = 0

    def add(self, first: int, stop: int) -> None:
        """Take the slices from first to stop of all frames."""
        mean: Values | None = None
        for frame in range(len(self._image.frames)):
            values, bad = values_of(self._image, frame, first, stop)
            self._not_finite += bad
            self._sums[frame] += values.sum(dtype=np.float64)
            if self._image.scaling.unit is Unit.HU:
                self._histogram += _histogram(values)
            if frame in self._tiles:
                self._tiles[frame].add(first, values)
            if frame in self._weights:
                weighted = values * self._weights[frame] if len(self._weights) > 1 else values
                mean = weighted if mean is None else np.add(mean, weighted, out=mean)
        if mean is not None:
            for stack in (*self._planes.values(), *self._wanted.values()):
                stack.add(first, mean)
            if self._hottest:
                self._hottest.add(mean)

    def done(self) -> VoxelSurvey:
        """Return what was gathered."""
        gated = is_gated(self._image)
        region = self._hottest.region() if self._hottest else None
        return VoxelSurvey(
            shown=self._shown,
            middle={plane: stack.view(stack.kept) for plane, stack in self._planes.items()},
            highest={plane: stack.view(stack.highest) for plane, stack in self._planes.items()},
            wanted={key: stack.view(stack.kept) for key, stack in self._wanted.items()},
            tiles={frame: stack.view(stack.kept if gated else stack.highest) for frame, stack in self._tiles.items()},
            sums=self._sums,
            hottest=region,
            hot=_means(self._image, region) if region else np.zeros(0),
            histogram=self._histogram,
            not_finite=self._not_finite,
        )


class _Stack:
    """One plane of a volume, and the largest value across all parallel to it, as slabs come in."""

    def __init__(self, grid: Grid, plane: Plane, index: int | None = None) -> None:
        self._grid, self._plane = grid, plane
        self._axis = 2 - stored_axis(grid, plane.normal)  # of an array (k, j, i)
        shape = grid.shape[::-1]
        self._index = shape[self._axis] // 2 if index is None else index
        left = tuple(size for axis, size in enumerate(shape) if axis != self._axis)
        self.kept: Values = np.zeros(left, np.float32)
        self.highest: Values = np.full(left, -np.inf, np.float32)

    def add(self, first: int, slab: Values) -> None:
        """Take a slab (n, ny, nx) whose first slice has a number."""
        rows = slice(first, first + len(slab))
        if self._axis == 0:
            np.maximum(self.highest, slab.max(axis=0), out=self.highest)
            if rows.start <= self._index < rows.stop:
                self.kept[:] = slab[self._index - first]
        else:
            self.highest[rows] = slab.max(axis=self._axis)
            self.kept[rows] = slab.take(self._index, axis=self._axis)

    def view(self, values: Values) -> View:
        """Return one of both as it is shown."""
        return view_of(values, self._grid, self._plane, self._index)


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

    def region(self) -> Region:
        """Return the box."""
        box = tuple(slice(first, first + size) for first, size in zip(self.first, self.size, strict=True))
        middle = [(part.start + part.stop - 1) / 2 for part in box[::-1]]
        size_mm = tuple(n * mm for n, mm in zip(self.size[::-1], self.grid.spacing_mm, strict=True))
        return Region(box, tuple((self.grid.affine @ [*middle, 1.0])[:3].tolist()), size_mm)


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


def _means(image: Image, region: Region) -> Float:
    """Return (frames,) the mean of a region's values in each frame."""
    depth, *plane = region.box
    slabs = (values_of(image, frame, depth.start, depth.stop)[0] for frame in range(len(image.frames)))
    return np.array([slab[(slice(None), *plane)].mean(dtype=np.float64) for slab in slabs])


def _histogram(values: Values) -> npt.NDArray[np.int64]:
    low, high, width = HISTOGRAM_HU
    bins = round((high - low) / width)
    places = np.clip((values - np.float32(low)) * np.float32(1 / width), 0, bins - 1).astype(np.int32)
    return np.bincount(places.ravel(), minlength=bins).astype(np.int64)
