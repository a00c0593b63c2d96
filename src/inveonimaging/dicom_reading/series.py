"""DICOM read back: files -> series -> planes.

Only pydicom, and nothing that writes, so that it can judge what is written.
A plane is one two-dimensional image, wherever it stands: an instance of its own, or a frame of a multi-frame object.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inveonimaging.errors import InputError
from inveonimaging.storage.litter import is_litter

_SMALL = 64 * 1024  # larger elements stay in the file until they are asked for
_MAGIC = b"DICM"
_PREAMBLE = 128
_PIXEL_DATA = b"\xe0\x7f\x10\x00"  # the tag (7FE0,0010) in little endian
_VALUE_AT = {ImplicitVRLittleEndian: 8, ExplicitVRLittleEndian: 12}  # bytes of tag, VR and length, PS3.5 7.1
_BITS = {8, 16, 32}


class Native(NamedTuple):
    """Where pixels lie that are not compressed: offset of the first, type of one, shape (planes, rows, columns)."""

    offset: int
    dtype: str
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Instance:
    """One DICOM file; `header` is all of it but the pixels, which are at `native` if they are not compressed."""

    path: Path
    header: Dataset
    native: Native | None = None

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Its planes, in their order."""
        return tuple(Plane(self, index) for index in range(int(self.header.get("NumberOfFrames") or 1)))

    def pixels(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the stored values of each plane, (rows, columns), decoded one by one.

        Raises:
            InputError: they cannot be decoded.
        """
        return read_planes(self.path, self.native)

    @cached_property
    def shared(self) -> Mapping[str, Any]:
        """Attributes of the shared functional groups, by keyword."""
        groups = self.header.get("SharedFunctionalGroupsSequence")
        return _flat(groups[0]) if groups else {}

    def of_frame(self, index: int) -> Mapping[str, Any]:
        """Return the attributes of a frame's functional groups, by keyword."""
        groups = self.header.get("PerFrameFunctionalGroupsSequence")
        return _flat(groups[index]) if groups and index < len(groups) else {}


@dataclass(frozen=True)
class Plane:
    """One two-dimensional image of an instance: its number in it, from 0."""

    instance: Instance
    index: int

    @cached_property
    def _own(self) -> Mapping[str, Any]:
        return self.instance.of_frame(self.index)

    def get(self, keyword: str) -> Any:
        """Return an attribute by keyword: of the frame's groups, the shared ones, the instance; or None."""
        for place in (self._own, self.instance.shared):
            if keyword in place:
                return place[keyword]
        return self.instance.header.get(keyword)


@dataclass(frozen=True)
class Series:
    """Instances that share a Series Instance UID, in the order of their files' names."""

    uid: str
    instances: tuple[Instance, ...]

    @property
    def first(self) -> Plane:
        """The first plane of the first instance."""
        return Plane(self.instances[0], 0)


def read_series(paths: Iterable[str | os.PathLike[str]]) -> tuple[Series, ...]:
    """Read DICOM files, and all below folders, but for their pixels; what is not DICOM is left aside in folders.

    Returns:
        the series, in the order in which they are met.

    Raises:
        InputError: a file that is named cannot be read or is not DICOM; there is none.
    """
    found: dict[str, list[Instance]] = {}
    for file in dicom_files(paths):
        instance = read_instance(file)
        found.setdefault(str(instance.header.get("SeriesInstanceUID", "")), []).append(instance)
    return tuple(Series(uid, tuple(instances)) for uid, instances in found.items())


def dicom_files(paths: Iterable[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """Return files as they are given, and all DICOM files below folders, sorted by name.

    What cannot be looked into, a file or a folder, is among them, so that none is lost: reading it tells why not.

    Raises:
        InputError: there is none, or no such file or folder, or what is given is neither.
    """
    found: list[Path] = []
    asked = [Path(path) for path in paths]
    for path in asked:
        if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
            raise InputError("no such file or folder", path=path)
        if not path.is_dir() and not path.is_file():
            raise InputError("is no regular file", path=path)
        found += sorted(_below(path)) if path.is_dir() else [path]
    if not found:
        raise InputError("no DICOM files here", path=asked[0] if asked else None)
    return tuple(found)


def read_instance(path: Path) -> Instance:
    """Read one file but for its pixels.

    Raises:
        InputError: it cannot be read or is not DICOM.
    """
    try:
        with path.open("rb") as file:
            header = dcmread(file, defer_size=_SMALL, stop_before_pixels=True)
            return Instance(path, header, _native(file, header))
    except InvalidDicomError as error:
        raise InputError("is not a DICOM file", path=path) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from error
    except Exception as error:
        raise InputError(f"is damaged: {error}", path=path) from error


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


def _native(file: BinaryIO, header: Dataset) -> Native | None:
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


def _below(folder: Path) -> Iterator[Path]:
    """Yield the DICOM files below a folder, and the files and folders that cannot be looked into."""
    closed: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=closed.append):
        folders[:] = [name for name in folders if not is_litter(name)]
        yield from (path for name in names if not is_litter(name) and _may_be_dicom(path := Path(place, name)))
    yield from (Path(error.filename) for error in closed)


def _may_be_dicom(path: Path) -> bool:
    """Tell a DICOM file by its first bytes (PS3.10 7.1), without reading the rest; what cannot be read may be one."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC
    except OSError:
        return True


def _flat(groups: Dataset) -> Mapping[str, Any]:
    """Return the attributes of functional groups by keyword, whatever group they stand in (PS3.3 C.7.6.16)."""
    values: dict[str, Any] = {}
    for group in groups:
        if group.VR == "SQ" and group.value:
            values[group.keyword] = group.value
            values.update({element.keyword: element.value for element in group.value[0] if element.keyword})
    return values
