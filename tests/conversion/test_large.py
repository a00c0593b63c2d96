"""A CT of 4.3 GiB: more than 32 bits count, and far more than the memory that a conversion may take.

The animal lies feet first and supine, so frames, which follow the normal, run from the last slice of the file to the
first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import dcmread
from pydicom.pixels.utils import iter_pixels

from conftest import Measures, skip_or_fail
from helpers import LAST_RESORT_S, files_below, header_text
from inveonimaging.dicom.modules.header_text import header_bytes

COLUMNS, ROWS, SLICES = 1280, 1280, 1400
PLANE = COLUMNS * ROWS * 2
SEEN = [
    0,
    331,
    332,
    655,
    656,
    820,
    985,
    986,
    1310,
    1311,
    SLICES - 1,
]  # where parts and 2^31, 2^32 bytes end, and between
PARTS = [range(654), range(654, 1308), range(1308, SLICES)]  # 654 frames and their functional groups fit into 2 GiB
LARGEST_MEMORY_MB = 400
NEEDED_BYTES = 7e9
# runs a command and prints the largest memory that a process of it had, in the system's unit
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""
PER_MB = 2**20 if sys.platform == "darwin" else 2**10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the memory of a child"),
]


def plane(k: int) -> npt.NDArray[np.int16]:
    """Return the values of a slice that is not 0: a ramp, its own in every slice."""
    return ((np.arange(ROWS * COLUMNS) * 7 + k * 13) % 4000 - 1000).astype("<i2").reshape(ROWS, COLUMNS)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a sparse CT in `ct.img`, and clean up at once: pytest would keep it."""
    if shutil.disk_usage(tmp_path).free < NEEDED_BYTES:
        skip_or_fail(f"{tmp_path} has less than {NEEDED_BYTES:g} bytes left")
    data = tmp_path / "ct.img"
    with data.open("wb") as file:
        file.truncate(PLANE * SLICES)
        for k in SEEN:
            file.seek(PLANE * k)
            file.write(plane(k).tobytes())
    size = {"x_dimension": str(COLUMNS), "y_dimension": str(ROWS), "z_dimension": str(SLICES)}
    (tmp_path / "ct.img.hdr").write_text(header_text({"modality": "1", "pixel_size": "0.01", **size}))
    yield tmp_path
    shutil.rmtree(tmp_path)


def test_a_ct_of_more_than_4_gib_becomes_a_concatenation_in_little_memory(folder: Path, measures: Measures) -> None:
    assert (folder / "ct.img").stat().st_size > 4 * 2**30 + 2**28
    arguments = ["convert", str(folder / "ct.img"), str(folder / "out"), "--as", "enhanced"]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, sys.executable, "-m", "inveonimaging", *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=10 * LAST_RESORT_S,
    )
    measures.largest("time for a CT of 4.3 GiB, s", time.perf_counter() - start)
    assert done.returncode == 0, done.stderr
    memory_mb = int(done.stderr.splitlines()[-1]) / PER_MB
    measures.largest("memory for a CT of 4.3 GiB, MiB", memory_mb)
    assert 10 < memory_mb < LARGEST_MEMORY_MB  # a Python with numpy has 10 and more
    check_parts(folder / "out", folder / "ct.img.hdr")


def check_parts(output: Path, header: Path) -> None:
    names = [f"1/CT-{number:06}.dcm" for number in range(1, len(PARTS) + 1)]
    assert files_below(output) == names
    concatenations = set()
    for number, (name, frames) in enumerate(zip(names, PARTS, strict=True), 1):
        file = output / name
        part = dcmread(file, stop_before_pixels=True)
        assert (part.NumberOfFrames, part.ConcatenationFrameOffsetNumber) == (len(frames), frames.start)
        assert (part.InConcatenationNumber, part.InConcatenationTotalNumber) == (number, len(PARTS))
        assert len(part.PerFrameFunctionalGroupsSequence) == len(frames)
        assert part.file_meta.MediaStorageSOPInstanceUID == part.SOPInstanceUID
        assert header_bytes(part) == header.read_bytes()
        concatenations.add((part.ConcatenationUID, part.SOPInstanceUIDOfConcatenationSource, part.SeriesInstanceUID))
        check_pixels(file, range(SLICES)[::-1][frames.start : frames.stop])
    assert len(concatenations) == 1


def check_pixels(file: Path, slices: range) -> None:
    """Read the element's length by hand, and one frame at a time; slices are those of the input, frame by frame."""
    length = len(slices) * PLANE
    assert length < 2**32
    assert file.stat().st_size <= 2**31
    with file.open("rb") as raw:
        raw.seek(-length - 12, 2)
        assert raw.read(12) == b"\xe0\x7f\x10\x00OW\0\0" + length.to_bytes(4, "little")
    seen = [frame for frame, k in enumerate(slices) if k in SEEN or frame in (0, 2, len(slices) - 1)]
    for frame, pixels in zip(seen, iter_pixels(file, indices=seen), strict=True):
        k = slices[frame]
        expected = plane(k) if k in SEEN else np.zeros((ROWS, COLUMNS))
        np.testing.assert_array_equal(pixels, expected, f"slice {k}")
