"""Regions of masks: numbered voxels of a NIfTI file, or of any grid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import InputError, InveonError, printable
from inveonimaging.extras import refuse_without_extra
from inveonimaging.time_activity.regions import Atlas, Mask, plain_name

NIFTI = (".nii", ".nii.gz")
_MOST_LABELS = 1000
_MOST_VOXELS = 2**30
_HIGHEST = 65535
_SMALLEST_MM3 = 1e-9
_SPACE = 3  # dimensions


def masks_of_nifti(path: Path) -> tuple[Mask, ...]:
    """Read a NIfTI mask of whole numbers, slice by slice: a region for each number but 0."""
    refuse_without_extra("a NIfTI mask", "nifti", {"nibabel": "nibabel"})
    import nibabel

    try:
        with np.errstate(all="ignore"):
            image: Any = nibabel.load(path, keep_file_open=True)
            affine = _affine_of(image, path)
            numbers = _numbers(image, path)
    except InveonError:
        raise
    except Exception as error:  # nibabel raises all sorts of errors for damaged files
        raise InputError(f"the mask cannot be read: {printable(error, 200)}", path=path) from error
    stem = plain_name(path.name[: -len(next(each for each in NIFTI[::-1] if path.name.lower().endswith(each)))])
    return masks_of(numbers, affine, lambda number: f"{stem}-{number}", path)


def _affine_of(image: Any, path: Path) -> npt.NDArray[np.float64]:
    """Return what leads from indices to LPS mm."""
    header = image.header
    if not int(header["qform_code"]) and not int(header["sform_code"]):
        raise InputError(
            "the mask does not say where it lies", path=path, expected="a qform or sform of code 1 or more"
        )
    unit = header.get_xyzt_units()[0]
    if unit not in {"mm", "unknown"}:
        raise InputError(f"the mask's unit of length is {printable(unit)}", path=path, expected="mm")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(image.affine, dtype=float)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < _SMALLEST_MM3:
        raise InputError("the mask's position is not possible", path=path, expected="an affine of true mm")
    return np.asarray(affine)


def _numbers(image: Any, path: Path) -> npt.NDArray[Any]:
    """Return the mask's numbers, (nk, nj, ni)."""
    shape = tuple(image.shape)
    if len(shape) < _SPACE or any(n != 1 for n in shape[3:]):
        raise InputError(
            f"the mask has the shape {' x '.join(map(str, shape))}", path=path, expected="three dimensions"
        )
    ni, nj, nk = shape[:3]
    if ni * nj * nk > _MOST_VOXELS:
        raise InputError(f"the mask has {ni * nj * nk} voxels", path=path, expected=f"at most {_MOST_VOXELS}")
    is_small = np.dtype(image.get_data_dtype()).itemsize == 1
    numbers = np.zeros((nk, nj, ni), np.uint8 if is_small else np.uint16)
    rest = (0,) * (len(shape) - 3)
    for k in range(nk):
        plane = np.asarray(image.dataobj[(slice(None), slice(None), k, *rest)]).T
        if not np.all((plane >= 0) & (plane <= _HIGHEST) & (plane == np.floor(plane))):
            expected = f"whole numbers, a region each, up to {_HIGHEST}"
            hint = "cut probabilities at a threshold first"
            raise InputError("the mask holds other values than whole numbers", path=path, expected=expected, hint=hint)
        numbers[k] = plane
    return numbers


def masks_of(
    numbers: npt.NDArray[Any],
    affine: npt.NDArray[np.float64],
    name: Callable[[int], str],
    path: Path,
    space: str | None = None,
) -> tuple[Mask, ...]:
    """Return a mask for each number but 0, in their order.

    Args:
        numbers: (nk, nj, ni) whole numbers.
        affine: index i, j, k -> LPS mm.
        name: of a number.
        path: of the file.
        space: see `Region`.

    Raises:
        InputError: there is none, or too many.
    """
    first: dict[int, npt.NDArray[np.int64]] = {}
    last: dict[int, npt.NDArray[np.int64]] = {}
    for k, plane in enumerate(numbers):
        for number in np.unique(plane[plane > 0]).tolist() if plane.any() else ():
            j, i = np.nonzero(plane == number)
            low, high = np.array([i.min(), j.min(), k]), np.array([i.max(), j.max(), k])
            first[number] = np.minimum(first.get(number, low), low)
            last[number] = np.maximum(last.get(number, high), high)
        if len(first) > _MOST_LABELS:
            raise InputError(f"the mask has more than {_MOST_LABELS} regions", path=path, expected="fewer")
    if not first:
        raise InputError("the mask is empty", path=path, expected="numbers above 0")
    atlas = Atlas(numbers, affine)
    return tuple(
        Mask(
            name=name(number),
            atlas=atlas,
            number=number,
            first=tuple(first[number].tolist()),
            last=tuple(last[number].tolist()),
            space=space,
        )
        for number in sorted(first)
    )
