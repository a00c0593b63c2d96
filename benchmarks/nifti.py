"""Time of `inveon nifti` beside the limit: a plain loop that reads the same input and writes the same bytes.

    python benchmarks/nifti.py                       # 40-frame PET and 512^3 CT, .nii and .nii.gz
    python benchmarks/nifti.py --scan pet --runs 3

The loop writes `.nii.gz` by zlib alone, at the same level, from bytes that need no computing. Both run in turn, as
whole processes, from and to the system's cache; what counts is the ratio of their processor seconds, and the peak
memory. The first ratio is without the start of Python and of what is imported, which a scan of a few voxels tells.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from inveonimaging.nifti_files.packing import LEVEL
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan

SCANS = {
    "pet": replace(PET_SCAN, shape=(128, 128, 159), spacing_mm=(0.388, 0.388, 0.796), frames=frames_of(*[60.0] * 40)),
    "ct": replace(CT_SCAN, shape=(512, 512, 512), spacing_mm=(0.1, 0.1, 0.16)),
}

LIMIT = """
import sys, zlib
source, model, output, level = *sys.argv[1:4], int(sys.argv[4])
step = 1 << 20
with open(source, "rb") as file:
    while file.read(step):
        pass
packer = zlib.compressobj(level, wbits=31)
with open(model, "rb") as file, open(output, "wb") as out:
    while part := file.read(step):
        out.write(packer.compress(part) if output.endswith(".gz") else part)
    if output.endswith(".gz"):
        out.write(packer.flush())
"""

# Runs a command; tells the seconds, the processor's seconds and the peak memory in MiB.
WATCHED = """
import os, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
took, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(took, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)
"""


def main() -> None:
    """Write the input, then files of it in turn with the loop, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scan", choices=SCANS, action="append")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    print("scan  file      ratio  with start  cpu s  start s  limit s  peak MiB")
    for name in given.scan or SCANS:
        with tempfile.TemporaryDirectory() as folder:
            measure(name, Path(folder), given.runs)


def measure(name: str, folder: Path, runs: int) -> None:
    """Print the rows of one scan."""
    source, model = folder / f"{name}.img", folder / "model.nii"
    write_scan(source, SCANS[name])
    command = [sys.executable, "-m", "inveonimaging", "nifti", str(source)]
    watched([*command, str(model)])
    tiny = folder / "tiny.img"
    write_scan(tiny, replace(SCANS[name], shape=(8, 8, 2), spacing_mm=(4.0, 4.0, 40.0)))
    small = [sys.executable, "-m", "inveonimaging", "nifti", str(tiny), str(folder / "tiny.nii"), "--overwrite"]
    start = statistics.median(watched(small)[1] for _ in range(runs))
    for ending in (".nii", ".nii.gz"):
        ours, limits = [], []
        for _ in range(runs):
            output = folder / f"out{ending}"
            limits.append(watched([sys.executable, "-c", LIMIT, str(source), str(model), str(output), str(LEVEL)]))
            ours.append(watched([*command, str(output), "--overwrite"]))
        cpu, limit = (statistics.median(each[1] for each in rows) for rows in (ours, limits))
        peak = max(each[2] for each in ours)
        ratio = (cpu - start) / limit
        print(f"{name:5} {ending:8} {ratio:6.2f} {cpu / limit:11.2f} {cpu:6.2f} {start:8.2f} {limit:8.2f} {peak:9.0f}")


def watched(command: list[str]) -> tuple[float, ...]:
    """Return the seconds, the processor's seconds and the peak memory in MiB of a command."""
    done = subprocess.run([sys.executable, "-c", WATCHED, *command], capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


if __name__ == "__main__":
    main()
