"""Names of the folders that studies go to: those of their sources, or made from what headers say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from hashlib import sha256

from inveonimaging.storage.manifests import MANIFEST, is_series_folder
from inveonimaging.storage.staging import REPORT

LEDGER = "batch.jsonl"
_NOT_PLAIN = re.compile("[^A-Za-z0-9-]+")
_LONGEST = 40
_SUFFIX = 10  # hexadecimal digits: among a hundred thousand studies two share one by chance once in 200 times


def names_below(names: Sequence[str], standing: Collection[str] = (), *, is_root: bool, is_study: bool) -> list[str]:
    """Return the names that the folders inside a folder have in the output: their own, unless these are taken.

    Taken are names of what stands beside them: series and manifest of a study, and the ledger; and names that differ
    from another one only by case, or by how accents are written, which is one name on some systems. Such a folder gets
    `_` behind its name. Those that stand in the output keep their names, whatever comes or goes beside them.

    Args:
        names: of the folders, sorted.
        standing: names of the folders that stand in the output already, but for series.
        is_root: whether they stand in the root of the batch.
        is_study: whether they stand in the folder of a study.
    """
    given = {name: kept for name in names if (kept := _kept(name, names, standing))}
    taken = {LEDGER} if is_root else set()
    taken |= {MANIFEST, REPORT} if is_study else set()
    taken |= set(map(_folded, given.values()))
    for is_free in (True, False):  # those that can keep their names come first
        for name in names:
            if name not in given:
                wanted = name
                while not is_free and _is_taken(wanted, taken, is_study=is_study):
                    wanted += "_"
                if not _is_taken(wanted, taken, is_study=is_study):
                    given[name] = wanted
                    taken.add(_folded(wanted))
    return [given[name] for name in names]


def _kept(name: str, names: Sequence[str], standing: Collection[str]) -> str | None:
    """Return the name that a folder has in the output already; with `_` if what had its name first is there, too."""
    if name in standing:
        return name
    other = f"{name}_"
    is_kept = other in standing and other not in names and _folded(name) in map(_folded, standing)
    return other if is_kept else None


def _is_taken(name: str, taken: set[str], *, is_study: bool) -> bool:
    return _folded(name) in taken or (is_study and is_series_folder(name))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def name_of(label: str, identity: str) -> str:
    """Return a folder's name for any system: what can be read of a label, and what tells it from all others.

    Args:
        label: any text.
        identity: all that tells one group of files from another.
    """
    plain = _NOT_PLAIN.sub("_", label).strip("_")[:_LONGEST].strip("_-") or "study"
    digest = sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{plain}-{digest[:_SUFFIX]}"
