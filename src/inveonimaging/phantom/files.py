"""The phantom's files: the header with its frame blocks, the voxels, and how a pair or the demo's study is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import OptionError, OutputError
from inveonimaging.inveon import hdr
from inveonimaging.inveon.hdr import Frame, Header
from inveonimaging.inveon.hdr.enums import CalibrationUnits, DataType, EventType, Modality
from inveonimaging.inveon.hdr.model import Extra
from inveonimaging.inveon.hdr.values import Singles
from inveonimaging.inveon.pairs import HEADER_SUFFIX, Pair
from inveonimaging.phantom.dialect import genuine, laid_out
from inveonimaging.phantom.header import SINGLES_BLOCKS, main_of
from inveonimaging.phantom.mouse import AIR_HU, Float, Labels, Mouse
from inveonimaging.phantom.scan import CT_SCAN, PET_SCAN, Block, FrameTime, PhantomScan
from inveonimaging.physics.geometry import Grid, grid_of
from inveonimaging.physics.timing import decay_factor
from inveonimaging.storage.folders import make_folder

MOUSE = Mouse()
_BQ_PER_NCI = 37.0
_ML_PER_MM3 = 1e-3
_MEASURED_PER_DECAY = 0.055
_RANDOMS_PER_TRUE = 0.08
_SCATTERED = 0.5  # of what water has in an energy window, in the next one
_MOVED_MM = 60.0  # by a bed in continuous motion, in a frame
_HALF_STEP = 0.5000001  # rounding, and that of the division before it
STUDY = {
    "mouse_ct1_v1.ct.img": replace(CT_SCAN, genuine=True),
    "mouse_fdg_v1.pet.img": replace(PET_SCAN, genuine=True),
}


def write_scan(
    path: Path,
    scan: PhantomScan,
    *,
    mouse: Mouse = MOUSE,
    change: Callable[[Header], Header] | None = None,
) -> Pair:
    """Write a scan of a mouse as `NAME.img` and `NAME.img.hdr`.

    Args:
        path: the data file; nothing is overwritten.
        scan: what to write.
        mouse: the truth.
        change: has the last word on the header before it becomes text.

    Raises:
        OutputError: a file exists or cannot be written.
        OptionError: the scale factor does not fit the scan, or the scan asks for what does not go together.
        HeaderError: shape or voxel size make no sense, or a text holds a line break.
    """
    pair = Pair(path.with_name(path.name + HEADER_SUFFIX), path)
    contents = contents_of(scan, mouse)
    header = _named(contents.header, path.name, scan)
    header = change(header) if change else header
    text = (
        laid_out(hdr.write(genuine(header)), scan.newline) if scan.genuine else hdr.write(header, newline=scan.newline)
    )
    with _new_file(pair.header) as header_file, _new_file(pair.data) as data_file:
        header_file.write(text)
        _write_frames(data_file, contents, scan)
    return pair


def write_study(folder: Path, *, mouse: Mouse = MOUSE) -> tuple[Pair, ...]:
    """Write the demo's study into a folder, which is made if it is missing: a CT, and a dynamic FDG PET of an hour.

    Raises:
        OutputError: a file exists or cannot be written.
    """
    with _explained(folder):
        make_folder(folder)
    return tuple(write_scan(folder / name, scan, mouse=mouse) for name, scan in STUDY.items())


def _named(header: Header, name: str, scan: PhantomScan) -> Header:
    """Return the header with the data file's name, and its pointers in the form that the scan asks for."""
    if not scan.one_token_pointers:
        return replace(header, file_name=name)
    frames = (
        replace(frame, data_offset=None, extras=(Extra("data_file_pointer", str(frame.data_offset)),))
        for frame in header.frames
    )
    return replace(header, file_name=name, frames=tuple(frames))


