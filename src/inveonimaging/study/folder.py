"""What a path names: the pairs of a folder, or one pair; and notes on what else lies there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from inveonimaging.findings import Finding
from inveonimaging.inveon.pairs import TAKES_ALL, Folder, Pair, pair_of, reason_of, reason_of_half, scan_folder


class Listed(NamedTuple):
    """Pairs, the folder or the file that was named, and notes on what is left out beside them."""

    pairs: tuple[Pair, ...]
    path: Path
    left_out: tuple[Finding, ...]


def pairs_at(
    path: str | os.PathLike[str],
    all_below: str = TAKES_ALL,
    notes_of: Callable[[Folder], tuple[Finding, ...]] | None = None,
) -> Listed:
    """Return the pairs of a folder, or the one pair that its header or its data file names.

    Args:
        path: the folder, whose sub-folders are not entered, or the file.
        all_below: how pairs in sub-folders are taken, for the message that there is none in the folder itself.
        notes_of: notes on what is left out, which may refuse it; None notes everything.

    Raises:
        InputError: there is no pair.
    """
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        return Listed((pair_of(Path(path)),), Path(path), ())
    folder = scan_folder(Path(path))
    if not folder.pairs:
        raise folder.without_pairs(all_below)
    return Listed(folder.pairs, folder.path, notes_of(folder) if notes_of else skipped_findings(skipped(folder)))


def skipped(
    folder: Folder, ignored: frozenset[str] | None = frozenset(), *, is_nested: bool = False
) -> list[tuple[Path, str]]:
    """Return what is left out of a folder, and why.

    Args:
        folder: that was looked at.
        ignored: suffixes of files that nobody asks about, of which `.` is that of names without one; None is all.
        is_nested: its sub-folders are read, too.
    """

    def is_asked_about(path: Path) -> bool:
        name = path.name.lower()
        return ignored is not None and not (name.endswith(tuple(ignored)) or ("." in ignored and not path.suffix))

    reasons = {
        "neither .img nor .img.hdr": tuple(filter(is_asked_about, folder.strays)),
        "a nested folder": () if is_nested else folder.folders,
        "a hidden folder": folder.hidden if is_nested else (),
    }
    found = [(each.header, reason_of(each)) for each in folder.foreign if is_asked_about(each.header)]
    found += [(path, reason_of_half(path)) for path in folder.orphans]
    return found + [(path, reason) for reason, paths in reasons.items() for path in paths]


def skipped_findings(left_out: Sequence[tuple[Path, str]]) -> tuple[Finding, ...]:
    """Return a note on each thing that is left out."""
    return tuple(Finding("skipped", f"skipped: {reason}", path=str(path)) for path, reason in left_out)


def below(path: Path, folder: Path) -> str:
    """Return a path as seen from a folder, with forward slashes; only its name if it is not below."""
    return path.relative_to(folder).as_posix() if folder in path.parents else path.name
