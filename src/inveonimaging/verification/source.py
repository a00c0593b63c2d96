"""Expected DICOM values, recomputed from the Inveon files independently of the writer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import uid

from inveonimaging.animal import Animal, animal_of, animals_of_scans
from inveonimaging.errors import OptionError, UnsupportedError, printable
from inveonimaging.findings import Severity
from inveonimaging.inveon.frame_groups import frame_groups_of
from inveonimaging.inveon.hdr import Frame, Header
from inveonimaging.inveon.hdr.enums import EventType, Modality
from inveonimaging.inveon.modality import is_mu_map, is_transmission
from inveonimaging.physics.gating import gating_of
from inveonimaging.study.corrections import BedDirection, Corrections
from inveonimaging.study.image import Image, split
from inveonimaging.study.reading import Scan, Study, read_study

Float = npt.NDArray[np.float64]

_SHORT = 1e-5
_NO_YEAR = 1970  # of times that nobody entered
_CLOCKS_APART_S = 30  # local time and UTC are read one after the other
_SAME_FACTOR, _MOST = 1e-3, 500.0  # headers print factors with 4 digits and more; bounds exponents
# SOP classes by what they have in common: where in them attributes are, and which modality they are for.
CLASSIC = frozenset({uid.CTImageStorage, uid.PositronEmissionTomographyImageStorage})
ENHANCED = frozenset({uid.EnhancedCTImageStorage, uid.EnhancedPETImageStorage})
LEGACY = frozenset({uid.LegacyConvertedEnhancedCTImageStorage, uid.LegacyConvertedEnhancedPETImageStorage})
NM = frozenset({uid.NuclearMedicineImageStorage})
_OF_CT = {uid.CTImageStorage, uid.EnhancedCTImageStorage, uid.LegacyConvertedEnhancedCTImageStorage}
OF_MODALITY = {"CT": _OF_CT, "PT": (CLASSIC | ENHANCED | LEGACY) - _OF_CT, "NM": NM}
MODALITIES = {Modality.CT: "CT", Modality.PET: "PT", Modality.SPECT: "NM"}


@dataclass(frozen=True)
class SourceScan:
    """A file, or a part of it, that should be one series.

    Attributes:
        image: header, voxels and geometry.
        animal: who it is.
        start: start of the scan, local time.
        cycle_ms: of a gated scan, length of a cycle, if it is known.
        number: Series Number that it gets; None if not all files of the study are known.
        space: number of the first series whose frame of reference it shares; None if it is not known.
        may_be_masked: whether neighbours were masked, and it is not known where.
        is_animal_known: whether it is known who it is; it is not for an animal of a group without its sheet.
    """

    image: Image
    animal: Animal
    start: datetime | None
    cycle_ms: float | None = None
    space: int | None = None
    number: int | None = None
    is_animal_known: bool = True
    may_be_masked: bool = False

    @property
    def header(self) -> Header:
        """The header, with the frame blocks of this part."""
        return self.image.header

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Its frame blocks."""
        return self.image.frames

    @property
    def name(self) -> str:
        """The file's name, and the part of it."""
        return printable(self.image.title, 120)

    @property
    def planes(self) -> int:
        """How many slices all frames have."""
        return len(self.frames) * self.image.grid.shape[2]

    @property
    def modality(self) -> str:
        """Modality (0008,0060)."""
        return MODALITIES[self.image.modality]

    @cached_property
    def is_mu_map(self) -> bool:
        """Whether the voxels are attenuation."""
        return is_mu_map(self.header)

    @property
    def has_tracer(self) -> bool:
        """Whether the voxels are activity of a tracer, and not of a source outside the animal."""
        return self.image.modality is not Modality.CT and not is_transmission(self.header)

    @property
    def may_decay(self) -> bool:
        """Whether the voxels are counts, which decay, and not attenuation."""
        return self.image.modality is not Modality.CT and not self.is_mu_map

    @property
    def is_gated(self) -> bool:
        """Whether its frames differ by gate, and not by time."""
        return self.image.part is not None and self.image.part.is_gated

    @property
    def is_decay_corrected(self) -> bool | None:
        """Whether values are those at the start of the scan; None if the header does not say."""
        if not self.may_decay:
            return False
        return self.header.corrections.decay

    @cached_property
    def is_corrected_to_injection(self) -> bool:
        """Whether the frames' factors hold the decay since the injection, as the header's factor for it has it."""
        tracer, blocks = self.header.tracer, self.frames
        half_life, named, begun = (
            tracer.half_life_s,
            tracer.injection_decay_correction,
            self.header.acquisition.started_at,
        )
        if not (self.is_decay_corrected and half_life and half_life > 0 and named and begun and self.injection_time):
            return False
        decay = math.log(2) / half_life
        waited = decay * (begun - self.injection_time).total_seconds()
        tolerance = _SAME_FACTOR + decay
        if abs(waited) > _MOST or abs(math.log(named) - waited) > tolerance or abs(waited) <= tolerance:
            return False
        logs = [
            math.log(block.decay_correction / time_factor(decay, at, block.duration_s))
            for block, at in zip(blocks, self.starts_s, strict=True)
            if block.decay_correction and block.decay_correction > 0 and block.duration_s and abs(decay * at) < _MOST
        ]
        return len(logs) == len(blocks) and all(abs(each - math.log(named)) <= tolerance for each in logs)

    @property
    def corrected_to(self) -> datetime | None:
        """The moment whose activity the values are; None if they are corrected to none."""
        if not self.is_decay_corrected:
            return None
        return self.injection_time if self.is_corrected_to_injection else self.start

    @property
    def time_zone(self) -> str | None:
        """Local time less UTC (0008,0201), `+0930`; None if the header does not say, or gives no zone."""
        local, utc = self.header.acquisition.scan_time, self.header.acquisition.gmt_scan_time
        if local is None or utc is None or min(local.year, utc.year) <= _NO_YEAR:
            return None
        seconds = (local - utc).total_seconds()
        quarters = math.floor(abs(seconds) / 900 + 0.5)
        is_zone = abs(abs(seconds) - 900 * quarters) <= _CLOCKS_APART_S and -12 * 3600 <= seconds <= 14 * 3600 + 1
        sign = "-" if seconds < 0 and quarters else "+"
        return f"{sign}{quarters // 4:02}{quarters % 4 * 15:02}" if is_zone else None

    @property
    def injection_time(self) -> datetime | None:
        """When the tracer was injected, local time."""
        return self.header.tracer.injected_at

    @cached_property
    def starts_s(self) -> tuple[float, ...]:
        """When each frame started, after the start of the scan."""
        return tuple(frame.start_s or 0.0 for frame in self.frames)

    def started(self, frame: int) -> datetime | None:
        """Return when a frame started."""
        return None if self.start is None else self.start + timedelta(seconds=self.starts_s[frame])

    @cached_property
    def reference_times_ms(self) -> tuple[float, ...]:
        """When, after the scan's start, the activity equals its mean over each frame (PS3.3 C.8.9.4.1.5)."""
        half_life = self.header.tracer.half_life_s if self.may_decay else None
        return tuple(
            1000 * (start + time_of_mean(frame.duration_s or 0.0, half_life))
            for start, frame in zip(self.starts_s, self.frames, strict=True)
        )

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The place of each frame among the gates, or else in time, from 0."""
        keys = [frame.gate or 0 for frame in self.frames] if self.is_gated else self.reference_times_ms
        order = sorted(range(len(keys)), key=keys.__getitem__)
        return tuple(order.index(frame) for frame in range(len(keys)))

    @property
    def corrected(self) -> dict[str, bool | None]:
        """Terms of Corrected Image (0028,0051), and whether the header says so; None if it does not say."""
        done = self.header.corrections
        kinds = {frame.event_type for frame in self.frames}
        delayed = {EventType.TRUES: True, EventType.PROMPTS: False}
        methods = {"NORM": done.normalization, "DTIM": done.deadtime, "ATTN": done.attenuation, "SCAT": done.scatter}
        return {
            **{term: None if method is None else bool(method) for term, method in methods.items()},
            "DECY": done.decay,
            "RAN": delayed.get(kinds.pop() or EventType.UNKNOWN) if len(kinds) == 1 else None,
        }

    def decay_factor(self, frame: int) -> float | None:
        """Return the factor that was applied to a frame for decay; None if none was, or it is not known."""
        block, half_life = self.frames[frame], self.header.tracer.half_life_s
        if not self.is_decay_corrected or block.decay_correction:
            return block.decay_correction if self.is_decay_corrected else None
        if not half_life or half_life <= 0 or not block.duration_s:
            return None
        return time_factor(math.log(2) / half_life, self.starts_s[frame], block.duration_s)

    def trigger_ms(self, frame: int) -> float | None:
        """Return when in its cycle a gate begins; None if that is not known."""
        if not self.is_gated or self.cycle_ms is None:
            return None
        return self.steps[frame] * self.cycle_ms / len(self.frames)

    def plane(self, frame: int, k: int) -> Float:
        """Return the true values of a slice, (rows, columns), in the image's unit; what is not finite counts as 0."""
        scaling = self.image.scaling
        stored = self.image.source.slices(frame, k, k + 1)[0]
        with np.errstate(invalid="ignore", over="ignore"):
            values = stored.astype(np.float64)
        if stored.dtype.kind == "f" and not np.isfinite(values).all():
            values[~np.isfinite(values)] = 0.0
        return np.asarray(values * scaling.factors[frame] + scaling.intercept)


