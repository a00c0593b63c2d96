"""What the files must say, worked out from the header's text and the stored bytes alone, without the package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

# Patient directions (LPS) of the stored axes x, y and z, by the header's code for the posture.
LEFT, RIGHT = (1, 0, 0), (-1, 0, 0)
BACK, FRONT = (0, 1, 0), (0, -1, 0)
HEAD, FEET = (0, 0, 1), (0, 0, -1)
AXES = {
    0: (RIGHT, BACK, HEAD),
    1: (LEFT, FRONT, HEAD),
    2: (RIGHT, FRONT, FEET),
    3: (RIGHT, BACK, HEAD),
    4: (LEFT, BACK, FEET),
    5: (FRONT, RIGHT, HEAD),
    6: (BACK, RIGHT, FEET),
    7: (BACK, LEFT, HEAD),
    8: (FRONT, LEFT, FEET),
}
POSITIONS = ("", "FFP", "HFP", "FFS", "HFS", "FFDR", "HFDR", "FFDL", "HFDL")
TYPES = {1: "i1", 2: "<i2", 3: "<i4", 4: "<f4", 5: ">f4", 6: ">i2", 7: ">i4"}
BECQUEREL = {"1": 37.0, "2": 1.0}
PET, MU_MAP = "0", "8"  # hdr modality, file_type


@dataclass(frozen=True)
class Truth:
    """A pair of files, read by hand: header blocks as plain text, values (frame, z, y, x).

    Values are in Bq/mL or proportional to counts, in HU, and those of a mu map in 1/cm. `bed_mm` is how far along the
    stored z axis the bed position lies from the first one.
    """

    main: dict[str, str]
    frames: list[dict[str, str]]
    values: Float
    calibrated: bool
    bed_mm: float = 0.0

    def part(self, direction: int = 1, **keys: int) -> Truth:
        """Return the frame blocks with these values of keys, in the file's order, where their bed position is.

        Bed positions are displaced from that with the lowest number, by the difference of their `bed_offset`, cm.
        """
        kept = [n for n, frame in enumerate(self.frames) if all(frame[key] == str(keys[key]) for key in keys)]
        first = min(self.frames, key=lambda frame: int(frame["bed"]))
        offset = float(self.frames[kept[0]]["bed_offset"]) - float(first["bed_offset"])
        moved = direction * 10 * offset if "bed" in keys else 0.0
        return replace(self, frames=[self.frames[n] for n in kept], values=self.values[kept], bed_mm=moved)

    @property
    def shape(self) -> tuple[int, int, int]:
        return int(self.main["x_dimension"]), int(self.main["y_dimension"]), int(self.main["z_dimension"])

    @property
    def spacing(self) -> Float:
        return np.array([float(self.main[f"pixel_size_{axis}"]) for axis in "xyz"])

    @property
    def axes(self) -> Float:
        """Patient directions of x, y and z, as columns."""
        return np.array(AXES[int(self.main["subject_orientation"])], dtype=float).T

    def position(self, i: float, j: float, k: float) -> Float:
        """Return the centre of a voxel, LPS mm."""
        x, y, z = (float(part) for part in self.main["image_ref_shift"].split())
        middle = (np.array(self.shape) - 1) / 2
        return np.asarray(self.axes @ ((np.array([i, j, k]) - middle) * self.spacing + (x, y, z + self.bed_mm)))

    @property
    def head_up(self) -> Truth:
        """The same with columns in such an order that row x column points to the head."""
        i, j, _ = self.axes.T
        return self if np.cross(i, j)[2] > 0 else Reversed(**{**vars(self), "values": self.values[..., ::-1]})

    def start(self, frame: int) -> float:
        return float(self.frames[frame]["frame_start"])

    def duration(self, frame: int) -> float:
        return float(self.frames[frame]["frame_duration"])

    def start_time(self, frame: int) -> datetime:
        return self.scan_time + timedelta(seconds=self.start(frame))

    def reference_time_ms(self, frame: int) -> float:
        """Return when, after the scan's start, the activity equals its mean over the frame."""
        decays = self.main["modality"] != "1" and self.main["file_type"] != MU_MAP
        half_life = float(self.main["isotope_half_life"]) if decays else None
        return 1000 * (self.start(frame) + _time_of_mean(self.duration(frame), half_life))

    @property
    def steps(self) -> list[int]:
        """Return the place of each frame, from 1, among the gates, or else among the time frames."""
        gates = [int(frame["gate"]) for frame in self.frames]
        keys = gates if len(set(gates)) > 1 else [self.start(frame) for frame in range(len(self.frames))]
        return [1 + sum(other < key for other in keys) for key in keys]

    @property
    def scan_time(self) -> datetime:
        return datetime.strptime(self.main["scan_time"], "%a %b %d %H:%M:%S %Y")  # the tests run in the C locale


class Reversed(Truth):
    """The truth with its columns from the last to the first."""

    @property
    def axes(self) -> Float:
        return super().axes * (-1, 1, 1)

    def position(self, i: float, j: float, k: float) -> Float:
        return Truth(**vars(self)).position(self.shape[0] - 1 - i, j, k)


def truth_of(data: Path) -> Truth:
    """Read `NAME.img` and `NAME.img.hdr` by hand."""
    blocks: list[dict[str, str]] = [{}]
    for line in data.with_name(data.name + ".hdr").read_text("utf-8").splitlines():
        key, _, value = line.partition(" ")
        if key == "frame":
            blocks.append({})
        if line and not line.startswith("#"):
            blocks[-1][key] = value.strip()
    main, frames = blocks[0], blocks[1:]
    is_activity = main["modality"] == PET and main["file_type"] != MU_MAP
    becquerel = BECQUEREL.get(main.get("calibration_units", "0")) if is_activity else None
    calibrated = bool(becquerel and float(main.get("calibration_factor", "0")) > 0)
    values = [_values(data, main, frame, calibrated=calibrated) for frame in frames]
    return Truth(main, frames, np.array(values), calibrated)


def _values(data: Path, main: dict[str, str], frame: dict[str, str], *, calibrated: bool) -> Float:
    nx, ny, nz = (int(main[f"{axis}_dimension"]) for axis in "xyz")
    words = [int(word) for word in frame["data_file_pointer"].split()]
    offset = words[0] if len(words) == 1 else (words[0] << 32) | (words[1] & 0xFFFFFFFF)
    stored = np.frombuffer(data.read_bytes(), TYPES[int(main["data_type"])], nx * ny * nz, offset)
    values = stored.reshape(nz, ny, nx).astype(np.float64) * float(frame["scale_factor"])
    if calibrated:
        branching = float(main["isotope_branching_fraction"])
        values *= float(main["calibration_factor"]) / branching * BECQUEREL[main["calibration_units"]]
    return values


@cache
def _time_of_mean(duration: float, half_life: float | None) -> float:
    """Return when, after a frame's start, the activity equals its mean, found by bisection on the decaying activity."""
    if half_life is None:
        return duration / 2
    constant = np.log(2) / half_life
    times = np.linspace(0, duration, 20001)
    mean = np.trapezoid(np.exp(-constant * times), times) / duration
    low, high = 0.0, duration
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if np.exp(-constant * middle) > mean else (low, middle)
    return low
