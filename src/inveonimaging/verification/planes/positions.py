"""Where planes are: corners, directions, spacing and posture, compared with the source's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from inveonimaging.dicom_reading.planes import Float, Plane
from inveonimaging.errors import printable
from inveonimaging.verification.planes.layout import Layout
from inveonimaging.verification.planes.plane_matching import Placing, corner_of
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import NM, SourceScan

ALLOWED_MM = 1e-3  # a thousandth of a millimetre: what three decimals give
_COSINES = 1e-4
_SAME = 1e-6
_CONSTANT_MM = 1e-2
_FARTHEST_MM = 1e9


@dataclass
class PositionCheck:
    """What came of the positions of a series: how many planes, the largest distance of a corner in mm, differences."""

    planes: int = 0
    largest: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class _Wrong:
    """Planes that differ in one way: the first of them, what it states, what is true, how many, and how far away."""

    plane: Plane
    found: Float | str | None
    true: Float | str
    planes: int = 0
    largest: float = 0.0
    moved: list[Float] = field(default_factory=list)


_LABELS = {
    "position": "Image Position (Patient)",
    "orientation": "Image Orientation (Patient)",
    "pixel-spacing": "Pixel Spacing",
    "slice-thickness": "Slice Thickness",
    "slice-location": "Slice Location",
    "slice-spacing": "Spacing Between Slices",
    "patient-position": "Patient Position",
}


def compare_positions(planes: Sequence[Plane], scan: SourceScan, placing: Placing) -> PositionCheck:
    """Compare where planes say that they are with where the source's slices are."""
    result = PositionCheck()
    wrong: dict[str, _Wrong] = {}
    directions, spacing, thickness = _expected(scan, placing.layout)
    for plane, slot in zip(planes, placing.slots, strict=True):
        if slot is None:
            continue
        position = corner_of(scan, placing.layout, slot[1])
        _look(wrong, "position", plane, plane.position, position, ALLOWED_MM)
        _look(wrong, "orientation", plane, plane.cosines, directions, _COSINES)
        _look(wrong, "pixel-spacing", plane, plane.spacing, spacing, _SAME * float(spacing.max()))
        for code, keyword in (("slice-thickness", "SliceThickness"), ("slice-spacing", "SpacingBetweenSlices")):
            found = plane.number(keyword)
            if found is not None or (code == "slice-spacing" and plane.get("SOPClassUID") in NM):
                array = None if found is None else np.array([found])
                _look(wrong, code, plane, array, thickness, _SAME * float(thickness[0]))
        stated, posture = plane.get("PatientPosition"), scan.image.grid.orientation
        if stated and posture and stated != posture.name:
            wrong.setdefault("patient-position", _Wrong(plane, str(stated), posture.name)).planes += 1
        away = _corners_away(plane, position, directions, spacing, scan, placing.layout)
        result.planes += away is not None
        result.largest = max(result.largest, away or 0.0)
    _look_at_locations(result, wrong, planes, scan, placing)
    in_order = sorted(wrong.items(), key=lambda pair: pair[0].endswith("-missing"))
    result.differences += [_difference(code, each) for code, each in in_order]
    if not scan.image.grid.orientation:
        result.notes.append("the header does not give the animal's posture; placed like feet first, supine")
    return result


def _look_at_locations(
    result: PositionCheck, wrong: dict[str, _Wrong], planes: Sequence[Plane], scan: SourceScan, placing: Placing
) -> None:
    """Compare Slice Location: along the slice axis, either way, from any place (PS3.3 C.7.6.2.1.2)."""
    along = scan.image.grid.positions @ scan.image.grid.axes[:, 2]
    placed = zip(planes, placing.slots, strict=True)
    stated = [(plane, slot[1]) for plane, slot in placed if slot is not None and plane.get("SliceLocation") is not None]
    if not stated:
        return
    numbers = [plane.number("SliceLocation") for plane, _ in stated]
    found = np.array([np.nan if each is None or abs(each) > _FARTHEST_MM else each for each in numbers])
    true = along[[k for _, k in stated]]
    ways = [(sign, _usual(found - sign * true)) for sign in (1.0, -1.0)]
    fits = [np.abs(found - sign * true - start) <= ALLOWED_MM for sign, start in ways]
    best = int(np.argmax([each.sum() for each in fits]))
    sign, start = ways[best]
    for n in np.flatnonzero(~fits[best]):
        plane, expected = stated[n][0], f"{sign * true[n] + start:.7g}"
        wrong.setdefault("slice-location", _Wrong(plane, str(plane.get("SliceLocation")), expected)).planes += 1
    if abs(start) > ALLOWED_MM:
        result.notes.append(f"Slice Location counts from another place than Image Position, {start:+.7g} mm away")


