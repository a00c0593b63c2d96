"""The pixels of DICOM files, plane by plane: where they lie, or decoded by pydicom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inveonimaging.errors import InputError

_PIXEL_DATA = b"\xe0\x7f\x10\x00"  # the tag (7FE0,0010) in little endian
_VALUE_AT = {ImplicitVRLittleEndian: 8, ExplicitVRLittleEndian: 12}  # bytes of tag, VR and length, PS3.5 7.1
_BITS = {8, 16, 32}


class Native(NamedTuple):
    """Where pixels lie that are not compressed: offset of the first, type of one, shape (planes, rows, columns)."""

    offset: int
    dtype: str
    shape: tuple[int, int, int]


def read_planes(path: Path, native: Native | None = None) -> Iterator[npt.NDArray[Any]]:
    """Yield the stored values of each plane of a file, (rows, columns), one by one.

    Args:
        path: the file.
        native: where they lie, if they are not compressed; else they are decoded.

    Raises:
        InputError: they cannot be read or decoded, or end early.
    """
    try:
        if native is None:
            yield from iter_pixels(_inflated(path), raw=True)
        else:
            yield from (_native_plane(path, native, index) for index in range(native.shape[0]))
    except _UNREADABLE as error:
        raise InputError(f"the pixels cannot be read: {error}", path=path) from error


def read_plane(path: Path, native: Native | None, index: int) -> npt.NDArray[Any]:
    """Return the stored values of one plane; as `read_planes`."""
    try:
        if native is not None:
            return _native_plane(path, native, index)
        return next(iter_pixels(_inflated(path), raw=True, indices=[index]))
    except (*_UNREADABLE, StopIteration) as error:
        raise InputError(f"the pixels cannot be read: {error}", path=path) from error


_UNREADABLE = (ValueError, RuntimeError, NotImplementedError, AttributeError, KeyError, IndexError, OSError)


def _inflated(path: Path) -> Path | Dataset:
    """Return a path, or of a file that is deflated as a whole what it holds: pydicom finds no pixels in such a file."""
    syntax = read_file_meta_info(path).get("TransferSyntaxUID")
    return dcmread(path) if syntax == DeflatedExplicitVRLittleEndian else path


def _native_plane(path: Path, native: Native, index: int) -> npt.NDArray[Any]:
    planes, rows, columns = native.shape
    dtype = np.dtype(native.dtype)
    offset = native.offset + index * rows * columns * dtype.itemsize
    is_whole = offset + rows * columns * dtype.itemsize <= path.stat().st_size
    if not 0 <= index < planes or not is_whole:  # asked before memory is taken for it
        raise ValueError(f"plane {index + 1} of {planes} ends early")
    return np.fromfile(path, dtype, rows * columns, offset=offset).reshape(rows, columns)


def native_of(file: BinaryIO, header: Dataset) -> Native | None:
    """Return where the pixels lie of a file that was read up to them; None if that needs more than an offset."""
    start = file.tell()
    value_at = _VALUE_AT.get(header.file_meta.get("TransferSyntaxUID"))
    if value_at is None or file.read(len(_PIXEL_DATA)) != _PIXEL_DATA or header.get("SamplesPerPixel") != 1:
        return None
    bits, stored = header.get("BitsAllocated"), header.get("BitsStored")
    shape = (int(header.get("NumberOfFrames") or 1), header.get("Rows"), header.get("Columns"))
    if bits not in _BITS or bits != stored or not all(shape):
        return None
    return Native(start + value_at, f"<{'i' if header.get('PixelRepresentation') else 'u'}{bits // 8}", shape)
