"""Time of `inveon convert` beside the disk's limit: a plain loop that reads the same input and writes as many bytes.

    python benchmarks/convert.py                          # all of SCANS, in all forms
    python benchmarks/convert.py --scan pet --as enhanced --runs 3
    python benchmarks/convert.py --times 4                # files four times as large
    python benchmarks/convert.py --warm                   # from and to the system's cache

Both run in turn, as whole processes, on the same input, and write as many files of the same sizes; what counts is
their ratio, since machines are noisy. The input is not in the system's cache (where the system lets a program say so),
and time ends when the output is on the disk. Each run writes into a folder of its own, and no file is removed before
the end: ext4 looks for unused inodes one by one among those that were freed in the last minutes, which makes new files
ten times as slow (so wait five minutes before you run it again). Last come the commands that people wait for at every
turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inveonimaging.phantom import CT_SCAN, PET_SCAN, PhantomScan, frames_of, write_scan

PET = replace(PET_SCAN, shape=(128, 128, 159), spacing_mm=(0.388, 0.388, 0.796), frames=frames_of(*[60.0] * 40))
CT = replace(CT_SCAN, shape=(512, 512, 512), spacing_mm=(0.1, 0.1, 0.16))
SCANS = {"pet": PET, "ct": CT}
FORMS = ("classic", "enhanced", "legacy")

LIMIT = """
import sys
from pathlib import Path
source, model, output = map(Path, sys.argv[1:])
step = 1 << 23
for file in source.iterdir():
    with file.open("rb") as opened:
        while opened.read(step):
            pass
output.mkdir()
zeros = bytes(step)
for file in model.rglob("*.dcm"):
    size = file.stat().st_size
    with (output / file.name).open("wb") as opened:
        for done in range(0, size, step):
            opened.write(zeros[: min(step, size - done)])
"""

# Runs a command; prints the seconds, until all is on the disk if asked, and the peak memory in KiB (not on Windows).
# It is small: what starts a process lends it its own peak.
WATCHED = """
import os, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
if sys.argv[1] == "disk" and hasattr(os, "sync"):
    os.sync()
took, peak = time.perf_counter() - start, 0
if sys.platform != "win32":
    import resource
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(took, peak)
"""


def main() -> None:
    """Write the input, convert it, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scan", choices=SCANS, action="append")
    parser.add_argument("--as", dest="form", choices=FORMS, action="append")
    parser.add_argument(
        "--warm", action="store_true", help="leave the input in the cache, and do not wait for the disk"
    )
    parser.add_argument("--times", type=int, default=1, help="how many times as large")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to work; default is the system's temporary folder")
    given = parser.parse_args()
    print(f"{'':22} {'seconds (min to max)':>24} {'limit':>22} {'ratio':>6} {'MB/s':>6} {'files':>6} {'peak MB':>8}")
    for name in given.scan or SCANS:
        with tempfile.TemporaryDirectory(dir=given.folder) as work:
            source = Path(work, "in")
            source.mkdir()
            write_scan(source / f"mouse.{name}.img", enlarged(SCANS[name], given.times))
            for form in given.form or FORMS:
                compare(Path(work), source, name, form, given)
            header = next(source.glob("*.hdr"))
            for arguments in (["--version"], ["--help"], ["info", str(header)]):
                times = [watched(["-m", "inveonimaging", *arguments])[0] for _ in range(given.runs)]
                print(f"inveon {arguments[0]:15} {spread(times):>24}")


def enlarged(scan: PhantomScan, times: int) -> PhantomScan:
    """Return a scan of so many times the frames, or the slices if it has one frame."""
    if len(scan.frames) > 1:
        return replace(scan, frames=frames_of(*[60.0] * (len(scan.frames) * times)))
    x, y, z = scan.shape
    return replace(scan, shape=(x, y, z * times), spacing_mm=(*scan.spacing_mm[:2], scan.spacing_mm[2] / times))


def compare(work: Path, source: Path, name: str, form: str, given: argparse.Namespace) -> None:
    """Time both ways in turn, and print a row."""
    ours, limit, peaks = [], [], []
    disk = None if given.warm else source
    for _ in range(given.runs):
        output, plain = Path(tempfile.mkdtemp(dir=work)), Path(tempfile.mkdtemp(dir=work), "plain")
        took, peak = watched(["-m", "inveonimaging", "convert", str(source), str(output), "--as", form], disk)
        ours.append(took)
        peaks.append(peak)
        took, _ = watched(["-c", LIMIT, str(source), str(output), str(plain)], disk)
        limit.append(took)
        files = list(output.rglob("*.dcm"))
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    ratio = statistics.median(ours) / statistics.median(limit)
    speed = megabytes / statistics.median(ours)
    row = f"{spread(ours):>24} {spread(limit):>22} {ratio:6.2f} {speed:6.0f} {len(files):6} {max(peaks):>8}"
    print(f"{name} {form}".ljust(22), row, flush=True)


def watched(arguments: Sequence[str], disk: Path | None = None) -> tuple[float, int]:
    """Return how long Python takes for arguments, in seconds, and its peak memory in MiB, 0 where it is not known.

    With a folder `disk`, its files are read from the disk, and time ends when all is written to the disk.
    """
    if disk is not None:
        forget(disk)
    until = "exit" if disk is None else "disk"
    command = [sys.executable, "-c", WATCHED, until, sys.executable, *arguments]
    took, peak = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(took), int(peak)


def forget(folder: Path) -> None:
    """Take the files of a folder out of the system's cache."""
    if sys.platform != "linux":
        return
    os.sync()
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def spread(times: Sequence[float]) -> str:
    """Return median, shortest and longest time."""
    return f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"


if __name__ == "__main__":
    main()
