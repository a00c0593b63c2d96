"""What became of each item, counted while it is sent, and written into the journal if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from inveonimaging.sending.files import has_changed
from inveonimaging.sending.journal import Journal, State
from inveonimaging.sending.result import Failure, Fate, Item, Verdict
from inveonimaging.storage.digest import sha256_of


@dataclass
class Ledger:
    """Counts; what the journal says of an item is bound to the digest of its file."""

    journal: Journal | None = None
    accepted: list[Item] = field(default_factory=list)
    skipped: list[Item] = field(default_factory=list)
    to_commit: list[Item] = field(default_factory=list)
    committed: int = 0
    failures: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    _digests: dict[str, str] = field(default_factory=dict)

    def left(self, items: Sequence[Item], *, is_commitment_asked: bool) -> list[Item]:
        """Return which items are to be sent: those that the journal does not have."""
        left = []
        for item in items:
            state = self._state(item)
            if state is State.LOST:
                left.append(item)
                continue
            self.skipped.append(item)
            if is_commitment_asked and state is State.SENT:
                self.to_commit.append(item)
            elif state is State.COMMITTED:
                self.committed += 1
        return left

    def prepare(self, items: Sequence[Item]) -> None:
        """Work out digests before items are sent, so that what is confirmed is written down at once."""
        if self.journal is None:
            return
        self._digests = {item.uid: found for item in items if (found := _digest_or_none(item))}

    def add(self, verdict: Verdict) -> None:
        """Take what the server said of an item that was sent."""
        item = verdict.item
        self.answered.add(item.uid)
        failure = Failure(str(item.path), item.uid, verdict.reason)
        if verdict.fate is Fate.FAILED:
            self.failures.append(failure)
        elif has_changed(item):
            self.failures.append(Failure(str(item.path), item.uid, "changed while it was sent; send it again"))
        else:
            self.accepted.append(item)
            self.to_commit.append(item)
            self.warnings += [failure] if verdict.reason else []
            self._record(item, State.SENT)

    def add_commitment(self, verdict: Verdict) -> None:
        """Take whether the server commits to keep an item."""
        item = verdict.item
        self._digests = {item.uid: found} if self.journal and (found := _digest_or_none(item)) else {}
        if verdict.fate is Fate.ACCEPTED:
            self.committed += 1
            self._record(item, State.COMMITTED)
        else:
            self.failures.append(Failure(str(item.path), item.uid, verdict.reason))
            self._record(item, State.LOST)

    def _state(self, item: Item) -> State:
        if self.journal is None or not self.journal.knows(item.uid):
            return State.LOST
        return self.journal.state(item.uid, _digest_or_none(item) or "")

    def _record(self, item: Item, state: State) -> None:
        if self.journal is not None and item.uid in self._digests:
            self.journal.record(item.uid, self._digests[item.uid], state)


def _digest_or_none(item: Item) -> str | None:
    try:
        return sha256_of(item.path)
    except OSError:
        return None  # sending it will say so
