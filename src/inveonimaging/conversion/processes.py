"""Several processes that share a series' files among them.

Whoever is idle gets the next stretch of the files of a series, and what it takes to write them. This process is one of
them: it is there already, the others still have to import. They are started afresh on every system, so that they hold
no lock of this one, and end with it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnProcess

from inveonimaging.conversion.writing import SeriesWork, Step
from inveonimaging.errors import InveonError, OutputError
from inveonimaging.storage.interruptions import SIGNALS, Interruptions
from inveonimaging.storage.staging import Written

_LOOK_S = 0.1

Task = tuple[SeriesWork, range]
"""Some files of a series."""


class Processes:
    """This process and others, which write together."""

    def __init__(self) -> None:
        self._processes: list[SpawnProcess] = []
        self._pipes: list[Connection] = []

    def start(self, count: int) -> None:
        """Start the processes."""
        spawning = multiprocessing.get_context("spawn")
        with signals_held_back():
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
        """Write all files of each series; as `Team.write`."""
        count = len(self._pipes) + 1
        shares = [(number, part) for number, work in enumerate(works) for part in _parts(work, count)]
        try:
            written = self._written([(works[number], part) for number, part in shares], step)
        except BaseException:
            self.end()  # before anybody clears away what they write
            raise
        files = list(zip(shares, written, strict=True))
        return [tuple(each for (of, _), part in files if of == number for each in part) for number in range(len(works))]

    def _written(self, tasks: Sequence[Task], step: Step) -> list[tuple[Written, ...]]:
        """Share the tasks; raise the error of the first that fails."""
        shared = _Shared(tasks, self._pipes, step)
        while shared.waiting:
            number, (work, files) = shared.waiting.popleft()
            shared.done[number] = work.write(files, shared.step)
        while len(shared.done) < len(tasks):
            shared.hear(_LOOK_S)
        return [shared.done[number] for number in range(len(tasks))]


class _Shared:
    """Tasks that wait, are done elsewhere, and are done."""

    def __init__(self, tasks: Sequence[Task], pipes: Sequence[Connection], step: Step) -> None:
        self.waiting = deque(enumerate(tasks))
        self.done: dict[int, tuple[Written, ...]] = {}
        self._doing: dict[Connection, int] = {}
        self._step, self._heard = step, time.monotonic()
        for pipe in pipes:
            self._give(pipe)

    def step(self, slices: int) -> None:
        """Count on, and look after the others now and then."""
        self._step(slices)
        if time.monotonic() - self._heard > _LOOK_S:
            self.hear(0)

    def hear(self, timeout_s: float) -> None:
        """Take what the others say, and give them more to do."""
        heard = wait_for(list(self._doing), timeout_s)
        for pipe in [pipe for pipe in self._doing if pipe in heard]:
            with _lost_told():
                answer = pipe.recv()
            if isinstance(answer, BaseException):
                raise answer
            if isinstance(answer, int):
                self._step(answer)
            else:
                self.done[self._doing.pop(pipe)] = answer
                self._give(pipe)
        self._heard = time.monotonic()

    def _give(self, pipe: Connection) -> None:
        if self.waiting:
            self._doing[pipe], task = self.waiting.pop()
            with _lost_told():
                pipe.send(task)


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
def signals_held_back() -> Iterator[None]:
    """Let nothing interrupt the start of processes, and let them not hear Ctrl-C from their first moment."""
    with Interruptions(wait=True), _blocked() if os.name != "nt" else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """Block signals in this thread, and in processes that it starts until these allow them."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its start unblocks them
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


# In the other processes.


def _serve(pipe: Connection) -> None:
    """Write what is asked for; answer with numbers of slices meanwhile, and what was written or what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hear_signals()
    end_with_the_first()
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


def hear_signals() -> None:
    """Let a process hear signals again that were blocked while it started."""
    if os.name != "nt":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def end_with_the_first() -> None:
    """Let this process end as soon as the one that started it has, however that ended."""
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
