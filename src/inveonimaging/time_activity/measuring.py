"""What regions hold in each frame of a series: one pass over the slices that they reach, slab by slab."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inveonimaging.physics.geometry import Box
from inveonimaging.physics.quantification import Unit
from inveonimaging.progress import StepCounter
from inveonimaging.study.image import Image
from inveonimaging.study.late_frames import is_gated
from inveonimaging.time_activity.regions import Inside, Region, box_in

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

_ML_PER_MM3 = 1e-3


@dataclass(frozen=True)
class Wanted:
    """A region that is to be measured, with what is known of the animal that it is in.

    Attributes:
        region: where.
        suv_per_value: SUVbw of 1 Bq/mL, g/Bq; None if it is not known.
        injection_s: when the tracer was injected, after the start of the scan; None if that is not known.
    """

    region: Region
    suv_per_value: float | None = None
    injection_s: float | None = None


@dataclass(frozen=True, eq=False)
class Curve:
    """What a region holds in each frame of a series, in the order of their times, or of their gates.

    Attributes:
        region: its name.
        source: name of the data file.
        part: which part of it the series is; empty for a whole file.
        unit: of the values.
        frames: numbers of the frame blocks in the header.
        gates: of these; none of frames that differ by time.
        starts_s: (frames,) when each began, after the start of the scan; NaN if the header does not say, and of gates.
        durations_s: (frames,) likewise.
        injection_s: when the tracer was injected, after the start of the scan; None if that is not known.
        means: (frames,) mean of the values; NaN without any.
        deviations: (frames,) standard deviation of the voxels' values, by n - 1; NaN of fewer than two.
        lowest, highest: (frames,) of the values.
        voxels: (frames,) how many had a value that is a number.
        voxel_ml: volume of a voxel.
        suv_per_value: SUVbw of 1 Bq/mL, g/Bq; None if it is not known.
        not_finite: how many values were NaN or infinite, and are left out.
    """

    region: str
    source: str
    part: str
    unit: Unit
    frames: tuple[int, ...]
    gates: tuple[int | None, ...]
    starts_s: Float
    durations_s: Float
    injection_s: float | None
    means: Float
    deviations: Float
    lowest: Float
    highest: Float
    voxels: Int
    voxel_ml: float
    suv_per_value: float | None
    not_finite: int = 0

    @property
    def series(self) -> str:
        """The series' name, as tables have it."""
        return ", ".join(filter(None, (self.source, self.part)))

    @property
    def middles_s(self) -> Float:
        """(frames,) the middle of each frame after the start of the scan."""
        return self.starts_s + self.durations_s / 2

    @property
    def after_injection_s(self) -> Float:
        """(frames,) the same after the injection; NaN if that is not known."""
        return self.middles_s - (np.nan if self.injection_s is None else self.injection_s)

    @property
    def volumes_ml(self) -> Float:
        """(frames,) volume of the voxels."""
        return np.asarray(self.voxels * self.voxel_ml, dtype=float)

    @property
    def suvs(self) -> Float:
        """(frames,) mean SUVbw, g/mL; NaN if it is not known."""
        return self.means * (np.nan if self.suv_per_value is None else self.suv_per_value)


class _Sums:
    """Count, mean, squares, lowest and highest of values that come slab by slab, for each frame."""

    def __init__(self, frames: int) -> None:
        self.count = np.zeros(frames, np.int64)
        self.mean = np.zeros(frames)
        self.squares = np.zeros(frames)  # of the distances from the mean
        self.lowest, self.highest = np.full(frames, np.inf), np.full(frames, -np.inf)
        self.not_finite = 0

    def add(self, frame: int, values: npt.NDArray[np.float32]) -> None:
        """Take values of a frame (Chan, Golub and LeVeque's way to join two parts)."""
        is_known = np.isfinite(values)
        known = (values if is_known.all() else values[is_known]).astype(np.float64)
        self.not_finite += values.size - known.size
        if not known.size:
            return
        self.lowest[frame] = min(self.lowest[frame], known.min())
        self.highest[frame] = max(self.highest[frame], known.max())
        mean, before = known.mean(), self.count[frame]
        apart, total = mean - self.mean[frame], before + known.size
        known -= mean
        self.squares[frame] += known @ known + apart**2 * before * known.size / total
        self.mean[frame] += apart * known.size / total
        self.count[frame] = total


def frames_in_order(image: Image) -> tuple[int, ...]:
    """Return the indices of an image's frames in the order of gates, or of times; the file's if it does not say."""
    keys = [each.gate if is_gated(image) else each.start_s for each in image.frames]
    known = [each for each in keys if each is not None]
    order = range(len(keys))
    return tuple(order if len(known) < len(keys) else sorted(order, key=known.__getitem__))


