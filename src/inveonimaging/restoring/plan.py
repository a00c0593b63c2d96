"""What is restored of DICOM: which files, where each plane goes, and how near the values will be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from inveonimaging.dicom_reading.planes import File, Plane
from inveonimaging.errors import HeaderError, InputError, InveonError, printable
from inveonimaging.hotels.inveon_files import cut_header, with_comment
from inveonimaging.inveon.hdr import Header, fields, parse, write
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.inveon.hdr.redaction import Redaction
from inveonimaging.inveon.modality import modality_of
from inveonimaging.inveon.pairs import HEADER_SUFFIX, data_name
from inveonimaging.inveon.voxels import Voxels, voxels_stated
from inveonimaging.physics.geometry import Grid, grid_of
from inveonimaging.physics.quantification import Scaling, scaling_of
from inveonimaging.restoring.animal import animal_in, is_cut, is_masked
from inveonimaging.restoring.names import refuse_alike, safe_name
from inveonimaging.restoring.places import TURNED, Place, place_of
from inveonimaging.restoring.sources import Held, SeriesOfFile, sources_of
from inveonimaging.restoring.values import Scale
from inveonimaging.storage.file_sets import refuse_taken_names

_DIGITS = 9  # after the point, of mm
_SAME_DIRECTION = 1e-4
_MOST_GAP = 2**26  # bytes between frames, beside as many as the frames have
_REMOVED = {Redaction.REMOVE, Redaction.PERSON, Redaction.NAME}
_FLIP, _ORIENTATION, _HOUNSFIELD = "flip ", "orientation ", "apply-hounsfield"
REMOVED_KEYS = tuple(key for key, row in fields.MAIN.items() if row.redacted in _REMOVED)
"""Keys that de-identification removes."""


@dataclass(frozen=True)
class Piece:
    """A DICOM file, and where each of its planes goes.

    Attributes:
        file: its planes.
        places: frame of the restored file and slice k of each plane, from 0.
        has_columns_reversed: whether a row runs against the stored x.
    """

    file: File
    places: tuple[Place, ...]
    has_columns_reversed: bool


@dataclass(frozen=True, kw_only=True)
class PairPlan:
    """A pair of files that is to be written.

    Attributes:
        header_name, name: of the header, and of the data file.
        header: the header's bytes.
        voxels: where frames lie in the data file, as the header says.
        scaling: of the frames.
        pieces: the DICOM files that hold its planes.
        is_cut: whether it is a part of a group's image, which has a header of its own.
        missing: keys that de-identification took away.
        max_error: how far a value may be from that which was converted, in the unit; 0 if it is that one.
    """

    header_name: str
    name: str
    header: bytes
    voxels: Voxels
    scaling: Scaling
    pieces: tuple[Piece, ...]
    is_cut: bool
    missing: tuple[str, ...]
    max_error: float = field(init=False)

    def __post_init__(self) -> None:
        """Look at all slopes.

        Raises:
            InputError: a plane has no slope above 0.
        """
        errors = (
            self.scale(plane, frame).error(self.voxels.dtype)
            for piece in self.pieces
            for plane, (frame, _) in zip(piece.file.planes, piece.places, strict=True)
        )
        object.__setattr__(self, "max_error", max(errors))

    @property
    def slices(self) -> int:
        """How many slices there are."""
        return sum(len(piece.places) for piece in self.pieces)

    @property
    def size(self) -> int:
        """Of the data file, in bytes."""
        return max(self.voxels.offsets) + self.voxels.frame_bytes

    def scale(self, plane: Plane, frame: int) -> Scale:
        """Return how the pixels of a plane become stored values of a frame.

        Raises:
            InputError: the plane has no slope above 0.
        """
        slope, intercept = plane.number("RescaleSlope"), plane.number("RescaleIntercept")
        if slope is None or slope <= 0 or intercept is None:
            got = f"{printable(plane.get('RescaleSlope'), 30)} and {printable(plane.get('RescaleIntercept'), 30)}"
            message = f"slope and intercept of {plane.name} are {got}"
            raise InputError(message, path=plane.file.path, expected="a slope above 0, and a number")
        return Scale(slope, intercept, self.scaling.factors[frame], self.scaling.intercept)


@dataclass(frozen=True, kw_only=True)
class RestorePlan:
    """What is to be written.

    Attributes:
        folder: of the files.
        pairs: in the order of their names.
        left_out: DICOM that another program made, in a line each.
    """

    folder: Path
    pairs: tuple[PairPlan, ...]
    left_out: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all files."""
        return tuple(name for pair in self.pairs for name in (pair.header_name, pair.name))


