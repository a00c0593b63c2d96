"""Stored planes -> pictures as anatomists hold them: anterior or head up, the animal's right on the left.

A plane of a volume comes as it is stored, its axes in the array's order (k, j, i); a view is the same plane turned
by the volume's affine, with the letters of its four sides and its place, LPS mm, worked out from the turned steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from inveonimaging.physics.geometry import Grid

Float = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]

HALF_A_VOXEL = 0.5  # a volume ends that far beyond the centres of its outermost voxels


class AnatomicalPlane(str, Enum):
    """An anatomical plane."""

    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    AXIAL = "axial"

    @property
    def normal(self) -> int:
        """The patient axis across it: 0 for x, 1 for y, 2 for z."""
        return {AnatomicalPlane.SAGITTAL: 0, AnatomicalPlane.CORONAL: 1, AnatomicalPlane.AXIAL: 2}[self]

    @property
    def right(self) -> Float:
        """Where the picture's right lies, LPS: the animal's left; in a sagittal plane its back."""
        return np.array((0.0, 1.0, 0.0) if self is AnatomicalPlane.SAGITTAL else (1.0, 0.0, 0.0))

    @property
    def down(self) -> Float:
        """Where the picture's bottom lies, LPS: the feet; in an axial plane the back."""
        return np.array((0.0, 1.0, 0.0) if self is AnatomicalPlane.AXIAL else (0.0, 0.0, -1.0))


@dataclass(frozen=True)
class View:
    """A plane as it is shown.

    Attributes:
        values: (rows, columns), from top to bottom and from left to right.
        plane: which plane.
        first_mm: (3,) centre of the pixel at the top left, LPS; across the plane, the plane's own place.
        step_down_mm: (3,) from a row to the next one below, LPS.
        step_right_mm: (3,) from a column to the next one to the right, LPS.
        is_assumed: whether the animal's posture is not known, so that all of this rests on the one that is assumed.
    """

    values: Values
    plane: AnatomicalPlane
    first_mm: Float
    step_down_mm: Float
    step_right_mm: Float
    is_assumed: bool = False

    @property
    def letters(self) -> dict[str, str]:
        """The anatomical letters of the sides `left`, `right`, `top` and `bottom`, from the steps; `H?` if assumed."""
        down, right = self.step_down_mm, self.step_right_mm
        steps = {"left": -right, "right": right, "top": -down, "bottom": down}
        return {side: _letter(step) + "?" * self.is_assumed for side, step in steps.items()}

    @property
    def row_mm(self) -> float:
        """Height of a pixel."""
        return float(np.linalg.norm(self.step_down_mm))

    @property
    def column_mm(self) -> float:
        """Width of a pixel."""
        return float(np.linalg.norm(self.step_right_mm))

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height."""
        rows, columns = self.values.shape
        return columns * self.column_mm, rows * self.row_mm

    @property
    def at_mm(self) -> float:
        """Where the plane is along its normal, LPS."""
        return float(self.first_mm[self.plane.normal])

    @property
    def extent_mm(self) -> tuple[float, float, float, float]:
        """Outer edges left, right, bottom and top: LPS along the picture's right, and along its bottom."""
        left = float(self.first_mm @ self.plane.right) - self.column_mm / 2
        top = float(self.first_mm @ self.plane.down) - self.row_mm / 2
        width, height = self.size_mm
        return left, left + width, top + height, top


def stored_axis(grid: Grid, patient_axis: int) -> int:
    """Return which stored axis (0 for i, 1 for j, 2 for k) runs along a patient axis (0 for x, 1 for y, 2 for z)."""
    return int(np.argmax(np.abs(grid.axes[patient_axis])))


def index_at(grid: Grid, plane: AnatomicalPlane, at_mm: float) -> float:
    """Return the index, with its fraction, at which a plane at an LPS coordinate cuts its stored axis."""
    axis = stored_axis(grid, plane.normal)
    affine = grid.affine
    return float((at_mm - affine[plane.normal, 3]) / affine[plane.normal, axis])


def place_at(grid: Grid, plane: AnatomicalPlane, index: int) -> float:
    """Return where a plane of a volume lies along its normal, LPS mm, by its index along the stored axis across it."""
    axis = stored_axis(grid, plane.normal)
    affine = grid.affine
    return float(affine[plane.normal, 3] + index * affine[plane.normal, axis])


def view_of(stored: Values, grid: Grid, plane: AnatomicalPlane, index: float) -> View:
    """Return a plane as it is shown.

    Args:
        stored: (rows, columns) the plane as it is stored: the array (k, j, i) without the axis across the plane.
        grid: of the volume.
        plane: which plane.
        index: where it cuts the stored axis across it.
    """
    affine = grid.affine
    across = stored_axis(grid, plane.normal)
    rows, columns = (axis for axis in (2, 1, 0) if axis != across)
    right_axis = int(np.argmax(np.abs(plane.right @ grid.axes)))
    if columns != right_axis:
        stored, rows, columns = stored.T, columns, rows
    first = np.array([0.0, 0.0, 0.0, 1.0])
    first[across] = index
    down, right = affine[:3, rows], affine[:3, columns]
    if down @ plane.down < 0:
        stored, down = stored[::-1], -down
        first[rows] = grid.shape[rows] - 1
    if right @ plane.right < 0:
        stored, right = stored[:, ::-1], -right
        first[columns] = grid.shape[columns] - 1
    return View(stored, plane, (affine @ first)[:3], down, right, is_assumed=not grid.orientation)


def between(below: View, above: View, fraction: float) -> View:
    """Return the view at a fraction of the way from one plane to a parallel one."""
    values = below.values * np.float32(1 - fraction) + above.values * np.float32(fraction)
    return replace(below, values=values, first_mm=below.first_mm * (1 - fraction) + above.first_mm * fraction)


def resampled(view: View, onto: View) -> View:
    """Return a view on the pixels of a view of the same plane: linear, and NaN outside what it shows."""
    row, row_weight = _places(view, onto, view.plane.down)
    column, column_weight = _places(view, onto, view.plane.right)
    rows, columns = view.values.shape
    below, beside = np.minimum(row + 1, rows - 1), np.minimum(column + 1, columns - 1)
    upper = view.values[row][:, column] * (1 - column_weight) + view.values[row][:, beside] * column_weight
    lower = view.values[below][:, column] * (1 - column_weight) + view.values[below][:, beside] * column_weight
    values = upper * (1 - row_weight[:, None]) + lower * row_weight[:, None]
    return replace(onto, values=values.astype(np.float32), is_assumed=view.is_assumed or onto.is_assumed)


def _places(view: View, onto: View, towards: Float) -> tuple[npt.NDArray[np.intp], Float]:
    """Return, along one direction, between which pixels of a view those of another lie, and how far; NaN outside."""
    is_down = bool(np.array_equal(towards, view.plane.down))
    count, wanted = (each.values.shape[0 if is_down else 1] for each in (view, onto))
    step, wanted_step = (each.row_mm if is_down else each.column_mm for each in (view, onto))
    places = ((onto.first_mm - view.first_mm) @ towards + np.arange(wanted) * wanted_step) / step
    inside = (places >= -HALF_A_VOXEL) & (places <= count - 1 + HALF_A_VOXEL)
    held = np.clip(places, 0, count - 1)
    first = np.floor(held).astype(np.intp)
    return first, np.where(inside, held - first, math.nan)


def _letter(direction: Float) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return ("LPH" if direction[axis] > 0 else "RAF")[axis]
