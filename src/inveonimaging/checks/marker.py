"""Is left where the header says? Looks for a marker beside the animal, of which somebody knows the side.

The animal is the largest connected thing in the image; the marker is a smaller one beside it. Where the marker lies in
the patient's coordinates of the image, seen from the animal's middle, is compared with where it was put.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from inveonimaging.checks.components import labels_of
from inveonimaging.checks.scene import Float, Scene
from inveonimaging.findings import Finding, Severity

_SHARES = (0.02, 0.04, 0.08)  # of the brightest: what counts as activity
_BRIGHTEST = 99.9  # percentile
_BODY_HU = -400.0
_LEAST_MM3, _MOST_MM3 = 8.0, 3000.0
_LEAST_VOXELS = 4
_LARGEST_SHARE = 0.25  # of the animal's volume
_SAME_ANIMAL = 0.5  # of its volume, at a higher threshold
_RIVAL = 0.3  # of the marker's sum
_CLEARLY = 1.5


class Side(str, Enum):
    """Of the animal."""

    LEFT = "left"
    RIGHT = "right"


class Outcome(str, Enum):
    """Of the test."""

    AGREES = "as the header claims"
    CONTRADICTS = "not as the header claims"
    UNCLEAR = "cannot tell"


@dataclass(frozen=True)
class Marker:
    """Something beside the animal.

    Attributes:
        offset_mm: from the animal's middle in the same slices, LPS.
        beyond_mm: how far its middle lies outside the animal's own extent, along the larger of x and y.
        volume_mm3: its volume.
        weight: sum of its values.
    """

    offset_mm: tuple[float, float, float]
    beyond_mm: float
    volume_mm3: float
    weight: float

    @property
    def letter(self) -> str:
        """The side on which it lies: L, R, A or P."""
        x, y, _ = self.offset_mm
        if abs(x) >= abs(y):
            return "L" if x > 0 else "R"
        return "P" if y > 0 else "A"

    @property
    def is_to_one_side(self) -> bool:
        """Whether it lies clearly on that side."""
        less, more = sorted(abs(part) for part in self.offset_mm[:2])
        return more > _CLEARLY * less


@dataclass(frozen=True)
class OrientationTest:
    """What came of the test of one image.

    Attributes:
        image: what it is called.
        side: the one that was given.
        outcome: of the test.
        certain: whether nothing else lies beside the animal, and the marker lies on one of four sides and not between.
        reason: why, one line.
        marker: what was taken for it.
    """

    image: str
    side: Side
    outcome: Outcome
    certain: bool
    reason: str
    marker: Marker | None

    def finding(self, path: str) -> Finding | None:
        """Return what is to be done about the file, None if all is well."""
        if self.outcome is Outcome.CONTRADICTS:
            return Finding("left-right-wrong", self.reason, Severity.ERROR, path=path)
        if self.outcome is Outcome.UNCLEAR:
            return Finding("left-right-unclear", self.reason, path=path)
        return None


def orientation_test(name: str, scene: Scene, side: Side) -> OrientationTest:
    """Return whether a marker that lies on a side of the animal does so in the image."""
    found = sorted(markers_of(scene), key=lambda marker: -marker.weight)
    if not found:
        reason = "no marker was found beside the animal: it may touch the animal, or be outside the image"
        return OrientationTest(name, side, Outcome.UNCLEAR, certain=False, reason=reason, marker=None)
    best, *others = found
    letters = {best.letter, *(other.letter for other in others if other.weight > _RIVAL * best.weight)}
    if len(letters) > 1:
        places = " and ".join(_WORDS[letter] for letter in sorted(letters))
        reason = f"several objects lie beside the animal {places}: which of them is the marker?"
        return OrientationTest(name, side, Outcome.UNCLEAR, certain=False, reason=reason, marker=best)
    outcome = Outcome.AGREES if best.letter == side.value[0].upper() else Outcome.CONTRADICTS
    certain = not others and best.is_to_one_side
    return OrientationTest(name, side, outcome, certain=certain, reason=_reason(best, side), marker=best)


_WORDS = {"L": "on its left", "R": "on its right", "A": "at its belly", "P": "at its back"}


def _reason(marker: Marker, side: Side) -> str:
    x, y, _ = marker.offset_mm
    where = f"the marker lies {max(abs(x), abs(y)):.3g} mm from the middle of the animal, {_WORDS[marker.letter]}"
    if marker.letter == side.value[0].upper():
        return f"{where}, where it was put"
    if marker.letter in "LR":
        cause = "the animal lay the other way up or the other way round than the header says, or the image is mirrored"
    else:
        cause = "the animal lay on another side than the header says"
    return f"{where}, and it was put on its {side.value}: {cause}"


def markers_of(scene: Scene) -> list[Marker]:
    """Return what lies beside the animal, at the lowest threshold that shows anything there."""
    whole = 0.0
    for threshold in _thresholds(scene):
        labels = labels_of(scene.values > threshold)
        volumes: Float = np.bincount(labels.reshape(-1))[1:].astype(np.float64) * float(np.prod(scene.spacing_mm))
        if not volumes.size:
            return []
        animal = int(np.argmax(volumes)) + 1
        whole = whole or float(volumes[animal - 1])
        if volumes[animal - 1] < _SAME_ANIMAL * whole:
            return []  # it falls apart into organs
        if found := list(_beside(scene, labels, volumes, animal)):
            return found
    return []


def _thresholds(scene: Scene) -> tuple[float, ...]:
    if scene.is_ct:
        return (_BODY_HU,)
    brightest = float(np.percentile(scene.values, _BRIGHTEST))
    return tuple(share * brightest for share in _SHARES) if brightest > 0 else ()


def _beside(scene: Scene, labels: npt.NDArray[np.int32], volumes: Float, animal: int) -> Iterator[Marker]:
    voxel_mm3 = float(np.prod(scene.spacing_mm))
    animal_points = _points(scene, labels == animal)
    for number in np.flatnonzero((volumes >= max(_LEAST_MM3, _LEAST_VOXELS * voxel_mm3)) & (volumes <= _MOST_MM3)) + 1:
        if number == animal or volumes[number - 1] > _LARGEST_SHARE * volumes[animal - 1]:
            continue
        mask = labels == number
        marker = _marker(_points(scene, mask), animal_points, float(volumes[number - 1]), scene.values[mask])
        if marker.beyond_mm > 0:
            yield marker


def _points(scene: Scene, mask: npt.NDArray[np.bool_]) -> Float:
    """Return (n, 3) LPS mm of the voxels of a mask."""
    index = np.argwhere(mask)[:, ::-1]
    return np.asarray(index @ scene.affine[:3, :3].T + scene.affine[:3, 3])


def _marker(points: Float, animal: Float, volume: float, values: npt.NDArray[np.float32]) -> Marker:
    """Return a region as a marker, seen from the animal in the slices that both share, else from all of it."""
    low, high = points[:, 2].min(), points[:, 2].max()
    beside = animal[(animal[:, 2] >= low) & (animal[:, 2] <= high)]
    near = beside if len(beside) else animal
    offset = points.mean(axis=0) - near.mean(axis=0)
    sideways = int(np.argmax(np.abs(offset[:2])))
    reach = near[:, sideways].max() if offset[sideways] > 0 else near[:, sideways].min()
    beyond = float(np.sign(offset[sideways]) * (points[:, sideways].mean() - reach))
    x, y, z = map(float, offset)
    weight = float(np.sum(np.abs(values), dtype=np.float64)) if values.min() >= 0 else volume
    return Marker((x, y, z), beyond, volume, weight)
