"""How far a job has come: what it calls while it runs."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are as far as is known; its exceptions end the job."""


def no_progress(_done: int, _total: int) -> None:
    """Show no progress."""


class StepCounter:
    """Counts the steps of a job."""

    def __init__(self, progress: Progress, total: int = 0) -> None:
        """Count steps, of which so many are expected."""
        self._progress, self._done, self._total = progress, 0, total

    def expect(self, steps: int) -> None:
        """Expect more steps."""
        self._total += steps

    def step(self, steps: int = 1) -> None:
        """Count steps that are done."""
        self._done += steps
        self._progress(self._done, max(self._total, self._done))
