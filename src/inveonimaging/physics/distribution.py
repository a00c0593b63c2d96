"""How often values of each size occur: counted slab by slab, in bounded memory, and robust against a few wild ones.

Values are counted in classes on a logarithmic scale, negative ones apart: 16 classes an octave, so that a class spans
3 to 6 %. A class is the first 13 bits of the value as a 32-bit float (IEEE 754): sign, exponent, 4 bits of fraction.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_BITS = 13
_SIGNS = 1 << (_BITS - 1)  # classes of each sign
_OCTAVE = 16  # classes
CLASS = 1 / _OCTAVE  # of a value: the widest that a class is
_NOT_FINITE = 255 * _OCTAVE  # and above: infinity and NaN
_FEW_VOXELS = 1 << 16  # a slab of no more is counted whole
_EVERY = 7  # of the voxels of a larger one
_WILD = 64.0  # times the usual size: something that only few voxels have
_WILD_CLASSES = 6 * _OCTAVE
_GAP_CLASSES = 5 * _OCTAVE
_WILD_SHARE, _WILD_VOXELS, _WILD_PART = 0.005, 16, 8


def _sizes() -> Float:
    """Return (4096,) the middle of each class of positive values; 0 for the first, infinity for those of no number."""
    edges = (np.arange(_NOT_FINITE + 1, dtype=np.uint32) << (32 - _BITS)).view(np.float32).astype(np.float64)
    edges[-1] = 2.0**128
    sizes = np.full(_SIGNS, np.inf)
    sizes[:_NOT_FINITE] = (edges[:-1] + edges[1:]) / 2
    sizes[0] = 0.0
    return sizes


_SIZES = _sizes()


@dataclass(frozen=True)
class Distribution:
    """How many stored values fall into each class, (8192,): the positive classes, then the negative ones."""

    counts: Counts

    @classmethod
    def joined(cls, parts: Sequence[Distribution]) -> Distribution:
        """Return the distribution of all."""
        return cls(np.sum([part.counts for part in parts], axis=0))

    @cached_property
    def _by_size(self) -> Counts:
        """(4080,) how many finite values there are of each size, without those of 0."""
        counts = self.counts[:_NOT_FINITE] + self.counts[_SIGNS : _SIGNS + _NOT_FINITE]
        counts[0] = 0
        return counts

    @cached_property
    def _usual(self) -> int:
        """The class of the usual size; 0 if all values are 0.

        Of the values other than 0 the largest 0.5 % are left out, and no fewer than 16 where there are enough of them.
        """
        total = int(self._by_size.sum())
        few = max(_WILD_SHARE * total, min(_WILD_VOXELS, total // _WILD_PART))
        return int(np.searchsorted(self._by_size.cumsum(), total - few)) if total else 0

    @property
    def usual(self) -> float:
        """The size below which nearly all values lie, whatever a few wild ones are; 0 if all values are 0."""
        return float(_SIZES[self._usual])

    @property
    def has_wild(self) -> bool:
        """Whether a few values are far beyond the usual size and stand apart, as no part of an animal does.

        A hot object has an edge, over which its values fall by degrees; what is apart is a handful of voxels, or there
        is nothing between it and the rest over a factor of 32.
        """
        above = self._by_size[self._usual :]
        wild = int(above[_WILD_CLASSES:].sum())
        if not wild:
            return False
        filled = np.flatnonzero(above)
        return wild <= _WILD_VOXELS or bool(np.diff(filled, prepend=0).max() > _GAP_CLASSES)

    @property
    def zeros(self) -> int:
        """How many values are 0, or smaller than any that a 32-bit float distinguishes from it."""
        return int(self.counts[0] + self.counts[_SIGNS])

    def values(self) -> tuple[Float, Counts]:
        """Return the middle of each class with a finite value in it, ascending, and how many there are."""
        positive = self.counts[:_NOT_FINITE]
        negative = self.counts[_SIGNS : _SIGNS + _NOT_FINITE].copy()
        positive, negative[0] = positive.copy(), 0
        positive[0] += self.counts[_SIGNS]  # -0
        values = np.concatenate((-_SIZES[:_NOT_FINITE][::-1], _SIZES[:_NOT_FINITE]))
        counts = np.concatenate((negative[::-1], positive))
        filled = counts > 0
        return values[filled], counts[filled]


def distribution_of(stored: npt.NDArray[np.generic], largest: float) -> Distribution:
    """Count a slab.

    Args:
        stored: (n, ny, nx) stored values. Of a large slab every seventh is looked at and counts for all seven.
        largest: the largest size of a value; where it is beyond the usual, all are looked at, since few have it.
    """
    flat = stored.reshape(-1)
    if flat.size <= _FEW_VOXELS:
        return _counted(flat)
    sampled = _counted(flat[::_EVERY])
    return _counted(flat) if largest > _WILD * sampled.usual else Distribution(sampled.counts * _EVERY)


def _counted(flat: npt.NDArray[np.generic]) -> Distribution:
    with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN
        bits = np.ascontiguousarray(flat.astype(np.float32)).view(np.uint32) >> np.uint32(32 - _BITS)
    return Distribution(np.bincount(bits, minlength=2 * _SIGNS))


def physical(frames: Sequence[Distribution], factors: Sequence[float], intercept: float = 0.0) -> tuple[Float, Counts]:
    """Return physical values, ascending, and how many there are of each; stored zeros, often none, are left out."""
    pairs = [(each.values(), factor) for each, factor in zip(frames, factors, strict=True)]
    values = np.concatenate([stored * factor for (stored, _), factor in pairs])
    counts = np.concatenate([counts for (_, counts), _ in pairs])
    order = np.argsort(values, kind="stable")
    order = order[values[order] != 0]
    return values[order] + intercept, counts[order]


def quantile(values: Float, counts: Counts, share: float) -> float:
    """Return the value (ascending) at which a share of all is reached."""
    reached = counts.cumsum()
    return float(values[int(np.searchsorted(reached, share * reached[-1]))])


_BLOCKS, _BLOCK_VOXELS = 64, 1024


class Collector:
    """Collects distributions, and a sample of neighbouring voxels, from slabs as they are read.

    Attributes:
        sample: (n,) stored values from the middle of slices, at most 64 runs of 1024 neighbours.
    """

    def __init__(self, slabs: int) -> None:
        """Expect so many slabs."""
        self._each = math.ceil(slabs / _BLOCKS)
        self._seen = 0
        self._runs: list[npt.NDArray[np.generic]] = []
        self._counts: dict[Hashable, Counts] = {}

    def add(self, place: Hashable, stored: npt.NDArray[np.generic], largest: float) -> None:
        """Take a slab (n, ny, nx) of something, for example of a frame, with the largest size of a value."""
        counts = distribution_of(stored, largest).counts
        known = self._counts.setdefault(place, counts)
        if known is not counts:
            known += counts
        if self._seen % self._each == 0:
            plane = stored[len(stored) // 2].reshape(-1)
            first = max(0, (plane.size - _BLOCK_VOXELS) // 2)
            self._runs.append(plane[first : first + _BLOCK_VOXELS].copy())
        self._seen += 1

    def __getitem__(self, place: Hashable) -> Distribution:
        """Return the distribution of all slabs of a place."""
        return Distribution(self._counts[place])

    @property
    def sample(self) -> npt.NDArray[np.generic]:
        """The sample, in the type of the stored values."""
        return np.concatenate(self._runs, dtype=self._runs[0].dtype) if self._runs else np.zeros(0, np.int16)
