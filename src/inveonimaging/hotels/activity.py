"""Where PET or SPECT shows an animal beyond what the CT shows of it: bladder, tail, a head that the CT does not reach.

How many animals there are, and which is which, comes of the CT alone. Activity only widens the extent of the animal
that it belongs to: it touches one, or lies near one and far from all others. What belongs to none is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.findings import Finding
from inveonimaging.hotels import emission
from inveonimaging.hotels.bodies import Found, find_in_emission
from inveonimaging.hotels.reduced import BLOCK_MM, gantry_mm, reduced
from inveonimaging.physics.geometry import Grid, mm_of
from inveonimaging.study.cut import Extent
from inveonimaging.study.image import Image

SHARE = 0.05  # of the highest activity: what counts
_LEAST_MM3 = 8.0
_TOUCHES_MM = 2.5  # PET is blurred, and an animal breathes
_NEAR_MM = 12.0  # from an animal, where the CT would show it
_CLEARLY = 2.0  # times nearer to one animal than to any other

Mask = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Regions:
    """Activity that counts.

    Attributes:
        places: (n, 3) middles of its voxels in the gantry, along i, j, k, mm.
        values: (n,) activity.
        numbers: (n,) the region that a voxel is of, from 0.
        half_mm: half a voxel along i, j, k.
        voxel_mm3: its volume.
    """

    places: Float
    values: Float
    numbers: npt.NDArray[np.int64]
    half_mm: Float
    voxel_mm3: float


def widened(
    found: Found, extents: Sequence[Extent], image: Image, margin_mm: float
) -> tuple[tuple[Extent, ...], tuple[Finding, ...]]:
    """Return the extents of animals that a CT shows, with what PET or SPECT shows of each, and what contradicts it.

    Args:
        found: in the CT, without doubt.
        extents: of each of its bodies, in their order.
        image: PET or SPECT, of one bed position; read a slab at a time.
        margin_mm: what is added on all sides when they are cut.

    Raises:
        DataError: the data file cannot be read, or ends early.
    """
    path = str(image.pair.data)
    values, grid = reduced(image, emission.late(image.frames), BLOCK_MM)
    findings = list(_disagreeing(found, image, values, grid))
    regions = _regions(values, grid)
    if not len(regions.places):
        return tuple(extents), tuple(findings)
    owners = _owners(found, regions)
    wider = tuple(
        _with(extent, regions.places[owners == number], regions.half_mm) for number, extent in enumerate(extents)
    )
    outside = ~np.logical_or.reduce([_inside(regions.places, each.grown(margin_mm)) for each in wider])
    findings += _beside(regions, outside, path)
    return wider, tuple(findings)


def _disagreeing(found: Found, image: Image, values: Values, grid: Grid) -> Iterator[Finding]:
    """Yield that PET or SPECT shows another number of animals without doubt, such as one that had no tracer."""
    counts = list(emission.counted(values, grid.spacing_mm[::-1])[0].values())
    if max(counts, key=counts.count) == len(found.bodies):
        return
    shown = find_in_emission(image)
    if shown.is_certain and len(shown.bodies) != len(found.bodies):
        message = f"the CT shows {len(found.bodies)} animals, and {image.kind} {len(shown.bodies)}; the CT is used"
        yield Finding("animals-disagree", message, path=str(image.pair.data))


def _regions(values: Values, grid: Grid) -> _Regions:
    """Return what is bright in the late frames, without specks."""
    from scipy import ndimage

    spacing = grid.spacing_mm
    smooth, highest = emission.smoothed(values, spacing[::-1])
    labels, count = ndimage.label((smooth > SHARE * highest) & (highest > 0), np.ones((3, 3, 3), np.bool_))
    volume = float(np.prod(spacing))
    kept = np.bincount(labels.ravel(), minlength=count + 1) * volume >= _LEAST_MM3
    kept[0] = False
    at = np.nonzero(kept[labels])
    places = _places(grid, at)
    return _Regions(places, values[at].astype(np.float64), labels[at] - 1, np.array(spacing) / 2, volume)


def _places(grid: Grid, at: Sequence[npt.NDArray[Any]]) -> Float:
    """Return (n, 3) where voxels (k, j, i) have their middles in the gantry."""
    return np.asarray(np.stack(at[::-1], axis=-1) * np.array(grid.spacing_mm) + gantry_mm(grid, (0, 0, 0)), np.float64)


def _owners(found: Found, regions: _Regions) -> npt.NDArray[np.int64]:
    """Return (n,) the body that each voxel belongs to, from 0; -1 if none, or nobody knows which."""
    from scipy.spatial import cKDTree

    far = np.stack(
        [
            cKDTree(_places(found.grid, np.nonzero(found.labels == number))).query(regions.places)[0]
            for number in range(1, len(found.bodies) + 1)
        ]
    )
    count = int(regions.numbers.max()) + 1
    nearest = np.full((len(far), count), np.inf)
    for row, distances in zip(nearest, far, strict=True):
        np.minimum.at(row, regions.numbers, distances)
    takes = nearest <= _TOUCHES_MM
    alone = ~takes.any(axis=0)
    ordered = np.sort(np.vstack([nearest, np.full(count, np.inf)]), axis=0)
    clear = alone & (ordered[0] <= _NEAR_MM) & (ordered[1] >= _CLEARLY * ordered[0])
    takes[:, clear] = nearest[:, clear] == ordered[0, clear]
    own = np.where(takes[:, regions.numbers], far, np.inf)
    beyond = ~_inside(regions.places, _whole(found.grid))
    belongs = np.isfinite(own.min(axis=0)) & ((own.min(axis=0) <= _NEAR_MM) | beyond)
    return np.where(belongs, own.argmin(axis=0), -1)


def _whole(grid: Grid) -> Extent:
    return Extent(gantry_mm(grid, (-0.5,) * 3), gantry_mm(grid, [n - 0.5 for n in grid.shape]))


def _inside(places: Float, extent: Extent) -> Mask:
    return np.asarray(((places >= extent.low_mm) & (places <= extent.high_mm)).all(axis=1))


def _with(extent: Extent, places: Float, half_mm: Float) -> Extent:
    """Return an extent that has all voxels with their middles at these places."""
    if not len(places):
        return extent
    low = np.minimum(extent.low_mm, places.min(axis=0) - half_mm)
    high = np.maximum(extent.high_mm, places.max(axis=0) + half_mm)
    return Extent(mm_of(low), mm_of(high))


def _beside(regions: _Regions, outside: Mask, path: str) -> list[Finding]:
    """Return that activity lies in no box, if it is more than a speck."""
    volume_mm3 = np.count_nonzero(outside) * regions.voxel_mm3
    if volume_mm3 < _LEAST_MM3:
        return []
    share = regions.values[outside].sum() / regions.values.sum()
    i, j, k = np.average(regions.places[outside], axis=0)
    where = f"around ({i:.0f}, {j:.0f}, {k:.0f}) mm along i, j and k"
    message = f"{volume_mm3 / 1000:.2g} mL with {share:.1%} of the activity lies {where} in no animal's box"
    return [Finding("activity-beside-animals", message, path=path)]
