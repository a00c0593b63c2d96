"""DICOM read back: files -> series."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.dicom_reading.planes import File, Plane, Reader
from inveonimaging.errors import InputError, printable
from inveonimaging.inveon.pairs import scan_folder
from inveonimaging.storage.folders import is_folder, nothing_at, real_path
from inveonimaging.storage.leftovers import PARTIAL, is_unfinished
from inveonimaging.storage.system_files import is_system_file

_MAGIC = b"DICM"
_PREAMBLE = 128
_FOLDERS_ABOVE = 2  # of a file of a study: its series, and the study


@dataclass(frozen=True)
class Series:
    """Files that share a Series Instance UID, in the order of their names."""

    files: tuple[File, ...]

    @property
    def first(self) -> Plane:
        """The first plane of the first file."""
        return self.files[0].planes[0]

    @property
    def planes(self) -> tuple[Plane, ...]:
        """All planes."""
        return tuple(plane for file in self.files for plane in file.planes)


@dataclass(frozen=True)
class Read:
    """Series, in the order in which they are met, and why other files cannot be read."""

    series: tuple[Series, ...]
    damaged: tuple[InputError, ...] = ()


def read_series(paths: Iterable[str | os.PathLike[str]]) -> Read:
    """Read DICOM files, and all below folders, but for their pixels; what is not DICOM is left aside in folders.

    Raises:
        InputError: a file that is named cannot be read or is not DICOM; there is none.
    """
    asked = [Path(path) for path in paths]
    files, damaged = read_files(dicom_files(asked))
    named = {str(path) for path in asked}
    for error in damaged:
        if error.path in named:
            raise error
    found: dict[str | None, list[File]] = {}
    for file in files:
        found.setdefault(file.values.get("SeriesInstanceUID"), []).append(file)
    return Read(tuple(Series(tuple(files)) for files in found.values()), damaged)


def read_files(
    paths: Iterable[Path], step: Callable[[], None] = lambda: None
) -> tuple[tuple[File, ...], tuple[InputError, ...]]:
    """Read DICOM files but for their pixels, and call `step` after each; return them, and why others cannot be read."""
    reader = Reader()
    files: list[File] = []
    damaged: list[InputError] = []
    for path in paths:
        try:
            files.append(reader.read(path))
        except InputError as error:
            damaged.append(error)
        step()
    return tuple(files), tuple(damaged)


def dicom_files(paths: Iterable[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """Return files as they are given, and all DICOM files below folders, sorted by name.

    What cannot be looked into, a file or a folder, is among them, so that none is lost: reading it gives the reason.

    Raises:
        InputError: there is none, or no such file or folder, or what is given is neither; a conversion has not come to
            its end in a folder.
    """
    found: list[Path] = []
    asked = [Path(path) for path in paths]
    for path in asked:
        if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
            raise nothing_at(path)
        if not path.is_dir() and not path.is_file():
            raise InputError("is not a regular file", path=path)
        _refuse_within_unfinished(path)
        found += sorted(_below(path)) if path.is_dir() else [path]
    if not found:
        is_begun = any(os.path.lexists(path / PARTIAL) for path in asked)
        hint = "a conversion has not finished there: wait, or convert again" if is_begun else None
        raise InputError("no DICOM files here", path=asked[0] if asked else None, hint=hint or _of_inveon(asked))
    return tuple(found)


def _refuse_within_unfinished(path: Path) -> None:
    """Refuse a path in the hidden folder of a conversion, or in a study that it brings to its place."""
    real = real_path(path)
    if PARTIAL in real.parts:
        hint = "name the output of the conversion, when that is done"
        raise InputError("is unfinished work of a conversion", path=path, hint=hint)
    for each in (real, *real.parents[:_FOLDERS_ABOVE]):
        _refuse_unfinished(each)


def _refuse_unfinished(folder: Path) -> None:
    if is_unfinished(folder):
        hint = "wait until it has ended, or convert again if it was killed"
        raise InputError("a conversion here is not finished", path=folder, hint=hint)


def _below(folder: Path) -> Iterator[Path]:
    """Yield the DICOM files below a folder, and the files and folders that cannot be looked into.

    Links to folders are not followed, and unfinished work of a conversion is not entered.
    """
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        _refuse_unfinished(place)
        try:
            with os.scandir(place) as listed:
                entries = [entry for entry in listed if not is_system_file(entry.name) and entry.name != PARTIAL]
        except OSError:
            yield place
            continue
        waiting += [Path(entry) for entry in entries if is_folder(entry) and not entry.is_symlink()]
        yield from (path for entry in entries if not is_folder(entry) and _may_be_dicom(path := Path(entry)))


def _may_be_dicom(path: Path) -> bool:
    """Recognize a DICOM file by its first bytes (PS3.10 7.1), not the rest; what cannot be read may be one."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC
    except OSError:
        return True


def _of_inveon(asked: Sequence[Path]) -> str | None:
    """Return what to type for folders of Inveon files, None if the first is none."""
    if not asked or not asked[0].is_dir() or not scan_folder(asked[0]).pairs:
        return None
    return f'it holds Inveon files; type: inveon convert "{printable(asked[0], 300)}" OUTPUT'