def plan_restore(source: Path, output: Path, *, overwrite: bool = False) -> RestorePlan:
    """Return what would be restored; nothing is written.

    Raises:
        InveonError: DICOM that cannot be read, is not whole or of another program; a name that is taken.
    """
    sources, left_out = sources_of(source)
    pairs = sorted((pair for each in sources for pair in _pairs_of(each)), key=lambda pair: pair.name)
    plan = RestorePlan(folder=output, pairs=tuple(pairs), left_out=left_out)
    refuse_alike(plan.names, source)
    refuse_taken_names(output, plan.names, overwrite=overwrite)
    return plan


def _pairs_of(source: SeriesOfFile) -> list[PairPlan]:
    """Return the pairs that a source becomes: one, or of a part of a group one for each box."""
    path = source.held[0].path
    try:
        original = parse(source.header.data)[0]
        parts = [_part_of(held, original) for held in source.held]
        if not parts[0].is_cut:
            return [_whole(source, original, parts)]
        return list(_cuts(source, original, parts))
    except HeaderError as error:
        line = "its Inveon header" if error.line is None else f"line {error.line} of its Inveon header"
        raise InputError(f"{line}: {error.sentence}", path=path) from error
    except InveonError as error:
        raise error.at(path) from error


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A series, as a part of its file.

    Attributes:
        held: the series.
        frames: its frame blocks, by their numbers in the file.
        grid: its voxels, as they lie in the restored file.
        pieces: with frames by their place in `frames`.
        scaling: of its frames.
    """

    held: Held
    frames: tuple[int, ...]
    grid: Grid
    pieces: tuple[Piece, ...]
    scaling: Scaling
    is_cut: bool

    def pieces_in(self, numbers: Sequence[int]) -> Iterator[Piece]:
        """Yield its pieces, with frames by their place among some frame blocks of the file."""
        at = [numbers.index(frame) for frame in self.frames]
        for piece in self.pieces:
            yield replace(piece, places=tuple((at[frame], k) for frame, k in piece.places))


def _part_of(held: Held, original: Header) -> _Part:
    """Return a series with the places of its planes.

    Raises:
        InputError: a plane does not say where it belongs, or the planes are not those of the frames.
    """
    first, count = held.series.first, len(original.frames)
    frames = held.header.frames or tuple(range(count))
    if max(frames) >= count:
        raise InputError(
            f"frame block {max(frames)} is not in its header", path=held.path, expected=f"0 to {count - 1}"
        )
    read = _Read.of(held.header.read, held.path)
    grid, part = grid_of(original, read.orientation, read.flip)[0], is_cut(first)
    planes = held.series.planes
    shape = _shape(held, grid, len(planes) / len(frames) if part else None)
    turned = first.get("SOPClassUID") == TURNED and grid.points_to_feet
    written = replace(grid, shape=shape)
    written = written.with_columns_reversed() if turned else written
    blocks = [original.frames[number] for number in frames]
    pieces = tuple(
        Piece(file, tuple(place_of(plane, blocks, shape[2], written) for plane in file.planes), turned)
        for file in held.series.files
    )
    _refuse_incomplete(held, pieces, len(frames), shape[2])
    _refuse_turned(held, written)
    scaling = scaling_of(original, modality_of(original)[0], apply_hounsfield=read.has_hounsfield)[0]
    scaling = replace(scaling, factors=tuple(scaling.factors[number] for number in frames))
    return _Part(
        held=held,
        frames=frames,
        grid=_placed(pieces, written, turned=turned) if part else grid,
        pieces=pieces,
        scaling=scaling,
        is_cut=part,
    )


@dataclass(frozen=True)
class _Read:
    """What counted instead of the header when the file was converted."""

    orientation: Orientation | None = None
    flip: str = ""
    has_hounsfield: bool = False

    @classmethod
    def of(cls, words: Sequence[str], path: Path) -> _Read:
        found = cls()
        for word in words:
            if word.startswith(_FLIP):
                found = replace(found, flip=word.removeprefix(_FLIP))
            elif word.removeprefix(_ORIENTATION) in Orientation.__members__:
                found = replace(found, orientation=Orientation[word.removeprefix(_ORIENTATION)])
            elif word == _HOUNSFIELD:
                found = replace(found, has_hounsfield=True)
            else:
                expected = f"'{_ORIENTATION}HFP', '{_FLIP}z' or '{_HOUNSFIELD}'"
                raise InputError(f"was converted with '{printable(word)}'", path=path, expected=expected)
        return found


def _shape(held: Held, grid: Grid, slices: float | None) -> tuple[int, int, int]:
    """Return voxels along i, j, k; of what is not cut those of the header.

    Raises:
        InputError: a file has no image, or one of another size.
    """
    nx, ny, nz = grid.shape
    if slices is not None:
        ny, nx = held.series.first.file.size or (0, 0)
        nz = int(slices) or 1
    for file in held.series.files:
        if file.lost:
            raise file.lost
        if file.size != (ny, nx):
            found = " x ".join(map(str, reversed(file.size))) if file.size else "no size"
            raise InputError(f"its image has {found}", path=file.path, expected=f"{nx} x {ny}, as its header says")
    return nx, ny, nz


def _refuse_incomplete(held: Held, pieces: Sequence[Piece], frames: int, slices: int) -> None:
    places = [place for piece in pieces for place in piece.places]
    expected, number = frames * slices, printable(held.series.first.get("SeriesNumber"), 20)
    if len(set(places)) < len(places):
        raise InputError(f"slices of series {number} occur twice", path=held.path.parent, expected=f"{expected}")
    if len(places) != expected:
        hint = "give the folder with all of its files"
        message = f"series {number} has {len(places)} slices"
        raise InputError(message, path=held.path.parent, expected=f"{expected}, as its header says", hint=hint)


def _refuse_turned(held: Held, written: Grid) -> None:
    """Refuse images whose rows and columns do not run as they were written."""
    for file in held.series.files:
        cosines = file.planes[0].cosines
        if cosines is None or not np.allclose(cosines, written.axes[:, :2].T, atol=_SAME_DIRECTION):
            found = "no direction" if cosines is None else " ".join(f"{each:.3g}" for each in cosines.ravel())
            expected = " ".join(f"{each:g}" for each in written.image_orientation)
            message = f"Image Orientation (Patient) is {found}"
            hint = "another program has turned the image"
            raise InputError(message, path=file.path, expected=expected, hint=hint)


def _placed(pieces: Sequence[Piece], written: Grid, *, turned: bool) -> Grid:
    """Return the grid of what was cut from a group, by the place of a first slice; a bed's place is in its shift."""
    plane = next(
        plane for piece in pieces for plane, (_, k) in zip(piece.file.planes, piece.places, strict=True) if k == 0
    )
    if plane.position is None:
        raise InputError(f"{plane.name} has no Image Position (Patient)", path=plane.file.path)
    corner = written.axes.T @ plane.position
    centre = corner + (np.asarray(written.shape) - 1) / 2 * written.spacing_mm
    x, y, z = (round(float(each), _DIGITS) for each in centre)
    grid = replace(written, shift_mm=(x, y, z))
    return grid.with_columns_reversed() if turned else grid


