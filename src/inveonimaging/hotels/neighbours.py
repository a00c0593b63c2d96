"""What of the images of an animal is of its neighbours: what was found of them, and a margin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from inveonimaging.hotels.bodies import Found
from inveonimaging.hotels.reduced import gantry_mm
from inveonimaging.hotels.trunks import TISSUE_HU
from inveonimaging.physics.geometry import mm_of
from inveonimaging.study.masking import Mask

MARGIN_MM = 1.6
"""Around what was found of a neighbour: skin and fur that share their blocks with air, and blurred activity."""

_ALL_SIDES = np.ones((3, 3, 3), np.bool_)

Blocks = npt.NDArray[np.bool_]


def masks_of(found: Found, numbers: Sequence[int]) -> tuple[Mask, ...]:
    """Return what is to be masked in the images of each animal.

    A block of another animal is, unless it touches one of the animal's own, since a block may hold something of both.
    So are those within the margin that are nearer to the other animal, unless it is a bed or a cradle: what is as dense
    as tissue and was found to be no animal.

    Args:
        found: the animals, without a doubt.
        numbers: which of the bodies each animal is, from 0.
    """
    return tuple(_mask(found, number + 1) for number in numbers)


def _mask(found: Found, own: int) -> Mask:
    from scipy import ndimage

    hidden = np.zeros(found.labels.shape, np.bool_)
    sampling = found.grid.spacing_mm[::-1]
    box = _around(found.labels, [int(MARGIN_MM / size) + 1 for size in sampling])
    labels = found.labels[box]
    is_own, is_other = labels == own, (labels > 0) & (labels != own)
    if is_other.any():
        away = ndimage.distance_transform_edt(~is_other, sampling=sampling)
        nearer = away < ndimage.distance_transform_edt(~is_own, sampling=sampling)
        around = (labels == 0) & (away <= MARGIN_MM) & nearer & ~_beds(found)[box]
        hidden[box] = (is_other | around) & ~ndimage.binary_dilation(is_own, _ALL_SIDES)
    return _cropped(found, hidden)


def _around(labels: npt.NDArray[np.uint8], more: Sequence[int]) -> tuple[slice, ...]:
    """Return the box of all that has a label, with so many more blocks on each side of an axis."""
    spans = [_span(np.asarray((labels > 0).any(axis=tuple({0, 1, 2} - {axis})))) for axis in range(3)]
    return tuple(slice(max(each.start - n, 0), each.stop + n) for each, n in zip(spans, more, strict=True))


def _beds(found: Found) -> Blocks:
    """Return what is no animal, and as dense as one; none where only activity is known."""
    if not found.is_ct:
        return np.zeros(found.labels.shape, np.bool_)
    return np.asarray((found.labels == 0) & (found.values > TISSUE_HU))


def _cropped(found: Found, hidden: Blocks) -> Mask:
    """Return the smallest mask that has all blocks that are hidden."""
    low, size = gantry_mm(found.grid, (-0.5, -0.5, -0.5)), found.grid.spacing_mm
    if not hidden.any():
        return Mask(np.zeros((1, 1, 1), np.bool_), low, size)
    box = tuple(_span(np.asarray(hidden.any(axis=tuple({0, 1, 2} - {axis})))) for axis in range(3))
    first = mm_of([a + side.start * b for a, side, b in zip(low, box[::-1], size, strict=True)])
    return Mask(hidden[box].copy(), first, size, frozenset(_ends(box, hidden.shape)))


def _span(any_of: Blocks) -> slice:
    numbers = np.flatnonzero(any_of)
    return slice(int(numbers[0]), int(numbers[-1]) + 1)


def _ends(box: Sequence[slice], shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    for axis, (side, count) in enumerate(zip(box, shape, strict=True)):
        if side.start == 0:
            yield axis, 0
        if side.stop == count:
            yield axis, -1
