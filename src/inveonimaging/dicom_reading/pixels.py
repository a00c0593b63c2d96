"""The pixels of DICOM files, plane by plane: where they lie, or decoded by pydicom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames, get_frame
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.pixels.utils import as_pixel_options, iter_pixels
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inveonimaging.dicom_reading.codestreams import check_frame
from inveonimaging.dicom_reading.opening import MOST_INFLATED, Opened, inflated, one_error, open_dicom

_PIXEL_DATA = b"\xe0\x7f\x10\x00"  # the tag (7FE0,0010) in little endian
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_HEAD = 8  # bytes of tag and length of an item, or of VR and length of an element of pixels
_UNDEFINED = 0xFFFFFFFF
_BITS = {8, 16, 32}
_OF_SIZES = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "BitsStored")
_LITTLE_ENDIAN = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian}
_MOST_DEFLATED = 1032  # times smaller than what it holds is what deflate makes of it at most (zlib's documentation)
_PLUGINS = ("pydicom", "pylibjpeg", "pyjpegls", "pillow")  # that raise an exception for what they cannot decode
_WHAT = "the pixels cannot be read"


class Native(NamedTuple):
    """Where pixels lie that are not compressed one by one.

    Attributes:
        offset: of the first, in the file, or in what it holds if it is deflated as a whole.
        dtype: of one.
        shape: planes, rows, columns.
        inflated_at: where the deflated part of the file begins; None if there is none.
    """

    offset: int
    dtype: str
    shape: tuple[int, int, int]
    inflated_at: int | None = None

    @property
    def plane_bytes(self) -> int:
        """How many bytes a plane has."""
        return self.shape[1] * self.shape[2] * np.dtype(self.dtype).itemsize


def read_planes(path: Path, native: Native | None = None) -> Iterator[npt.NDArray[Any]]:
    """Yield the stored values of each plane of a file, (rows, columns), one by one.

    Args:
        path: the file.
        native: where they lie, if they are not compressed; else they are decoded.

    Raises:
        InputError: they cannot be read or decoded, or end early.
    """
    if native is None:
        planes = _decoded(path)
    else:
        planes = (_native_plane(path, native, n) for n in range(native.shape[0]))
        planes = planes if native.inflated_at is None else _inflated_planes(path, native)
    while True:
        with one_error(path, _WHAT):
            plane = next(planes, None)
        if plane is None:
            return
        yield plane


def read_plane(path: Path, native: Native | None, index: int) -> npt.NDArray[Any]:
    """Return the stored values of one plane; as `read_planes`."""
    with one_error(path, _WHAT):
        if native is None:
            found = next(_decoded(path, index), None)
        elif native.inflated_at is None:
            return _native_plane(path, native, index)
        else:
            found = next(islice(_inflated_planes(path, native), index, None), None)
        if found is None:
            raise ValueError(f"there is no plane {index + 1}")
        return found


def _native_plane(path: Path, native: Native, index: int) -> npt.NDArray[Any]:
    planes, rows, columns = native.shape
    offset = native.offset + index * native.plane_bytes
    is_whole = offset + native.plane_bytes <= path.stat().st_size
    if not 0 <= index < planes or not is_whole:  # asked before memory is taken for it
        raise ValueError(f"plane {index + 1} of {planes} ends early")
    return np.fromfile(path, native.dtype, rows * columns, offset=offset).reshape(rows, columns)


def _inflated_planes(path: Path, native: Native) -> Iterator[npt.NDArray[Any]]:
    """Yield the planes of a deflated file, of which one is in memory at a time."""
    planes, rows, columns = native.shape
    skipped, data = native.offset, bytearray()
    found = 0
    for piece in inflated(path, native.inflated_at or 0):
        data += piece[skipped:]
        skipped = max(0, skipped - len(piece))
        while len(data) >= native.plane_bytes and found < planes:
            found += 1
            yield np.frombuffer(bytes(data[: native.plane_bytes]), native.dtype).reshape(rows, columns)
            del data[: native.plane_bytes]
        if found == planes:
            return
    raise ValueError(f"plane {found + 1} of {planes} ends early")


def _decoded(path: Path, index: int | None = None) -> Iterator[npt.NDArray[Any]]:
    """Yield the planes, or one of them, that take more than an offset to read."""
    with open_dicom(path) as file:
        _refuse_several(file.header)
        syntax = UID(str(file.header.file_meta.get("TransferSyntaxUID", "")), config.IGNORE)
        if syntax.is_encapsulated:
            yield from _decompressed(file, syntax, index)
            return
        source: Any = path
        if file.inflated_at is not None:
            size = file.header.Rows * file.header.Columns * int(file.header.get("NumberOfFrames") or 1)
            if size * file.header.BitsAllocated * file.header.get("SamplesPerPixel", 1) > 8 * MOST_INFLATED:
                raise ValueError(f"deflated pixels of {file.header.BitsAllocated} bits take more than it may")
            source = file.header
            source.PixelData = _deflated_value(file)
        yield from iter_pixels(source, raw=True, indices=None if index is None else [index])


def _refuse_several(header: Dataset) -> None:
    """Refuse several values where sizes are reckoned: a list times a number is a list of so many more values."""
    for keyword in _OF_SIZES:
        if not isinstance(header.get(keyword), int | None):
            raise TypeError(f"{keyword} is not one number")


def _deflated_value(file: Opened) -> bytes:
    """Return the bytes of the pixels of a file that is deflated as a whole, of which few enough were inflated."""
    file.stream.seek(len(_PIXEL_DATA), 1)
    _length(file.stream, is_implicit=False)
    return file.stream.read()


def _plugin(decoder: Decoder) -> str:
    """Return which of pydicom's plugins decodes: GDCM, which damaged pixels may abort, where no other can."""
    return next((name for name in _PLUGINS if name in decoder.available_plugins), "")


