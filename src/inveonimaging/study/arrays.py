"""An image for other programs' arrays: nibabel, SimpleITK and xarray, each imported when it is asked for."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from inveonimaging.extras import refuse_without_extra
from inveonimaging.inveon.hdr import Frame, Header
from inveonimaging.inveon.voxels import Voxels
from inveonimaging.physics.geometry import Grid
from inveonimaging.physics.quantification import Scaling
from inveonimaging.study.nifti_header import even_step, nifti_header

_EXTRA = "arrays"
_VOLUME = 3  # dimensions


class Image(Protocol):
    """What is asked of an image here: see `study.image.Image`."""

    @property
    def header(self) -> Header:
        """What the header says."""

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frame blocks."""

    @property
    def kind(self) -> str:
        """What people call it."""

    @property
    def grid(self) -> Grid:
        """Where the voxels are, LPS."""

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Voxel index -> RAS mm."""

    @property
    def scaling(self) -> Scaling:
        """Unit and factors."""

    @property
    def source(self) -> Voxels:
        """The stored voxels."""

    def values(self, frame: int = 0) -> npt.NDArray[np.float32]:
        """Return the physical values of a frame."""

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]: ...


def to_nibabel(image: Image) -> Any:
    """Return the image as `Image.to_nibabel`."""
    refuse_without_extra("to_nibabel", _EXTRA, {"nibabel": "nibabel"})
    import nibabel

    values = np.asarray(image).T
    frames = image.frames
    starts = [each.start_s for each in frames if each.start_s is not None]
    step = even_step(starts, frames[0].duration_s) if len(starts) == len(frames) else None
    start = starts[0] if starts and len(starts) == len(frames) else None
    header = nifti_header(values.shape, np.float32, image.affine, start_s=start, step_s=step)
    kind: Any = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    return kind(values, image.affine, header)


def to_sitk(image: Image, frame: int | None = None) -> Any:
    """Return the image as `Image.to_sitk`."""
    refuse_without_extra("to_sitk", _EXTRA, {"SimpleITK": "simpleitk"})
    import SimpleITK as sitk  # noqa: N813 - its name everywhere

    values = np.asarray(image) if frame is None else image.values(frame)
    made = sitk.GetImageFromArray(values, isVector=False)
    spacing: tuple[float, ...] = image.grid.spacing_mm
    origin, axes = image.grid.affine[:3, 3], image.grid.axes
    if values.ndim > _VOLUME:
        whole = np.eye(4)
        whole[:3, :3] = axes
        starts = [each.start_s for each in image.frames]
        known = [each for each in starts if each is not None]
        step = (even_step(known, None) if len(known) == len(starts) else None) or 1.0
        spacing, origin, axes = (*spacing, step), np.append(origin, 0.0), whole
    made.SetSpacing([float(each) for each in spacing])
    made.SetOrigin([float(each) for each in origin])
    made.SetDirection([float(each) for each in axes.ravel()])
    return made


def to_xarray(image: Image, *, chunks: bool = True) -> Any:
    """Return the image as `Image.to_xarray`."""
    needed = {"xarray": "xarray"} | ({"dask": "dask"} if chunks else {})
    refuse_without_extra("to_xarray", _EXTRA, needed)
    import xarray

    values = _lazily(image) if chunks else np.asarray(image).reshape(len(image.frames), *image.source.shape)
    counts = image.grid.shape
    millimetre = {"units": "mm"}
    coordinates: dict[str, Any] = {
        name: (name, _places(image, axis, counts[axis]), millimetre | {"towards": image.grid.directions[axis]})
        for axis, name in enumerate("xyz")
    }
    seconds = {"units": "s"}
    starts = [np.nan if each.start_s is None else each.start_s for each in image.frames]
    durations = [np.nan if each.duration_s is None else each.duration_s for each in image.frames]
    coordinates["time"] = ("time", np.array(starts, float), seconds | {"long_name": "start of the frame"})
    coordinates["duration"] = ("time", np.array(durations, float), seconds)
    for name in ("gate", "bed", "energy_window"):
        numbers = [getattr(each, name) for each in image.frames]
        if None not in numbers and len(set(numbers)) > 1:
            coordinates[name] = ("time", np.array(numbers))
    attributes = {
        "units": image.scaling.unit.value,
        "modality": image.kind,
        "affine": image.affine.tolist(),
        "space": "RAS mm of voxel index (x, y, z, 1)",
    }
    start = image.header.acquisition.started_at
    if start:
        attributes["scan_time"] = start.isoformat()
    return xarray.DataArray(values, dims=("time", "z", "y", "x"), coords=coordinates, name=image.kind, attrs=attributes)


def _lazily(image: Image) -> Any:
    """Return a Dask array (frames, nz, ny, nx), a chunk a frame, that reads each when it is computed."""
    import dask.array
    from dask.delayed import delayed

    made: Any = dask.array
    shape = image.source.shape
    frames = [
        made.from_delayed(delayed(image.values, pure=False)(frame), shape, np.float32)
        for frame in range(len(image.frames))
    ]
    return made.stack(frames)


def _places(image: Image, axis: int, count: int) -> npt.NDArray[np.float64]:
    """Return where the voxels of a stored axis lie along the patient's axis that it runs along, RAS mm; (count,)."""
    column = image.affine[:3, axis]
    along = int(np.argmax(np.abs(column)))
    return np.asarray(image.affine[along, 3] + column[along] * np.arange(count))
