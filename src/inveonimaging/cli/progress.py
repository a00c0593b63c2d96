"""A progress bar on stderr, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from inveonimaging.progress import Progress, no_progress
from inveonimaging.units import duration


@contextlib.contextmanager
def bar(text: str = "Writing") -> Iterator[Progress]:
    """Give a function of (done, total) that moves the bar; one that does nothing without a terminal."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Left(ProgressColumn):
        """How long it takes still, as far as that is known."""

        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            seconds = task.time_remaining
            return Text("" if not seconds else f"{duration(round(seconds))} left", style="progress.remaining")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), Left())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(text, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
