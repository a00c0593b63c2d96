"""Time of `inveon convert` beside the disk's limit: a plain loop that reads the same input and writes the same files.

    python benchmarks/convert.py            # PET 128 x 128 x 159, 40 frames, float32
    python benchmarks/convert.py --frames 8 --runs 3

Both run in turn, as whole processes, on the same input; what counts is their ratio, since machines are noisy.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from inveonimaging.phantom import PET_SCAN, frames_of, write_scan

LIMIT = """
import sys
from pathlib import Path
source, model, output = map(Path, sys.argv[1:])
for file in source.iterdir():
    with file.open("rb") as opened:
        while opened.read(1 << 23):
            pass
output.mkdir()
for file in model.rglob("*.dcm"):
    size = file.stat().st_size
    (output / file.name).write_bytes(bytes(size))
"""


def main() -> None:
    """Write the input, convert it, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to work; default is the system's temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as work:
        compare(Path(work), given.frames, given.runs)


def compare(work: Path, frames: int, runs: int) -> None:
    """Time both ways in turn."""
    source, output, plain = work / "in", work / "out", work / "plain"
    source.mkdir()
    scan = replace(
        PET_SCAN, shape=(128, 128, 159), spacing_mm=(0.388, 0.388, 0.796), frames=frames_of(*[60.0] * frames)
    )
    write_scan(source / "mouse.pet.img", scan)
    ours, limit = [], []
    for _ in range(runs):
        shutil.rmtree(output, ignore_errors=True)
        ours.append(seconds([sys.executable, "-m", "inveonimaging", "convert", str(source), str(output)]))
        shutil.rmtree(plain, ignore_errors=True)
        limit.append(seconds([sys.executable, "-c", LIMIT, str(source), str(output), str(plain)]))
    show("inveon convert", ours)
    show("read and write alone", limit)
    files = list(output.rglob("*.dcm"))
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    ratio = statistics.median(ours) / statistics.median(limit)
    print(f"{len(files)} files, {megabytes:.0f} MB; ratio {ratio:.2f}; {megabytes / statistics.median(ours):.0f} MB/s")
    print(f"peak memory of a run: {peak_megabytes() or 'not known here'} MB")


def peak_megabytes() -> int | None:
    """Return the peak memory of the largest child process; None on Windows, which does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


def seconds(command: list[str]) -> float:
    """Return how long a process takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def show(name: str, times: list[float]) -> None:
    """Print median, shortest and longest time."""
    print(f"{name:22} {statistics.median(times):7.2f} s  ({min(times):.2f} to {max(times):.2f})")


if __name__ == "__main__":
    main()
