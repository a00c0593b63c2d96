"""A progress bar on stderr, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from inveonimaging.progress import Progress, no_progress


@contextlib.contextmanager
def bar(text: str = "Writing") -> Iterator[Progress]:
    """Give a function of (done, total) that moves the bar; one that does nothing without a terminal."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(text, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