def _write_frames(file: BinaryIO, contents: Contents, scan: PhantomScan) -> None:
    """Write frame after frame, plane after plane; what lies between them stays zero."""
    for offset, labels, stored in zip(scan.offsets, contents.labels, contents.stored, strict=True):
        file.seek(offset)
        file.writelines(stored[plane].tobytes() for plane in labels)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing; it is removed again when writing it fails."""
    with _explained(path):
        file = path.open("xb")
        try:
            with file:
                yield file
        except BaseException:
            path.unlink(missing_ok=True)
            raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise OutputError("exists already and is not overwritten", path=path) from error
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", path=path) from error


@dataclass(frozen=True)
class Contents:
    """A scan's header and voxels: block n is `stored[n][labels[n]]`.

    Attributes:
        header: with the blocks' scale factors, extremes and counts.
        labels: (nz, ny, nx) of each block, the mouse's tissues; blocks of one bed position and gate share theirs.
        stored: stored value of each label, for each block.
    """

    header: Header
    labels: tuple[Labels, ...]
    stored: tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True)
class _View:
    """What a bed position shows in a gate: the mouse, its labels in the voxels, and how many voxels each label has."""

    mouse: Mouse
    labels: Labels
    voxels: npt.NDArray[Any]


def header_of(scan: PhantomScan, mouse: Mouse = MOUSE) -> Header:
    """Return the header that goes with a scan of a mouse; its blocks' extremes and counts are those of the voxels.

    Raises:
        HeaderError: shape or voxel size make no sense.
        OptionError: the scan asks for what does not go together.
    """
    return contents_of(scan, mouse).header


def contents_of(scan: PhantomScan, mouse: Mouse = MOUSE) -> Contents:
    """Return header and voxels of a scan of a mouse; errors as `header_of`."""
    main = main_of(scan, mouse)
    grid, blocks = grid_of(main)[0], scan.blocks
    views = {place: _view(scan, mouse, grid, *place) for place in {(block.bed, block.gate) for block in blocks}}
    seen = [views[block.bed, block.gate] for block in blocks]
    filled = [_frame(scan, block, view) for block, view in zip(blocks, seen, strict=True)]
    frames = (
        replace(frame, index=index, data_offset=offset)
        for index, ((frame, _), offset) in enumerate(zip(filled, scan.offsets, strict=True))
    )
    header = replace(main, frames=tuple(frames))
    return Contents(header, tuple(view.labels for view in seen), tuple(stored for _, stored in filled))


def _view(scan: PhantomScan, mouse: Mouse, grid: Grid, bed: int, gate: int) -> _View:
    x, y, z = grid.shift_mm
    place = replace(grid, shift_mm=(x, y, z + (scan.beds[bed] - scan.beds[0])))
    breathing = mouse.in_gate(gate)
    labels = breathing.labels_on(place)
    number = len(mouse.tissues) + 1
    return _View(breathing, labels, np.sum([np.bincount(plane.ravel(), minlength=number) for plane in labels], axis=0))


def _frame(scan: PhantomScan, block: Block, view: _View) -> tuple[Frame, npt.NDArray[Any]]:
    """Return a frame block, without its index and its place in the file, and the stored value of each label."""
    truth, present = _truth(scan, block, view.mouse), view.voxels > 0
    per_scaled = _bqml_per_scaled(scan) if scan.is_emission else 1.0
    scale = _scale_factor(scan, block.time, float(np.abs(truth[present]).max()) / per_scaled)
    stored = _stored(truth / (scale * per_scaled), present, scan.dtype)
    bed_mm = scan.beds[block.bed]
    frame = Frame(
        detector_panel=0,
        event_type=EventType.UNKNOWN,
        bed_passes=1,
        vertical_bed_offset_mm=41.3,
        energy_window=block.window,
        gate=block.gate,
        bed=block.bed,
        bed_offset_mm=bed_mm,
        ending_bed_offset_mm=bed_mm + _MOVED_MM if scan.continuous else bed_mm,
        start_s=block.time.start_s,
        duration_s=block.time.duration_s,
        scale_factor=scale,
        minimum=float(stored[present].min()),
        maximum=float(stored[present].max()),
    )
    return (_counted(frame, scan, block.time, float(truth @ view.voxels)) if scan.is_emission else frame), stored


def _truth(scan: PhantomScan, block: Block, mouse: Mouse) -> Float:
    """Return (n + 1,) HU, 1/cm or Bq/mL of each label; the mouse is that of the block's gate."""
    hounsfield, time = mouse.hounsfield_of_labels(), block.time
    if scan.modality is Modality.CT:
        return hounsfield
    if scan.mu_map:
        return mouse.attenuation_of_labels()
    activity = mouse.activity_of_labels(time.start_s, time.stop_s)
    left = 1.0 if scan.decay_corrected else 1 / _decay(scan, time)
    scattered = _SCATTERED * (1 + hounsfield / -AIR_HU)
    return np.asarray(activity * left * scattered**block.window)


