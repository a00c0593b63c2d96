"""Time of `inveon restore` beside the limit: a plain loop that reads the same DICOM and writes as many bytes.

    python benchmarks/restore.py                     # 40-frame PET and 512^3 CT, classic and in one file
    python benchmarks/restore.py --scan pet --runs 3

Both run in turn, as whole processes, from and to the system's cache; what counts is the ratio of their processor
seconds, and the peak memory. The ratio is without the start of Python and of what is imported, which a scan of a few
voxels shows.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from inveonimaging import Options, convert
from inveonimaging.phantom import write_scan
from nifti import SCANS, watched

LIMIT = """
import sys
from pathlib import Path
step, size = 1 << 20, int(sys.argv[3])
for path in sorted(Path(sys.argv[1]).rglob("*.dcm")):
    with open(path, "rb") as file:
        while file.read(step):
            pass
part = bytes(step)
with open(sys.argv[2], "wb") as out:
    for at in range(0, size, step):
        out.write(part[: size - at])
"""


def main() -> None:
    """Write and convert the input, restore it in turn with the loop, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scan", choices=SCANS, action="append")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    print("scan  form      files  ratio  cpu s  start s  limit s  peak MiB")
    for name in given.scan or SCANS:
        for form in ("classic", "enhanced"):
            with tempfile.TemporaryDirectory() as folder:
                measure(name, form, Path(folder), given.runs)


def measure(name: str, form: str, folder: Path, runs: int) -> None:
    """Print the row of one scan."""
    source, tiny = folder / f"{name}.img", folder / "tiny.img"
    write_scan(source, SCANS[name])
    write_scan(tiny, replace(SCANS[name], shape=(8, 8, 2), spacing_mm=(4.0, 4.0, 40.0)))
    convert(source, folder / "dicom", Options(form=form))
    convert(tiny, folder / "tiny", Options(form=form))
    files, size = len([*(folder / "dicom").rglob("*.dcm")]), source.stat().st_size
    source.unlink()
    command = [sys.executable, "-m", "inveonimaging", "restore", "--overwrite"]
    start = statistics.median(watched([*command, str(folder / "tiny"), str(folder / "small")])[1] for _ in range(runs))
    ours, limits = [], []
    for _ in range(runs):
        loop = [sys.executable, "-c", LIMIT, str(folder / "dicom"), str(folder / "plain"), str(size)]
        limits.append(watched(loop))
        ours.append(watched([*command, str(folder / "dicom"), str(folder / "back")]))
    cpu, limit = (statistics.median(each[1] for each in rows) for rows in (ours, limits))
    peak = max(each[2] for each in ours)
    ratio = (cpu - start) / limit
    print(f"{name:5} {form:8} {files:6} {ratio:6.2f} {cpu:6.2f} {start:8.2f} {limit:8.2f} {peak:9.0f}", flush=True)


if __name__ == "__main__":
    main()
