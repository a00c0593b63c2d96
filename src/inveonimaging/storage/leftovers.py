"""What a conversion that was killed left in the hidden folder of its output, and what may be done with it.

While a commit gives things their names, its journal says which, with the SHA-256 of each file. The word of a journal is
not enough, since anybody may have put it there, or what is beside it. It names only what this program writes; what is
taken back holds what the journal says; what is removed is listed by the manifest beside it, or begins as a file of ours
does and never had a name. Where something is not shown to be the conversion's own, nothing is changed at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.errors import OutputError
from inveonimaging.storage.digest import sha256_of
from inveonimaging.storage.manifests import (
    MANIFEST,
    PROGRAM,
    is_file_name,
    is_instance_name,
    is_series_folder,
    read_manifest,
)
from inveonimaging.storage.system_files import is_system_file

PARTIAL = ".inveon-partial"
REPORT = "report.html"
DEMO = "inveon"
"""The folder of a demo that holds the scanner's files."""
LOCK = "lock"
_JOURNAL, _DRAFT = "journal", "journal.draft"
_NEW, _OLD = "new", "old"
_LONGEST = 256 * 1024 * 1024
_OF_OUR_REPORT = b'<meta name="generator" content="inveonimaging '
_HEAD = 1024
_DICOM = b"\0" * 128 + b"DICM"  # PS3.10 7.1
_DOCUMENT = b"{"
_OF_SCANNER = (".img", ".hdr")
_HINT = f'move what you need elsewhere, and remove "{PARTIAL}", which a conversion that was killed has left'


@dataclass(frozen=True)
class Journal:
    """What a commit renames.

    Attributes:
        new: the SHA-256 of each file that gets a name, by that: `1/CT-000001.dcm`.
        old: names that give way.
    """

    new: Mapping[str, str]
    old: frozenset[str]

    @property
    def names(self) -> list[str]:
        """The names in the output that are given, sorted."""
        return sorted({name.partition("/")[0] for name in self.new})

    def files(self, name: str) -> dict[str, str]:
        """Return the SHA-256 of the files in a folder that gets a name, by their names in it."""
        return {path.partition("/")[2]: digest for path, digest in self.new.items() if path.startswith(f"{name}/")}

    def write(self, partial: Path) -> None:
        """Write it into the hidden folder, whole or not at all; from here on the renames are taken back."""
        document = {"program": PROGRAM, "new": dict(self.new), "old": sorted(self.old)}
        (partial / _DRAFT).write_text(json.dumps(document), "utf-8")
        (partial / _DRAFT).replace(partial / _JOURNAL)


@dataclass(frozen=True)
class Pending:
    """What is to be taken back of a commit that did not come to its end.

    Attributes:
        begun: names in the output that it gave.
        aside: names of what it took out of the way.
    """

    begun: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()


def pending(output: Path) -> Pending:
    """Return what is to be taken back in an output; nothing if all was renamed, which is then only to be finished.

    Nothing is changed.

    Raises:
        OutputError: it cannot be shown what is a conversion's own.
        OSError: it cannot be read.
    """
    partial = output / PARTIAL
    journal = _read(partial)
    if journal is None or _is_done(output, journal):
        return Pending()
    return Pending(_begun(output, journal), _aside(partial, journal))


def is_unfinished(output: Path) -> bool:
    """Return whether a commit stopped half-way in a folder: what is there belongs to two studies, or to a half."""
    partial = output / PARTIAL
    try:
        return os.path.lexists(partial / _JOURNAL) and any((partial / _NEW).iterdir())
    except OSError:
        return False


def settle(output: Path) -> None:
    """Finish a commit if all was renamed, else take it back; as whoever holds the lock.

    Raises:
        OutputError: it cannot be shown what is a conversion's own; nothing was changed.
        OSError: something cannot be read or renamed; the rest is for the next.
    """
    partial = output / PARTIAL
    journal = _read(partial)
    _refuse_strangers(partial)
    if journal is None:
        _refuse_any(_names(partial / _OLD), partial / _OLD)
        return
    aside = _aside(partial, journal)
    if not _is_done(output, journal):
        _take_back(output, _begun(output, journal), aside)
    elif not _is_removed(partial / _OLD, aside):
        return  # the journal stays, for the next to try again
    (partial / _JOURNAL).unlink()


