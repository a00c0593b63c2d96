"""What went wrong with the voxels of a plane: the commonest mistakes, tried one after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.dicom_reading.planes import Float, Plane
from inveonimaging.errors import InputError
from inveonimaging.verification.planes.layout import AS_IT_IS, LAYOUTS, Layout
from inveonimaging.verification.source import SourceScan

_STEP = 1.0 + 1e-6  # of a slope: what cutting off instead of rounding gives at most
_FITS = 0.75  # of a slope: half of it, and the rounding of the numbers that the fit is made from
_FEW = 0.02  # of the voxels of a plane
_SAME = 1e-4
_NEAR_ONE = 1e-3
_LITTLE = 1e-3  # of a slope
_BETTER = 0.98
_RANGES = (256, 65536)


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong: a stable code, and words."""

    code: str
    message: str


@dataclass(frozen=True)
class _Case:
    """A plane that is wrong: as it is read, in the source's layout, and what is true."""

    found: Float
    true: Float
    slope: float
    slot: tuple[int, int]
    scan: SourceScan


def diagnosed(
    plane: Plane, slot: tuple[int, int], scan: SourceScan, layout: Layout, scale: tuple[float, float]
) -> Diagnosis:
    """Return what explains best why a plane is not what its slot of the source holds."""
    try:
        pixels = layout.undone(plane.pixels())
    except InputError as error:
        return Diagnosis("pixels-unreadable", str(error))
    true = scan.plane(*slot)
    if pixels.shape != true.shape:
        found, expected = (" x ".join(map(str, shape[::-1])) for shape in (pixels.shape, true.shape))
        return Diagnosis("size-differs", f"{found} pixels instead of {expected}")
    slope, intercept = scale
    case = _Case(pixels.astype(np.float64) * slope + intercept, true, abs(slope) or 1.0, slot, scan)
    for look in (_sign, _elsewhere, _mirrored, _cut_off, _linear, _clipped):
        diagnosis = look(case)
        if diagnosis is not None:
            return diagnosis
    return _others(case)


def _sign(case: _Case) -> Diagnosis | None:
    """Negative numbers read as positive ones, or the reverse: a whole range away."""
    away = case.found - case.true
    for steps in _RANGES:
        wrong = np.abs(away) > _STEP * case.slope
        if wrong.any() and np.allclose(np.abs(away[wrong]), steps * case.slope, rtol=0, atol=_STEP * case.slope):
            return Diagnosis("pixel-sign", f"voxels are {steps} steps away: signed and unsigned pixels are mixed up")
    return None


def _elsewhere(case: _Case) -> Diagnosis | None:
    """Another slice of the frame, or the same slice of another frame."""
    if np.ptp(case.found) == 0:
        return None
    for frame, k in _other_slots(case):
        if _agree(case.found, case.scan.plane(frame, k), case.slope):
            where, what = _named(*case.slot), _named(frame, k)
            code = "slices-exchanged" if frame == case.slot[0] else "frames-exchanged"
            return Diagnosis(code, f"{where} holds what the source has in {what}")
    return None


def _other_slots(case: _Case) -> Iterator[tuple[int, int]]:
    frame, k = case.slot
    slices = case.scan.image.grid.shape[2]
    yield from ((frame, other) for other in sorted(range(slices), key=lambda n: abs(n - k)) if other != k)
    yield from ((other, k) for other in range(len(case.scan.frames)) if other != frame)


def _mirrored(case: _Case) -> Diagnosis | None:
    if np.ptp(case.found) == 0:
        return None
    for layout in LAYOUTS:
        turned = layout.undone(case.found)
        if layout != AS_IT_IS and turned.shape == case.true.shape and _agree(turned, case.true, case.slope):
            return Diagnosis("mirrored", f"the values are those of the source with {layout.words}")
    return None


def _cut_off(case: _Case) -> Diagnosis | None:
    """Rounded, but not to the nearest: always down, or always to 0, and by less than a step."""
    away, little = np.abs(case.found - case.true), _LITTLE * case.slope
    is_down = np.all(case.found <= case.true + little) or np.all(np.abs(case.found) <= np.abs(case.true) + little)
    is_part = (away > 0.5 * case.slope) & (away < (1 - _LITTLE) * case.slope)
    if float(away.max()) > _STEP * case.slope or not is_down or _share(is_part) < _FEW:
        return None
    return Diagnosis("rounding", "values are cut off to whole steps, not rounded to the nearest one")


