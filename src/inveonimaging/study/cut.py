"""A box of an image as an image of its own: each voxel keeps its value and its place."""

from __future__ import annotations

from dataclasses import replace

from inveonimaging.physics.geometry import Box
from inveonimaging.study.image import Image


def cut(image: Image, box: Box) -> Image:
    """Return a box of an image; nothing is resampled, and nothing is read.

    `numpy.asarray(part)` is `numpy.asarray(image)[..., k:k2, j:j2, i:i2]`; of every frame alike.

    Args:
        image: a whole file, a part of it, or what is cut from one.
        box: voxels of it.

    Raises:
        OptionError: the box holds no voxel, or reaches beyond the image.
    """
    grid = image.grid.cut(box)
    (i, j, k), (i_stop, j_stop, k_stop) = box.first, box.stop
    source = image.source.box((k, j, i), (k_stop, j_stop, i_stop))
    return replace(image, grid=grid, source=source, whole=image.whole or image)
