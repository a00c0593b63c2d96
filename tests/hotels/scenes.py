"""Hotels that never were: the two animals of a genuine hotel CT, put side by side, above each other or apart.

An animal is a block of HU with air around it. Scenes are composed in its own voxels, the higher value counting where
two overlap, then brought to other voxels, and written as a pair of files.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from conftest import skip_or_fail
from helpers import header_text
from inveonimaging.hotels.bodies import Found, find_in_ct
from inveonimaging.inveon.pairs import HEADER_SUFFIX
from inveonimaging.study.image import Image, read
from vendor import REAL, Session

Float = npt.NDArray[np.float32]
Mm = tuple[float, float, float]
AIR = -999.0
REAL_MM = 0.39082
_CUTS = (slice(54, 144), slice(144, 230))  # along i: the left animal and the right one
_ROWS, FROM = slice(116, 196), 48  # along j; the posts of the hotel lie before this slice


@dataclass(frozen=True)
class Animal:
    """HU (nz, ny, nx) of voxels of one size, mm."""

    values: Float
    mm: float

    @property
    def size_mm(self) -> Mm:
        """Along i, j, k."""
        z, y, x = (n * self.mm for n in self.values.shape)
        return x, y, z

    def turned(self) -> Animal:
        """Return it the other way round along the bed, as if turned about the vertical."""
        return Animal(self.values[::-1, :, ::-1], self.mm)

    def cut(self, first_mm: float = 0.0, last_mm: float = 0.0) -> Animal:
        """Return it without its ends along the bed."""
        stop = self.values.shape[0] - round(last_mm / self.mm)
        return Animal(self.values[round(first_mm / self.mm) : stop], self.mm)

    def scaled(self, factor: float) -> Animal:
        """Return it larger or smaller: the same voxels of another size."""
        return Animal(self.values, self.mm * factor)


@cache
def genuine(*, is_bare: bool = False, binned: int = 1) -> tuple[Animal, Animal]:
    """Return the two animals of the genuine hotel, with what the cradle is around them, or without it.

    Args:
        is_bare: only what is near bone or closed in by that.
        binned: how many voxels along each axis make one.
    """
    whole = Session().hounsfield
    found = []
    for columns in _CUTS:
        values = whole[FROM:, _ROWS, columns].astype(np.float32)
        nz, ny, nx = (n // binned for n in values.shape)
        values = values[: nz * binned, : ny * binned, : nx * binned]
        values = values.reshape(nz, binned, ny, binned, nx, binned).mean((1, 3, 5))
        found.append(Animal(_bare(values, REAL_MM * binned) if is_bare else values, REAL_MM * binned))
    return found[0], found[1]


def _bare(values: Float, mm: float) -> Float:
    from scipy import ndimage

    bone = values > 900
    mask = (values > -300) & (ndimage.distance_transform_edt(~bone, sampling=mm) < 9)
    mask = ndimage.binary_opening(mask, iterations=max(1, round(0.8 / mm))) | bone
    labels, _ = ndimage.label(mask)
    mask = (labels == np.bincount(labels.ravel())[1:].argmax() + 1) | bone
    wide = round(4 / mm)
    padded = np.pad(mask, ((0, 0), (wide, wide), (wide, wide)))
    closed = [ndimage.binary_fill_holes(ndimage.binary_closing(plane, iterations=wide)) for plane in padded]
    mask = ndimage.binary_dilation(np.array(closed)[:, wide:-wide, wide:-wide])
    return np.where(mask, values, AIR).astype(np.float32)


Put = tuple[Animal, Mm]


def row(animals: Sequence[Animal], gap_mm: float, *, y_mm: float = 0.0, step_z_mm: float = 0.0) -> list[Put]:
    """Return animals side by side, whose boxes are so far apart; each so much further along the bed than the last."""
    places, x = [], 0.0
    for number, animal in enumerate(animals):
        places.append((animal, (x, y_mm, step_z_mm * number)))
        x += animal.size_mm[0] + gap_mm
    return places


def cylinder(radius_mm: float, length_mm: float, mm: float, inside: float = 0.0, wall: float = 150.0) -> Animal:
    """Return a syringe that lies along the bed: a wall of 1 mm, and what is in it."""
    n, half = math.ceil(2 * (radius_mm + 1) / mm) + 2, radius_mm + 1
    y, x = np.mgrid[:n, :n]
    from_axis = np.hypot(y - (n - 1) / 2, x - (n - 1) / 2) * mm
    plane = np.where(from_axis < radius_mm, inside, np.where(from_axis < half, wall, AIR)).astype(np.float32)
    return Animal(np.repeat(plane[np.newaxis], round(length_mm / mm), axis=0), mm)


def bed(width_mm: float, length_mm: float, thick_mm: float, mm: float, value: float = 120.0) -> Animal:
    """Return a flat bed of plastic."""
    shape = [max(1, round(size / mm)) for size in (length_mm, thick_mm, width_mm)]
    return Animal(np.full(shape, value, np.float32), mm)


def compose(puts: Sequence[Put], margin_mm: float = 6.0) -> tuple[Float, npt.NDArray[np.uint8]]:
    """Return (nz, ny, nx) HU, the higher value where several overlap, and whose it is, from 1 in the order given."""
    mm = puts[0][0].mm
    firsts = [[round(place / mm) for place in where[::-1]] for _, where in puts]
    stops = [
        [a + n for a, n in zip(first, each.values.shape, strict=True)]
        for first, (each, _) in zip(firsts, puts, strict=True)
    ]
    edge = round(margin_mm / mm)
    low = [min(axis) - edge for axis in zip(*firsts, strict=True)]
    shape = [max(axis) + edge - least for axis, least in zip(zip(*stops, strict=True), low, strict=True)]
    values, owners = np.full(shape, AIR, np.float32), np.zeros(shape, np.uint8)
    for number, (first, (each, _)) in enumerate(zip(firsts, puts, strict=True), 1):
        box = tuple(slice(a - least, a - least + n) for a, least, n in zip(first, low, each.values.shape, strict=True))
        higher = each.values > values[box]
        values[box] = np.where(higher, each.values, values[box])
        owners[box] = np.where(higher, number, owners[box])
    return values, owners


def write_pet(path: Path, values: Any, spacing_mm: tuple[float, float, float], **keys: str) -> Path:
    """Write a PET of one frame as a pair: Bq/mL (nz, ny, nx), voxel size along x, y, z; return the data file."""
    isotope = {"isotope": "F-18", "isotope_half_life": "6586.2", "isotope_branching_fraction": "1"}
    calibrated = {"calibration_units": "2", "calibration_factor": "1"}
    return write_ct(
        path, values, spacing_mm, code="4", modality="0", acquisition_mode="2", **isotope, **calibrated, **keys
    )


def binned(values: Any, blocks: tuple[int, int, int]) -> Float:
    """Return means over blocks of voxels along z, y, x."""
    n = [size // block for size, block in zip(values.shape, blocks, strict=True)]
    cut = values[tuple(slice(count * block) for count, block in zip(n, blocks, strict=True))]
    split = [part for count, block in zip(n, blocks, strict=True) for part in (count, block)]
    return np.asarray(cut.reshape(split).mean((1, 3, 5)), np.float32)


def write_ct(path: Path, values: Any, spacing_mm: tuple[float, float, float], *, code: str = "2", **keys: str) -> Path:
    """Write a CT as a pair of files: HU (nz, ny, nx), voxel size along x, y, z, data type; return the data file."""
    dtype = {"2": "<i2", "4": "<f4", "6": ">i2"}[code]
    nz, ny, nx = values.shape
    main = {
        "modality": "1",
        "acquisition_mode": "9",
        "isotope": None,
        "isotope_half_life": None,
        "isotope_branching_fraction": None,
        "calibration_units": None,
        "calibration_factor": None,
        "data_type": code,
        **{f"{axis}_dimension": str(n) for axis, n in zip("xyz", (nx, ny, nz), strict=True)},
        **{f"pixel_size_{axis}": f"{mm:.6g}" for axis, mm in zip("xyz", spacing_mm, strict=True)},
        **keys,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + HEADER_SUFFIX).write_text(header_text(main), "utf-8")
    stored = np.rint(values) if "i" in dtype else values
    stored.astype(dtype).tofile(path)
    return path


def write_real(path: Path) -> Path:
    """Write the genuine hotel's CT, of voxels of 2 x 2 x 2, where it lies in the scanner; return the data file."""
    return write_ct(path, Session().hounsfield, (REAL_MM,) * 3, image_ref_shift="-2.49899 0 2.93998")


