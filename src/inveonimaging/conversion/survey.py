"""What one reading of a data file tells before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inveonimaging.conversion.ahead import ahead
from inveonimaging.findings import Finding
from inveonimaging.hdr.enums import Modality
from inveonimaging.image import Image
from inveonimaging.quant import Extent, extent_of

_NAMED = 8
_WIDEST = 2.0**62  # beyond, programs that count in 64 bits see no window


@dataclass(frozen=True)
class Survey:
    """What the voxels of an image are like.

    Attributes:
        extents: of each frame.
        data_size: of the whole data file, in bytes.
        data_sha256: of the whole data file.
        digest: SHA-256 of the data file's name, the header file and the data file.
        lowest, highest: finite values, in the image's unit.
        window: centre and width of a window over all values, for PET from 0; None if there is nothing to see.
        findings: what is odd.
    """

    extents: tuple[Extent, ...]
    data_size: int
    data_sha256: str
    digest: str
    lowest: float
    highest: float
    window: tuple[float, float] | None
    findings: tuple[Finding, ...]


def survey_of(images: Sequence[Image]) -> tuple[Survey, ...]:
    """Read a data file once, from its begin to its end, a slab at a time.

    Args:
        images: the parts of one file, or the whole.

    Raises:
        DataError: the file cannot be read, or ends early.
    """
    slabs: dict[tuple[int, int], list[Extent]] = {}
    digest, size = hashlib.sha256(), 0
    with ahead(_read(images)) as pieces:
        for place, stored in pieces:
            size += stored.nbytes
            digest.update(stored.reshape(-1).view(np.uint8).data)
            if place is not None:
                slabs.setdefault(place, []).append(extent_of(stored))
    data = size, digest.hexdigest()
    return tuple(
        _survey(image, [Extent.joined(slabs[part, frame]) for frame in range(len(image.frames))], *data)
        for part, image in enumerate(images)
    )


def digest_of(image: Image, data_sha256: str) -> str:
    """Return the SHA-256 of a data file's name, its header file and the data file, whose own is given."""
    name = image.pair.name.encode("utf-8", "surrogateescape")
    return hashlib.sha256(b"\0".join((name, image.header_bytes, data_sha256.encode()))).hexdigest()


def _survey(image: Image, extents: list[Extent], data_size: int, data_sha256: str) -> Survey:
    spans = list(zip(extents, image.scaling.factors, strict=True))
    lowest = min(float(extent.lowest.min()) * factor for extent, factor in spans)
    highest = max(float(extent.highest.max()) * factor for extent, factor in spans)
    return Survey(
        extents=tuple(extents),
        data_size=data_size,
        data_sha256=data_sha256,
        digest=digest_of(image, data_sha256),
        lowest=lowest + image.scaling.intercept,
        highest=highest + image.scaling.intercept,
        window=_window(image, lowest, highest),
        findings=_not_finite(image, extents),
    )


def _read(images: Sequence[Image]) -> Iterator[tuple[tuple[int, int] | None, npt.NDArray[np.generic]]]:
    """Yield all bytes of the file in order: slabs with the number of their image and frame, and what lies between."""
    frames = [
        (offset, part, frame) for part, image in enumerate(images) for frame, offset in enumerate(image.source.offsets)
    ]
    at, source = 0, images[0].source
    for offset, part, frame in sorted(frames):
        yield from ((None, gap) for gap in source.between(at, offset))
        yield from (((part, frame), slab) for slab in images[part].slabs(frame))
        at = offset + source.frame_bytes
    yield from ((None, gap) for gap in source.between(at, None))


def _window(image: Image, lowest: float, highest: float) -> tuple[float, float] | None:
    lowest = lowest if image.modality is Modality.CT else 0.0
    width = highest - lowest
    return (lowest + width / 2 + image.scaling.intercept, width) if 0 < width < _WIDEST else None


def _not_finite(image: Image, extents: Sequence[Extent]) -> tuple[Finding, ...]:
    odd = {frame: extent.not_finite for frame, extent in enumerate(extents) if extent.not_finite}
    if not odd:
        return ()
    frames = ", ".join(map(str, list(odd)[:_NAMED]))
    message = f"{sum(odd.values())} voxels are NaN or infinite and are written as 0 (frames {frames})"
    return (Finding("not-finite", message, path=str(image.pair.data)),)
