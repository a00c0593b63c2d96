"""The folders of this computer, for people to choose from: how many scans each holds, page by page."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from inveonimaging.app.access.roots import Roots
from inveonimaging.errors import InputError
from inveonimaging.inveon.pairs import count_pairs
from inveonimaging.storage.folders import is_folder

PER_PAGE = 50
_BUDGET_S = 0.7  # a folder on a slow server is counted when it is on the screen


@dataclass(frozen=True)
class Entry:
    """A folder: its name, path, and how many scans lie in it; None if they are not counted yet."""

    name: str
    path: Path
    scans: int | None = None


@dataclass(frozen=True)
class Listing:
    """A page of the folders in a folder.

    Attributes:
        path: of the folder.
        above: the folders that it lies in, from the root on.
        folders: those of this page.
        scans: how many lie in the folder itself.
        page: number, from 1.
        pages: how many there are.
    """

    path: Path
    above: tuple[Entry, ...]
    folders: tuple[Entry, ...]
    scans: int
    page: int
    pages: int


def listing_of(path: Path, roots: Roots, page: int = 1, clock: Callable[[], float] = monotonic) -> Listing:
    """Return a page of the folders in a folder; hidden ones are not shown, nor links that lead out of the roots.

    Raises:
        InputError: it cannot be read.
    """
    scans = scans_in(path)
    names = _folders_in(path)
    pages = max(1, -(-len(names) // PER_PAGE))
    page = min(max(page, 1), pages)
    end = clock() + _BUDGET_S
    shown: list[Entry] = []
    for name in names[(page - 1) * PER_PAGE : page * PER_PAGE]:
        folder = path / name
        if roots.holds(folder):
            shown.append(Entry(name, folder, _counted(folder) if clock() < end else None))
    return Listing(path, _above(path, roots), tuple(shown), scans, page, pages)


def scans_in(path: Path) -> int:
    """Return how many pairs lie in a folder, by their names.

    Raises:
        InputError: it cannot be read.
    """
    return count_pairs(path)


def _counted(path: Path) -> int:
    try:
        return scans_in(path)
    except InputError:
        return 0


def _folders_in(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            found = [each.name for each in entries if not each.name.startswith((".", "$")) and is_folder(each)]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from error
    return sorted(found, key=str.casefold)


def _above(path: Path, roots: Roots) -> tuple[Entry, ...]:
    """Return the folders from the root on, of the longest way that is open."""
    open_ones = [each for each in reversed(path.parents) if any(r == each or r in each.parents for r in roots.folders)]
    return tuple(Entry(each.name or str(each), each) for each in open_ones)
