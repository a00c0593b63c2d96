"""Every folder with pairs in a tree, one at a time, and where its study goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.batches.names import names_below
from inveonimaging.errors import InputError
from inveonimaging.inveon.pairs import Folder, half_error, scan_folder
from inveonimaging.storage.folders import is_folder, is_same_folder, real_path
from inveonimaging.storage.manifests import MANIFEST, is_series_folder
from inveonimaging.units import counted


@dataclass
class SkippedCounts:
    """What was left aside.

    Attributes:
        hidden: folders whose name starts with a dot.
        links: links to folders.
        halves: folders with halves of pairs.
        first_half: the first of them.
        not_grouped: pairs whose headers do not say to which study they belong.
    """

    hidden: int = 0
    links: int = 0
    halves: int = 0
    not_grouped: int = 0
    first_half: Path | None = None


@dataclass(frozen=True)
class Found:
    """A folder with pairs, and where its study goes inside the batch's output, with forward slashes."""

    folder: Folder
    output: str


Step = Found | InputError | None
"""A study, a folder that cannot be read, or another folder that was looked at."""


def walk(root: Path, output: Path, passed: SkippedCounts) -> Iterator[Step]:
    """Yield what each folder of a tree is, each before those inside it, by name.

    Links to folders, hidden folders and the output are not entered. Only the names of the siblings on the way to the
    folder are in memory.

    Args:
        root: of the tree.
        output: of the batch, which may lie in the tree.
        passed: counts what is left aside.
    """
    real_output = real_path(output)
    waiting = [(root, ".")]
    while waiting:
        path, place = waiting.pop()
        try:
            folder = scan_folder(path)
        except InputError as error:
            yield error
            continue
        children = _entered(folder, real_output, passed)
        is_study = bool(folder.pairs) or os.path.lexists(output / place / MANIFEST)
        there = _existing(output / place, is_study=is_study) if children else set()
        names = names_below([child.name for child in children], there, is_root=path == root, is_study=is_study)
        places = [name if place == "." else f"{place}/{name}" for name in names]
        waiting += reversed(list(zip(children, places, strict=True)))
        if folder.orphans:
            passed.halves += 1
            passed.first_half = passed.first_half or folder.orphans[0]
        yield Found(folder, place) if folder.pairs else None


def _existing(place: Path, *, is_study: bool) -> set[str]:
    """Return the names of the folders in a place of the output, but for the series of a study."""
    try:
        with os.scandir(place) as entries:
            names = {entry.name for entry in entries if is_folder(entry)}
    except OSError:
        return set()
    return {name for name in names if not (is_study and is_series_folder(name)) or _is_of_studies(place / name)}


def _is_of_studies(folder: Path) -> bool:
    """Return whether a folder is a study or holds some; that of a series holds nothing but its files."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.name == MANIFEST or is_folder(entry) for entry in entries)
    except OSError:
        return False


def _entered(folder: Folder, output: Path, passed: SkippedCounts) -> list[Path]:
    """Return the folders inside that are entered."""
    entered = []
    for child in folder.folders:
        if child.is_symlink() or _is_junction(child):
            passed.links += 1
        elif child.name.startswith("."):
            passed.hidden += 1
        elif not is_same_folder(child, output):
            entered.append(child)
    return entered


def _is_junction(path: Path) -> bool:
    """Return whether a folder of Windows is elsewhere; Python before 3.12 does not know."""
    is_junction = getattr(os.path, "isjunction", None)
    return bool(is_junction and is_junction(path))


def left_aside(passed: SkippedCounts, gone: int = 0) -> list[str]:
    """Return what was passed over below a folder, a line each."""
    half = f"; {half_error(passed.first_half)}" if passed.first_half else ""
    notes = (
        (passed.hidden, "hidden folder was", "hidden folders were", " not entered"),
        (passed.links, "link to a folder was", "links to folders were", " not followed"),
        (passed.halves, "folder holds", "folders hold", f" halves of pairs{half}"),
        (passed.not_grouped, "pair", "pairs", " without subject or scan time grouped by folder"),
        (gone, "study", "studies", " of earlier batches not below ROOT any more, with the DICOM left as it is"),
    )
    return [f"{counted(count, one, several)}{what}" for count, one, several, what in notes if count]
