"""Files that appear whole or not at all, and replace nothing unasked."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from inveonimaging.errors import OutputError
from inveonimaging.storage.folders import make_folder

_DRAFT = re.compile(r"\.inveon-[0-9a-f]{32}\.part")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 60
RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|COM\d|LPT\d) *(?:\..*)?", re.IGNORECASE)
"""Names that Windows keeps to itself, with any suffix."""


def draft_in(folder: Path) -> Path:
    """Return the path of a hidden file that nobody has, for what is not complete."""
    return folder / f".inveon-{uuid4().hex}.part"


def is_draft(name: str) -> bool:
    """Return whether a name is that of a hidden file for what is not complete."""
    return _DRAFT.fullmatch(name) is not None


def remove_drafts(folder: Path) -> None:
    """Remove what a run that was killed was writing, as whoever holds the folder's lock."""
    for path in folder.iterdir():
        if is_draft(path.name) and path.is_file() and not path.is_symlink():
            with contextlib.suppress(OSError):  # who is next tries again
                path.unlink()


def refuse_taken(path: Path, *, overwrite: bool) -> None:
    """Refuse a path where something is, unless it is a file that may be replaced.

    Raises:
        OutputError: there is something, or no such folder.
    """
    if os.path.lexists(path) and not (overwrite and path.is_file()):
        hint = "is not a file" if overwrite else "nothing is overwritten; name a new file, or replace with --overwrite"
        raise OutputError("exists already", path=path, hint=hint)
    if not path.parent.is_dir():
        raise OutputError("there is no such folder", path=path.parent)


def write_whole(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write a file beside its place, and give it its name when it is complete.

    Raises:
        OutputError: there is something already, or it cannot be written.
    """
    draft = draft_in(path.parent)
    try:
        with draft.open("xb") as file:
            file.write(content)
        refuse_taken(path, overwrite=overwrite)
        draft.replace(path)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", path=path) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def write_all(folder: Path, contents: Iterable[tuple[str, bytes]], *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write files into a folder, which is made if it is missing; return their paths.

    Raises:
        OutputError: one is there already, or cannot be written; none is written if one is there already.
    """
    try:
        make_folder(folder)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", path=folder) from error
    files = [(folder / name, content) for name, content in contents]
    for path, _ in files:
        refuse_taken(path, overwrite=overwrite)
    for path, content in files:
        write_whole(path, content, overwrite=overwrite)
    return tuple(path for path, _ in files)


def file_name(*words: str) -> str:
    """Return words as a file's name that every system takes: letters, digits and `._-`."""
    return "-".join(_UNSAFE.sub("_", word)[:_LONGEST_NAME] for word in words if word).strip(".")
