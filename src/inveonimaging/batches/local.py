"""Processes of this computer, each with one study at a time, so that the end of one shows which study it had.

A thread hands a study to a process and waits for its record. The processes are started afresh on every system, receive
no Ctrl-C, and end with this process however it ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnProcess

from inveonimaging.batches.study import Job, Record, Study, failed
from inveonimaging.errors import OutputError
from inveonimaging.storage.interruptions import SIGNALS
from inveonimaging.storage.staging import sweep

_TRIES = 2  # the system may have run out of memory at the first only
_STARTS = 4  # in a row that come to nothing

_Worker = tuple[SpawnProcess, Connection]


class Local:
    """Processes of this computer, at most so many; as of `Engine`."""

    def __init__(self, job: Job, jobs: int) -> None:
        self.most = jobs or processors()
        self._job = job
        self._threads = ThreadPoolExecutor(self.most, initializer=_block_signals)
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._one_at_a_time = threading.Lock()  # for what changes processes
        self._lost_starts, self._is_closed = 0, False

    def submit(self, study: Study, before: Record | None) -> Future[Record]:
        """As of `Engine`."""
        return self._threads.submit(self._record, study, before)

    def close(self) -> None:
        """As of `Engine`; nothing half-written is left behind."""
        with self._one_at_a_time:
            self._is_closed = True
            for process, _ in self._workers:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in list(self._workers):
            self._end_of(worker)

    # In the threads.

    def _record(self, study: Study, before: Record | None) -> Record:
        how = ""
        for _ in range(_TRIES):
            worker = self._ready()
            try:
                worker[1].send((study, before))
                record: Record = worker[1].recv()
            except (EOFError, OSError):
                how = self._end_of(worker)
                cleared(self._job, study)
            else:
                self._idle.append(worker)
                return record
        hint = "is there enough memory? Fewer --jobs leave more for each"
        return failed(study, "ProcessEnded", f"the process that converted it {how}, twice; {hint}")

    def _ready(self) -> _Worker:
        """Return an idle process, or a new one that has come to life.

        Raises:
            CancelledError: this is closed.
            OutputError: the system starts none, or too many in a row ended while they started.
        """
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        spawning = multiprocessing.get_context("spawn")
        while self._lost_starts < _STARTS:
            with self._one_at_a_time:
                if self._is_closed:
                    raise CancelledError
                pipe, its_end = spawning.Pipe()
                process = spawning.Process(target=_serve, args=(its_end, self._job), daemon=True)
                with its_end:
                    try:
                        process.start()
                    except OSError as error:
                        message = f"a process cannot be started: {error.strerror or error}"
                        raise OutputError(message, hint="try fewer --jobs") from error
                self._workers.add((process, pipe))
            try:
                pipe.recv()
            except (EOFError, OSError):
                self._end_of((process, pipe))
                self._lost_starts += 1
            else:
                self._lost_starts = 0
                return process, pipe
        hint = 'is there enough memory? A script needs the guard `if __name__ == "__main__":`'
        raise OutputError("the processes that convert end while they start", hint=hint)

    def _end_of(self, worker: _Worker) -> str:
        """Wait for the end of a process, and return how it ended."""
        process, pipe = worker
        with self._one_at_a_time:
            process.join()
            self._workers.discard(worker)
        pipe.close()
        code = process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"ended with code {code}"


def _block_signals() -> None:
    """Block signals in this thread, and in processes that it starts until these allow them."""
    if os.name != "nt":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # its start unblocks them
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cleared(job: Job, study: Study) -> None:
    """Remove what a process that was killed left of a study."""
    folder = job.output / study.output
    sweep(folder)
    with contextlib.suppress(OSError):  # the first that is not empty
        while folder != job.output and job.output in folder.parents:
            with contextlib.suppress(FileNotFoundError):  # it had come to make the folders above
                folder.rmdir()
            folder = folder.parent


# In the other processes.


def _serve(pipe: Connection, job: Job) -> None:
    """Convert what is asked for, until nobody asks any more."""
    for each in SIGNALS:  # the first process says when to end
        signal.signal(each, signal.SIG_IGN)
    if os.name != "nt":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    from inveonimaging.batches.work import convert_one

    with contextlib.suppress(EOFError, OSError):
        pipe.send("ready")
        while True:
            pipe.send(convert_one(job, *pipe.recv()))


def _end_with_the_first() -> None:
    """End this process as soon as the one that started it has ended, however."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
