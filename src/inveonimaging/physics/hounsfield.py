"""Whether the values of a CT are Hounsfield units: air lies near -1000 HU, and the voxels say where it lies.

A header can name three ways from stored values to HU: none, since they are HU already, as in what the vendor's
workstation saves; `calibration_factor`; or `ct_hounsfield_scale` and `ct_hounsfield_offset`. Which is right is not
documented, so the data decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header
from inveonimaging.physics.data_type import data_type_findings
from inveonimaging.physics.distribution import Counts, Distribution, Float, physical, quantile
from inveonimaging.physics.quantification import Scaling, Unit

AIR_HU = -1000.0
_NEAR_HU = 150.0  # of a scanner that is calibrated badly, and of noise
_TOO_LOW_HU = -1200.0  # with that noise
_SOME_AIR = 0.002  # of the voxels
_TAIL = 0.002  # likewise: beyond it lie artefacts
_MUCH = 0.2  # likewise: more than the lungs of an animal
_NO_AIR_HU, _NO_TISSUE_HU = -500.0, -500.0
_PADDING_HU, _PADDING_APART = -1500.0, 1.25  # what was never measured is far below air, and all of one value
_PADDING_SHARE = 0.5  # of the voxels; more than that is air in another unit
_NEVER_AIR_HU = -10_000.0


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


@dataclass(frozen=True)
class _Reading:
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
    if len(values) < 2 or (judged := _judged(values, counts, has_water=has_water)) is None:  # noqa: PLR2004 - one tells nothing
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


def _readings(header: Header) -> Iterator[_Reading]:
    yield _Reading(1.0, 0.0, "the stored values", "without --apply-hounsfield", "ct_hounsfield_scale")
    scale, offset = header.ct.hounsfield_scale, header.ct.hounsfield_offset or 0.0
    if scale and scale > 0:
        how = f"ct_hounsfield_scale {scale:g} and ct_hounsfield_offset {offset:g}"
        yield _Reading(scale, offset, how, "--apply-hounsfield", "ct_hounsfield_scale")
    factor = header.calibration.factor
    if factor and factor > 0:
        remedy = "multiply scale_factor by it in a copy of the header"
        yield _Reading(factor, 0.0, f"calibration_factor {factor:g}", remedy, "calibration_factor")
