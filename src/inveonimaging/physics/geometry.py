"""Where the voxels are: header -> Grid, voxel index -> patient coordinates (DICOM LPS, mm).

Stored order is x fastest, then y, z and frame. For voxel index n along an axis with N voxels of s mm and the image
reference shift d, the position in the gantry is `(n - (N - 1) / 2) * s + d`; the animal's posture turns the gantry's
axes into the patient's: +x left, +y posterior, +z head.

Head first prone and feet first supine were found against the vendor's own output; the other postures follow by
turning the animal in a gantry that stays fixed. See docs/why/geometry.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import OptionError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.inveon.hdr.need import missing
from inveonimaging.inveon.modality import modality_of
from inveonimaging.inveon.voxels import shape_of
from inveonimaging.physics.voxel_size import voxel_size_findings

Float = npt.NDArray[np.float64]
Mm = tuple[float, float, float]


def mm_of(values: Iterable[float]) -> Mm:
    """Return a place or a size along three axes."""
    x, y, z = map(float, values)
    return x, y, z


# Patient directions of the stored axes i, j and k.
DIRECTIONS = {
    Orientation.FFP: "LAH",
    Orientation.HFP: "RAF",
    Orientation.FFS: "RPH",
    Orientation.HFS: "LPF",
    Orientation.FFDR: "ARH",
    Orientation.HFDR: "PRF",
    Orientation.FFDL: "PLH",
    Orientation.HFDL: "ALF",
}
ASSUMED = Orientation.FFS
_LPS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}
_OPPOSITE = dict(zip("LRPAHF", "RLAPFH", strict=True))
_LARGEST_MM = 1000  # of a voxel or a shift; the bore is a fraction of it
_VOXEL_SIZE = f"a voxel size above 0, up to {_LARGEST_MM} mm"
_SAME_SIZE = 0.01


_SAME_PLACE = 1e-6  # of a voxel: faces that are nearer are one


@dataclass(frozen=True)
class Box:
    """Some of a volume's voxels: those from `first` up to `stop`, which are not in it, along i, j and k."""

    first: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along i, j, k."""
        i, j, k = (stop - first for first, stop in zip(self.first, self.stop, strict=True))
        return i, j, k


@dataclass(frozen=True)
class Grid:
    """A volume's voxels in space.

    Attributes:
        shape: number of voxels along i, j, k (columns, rows, slices).
        spacing_mm: voxel size along i, j, k.
        shift_mm: image reference shift along i, j, k, in the gantry.
        orientation: the animal's posture; UNKNOWN is placed like feet first, supine.
        directions: patient directions of +i, +j, +k, letters of `LRPAHF`.
        bed_mm: of a bed position, how far along k it lies from the first one.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    shift_mm: tuple[float, float, float]
    orientation: Orientation
    directions: str
    bed_mm: float = 0.0

    @cached_property
    def axes(self) -> Float:
        """Unit vectors of i, j, k in LPS as the columns of a (3, 3) array."""
        return np.asarray(np.transpose([_LPS[letter] for letter in self.directions]), dtype=float)

    @property
    def image_orientation(self) -> tuple[float, ...]:
        """Image Orientation (Patient): direction cosines of a row (along i) and of a column (along j)."""
        return (*self.axes[:, 0], *self.axes[:, 1])

    @property
    def affine(self) -> Float:
        """(4, 4) array: voxel index (i, j, k, 1) -> LPS mm.

        `A ((index - (n - 1) / 2) spacing + shift)`, with the directions of i, j and k as the columns of A; `bed_mm` is
        added to the shift along k.
        """
        affine = np.eye(4)
        affine[:3, :3] = self.axes * self.spacing_mm
        affine[:3, 3] = self.axes @ self._gantry(np.zeros(3))
        return affine

    @cached_property
    def slice_locations(self) -> Float:
        """(nz,) position of each slice along the stored slice axis, mm, in the gantry."""
        return np.asarray(self._gantry(self._corners)[:, 2])

    @cached_property
    def positions(self) -> Float:
        """(nz, 3) Image Position (Patient): centre of each slice's first voxel, LPS mm (PS3.3 C.7.6.2.1.1)."""
        return np.asarray(self._gantry(self._corners) @ self.axes.T + 0.0)

    @cached_property
    def runs_against_normal(self) -> bool:
        """Whether the slice index decreases along row x column, as in all postures unless an axis is flipped."""
        return bool(np.linalg.det(self.axes) < 0)

    @property
    def points_to_feet(self) -> bool:
        """Whether row x column points towards the feet, as it does of all animals that enter the scanner feet first."""
        return bool(np.cross(*self.axes[:, :2].T)[2] < 0)

    def with_columns_reversed(self) -> Grid:
        """Return the grid of the same voxels with their order along i reversed: each voxel stays in its place."""
        x, y, z = self.shift_mm
        directions = _OPPOSITE[self.directions[0]] + self.directions[1:]
        return replace(self, directions=directions, shift_mm=(-x, y, z))

    def cut(self, box: Box) -> Grid:
        """Return the grid of some of the voxels: each stays in its place.

        Raises:
            OptionError: the box holds no voxel, or reaches beyond the volume.
        """
        limits = zip(box.first, box.stop, self.shape, strict=True)
        if not all(0 <= first < stop <= count for first, stop, count in limits):
            shown = " x ".join(map(str, self.shape))
            raise OptionError(key="the box", got=f"{box.first} to {box.stop}", expected=f"voxels of {shown}")
        x, y, z = (
            shift + (first + (n - 1) / 2 - (count - 1) / 2) * size
            for shift, first, n, count, size in zip(
                self.shift_mm, box.first, box.shape, self.shape, self.spacing_mm, strict=True
            )
        )
        return replace(self, shape=box.shape, shift_mm=(x, y, z))

    def box_of(self, low_mm: Sequence[float], high_mm: Sequence[float]) -> Box | None:
        """Return the voxels that an extent in the gantry touches; None if it lies beside the volume.

        Args:
            low_mm: where it begins along i, j and k, in mm in the gantry.
            high_mm: where it ends.
        """
        centre = self._gantry(np.zeros(3))
        first = (np.asarray(low_mm) - centre) / self.spacing_mm + 0.5  # in voxels after the volume's lower face
        stop = (np.asarray(high_mm) - centre) / self.spacing_mm + 0.5
        firsts = np.maximum(np.floor(first + _SAME_PLACE), 0)
        stops = np.minimum(np.ceil(stop - _SAME_PLACE), self.shape)
        if not np.all(firsts < stops):
            return None
        (i, j, k), (i_stop, j_stop, k_stop) = firsts.astype(int).tolist(), stops.astype(int).tolist()
        return Box((i, j, k), (i_stop, j_stop, k_stop))

    @property
    def middles_mm(self) -> tuple[Float, Float, Float]:
        """Where voxels have their middles in the gantry, along i, j and k: (nx,), (ny,) and (nz,), mm."""
        i, j, k = (
            np.asarray((np.arange(n) - (n - 1) / 2) * spacing + shift, dtype=float)
            for n, spacing, shift in zip(self.shape, self.spacing_mm, self.shift_mm, strict=True)
        )
        return i, j, np.asarray(k + self.bed_mm)

    @property
    def _corners(self) -> Float:
        corners = np.zeros((self.shape[2], 3))
        corners[:, 2] = np.arange(self.shape[2])
        return corners

    def _gantry(self, index: Float) -> Float:
        centred = index - (np.array(self.shape) - 1) / 2
        return np.asarray(centred * self.spacing_mm + self.shift_mm + [0.0, 0.0, self.bed_mm], dtype=float)


