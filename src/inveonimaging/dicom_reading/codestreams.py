"""How large a compressed frame says by itself that its image is, which decoders believe, and make room for."""

from __future__ import annotations

import struct
from itertools import pairwise

from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

try:
    from rle.rle import decode_segment
except ImportError:  # pydicom's own decoder, in Python, does not panic
    decode_segment = None

_J2K = b"\xff\x4f\xff\x51"  # start of codestream, then at once its size (ISO/IEC 15444-1 A.4.1, A.5.1)
_J2K_SIZE = struct.Struct(">4s4xIIII16xH")
_RLE_HEADER = struct.Struct("<16I")
_JPEG = b"\xff\xd8"
_JPEG_SIZE = struct.Struct(">HBHHB")  # of a frame header (ISO/IEC 10918-1 B.2.2, 14495-1 C.2.2)
_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8), 0xFF}
_HTJ2K = "1.2.840.10008.1.2.4.20"  # 201 to 203
_MOST_OF_RAW = 2  # a compressed frame is not larger than its pixels, but for a little
_SPARE = 64 * 1024


def check_frame(frame: bytes, syntax: str, shape: tuple[int, int, int], size: int) -> None:
    """Refuse a compressed frame that makes its decoder take more room than its pixels do.

    Args:
        frame: its bytes.
        syntax: transfer syntax.
        shape: rows, columns and samples that the file states.
        size: of the pixels, in bytes.

    Raises:
        ValueError: it states another shape, or none, or is larger than its pixels can make it.
    """
    if len(frame) > _MOST_OF_RAW * size + _SPARE:
        raise ValueError(f"a frame has {len(frame)} bytes, for {size} bytes of pixels")
    if UID(syntax) == RLELossless:
        _check_rle(frame, shape[0] * shape[1])
        return
    found = _shape(frame, syntax)
    if found != shape:
        words, expected = (" x ".join(map(str, each)) if each else "no size" for each in (found, shape))
        raise ValueError(f"a frame says that it has {words} pixels, expected {expected} (rows, columns, samples)")


def _check_rle(frame: bytes, pixels: int) -> None:
    """Refuse segments (PS3.5 G.5) that do not hold so many pixels, at which the decoder panics, and says so."""
    count, *starts = _RLE_HEADER.unpack_from(frame)
    starts = [*starts[:count], len(frame)]
    for start, stop in pairwise(starts):
        if not _RLE_HEADER.size <= start < stop <= len(frame):
            raise ValueError("its compressed segments do not follow one another")
        if decode_segment is not None and len(decode_segment(frame[start:stop])) != pixels:
            raise ValueError(f"a compressed segment does not hold {pixels} pixels")


def _shape(frame: bytes, syntax: str) -> tuple[int, int, int] | None:
    if syntax in JPEG2000TransferSyntaxes or syntax.startswith(_HTJ2K):
        return _shape_of_j2k(frame)
    if syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        return _shape_of_jpeg(frame)
    raise ValueError(f"Transfer Syntax {UID(syntax).name} is not read")


def _shape_of_j2k(frame: bytes) -> tuple[int, int, int] | None:
    if len(frame) < _J2K_SIZE.size:
        return None
    start, right, bottom, left, top, samples = _J2K_SIZE.unpack_from(frame)
    return (bottom - top, right - left, samples) if start == _J2K else None


def _shape_of_jpeg(frame: bytes) -> tuple[int, int, int] | None:
    at = len(_JPEG)
    while frame.startswith(_JPEG) and at + 2 + _JPEG_SIZE.size <= len(frame) and frame[at] == 0xFF:  # noqa: PLR2004 - a marker
        marker = frame[at + 1]
        if marker in _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2  # noqa: PLR2004 - fill bytes
            continue
        length, _precision, rows, columns, samples = _JPEG_SIZE.unpack_from(frame, at + 2)
        if marker in _FRAME_HEADERS:
            return rows, columns, samples
        at += 2 + length
    return None
