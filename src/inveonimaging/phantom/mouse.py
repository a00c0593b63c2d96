"""A mouse of ellipsoids with known Hounsfield units and a known FDG time course: the truth behind the files.

Everything is in patient coordinates, DICOM LPS, mm: +x left, +y posterior, +z head; the origin is near the middle of
the trunk. A tissue is homogeneous and a voxel has the value at its centre, so that the truth at a voxel is exact.
The coronal plane y = 1 mm cuts brain, heart, lungs, liver, stomach, both kidneys, bladder, tumour and syringe.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from inveonimaging.physics.geometry import Grid

Float = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]
Xyz = tuple[float, float, float]

INJECTED_BQ = 7.03e6
WEIGHT_G = 24.6
SUV_BQML = INJECTED_BQ / WEIGHT_G  # a standardised uptake value of 1, at 1 g/mL
AIR_HU = -1000.0
_WATER_PER_CM = 0.096  # linear attenuation at 511 keV
_BONE_PER_CM_PER_HU = 5e-5  # dense bone absorbs X-rays more than it does 511 keV
_S_PER_MIN = 60.0


@dataclass(frozen=True)
class Exponential:
    """One term of a time-activity curve: `amplitude * exp(-rate * t)`, t since the injection."""

    amplitude_bqml: float
    rate_per_s: float

    def mean(self, start_s: float, stop_s: float) -> float:
        """Return the mean from start to stop, the value at the start if stop is not later."""
        decay = self.rate_per_s * max(stop_s - start_s, 0.0)
        at_start = self.amplitude_bqml * math.exp(-self.rate_per_s * start_s)
        return at_start * -math.expm1(-decay) / decay if decay else at_start


Curve = tuple[Exponential, ...]

# SUV and rate per minute: the bolus, its mixing, and what the kidneys leave.
_BLOOD = ((14.5, 2.2), (5.0, 0.25), (1.2, 0.012))


def _curve(blood: float, uptake: float = 0.0, rise: float = 0.0, loss: float = 0.0) -> Curve:
    """Return a fraction of the blood's curve, and an uptake (SUV) that rises and is lost (rates per minute)."""
    vascular = [(blood * suv, rate) for suv, rate in _BLOOD]
    trapped = [(uptake, loss), (-uptake, loss + rise)] if uptake else []
    return tuple(Exponential(suv * SUV_BQML, rate / _S_PER_MIN) for suv, rate in (*vascular, *trapped))


@dataclass(frozen=True)
class Tissue:
    """What an ellipsoid is made of; the curve is corrected for decay."""

    name: str
    hounsfield: float
    curve: Curve


@dataclass(frozen=True)
class Ellipsoid:
    """A piece of tissue; semi-axes along left, posterior and head, then tilted about the posterior axis.

    No surface passes through round coordinates: rounding never decides on which side of it a voxel's centre lies.
    """

    tissue: Tissue
    centre_mm: Xyz
    semi_axes_mm: Xyz
    tilt_deg: float = 0.0  # of the head end, towards the left

    @property
    def reach_mm(self) -> Xyz:
        """Half the sides of the box around it."""
        (a, b, c), angle = self.semi_axes_mm, math.radians(self.tilt_deg)
        sine, cosine = math.sin(angle), math.cos(angle)
        return math.hypot(a * cosine, c * sine), b, math.hypot(a * sine, c * cosine)

    def contains(self, x: Float, y: Float, z: Float) -> npt.NDArray[np.bool_]:
        """Return which points lie inside; coordinates in LPS mm, of shapes that broadcast."""
        (a, b, c), angle = self.semi_axes_mm, math.radians(self.tilt_deg)
        dx, dy, dz = x - self.centre_mm[0], y - self.centre_mm[1], z - self.centre_mm[2]
        across = (dx * math.cos(angle) - dz * math.sin(angle)) / a
        along = (dx * math.sin(angle) + dz * math.cos(angle)) / c
        return np.asarray(across**2 + along**2 + (dy / b) ** 2 <= 1.0)

    def near(self, coordinate: Float, axis: int) -> npt.NDArray[np.bool_]:
        """Return which coordinates along an axis lie inside the box around it."""
        return np.asarray(np.abs(coordinate - self.centre_mm[axis]) <= self.reach_mm[axis])


