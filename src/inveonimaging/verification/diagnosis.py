"""What went wrong with the voxels of a plane: the commonest mistakes, tried one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import InputError
from inveonimaging.verification.layout import AS_IT_IS, LAYOUTS, Layout
from inveonimaging.verification.planes import Float, Plane
from inveonimaging.verification.source import Scan

_STEP = 1.0 + 1e-6  # of a slope: what cutting off instead of rounding gives at most
_FITS = 0.75  # of a slope: half of it, and the rounding of the numbers that the fit is made from
_FEW = 0.02  # of the voxels of a plane
_SAME = 1e-4
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
    scan: Scan


def diagnosed(plane: Plane, slot: tuple[int, int], scan: Scan, layout: Layout, scale: tuple[float, float]) -> Diagnosis:
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
    """Rounded, but not to the nearest."""
    away = np.abs(case.found - case.true)
    if float(away.max()) > _STEP * case.slope or _share(away > 0.5 * case.slope) < _FEW:
        return None
    return Diagnosis("rounding", "values are cut off to whole steps, not rounded to the nearest one")


def _linear(case: _Case) -> Diagnosis | None:
    """All values times a factor, or with something added."""
    true, found = case.true.ravel(), case.found.ravel()
    allowed = _FITS * case.slope + _SAME * float(np.abs(found).max())
    added = float(np.median(found - true))
    if np.abs(found - true - added).max() <= _FITS * case.slope:
        return Diagnosis("offset", f"{added:+.6g} is added to every value: see Rescale Intercept")
    if not true.any():
        return None
    factor = float(true @ found) / float(true @ true)
    if np.abs(found - factor * true).max() <= allowed:
        return Diagnosis("scaled", f"values are {factor:.4g} times the true ones{_hint(case, factor)}")
    if np.ptp(true) == 0:
        return None
    factor, added = map(float, np.polyfit(true, found, 1))
    if np.abs(found - factor * true - added).max() <= allowed:
        return Diagnosis("scaled", f"values are {factor:.4g} times the true ones, with {added:+.6g} added")
    return None


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
    wrong = np.abs(case.found - case.true) > _STEP * case.slope
    top, bottom = float(case.found.max()), float(case.found.min())
    is_cut = (case.found == top) & (case.true > top) | (case.found == bottom) & (case.true < bottom)
    if wrong.any() and bool(np.all(is_cut[wrong])) and int(wrong.sum()) > 1:
        return Diagnosis(
            "clipped", f"{int(wrong.sum())} voxels lie beyond {bottom:.6g} to {top:.6g}, and are cut off there"
        )
    return None


def _others(case: _Case) -> Diagnosis:
    away = np.abs(case.found - case.true)
    wrong = away > 0.5 * case.slope * (1 + 1e-6)
    count = int(np.count_nonzero(wrong))
    j, i = np.unravel_index(int(np.argmax(away)), away.shape)
    words = f"{count} voxel{'s' if count > 1 else ''} in {_named(*case.slot)}, the worst at column {i}, row {j}"
    return Diagnosis("voxels-differ", f"{words}: {case.found[j, i]:.6g}, expected {case.true[j, i]:.6g}")


def _agree(found: npt.NDArray[Any], true: npt.NDArray[Any], slope: float) -> bool:
    return bool(np.abs(found - true).max() <= _STEP * slope)


def _share(wrong: npt.NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(wrong)) / wrong.size


def _named(frame: int, k: int) -> str:
    return f"frame {frame}, slice {k}"
