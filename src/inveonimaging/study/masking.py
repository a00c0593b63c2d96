"""Neighbours of an animal in a box of an image: read as nothing, block by block of a coarse grid in the gantry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import InputError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.voxels import Hidden
from inveonimaging.physics.geometry import Grid, Mm, mm_of
from inveonimaging.study.image import Image, locate

Places = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]

_SAME_PLACE = 1e-6  # of a block: a voxel whose middle is nearer to a face lies beyond it
_MM3_PER_ML = 1e3
_FARTHEST_MM, _SMALLEST_MM = 1e6, 1e-6
_MOST, _MOST_BLOCKS = 65535, 2**26  # along an axis, and in all


@dataclass(frozen=True, eq=False)
class Mask:
    """Where the neighbours of an animal lie.

    Attributes:
        blocks: (nz, ny, nx) which blocks are of a neighbour; beyond them nothing is.
        low_mm: the lower faces of the first block in the gantry, along i, j and k, before the posture turns axes.
        block_mm: size of a block, likewise.
        ends: at which ends of the axes of `blocks`, first 0 or last -1, a neighbour may go on where nobody looked.
    """

    blocks: npt.NDArray[np.bool_]
    low_mm: Mm
    block_mm: Mm
    ends: frozenset[tuple[int, int]] = frozenset()

    def places(self, grid: Grid) -> Places:
        """Return the block that a voxel's middle lies in, along k, j and i of a grid; -1 where there is none."""
        i, j, k = (
            _places(middles, low, size, n)
            for middles, low, size, n in zip(
                grid.middles_mm, self.low_mm, self.block_mm, self.blocks.shape[::-1], strict=True
            )
        )
        return k, j, i


def _places(middles: npt.NDArray[np.float64], low: float, size: float, count: int) -> npt.NDArray[np.intp]:
    numbers = np.floor((middles - low) / size + _SAME_PLACE)
    return np.where((numbers >= 0) & (numbers < count), numbers, -1).astype(np.intp)


def masked(image: Image, mask: Mask) -> Image:
    """Return an image, cut or not, in which neighbours are nothing: -1000 HU in a CT, 0 in others; nothing is read.

    Raises:
        InputError: its type of stored values cannot hold that value.
    """
    places = mask.places((image.whole or image).grid)
    blocks = np.pad(mask.blocks, (0, 1))
    hidden = Hidden(blocks, places, tuple(_stored(image, factor) for factor in image.scaling.factors))
    return replace(image, source=replace(image.source, hidden=hidden))


def _stored(image: Image, factor: float) -> int | float:
    """Return the stored value that is nearest to nothing."""
    value, dtype = (image.scaling.nothing - image.scaling.intercept) / factor, image.source.dtype
    if dtype.kind not in "iu":
        return value
    limits = np.iinfo(dtype.str)
    if not limits.min <= round(value) <= limits.max:
        message = f"stored values of type {dtype.name} cannot be {shown_value(image)}, the value for masked neighbours"
        raise InputError(message, path=image.pair.header, hint="leave out --mask-others")
    return round(value)


def shown_value(image: Image) -> str:
    """Return the value of masked voxels, with its unit: `-1000 HU`; a 0 is one in any unit."""
    return f"{image.scaling.nothing:g} HU" if image.scaling.nothing else "0"


def masked_ml(image: Image) -> float:
    """Return the volume of what is masked in an image, mL."""
    return image.source.hidden_voxels * float(np.prod(image.grid.spacing_mm)) / _MM3_PER_ML


def digest_of(image: Image) -> str:
    """Return a SHA-256 of what is masked in an image; empty if nothing is."""
    hidden = image.source.hidden
    if hidden is None or not image.source.hidden_voxels:
        return ""
    places = (
        each[first : first + n]
        for each, first, n in zip(hidden.places, image.source.first, image.source.shape, strict=True)
    )
    held = b"".join(np.ascontiguousarray(each, "<i8").tobytes() for each in places)
    shape = repr((hidden.blocks.shape, hidden.values)).encode()
    return sha256(shape + held + np.packbits(hidden.blocks).tobytes()).hexdigest()