SKIN = Tissue("skin and fat", -70, _curve(0.07, 0.70, 0.40))
FAT = Tissue("fat", -95, _curve(0.05, 0.45, 0.30))
MUSCLE = Tissue("muscle", 50, _curve(0.09, 0.95, 0.45))
BONE = Tissue("bone", 640, _curve(0.15, 1.10, 0.10))
SKULL = Tissue("skull", 890, _curve(0.04, 0.40, 0.05))
TOOTH = Tissue("tooth", 1730, _curve(0.0))
BRAIN = Tissue("brain", 42, _curve(0.07, 2.10, 0.11))
HARDERIAN = Tissue("Harderian gland", 35, _curve(0.08, 3.10, 0.07))
BROWN_FAT = Tissue("brown fat", -35, _curve(0.10, 3.60, 0.06))
LUNG = Tissue("lung", -460, _curve(0.25, 0.25, 0.06))
BLOOD = Tissue("blood", 55, _curve(1.0))
MYOCARDIUM = Tissue("myocardium", 48, _curve(0.22, 5.40, 0.09))
LIVER = Tissue("liver", 64, _curve(0.30, 0.75, 0.50, 0.006))
SPLEEN = Tissue("spleen", 58, _curve(0.22, 0.80, 0.15))
STOMACH = Tissue("stomach", 22, _curve(0.06, 0.60, 0.04))
GAS = Tissue("gas", -830, _curve(0.0))
GUT = Tissue("gut", 28, _curve(0.10, 1.15, 0.05))
GUT_FILLED = Tissue("filled gut", 95, _curve(0.08, 0.70, 0.03))
KIDNEY = Tissue("kidney cortex", 46, _curve(0.40, 2.60, 0.60, 0.012))
RENAL_PELVIS = Tissue("renal pelvis", 15, _curve(0.10, 7.50, 0.22, 0.012))
BLADDER = Tissue("bladder", 9, _curve(0.0, 16.0, 0.021))
TUMOUR = Tissue("tumour", 38, _curve(0.09, 3.30, 0.045))
NECROSIS = Tissue("necrosis", 18, _curve(0.02, 0.60, 0.03))
PLASTIC = Tissue("syringe wall", 180, _curve(0.0))
SYRINGE = Tissue("syringe", 2, (Exponential(3.1e5, 0.0),))

_AT_THE_DIAPHRAGM = {LUNG, MYOCARDIUM, BLOOD, LIVER, STOMACH, SPLEEN, KIDNEY, RENAL_PELVIS}
_MOVED_MM = 0.37  # towards the feet, from gate to gate
_BRIGHTER = 0.02  # from gate to gate
_NOT_ALIVE = {PLASTIC, SYRINGE}


def _both(tissue: Tissue, centre: Xyz, semi_axes: Xyz, tilt: float = 0.0) -> tuple[Ellipsoid, Ellipsoid]:
    """Return an ellipsoid on the left and its mirror image on the right."""
    x, y, z = centre
    return Ellipsoid(tissue, centre, semi_axes, tilt), Ellipsoid(tissue, (-x, y, z), semi_axes, -tilt)


_OUTSIDE = (
    Ellipsoid(SKIN, (0.13, -0.31, -9.2), (12.57, 10.93, 19.7)),  # abdomen
    Ellipsoid(SKIN, (0.0, 0.47, 8.1), (10.63, 9.57, 14.3)),  # thorax
    Ellipsoid(SKIN, (0.0, 1.53, 18.2), (8.37, 7.71, 8.9)),  # neck
    Ellipsoid(SKIN, (0.0, 1.91, 25.6), (7.33, 6.87, 8.47)),  # head
    Ellipsoid(SKIN, (0.0, 0.37, 32.3), (3.83, 3.79, 5.57)),  # snout
    Ellipsoid(SKIN, (0.0, 1.87, -24.7), (10.33, 8.61, 10.9)),  # rump
    *_both(SKIN, (9.87, 0.57, -25.3), (4.07, 4.93, 6.91), 24),  # thighs
    *_both(SKIN, (12.61, 0.93, -31.7), (2.13, 2.27, 5.07), -17),  # lower hind legs
    *_both(SKIN, (8.57, -1.57, 19.3), (2.57, 2.87, 5.63), 31),  # upper forelegs
    *_both(SKIN, (11.07, -1.13, 25.1), (1.47, 1.57, 4.33), -12),  # lower forelegs
    *_both(SKIN, (7.13, 3.87, 22.7), (3.17, 0.83, 2.37), 35),  # ears
    Ellipsoid(SKIN, (0.87, 4.07, -41.3), (1.73, 1.77, 9.13), -6),  # tail
    Ellipsoid(SKIN, (-11.07, 1.33, -15.8), (4.37, 4.83, 5.27)),  # over the tumour
)
_SKIN_MM = 0.83


