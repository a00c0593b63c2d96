"""DICOM files opened: whatever is wrong with one is one error with its name, and nothing grows beyond its bounds.

Files are untrusted: pydicom reads what they say, so that lengths, counts of items and deflated data are bounded here,
before memory or time is spent on them.
"""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydicom import config, dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from inveonimaging.errors import InputError, printable

MOST_INFLATED = 64 * 2**20
"""Bytes that a deflated file may hold before its pixels, and altogether if these do not lie plane by plane."""

_MOST_KEPT = 256 * 2**20  # bytes before the pixels, if all are asked for
_MOST_ITEMS = 200_000  # of sequences; some 25,000 frames have as many
_SMALL = 64 * 1024  # larger elements are left in the file, but for those that are lists of frames
_LISTS = ("SQ", "US")  # functional groups, and the vectors of NM
_PIECE = 64 * 1024
_META, _PIXELS = 0x0002, 0x7FE0  # groups
_ITEM = b"\xfe\xff\x00\xe0"
_SHOWN = 200


class Opened(NamedTuple):
    """A file that is open: its elements up to the pixels, and a stream at their start.

    Attributes:
        header: file meta information is its `file_meta`.
        stream: of the file, or of what a deflated one holds.
        inflated_at: where the deflated part begins in the file; None if there is none.
        size: of the file, in bytes.
    """

    header: Dataset
    stream: BinaryIO
    inflated_at: int | None
    size: int


@contextmanager
def one_error(path: Path, what: str = "is damaged") -> Iterator[None]:
    """Turn whatever reading raises into an InputError of one line; pydicom's warnings are left out.

    pydicom and decoders raise all sorts of errors for damaged files, and what is written in Rust panics, which is no
    Exception.
    """
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except InvalidDicomError as error:
        raise InputError("is not a DICOM file", path=path) from error
    except RecursionError as error:
        raise InputError(f"{what}: its sequences are nested too deep", path=path) from error
    except MemoryError as error:
        raise InputError(f"{what}: it asks for more memory than there is", path=path) from error
    except BaseException as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"cannot be read: {printable(error.strerror, _SHOWN)}", path=path) from error
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{what}: {printable(error, _SHOWN)}", path=path) from error


@contextmanager
def opened(path: Path, *, is_whole: bool = False) -> Iterator[Opened]:
    """Open a DICOM file, and read it up to its pixels.

    Args:
        path: the file.
        is_whole: whether large elements are read, too; else they are not in the header, but for lists of frames.

    Raises:
        InputError: it cannot be read, is not DICOM, ends early or is damaged; also for what is raised inside.
    """
    with one_error(path), open_dicom(path, is_whole=is_whole) as found:
        yield found


@contextmanager
def open_dicom(path: Path, *, is_whole: bool = False) -> Iterator[Opened]:
    """As `opened`, but errors are any: for what reads on piece by piece, with `one_error` around each."""
    size = path.stat().st_size
    with _Metered(io.FileIO(path), size) as file:
        try:
            found = _read(path, file, size)
            _load(found, is_whole=is_whole)
        except (EOFError, OSError) as error:
            if isinstance(error.__context__, _TooManyItemsError):
                raise error.__context__ from None
            if isinstance(error, EOFError) or (error.errno is None and file.tell() >= size):
                raise ends_early(path) from error
            raise
        yield found


def file_meta_of(path: Path) -> tuple[Dataset, int]:
    """Return the File Meta Information of a file, and where its data set begins.

    Raises:
        InputError: it cannot be read, is not DICOM or is damaged.
    """
    with one_error(path):
        size = path.stat().st_size
        with _Metered(io.FileIO(path), size) as file:
            return _read_meta(file)


def class_of(path: Path) -> str:
    """Return the SOP Class UID of a file by its meta information, empty if there is none; errors as `file_meta_of`."""
    meta, _ = file_meta_of(path)
    with one_error(path):
        return str(meta.get("MediaStorageSOPClassUID") or "")


def ends_early(path: Path, what: str = "before its pixels") -> InputError:
    """Return that a file is only the beginning of one."""
    return InputError(f"ends early, {what}", path=path, hint="its copy broke off: copy it again")


def _read(path: Path, file: _Metered, size: int) -> Opened:
    meta, at = _read_meta(file)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        file.seek(0)
        return Opened(dcmread(file, defer_size=_SMALL, stop_before_pixels=True), file, None, size)
    data = b"".join(inflated(path, at, MOST_INFLATED))
    stream = _Metered(io.BytesIO(data), len(data))
    header = read_dataset(stream, is_implicit_VR=False, is_little_endian=True, stop_when=_at_pixels)
    header.file_meta = FileMetaDataset(meta)
    return Opened(header, stream, at, size)


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group == _PIXELS


def _read_meta(file: BinaryIO) -> tuple[Dataset, int]:
    """Return File Meta Information, and where it ends; the file is at its beginning."""
    read_preamble(file, force=False)
    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_after_meta)
    return meta, file.tell()


def _after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != _META


def inflated(path: Path, at: int, most: int | None = None) -> Iterator[bytes]:
    """Yield what a deflated file holds from there on, in pieces; at most so many bytes.

    Raises:
        zlib.error: it is no deflated data.
    """
    inflating, left, data = zlib.decompressobj(-zlib.MAX_WBITS), most, b""
    with path.open("rb") as file:
        file.seek(at)
        while not inflating.eof and (left is None or left > 0):
            data = data or file.read(_PIECE)
            piece = inflating.decompress(data, _PIECE)
            if not data and not piece:
                return  # it ends early
            data = inflating.unconsumed_tail
            yield piece if left is None else piece[:left]
            left = None if left is None else left - len(piece)


def _load(found: Opened, *, is_whole: bool) -> None:
    """Read large elements that are asked for, and leave out the others; refuse one whose value is cut off."""
    header, stream, start = found.header, found.stream, found.stream.tell()
    if not len(header):
        raise EOFError
    if is_whole and start > _MOST_KEPT:
        raise ValueError(f"more than {_MOST_KEPT >> 20} MiB before its pixels")
    for tag, held in list(header.items()):
        element = held
        if not isinstance(element, RawDataElement):
            continue
        if element.value is None and element.length:
            if not is_whole and _vr(element) not in _LISTS:
                del header[tag]
                continue
            stream.seek(element.value_tell)
            element = element._replace(value=stream.read(element.length))
            header[tag] = element
        if element.value is not None and len(element.value) < element.length < _UNDEFINED:
            raise EOFError
    stream.seek(start)


_UNDEFINED = 0xFFFFFFFF


def _vr(element: RawDataElement) -> str:
    return dictionary_VR(element.tag) if dictionary_has_tag(element.tag) else element.VR or ""


class _Metered(io.BufferedReader):
    """Reads a file, and counts the items of sequences: pydicom takes 0.1 ms and 1 kB for each, however small it is."""

    def __init__(self, raw: io.FileIO | io.BytesIO, size: int) -> None:
        super().__init__(raw)
        self._size = size
        self._items = 0

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _SMALL:  # what is asked for is allocated, there or not
            left = max(0, self._size - self.tell())
            size = left if size is None or size < 0 else min(size, left)
        data = super().read(size)
        self._items += data.count(_ITEM)
        if self._items > _MOST_ITEMS:
            raise _TooManyItemsError(f"its sequences have more than {_MOST_ITEMS} items")
        return data


class _TooManyItemsError(ValueError):
    """The sequences of a file have more items than any image's."""
