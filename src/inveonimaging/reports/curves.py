"""What happens over time: activity by frame, and whether the header's decay factors fit the frame times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inveonimaging.inveon.modality import is_transmission
from inveonimaging.physics.quantification import Unit
from inveonimaging.physics.timing import expected_decay_factor, factor_to_injection
from inveonimaging.reports.planes import Float
from inveonimaging.reports.scales import unit_of
from inveonimaging.reports.voxel_pass import VoxelSurvey, activity_mbq
from inveonimaging.study.image import Image

_MBQ = 1e6
_SAME_FACTOR = 1e-3  # headers print factors with 4 to 7 digits


@dataclass(frozen=True)
class Curve:
    """A value for each frame.

    Attributes:
        title: what it is.
        unit: of the values.
        starts_s: (frames,) start of each frame after the scan's.
        durations_s: (frames,) how long each is.
        values: (frames,).
        reference: a value to compare with, if there is one.
        reference_name: what that is.
    """

    title: str
    unit: str
    starts_s: Float
    durations_s: Float
    values: Float
    reference: float | None = None
    reference_name: str = ""


@dataclass(frozen=True)
class DecayCheck:
    """A frame's decay factor: as the header has it, and as half-life and frame times give it; None if not known."""

    given: float | None
    expected: float | None

    @property
    def difference(self) -> float | None:
        """The header's over the expected one, less 1."""
        return self.given / self.expected - 1 if self.given is not None and self.expected else None

    @property
    def fits(self) -> bool | None:
        """Whether both are the same, within what headers print."""
        return None if self.difference is None else abs(self.difference) <= _SAME_FACTOR


def curves_of(image: Image, survey: VoxelSurvey) -> tuple[Curve, ...]:
    """Return the curves of a dynamic scan; none if its frames differ by something else than time, or have no times."""
    frames = image.frames
    if len(frames) == 1 or (image.part and image.part.is_gated) or image.scaling.unit in (Unit.HU, Unit.PER_CM):
        return ()
    if any(frame.start_s is None or not frame.duration_s for frame in frames):
        return ()
    starts = np.array([frame.start_s for frame in frames], dtype=float)
    durations = np.array([frame.duration_s for frame in frames], dtype=float)
    order = np.argsort(starts, kind="stable")
    times = starts[order], durations[order]
    whole = _whole(image, survey)
    unit, divisor = unit_of(image.scaling.unit, float(survey.hot.max()))
    hot = Curve("Hottest region", unit, *times, survey.hot[order] / divisor)
    return (Curve(whole.title, whole.unit, *times, whole.values[order], whole.reference, whole.reference_name), hot)


def _whole(image: Image, survey: VoxelSurvey) -> Curve:
    """Return the activity in the field of view, with the dose if the values are decay corrected to the scan's start."""
    nothing = np.zeros(0)
    if image.scaling.unit is not Unit.BQML:
        voxels = float(np.prod(image.grid.shape))
        return Curve("Whole field of view, mean", image.scaling.unit.value, nothing, nothing, survey.sums / voxels)
    values = activity_mbq(image, survey.sums)
    dose = dose_at_start_bq(image)
    name = (
        ""
        if dose is None
        else "dose at the injection"
        if factor_to_injection(image.header)
        else "dose at the start of the scan"
    )
    reference = None if dose is None else dose / _MBQ
    return Curve("Activity in the field of view", "MBq", nothing, nothing, values, reference, name)


def dose_at_start_bq(image: Image) -> float | None:
    """Return the dose at the moment to which values are corrected, the scan's start or the injection.

    It is None if that is not known, or not comparable.

    An injection after the start counts as it is: `2 ** (-seconds / half-life)` is above 1 then.
    """
    header = image.header
    if is_transmission(header):
        return None
    dose, injected, start = header.tracer.dose_bq, header.tracer.injected_at, header.acquisition.started_at
    half_life = header.tracer.half_life_s or 0.0
    if not header.corrections.decay or dose is None or injected is None or start is None or half_life <= 0:
        return None
    if factor_to_injection(header):
        return dose
    halves = (start - injected).total_seconds() / half_life
    return dose * 2.0**-halves if abs(halves) < 100 else None  # noqa: PLR2004 - beyond any use


def decay_checks(image: Image) -> tuple[DecayCheck, ...]:
    """Return a check for each frame, none of an image that is not corrected for decay."""
    if not image.header.corrections.decay or image.scaling.unit in (Unit.HU, Unit.PER_CM):
        return ()
    half_life, since = image.header.tracer.half_life_s, factor_to_injection(image.header) or 1.0
    expected = (expected_decay_factor(frame, half_life) for frame in image.frames)
    return tuple(
        DecayCheck(frame.decay_correction, factor and factor * since)
        for frame, factor in zip(image.frames, expected, strict=True)
    )
