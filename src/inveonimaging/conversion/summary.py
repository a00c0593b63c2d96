"""What one reading of a data file shows before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inveonimaging.findings import Finding
from inveonimaging.physics.distribution import CLASS, Collector, Distribution, physical, quantile
from inveonimaging.physics.plausibility import value_findings
from inveonimaging.physics.quantification import Unit, ValueRange, extent_of
from inveonimaging.storage.ahead import ahead
from inveonimaging.study.image import Image, locate

_NAMED = 8
_HU_WINDOW = (250.0, 1500.0)  # centre and width: -500 to 1000 HU, soft tissue and bone
_OUTSIDE = 0.001  # of the values other than 0: hot voxels, which would make the rest dark
_WIDEST = 2.0**62  # beyond, programs that count in 64 bits see no window


@dataclass(frozen=True)
class DataSummary:
    """What the voxels of an image are like.

    Attributes:
        extents: of each frame.
        data_size: of the whole data file, in bytes.
        data_sha256: of the whole data file.
        digest: SHA-256 of the data file's name, the header file and the data file.
        lowest, highest: finite values, in the image's unit.
        window: centre and width of a first look; None if there is nothing to see.
        findings: problems in the data.
    """

    extents: tuple[ValueRange, ...]
    data_size: int
    data_sha256: str
    digest: str
    lowest: float
    highest: float
    window: tuple[float, float] | None
    findings: tuple[Finding, ...]


def data_summaries(images: Sequence[Image]) -> tuple[DataSummary, ...]:
    """Read a data file once, from its begin to its end, a slab at a time.

    Args:
        images: the parts of one file, or the whole.

    Raises:
        DataError: the file cannot be read, or ends early.
    """
    slabs: dict[tuple[int, int], list[ValueRange]] = {}
    collector = Collector(sum(len(image.frames) * len(image.slab_limits) for image in images))
    digest, size = hashlib.sha256(), 0
    with ahead(_read(images), sum(image.source.total_bytes for image in images)) as pieces:
        for place, held, stored in pieces:
            size += held.nbytes
            digest.update(held.reshape(-1).view(np.uint8).data)
            if place is not None:
                extent = extent_of(stored)
                slabs.setdefault(place, []).append(extent)
                collector.add(place, stored, extent.largest)
    data = size, digest.hexdigest()
    places = [[(part, frame) for frame in range(len(image.frames))] for part, image in enumerate(images)]
    frames = [[collector[place] for place in of_image] for of_image in places]
    extents = [[ValueRange.joined(slabs[place]) for place in of_image] for of_image in places]
    doubts = _value_findings(images, frames, collector)
    return tuple(
        _summary(*each, doubts, first=part == 0, data=data)
        for part, each in enumerate(zip(images, extents, frames, strict=True))
    )


def digest_of(image: Image, data_sha256: str) -> str:
    """Return the SHA-256 of a data file's name, its header file and the data file, whose own is given."""
    name = image.pair.name.encode("utf-8", "surrogateescape")
    return hashlib.sha256(b"\0".join((name, image.header_bytes, data_sha256.encode()))).hexdigest()


def _value_findings(
    images: Sequence[Image], frames: Sequence[Sequence[Distribution]], collector: Collector
) -> tuple[Finding, ...]:
    """Return problems in the values of a whole file, whose parts these are."""
    header = replace(images[0].header, frames=tuple(frame for image in images for frame in image.frames))
    factors = tuple(factor for image in images for factor in image.scaling.factors)
    scaling = replace(images[0].scaling, factors=factors)
    found = value_findings(header, scaling, [each for of_image in frames for each in of_image], collector.sample)
    return tuple(locate(finding, images[0].pair.header, header) for finding in found)


def _summary(
    image: Image,
    extents: Sequence[ValueRange],
    frames: Sequence[Distribution],
    doubts: tuple[Finding, ...],
    *,
    first: bool,
    data: tuple[int, str],
) -> DataSummary:
    spans = list(zip(extents, image.scaling.factors, strict=True))
    lowest = min(float(extent.lowest.min()) * factor for extent, factor in spans) + image.scaling.intercept
    highest = max(float(extent.highest.max()) * factor for extent, factor in spans) + image.scaling.intercept
    data_size, data_sha256 = data
    return DataSummary(
        extents=tuple(
            replace(extent, usual=each.usual, has_wild=each.has_wild)
            for extent, each in zip(extents, frames, strict=True)
        ),
        data_size=data_size,
        data_sha256=data_sha256,
        digest=digest_of(image, data_sha256),
        lowest=lowest,
        highest=highest,
        window=_window(image, frames, (lowest, highest), is_hu=image.scaling.unit is Unit.HU and not doubts),
        findings=(*(doubts if first else ()), *_not_finite(image, extents)),
    )


class _Piece(NamedTuple):
    """A piece of a file: the number of its image and frame, all that it holds, and what of it is in the image."""

    place: tuple[int, int] | None
    held: npt.NDArray[np.generic]
    stored: npt.NDArray[np.generic]


def _read(images: Sequence[Image]) -> Iterator[_Piece]:
    """Yield all bytes of the file in order: slabs with the number of their image and frame, and what lies between."""
    frames = [
        (offset, part, frame) for part, image in enumerate(images) for frame, offset in enumerate(image.source.offsets)
    ]
    at, source = 0, images[0].source
    for _, part, frame in sorted(frames):
        own = images[part].source
        begin, end = own.extent(frame)
        yield from (_Piece(None, gap, gap) for gap in source.between(at, begin))
        for first, stop in images[part].slab_limits:
            held = own.whole_slices(frame, first, stop)
            yield _Piece((part, frame), held, np.ascontiguousarray(own.inside(held, frame, first)))
        at = end
    yield from (_Piece(None, gap, gap) for gap in source.between(at, None))


def _window(
    image: Image, frames: Sequence[Distribution], limits: tuple[float, float], *, is_hu: bool
) -> tuple[float, float] | None:
    """Return what lets a first look show tissue: soft and bone of a CT, and else nearly all values, from 0.

    A few hot voxels are left out of it, so that they do not make the rest dark.
    """
    lowest, highest = limits
    if is_hu:
        return _HU_WINDOW if lowest < highest else None
    values, counts = physical(frames, image.scaling.factors, image.scaling.intercept)
    is_ct = image.scaling.unit is Unit.HU
    lowest = lowest if is_ct else 0.0
    if len(values):
        robust = [quantile(values, counts, share) for share in (_OUTSIDE, 1 - _OUTSIDE)]
        slack = CLASS * max(map(abs, robust))
        lowest = max(lowest, robust[0] - slack) if is_ct else 0.0
        highest = min(highest, robust[1] + slack)
    width = highest - lowest
    return (lowest + width / 2, width) if 0 < width < _WIDEST else None


def _not_finite(image: Image, extents: Sequence[ValueRange]) -> tuple[Finding, ...]:
    invalid = {frame: extent.not_finite for frame, extent in enumerate(extents) if extent.not_finite}
    if not invalid:
        return ()
    frames = ", ".join(map(str, list(invalid)[:_NAMED]))
    message = f"{sum(invalid.values())} voxels are NaN or infinite and are written as 0 (frames {frames})"
    return (Finding("not-finite", message, path=str(image.pair.data)),)
