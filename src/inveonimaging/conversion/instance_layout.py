"""How the slices of a series are shared out among multi-frame objects, and what their files are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from inveonimaging.dicom.iods import Iod, MultiFrameIod
from inveonimaging.dicom.pixels import BYTES_PER_PIXEL, LONGEST
from inveonimaging.errors import OptionError, UnsupportedError
from inveonimaging.study.image import Image

DEFAULT_SIZE = 2**31
SMALLEST_SIZE = 2**20
_HEAD_BYTES = 64 * 1024  # bytes before the pixels, without the original header: bounds from above
_PER_SLICE_BYTES = 4 * 1024


def objects_of(image: Image, iod: Iod, largest_size: int) -> tuple[range, ...]:
    """Return which slices of a series, counted in the order in which they are written, each of its objects holds.

    Args:
        image: the image; each slice of each frame counts.
        iod: the SOP class.
        largest_size: of a file, in bytes.

    Raises:
        UnsupportedError: a SOP class that cannot be concatenated needs a larger object.
        OptionError: not even one slice fits.
    """
    columns, rows, slices = image.grid.shape
    plane, total = rows * columns * BYTES_PER_PIXEL, slices * len(image.frames)
    if plane > LONGEST:
        raise UnsupportedError(f"a slice has {plane} bytes as 16 bit pixels", expected=f"at most {LONGEST} in DICOM")
    if not isinstance(iod, MultiFrameIod):
        return tuple(range(number, number + 1) for number in range(total))
    fitting = (largest_size - _HEAD_BYTES - 2 * len(image.header_bytes)) // (plane + _PER_SLICE_BYTES)
    is_gated = image.part is not None and image.part.is_gated
    wanted = slices if iod.holds_one_time_frame and not is_gated else total
    if fitting < 1:
        raise OptionError(f"a slice of {plane} bytes does not fit into an object of {largest_size}")
    if fitting < wanted and not iod.may_be_concatenated:
        raise UnsupportedError(f"{wanted} slices of {plane} bytes in one {iod.name}", expected=f"at most {fitting}")
    if slices <= fitting < wanted:
        fitting -= fitting % slices  # whole volumes
    step = min(fitting, wanted)
    return tuple(range(first, min(first + step, total)) for first in range(0, total, step))


def file_names(prefix: str, objects: Sequence[range], iod: Iod, name: str | None) -> tuple[str, ...]:
    """Return the name of each file; `name` is that of a multi-frame object, numbered if there are several."""
    numbers = range(1, len(objects) + 1)
    if name is None or not isinstance(iod, MultiFrameIod):
        return tuple(f"{prefix}{number:06}.dcm" for number in numbers)
    path = PurePath(name)
    return (name,) if len(objects) == 1 else tuple(f"{path.stem}-{number:06}{path.suffix}" for number in numbers)


def object_size(text: str) -> int:
    """Return the number of bytes that `2GiB`, `500 MB` or `1048576` says.

    Raises:
        OptionError: it says none between 1 MiB and what an element may have.
    """
    units = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
    digits = text.strip().rstrip("BbKkMmGgIi ")
    factor = units.get(text.strip()[len(digits) :].strip().upper())
    if not digits.isdecimal() or factor is None or not SMALLEST_SIZE <= int(digits) * factor <= LONGEST:
        error = OptionError(key="the object size", got=text, expected="1MiB to 4095MiB, as 2GiB or 500MB")
        error.attribute = "largest_object"
        raise error
    return int(digits) * factor
