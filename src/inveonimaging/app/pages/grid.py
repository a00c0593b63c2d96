"""The tables of page 3 as plain values for their template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from inveonimaging.app.memory.sheets import Kept
from inveonimaging.app.pages.front import Front
from inveonimaging.app.pages.make import output_kept
from inveonimaging.commands.correct import Line, sheet_name
from inveonimaging.inveon.hdr.enums import Orientation

_UNITS = {"g", "kg", "MBq", "mCi", "ug"}
SUGGESTED = {
    "sex": (("F", "female"), ("M", "male"), ("O", "other")),
    "species": (("mouse", ""), ("rat", "")),
    "posture": tuple((each.name, each.label) for each in Orientation if each),
}
"""What cells of some columns may hold, to choose from, with words."""


def heading(title: str) -> str:
    """Return a title of the sheet as people read it; it is read as the same title."""
    *words, last = title.split("_")
    named = " ".join(words if last in _UNITS else [*words, last]).removesuffix(" id") + (" ID" if last == "id" else "")
    return named[:1].upper() + named[1:] + (f", {last}" if last in _UNITS else "")


def grid(titles: Sequence[str], lines: Sequence[Line]) -> dict[str, Any]:
    """Return what the template of a table needs of its columns and rows."""
    cells = [each for line in lines for each in line.cells]
    return {
        "titles": [(title, heading(title)) for title in titles],
        "lines": [(line, quote(line.key, errors="surrogateescape")) for line in lines],
        "refused": sum(bool(line.problem) for line in lines),
        "wrong": sum(bool(each.wrong) for each in cells),
        "doubts": sum(bool(each.doubts) for each in cells),
        "suggested": SUGGESTED,
    }


def path_for(front: Front, source: Path, kept: Kept) -> str:
    """Return where the sheet is to be saved: where it was last, else beside the output, outside the scans' folder."""
    if kept.saved:
        return kept.saved
    output = output_kept(front, source)
    beside = output.parent
    if not source.is_dir() and beside == source.parent:
        beside = source.parent.parent
    return str(beside / sheet_name(output))
