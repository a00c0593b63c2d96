"""What the fuzzers share: bounds in time and memory, what came of the runs, and processes that share the cases."""

from __future__ import annotations

import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Protocol

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

LONGEST_S = 5.0
MOST_MEMORY_MB = 64
LONGEST_LINE = 1000
BATCH = 50
PER_MB = 2**20 if sys.platform == "darwin" else 2**10


class TooSlowError(BaseException):
    """A conversion takes too long; no `except Exception` holds it up."""


class Numbered(Protocol):
    """A case: how it is made again, and what was done to it."""

    @property
    def seed(self) -> int:
        """Of the run."""

    @property
    def number(self) -> int:
        """In the run."""

    @property
    def story(self) -> str:
        """What was done."""


@dataclass
class Report:
    """Runs by outcome, failures by kind with the first that had it, and the largest time and memory."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    cases: int = 0
    validated: int = 0
    longest_s: float = 0.0
    memory_mb: float = 0.0

    def fail(self, kind: str, case: Numbered, how: str, detail: str = "") -> None:
        """Count a failure."""
        self.failures[kind] += 1
        again = f"--seed {case.seed} --case {case.number}, {how}: {case.story}"
        self.first.setdefault(kind, f"{again}\n{detail}".rstrip())

    def add(self, other: Report) -> None:
        """Take in the report of a batch."""
        self.outcomes += other.outcomes
        self.failures += other.failures
        self.first = other.first | self.first
        self.cases += other.cases
        self.validated += other.validated
        self.longest_s = max(self.longest_s, other.longest_s)
        self.memory_mb = max(self.memory_mb, other.memory_mb)


def place_of(error: BaseException) -> str:
    """Return where an error comes from: the module and line of this package, else the last one."""
    steps = traceback.extract_tb(error.__traceback__)
    step = [step for step in steps if "inveonimaging" in step.filename][-1:] or steps[-1:]
    return f"{Path(step[0].filename).name}:{step[0].lineno}"


@contextmanager
def alarm() -> Iterator[None]:
    """Raise TooSlowError in the middle of what takes too long; not on Windows.

    Others may keep the computer busy: the time that counts is that of the processor, and a multiple of it by the clock,
    for what waits.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    timers = {signal.SIGPROF: (signal.ITIMER_PROF, LONGEST_S), signal.SIGALRM: (signal.ITIMER_REAL, 12 * LONGEST_S)}
    for number, (timer, seconds) in timers.items():
        signal.signal(number, _raise)
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def memory_mb() -> float:
    """Return the largest memory that this process has had; 0 on Windows."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / PER_MB if resource else 0.0


def run(batch: Callable[[range], Report], count: int, jobs: int, minutes: float, prepare: Callable[[], None]) -> Report:
    """Run so many cases in several processes until all are done, or time is up; `batch` runs some of them."""
    total, until = Report(), time.monotonic() + minutes * 60
    firsts, pending = iter(range(0, count, BATCH)), set[Future[Report]]()
    with ProcessPoolExecutor(jobs, get_context("spawn"), prepare) as pool:
        while True:
            for first in islice(firsts, 2 * jobs - len(pending) if time.monotonic() < until else 0):
                pending.add(pool.submit(batch, range(first, min(first + BATCH, count))))
            if not pending:
                break
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for each in done:
                total.add(each.result())
            print(f"\r{total.cases} cases, {sum(total.failures.values())} failures ", end="", file=sys.stderr)
    print(file=sys.stderr)
    return total


def told(report: Report, seconds: float) -> Iterator[str]:
    """Yield what a run has found, line by line."""
    runs = sum(report.outcomes.values())
    yield f"{report.cases} cases, {runs} runs, {seconds:.0f} s, {report.validated} files validated"
    yield f"longest run {report.longest_s:.2f} s, largest process {report.memory_mb:.0f} MB"
    yield from (f"{count:8} {outcome}" for outcome, count in report.outcomes.most_common())
    for kind, count in report.failures.most_common():
        yield f"\nFAILED {count} times: {kind}"
        yield report.first[kind]
