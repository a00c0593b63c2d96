"""What is wrong with files in the field, to be put into the phantom's on purpose."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from enum import Enum
from pathlib import Path

import numpy as np

from inveonimaging.errors import OptionError
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair
from inveonimaging.phantom import Mouse, PhantomScan, files

_ABOVE_SIGNED = 2**31


Change = Callable[[bytes], bytes]  # of a header's text


def _set(key: str, value: str) -> Change:
    """Return what gives a key another value, wherever it occurs."""
    line = f"{key} {value}".encode()
    return lambda text: re.sub(rb"(?m)^%b [^\r\n]*" % key.encode(), lambda _: line, text)


def _set_last(key: str, value: str) -> Change:
    """Return what gives a key another value where it occurs last."""
    last = re.compile(rb"(?s)(.*\n%b )[^\r\n]*" % key.encode())
    return lambda text: last.sub(lambda match: match[1] + value.encode(), text, count=1)


def _drop(*keys: str) -> Change:
    """Return what takes keys away, wherever they occur."""
    names = b"|".join(key.encode() for key in keys)
    return lambda text: re.sub(rb"(?m)^(?:%b)(?:[ \r][^\n]*)?\n" % names, b"", text)


def _before_end(*lines: str) -> Change:
    """Return what adds lines at the end of the main block."""
    added = "".join(f"{line}\n" for line in lines).encode()
    return lambda text: text.replace(b"end_of_header", added + b"end_of_header", 1)


class Defect(Enum):
    """What is wrong, in words, and what makes a header's text so; the rest is done by `on_scan` and `on_files`."""

    def __init__(self, words: str, *changes: Change) -> None:
        self.words, self.changes = words, changes

    # the data file
    NO_DATA = "the data file is missing"
    EMPTY_DATA = "the data file has no bytes"
    SHORT_DATA = "the data file ends one byte early"
    LONG_DATA = "the data file has 1024 bytes more than the header gives"
    NAN_VOXELS = "the last frame ends with NaN, +infinity and -infinity (float data only)"
    # the header file as a whole
    NO_HEADER = "the header file is missing"
    EMPTY_HEADER = "the header file has no bytes", lambda _: b""
    BINARY_HEADER = "the header file holds voxels", lambda _: np.arange(-512, 512, dtype="<i2").tobytes()
    UTF16_HEADER = "an editor has saved the header as UTF-16", lambda text: text.decode("latin-1").encode("utf-16")
    FOREIGN_HEADER = "the header file is text of another kind", lambda _: b"!INTERFILE :=\n!imaging modality := PT\n"
    TRUNCATED_HEADER = (
        "the header breaks off in the last frame's block",
        lambda text: text[: text.rindex(b"data_file_pointer") + 8],
    )
    HALF_HEADER = "the header breaks off in the main block", lambda text: text[: text.index(b"x_dimension") + 4]
    NO_END_OF_HEADER = "no block of the header has its end_of_header", _drop("end_of_header")
    NO_FRAMES = "the header has no frame blocks", lambda text: text[: text.index(b"end_of_header")] + b"end_of_header\n"
    LONG_LINE = "a line of the header has 100 000 characters", _set("acquisition_notes", "long " * 20_000)
    REPEATED_KEY = "x_dimension is given twice, with different values", _before_end("x_dimension 999")
    UNKNOWN_KEYS = (
        "the header has keys and lines that nobody knows",
        _before_end("future_key 1 2 3", "ROI_colour red", "lonely_key"),
    )
    ESCAPE_SEQUENCE = (
        "the subject's identifier holds a terminal's escape sequence",
        _set("subject_identifier", "M0042 \x1b[31mred\x1b[0m"),
    )
    # the array
    MISSING_DIMENSION = "y_dimension is absent", _drop("y_dimension")
    EMPTY_DIMENSION = "y_dimension has no value", _set("y_dimension", "")
    ZERO_DIMENSION = "y_dimension is 0", _set("y_dimension", "0")
    NEGATIVE_DIMENSION = "y_dimension is negative", _set("y_dimension", "-64")
    ABSURD_DIMENSION = "y_dimension is larger than any array", _set("y_dimension", "2147483647")
    TEXT_DIMENSION = "y_dimension is a word", _set("y_dimension", "many")
    MISSING_DATA_TYPE = "data_type is absent", _drop("data_type")
    UNKNOWN_DATA_TYPE = "data_type is a code that nobody knows", _set("data_type", "9")
    WRONG_FRAME_COUNT = "total_frames is larger than the number of frame blocks", _set("total_frames", "999")
    MISSING_POINTERS = "data_file_pointer is absent in every frame", _drop("data_file_pointer")
    NEGATIVE_POINTERS = "data_file_pointer is negative in every frame", _set("data_file_pointer", "-1 -4096")
    POINTER_BEYOND_END = (
        "data_file_pointer of the last frame lies beyond the end of the file",
        _set_last("data_file_pointer", "0 1073741824"),
    )
    OVERLAPPING_FRAMES = "data_file_pointer is 0 in every frame", _set("data_file_pointer", "0 0")
    SIGNED_LOW_POINTER = "the frames start at 2 GiB, where the pointer's low word is printed negative (a sparse file)"
    # values
    MISSING_SCALE_FACTOR = "scale_factor is absent in every frame", _drop("scale_factor")
    ZERO_SCALE_FACTOR = "scale_factor is 0 in every frame", _set("scale_factor", "0")
    NAN_SCALE_FACTOR = "scale_factor is nan in every frame", _set("scale_factor", "nan")
    DECIMAL_COMMA = "scale_factor is written with a decimal comma", _set("scale_factor", "0,0125")
    NO_CALIBRATION = "calibration_factor is 0: nobody has calibrated the scanner", _set("calibration_factor", "0")
    NO_BRANCHING_FRACTION = "isotope_branching_fraction is 0", _set("isotope_branching_fraction", "0")
    OTHER_DECAY = "decay_correction is not the factor to the start of the scan", _set("decay_correction", "1.9")
    STALE_EXTREMES = "minimum and maximum are those of other data", _set("minimum", "0"), _set("maximum", "0.125")
    # place and time
    MISSING_PIXEL_SIZE = (
        "the voxel sizes are absent",
        _drop("pixel_size", "pixel_size_x", "pixel_size_y", "pixel_size_z"),
    )
    ZERO_PIXEL_SIZE = "the voxel size in x is 0", _set("pixel_size_x", "0")
    PIXEL_SIZES_DISAGREE = (
        "pixel_size is 45 mm, and pixel_size_x something else",
        _drop("pixel_size"),
        _before_end("pixel_size 4.5"),
    )
    NO_ORIENTATION = "subject_orientation is 0: nobody has entered it", _set("subject_orientation", "0")
    UNKNOWN_ORIENTATION = "subject_orientation is a code that nobody knows", _set("subject_orientation", "12")
    ROTATED = "image_ref_rotation is not zero", _set("image_ref_rotation", "0 0 1.5")
    NO_SCAN_TIME = "scan_time is absent", _drop("scan_time")
    IMPOSSIBLE_SCAN_TIME = "scan_time is the 31st of February", _set("scan_time", "Mon Feb 31 12:00:00 2014")
    IMPOSSIBLE_TIME_ZONE = (
        "scan_time and gmt_scan_time are 3 h 7 min apart",
        _set("scan_time", "Tue Jun 17 07:00:00 2014"),
        _set("gmt_scan_time", "Tue Jun 17 10:07:00 2014"),
    )
    # what it is
    STALE_FILE_NAME = (
        "file_name is another file's, with its path on the acquisition computer",
        _set("file_name", r"D:\Data\Rat 7\rat_7_v1.pet.img"),
    )
    UNKNOWN_MODALITY = "modality is a code that nobody knows", _set("modality", "7")
    SINOGRAM = (
        "file_type means that the data are a sinogram, and no reconstruction is named",
        _set("file_type", "2"),
        _set("recon_algorithm", "0"),
    )
    NO_WEIGHT = "subject_weight is 0: nobody has entered it", _set("subject_weight", "0")


