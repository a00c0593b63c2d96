"""What the files must say, worked out from the header's text and the stored bytes alone, without the package."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True)
class Truth:
    """A pair of files, read by hand: header blocks as plain text, values (frame, z, y, x) in Bq/mL or HU."""

    main: dict[str, str]
    frames: list[dict[str, str]]
    values: Float
    calibrated: bool

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
        shift = np.array([float(part) for part in self.main["image_ref_shift"].split()])
        middle = (np.array(self.shape) - 1) / 2
        return np.asarray(self.axes @ ((np.array([i, j, k]) - middle) * self.spacing + shift))

    def start(self, frame: int) -> float:
        return float(self.frames[frame]["frame_start"])

    def duration(self, frame: int) -> float:
        return float(self.frames[frame]["frame_duration"])

    @property
    def scan_time(self) -> datetime:
        return datetime.strptime(self.main["scan_time"], "%a %b %d %H:%M:%S %Y")  # the tests run in the C locale


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
    is_ct = main["modality"] == "1"
    becquerel = None if is_ct else BECQUEREL.get(main.get("calibration_units", "0"))
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
