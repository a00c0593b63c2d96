"""What processes that are started need: no signal in their first moments, and an end with the one that started them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait as wait_for

from inveonimaging.storage.interruptions import SIGNALS, Interruptions


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
