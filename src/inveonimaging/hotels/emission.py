"""Animals in PET or SPECT: what is bright in the mean of the late frames, at any threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inveonimaging.hotels import trunks
from inveonimaging.hotels.positions import Placed
from inveonimaging.inveon.hdr import Frame

SHARES = (0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2)  # of the highest activity
ENOUGH = 5  # thresholds that agree
_HIGHEST = 99.8  # percentile
_SMOOTH_MM = 0.8
_LEAST = 0.15  # of the largest
_LATE = 0.5  # of the scan's time: what begins later
_PARTS = (1.0, 1.3)  # of the depth of a trunk, at which to look
_ALL_SIDES = np.ones((3, 3, 3), np.bool_)


def late(frames: Sequence[Frame]) -> tuple[int, ...]:
    """Return the frames of the second half of the time of a scan; all gates of a time are there or are not."""
    starts = [frame.start_s or 0.0 for frame in frames]
    ends = [start + (frame.duration_s or 0.0) for start, frame in zip(starts, frames, strict=True)]
    begin, end = min(starts), max(ends)
    half = begin + _LATE * (end - begin)
    found = tuple(n for n, start in enumerate(starts) if start >= half)
    return found or tuple(n for n, start in enumerate(starts) if start == max(starts))


def smoothed(
    values: npt.NDArray[np.float32], sampling_mm: tuple[float, float, float]
) -> tuple[npt.NDArray[np.float32], float]:
    """Return (nz, ny, nx) activity without its finest noise, and the highest that is no single voxel's.

    Args:
        values: (nz, ny, nx) activity.
        sampling_mm: size of a voxel along z, y, x.
    """
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(values, [_SMOOTH_MM / size for size in sampling_mm])
    return smooth, float(np.percentile(smooth, _HIGHEST))


def counted(
    values: npt.NDArray[np.float32], sampling_mm: tuple[float, float, float], number: int | None = None
) -> tuple[dict[float, int], npt.NDArray[np.int32]]:
    """Return how many animals each threshold shows, and (nz, ny, nx) labels at the lowest that shows the usual number.

    Args:
        values: (nz, ny, nx) activity.
        sampling_mm: size of a voxel along z, y, x.
        number: that the labels are to show, if a threshold does.
    """
    smooth, highest = smoothed(values, sampling_mm)
    none = np.zeros(values.shape, np.int32)
    if highest <= 0:
        return dict.fromkeys(SHARES, 0), none
    found = {share: _regions(smooth > share * highest) for share in SHARES}
    counts = {share: int(labels.max()) for share, labels in found.items()}
    numbers = list(counts.values())
    usual = max(set(numbers), key=lambda each: (numbers.count(each), each))
    shown = number if number and number in numbers else usual
    return counts, next(labels for share, labels in found.items() if counts[share] == shown)


def joined(
    values: npt.NDArray[np.float32], labels: npt.NDArray[np.int32], sampling_mm: tuple[float, float, float]
) -> list[str]:
    """Return what shows that animals which touch count as one: two deep parts side by side, at some threshold.

    Args:
        values: (nz, ny, nx) activity.
        labels: (nz, ny, nx) of what was found.
        sampling_mm: size of a voxel along z, y, x.
    """
    from scipy import ndimage

    smooth, highest = smoothed(values, sampling_mm)
    # The nearest place outside an animal lies at its surface: what is further off need not be looked at.
    box = _around(labels)
    smooth, labels = smooth[box], labels[box]
    for share in SHARES:
        depth = ndimage.distance_transform_edt((smooth > share * highest) & (labels > 0), sampling=sampling_mm)
        depth = depth.astype(np.float32) - min(sampling_mm) / 2
        for factor in _PARTS:
            scale = factor * float(depth.max()) / trunks.TRUNK_MM
            if any(trunks.doubles(depth, labels, float(np.prod(sampling_mm)), scale)):
                return [f"{int(labels.max())}, but one of them has two trunks side by side"]
    return []


def _around(labels: npt.NDArray[np.int32]) -> tuple[slice, ...]:
    """Return where there are labels, and one voxel more on all sides."""
    from scipy import ndimage

    boxes = ndimage.find_objects((labels > 0).astype(np.int8))
    return tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in boxes[0]) if boxes else ()


def _regions(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Return the numbers of the regions of a mask that are not much smaller than the largest, from 1."""
    from scipy import ndimage

    labels, count = ndimage.label(mask, _ALL_SIDES)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept = (sizes > 0) & (sizes >= _LEAST * sizes.max())
    return np.asarray(np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels])


def contradictions(bodies: Sequence[Placed]) -> list[str]:
    """Return what contradicts these being all animals, each one whole."""
    for number, one in enumerate(bodies):
        for other in bodies[:number]:
            if are_in_line(one, other):
                return [f"{len(bodies)}, but two lie in line along the bed: they may be parts of one animal"]
    return []


def are_in_line(one: Placed, other: Placed) -> bool:
    """Whether one lies before the other along k, in the same place along i and j."""
    apart = one.low_mm[2] > other.high_mm[2] or other.low_mm[2] > one.high_mm[2]
    return apart and all(
        one.low_mm[axis] < other.centre_mm[axis] < one.high_mm[axis]
        or other.low_mm[axis] < one.centre_mm[axis] < other.high_mm[axis]
        for axis in (0, 1)
    )