def _whole(source: SeriesOfFile, original: Header, parts: Sequence[_Part]) -> PairPlan:
    """Return the pair of a file all of whose frames are there.

    Raises:
        InputError: series are missing.
    """
    numbers = range(len(original.frames))
    there = sorted(frame for part in parts for frame in part.frames)
    if there != [*numbers]:
        lost = sorted({*numbers} - {*there})
        found = f"has no series with frame block {lost[0]} of its file" if lost else "has a series twice"
        raise InputError(found, path=source.held[0].path.parent.parent, expected="all series of a scan, each once")
    factors = {frame: factor for part in parts for frame, factor in zip(part.frames, part.scaling.factors, strict=True)}
    name = safe_name(source.header.name)
    return PairPlan(
        header_name=name,
        name=data_name(Path(name)),
        header=source.header.data,
        voxels=_voxels(name, original),
        scaling=replace(parts[0].scaling, factors=tuple(factors[number] for number in numbers)),
        pieces=tuple(piece for part in parts for piece in part.pieces_in(numbers)),
        is_cut=False,
        missing=_missing(source, original),
    )


def _cuts(source: SeriesOfFile, original: Header, parts: Sequence[_Part]) -> Iterator[PairPlan]:
    """Yield a pair for each box, as `inveon split --as inveon` writes them."""
    boxes: dict[tuple[object, ...], list[_Part]] = {}
    for part in parts:
        boxes.setdefault((part.grid.shape, part.grid.shift_mm), []).append(part)
    plain = data_name(Path(safe_name(source.header.name)))
    for number, alike in enumerate(boxes.values(), 1):
        name = plain if len(boxes) == 1 else f"{plain[:-4]}_{number}{plain[-4:]}"
        numbers = sorted(frame for part in alike for frame in part.frames)
        if len(set(numbers)) < len(numbers):
            raise InputError("has a series twice", path=source.held[0].path.parent, expected="each once")
        factors = {frame: each for part in alike for frame, each in zip(part.frames, part.scaling.factors, strict=True)}
        first = alike[0].held.series.first
        itemsize = _voxels(name, original).dtype.itemsize
        own = animal_in(first, original)
        made = cut_header(original, own, alike[0].grid, numbers, itemsize, str(first.get("PatientID") or ""))
        data = write(with_comment(made, "voxels of other animals were replaced") if is_masked(first) else made)
        yield PairPlan(
            header_name=f"{name}{HEADER_SUFFIX}",
            name=name,
            header=data,
            voxels=_voxels(name, parse(data)[0]),
            scaling=replace(alike[0].scaling, factors=tuple(factors[frame] for frame in numbers)),
            pieces=tuple(piece for part in alike for piece in part.pieces_in(numbers)),
            is_cut=True,
            missing=_missing(source, original),
        )


def _voxels(name: str, header: Header) -> Voxels:
    """Return where the frames of a restored file lie.

    Raises:
        InputError: so far apart that the file would be mostly empty.
    """
    voxels = voxels_stated(Path(name), header)
    frames = len(voxels.offsets) * voxels.frame_bytes
    size = max(voxels.offsets) + voxels.frame_bytes
    if size > 2 * frames + _MOST_GAP:
        message = f"by its header the data file has {size} bytes, of which the frames are {frames}"
        raise InputError(message, expected="frames that follow each other")
    return voxels


def _missing(source: SeriesOfFile, original: Header) -> tuple[str, ...]:
    """Return the keys that de-identification took away; none of a header that was left as it is."""
    if source.first.first.get("PatientIdentityRemoved") != "YES":
        return ()
    return tuple(key for key in REMOVED_KEYS if original.line_of(key) is None)
