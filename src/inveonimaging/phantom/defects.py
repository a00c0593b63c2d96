"""What is wrong with files in the field, to be put into the phantom's on purpose."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from enum import Enum

import numpy as np

from inveonimaging.errors import OptionError
from inveonimaging.inveon.pairs import Pair
from inveonimaging.phantom.scan import Scan

_EXTRA_BYTES = 1024
_ABOVE_SIGNED = 2**31


class Defect(Enum):
    """What is wrong; the value says it in words."""

    # the data file
    NO_DATA = "the data file is missing"
    EMPTY_DATA = "the data file has no bytes"
    SHORT_DATA = "the data file ends one byte early"
    LONG_DATA = "the data file has 1024 bytes more than the header says"
    NAN_VOXELS = "the last frame ends with NaN, +infinity and -infinity (float data only)"
    # the header file as a whole
    NO_HEADER = "the header file is missing"
    EMPTY_HEADER = "the header file has no bytes"
    BINARY_HEADER = "the header file holds voxels"
    UTF16_HEADER = "an editor has saved the header as UTF-16"
    FOREIGN_HEADER = "the header file is text of another kind"
    TRUNCATED_HEADER = "the header breaks off in the last frame's block"
    HALF_HEADER = "the header breaks off in the main block"
    NO_END_OF_HEADER = "no block of the header has its end_of_header"
    NO_FRAMES = "the header has no frame blocks"
    LONG_LINE = "a line of the header has 100 000 characters"
    REPEATED_KEY = "x_dimension is given twice, with different values"
    UNKNOWN_KEYS = "the header has keys and lines that nobody knows"
    ESCAPE_SEQUENCE = "the subject's identifier holds a terminal's escape sequence"
    # the array
    MISSING_DIMENSION = "y_dimension is absent"
    EMPTY_DIMENSION = "y_dimension has no value"
    ZERO_DIMENSION = "y_dimension is 0"
    NEGATIVE_DIMENSION = "y_dimension is negative"
    ABSURD_DIMENSION = "y_dimension is larger than any array"
    TEXT_DIMENSION = "y_dimension is a word"
    MISSING_DATA_TYPE = "data_type is absent"
    UNKNOWN_DATA_TYPE = "data_type is a code that nobody knows"
    WRONG_FRAME_COUNT = "total_frames is larger than the number of frame blocks"
    MISSING_POINTERS = "data_file_pointer is absent in every frame"
    NEGATIVE_POINTERS = "data_file_pointer is negative in every frame"
    POINTER_BEYOND_END = "data_file_pointer of the last frame lies beyond the end of the file"
    OVERLAPPING_FRAMES = "data_file_pointer is 0 in every frame"
    SIGNED_LOW_POINTER = "the frames start at 2 GiB, where the pointer's low word is printed negative (a sparse file)"
    # values
    MISSING_SCALE_FACTOR = "scale_factor is absent in every frame"
    ZERO_SCALE_FACTOR = "scale_factor is 0 in every frame"
    NAN_SCALE_FACTOR = "scale_factor is nan in every frame"
    DECIMAL_COMMA = "scale_factor is written with a decimal comma"
    NO_CALIBRATION = "calibration_factor is 0: nobody has calibrated the scanner"
    NO_BRANCHING_FRACTION = "isotope_branching_fraction is 0"
    OTHER_DECAY = "decay_correction is not the factor to the start of the scan"
    STALE_EXTREMES = "minimum and maximum are those of other data"
    # place and time
    MISSING_PIXEL_SIZE = "the voxel sizes are absent"
    ZERO_PIXEL_SIZE = "the voxel size in x is 0"
    PIXEL_SIZES_DISAGREE = "pixel_size says 45 mm, and pixel_size_x something else"
    NO_ORIENTATION = "subject_orientation is 0: nobody has entered it"
    UNKNOWN_ORIENTATION = "subject_orientation is a code that nobody knows"
    ROTATED = "image_ref_rotation is not zero"
    NO_SCAN_TIME = "scan_time is absent"
    IMPOSSIBLE_SCAN_TIME = "scan_time is the 31st of February"
    ODD_TIME_ZONE = "scan_time and gmt_scan_time are 3 h 7 min apart"
    # what it is
    STALE_FILE_NAME = "file_name is another file's, with its path on the acquisition computer"
    UNKNOWN_MODALITY = "modality is a code that nobody knows"
    SINOGRAM = "file_type says that the data are a sinogram, and no reconstruction is named"
    NO_WEIGHT = "subject_weight is 0: nobody has entered it"


Text = Callable[[bytes], bytes]
Files = Callable[[Pair, Scan], None]


def on_scan(scan: Scan, defects: Collection[Defect]) -> Scan:
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
        if defect in _ON_HEADER:
            spoiled = _ON_HEADER[defect](text)
            if spoiled == text:
                raise OptionError(f"defect {defect.name} changes nothing in this header", expected=defect.value)
            text = spoiled
    return text


def on_files(pair: Pair, scan: Scan, defects: Collection[Defect]) -> None:
    """Put those defects into written files that are neither in the layout nor in the header's text."""
    for defect in defects:
        if defect in _ON_FILES:
            _ON_FILES[defect](pair, scan)


