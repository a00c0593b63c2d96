"""The header of a NIfTI file, which nibabel makes: shape, type, place, and times."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST_NIFTI_1 = 32767
"""Of a dimension, which is a signed 16 bit number in NIfTI-1."""
_DESCRIPTION = 79  # characters, and a zero
_SAME_STEP = 1e-3


def nifti_header(
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    affine: npt.NDArray[np.float64],
    *,
    start_s: float | None = None,
    step_s: float | None = None,
    description: str = "",
) -> Any:
    """Return a little-endian header of nibabel: NIfTI-1, or NIfTI-2 if a dimension is too long for it.

    Both qform and sform are that of the scanner (code 1); nothing is scaled.

    Args:
        shape: number of voxels along x, y and z, and of frames if there are several.
        dtype: of the voxels.
        affine: (4, 4), voxel index -> RAS mm.
        start_s: when the first frame begins (`toffset`); None writes 0.
        step_s: from one frame to the next (`pixdim[4]`); None writes 0, which is not known.
        description: `descrip`, ASCII.
    """
    import nibabel

    kind: Any = nibabel.Nifti1Header if max(shape) <= LARGEST_NIFTI_1 else nibabel.Nifti2Header
    header = kind(endianness="<")
    header.set_data_dtype(np.dtype(dtype))
    header.set_data_shape(tuple(shape))
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner")
    header.set_xyzt_units("mm", "sec")
    header.set_slope_inter(1.0, 0.0)
    header["pixdim"][4] = step_s or 0.0
    header["toffset"] = start_s or 0.0
    header["descrip"] = description.encode("ascii", "replace")[:_DESCRIPTION]
    return header


def even_step(starts_s: Sequence[float], duration_s: float | None) -> float | None:
    """Return the time from one frame to the next; None if that differs.

    Args:
        starts_s: when each frame begins.
        duration_s: of the first frame, which is the step of a single one.
    """
    if len(starts_s) == 1:
        return duration_s
    steps = [later - earlier for earlier, later in itertools.pairwise(starts_s)]
    even = all(math.isclose(each, steps[0], rel_tol=_SAME_STEP) for each in steps)
    return steps[0] if steps and even and steps[0] > 0 else None
