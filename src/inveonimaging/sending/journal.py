"""What a server confirmed, one line of JSON each, so that a later run goes on where an earlier one ended.

The first line names the target. A line is written once the server has confirmed an instance, and names its SOP Instance
UID and the SHA-256 of its file: a file that was changed since is sent again. A line that a killed run left half-written
does not count. The last line of an instance counts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from inveonimaging.errors import OptionError, OutputError

_PROGRAM = "inveon send"
_SCHEMA = 1


class State(str, Enum):
    """How far an instance came."""

    SENT = "sent"
    COMMITTED = "committed"
    LOST = "lost"  # the server does not commit to keep it: to be sent again


class Journal:
    """The open journal of one target."""

    def __init__(self, file: BinaryIO, known: Mapping[str, tuple[str, State]]) -> None:
        self._file, self._known = file, dict(known)

    def knows(self, uid: str) -> bool:
        """Return whether it says anything of an instance."""
        return uid in self._known

    def state(self, uid: str, digest: str) -> State:
        """Return how far an instance came with a file of these bytes."""
        known, state = self._known.get(uid, ("", State.LOST))
        return state if known == digest else State.LOST

    def record(self, uid: str, digest: str, state: State) -> None:
        """Write down how far an instance came; it is with the system afterwards, also if this process is killed.

        Raises:
            OutputError: it cannot be written.
        """
        self._known[uid] = (digest, state)
        line = json.dumps({"sop_instance_uid": uid, "sha256": digest, "state": state.value})
        try:
            self._file.write(line.encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise _failed(Path(self._file.name), error) from error


@contextlib.contextmanager
def opened(path: Path, target: str) -> Iterator[Journal]:
    """Open a journal, a new one or one that an earlier run began; hold it, so that no other run does.

    Raises:
        OutputError: it cannot be written, is something else, is of another target, or another run writes it.
    """
    lock = FileLock(path.with_name(path.name + ".lock"), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError("another inveon send writes this journal", path=path, hint="wait for its end") from error
    except OSError as error:
        raise _failed(path, error) from error
    try:
        file, known = _open(path, target)
        with file:
            yield Journal(file, known)
    finally:
        lock.release()
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()


def refuse_among_input(path: Path, paths: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse a journal in a folder that is sent: nothing there is changed.

    Raises:
        OptionError: it is there.
    """
    journal = path.resolve()
    for each in map(Path, paths):
        given = each.resolve()
        if journal == given or given in journal.parents:
            raise OptionError("the journal lies in what is sent", path=path, hint="name a place elsewhere")


def _open(path: Path, target: str) -> tuple[BinaryIO, dict[str, tuple[str, State]]]:
    """Open a journal at its end, and return what it says."""
    try:
        file = path.open("a+b")
    except OSError as error:
        raise _failed(path, error) from error
    try:
        file.seek(0)
        first = json.dumps({"program": _PROGRAM, "schema": _SCHEMA, "target": target}).encode() + b"\n"
        known, end = _read(file, path, first)
        file.truncate(end)  # what a killed run left half-written
        if not end:
            file.write(first)
            file.flush()
    except OSError as error:
        file.close()
        raise _failed(path, error) from error
    except BaseException:
        file.close()
        raise
    return file, known


def _read(file: BinaryIO, path: Path, first: bytes) -> tuple[dict[str, tuple[str, State]], int]:
    """Return what is known of each instance, and where the last whole line ends."""
    known: dict[str, tuple[str, State]] = {}
    end = 0
    for number, line in enumerate(file):
        if not line.endswith(b"\n") and (number or first.startswith(line)):
            break
        try:
            if number == 0:
                _refuse_other(line, first, path)
            else:
                document = json.loads(line)
                known[document["sop_instance_uid"]] = (document["sha256"], State(document["state"]))
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            hint = "name another file, or a new one"
            raise OutputError("is not a journal of inveon send", path=path, line=number + 1, hint=hint) from error
        end += len(line)
    return known, end


def _refuse_other(line: bytes, first: bytes, path: Path) -> None:
    """Refuse a first line that is not ours (ValueError and the like), or is of another target."""
    document, ours = json.loads(line), json.loads(first)
    if (document["program"], document["schema"]) != (ours["program"], ours["schema"]):
        raise ValueError
    if document["target"] != ours["target"]:
        raise OutputError("is the journal of another target", path=path, hint="name another file, or a new one")


def _failed(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot be written: {error.strerror or error}", path=path)
