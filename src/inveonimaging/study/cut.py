"""A box of an image as an image of its own: each voxel keeps its value and its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inveonimaging.physics.geometry import Box, Mm, mm_of
from inveonimaging.study.image import Image
from inveonimaging.study.masking import Mask, masked


@dataclass(frozen=True)
class Extent:
    """From where to where something reaches in the gantry, along i, j and k, mm.

    That is before the posture turns axes, and the same for images of any voxel size.
    """

    low_mm: Mm
    high_mm: Mm

    @property
    def centre_mm(self) -> Mm:
        """Its middle."""
        return mm_of((a + b) / 2 for a, b in zip(self.low_mm, self.high_mm, strict=True))

    def grown(self, margin_mm: float) -> Extent:
        """Return it with a margin on all sides."""
        (x, y, z), (x_high, y_high, z_high) = self.low_mm, self.high_mm
        low = x - margin_mm, y - margin_mm, z - margin_mm
        return Extent(low, (x_high + margin_mm, y_high + margin_mm, z_high + margin_mm))


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
    return replace(image, grid=grid, source=source, whole=image.whole or image, group=())  # of one animal


def first_voxel(image: Image) -> tuple[int, int, int] | None:
    """Return which voxel (i, j, k) of a whole image is the first of what is cut from it; None if it is not cut."""
    if image.whole is None:
        return None
    k, j, i = (a - b for a, b in zip(image.source.first, image.whole.source.first, strict=True))
    return i, j, k


def cut_out(image: Image, extent: Extent, mask: Mask | None = None) -> Image | None:
    """Return the voxels of an image that an extent touches, neighbours masked; None if it lies beside the image."""
    box = image.grid.box_of(extent.low_mm, extent.high_mm)
    if box is None:
        return None
    part = cut(image, box)
    return masked(part, mask) if mask else part


def cut_like(image: Image, parts: Sequence[Image], mask: Mask | None = None) -> Image:
    """Return the smallest box of a whole file that has all boxes that are cut from its frame groups; as `cut_out`."""
    firsts = [each.source.first for each in parts]
    stops = [[a + n for a, n in zip(each.source.first, each.source.shape, strict=True)] for each in parts]
    k, j, i = map(min, zip(*firsts, strict=True))
    k_stop, j_stop, i_stop = map(max, zip(*stops, strict=True))
    part = cut(image, Box((i, j, k), (i_stop, j_stop, k_stop)))
    return masked(part, mask) if mask else part
