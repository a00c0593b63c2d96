"""An image of any size as a small volume to look for animals in: means over blocks, finer where voxels are coarse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from inveonimaging.physics.geometry import Grid, Mm
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.study.blocks import Blocks
from inveonimaging.study.image import Image

Float = npt.NDArray[np.float32]

BLOCK_MM = 0.8  # of a mouse
_MOST_VOXELS = 6_000_000
_THIN_HU = -700.0
_NOISE_HU = 60.0  # standard deviation that does no harm
_PER_SIGMA = 1.5  # upper quartile of the size of a difference of two, by their standard deviation
_SIGMAS = (0.6, 0.8)  # voxels


def reduced(
    image: Image, frames: Sequence[int], block_mm: float, empty: float = 0.0, progress: Progress = no_progress
) -> tuple[Float, Grid]:
    """Return (nz, ny, nx) means over blocks of voxels and over frames, by their duration, and their grid.

    Args:
        image: read a slab at a time.
        frames: which of its frames.
        block_mm: how large a block may be; larger where an image is larger than any animal.
        empty: the value where none is finite.
        progress: called with how many slices were read, and how many there are.
    """
    blocks = Blocks(image.grid.shape, image.grid.spacing_mm, block_mm, _MOST_VOXELS)
    counter = StepCounter(progress, len(frames) * image.grid.shape[2])
    for frame in frames:
        weight = image.frames[frame].duration_s or 1.0
        k = 0
        for slab in image.slabs(frame):
            numbers = range(k, k + len(slab))
            blocks.add(numbers, slab, image.scaling.factors[frame], image.scaling.intercept, weight)
            k += len(slab)
            counter.step(len(slab))
    return blocks.means(empty), blocks.grid(image.grid)


def refined(values: Float, grid: Grid, most_mm: float) -> tuple[Float, Grid]:
    """Return values between voxels larger than `most_mm`, so that surfaces lie where they are, and the grid."""
    from scipy import ndimage

    factors = [2 if spacing > most_mm else 1 for spacing in grid.spacing_mm]
    if max(factors) == 1 or values.size * np.prod(factors) > _MOST_VOXELS:
        return values, grid
    finer = ndimage.zoom(values, factors[::-1], order=1, mode="nearest", grid_mode=True)
    nx, ny, nz = (n * factor for n, factor in zip(grid.shape, factors, strict=True))
    x, y, z = (spacing / factor for spacing, factor in zip(grid.spacing_mm, factors, strict=True))
    return np.asarray(finer, np.float32), replace(grid, shape=(nx, ny, nz), spacing_mm=(x, y, z))


def calmed(hounsfield: Float) -> Float:
    """Return HU smoothed as much as their noise asks for: noise makes holes in tissue."""
    from scipy import ndimage

    noise = _noise_hu(hounsfield)
    if noise <= _NOISE_HU:
        return hounsfield
    for sigma in _SIGMAS:
        smooth = ndimage.gaussian_filter(hounsfield, sigma)
        if _noise_hu(smooth) <= _NOISE_HU:
            break
    return np.asarray(smooth, np.float32)


def _noise_hu(hounsfield: Float) -> float:
    """Return the standard deviation of noise, from neighbours along i in the air, where nothing else differs.

    Reconstructions often cut air off at -1000 HU, which half of the noise survives.
    """
    one, other = hounsfield[..., :-1], hounsfield[..., 1:]
    differences = np.abs(one - other)[(one < _THIN_HU) & (other < _THIN_HU)]
    return float(np.percentile(differences, 75)) / _PER_SIGMA if differences.size else 0.0


def gantry_mm(grid: Grid, index: Sequence[float]) -> Mm:
    """Return where an index (i, j, k) lies in the gantry, before the posture turns the axes."""
    x, y, z = (
        (place - (n - 1) / 2) * spacing + shift
        for place, n, spacing, shift in zip(index, grid.shape, grid.spacing_mm, grid.shift_mm, strict=True)
    )
    return float(x), float(y), float(z + grid.bed_mm)
