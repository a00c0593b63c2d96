"""Means over blocks of voxels."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from inveonimaging.study.blocks import Blocks


def test_the_last_block_has_fewer_voxels_and_its_own_mean() -> None:
    blocks = Blocks((3, 5, 1), (1.0, 1.0, 1.0), 2.0)
    blocks.add((0,), np.arange(15, dtype=np.int16).reshape(1, 5, 3), 2.0, 1.0)
    stored = [[(0 + 1 + 3 + 4) / 4, (2 + 5) / 2], [(6 + 7 + 9 + 10) / 4, (8 + 11) / 2], [(12 + 13) / 2, 14.0]]
    assert blocks.means()[0] == pytest.approx(2 * np.array(stored) + 1)


def test_sizes_that_no_pixel_has_confirmed_take_little() -> None:
    """A file of a few kB may claim any size; what it claims is known to be true when the first plane is read."""
    tracemalloc.start()
    try:
        Blocks((65535, 255, 2), (0.5, 0.5, 0.5), 1.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 8 * (65535 // 2 + 1) * 128  # sums, counts and areas of the blocks, and no plane of voxels