def steps_of(image: Image, regions: Sequence[Region]) -> int:
    """Return how many slices of frames are read for regions."""
    return sum(stop - first for first, stop in _limits(image, _boxes(image, regions))) * len(image.frames)


def voxels_in(image: Image, region: Region) -> int:
    """Return how many voxels of an image are in a region."""
    box = box_in(image.grid, region)
    parts = [_part(box, *limits) for limits in _limits(image, [box])]
    return sum(int(np.count_nonzero(region.inside(image.grid, part))) for part in parts if part)


def measured(image: Image, wanted: Sequence[Wanted], counter: StepCounter) -> tuple[Curve, ...]:
    """Return the curve of each region of a series.

    Args:
        image: the series.
        wanted: regions in it.
        counter: counts slices of frames.

    Raises:
        DataError: the data file cannot be read any more.
    """
    frames = frames_in_order(image)
    regions = [each.region for each in wanted]
    boxes = _boxes(image, regions)
    sums = [_Sums(len(frames)) for _ in regions]
    for first, stop in _limits(image, boxes):
        there = [
            (_flat(region.inside(image.grid, part), part, first, image), each)
            for region, box, each in zip(regions, boxes, sums, strict=True)
            if (part := _part(box, first, stop))
        ]
        for place, frame in enumerate(frames):
            slab = image.source.slices(frame, first, stop).reshape(-1)
            for voxels, each in there:
                each.add(place, image.physical(slab[voxels], frame))
            counter.step(stop - first)
    return tuple(_curve(image, one, each, frames) for one, each in zip(wanted, sums, strict=True))


def unmeasured(image: Image, wanted: Wanted) -> Curve:
    """Return the curve of a region without any value: its frames and times."""
    frames = frames_in_order(image)
    return _curve(image, wanted, _Sums(len(frames)), frames)


def _boxes(image: Image, regions: Sequence[Region]) -> list[Box | None]:
    return [box_in(image.grid, region) for region in regions]


def _limits(image: Image, boxes: Sequence[Box | None]) -> list[tuple[int, int]]:
    """Return the first slice of each slab that holds something of a box, and the first one after it."""
    spans = [(box.first[2], box.stop[2]) for box in boxes if box]
    found = []
    for first, stop in image.slab_limits:
        inside = [(max(first, a), min(stop, b)) for a, b in spans if a < stop and b > first]
        if inside:
            found.append((min(a for a, _ in inside), max(b for _, b in inside)))
    return found


def _part(box: Box | None, first: int, stop: int) -> Box | None:
    """Return what of a box is in some slices."""
    if box is None:
        return None
    low, high = max(box.first[2], first), min(box.stop[2], stop)
    return Box((*box.first[:2], low), (*box.stop[:2], high)) if low < high else None


def _flat(inside: Inside, part: Box, first: int, image: Image) -> npt.NDArray[np.int32]:
    """Return which voxels of a slab are in a region, as their places in it: few, however large the box is."""
    k, j, i = np.nonzero(inside)
    _, rows, columns = image.source.shape
    places = ((k + part.first[2] - first) * rows + j + part.first[1]) * columns + i + part.first[0]
    return np.asarray(places, np.int32)


def _curve(image: Image, wanted: Wanted, sums: _Sums, frames: tuple[int, ...]) -> Curve:
    gated = is_gated(image)
    blocks = [image.frames[index] for index in frames]
    numbers = image.part.frames if image.part else tuple(range(len(frames)))
    is_there = sums.count > 0
    variances = np.full(len(frames), np.nan)
    np.divide(sums.squares, sums.count - 1, out=variances, where=sums.count > 1)
    return Curve(
        region=wanted.region.name,
        source=image.pair.name,
        part=image.part_name,
        unit=image.scaling.unit,
        frames=tuple(numbers[index] for index in frames),
        gates=tuple(each.gate for each in blocks) if gated else (),
        starts_s=_known(None if gated else each.start_s for each in blocks),
        durations_s=_known(None if gated else each.duration_s for each in blocks),
        injection_s=wanted.injection_s,
        means=np.where(is_there, sums.mean, np.nan),
        deviations=np.sqrt(variances),
        lowest=np.where(is_there, sums.lowest, np.nan),
        highest=np.where(is_there, sums.highest, np.nan),
        voxels=sums.count,
        voxel_ml=float(np.prod(image.grid.spacing_mm)) * _ML_PER_MM3,
        suv_per_value=wanted.suv_per_value,
        not_finite=sums.not_finite,
    )


def _known(values: Iterable[float | None]) -> Float:
    return np.array([np.nan if each is None else each for each in values], dtype=float)
