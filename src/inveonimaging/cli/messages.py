"""How all commands report errors and findings: one line each on stderr, in colours on a terminal, and exit codes."""

from __future__ import annotations

import io
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from inveonimaging.errors import InveonError, OptionError, printable
from inveonimaging.findings import Finding, in_few_lines
from inveonimaging.storage.interruptions import interrupt_main

if TYPE_CHECKING:
    from rich.text import Text


class TerminatedError(BaseException):
    """The process was asked to end (SIGTERM)."""


FAILURES = (InveonError, KeyboardInterrupt, MemoryError, TerminatedError)
"""What ends a command with one line instead of a traceback."""

STYLES = {"error": "bold red", "differs": "bold red", "warning": "yellow", "note": "cyan"}
"""Colours of what lines begin with."""

_LONGEST = 1000
_SOON_S = 0.01
_INTERRUPTIONS: dict[type[BaseException], signal.Signals] = {
    KeyboardInterrupt: signal.SIGINT,
    TerminatedError: signal.SIGTERM,
}


def say_failure(error: BaseException) -> int:
    """Say one of `FAILURES`; return the exit code: 2 for wrong usage, 130 and 143 if interrupted, else 1."""
    if isinstance(error, KeyboardInterrupt | TerminatedError):
        say("error", "interrupted; nothing half-written is left behind")
        return 130 if isinstance(error, KeyboardInterrupt) else 143
    say("error", "out of memory" if isinstance(error, MemoryError) else error)
    return 2 if isinstance(error, OptionError) else 1


def say_findings(findings: Iterable[Finding]) -> None:
    """Print findings, each problem once, with the code that `inveon explain` takes."""
    for finding in in_few_lines(findings):
        say(finding.severity.label, finding, finding.code)


def say_settings(taken: Mapping[str, tuple[str, str]]) -> None:
    """Say which settings count, by their names: the value of each, and its file."""
    for path in dict.fromkeys(path for _, path in taken.values()):
        values = ", ".join(f"{name} {value}" for name, (value, own) in taken.items() if own == path)
        say("note", f"settings of {path}: {values} (--no-config ignores them)")


def prepare() -> None:
    """Let SIGTERM end a command as Ctrl-C does, with its work cleaned up, and let what is printed be harmless."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
        if not isinstance(sys.unraisablehook, _InterruptAgain):
            sys.unraisablehook = _InterruptAgain(sys.unraisablehook)
    forgive_encoding()
    warnings.showwarning = _say_warning


def _say_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Say a warning of Python's, whose text may be that of a file, as one harmless line."""
    say("warning", message)


def _terminate(_number: int, _frame: object) -> None:
    raise TerminatedError


class _InterruptAgain:
    """Interrupts anew after an interruption that Python threw away, since it fell into a destructor or a callback."""

    def __init__(self, others: Callable[[sys.UnraisableHookArgs], object]) -> None:
        self._others = others

    def __call__(self, lost: sys.UnraisableHookArgs) -> None:
        number = _INTERRUPTIONS.get(lost.exc_type)
        if number is None:
            self._others(lost)
            return
        threading.Thread(target=self._again, args=[number], daemon=True).start()

    def _again(self, number: signal.Signals) -> None:
        time.sleep(_SOON_S)
        while self._is_entered():  # an interruption of this hook would be lost
            time.sleep(_SOON_S)
        interrupt_main(number)

    def _is_entered(self) -> bool:
        """Return whether the main thread has still to leave this hook."""
        frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - documented
        while frame is not None and frame.f_code is not type(self).__call__.__code__:
            frame = frame.f_back
        return frame is not None


def forgive_encoding() -> None:
    """Let stdout escape the characters that its encoding lacks, as stderr does, instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def shown(path: object) -> str:
    """Return a path as one harmless line."""
    return printable(path, _LONGEST)


def say(kind: str, what: object, code: str = "") -> None:
    """Print one harmless line on stderr, `error: ...`, with the code of a finding after it."""
    if sys.stderr.isatty():
        from rich.console import Console

        Console(stderr=True).print(coloured(kind, what, code), soft_wrap=True)
    else:
        ending = f" [{code}]" if code else ""
        print(f"{kind}: {printable(what, _LONGEST)}{ending}", file=sys.stderr, flush=True)


def coloured(kind: str, what: object, code: str = "") -> Text:
    """Return the line that `say` prints as terminals with colours have it."""
    from rich.text import Text

    ending = [(f" [{code}]", "dim")] if code else []
    return Text.assemble((f"{kind}:", STYLES.get(kind, "")), f" {printable(what, _LONGEST)}", *ending)
