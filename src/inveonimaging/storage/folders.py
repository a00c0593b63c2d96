"""Folders of any depth, and links that lead nowhere or in a circle."""

from __future__ import annotations

import os
from itertools import takewhile
from pathlib import Path


def real_path(path: str | os.PathLike[str]) -> Path:
    """Return a path without links, as far as they lead anywhere; a circle of links stays as it is."""
    return Path(os.path.realpath(path))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one; a circle of links is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_same_folder(path: Path, real: Path) -> bool:
    """Return whether a path, itself no link, is a folder whose path without links is known."""
    try:  # most have another name: no need to look
        return path.name.casefold() == real.name.casefold() and path.samefile(real)
    except OSError:
        return False


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they are there; OSError if that fails."""
    missing = list(takewhile(lambda each: not each.exists(), (path, *path.parents)))
    for each in (*reversed(missing), path):
        each.mkdir(exist_ok=True)
