"""Problems in the voxels, found in one pass over the data file, slab by slab."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inveonimaging.checks.facts import Facts, facts_of, is_pet
from inveonimaging.errors import listed
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr.enums import Modality, ReconAlgorithm
from inveonimaging.physics.distribution import Collector
from inveonimaging.physics.plausibility import value_findings as scale_findings
from inveonimaging.physics.quantification import Policy, Unit, ValueRange, enough_steps, extent_of, slopes_of
from inveonimaging.study.grey_levels import lost_values
from inveonimaging.study.image import Image
from inveonimaging.units import plain

_NAMED = 8
_NEGATIVE = 0.01  # of the largest value
_TOO_MUCH = 1.5  # of the dose: noise, and a syringe beside the animal
_SOME = 0.1  # of the activity after the injection: far more than noise and randoms leave in a frame before it
_ML_PER_MM3 = 1e-3
_PLACEHOLDERS = (-32767.0, 32767.0)  # as genuine CT headers have them, whatever the voxels are
_SAME_EXTREME = 1e-3
_ANALYTIC = {ReconAlgorithm.FBP, ReconAlgorithm.REPROJECTION_3D, ReconAlgorithm.FELDKAMP}


@dataclass(frozen=True)
class Summary:
    """What a frame's voxels are like.

    Attributes:
        voxels, not_finite: how many there are, and are NaN or infinite.
        lowest, highest: stored values, of those that are finite; 0 if none is.
        total: sum of the finite physical values.
        extent: what its slices span.
        digest: of the frame's bytes.
    """

    voxels: int
    not_finite: int
    lowest: float
    highest: float
    total: float
    extent: ValueRange
    digest: bytes


def value_findings(image: Image) -> tuple[Finding, ...]:
    """Return problems in the voxels.

    Raises:
        DataError: the data file cannot be read, or ends early.
    """
    collector = Collector(len(image.frames) * math.ceil(image.grid.shape[2] / image.slices_in_slab))
    frames = [summary_of(image, frame, collector) for frame in range(len(image.frames))]
    distributions = [collector[frame] for frame in range(len(image.frames))]
    return (
        *(finding for judge in _JUDGES for finding in judge(image, frames)),
        *scale_findings(image.header, image.scaling, distributions, collector.sample),
        *_lost(image, [frame.extent for frame in frames]),
    )


def _before_injection(image: Image) -> frozenset[int]:
    """Return the frames of a PET that ended before the tracer was injected: they hold nothing but noise."""
    start, injected = image.header.acquisition.started_at, image.header.tracer.injected_at
    if not is_pet(image) or start is None or injected is None:
        return frozenset()
    late = (injected - start).total_seconds()
    ends = [(frame.start_s or 0.0) + max(frame.duration_s or 0.0, 0.0) for frame in image.frames]
    early = frozenset(number for number, end in enumerate(ends) if end <= late)
    return early if len(early) < len(ends) else frozenset()  # else the injection is after the end, which is reported


def summary_of(image: Image, frame: int, collector: Collector) -> Summary:
    """Read a frame, a slab at a time; errors as `value_findings`."""
    factor, offset, digest = image.scaling.factors[frame], image.scaling.intercept, hashlib.blake2b(digest_size=16)
    extents, totals, voxels = [], [], 0
    for slab in image.slabs(frame):
        digest.update(np.ascontiguousarray(slab).view(np.uint8).data)
        extents.append(extent_of(slab))
        totals.append(_total(slab, factor, offset))
        collector.add(frame, slab, extents[-1].largest)
        voxels += slab.size
    extent, counted = ValueRange.joined(extents), collector[frame]
    return Summary(
        voxels=voxels,
        not_finite=extent.not_finite,
        lowest=float(extent.lowest.min()),
        highest=float(extent.highest.max()),
        total=math.fsum(totals),
        extent=replace(extent, usual=counted.usual, has_wild=counted.has_wild),
        digest=digest.digest(),
    )


def _total(slab: npt.NDArray[np.generic], factor: float, offset: float) -> float:
    """Return the sum of the physical values that are finite."""
    if slab.dtype.kind == "i":
        return float(slab.sum(dtype=np.float64)) * factor + offset * slab.size
    with np.errstate(invalid="ignore"):  # a signalling NaN
        stored = slab.astype(np.float64)
    finite = stored[np.isfinite(stored)]
    return float(finite.sum()) * factor + offset * finite.size


def _lost(image: Image, extents: Sequence[ValueRange]) -> tuple[Finding, ...]:
    """Return what a conversion with its usual rescale slopes says."""
    slopes = slopes_of(
        extents,
        image.scaling.factors,
        Policy.AUTO,
        enough=enough_steps(image.scaling.unit),
        slices_share=image.modality is Modality.SPECT,
    )
    return lost_values(image, extents, slopes)


def _not_finite(image: Image, frames: Sequence[Summary]) -> Iterator[Finding]:
    wrong = [number for number, frame in enumerate(frames) if frame.not_finite]
    if wrong:
        count = sum(frame.not_finite for frame in frames)
        message = f"{count} voxels are NaN or infinite (frames {_named(wrong)}); a conversion writes them as 0"
        yield Finding("not-finite", message, path=str(image.pair.data))


def _empty(image: Image, frames: Sequence[Summary]) -> Iterator[Finding]:
    early = _before_injection(image)
    empty = [n for n, frame in enumerate(frames) if frame.lowest == frame.highest == 0 and n not in early]
    if empty:
        what = "all voxels are 0" if len(empty) == len(frames) else f"all voxels of frames {_named(empty)} are 0"
        yield Finding("all-zero", what, path=str(image.pair.data))
    flat = [number for number, frame in enumerate(frames) if frame.lowest == frame.highest != 0 and frame.voxels > 1]
    if flat:
        message = f"all voxels of frames {_named(flat)} have one and the same value"
        yield Finding("values-constant", message, path=str(image.pair.data))


def _identical(image: Image, frames: Sequence[Summary]) -> Iterator[Finding]:
    first: dict[bytes, int] = {}
    again = []
    for number, frame in enumerate(frames):
        if frame.lowest != frame.highest and first.setdefault(frame.digest, number) != number:
            again.append(number)
    if again:
        message = f"frames {_named(again)} hold the same voxels as a frame before them"
        yield Finding("frames-identical", message, path=str(image.pair.data))


def _extremes(image: Image, frames: Sequence[Summary]) -> Iterator[Finding]:
    for number, (frame, found) in enumerate(zip(image.frames, frames, strict=True)):
        if (frame.minimum, frame.maximum) == _PLACEHOLDERS:
            continue
        scale = max(abs(found.lowest), abs(found.highest))
        pairs = ((frame.minimum, found.lowest), (frame.maximum, found.highest))
        if any(stated is not None and abs(stated - true) > _SAME_EXTREME * scale for stated, true in pairs):
            message = (
                f"minimum and maximum of frame {number} are said to be {_shown(frame.minimum)} and "
                f"{_shown(frame.maximum)}, but are {plain(found.lowest)} and {plain(found.highest)}"
            )
            yield Finding("extremes-disagree", message, Severity.INFO, key="maximum", line=frame.line_of("maximum"))
            return


def _negative(image: Image, frames: Sequence[Summary]) -> Iterator[Finding]:
    if not is_pet(image):
        return
    limit = 1.0 if image.header.reconstruction.algorithm in _ANALYTIC else _NEGATIVE
    early = _before_injection(image)
    wrong = [n for n, frame in enumerate(frames) if frame.lowest < -limit * max(frame.highest, 0.0) and n not in early]
    if wrong:
        lowest = min(frames[number].lowest * image.scaling.factors[number] for number in wrong)
        message = f"values of frames {_named(wrong)} go down to {plain(lowest, 4)} {image.scaling.unit.value}"
        yield Finding("activity-negative", message, path=str(image.pair.data))


def _activity(image: Image, frames: Sequence[Summary]) -> Iterator[Finding]:
    if not is_pet(image) or image.scaling.unit is not Unit.BQML or not image.header.corrections.decay:
        return
    facts: Facts = facts_of(image)
    left, early = facts.decayed_dose_bq, _before_injection(image)
    longest = max(
        (number for number in range(len(frames)) if number not in early),
        key=lambda number: image.frames[number].duration_s or 0.0,
    )
    totals = [frame.total * math.prod(image.grid.spacing_mm) * _ML_PER_MM3 for frame in frames]
    if left and totals[longest] > _TOO_MUCH * left:
        at_start = "" if facts.decay_correction == "ADMIN" else " at the start of the scan"
        message = (
            f"frame {longest} holds {totals[longest] / 1e6:.4g} MBq{at_start}, but of the dose no more "
            f"than {left / 1e6:.4g} MBq was left: dose, injection time or calibration is wrong"
        )
        yield Finding("activity-exceeds-dose", message, key="dose")
    most = max(early, key=totals.__getitem__, default=longest)
    if most != longest and totals[most] > _SOME * totals[longest] > 0:
        message = (
            f"frame {most} ended before the injection, and holds {totals[most] / 1e6:.4g} MBq, frame {longest} after "
            f"it {totals[longest] / 1e6:.4g} MBq: left from an earlier injection, or a clock was wrong"
        )
        yield Finding("activity-before-injection", message, Severity.INFO, key="injection_time")


def _shown(value: float | None) -> str:
    return "unknown" if value is None else plain(value)


def _named(frames: Sequence[int]) -> str:
    return listed(list(map(str, frames)), _NAMED)


_JUDGES: tuple[Callable[[Image, Sequence[Summary]], Iterator[Finding]], ...] = (
    _not_finite,
    _empty,
    _identical,
    _extremes,
    _negative,
    _activity,
)