def write_scan(
    path: Path,
    scan: PhantomScan,
    *,
    mouse: Mouse = files.MOUSE,
    defects: Collection[Defect] = (),
    change: Callable[[Header], Header] | None = None,
) -> Pair:
    """Write a scan as `phantom.write_scan` does, with what is to be wrong, in the order in which it is done.

    Returns:
        The pair of paths, even if a defect is that one of the files is missing.

    Raises:
        OptionError: a defect does not fit the scan; nothing is left then.
    """
    scan = on_scan(scan, defects)
    pair = files.write_scan(path, scan, mouse=mouse, change=change)
    try:
        text = on_header(pair.header.read_bytes(), defects)
    except OptionError:
        pair.header.unlink()
        pair.data.unlink()
        raise
    pair.header.write_bytes(text)
    for defect in defects:
        if defect in _ON_FILES:
            _ON_FILES[defect](pair, scan)
    return pair


def on_scan(scan: PhantomScan, defects: Collection[Defect]) -> PhantomScan:
    """Return the scan with those defects that are a matter of its layout.

    Raises:
        OptionError: the data type cannot have a defect.
    """
    if Defect.NAN_VOXELS in defects and scan.dtype.kind != "f":
        raise OptionError(f"defect NAN_VOXELS does not fit {scan.data_type.label}", expected="a float data type")
    return replace(scan, first_offset=_ABOVE_SIGNED) if Defect.SIGNED_LOW_POINTER in defects else scan


def on_header(text: bytes, defects: Collection[Defect]) -> bytes:
    """Return a header's text with those defects that are in it, in the order given.

    Raises:
        OptionError: the header has nothing that could have the defect.
    """
    for defect in defects:
        before = text
        for change in defect.changes:
            text = change(text)
        if defect.changes and text == before:
            raise OptionError(f"defect {defect.name} changes nothing in this header", expected=defect.words)
    return text


def _not_finite(pair: Pair, scan: PhantomScan) -> None:
    values = np.array([np.nan, np.inf, -np.inf], scan.dtype)
    with pair.data.open("r+b") as file:
        file.seek(-values.nbytes, os.SEEK_END)
        file.write(values.tobytes())


_ON_FILES: dict[Defect, Callable[[Pair, PhantomScan], None]] = {
    Defect.NO_DATA: lambda pair, _: pair.data.unlink(),
    Defect.EMPTY_DATA: lambda pair, _: os.truncate(pair.data, 0),
    Defect.SHORT_DATA: lambda pair, _: os.truncate(pair.data, pair.data.stat().st_size - 1),
    Defect.LONG_DATA: lambda pair, _: os.truncate(pair.data, pair.data.stat().st_size + 1024),
    Defect.NAN_VOXELS: _not_finite,
    Defect.NO_HEADER: lambda pair, _: pair.header.unlink(),
}
