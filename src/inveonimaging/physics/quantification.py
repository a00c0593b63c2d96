"""Stored values -> physical values -> signed 16 bit with a rescale slope.

PET: Bq/mL = stored * scale_factor * calibration_factor / isotope_branching_fraction * (37 for nCi/cc, 1 for Bq/cc).
CT:  HU = stored * scale_factor; ct_hounsfield_scale and _offset on top of it only when asked for.
SPECT: proportional to counts = stored * scale_factor. Mu map: 1/cm = stored * scale_factor.
The scale factor holds dead-time and decay correction already. See docs/why/quantification.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal
from enum import Enum

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import HeaderError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import CalibrationUnits, Modality
from inveonimaging.inveon.hdr.need import missing, missing_in_frame
from inveonimaging.inveon.modality import is_mu_map
from inveonimaging.units import BQ_PER_NCI

LOWEST, HIGHEST = -32768, 32767
AIR_HU = -1000.0
_INT16 = np.dtype("<i2")
_STEPS_KEPT = 2**12
_SHARED = 2**10  # steps; a frame that has fewer shares a slope with another one that needs more
_HALF_STEP = 0.5
_NEXT = 1 + 1e-9  # of a factor: the rounding of its text
_LARGEST = 1e100  # factor; float32 times it, or divided by it, is far inside float64
_DS_LENGTH = 16  # of a Decimal String, PS3.5 6.2
_BQ_PER_UNIT = {CalibrationUnits.NCI_PER_CC: BQ_PER_NCI, CalibrationUnits.BQ_PER_CC: 1}


class Unit(str, Enum):
    """The unit of the physical values."""

    BQML = "Bq/mL"
    HU = "HU"
    PROPCNTS = "proportional to counts"
    PER_CM = "1/cm"


@dataclass(frozen=True)
class Scaling:
    """Unit, factor of each frame, and what is added: physical = stored * factor + intercept."""

    unit: Unit
    factors: tuple[float, ...]
    intercept: float = 0.0

    @property
    def nothing(self) -> float:
        """The value where there is nothing: that of air in HU, else 0."""
        return AIR_HU if self.unit is Unit.HU else 0.0


def scaling_of(
    header: Header, modality: Modality, *, apply_hounsfield: bool = False
) -> tuple[Scaling, tuple[Finding, ...]]:
    """Return how stored values become physical ones.

    Args:
        header: the header.
        modality: PET, CT or SPECT, whose values are never in Bq/mL; a mu map counts as PET.
        apply_hounsfield: of a CT, HU = stored * scale_factor * ct_hounsfield_scale + ct_hounsfield_offset.

    Raises:
        HeaderError: a frame has no scale factor above 0, or one beyond all reason.
    """
    factors = tuple(_scale_factor(header, index) for index in range(len(header.frames)))
    if modality is Modality.CT:
        if apply_hounsfield:
            return _hounsfield(header, factors), ()
        return _scaling(header, Unit.HU, factors), _not_applied(header)
    if is_mu_map(header):
        return _scaling(header, Unit.PER_CM, factors), ()
    if modality is Modality.SPECT:
        return _scaling(header, Unit.PROPCNTS, factors), _spect_calibration(header)
    findings: list[Finding] = []
    per_unit = _calibration(header, findings)
    if per_unit is None:
        return _scaling(header, Unit.PROPCNTS, factors), tuple(findings)
    return _scaling(header, Unit.BQML, tuple(factor * per_unit for factor in factors)), tuple(findings)


def _scaling(header: Header, unit: Unit, factors: tuple[float, ...]) -> Scaling:
    beyond = next((index for index, factor in enumerate(factors) if not 1 / _LARGEST <= factor <= _LARGEST), None)
    if beyond is not None:
        raise HeaderError(
            f"a stored 1 in frame {beyond} is {factors[beyond]:g} {unit.value}",
            line=header.frames[beyond].line_of("scale_factor"),
            expected=f"{1 / _LARGEST:g} to {_LARGEST:g}; see scale_factor and calibration_factor",
        )
    return Scaling(unit, factors)


def branching_fraction(header: Header) -> float | None:
    """Return the isotope's branching fraction, None if the header gives none in ]0, 1]."""
    fraction = header.tracer.branching_fraction
    return fraction if fraction is not None and 0 < fraction <= 1 else None


