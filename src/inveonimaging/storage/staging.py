"""Files appear whole or not at all: a study is written into a hidden folder in its place, then renamed.

    OUTPUT/.inveon-partial/lock      held by the run that writes here
                           new/      what it writes
                           old/      what --overwrite takes out of the way, until the new is in its place
                           journal   while folders get their names: which ones; whoever finds it undoes the renames

A run that is killed leaves the hidden folder behind and loses the lock; the next run undoes what was begun, and takes
the folder away. So no name outside it ever holds anything incomplete. To undo is to rename, too: who is killed while
undoing leaves the rest to the next.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from inveonimaging.errors import OutputError
from inveonimaging.storage.interruptions import Interruptions
from inveonimaging.storage.litter import is_litter
from inveonimaging.storage.manifests import MANIFEST, is_series_folder, read_manifest

REPORT = "report.html"
_OF_OURS = b'<meta name="generator" content="inveonimaging '
_HEAD = 1024
PARTIAL = ".inveon-partial"
_JOURNAL = "journal"
_TRIES = 5


class BusyError(OutputError):
    """Another run writes there."""


@dataclass(frozen=True)
class Written:
    """A file that was written: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


def refuse_used(folder: Path) -> None:
    """Refuse an output folder that holds anything but what a killed run left, or that cannot be one.

    Raises:
        OutputError: there is something.
    """
    try:
        if folder.is_dir() and set(_entries(folder)) - set(_begun(folder)):
            sweep(folder)
            raise OutputError(
                "the output folder is not empty",
                path=folder,
                hint="nothing is overwritten; name a new folder, or replace with convert --overwrite",
            )
        if os.path.lexists(folder) and not folder.is_dir():
            raise OutputError("the output is no folder", path=folder, hint="name a new folder")
    except OSError as error:
        raise _failed(folder, error) from error


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
        for folder in (self._new, self._old):
            folder.mkdir()

    def folder(self, name: str) -> Path:
        """Make a folder for one series."""
        folder = self._new / name
        folder.mkdir()
        return folder

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside the series."""
        write_file(self._new / name, (content,))

    def commit(self, replaced: Collection[str] = ()) -> None:
        """Give everything its final name; if one thing cannot have it, nothing changes.

        Args:
            replaced: names in the output that give way, if they are there, whether or not something new is called so.
        """
        new = sorted(path.name for path in self._new.iterdir())
        for name in new:
            if name not in replaced and os.path.lexists(self._output / name):
                raise OutputError("is there already", path=self._output / name, hint="nothing is overwritten unasked")
        journal = self._partial / _JOURNAL
        journal.with_suffix(".draft").write_text(json.dumps(new), "utf-8")
        journal.with_suffix(".draft").replace(journal)  # from here on, `staged` undoes
        for name in sorted(set(replaced)):
            if os.path.lexists(self._output / name):
                (self._output / name).rename(self._old / name)
        for name in new:
            (self._new / name).rename(self._output / name)
        journal.unlink()


@contextlib.contextmanager
def staged(output: Path, *, may_be_used: bool = False) -> Iterator[Stage]:
    """Open an output folder for writing; leave nothing behind but what was committed.

    Raises:
        OutputError: the folder is used, cannot be made or cannot be written to, the disk is full, or another run
            writes there.
    """
    made: tuple[Path, ...] = ()
    with Interruptions() as interruptions:
        try:
            if not may_be_used:
                refuse_used(output)
            made = tuple(each for each in (output, *output.parents) if not each.exists())  # innermost first
            with _held(output, interruptions) as partial:
                _clear(partial)
                if not may_be_used:
                    refuse_used(output)
                yield Stage(output, partial)
        except OSError as error:
            _remove_empty(made)
            raise _failed(output, error) from error
        except BaseException:
            _remove_empty(made)
            raise


def write_file(path: Path, parts: Iterable[bytes | memoryview]) -> Written:
    """Write one new file, part by part."""
    digest, size = sha256(), 0
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            size += len(part)
    return Written(path.name, size, digest.hexdigest())


def written_before(output: Path) -> tuple[str, ...]:
    """Return the names that the manifest of an earlier run lists, its own, and that of a report, if these are ours.

    What a killed run began to write is among them, and what it took out of the way counts as if it were still there.

    Raises:
        OutputError: a folder that it lists holds a file that it does not list, which would be lost, or cannot be read.
    """
    partial = output / PARTIAL
    is_begun = os.path.lexists(partial / _JOURNAL)
    places = (partial / "old", output) if is_begun else (output,)

    def place_of(name: str) -> Path:
        return next((place / name for place in places if os.path.lexists(place / name)), output / name)

    listed = {place_of(name): files for name, files in _listed(place_of(MANIFEST).parent).items()}
    folders = [path for path in listed if path.is_dir() and not path.is_symlink()]
    try:
        for folder in folders:
            _refuse_foreign(folder, listed[folder])
    except OSError as error:
        raise _failed(output, error) from error
    report = (REPORT,) if is_our_report(place_of(REPORT)) else ()
    return (*((MANIFEST,) if listed else ()), *report, *(path.name for path in folders), *_begun(output))


def free_names(output: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of some names in an output that are free: empty folders, and what a killed run began to write."""
    begun = _begun(output)
    return tuple(name for name in names if name in begun or _is_empty(output / name))


