"""Items -> a server, whatever the way: batch after batch, and again after a lost connection."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from inveonimaging.sending.options import SendOptions
from inveonimaging.sending.result import Fate, Item, LostError, Verdict

_LONGEST_WAIT_S = 30.0
_MOST_BROKEN = 3  # items, one after the other, that each broke the connection again and again


class Carrier(Protocol):
    """A way to a server."""

    def batches(self, items: Sequence[Item]) -> Iterable[list[Item]]:
        """Return what is sent at a time."""

    def check(self) -> None:
        """Find out whether the server is there and lets us in; TargetError, LostError."""

    def send(self, batch: Sequence[Item]) -> list[Verdict]:
        """Send what is sent at a time; TargetError, LostError."""

    def close(self) -> None:
        """End the connection."""


def deliver(
    carrier: Carrier, items: Sequence[Item], options: SendOptions, before: Callable[[Sequence[Item]], None]
) -> Iterator[Verdict]:
    """Send items; yield what became of each as soon as it is known, each once.

    Args:
        carrier: the way.
        items: what is sent.
        options: how often and how soon to try again.
        before: is called with what is sent next.

    Raises:
        LostError: the server does not come back. What was not yielded was not sent, or it is not known.
        TargetError: the server does not want us any more; likewise.
    """
    waiting = deque(carrier.batches(items))
    tries = broken = 0
    while waiting:
        batch = waiting[0]
        before(batch)
        try:
            verdicts = carrier.send(batch)
        except LostError as lost:
            tries += 1
            if tries <= options.retries and not lost.is_lasting:
                time.sleep(max(lost.wait_s, min(options.first_wait_s * 2 ** (tries - 1), _LONGEST_WAIT_S)))
                continue
            broken += 1
            if lost.while_connecting or broken == _MOST_BROKEN:
                raise LostError("; ".join(filter(None, (lost.reason, lost.hint)))) from lost
            reason = lost.reason + (f", {tries} times" if tries > 1 else "")
            failed = Verdict(batch[0], Fate.FAILED, "; ".join(filter(None, (reason, lost.hint))))
            # of several items it is not known which one breaks the connection
            verdicts = [failed] if len(batch) == 1 else [Verdict(item, Fate.UNDECIDED) for item in batch]
        else:
            broken = 0
        tries = 0
        waiting.popleft()
        waiting.extendleft([each.item] for each in reversed(verdicts) if each.fate is Fate.UNDECIDED)
        yield from (each for each in verdicts if each.fate is not Fate.UNDECIDED)
