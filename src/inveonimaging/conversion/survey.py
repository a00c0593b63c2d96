"""What one reading of an image's voxels tells before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inveonimaging.findings import Finding
from inveonimaging.hdr.enums import Modality
from inveonimaging.image import Image
from inveonimaging.quant import Extent, extent_of

_NAMED = 8


@dataclass(frozen=True)
class Survey:
    """What the voxels of an image are like.

    Attributes:
        extents: of each frame.
        digest: SHA-256 of the data file's name, the header file and all voxels.
        window: centre and width of a window over all values, for PET from 0; None if there is nothing to see.
        findings: what is odd.
    """

    extents: tuple[Extent, ...]
    digest: str
    window: tuple[float, float] | None
    findings: tuple[Finding, ...]


def survey_of(image: Image) -> Survey:
    """Read all voxels once, a slab at a time."""
    digest = hashlib.sha256(image.pair.name.encode("utf-8", "surrogateescape") + b"\0" + image.header_bytes)
    extents = []
    for frame in range(len(image.frames)):
        slabs = []
        for stored in image.slabs(frame):
            slabs.append(extent_of(stored))
            digest.update(np.ascontiguousarray(stored).data)
        extents.append(Extent.joined(slabs))
    return Survey(tuple(extents), digest.hexdigest(), _window(image, extents), _not_finite(image, extents))


def _window(image: Image, extents: Sequence[Extent]) -> tuple[float, float] | None:
    spans = list(zip(extents, image.scaling.factors, strict=True))
    lowest = min(float(extent.lowest.min()) * factor for extent, factor in spans)
    highest = max(float(extent.highest.max()) * factor for extent, factor in spans)
    lowest = lowest if image.modality is Modality.CT else 0.0
    width = highest - lowest
    return (lowest + width / 2 + image.scaling.intercept, width) if width > 0 else None


def _not_finite(image: Image, extents: Sequence[Extent]) -> tuple[Finding, ...]:
    odd = {frame: extent.not_finite for frame, extent in enumerate(extents) if extent.not_finite}
    if not odd:
        return ()
    frames = ", ".join(map(str, list(odd)[:_NAMED]))
    message = f"{sum(odd.values())} voxels are NaN or infinite and are written as 0 (frames {frames})"
    return (Finding("not-finite", message, path=str(image.pair.data)),)
