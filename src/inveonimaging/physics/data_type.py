"""Whether values were read in the type and byte order that they were written in: another `data_type` may make sense.

Nothing in a data file says so. What is looked at: whether sizes are within reason, whether neighbouring voxels are
alike, as they are in pictures, and whether the air of a CT is where air is. A claim needs another `data_type`, of as
many bytes, that passes where that of the header fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import DataType
from inveonimaging.inveon.voxels import DTYPES
from inveonimaging.physics.distribution import Float

_FEWEST = 16  # values other than 0; fewer tell nothing
_SMALLEST, _LARGEST = 1e-20, 1e20  # of a float; dust of a reconstruction may be less, but not most of it
_BEYOND_REASON = 1e-30, 1e30  # of nearly all values, where no other type makes sense either
_NEARLY_ALL = 0.99
_MOST = 0.9
_WHOLE = 2.0**24  # of an integer; counts and HU are less
_BYTE = 256
_MANY = 16  # different values
_PICTURE = 256  # values, enough to tell a picture from noise
_ALIKE, _CLEARLY_ALIKE = 0.75, 0.5  # of the differences that neighbours have in the other reading
_NO_WORSE = 1.05

Stored = npt.NDArray[np.generic]
IsAir = Callable[[Float], bool]


def data_type_findings(
    header: Header, sample: Stored, is_air: Callable[[Float], bool] | None = None
) -> tuple[Finding, ...]:
    """Return a warning if the values are beyond reason or noise, with the `data_type` in which they make sense.

    Args:
        header: whose `data_type` is in question.
        sample: (n,) stored values as they were read, neighbours beside each other.
        is_air: of a CT, whether stored values have air near -1000 HU.
    """
    given = header.array.data_type
    if given is None or sample.dtype.itemsize == 1:
        return ()
    read = _Reading(given, sample)
    if read.nonzero.size < _FEWEST:
        return ()
    others = [
        _Reading(other, sample.view(DTYPES[other]))
        for other in _ORDER
        if other is not given and np.dtype(DTYPES[other]).itemsize == sample.dtype.itemsize
    ]
    likely = next((other for other in others if _is_likelier(other, read, is_air)), None)
    now = f"data_type {given:d} ({given.label}) gives {read.told}"
    if likely is not None:
        message = (
            f"{now}; data_type {likely.data_type:d} ({likely.data_type.label}) gives {likely.told}, "
            "which is likelier: correct it in a copy of the header"
        )
    elif read.is_float and not _BEYOND_REASON[0] < read.usual < _BEYOND_REASON[1]:
        message = f"{now}, which is beyond reason, and no other type or byte order gives better ones"
    else:
        return ()
    return (Finding("data-type-implausible", message, key="data_type"),)


_ORDER = (
    DataType.FLOAT32_LE,
    DataType.FLOAT32_BE,
    DataType.INT32_LE,
    DataType.INT32_BE,
    DataType.INT16_LE,
    DataType.INT16_BE,
)
"""Floats first: hardly any integers are floats of a reasonable size, but floats are integers of any."""


@dataclass(frozen=True)
class _Reading:
    """The sample in one type."""

    data_type: DataType
    stored: Stored

    @property
    def is_float(self) -> bool:
        return self.stored.dtype.kind == "f"

    @cached_property
    def values(self) -> Float:
        with np.errstate(invalid="ignore"):  # a signalling NaN
            values: Float = self.stored.astype(np.float64)
        return values

    @cached_property
    def nonzero(self) -> Float:
        """The sizes of the values that are not 0; what is no number stays."""
        return np.asarray(np.abs(self.values[self.values != 0]))

    @cached_property
    def usual(self) -> float:
        """The size that nearly all finite values have at most; infinite if there is none."""
        sizes = np.sort(self.nonzero[np.isfinite(self.nonzero)])
        return float(sizes[int(_NEARLY_ALL * (sizes.size - 1))]) if sizes.size else np.inf

    @cached_property
    def reasonable(self) -> float:
        """The share of the values with the size of a measured float."""
        return float(np.mean((self.nonzero > _SMALLEST) & (self.nonzero < _LARGEST)))

    @cached_property
    def roughness(self) -> float:
        """How far the ranks of neighbours are from each other: 1 in noise, and less in a picture."""
        _, places, counts = np.unique(self.values, return_inverse=True, return_counts=True)
        ranks = (counts.cumsum() - counts / 2)[places]
        apart = np.abs(np.diff(ranks)).mean()
        anywhere = np.abs(ranks - np.roll(ranks, ranks.size // 2 + 1)).mean()
        return float(apart / anywhere) if anywhere else 0.0

    @property
    def has_empty_bytes(self) -> bool:
        """Whether many different integers have nothing in their lowest byte, as small ones that are turned about."""
        low = np.unique(np.mod(self.values, _BYTE))
        return set(low.tolist()) <= {0.0, _BYTE - 1.0} and np.unique(self.values).size >= _MANY

    @property
    def told(self) -> str:
        """What it gives."""
        return f"values up to {self.usual:.3g}" if np.isfinite(self.usual) else "values that are no numbers"


def _is_likelier(other: _Reading, read: _Reading, is_air: IsAir | None) -> bool:
    """Whether another reading makes sense where the present one does not."""
    if read.is_float:
        is_sense = other.reasonable > _NEARLY_ALL if other.is_float else other.usual < _WHOLE
        return is_sense and read.reasonable < _MOST
    if other.is_float:
        return other.reasonable > _NEARLY_ALL and (read.usual > _WHOLE or _is_smoother(other, read))
    if is_air is not None:
        return is_air(other.values) and not is_air(read.values)
    is_smaller = other.usual < _WHOLE < read.usual or (read.has_empty_bytes and other.usual < _BYTE)
    if is_smaller:
        return other.roughness <= _NO_WORSE * read.roughness
    return other.usual < _WHOLE and _is_smoother(other, read)


def _is_smoother(other: _Reading, read: _Reading) -> bool:
    limit = _ALIKE if read.stored.size >= _PICTURE else _CLEARLY_ALIKE
    return other.roughness < limit * read.roughness
