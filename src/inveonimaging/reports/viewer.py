"""The volumes inside the page, to be looked through: NiiVue (WebGL2), the voxels, and what joins them.

NiiVue lies beside this module, as `tools/niivue.py` fetched it, with its licence. All is in the page itself, packed
with gzip in base64, so that it opens from disk without a network.

Voxels are stored as integers with the frame's factor when that is exact, else as float32; what is larger than the
budget is rounded to 16 bits a frame, and then reduced: each voxel is the mean of a block of 2 x 2 x 2 voxels, or more.
The page says so. Nothing but one frame of what is shown, and one slab of what is read, is in memory at a time.
"""

from __future__ import annotations

import base64
import functools
import importlib.resources
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import printable
from inveonimaging.extras import refuse_without_extra
from inveonimaging.inveon.hdr import Frame
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_mu_map
from inveonimaging.physics.geometry import ASSUMED
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports.planes import AnatomicalPlane
from inveonimaging.reports.scales import scale_of
from inveonimaging.reports.voxel_pass import VoxelSurvey
from inveonimaging.study.image import Image
from inveonimaging.study.suv import suv_per_value
from inveonimaging.units import duration

if TYPE_CHECKING:
    from jinja2 import Environment

BUDGET = 42 * 1024 * 1024
"""Bytes of voxels in a page, before packing; gzip takes a tenth of noise away and base64 adds a third: 50 MB."""

_LARGEST_SIDE = 1024  # voxels along an axis, which every WebGL2 of today can hold in a texture
_STEPS = 32767
_LONGEST_NAME = 80
_PAST_THE_REST = 99.8  # percentile of a frame that the scale ends at: a full bladder or syringe does not dim the animal
_SAMPLES = 2_000_000
_HU_SHOWN = (-500.0, 800.0)
_NONE: Mapping[int, VoxelSurvey] = MappingProxyType({})

Floats = npt.NDArray[np.float64]


def refuse_without_viewer() -> None:
    """Refuse a viewer before anything is drawn for it.

    Raises:
        OptionError: nibabel, which writes the volumes' headers, is not installed.
    """
    refuse_without_extra("--viewer", "viewer", {"nibabel": "nibabel"})


def fragment(images: Sequence[Image], budget: int = BUDGET, surveys: Mapping[int, VoxelSurvey] = _NONE) -> str:
    """Return markup, style, voxels and scripts of a viewer of images: one piece of HTML, which needs nothing else.

    Args:
        images: what can be shown, in the order in which it is offered; all in the same patient's space.
        budget: bytes of voxels, before packing.
        surveys: of images, by their place in that order: the viewer opens with the still pictures' window and place.

    Raises:
        OptionError: nibabel, which writes the volumes' headers, is not installed.
        DataError: a data file cannot be read any more.
    """
    refuse_without_viewer()
    volumes = _fitted([Volume(image) for image in images], budget)
    packed = [_packed(volume, surveys.get(number)) for number, volume in enumerate(volumes)]
    page = templates().from_string(own("viewer.html"))
    return page.render(
        style=own("viewer.css"),
        licence=own("niivue/LICENSE"),
        volumes=[described for described, _ in packed],
        voxels=[voxels for _, voxels in packed],
        niivue=_niivue(),
        script=own("viewer.js"),
    )


def templates() -> Environment:
    """Return what fills this package's templates: all that is put into them is escaped, and nothing may be missing."""
    from jinja2 import Environment, StrictUndefined

    made = Environment(autoescape=True, undefined=StrictUndefined)
    made.policies["json.dumps_kwargs"] = {"allow_nan": False}
    return made


def own(name: str) -> str:
    """Return a file of this package."""
    return (importlib.resources.files("inveonimaging.reports") / name).read_text("utf-8")


@functools.cache
def _niivue() -> str:
    """Return NiiVue, packed; packing it takes longer than packing the voxels of a small study."""
    return _gzip_base64([own("niivue/niivue.umd.js").encode()])


