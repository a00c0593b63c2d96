"""Many studies: the page that starts a batch, and the table of what became of each study.

The state is the ledger in the output: the table reads that, whoever wrote it and whenever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

from starlette.requests import Request
from starlette.responses import Response

from inveonimaging.app import batch_table, choices
from inveonimaging.app.choices import Field
from inveonimaging.app.faults import fault_of
from inveonimaging.app.forms import output_for
from inveonimaging.app.jobs import Job
from inveonimaging.app.make import options_in, output_in, source_of
from inveonimaging.app.pages import Front, asked, link, number, redirected
from inveonimaging.app.shell import line_of
from inveonimaging.batches import Batch, Check, Grouping, SkippedCounts, Study, plan_batch
from inveonimaging.batches.plan import refuse_batch
from inveonimaging.conversion.options import Options
from inveonimaging.errors import InveonError, OptionError, printable

KIND = "batch"
_LONGEST = 1000
_BUDGET_S = 1.5
_MOST_LISTED = 100
_MOST_COUNTED, _MOST_DIGITS = 10_000, 3

HOW = (
    Field(
        "group",
        "--group",
        "A study is",
        "If in doubt, leave it.",
        (("folder", "Each folder of scans"), ("header", "One animal on one day, wherever its scans lie")),
    ),
    Field("verify", "--verify", "Compare every value with the scanner's files afterwards", ticked=True),
)
RARELY = (
    Field("jobs", "--jobs", "Studies at a time", "Empty: one for each processor core.", example="2"),
    Field(
        "check",
        "--check",
        "A study has changed since last time",
        choices=(("quick", "If sizes or times differ"), ("digest", "If contents differ, which takes longer")),
    ),
    Field("mask_others", "--mask-others", "Blank the neighbours of animals that were scanned together", ticked=False),
)
_OF_ONE_STUDY = (choices.VERIFY, choices.REPORT, choices.OVERWRITE, choices.ONLY, choices.RECURSIVE, choices.MANIFEST)
FORMS = tuple(each for each in choices.DICOM.fields if each not in _OF_ONE_STUDY)
EXPERTS = tuple(each for each in choices.DICOM.experts if each in FORMS)
STUDIES = choices.Product(KIND, KIND, "Studies", "All below a folder.", (("", FORMS),), (), "-dicom")
SHEET = tuple(each for each in choices.ANIMAL if each.name == "subjects")
FIELDS = (*HOW, *RARELY, *FORMS)


def offer(front: Front, request: Request) -> Response:
    """Return the offer to convert the studies below a folder, if there are any; it was counted for a moment only."""
    folder = source_of(front, asked(request, "folder"))
    if batch_table.is_batch(folder):
        return front.page("offer.html", folder=folder, is_result=True)
    count, more, is_here = _studies_below(folder)
    return front.page("offer.html", folder=folder, is_result=False, count=count, more=more, is_here=is_here)


def _studies_below(folder: Path) -> tuple[int, bool, bool]:
    """Return how many studies there are, whether there may be more, and whether the folder itself is one.

    The number is 0 if none lies in a folder below.
    """
    end, places = monotonic() + _BUDGET_S, list[str]()
    is_over = False
    try:
        for each in plan_batch(folder, _output_for(folder), Options(), Grouping.FOLDER, SkippedCounts()):
            if isinstance(each, Study):
                places.append(each.output)
            if is_over := monotonic() > end or len(places) == _MOST_COUNTED:
                break
    except InveonError:
        return 0, False, False
    is_here = "." in places[:1]
    return len(places) if len(places) > is_here else 0, is_over, is_here


def batch(front: Front, request: Request) -> Response:
    """Show the form, as it was left."""
    source = source_of(front, asked(request, "source"))
    set_here = front.settings(source)
    kept = front.drafts.get(_draft(source), {})
    values = {**_defaults(), **set_here, **front.drafts.get(str(source), {}), **kept}
    output = asked(request, "output") or kept.get("output") or str(_output_for(source))
    return front.page(
        "batch.html",
        source=source,
        values=values,
        output=output,
        first=(*HOW[:1], choices.FORM, *HOW[1:]),
        groups=[("Animals", SHEET), ("Privacy", choices.PRIVACY)],
        experts=(*RARELY, *(each for each in choices.ANIMAL if each not in SHEET), *EXPERTS),
        line=_command(source, output, values, without_settings=bool(set_here)),
    )


def command(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return the command for what is chosen, and what is wrong with it; it is kept for this folder."""
    source, output, values = _asked_for(front, form)
    problem = ""
    try:
        options = options_in(front, values, STUDIES)
        _how(values)
        refuse_batch(source, output_in(front, output), options)
    except InveonError as error:
        problem = fault_of(error).words
    line = _command(source, output, values, without_settings=bool(front.settings(source)))
    return front.page("command.html", line=line, problem=problem)


