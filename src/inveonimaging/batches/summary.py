"""What became of all studies of a batch, in numbers that do not grow with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from inveonimaging.batches.study import Outcome, Record
from inveonimaging.batches.walk import SkippedCounts
from inveonimaging.errors import InputError
from inveonimaging.findings import Finding

_REMEMBERED = 100
_GRAVEST_FIRST = ("error", "warning", "note")


@dataclass(frozen=True)
class Failure:
    """A study that was not converted, or a folder that could not be read."""

    source: str
    output: str
    message: str


@dataclass(frozen=True)
class Oddity:
    """A finding's code and severity, and how many studies have it."""

    code: str
    severity: str
    studies: int


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What became of a batch.

    Attributes:
        found, converted, skipped, failed: numbers of studies; skipped are complete and unchanged.
        unread: number of folders that could not be read.
        instances: number of files that were written now.
        seconds: how long it took.
        oddities: findings of all studies by code, the most severe and most frequent first.
        failures: the first hundred; the ledger has all.
        passed: what was left aside.
        sheet: how the sheet of subjects was read, and which of its rows no study matched.
        gone: studies of earlier batches that were not found now; what they became is still there.
        ledger: path of `batch.jsonl`.
    """

    found: int
    converted: int
    skipped: int
    failed: int
    unread: int
    instances: int
    seconds: float
    oddities: tuple[Oddity, ...]
    failures: tuple[Failure, ...]
    passed: SkippedCounts
    sheet: tuple[Finding, ...]
    gone: int
    ledger: str

    @property
    def is_fine(self) -> bool:
        """Whether every study was converted, now or before, and every folder read."""
        return not self.failed and not self.unread

    @property
    def per_minute(self) -> float:
        """How many studies were converted in a minute."""
        return self.converted * 60 / self.seconds if self.seconds else 0.0


@dataclass
class Tally:
    """Counts records."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    instances: int = 0
    unread: int = 0
    rows: set[int] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    _codes: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """How many studies ended."""
        return self.outcomes.total()

    def count(self, record: Record) -> None:
        """Count a study."""
        self.outcomes[record.result] += 1
        self.instances += record.instances if record.result is Outcome.CONVERTED else 0
        self.rows.update(record.rows)
        self._codes.update({(each["code"], each["severity"]) for each in record.findings})
        if record.result is Outcome.FAILED:
            self._remember(Failure(record.source, record.output, message_of(record.error)))

    def count_unread(self, error: InputError) -> None:
        """Count a folder that cannot be read."""
        self.unread += 1
        self._remember(Failure(error.path or "", "", str(error)))

    def oddities(self) -> tuple[Oddity, ...]:
        """Return the findings, the most severe and most frequent first."""
        found = [Oddity(code, severity, studies) for (code, severity), studies in self._codes.items()]
        return tuple(sorted(found, key=lambda each: (_severity(each.severity), -each.studies, each.code)))

    def _remember(self, failure: Failure) -> None:
        if len(self.failures) < _REMEMBERED:
            self.failures.append(failure)


def message_of(error: Mapping[str, object] | None) -> str:
    """Return an error of a record as one line, which begins with where."""
    message, path = str((error or {}).get("message", "")), (error or {}).get("path")
    return message if path is None or str(path) in message else f"{path}: {message}"


def _severity(severity: str) -> int:
    return _GRAVEST_FIRST.index(severity) if severity in _GRAVEST_FIRST else len(_GRAVEST_FIRST)