def gantry_mm(image: Image, i: Any, j: Any, k: Any) -> npt.NDArray[np.float64]:
    """Return (n, 3) where voxels have their middles in the gantry."""
    grid = image.grid
    index = np.stack((i, j, k), axis=-1)
    return np.asarray((index - (np.array(grid.shape) - 1) / 2) * grid.spacing_mm + grid.shift_mm)


Scene = tuple[int, Callable[[Animal, Animal], list[Put]]]


def _row(which: str, gap: float, step_z: float = 0.0) -> Scene:
    """Return a scene of animals side by side: the first (1), the second (2), and so turned round (3, 4)."""

    def made(one: Animal, other: Animal) -> list[Put]:
        kinds = {"1": one, "2": other, "3": one.turned(), "4": other.turned()}
        return row([kinds[each] for each in which], gap, step_z_mm=step_z)

    return len(which), made


def _stacked(above: str, below: str, gap: float, closer_mm: float = -2.0, aside_mm: float = 0.0) -> Scene:
    """Return a scene of two rows."""

    def made(one: Animal, other: Animal) -> list[Put]:
        upper, lower = (_row(each, gap)[1](one, other) for each in (above, below))
        down = one.size_mm[1] - closer_mm
        return [*((each, (x + aside_mm, y, z)) for each, (x, y, z) in upper)] + [
            (each, (x, y + down, z)) for each, (x, y, z) in lower
        ]

    return len(above) + len(below), made


