"""Ctrl-C and SIGTERM, kept waiting where they would leave something half done."""

from __future__ import annotations

import _thread
import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interrupt_main(number: signal.Signals) -> None:
    """Interrupt the main thread from another one; what waits for the system, as for a silent disk, is woken, too."""
    if hasattr(signal, "pthread_kill") and (main := threading.main_thread().ident):
        signal.pthread_kill(main, number)
    else:
        _thread.interrupt_main(number)


class Interruptions:
    """The interruptions of this process, as a context.

    Attributes:
        wait: while it is set, an interruption waits for the end of the context; a second one of its kind counts at
            once. A signal that would end the process without a word of Python still does.
    """

    def __init__(self, *, wait: bool = False) -> None:
        self.wait = wait
        self._heard: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruptions:  # noqa: PYI034 - Python 3.10 has no Self
        if threading.current_thread() is threading.main_thread():  # the only one that is interrupted
            for number in SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._come)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for number in self._heard:
            signal.raise_signal(number)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self.wait and number not in self._heard:
            self._heard.append(number)
        else:
            self._before[number](number, frame)


def interruption_of(error: BaseException) -> BaseException | None:
    """Return the interruption during which an error came up, as of a file that it had closed; None if there is none."""
    cause = error.__context__
    while cause is not None and isinstance(cause, Exception):
        cause = cause.__context__
    return cause
