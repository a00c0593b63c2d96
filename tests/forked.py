"""Processes of Python that are forked from one that has imported what commands need, which spares each a second.

Each is what `python ARGUMENTS` is, the first of a process group of its own. Where it is not Linux, it is a plain one.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import runpy
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NoReturn
from unittest import mock

from helpers import LAST_RESORT_S, NO_VARIABLES, Streams, Variables, errors_of, running_python

IMPORTED = [
    "forked",
    "inveonimaging.checks.facts",
    "inveonimaging.cli.main",
    "inveonimaging.cli.progress",
    "inveonimaging.cli.settings",
    "inveonimaging.cli.table",
    "inveonimaging.conversion.job",
    "inveonimaging.study.reading",
    "rich.table",
]


def import_before(*modules: str) -> None:
    """Have more modules imported before the first process is forked: those that a file of tests needs."""
    IMPORTED.extend(each for each in modules if each not in IMPORTED)


class Forked:
    """A forked process, as subprocess.Popen has it; what it writes goes to files, but where a stream is given."""

    def __init__(
        self,
        arguments: tuple[object, ...],
        environment: Variables,
        *,
        forks: bool,
        cwd: Path | None,
        streams: Streams,
    ) -> None:
        self._errors = errors_of(environment)
        self._folder = tempfile.TemporaryDirectory()
        self._files = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        for file in self._files:
            file.touch()
        passed = [
            Connection(os.dup(streams[file.name]), readable=False) if file.name in streams else file
            for file in self._files
        ]
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(IMPORTED)
        found = os.pathsep.join(filter(None, sys.path))  # where what is to be preloaded is
        with (
            mock.patch.dict(sys.modules, __main__=ModuleType("__main__")),  # it would import pytest's
            mock.patch.dict(os.environ, PYTHONPATH=found),
        ):
            words, variables = [str(each) for each in arguments], {**os.environ, **environment}
            given = (words, variables, passed, forks, cwd or Path.cwd())
            self._process = context.Process(target=_run, args=given)
            self._process.start()
        for each in passed:
            if isinstance(each, Connection):
                each.close()
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
        out, err = (file.read_text("utf-8", self._errors) for file in self._files)
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
def running_forked(
    *arguments: object,
    forks: bool = False,
    cwd: Path | None = None,
    streams: Streams | None = None,
    environment: Variables = NO_VARIABLES,
) -> Iterator[Running]:
    """Run `python ARGUMENTS`; its group is gone afterwards.

    Args:
        arguments: a script, or -m and a module, or -c and code, and what they are given.
        forks: processes that it starts by multiprocessing are forked, too, from the same one and with its variables,
            stdout and stderr. They take no second to start: nothing for tests of interruptions at that time.
        cwd: where it runs, by default here.
        streams: what its stdout or stderr is, such as a terminal; by default what `communicate` returns.
        environment: what is set besides.
    """
    if not sys.platform.startswith("linux"):
        with running_python(*arguments, cwd=cwd, streams=streams, environment=environment) as process:
            yield process
        return
    forked = Forked(arguments, environment, forks=forks, cwd=cwd, streams=streams or {})
    try:
        yield forked
    finally:
        forked.end()


def run_forked(
    *arguments: object,
    forks: bool = False,
    cwd: Path | None = None,
    streams: Streams | None = None,
    environment: Variables = NO_VARIABLES,
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` to its end."""
    with running_forked(*arguments, forks=forks, cwd=cwd, streams=streams, environment=environment) as process:
        out, err = process.communicate(timeout=LAST_RESORT_S)
        return subprocess.CompletedProcess([], process.wait(), out or "", err or "")


def on_terminal(
    terminals: Collection[str], *arguments: object, environment: Variables, size: tuple[int, int] = (40, 100)
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run `python ARGUMENTS` with a terminal of so many rows and columns for its stdout, stderr, or both.

    Returns:
        What it wrote elsewhere, and all that the terminal got.
    """
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    shown: list[bytes] = []

    def drain() -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(ours, 4096):
                shown.append(part)

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    try:
        done = run_forked(*arguments, streams=dict.fromkeys(terminals, theirs), environment=environment)
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)
    return done, b"".join(shown).decode()


# In the forked processes.


def _run(
    words: list[str], environment: dict[str, str], files: list[Path | Connection], forks: bool, cwd: Path
) -> NoReturn:
    _become(0, environment, files)
    os.chdir(cwd)
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


def _become(group: int, environment: dict[str, str], files: list[Path | Connection]) -> None:
    """Join a process group, by default one's own, and take over variables, stdout and stderr."""
    os.setpgid(0, group)
    for number, file in enumerate(files, 1):
        if isinstance(file, Connection):
            os.dup2(file.fileno(), number)
            file.close()
        else:
            os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), number)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    if "dask" in sys.modules:
        import dask.config

        dask.config.refresh()  # by these variables


if sys.platform != "win32":
    from multiprocessing import forkserver
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    class _Joining(ForkServerProcess):
        """A process in the group of the one that starts it, with its variables, stdout and stderr."""

        files: ClassVar[list[Path | Connection]]

        def start(self) -> None:
            self._taken = os.getpgid(0), {**os.environ}, self.files
            super().start()

        def run(self) -> None:
            _become(*self._taken)
            super().run()

    class _Forking(ForkServerContext):
        Process = _Joining
