"""Rate of `inveon batch`: by number of processes and on Dask, beside a plain loop that converts in one process.

    python benchmarks/batch.py                    # 150 studies, then 10,000 planned ones
    python benchmarks/batch.py --studies 200 --runs 5
    python benchmarks/batch.py --no-dask --planned 100000

Each study is a CT of 60 slices and a PET of 3 frames of 40 slices, 64 x 64. The loop is `inveonimaging.convert` for one
study after the other, in a process of its own that imports everything first. What counts is the ratio to it, since
machines are noisy: all run in turn, as whole processes. What it takes to start, a batch of one study, is printed
apart and taken off. `again` is a second batch, which finds all complete and unchanged.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan

CT = replace(CT_SCAN, shape=(64, 64, 60), spacing_mm=(0.5, 0.5, 1.0))
PET = replace(PET_SCAN, shape=(64, 64, 40), spacing_mm=(0.5, 0.5, 1.5), frames=frames_of(60.0, 60.0, 60.0))

LOOP = """
import sys, time
from pathlib import Path
from inveonimaging import convert
source, output, warm = map(Path, sys.argv[1:])
studies = sorted(path.parent for path in source.rglob("*.ct.img"))
convert(studies[0], warm)
start = time.perf_counter()
for study in studies:
    convert(study, output / study.relative_to(source))
print((time.perf_counter() - start) / len(studies))
"""

# Runs a batch; prints the seconds, and the peak memory of this process in MiB, which Windows hides.
PARENT = """
import sys, time
from inveonimaging.cli.main import app
start = time.perf_counter()
try:
    app(sys.argv[1:], prog_name="inveon")
except SystemExit as end:
    took, peak = time.perf_counter() - start, 0
    if sys.platform != "win32":
        import resource
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stderr.write(f"{took} {peak}")
    sys.exit(end.code)
"""

# A batch of studies that are planned, submitted and recorded, but not converted: what the first process alone costs.
PLANNED = """
import sys, time
from concurrent.futures import Future
from inveonimaging.batches import Outcome, Record, Watch, job, run_batch

class Nobody:
    def __init__(self, *_):
        self.most, self.first = 2, None
    def submit(self, study, before):
        self.first = self.first or time.perf_counter() - start
        series = [{"folder": str(n), "modality": "PET", "sop_class": "PET Image",
                   "series_instance_uid": "2.25." + "1" * 39, "instances": 100} for n in (1, 2)]
        finding = {"code": "x", "severity": "note", "message": "m" * 120, "file": "f" * 30, "line": 1}
        done = Future()
        done.set_result(Record(source=study.source, output=study.output, result=Outcome.CONVERTED,
                               series=tuple(series), findings=(finding,) * 5, files="0" * 64))
        return done
    def close(self):
        global first
        first = self.first

job.Local = Nobody
start = time.perf_counter()
if sys.argv[1:]:
    result = run_batch(*sys.argv[1:])
    took = time.perf_counter() - start