def clear(partial: Path) -> None:
    """Empty the hidden folder, but for the lock; as whoever holds that, when nothing is to be settled any more.

    Raises:
        OutputError: there is something in it that no conversion writes there; nothing was changed.
        OSError: it cannot be read.
    """
    _refuse_strangers(partial)
    _refuse_any(_names(partial / _OLD), partial / _OLD)
    for path in partial.iterdir():
        if path.name != LOCK:
            with contextlib.suppress(OSError):  # who is next tries again
                _remove(path)


def refuse_foreign_lock(partial: Path) -> None:
    """Refuse a lock that this program did not make: its own is an empty file.

    Raises:
        OutputError: it did not.
    """
    path = partial / LOCK
    if os.path.lexists(path) and not (_is_file(path) and not path.stat().st_size):
        raise _foreign(path)


def refuse_unlisted(folder: Path, files: Collection[str]) -> None:
    """Refuse a folder of a series that has other files than those that a manifest lists and those of systems.

    Anybody can write a name into a manifest: one that no conversion gives is somebody's, also if it is listed.

    Raises:
        OutputError: naming the first.
        OSError: it cannot be read.
    """
    for path in _entries(folder):
        if path.name not in files or not is_instance_name(path.name) or not _is_file(path):
            hint = "only what the manifest of an earlier conversion lists is replaced; move it elsewhere"
            raise OutputError("is of no earlier conversion", path=path, hint=hint)


def listed_files(folder: Path) -> dict[str, set[str]]:
    """Return the folders that a manifest lists, with the files that it lists in each; none if it is not ours."""
    document, _ = read_manifest(folder) or ({}, b"")
    try:
        series = {each["folder"]: {file["name"] for file in each["files"]} for each in document["series"]}
        return series if all(map(is_series_folder, series)) else {}
    except (LookupError, TypeError):
        return {}


def is_our_report(path: Path) -> bool:
    """Return whether a file is a report that this program wrote: its first lines say so."""
    try:
        return _is_file(path) and _OF_OUR_REPORT in _head(path, _HEAD)
    except OSError:
        return False


# The journal.


def _read(partial: Path) -> Journal | None:
    """Return the journal; None if there is none, or one whose text a power failure lost."""
    path = partial / _JOURNAL
    if not os.path.lexists(path):
        return None
    foreign = OutputError("is not a journal of a conversion", path=path, hint=_HINT)
    if not _is_file(path) or path.stat().st_size > _LONGEST:
        raise foreign
    text = path.read_bytes()
    if not text.strip(b"\0"):
        return None
    try:
        found = json.loads(text)
        journal = Journal(found["new"], frozenset(found["old"])) if found["program"] == PROGRAM else None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise foreign from error
    if journal is None or not _is_plain(journal):
        raise foreign
    return journal


def _is_plain(journal: Journal) -> bool:
    """Return whether a journal has only names that this program gives."""
    if not isinstance(journal.new, dict) or not journal.new:
        return False
    given = all(isinstance(digest, str) and _is_given(name) for name, digest in journal.new.items())
    return given and all(isinstance(name, str) and _gives_way(name) for name in journal.old)


def _is_given(name: str) -> bool:
    folder, slash, file = name.partition("/")
    return name == MANIFEST if not slash else _is_made(folder) and is_file_name(file)


def _is_made(folder: str) -> bool:
    return is_series_folder(folder) or folder == DEMO


def _gives_way(name: str) -> bool:
    return name in (MANIFEST, REPORT) or is_series_folder(name)


def _is_done(output: Path, journal: Journal) -> bool:
    return not any(os.path.lexists(output / PARTIAL / _NEW / name) for name in journal.names) and all(
        os.path.lexists(output / name) for name in journal.names
    )