def _scale_factor(header: Header, index: int) -> float:
    frame = header.frames[index]
    if frame.scale_factor is None or frame.scale_factor <= 0:
        raise missing_in_frame(frame, index, "scale_factor", "a number above 0")
    return frame.scale_factor


def _hounsfield(header: Header, factors: tuple[float, ...]) -> Scaling:
    scale = header.ct.hounsfield_scale
    if scale is None or scale <= 0:
        raise missing(header, "ct_hounsfield_scale", "a number above 0, since it is to be applied")
    scaling = _scaling(header, Unit.HU, tuple(factor * scale for factor in factors))
    return replace(scaling, intercept=header.ct.hounsfield_offset or 0.0)


def _not_applied(header: Header) -> tuple[Finding, ...]:
    scale, offset = header.ct.hounsfield_scale, header.ct.hounsfield_offset
    if not scale and not offset:
        return ()
    given = f"ct_hounsfield_scale {scale or 0:g} and ct_hounsfield_offset {offset or 0:g}"
    message = f"{given} are taken as applied already (--apply-hounsfield applies them)"
    return (Finding("hounsfield-not-applied", message, Severity.INFO, key="ct_hounsfield_scale"),)


def _spect_calibration(header: Header) -> tuple[Finding, ...]:
    if not header.calibration.units or not header.calibration.factor:
        return ()
    message = (
        f"calibration_factor {header.calibration.factor:g} of a SPECT image is not applied, since its meaning is not "
        "settled; values are proportional to counts"
    )
    return (Finding("spect-calibration-not-applied", message, key="calibration_factor"),)


def _calibration(header: Header, findings: list[Finding]) -> float | None:
    """Return Bq/mL per scaled value, None when the image is not calibrated.

    `calibration_factor / isotope_branching_fraction * u`, with u of 37 for nCi/cc (1 nCi = 37 Bq) and 1 for Bq/cc. The
    calibration counts pairs of photons; the branching fraction is the share of decays that emit a positron.
    """
    calibration = header.calibration
    becquerel = _BQ_PER_UNIT.get(calibration.units or CalibrationUnits.UNKNOWN)
    if becquerel is None or not calibration.factor or calibration.factor < 0:
        message = (
            "not calibrated (calibration_units or calibration_factor): values are proportional to counts, not Bq/mL"
        )
        findings.append(Finding("not-calibrated", message, key="calibration_factor"))
        return None
    fraction = branching_fraction(header)
    if fraction is None:
        given = header.tracer.branching_fraction
        message = f"isotope_branching_fraction is {'missing' if given is None else f'{given:g}'}; taken as 1"
        findings.append(Finding("branching-fraction-odd", message, key="isotope_branching_fraction"))
    return calibration.factor / (fraction or 1.0) * becquerel


class Policy(str, Enum):
    """How many values share one rescale slope."""

    AUTO = "auto"
    SERIES = "series"
    FRAME = "frame"
    SLICE = "slice"