def time_factor(decay: float, start: float, duration: float) -> float:
    """Return the activity at the scan's start over its mean in a frame; `decay` is the constant, 1/s."""
    return float(math.exp(decay * start) * decay * duration / -math.expm1(-decay * duration))


def time_of_mean(duration: float, half_life: float | None) -> float:
    """Return when in a frame the activity equals its mean over it, s after its start."""
    if not half_life or half_life < 0 or duration <= 0:
        return max(duration, 0.0) / 2
    decays = math.log(2) * duration / half_life
    if decays < _SHORT:
        return duration * (0.5 - decays / 24)
    return duration / decays * -math.log(-math.expm1(-decays) / decays)


@dataclass(frozen=True)
class SourceStudy:
    """The pairs of a folder, or one pair, read.

    Attributes:
        study: what was read.
        notes: what is left aside.
        is_whole: whether it is a folder, and so all that a study was made from.
    """

    study: Study
    notes: tuple[str, ...]
    is_whole: bool


def read_source(path: Path, corrections: Corrections) -> SourceStudy:
    """Read the pairs of a folder, or one pair; raw data beside images are left aside with a note.

    Raises:
        InveonError: a pair cannot be read; there is none.
    """
    study = read_study(path, corrections, all_below="--recursive compares all that are below")
    notes: list[str] = []
    for error in study.errors.values():
        if not study.scans or not isinstance(error, UnsupportedError):
            raise error
        notes.append(f"skipped: {error}")
    return SourceStudy(study, tuple(notes), path.is_dir())


