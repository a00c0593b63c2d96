"""Files appear whole or not at all: a study is written into a hidden folder in its place, then renamed.

    OUTPUT/.inveon-partial/lock      held by the run that writes here
                           new/      what it writes
                           old/      what --overwrite takes out of the way, until the new is in its place
                           journal   while folders get their names: which ones

A run that is killed leaves the hidden folder behind and loses the lock; the next run that writes there undoes what was
begun, or finishes it if only that is left, and takes the folder away. So no name outside it ever holds anything
incomplete. To undo is to rename, too: who is killed while undoing leaves the rest to the next. What a run only looks at
it leaves as it is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from inveonimaging.errors import OutputError
from inveonimaging.storage.digest import sha256_of
from inveonimaging.storage.folders import make_folder, remove_empty, unmade_if_nothing_came
from inveonimaging.storage.interruptions import Interruptions
from inveonimaging.storage.leftovers import (
    LOCK,
    PARTIAL,
    REPORT,
    Journal,
    clear,
    is_our_report,
    listed_files,
    pending,
    refuse_foreign_lock,
    refuse_unlisted,
    settle,
)
from inveonimaging.storage.manifests import MANIFEST
from inveonimaging.storage.system_files import is_system_file

_TRIES = 5


class BusyError(OutputError):
    """Another run writes there."""


class UsedError(OutputError):
    """The output folder holds something already."""


@dataclass(frozen=True)
class Written:
    """A file that was written: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


def refuse_used(folder: Path) -> None:
    """Refuse an output folder that holds anything but what a killed run left, or that cannot be one.

    Raises:
        UsedError: there is something.
        OutputError: it is not a folder, or cannot be read.
    """
    try:
        if folder.is_dir() and _used_names(folder):
            hint = "nothing is overwritten; name a new folder"
            raise UsedError("the output folder is not empty", path=folder, hint=hint)
        if os.path.lexists(folder) and not folder.is_dir():
            raise OutputError("the output is not a folder", path=folder, hint="name a new folder")
    except OSError as error:
        raise _failed(folder, error) from error


def _used_names(folder: Path) -> set[str]:
    """Return the names in a folder, as they are when what a killed run began is taken back."""
    left = pending(folder)
    return {*_entries(folder)} - {*left.begun} | {*left.aside}


def refuse_settled(output: Path, refuse: Callable[[], object]) -> None:
    """Let a function look at an output and refuse it, but not for what another run renames while it looks.

    Raises:
        OutputError: what it raises while all names stay.
    """
    while True:
        before = _places(output)
        try:
            refuse()
        except OutputError:
            if _places(output) == before:
                raise
        else:
            return


def _places(output: Path) -> set[tuple[str, int]]:
    """Return the names in an output and in its hidden folder, which changes with every rename of a commit."""
    found = set()
    for folder in (output, output / PARTIAL, output / PARTIAL / "old"):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            found |= {(entry.path, entry.inode()) for entry in entries}
    return found


class Stage:
    """The hidden folder of one run; what is made in it goes to its final names together."""

    def __init__(self, output: Path, partial: Path) -> None:
        self._output, self._partial = output, partial
        self._new, self._old = partial / "new", partial / "old"
        self._beside: dict[str, str] = {}
        for folder in (self._new, self._old):
            folder.mkdir()

    def folder(self, name: str) -> Path:
        """Make a folder for one series."""
        folder = self._new / name
        folder.mkdir()
        return folder

    def write_manifest(self, content: bytes) -> None:
        """Write the manifest beside the series."""
        self._beside[MANIFEST] = write_file(self._new / MANIFEST, (content,)).sha256

    def commit(self, series: Mapping[str, Iterable[Written]], replaced: Collection[str] = ()) -> None:
        """Give everything its final name; if one thing cannot have it, nothing changes.

        Args:
            series: the files that were written into each folder.
            replaced: names in the output that give way, if they are there, whether or not something new is called so.

        Raises:
            OutputError: a name is taken.
        """
        files = {f"{folder}/{file.name}": file.sha256 for folder, files in series.items() for file in files}
        old = [name for name in sorted(set(replaced)) if os.path.lexists(self._output / name)]
        journal = Journal({**files, **self._beside}, frozenset(old))
        for name in journal.names:
            if name not in replaced and os.path.lexists(self._output / name):
                raise OutputError("exists already", path=self._output / name, hint="existing files are not overwritten")
        journal.write(self._partial)  # from here on, `staged` undoes
        for name in old:
            (self._output / name).rename(self._old / name)
        for name in journal.names:
            (self._new / name).rename(self._output / name)
        settle(self._output)


@contextlib.contextmanager
def staged(output: Path, *, may_be_used: bool = False) -> Iterator[Stage]:
    """Open an output folder for writing; leave nothing behind but what was committed.

    Raises:
        OutputError: the folder is used, cannot be made or cannot be written to, the disk is full, or another run
            writes there.
    """
    with Interruptions() as interruptions:
        try:
            if not may_be_used:
                refuse_used(output)
            with unmade_if_nothing_came(output), _held(output, interruptions) as partial:
                clear(partial)
                if not may_be_used:
                    refuse_used(output)
                yield Stage(output, partial)
        except OSError as error:
            raise _failed(output, error) from error


