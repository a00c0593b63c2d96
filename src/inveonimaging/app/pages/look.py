"""Page 2: what lies in a folder, a card a scan; and its pictures, report and viewer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from inveonimaging.app.choices.forms import called
from inveonimaging.app.choices.table import LONGEST, ONLY, YES
from inveonimaging.app.choices.words import finding_row
from inveonimaging.app.jobs.queue import Job
from inveonimaging.app.pages.batches import studies_below
from inveonimaging.app.pages.front import Front, asked, number, redirected
from inveonimaging.app.pages.make import options_kept, source_of
from inveonimaging.app.pages.site import site_of
from inveonimaging.commands.check import check, check_folder, check_in_folder
from inveonimaging.errors import InputError, InveonError, printable
from inveonimaging.findings import in_few_lines, not_convertible
from inveonimaging.inveon.pairs import Pair, pair_of, scan_folder
from inveonimaging.reports.viewer import refuse_without_viewer
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.image import read_pair

PER_PAGE = 24
_LONGEST = 500
_LIGHTS = {"ready": "good", "already SUV": "good", "ready with doubts": "warning", "not ready": "error"}


@dataclass(frozen=True)
class Card:
    """A scan: what its header says, or why it cannot be read."""

    name: str
    path: Path
    kind: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    problem: str = ""

    @property
    def may_be_ticked(self) -> bool:
        """Whether it can be read, and its name is one line of text."""
        return not self.problem and self.name.isprintable() and ONLY.lines(self.name) == (self.name,)


def look(front: Front, request: Request) -> Response:
    """Show a page of the scans of a folder, or one scan."""
    source = source_of(front, asked(request, "source"))
    if _is_folder(source) and not scan_folder(source).pairs and (below := studies_below(source)).studies:
        front.state.visited(source)
        return front.page("look_below.html", source=source, below=below)
    pairs, others = _in_folder(source) if _is_folder(source) else ((pair_of(source),), ())
    front.state.visited(source)
    names = {each.name for each in pairs}
    pages = max(1, -(-len(pairs) // PER_PAGE))
    page = min(max(number(request, "page"), 1), pages)
    return front.page(
        "look.html",
        source=source,
        count=len(pairs),
        only=[each for each in ONLY.lines(front.drafts.of(source).get(ONLY.name, "")) if each in names],
        cards=[_card(each) for each in pairs[(page - 1) * PER_PAGE : page * PER_PAGE]],
        others=[each.name for each in others[:PER_PAGE]],
        more=max(0, len(others) - PER_PAGE),
        whole=_of_whole(front, source) if _is_folder(source) and len(pairs) <= PER_PAGE else None,
        page=page,
        pages=pages,
        site=site_of(front, source),
    )


def whole(front: Front, request: Request) -> Response:
    """Return what is found in a folder as a whole; of one with many scans it comes when the page is there."""
    return front.page("found_whole.html", whole=_of_whole(front, source_of(front, asked(request, "source"))))


def _of_whole(front: Front, folder: Path) -> list[dict[str, str]]:
    """Return what is found in a folder as a whole, the worst first; if it cannot be checked, the reason is among it."""
    options = options_kept(front, folder)
    try:
        found = check_folder(folder, options and replace(options, only=()))
    except InveonError as error:
        found = (not_convertible(error),)
    shown = (each for each in found if each.code != "skipped")  # which the page names
    return _by_severity(finding_row(each, folder) for each in in_few_lines(shown))


def _by_severity(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(rows, key=lambda each: ("error", "warning", "note").index(each["severity"]))


def only(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Tick a scan of a folder, or take its tick away; return what is to be made now. Without a tick it is all of them.

    Raises:
        InputError: so many names cannot be kept.
    """
    source = source_of(front, form.get("source", ""))
    pairs, _ = _in_folder(source)
    ticked = {*ONLY.lines(front.drafts.of(source).get(ONLY.name, ""))} - {form.get("name", "")}
    if form.get("taken") == YES:
        ticked.add(form.get("name", ""))
    names = [each.name for each in pairs if each.name in ticked]
    if len(text := "\n".join(names)) > LONGEST:
        raise InputError("this many scans cannot be ticked", path=source, hint="put them into a folder of their own")
    front.drafts.keep(source, {ONLY.name: text})
    return front.page("chosen.html", source=source, count=len(pairs), only=names)