def refuse_without_effect(corrections: Corrections, source: SourceStudy) -> None:
    """Refuse a correction that changes nothing of any scan: what it says would not be compared.

    Raises:
        OptionError: it names the correction.
    """
    scans = source.study.scans
    traced = any(scan.image.modality is not Modality.CT and not is_transmission(scan.image.header) for scan in scans)
    effects = {
        "scan_time": (
            any(scan.start == corrections.scan_time for scan in scans),
            "each header has a start",
        ),
        "cycle_ms": (any(scan.gating for scan in scans), "no scan is gated"),
        "bed_direction": (any(len(scan.groups) > 1 for scan in scans), "no scan has several bed positions"),
        "dose_mbq": (traced, "no scan has a tracer"),
        "injected_at": (traced, "no scan has a tracer"),
    }
    for name, (has_effect, why) in effects.items():
        if getattr(corrections, name) is not None and not has_effect:
            error = OptionError(f"{name} has no effect: {why}", hint="leave it out")
            error.attribute = name
            raise error


Size = tuple[int, int, int]
"""Columns, rows and number of planes of a series."""


def scans_of(source: SourceStudy, sizes: Sequence[Size]) -> tuple[SourceScan, ...]:
    """Return what should be a series each.

    Args:
        source: the files.
        sizes: of the series that were found: gates are one series, or one each if that fits them.

    Raises:
        InveonError: the frames of a file do not fit together.
    """
    study = source.study
    corrections, found = study.corrections, list[SourceScan]()
    spaces = {each.scan.pair: each.frame_of_reference for each in study.series}
    for scan, animal in zip(study.scans, _animals(source), strict=True):
        if scan.refusal:
            raise scan.refusal
        groups = _groups(scan, sizes, corrections)
        space = spaces.get(scan.pair)
        numbers = [each.number for each in study.series if each.scan.pair == scan.pair and source.is_whole]
        numbered = numbers if len(numbers) == len(groups) else [None] * len(groups)
        found += [
            SourceScan(image, animal, scan.start, cycle_ms_of(image, corrections), space, number)
            for image, number in zip(groups, numbered, strict=True)
        ]
    return tuple(found)


def _animals(source: SourceStudy) -> tuple[Animal, ...]:
    """Return the animal of each scan: each its own where the headers are of several.

    The name of the first file is used for a missing subject only where all files of the study are known.
    """
    study, given = source.study, source.study.corrections.subject
    sheets = [scan.sheet_values for scan in study.scans]
    names = [scan.image.pair.header.name for scan in study.scans]
    whole, found = animal_of(study.headers, given, study.sheet_values, names if source.is_whole else [])
    if any(finding.severity is Severity.ERROR for finding in found):
        alone = zip(study.headers, sheets, names, strict=True)
        return tuple(animal_of([header], given, sheet, [name])[0] for header, sheet, name in alone)
    return animals_of_scans(whole, study.headers, given, sheets, names if source.is_whole else [])


def _groups(scan: Scan, sizes: Sequence[Size], corrections: Corrections) -> tuple[Image, ...]:
    """Return the images of a scan; gates of an unknown cycle may have been written as one series, or as one each."""
    image = scan.image
    together = frame_groups_of(image.header, separate=bool(corrections.separate_frames))
    if not together[0].is_gated:
        return scan.groups
    columns, rows, slices = image.grid.shape
    counts = [planes for *size, planes in sizes if size == [columns, rows]]
    planes = slices * len(together[0].frames)
    is_together = any(abs(count - planes) <= abs(count - slices) for count in counts) or not counts
    parts = together if is_together else frame_groups_of(image.header, split_gates=True)
    return split(image, parts, (corrections.bed_direction or BedDirection.FORWARD).sign)


def cycle_ms_of(part: Image, corrections: Corrections) -> float | None:
    """Return the length of a cycle of gates, ms; None if it is not known, or there are none."""
    if part.part is None or not part.part.is_gated:
        return None
    gating, _ = gating_of(part.header, len(part.frames), corrections.cycle_ms)
    return gating.cycle_ms if gating else None
