"""Many studies: the page that starts a batch, and the table of what became of each study.

The state is the ledger in the output: the table reads that, whoever wrote it and whenever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from inveonimaging.app.choices.faults import Fault, fault_of
from inveonimaging.app.choices.forms import called, chosen, command_of, defaults, output_for
from inveonimaging.app.choices.table import STUDIES, YES
from inveonimaging.app.jobs.queue import Job
from inveonimaging.app.pages import batch_table
from inveonimaging.app.pages.front import Front, asked, link, number, redirected
from inveonimaging.app.pages.make import options_in, output_in, shown_line, shows_faults, source_of
from inveonimaging.app.pages.site import NO_CONFIG, site_of
from inveonimaging.batches import Batch, Check, Grouping, SkippedCounts, Study, plan_batch
from inveonimaging.batches.plan import refuse_batch
from inveonimaging.conversion.options import Options
from inveonimaging.errors import InveonError, OptionError, printable
from inveonimaging.inveon.pairs import count_pairs

KIND = STUDIES.name
_LONGEST = 1000
_BUDGET_S = 1.5
_MOST_LISTED = 100
_MOST_COUNTED, _MOST_DIGITS = 10_000, 3


def offer(front: Front, request: Request) -> Response:
    """Return the offer to convert the studies below a folder, if there are any; it was counted for a moment only."""
    folder = source_of(front, asked(request, "folder"))
    if batch_table.is_batch(folder):
        return front.page("offer.html", folder=folder, is_result=True)
    below = studies_below(folder)
    return front.page("offer.html", folder=folder, is_result=False, below=below)


class Below(NamedTuple):
    """The studies in a folder and below it.

    Attributes:
        total: how many there are, 0 if none lies in a folder below.
        is_more: whether there may be more.
        is_here: whether the folder itself is one.
        studies: the first of those below: their folders, and how many scans lie in each.
    """

    total: int = 0
    is_more: bool = False
    is_here: bool = False
    studies: tuple[tuple[Path, int], ...] = ()


def studies_below(folder: Path) -> Below:
    """Return the studies in a folder and below it; it is looked for a moment only."""
    end, count, is_here, is_over = monotonic() + _BUDGET_S, 0, False, False
    found: list[tuple[Path, int]] = []
    try:
        for each in plan_batch(folder, _output_for(folder), Options(), Grouping.FOLDER, SkippedCounts()):
            if isinstance(each, Study):
                is_here |= each.output == "."
                count += 1
                if each.output != "." and len(found) < _MOST_LISTED:
                    found.append((Path(each.source), count_pairs(Path(each.source))))
            if is_over := monotonic() > end or count == _MOST_COUNTED:
                break
    except InveonError:
        return Below()
    return Below(count, is_over, is_here, tuple(found)) if count > is_here else Below()


def batch(front: Front, request: Request) -> Response:
    """Show the form, as it was left."""
    source = source_of(front, asked(request, "source"))
    kept = {**_first(front, source), **front.drafts.of(_draft(source))}
    values = {each.name: each.taken(kept[each.name]) for each in STUDIES.fields}
    output = asked(request, "output") or front.drafts.of(_draft(source)).get("output") or str(_output_for(source))
    asked_for = _Asked(source, output, values)
    shown = {
        "site": site_of(front, source),
        "product": STUDIES,
        "is_unsaved": front.sheets.of(source).is_unsaved,
        **asked_for._asdict(),
    }
    return front.page("batch.html", **shown, **_command(front, asked_for))


def command(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return the command for what is chosen, and what is wrong with it; it is kept for this folder."""
    asked_for, fault = _asked_for(front, form), Fault("", "")
    try:
        _task(front, asked_for)
    except InveonError as error:
        fault = fault_of(error, STUDIES, form)
    return front.page("command.html", **_command(front, asked_for), problem=fault.words, field=fault.field)


