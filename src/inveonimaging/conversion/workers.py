"""Who writes: this process, or several that share a series' files among them.

Each process gets one stretch of the files of each series, and what it takes to write them; files do not depend on who
wrote them. Processes are started afresh on every system, so that they hold no lock of this one, and end with it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from itertools import pairwise
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol

from inveonimaging.conversion.output import Written
from inveonimaging.conversion.writing import SeriesWork, Step

_MOST = 4  # more of them wait for the disk
_WORTH_IT = 1500  # files below which starting processes takes longer than it saves
_LOOK_S = 0.1


class Team(Protocol):
    """Writes series."""

    def write(self, works: Sequence[SeriesWork], step: Step) -> list[tuple[Written, ...]]:
        """Write all files of each series; return what was written, series by series, in the order of the files."""


@contextlib.contextmanager
def team(jobs: int, files: int) -> Iterator[Team]:
    """Open a team of so many processes; 0 takes what helps for a number of files."""
    count = jobs or (min(os.cpu_count() or 1, _MOST) if files >= _WORTH_IT else 1)
    if count == 1:
        yield _Alone()
        return
    spawning = multiprocessing.get_context("spawn")
    counter = spawning.Value("Q", 0)
    executor = ProcessPoolExecutor(count, mp_context=spawning, initializer=_start, initargs=(counter,))
    started = [executor.submit(os.getpid) for _ in range(count)]  # they import while this one reads the voxels
    try:
        yield _Several(executor, count, counter)
    except BaseException:
        _terminate(executor)
        raise
    finally:
        for each in started:
            each.cancel()
        executor.shutdown(cancel_futures=True)


class _Alone:
    def write(self, works: Sequence[SeriesWork], step: Step) -> list[tuple[Written, ...]]:
        return [work.write(range(len(work.files)), step) for work in works]


class _Several:
    def __init__(self, executor: ProcessPoolExecutor, count: int, counter: Any) -> None:
        self._executor, self._count, self._counter = executor, count, counter

    def write(self, works: Sequence[SeriesWork], step: Step) -> list[tuple[Written, ...]]:
        shares = [[self._executor.submit(_write, work, part) for part in _parts(work, self._count)] for work in works]
        self._watch([future for share in shares for future in share], step)
        return [tuple(written for future in share for written in future.result()) for share in shares]

    def _watch(self, futures: Sequence[Future[tuple[Written, ...]]], step: Step) -> None:
        """Count on while they work; raise the error of the first that fails."""
        pending: set[Future[tuple[Written, ...]]] = set(futures)
        told = self._counter.value
        while pending:
            done, pending = wait(pending, timeout=_LOOK_S)
            for future in done:
                future.result()
            step(self._counter.value - told)
            told = self._counter.value


def _parts(work: SeriesWork, count: int) -> list[range]:
    """Return a series' files in so many stretches of about the same length."""
    files = len(work.files)
    ends = [files * number // count for number in range(count + 1)]
    return [range(a, b) for a, b in pairwise(ends) if a < b]


# In the other processes.

_counter: Any = None


def _start(counter: Any) -> None:
    global _counter  # noqa: PLW0603 - a process has one
    _counter = counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears it, and ends the others
    threading.Thread(target=_end_with_the_first, daemon=True).start()


def _end_with_the_first() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _write(work: SeriesWork, files: range) -> tuple[Written, ...]:
    return work.write(files, _step)


def _step(slices: int) -> None:
    with _counter.get_lock():
        _counter.value += slices


def _terminate(executor: ProcessPoolExecutor) -> None:
    """End the processes in the middle of what they do."""
    executor.shutdown(wait=False, cancel_futures=True)
    for process in list((executor._processes or {}).values()):  # noqa: SLF001 - Python 3.14 has terminate_workers
        process.terminate()
