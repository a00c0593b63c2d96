"""Several animals in one scan, on page 3: their boxes on the pictures, and a row of the sheet for each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from inveonimaging.app.choices.table import product_of
from inveonimaging.app.choices.words import finding_row
from inveonimaging.app.memory.sheets import FARTHEST_MM, Kept
from inveonimaging.app.pages import grid
from inveonimaging.app.pages.front import Front, asked, link, redirected
from inveonimaging.app.pages.looks import Look, stamp_of
from inveonimaging.app.pages.make import options_kept, output_kept, source_of
from inveonimaging.commands import correct as table
from inveonimaging.commands.split import Seen, plan_split, see_animals
from inveonimaging.errors import InputError, printable
from inveonimaging.findings import Finding, in_few_lines
from inveonimaging.hotels.checks import table_of
from inveonimaging.progress import Progress
from inveonimaging.sheet.positions import Side
from inveonimaging.sheet.reading import LARGEST
from inveonimaging.storage.bounded import read_bounded
from inveonimaging.study.cut import Extent

PART = "animals"
"""Which table a change is about."""
MOST_ANIMALS, _MOST_DIGITS = 12, 4
_MARK = "@"  # begins the key of an animal's row: no name of a scan that is listed alone does
_LONGEST = 1000
_SMALLEST_MM = 0.5
_EDGES = (
    ("low0", "Left"),
    ("high0", "Right"),
    ("low1", "Top"),
    ("high1", "Bottom"),
    ("low2", "Back"),
    ("high2", "Front"),
)
_COLOURS = 8
_WAY = ("/correct/hotel", dict[str, str]())


def hotel(front: Front, request: Request) -> Response:
    """Show the pictures with the boxes, and the table; how far the look for animals is, while it goes on."""
    source = source_of(front, asked(request, "source"))
    look = _look(front, source)
    if asked(request, "wait"):
        return redirected(link("/correct/hotel", source=source)) if look.is_over else _waiting(front, source, look)
    if not look.is_over:
        return front.page("waits.html", source=source, look=look, what="", way=_WAY)
    listing, kept = table.listing_of(source), front.sheets.of(source)
    seen: Seen | None = look.result
    return front.page(
        "hotel.html",
        error=look.error,
        number=kept.number or len(boxes_of(front, source)) or 2,
        side=kept.side,
        views=[] if seen is None else seen.views,
        boxes=_drawn(front, source),
        edges=_EDGES,
        findings=[] if seen is None else list(map(finding_row, in_few_lines(seen.findings))),
        path=grid.path_for(front, source, kept),
        **shown(front, source, listing),
    )


def view(front: Front, request: Request) -> Response:
    """Return one of the pictures."""
    look = _look(front, source_of(front, asked(request, "source")))
    views = look.result.views if look.is_over and look.result else ()
    png = next((each.png for each in views if each.name == asked(request, "name")), None)
    return Response(status_code=404) if png is None else Response(png, media_type="image/png")


def number(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Take how many animals someone sees, and from which side: boxes are laid anew."""
    source, text = source_of(front, form.get("source", "")), form.get("number", "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and 1 <= int(text) <= MOST_ANIMALS):
        raise InputError("the number of animals is not possible", expected=f"1 to {MOST_ANIMALS}")
    front.sheets.change(source, lambda kept: _anew(kept, int(text)))
    return redirected(link("/correct/hotel", source=source))


def _anew(kept: Kept, count: int) -> Kept:
    """Return what stays when boxes are laid anew: what was typed of an animal whose position nobody changed."""
    typed = {
        key: {title: text for title, text in cells.items() if title != "position"}
        for key, cells in kept.typed.items()
        if not key.startswith(_MARK) or cells.get("position") in {None, key.removeprefix(_MARK)}
    }
    return replace(kept, number=count, boxes={}, typed=table.changed(typed, ()), is_saved=False)


def side(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Take from which side of the scanner positions are seen."""
    source = source_of(front, form.get("source", ""))
    seen_from = Side.BACK if form.get("side") == Side.BACK.value else Side.FRONT
    front.sheets.change(source, lambda kept: replace(kept, side=seen_from.value, is_saved=False))
    return part(front, source, table.listing_of(source))


def box(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Take where a box was moved to."""
    source, key = source_of(front, form.get("source", "")), unquote(form.get("row", ""))
    if key not in boxes_of(front, source):
        raise InputError("this animal is no longer in the table", hint="load the page again")
    ends = [_mm(form.get(name, ""), words) for name, words in _EDGES]
    low, high = ends[::2], ends[1::2]
    if any(b - a < _SMALLEST_MM for a, b in zip(low, high, strict=True)):
        raise InputError("a box has no size", expected="each edge before the one that is opposite")
    settle(front, source)
    front.sheets.change(source, lambda kept: replace(kept, boxes={**kept.boxes, key: (*low, *high)}, is_saved=False))
    return part(front, source, table.listing_of(source))


def check(front: Front, request: Request) -> Response:
    """Return what `inveon split` would do with what was saved: measures and doubts; how far that is, before."""
    source = source_of(front, asked(request, "source"))
    kept = front.drafts.of(source)
    options = options_kept(front, source, product_of("split"))
    if options is None or not kept.get("boxes"):
        raise InputError("no sheet of several animals is saved")
    boxes = front.roots.pasted(kept["boxes"])
    held = sha256(read_bounded(boxes, LARGEST)).digest()
    output = output_kept(front, source)
    key = ("check", str(source), front.sheets.of(source).digest, held, *_stamp(source))

    def planned(_: Progress) -> tuple[Any, tuple[Finding, ...]]:
        found = plan_split(source, output, options, boxes, writes=False)
        findings = tuple(each for study in found.studies for each in study.all_findings)
        return table_of(found.measured), in_few_lines(findings)

    look = front.looks.of(key, planned)
    is_over = look.is_over  # before its result is looked at, which may come meanwhile
    titles, rows = look.result[0] if look.result else ((), ())
    findings = list(map(finding_row, look.result[1])) if look.result else []
    checked: dict[str, Any] = {
        "is_over": is_over,
        "error": look.error,
        "titles": titles,
        "rows": rows,
        "findings": findings,
    }
    return front.page("hotel_check.html", source=source, **checked)


# What is known of a source.


def boxes_of(front: Front, source: Path) -> Mapping[str, tuple[float, ...]]:
    """Return the boxes of a source by row, as they were moved, else as found; none before that was looked for."""
    kept = front.sheets.of(source)
    return kept.boxes or {key: _ends(extent) for key, (_, extent) in _seen(front, source, kept).items()}


def settle(front: Front, source: Path) -> None:
    """Keep the boxes and positions that were found, before something of them is changed."""
    found = _seen(front, source, front.sheets.of(source))

    def settled(kept: Kept) -> Kept:
        if kept.boxes:
            return kept
        unnamed = (key for key in found if "position" not in kept.typed.get(key, {}))
        positions = [(key, "position", found[key][0]) for key in unnamed]
        return replace(
            kept,
            boxes={key: _ends(extent) for key, (_, extent) in found.items()},
            typed=table.changed(kept.typed, positions),
        )

    front.sheets.change(source, settled)


def animals_of(front: Front, source: Path) -> table.Animals | None:
    """Return where the animals of a source lie; None if nobody looked for several."""
    kept = front.sheets.of(source)
    return table.Animals(_extents(kept.boxes), kept.side) if kept.boxes else None


def part(
    front: Front, source: Path, listing: table.Listing, notes: tuple[str, ...] = (), problem: str = ""
) -> Response:
    """Return the table of animals as a part of the page."""
    lines = [printable(each, _LONGEST) for each in notes]
    now = shown(front, source, listing)
    return front.page("correct_table.html", **{**now, "notes": lines, "problem": problem or now["problem"]})


def shown(front: Front, source: Path, listing: table.Listing) -> dict[str, Any]:
    """Return what the template of the table of animals needs."""
    kept, boxes = front.sheets.of(source), boxes_of(front, source)
    typed = {key: {**each} for key, each in kept.typed.items()}
    if not kept.boxes:
        for key, (name, _) in _seen(front, source, kept).items():
            typed.setdefault(key, {}).setdefault("position", name)
    titles = ("position", *table.titles_of(kept.typed, kept.columns))
    lines = table.animal_lines(listing, typed, titles, list(boxes), kept.side)
    titles, lines = table.without_empty(titles, lines, kept.columns)
    return {
        "source": source,
        "page": 1,
        "pages": 1,
        "by": None,
        "notes": (),
        "problem": _problem(listing, typed, table.Animals(_extents(boxes), kept.side)),
        "typed": sum(len(kept.typed.get(key, {})) for key in boxes),
        "is_saved": kept.is_saved,
        **grid.grid(titles, lines),
    }


def _problem(listing: table.Listing, typed: table.Typed, animals: table.Animals) -> str:
    """Return what of boxes and positions does not fit together; nothing before an animal has a name."""
    try:
        table.refuse_boxes(listing, typed, animals)
    except InputError as error:
        return printable(error.sentence, _LONGEST)
    return ""


def _extents(boxes: Mapping[str, tuple[float, ...]]) -> dict[str, Extent]:
    return {key: Extent((a, b, c), (d, e, f)) for key, (a, b, c, d, e, f) in boxes.items()}


def _drawn(front: Front, source: Path) -> list[dict[str, Any]]:
    kept = front.sheets.of(source)
    names = {key: name for key, (name, _) in _seen(front, source, kept).items()}
    return [
        {
            "key": key,
            "name": kept.typed.get(key, {}).get("position") or names.get(key, ""),
            "colour": n % _COLOURS,
            "low": ends[:3],
            "high": ends[3:],
        }
        for n, (key, ends) in enumerate(boxes_of(front, source).items())
    ]


def _seen(front: Front, source: Path, kept: Kept) -> dict[str, tuple[str, Extent]]:
    """Return position and place of what was found, by the keys of rows; nothing while it is looked for."""
    look = front.looks.get(_key(source, kept))
    seen: Seen | None = look.result if look else None
    return {} if seen is None else {f"{_MARK}{name}": (name, extent) for name, extent in seen.boxes}


def _look(front: Front, source: Path) -> Look:
    kept = front.sheets.of(source)
    return front.looks.of(_key(source, kept), lambda progress: see_animals(source, kept.number or None, progress))


def _key(source: Path, kept: Kept) -> tuple[object, ...]:
    return ("see", str(source), kept.number, *_stamp(source))


def _stamp(source: Path) -> tuple[object, ...]:
    return stamp_of(list(table.listing_of(source).pairs.values()))


def _waiting(front: Front, source: Path, look: Look) -> Response:
    return front.page("waits_part.html", source=source, look=look, way=_WAY)


def _ends(extent: Extent) -> tuple[float, ...]:
    return tuple(round(each, 3) for each in (*extent.low_mm, *extent.high_mm))


def _mm(text: str, words: str) -> float:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = math.nan
    if not abs(value) <= FARTHEST_MM:
        raise InputError(key=words, got=text, expected="a number of mm")
    return round(value, 3)
