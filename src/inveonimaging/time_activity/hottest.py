"""The hottest sphere: of all that lie in the image, the one with the largest mean.

Its centre is that of a voxel; its voxels are those whose centres are not farther than half its diameter, and all of
them are in the image; the mean is that of the frames of the second half of the scan, weighted by duration, or of all
gates. That is how SUVpeak is defined (Lodge et al., J Nucl Med 53:1041, 2012), but for the size, which is for people
there: 12 mm, 1 mL. Values that are no numbers count as 0. Of equal spheres the first in the order of the file is taken.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from inveonimaging.physics.geometry import Grid
from inveonimaging.progress import StepCounter
from inveonimaging.study.image import Image
from inveonimaging.study.late_frames import shown_frames
from inveonimaging.time_activity.regions import Sphere

_SAME_MM = 1e-6
_LARGEST = 1e30  # far inside float64, also when summed

Float = npt.NDArray[np.float64]


def hottest_sphere(image: Image, name: str, diameter_mm: float, counter: StepCounter) -> Sphere | None:
    """Return the hottest sphere of a series; None if none lies in the image, or no mean is above 0.

    Args:
        image: the series.
        name: of the sphere.
        diameter_mm: of it.
        counter: counts slices of frames.

    Raises:
        DataError: the data file cannot be read any more.
    """
    runs = _runs(image.grid, diameter_mm)
    reach = max(abs(dk) for dk, _, _ in runs)
    nx, ny, nz = image.grid.shape
    wide, high = max(half for *_, half in runs), max(abs(dj) for _, dj, _ in runs)
    if nx <= 2 * wide or ny <= 2 * high or nz <= 2 * reach:
        return None
    planes: deque[Float] = deque(maxlen=2 * reach + 1)
    best, place = 0.0, None
    for number, plane in enumerate(_mean_planes(image, counter)):
        planes.append(_cumulated(plane))
        if len(planes) < 2 * reach + 1:
            continue
        sums = np.zeros((ny - 2 * high, nx - 2 * wide))
        for dk, dj, half in runs:
            rows = planes[reach + dk][high + dj : high + dj + sums.shape[0]]
            last = wide + half + 1
            sums += rows[:, last : last + sums.shape[1]] - rows[:, wide - half : wide - half + sums.shape[1]]
        at = int(np.argmax(sums))
        if sums.flat[at] > best:
            best = float(sums.flat[at])
            j, i = np.unravel_index(at, sums.shape)
            place = (int(i) + wide, int(j) + high, number - reach)
    if place is None:
        return None
    x, y, z = (image.grid.affine @ [*place, 1.0])[:3].tolist()
    return Sphere(name, (x, y, z), diameter_mm)


def _runs(grid: Grid, diameter_mm: float) -> list[tuple[int, int, int]]:
    """Return the rows of a sphere's voxels: dk, dj, and how many voxels there are to each side of the middle one."""
    radius = diameter_mm / 2 + _SAME_MM
    i_mm, j_mm, k_mm = grid.spacing_mm
    _, ny, nz = grid.shape
    high, reach = min(int(radius / j_mm), ny), min(int(radius / k_mm), nz)
    found = []
    for dk in range(-reach, reach + 1):
        for dj in range(-high, high + 1):
            left = radius**2 - (dk * k_mm) ** 2 - (dj * j_mm) ** 2
            if left >= 0:
                found.append((dk, dj, min(int(math.sqrt(left) / i_mm), grid.shape[0])))
    return found


def _cumulated(plane: Float) -> Float:
    """Return the sums of a row's values before each of its voxels, and of all of them, (ny, nx + 1)."""
    sums = np.zeros((plane.shape[0], plane.shape[1] + 1))
    np.cumsum(plane, axis=1, out=sums[:, 1:])
    return sums


def _mean_planes(image: Image, counter: StepCounter) -> Iterator[Float]:
    """Yield the slices of the mean of the frames that show where the tracer goes, (ny, nx)."""
    frames, weights = shown_frames(image)
    for first, stop in image.slab_limits:
        mean = np.zeros((stop - first, *image.source.shape[1:]))
        for frame, weight in zip(frames, weights, strict=True):
            values = image.physical(image.source.slices(frame, first, stop), frame)
            with np.errstate(invalid="ignore"):
                known = np.where(np.abs(values) < _LARGEST, values, 0.0)  # what is not a number is not below it
            mean += known * weight
            counter.step(stop - first)
        yield from mean
