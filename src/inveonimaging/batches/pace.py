"""How fast studies are done, and how long the rest will take."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_REMEMBERED = 200  # studies; what was quickly skipped before them does not count
_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True)
class Progress:
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


class Pace:
    """Counts studies as they end; the clock comes in as an argument, in seconds."""

    def __init__(self, now_s: float) -> None:
        self._ended: deque[float] = deque([now_s], maxlen=_REMEMBERED + 1)

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
