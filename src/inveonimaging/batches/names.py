"""Names of the folders that studies go to: of their sources, made from what headers say, or pseudonyms."""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256

from inveonimaging.batches.study import Record, Study
from inveonimaging.conversion.options import Options
from inveonimaging.errors import InputError, printable
from inveonimaging.sheet.hotels import Hotel
from inveonimaging.storage.leftovers import REPORT
from inveonimaging.storage.manifests import MANIFEST, is_series_folder

LEDGER = "batch.jsonl"
NOT_KEPT = "shown on the terminal only"
"""Of a study that failed, if the batch de-identifies: why may name somebody."""

_NOT_PLAIN = re.compile("[^A-Za-z0-9-]+")
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|COM\d|LPT\d)(?:\..*)?", re.IGNORECASE)  # by Windows, with any suffix
_LONGEST = 40
_DIGITS = 16  # of pseudonyms
_SUFFIX = 10  # hexadecimal digits: among a hundred thousand studies two share one by chance once in 200 times


def names_below(names: Sequence[str], existing: Collection[str] = (), *, is_root: bool, is_study: bool) -> list[str]:
    """Return the names that the folders inside a folder have in the output: their own, unless these are taken.

    Taken are names of what is beside them: series and manifest of a study, and the ledger; and names that differ
    from another one only by case, or by how accents are written, which is one name on some systems. Such a folder gets
    `_` behind its name. Those that are in the output keep their names, whatever comes or goes beside them.

    Args:
        names: of the folders, sorted.
        existing: names of the folders in the output, but for series.
        is_root: whether they are in the root of the batch.
        is_study: whether they are in the folder of a study.
    """
    given = {name: kept for name in names if (kept := _kept(name, names, existing))}
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


def _kept(name: str, names: Sequence[str], existing: Collection[str]) -> str | None:
    """Return the name that a folder has in the output already; with `_` if what had its name first is there, too."""
    if name in existing:
        return name
    other = f"{name}_"
    is_kept = other in existing and other not in names and _folded(name) in map(_folded, existing)
    return other if is_kept else None


def _is_taken(name: str, taken: set[str], *, is_study: bool) -> bool:
    return _folded(name) in taken or (is_study and is_series_folder(name))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def name_of(label: str, identity: str) -> str:
    """Return a folder's name for any system: what can be read of a label, and what distinguishes it from all others.

    Args:
        label: any text.
        identity: all that distinguishes one group of files from another.
    """
    plain = _NOT_PLAIN.sub("_", label).strip("_")[:_LONGEST].strip("_-") or "study"
    digest = sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{plain}-{digest[:_SUFFIX]}"


def plain_name(label: str) -> str:
    """Return a label as a folder's name for any system: itself if it can be one, else as `name_of` makes it."""
    can_be = _PLAIN.fullmatch(label) and not _RESERVED.fullmatch(label) and len(label) <= _LONGEST
    return label if can_be else name_of(label, label)


def animal_names(hotel: Hotel) -> tuple[str, ...]:
    """Return the name of the folder of each animal: its patient ID.

    Raises:
        InputError: two would share one folder.
    """
    names: dict[str, str] = {}
    for animal in hotel.animals:
        name = plain_name(animal.id)
        other = names.setdefault(name.casefold(), animal.id)
        if other != animal.id:
            message = f"the animals '{printable(other, 40)}' and '{printable(animal.id, 40)}' would share one folder"
            expected = "patient IDs that differ"
            raise InputError(message, path=hotel.path, line=animal.rows[0], expected=expected)
    return tuple(plain_name(animal.id) for animal in hotel.animals)


def free_names(names: Sequence[str], beside: Collection[str], *, is_root: bool) -> tuple[str, ...]:
    """Return the names that animals' folders have: with `_` behind them where these are taken.

    Args:
        names: of the folders.
        beside: names of the folders in the source, whose studies are beside them.
        is_root: whether they are in the output of the batch itself.
    """
    taken = {*map(_folded, beside), MANIFEST, REPORT, *([LEDGER] if is_root else [])}
    found = []
    for name in names:
        free = name
        while _is_taken(free, taken, is_study=True):
            free += "_"
        taken.add(_folded(free))
        found.append(free)
    return tuple(found)


# Of a batch that de-identifies.


def folder_name(options: Options, place: str) -> str:
    """Return the name of a study's folder: its place, or what only who has the secret can make from it."""
    if options.deidentify is None or place == ".":
        return place
    return f"study-{_sealed(options, place)}"


def source_name(options: Options, study: Study) -> str:
    """Return what the ledger calls the source of a study."""
    return study.source if options.deidentify is None else f"sealed {_sealed(options, study.source)}"


def pseudonymous(options: Options, record: Record) -> Record:
    """Return a record as the ledger has it."""
    if options.deidentify is None:
        return record
    source = source_name(options, Study(record.source, record.output))
    error = record.error and {"kind": record.error["kind"], "message": NOT_KEPT}
    made_from = source if record.made_from else ""
    return replace(record, source=source, made_from=made_from, error=error and {**error, "path": None, "line": None})


def _sealed(options: Options, text: str) -> str:
    key = (options.deidentify and options.deidentify.key) or b""
    message = f"inveonimaging batch\0{text}".encode("utf-8", "surrogateescape")
    return hmac.new(key, message, sha256).hexdigest()[:_DIGITS]