peak = 0
if sys.platform != "win32":
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(peak, *((first, took) if sys.argv[1:] else (0, 0)))
"""


def main() -> None:
    """Write the input, convert it in all ways, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--studies", type=int, default=150)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--planned", type=int, default=10_000, help="studies that are planned alone; 0 for none")
    parser.add_argument("--dask", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--folder", type=Path, help="where to work; default is the system's temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as work:
        source = written(Path(work, "in"), given.studies)
        with dask(Path(work), on=given.dask) as address:
            compare(Path(work), source, given, address)
        if given.planned:
            plan(Path(work), given.planned)


def written(source: Path, count: int) -> Path:
    """Write studies, in folders of ten."""
    for number in range(count):
        folder = source / f"{number // 10:04}" / f"{number % 10}"
        folder.mkdir(parents=True)
        write_scan(folder / "mouse.ct.img", CT)
        write_scan(folder / "mouse.pet.img", PET)
    return source


def compare(work: Path, source: Path, given: argparse.Namespace, address: str) -> None:
    """Time all ways in turn, and print a row for each."""
    ways = {"jobs 1": ["--jobs", "1"], "jobs 2": ["--jobs", "2"]} | ({"dask 2": ["--dask", address]} if address else {})
    one = next(path.parent for path in source.rglob("*.ct.img"))
    times: dict[str, list[float]] = {name: [] for name in ("loop", *ways, *(f"{name} again" for name in ways))}
    starts: dict[str, list[float]] = {name: [0.0] if name == "loop" else [] for name in times}
    peak = 0
    for _ in range(given.runs):
        output = Path(tempfile.mkdtemp(dir=work))
        loop = run(["-c", LOOP, str(source), str(output / "loop"), str(output / "warm")]).stdout
        times["loop"].append(float(loop))
        for name, options in ways.items():
            for again in ("", " again"):
                start, _ = batch(one, output / f"{name} one", options)
                took, peak_now = batch(source, output / name, options)
                starts[name + again].append(start)
                times[name + again].append((took - start) / (given.studies - 1))
                peak = max(peak, peak_now)
    base = statistics.median(times["loop"])
    print(f"{'':14} {'ms a study (min to max)':>26} {'a minute':>9} {'by loop':>8} {'more, ms':>9} {'start, s':>9}")
    for name, each in times.items():
        took, start = statistics.median(each), statistics.median(starts[name])
        row = f"{spread(each):>26} {60 / took:>9.0f} {took / base:>8.2f} {1000 * (took - base):>9.1f} {start:>9.2f}"
        print(f"{name:14} {row}")
    print(f"peak memory of the first process: {peak} MiB")


def batch(source: Path, output: Path, options: Sequence[str]) -> tuple[float, int]:
    """Return how long a batch takes, in seconds, and the peak memory of its first process, in MiB."""
    took, peak = run(["-c", PARENT, "batch", str(source), str(output), *options]).stderr.split()
    return float(took), int(peak)


def plan(work: Path, count: int) -> None:
    """Print what planning, submitting and recording so many studies costs the first process."""
    root = work / "planned"
    for number in range(count):
        folder = root / f"{number // 100:04}" / f"{number % 100:02}"
        folder.mkdir(parents=True)
        for name in ("mouse.ct.img", "mouse.ct.img.hdr", "mouse.pet.img", "mouse.pet.img.hdr"):
            (folder / name).touch()
    bare, _, _ = map(float, run(["-c", PLANNED]).stdout.split())
    for again in ("first", "again"):
        peak, first, took = map(float, run(["-c", PLANNED, str(root), str(work / "none")]).stdout.split())
        print(
            f"{count} planned studies, {again}: {took:.1f} s, the first one after {first:.2f} s; "
            f"{peak:.0f} MiB, of which {peak - bare:.0f} for the studies"
        )


@contextlib.contextmanager
def dask(work: Path, *, on: bool) -> Iterator[str]:
    """Start a scheduler and two workers on this computer; give its file, empty if there is to be none."""
    file, part = work / "scheduler.json", "distributed.cli.dask_"
    if not on:
        yield ""
        return
    common = ["--host", "127.0.0.1", "--no-dashboard"]
    commands = [["scheduler", "--port", "0", "--no-show", "--scheduler-file", str(file)]]
    commands += [["worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny"]] * 2
    with contextlib.ExitStack() as stack:
        for number, (name, *options) in enumerate(commands):
            folder = ["--local-directory", str(work / f"worker{number}")] if name == "worker" else []
            command = [sys.executable, "-m", part + name, *common, *options, *folder]
            process = stack.enter_context(
                subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            )
            stack.callback(process.terminate)
            while name == "scheduler" and not file.exists():
                time.sleep(0.1)
        yield str(file)


def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run Python."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True, env=environment)


def spread(times: Sequence[float]) -> str:
    """Return median, shortest and longest time in ms."""
    return f"{1000 * statistics.median(times):.1f} ({1000 * min(times):.1f} to {1000 * max(times):.1f})"


if __name__ == "__main__":
    main()
