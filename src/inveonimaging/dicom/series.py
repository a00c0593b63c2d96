"""What the modules are made from: one study, its series, and where its instances stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from pydicom.uid import UID

from inveonimaging.dicom.codes import CodeTable
from inveonimaging.image import Image
from inveonimaging.quant import Slope, Slopes
from inveonimaging.subject import Animal


@dataclass(frozen=True, kw_only=True)
class Study:
    """What all series of a study share. `start` is the earliest start of a scan, if any is known."""

    uid: UID
    id: str
    description: str
    start: datetime | None
    animal: Animal


@dataclass(frozen=True, kw_only=True)
class Series:
    """One image with all that its instances need to know.

    Attributes:
        study: its study.
        number: Series Number, from 1.
        image: header, voxels and geometry.
        start: start of the scan, local time; None if unknown.
        utc_offset: local time minus UTC; None if unknown.
        frame_reference_times_ms: of each frame, after `start`; empty for a CT.
        slopes: of each frame and slice.
        window: centre and width of a window that shows all; None leaves it to the viewer.
        codes: the site's codes for radionuclides.
    """

    study: Study
    uid: UID
    frame_of_reference_uid: UID
    number: int
    image: Image
    start: datetime | None
    utc_offset: timedelta | None
    frame_reference_times_ms: tuple[float, ...]
    slopes: Slopes
    window: tuple[float, float] | None
    codes: CodeTable = field(default_factory=CodeTable)

    def frame_start(self, frame: int) -> datetime | None:
        """Return when a frame's acquisition started; the scan's start for a frame that does not say."""
        after = self.image.frames[frame].start_s or 0.0
        return None if self.start is None else self.start + timedelta(seconds=after)

    @cached_property
    def time_slices(self) -> Mapping[int, int]:
        """Index of each frame among the time slices, in the order of Frame Reference Time, from 0."""
        times = self.frame_reference_times_ms
        order = sorted(range(len(times)), key=times.__getitem__)
        return {frame: position for position, frame in enumerate(order)}


class Instance(NamedTuple):
    """One slice of one frame: what tells it from the other instances of its series, without its pixels."""

    frame: int
    k: int
    number: int  # Instance Number, from 1
    uid: UID
    slope: Slope
