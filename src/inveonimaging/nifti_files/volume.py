"""An image as it goes into a NIfTI file: in which order its voxels are, of which type, and where; piece by piece.

A piece is some of the output's slices. It is read slab by slab and turned, so that nothing larger is in memory, however
large a frame is; where the output's slices are no slices of the file, a large frame is read more than once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.physics.gating import Gating
from inveonimaging.physics.quantification import Unit
from inveonimaging.storage.ahead import LIVE
from inveonimaging.study.image import Image
from inveonimaging.study.nifti_header import even_step, nifti_header
from inveonimaging.units import MS_PER_S
from inveonimaging.version import __version__

_PIECE = 32 * 1024 * 1024  # bytes of a piece whose slices are no slices of the file
_LETTERS = ("LR", "PA", "SI")
_INT16 = np.dtype("<i2")
_FLOAT32 = np.dtype("<f4")

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Volume:
    """An image as it goes into a file.

    Attributes:
        image: what it is made from.
        gating: of frames that differ by gate.
        reorient: which way the axes run, `RAS`; None is the order of the file.
        scale: by how much sizes and places are multiplied.
        has_slope: what it is written to says by which factor integers are multiplied, and what is added.
    """

    image: Image = field(repr=False)
    gating: Gating | None = None
    reorient: str | None = None
    scale: float = 1.0
    has_slope: bool = True

    @cached_property
    def axes(self) -> tuple[int, int, int]:
        """Which stored axis (0, 1, 2 for i, j, k) each axis of the output is."""
        stored = self.stored_codes
        i, j, k = (
            next(n for n, code in enumerate(stored) if code in _pair(wanted)) for wanted in self.reorient or stored
        )
        return i, j, k

    @cached_property
    def flipped(self) -> tuple[bool, bool, bool]:
        """Whether each axis of the output runs against the stored one."""
        stored = self.stored_codes
        wanted = self.reorient or stored
        i, j, k = (stored[axis] != code for axis, code in zip(self.axes, wanted, strict=True))
        return i, j, k

    @property
    def stored_codes(self) -> str:
        """Which way the stored axes run, as nibabel names it."""
        return self.image.grid.directions.replace("H", "S").replace("F", "I")

    @property
    def codes(self) -> str:
        """Which way the axes of the output run."""
        return self.reorient or self.stored_codes

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """(4, 4): voxel index of the output -> RAS mm, scaled."""
        counts = self.image.grid.shape
        turn = np.zeros((4, 4))
        turn[3, 3] = 1
        for axis, (stored, is_flipped) in enumerate(zip(self.axes, self.flipped, strict=True)):
            turn[stored, axis] = -1 if is_flipped else 1
            turn[stored, 3] = counts[stored] - 1 if is_flipped else 0
        return np.asarray(np.diag([self.scale] * 3 + [1.0]) @ self.image.affine @ turn + 0.0)

    @cached_property
    def frames(self) -> tuple[int, ...]:
        """The frames in the order of their gates or of their times; in the file's order if it does not say."""
        frames = self.image.frames
        keys = [each.gate if self.gating else each.start_s for each in frames]
        known = [each for each in keys if each is not None]
        if len(known) < len(frames):
            return tuple(range(len(frames)))
        return tuple(sorted(range(len(frames)), key=known.__getitem__))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of voxels along the axes of the output, and of frames if there are several."""
        x, y, z = (self.image.grid.shape[axis] for axis in self.axes)
        return (x, y, z) if len(self.frames) == 1 else (x, y, z, len(self.frames))

    @cached_property
    def keeps_stored(self) -> bool:
        """Whether the stored integers themselves are written: those of a CT with one factor."""
        scaling = self.image.scaling
        is_small = np.can_cast(self.image.source.dtype, np.int16)
        is_one = len(set(scaling.factors)) == 1
        is_plain = self.has_slope or (scaling.factors[0] == 1 and not scaling.intercept)
        return scaling.unit is Unit.HU and is_small and is_one and is_plain

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels: int16 of a CT, else float32."""
        return _INT16 if self.keeps_stored else _FLOAT32

    @property
    def size(self) -> int:
        """Bytes of all voxels."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    @property
    def slices(self) -> int:
        """Number of slices of all frames in the output."""
        return self.shape[2] * len(self.frames)

    def header(self) -> bytes:
        """Return the file's head, up to where the voxels begin."""
        frames = self.image.frames
        starts = [frames[index].start_s for index in self.frames]
        known = [each for each in starts if each is not None]
        step = even_step(known, frames[self.frames[0]].duration_s) if len(known) == len(starts) else None
        if self.gating:
            known, step = [], self.gating.slot_ms / MS_PER_S
        words = [f"inveonimaging {__version__}", self.image.scaling.unit.value]
        words += [f"voxel sizes x {self.scale:g}"] if self.scale != 1 else []
        header = nifti_header(
            self.shape,
            self.dtype,
            self.affine,
            start_s=known[0] if known else None,
            step_s=step,
            description="; ".join(words),
        )
        if self.keeps_stored:
            scaling = self.image.scaling
            header.set_slope_inter(scaling.factors[0], scaling.intercept)
        header["vox_offset"] = header.sizeof_hdr + 4
        return bytes(header.binaryblock) + bytes(4)

    def pieces(self) -> Iterator[Array]:
        """Yield the voxels in the order of the output, (slices, rows, columns), contiguous.

        A piece holds until `LIVE` more were taken: then its memory is that of another.

        Raises:
            DataError: the data file cannot be read any more.
        """
        if self.axes[2] == 2:  # noqa: PLR2004 - k
            yield from self._in_order()
            return
        for frame in self.frames:
            for piece in self._sideways(frame):
                yield np.ascontiguousarray(self._turned(piece))

    def _in_order(self) -> Iterator[Array]:
        """Yield slabs of the file, read and computed in memory that is used again: new pages take longer than both."""
        source, limits = self.image.source, self.image.slab_limits
        slices = self.image.slices_in_slab
        x, y, _ = self.shape[:3]
        raw = memoryview(bytearray(slices * source.slice_bytes))
        rooms = itertools.cycle([np.empty((slices, y, x), self.dtype) for _ in range(LIVE)])
        for frame in self.frames:
            for first, stop in reversed(limits) if self.flipped[2] else limits:
                room = next(rooms)[: stop - first]
                if self._is_copied:
                    source.read_slices(frame, first, stop, room.data.cast("B"))
                else:
                    stored = self._turned(source.read_slices(frame, first, stop, raw))
                    self._compute(frame, stored, room)
                yield room

    @property
    def _is_copied(self) -> bool:
        """Whether the file's bytes are those of the output."""
        source = self.image.source
        is_in_order = self.axes == (0, 1, 2) and not any(self.flipped)
        is_whole = source.shape == source.frame_shape and source.hidden is None
        return self.keeps_stored and source.dtype == _INT16 and is_in_order and is_whole

    def _sideways(self, frame: int) -> Iterator[Array]:
        """Yield (nz, ny, nx) pieces of a frame, some of the file's rows or columns."""
        cut = 2 - self.axes[2]  # the axis of the array
        shape = list(self.image.source.shape)
        step = max(1, _PIECE // (self.dtype.itemsize * int(np.prod(shape)) // shape[cut]))
        limits = [(first, min(first + step, shape[cut])) for first in range(0, shape[cut], step)]
        for first, stop in reversed(limits) if self.flipped[2] else limits:
            part = tuple(slice(first, stop) if axis == cut else slice(None) for axis in range(3))
            shape[cut] = stop - first
            piece = np.empty(shape, self.dtype)
            for low, high in self.image.slab_limits:
                self._compute(frame, self.image.source.slices(frame, low, high)[part], piece[low:high])
            yield piece

    def _compute(self, frame: int, stored: Array, out: Array) -> None:
        if self.keeps_stored:
            np.copyto(out, stored)
        else:
            self.image.physical(stored, frame, out)

    def _turned(self, stored: Array) -> Array:
        """Return an array (k, j, i) with the axes of the output, (z, y, x)."""
        turned = stored.transpose([2 - axis for axis in reversed(self.axes)])
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in reversed(self.flipped))]


def _pair(code: str) -> str:
    return next(each for each in _LETTERS if code in each)
