"""Header text for the tests: a small PET study, with whatever a test changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Values = Mapping[str, str | Sequence[str] | None]

MAIN = {
    "version": "001.910",
    "manufacturer": "Siemens",
    "model": "5001",
    "modality": "0",
    "file_name": r"D:\data\mouse 7.img",
    "file_type": "5",
    "acquisition_mode": "3",
    "total_frames": None,  # as many as there are
    "isotope": "F-18",
    "isotope_half_life": "6586.2",
    "isotope_branching_fraction": "0.967",
    "data_type": "2",
    "x_dimension": "4",
    "y_dimension": "3",
    "z_dimension": "2",
    "pixel_size_x": "0.5",
    "pixel_size_y": "0.25",
    "pixel_size_z": "2.0",
    "subject_orientation": "3",
    "calibration_units": "2",
    "calibration_factor": "1.0",
    "scan_time": "Thu Mar  5 10:20:30 2015",
    "subject_identifier": "mouse 7",
}
FRAME = {"data_file_pointer": "0 0", "frame_start": "0", "frame_duration": "60", "scale_factor": "1.0"}


def header_text(main: Values | None = None, frames: Sequence[Values] = ({},), newline: str = "\n") -> str:
    """Return a header's text; None leaves a key out, a list repeats it, and `frames` has one mapping a frame block."""
    blocks = [_lines({**MAIN, "total_frames": str(len(frames)), **(main or {})})]
    blocks += [_lines({"frame": str(index), **FRAME, **frame}) for index, frame in enumerate(frames)]
    lines = ["#", "# Header file for data file mouse.img", "#", *(line for block in blocks for line in block)]
    return newline.join([*lines, ""])


def _lines(values: Values) -> list[str]:
    rows = [(key, [value] if isinstance(value, str) else value or ()) for key, value in values.items()]
    return [*(f"{key} {text}".rstrip() for key, texts in rows for text in texts), "end_of_header"]
