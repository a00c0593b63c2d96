"""What many tests need: header text with whatever a test changes, small studies on disk, and the commands."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import runpy
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pydicom
import pytest
import typer.testing
from typer.testing import CliRunner, Result

from inveonimaging.cli.main import app
from inveonimaging.phantom import CT_SCAN, PET_SCAN, PhantomScan, frames_of, write_scan
from inveonimaging.phantom.files import STUDY

ROOT = Path(__file__).parent.parent  # of the repository
LAST_RESORT_S = 300  # for what ends by itself, on the slowest computer; no measure of speed
SHORT = 64  # bytes

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


# Studies on disk. The phantom's own position and size, with voxels so coarse that a conversion takes milliseconds.
PET = replace(PET_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4.0, 9.0), frames=frames_of(20, 40))
CT = replace(CT_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4.0, 9.0))
THIN_CT = replace(CT, shape=(8, 7, 3))
THIN_PET = replace(PET, shape=(8, 7, 2))
CT_FILES = [f"1/CT-{n:06}.dcm" for n in range(1, 7)]
PET_FILES = [f"2/PET-{n:06}.dcm" for n in range(1, 13)]


def write_small_study(folder: Path) -> Path:
    """Write a CT of 6 slices and a PET of 2 frames of 6 slices; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_scan(folder / "m1.ct.img", CT)
    write_scan(folder / "m1.pet.img", PET)
    return folder


def write_thin_study(folder: Path) -> Path:
    """Write a CT of 3 slices and a PET of 2 frames of 2 slices, where the number of files shows nothing more."""
    folder.mkdir(parents=True, exist_ok=True)
    write_scan(folder / "m1.ct.img", THIN_CT)
    write_scan(folder / "m1.pet.img", THIN_PET)
    return folder


def coarse(scan: PhantomScan) -> PhantomScan:
    """Return a scan with voxels of twice the size across, and eight times along the slices."""
    (nx, ny, nz), (x, y, z) = scan.shape, scan.spacing_mm
    return replace(scan, shape=(nx // 2, ny // 2, nz // 8), spacing_mm=(2 * x, 2 * y, 8 * z))


def write_coarse_demo(folder: Path) -> Path:
    """Write the demo's study in such voxels; return the folder."""
    folder.mkdir(parents=True)
    for name, scan in STUDY.items():
        write_scan(folder / name, coarse(scan))
    return folder


def files_below(folder: Path) -> list[str]:
    """Return the files in a tree but for manifests, by their relative paths; empty when there is no folder."""
    files = (path for path in folder.rglob("*") if not path.is_dir() and path.name != "inveon-manifest.json")
    return sorted(path.relative_to(folder).as_posix() for path in files)


def digests(folder: Path) -> dict[str, str]:
    """Return what the files of a tree hold, by their relative paths."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files_below(folder)}


def held_by(path: Path) -> bytes:
    """Return what a file holds if that is short, else its SHA-256: trees of them compare, and print short."""
    held = path.read_bytes()
    return held if len(held) <= SHORT else hashlib.sha256(held).digest()


def instances(folder: Path) -> list[pydicom.FileDataset]:
    """Return the instances of a tree, in the order of their paths."""
    return [pydicom.dcmread(folder / name) for name in files_below(folder)]


# The commands.

# Typer builds them anew for each run, which takes longer than a small conversion.
typer.testing._get_command = functools.cache(typer.testing._get_command)  # type: ignore[attr-defined]


def inveon(*arguments: object, columns: int = 400) -> Result:
    """Run `inveon` in this process; an exception that it does not turn into an exit code fails the test."""
    runner = CliRunner(env={"COLUMNS": str(columns)})
    return runner.invoke(app, [str(each) for each in arguments], catch_exceptions=False, prog_name="inveon")


def published(patch: pytest.MonkeyPatch, module: str, *arguments: object) -> int:
    """Run `python -m MODULE ARGUMENTS` in this process; return its exit code."""
    patch.setattr(sys, "argv", [module, *map(str, arguments)])
    patch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    return int(ended.value.code or 0)


def draw_one_pixel(patch: pytest.MonkeyPatch) -> None:
    """Put one pixel in place of each picture of a report."""
    from PIL import Image as PixelPicture

    from inveonimaging.reports import pictures
    from inveonimaging.reports.draw import Picture

    file = io.BytesIO()
    PixelPicture.new("L", (1, 1)).save(file, "png")

    def made(name: str, *_: object, **__: object) -> Picture:
        return Picture(name, file.getvalue(), 1, 1, "")

    for name in ("planes_picture", "contact_sheet", "curves_picture", "histogram_picture"):
        patch.setattr(pictures, name, made)


Streams = Mapping[str, int]  # file descriptors of "stdout", "stderr", or both
Variables = Mapping[str, str]  # of a process, besides those of this one
NO_VARIABLES: Variables = MappingProxyType({})


def python(
    *arguments: object,
    environment: Variables = NO_VARIABLES,
    cwd: Path | None = None,
    streams: Streams | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` as a process that must end by itself; `run_forked` does so in less time."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=False,
        encoding="utf-8",
        errors=errors_of(environment),
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        timeout=LAST_RESORT_S,
        **_piped(streams),
    )


def errors_of(environment: Variables) -> str:
    """Return how to read what a process writes as UTF-8, where it is asked for another encoding, too."""
    return "backslashreplace" if "PYTHONIOENCODING" in environment else "strict"


def _piped(streams: Streams | None) -> dict[str, Any]:
    return {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **(streams or {})}


@contextlib.contextmanager
def in_time() -> Iterator[None]:
    """Fail what waits for a file that never ends or never begins."""

    def late(*_: object) -> None:
        pytest.fail("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LAST_RESORT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def running_python(
    *arguments: object,
    environment: Variables = NO_VARIABLES,
    cwd: Path | None = None,
    streams: Streams | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run `python ARGUMENTS` as the first process of a group of its own, which is gone afterwards."""
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdin=subprocess.PIPE,
        encoding="utf-8",
        errors=errors_of(environment),
        start_new_session=True,
        cwd=cwd,
        env={**os.environ, **environment},
        **_piped(streams),
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def assert_harmless(text: str) -> None:
    """Show that nothing in it steers a terminal: no control or format character but the ends of lines."""
    doubtful = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - {"\n"}
    assert not doubtful, f"raw characters: {doubtful!r}"


def assert_one_line_error(code: int | None, stdout: str, stderr: str, expected_code: int = 1) -> str:
    """Show that a command ended with an exit code and one harmless line on stderr; return the line."""
    ended = f"exit code {code}, stdout {stdout!r}, stderr {stderr!r}"
    assert (code, stdout) == (expected_code, ""), ended
    assert stderr.startswith("error: "), ended
    assert stderr.count("\n") == 1, ended
    assert stderr.endswith("\n"), ended
    assert_harmless(stderr)
    return stderr
