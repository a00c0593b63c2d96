"""What curves are asked for, as one frozen object."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inveonimaging.errors import OptionError
from inveonimaging.given import Given, PathLike, choice, number, optional, refused, switch, whole_number
from inveonimaging.redaction.request import Deidentify, deidentify_given
from inveonimaging.study.corrections import Corrections
from inveonimaging.time_activity.regions import Sphere, named, sphere_of
from inveonimaging.time_activity.tables import Zero

_LARGEST_MM = 100.0
_EXPECTED = 'NAME=x,y,z,diameter in mm, as "heart=1.5,-3,20,4" or "heart=1.5 L,3 A,20 H,4"'


def _spheres(name: str, value: Any) -> tuple[Sphere, ...]:
    several = (value,) if isinstance(value, str | Sphere) else value
    if not isinstance(several, Iterable):
        raise refused(name, value, _EXPECTED)
    return tuple(map(_sphere, several))


def _sphere(value: Any) -> Sphere:
    if isinstance(value, Sphere):
        return value
    if not isinstance(value, str):
        raise refused("a sphere", value, _EXPECTED)
    name, _, rest = value.partition("=")
    try:
        return sphere_of(named("the name of a sphere", name), rest.split(","))
    except ValueError as error:
        raise refused("a sphere", value, _EXPECTED) from error


def _paths(name: str, value: Any) -> tuple[Path, ...]:
    several = (value,) if isinstance(value, str | os.PathLike) else value
    if not isinstance(several, Iterable):
        raise refused(name, value, "paths of files")
    return tuple(_path(name, each) for each in several)


def _path(name: str, value: Any) -> Path:
    if isinstance(value, str | os.PathLike) and os.fspath(value):
        return Path(value)
    raise refused(name, value, "the path of a file")


def _diameter(name: str, value: Any) -> float:
    found = number(name, value)
    if not 0 < found <= _LARGEST_MM:
        raise refused("the diameter of the hottest sphere", value, f"mm above 0, up to {_LARGEST_MM:g}, as 3")
    return found


@dataclass(frozen=True, kw_only=True)
class CurvesOptions(Corrections):
    """Regions of which curves are made, with the corrections of what is read.

    Attributes:
        spheres: as `heart=1.5,-3,20,4`: name, centre in LPS mm, diameter in mm; or each with its side, `3 A`.
        regions: files: lists of spheres (.csv, .json), masks (.nii, .nii.gz), DICOM SEG and RTSTRUCT.
        hottest_mm: diameter of the hottest sphere; None makes none.
        animals: a region for each animal of the sheet: its box.
        boxes: a file of boxes: where each animal lies; None finds them, which needs SciPy.
        series: the number of the one series that is measured; None measures every PET and SPECT.
        dicom: the folder of the conversion on which a SEG or RTSTRUCT was drawn.
        time_zero: what times of .tac and .dft count from.
        overwrite: replace files of the same names.
        deidentify: how the headers are de-identified, and names that files give regions; None leaves them as they are.
    """

    spheres: Given[Iterable[Sphere | str] | Sphere | str, tuple[Sphere, ...]] = Given(_spheres, ())
    regions: Given[Iterable[PathLike] | PathLike, tuple[Path, ...]] = Given(_paths, ())
    hottest_mm: Given[float | str | None, float | None] = Given(optional(_diameter), None)
    animals: Given[bool, bool] = Given(switch, False)
    boxes: Given[PathLike | None, Path | None] = Given(optional(_path), None)
    series: Given[int | str | None, int | None] = Given(optional(whole_number), None)
    dicom: Given[PathLike | None, Path | None] = Given(optional(_path), None)
    time_zero: Given[Zero | str, Zero] = Given(choice(Zero), Zero.SCAN)
    overwrite: Given[bool, bool] = Given(switch, False)
    deidentify: Given[Deidentify | bool | None, Deidentify | None] = Given(deidentify_given, None)

    def __post_init__(self) -> None:
        if not (self.spheres or self.regions or self.hottest_mm or self.animals or self.boxes):
            raise OptionError("no region is given", expected="--sphere, --regions, --hottest or --animals")
