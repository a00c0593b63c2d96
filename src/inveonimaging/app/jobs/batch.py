"""The job that converts many studies: what `inveon batch` does, reported to the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inveonimaging.app.jobs.status import JobStatus, rows
from inveonimaging.errors import printable

if TYPE_CHECKING:
    from inveonimaging.batches import BatchResult

_LONGEST = 500
_MOST = 20


def run_batch(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Convert every study below a folder.

    Args:
        task: `root`, `output`, `options`, and `batch`: how.
        status: is called as it goes on.

    Raises:
        InveonError: as `inveon batch`.
    """
    from inveonimaging import batches

    class StatusWatch(batches.Watch):
        def progress(self, progress: batches.BatchProgress) -> None:
            status.words(str(progress))
            status.progress(progress.done, progress.found if progress.is_found else 0)

    status.phase("Converting studies")
    done = batches.run_batch(task["root"], task["output"], task["options"], task["batch"], StatusWatch())
    counts = {name: getattr(done, name) for name in ("found", "converted", "skipped", "failed", "unread", "instances")}
    found = {**counts, "output": str(task["output"]), "findings": rows(done.sheet), "notes": _notes(done)}
    return found if task["options"].deidentify is None else {**found, "reasons": _reasons(done)}


def _reasons(done: BatchResult) -> list[str]:
    """Return why studies failed, which a ledger that names nobody does not have."""
    return [printable(each.message, _LONGEST) for each in done.failures if each.output]


def _notes(done: BatchResult) -> list[str]:
    """Return what was passed over, and which folders could not be read."""
    from inveonimaging.batches.walk import left_aside

    unread = [each.message for each in done.failures if not each.output]
    return [printable(each, _LONGEST) for each in (*unread[:_MOST], *left_aside(done.passed, done.gone))]