@shows_faults
def preview(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return which studies there are, the first of them, each with what became of it last time."""
    asked_for = _asked_for(front, form)
    task = _task(front, asked_for)
    before = {each.study: each.state for each in _rows(task["output"])}
    count, listed = 0, []
    for each in plan_batch(task["root"], task["output"], task["options"], task["batch"].group, SkippedCounts()):
        if isinstance(each, Study):
            count += 1
            if count <= _MOST_LISTED:
                study = printable(each.output, 300)
                listed.append((_below(each.source, asked_for.source), study, before.get(study, "new")))
    return front.page("batch_preview.html", rows=listed, count=count, output=task["output"])


@shows_faults
def convert(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Start the batch."""
    return redirected(_started(front, _asked_for(front, form)))


def again(front: Front, job: Job, form: dict[str, str]) -> str:
    """Do a batch again, all that is not done or what failed alone; return its page."""
    asked_for = _Asked(source_of(front, job.source), job.output, chosen(job.fields, STUDIES))
    site_of(front, asked_for.source, job.fields)
    return _started(front, asked_for, only_failed=form.get("only_failed") == YES)


class _Asked(NamedTuple):
    """What was asked for: the folder, where to, and the values of the form."""

    source: Path
    output: str
    values: dict[str, str]


def _asked_for(front: Front, form: dict[str, str]) -> _Asked:
    """Return what a form asks for, which is kept."""
    found = _Asked(source_of(front, form.get("source", "")), form.get("output", "").strip(), chosen(form, STUDIES))
    site_of(front, found.source, form)
    more = {"output": found.output}
    front.drafts.keep_own(_draft(found.source), found.values, _first(front, found.source), more)
    return found


def _first(front: Front, source: Path) -> dict[str, str]:
    """Return what the form holds at first: what the settings say, and what was chosen for the same folder elsewhere."""
    return {**defaults(STUDIES), **site_of(front, source).values, **front.drafts.of(source)}


def _task(front: Front, asked_for: _Asked, *, only_failed: bool = False) -> dict[str, Any]:
    """Return what the job is given.

    Raises:
        InveonError: a value makes no sense, or a path may not be opened.
    """
    site_of(front, asked_for.source).refuse()
    values, output = asked_for.values, output_in(front, asked_for.output)
    options = options_in(front, values, STUDIES)
    refuse_batch(asked_for.source, output, options)
    how = Batch(
        group=Grouping(values["group"]),
        jobs=_whole(values["jobs"]),
        check=Check(values["check"]),
        verify=values["verify"] == YES,
        only_failed=only_failed,
    )
    return {"root": asked_for.source, "output": output, "options": options, "batch": how}


def _whole(text: str) -> int:
    if text and not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise OptionError(key="--jobs", got=text, expected="0 to 256")
    return int(text or 0)


def _started(front: Front, asked_for: _Asked, *, only_failed: bool = False) -> str:
    task, source = _task(front, asked_for, only_failed=only_failed), asked_for.source
    title = f"Studies in {called(source)}"
    output, left = str(task["output"]), {NO_CONFIG: YES} if site_of(front, source).is_left else {}
    given = {**asked_for.values, **left}
    return f"/jobs/{front.jobs.start(KIND, task, title=title, source=source, output=output, given=given).id}"


def _command(front: Front, asked_for: _Asked) -> dict[str, Any]:
    return shown_line(command_of(*asked_for, STUDIES, without_settings=site_of(front, asked_for.source).is_without))


# The table.


def studies(front: Front, request: Request) -> Response:
    """Show the studies of a batch: those that failed, that have warnings, or in which a text is; a page of them."""
    folder = source_of(front, asked(request, "folder"))
    show, text = _filter(request)
    table = batch_table.table_of(folder, show, text)
    page = min(max(number(request, "page"), 1), table.pages)
    jobs = [each for each in front.jobs.all if each.kind == KIND and each.output == str(folder)]
    return front.page(
        "studies.html",
        folder=folder,
        table=table,
        rows=table.page(page),
        page=page,
        show=show,
        text=text,
        job=jobs[0] if jobs else None,
        root=batch_table.root_of(table),
        address=link("/studies", folder=folder, show=show or None, text=text or None),
    )


def as_csv(front: Front, request: Request) -> Response:
    """Return the studies that are asked for as a CSV file."""
    folder = source_of(front, asked(request, "folder"))
    rows = batch_table.table_of(folder, *_filter(request)).rows
    headers = {"content-disposition": 'attachment; filename="studies.csv"'}
    return Response(batch_table.csv_of(rows), media_type="text/csv", headers=headers)


def _filter(request: Request) -> tuple[str, str]:
    show = asked(request, "show")
    return show if show in {batch_table.FAILED, batch_table.WARNED} else "", asked(request, "text").strip()[:_LONGEST]


def _draft(source: Path) -> str:
    return f"{KIND} {source}"


def _output_for(source: Path) -> Path:
    """Return the folder of the last batch beside the source, else one that is not there yet."""
    before = source.parent / f"{source.name}-dicom"
    return before if batch_table.is_batch(before) else output_for(source, STUDIES)


def _rows(folder: Path) -> Iterator[batch_table.StudyRow]:
    if batch_table.is_batch(folder):
        yield from batch_table.table_of(folder).rows


def _below(path: str, root: Path) -> str:
    return printable(os.path.relpath(path, root), 300)
