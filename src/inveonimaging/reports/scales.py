"""Which values are black and which are white: windows of grey and of colour, and the unit that is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from inveonimaging.physics.quantification import Unit
from inveonimaging.reports.voxel_pass import VoxelSurvey

_CT_HU = (-500.0, 1000.0)  # from lung to dense bone
_CT_HIGHEST_HU = (-200.0, 1500.0)  # of a projection, in which bone is bright
_MU_PER_CM = (0.0, 0.15)  # water is 0.096
_LONG = 3  # powers of ten, from which on a unit has them
_SATURATED = 95.0  # per cent of what is not faint lies below the window's end
_FAINT = 0.02
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PREFIXES = (("G", 1e9), ("M", 1e6), ("k", 1e3))
_STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """How values become shades.

    Attributes:
        low, high: what is shown darkest and brightest, in the image's unit.
        unit: to be shown.
        divisor: from the image's unit to the shown one.
        colours: name of matplotlib's colours.
        is_cut: whether values above the brightest are to be expected.
    """

    low: float
    high: float
    unit: str
    divisor: float = 1.0
    colours: str = "gray"
    is_cut: bool = False


def scale_of(unit: Unit, survey: VoxelSurvey, *, projection: bool = False) -> Scale:
    """Return the scale of a series' pictures."""
    if unit is Unit.HU:
        return _hounsfield(survey, _CT_HIGHEST_HU if projection else _CT_HU)
    if unit is Unit.PER_CM:
        return Scale(*_MU_PER_CM, unit.value)
    high = _end(survey)
    return Scale(0.0, high, *unit_of(unit, high), "inferno", is_cut=True)


def unit_of(unit: Unit, high: float) -> tuple[str, float]:
    """Return the unit in which values up to a highest one are shown, kBq/mL, and how many of the image's it is."""
    if unit is Unit.BQML:
        prefix, divisor = next(((name, size) for name, size in _PREFIXES if high >= size), ("", 1.0))
        return prefix + unit.value, divisor
    power = 3 * math.floor(math.log10(high) / 3) if high > 0 else 0
    if abs(power) < _LONG:
        return unit.value, 1.0
    return f"{unit.value} \N{MULTIPLICATION SIGN} 10{str(power).translate(_RAISED)}", 10.0**power


def _hounsfield(survey: VoxelSurvey, window: tuple[float, float]) -> Scale:
    """Return the usual window, or one of what there is if hardly anything lies in it: these are no HU then."""
    planes = [view.values for view in survey.planes.values()]
    low, high = (float(np.percentile(np.concatenate([each.ravel() for each in planes]), p)) for p in (1, 99))
    if high <= window[0] + 1 or low >= window[1] - 1:
        return Scale(low, max(high, math.nextafter(low, math.inf)) + 1.0, Unit.HU.value)
    return Scale(*window, Unit.HU.value)


def _end(survey: VoxelSurvey) -> float:
    """Return a round number below which most of what is not faint lies, in the projections."""
    values = np.concatenate([view.values.ravel() for view in survey.highest.values()])
    top = float(values.max())
    return rounded_up(float(np.percentile(values[values > _FAINT * top], _SATURATED))) if top > 0 else 1.0


def rounded_up(value: float) -> float:
    """Return the next number of one or two digits, 1.2, 1.5, 2, 2.5, ... times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step for step in _STEPS if step * power >= value * (1 - 1e-9) or step == _STEPS[-1]) * power
