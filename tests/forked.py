"""Processes of Python that are forked from one that has imported what commands need, which spares each a second.

Each is what `python ARGUMENTS` is, the first of a process group of its own. Where it is not Linux, it is a plain one.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NoReturn
from unittest import mock

from helpers import LAST_RESORT_S, running_python

IMPORTED = [
    "distributed.cli.dask_scheduler",
    "distributed.cli.dask_worker",
    "forked",
    "inveonimaging.batches.cluster",
    "inveonimaging.batches.work",
    "inveonimaging.cli.batch_progress",
    "inveonimaging.cli.main",
    "inveonimaging.cli.progress",
    "inveonimaging.cli.table",
    "inveonimaging.sending.c_store",
    "inveonimaging.sending.job",
    "inveonimaging.sending.stow_rs",
    "rich.table",
]


class Forked:
    """A forked process, as subprocess.Popen has it; what it writes goes to files."""

    def __init__(self, arguments: tuple[object, ...], environment: Mapping[str, str], *, forks: bool) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._files = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        for file in self._files:
            file.touch()
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(IMPORTED)
        found = os.pathsep.join(filter(None, sys.path))  # where what is to be preloaded is
        with (
            mock.patch.dict(sys.modules, __main__=ModuleType("__main__")),  # it would import pytest's
            mock.patch.dict(os.environ, PYTHONPATH=found),
        ):
            words = [str(each) for each in arguments]
            self._process = context.Process(target=_run, args=(words, {**environment}, self._files, forks))
            self._process.start()
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = LAST_RESORT_S) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("forked", timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = LAST_RESORT_S) -> tuple[str, str]:
        """Wait for its end; return what it wrote to stdout and stderr."""
        self.wait(timeout)
        out, err = (file.read_text("utf-8") for file in self._files)
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def end(self) -> None:
        """End it, and its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.kill()  # it may not have had its group
        self.wait()
        self._folder.cleanup()


Running = subprocess.Popen[str] | Forked


@contextlib.contextmanager
def running_forked(*arguments: object, forks: bool = False, **environment: str) -> Iterator[Running]:
    """Run `python ARGUMENTS`; its group is gone afterwards.

    Args:
        arguments: a script, or -m and a module, and what they are given.
        forks: processes that it starts by multiprocessing are forked, too, from the same one and with its variables,
            stdout and stderr. They take no second to start: nothing for tests of interruptions at that time.
        environment: what is set besides.
    """
    if not sys.platform.startswith("linux"):
        with running_python(*arguments) as process:
            yield process
        return
    forked = Forked(arguments, {**os.environ, **environment}, forks=forks)
    try:
        yield forked
    finally:
        forked.end()


def run_forked(*arguments: object, forks: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` to its end."""
    with running_forked(*arguments, forks=forks, **environment) as process:
        out, err = process.communicate(timeout=LAST_RESORT_S)
        return subprocess.CompletedProcess([], process.wait(), out, err)


# In the forked processes.


def _run(words: list[str], environment: dict[str, str], files: list[Path], forks: bool) -> NoReturn:
    _become(0, environment, files)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if forks:
        _Joining.files = files
        patch = mock.patch.object(forkserver._forkserver, "ensure_running")  # no other one, which has imported nothing
        patch.start()
        multiprocessing.get_context = lambda _method=None: _Forking()  # type: ignore[assignment]
    try:
        if words[0] == "-c":
            sys.argv = ["-c", *words[2:]]
            exec(words[1], {"__name__": "__main__"})  # noqa: S102 - a test's
        elif words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    sys.exit()


def _become(group: int, environment: dict[str, str], files: list[Path]) -> None:
    """Join a process group, by default one's own, and take over variables, stdout and stderr."""
    import dask.config

    os.setpgid(0, group)
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    dask.config.refresh()  # by these variables


if sys.platform != "win32":
    from multiprocessing import forkserver
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    class _Joining(ForkServerProcess):
        """A process in the group of the one that starts it, with its variables, stdout and stderr."""

        files: ClassVar[list[Path]]

        def start(self) -> None:
            self._taken = os.getpgid(0), {**os.environ}, self.files
            super().start()

        def run(self) -> None:
            _become(*self._taken)
            super().run()

    class _Forking(ForkServerContext):
        Process = _Joining
