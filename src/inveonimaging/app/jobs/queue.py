"""Jobs: each in a process of its own, one after the other; what they come to is kept, whatever ends the app.

A job belongs to the app, not to a page: closing a tab changes nothing. The next app reads from its file what was left.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from filelock import FileLock

from inveonimaging.app.jobs import worker
from inveonimaging.app.jobs.status import COMPARING, DRAWING, WRITING
from inveonimaging.app.memory.kept_jobs import job_kept
from inveonimaging.app.memory.state import State, is_held
from inveonimaging.units import duration

QUEUED, RUNNING, DONE, FAILED, STOPPED, LEFT = "queued", "running", "done", "failed", "stopped", "left"
_ENDED = {DONE, FAILED, STOPPED, LEFT}
_MOST_KEPT = 100
_GRACE_S = 10.0
_KEPT_S = 5.0  # how far a job had come, if the app is killed
_KILLED = -9
_SOON_S = 2.0  # before that no one knows how long it takes
_WITH_MORE = {"convert", "split"}  # kinds that go on once their output is there
_JOBS, _REPORTS, _REPORT = "jobs", "reports", "report"


@dataclass
class Job:
    """One job, as its file has it; nothing secret is in it.

    Attributes:
        id: of the job.
        owner: of the app that does it.
        kind: of `kinds.KINDS`.
        title: what people know it by.
        source: what it reads.
        output: where it writes; empty if it writes nowhere that people chose.
        fields: of the form, to do it again.
        state: `queued`, `running`, and what it came to.
        phase: what is done now.
        done: how much of the phase is done.
        total: how much there is.
        steps: what is done one after the other in the phase, and how much of it each is.
        words: how far it is, if its kind says that itself.
        started: local time.
        ended: local time.
        stopping: whether it was asked to stop.
        result: what it found.
        error: why it failed.
    """

    id: str
    owner: str
    kind: str
    title: str
    source: str
    output: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    state: str = QUEUED
    phase: str = ""
    done: int = 0
    total: int = 0
    steps: list[tuple[str, int]] = field(default_factory=list)
    started: str = ""
    ended: str = ""
    stopping: bool = False
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    since: float = 0.0
    words: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in _ENDED

    @property
    def has_written(self) -> bool:
        """Whether it is a conversion that ended when its output was there, or may have been: which was empty before."""
        phases = {COMPARING, DRAWING} | ({WRITING} if self.state in {STOPPED, LEFT} else set())
        return self.kind in _WITH_MORE and self.state in _ENDED - {DONE} and self.phase in phases

    def is_same(self, other: Job) -> bool:
        """Return whether another one does the same."""
        mine, others = ((each.kind, each.title, each.source, each.output, each.fields) for each in (self, other))
        return mine == others

    @property
    def left(self) -> str:
        """How far the phase is, or how long it still takes, in words; empty if that is not known."""
        if self.words and self.state == RUNNING:
            return self.words
        passed = monotonic() - self.since
        if self.state != RUNNING or not self.done or passed < _SOON_S:
            return ""
        return f"{duration(max(1, round(passed * (self.total - self.done) / self.done)))} left"

    @property
    def scans(self) -> list[tuple[str, int, int]]:
        """What is done one after the other: name, how much of it is done, and how much there is."""
        found, before = [], 0
        for name, size in self.steps:
            found.append((name, min(max(self.done - before, 0), size), size))
            before += size
        return found


class Jobs:
    """All jobs of one app, and what earlier apps left."""

    def __init__(self, state: State) -> None:
        """Read what is kept."""
        self._state = state
        self._owner = uuid4().hex
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, dict[str, Any]] = {}
        self._kept = 0.0
        self._running: tuple[SpawnProcess, Connection] | None = None
        self._waiting = threading.Condition(self._lock)
        self._is_closed = False
        self._alive = FileLock(self._lock_file(self._owner))
        with contextlib.suppress(OSError):  # where nothing can be kept, nothing is left for others
            (state.folder / _JOBS).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._alive.acquire()
        self._read()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    @property
    def all(self) -> list[Job]:
        """All jobs, the latest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda each: each.started, reverse=True)

    def get(self, name: str) -> Job | None:
        """Return a job."""
        with self._lock:
            return self._jobs.get(name)

    def start(
        self,
        kind: str,
        task: dict[str, Any],
        *,
        title: str,
        source: Path,
        output: str = "",
        given: Mapping[str, str] | None = None,
    ) -> Job:
        """Put a job into the queue; the one that is there if the same is not done yet, as after a double click.

        Args:
            kind: of `kinds.KINDS`.
            task: for the process; it can be pickled.
            title: what people know it by.
            source: what it reads.
            output: where it writes.
            given: fields of the form, to do it again.
        """
        job = Job(uuid4().hex, self._owner, kind, title, str(source), output, dict(given or {}), started=_now())
        with self._waiting:
            for each in self._jobs.values():
                if each.is_same(job) and not each.is_over and not each.stopping:
                    return each
            self._jobs[job.id] = job
            self._tasks[job.id] = task
            if self._thread.ident is None:
                self._thread.start()
            self._keep(job)
            self._waiting.notify_all()
        return job

    def new_page(self) -> Path:
        """Return where a report is written that is looked at and not kept: it goes when the app ends."""
        folder = self._state.folder / _REPORTS
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder / f"{self._owner}-{uuid4().hex}.html"

    def is_page(self, path: Path) -> bool:
        """Return whether a path is that of a report that is looked at and not kept."""
        return path.parent == self._state.folder / _REPORTS

    def stop(self, name: str) -> None:
        """Ask a job to stop; one that waits is over at once."""
        with self._lock:
            job = self._jobs.get(name)
            if job is None or job.is_over:
                return
            job.stopping = True
            if job.state == QUEUED:
                self._end(job, STOPPED)
            elif self._running:
                with contextlib.suppress(OSError):
                    self._running[1].send("stop")

    def forget(self, name: str) -> None:
        """Take a job that is over out of the list; its output stays."""
        with self._lock:
            job = self._jobs.get(name)
            if job is not None and job.is_over:
                del self._jobs[name]
                self._remove(name)

    def close(self) -> None:
        """Stop all jobs, wait for that for a short while, and give the state free."""
        for each in self.all:
            self.stop(each.id)
        with self._waiting:
            self._is_closed = True
            self._waiting.notify_all()
        if self._thread.ident is not None:
            self._thread.join(_GRACE_S)
            with self._lock:
                if self._running:
                    self._running[0].kill()
            self._thread.join(_GRACE_S)
        for each in self.all:
            if each.kind == _REPORT:
                self.forget(each.id)
        self._remove_pages(self._owner)
        self._alive.release()
        with contextlib.suppress(OSError):
            self._lock_file(self._owner).unlink()

    # In the thread.

    def _work(self) -> None:
        while True:
            with self._waiting:
                while not self._is_closed and not any(each.state == QUEUED for each in self._jobs.values()):
                    self._waiting.wait()
                queued = [each for each in self._jobs.values() if each.state == QUEUED]
                if not queued:
                    return
                job = queued[0]
                job.state = RUNNING
                self._keep(job)
                task = self._tasks.pop(job.id)
            self._do(job, task)

    def _do(self, job: Job, task: dict[str, Any]) -> None:
        spawning = multiprocessing.get_context("spawn")
        events, its_events = spawning.Pipe(duplex=False)
        its_control, control = spawning.Pipe(duplex=False)
        process = spawning.Process(target=worker.serve, args=(job.kind, task, its_events, its_control))
        try:
            with worker.apart():
                process.start()
        except OSError as error:
            with self._lock:
                self._end(job, FAILED, error=f"a process cannot be started: {error.strerror}")
            return
        finally:
            its_events.close()
            its_control.close()
        with self._lock:
            self._running = process, control
            if job.stopping:
                with contextlib.suppress(OSError):
                    control.send("stop")
        with contextlib.suppress(EOFError, OSError), events:
            while True:
                self._hear(job, *events.recv())
        process.join()
        with self._lock:
            self._running = None
            control.close()
            if not job.is_over:
                state = STOPPED if job.stopping else FAILED
                self._end(job, state, error=_end_of(process.exitcode or 0))

    def _hear(self, job: Job, name: str, value: Any) -> None:
        known: dict[str, Callable[[], None]] = {
            "progress": lambda: vars(job).update(done=value[0], total=value[1]),
            "steps": lambda: vars(job).update(steps=[tuple(each) for each in value]),
            "phase": lambda: vars(job).update(phase=value, words="", done=0, total=0, since=monotonic()),
            "words": lambda: vars(job).update(words=value),
            "result": lambda: self._end(job, DONE, result=value),
            "error": lambda: self._end(job, FAILED, error=value),
            "stopped": lambda: self._end(job, STOPPED),
        }
        with self._lock:
            known[name]()
            if name == "phase" or (name == "progress" and monotonic() - self._kept > _KEPT_S):
                self._keep(job)

    # On the disk.

    def _end(self, job: Job, state: str, **values: Any) -> None:
        vars(job).update(state=state, ended=_now(), **values)
        self._keep(job)

    def _keep(self, job: Job) -> None:
        self._kept = monotonic()
        self._state.write(f"{_JOBS}/{job.id}.json", asdict(job))

    def _read(self) -> None:
        """Read the jobs of earlier apps; those of an app that still runs are its own."""
        found: list[Job] = []
        for path in (self._state.folder / _JOBS).glob("*.json"):
            kept = job_kept(self._state.read(f"{_JOBS}/{path.name}"))
            if kept and kept["id"] == path.stem and not self._is_alive(kept["owner"]):
                found.append(Job(**kept))
        for page in (self._state.folder / _REPORTS).glob("*.html"):
            owner = page.name.partition("-")[0]
            if not self._is_alive(owner):
                self._remove_pages(owner)
        for job in [each for each in found if each.kind == _REPORT]:  # its page is gone
            found.remove(job)
            self._remove(job.id)
        found.sort(key=lambda each: each.started, reverse=True)
        for job in found[:_MOST_KEPT]:
            self._jobs[job.id] = job
            if not job.is_over:
                self._end(job, LEFT)
        for job in found[_MOST_KEPT:]:
            self._remove(job.id)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._state.folder / _JOBS / f"{name}.json").unlink()

    def _remove_pages(self, owner: str) -> None:
        for page in (self._state.folder / _REPORTS).glob("*.html"):
            if page.name.startswith(f"{owner}-"):
                with contextlib.suppress(OSError):
                    page.unlink()

    def _is_alive(self, owner: str) -> bool:
        return is_held(self._lock_file(owner))

    def _lock_file(self, owner: str) -> Path:
        return self._state.folder / _JOBS / f"{''.join(each for each in owner if each.isalnum())[:40]}.lock"


def _end_of(code: int) -> str:
    """Return how a process ended that reported nothing."""
    return f"its process ended with code {code}" + (": killed, as when memory runs out" if code == _KILLED else "")


def _now() -> str:
    return datetime.now().isoformat(" ", "milliseconds")
