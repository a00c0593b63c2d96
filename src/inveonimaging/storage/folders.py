"""Folders of any depth, and links that lead nowhere or in a circle."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice, takewhile
from pathlib import Path

from inveonimaging.errors import InputError, printable

_MOST_COMPARED = 2000  # names
_ALIKE = 0.8  # 1 is the same


def real_path(path: str | os.PathLike[str]) -> Path:
    """Return a path without links, as far as they lead anywhere; a circle of links stays as it is."""
    return Path(os.path.realpath(path))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one; a circle of links is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def nothing_at(path: Path) -> InputError:
    """Return the error that there is nothing at a path, with what is there by nearly that name.

    That is a name that goes on after a dot or a blank, since systems hide endings and terminals take a blank for the
    end of a name, or else one that is spelled alike.
    """
    typed = path.name.rstrip('"')  # cmd makes a quotation mark of the backslash and the mark that end a path
    try:
        with os.scandir(path.parent) as entries:
            names = sorted(entry.name for entry in islice(entries, _MOST_COMPARED))
    except (OSError, ValueError):  # the latter for a name that no file can have
        names = []
    longer = [name for name in names if typed and name.startswith((f"{typed}.", f"{typed} "))]
    near = [typed] * (typed in names) or longer or get_close_matches(typed, names, n=1, cutoff=_ALIKE)
    hint = f'did you mean "{printable(path.with_name(near[0]), 300)}"?' if near else None
    return InputError("no such file or folder", path=path, hint=hint)


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


@contextlib.contextmanager
def unmade_if_nothing_came(path: Path) -> Iterator[None]:
    """Take a folder and those above it away again that were made meanwhile, if an error ends this."""
    above = (path, *path.parents)  # innermost first; Path.exists raises for names that no folder can have
    made = [each for each in above if not os.path.exists(each)]  # noqa: PTH110
    try:
        yield
    except BaseException:
        remove_empty(made)
        raise


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, in their order; those that hold something stay."""
    for each in folders:
        with contextlib.suppress(OSError):
            each.rmdir()
