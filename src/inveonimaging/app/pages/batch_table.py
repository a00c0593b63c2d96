"""What became of each study of a batch, as its ledger has it: rows, filtered, a page of them, or all as CSV.

A ledger may be anybody's: what it holds is text, and what has no shape is left out.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from inveonimaging.batches.ledger import last_lines
from inveonimaging.batches.names import LEDGER, NOT_KEPT
from inveonimaging.batches.study import Outcome
from inveonimaging.batches.summary import message_of
from inveonimaging.errors import InputError, printable
from inveonimaging.findings import Severity
from inveonimaging.sheet.values import escaped
from inveonimaging.storage.shapes import fits

FAILED, WARNED = "failed", "warnings"
PER_PAGE = 50
_LONGEST = 500
_SERIES = [{"modality": str}]
_FINDINGS = [{"code": str, "severity": str}]
_DOUBTS = {Severity.WARNING.label, Severity.ERROR.label}
_COLUMNS = ("study", "animal", "date", "scans", "state", "reason", "warnings", "source")


@dataclass(frozen=True)
class StudyRow:
    """A study: texts that are harmless in one line.

    Attributes:
        study: its folder inside the output.
        source: its folder, as it was then.
        path: the same, to be opened; empty if the ledger does not have it.
        animal: Patient ID.
        date: Study Date.
        scans: how many of which modality.
        state: `failed`, `done`, `done before`, with whether it was verified.
        reason: why it failed.
        warnings: codes of findings that are no notes.
    """

    study: str
    source: str
    path: str
    animal: str
    date: str
    scans: str
    state: str
    reason: str
    warnings: tuple[str, ...]

    @property
    def is_failed(self) -> bool:
        """Whether there is nothing of it, or what is there differs."""
        return self.state == FAILED

    def holds(self, text: str) -> bool:
        """Return whether a text is in any of its cells, in small letters or capitals."""
        cells = (self.study, self.source, self.animal, self.date, self.scans, self.state, self.reason, *self.warnings)
        return text.casefold() in "\n".join(cells).casefold()


@dataclass(frozen=True)
class Table:
    """The studies of a batch that were asked for.

    Attributes:
        rows: those that pass the filter.
        counts: of all studies: `all`, `failed`, `warnings`.
        unread: how many lines of the ledger no batch wrote.
    """

    rows: Sequence[StudyRow]
    counts: dict[str, int]
    unread: int

    @property
    def pages(self) -> int:
        """How many pages of rows there are, at least one."""
        return max(1, -(-len(self.rows) // PER_PAGE))

    def page(self, number: int) -> Sequence[StudyRow]:
        """Return a page of rows, from 1."""
        return self.rows[(number - 1) * PER_PAGE : number * PER_PAGE]


def is_batch(folder: Path) -> bool:
    """Return whether a folder is the output of a batch."""
    try:
        return (folder / LEDGER).is_file()
    except (OSError, ValueError):
        return False


def table_of(folder: Path, show: str = "", text: str = "") -> Table:
    """Return the studies of a batch.

    Args:
        folder: the batch's output.
        show: `failed`, `warnings`, or all.
        text: that is in a cell; empty for any.

    Raises:
        InputError: there is no ledger.
        OutputError: it is no ledger.
    """
    path = folder / LEDGER
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise InputError("no batch was written here", path=folder, expected=f"a folder with {LEDGER}") from error
    rows, unread = _read(folder, status.st_mtime_ns, status.st_size)
    counts = Counter(all=len(rows))
    counts[FAILED] = sum(each.is_failed for each in rows)
    counts[WARNED] = sum(bool(each.warnings) for each in rows)
    kept = [each for each in rows if _is_asked(each, show) and (not text or each.holds(text))]
    return Table(kept, dict(counts), unread)


def root_of(table: Table) -> str:
    """Return the folder below which the studies were found, by their names; empty if they do not show it."""
    for each in table.rows:
        if Path(each.path).as_posix().endswith(f"/{each.study}"):
            return each.path[: -len(each.study) - 1]
    return ""


def csv_of(rows: Sequence[StudyRow]) -> bytes:
    """Return rows as spreadsheets read them; no cell starts a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for each in rows:
        cells = (each.study, each.animal, each.date, each.scans, each.state, each.reason, " ".join(each.warnings))
        writer.writerow([escaped(cell) for cell in (*cells, each.source)])
    return text.getvalue().encode("utf-8-sig", "replace")


def _is_asked(row: StudyRow, show: str) -> bool:
    return row.is_failed if show == FAILED else bool(row.warnings) if show == WARNED else True


@lru_cache(maxsize=2)
def _read(folder: Path, _changed_ns: int, _size: int) -> tuple[tuple[StudyRow, ...], int]:
    found, unread = last_lines(folder, _row)
    return tuple(found[name] for name in sorted(found)), len(unread)


def _row(line: dict[str, Any]) -> StudyRow:
    """Return the row of a line, in which people may have edited what no later batch needs."""
    series = line["series"] if fits(line.get("series"), _SERIES) else []
    findings = line["findings"] if fits(line.get("findings"), _FINDINGS) else []
    kinds = Counter(printable(each["modality"], 20) for each in series)
    error = line.get("error")
    return StudyRow(
        study="the folder itself" if line["output"] == "." else printable(line["output"], _LONGEST),
        source=printable(line["source"], _LONGEST),
        path=line["source"] if os.path.isabs(line["source"]) else "",  # noqa: PTH117 - a name that no file can have
        animal=_text(line.get("patient_id")),
        date=_text(line.get("study_date")),
        scans=", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in kinds.items()),
        state=_state(line),
        reason=_reason(error, line["source"]) if isinstance(error, dict) else "",
        warnings=tuple(sorted({printable(each["code"], 60) for each in findings if each["severity"] in _DOUBTS})),
    )


def _reason(error: dict[str, Any], source: str) -> str:
    message = message_of(error)
    if message == NOT_KEPT:
        return "the reason is not written here, since it may contain a name; the page of the batch has it"
    return printable(message.removeprefix(source + os.sep), _LONGEST)


def _state(line: dict[str, Any]) -> str:
    if line["result"] == Outcome.FAILED:
        return FAILED
    words = "done before" if line["result"] == Outcome.SKIPPED else "done"
    return f"{words}, verified" if line.get("verified") is True else words


def _text(value: object) -> str:
    return printable(value, 100) if isinstance(value, str) else ""