def mask_document(mask: Mask) -> dict[str, Any]:
    """Return a mask as a manifest has it: sizes along i, j and k, and lengths of runs of blocks, the first not masked.

    Blocks follow each other along i, then j, then k.
    """
    flat = mask.blocks.reshape(-1)
    edges = np.flatnonzero(np.diff(flat, prepend=np.False_)).tolist()
    runs = np.diff([0, *edges, flat.size]).tolist()
    return {
        "low_mm": list(mask.low_mm),
        "block_mm": list(mask.block_mm),
        "shape": list(mask.blocks.shape[::-1]),
        "runs": " ".join(map(str, runs)),
    }


def mask_of(document: Any) -> Mask | None:
    """Return the mask that a manifest has; None if that is none."""
    if not isinstance(document, dict):
        return None
    low, size, shape = (_numbers(document.get(name)) for name in ("low_mm", "block_mm", "shape"))
    if not (
        low and size and shape and min(size) >= _SMALLEST_MM and all(1 <= n <= _MOST and n == int(n) for n in shape)
    ):
        return None
    count = int(np.prod(shape))
    try:
        runs = np.array(str(document.get("runs")).split(), np.int64)
    except (ValueError, OverflowError):
        return None
    if count > _MOST_BLOCKS or runs.size > count + 1 or runs.size == 0:
        return None
    if runs.min() < 0 or runs.max() > count or runs.sum() != count:
        return None
    blocks = np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape([int(n) for n in shape[::-1]])
    return Mask(blocks, low, size)


def _numbers(value: Any) -> Mm | None:
    """Return three finite numbers; None for anything else."""
    if not isinstance(value, list) or not all(isinstance(n, int | float) and abs(n) < _FARTHEST_MM for n in value):
        return None
    try:
        return mm_of(value)
    except ValueError:
        return None


def mask_findings(parts: Sequence[Image], mask: Mask, position: str) -> Iterator[Finding]:
    """Yield how much of a file is masked, and that a neighbour may go on where nothing is.

    Args:
        parts: its frame groups, cut and masked.
        mask: that was used.
        position: of the animal.
    """
    first = parts[0]
    voxels = sum(each.source.hidden_voxels for each in parts)
    frames = f" of each of {len(first.frames)} frames" if len(first.frames) > 1 else ""
    volume = f"{sum(map(masked_ml, parts)):.3g} mL"
    message = f"{voxels} voxels{frames}, {volume}, of neighbours in the box of '{position}' are {shown_value(first)}"
    message = message if voxels else f"no voxel of a neighbour lies in the box of '{position}': nothing is masked"
    yield locate(Finding("others-masked", message, Severity.INFO), first.pair.header, first.header)
    if any(_goes_on(each, mask) for each in parts):
        message = (
            f"a neighbour in the box of '{position}' reaches beyond the image in which animals were found, "
            "and is not masked there"
        )
        yield locate(Finding("others-not-masked", message), first.pair.header, first.header)


def _goes_on(image: Image, mask: Mask) -> bool:
    """Return whether a neighbour may go on in an image where its mask ends."""
    inside = [np.unique(each[each >= 0]) for each in mask.places(image.grid)]
    for axis, end in mask.ends:
        middles, low = image.grid.middles_mm[2 - axis], mask.low_mm[2 - axis]
        high = low + mask.blocks.shape[axis] * mask.block_mm[2 - axis]
        is_beyond = middles[-1] > high if end else middles[0] < low
        layer = [*inside]
        layer[axis] = np.array([mask.blocks.shape[axis] - 1 if end else 0])
        if is_beyond and mask.blocks[np.ix_(*layer)].any():
            return True
    return False
