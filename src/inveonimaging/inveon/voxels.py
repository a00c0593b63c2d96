"""The .img file: raw frames, mapped for who looks at them, and read slab by slab by who needs all of them."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import DataError, HeaderError, InveonError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Frame, Header
from inveonimaging.inveon.hdr.enums import DataType
from inveonimaging.inveon.hdr.need import missing, missing_in_frame
from inveonimaging.units import counted

DTYPES = {
    DataType.INT8: "i1",
    DataType.INT16_LE: "<i2",
    DataType.INT32_LE: "<i4",
    DataType.FLOAT32_LE: "<f4",
    DataType.FLOAT32_BE: ">f4",
    DataType.INT16_BE: ">i2",
    DataType.INT32_BE: ">i4",
}

_PIECE = 8 * 1024 * 1024
_LARGEST = 65535  # Rows and Columns are unsigned 16 bit


@dataclass(frozen=True, eq=False)
class Hidden:
    """Voxels that are read as one value, whatever the file has there.

    Attributes:
        blocks: (bz, by, bx) which blocks of voxels are hidden; the last ones along each axis, -1, are not.
        places: the block that a voxel of a whole frame lies in, along k, j and i: (nz,), (ny,) and (nx,); -1 for none.
        values: the stored value that is read there, of each frame.
    """

    blocks: npt.NDArray[np.bool_]
    places: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]
    values: tuple[int | float, ...]

    def within(self, first: tuple[int, int, int], shape: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
        """Return which voxels of a box of a frame are hidden, (nz, ny, nx)."""
        places = (each[a : a + n] for each, a, n in zip(self.places, first, shape, strict=True))
        return np.asarray(self.blocks[np.ix_(*places)])

    def count(self, first: tuple[int, int, int], shape: tuple[int, int, int]) -> int:
        """Return how many voxels of a box of a frame are hidden; nothing of the frame's size is made."""
        numbers = (
            np.bincount(each[a : a + n] % size, minlength=size)
            for each, a, n, size in zip(self.places, first, shape, self.blocks.shape, strict=True)
        )
        return int(np.einsum("kji,k,j,i", self.blocks.astype(np.int64), *numbers, optimize=True))


