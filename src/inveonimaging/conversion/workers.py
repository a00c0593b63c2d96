"""Who writes: this process, or several that share a series' files among them.

Whoever is idle gets the next stretch of the files of a series, and what it takes to write them; files do not depend on
who wrote them. Processes are started afresh on every system, so that they hold no lock of this one, and end with it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnProcess
from typing import Protocol

from inveonimaging.conversion.output import Written
from inveonimaging.conversion.writing import SeriesWork, Step
from inveonimaging.errors import InveonError, OutputError

_MOST = 4  # more of them wait for the disk
_WORTH_IT = 1500  # files below which starting processes takes longer than it saves
_MOST_AT_ALL = 60  # Windows waits for no more at a time
_LOOK_S = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Team(Protocol):
    """Writes series."""

    def write(self, works: Sequence[SeriesWork], step: Step) -> list[tuple[Written, ...]]:
        """Write all files of each series; return what was written, series by series, in the order of the files."""


@contextlib.contextmanager
def team(jobs: int, files: int) -> Iterator[Team]:
    """Open a team of so many processes; 0 takes what helps for a number of files."""
    wanted = jobs or (min(os.cpu_count() or 1, _MOST) if files >= _WORTH_IT else 1)
    count = min(wanted, files, _MOST_AT_ALL)
    if count <= 1:
        yield _Alone()
        return
    several = _Several()
    try:
        several.start(count)  # they import while this one reads the voxels
        yield several
    finally:
        several.end()


class _Alone:
    def write(self, works: Sequence[SeriesWork], step: Step) -> list[tuple[Written, ...]]:
        return [work.write(range(len(work.files)), step) for work in works]


class _Several:
    def __init__(self) -> None:
        self._processes: list[SpawnProcess] = []
        self._pipes: list[Connection] = []

    def start(self, count: int) -> None:
        """Start the processes."""
        spawning = multiprocessing.get_context("spawn")
        with _signals_held_back():
            for _ in range(count):
                pipe, its_end = spawning.Pipe()
                self._pipes.append(pipe)
                process = spawning.Process(target=_serve, args=(its_end,), daemon=True)
                with its_end, _lost_told():
                    process.start()
                self._processes.append(process)

    def end(self) -> None:
        """End the processes, whatever they do."""
        for process in self._processes:
            process.kill()  # they still block the signal that `terminate` sends while they start
        for process in self._processes:
            process.join()
        for pipe in self._pipes:
            pipe.close()

    def write(self, works: Sequence[SeriesWork], step: Step) -> list[tuple[Written, ...]]:
        shares = [(number, part) for number, work in enumerate(works) for part in _parts(work, len(self._pipes))]
        try:
            written = self._written([(works[number], part) for number, part in shares], step)
        except BaseException:
            self.end()  # before anybody clears away what they write
            raise
        files = list(zip(shares, written, strict=True))
        return [tuple(each for (of, _), part in files if of == number for each in part) for number in range(len(works))]

    def _written(self, tasks: Sequence[tuple[SeriesWork, range]], step: Step) -> list[tuple[Written, ...]]:
        """Give each task to who is idle; count on while they work; raise the error of the first that fails."""
        waiting, idle = list(enumerate(tasks))[::-1], list(self._pipes)
        doing: dict[Connection, int] = {}
        done: dict[int, tuple[Written, ...]] = {}
        while len(done) < len(tasks):
            while idle and waiting:
                pipe, (number, task) = idle.pop(), waiting.pop()
                doing[pipe] = number
                with _lost_told():
                    pipe.send(task)
            heard = wait_for(list(doing), _LOOK_S)
            for pipe in [pipe for pipe in doing if pipe in heard]:
                with _lost_told():
                    answer = pipe.recv()
                if isinstance(answer, BaseException):
                    raise answer
                if isinstance(answer, int):
                    step(answer)
                else:
                    done[doing.pop(pipe)] = answer
                    idle.append(pipe)
        return [done[number] for number in range(len(tasks))]


def _parts(work: SeriesWork, count: int) -> list[range]:
    """Return a series' files in so many stretches of about the same length."""
    files = len(work.files)
    ends = [files * number // count for number in range(count + 1)]
    return [range(a, b) for a, b in pairwise(ends) if a < b]


@contextlib.contextmanager
def _lost_told() -> Iterator[None]:
    """Turn the end of the other end of a pipe into an error."""
    try:
        yield
    except (EOFError, OSError) as error:
        hint = 'is there memory for them? --jobs 1 needs none; a script needs the guard `if __name__ == "__main__":`'
        raise OutputError("a process that writes has come to an end", hint=hint) from error


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let nothing interrupt the start of processes, and let them not hear Ctrl-C from their first moment."""
    heard: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()  # the only one that can be interrupted
    before = {each: signal.signal(each, lambda number, _: heard.append(number)) for each in _SIGNALS if is_main}
    try:
        with _blocked() if os.name != "nt" else contextlib.nullcontext():
            yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler or signal.SIG_DFL)
    for number in heard:
        signal.raise_signal(number)


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """Block signals in this thread, and in processes that it starts until these allow them."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its start unblocks them
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


# In the other processes.


def _serve(pipe: Connection) -> None:
    """Write what is asked for; answer with numbers of slices meanwhile, and what was written or what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.name != "nt":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            work, files = pipe.recv()
            try:
                answer: object = _write(work, files, pipe)
            except (InveonError, OSError, MemoryError) as error:
                answer = error
            pipe.send(answer)


def _write(work: SeriesWork, files: range, pipe: Connection) -> tuple[Written, ...]:
    untold, last = 0, time.monotonic()

    def step(slices: int) -> None:
        nonlocal untold, last
        untold += slices
        if time.monotonic() - last > _LOOK_S:
            pipe.send(untold)
            untold, last = 0, time.monotonic()

    written = work.write(files, step)
    pipe.send(untold)
    return written


def _end_with_the_first() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
