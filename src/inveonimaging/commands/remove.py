"""`inveon remove`, as functions: what of a study its manifest lists, and its removal. Nothing else is touched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.batches.existing import ExistingStudy, is_as_listed, stated_study
from inveonimaging.errors import InputError, OutputError
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.storage.folders import is_folder
from inveonimaging.storage.leftovers import PARTIAL, is_unfinished
from inveonimaging.storage.manifests import MANIFEST
from inveonimaging.storage.staging import held
from inveonimaging.storage.system_files import is_system_file

_NOTHING = "nothing was removed"


@dataclass(frozen=True, kw_only=True)
class SeriesFiles:
    """Files of a series that are to be removed: where they lie, and their bytes in all."""

    folder: Path
    files: tuple[Path, ...]
    size: int


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What is to be removed of a study.

    Attributes:
        output: its folder.
        within: the folder that was named, which stays: the one of the study, or one above it.
        manifest_sha256: of the manifest that lists it, and goes last.
        series: the files that are there.
        seen: what changes when somebody writes to one of the files, in their order.
        gone: number of files that are listed, and are not there any more.
        stays: what else is in the folder and in those of its series, but for what systems put there.
    """

    output: Path
    within: Path
    manifest_sha256: str
    series: tuple[SeriesFiles, ...]
    seen: tuple[tuple[int, ...], ...]
    gone: int
    stays: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, in the order in which they are removed."""
        return (*(path for each in self.series for path in each.files), self.output / MANIFEST)

    @property
    def size(self) -> int:
        """Bytes of the files, without the manifest."""
        return sum(each.size for each in self.series)


def remove(
    output: str | os.PathLike[str], *, recursive: bool = False, progress: Progress = no_progress
) -> tuple[Removal, ...]:
    """Remove what the manifest of a conversion lists, and nothing else; return what it was, a study each.

    Args:
        output: the folder of the study.
        recursive: those below it, too; hidden folders and links are not entered.
        progress: called with how many files were compared with the manifests, then with how many are gone, and with how
            many there are.

    Raises:
        InputError: there is no study whose manifest can be read.
        OutputError: a file is not as the manifest lists it, cannot be removed, or a conversion writes there.
    """
    removals = plan_removal(output, recursive=recursive, progress=progress)
    remove_planned(removals, progress)
    return removals


def plan_removal(
    output: str | os.PathLike[str], *, recursive: bool = False, progress: Progress = no_progress
) -> tuple[Removal, ...]:
    """Return what is to be removed of a study, or of all studies below a folder. Nothing is changed.

    Args:
        output: the folder of the study.
        recursive: those below it, too; hidden folders and links are not entered.
        progress: called with how many files were compared with the manifests, and how many there are.

    Raises:
        InputError: there is no study whose manifest can be read.
        OutputError: a file is not as the manifest lists it, or a conversion has not come to its end.
    """
    top = Path(output)
    if not os.path.isdir(top):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        raise InputError("is not a folder" if os.path.lexists(top) else "no such folder", path=top)
    try:
        folders = [each for each in _below(top) if os.path.lexists(each / MANIFEST)] if recursive else [top]
        studies = [(each, _study(each)) for each in folders]
        if not studies:
            raise InputError(f"no {MANIFEST} below it", path=top, hint="only what a manifest lists is removed")
        total = sum(len(series["files"]) for _, study in studies for series in study.listed)
        counter = StepCounter(progress, total)
        return tuple(_removal(folder, top, study, counter, by_digest=True) for folder, study in studies)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=error.filename or top) from error


def remove_planned(removals: tuple[Removal, ...], progress: Progress = no_progress) -> None:
    """Remove what was planned: the files, the manifest at last, and their folders if these are empty then.

    Who is interrupted may do it again: what is gone is gone, and the manifest lists the rest.

    Raises:
        OutputError: something has changed meanwhile, cannot be removed, or a conversion writes there.
    """
    counter = StepCounter(progress, sum(len(each.files) for each in removals))
    for removal in removals:
        with held(removal.output):
            _refuse_changed(removal)
            _remove(removal, counter)
    for removal in removals:
        with contextlib.suppress(OSError):  # the first that holds something else
            for folder in (removal.output, *removal.output.parents):
                if folder == removal.within:
                    break
                folder.rmdir()


def _study(folder: Path) -> ExistingStudy:
    """Return the study in a folder; InputError, OutputError."""
    if is_unfinished(folder):
        hint = "wait until it has ended, or convert again if it was killed"
        raise OutputError("a conversion here is not finished", path=folder, hint=hint)
    study = stated_study(folder)
    if study is None:
        below = next((each for each in _below(folder) if each != folder and os.path.lexists(each / MANIFEST)), None)
        hint = "--recursive removes all studies below it" if below else "only what a manifest lists is removed"
        raise InputError(f"no {MANIFEST} of a conversion here", path=folder, hint=hint)
    return study


def _below(top: Path) -> Iterator[Path]:
    """Yield a folder and those below it, each before those inside; neither hidden ones nor links."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        yield folder
        with os.scandir(folder) as listed:
            inside = [each for each in listed if is_folder(each) and not each.is_symlink()]
        waiting += [Path(each) for each in sorted(inside, key=lambda each: each.name, reverse=True) if _is_shown(each)]