@dataclass(frozen=True)
class Volume:
    """An image as it is put into the page.

    Attributes:
        image: what it is made from.
        rounded: whether values are rounded to 16 bits a frame; else they are exact.
        reduced: along each axis so many voxels become one, their mean.
    """

    image: Image = field(repr=False)
    rounded: bool = False
    reduced: int = 1

    @property
    def steps(self) -> tuple[int, int, int]:
        """Voxels that become one, along i, j and k; no more than there are."""
        i, j, k = (min(self.reduced, count) for count in self.image.grid.shape)
        return i, j, k

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along i, j and k."""
        i, j, k = (-(-count // step) for count, step in zip(self.image.grid.shape, self.steps, strict=True))
        return i, j, k

    @property
    def holds_stored(self) -> bool:
        """Whether the stored integers themselves are kept."""
        return self.reduced == 1 and np.can_cast(self.image.source.dtype, np.int16)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels in the page."""
        return np.dtype("<i2" if self.holds_stored or self.rounded else "<f4")

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return math.prod(self.shape) * len(self.image.frames) * self.dtype.itemsize

    @property
    def affine(self) -> Floats:
        """(4, 4): index of a voxel in the page (i, j, k, 1) -> the middle of its block, LPS mm."""
        steps = np.array(self.steps, float)
        block = np.diag([*steps, 1.0])
        block[:3, 3] = (steps - 1) / 2
        return np.asarray(self.image.grid.affine @ block)

    def smaller(self) -> Volume:
        """Return it as the next smaller thing."""
        if self.dtype.itemsize > np.dtype(np.int16).itemsize:
            return replace(self, rounded=True)
        return replace(self, rounded=True, reduced=self.reduced + 1)


