"""Page 3 by animal: a row for each that the headers name, which is about all its scans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inveonimaging.app.pages import grid
from inveonimaging.app.pages.front import Front
from inveonimaging.app.pages.looks import Look, stamp_of
from inveonimaging.commands import correct as table
from inveonimaging.errors import printable

PART = "subjects"
"""Which table a change is about."""
PER_PAGE = 50
_LONGEST = 1000


def look_of(front: Front, source: Path, listing: table.Listing) -> Look:
    """Return how far it is that all headers are read; the first who asks begins with it."""
    key = ("subjects", str(source), *stamp_of(list(listing.pairs.values())))
    return front.looks.of(key, lambda progress: table.subjects_of(listing, progress))


def keys_of(front: Front, source: Path, listing: table.Listing) -> list[str]:
    """Return the keys of the rows; none while headers are read."""
    look = look_of(front, source, listing)
    return [each.key for each in look.result.subjects] if look.result else []


def shown(front: Front, source: Path, listing: table.Listing, page: int) -> dict[str, Any]:
    """Return what the template of the table needs."""
    kept, look = front.sheets.of(source), look_of(front, source, listing)
    known = look.result or table.Subjects()
    pages = max(1, -(-len(known.subjects) // PER_PAGE))
    page = min(max(page, 1), pages)
    titles = table.titles_of_subjects(kept.typed, kept.columns)
    lines = table.subject_lines(known.subjects, kept.typed, titles, slice((page - 1) * PER_PAGE, page * PER_PAGE))
    return {
        "source": source,
        "count": len(listing.pairs),
        "problems": [*listing.problems, *(printable(each, _LONGEST) for each in known.problems)],
        "page": page,
        "pages": pages,
        "by": "animal",
        "typed": sum(len(kept.typed.get(each.key, {})) for each in known.subjects),
        "is_saved": kept.is_saved,
        **grid.grid(titles, lines),
    }
