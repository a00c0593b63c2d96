"""What the modules are made from: one study, its series, and the place of its instances in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from pydicom.uid import UID

from inveonimaging.animal import Animal
from inveonimaging.dicom.codes import CodeTable
from inveonimaging.dicom.uids import UidPolicy
from inveonimaging.physics.gating import Gating
from inveonimaging.physics.geometry import Grid
from inveonimaging.physics.quantification import Slope, Slopes
from inveonimaging.redaction.request import Dates
from inveonimaging.study.image import Image


@dataclass(frozen=True, kw_only=True)
class Study:
    """What all series of a study share.

    `group_id` is the Patient ID of the group from whose images it was cut, empty for what is not cut;
    `start` is the earliest start of a scan, if any is known; `comments` are those on the patient, which route it;
    `deidentified` says what became of the dates of a study that is de-identified; `unlimited_text` allows elements of
    VR UC, which several programs cannot read; `specified` asks for the published specification's words for the scanner.
    """

    uid: UID
    id: str
    description: str
    start: datetime | None
    animal: Animal
    comments: str = ""
    deidentified: Dates | None = None
    unlimited_text: bool = False
    specified: bool = False
    group_id: str = ""


class SourceImage(NamedTuple):
    """An instance, or a frame of one, counted from 1, from which another was cut."""

    sop_class: UID
    uid: UID
    frame: int | None = None


class CutFrom(NamedTuple):
    """The series from which another was cut; `image_of` gives what a slice k of a frame of the part was cut from."""

    study: UID
    series: UID
    image_of: Callable[[int, int], SourceImage]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One image with all that its instances need to know.

    Attributes:
        study: its study.
        number: Series Number, from 1.
        image: header, voxels and geometry.
        start: start of the scan, local time; None if unknown.
        utc_offset: local time minus UTC; None if unknown.
        frame_reference_times_ms: of each frame, after `start`.
        gating: of frames that differ by gate; None of others.
        slopes: of each frame and slice.
        window: centre and width of a window that shows all; None leaves it to the viewer.
        uids: where the UIDs of what belongs to the series come from.
        attenuation_series_uid: of the series that the attenuation was corrected with, if it is in the study.
        codes: the site's codes for radionuclides.
        description: what it is, in 64 characters.
        protocol: by which protocol the scan was made, as a sheet says it.
        has_columns_reversed: whether pixels are written from the last column to the first; `image` has the grid for it.
        source: what it was cut from; None for what is not cut, and where that is not known.
    """

    study: Study
    uid: UID
    frame_of_reference_uid: UID
    number: int
    image: Image
    start: datetime | None
    utc_offset: timedelta | None
    frame_reference_times_ms: tuple[float, ...]
    gating: Gating | None
    slopes: Slopes
    window: tuple[float, float] | None
    uids: UidPolicy
    attenuation_series_uid: UID | None = None
    codes: CodeTable = field(default_factory=CodeTable)
    description: str = ""
    protocol: str = ""
    has_columns_reversed: bool = False
    source: CutFrom | None = None

    @property
    def is_cut(self) -> bool:
        """Whether it is a part of the image that was reconstructed."""
        return self.image.whole is not None

    @property
    def uncut(self) -> Grid:
        """The grid of the image that was reconstructed."""
        return (self.image.whole or self.image).grid

    def frame_start(self, frame: int) -> datetime | None:
        """Return when a frame's acquisition started; the scan's start for a frame that does not say."""
        after = self.image.frames[frame].start_s or 0.0
        return None if self.start is None else self.start + timedelta(seconds=after)

    @cached_property
    def extent_s(self) -> tuple[float, float]:
        """When the first of its frames started and the last one ended, in seconds after `start`."""
        frames = self.image.frames
        ends = ((frame.start_s or 0.0) + (frame.duration_s or 0.0) for frame in frames)
        return min(frame.start_s or 0.0 for frame in frames), max(ends)

    @cached_property
    def steps(self) -> Mapping[int, int]:
        """Index of each frame, from 0: among the gates by `gate`, or among the time slices by Frame Reference Time."""
        frames, times = self.image.frames, self.frame_reference_times_ms
        key: Callable[[int], float] = (lambda n: frames[n].gate or 0) if self.gating else times.__getitem__
        return {frame: step for step, frame in enumerate(sorted(range(len(frames)), key=key))}

    @cached_property
    def in_space_and_time(self) -> tuple[tuple[int, int], ...]:
        """Frame and slice k of all slices, in the order of time or gate and, in it, along the normal."""
        frames = sorted(self.steps, key=self.steps.__getitem__)
        ks = sorted(range(self.image.grid.shape[2]), key=self.along_normal)
        return tuple((frame, k) for frame in frames for k in ks)

    def along_normal(self, k: int) -> int:
        """Return the number of a slice, from 1, along the row x column normal."""
        grid = self.image.grid
        return grid.shape[2] - k if grid.runs_against_normal else k + 1


class Instance(NamedTuple):
    """One slice of one frame: what distinguishes it from the others of its series, without its pixels.

    It is a single-frame SOP instance, or a frame of a multi-frame one.
    """

    frame: int
    k: int
    number: int  # Instance Number of the single-frame SOP instance, from 1: frame by frame and slice by slice
    uid: UID  # of the single-frame SOP instance, even where another form is written
    slope: Slope


class Concatenation(NamedTuple):
    """The place of a SOP instance among those that hold one multi-frame object (PS3.3 C.7.6.16.1.1)."""

    uid: UID
    source_uid: UID
    number: int  # from 1
    total: int


class MultiFrame(NamedTuple):
    """One multi-frame SOP instance: which of the series' slices it holds, in file order."""

    uid: UID
    number: int  # Instance Number; the same in all parts of a concatenation
    slices: range  # from 0
    concatenation: Concatenation | None = None
