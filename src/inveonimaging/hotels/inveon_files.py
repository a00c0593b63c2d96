"""The cut images as pairs of Inveon files, for the vendor's workstation and other programs that read them.

Stored values are untouched, in their type and byte order, but for those of neighbours that are masked, which a comment
then says. Of the header only those lines change that say how large and where the image is, where its frames lie in the
file, and who the animal is; units stay those of the header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from inveonimaging import units
from inveonimaging.errors import InveonError
from inveonimaging.inveon.hdr import Header, parse, write
from inveonimaging.inveon.hdr.enums import ActivityUnits, WeightUnits
from inveonimaging.inveon.hdr.lexer import END, Line
from inveonimaging.inveon.hdr.model import Geometry, Subject, Tracer
from inveonimaging.inveon.pairs import HEADER_SUFFIX, Pair
from inveonimaging.physics.geometry import Grid
from inveonimaging.storage.leftovers import DEMO
from inveonimaging.storage.staging import Written, staged, write_file
from inveonimaging.study.image import Image
from inveonimaging.study.masking import shown_value
from inveonimaging.study.reading import Scan, Study

FOLDER = DEMO
"""The folder of the pairs, below that of the animal."""

_KG: Mapping[WeightUnits, Decimal] = {
    WeightUnits.GRAM: units.KG_PER_GRAM,
    WeightUnits.OUNCE: units.KG_PER_OUNCE,
    WeightUnits.KILOGRAM: units.ONE,
    WeightUnits.POUND: units.KG_PER_POUND,
}
_MBQ: Mapping[ActivityUnits, Decimal] = {ActivityUnits.MCI: units.MBQ_PER_MCI, ActivityUnits.MBQ: units.ONE}
_SEX = {"M": "male", "F": "female", "O": "other"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DIGITS = 9  # after the point, of mm: what arithmetic with floats adds is below
_ACTIVITIES = ("activity_before_injection", "residual_activity")


@dataclass(frozen=True)
class CutFile:
    """A data file that is to be written, with its header.

    Attributes:
        name: of the data file.
        header: its header's bytes.
        frames: image and frame of each of its frames, in the order of the file.
    """

    name: str
    header: bytes
    frames: tuple[tuple[Image, int], ...]

    @property
    def slices(self) -> int:
        """How many slices there are to be written."""
        return sum(image.source.shape[0] for image, _ in self.frames)

    def pair_in(self, output: Path) -> Pair:
        """Return where the pair is in an animal's output."""
        data = output / FOLDER / self.name
        return Pair(data.with_name(f"{self.name}{HEADER_SUFFIX}"), data)

    def pieces(self, step: Callable[[int], None]) -> Iterator[memoryview]:
        """Yield the data file, piece by piece; call `step` with the number of slices of each.

        Raises:
            DataError: the source cannot be read any more.
        """
        for image, frame in self.frames:
            for slab in image.slabs(frame):
                yield np.ascontiguousarray(slab).reshape(-1).view(np.uint8).data
                step(len(slab))


def files_of(study: Study) -> tuple[CutFile, ...]:
    """Return the files that an animal's study becomes: one of each pair, of bed positions one each.

    Raises:
        InveonError: the first reason why a pair cannot be read; a header's text cannot be written.
    """
    for error in study.errors.values():
        raise error
    return tuple(file for scan in study.scans for file in _files(scan, study.animal.id))


def _files(scan: Scan, identifier: str) -> Iterator[CutFile]:
    """Yield the files of a scan: frames whose boxes are alike lie in one."""
    if scan.refusal:
        raise scan.refusal
    boxes: dict[tuple[object, ...], list[Image]] = {}
    for image in scan.groups:
        boxes.setdefault((image.source.first, image.source.shape, image.grid.bed_mm), []).append(image)
    stem, suffix = scan.image.pair.data.stem, scan.image.pair.data.suffix
    for number, images in enumerate(boxes.values(), 1):
        name = f"{stem}{suffix}" if len(boxes) == 1 else f"{stem}_{number}{suffix}"
        numbered = sorted((_number(image, frame), image, frame) for image in images for frame in _frames(image))
        try:
            whole, places = scan.image, [each[0] for each in numbered]
            original = parse(whole.header_bytes)[0]
            itemsize = whole.source.dtype.itemsize
            made = cut_header(original, whole.header, images[0].grid, places, itemsize, identifier)
            if voxels := images[0].source.hidden_voxels:
                comment = f"{voxels} voxels of each frame, of other animals, were replaced by {shown_value(images[0])}"
                made = with_comment(made, comment)
            header = write(made)
        except InveonError as error:
            raise error.at(scan.pair.header) from error
        yield CutFile(name, header, tuple((image, frame) for _, image, frame in numbered))


def _frames(image: Image) -> range:
    return range(len(image.frames))


def _number(image: Image, frame: int) -> int:
    """Return the number of a frame block in the file."""
    return image.part.frames[frame] if image.part else frame