@dataclass(frozen=True)
class ValueRange:
    """What the stored values of a frame span.

    Attributes:
        lowest, highest: finite extremes of each slice, (n,).
        not_finite: how many values are NaN or infinite.
        whole: integers, of any size.
        usual: the size below which nearly all values lie; 0 if that is not known.
        has_wild: whether a few values are far beyond it and stand apart, as artefacts do.
    """

    lowest: npt.NDArray[np.float64]
    highest: npt.NDArray[np.float64]
    not_finite: int
    whole: bool
    usual: float = 0.0
    has_wild: bool = False

    @property
    def largest(self) -> float:
        """The largest size of a value."""
        return max(float(self.highest.max()), -float(self.lowest.min()))

    @classmethod
    def joined(cls, parts: Sequence[ValueRange]) -> ValueRange:
        """Return the extent of a frame of which these are the slabs, in order."""
        return cls(
            np.concatenate([part.lowest for part in parts]),
            np.concatenate([part.highest for part in parts]),
            sum(part.not_finite for part in parts),
            whole=all(part.whole for part in parts),
        )


def extent_of(stored: npt.NDArray[np.generic]) -> ValueRange:
    """Return the extent of slices (n, ny, nx); one without any finite value spans 0 to 0."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        lowest = np.array([plane.min() for plane in stored], dtype=np.float64)
        highest = np.array([plane.max() for plane in stored], dtype=np.float64)
    not_finite = 0
    for k in np.flatnonzero(~(np.isfinite(lowest) & np.isfinite(highest))):
        finite = stored[k][np.isfinite(stored[k])]
        not_finite += stored[k].size - finite.size
        lowest[k], highest[k] = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    return ValueRange(lowest, highest, not_finite, whole=stored.dtype.kind == "i")


@dataclass(frozen=True)
class Slope:
    """A rescale slope as it is written, and the number that a reader makes of it."""

    text: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)


Slopes = tuple[tuple[Slope, ...], ...]


def enough_steps(unit: Unit) -> int:
    """Return how many steps nearly all values need between 0 and the largest of them.

    With 30 they are wrong by 1 % of the largest, root mean square; it also leaves room for a bladder that is a thousand
    times as hot as the rest. In a CT 250 steps are 4 HU each.
    """
    return 250 if unit is Unit.HU else 30


def slopes_of(
    extents: Sequence[ValueRange],
    factors: Sequence[float],
    policy: Policy,
    *,
    enough: int = 30,
    slices_share: bool = False,
) -> Slopes:
    """Return a slope for each frame and slice, none of which saturates a value.

    AUTO shares one slope in the series if that loses nothing (16-bit integers under one factor) or leaves every frame
    at least 12 bits of its own range; else each frame has its own. A frame in which a few wild values would leave
    nearly all others fewer steps than `enough` has a slope for each slice, unless its slices must share one.
    """
    needs = [_Need(extent, factor) for extent, factor in zip(extents, factors, strict=True)]
    if policy is Policy.SLICE:
        return tuple(need.by_slice() for need in needs)
    own = [need.of_frame() for need in needs]
    alike = len(set(own)) == 1
    shared = own[0] if alike else _at_least(max(need.smallest() for need in needs))
    is_shared = policy is Policy.SERIES or alike or all(need.keeps_bits(shared) for need in needs)
    by_frame = own if policy is Policy.FRAME or not is_shared else [shared] * len(own)
    is_by_slice = policy is Policy.AUTO and not slices_share
    return tuple(
        need.by_slice() if is_by_slice and need.loses(slope, enough) else (slope,) * len(need.lowest)
        for slope, need in zip(by_frame, needs, strict=True)
    )


@dataclass(frozen=True)
class Lost:
    """What few steps leave of a frame: how many nearly all values have in each slice that has too few of them."""

    frame: int
    steps: dict[int, float]


def lost_steps(
    extents: Sequence[ValueRange], factors: Sequence[float], slopes: Slopes, *, enough: int = 30
) -> tuple[Lost, ...]:
    """Return the frames and slices in which nearly all values have fewer steps than `enough`.

    That a few values are wild makes it so, or that a slope is shared with a frame whose values are much larger.
    """
    found = []
    for frame, (extent, factor, of_frame) in enumerate(zip(extents, factors, slopes, strict=True)):
        need = _Need(extent, factor)
        steps = {k: need.steps(slope) for k, slope in enumerate(of_frame) if need.loses(slope, enough)}
        if steps:
            found.append(Lost(frame, steps))
    return tuple(found)


class _Need:
    """The slopes that one frame can do with."""

    def __init__(self, extent: ValueRange, factor: float) -> None:
        self.lowest = extent.lowest * factor
        self.highest = extent.highest * factor
        self._extent, self._factor = extent, factor
        fits = extent.whole and extent.lowest.min() >= LOWEST and extent.highest.max() <= HIGHEST
        self._lossless = _nearest(factor) if fits else None

    def of_frame(self) -> Slope:
        return self._lossless or _at_least(self.smallest())

    def by_slice(self) -> tuple[Slope, ...]:
        if self._lossless:
            return (self._lossless,) * len(self.lowest)
        return tuple(_at_least(_smallest(low, high)) for low, high in zip(self.lowest, self.highest, strict=True))

    def smallest(self) -> float:
        return _smallest(self.lowest.min(), self.highest.max())

    def keeps_bits(self, slope: Slope) -> bool:
        span = max(self.highest.max(), 0.0) - min(self.lowest.min(), 0.0)
        return bool(span == 0 or span / slope.value >= _STEPS_KEPT)

    def steps(self, slope: Slope) -> float:
        return self._extent.usual * self._factor / slope.value

    def loses(self, slope: Slope, enough: int) -> bool:
        """Whether nearly all values have fewer steps than they need; integers that keep their own steps lose none."""
        if not 0 < self.steps(slope) < enough or (self._extent.whole and slope.value < _NEXT * self._factor):
            return False
        return self._extent.has_wild or self._extent.largest * self._factor / slope.value < _SHARED


def _smallest(lowest: float, highest: float) -> float:
    return max(highest / HIGHEST, lowest / LOWEST)


def _at_least(slope: float) -> Slope:
    """Return the smallest Decimal String not below a slope; 1 for a range of nothing."""
    return Slope(_decimal_string(slope, ROUND_CEILING)) if slope > 0 else Slope("1")


def _nearest(slope: float) -> Slope:
    return Slope(_decimal_string(slope, ROUND_HALF_EVEN))


def _decimal_string(value: float, rounding: str) -> str:
    """Return a number above 0 in at most 16 characters, with as many digits as fit."""
    exact = Decimal(repr(float(value)))
    for digits in range(_DS_LENGTH, 0, -1):
        rounded = Context(prec=digits, rounding=rounding).plus(exact).normalize()
        text = min(format(rounded, "f"), format(rounded, "E"), key=len)
        if len(text) <= _DS_LENGTH:
            return text
    raise ValueError(f"no Decimal String for {value!r}")  # pragma: no cover - one digit and an exponent always fit


def quantise(stored: npt.NDArray[np.generic], factor: float, slopes: Sequence[Slope]) -> npt.NDArray[np.int16]:
    """Return int16 q with `q * slope` nearest to `stored * factor`, slice by slice; what is not finite becomes 0.

    Args:
        stored: (n, ny, nx) stored values of n slices.
        factor: physical value of a stored 1.
        slopes: n slopes, from `slopes_of`, so that nothing saturates.
    """
    ratios = factor / np.array([slope.value for slope in slopes])
    if stored.dtype.kind == "i" and np.all(np.abs(ratios - 1) * -LOWEST < _HALF_STEP):
        return stored.astype(_INT16, copy=False)  # the slope is the factor itself: nothing to round
    # float64: in float32 the product alone would be wrong by up to 0.002 steps
    with np.errstate(invalid="ignore"):  # a signalling NaN; a file that is written to meanwhile, which is refused later
        scaled: npt.NDArray[np.float64] = np.multiply(stored, ratios[:, np.newaxis, np.newaxis], dtype=np.float64)
        np.rint(scaled, out=scaled)
        if not np.isfinite(scaled).all():
            np.nan_to_num(scaled, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return scaled.astype(_INT16)