@dataclass(frozen=True)
class Voxels:
    """The frames of a data file, or a box of each: stored values, in the file's own type and byte order.

    Attributes:
        path: the data file.
        dtype: type of a stored value.
        shape: (nz, ny, nx) of what is read, so that x is fastest.
        offsets: byte offset of each frame.
        first: (k, j, i) of the first voxel of the box.
        whole: (nz, ny, nx) of a frame in the file; None if all of it is read.
        hidden: voxels that are read as one value; None if all are read as they are.
    """

    path: Path
    dtype: np.dtype[np.generic]
    shape: tuple[int, int, int]
    offsets: tuple[int, ...]
    first: tuple[int, int, int] = (0, 0, 0)
    whole: tuple[int, int, int] | None = None
    hidden: Hidden | None = None

    @property
    def hidden_voxels(self) -> int:
        """How many voxels of each frame of what is read are hidden."""
        return self.hidden.count(self.first, self.shape) if self.hidden else 0

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(nz, ny, nx) of a frame in the file."""
        return self.whole or self.shape

    @property
    def frame_bytes(self) -> int:
        """Size of one frame in the file."""
        return int(np.prod(self.frame_shape, dtype=object)) * self.dtype.itemsize

    @property
    def total_bytes(self) -> int:
        """Size of all its frames in the file."""
        return len(self.offsets) * self.frame_bytes

    def box(self, first: tuple[int, int, int], stop: tuple[int, int, int]) -> Voxels:
        """Return the voxels of a box, from its first (k, j, i) up to `stop`, which is not in it; nothing is read."""
        (k, j, i), own = first, self.first
        return replace(
            self,
            shape=(stop[0] - k, stop[1] - j, stop[2] - i),
            first=(own[0] + k, own[1] + j, own[2] + i),
            whole=self.frame_shape,
        )

    def of_frames(self, numbers: Sequence[int]) -> Voxels:
        """Return some of the frames, in this order."""
        hidden = self.hidden
        if hidden is not None:
            hidden = replace(hidden, values=tuple(hidden.values[index] for index in numbers))
        return replace(self, offsets=tuple(self.offsets[index] for index in numbers), hidden=hidden)

    def extent(self, index: int) -> tuple[int, int]:
        """Return where the slices of a frame that have voxels of the box start and end in the file, in bytes."""
        first = self._offset(index, 0)
        return first, first + self.shape[0] * self.slice_bytes

    def frame(self, index: int) -> npt.NDArray[np.generic]:
        """Return the stored values of a frame, (nz, ny, nx), read-only and mapped; a copy where some are hidden.

        Raises:
            DataError: the file cannot be read any more.
        """
        offset, shape = self._offset(index, 0), (self.shape[0], *self.frame_shape[1:])
        try:
            mapped = np.memmap(self.path, dtype=self.dtype, mode="r", offset=offset, shape=shape)
            return self.inside(mapped, index, 0)
        except (OSError, ValueError) as error:
            raise DataError(f"cannot be read: {error}", path=self.path) from error

    def slices(self, index: int, first: int, stop: int) -> npt.NDArray[np.generic]:
        """Return the stored values of some slices of a frame, (stop - first, ny, nx), read into memory.

        Raises:
            DataError: the file cannot be read any more, or has become shorter.
        """
        return np.ascontiguousarray(self.inside(self.whole_slices(index, first, stop), index, first))

    def read_slices(self, index: int, first: int, stop: int, memory: memoryview) -> npt.NDArray[np.generic]:
        """Return the same values, read into memory that is there: asking for new memory takes longer than reading.

        Args:
            index: of the frame.
            first: slice.
            stop: the one behind the last.
            memory: bytes for `slice_bytes` of each slice, at least; what is returned is a view of them.

        Raises:
            DataError: the file cannot be read any more, or has become shorter.
        """
        held, done = memory[: (stop - first) * self.slice_bytes], 0
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self._offset(index, first))
                while done < len(held) and (count := file.readinto(held[done:])):
                    done += count
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", path=self.path) from error
        if done < len(held):
            raise DataError("has become shorter while it was read", path=self.path)
        stored = np.frombuffer(held, self.dtype).reshape(stop - first, *self.frame_shape[1:])
        return self.inside(stored, index, first)

    def whole_slices(self, index: int, first: int, stop: int) -> npt.NDArray[np.generic]:
        """Return the same slices as the file has them, with what lies beside the box: one piece of the file."""
        _, ny, nx = self.frame_shape
        stored = self._read(self._offset(index, first), (stop - first) * ny * nx, self.dtype)
        if stored.size < (stop - first) * ny * nx:
            raise DataError("has become shorter while it was read", path=self.path)
        return stored.reshape(stop - first, ny, nx)

    def inside(self, slices: npt.NDArray[np.generic], index: int, first: int) -> npt.NDArray[np.generic]:
        """Return what of whole slices of a frame, from the box's slice `first` on, lies in the box.

        It is a view, or a copy with the value in the place of what is hidden.
        """
        (_, ny, nx), (k, j, i) = self.shape, self.first
        held = slices[:, j : j + ny, i : i + nx]
        if self.hidden is None:
            return held
        is_hidden = self.hidden.within((k + first, j, i), (len(held), ny, nx))
        if not is_hidden.any():
            return held
        shown = np.array(held)
        shown[is_hidden] = self.hidden.values[index]
        return shown

    def between(self, first: int, stop: int | None) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the bytes from one offset to another, or to the end of the file, in pieces; none if there are none."""
        while stop is None or first < stop:
            piece = self._read(first, min(_PIECE, (stop or first + _PIECE) - first), np.dtype(np.uint8))
            if not piece.size:
                return
            yield piece
            first += piece.size

    @property
    def slice_bytes(self) -> int:
        """Size of one slice in the file."""
        return self.frame_bytes // self.frame_shape[0]

    def _offset(self, index: int, k: int) -> int:
        """Return where slice k of the box, with what lies beside it, starts in the file."""
        return self.offsets[index] + (self.first[0] + k) * self.slice_bytes

    def _read(self, offset: int, count: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        try:
            return np.fromfile(self.path, dtype=dtype, count=count, offset=offset)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", path=self.path) from error


@contextlib.contextmanager
def unchanged(sources: Iterable[Voxels], hint: str) -> Iterator[None]:
    """Refuse data files that were written to while they were read here; their time of change cannot be set back.

    Raises:
        DataError: naming the first, with this hint; or it is gone.
    """
    before = {each.path: _identity(each.path) for each in sources}
    yield
    for path, known in before.items():
        if _identity(path) != known:
            raise DataError("has changed while it was read", path=path, hint=hint)


def _identity(path: Path) -> tuple[object, ...]:
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path) from error
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def voxels_of(path: Path, header: Header) -> tuple[Voxels, tuple[Finding, ...]]:
    """Return the frames that the header says the file holds, after checking that they fit.

    Raises:
        HeaderError: type, sizes, number of frames or offsets are missing or senseless.
        DataError: the file is missing, no regular file, or too short.
    """
    draft = _without_offsets(path, header)
    size = file_size(path)
    offsets, findings = _offsets(header, draft.frame_bytes, size)
    voxels = replace(draft, offsets=offsets)
    return voxels, (*findings, *_check_size(voxels, size, header.total_frames or 0))


