"""What a batch prints while it runs: a bar on a terminal, else a line now and then; failures at once."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from inveonimaging.batches import BatchProgress, Outcome, Record, Watch
from inveonimaging.batches.summary import message_of
from inveonimaging.cli.messages import coloured, say
from inveonimaging.errors import InputError

_EVERY_S = 60.0
Print = Callable[[str, object], None]


class ProgressWatch(Watch):
    """Prints failures as they happen, and how far the batch is."""

    def __init__(self, say: Print, show: Callable[[BatchProgress], None]) -> None:
        self._say, self._show = say, show

    def record(self, record: Record) -> None:
        """Print a study that failed."""
        if record.result is Outcome.FAILED:
            self._say("error", message_of(record.error))

    def unread(self, error: InputError) -> None:
        """Print a folder that cannot be read."""
        self._say("error", error)

    def progress(self, progress: BatchProgress) -> None:
        """Print how far the batch is."""
        self._show(progress)


@contextlib.contextmanager
def progress_watch() -> Iterator[ProgressWatch]:
    """Give what prints on stderr."""
    if not sys.stderr.isatty():
        yield ProgressWatch(say, _Lines(time.monotonic))
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)

        def show(progress: BatchProgress) -> None:
            total = progress.found if progress.is_found else None
            bars.update(task, completed=progress.done, total=total, description=str(progress))

        yield ProgressWatch(lambda kind, what: console.print(coloured(kind, what), soft_wrap=True), show)


class _Lines:
    """One line a minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last = clock, clock()

    def __call__(self, progress: BatchProgress) -> None:
        if self._clock() - self._last >= _EVERY_S:
            self._last = self._clock()
            say("progress", str(progress))