def preview(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return which studies there are, the first of them, each with what became of it last time."""
    source, output, values = _asked_for(front, form)
    options, folder, how = options_in(front, values, STUDIES), output_in(front, output), _how(values)
    before = {each.study: each.state for each in _rows(folder)}
    count, listed = 0, []
    for each in plan_batch(source, folder, options, how.group, SkippedCounts()):
        if isinstance(each, Study):
            count += 1
            if count <= _MOST_LISTED:
                study = printable(each.output, 300)
                listed.append((_below(each.source, source), study, before.get(study, "new")))
    return front.page("batch_preview.html", rows=listed, count=count, output=folder)


def convert(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Start the batch."""
    source, output, values = _asked_for(front, form)
    return redirected(f"/jobs/{start(front, source, output, values)}")


def start(front: Front, source: Path, output: str, values: dict[str, str], *, only_failed: bool = False) -> str:
    """Start a batch; return its job.

    Raises:
        InveonError: a value makes no sense, or a path may not be opened.
    """
    folder, options = output_in(front, output), options_in(front, values, STUDIES)
    refuse_batch(source, folder, options)
    task = {
        "root": source,
        "output": folder,
        "options": replace(options, mask_others=values.get("mask_others") == "yes"),
        "batch": _how(values, only_failed=only_failed),
    }
    title = f"Studies below {printable(source.name or source, 100)}"
    return front.jobs.start(KIND, task, title=title, source=source, output=str(folder), given=values).id


def again(front: Front, job: Job, form: dict[str, str]) -> str:
    """Do a batch again, all that is not done or what failed alone; return its page."""
    only_failed = form.get("only_failed") == "yes"
    return f"/jobs/{start(front, source_of(front, job.source), job.output, job.fields, only_failed=only_failed)}"


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


# The form.


def _draft(source: Path) -> str:
    return f"{KIND} {source}"


def _defaults() -> dict[str, str]:
    return {each.name: each.choices[0][0] if each.choices else "yes" if each.ticked else "" for each in FIELDS}


def _asked_for(front: Front, form: dict[str, str]) -> tuple[Path, str, dict[str, str]]:
    source = source_of(front, form.get("source", ""))
    values, output = (
        {**{each.name: each.taken(form.get(each.name, "")) for each in FORMS}, **_taken(form)},
        form.get("output", "").strip(),
    )
    front.drafts.keep(_draft(source), {**values, "output": output})
    return source, output, values


def _taken(form: dict[str, str]) -> dict[str, str]:
    """Return what was sent for the fields of batches; of choices those that there are."""
    found = {each.name: form.get(each.name, "").strip()[:_LONGEST] for each in (*HOW, *RARELY)}
    for each in (*HOW, *RARELY):
        if each.choices and found[each.name] not in dict(each.choices):
            found[each.name] = each.choices[0][0]
    return found


def _how(values: dict[str, str], *, only_failed: bool = False) -> Batch:
    text = values.get("jobs", "")
    if text and not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise OptionError("--jobs is no number", got=text, expected="0 to 256")
    return Batch(
        group=Grouping(values.get("group") or Grouping.FOLDER),
        jobs=int(text or 0),
        check=Check(values.get("check") or Check.QUICK),
        verify=values.get("verify") == "yes",
        only_failed=only_failed,
    )


def _command(source: Path, output: str, values: dict[str, str], *, without_settings: bool) -> str:
    words = ["inveon", KIND, str(source), output]
    for each in FIELDS:
        value = values.get(each.name, "")
        if each.ticked is not None:
            words += [each.option] if value == "yes" else []
        elif value not in {"", _defaults()[each.name]}:
            words.append(f"{each.option}={value}")
    words += ["--no-config"] if without_settings else []
    return line_of(words, windows=os.name == "nt")


def _output_for(source: Path) -> Path:
    """Return the folder of the last batch beside the source, else one that is not there yet."""
    before = source.parent / f"{source.name}-dicom"
    return before if batch_table.is_batch(before) else output_for(source, choices.DICOM)


def _rows(folder: Path) -> Iterator[batch_table.Row]:
    if batch_table.is_batch(folder):
        yield from batch_table.table_of(folder).rows


def _below(path: str, root: Path) -> str:
    return printable(os.path.relpath(path, root), 300)