@contextlib.contextmanager
def held(output: Path) -> Iterator[None]:
    """Keep other runs away from an output, with what a killed one left settled and taken away.

    Raises:
        OutputError: another run writes there, it cannot be written to, or holds something that may be somebody's.
    """
    with Interruptions() as interruptions:
        try:
            with _held(output, interruptions) as partial:
                clear(partial)
                yield
        except OSError as error:
            raise _failed(output, error) from error


def write_file(path: Path, parts: Iterable[bytes | memoryview]) -> Written:
    """Write one new file, part by part."""
    digest, size = sha256(), 0
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            size += len(part)
    return Written(path.name, size, digest.hexdigest())


def written(path: Path) -> Written:
    """Return a file that was written by other means; OSError if it cannot be read."""
    return Written(path.name, path.stat().st_size, sha256_of(path))


def written_before(output: Path) -> tuple[str, ...]:
    """Return the names that the manifest of an earlier run lists, its own, and that of a report, if these are ours.

    What a killed run began to write is among them, and what it took out of the way counts as if it were still there.

    Raises:
        OutputError: a folder that it lists holds a file that it does not list, which would be lost, or cannot be read;
            or it cannot be shown what a killed run left.
    """
    try:
        left = pending(output)
        places = {name: output / PARTIAL / "old" / name for name in left.aside}
        listed = listed_files(places.get(MANIFEST, output / MANIFEST).parent)
        folders = {name: places.get(name, output / name) for name in listed}
        kept = {name: path for name, path in folders.items() if path.is_dir() and not path.is_symlink()}
        for name, folder in kept.items():
            refuse_unlisted(folder, listed[name])
    except OSError as error:
        raise _failed(output, error) from error
    report = (REPORT,) if is_our_report(places.get(REPORT, output / REPORT)) else ()
    return (*((MANIFEST,) if listed else ()), *report, *kept, *left.begun)


def free_names(output: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of some names in an output that are free: empty folders, and what a killed run began to write.

    Raises:
        OutputError: it cannot be shown what a killed run left, or cannot be read.
    """
    try:
        begun = pending(output).begun
    except OSError as error:
        raise _failed(output, error) from error
    return tuple(name for name in names if name in begun or _is_empty(output / name))


def _is_empty(folder: Path) -> bool:
    try:
        return not folder.is_symlink() and not _entries(folder)
    except OSError:
        return False


@contextlib.contextmanager
def _held(output: Path, interruptions: Interruptions) -> Iterator[Path]:
    """Make the hidden folder and hold it, with what a killed run began settled.

    Afterwards a commit that did not come to its end is undone, and the folder is gone, unless that cannot be; what
    interrupts this waits for its end.
    """
    partial = output / PARTIAL
    if os.path.lexists(partial) and (partial.is_symlink() or not partial.is_dir()):
        what = "is a link" if partial.is_symlink() else "is not a folder"
        raise OutputError(what, path=partial, hint="remove it: a conversion works there")
    lock = FileLock(partial / LOCK, thread_local=False)
    try:
        _acquire(lock, partial)
        settle(output)
        yield partial
    finally:
        interruptions.wait = True
        if not lock.is_locked:
            remove_empty((partial,))
            if os.path.lexists(partial):  # after an interruption, with a lock that nobody holds
                with contextlib.suppress(OSError, OutputError):
                    _acquire(lock, partial)
        if lock.is_locked:
            _let_go(lock, output, partial)


def _acquire(lock: BaseFileLock, partial: Path) -> None:
    for tries in range(_TRIES):
        try:
            make_folder(partial)
            refuse_foreign_lock(partial)
            lock.acquire(timeout=0)
        except Timeout as error:
            hint = "wait until it has ended"
            raise BusyError("another conversion is writing here", path=partial.parent, hint=hint) from error
        except (FileExistsError, FileNotFoundError):  # another run may just be taking its folder away
            if tries == _TRIES - 1:
                raise
        else:
            return


def _let_go(lock: BaseFileLock, output: Path, partial: Path) -> None:
    is_left = False
    try:
        with contextlib.suppress(OutputError):  # what may be somebody's stays, and the next run says so
            settle(output)
            clear(partial)
        is_left = not _removed(partial)
    finally:
        lock.release()
    if is_left:  # Windows keeps the lock's file while it is open, by whomever
        _removed(partial)


def sweep(output: Path) -> None:
    """Take back and away what a killed run left in a folder; a run that is at work is left alone."""
    if os.path.lexists(output / PARTIAL):
        with contextlib.suppress(OSError, OutputError), Interruptions() as interruptions, _held(output, interruptions):
            pass  # unless another run is at work


def _removed(partial: Path) -> bool:
    """Remove the emptied folder with the lock; once the lock is gone, what comes into the folder is another run's."""
    try:
        (partial / LOCK).unlink()
    except OSError:
        return False
    with contextlib.suppress(OSError):
        partial.rmdir()
    return True


def _entries(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != PARTIAL and not is_system_file(path.name)]


def _failed(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot be written: {error.strerror or error}", path=folder)
