"""The scene of a series of single planes or multi-frame objects, of any program, from its own coordinates."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from inveonimaging.checks.scene import Coarse, Float, Scene
from inveonimaging.dicom_reading.series import Plane, Series
from inveonimaging.errors import InputError

_SAME_MM = 0.01


def scene_of_series(series: Series) -> Scene:
    """Return the scene of a series of parallel slices; slices at one place are averaged. Reads a plane at a time.

    Raises:
        InputError: the planes have no places, are not parallel, or cannot be decoded.
    """
    places = {
        (number, plane.index): _normal_mm(plane)
        for number, instance in enumerate(series.instances)
        for plane in instance.planes
    }
    order = sorted({round(place / _SAME_MM) for place in places.values()})
    numbers = {place: k for k, place in enumerate(order)}
    coarse = Coarse(_shape(series.first, len(order)), _affine(series, places))
    for number, instance in enumerate(series.instances):
        for plane, stored in zip(instance.planes, instance.pixels(), strict=True):
            slope, offset = (float(plane.get(name) or default) for name, default in _RESCALE.items())
            k = numbers[round(places[number, plane.index] / _SAME_MM)]
            coarse.add((k,), stored[np.newaxis], slope, offset)
    return coarse.scene(is_ct=series.first.get("Modality") == "CT")


_RESCALE = {"RescaleSlope": 1.0, "RescaleIntercept": 0.0}


def _shape(plane: Plane, slices: int) -> tuple[int, int, int]:
    return int(plane.get("Columns")), int(plane.get("Rows")), slices


def _affine(series: Series, places: dict[tuple[int, int], float]) -> Float:
    """Return (4, 4) voxel index (i, j, k, 1) -> LPS mm, k along the normal."""
    by_place = defaultdict(list)
    for at, place in places.items():
        by_place[round(place / _SAME_MM)].append(at)
    low, high = (_plane(series, by_place[end][0]) for end in (min(by_place), max(by_place)))
    along_row, along_column = _axes(low)
    down, right = (float(part) for part in _of(low, "PixelSpacing"))
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 3] = along_row * right, along_column * down, _position(low)
    steps = len(by_place) - 1
    step = (_position(high) - _position(low)) / steps if steps else np.cross(along_row, along_column)
    affine[:3, 2] = step
    return affine


def _plane(series: Series, at: tuple[int, int]) -> Plane:
    return Plane(series.instances[at[0]], at[1])


def _of(plane: Plane, keyword: str) -> Any:
    value = plane.get(keyword)
    if value is None or value == "":
        raise InputError(f"has no {keyword}", path=plane.instance.path, expected="planes with their places")
    return value


def _axes(plane: Plane) -> tuple[Float, Float]:
    cosines = np.array([float(part) for part in _of(plane, "ImageOrientationPatient")])
    return cosines[:3], cosines[3:]


def _position(plane: Plane) -> Float:
    return np.array([float(part) for part in _of(plane, "ImagePositionPatient")])


def _normal_mm(plane: Plane) -> float:
    return float(np.cross(*_axes(plane)) @ _position(plane))
