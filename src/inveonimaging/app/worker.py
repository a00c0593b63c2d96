"""The process of a job: it does what a command does, tells how far it has come, and stops as at Ctrl-C.

It is stopped by a word from the app, or by the app's end, however that came: what it wrote half is taken away, as the
commands do.
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any

from inveonimaging.errors import InveonError, printable
from inveonimaging.findings import Finding, in_few_lines

_LONGEST = 1000
_EVERY_S = 0.2
_MOST_LISTED = 200


class Tell:
    """What a job tells the app; an app that is gone hears nothing, and the stop that its end means comes by itself."""

    def __init__(self, say: Callable[[str, object], None]) -> None:
        """Tell through a function of kind and value."""
        self._say, self._next = say, 0.0

    def steps(self, steps: Iterable[tuple[str, int]]) -> None:
        """Name what is done one after the other, and how much of the progress each is."""
        self._say("steps", list(steps))

    def phase(self, words: str) -> None:
        """Say what is done now."""
        self._say("phase", words)
        self._next = 0.0

    def progress(self, done: int, total: int) -> None:
        """Say how far it is, at most a few times a second."""
        now = monotonic()
        if now >= self._next or done == total:
            self._next = now + _EVERY_S
            self._say("progress", (done, total))


def run_convert(task: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Convert, and do what is asked for afterwards.

    Args:
        task: `source`, `output`, `options`, `verify`, `report`.
        tell: hears of it.

    Raises:
        InveonError: as `inveon convert`.
    """
    from inveonimaging.commands import convert
    from inveonimaging.conversion.job import convert_planned
    from inveonimaging.conversion.plan import plan

    tell.phase("Reading headers")
    options = task["options"]
    studies = plan(task["source"], task["output"], options)
    if task["report"]:
        convert.refuse_reports(studies)
    tell.steps((_name(each.image), each.slices) for study in studies for each in study.series)
    tell.phase("Writing DICOM")
    results = convert_planned(studies, task["output"], options, tell.progress)
    tell.steps([])
    found: dict[str, Any] = {
        "series": [
            {
                "source": printable(Path(each.source).name),
                "folder": str(Path(study.output, each.folder)),
                "files": each.instances,
                "class": each.sop_class,
            }
            for study in results
            for each in study.series
        ][:_MOST_LISTED],
        "output": str(task["output"]),
        "findings": _rows(finding for study in results for finding in study.all_findings),
        "verified": None,
        "differences": [],
        "report": None,
    }
    if task["verify"]:
        tell.phase("Comparing with the scanner's files")
        checks = convert.verify_converted(results, options, tell.progress)
        different = [printable(each.message, _LONGEST) for check in checks for each in check.all_differences]
        found |= {"verified": not different, "differences": different[:_MOST_LISTED]}
        found["planes"] = sum(each.planes for check in checks for each in check.series)
    if task["report"]:
        tell.phase("Drawing the report")
        pages = convert.write_reports(studies, results, options, tell.progress)
        found["report"] = str(pages[0]) if pages else None
    return found


def run_report(task: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Write the report of scans.

    Args:
        task: `source`, `page`, `viewer`, `corrections`.
        tell: hears of it.

    Raises:
        InveonError: as `inveon report`.
    """
    from inveonimaging.commands.report import report

    tell.phase("Drawing the report")
    done = report(
        task["source"],
        task["page"],
        viewer=task["viewer"],
        overwrite=True,
        corrections=task["corrections"],
        progress=tell.progress,
    )
    return {"report": str(done.page), "findings": _rows(done.findings)}


KINDS: dict[str, Callable[[dict[str, Any], Tell], dict[str, Any]]] = {"convert": run_convert, "report": run_report}


def serve(kind: str, task: dict[str, Any], events: Connection, control: Connection) -> None:
    """Do a job in this process.

    Args:
        kind: of `KINDS`.
        task: of that kind.
        events: hears of it: pairs of what is told and its value.
        control: tells when to stop: at any word, or when it is closed.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)

    def say(name: str, value: object) -> None:
        with contextlib.suppress(OSError):
            events.send((name, value))

    try:
        threading.Thread(target=_stop_at_a_word, args=[control], daemon=True).start()
        say("result", KINDS[kind](task, Tell(say)))
    except InveonError as error:
        say("error", printable(error, _LONGEST))
    except KeyboardInterrupt:
        say("stopped", None)
    except MemoryError:
        say("error", "out of memory")


def _stop_at_a_word(control: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        control.recv()
    _thread.interrupt_main()


def _rows(findings: Iterable[Finding]) -> list[dict[str, str]]:
    from inveonimaging.app.words import finding_row

    return [finding_row(each) for each in in_few_lines(findings)][:_MOST_LISTED]


def _name(image: Any) -> str:
    return printable(" ".join(filter(None, (image.kind, image.pair.name, image.part_name))), 100)
