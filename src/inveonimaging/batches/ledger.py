"""`batch.jsonl`: a line for each study, written when it ends; of several lines of a study the last one counts."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from inveonimaging.batches.names import LEDGER
from inveonimaging.batches.study import SCHEMA, PreviousRecord, Record
from inveonimaging.errors import OutputError
from inveonimaging.storage.interruptions import Interruptions

_LOCK = ".inveon-batch.lock"
_DRAFT = ".batch.jsonl.draft"
_PIECE = 64 * 1024
_TEXTS = ("output", "source", *(each.name for each in fields(PreviousRecord) if each.name != "rows"))


class Ledger:
    """The lines of a batch; in memory is only where each study's last one begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._appended = path.open("ab", buffering=0)
        _cut(path)
        self._read = path.open("rb")
        self._begins: dict[str, int] = dict(_indexed(self._read))
        self._seen: set[str] = set()

    @property
    def unseen(self) -> int:
        """How many studies have a line of an earlier run only."""
        return len(self._begins.keys() - self._seen)

    def before(self, output: str) -> PreviousRecord | None:
        """Return what the last line about a study says, None if there is none."""
        line = _read(self._line(output)) if output in self._begins else None
        if line is None:
            return None
        return PreviousRecord(
            **{each.name: line[each.name] for each in fields(PreviousRecord)} | {"rows": tuple(line["rows"])}
        )

    def append(self, record: Record) -> None:
        """Write a line; it is in the system's hands when this returns.

        If the study failed, its line goes on telling what made that which stands there.
        """
        before = None if record.manifest else self.before(record.output)
        if before is not None:
            record = replace(record, manifest=before.manifest, made_from=before.made_from)
        begin, line = self._appended.seek(0, os.SEEK_END), _line(record)
        if self._appended.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._begins[record.output] = begin
        self._seen.add(record.output)

    def compact(self) -> None:
        """Leave the last line of each study, sorted by output."""
        draft = self.path.with_name(_DRAFT)
        with draft.open("wb") as file:
            file.writelines(map(self._line, sorted(self._begins)))
        self.close()
        draft.replace(self.path)

    def close(self) -> None:
        """Close the file."""
        self._read.close()
        self._appended.close()

    def _line(self, output: str) -> bytes:
        self._read.seek(self._begins[output])
        return self._read.readline()


@contextlib.contextmanager
def kept(output: Path) -> Iterator[Ledger]:
    """Open the ledger of a batch's output, which no other batch then can; it is compact afterwards.

    What interrupts its opening or its end waits for the end of that.

    Raises:
        OutputError: another batch is at work there, or the ledger cannot be written.
    """
    made = [each for each in (output, *output.parents) if not each.exists()]
    with Interruptions() as interruptions:
        stack = contextlib.ExitStack()
        try:
            with Interruptions(wait=True):
                output.mkdir(parents=True, exist_ok=True)
                ledger = stack.enter_context(_opened(output))
            yield ledger
            interruptions.wait = True
            ledger.compact()
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror or error}", path=error.filename or output) from error
        finally:
            interruptions.wait = True
            stack.close()
            with contextlib.suppress(OSError):  # those that hold something stay
                for folder in made:
                    folder.rmdir()


@contextlib.contextmanager
def _opened(output: Path) -> Iterator[Ledger]:
    with _alone(output):
        ledger = Ledger(output / LEDGER)
        try:
            yield ledger
        finally:
            ledger.close()
            _drop_empty(ledger.path)


def _drop_empty(path: Path) -> None:
    with contextlib.suppress(OSError):
        if not path.stat().st_size:
            path.unlink()


def said(output: Path) -> dict[str, str]:
    """Return the last result of each study in a ledger, by output; nothing is written."""
    try:
        with (output / LEDGER).open("rb") as file:
            return {line["output"]: line["result"] for each in file if (line := _read(each))}
    except OSError:
        return {}


@contextlib.contextmanager
def _alone(output: Path) -> Iterator[None]:
    lock = FileLock(output / _LOCK, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError("another batch is at work here", path=output, hint="wait for its end") from error
    is_gone = False
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (output / _LOCK).unlink()
            is_gone = True
        lock.release()
        if not is_gone:  # Windows keeps the lock's file while it is open
            with contextlib.suppress(OSError):
                (output / _LOCK).unlink()


def _cut(path: Path) -> None:
    """Cut off what a kill left of the last line."""
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            begin = max(0, end - _PIECE)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n") + 1
            end = begin + found
            if found:
                break
        if end < size:
            file.truncate(end)


def _indexed(file: BinaryIO) -> Iterator[tuple[str, int]]:
    """Yield each study with where its line begins."""
    begin = 0
    for text in file:
        if line := _read(text):
            yield line["output"], begin
        begin += len(text)


def _read(text: bytes) -> dict[str, Any] | None:
    """Return a line if it is about a study; a damaged one is none."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_whole = isinstance(line, dict) and all(isinstance(line.get(name), str) for name in _TEXTS)
    return line if is_whole and _is_rows(line.get("rows")) else None


def _is_rows(rows: object) -> bool:
    return isinstance(rows, list) and all(type(row) is int for row in rows)


def _line(record: Record) -> bytes:
    document = {"schema": SCHEMA, **{each.name: getattr(record, each.name) for each in fields(record)}}
    return (json.dumps(document | {"instances": record.instances}, ensure_ascii=True) + "\n").encode()
