"""What is odd in the voxels: one reading of the data file, slab by slab."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inveonimaging.check.facts import Facts, facts_of, is_pet
from inveonimaging.findings import Finding, Severity
from inveonimaging.hdr.enums import Modality, ReconAlgorithm
from inveonimaging.image import Image
from inveonimaging.quant import Unit

_NAMED = 8
_LOWEST_HU, _NO_AIR_HU, _NO_TISSUE_HU = -1100.0, -500.0, -500.0
_FEW = 0.01
_NEGATIVE = 0.01  # of the largest value
_TOO_MUCH = 1.5  # of the dose: noise, and a syringe beside the animal
_SOME = 0.1  # of the activity after the injection: far more than noise and randoms leave in a frame before it
_ML_PER_MM3 = 1e-3
_SAME_EXTREME = 1e-3
_ANALYTIC = {ReconAlgorithm.FBP, ReconAlgorithm.REPROJECTION_3D, ReconAlgorithm.FELDKAMP}


@dataclass(frozen=True)
class Summary:
    """What a frame's voxels are like.

    Attributes:
        voxels, not_finite: how many there are, and are NaN or infinite.
        lowest, highest: stored values, of those that are finite; 0 if none is.
        total: sum of the finite physical values.
        too_low: how many physical values lie below -1100, of a CT.
        digest: of the frame's bytes.
    """

    voxels: int
    not_finite: int
    lowest: float
    highest: float
    total: float
    too_low: int
    digest: bytes


def value_findings(image: Image) -> tuple[Finding, ...]:
    """Return what is odd in the voxels.

    Raises:
        DataError: the data file cannot be read, or ends early.
    """
    frames = [summary_of(image, frame) for frame in range(len(image.frames))]
    return tuple(finding for judge in _JUDGES for finding in judge(image, frames))


def _before_injection(image: Image) -> frozenset[int]:
    """Return the frames of a PET that ended before the tracer was injected: they hold nothing but noise."""
    start, injected = image.header.acquisition.started_at, image.header.tracer.injected_at
    if not is_pet(image) or start is None or injected is None:
        return frozenset()
    late = (injected - start).total_seconds()
    ends = [(frame.start_s or 0.0) + max(frame.duration_s or 0.0, 0.0) for frame in image.frames]
    early = frozenset(number for number, end in enumerate(ends) if end <= late)
    return early if len(early) < len(ends) else frozenset()  # else the injection is after the end, which is told


def summary_of(image: Image, frame: int) -> Summary:
    """Read a frame, a slab at a time; errors as `value_findings`."""
    factor, offset, digest = image.scaling.factors[frame], image.scaling.intercept, hashlib.blake2b(digest_size=16)
    parts = []
    for slab in image.slabs(frame):
        digest.update(np.ascontiguousarray(slab).view(np.uint8).data)
        parts.append(_of_slab(slab, factor, offset))
    voxels, not_finite, lowest, highest, total, too_low = zip(*parts, strict=True)
    least, most = min(lowest), max(highest)
    return Summary(
        voxels=sum(voxels),
        not_finite=sum(not_finite),
        lowest=least if math.isfinite(least) else 0.0,
        highest=most if math.isfinite(most) else 0.0,
        total=math.fsum(total),
        too_low=sum(too_low),
        digest=digest.digest(),
    )


def _of_slab(slab: npt.NDArray[np.generic], factor: float, offset: float) -> tuple[int, int, float, float, float, int]:
    """Return the numbers of a slab, in the order of `Summary`."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        stored = slab.astype(np.float64)
    finite = stored[np.isfinite(stored)] if slab.dtype.kind == "f" else stored.reshape(-1)
    if not finite.size:
        return stored.size, stored.size, math.inf, -math.inf, 0.0, 0
    too_low = int(np.count_nonzero(finite < (_LOWEST_HU - offset) / factor))
    total = float(finite.sum()) * factor + offset * finite.size
    return stored.size, stored.size - finite.size, float(finite.min()), float(finite.max()), total, too_low


def _not_finite(image: Image, frames: Sequence[Summary]) -> Iterator[Finding]:
    odd = [number for number, frame in enumerate(frames) if frame.not_finite]
    if odd:
        count = sum(frame.not_finite for frame in frames)
        message = f"{count} voxels are NaN or infinite (frames {_named(odd)}); a conversion writes them as 0"
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
        scale = max(abs(found.lowest), abs(found.highest))
        pairs = ((frame.minimum, found.lowest), (frame.maximum, found.highest))
        if any(said is not None and abs(said - true) > _SAME_EXTREME * scale for said, true in pairs):
            message = (
                f"minimum and maximum of frame {number} are said to be {_shown(frame.minimum)} and "
                f"{_shown(frame.maximum)}, but are {found.lowest:g} and {found.highest:g}"
            )
            yield Finding("extremes-disagree", message, Severity.INFO, key="maximum", line=frame.line_of("maximum"))
            return


def _hounsfield(image: Image, frames: Sequence[Summary]) -> Iterator[Finding]:
    if image.modality is not Modality.CT or all(frame.lowest == frame.highest for frame in frames):
        return
    voxels, factors, offset = sum(frame.voxels for frame in frames), image.scaling.factors, image.scaling.intercept
    spans = list(zip(frames, factors, strict=True))
    lowest = min(frame.lowest * factor for frame, factor in spans) + offset
    highest = max(frame.highest * factor for frame, factor in spans) + offset
    too_low = sum(frame.too_low for frame in frames)
    told = None
    if too_low > _FEW * voxels:
        told = f"{100 * too_low / voxels:.3g} % of the voxels lie below {_LOWEST_HU:g} HU, which is less than air"
    elif lowest > _NO_AIR_HU:
        told = f"the lowest value is {lowest:.4g} HU: there is no air, which has -1000 HU"
    elif highest < _NO_TISSUE_HU:
        told = f"the highest value is {highest:.4g} HU: there is nothing but air"
    if told:
        yield Finding("hounsfield-odd", told, key="ct_hounsfield_scale")


def _negative(image: Image, frames: Sequence[Summary]) -> Iterator[Finding]:
    if not is_pet(image):
        return
    limit = 1.0 if image.header.reconstruction.algorithm in _ANALYTIC else _NEGATIVE
    early = _before_injection(image)
    odd = [n for n, frame in enumerate(frames) if frame.lowest < -limit * max(frame.highest, 0.0) and n not in early]
    if odd:
        lowest = min(frames[number].lowest * image.scaling.factors[number] for number in odd)
        message = f"values of frames {_named(odd)} go down to {lowest:.4g} {image.scaling.unit.value}"
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
    return "unknown" if value is None else f"{value:g}"


def _named(frames: Sequence[int]) -> str:
    more = f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else ""
    return ", ".join(map(str, frames[:_NAMED])) + more


_JUDGES: tuple[Callable[[Image, Sequence[Summary]], Iterator[Finding]], ...] = (
    _not_finite,
    _empty,
    _identical,
    _extremes,
    _hounsfield,
    _negative,
    _activity,
)
