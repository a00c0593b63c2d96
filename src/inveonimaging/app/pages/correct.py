"""Page 3: a table of the scans of a source, as `--subjects` takes it; corrected, and saved beside the output."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from inveonimaging.app.memory.sheets import Kept, digest_of
from inveonimaging.app.pages import grid, hotel, subjects
from inveonimaging.app.pages.front import Front, asked, link, number, redirected
from inveonimaging.app.pages.make import source_of
from inveonimaging.commands import correct as table
from inveonimaging.errors import InputError, InveonError, OutputError, listed, printable
from inveonimaging.inveon.pairs import scan_folder
from inveonimaging.sheet.columns import Scope
from inveonimaging.sheet.pasted import block_of
from inveonimaging.sheet.reading import read_sheet

PER_PAGE = 50
_MOST_SHEETS = 10
_LONGEST, _MOST_DIGITS = 1000, 6
_SCOPES = {"": {Scope.STUDY, Scope.SCAN}, subjects.PART: {Scope.STUDY}}
_SHEETS = (".csv", ".tsv", ".xlsx")


def correct(front: Front, request: Request) -> Response:
    """Show a page of the table."""
    source = source_of(front, asked(request, "source"))
    listing = table.listing_of(source)
    folder = source if source.is_dir() else source.parent
    part = subjects.PART if asked(request, "by") == "animal" else ""
    if part:
        look = subjects.look_of(front, source, listing)
        if asked(request, "wait") and look.is_over:
            return redirected(link("/correct", source=source, by="animal"))
        if not look.is_over:
            name = "waits_part.html" if asked(request, "wait") else "waits.html"
            return front.page(name, source=source, look=look, what="by animal", way=("/correct", {"by": "animal"}))
    kept = front.sheets.of(source)
    return front.page(
        "correct.html",
        part=part,
        asides=_asides(front, source, listing, kept),
        sheets=_sheets_in(folder),
        path=grid.path_for(front, source, kept),
        more=[(title, grid.heading(title)) for title, each in table.EDITABLE.items() if each.scope in _SCOPES[part]],
        notes=(),
        problem="",
        **_shown(front, source, listing, number(request, "page"), part),
    )


def _asides(front: Front, source: Path, listing: table.Listing, kept: Kept) -> list[str]:
    """Return what the table does not show: cells of scans that are gone, and a sheet that Make uses instead."""
    scans = (key for key in kept.typed if key.lower().endswith(".img") and not key.startswith(table.SUBJECT))
    gone = [printable(key, 120) for key in scans if key not in listing.pairs]
    used, notes = front.drafts.of(source).get("subjects", ""), []
    if gone:
        notes.append(f"What was typed for scans that are no longer here is not used: {listed(gone, 3)}.")
    if used and used == kept.saved and not kept.is_unchanged:
        words = "was changed or removed after it was saved here, and Make uses it as it is: import it, or save again."
        notes.append(f"{printable(used, 300)} {words}")
    if used not in {"", kept.saved}:
        notes.append(f"Make uses {printable(used, 300)}, which is not in this table: import it, or saving replaces it.")
    return notes


def cell(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Take what was typed into a cell; return the table as it is then."""
    source, listing = _asked_for(front, form)
    key, title = _cell(front, source, listing, form)
    change = (key, *table.normal(title, form.get("text", "")))
    return _changed(front, source, listing, form, [change])