def grid_of(header: Header, orientation: Orientation | None = None, flip: str = "") -> tuple[Grid, tuple[Finding, ...]]:
    """Return the grid of a header's volumes.

    Args:
        header: the header.
        orientation: posture that overrides `subject_orientation`.
        flip: stored axes (letters of `xyz`) whose patient direction is reversed.

    Raises:
        HeaderError: dimensions or voxel sizes are missing or senseless.
        OptionError: `flip` names no axes.
    """
    if not set(flip) <= set("xyz") or len(set(flip)) != len(flip):
        raise OptionError(key="flip", got=flip, expected="letters of xyz, each once")
    findings: list[Finding] = []
    posture = _posture(header, orientation, findings)
    directions = DIRECTIONS[posture or ASSUMED]
    turned = "".join(_OPPOSITE[d] if axis in flip else d for axis, d in zip("xyz", directions, strict=True))
    shape, (spacing, source) = shape_of(header), _spacing(header, findings)
    grid = Grid(
        shape=shape,
        spacing_mm=spacing,
        shift_mm=_shift(header),
        orientation=posture,
        directions=turned,
    )
    of_size = voxel_size_findings(header, modality_of(header)[0], shape, spacing, source)
    return grid, (*findings, *of_size, *_rotation_findings(header, grid))


