"""The complete original header, in a private block; documented in docs/reference/conformance.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import groupby

from pydicom.dataset import Dataset

from inveonimaging.dicom.encode import lo
from inveonimaging.dicom.series import Series
from inveonimaging.errors import HeaderError
from inveonimaging.inveon.hdr import parse
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.inveon.hdr.lexer import decode
from inveonimaging.physics.geometry import ASSUMED, DIRECTIONS
from inveonimaging.study.image import Image

GROUP = 0x0099
CREATOR = "INVEONIMAGING HEADER 1"
TEXT, NAME, ENCODING, LENGTH, BYTES, FRAMES, READ = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # PS3.5 6.1.3; ESC switches character sets
_FRAME = re.compile(rb"^\s*frame(?=\s|$)", re.MULTILINE | re.IGNORECASE)
_OF_ORIENTATION = re.compile(rb"subject_orientation|end_of_header", re.IGNORECASE)
_HEADERS = 4  # parsed once more; series of one file follow each other


def original_header(series: Series) -> Dataset:
    """Return the header file's text, for the first instance of a series; see `header_bytes` for the way back."""
    module = Dataset()
    image = series.image
    block = module.private_block(GROUP, CREATOR, create=True)
    text, encoding = decode(image.header_bytes)
    if _NO_TEXT.search(text) or text.endswith(" "):  # readers strip blanks
        block.add_new(BYTES, "OB", image.header_bytes)
    else:
        block.add_new(TEXT, "UT", text)
    name = image.pair.header.name
    is_line = lo(name) == name or _NO_TEXT.search(name) is not None
    block.add_new(NAME, "LO" if is_line else "UT", lo(name) if is_line else name)
    block.add_new(ENCODING, "LO", encoding)
    block.add_new(LENGTH, "UL", len(image.header_bytes))
    if image.part and image.part_name:
        block.add_new(FRAMES, "UT", _runs(image.part.frames))
    if read := list(_instead_of_header(series)):
        block.add_new(READ, "LO", read)
    return module


def _runs(frames: Sequence[int]) -> str:
    """Return numbers of frame blocks, as `0-3,8`."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(frames), key=lambda each: each[1] - each[0])]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _instead_of_header(series: Series) -> Iterator[str]:
    """Yield what counted instead of the header where the voxels were read, as options are typed."""
    image = series.image
    grid = image.grid.with_columns_reversed() if series.has_columns_reversed else image.grid
    if grid.orientation != _orientation(image.header_bytes):
        yield f"orientation {grid.orientation.name}"
    pairs = zip("xyz", grid.directions, DIRECTIONS[grid.orientation or ASSUMED], strict=True)
    if flipped := "".join(axis for axis, found, usual in pairs if found != usual):
        yield f"flip {flipped}"
    if _has_hounsfield_applied(image):
        yield "apply-hounsfield"


@lru_cache(_HEADERS)
def _orientation(header: bytes) -> Orientation:
    """Return what a header says: in its main block, which ends where the first frame begins, in lines that name it."""
    *lines, last = _FRAME.split(header, maxsplit=1)[0].split(b"\n")
    with suppress(HeaderError):
        parsed, _ = parse(b"\n".join([*filter(_OF_ORIENTATION.search, lines), last]))
        return parsed.geometry.orientation or Orientation.UNKNOWN
    return Orientation.UNKNOWN


def _has_hounsfield_applied(image: Image) -> bool:
    factors = tuple(frame.scale_factor for frame in image.frames)
    return image.modality is Modality.CT and (image.scaling.intercept != 0 or image.scaling.factors != factors)


def header_bytes(instance: Dataset) -> bytes:
    """Return the original header file, byte for byte, from an instance that carries it; KeyError if it does not."""
    block = instance.private_block(GROUP, CREATOR)
    length = int(block[LENGTH].value)
    content = block[BYTES].value if BYTES in block else str(block[TEXT].value).encode(str(block[ENCODING].value))
    return bytes(content[:length])  # an odd length is padded
