"""Time of `inveon nifti` and `inveon bids` beside the limit: a plain loop that reads and writes the same bytes.

    python benchmarks/nifti.py                       # 40-frame PET and 512^3 CT: .nii, .nii.gz, and a BIDS data set
    python benchmarks/nifti.py --scan pet --runs 3

The loop writes `.nii.gz`, beside which BIDS is as well, by zlib alone, at the same level, from bytes that need no
computing. Both run in turn, each in a process of its own, from and to the system's cache; what counts is the ratio of
their processor seconds, and the peak memory. Seconds are those of the work: a scan of a few voxels was written before,
so that Python and all that is imported have started; what that takes is in a column of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import inveonimaging
from inveonimaging.nifti_files.packing import LEVEL
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan

SCANS = {
    "pet": replace(PET_SCAN, shape=(128, 128, 159), spacing_mm=(0.388, 0.388, 0.796), frames=frames_of(*[60.0] * 40)),
    "ct": replace(CT_SCAN, shape=(512, 512, 512), spacing_mm=(0.1, 0.1, 0.16)),
}

LIMIT = """
import resource, sys, time, zlib
source, model, output, level = *sys.argv[1:4], int(sys.argv[4])
step = 1 << 20
start = time.process_time()
with open(source, "rb") as file:
    while file.read(step):
        pass
packer = zlib.compressobj(level, wbits=31)
with open(model, "rb") as file, open(output, "xb") as out:
    while part := file.read(step):
        out.write(packer.compress(part) if output.endswith(".gz") else part)
    if output.endswith(".gz"):
        out.write(packer.flush())
print(time.process_time() - start, start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""

OURS = """
import resource, sys, time
import inveonimaging
tiny, tiny_output, source, output = sys.argv[1:5]
def write(source, output):
    if output.endswith("bids"):
        inveonimaging.bids(source, output, inveonimaging.BidsOptions(administration="bolus"))
    else:
        inveonimaging.nifti(source, output)
write(tiny, tiny_output)
start = time.process_time()
write(source, output)
print(time.process_time() - start, start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


# Runs a command; prints the seconds, the processor's seconds and the peak memory in MiB.
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
    print("scan  file      ratio  cpu s  limit s  start s  peak MiB")
    for name in given.scan or SCANS:
        with tempfile.TemporaryDirectory() as folder:
            measure(name, Path(folder), given.runs)


def measure(name: str, folder: Path, runs: int) -> None:
    """Print the rows of one scan."""
    source, tiny, model = folder / f"{name}.img", folder / "tiny.img", folder / "model.nii"
    writer = multiprocessing.get_context("spawn").Process(target=write_scan, args=(source, SCANS[name]))
    writer.start()  # the peak memory of a process counts as that of those that it starts
    writer.join()
    write_scan(tiny, replace(SCANS[name], shape=(8, 8, 2), spacing_mm=(4.0, 4.0, 40.0)))
    inveonimaging.nifti(source, model)
    for ending in (".nii", ".nii.gz", ".bids"):
        ours, limits = [], []
        for _ in range(runs):
            with tempfile.TemporaryDirectory(dir=folder) as new:
                limits.append(measured(LIMIT, source, model, f"{new}/limit{ending.replace('bids', 'gz')}", LEVEL))
            with tempfile.TemporaryDirectory(dir=folder) as new:
                ours.append(measured(OURS, tiny, f"{new}/tiny{ending}", source, f"{new}/ours{ending}"))
        (cpu, start, _), (limit, _, _) = (map(statistics.median, zip(*rows, strict=True)) for rows in (ours, limits))
        peak = max(each[2] for each in ours)
        print(f"{name:5} {ending[1:]:8} {cpu / limit:6.2f} {cpu:6.2f} {limit:8.2f} {start:8.2f} {peak:9.0f}")


def measured(script: str, *arguments: object) -> tuple[float, ...]:
    """Return the processor's seconds of a script's work, those before it, and the peak memory in MiB."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


def watched(command: list[str]) -> tuple[float, ...]:
    """Return the seconds, the processor's seconds and the peak memory in MiB of a command."""
    done = subprocess.run([sys.executable, "-c", WATCHED, *command], capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


if __name__ == "__main__":
    main()
