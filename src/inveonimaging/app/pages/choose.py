"""Page 1: choose a folder of this computer."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inveonimaging.app.jobs.queue import LEFT
from inveonimaging.app.pages.folders import listing_of, scans_in
from inveonimaging.app.pages.front import Front, asked, link, number
from inveonimaging.errors import InveonError, printable

_LONGEST = 500


def choose(front: Front, request: Request) -> Response:
    """Show the folders in a folder; a pasted path of a file leads to that scan."""
    typed, listing, problem = asked(request, "folder"), None, ""
    try:
        if typed or len(front.roots.folders) == 1:
            path = _path(front, typed) if typed else front.roots.folders[0]
            if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for names that no file can have
                return RedirectResponse(link("/look", source=path), 303)
            listing = listing_of(path, front.roots, number(request, "page"))
    except InveonError as error:
        problem = printable(error, _LONGEST)
    return front.page(
        "choose.html",
        status=400 if problem else 200,
        listing=listing,
        places=_places(front),
        recent=_recent(front),
        left=[each for each in front.jobs.all if each.state == LEFT],
        problem=problem,
        typed=typed if problem else "",
    )


def count(front: Front, request: Request) -> Response:
    """Return how many scans lie in a folder, for a row that was shown without."""
    try:
        path = front.roots.inside(asked(request, "folder"))
        return front.page("count.html", path=path, scans=scans_in(path))
    except InveonError:
        return front.page("count.html", path=None, scans=0)


def _path(front: Front, typed: str) -> Path:
    """Return a path as a link has it, or as it was pasted."""
    try:
        path = front.roots.inside(typed)
    except InveonError:
        return front.roots.pasted(typed)
    return path if os.path.lexists(path) else front.roots.pasted(typed)


def _places(front: Front) -> list[tuple[str, Path]]:
    names = {Path.cwd(): "This folder", _home(): "Home"}
    return [(names.get(each, each.name or str(each)), each) for each in front.roots.folders]


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # nobody's home
        return Path()


def _recent(front: Front) -> list[Path]:
    """Return recent folders that may be opened; whether they are still there is seen when one is."""
    found = []
    for each in front.state.recent:
        try:
            found.append(front.roots.inside(each))
        except InveonError:
            continue
    return found