def _under_the_skin(outside: Ellipsoid) -> Ellipsoid:
    a, b, c = outside.semi_axes_mm
    thin = (a - _SKIN_MM, max(b - _SKIN_MM, b / 2), c - _SKIN_MM)
    return replace(outside, tissue=MUSCLE, semi_axes_mm=thin)


_CHEST = Ellipsoid(MUSCLE, (0.0, 0.63, 8.3), (8.47, 7.67, 12.7))
_RIB_MM = 0.79
_RIBS_MM = tuple(0.37 + 1.93 * n for n in range(9))  # z
_VERTEBRAE_MM = tuple(-36.1 + 2.37 * n for n in range(24))  # z
_SACRUM_MM = -25.0  # z


def _rib(z: float) -> Ellipsoid:
    """Return a disc whose rim, once the chest has been put inside, is a pair of ribs."""
    (x, y, middle), (a, b, c) = _CHEST.centre_mm, _CHEST.semi_axes_mm
    ratio = math.sqrt(1 - ((z - middle) / c) ** 2)
    return Ellipsoid(BONE, (x, y, z), (a * ratio + _RIB_MM, b * ratio + _RIB_MM, _RIB_MM))


def _vertebra(z: float) -> Ellipsoid:
    """Return a vertebra: the spine is bent, and thins towards the tail."""
    size = 1.0 if z > _SACRUM_MM else 0.77
    return Ellipsoid(BONE, (0.0, 6.07 - 0.0037 * (z + 6.1) ** 2, z), (1.93 * size, 1.69 * size, 1.01))


