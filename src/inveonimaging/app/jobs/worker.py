"""The process of a job: it does what a command does, reports how far it has come, and stops as at Ctrl-C.

It is stopped by a word from the app, or by the app's end, however that came: what it wrote half is taken away, as the
commands do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from inveonimaging.app.choices.faults import fault_of
from inveonimaging.app.jobs.kinds import KINDS
from inveonimaging.app.jobs.status import JobStatus
from inveonimaging.errors import InveonError
from inveonimaging.storage.interruptions import interrupt_main


def serve(kind: str, task: dict[str, Any], events: Connection, control: Connection) -> None:
    """Do a job in this process.

    Args:
        kind: of `kinds.KINDS`.
        task: of that kind.
        events: receives pairs of what is reported and its value.
        control: means to stop, at any word, or when it is closed.
    """
    _go_apart()

    def say(name: str, value: object) -> None:
        with contextlib.suppress(OSError):
            events.send((name, value))

    try:
        threading.Thread(target=_stop_at_a_word, args=[control], daemon=True).start()
        say("result", KINDS[kind](task, JobStatus(say)))
    except InveonError as error:
        say("error", fault_of(error).words)
    except KeyboardInterrupt:
        say("stopped", None)
    except MemoryError:
        say("error", "out of memory")


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Start processes that no Ctrl-C of the terminal reaches: it is the app's, which asks first."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # of this thread, and inherited
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _go_apart() -> None:
    """Let the terminal's Ctrl-C go by, and let others interrupt."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetConsoleCtrlHandler(None, True)
    else:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # takes away one that waits since the start
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _stop_at_a_word(control: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        control.recv()
    interrupt_main(signal.SIGINT)
