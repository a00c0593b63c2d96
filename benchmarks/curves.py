"""Time of `inveon curves` beside the limit: a plain loop that reads the same file and averages the same voxels.

    python benchmarks/curves.py                      # 40-frame PET: a sphere, a mask of all voxels, the hottest sphere
    python benchmarks/curves.py --runs 3

The loop, of numpy, holds one frame at a time and is given the voxels of the region. Both run in turn, as whole
processes, from the system's cache; what counts is the ratio of their processor seconds, and the peak memory. The first
ratio is without the start of Python and of what is imported, which a scan of a few voxels shows.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np

import inveonimaging
from inveonimaging.phantom import PET_SCAN, frames_of, write_scan

PET = replace(PET_SCAN, shape=(128, 128, 159), spacing_mm=(0.388, 0.388, 0.796), frames=frames_of(*[60.0] * 40))
LIMIT = """
import sys
import numpy as np
source, inside = sys.argv[1:3]
inside = np.load(inside)
for frame in range(40):
    values = np.fromfile(source, "<f4", inside.size, offset=frame * inside.size * 4).reshape(inside.shape)[inside]
    values = values * 1.5
    print(values.mean(), values.std(ddof=1), values.min(), values.max())
"""

# Runs a command; prints the processor's seconds and the peak memory in MiB.
WATCHED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)
"""


def main() -> None:
    """Write a PET, then curves of it in turn with the loop, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    print("region   ratio  with start  cpu s  start s  limit s  peak MiB  loop MiB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, tiny = folder / "pet.img", folder / "tiny.img"
        write_scan(source, PET)
        write_scan(tiny, replace(PET, shape=(8, 8, 2), spacing_mm=(4.0, 4.0, 40.0)))
        image = inveonimaging.read(source)
        nz, ny, nx = image.source.shape
        whole = np.ones((nz, ny, nx), np.bool_)
        nibabel.save(nibabel.Nifti1Image(whole.T.astype(np.uint8), image.affine), folder / "all.nii")
        k, j, i = np.ogrid[:nz, :ny, :nx]
        place = (image.grid.affine @ [nx // 2, ny // 2, nz // 2, 1])[:3]
        sides = [(at - n // 2) * mm for at, n, mm in zip((i, j, k), (nx, ny, nz), image.grid.spacing_mm, strict=True)]
        ball = sides[0] ** 2 + sides[1] ** 2 + sides[2] ** 2 <= 5.0**2
        sphere = "ball=" + ",".join(f"{mm:.6f}" for mm in place) + ",10"
        regions = {
            "sphere": (["--sphere", sphere], ball),
            "mask": (["--regions", str(folder / "all.nii")], whole),
            "hottest": (["--hottest", "3"], whole),
        }
        start = statistics.median(watched(command(tiny, folder, ["--hottest", "3"]))[0] for _ in range(runs))
        for each, (typed, inside) in regions.items():
            np.save(folder / "inside.npy", inside)
            loop = [sys.executable, "-c", LIMIT, str(source), str(folder / "inside.npy")]
            limits = [watched(loop) for _ in range(runs)]
            ours = [watched(command(source, folder, typed)) for _ in range(runs)]
            cpu, limit = (statistics.median(row[0] for row in rows) for rows in (ours, limits))
            peak, other = (max(row[1] for row in rows) for rows in (ours, limits))
            ratio = (cpu - start) / limit
            numbers = f"{ratio:6.2f} {cpu / limit:11.2f} {cpu:6.2f} {start:8.2f} {limit:8.2f} {peak:9.0f} {other:9.0f}"
            print(f"{each:8} {numbers}")


def command(source: Path, folder: Path, regions: list[str]) -> list[str]:
    """Return the command that measures regions of a file."""
    output = str(folder / "tac.csv")
    return [sys.executable, "-m", "inveonimaging", "curves", str(source), *regions, "-o", output, "--overwrite"]


def watched(command: list[str]) -> tuple[float, ...]:
    """Return the processor's seconds and the peak memory in MiB of a command."""
    done = subprocess.run([sys.executable, "-c", WATCHED, *command], capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


if __name__ == "__main__":
    main()