def _is_empty(folder: Path) -> bool:
    try:
        return not folder.is_symlink() and not _entries(folder)
    except OSError:
        return False


def is_our_report(path: Path) -> bool:
    """Return whether a file is a report that this program wrote: its first lines say so."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as file:
            return _OF_OURS in file.read(_HEAD)
    except OSError:
        return False


def _refuse_foreign(folder: Path, files: Collection[str]) -> None:
    for path in sorted(folder.iterdir()):
        if path.name not in files and not path.name.startswith(".") and not is_litter(path.name):
            hint = "only what the manifest of an earlier conversion lists is replaced; move it elsewhere"
            raise OutputError("is of no earlier conversion", path=path, hint=hint)


def _listed(output: Path) -> dict[str, set[str]]:
    """Return the folders that a manifest lists, with the files that it lists in each; none if it is not ours."""
    document, _ = read_manifest(output) or ({}, b"")
    try:
        series = {each["folder"]: {file["name"] for file in each["files"]} for each in document["series"]}
        return series if all(map(is_series_folder, series)) else {}
    except (LookupError, TypeError):
        return {}


@contextlib.contextmanager
def _held(output: Path, interruptions: Interruptions) -> Iterator[Path]:
    """Make the hidden folder and hold it, with what a killed run began undone.

    Afterwards a commit that did not come to its end is undone, and the folder is gone, unless that cannot be; what
    interrupts this waits for its end.
    """
    partial = output / PARTIAL
    if partial.is_symlink():
        raise OutputError("is a link", path=partial, hint="remove it: a conversion works there")
    lock = FileLock(partial / "lock", thread_local=False)
    try:
        _acquire(lock, partial)
        _undo(output, partial)
        yield partial
    finally:
        interruptions.wait = True
        if not lock.is_locked:
            _remove_empty((partial,))
            if os.path.lexists(partial):  # after an interruption, with a lock that nobody holds
                with contextlib.suppress(OSError, OutputError):
                    _acquire(lock, partial)
        if lock.is_locked:
            _let_go(lock, output, partial)


def _acquire(lock: BaseFileLock, partial: Path) -> None:
    for tries in range(_TRIES):
        try:
            partial.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            hint = "wait for its end"
            raise BusyError("another conversion is writing here", path=partial.parent, hint=hint) from error
        except (FileExistsError, FileNotFoundError):  # another run may just be taking its folder away
            if tries == _TRIES - 1:
                raise
        else:
            return


def _let_go(lock: BaseFileLock, output: Path, partial: Path) -> None:
    is_left = False
    try:
        _undo(output, partial)
        _clear(partial)
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
        (partial / "lock").unlink()
    except OSError:
        return False
    with contextlib.suppress(OSError):
        partial.rmdir()
    return True


def _entries(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != PARTIAL and not is_litter(path.name)]


def _begun(output: Path) -> list[str]:
    """Return the names that a killed run had begun to give."""
    try:
        names = list(json.loads((output / PARTIAL / _JOURNAL).read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return []
    plain = [name for name in names if isinstance(name, str) and name == Path(name).name and name not in {"", ".."}]
    return [name for name in plain if not os.path.lexists(output / PARTIAL / "new" / name)]


def _undo(output: Path, partial: Path) -> None:
    """Take back the renames of a commit that did not come to its end."""
    if not (partial / _JOURNAL).exists():
        return
    for name in _begun(output):
        if os.path.lexists(output / name):
            (output / name).rename(partial / "new" / name)
    for path in (partial / "old").iterdir():
        path.rename(output / path.name)
    (partial / _JOURNAL).unlink()


def _clear(partial: Path) -> None:
    """Empty the hidden folder, but for the lock."""
    for path in partial.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "lock":
            path.unlink(missing_ok=True)


def _remove_empty(folders: tuple[Path, ...]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _failed(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot be written: {error.strerror or error}", path=folder)