def _usual(starts: Float) -> float:
    """Return the number that most are; 0 if as many are that, or if they are none."""
    values, counts = np.unique(np.round(starts[np.isfinite(starts)], 3), return_counts=True)
    is_usual = len(counts) and counts.max() > np.count_nonzero(np.abs(starts) <= ALLOWED_MM)
    return float(values[int(np.argmax(counts))]) if is_usual else 0.0


def _expected(scan: SourceScan, layout: Layout) -> tuple[Float, Float, Float]:
    """Return directions of rows and columns, Pixel Spacing, and distance of slices."""
    grid = scan.image.grid
    x, y, z = grid.spacing_mm
    directions = layout.cosines @ grid.axes[:, :2].T
    spacing = np.array([x, y] if layout.is_turned else [y, x])
    return np.asarray(directions + 0.0), spacing, np.array([z])


def _look(wrong: dict[str, _Wrong], code: str, plane: Plane, found: Float | None, true: Float, allowed: float) -> None:
    if found is None:
        wrong.setdefault(f"{code}-missing", _Wrong(plane, None, true)).planes += 1
    elif float(np.abs(found - true).max()) > allowed:
        each = wrong.setdefault(code, _Wrong(plane, found, true))
        each.planes += 1
        each.largest = max(each.largest, float(np.linalg.norm(found - true)))
        each.moved.append(np.asarray(found - true))


def _corners_away(
    plane: Plane, position: Float, directions: Float, spacing: Float, scan: SourceScan, layout: Layout
) -> float | None:
    """Return how far the farthest corner of a plane is from where it should be, mm."""
    if plane.position is None or plane.cosines is None or plane.spacing is None:
        return None
    columns, rows, _ = scan.image.grid.shape
    steps = np.array([rows, columns] if layout.is_turned else [columns, rows]) - 1
    largest = 0.0
    for corner in (steps * [0, 0], steps * [1, 0], steps * [0, 1], steps):
        found = plane.position + (corner * plane.spacing[::-1]) @ plane.cosines
        true = position + (corner * spacing[::-1]) @ directions
        largest = max(largest, float(np.linalg.norm(found - true)))
    return largest


def _difference(code: str, wrong: _Wrong) -> Difference:
    many = f" in {wrong.planes} planes" if wrong.planes > 1 else ""
    label = _LABELS[code.removesuffix("-missing")]
    if wrong.found is None:
        message = f"{label} is not stated{many}, expected {_shown(wrong.true)}"
    else:
        message = f"{label} is {_shown(wrong.found)}, expected {_shown(wrong.true)}{many}"
    if code == "position":
        message += f"; up to {wrong.largest:.4g} mm away{_common_shift(wrong)}"
    if code == "pixel-spacing" and isinstance(wrong.found, np.ndarray) and isinstance(wrong.true, np.ndarray):
        is_turned = np.allclose(wrong.found[::-1], wrong.true, rtol=_SAME)
        message += "; rows and columns are swapped" if is_turned else ""
    if code == "orientation" and isinstance(wrong.found, np.ndarray) and isinstance(wrong.true, np.ndarray):
        message += _turned(wrong.found, wrong.true)
    return Difference(code, Kind.POSITIONS, message, str(wrong.plane.file.path), wrong.planes)


def _common_shift(wrong: _Wrong) -> str:
    """Return by how much all planes have moved, if it is the same for all."""
    moved = np.array(wrong.moved)
    if len(moved) > 1 and np.ptp(moved, axis=0).max() < _CONSTANT_MM:
        return f"; all moved by {_shown(moved.mean(axis=0))} mm (left, back, head)"
    return ""


def _turned(found: Float, true: Float) -> str:
    opposite = [name for name, one, other in zip(("rows", "columns"), found, true, strict=True) if one @ other < 0]
    return f"; {' and '.join(opposite)} run the other way: the image is {_WAYS[len(opposite)]}" if opposite else ""


_WAYS = ("", "mirrored", "rotated by 180 degrees")


def _shown(value: Float | str) -> str:
    if isinstance(value, str):
        return f"'{printable(value)}'"
    return "\\".join(f"{each:.7g}" for each in np.round(np.ravel(value), 6) + 0.0)
