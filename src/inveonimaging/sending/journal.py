"""What became of each item; and what a server confirmed, one line of JSON each, so that a later run goes on.

The first line names the target. A line is written once the server has confirmed an instance, and names its SOP Instance
UID and the SHA-256 of its file: a file that was changed since is sent again. A line that a killed run left half-written
does not count. The last line of an instance counts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO

from inveonimaging.errors import OptionError, OutputError
from inveonimaging.sending.result import Failure, Fate, Item, Verdict
from inveonimaging.storage.digest import sha256_of
from inveonimaging.storage.folders import real_path
from inveonimaging.storage.jsonl import append, document_of, locked, whole_lines
from inveonimaging.storage.shapes import fits

_PROGRAM = "inveon send"
_SCHEMA = 1


class State(str, Enum):
    """How far an instance came."""

    SENT = "sent"
    COMMITTED = "committed"
    LOST = "lost"  # the server refuses storage commitment for it: to be sent again


_START = b'{"sop_instance_uid": '
_FIRST = {"program": str, "schema": int, "target": str}
_LINE = {"sop_instance_uid": str, "sha256": str, "state": {each.value for each in State}}


class Journal:
    """The open journal of one target."""

    def __init__(self, file: BinaryIO, known: Mapping[str, tuple[str, State]]) -> None:
        self._file, self.known = file, dict(known)

    def state(self, uid: str, digest: str) -> State:
        """Return how far an instance came with a file of these bytes."""
        known, state = self.known.get(uid, ("", State.LOST))
        return state if known == digest else State.LOST

    def record(self, uid: str, digest: str, state: State) -> None:
        """Write down how far an instance came; it is with the system afterwards, also if this process is killed.

        Raises:
            OutputError: it cannot be written.
        """
        self.known[uid] = (digest, state)
        try:
            append(self._file, {"sop_instance_uid": uid, "sha256": digest, "state": state.value})
        except OSError as error:
            raise _failed(Path(self._file.name), error) from error


@contextlib.contextmanager
def opened(path: Path, target: str) -> Iterator[Journal]:
    """Open a journal, a new one or one that an earlier run began; hold it, so that no other run does.

    Raises:
        OutputError: it cannot be written, is something else, is of another target, or another run writes it.
    """
    busy = OutputError("another inveon send writes this journal", path=path, hint="wait until it has ended")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(path.with_name(path.name + ".lock"), busy))
            file = stack.enter_context(path.open("a+b"))
            known = _begun(file, path, target)
        except OSError as error:
            raise _failed(path, error) from error
        yield Journal(file, known)


def refuse_among_input(path: Path, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse a journal in a folder that is sent: nothing there is changed.

    Raises:
        OptionError: it is there.
    """
    journal = real_path(path)
    for each in map(Path, paths):
        given = real_path(each)
        if journal == given or given in journal.parents:
            raise OptionError("the journal lies in what is sent", path=path, hint="name a place elsewhere")


def _begun(file: BinaryIO, path: Path, target: str) -> dict[str, tuple[str, State]]:
    """Return what a journal says of each instance; begin it if it is empty."""
    ours = {"program": _PROGRAM, "schema": _SCHEMA, "target": target}
    known: dict[str, tuple[str, State]] = {}
    first = json.dumps(ours).encode()
    try:
        for number, (begin, line) in enumerate(_lines(file, first), 1):
            document = document_of(line)
            if not begin:
                _refuse_other(path, document, target)
            elif fits(document, _LINE):
                known[document["sop_instance_uid"]] = (document["sha256"], State(document["state"]))
            elif line.strip():
                hint = "remove that line: what it is about is sent again"
                raise OutputError("is not a line of a journal of inveon send", path=path, line=number, hint=hint)
    except ValueError as error:
        raise _other(path) from error
    if not file.seek(0, os.SEEK_END):
        append(file, ours)
    return known


def _lines(file: BinaryIO, first: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a journal; one at the end that was cut off is none, nor is a first one."""
    file.seek(0)
    is_cut = first.startswith(file.read(len(first) + 1))
    return whole_lines(file, first if is_cut else _START)


def _refuse_other(path: Path, document: Any, target: str) -> None:
    if not fits(document, _FIRST) or (document["program"], document["schema"]) != (_PROGRAM, _SCHEMA):
        raise _other(path)
    if document["target"] != target:
        raise OutputError("is the journal of another target", path=path, hint="name another file, or a new one")


def _other(path: Path) -> OutputError:
    hint = "name another file, or a new one"
    return OutputError("is not a journal of inveon send", path=path, line=1, hint=hint)


def _failed(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot be written: {error.strerror or error}", path=path)


@dataclass
class SendProgress:
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
            is_known = self.journal is not None and item.uid in self.journal.known
            state = (
                self.journal.state(item.uid, _digest_or_none(item) or "") if self.journal and is_known else State.LOST
            )
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
        if self.journal is not None:
            self._digests = {item.uid: found for item in items if (found := _digest_or_none(item))}

    def add(self, verdict: Verdict) -> None:
        """Take the verdict on an item that was sent."""
        item = verdict.item
        self.answered.add(item.uid)
        failure = Failure(str(item.path), item.uid, verdict.reason)
        if verdict.fate is Fate.FAILED:
            self.failures.append(failure)
        elif _has_changed(item):
            self.failures.append(Failure(str(item.path), item.uid, "changed while it was sent; send it again"))
        else:
            self.accepted.append(item)
            self.to_commit.append(item)
            self.warnings += [failure] if verdict.reason else []
            self._record(item, State.SENT)

    def add_commitment(self, verdict: Verdict) -> None:
        """Take whether the server commits to keep an item."""
        item = verdict.item
        self.prepare([item])
        if verdict.fate is Fate.ACCEPTED:
            self.committed += 1
            self._record(item, State.COMMITTED)
        else:
            self.failures.append(Failure(str(item.path), item.uid, verdict.reason))
            self._record(item, State.LOST)

    def _record(self, item: Item, state: State) -> None:
        if self.journal is not None and item.uid in self._digests:
            self.journal.record(item.uid, self._digests[item.uid], state)


def _digest_or_none(item: Item) -> str | None:
    try:
        return sha256_of(item.path)
    except OSError:
        return None  # it cannot be sent either


def _has_changed(item: Item) -> bool:
    """Return whether a file is not as it was when it was looked at, or gone."""
    try:
        status = item.path.stat()
    except OSError:
        return True
    return (status.st_size, status.st_mtime_ns) != (item.size, item.changed_ns)