_SKELETON = (
    *map(_rib, _RIBS_MM),
    _CHEST,
    *map(_vertebra, _VERTEBRAE_MM),
    Ellipsoid(BONE, (0.0, -7.53, 8.3), (0.73, 0.57, 6.7)),  # sternum
    *_both(BONE, (5.37, 6.03, 15.7), (2.57, 0.67, 3.13), 20),  # shoulder blades
    *_both(BONE, (8.33, -0.53, 19.1), (0.87, 0.93, 4.27), 33),  # humeri
    *_both(BONE, (11.03, 0.07, 24.7), (0.57, 0.63, 3.67), -12),  # forearms
    *_both(BONE, (3.87, 3.53, -26.1), (0.93, 1.57, 6.13), 13),  # pelvis
    *_both(BONE, (8.57, 1.03, -26.1), (1.03, 1.13, 5.07), 44),  # femora
    *_both(BONE, (12.43, 0.97, -28.7), (0.77, 0.87, 6.53), -4),  # tibiae
    Ellipsoid(SKULL, (0.0, 2.27, 25.3), (5.77, 5.17, 6.93)),
    Ellipsoid(SKULL, (0.0, 1.83, 32.1), (2.07, 1.77, 4.63)),  # nose
    Ellipsoid(GAS, (0.0, 1.57, 32.7), (1.03, 0.97, 3.37)),  # airway
    *_both(SKULL, (2.63, -2.57, 29.3), (0.77, 0.87, 4.57), -21),  # jaws
    *_both(TOOTH, (0.57, -1.83, 35.3), (0.47, 0.53, 1.83)),
)
_ORGANS = (
    Ellipsoid(BRAIN, (0.0, 2.33, 25.1), (5.03, 4.43, 6.17)),
    *_both(HARDERIAN, (3.73, 0.67, 31.1), (1.33, 1.37, 1.63)),
    *_both(BROWN_FAT, (1.97, 7.43, 14.3), (1.77, 1.07, 3.07), 16),
    Ellipsoid(LUNG, (4.57, 0.83, 9.1), (3.53, 5.57, 6.87), -8),
    Ellipsoid(LUNG, (-4.47, 0.73, 8.2), (3.87, 5.97, 8.43), 8),
    Ellipsoid(FAT, (0.07, -0.97, -11.7), (9.87, 7.63, 14.9)),  # in the abdomen, around what follows
    *_both(MUSCLE, (2.77, 4.63, -13.3), (1.97, 1.83, 10.7)),  # psoas
    Ellipsoid(LIVER, (-2.57, -0.87, -1.7), (8.03, 7.43, 5.13), -14),
    Ellipsoid(LIVER, (4.03, -2.87, -0.9), (4.57, 5.03, 3.37), 25),
    Ellipsoid(MYOCARDIUM, (1.47, -0.53, 8.1), (3.37, 3.53, 4.27), -32),
    Ellipsoid(BLOOD, (1.53, -0.33, 8.3), (1.57, 1.73, 2.63), -32),
    Ellipsoid(STOMACH, (5.77, -0.57, -7.1), (4.43, 4.07, 3.13), -22),
    Ellipsoid(GAS, (6.43, -2.97, -6.7), (1.87, 1.07, 1.27), -22),
    Ellipsoid(SPLEEN, (9.83, 2.17, -8.7), (0.97, 2.33, 4.87), 9),
    *(
        Ellipsoid(GUT, centre, (1.47, 1.53, 4.03), tilt)
        for centre, tilt in (
            ((-6.3, -3.7, -11.3), 62.0),
            ((0.7, -5.1, -12.1), 81.0),
            ((-2.6, -2.3, -15.7), -75.0),
            ((5.9, -4.3, -16.3), 57.0),
            ((0.9, -0.3, -19.1), 68.0),
            ((-5.7, -4.9, -18.3), -49.0),
            ((6.1, -0.7, -19.7), -38.0),
        )
    ),
    Ellipsoid(GUT_FILLED, (-5.3, -0.9, -19.9), (1.77, 2.07, 4.57), -33),  # caecum
    Ellipsoid(GUT_FILLED, (2.3, 2.87, -24.3), (0.93, 1.07, 6.17), 7),  # colon
    Ellipsoid(GAS, (3.7, -5.7, -15.1), (0.73, 0.67, 1.33), 57),
    Ellipsoid(KIDNEY, (-5.03, 2.97, -8.9), (2.63, 2.87, 4.23), -9),  # the right one is higher
    Ellipsoid(RENAL_PELVIS, (-4.57, 2.73, -8.9), (0.93, 1.97, 1.77), -9),
    Ellipsoid(KIDNEY, (5.27, 3.13, -13.4), (2.57, 2.77, 4.07), 9),
    Ellipsoid(RENAL_PELVIS, (4.83, 2.77, -13.4), (0.87, 1.93, 1.67), 9),
    Ellipsoid(BLADDER, (0.33, -1.07, -27.3), (2.97, 3.03, 3.57)),
    Ellipsoid(TUMOUR, (-11.03, 1.37, -15.8), (3.27, 3.73, 4.17)),
    Ellipsoid(NECROSIS, (-11.57, 1.53, -15.3), (1.17, 1.33, 1.63)),
)
_MARKER = (
    Ellipsoid(PLASTIC, (16.33, 1.57, -3.1), (1.83, 1.87, 8.03)),
    Ellipsoid(SYRINGE, (16.33, 1.57, -3.1), (1.33, 1.37, 7.37)),
)
ANATOMY = (*_OUTSIDE, *map(_under_the_skin, _OUTSIDE), *_SKELETON, *_ORGANS, *_MARKER)


def attenuation_of(hounsfield: Float) -> Float:
    """Return the linear attenuation at 511 keV, 1/cm, of Hounsfield units.

    Two straight lines: up to water a mixture of air (0) and water (0.096), above it 5e-5 for each unit more.
    """
    water = _WATER_PER_CM * (1 + np.minimum(hounsfield, 0.0) / -AIR_HU)
    return np.asarray(water + _BONE_PER_CM_PER_HU * np.maximum(hounsfield, 0.0))


def _in_gate(ellipsoid: Ellipsoid, gate: int) -> Ellipsoid:
    """Return a piece of tissue as a gate shows it: moved at the diaphragm, brighter elsewhere."""
    x, y, z = ellipsoid.centre_mm
    tissue = ellipsoid.tissue
    if tissue in _AT_THE_DIAPHRAGM:
        return replace(ellipsoid, centre_mm=(x, y, z - _MOVED_MM * gate))
    if tissue in _NOT_ALIVE:
        return ellipsoid
    factor = 1 + _BRIGHTER * gate
    curve = (replace(term, amplitude_bqml=term.amplitude_bqml * factor) for term in tissue.curve)
    return replace(ellipsoid, tissue=replace(tissue, curve=tuple(curve)))