def _decompressed(file: Opened, syntax: UID, index: int | None) -> Iterator[npt.NDArray[Any]]:
    decoder = get_decoder(syntax)
    options = as_pixel_options(file.header)
    count = options["number_of_frames"]
    shape = options["rows"], options["columns"], options["samples_per_pixel"]
    size = shape[0] * shape[1] * shape[2] * max(8, options["bits_allocated"]) // 8
    options.pop("extended_offsets", None)
    options.update(number_of_frames=1, pixel_keyword="PixelData", transfer_syntax_uid=syntax)
    options["decoding_plugin"] = _plugin(decoder)
    file.stream.seek(len(_PIXEL_DATA), 1)
    _length(file.stream, is_implicit=False)
    if index is None:
        frames = generate_frames(file.stream, number_of_frames=count)
    else:
        frames = iter([get_frame(file.stream, index, number_of_frames=count)])
    for frame in islice(frames, count):
        check_frame(frame, syntax, shape, size)
        yield decoder.as_array(encapsulate([frame], has_bot=False), index=0, raw=True, **options)[0]


def look_at_pixels(file: Opened, values: Mapping[str, Any], shape: tuple[int, int, int]) -> tuple[Native | None, str]:
    """Return where the pixels lie of a file that was read up to them, and how they end early.

    Args:
        file: as it was opened.
        values: of its header, by keyword.
        shape: planes, rows, columns that it states.

    Returns:
        None if reading them needs more than an offset; an empty text if nothing is known to be missing.
    """
    syntax = UID(str(values.get("TransferSyntaxUID") or ""), config.IGNORE)
    head = file.stream.read(4)
    length = _length(file.stream, is_implicit=syntax == ImplicitVRLittleEndian) if head == _PIXEL_DATA else None
    if length is None:
        return None, "" if head else "before its pixels"
    if syntax.is_encapsulated:
        return None, _lost_frames(file, shape[0])
    bits: Any = values.get("BitsAllocated")
    is_plain = bits in _BITS and bits == values.get("BitsStored") and values.get("SamplesPerPixel") == 1
    if syntax not in _LITTLE_ENDIAN or length == _UNDEFINED or not is_plain:
        return None, ""
    dtype = f"<{'i' if values.get('PixelRepresentation') == 1 else 'u'}{bits // 8}"
    native = Native(file.stream.tell(), dtype, shape, file.inflated_at)
    there = file.size - native.offset
    if file.inflated_at is not None:
        there = file.size * _MOST_DEFLATED
    stated = native.plane_bytes * shape[0]
    return native, f"after {there} of {stated} bytes of its pixels" if there < stated else ""


def _lost_frames(file: Opened, planes: int) -> str:
    """Return how compressed frames end early: whether all items are there, by their lengths alone."""
    stream, found = file.stream, -1  # the first item is the table of offsets
    while len(head := stream.read(_HEAD)) == _HEAD and head[:4] != _END:
        if head[:4] != _ITEM:
            raise ValueError("its compressed frames are not items")
        at = stream.tell() + int.from_bytes(head[4:], "little")
        if at > file.size:
            break
        stream.seek(at)
        found += 1
    return "" if found >= planes else f"after {max(0, found)} of {planes} compressed frames"


def _length(stream: BinaryIO, *, is_implicit: bool) -> int | None:
    """Return how many bytes the pixels have, as their element says behind its tag; None if it is none of pixels."""
    if is_implicit:
        return int.from_bytes(stream.read(4), "little")
    head = stream.read(_HEAD)
    is_pixels = len(head) == _HEAD and head[:2] in (b"OB", b"OW")
    return int.from_bytes(head[4:], "little") if is_pixels else None