def _set(key: str, value: str) -> Text:
    """Return what gives a key another value, wherever it occurs."""
    line = f"{key} {value}".encode()
    return lambda text: re.sub(rb"(?m)^%b [^\r\n]*" % key.encode(), lambda _: line, text)


def _set_last(key: str, value: str) -> Text:
    """Return what gives a key another value where it occurs last."""
    last = re.compile(rb"(?s)(.*\n%b )[^\r\n]*" % key.encode())
    return lambda text: last.sub(lambda match: match[1] + value.encode(), text, count=1)


def _drop(*keys: str) -> Text:
    """Return what takes keys away, wherever they occur."""
    names = b"|".join(key.encode() for key in keys)
    return lambda text: re.sub(rb"(?m)^(?:%b)(?:[ \r][^\n]*)?\n" % names, b"", text)


def _both(one: Text, other: Text) -> Text:
    return lambda text: other(one(text))


def _before_end(*lines: str) -> Text:
    """Return what adds lines at the end of the main block."""
    added = "".join(f"{line}\n" for line in lines).encode()
    return lambda text: text.replace(b"end_of_header", added + b"end_of_header", 1)


def _always(text: bytes) -> Text:
    """Return what puts another text in its place."""
    return lambda _: text


def _lengthen(pair: Pair, by: int) -> None:
    os.truncate(pair.data, pair.data.stat().st_size + by)


def _not_finite(pair: Pair, scan: Scan) -> None:
    odd = np.array([np.nan, np.inf, -np.inf])
    with pair.data.open("r+b") as file:
        file.seek(-len(odd) * scan.dtype.itemsize, os.SEEK_END)
        file.write(odd.astype(scan.dtype).tobytes())