@dataclass(frozen=True, kw_only=True)
class Mouse:
    """The animal; a pure function of place and time.

    Attributes:
        anatomy: ellipsoids, of which a later one replaces an earlier one where both are.
        injected_before_s: time from the injection to the start of the scan; before the injection nothing is modelled.
    """

    anatomy: tuple[Ellipsoid, ...] = ANATOMY
    injected_before_s: float = 30.0

    @cached_property
    def tissues(self) -> tuple[Tissue, ...]:
        """The tissues, each once; label n of `labels` and `labels_on` is tissue n - 1, and label 0 is air."""
        return tuple(dict.fromkeys(ellipsoid.tissue for ellipsoid in self.anatomy))

    def hounsfield(self, points: npt.ArrayLike) -> Float:
        """Return (...) HU at (..., 3) points, LPS mm."""
        return self.hounsfield_of_labels()[self.labels(points)]

    def activity(self, points: npt.ArrayLike, start_s: float, stop_s: float) -> Float:
        """Return (...) mean Bq/mL from start to stop at (..., 3) points, LPS mm.

        Times count from the start of the scan; the activity is corrected for decay to that start.
        """
        return self.activity_of_labels(start_s, stop_s)[self.labels(points)]

    def attenuation(self, points: npt.ArrayLike) -> Float:
        """Return (...) linear attenuation at 511 keV, 1/cm, at (..., 3) points, LPS mm: `attenuation_of` their HU."""
        return self.attenuation_of_labels()[self.labels(points)]

    def in_gate(self, gate: int) -> Mouse:
        """Return the mouse as a gate shows it, gate 0 being the mouse at rest.

        Per gate the organs at the diaphragm are 0.37 mm further towards the feet, and every activity but theirs and
        the syringe's is 2 % of itself higher. The latter is made up: by it gates differ where voxels are larger than
        the movement, even if integers are scaled to the largest value of their frame.
        """
        return replace(self, anatomy=tuple(_in_gate(each, gate) for each in self.anatomy)) if gate else self

    def hounsfield_of_labels(self) -> Float:
        """Return (n + 1,) HU: of the air, then of each tissue."""
        return np.array([AIR_HU, *(tissue.hounsfield for tissue in self.tissues)])

    def attenuation_of_labels(self) -> Float:
        """Return (n + 1,) linear attenuation at 511 keV, 1/cm: of the air, then of each tissue."""
        return attenuation_of(self.hounsfield_of_labels())

    def activity_of_labels(self, start_s: float, stop_s: float) -> Float:
        """Return (n + 1,) mean Bq/mL, as `activity`: of the air, then of each tissue."""
        first, last = start_s + self.injected_before_s, stop_s + self.injected_before_s
        means = (sum(term.mean(first, last) for term in tissue.curve) for tissue in self.tissues)
        return np.array([0.0, *means])

    def labels(self, points: npt.ArrayLike) -> Labels:
        """Return (...) labels of the tissues at (..., 3) points, LPS mm."""
        places = np.asarray(points, dtype=np.float64)
        x, y, z = places.reshape(-1, 3).T
        labels = np.zeros(len(x), np.uint8)
        for label, ellipsoid in self._labelled():
            near = np.flatnonzero(ellipsoid.near(z, 2))
            labels[near[ellipsoid.contains(x[near], y[near], z[near])]] = label
        return labels.reshape(places.shape[:-1])

    def labels_on(self, grid: Grid) -> Labels:
        """Return (nz, ny, nx) labels of the tissues at a grid's voxel centres: as `labels`, but fast."""
        affine = grid.affine
        stored_axes = [int(np.argmax(np.abs(affine[axis, :3]))) for axis in range(3)]
        centres = [
            affine[axis, stored] * np.arange(grid.shape[stored]) + affine[axis, 3]
            for axis, stored in enumerate(stored_axes)
        ]
        labels = np.zeros(grid.shape[::-1], np.uint8)
        by_axis = labels.transpose([2 - stored for stored in stored_axes])  # a view: along left, posterior and head
        for label, ellipsoid in self._labelled():
            near = [_span(ellipsoid.near(each, axis)) for axis, each in enumerate(centres)]
            places = np.ix_(*(each[box] for each, box in zip(centres, near, strict=True)))
            by_axis[tuple(near)][ellipsoid.contains(*places)] = label
        return labels

    def _labelled(self) -> Iterator[tuple[int, Ellipsoid]]:
        numbers = {tissue: number for number, tissue in enumerate(self.tissues, 1)}
        return ((numbers[ellipsoid.tissue], ellipsoid) for ellipsoid in self.anatomy)


def _span(mask: npt.NDArray[np.bool_]) -> slice:
    places = np.flatnonzero(mask)
    return slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(0)
