"""Pairs that are copies of each other: archives keep the same scan in several folders."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable
from pathlib import Path

from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.inveon.pairs import Pair


def without_copies(pairs: Iterable[Pair], source: Path) -> tuple[tuple[Pair, ...], tuple[Finding, ...]]:
    """Return pairs of which none is a copy of another, the first by path of each, and which were left aside.

    A copy has the same name, the same bytes in the header and the same bytes in the data file.

    Raises:
        OSError: a file cannot be read.
    """
    kept: dict[str, list[Pair]] = {}
    findings = []
    for pair in sorted(pairs, key=lambda each: each.data.as_posix()):
        alike = kept.setdefault(pair.name, [])
        original = next((each for each in alike if _is_copy(pair, each)), None)
        if original is None:
            alike.append(pair)
        else:
            path = original.data.relative_to(source) if source in original.data.parents else original.data
            message = f"skipped: a copy of {printable(path.as_posix())}, header and data"
            findings.append(Finding("skipped", message, path=str(pair.data)))
    return tuple(pair for alike in kept.values() for pair in alike), tuple(findings)


def _is_copy(one: Pair, other: Pair) -> bool:
    return filecmp.cmp(one.header, other.header, shallow=False) and filecmp.cmp(one.data, other.data, shallow=False)
