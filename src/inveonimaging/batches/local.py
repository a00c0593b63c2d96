"""Processes of this computer, each with one study at a time, so that the end of one tells which study it had.

They are started afresh on every system, hear no Ctrl-C, and end with this process however it ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnProcess

from inveonimaging.batches.engine import Done, cleared, failed
from inveonimaging.batches.processes import end_with_the_first, hear_signals, signals_held_back
from inveonimaging.batches.study import Job, PreviousRecord, Study
from inveonimaging.errors import OutputError

_MOST_ON_WINDOWS = 60  # it waits for no more at a time
_TRIES = 2
_STARTS = 4  # in a row that come to nothing
_READY = "ready"

_Task = tuple[Study, PreviousRecord | None]


@dataclass
class _Slot:
    """A process, its pipe, and what it works at."""

    process: SpawnProcess
    pipe: Connection
    task: _Task | None = None
    is_ready: bool = False


class Local:
    """Processes of this computer, at most so many."""

    def __init__(self, job: Job, jobs: int) -> None:
        wanted = jobs or processors()
        self._job = job
        self._most = min(wanted, _MOST_ON_WINDOWS) if os.name == "nt" else wanted
        self._slots: list[_Slot] = []
        self._again: deque[_Task] = deque()
        self._tries: dict[str, int] = {}
        self._lost_starts = 0

    @property
    def room(self) -> int:
        """As of `Engine`."""
        at_work = sum(slot.task is not None for slot in self._slots)
        return max(0, self._most - at_work - len(self._again))

    def submit(self, study: Study, before: PreviousRecord | None) -> None:
        """As of `Engine`."""
        idle = next((slot for slot in self._slots if slot.task is None), None)
        slot = idle or self._started()
        slot.task = study, before
        with contextlib.suppress(OSError):  # its end is heard from the pipe
            slot.pipe.send(slot.task)

    def wait(self, timeout_s: float) -> list[Done]:
        """As of `Engine`."""
        while self._again and self.room + len(self._again) > 0:
            self.submit(*self._again.popleft())
        heard = wait_for([slot.pipe for slot in self._slots if slot.task], timeout_s)
        found = [self._heard(slot) for slot in list(self._slots) if slot.pipe in heard]
        return [each for each in found if each is not None]

    def close(self) -> None:
        """As of `Engine`; nothing half-written is left behind."""
        for slot in self._slots:
            slot.process.kill()
        for slot in self._slots:
            slot.process.join()
            slot.pipe.close()
        for study in [slot.task[0] for slot in self._slots if slot.task] + [task[0] for task in self._again]:
            cleared(self._job, study)
        self._slots.clear()
        self._again.clear()

    def _started(self) -> _Slot:
        spawning = multiprocessing.get_context("spawn")
        with signals_held_back():
            pipe, its_end = spawning.Pipe()
            process = spawning.Process(target=_serve, args=(its_end, self._job), daemon=True)
            with its_end, _explained():
                process.start()
            slot = _Slot(process, pipe)
            self._slots.append(slot)
        return slot

    def _heard(self, slot: _Slot) -> Done | None:
        """Take what a process says, or its end."""
        try:
            said = slot.pipe.recv()
        except (EOFError, OSError):
            return self._ended(slot)
        if said == _READY:
            slot.is_ready, self._lost_starts = True, 0
            return None
        assert slot.task is not None  # noqa: S101 - it answers only what it was asked
        done, slot.task = Done(slot.task[0], said), None
        self._tries.pop(done.study.output, None)
        return done

    def _ended(self, slot: _Slot) -> Done | None:
        """Give its study to another process, once: the system may have run out of memory only then."""
        slot.process.join()
        slot.pipe.close()
        self._slots.remove(slot)
        assert slot.task is not None  # noqa: S101 - it is listened to only while it works
        study, before = slot.task
        if not slot.is_ready:
            self._again.append(slot.task)
            self._count_lost_start()
            return None
        tries = self._tries[study.output] = self._tries.get(study.output, 0) + 1
        if tries < _TRIES:
            self._again.append((study, before))
            return None
        cleared(self._job, study)
        del self._tries[study.output]
        how = _how(slot.process.exitcode)
        hint = "is there memory for it? Fewer --jobs leave more for each"
        return failed(study, "ProcessEnded", f"the process that converted it {how}, twice; {hint}")

    def _count_lost_start(self) -> None:
        """Give up if no process comes to life.

        Raises:
            OutputError: so many in a row did not.
        """
        self._lost_starts += 1
        if self._lost_starts >= _STARTS:
            hint = 'is there memory for it? A script needs the guard `if __name__ == "__main__":`'
            raise OutputError("processes that convert come to an end while they start", hint=hint)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"a process cannot be started: {error.strerror or error}", hint="try fewer --jobs") from error


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


# In the other processes.


def _serve(pipe: Connection, job: Job) -> None:
    """Do what is asked for, until nobody asks any more."""
    for each in (signal.SIGINT, signal.SIGTERM):  # the first process says when to end
        signal.signal(each, signal.SIG_IGN)
    hear_signals()
    end_with_the_first()
    from inveonimaging.batches.work import done

    with contextlib.suppress(EOFError, OSError):
        pipe.send(_READY)
        while True:
            pipe.send(done(job, *pipe.recv()))
