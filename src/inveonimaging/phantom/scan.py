"""What a scan to be written is: its facts, without its voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from inveonimaging.inveon.hdr import enums
from inveonimaging.inveon.hdr.enums import DataType, Modality, Orientation
from inveonimaging.inveon.hdr.model import Calibration, Subject, Tracer
from inveonimaging.inveon.hdr.values import GateBins
from inveonimaging.inveon.voxels import DTYPES
from inveonimaging.phantom.mouse import INJECTED_BQ, WEIGHT_G

_BQ_PER_MCI = 37e6
_CT_START = datetime(2014, 6, 17, 13, 31, 44)  # local time, as in a header
_PET_START = datetime(2014, 6, 17, 13, 52, 7)
_SPECT_START = datetime(2014, 6, 17, 16, 5, 38)


class FrameTime(NamedTuple):
    """When a frame was measured, in seconds after the start of the scan."""

    start_s: float
    duration_s: float

    @property
    def stop_s(self) -> float:
        """When it ended."""
        return self.start_s + self.duration_s


def frames_of(*durations_s: float) -> tuple[FrameTime, ...]:
    """Return frames of these durations, one after the other."""
    return tuple(FrameTime(sum(durations_s[:n]), duration) for n, duration in enumerate(durations_s))


class Block(NamedTuple):
    """Which part of a scan a frame block holds.

    `time` counts from the start of the scan, whatever the bed position; a gate is part of a cycle, and its start and
    duration are those of all gates of its time frame.
    """

    bed: int
    window: int
    time: FrameTime
    gate: int


FDG = Tracer(
    isotope="F-18",
    half_life_s=6586.2,
    branching_fraction=0.967,
    compound="FDG",
    dose_units=enums.ActivityUnits.MCI,
    dose=INJECTED_BQ / _BQ_PER_MCI,
)
TETROFOSMIN = Tracer(
    isotope="Tc-99m",
    half_life_s=21624.12,
    branching_fraction=0.89,
    compound="tetrofosmin",
    dose_units=enums.ActivityUnits.MCI,
    dose=INJECTED_BQ / _BQ_PER_MCI,
)
NCI_PER_CC = Calibration(units=enums.CalibrationUnits.NCI_PER_CC, factor=5230.0, branching_fraction=0.967)
NOT_CALIBRATED = Calibration(units=enums.CalibrationUnits.UNKNOWN, factor=0.0)
SUBJECT = Subject(
    identifier="M0042",
    genus="Mus musculus",
    length_units=enums.LengthUnits.MM,
    length=75.0,
    weight_units=enums.WeightUnits.GRAM,
    weight=WEIGHT_G,
    phenotype="C57BL/6J",
    study_model="subcutaneous tumour, right flank",
    anesthesia="isoflurane 2 %",
    analgesia="none",
    other_drugs="none",
    food_access="fasted 6 h",
    water_access="free",
    date_of_birth="Mar 4 2014",
    age="15 weeks",
    sex="female",
    scan_region="whole body",
    glucose_level="7.1 mmol/L",
)


@dataclass(frozen=True, kw_only=True)
class PhantomScan:
    """What a pair of files is to hold.

    Attributes:
        modality: PET, CT or SPECT.
        shape: number of voxels along the stored axes x, y and z.
        spacing_mm: voxel size along them.
        shift_mm: image reference shift along them.
        orientation: the animal's posture.
        data_type: type and byte order of the stored values.
        frames: start and duration of each time frame.
        gates: number of gates per time frame; `Mouse.in_gate` has what changes from gate to gate.
        gate_bins: of a gated scan; when empty, one input with as many bins as there are gates.
        gate_description: of a gated scan: what its one input is.
        beds: horizontal bed offset of each bed position, mm. Position n shows what lies `beds[n] - beds[0]` mm further
            along the stored z axis, after position n - 1 has had all its time frames.
        continuous: the bed moves while a frame is measured; its place in the files is that of a bed at rest.
        energy_windows: of a SPECT, number of energy windows. A tissue of `hu` Hounsfield units has
            `(0.5 * (1 + hu / 1000)) ** n` of the first window's value in window n, as scattered photons might have.
        mu_map: the file of a PET's linear attenuation at 511 keV, 1/cm: `Mouse.attenuation` is the truth.
        scan_time: start of the scan, local time; `utc_offset` is local time minus GMT.
        tracer: of a PET or SPECT; injection time and decay since then, when None, follow from the mouse.
        decay_corrected: of a PET or SPECT; otherwise a frame has the truth divided by its decay factor.
        calibration: of a PET or SPECT; without unit or factor, activities are stored as proportional to counts.
        subject: who the animal is.
        scale_factor: of every frame block; when None it is what suits the data type.
        first_offset: byte offset of the first frame block's data.
        gap: bytes between the frame blocks' data.
        one_token_pointers: write `data_file_pointer` as one number, not as two words of 32 bits.
        newline, encoding: of the header.
        genuine: write the header in the dialect of genuine ones (`dialect`). A CT is then of two bed positions that the
            reconstruction has joined, and its extremes are placeholders.
    """

    modality: Modality
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    orientation: Orientation = Orientation.HFP
    data_type: DataType = DataType.FLOAT32_LE
    frames: tuple[FrameTime, ...] = (FrameTime(0.0, 600.0),)
    gates: int = 1
    gate_bins: tuple[GateBins, ...] = ()
    gate_description: str = "respiration, pneumatic pillow"
    beds: tuple[float, ...] = (312.5,)
    continuous: bool = False
    energy_windows: int = 1
    mu_map: bool = False
    scan_time: datetime = _PET_START
    utc_offset: timedelta = timedelta(hours=-5)
    tracer: Tracer = FDG
    decay_corrected: bool = True
    calibration: Calibration = NCI_PER_CC
    subject: Subject = SUBJECT
    scale_factor: float | None = None
    first_offset: int = 0
    gap: int = 0
    one_token_pointers: bool = False
    newline: str = "\n"
    encoding: str = "utf-8"
    genuine: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a stored value."""
        return np.dtype(DTYPES[self.data_type])

    @property
    def is_emission(self) -> bool:
        """Whether the voxels hold activities, not attenuation."""
        return self.modality is not Modality.CT and not self.mu_map

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The frame blocks in the file's order: bed slowest, then energy window, then time, gate fastest."""
        at_one_bed = self.frames[-1].stop_s - self.frames[0].start_s if self.frames else 0.0
        parts = product(range(len(self.beds)), range(self.energy_windows), self.frames, range(self.gates))
        return tuple(
            Block(bed, window, FrameTime(time.start_s + bed * at_one_bed, time.duration_s), gate)
            for bed, window, time, gate in parts
        )

    @property
    def offsets(self) -> tuple[int, ...]:
        """Byte offset of each frame block's data."""
        step = math.prod(self.shape) * self.dtype.itemsize + self.gap
        return tuple(self.first_offset + n * step for n in range(len(self.blocks)))


PET_SCAN = PhantomScan(
    modality=Modality.PET,
    shape=(64, 64, 98),
    spacing_mm=(0.776383, 0.776383, 0.796),
    shift_mm=(-0.63, 1.17, -1.31),
    frames=frames_of(*[15.0] * 4, *[60.0] * 4, *[300.0] * 5, *[600.0] * 3),
)
CT_SCAN = PhantomScan(
    modality=Modality.CT,
    shape=(160, 160, 320),
    spacing_mm=(0.25, 0.25, 0.25),
    shift_mm=(-1.45, -0.85, 0.55),
    data_type=DataType.INT16_LE,
    frames=(FrameTime(0.0, 372.0),),
    scan_time=_CT_START,
)
SPECT_SCAN = PhantomScan(
    modality=Modality.SPECT,
    shape=(64, 64, 64),
    spacing_mm=(0.5, 0.5, 0.5),
    shift_mm=(0.37, 1.19, -0.83),
    frames=(FrameTime(0.0, 1800.0),),
    scan_time=_SPECT_START,
    tracer=TETROFOSMIN,
    decay_corrected=False,
    calibration=NOT_CALIBRATED,
)
