"""What a job reports to the app while it runs, and in what form its result names findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic

from inveonimaging.findings import Finding, in_few_lines

MOST_LISTED = 200
WRITING, COMPARING, DRAWING = "Writing DICOM", "Comparing with the scanner's files", "Drawing the report"
"""Phases of a conversion: in the first one a study of several may be there, in the others all are."""
_EVERY_S = 0.2


class JobStatus:
    """What a job reports to the app; if the app has ended, nothing is reported, and the job is stopped."""

    def __init__(self, say: Callable[[str, object], None]) -> None:
        """Report through a function of kind and value."""
        self._say, self._next = say, 0.0

    def steps(self, steps: Iterable[tuple[str, int]]) -> None:
        """Name what is done one after the other, and how much of the progress each is."""
        self._say("steps", list(steps))

    def phase(self, words: str) -> None:
        """Say what is done now."""
        self._say("phase", words)
        self._next = 0.0

    def words(self, words: str) -> None:
        """Report in words how far it is, at most as often as the progress that follows."""
        if monotonic() >= self._next:
            self._say("words", words)

    def progress(self, done: int, total: int) -> None:
        """Say how far it is, at most a few times a second."""
        now = monotonic()
        if now >= self._next or done == total:
            self._next = now + _EVERY_S
            self._say("progress", (done, total))


def rows(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Return findings as plain texts, in few lines, the first of them."""
    from inveonimaging.app.choices.words import finding_row

    return [finding_row(each) for each in in_few_lines(findings)][:MOST_LISTED]
