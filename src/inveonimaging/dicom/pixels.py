"""Pixels -> bytes, in the transfer syntaxes that keep every value: native, deflated, and lossless compression.

Frames are encoded one by one, as they come, so that memory does not grow with their number.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.pixels.encoders.base import Encoder, get_encoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from inveonimaging.dicom.write import Head
from inveonimaging.errors import OptionError, UnsupportedError
from inveonimaging.extras import how_to_install

Frames = Iterable[npt.NDArray[np.int16]]
Bytes = bytes | memoryview

LONGEST = 2**32 - 2  # of an element: an even number in 32 bits
BYTES_PER_PIXEL = 2
_ELEMENT = struct.Struct("<HH2s2xL")
_ITEM = struct.Struct("<HHL")
_UNDEFINED = 0xFFFFFFFF
_NO_OFFSETS = _ITEM.pack(0xFFFE, 0xE000, 0)  # an empty Basic Offset Table: one of 32 bits would overflow
_END = _ITEM.pack(0xFFFE, 0xE0DD, 0)


class Compression(str, Enum):
    """How pixels are compressed; no value changes."""

    NONE = "none"
    RLE = "rle"
    JPEG_LS = "jpegls"
    JPEG_2000 = "j2k"
    DEFLATED = "deflated"


@dataclass(frozen=True)
class TransferSyntax:
    """A transfer syntax and how a file is written in it.

    Attributes:
        uid: Transfer Syntax UID.
        file: of what precedes the pixels, the frames (each (rows, columns)), and their number; yields the file.
    """

    uid: UID
    file: Callable[[Head, Frames, int], Iterator[Bytes]]


def transfer_syntax_of(compression: Compression) -> TransferSyntax:
    """Return the transfer syntax of a compression.

    Raises:
        OptionError: the package that compresses is not installed.
    """
    if compression is Compression.NONE:
        return TransferSyntax(ExplicitVRLittleEndian, _native)
    if compression is Compression.DEFLATED:
        return TransferSyntax(DeflatedExplicitVRLittleEndian, _deflated)
    encoder = get_encoder(_ENCAPSULATED[compression])
    if not encoder.is_available:
        raise OptionError(
            f"nothing is installed that compresses to {compression.value}",
            hint=f"{how_to_install('compress')}, or --compress none",
        )
    return TransferSyntax(encoder.UID, partial(_encapsulated, encoder, compression.value))


_ENCAPSULATED = {
    Compression.RLE: RLELossless,
    Compression.JPEG_LS: JPEGLSLossless,
    Compression.JPEG_2000: JPEG2000Lossless,
}


def _native(head: Head, frames: Frames, count: int) -> Iterator[Bytes]:
    """Yield a file with its pixels as they are: OW, int16 little endian (PS3.5 A.2)."""
    planes = iter(frames)
    first = next(planes)
    yield head.meta + head.body + _ELEMENT.pack(0x7FE0, 0x0010, b"OW", count * first.size * BYTES_PER_PIXEL)
    for plane in chain([first], planes):
        yield np.ascontiguousarray(plane, "<i2").reshape(-1).view(np.uint8).data


def _deflated(head: Head, frames: Frames, count: int) -> Iterator[Bytes]:
    """Yield a file that is deflated as a whole, but for its meta information (PS3.5 A.5)."""
    yield head.meta
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    written = 0
    for part in _native(Head(b"", head.body), frames, count):
        done = deflate.compress(part)
        written += len(done)
        yield done
    done = deflate.flush()
    yield done + b"\0" * ((written + len(done)) % 2)


def _encapsulated(encoder: Encoder, name: str, head: Head, frames: Frames, _count: int) -> Iterator[Bytes]:
    """Yield a file with one fragment a frame (PS3.5 A.4)."""
    yield head.meta + head.body + _ELEMENT.pack(0x7FE0, 0x0010, b"OB", _UNDEFINED) + _NO_OFFSETS
    for plane in frames:
        try:
            fragment = encoder.encode(plane, **_pixel_options(plane))
        except RuntimeError as error:
            raise UnsupportedError(
                f"a slice of {plane.shape[1]} x {plane.shape[0]} pixels cannot be compressed to {name}",
                hint="--compress none",
            ) from error
        fragment += b"\0" * (len(fragment) % 2)
        yield _ITEM.pack(0xFFFE, 0xE000, len(fragment)) + fragment
    yield _END


def _pixel_options(plane: npt.NDArray[np.int16]) -> dict[str, Any]:
    rows, columns = plane.shape
    return {
        "rows": rows,
        "columns": columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_representation": 1,
        "bits_allocated": 16,
        "bits_stored": 16,
    }