def moved_along_bed(grid: Grid, distance_mm: float) -> Grid:
    """Return the grid of a volume that lies further along the stored slice axis, mm."""
    return replace(grid, bed_mm=grid.bed_mm + distance_mm)


def _rotation_findings(header: Header, grid: Grid) -> tuple[Finding, ...]:
    rotation = header.geometry.image_ref_rotation_deg
    if rotation is None or not any(rotation):
        return ()
    angle = math.radians(min(math.hypot(*rotation), 180))
    radius = math.hypot(*(n * s for n, s in zip(grid.shape, grid.spacing_mm, strict=True))) / 2
    shown = " ".join(f"{degrees:g}" for degrees in rotation)
    message = (
        f"image_ref_rotation is {shown} degrees and is not applied, since its order and sense are not settled; "
        f"it would move the volume's corners by up to {2 * radius * math.sin(angle / 2):.2g} mm"
    )
    return (Finding("rotation-not-applied", message, key="image_ref_rotation"),)


def _posture(header: Header, override: Orientation | None, findings: list[Finding]) -> Orientation:
    if override:
        return override
    given = header.geometry.orientation
    if not given:
        message = f"subject_orientation is not known; placed like '{ASSUMED.label}', Patient Position is left empty"
        findings.append(Finding("orientation-unknown", f"{message} (--orientation sets it)", key="subject_orientation"))
        return Orientation.UNKNOWN
    return given


def _spacing(header: Header, findings: list[Finding]) -> tuple[tuple[float, float, float], str]:
    """Return the size of a voxel, and where that between slices is from."""
    geometry = header.geometry
    x = _in_plane(header, "pixel_size_x", geometry.pixel_size_x_mm, findings)
    y = _in_plane(header, "pixel_size_y", geometry.pixel_size_y_mm, findings)
    z, source = _between_slices(header, findings)
    return (x, y, z), source


def _shift(header: Header) -> tuple[float, float, float]:
    shift = header.geometry.image_ref_shift_mm or (0.0, 0.0, 0.0)
    if max(map(abs, shift)) > _LARGEST_MM:
        raise missing(header, "image_ref_shift", f"three numbers up to {_LARGEST_MM} mm")
    return shift


def _in_plane(header: Header, key: str, size: float | None, findings: list[Finding]) -> float:
    old = header.geometry.pixel_size_mm
    spacing = old if size is None else size
    if spacing is None or not 0 < spacing <= _LARGEST_MM:
        raise missing(header, key, _VOXEL_SIZE)
    if old is not None and old > 0 and abs(spacing / old - 1) > _SAME_SIZE:
        message = f"{key} says {spacing:g} mm, pixel_size says {old:g} mm; {key} is taken"
        findings.append(Finding("pixel-size-disagrees", message, key=key))
    return spacing


def _between_slices(header: Header, findings: list[Finding]) -> tuple[float, str]:
    detector = header.detector
    spacing, source = header.geometry.pixel_size_z_mm, "pixel_size_z"
    if spacing is None and modality_of(header)[0] is not Modality.CT:
        pitch = detector.axial_crystal_pitch_mm
        sources = {"axial_plane_size": detector.axial_plane_size_mm, "axial_crystal_pitch / 2": pitch and pitch / 2}
        source, spacing = next(((name, size) for name, size in sources.items() if size), (source, None))
        if spacing:
            message = f"no pixel_size_z; {source} gives {spacing:g} mm between slices"
            findings.append(Finding("slice-spacing-derived", message, Severity.INFO, key=source.split()[0]))
    if spacing is None or not 0 < spacing <= _LARGEST_MM:
        raise missing(header, "pixel_size_z", _VOXEL_SIZE)
    return spacing, source