def _is_shown(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and not is_system_file(entry.name)


def _removal(folder: Path, within: Path, study: ExistingStudy, counter: StepCounter, *, by_digest: bool) -> Removal:
    series, seen = [], []
    gone = 0
    for listed in study.listed:
        inside = folder / listed["folder"]
        if os.path.lexists(inside) and (inside.is_symlink() or not inside.is_dir()):
            raise OutputError("is not the folder that a conversion wrote", path=inside, hint=_NOTHING)
        there = [each for each in listed["files"] if os.path.lexists(inside / each["name"])]
        gone += len(listed["files"]) - len(there)
        for each in there:
            seen.append(_seen(inside / each["name"]))  # before it is read
            if not is_as_listed(inside / each["name"], each, by_digest=by_digest):
                hint = f"move it elsewhere; {_NOTHING}"
                raise OutputError("has changed since it was converted", path=inside / each["name"], hint=hint)
            counter.step(1)
        files = tuple(inside / each["name"] for each in there)
        series.append(SeriesFiles(folder=inside, files=files, size=sum(each["size"] for each in there)))
    known = {path for each in series for path in (each.folder, *each.files)} | {folder / MANIFEST, folder / PARTIAL}
    places = (folder, *(each.folder for each in series))
    stays = tuple(path for place in places for path in _entries(place) if path not in known)
    return Removal(
        output=folder,
        within=within,
        manifest_sha256=study.sha256,
        series=tuple(series),
        seen=tuple(seen),
        gone=gone,
        stays=stays,
    )


def _seen(path: Path) -> tuple[int, ...]:
    """Return what changes with a file; the time at which its entry changed cannot be set back."""
    status = path.lstat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _entries(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if not is_system_file(each.name)) if folder.is_dir() else []


def _refuse_changed(removal: Removal) -> None:
    """Refuse what is not as it was shown. Times show it, since what was read was as listed (not on Windows)."""
    study = stated_study(removal.output)
    again = study and _removal(removal.output, removal.within, study, StepCounter(no_progress, 0), by_digest=False)
    if again != removal:
        raise OutputError("has changed meanwhile", path=removal.output, hint=f"look again; {_NOTHING} of it")


def _remove(removal: Removal, counter: StepCounter) -> None:
    try:
        for path in removal.files:
            path.unlink()
            counter.step(1)
    except OSError as error:
        raise OutputError(f"cannot be removed: {error.strerror or error}", path=error.filename) from error
    finally:
        for each in removal.series:
            with contextlib.suppress(OSError):  # it holds something else
                each.folder.rmdir()