def _counted(frame: Frame, scan: PhantomScan, time: FrameTime, bqml_voxels: float) -> Frame:
    """Return a frame with its corrections and counts; `bqml_voxels` is the sum over the voxels, in Bq/mL."""
    seconds = _seconds(scan, time)
    becquerel = bqml_voxels * math.prod(scan.spacing_mm) * _ML_PER_MM3
    decay, deadtime = _decay_correction(scan, time), _deadtime(scan, time)
    trues = int(becquerel * seconds * _MEASURED_PER_DECAY / decay / deadtime)
    counted = replace(frame, deadtime_correction=deadtime, decay_correction=decay, trues=trues)
    if scan.modality is Modality.SPECT:
        rate = float(int(trues / seconds))
        return replace(
            counted, event_type=EventType.SINGLES, prompts=trues, delays=0, prompts_rate=rate, delays_rate=0.0
        )
    delays = int(trues * _RANDOMS_PER_TRUE)
    rates = (round(trues / seconds * (3.0 + 0.1 * block), 1) for block in range(SINGLES_BLOCKS))
    return replace(
        counted,
        event_type=EventType.TRUES,
        prompts=trues + delays,
        delays=delays,
        prompts_rate=float(int((trues + delays) / seconds)),
        delays_rate=float(int(delays / seconds)),
        singles=tuple(Singles(block, rate, round(rate * 1.02, 1)) for block, rate in enumerate(rates)),
    )


def _scale_factor(scan: PhantomScan, time: FrameTime, largest: float) -> float:
    """Return a block's scale factor; integers get the one that stores `largest` as their type's largest number."""
    if scan.scale_factor is not None:
        return scan.scale_factor
    as_it_is = scan.modality is Modality.CT and scan.data_type is not DataType.INT8
    if scan.dtype.kind == "i" and largest > 0 and not as_it_is:
        return largest / float(np.iinfo(scan.dtype).max)
    if not scan.is_emission:
        return 1.0
    return _deadtime(scan, time) * _decay_correction(scan, time) / _seconds(scan, time)


def _stored(values: Float, present: npt.NDArray[np.bool_], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return values as the data type holds them; those of labels that no voxel has do not matter."""
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    held = np.clip(np.rint(values), limits.min, limits.max)
    if np.any(np.abs(held - values)[present] > _HALF_STEP):
        raise OptionError(f"scale_factor is too small for {dtype.name}", expected="one that keeps all values in range")
    return held.astype(dtype)


def _bqml_per_scaled(scan: PhantomScan) -> float:
    """Return Bq/mL of a `stored * scale_factor` of 1; 1 without calibration."""
    unit = {CalibrationUnits.NCI_PER_CC: _BQ_PER_NCI, CalibrationUnits.BQ_PER_CC: 1.0}
    becquerel = unit.get(scan.calibration.units or CalibrationUnits.UNKNOWN, 0.0) * (scan.calibration.factor or 0.0)
    fraction = scan.tracer.branching_fraction or 1.0
    return becquerel / (fraction if 0 < fraction <= 1 else 1.0) or 1.0


def _seconds(scan: PhantomScan, time: FrameTime) -> float:
    """Return for how long a gate is measured in a time frame, s."""
    return (time.duration_s or 1.0) / scan.gates


def _decay(scan: PhantomScan, time: FrameTime) -> float:
    """Return the factor from the mean activity of a time frame to that at the start of the scan."""
    half_life = scan.tracer.half_life_s
    return decay_factor(time.start_s, time.duration_s, half_life) if half_life else 1.0


def _decay_correction(scan: PhantomScan, time: FrameTime) -> float:
    return _decay(scan, time) if scan.decay_corrected else 1.0


def _deadtime(scan: PhantomScan, time: FrameTime) -> float:
    return 1.0 if scan.modality is Modality.SPECT else round(1.013 + 0.041 * math.exp(-time.start_s / 900.0), 6)
