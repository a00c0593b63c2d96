"""The job that sends DICOM: what `inveon send` does, reported to the app."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from inveonimaging.app.jobs.status import JobStatus
from inveonimaging.app.memory.targets import in_words
from inveonimaging.errors import OptionError, TargetError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inveonimaging.sending import Failure

T = TypeVar("T")

_LONGEST = 300
_LOOK_S = 0.2
_MOST = 100


def run_send(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Send all DICOM below a folder to a server.

    Args:
        task: `source`, `target`, `options`; `credentials`, variables that stand before those of the system; `anew`,
            whether what the server confirmed before is sent again.
        status: is called as it goes on.

    Raises:
        InveonError: as `inveon send`.
    """
    from inveonimaging.sending.job import plan_sending, send_planned

    status.phase("Looking for DICOM")
    options = task["options"]
    if options.journal:
        options.journal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if task["anew"]:
            with contextlib.suppress(FileNotFoundError):
                options.journal.unlink()
    environment = {**os.environ, **task["credentials"]}
    try:
        planned = plan_sending([task["source"]], task["target"], options, environment, status.progress)
        status.phase("Sending")
        sent = _stoppable(lambda: send_planned(planned, status.progress))
    except (TargetError, OptionError) as error:
        raise TargetError(in_words(str(error))) from error
    return {
        "target": sent.target,
        "files": sent.files,
        "sent": sent.accepted,
        "before": sent.skipped - planned.again,
        "twice": planned.again,
        "megabytes": round(sent.bytes / 1e6, 1),
        "refused": _reasons(sent.failures, task["source"]),
        "doubted": _reasons(sent.warnings, task["source"]),
        "failed": len(sent.failures),
        "unsent": len(sent.unsent),
        "stopped": in_words(printable(sent.stopped, _LONGEST)),
        "complete": sent.is_complete,
    }


def _stoppable(send: Callable[[], T]) -> T:
    """Return what a function returns that may wait for a server; an interruption does not wait with it.

    What the server confirmed is written down at once, so the thread may end anywhere.
    """
    found: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            found.append(send())
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=work, name="sending", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_S)
    for error in errors:
        raise error
    return found[0]


def _reasons(failures: Iterable[Failure], folder: Path) -> list[dict[str, Any]]:
    """Return the server's reasons, each once, with how many files it is about and the first of them."""
    found: dict[str, list[str]] = {}
    for each in failures:
        found.setdefault(in_words(printable(each.reason, _LONGEST)), []).append(each.path)
    most_first = sorted(found.items(), key=lambda each: -len(each[1]))[:_MOST]
    return [
        {"reason": reason, "count": len(paths), "first": printable(os.path.relpath(paths[0], folder), _LONGEST)}
        for reason, paths in most_first
    ]