def _in_folder(source: Path) -> tuple[tuple[Pair, ...], tuple[Path, ...]]:
    """Return the pairs of a folder, and what looks like half of one."""
    folder = scan_folder(source)
    if not folder.pairs:
        raise folder.without_pairs()
    return folder.pairs, (*folder.orphans, *(each.header for each in folder.foreign))


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for names that no file can have


def _card(pair: Pair) -> Card:
    from inveonimaging.reports.facts import tracer_words  # brings matplotlib, which the first page does without

    try:
        image = read_pair(pair)
    except InveonError as error:
        return Card(pair.name, pair.data, problem=printable(error.sentence, _LONGEST))
    start = image.header.acquisition.started_at
    rows = (
        ("Animal", image.header.subject.identifier or "not given"),
        ("Start", str(start) if start else "not given"),
        ("Tracer", tracer_words(image)),
        ("Frames", str(len(image.frames))),
        ("Voxels", " \N{MULTIPLICATION SIGN} ".join(map(str, image.grid.shape))),
    )
    return Card(pair.name, pair.data, image.kind, tuple((name, printable(value)) for name, value in rows if value))


def card(front: Front, request: Request) -> Response:
    """Return what is found in a scan: findings with what to do, and whether SUV can be computed.

    It is checked as one of its folder's, unless it alone is looked at, or they are so many that all headers take long.
    """
    scan, folder, options = _asked_scan(front, request)
    if folder and len(scan_folder(folder).pairs) <= PER_PAGE:
        checked = check_in_folder(scan, options)
        findings, suv = checked.findings, checked.suv
    else:
        found = check(scan, options)
        findings, suv = found.all_findings, next((each.suv for each in found.files if each.suv), None)
    rows = _by_severity(finding_row(each, scan) for each in in_few_lines(findings))
    verdict = suv.verdict.value if suv else ""
    return front.page("found.html", findings=rows, suv=verdict, light=_LIGHTS.get(verdict, ""))


def picture(front: Front, request: Request) -> Response:
    """Return the picture of a scan; there is none of what cannot be read."""
    scan, _, options = _asked_scan(front, request)
    try:
        return Response(front.pictures.of(scan, options), media_type="image/png")
    except (InveonError, OSError):
        return Response(status_code=404)


def _asked_scan(front: Front, request: Request) -> tuple[Path, Path | None, Corrections]:
    """Return a scan, its folder unless it alone is looked at, and what was chosen for what is looked at."""
    scan = source_of(front, asked(request, "scan"))
    alone = asked(request, "source") == str(scan)
    options = options_kept(front, scan if alone else scan.parent) or Corrections()
    return scan, None if alone else scan.parent, replace(options, only=())


def start_report(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Start the report of a folder or a scan, with or without the viewer."""
    return redirected(_report(front, source_of(front, form.get("source", "")), form.get("viewer", "")))


def again(front: Front, job: Job, _form: dict[str, str]) -> str:
    """Write a report again; return its page."""
    return _report(front, source_of(front, job.source), job.fields.get("viewer", ""))


def _report(front: Front, source: Path, viewer: str) -> str:
    if viewer == "yes":
        refuse_without_viewer()
    site_of(front, source).refuse()
    task = {
        "source": source,
        "page": front.jobs.new_page(),
        "viewer": viewer == "yes",
        "corrections": options_kept(front, source),
    }
    title = f"{'Viewer' if task['viewer'] else 'Report'} of {called(source)}"
    return f"/jobs/{front.jobs.start('report', task, title=title, source=source, given={'viewer': viewer}).id}"
