"""What NIfTI files are asked to be like, as one frozen object."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from inveonimaging.given import Given, number, optional, refused, switch
from inveonimaging.study.asked import FilesOptions

_WAYS = ("LR", "PA", "SI")
AXIS_CODES = frozenset("".join(code) for ways in itertools.permutations(_WAYS) for code in itertools.product(*ways))
"""The 48 ways in which three axes can run, as nibabel names them: `RAS` runs right, anterior, superior."""
_LARGEST_SCALE = 1000.0


def _axis_code(name: str, value: Any) -> str:
    code = value.upper() if isinstance(value, str) else ""
    if code not in AXIS_CODES:
        raise refused(name, value, "three letters, one each of LR, PA and SI, as RAS")
    return code


def _scale(name: str, value: Any) -> float:
    scale = number(name, value)
    if not 0 < scale <= _LARGEST_SCALE:
        raise refused(name, value, f"a number above 0, up to {_LARGEST_SCALE:g}, as 10")
    return scale


@dataclass(frozen=True, kw_only=True)
class NiftiOptions(FilesOptions):
    """How NIfTI files are written, and which studies are read, with what instead of their headers.

    Attributes:
        compressed: write `.nii.gz`, else `.nii`.
        reorient: which way the axes of the voxels run, as `RAS`: they are permuted and flipped, never resampled. None
            keeps the file's own order.
        scale_voxels: by how much sizes and places of voxels are multiplied, for programs that are made for humans; it
            is recorded in the sidecar and in `descrip`.
    """

    compressed: Given[bool, bool] = Given(switch, True)
    reorient: Given[str | None, str | None] = Given(optional(_axis_code), None)
    scale_voxels: Given[float | str | None, float | None] = Given(optional(_scale), None)
