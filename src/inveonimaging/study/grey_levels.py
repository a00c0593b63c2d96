"""What 16 bits cost: whether nearly all values of a slice are left too few grey levels, and which voxel makes it so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inveonimaging.findings import Finding
from inveonimaging.physics.quantification import Lost, Slopes, ValueRange, enough_steps, lost_steps
from inveonimaging.study.image import Image


def lost_values(image: Image, extents: Sequence[ValueRange], slopes: Slopes, way_out: str = "") -> tuple[Finding, ...]:
    """Return a warning if nearly all values of some slices keep too few grey levels; it names the worst of them.

    Args:
        image: the image.
        extents: of its frames.
        slopes: that its pixels have.
        way_out: an option that helps where all slices of a frame share a slope.

    Raises:
        DataError: the data file cannot be read any more.
    """
    factors = image.scaling.factors
    lost = lost_steps(extents, factors, slopes, enough=enough_steps(image.scaling.unit))
    if not lost:
        return ()
    worst = min(lost, key=lambda each: (not extents[each.frame].has_wild, min(each.steps.values())))
    frame, k = worst.frame, _worst_slice(worst, extents[worst.frame])
    steps = worst.steps[k]
    others = sum(len(each.steps) for each in lost) - 1
    more = f", and so in {others} more slice{'s' if others > 1 else ''}" if others else ""
    levels = f"only {steps:.0f} grey levels" if steps >= 2 else "hardly any grey level"  # noqa: PLR2004 - the plural
    cause = _culprit(image, frame, k, extents[frame])
    is_shared = any(len(set(slopes[each.frame])) == 1 and _differ(extents[each.frame]) for each in lost)
    helps = f" ({way_out})" if way_out and is_shared else ""
    message = f"slice {k} of frame {frame}: nearly all values keep {levels}{more}; {cause}{helps}"
    return (Finding("values-lost", message, path=str(image.pair.data)),)


def _worst_slice(lost: Lost, extent: ValueRange) -> int:
    """Return the slice with the fewest grey levels; of equal ones that with the largest value."""
    sizes = _sizes(extent)
    return min(lost.steps, key=lambda k: (lost.steps[k], -float(sizes[k])))


def _differ(extent: ValueRange) -> bool:
    """Whether some slice could do with a much smaller slope than another."""
    sizes = _sizes(extent)
    return bool(2 * sizes.min() < sizes.max())


def _sizes(extent: ValueRange) -> npt.NDArray[np.float64]:
    """Return (n,) the largest size of a value in each slice."""
    return np.maximum(extent.highest, -extent.lowest)


def _culprit(image: Image, frame: int, k: int, extent: ValueRange) -> str:
    """Say what makes the rescale slope so large."""
    if not extent.has_wild:
        return "they share a rescale slope with frames that have much larger values"
    stored = image.source.slices(frame, k, k + 1)[0]
    with np.errstate(invalid="ignore"):  # a signalling NaN
        values = np.nan_to_num(stored.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    j, i = np.unravel_index(int(np.argmax(np.abs(values))), values.shape)
    value = values[j, i] * image.scaling.factors[frame] + image.scaling.intercept
    times = abs(values[j, i]) / extent.usual
    return f"voxel ({i}, {j}, {k}) is {value:.4g} {image.scaling.unit.value}, {times:.2g} times as large as they are"