def cut_header(
    original: Header, own: Header, grid: Grid, numbers: Sequence[int], itemsize: int, identifier: str
) -> Header:
    """Return the header of some frames of a file, as the scanner would have written it for this box and animal.

    Args:
        original: of the whole file.
        own: what is known of the animal.
        grid: of the box.
        numbers: of the frame blocks, in the order in which they will lie in the file.
        itemsize: of a stored value, in bytes.
        identifier: of the animal.
    """
    nx, ny, nz = grid.shape
    size = nx * ny * nz * itemsize
    is_pointed = any(frame.data_offset is not None for frame in original.frames)
    is_all = len(numbers) == len(original.frames)
    frames = tuple(
        replace(
            original.frames[number],
            index=original.frames[number].index if is_all else place,
            data_offset=place * size if is_pointed else None,
        )
        for place, number in enumerate(numbers)
    )
    return replace(
        own,
        frames=frames,
        source=original.source,
        total_frames=original.total_frames if is_all else len(numbers),
        array=replace(own.array, x=nx, y=ny, z=nz),
        geometry=_geometry(own.geometry, grid),
        subject=_subject(own.subject, original.subject, identifier),
        tracer=_tracer(own.tracer, original.tracer),
    )


def with_comment(header: Header, text: str) -> Header:
    """Return a header with one more comment, at the end of its main block."""
    lines: list[Line] = []
    for line in header.source:
        if line.key == END:
            lines.append(Line(0, "", "", f"# {text}" + "\r" * line.raw.endswith("\r")))
        lines.append(line)
    return replace(header, source=tuple(lines))


def _geometry(geometry: Geometry, grid: Grid) -> Geometry:
    """Return what says where the voxels are; the shift has the place of a bed position, which becomes a file."""
    x, y, z = (round(each, _DIGITS) for each in (*grid.shift_mm[:2], grid.shift_mm[2] + grid.bed_mm))
    origins: dict[str, Any] = {
        f"volume_origin_{axis}": max(n // 2 - 1, 0)  # the central voxel, as the scanner counts it
        for axis, n in zip("xyz", grid.shape, strict=True)
        if getattr(geometry, f"volume_origin_{axis}") is not None
    }
    orientation = grid.orientation or geometry.orientation
    return replace(geometry, image_ref_shift_mm=(x, y, z), orientation=orientation, **origins)


def _subject(subject: Subject, original: Subject, identifier: str) -> Subject:
    """Return the animal in the scanner's words, its weight in the header's unit."""
    kept = original.weight_units if original.weight_units in _KG else subject.weight_units or original.weight_units
    weight = subject.weight_kg
    return replace(
        subject,
        identifier=identifier,
        sex=_SEX.get(subject.sex or "", subject.sex),
        date_of_birth=_day(subject.date_of_birth),
        length_units=original.length_units if subject.length is None else subject.length_units,
        weight_units=kept,
        weight=None if weight is None or kept is None else _in(weight, _KG[kept]),
    )


def _day(text: str | None) -> str | None:
    """Return a date of a sheet as the console writes it: `Mar 4 2014`."""
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return text
    return f"{_MONTHS[day.month - 1]} {day.day} {day.year}"


def _tracer(tracer: Tracer, original: Tracer) -> Tracer:
    """Return a tracer whose dose and activities are in the header's units."""
    dose_units, activity_units = (
        old if old in _MBQ else new or old
        for old, new in (
            (original.dose_units, tracer.dose_units),
            (original.activity_units, tracer.activity_units),
        )
    )
    values: dict[str, Any] = {
        name: _activity(getattr(tracer, name), tracer.activity_units, activity_units) for name in _ACTIVITIES
    }
    if tracer.injection_time != original.injection_time:
        values["injection_decay_correction"] = None  # that of another injection
    dose = _activity(tracer.dose, tracer.dose_units, dose_units)
    return replace(tracer, dose=dose, dose_units=dose_units, activity_units=activity_units, **values)


def _activity(value: float | None, unit: ActivityUnits | None, wanted: ActivityUnits | None) -> float | None:
    if value is None or unit is None or wanted is None or unit not in _MBQ or wanted not in _MBQ:
        return value
    return _in(units.convert(value, _MBQ[unit]), _MBQ[wanted]) if unit is not wanted else value


def _in(value: float, factor: Decimal) -> float:
    """Return a value in a unit of which one is so much, to the digits that people write."""
    return float(f"{Decimal(repr(value)) / factor:.12g}")


def write_files(files: Sequence[CutFile], output: Path, step: Callable[[int], None]) -> tuple[Pair, ...]:
    """Write pairs into the folder `inveon` of an animal's output; all of them appear, or none.

    Raises:
        InveonError: a file is there already, cannot be written, or its source cannot be read.
    """
    with staged(output) as stage:
        folder = stage.folder(FOLDER)
        done: list[Written] = []
        for each in files:
            done.append(write_file(folder / each.name, each.pieces(step)))
            done.append(write_file(folder / f"{each.name}{HEADER_SUFFIX}", (each.header,)))
        stage.commit({FOLDER: done})
    return tuple(each.pair_in(output) for each in files)
