"""New files of a data set beside those that are there: what is equal stays, what differs is refused, all or none."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from inveonimaging.errors import OutputError
from inveonimaging.storage.folders import make_folder

_CHUNK = 1024 * 1024
_DESCRIPTION = {348: slice(148, 228), 540: slice(240, 320)}
"""Where `descrip`, which has this program's version, is in NIfTI-1 and NIfTI-2, by the size of the head."""
_HINT = "--overwrite replaces it, another OUTPUT keeps both"


class Change(str, Enum):
    """What became of a file."""

    NEW = "new"
    SAME = "same"
    REPLACED = "replaced"


def change_of(path: Path, draft: Path, *, overwrite: bool) -> Change:
    """Return what becomes of a file if a draft takes its name.

    Raises:
        OutputError: something else has the name, and may not be replaced.
    """
    if not os.path.lexists(path):
        return Change.NEW
    if path.is_file() and _is_same(path, draft):
        return Change.SAME
    if overwrite and path.is_file():
        return Change.REPLACED
    raise OutputError("exists already and has other content", path=path, hint=_HINT)


def _is_same(path: Path, draft: Path) -> bool:
    is_packed = path.name.endswith(".gz")
    try:
        if not is_packed and path.stat().st_size != draft.stat().st_size:
            return False
        with _opened(path, packed=is_packed) as one, _opened(draft, packed=is_packed) as other:
            is_volume = is_packed or path.name.endswith(".nii")
            return all(
                _without_description(a) == _without_description(b) if is_volume and not place else a == b
                for place, (a, b) in enumerate(_pairs(one, other))
            )
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False


def _opened(path: Path, *, packed: bool) -> BinaryIO:
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _pairs(one: BinaryIO, other: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while True:
        pair = one.read(_CHUNK), other.read(_CHUNK)
        yield pair
        if not any(pair):
            return


def _without_description(head: bytes) -> bytes:
    found = _DESCRIPTION.get(int.from_bytes(head[:4], "little"))
    return head[: found.start] + head[found.stop :] if found else head


def give_names(output: Path, drafts: Mapping[str, Path], changes: Mapping[str, Change]) -> None:
    """Rename drafts, in their order; if one cannot be, those that were new are gone again.

    A run that is killed meanwhile leaves some of them, each whole; the same run once more adds the others.

    Args:
        output: the data set.
        drafts: by the paths of the files in it, with forward slashes.
        changes: what becomes of each.
    """
    given: list[Path] = []
    made: list[Path] = []
    try:
        for name, draft in drafts.items():
            path = output / name
            if changes[name] is Change.SAME:
                continue
            made += reversed([each for each in path.parents if not each.exists()])
            make_folder(path.parent)
            if changes[name] is Change.NEW:
                _refuse_taken(path)
            draft.replace(path)
            given += [path] if changes[name] is Change.NEW else []
    except BaseException:
        for path in given:
            with contextlib.suppress(OSError):
                path.unlink()
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _refuse_taken(path: Path) -> None:
    if os.path.lexists(path):
        raise OutputError("exists already", path=path, hint=_HINT)
