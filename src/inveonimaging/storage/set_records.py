"""The record of files that are to appear together, for who comes after a run that was killed.

    FOLDER/.inveon-ID.set     which hidden files are to have which names; while they get them, which files these are
           .inveon-ID.new     the same while it is written
           .inveon-ID.lock    held by the run as long as it lives

A run that is killed leaves both, and loses the lock. The next run that writes there takes back what was begun: files
that had got their names go, those that they replaced come back, and so none of the set is there. If all names were
given, only what they replaced is removed. The word of a record is not enough, since anybody may have put it there: it
moves and removes hidden files of our names, and a named file only if it is the very one, by its number in the file
system, its size and its time.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from inveonimaging.storage.manifests import PROGRAM, is_file_name
from inveonimaging.storage.whole_files import is_draft

_OF_A_RUN = re.compile(r"(\.inveon-[0-9a-f]{32})\.(?:set|new|lock)")
_LONGEST = 2**24
_NUMBERS = 3  # that distinguish a file from all others

Identity = tuple[int, int, int]


@dataclass(frozen=True)
class _Set:
    """What a record says.

    Attributes:
        drafts: names by hidden files, which are complete when `given` is there.
        aside: names of what gave way, by hidden files.
        given: which file each name gets; empty before names are given.
    """

    drafts: Mapping[str, str]
    aside: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Identity] = field(default_factory=dict)

    def is_done(self, folder: Path) -> bool:
        """Return whether all names were given: what gave way is only to be removed."""
        return bool(self.given) and not any(os.path.lexists(folder / hidden) for hidden in self.drafts)

    def begun(self, folder: Path) -> tuple[str, ...]:
        """Return the names that were given, and are to be taken back."""
        return tuple(name for name, number in self.given.items() if _identity(folder / name) == number)


class SetRecord:
    """The record of a run that is at work: see `recorded`."""

    def __init__(self, folder: Path, path: Path, drafts: Mapping[str, Path]) -> None:
        self._folder, self._path = folder, path
        self._drafts = {draft.name: name for name, draft in drafts.items()}
        _write(self._path, _Set(self._drafts))

    def begin(self, aside: Mapping[str, Path]) -> None:
        """Record that names are being given; `aside` has the hidden file of each that gives way."""
        found = {name: _identity(self._folder / hidden) for hidden, name in self._drafts.items()}
        given = {name: number for name, number in found.items() if number}
        _write(self._path, _Set(self._drafts, {hidden.name: name for name, hidden in aside.items()}, given))


@contextlib.contextmanager
def recorded(folder: Path, drafts: Mapping[str, Path]) -> Iterator[SetRecord]:
    """Keep a record of drafts by their names while they are written; it goes when the context ends."""
    path = folder / f".inveon-{uuid4().hex}.set"
    lock = FileLock(_lock_of(path), thread_local=False)
    lock.acquire(timeout=0)
    try:
        yield SetRecord(folder, path, drafts)
    finally:
        with contextlib.suppress(OSError):
            _forget(path)
        _let_go(lock, path)


def names_begun(folder: Path) -> frozenset[str]:
    """Return names that a run that was killed had given in a folder, and that are free when that is taken back."""
    found: set[str] = set()
    for path in _records(folder):
        content = _read(path)
        with _dead(path) as is_dead:
            if is_dead and content and not content.is_done(folder):
                found |= {*content.begun(folder)} - {*content.aside.values()}
    return frozenset(found)


def take_back(folder: Path) -> None:
    """Take back, or finish, what killed runs left in a folder; what cannot be is for the next."""
    for path in _records(folder):
        with _dead(path) as is_dead, contextlib.suppress(OSError):
            content = _read(path)
            if is_dead and (content or not os.path.lexists(path)):
                _settle(folder, content or _Set({}), path)
                _forget(path)


def _settle(folder: Path, content: _Set, path: Path) -> None:
    if content.is_done(folder):
        _remove(folder, content.aside)
    elif content.drafts:
        _undo(folder, content, path)
        _remove(folder, content.drafts)


def _undo(folder: Path, content: _Set, path: Path) -> None:
    """Take names back; afterwards the record says that none was given, for who comes if this is killed, too."""
    for name in content.begun(folder):
        (folder / name).unlink()
    for hidden, name in content.aside.items():
        if os.path.lexists(folder / hidden) and not os.path.lexists(folder / name):
            (folder / hidden).rename(folder / name)
    _write(path, _Set(content.drafts))


def _remove(folder: Path, hidden: Iterable[str]) -> None:
    for name in hidden:
        (folder / name).unlink(missing_ok=True)


def _write(path: Path, content: _Set) -> None:
    """Write a record, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"program": PROGRAM, **asdict(content)}), "ascii")
    draft.replace(path)


def _forget(path: Path) -> None:
    for each in (path, path.with_suffix(".new")):
        each.unlink(missing_ok=True)


def _records(folder: Path) -> list[Path]:
    """Return the paths of the records in a folder, of which some may not be written yet."""
    try:
        found = map(_OF_A_RUN.fullmatch, os.listdir(folder))  # noqa: PTH208 - names alone
    except OSError:
        return []
    return [folder / f"{name}.set" for name in sorted({each[1] for each in found if each})]


def _read(path: Path) -> _Set | None:
    """Return what a record says; None if there is none that this program wrote."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= _LONGEST:
            return _typed(json.loads(path.read_bytes()))
    return None


def _typed(document: Any) -> _Set:
    """Return what a record says; ValueError and others for one that this program did not write."""
    drafts, aside = ({str(key): str(each) for key, each in document[name].items()} for name in ("drafts", "aside"))
    given = {str(name): tuple(map(int, number)) for name, number in document["given"].items()}
    hidden, names = {*drafts, *aside}, {*drafts.values(), *aside.values(), *given}
    is_plain = all(map(is_draft, hidden)) and all(is_file_name(name) and not is_draft(name) for name in names)
    if document["program"] != PROGRAM or not is_plain or any(len(each) != _NUMBERS for each in given.values()):
        raise ValueError
    return _Set(drafts, aside, given)  # type: ignore[arg-type]  # of three numbers each


@contextlib.contextmanager
def _dead(path: Path) -> Iterator[bool]:
    """Give whether nobody holds the lock of a record; meanwhile nobody else does."""
    lock_path = _lock_of(path)
    try:
        status = lock_path.lstat()
    except OSError:
        yield True
        return
    if not stat.S_ISREG(status.st_mode) or status.st_size:  # not ours
        yield False
        return
    lock = FileLock(lock_path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        yield False
        return
    try:
        yield True
    finally:
        _let_go(lock, path)


def _let_go(lock: FileLock, path: Path) -> None:
    """Release a lock, and remove its file unless the record stays."""
    lock.release()
    if not os.path.lexists(path):
        with contextlib.suppress(OSError):
            _lock_of(path).unlink(missing_ok=True)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _identity(path: Path) -> Identity | None:
    """Return what distinguishes a file from all others, whatever it is called; None if there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    is_file = stat.S_ISREG(status.st_mode)
    return (status.st_ino, status.st_size, status.st_mtime_ns) if is_file else None
