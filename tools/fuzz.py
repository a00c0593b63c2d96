"""Spoil input at random, in both directions: what is converted, and DICOM that is read.

    python tools/fuzz.py headers --count 50000 --seed 1 --jobs 2
    python tools/fuzz.py dicom --count 50000 --seed 1 --jobs 2
    python tools/fuzz.py dicom --seed 1 --case 4711

What is done, and what counts as a failure, is at the top of `fuzz_headers.py` and `fuzz_dicom.py`; a run may take
5 s of the processor, and 64 MB more than those before it.

Prints the number of runs by outcome, and each kind of failure with the case that has it first; `--case` does one case
again, with its traceback, and prints its header. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial

import fuzz_dicom
import fuzz_headers
from fuzzing import run, told


def main() -> int:
    """Read the arguments, run, and print what was found."""
    parser = argparse.ArgumentParser(description="Convert headers, or read DICOM, that were spoiled at random.")
    parser.add_argument("kind", choices=("headers", "dicom"), help="what is spoiled")
    parser.add_argument("--count", type=int, default=50_000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="another one gives other cases")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after this time")
    parser.add_argument("--validate", type=float, default=0.02, help="part of what is converted that dciodvfy sees")
    parser.add_argument("--case", type=int, help="do this case alone")
    given = parser.parse_args()
    start, is_one = time.perf_counter(), given.case is not None
    if given.kind == "dicom":
        batch, prepare = partial(fuzz_dicom.run_batch, given.seed), fuzz_dicom.prepare
    else:
        share = 1.0 if is_one else given.validate
        batch = partial(fuzz_headers.run_batch, given.seed, validator=fuzz_headers.validator(), fraction=share)
        prepare = fuzz_headers.prepare
    if is_one and given.kind == "headers":
        header = fuzz_headers.case_of(given.seed, given.case).header
        print(ascii(header.decode("latin-1")).replace("\\n", "\n"))
    if is_one:
        prepare()
        report = batch(range(given.case, given.case + 1))
    else:
        report = run(batch, given.count, given.jobs, given.minutes, prepare)
    for line in told(report, time.perf_counter() - start):
        print(line)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