def _begun(output: Path, journal: Journal) -> tuple[str, ...]:
    """Return the names in an output that a commit gave and that are to be taken back."""
    begun = tuple(name for name in journal.names if not os.path.lexists(output / PARTIAL / _NEW / name))
    for name in begun:
        _refuse_changed(output / name, journal)
    return begun


def _refuse_changed(path: Path, journal: Journal) -> None:
    """Refuse a name that a commit gave, if what has it is not what the journal says."""
    files = journal.files(path.name)
    if not files:
        _refuse_other(path, journal.new[path.name])
    elif not _is_folder(path):
        raise _foreign(path)
    else:
        for each in _entries(path):
            _refuse_other(each, files.get(each.name))


def _refuse_other(path: Path, digest: str | None) -> None:
    if digest is None or not _is_file(path) or sha256_of(path) != digest:
        raise _foreign(path)


# What was taken out of the way.


def _aside(partial: Path, journal: Journal) -> tuple[str, ...]:
    names = tuple(_names(partial / _OLD))
    _refuse_any((name for name in names if name not in journal.old), partial / _OLD)
    return names


def _refuse_any(names: Iterable[str], folder: Path) -> None:
    for name in names:
        raise _foreign(folder / name)


def _take_back(output: Path, begun: Collection[str], aside: Collection[str]) -> None:
    partial = output / PARTIAL
    for name in aside:
        if name not in begun and os.path.lexists(output / name):
            raise _foreign(output / name)
    for name in begun:
        (output / name).rename(partial / _NEW / name)
    for name in aside:
        (partial / _OLD / name).rename(output / name)


def _is_removed(old: Path, names: Collection[str]) -> bool:
    """Remove what was replaced, last the manifest, which shows whose the rest is; return whether nothing is left."""
    listed = listed_files(old)
    for name in names:
        path = old / name
        if is_series_folder(name) and _is_folder(path):
            refuse_unlisted(path, listed.get(name, ()))
        elif not (name == MANIFEST and listed) and not (name == REPORT and is_our_report(path)):
            raise _foreign(path)
    with contextlib.suppress(OSError):  # Windows keeps what somebody looks at
        for name in sorted(names, key=MANIFEST.__eq__):
            _remove(old / name)
    return not _names(old)


# What has no name yet.


def _refuse_strangers(partial: Path) -> None:
    """Refuse what no conversion writes into the hidden folder; what gave way is looked at by itself."""
    for path in _entries(partial):
        _refuse_foreign(path)


def _refuse_foreign(path: Path) -> None:
    if path.name in (_NEW, _OLD) and _is_folder(path):
        for each in _entries(path) if path.name == _NEW else ():
            _refuse_foreign_new(each)
    elif path.name != LOCK and not (path.name in (_JOURNAL, _DRAFT) and _begins(path, _DOCUMENT)):
        raise _foreign(path)


def _refuse_foreign_new(path: Path) -> None:
    if _is_made(path.name) and _is_folder(path):
        for file in _entries(path):
            is_of_demo = path.name == DEMO and file.name.endswith(_OF_SCANNER) and _is_file(file)
            if not is_of_demo and not _begins(file, _DICOM):
                raise _foreign(file)
    elif path.name != MANIFEST or not _begins(path, _DOCUMENT):
        raise _foreign(path)


def _begins(path: Path, expected: bytes) -> bool:
    """Return whether a file begins as expected, as far as it goes; zeros are what a power failure leaves."""
    if not _is_file(path):
        return False
    head = _head(path, len(expected))
    return head == expected[: len(head)] or not head.strip(b"\0")


# Folders.


def _foreign(path: Path) -> OutputError:
    return OutputError("was not left by a conversion that was killed", path=path, hint=_HINT)


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted, but for what systems leave there."""
    return sorted(path for path in folder.iterdir() if not is_system_file(path.name))


def _names(folder: Path) -> list[str]:
    if not os.path.lexists(folder):
        return []
    if not _is_folder(folder):
        raise _foreign(folder)
    return [path.name for path in _entries(folder)]


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink()