def _linear(case: _Case) -> Diagnosis | None:
    """All values times a factor, or with something added, whichever is nearer; else both."""
    true, found = case.true.ravel(), case.found.ravel()
    added = float(np.median(found - true))
    factor = float(true @ found) / float(true @ true) if true.any() else 1.0
    if_added, if_scaled = (_unexplained(case, fit) for fit in (true + added, factor * true))
    if if_added <= min(if_scaled, _allowed(case, 1.0)):
        return Diagnosis("offset", f"{added:+.6g} is added to every value: see Rescale Intercept")
    if if_scaled <= _allowed(case, factor):
        return Diagnosis("scaled", f"values are {_times(factor)} the true ones{_hint(case, factor)}")
    if np.ptp(true) == 0:
        return None
    factor, added = map(float, np.polyfit(true, found, 1))
    if _unexplained(case, factor * true + added) <= _allowed(case, factor):
        return Diagnosis("scaled", f"values are {_times(factor)} the true ones, with {added:+.6g} added")
    return None


def _allowed(case: _Case, factor: float) -> float:
    """Return how far voxels may be from a rule: the factor is an estimate, and few large values move it."""
    moved = _SAME * float(np.abs(case.found).max()) if abs(factor - 1) > _NEAR_ONE else 0.0
    return _FITS * case.slope + moved


def _unexplained(case: _Case, fit: Float) -> float:
    """Return how far the farthest voxel is from what a rule makes of the true values.

    Infinite where single voxels are wrong, and the rule fits the others no better than if there were none.
    """
    true, found, right = case.true.ravel(), case.found.ravel(), ~_wrong(case).ravel()
    away, before = np.abs(found - fit), np.abs(found - true)
    if _is_single(case) and _spread(away[right]) >= _BETTER * _spread(before[right]):
        return math.inf
    return float(away.max())


def _spread(away: Float) -> float:
    return math.sqrt(float(np.mean(away**2)))


def _times(factor: float) -> str:
    return f"{factor:.{4 if abs(factor - 1) > _NEAR_ONE else 6}g} times"


def _hint(case: _Case, factor: float) -> str:
    """Return which factor of the header this is, if it is one."""
    header, frame = case.scan.header, case.scan.frames[case.slot[0]]
    calibration, fraction = header.calibration.factor or 0.0, header.tracer.branching_fraction or 0.0
    known = {
        "isotope_branching_fraction": fraction,
        "1 / isotope_branching_fraction": 1 / fraction if fraction else 0.0,
        "1 / calibration_factor": 1 / calibration if calibration else 0.0,
        "1 / scale_factor": 1 / (frame.scale_factor or 1.0),
        "nCi instead of Bq": 1 / 37,
        "kBq instead of Bq": 1e-3,
    }
    name = next((name for name, value in known.items() if value and abs(factor / value - 1) < _SAME), None)
    return f" ({name})" if name else ""


def _clipped(case: _Case) -> Diagnosis | None:
    """All beyond a highest or lowest value are that value."""
    wrong = np.abs(case.found - case.true) > _STEP * case.slope
    top, bottom = float(case.found.max()), float(case.found.min())
    is_cut = (case.found == top) & (case.true > top) | (case.found == bottom) & (case.true < bottom)
    if wrong.any() and bool(np.all(is_cut[wrong])) and not _is_single(case):
        return Diagnosis(
            "clipped", f"{int(wrong.sum())} voxels lie beyond {bottom:.6g} to {top:.6g}, and are cut off there"
        )
    return None


def _others(case: _Case) -> Diagnosis:
    away = np.abs(case.found - case.true)
    count = int(np.count_nonzero(_wrong(case)))
    j, i = np.unravel_index(int(np.argmax(away)), away.shape)
    words = f"{count} voxel{'s' if count > 1 else ''} in {_named(*case.slot)}, the worst at column {i}, row {j}"
    return Diagnosis("voxels-differ", f"{words}: {case.found[j, i]:.6g}, expected {case.true[j, i]:.6g}")


def _wrong(case: _Case) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(case.found - case.true) > 0.5 * case.slope * (1 + 1e-6))


def _is_single(case: _Case) -> bool:
    """Return whether one voxel is wrong, or those of one value by a step: no rule follows from these alone."""
    wrong, away = _wrong(case), np.abs(case.found - case.true)
    if not wrong.any() or wrong.all():
        return False
    is_step = float(away.max()) <= (_STEP + 0.5) * case.slope
    return np.count_nonzero(wrong) == 1 or (is_step and float(np.ptp(case.true[wrong])) < case.slope)


def _agree(found: npt.NDArray[Any], true: npt.NDArray[Any], slope: float) -> bool:
    return bool(np.abs(found - true).max() <= _STEP * slope)


def _share(wrong: npt.NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(wrong)) / wrong.size


def _named(frame: int, k: int) -> str:
    return f"frame {frame}, slice {k}"
