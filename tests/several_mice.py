"""Several mice in one scan, each with its own place, size and dose: a hotel with a known truth.

Places are in the gantry, mm along the stored axes i (to the right, seen from the front), j (down) and k (to the front).
A hotel is one `Mouse` made of the tissues of all, so that everything that writes or knows a mouse takes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from inveonimaging.errors import OptionError
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.phantom.mouse import (
    ANATOMY,
    BONE,
    INJECTED_BQ,
    PLASTIC,
    SKULL,
    SYRINGE,
    WEIGHT_G,
    Ellipsoid,
    Mouse,
    Tissue,
    Xyz,
)
from inveonimaging.phantom.scan import CT_SCAN, PET_SCAN, SPECT_SCAN, PhantomScan
from inveonimaging.physics.geometry import DIRECTIONS, Grid

_BQ_PER_MCI = 37e6
_ASIDE_MM, _DOWN_MM = 33.0, 25.0  # from place to place
_ACROSS = {"left": -1, "middle": 0, "right": 1}
_DOWN = {"top": -1, "bottom": 1}
_HU = {BONE: 1240.0, SKULL: 1490.0}  # of grown animals, in voxels that are small enough to show it
_MARGIN_MM = 4.0


@dataclass(frozen=True, kw_only=True)
class HotelMouse:
    """One animal of a hotel.

    Attributes:
        place_mm: where the middle of its trunk lies in the gantry, along i, j, k.
        weight_g: its size follows from it.
        injected_bq: its dose.
        is_turned: whether it lies the other way round along the bed than the scan's posture says.
    """

    place_mm: Xyz
    weight_g: float = WEIGHT_G
    injected_bq: float = INJECTED_BQ
    is_turned: bool = False

    @property
    def scale(self) -> float:
        """Its length, in that of the one mouse."""
        return float((self.weight_g / WEIGHT_G) ** (1 / 3))


def place_of(name: str) -> Xyz:
    """Return where an animal of a named position lies: `left`, `middle`, `right`, `top left`, ..., seen from the front.

    Raises:
        OptionError: there is no such position.
    """
    words = name.split()
    down = _DOWN.get(words[0], 0) if words else 0
    across = _ACROSS.get(words[-1] if words else "", 0)
    known = [*_ACROSS, *_DOWN, *(f"{row} {column}" for row in _DOWN for column in _ACROSS)]
    if name not in known:
        raise OptionError(f"the phantom has no position '{name}'", expected=f"one of {', '.join(known)}")
    return across * _ASIDE_MM, down * _DOWN_MM / 2, 0.0


@dataclass(frozen=True, kw_only=True)
class Hotel:
    """Mice that are scanned together.

    Attributes:
        animals: as they lie.
        orientation: the scan's posture, that of all animals that are not turned round.
    """

    animals: tuple[HotelMouse, ...]
    orientation: Orientation = Orientation.FFS

    @classmethod
    def of(cls, *positions: str, orientation: Orientation = Orientation.FFS) -> Hotel:
        """Return a hotel of equal mice at named positions (`place_of`)."""
        return cls(animals=tuple(HotelMouse(place_mm=place_of(each)) for each in positions), orientation=orientation)

    @cached_property
    def mouse(self) -> Mouse:
        """All animals as one: the truth of the scan."""
        return Mouse(anatomy=tuple(each for animal in self.animals for each in self._anatomy(animal)))

    @cached_property
    def boxes_mm(self) -> tuple[tuple[Xyz, Xyz], ...]:
        """The lowest and the highest place of each animal in the gantry, along i, j, k."""
        axes = self._axes()
        found = []
        for animal in self.animals:
            pieces = list(self._anatomy(animal))
            centres = np.array([each.centre_mm for each in pieces]) @ axes
            reaches = np.array([each.reach_mm for each in pieces]) @ np.abs(axes)
            low, high = (centres - reaches).min(axis=0), (centres + reaches).max(axis=0)
            found.append((_xyz(low), _xyz(high)))
        return tuple(found)

    def scan(self, modality: Modality, spacing_mm: float = 1.0) -> PhantomScan:
        """Return a scan in which all animals are seen, whose header has the sums of their weights and doses.

        Args:
            modality: PET, CT or SPECT.
            spacing_mm: size of a voxel.
        """
        known = {Modality.CT: CT_SCAN, Modality.PET: PET_SCAN, Modality.SPECT: SPECT_SCAN}[modality]
        low, high = (np.array([each[end] for each in self.boxes_mm]) for end in (0, 1))
        low, high = low.min(axis=0) - _MARGIN_MM, high.max(axis=0) + _MARGIN_MM
        i, j, k = (int(n) for n in np.ceil((high - low) / spacing_mm))
        total = sum(each.injected_bq for each in self.animals)
        return replace(
            known,
            shape=(i, j, k),
            spacing_mm=(spacing_mm, spacing_mm, spacing_mm),
            shift_mm=_xyz((low + high) / 2),
            orientation=self.orientation,
            subject=replace(known.subject, weight=sum(each.weight_g for each in self.animals)),
            tracer=replace(known.tracer, dose=total / _BQ_PER_MCI),
        )

    def _anatomy(self, animal: HotelMouse) -> Iterator[Ellipsoid]:
        """Yield the pieces of an animal, in the patient's coordinates of the scan."""
        scale, turn = animal.scale, -1.0 if animal.is_turned else 1.0
        place = self._axes() @ animal.place_mm
        factor = animal.injected_bq / INJECTED_BQ * WEIGHT_G / animal.weight_g
        for piece in ANATOMY:
            if piece.tissue in (PLASTIC, SYRINGE):
                continue
            x, y, z = piece.centre_mm
            centre = place + scale * np.array([turn * x, y, turn * z])
            a, b, c = piece.semi_axes_mm
            yield replace(
                piece,
                tissue=_of_dose(piece.tissue, factor),
                centre_mm=_xyz(centre),
                semi_axes_mm=(scale * a, scale * b, scale * c),
            )

    def _axes(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Unit vectors of i, j, k in the patient as the columns of a (3, 3) array."""
        directions = DIRECTIONS[self.orientation]
        return Grid((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), self.orientation, directions).axes


def _of_dose(tissue: Tissue, factor: float) -> Tissue:
    curve = tuple(replace(term, amplitude_bqml=term.amplitude_bqml * factor) for term in tissue.curve)
    return replace(tissue, hounsfield=_HU.get(tissue, tissue.hounsfield), curve=curve)


def _xyz(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Xyz:
    x, y, z = map(float, values)
    return x, y, z
