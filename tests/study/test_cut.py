"""A box of an image: its values, its place, and how little of the file is read for it."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from helpers import header_text
from inveonimaging.errors import OptionError
from inveonimaging.physics.geometry import Box
from inveonimaging.study.cut import cut
from inveonimaging.study.image import Image, read

BOX = Box((1, 0, 1), (3, 2, 2))  # of 4 x 3 x 2 voxels: columns 1 and 2, rows 0 and 1, slice 1
HELD = [13, 14, 17, 18]  # 12 voxels a slice, 4 a row: 12 + 0 * 4 + 1, ...


def write(folder: Path, values: bytes, main: dict[str, str | None] | None = None, frames: int = 1) -> Image:
    """Write a pair whose frames follow each other, and read it."""
    path = folder / "m.img"
    path.write_bytes(values)
    size = len(values) // frames
    blocks = [{"data_file_pointer": f"{n * size}", "frame_start": f"{60 * n}"} for n in range(frames)]
    path.with_suffix(".img.hdr").write_text(header_text(main, blocks), "ascii")
    return read(path)


def test_a_box_has_its_voxels_at_their_places(tmp_path: Path) -> None:
    image = write(tmp_path, struct.pack("<24h", *range(24)), {"image_ref_shift": "1 -2 3"})
    part = cut(image, BOX)
    assert part.voxels().ravel().tolist() == HELD
    assert part.source.slices(0, 0, 1).ravel().tolist() == HELD
    assert [slab.ravel().tolist() for slab in part.slabs(0)] == [HELD]
    assert part.shape == (1, 2, 2)
    # Along i of 0.5 mm: (1 + 0.5 - 1.5) voxels from the middle; along j of 0.25: 0 + 0.5 - 1; along k of 2: 1 - 0.5.
    assert part.grid.shift_mm == (1 + 0.0, -2 - 0.125, 3 + 1.0)
    assert part.grid.shape == (2, 2, 1)
    assert np.array_equal(part.grid.affine @ (0, 0, 0, 1), image.grid.affine @ (1, 0, 1, 1))
    assert np.array_equal(part.grid.affine @ (1, 1, 0, 1), image.grid.affine @ (2, 1, 1, 1))
    assert part.whole is image
    assert image.whole is None


@pytest.mark.parametrize(
    ("code", "layout"), [("1", "b"), ("2", "<h"), ("3", "<i"), ("4", "<f"), ("5", ">f"), ("6", ">h")]
)
def test_a_box_of_every_type_and_frame(tmp_path: Path, code: str, layout: str) -> None:
    values = list(range(48))
    packed = struct.pack(f"{layout[:-1]}48{layout[-1]}", *values)
    image = write(tmp_path, packed, {"data_type": code}, frames=2)
    part = cut(image, BOX)
    assert part.source.dtype == image.source.dtype
    assert part.voxels(0).ravel().tolist() == HELD
    assert part.voxels(1).ravel().tolist() == [24 + each for each in HELD]
    assert np.array_equal(np.asarray(part), np.asarray(image)[:, 1:2, 0:2, 1:3])


def test_a_box_of_a_box_is_one_of_the_whole(tmp_path: Path) -> None:
    image = write(tmp_path, struct.pack("<24h", *range(24)))
    once = cut(image, Box((1, 1, 0), (4, 3, 2)))
    twice = cut(once, Box((1, 0, 1), (3, 2, 2)))
    straight = cut(image, Box((2, 1, 1), (4, 3, 2)))
    assert twice.voxels().ravel().tolist() == [18, 19, 22, 23]
    assert twice.grid == straight.grid
    assert twice.source == straight.source
    assert twice.whole is image


def test_all_of_it_is_a_box_and_stays_where_it_is(tmp_path: Path) -> None:
    image = write(tmp_path, struct.pack("<24h", *range(24)), {"image_ref_shift": "1 -2 3"})
    part = cut(image, Box((0, 0, 0), (4, 3, 2)))
    assert part.grid == image.grid
    assert np.array_equal(part.values(), image.values())


@pytest.mark.parametrize(
    "box",
    [
        Box((0, 0, 0), (5, 3, 2)),
        Box((-1, 0, 0), (4, 3, 2)),
        Box((2, 0, 0), (2, 3, 2)),
        Box((0, 0, 1), (4, 3, 1)),
    ],
)
def test_a_box_that_is_none_is_refused(tmp_path: Path, box: Box) -> None:
    image = write(tmp_path, struct.pack("<24h", *range(24)))
    with pytest.raises(OptionError, match=r"the box is .*, expected voxels of 4 x 3 x 2"):
        cut(image, box)


def test_beds_and_gates_are_cut_where_they_lie(tmp_path: Path) -> None:
    image = write(tmp_path, struct.pack("<48h", *range(48)), {"number_of_bed_positions": "2"}, frames=2)
    text = image.header_bytes.decode("ascii").splitlines()
    starts = [n for n, line in enumerate(text) if line.startswith("frame ")]
    for bed, at in reversed(list(enumerate(starts))):
        text[at + 1 : at + 1] = [f"bed {bed}", f"bed_offset {bed * 0.4}"]
    (tmp_path / "m.img.hdr").write_text("\n".join(text), "ascii")
    first, second = read(tmp_path / "m.img").series()
    part = cut(second, BOX)
    assert part.voxels().ravel().tolist() == [24 + each for each in HELD]
    assert part.grid.bed_mm - first.grid.bed_mm == 4.0
    assert np.array_equal(part.grid.affine @ (0, 0, 0, 1), second.grid.affine @ (1, 0, 1, 1))


def test_a_box_beyond_4_gib_reads_only_its_slices(tmp_path: Path) -> None:
    path = tmp_path / "big.img"
    columns, rows, slices = 1024, 1024, 2100  # of 2 bytes: 4.1 GiB, with a hole of the file system in it
    main: dict[str, str | None] = {
        "x_dimension": str(columns),
        "y_dimension": str(rows),
        "z_dimension": str(slices),
    }
    path.with_suffix(".img.hdr").write_text(header_text(main), "ascii")
    at = ((2098 * rows + 1000) * columns + 1020) * 2
    assert at > 2**32
    with path.open("wb") as file:
        file.truncate(columns * rows * slices * 2)
        file.seek(at)
        file.write(struct.pack("<h", 77))
    if path.stat().st_blocks * 512 > 2**30:
        pytest.skip("this file system has no holes")
    part = cut(read(path), Box((1018, 999, 2096), (1024, 1003, 2100)))
    tracemalloc.start()
    slabs = [slab.copy() for slab in part.slabs(0)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.argwhere(np.concatenate(slabs)).tolist() == [[2, 1, 2]]
    assert peak < 10 * columns * rows * 2  # a few slices, never the file
    assert part.voxels(0)[2, 1, 2] == 77
    os.truncate(path, 0)
