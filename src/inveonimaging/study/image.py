"""One pair of files as an image: the public way to read headers, voxels, values and geometry."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import HeaderError, InveonError
from inveonimaging.findings import Finding, Severity
from inveonimaging.given import axes, named, optional, refused
from inveonimaging.inveon.frame_groups import FrameGroup, count_findings, frame_groups_of
from inveonimaging.inveon.hdr import Frame, Header, parse
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.inveon.hdr.need import missing_in_frame
from inveonimaging.inveon.modality import kind_of, modality_of
from inveonimaging.inveon.pairs import Pair, pair_of
from inveonimaging.inveon.voxels import Voxels, file_size, voxels_of
from inveonimaging.physics.gating import Gating, gating_of
from inveonimaging.physics.geometry import Grid, grid_of, moved_along_bed
from inveonimaging.physics.quantification import Scaling, scaling_of
from inveonimaging.physics.timing import decay_findings
from inveonimaging.study.group import Member

_posture = optional(named(Orientation))
LARGEST_HEADER = 16 * 1024 * 1024
_SLAB_VOXELS = 256 * 1024


class RedactedSource(NamedTuple):
    """New names of a pair's files, and its header's text, after redaction."""

    pair: Pair
    text: bytes


@dataclass(frozen=True)
class Image:
    """A pair of files, read and checked.

    `numpy.asarray(image)` holds the physical values, in the order of the file: (frames, nz, ny, nx), or (nz, ny, nx) of
    a single frame. Transposed, (nx, ny, nz) or (nx, ny, nz, frames), it is what `affine` belongs to.

    Attributes:
        pair: paths of header and data file, or what they are to be called; `source` has the data file's path.
        header_bytes: the header file as it was read, or its redacted text.
        header: what it says.
        modality: PET, CT or SPECT.
        grid: where the voxels are.
        scaling: unit and factors of the physical values.
        source: the data file's frames.
        findings: problems in the data.
        part: which of the file's frames these are; None for all of them.
        whole: the image that it is cut from; None if it is all of it.
        group: the animals that a sheet says lie in it, if they are several; its weight and dose are then sums.
    """

    pair: Pair
    header_bytes: bytes
    header: Header
    modality: Modality
    grid: Grid
    scaling: Scaling
    source: Voxels
    findings: tuple[Finding, ...]
    part: FrameGroup | None = None
    whole: Image | None = None
    group: tuple[Member, ...] = ()

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frame blocks, in the file's order."""
        return self.header.frames

    @property
    def part_name(self) -> str:
        """What distinguishes it from other images of the same file, `bed 1`; empty for a whole file."""
        return self.part.name if self.part else ""

    @property
    def title(self) -> str:
        """The file's name, and what distinguishes it from other images of the file: `m1.pet.img, bed 2`."""
        return ", ".join(filter(None, (self.pair.name, self.part_name)))

    @property
    def kind(self) -> str:
        """What people call it: PET, CT, SPECT, mu map, or PET transmission."""
        return kind_of(self.header, self.modality)

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """(4, 4) array: voxel index (i, j, k, 1), of column x, row y and slice z, -> RAS mm, as nibabel has it.

        `grid.affine` is the same in DICOM's LPS: x and y have the other sign.
        """
        return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.grid.affine + 0.0)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `numpy.asarray(image)`: (frames, nz, ny, nx), or (nz, ny, nx) of a single frame."""
        frames = len(self.frames)
        return self.source.shape if frames == 1 else (frames, *self.source.shape)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return the physical values of all frames, float32 unless asked otherwise; always a new array.

        Raises:
            ValueError: `copy` is False; the values are computed.
        """
        if copy is False:
            raise ValueError("the values of an image are computed: there is no array without a copy")
        values = np.empty((len(self.frames), *self.source.shape), np.float32)
        for frame in range(len(self.frames)):
            values[frame] = self.values(frame)
        return values.reshape(self.shape).astype(np.float32 if dtype is None else dtype, copy=False)

    def series(
        self, *, bed_direction: str = "forward", cycle_ms: float | None = None, separate_frames: bool = False
    ) -> tuple[Image, ...]:
        """Return the image as one image a series, as a conversion makes them.

        Each bed position, at its own place, and each energy window is a series; each gate is one, too, if the length of
        a cycle is not known.

        Args:
            bed_direction: `"reverse"` if a larger `bed_offset` shows what lies less far along the stored slice axis.
            cycle_ms: length of a cycle of gated scans, instead of the middle of the limits in `gate_bins`.
            separate_frames: make each frame block a series of its own, for files whose blocks are not distinguished.

        Raises:
            InveonError: the frames make no series.
        """
        if self.part is not None:
            return (self,)
        if bed_direction not in {"forward", "reverse"}:
            raise refused("bed_direction", bed_direction, "one of forward, reverse")
        try:
            parts, _, _ = series_groups(self.header, cycle_ms, separate=separate_frames)
        except InveonError as error:
            raise error.at(self.pair.header) from error
        return split(self, parts, -1 if bed_direction == "reverse" else 1)

    def voxels(self, frame: int = 0) -> npt.NDArray[np.generic]:
        """Return the stored values of a frame, (nz, ny, nx), in the file's type; mapped, not loaded."""
        return self.source.frame(frame)

    def slabs(self, frame: int) -> Iterator[npt.NDArray[np.generic]]:
        """Yield the stored values of a frame a slab at a time; as `voxels`."""
        for first, stop in self.slab_limits:
            yield self.source.slices(frame, first, stop)

    @property
    def slab_limits(self) -> tuple[tuple[int, int], ...]:
        """The first slice of each slab, and the first one after it."""
        slices, step = self.source.shape[0], self.slices_in_slab
        return tuple((first, min(first + step, slices)) for first in range(0, slices, step))

    @property
    def slices_in_slab(self) -> int:
        """How many slices are mapped, and copied as float64, at a time: bounds the memory whatever the frame's size."""
        _, rows, columns = self.source.frame_shape
        return max(1, _SLAB_VOXELS // (rows * columns))

    def values(self, frame: int = 0) -> npt.NDArray[np.float32]:
        """Return the physical values of a frame, (nz, ny, nx) float32, in `scaling.unit`: Bq/mL or HU."""
        return self.physical(self.voxels(frame), frame)

    def physical(
        self, stored: npt.NDArray[np.generic], frame: int, out: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the physical values of some of a frame's stored ones, in `out` or in a new array of their shape."""
        values = np.empty(stored.shape, np.float32) if out is None else out
        with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN; beyond float32 is infinite
            np.multiply(stored, self.scaling.factors[frame], out=values, dtype=np.float64, casting="same_kind")
        if self.scaling.intercept:
            values += np.float32(self.scaling.intercept)
        return values

    def to_nibabel(self) -> Any:
        """Return all frames as a NIfTI image of nibabel, in memory: float32, (nx, ny, nz) or (nx, ny, nz, frames).

        qform and sform are `affine`, units mm and s.

        Raises:
            OptionError: nibabel is not installed: extra `arrays`.
        """
        from inveonimaging.study.arrays import to_nibabel

        return to_nibabel(self)

    def to_sitk(self, frame: int | None = None) -> Any:
        """Return a SimpleITK image, in memory: float32, LPS mm; of all frames it has four dimensions.

        The spacing of the fourth is the time from one frame to the next in s, or 1 if that differs.

        Args:
            frame: one frame alone, of three dimensions; None for all.

        Raises:
            OptionError: SimpleITK is not installed: extra `arrays`.
        """
        from inveonimaging.study.arrays import to_sitk

        return to_sitk(self, frame)

    def to_xarray(self, *, lazy: bool = True) -> Any:
        """Return an xarray `DataArray` of the physical values, float32, with dimensions (time, z, y, x).

        Coordinates: `x`, `y`, `z`, where voxels lie along the patient's axis that each runs along, RAS mm (its letter
        of `LRPAHF` is the attribute `towards`); `time` and `duration` of each frame, s after the start of the scan, NaN
        if the header does not say; `gate`, `bed` and `energy_window` where frames differ by them. Attributes: `units`,
        `modality`, `affine`, `scan_time`.

        Args:
            lazy: hold a Dask array, of which each frame is a chunk that is read when it is computed.

        Raises:
            OptionError: xarray or dask is not installed: extra `arrays`.
        """
        from inveonimaging.study.arrays import to_xarray

        return to_xarray(self, chunks=lazy)


def read(
    path: str | os.PathLike[str],
    *,
    orientation: Orientation | str | None = None,
    flip: str = "",
    apply_hounsfield: bool = False,
) -> Image:
    """Read a pair of Inveon files, given by its header or by its data file.

    Args:
        path: `NAME.img`, `NAME.img.hdr` or `NAME.hdr`.
        orientation: the animal's posture, for example `"HFP"`, instead of what the header says.
        flip: stored axes (letters of `xyz`) whose patient direction is reversed.
        apply_hounsfield: of a CT, apply `ct_hounsfield_scale` and `ct_hounsfield_offset`.

    Raises:
        InveonError: what is wrong, where, and what was expected, in one line.
    """
    return read_pair(pair_of(Path(path)), orientation=orientation, flip=flip, apply_hounsfield=apply_hounsfield)


def read_pair(
    pair: Pair,
    *,
    orientation: Orientation | str | None = None,
    flip: str | None = None,
    apply_hounsfield: bool | None = None,
    instead: RedactedSource | None = None,
) -> Image:
    """Read a pair of files, or what is `instead` of its header's text and its files' names; as `read`."""
    named, data = instead or RedactedSource(pair, header_bytes(pair.header))
    posture = _posture("orientation", orientation)
    flip = axes("flip", flip)
    parsing: tuple[Finding, ...] = ()
    try:
        header, parsing = parse(data)
        modality, kind = modality_of(header)
        grid, placing = grid_of(header, posture, flip)
        source, sizes = voxels_of(pair.data, header)
        scaling, scales = scaling_of(header, modality, apply_hounsfield=bool(apply_hounsfield))
    except InveonError as error:
        raise error.at(pair.header, hint=_likely_cause(parsing, error)) from error
    findings = (*parsing, *kind, *count_findings(header), *placing, *sizes, *scales, *decay_findings(header))
    located = (locate(finding, pair.header, header) for finding in findings)
    names = {str(pair.header): str(named.header), str(pair.data): str(named.data)}
    renamed = tuple(replace(each, path=names.get(each.path or "", each.path)) for each in located)
    return Image(named, data, header, modality, grid, scaling, source, renamed)


def series_groups(
    header: Header, cycle_ms: float | None = None, *, separate: bool = False
) -> tuple[tuple[FrameGroup, ...], Gating | None, tuple[Finding, ...]]:
    """Return the parts of a file that become one series each, and the gating of those that are gated.

    Gates whose times nobody knows are parts of their own, and are not gated; all blocks are if they are to be separate.
    """
    parts = frame_groups_of(header, separate=separate)
    if not parts[0].is_gated:
        return parts, None, ()
    gating, findings = gating_of(header, len(parts[0].frames), cycle_ms)
    return (parts if gating else frame_groups_of(header, split_gates=True)), gating, findings


def split(image: Image, parts: Sequence[FrameGroup], bed_direction: int = 1) -> tuple[Image, ...]:
    """Return the parts of an image as images, each bed position at its own place, from the first part's.

    Args:
        image: a whole file.
        parts: its parts, from `frame_groups_of`.
        bed_direction: 1 if a larger `bed_offset` shows what lies further along the stored slice axis, else -1.

    Raises:
        HeaderError: a bed position has no `bed_offset`.
    """
    offsets = [0.0 if part.place.bed is None else _bed_offset(image, part.frames[0]) for part in parts]
    return tuple(
        _part_of(image, part, bed_direction * (offset - offsets[0]))
        for part, offset in zip(parts, offsets, strict=True)
    )


def _part_of(image: Image, part: FrameGroup, distance_mm: float) -> Image:
    frames, source, scaling = image.header.frames, image.source, image.scaling
    return replace(
        image,
        part=part,
        header=replace(image.header, frames=tuple(frames[index] for index in part.frames)),
        grid=moved_along_bed(image.grid, distance_mm),
        source=source.of_frames(part.frames),
        scaling=replace(scaling, factors=tuple(scaling.factors[index] for index in part.frames)),
    )


def _bed_offset(image: Image, index: int) -> float:
    frame = image.header.frames[index]
    if frame.bed_offset_mm is None:
        error = missing_in_frame(frame, index, "bed_offset", "where the bed was, cm")
        raise error.at(image.pair.header)
    return frame.bed_offset_mm


def _likely_cause(parsing: tuple[Finding, ...], error: InveonError) -> str | None:
    """Return the first warning of parsing, on another line, which often explains why something else cannot be read."""
    warning = next((each for each in parsing if each.severity is Severity.WARNING and each.line != error.line), None)
    return f"line {warning.line}: {warning.message}" if warning else None


def with_header(image: Image, header: Header) -> Image:
    """Return an image with another header, of the same file, in which a sheet's values stand: decay is judged anew."""
    before, now = (
        [locate(each, image.pair.header, image.header) for each in decay_findings(one)]
        for one in (image.header, header)
    )
    kept = tuple(finding for finding in image.findings if finding not in before)
    return replace(image, header=header, findings=image.findings if before == now else (*kept, *now))


def with_posture_of_header(image: Image, flip: str | None) -> Image:
    """Return an image whose voxels lie as its header's posture says, which a sheet gave.

    Args:
        image: with that header.
        flip: stored axes to mirror, as it was read.
    """
    grid, placing = grid_of(image.header, None, axes("flip", flip))
    unknown = "orientation-unknown"
    now = [locate(each, image.pair.header, image.header) for each in placing if each.code == unknown]
    kept = [each for each in image.findings if each.code != unknown]
    return replace(image, grid=grid, findings=(*kept, *now))


def locate(finding: Finding, path: Path, header: Header) -> Finding:
    """Return a finding with the header's path, and the line of its key."""
    if finding.path is not None:
        return finding
    line = finding.line or (header.line_of(finding.key) if finding.key else None)
    return replace(finding, path=str(path), line=line)


def header_bytes(path: Path) -> bytes:
    """Return the bytes of a header file.

    Raises:
        HeaderError: it cannot be read, or is larger than any header.
    """
    size = file_size(path, HeaderError)
    if size > LARGEST_HEADER:
        raise HeaderError(f"the header has {size} bytes", path=path, expected=f"at most {LARGEST_HEADER}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise HeaderError(f"cannot be read: {error.strerror}", path=path) from error
