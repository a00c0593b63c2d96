"""What became of all studies of a batch, in numbers that do not grow with it, and how fast they are done."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from inveonimaging.batches.study import Outcome, Record
from inveonimaging.batches.walk import SkippedCounts
from inveonimaging.errors import InputError
from inveonimaging.findings import Finding
from inveonimaging.units import counted, duration

_REMEMBERED = 100
_LATELY = 200  # studies; what was quickly skipped before them does not count
_SECONDS_PER_MINUTE = 60.0
_MOST_SEVERE_FIRST = ("error", "warning", "note")


@dataclass(frozen=True)
class Failure:
    """A study that was not converted, or a folder that could not be read."""

    source: str
    output: str
    message: str


@dataclass(frozen=True)
class FindingCount:
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
        finding_counts: findings of all studies by code, the most severe and most frequent first.
        failures: the first hundred; the ledger has all.
        passed: what was left aside.
        sheet: how the sheet of subjects was read, and which of its rows no study matched.
        gone: studies of earlier batches that were not found now; what they became is still there.
        unread_lines: numbers of the lines of `batch.jsonl` that no batch wrote; they were left out.
        ledger: path of `batch.jsonl`.
    """

    found: int
    converted: int
    skipped: int
    failed: int
    unread: int
    instances: int
    seconds: float
    finding_counts: tuple[FindingCount, ...]
    failures: tuple[Failure, ...]
    passed: SkippedCounts
    sheet: tuple[Finding, ...]
    gone: int
    unread_lines: tuple[int, ...]
    ledger: str

    @property
    def is_fine(self) -> bool:
        """Whether every study was converted, now or before, and every folder read."""
        return not self.failed and not self.unread

    @property
    def per_minute(self) -> float:
        """How many studies were converted in a minute."""
        return self.converted * _SECONDS_PER_MINUTE / self.seconds if self.seconds else 0.0


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

    def finding_counts(self) -> tuple[FindingCount, ...]:
        """Return the findings, the most severe and most frequent first."""
        found = [FindingCount(code, severity, studies) for (code, severity), studies in self._codes.items()]
        order = {severity: number for number, severity in enumerate(_MOST_SEVERE_FIRST)}
        return tuple(sorted(found, key=lambda each: (order.get(each.severity, len(order)), -each.studies, each.code)))

    def _remember(self, failure: Failure) -> None:
        if len(self.failures) < _REMEMBERED:
            self.failures.append(failure)


def message_of(error: Mapping[str, object] | None) -> str:
    """Return an error of a record as one line, which begins with where."""
    message, path = str((error or {}).get("message", "")), (error or {}).get("path")
    return message if path is None or str(path) in message else f"{path}: {message}"


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is.

    Attributes:
        done, failed: studies so far.
        found: studies so far; all of them once `is_found`.
        is_found: whether the search is over.
        per_minute: studies in a minute lately; None at first.
        left_s: seconds until the end, if it goes on like that; None while that cannot be known.
    """

    done: int
    failed: int
    found: int
    is_found: bool
    per_minute: float | None
    left_s: float | None

    def __str__(self) -> str:
        of = counted(self.found, "study", "studies") if self.is_found else f"{self.found} or more studies"
        parts = [f"{self.done} of {of}"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.per_minute is not None:
            parts.append(f"{self.per_minute:.1f} a minute")
        if self.left_s is not None:
            parts.append(f"{duration(round(self.left_s))} left")
        return ", ".join(parts)


class Pace:
    """Counts studies as they end; the clock comes in as an argument, in seconds."""

    def __init__(self, now_s: float) -> None:
        self._ended: deque[float] = deque([now_s], maxlen=_LATELY + 1)

    def ended(self, now_s: float) -> None:
        """Count a study."""
        self._ended.append(now_s)

    def per_minute(self) -> float | None:
        """Return how many studies ended in a minute lately."""
        span = self._ended[-1] - self._ended[0]
        return (len(self._ended) - 1) * _SECONDS_PER_MINUTE / span if span > 0 else None

    def left_s(self, studies: int) -> float | None:
        """Return how long so many studies will take."""
        rate = self.per_minute()
        return None if rate is None else studies * _SECONDS_PER_MINUTE / rate
