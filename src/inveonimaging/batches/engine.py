"""Who converts: processes of this computer, or the workers of a Dask scheduler; one at a time does one study."""

from __future__ import annotations

import contextlib
from typing import NamedTuple, Protocol

from inveonimaging.batches.study import Job, Outcome, PreviousRecord, Record, Study
from inveonimaging.storage.staging import sweep


class Done(NamedTuple):
    """A study that was submitted, and its record."""

    study: Study
    record: Record


class Engine(Protocol):
    """Converts what is submitted, in any order."""

    @property
    def room(self) -> int:
        """How many more studies may be submitted now: bounds what is held for those that wait."""

    def submit(self, study: Study, before: PreviousRecord | None) -> None:
        """Take a study."""

    def wait(self, timeout_s: float) -> list[Done]:
        """Return what has ended since the last call; wait for something to end if nothing has.

        Raises:
            InveonError: no study can be converted any more.
        """

    def close(self) -> None:
        """End whatever is still at work."""


def failed(study: Study, kind: str, message: str) -> Done:
    """Return the record of a study whose process cannot tell what became of it."""
    error = {"kind": kind, "message": message, "path": study.source, "line": None}
    return Done(study, Record(source=study.source, output=study.output, result=Outcome.FAILED, error=error))


def cleared(job: Job, study: Study) -> None:
    """Take away what a process that was killed left of a study."""
    folder = job.output / study.output
    sweep(folder)
    with contextlib.suppress(OSError):  # the first that is not empty
        while folder != job.output and job.output in folder.parents:
            with contextlib.suppress(FileNotFoundError):  # it had come to make the folders above
                folder.rmdir()
            folder = folder.parent
