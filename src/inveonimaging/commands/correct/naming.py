"""What the column `file` of a saved sheet says of each scan, so that a row is about one of them."""

from __future__ import annotations

import os

from inveonimaging.commands.correct.cells import NAMED, Listing, Typed, pairs_below
from inveonimaging.errors import InputError, listed, printable
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.matching import Row, Sheet, pattern_of
from inveonimaging.study.folder import below


def files_of(listing: Listing, typed: Typed) -> dict[str, str]:
    """Return what names each scan, and matches no other one; the folder's own name is put before it where needed.

    A scan of which nothing was typed is among them, for one without a row is warned of.

    Raises:
        InputError: something was typed of a scan that no sheet can distinguish from another.
    """
    known, found = _beside(listing), dict[str, str]()
    matched: dict[str, list[Pair]] = {}
    for folder in ("", f"{listing.root.name}/"):
        left = [key for key in listing.pairs if key not in found]
        patterns = [pattern_of(folder + key) for key in left]
        sheet = Sheet(listing.root, "", tuple(Row(n, each, "", "", {}) for n, each in enumerate(patterns)))
        matched = {key: [] for key in left}
        for pair in known:
            for number in sheet.rows_of(pair, Header()):
                matched[left[number]].append(pair)
        found |= {
            key: pattern for key, pattern in zip(left, patterns, strict=True) if matched[key] == [listing.pairs[key]]
        }
    if unclear := [key for key in listing.pairs if key in typed and key not in found]:
        others = [printable(below(each.data, listing.root), 120) for each in matched[unclear[0]]]
        raise InputError(f"a sheet cannot distinguish these files: {listed(others, NAMED)}", hint="rename one of them")
    return {key: found[key] for key in listing.pairs if key in found}


def _beside(listing: Listing) -> list[Pair]:
    """Return the scans of a listing, and those below a folder that has scans of its own, which a sheet may be about."""
    known = list(listing.pairs.values())
    if os.path.isdir(listing.root):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        known += (each for each in pairs_below(listing.root, []) if below(each.data, listing.root) not in listing.pairs)
    return known