def _behind(gap: float) -> Scene:
    """Return a scene of one animal before the other along the bed."""
    return 2, lambda one, other: [(one, (0, 0, 0)), (other, (0, 0, one.size_mm[2] + gap))]


def _with_syringe(radius: float, inside: float = 0.0) -> Scene:
    """Return a scene of two animals with a syringe between them."""
    return 2, lambda one, other: row([one, cylinder(radius, 60, one.mm, inside), other], 1)


SCENES: dict[str, Scene] = {
    **{f"two, {gap:g} mm apart": _row("12", gap) for gap in (6.0, 1.0, 0.0, -4.7, -7.8)},
    **{f"two the other way round, {gap:g} mm apart": _row("21", gap) for gap in (6.0, 0.0, -4.7, -7.8)},
    **{f"three, {gap:g} mm apart": _row("121", gap) for gap in (4.0, -4.7, -7.8)},
    **{f"five, {gap:g} mm apart": _row("12121", gap) for gap in (2.0, -4.0)},
    "one above two": _stacked("1", "12", 1, aside_mm=16),
    "two above one": _stacked("12", "2", 1),
    "two by two": _stacked("12", "21", 3),
    "two by two, tight": _stacked("12", "21", -4, closer_mm=3),
    "one turned round": _row("14", 0),
    "one turned round, tight": _row("14", -4.7),
    "the first alone": _row("1", 0),
    "the second alone": _row("2", 0),
    "an empty position": _row("12", 36),
    "head to tail": _behind(3),
    "head to tail, close": _behind(-8),
    "crossed paws": _row("12", -6, step_z=-20),
    "shifted along the bed": _row("12", 0, step_z=20),
    "cut off at the ends": (2, lambda one, other: row([one.cut(15, 40), other.cut(12, 45)], 1)),
    "heads alone": (2, lambda one, other: row([one.cut(0, 80), other.cut(0, 80)], 1)),
    **{f"a syringe of {radius:g} mm between": _with_syringe(radius) for radius in (3.0, 5.0, 7.0)},
    "a syringe of contrast agent between": _with_syringe(3, 2500),
    "a bed of thick plastic": (
        2,
        lambda one, other: [
            *row([one, other], 1),
            (bed(80, one.size_mm[2], 6, one.mm), (-5, one.size_mm[1] - 4, 0)),
        ],
    ),
}
"""How many animals there are in each scene, and what makes it of the two genuine ones."""


@dataclass(frozen=True)
class Looked:
    """A scene of voxels of 4 x 4 x 4, and what is found in it; `owners` as `compose` has them."""

    values: Float
    owners: npt.NDArray[np.uint8]
    image: Image
    found: Found


@cache
def looked_at(name: str) -> Looked:
    """Return a scene, in which animals are looked for once."""
    values, owners = compose(SCENES[name][1](*genuine(binned=2)))
    with tempfile.TemporaryDirectory() as folder:
        image = read(write_ct(Path(folder, "hotel.ct.img"), values, (2 * REAL_MM,) * 3))
        return Looked(values, owners, image, find_in_ct(image))


def skip_without_real() -> None:
    """Skip a test, or fail it, where the facts of the genuine hotel are not there."""
    if not REAL.is_dir():
        skip_or_fail(f"{REAL} is not there")


def drawn(name: str, draw: np.random.Generator) -> Scene:
    """Return a scene by its name, or one of a kind (`any row`, `any two rows`, `any two in line`) by chance."""
    if name in SCENES:
        return SCENES[name]
    gap = float(draw.uniform(-4.7, 8))
    rows = ["".join(draw.choice(list("1234"), draw.integers(1, most))) for most in (6, 4, 4)]
    if name == "any row":
        return _row(rows[0], gap, float(draw.uniform(-15, 15)))
    if name == "any two rows":
        return _stacked(rows[1], rows[2], gap, float(draw.uniform(-5, 3)), float(draw.uniform(-20, 20)))
    return _behind(float(draw.uniform(-6, 12)))