_ON_HEADER: dict[Defect, Text] = {
    Defect.EMPTY_HEADER: _always(b""),
    Defect.BINARY_HEADER: _always(np.arange(-512, 512, dtype="<i2").tobytes()),
    Defect.UTF16_HEADER: lambda text: text.decode("latin-1").encode("utf-16"),
    Defect.FOREIGN_HEADER: _always(b"!INTERFILE :=\n!imaging modality := PT\n"),
    Defect.TRUNCATED_HEADER: lambda text: text[: text.rindex(b"data_file_pointer") + 8],
    Defect.HALF_HEADER: lambda text: text[: text.index(b"x_dimension") + 4],
    Defect.NO_END_OF_HEADER: _drop("end_of_header"),
    Defect.NO_FRAMES: lambda text: text[: text.index(b"end_of_header")] + b"end_of_header\n",
    Defect.LONG_LINE: _set("acquisition_notes", "long " * 20_000),
    Defect.REPEATED_KEY: _before_end("x_dimension 999"),
    Defect.UNKNOWN_KEYS: _before_end("future_key 1 2 3", "ROI_colour red", "lonely_key"),
    Defect.ESCAPE_SEQUENCE: _set("subject_identifier", "M0042 \x1b[31mred\x1b[0m"),
    Defect.MISSING_DIMENSION: _drop("y_dimension"),
    Defect.EMPTY_DIMENSION: _set("y_dimension", ""),
    Defect.ZERO_DIMENSION: _set("y_dimension", "0"),
    Defect.NEGATIVE_DIMENSION: _set("y_dimension", "-64"),
    Defect.ABSURD_DIMENSION: _set("y_dimension", "2147483647"),
    Defect.TEXT_DIMENSION: _set("y_dimension", "many"),
    Defect.MISSING_DATA_TYPE: _drop("data_type"),
    Defect.UNKNOWN_DATA_TYPE: _set("data_type", "9"),
    Defect.WRONG_FRAME_COUNT: _set("total_frames", "999"),
    Defect.MISSING_POINTERS: _drop("data_file_pointer"),
    Defect.NEGATIVE_POINTERS: _set("data_file_pointer", "-1 -4096"),
    Defect.POINTER_BEYOND_END: _set_last("data_file_pointer", "0 1073741824"),
    Defect.OVERLAPPING_FRAMES: _set("data_file_pointer", "0 0"),
    Defect.MISSING_SCALE_FACTOR: _drop("scale_factor"),
    Defect.ZERO_SCALE_FACTOR: _set("scale_factor", "0"),
    Defect.NAN_SCALE_FACTOR: _set("scale_factor", "nan"),
    Defect.DECIMAL_COMMA: _set("scale_factor", "0,0125"),
    Defect.NO_CALIBRATION: _set("calibration_factor", "0"),
    Defect.NO_BRANCHING_FRACTION: _set("isotope_branching_fraction", "0"),
    Defect.OTHER_DECAY: _set("decay_correction", "1.9"),
    Defect.STALE_EXTREMES: _both(_set("minimum", "0"), _set("maximum", "0.125")),
    Defect.MISSING_PIXEL_SIZE: _drop("pixel_size", "pixel_size_x", "pixel_size_y", "pixel_size_z"),
    Defect.ZERO_PIXEL_SIZE: _set("pixel_size_x", "0"),
    Defect.PIXEL_SIZES_DISAGREE: _both(_drop("pixel_size"), _before_end("pixel_size 4.5")),
    Defect.NO_ORIENTATION: _set("subject_orientation", "0"),
    Defect.UNKNOWN_ORIENTATION: _set("subject_orientation", "12"),
    Defect.ROTATED: _set("image_ref_rotation", "0 0 1.5"),
    Defect.NO_SCAN_TIME: _drop("scan_time"),
    Defect.IMPOSSIBLE_SCAN_TIME: _set("scan_time", "Mon Feb 31 12:00:00 2014"),
    Defect.ODD_TIME_ZONE: _both(
        _set("scan_time", "Tue Jun 17 07:00:00 2014"), _set("gmt_scan_time", "Tue Jun 17 10:07:00 2014")
    ),
    Defect.STALE_FILE_NAME: _set("file_name", r"D:\Data\Rat 7\rat_7_v1.pet.img"),
    Defect.UNKNOWN_MODALITY: _set("modality", "7"),
    Defect.SINOGRAM: _both(_set("file_type", "2"), _set("recon_algorithm", "0")),
    Defect.NO_WEIGHT: _set("subject_weight", "0"),
}
_ON_FILES: dict[Defect, Files] = {
    Defect.NO_DATA: lambda pair, _: pair.data.unlink(),
    Defect.EMPTY_DATA: lambda pair, _: os.truncate(pair.data, 0),
    Defect.SHORT_DATA: lambda pair, _: _lengthen(pair, -1),
    Defect.LONG_DATA: lambda pair, _: _lengthen(pair, _EXTRA_BYTES),
    Defect.NAN_VOXELS: _not_finite,
    Defect.NO_HEADER: lambda pair, _: pair.header.unlink(),
}
