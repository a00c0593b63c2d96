"""Which frames of a series show where the tracer goes: those of the second half of the scan, or all gates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inveonimaging.inveon.hdr import Frame
from inveonimaging.study.image import Image

Float = npt.NDArray[np.float64]


def is_gated(image: Image) -> bool:
    """Return whether the frames differ by gate, and not by time."""
    return image.part is not None and image.part.is_gated


def span_s(frames: Sequence[Frame]) -> tuple[float, float] | None:
    """Return when the first frame starts and the last one ends, s after the scan's start; None if one has no start."""
    starts = [frame.start_s for frame in frames if frame.start_s is not None]
    if len(starts) < len(frames):
        return None
    return min(starts), max((frame.start_s or 0.0) + (frame.duration_s or 0.0) for frame in frames)


def shown_frames(image: Image) -> tuple[tuple[int, ...], Float]:
    """Return the frames that show where the tracer goes, and their weights, which sum to 1.

    All gates; of time frames those that start in the second half of the scan, when the tracer is where it goes.
    """
    frames = image.frames
    indices = list(range(len(frames)))
    span = span_s(frames)
    if span and len(frames) > 1 and not is_gated(image):
        half = sum(span) / 2
        late = [index for index, frame in enumerate(frames) if (frame.start_s or 0.0) >= half]
        indices = late or [max(indices, key=lambda index: frames[index].start_s or 0.0)]
    durations = np.array([frames[index].duration_s or 0.0 for index in indices])
    weights = durations if np.all(durations > 0) else np.ones(len(indices))
    return tuple(indices), weights / weights.sum()
