"""Files appear whole or not at all: a study is written into a hidden folder in its place, then renamed.

    OUTPUT/.inveon-partial/lock      held by the run that writes here
                           new/      what it writes
                           old/      what --overwrite takes out of the way, until the new stands in its place
                           journal   while folders get their names: which ones; whoever finds it undoes the renames

A run that is killed leaves the hidden folder behind and loses the lock; the next run undoes what was begun, and takes
the folder away. So no name outside it ever holds anything incomplete.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from inveonimaging.errors import OutputError

MANIFEST = "inveon-manifest.json"
_PARTIAL = ".inveon-partial"
_JOURNAL = "journal"


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
            raise OutputError(
                "the output folder is not empty",
                path=folder,
                hint="nothing is overwritten; name a new folder, or replace with --overwrite",
            )
        if os.path.lexists(folder) and not folder.is_dir():
            raise OutputError("the output is no folder", path=folder, hint="name a new folder")
    except OSError as error:
        raise _failed(folder, error) from error


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
        """Write a file that stands beside the series."""
        write_file(self._new / name, (content,))

    def commit(self, replaced: Collection[str] = ()) -> None:
        """Give everything its final name; if one thing cannot have it, nothing changes.

        Args:
            replaced: names in the output that give way, if they are there, whether or not something new is called so.
        """
        new = sorted(path.name for path in self._new.iterdir())
        journal = self._partial / _JOURNAL
        journal.with_suffix(".draft").write_text(json.dumps(new), "utf-8")
        journal.with_suffix(".draft").replace(journal)
        try:
            for name in sorted({*replaced, *new}):
                if os.path.lexists(self._output / name) and name in replaced:
                    (self._output / name).rename(self._old / name)
            for name in new:
                (self._new / name).rename(self._output / name)
        except BaseException:
            _undo(self._output, self._partial)
            raise
        journal.unlink()


@contextlib.contextmanager
def staged(output: Path, *, overwrite: bool = False) -> Iterator[Stage]:
    """Open an output folder for writing; leave nothing behind but what was committed.

    Raises:
        OutputError: the folder is used, cannot be made or cannot be written to, the disk is full, or another run
            writes there.
    """
    if not overwrite:
        refuse_used(output)
    made = _missing_folders(output)
    partial = output / _PARTIAL
    try:
        with _held(partial):
            try:
                _undo(output, partial)
                _clear(partial)
                if not overwrite:
                    refuse_used(output)
                yield Stage(output, partial)
            finally:
                _clear(partial)
    except OSError as error:
        _remove_empty(made)
        raise _failed(output, error) from error
    except BaseException:
        _remove_empty(made)
        raise


def write_file(path: Path, parts: Iterable[bytes]) -> Written:
    """Write one new file, part by part."""
    digest, size = sha256(), 0
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            size += len(part)
    return Written(path.name, size, digest.hexdigest())


def written_before(output: Path) -> tuple[str, ...]:
    """Return the names that the manifest of an earlier run lists, with its own; none without a manifest of ours."""
    try:
        series = json.loads((output / MANIFEST).read_text("utf-8"))["series"]
        return (MANIFEST, *(str(int(each["folder"])) for each in series))
    except (OSError, ValueError, LookupError, TypeError):
        return ()


@contextlib.contextmanager
def _held(partial: Path) -> Iterator[None]:
    """Make the hidden folder and hold it; it is gone afterwards, unless another run has it."""
    lock = FileLock(partial / "lock", thread_local=False)
    partial.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError("another conversion is writing here", path=partial.parent, hint="wait for its end") from error
    try:
        partial.mkdir(exist_ok=True)  # the run before may just have taken it away
        yield
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        is_left = partial.exists()  # Windows keeps the lock's file while it is open
        lock.release()
        if is_left:
            shutil.rmtree(partial, ignore_errors=True)


def _entries(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != _PARTIAL]


def _begun(output: Path) -> list[str]:
    """Return the names that a killed run had begun to give."""
    try:
        names = json.loads((output / _PARTIAL / _JOURNAL).read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [name for name in names if isinstance(name, str) and not os.path.lexists(output / _PARTIAL / "new" / name)]


def _undo(output: Path, partial: Path) -> None:
    """Take back the renames of a commit that did not come to its end."""
    if not (partial / _JOURNAL).exists():
        return
    for name in _begun(output):
        if (output / name).is_dir():
            shutil.rmtree(output / name)
        else:
            (output / name).unlink(missing_ok=True)
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


def _missing_folders(folder: Path) -> tuple[Path, ...]:
    """Return the folders, innermost first, that making this folder makes."""
    return tuple(each for each in (folder, *folder.parents) if not each.exists())


def _remove_empty(folders: tuple[Path, ...]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _failed(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot be written: {error.strerror or error}", path=folder)
