"""How long it takes to find the animals of a hotel, in how much memory, and in how many made-up scenes it is right.

    python benchmarks/split.py                  # a CT of 512 x 512 x 679, a PET of 40 frames
    python benchmarks/split.py --scenes 100     # and made-up scenes, in which sizes, voxels, noise and places vary

The large images are of the phantom's hotels. Scenes are composed of the animals of a genuine hotel CT, which is no part
of the repository (tests/hotels/scenes.py); a scene is right, a doubt, or wrong, which none may be.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from hotels import scenes
from inveonimaging.hotels.bodies import Found, find_in_ct, find_in_emission
from inveonimaging.inveon.hdr.enums import DataType, Modality
from inveonimaging.phantom import frames_of, write_scan
from inveonimaging.study.image import read
from several_mice import Hotel

_MIB = 1024  # KiB, which Linux counts in
_FRAMES = (5.0,) * 12 + (15.0,) * 8 + (60.0,) * 10 + (300.0,) * 10


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=0, metavar="N", help="made-up scenes to look at")
    parser.add_argument("--seed", type=int, default=0, help="of the first scene")
    parser.add_argument("--find", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.find:
        _measured(asked.find)
        return
    with tempfile.TemporaryDirectory() as folder:
        _large(Path(folder))
        if asked.scenes:
            _scenes(Path(folder), range(asked.seed, asked.seed + asked.scenes))


def _large(folder: Path) -> None:
    hotel = Hotel.of("left", "right")
    ct = replace(hotel.scan(Modality.CT), shape=(512, 512, 679), spacing_mm=(0.19541, 0.19541, 0.19541))
    pet = replace(
        hotel.scan(Modality.PET),
        shape=(128, 128, 159),
        spacing_mm=(0.8, 0.8, 0.796),
        data_type=DataType.INT16_LE,
        frames=frames_of(*_FRAMES),
    )
    for name, scan in {"large.ct.img": ct, "large.pet.img": pet}.items():
        pair = write_scan(folder / name, scan, mouse=hotel.mouse)
        subprocess.run([sys.executable, __file__, "--find", str(pair.data)], check=True)


def _measured(path: Path) -> None:
    image = read(path)
    before, start = _peak_mib(), time.process_time()
    found = find_in_ct(image) if image.modality is Modality.CT else find_in_emission(image)
    seconds = time.process_time() - start
    shape = " x ".join(map(str, (*image.grid.shape, len(image.frames))))
    peak = f"{_peak_mib():.0f} MiB at most, {before:.0f} before"
    print(f"{image.kind:5} {shape:22} {len(found.bodies)} animals  {seconds:.1f} s of CPU  {peak}", flush=True)


def _peak_mib() -> float:
    """Return the most memory that this process has had, on Linux; else 0."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / _MIB for line in lines if line.startswith("VmHWM")), 0.0)


class Made(NamedTuple):
    """A scene: its name, how many animals there are, HU (nz, ny, nx), and the size of a voxel along x, y, z."""

    name: str
    animals: int
    hounsfield: scenes.Float
    spacing_mm: tuple[float, float, float]


def made(seed: int) -> Made:
    """Return a scene that a number gives: places, sizes, voxels, noise, scale of HU and margin vary."""
    draw = np.random.default_rng(seed)
    scale = float(draw.choice([0.6, 0.8, 1.0, 1.0, 1.0, 1.3, 1.6, 2.0]))
    fine = 2 if scale > 1.5 else int(draw.integers(1, 3))  # noqa: PLR2004 - else there are too many voxels
    animals = scenes.genuine(is_bare=bool(draw.integers(2)), binned=fine)
    name = str(draw.choice([*scenes.SCENES, "any row", "any row", "any two rows", "any two rows", "any two in line"]))
    count, puts = scenes.drawn(name, draw)
    moved = [(each, tuple(np.add(place, draw.uniform(-0.4, 0.4, 3)))) for each, place in puts(*animals)]
    values, _ = scenes.compose(moved, margin_mm=float(draw.choice([0.0, 1.0, 6.0])))
    values = values * float(draw.choice([1.0, 1.0, 0.95, 1.05]))
    values = values + draw.normal(0, float(draw.choice([0, 0, 50, 150])), values.shape).astype(np.float32)
    mm = animals[0].mm * scale
    block = max(1, int(float(draw.choice([0.3, 0.8, 1.0])) / mm))
    blocks = (block, block, block * 2 if mm * block < 0.5 and draw.integers(2) else block)  # noqa: PLR2004 - 1 mm
    return Made(f"{name}, scale {scale:g}", count, scenes.binned(values, blocks), _spacing(mm, blocks))


def _spacing(mm: float, blocks: tuple[int, int, int]) -> tuple[float, float, float]:
    z, y, x = (mm * block for block in blocks)
    return x, y, z


def _scenes(folder: Path, seeds: range) -> None:
    total: Counter[str] = Counter()
    for seed in seeds:
        scene = made(seed)
        path = scenes.write_ct(folder / "scene.ct.img", scene.hounsfield, scene.spacing_mm, code="246"[seed % 3])
        found = find_in_ct(read(path))
        verdict = _verdict(found, scene.animals)
        total[verdict] += 1
        voxel = " x ".join(f"{size:.2f}" for size in scene.spacing_mm)
        told = "".join(f": {each.message}" for each in found.findings[:1])
        print(f"{seed:4} {verdict:5} {scene.animals} in {voxel} mm, {scene.name}{told}", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in total.most_common()))


def _verdict(found: Found, count: int) -> str:
    if not found.is_certain:
        return "doubt"
    return "right" if len(found.bodies) == count else "wrong"


if __name__ == "__main__":
    main()