def paste(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Take a block of a spreadsheet."""
    source, listing = _asked_for(front, form)
    try:
        block = block_of(form.get("text", ""))
    except InputError as error:
        return _part(front, source, listing, form, problem=printable(error, _LONGEST))
    part = form.get("part", "")
    keys = _keys(front, source, listing, part)
    matched: dict[int, list[str]] = {}
    if not part:
        matched = table.scans_named(block, listing)
    elif part == subjects.PART:
        matched = table.subjects_named(block, keys)
    titles = [title for title, _ in _shown(front, source, listing, _page_of(form), part)["titles"]]
    at = _cell(front, source, listing, form)
    try:
        filling = table.pasted(block, keys, titles, at, matched)
    except InputError as error:
        return _part(front, source, listing, form, problem=printable(error, _LONGEST))
    done = f"{len(filling.changes)} cells were pasted" if filling.changes else "nothing could be pasted"
    return _changed(front, source, listing, form, filling.changes, (done, *filling.notes))


def take(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Take what a sheet says."""
    source, listing = _asked_for(front, form)
    try:
        path = front.roots.pasted(form.get("sheet", ""))
        filling = _taken(front, source, listing, form, path)
    except InveonError as error:
        return _part(front, source, listing, form, problem=printable(error, _LONGEST))
    done = f"{len(filling.changes)} cells of {printable(path.name, 100)} were imported"
    return _changed(front, source, listing, form, filling.changes, (done, *filling.notes))


def _taken(front: Front, source: Path, listing: table.Listing, form: dict[str, str], path: Path) -> table.Filling:
    """Return what a sheet says of the rows of a table; of animals also from which side their positions are seen."""
    sheet = read_sheet(path)
    if form.get("part") == subjects.PART:
        return table.taken_subjects(sheet, _keys(front, source, listing, subjects.PART))
    if form.get("part") != hotel.PART:
        return table.taken(sheet, listing)
    hotel.settle(front, source)
    animals = hotel.animals_of(front, source)
    if animals is None:
        raise InputError("no animals were looked for", hint="load the page again")
    filling, side = table.taken_animals(sheet, listing, animals)
    front.sheets.change(source, lambda kept: replace(kept, side=side))
    return filling


def column(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Show one column more."""
    source, listing = _asked_for(front, form)
    title = form.get("title", "")
    if title in table.EDITABLE:
        _show_columns(front, source, (title,))
    return _part(front, source, listing, form)


def _show_columns(front: Front, source: Path, titles: Iterable[str]) -> None:
    more = tuple(titles)
    front.sheets.change(source, lambda kept: replace(kept, columns=tuple(dict.fromkeys((*kept.columns, *more)))))


def clear(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Clear everything that was typed; what was saved stays."""
    source, listing = _asked_for(front, form)
    front.sheets.change(source, lambda kept: Kept(saved=kept.saved, digest=kept.digest))
    return _part(front, source, listing, form, ("everything that was typed is cleared",))


def save(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Save the sheet, and let page 4 use it; if all that was in it is taken back, let page 4 use none."""
    source, listing = _asked_for(front, form)
    path, kept = front.roots.pasted(form.get("path", "")), front.sheets.of(source)
    if kept.saved and not kept.typed and front.drafts.of(source).get("subjects") == kept.saved:
        front.drafts.keep(source, {}, without=("subjects", "boxes"))
        front.sheets.change(source, lambda now: replace(now, saved="", digest=""))
        return front.page("correct_saved.html", problem="", is_left=True, source=source)
    is_asked = form.get("overwrite") == "yes" or (str(path) == kept.saved and digest_of(path) == kept.digest)
    try:
        saved = table.save(path, listing, kept.typed, animals=hotel.animals_of(front, source), overwrite=is_asked)
    except OutputError as error:
        is_there = error.message == "exists already" and os.path.isfile(error.path or "")  # noqa: PTH113 - likewise
        words = printable(f"{error.path} {error.message}" if is_there else error, _LONGEST)
        return front.page("correct_saved.html", problem=words, is_there=is_there, path=path, boxes=None, source=source)
    digest = hashlib.sha256(saved.content + saved.held).hexdigest()
    is_whole = kept.typed.keys() <= saved.keys
    front.sheets.change(
        source,
        lambda now: replace(now, saved=str(path), digest=digest, is_saved=now == kept, is_whole=is_whole),
    )
    files = {"subjects": str(path), **({"boxes": str(saved.boxes), "make": "split"} if saved.boxes else {})}
    front.drafts.keep(source, files, without=() if saved.boxes else ("boxes",))
    saved_as: dict[str, Any] = {"at": f"{datetime.now():%H:%M:%S}", "path": path, "boxes": saved.boxes}
    return front.page("correct_saved.html", problem="", is_there=False, source=source, **saved_as)


def _asked_for(front: Front, form: dict[str, str]) -> tuple[Path, table.Listing]:
    source = source_of(front, form.get("source", ""))
    return source, table.listing_of(source)


def _cell(front: Front, source: Path, listing: table.Listing, form: dict[str, str]) -> tuple[str, str]:
    key = unquote(form.get("row", ""), errors="surrogateescape")
    if key not in _keys(front, source, listing, form.get("part", "")):
        raise InputError("the scans of this row are no longer there", hint="load the page again")
    return key, form.get("title", "")


def _changed(
    front: Front,
    source: Path,
    listing: table.Listing,
    form: dict[str, str],
    changes: Sequence[tuple[str, str, str]],
    notes: tuple[str, ...] = (),
) -> Response:
    if any(title == "dose_MBq" for _, title, _ in changes) and not form.get("part"):
        titles = {title for title, _ in _shown(front, source, listing, _page_of(form))["titles"]}
        _show_columns(front, source, (title for title in table.OF_A_DOSE if title in titles))
    if form.get("part") == hotel.PART:
        hotel.settle(front, source)
    front.sheets.change(source, lambda kept: replace(kept, typed=table.changed(kept.typed, changes), is_saved=False))
    return _part(front, source, listing, form, notes)


def _part(
    front: Front,
    source: Path,
    listing: table.Listing,
    form: dict[str, str],
    notes: tuple[str, ...] = (),
    problem: str = "",
) -> Response:
    """Return the table as a part of the page."""
    if form.get("part") == hotel.PART:
        return hotel.part(front, source, listing, notes, problem)
    shown = _shown(front, source, listing, _page_of(form), form.get("part", ""))
    lines = [printable(each, _LONGEST) for each in notes]
    return front.page("correct_table.html", notes=lines, problem=problem, **shown)


def _page_of(form: dict[str, str]) -> int:
    page = form.get("page", "")
    return int(page) if page.isascii() and page.isdecimal() and len(page) <= _MOST_DIGITS else 1


def _keys(front: Front, source: Path, listing: table.Listing, part: str) -> list[str]:
    """Return the keys of the rows of a table."""
    if part == hotel.PART:
        return list(hotel.boxes_of(front, source))
    return subjects.keys_of(front, source, listing) if part == subjects.PART else list(listing.pairs)


def _shown(front: Front, source: Path, listing: table.Listing, page: int, part: str = "") -> dict[str, Any]:
    """Return what the template of a table needs."""
    if part == hotel.PART:
        return hotel.shown(front, source, listing)
    if part == subjects.PART:
        return subjects.shown(front, source, listing, page)
    kept = front.sheets.of(source)
    titles = table.titles_of(kept.typed, kept.columns)
    pages = max(1, -(-len(listing.pairs) // PER_PAGE))
    page = min(max(page, 1), pages)
    titles, lines = table.without_empty(
        titles,
        table.lines_of(listing, kept.typed, titles, slice((page - 1) * PER_PAGE, page * PER_PAGE)),
        kept.columns,
    )
    return {
        "source": source,
        "count": len(listing.pairs),
        "problems": listing.problems,
        "page": page,
        "pages": pages,
        "by": None,
        "typed": sum(map(len, kept.typed.values())),
        "is_saved": kept.is_saved,
        **grid.grid(titles, lines),
    }


def _sheets_in(folder: Path) -> list[Path]:
    """Return sheets that lie beside scans."""
    try:
        found = [each for each in scan_folder(folder).strays if each.suffix.lower() in _SHEETS]
    except InveonError:
        return []
    return found[:_MOST_SHEETS]