def _fitted(volumes: list[Volume], budget: int) -> list[Volume]:
    """Return volumes that fit the budget together: the largest is made smaller until they do."""
    fitted = list(volumes)
    for n, volume in enumerate(fitted):
        longest = max(volume.image.grid.shape)
        if longest > _LARGEST_SIDE:
            fitted[n] = replace(volume, rounded=True, reduced=-(-longest // _LARGEST_SIDE))
    while sum(volume.size for volume in fitted) > budget:
        largest = max(range(len(fitted)), key=lambda n: fitted[n].size)
        if set(fitted[largest].shape) == {1}:
            break
        fitted[largest] = fitted[largest].smaller()
    return fitted


# Voxels.


def _packed(volume: Volume, survey: VoxelSurvey | None) -> tuple[dict[str, Any], str]:
    """Return what describes a volume, and its voxels, frame after frame, x fastest, as gzip in base64."""
    factors: list[float] = []
    brightest: list[float] = []

    def frames() -> Iterator[bytes]:
        for index in range(len(volume.image.frames)):
            voxels, factor = _frame(volume, index)
            factors.append(factor)
            sample = voxels.reshape(-1)[:: 1 + voxels.size // _SAMPLES]
            brightest.append(float(np.percentile(sample, _PAST_THE_REST)) * factor)
            yield voxels.tobytes()

    packed = _gzip_base64(frames())
    described = _description(volume, factors, max(brightest))
    return (described | _as_in_stills(volume.image, survey) if survey else described), packed


def _frame(volume: Volume, index: int) -> tuple[npt.NDArray[Any], float]:
    """Return the voxels of a frame, (nz, ny, nx), and the factor that makes physical values of them."""
    factor = volume.image.scaling.factors[index]
    if volume.holds_stored:
        return np.concatenate(list(_slabs(volume, index))).astype("<i2"), factor
    with np.errstate(invalid="ignore", over="ignore"):
        values = np.concatenate([np.float32(slab * factor) for slab in _slabs(volume, index)])
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if not volume.rounded:
        return values.astype("<f4", copy=False), 1.0
    slope = float(max(values.max(), -values.min())) / _STEPS or 1.0
    return np.rint(values / slope).astype("<i2"), slope


def _slabs(volume: Volume, index: int) -> Iterator[npt.NDArray[Any]]:
    """Yield a frame's stored values, or their means, in slabs of slices."""
    image = volume.image
    if volume.reduced == 1:
        yield from image.slabs(index)
        return
    slices = image.grid.shape[2]
    step = volume.steps[2]
    for first in range(0, slices, step):
        with np.errstate(invalid="ignore", over="ignore"):
            yield _mean(np.asarray(image.source.slices(index, first, min(first + step, slices)), float), volume.steps)


def _mean(block: Floats, steps: tuple[int, int, int]) -> Floats:
    """Return (1, rows, columns) means over all slices of a block, and over `steps` columns and rows; fewer at the end.

    What is not a number counts as 0, as in a conversion.
    """
    plane = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0).mean(axis=0)
    for axis, step in ((0, steps[1]), (1, steps[0])):
        starts = np.arange(0, plane.shape[axis], step)
        counts = np.diff([*starts, plane.shape[axis]])
        plane = np.add.reduceat(plane, starts, axis=axis) / np.expand_dims(counts, 1 - axis)
    return np.asarray(plane[np.newaxis])


def _gzip_base64(pieces: Iterator[bytes] | Sequence[bytes]) -> str:
    packer = zlib.compressobj(level=6, wbits=31)
    packed = bytearray()
    for piece in pieces:
        packed += packer.compress(piece)
    return base64.b64encode(packed + packer.flush()).decode("ascii")


# What the script gets of a volume.


def _description(volume: Volume, factors: list[float], bright: float) -> dict[str, Any]:
    image = volume.image
    is_ct = image.scaling.unit is Unit.HU
    name = (f"{image.kind}:", image.pair.name, image.part_name)
    low, high = _HU_SHOWN if is_ct else (0.0, bright if bright > 0 else 1.0)
    return {
        "name": printable(" ".join(filter(None, name)), _LONGEST_NAME),
        "unit": image.scaling.unit.value,
        "emission": image.modality is not Modality.CT and not is_mu_map(image.header),
        "shape": volume.shape,
        "bytes": volume.dtype.itemsize,
        "factors": factors,
        "intercept": image.scaling.intercept,
        "nifti": base64.b64encode(nifti_header(volume)).decode("ascii"),
        "frames": [_frame_label(image, index) for index in range(len(image.frames))],
        "notes": _notes(volume),
        "suv": suv_per_value(image),
        "assumed": not image.grid.orientation,
        "at": None,
        "colormap": "gray" if is_ct else "inferno",
        "shown": [low, high],
    }


def _as_in_stills(image: Image, survey: VoxelSurvey) -> dict[str, Any]:
    """Return the window of the still pictures, and where their planes meet, LPS mm."""
    scale = scale_of(image.scaling.unit, survey)
    meeting = [
        survey.planes[plane].at_mm
        for plane in (AnatomicalPlane.SAGITTAL, AnatomicalPlane.CORONAL, AnatomicalPlane.AXIAL)
    ]
    return {"shown": [scale.low, scale.high], "at": meeting}


def _frame_label(image: Image, index: int) -> str:
    frame: Frame = image.frames[index]
    words = [
        f"{name} {getattr(frame, key)}"
        for name, key in {"gate": "gate", "bed": "bed", "window": "energy_window"}.items()
        if getattr(frame, key) is not None and len({getattr(each, key) for each in image.frames}) > 1
    ]
    if frame.start_s is not None and frame.duration_s is not None:
        words.append(f"{duration(frame.start_s)} to {duration(frame.start_s + frame.duration_s)}")
    return ", ".join(words)


def _notes(volume: Volume) -> list[str]:
    notes = [] if volume.image.grid.orientation else [f"posture assumed: {ASSUMED.label}"]
    if volume.reduced > 1:
        blocks = " x ".join(map(str, volume.steps))
        notes.append(f"reduced for viewing: each voxel is the mean of {blocks} voxels")
    if volume.rounded and not volume.holds_stored:
        notes.append(f"rounded to {_STEPS} steps of each frame's largest value")
    return notes


def nifti_header(volume: Volume) -> bytes:
    """Return the 352 bytes of NIfTI-1 that go before the voxels, float32: shape, and voxel -> RAS mm."""
    import nibabel

    header = nibabel.Nifti1Header(endianness="<")
    header.set_data_dtype(np.float32)
    header.set_data_shape((*volume.shape, len(volume.image.frames)))
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    header.set_sform(ras, code="scanner")
    header.set_qform(ras, code="scanner")
    header.set_xyzt_units("mm", "sec")
    header.set_slope_inter(1.0, 0.0)
    header["vox_offset"] = 352
    return bytes(header.binaryblock) + bytes(4)