def voxels_stated(path: Path, header: Header) -> Voxels:
    """Return the frames of a data file that is to be written, as its header says where they are.

    Raises:
        HeaderError: type, sizes, number of frames or offsets are missing or senseless.
    """
    draft = _without_offsets(path, header)
    return replace(draft, offsets=_offsets(header, draft.frame_bytes, len(header.frames) * draft.frame_bytes)[0])


def _without_offsets(path: Path, header: Header) -> Voxels:
    dtype = _dtype(header)
    nx, ny, nz = shape_of(header)
    return Voxels(path, dtype, (nz, ny, nx), ())


def _dtype(header: Header) -> np.dtype[np.generic]:
    if header.array.data_type is None:
        raise missing(header, "data_type")
    return np.dtype(DTYPES[header.array.data_type])


def file_size(path: Path, error: type[InveonError] = DataError) -> int:
    """Return the size of a regular file; an error for anything else, which is never opened or waited for."""
    try:
        status = path.stat()
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror}", path=path) from problem
    if not stat.S_ISREG(status.st_mode):
        raise error("is not a regular file", path=path)
    return status.st_size


def _offsets(header: Header, frame_bytes: int, size: int) -> tuple[tuple[int, ...], list[Finding]]:
    frames = header.frames
    if not frames:
        raise HeaderError("no frame block in the header", expected="lines from 'frame 0' to 'end_of_header'")
    if all(frame.data_offset is None for frame in frames) and size == len(frames) * frame_bytes:
        message = "no data_file_pointer; the frames follow each other and fill the file"
        found = [Finding("offsets-derived", message, Severity.INFO, key="data_file_pointer")]
        return tuple(index * frame_bytes for index in range(len(frames))), found
    offsets = tuple(_offset(frame, index) for index, frame in enumerate(frames))
    _check_overlap(offsets, frame_bytes, frames)
    return offsets, []


def _offset(frame: Frame, index: int) -> int:
    if frame.data_offset is None or frame.data_offset < 0:
        raise missing_in_frame(frame, index, "data_file_pointer", "a byte offset")
    return frame.data_offset


def _check_overlap(offsets: tuple[int, ...], frame_bytes: int, frames: tuple[Frame, ...]) -> None:
    order = sorted(range(len(offsets)), key=offsets.__getitem__)
    for one, other in pairwise(order):
        if offsets[other] - offsets[one] < frame_bytes:
            raise HeaderError(
                f"frames {min(one, other)} and {max(one, other)} overlap in the data file",
                line=frames[max(one, other)].line_of("data_file_pointer"),
                expected=f"offsets at least {frame_bytes} bytes apart",
            )


def _check_size(voxels: Voxels, size: int, total_frames: int) -> tuple[Finding, ...]:
    needed = max(voxels.offsets) + voxels.frame_bytes
    if size == needed:
        return ()
    nz, ny, nx = voxels.shape
    what = f"{len(voxels.offsets)} frames of {nx} x {ny} x {nz} {voxels.dtype.name}"
    if size < needed:
        expected = f"{needed} for {what}: the copy may have broken off"
        raise DataError(f"the file has {size} bytes", path=voxels.path, expected=expected)
    if len(voxels.offsets) < total_frames <= size // voxels.frame_bytes:
        blocks = counted(len(voxels.offsets), "frame block")
        message = (
            f"the header has {blocks}, but total_frames is {total_frames} and the data file has room for them: "
            "the header is cut off"
        )
        return (Finding("frame-blocks-missing", message, Severity.ERROR, key="total_frames"),)
    message = f"the file has {size} bytes, expected {needed} for {what}: the header may not belong to it"
    return (Finding("data-too-long", message, Severity.ERROR, path=str(voxels.path)),)


def shape_of(header: Header) -> tuple[int, int, int]:
    """Return the number of voxels along i, j and k; HeaderError if one is missing or senseless."""
    return _size(header, "x"), _size(header, "y"), _size(header, "z")


def _size(header: Header, axis: str) -> int:
    size = getattr(header.array, axis)
    if size is None or not 1 <= size <= _LARGEST:
        raise missing(header, f"{axis}_dimension", f"1 to {_LARGEST}")
    return int(size)
