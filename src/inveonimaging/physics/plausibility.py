"""Whether stored values make sense: in their `data_type` and byte order, and those of a CT as Hounsfield units.

Type: nothing in a data file names it. What is looked at: whether sizes are within reason, whether neighbouring voxels
are alike, as they are in pictures, and whether the air of a CT is where air is. A finding needs another `data_type`, of
as many bytes, that passes where that of the header fails.

Hounsfield units: air lies near -1000 HU, and the voxels show where it lies. A header can name three ways from stored
values to HU: none, since they are HU already, as in what the vendor's workstation saves; `calibration_factor`; or
`ct_hounsfield_scale` and `ct_hounsfield_offset`. Which is right is not documented, so the data decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import DataType
from inveonimaging.inveon.voxels import DTYPES
from inveonimaging.physics.distribution import Counts, Distribution, Float, physical, quantile
from inveonimaging.physics.quantification import AIR_HU, Scaling, Unit

_FEWEST = 16  # values other than 0; fewer show nothing
_SMALLEST, _LARGEST = 1e-20, 1e20  # of a float; dust of a reconstruction may be less, but not most of it
_BEYOND_REASON = 1e-30, 1e30  # of nearly all values, where no other type makes sense either
_NEARLY_ALL = 0.99
_MOST = 0.9
_WHOLE = 2.0**24  # of an integer; counts and HU are less
_BYTE = 256
_MANY = 16  # different values
_PICTURE = 256  # values, enough to distinguish a picture from noise
_ALIKE, _CLEARLY_ALIKE = 0.75, 0.5  # of the differences that neighbours have in the other reading
_NO_WORSE = 1.05
_NEAR_HU = 150.0  # of a scanner that is calibrated badly, and of noise
_TOO_LOW_HU = -1200.0  # with that noise
_SOME_AIR = 0.002  # of the voxels
_TAIL = 0.002  # likewise: beyond it lie artefacts
_MUCH = 0.2  # likewise: more than the lungs of an animal
_NO_AIR_HU, _NO_TISSUE_HU = -500.0, -500.0
_PADDING_HU, _PADDING_APART = -1500.0, 1.25  # what was never measured is far below air, and all of one value
_PADDING_SHARE = 0.5  # of the voxels; more than that is air in another unit
_NEVER_AIR_HU = -10_000.0

Stored = npt.NDArray[np.generic]
IsAir = Callable[[Float], bool]


def value_findings(
    header: Header, scaling: Scaling, frames: Sequence[Distribution], sample: npt.NDArray[np.generic]
) -> tuple[Finding, ...]:
    """Return problems in the values of a whole file: a wrong `data_type`, or else a CT that is not in HU.

    Args:
        header: the header, with its frames.
        scaling: how stored values become physical ones.
        frames: the stored values of each frame.
        sample: stored values beside each other.
    """

    def is_air(stored: Float) -> bool:
        values, counts = np.unique(stored * scaling.factors[0] + scaling.intercept, return_counts=True)
        return _has_air(*_measured(values, counts))

    found = data_type_findings(header, sample, is_air if scaling.unit is Unit.HU else None)
    return found or hounsfield_findings(header, scaling, frames)


def data_type_findings(header: Header, sample: Stored, is_air: IsAir | None = None) -> tuple[Finding, ...]:
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
    now = f"data_type {given:d} ({given.label}) gives {read.outcome}"
    if likely is not None:
        message = (
            f"{now}; data_type {likely.data_type:d} ({likely.data_type.label}) gives {likely.outcome}, "
            "which is likelier: correct it in a copy of the header"
        )
    elif read.is_float and not _BEYOND_REASON[0] < read.usual < _BEYOND_REASON[1]:
        message = f"{now}, which is not plausible, and no other type or byte order gives plausible ones"
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
        """The sizes of the values that are not 0; what is not a number stays."""
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
    def outcome(self) -> str:
        """What it gives, in words."""
        return f"values up to {self.usual:.3g}" if np.isfinite(self.usual) else "values that are not numbers"


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


@dataclass(frozen=True)
class _ToHounsfield:
    """A way from stored values times scale_factor to HU, and what the user does to have it."""

    factor: float
    offset: float
    how: str
    remedy: str
    key: str


def hounsfield_findings(header: Header, scaling: Scaling, frames: Sequence[Distribution]) -> tuple[Finding, ...]:
    """Return a warning if the values of a CT are not HU, with what would make them so.

    Args:
        header: the header, with its frames.
        scaling: how stored values became HU.
        frames: the stored values of each frame.
    """
    if scaling.unit is not Unit.HU or not frames:
        return ()
    values, counts = physical(frames, scaling.factors, scaling.intercept)
    zeros = sum(each.zeros for each in frames) if not scaling.intercept else 0
    has_water = zeros > _SOME_AIR * counts.sum()  # or padding: stored zeros are either
    if len(values) < 2 or (judged := _judged(values, counts, has_water=has_water)) is None:  # noqa: PLR2004 - one shows nothing
        return ()
    plain = (values - scaling.intercept) / _applied(header, scaling)
    for reading in _readings(header):
        read = plain * reading.factor + reading.offset
        if not np.allclose(read, values) and _has_air(*_measured(read, counts)):
            lies = f"with {reading.how} it is ({reading.remedy})"
            return (Finding("hounsfield-odd", f"{judged}; {lies}", key=reading.key),)
    return (Finding("hounsfield-odd", judged, key="ct_hounsfield_scale"),)


def _measured(values: Float, counts: Counts) -> tuple[Float, Counts]:
    """Return values without the lowest one if that is padding: far below air, apart from the others, and not most."""
    lowest, share = values[0], counts[0] / counts.sum()
    is_alone = values[1:].size and values[1] > lowest / _PADDING_APART
    if is_alone and lowest < _PADDING_HU and (share < _PADDING_SHARE or lowest < _NEVER_AIR_HU):
        return values[1:], counts[1:]
    return values, counts


def _share(values: Float, counts: Counts, low: float, high: float) -> float:
    return float(counts[(values > low) & (values < high)].sum() / counts.sum())


def _has_air(values: Float, counts: Counts) -> bool:
    """Whether there is something near -1000 HU, and no more below it than noise makes."""
    air = _share(values, counts, AIR_HU - _NEAR_HU, AIR_HU + _NEAR_HU)
    return air >= _SOME_AIR and _share(values, counts, -np.inf, _TOO_LOW_HU) <= air


def _judged(values: Float, counts: Counts, *, has_water: bool) -> str | None:
    """Return why values are not HU, or None; `has_water` of values of 0 HU that are not among them."""
    values, counts = _measured(values, counts)
    if _has_air(values, counts):
        highest = quantile(values, counts, 1 - _TAIL)
        is_empty = highest < _NO_TISSUE_HU and not has_water
        return f"nearly all values are below about {highest:.3g} HU: nothing but air" if is_empty else None
    lowest = quantile(values, counts, _TAIL)
    peak = float(values[np.argmax(counts)])
    if lowest > _NO_AIR_HU:
        return f"air is not near -1000 HU: nearly all values are above {lowest:.4g} HU"
    if _share(values, counts, -np.inf, _TOO_LOW_HU) > _share(values, counts, AIR_HU - _NEAR_HU, AIR_HU + _NEAR_HU):
        return f"air is not near -1000 HU: many values are lower, and most lie near {peak:.4g} HU"
    if _share(values, counts, AIR_HU + _NEAR_HU, _NO_AIR_HU) > _MUCH:
        return f"air is not near -1000 HU: most values lie near {peak:.4g} HU"
    return None


def _applied(header: Header, scaling: Scaling) -> float:
    """Return by what stored values were multiplied beside scale_factor."""
    return scaling.factors[0] / (header.frames[0].scale_factor or 1.0)


def _readings(header: Header) -> Iterator[_ToHounsfield]:
    yield _ToHounsfield(1.0, 0.0, "the stored values", "without --apply-hounsfield", "ct_hounsfield_scale")
    scale, offset = header.ct.hounsfield_scale, header.ct.hounsfield_offset or 0.0
    if scale and scale > 0:
        how = f"ct_hounsfield_scale {scale:g} and ct_hounsfield_offset {offset:g}"
        yield _ToHounsfield(scale, offset, how, "--apply-hounsfield", "ct_hounsfield_scale")
    factor = header.calibration.factor
    if factor and factor > 0:
        remedy = "multiply scale_factor by it in a copy of the header"
        yield _ToHounsfield(factor, 0.0, f"calibration_factor {factor:g}", remedy, "calibration_factor")
