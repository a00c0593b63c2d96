"""Page 4: choose what to make, see the command for it, and start it."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from inveonimaging.app import choices
from inveonimaging.app.pages import Front, asked, redirected
from inveonimaging.conversion.job import refuse_planned
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import plan
from inveonimaging.errors import InputError, InveonError, printable

_LONGEST = 1000
_PATHS = ("subjects", "key_file", "code_table")


def source_of(front: Front, text: str) -> Path:
    """Return the folder or the scan that a page is about.

    Raises:
        InputError: it may not be opened, or is not there.
    """
    path = front.roots.inside(text)
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
        raise InputError("no such file or folder", path=path)
    return path


def options_kept(front: Front, source: Path) -> Options | None:
    """Return the options that were chosen for a folder; None if there are none, or they make no sense."""
    kept = front.drafts.get(str(source))
    try:
        return choices.options_of(kept) if kept else None
    except InveonError:
        return None


def make(front: Front, request: Request) -> Response:
    """Show the form, as it was left, or as the settings of the folder have it."""
    source = source_of(front, asked(request, "source"))
    set_here = front.settings(source)
    values = {**choices.defaults(), **set_here, **front.drafts.get(str(source), {})}
    output = front.drafts.get(str(source), {}).get("output") or str(choices.output_for(source))
    return front.page(
        "make.html",
        source=source,
        values=values,
        output=output,
        form=choices.FORM,
        groups=[("Afterwards", choices.AFTERWARDS), ("Animal", choices.ANIMAL), ("Privacy", choices.PRIVACY)],
        experts=choices.EXPERTS,
        line=choices.command_of(source, output, values, without_settings=bool(set_here)),
    )


def command(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return the command for what is chosen, and what is wrong with it; it is kept for this folder."""
    source, output, values = _asked_for(front, form)
    problem = ""
    try:
        options_in(front, values)
        output_in(front, output)
    except InveonError as error:
        problem = printable(error, _LONGEST)
    line = choices.command_of(source, output, values, without_settings=bool(front.settings(source)))
    return front.page("command.html", line=line, problem=problem)


def preview(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return what would be written."""
    source, output, values = _asked_for(front, form)
    options, folder = options_in(front, values), output_in(front, output)
    studies = plan(source, folder, options)
    refuse_planned(studies, folder, options)
    rows = [
        (printable(each.image.pair.name), each.image.kind, len(each.files), each.iod.name)
        for study in studies
        for each in study.series
    ]
    return front.page("preview.html", rows=rows, output=folder)


def convert(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Start the conversion."""
    source, output, values = _asked_for(front, form)
    return redirected(f"/jobs/{start(front, source, output, values)}")


def start(front: Front, source: Path, output: str, values: dict[str, str]) -> str:
    """Start a conversion; return its job.

    Raises:
        InveonError: a value makes no sense, or a path may not be opened.
    """
    folder = output_in(front, output)
    task = {
        "source": source,
        "output": folder,
        "options": options_in(front, values),
        "verify": values["verify"] == "yes",
        "report": values["report"] == "yes",
    }
    title = printable(source.name, 100)
    return front.jobs.start("convert", task, title=title, source=source, output=str(folder), given=values).id


def _asked_for(front: Front, form: dict[str, str]) -> tuple[Path, str, dict[str, str]]:
    source = source_of(front, form.get("source", ""))
    values, output = choices.chosen(form), form.get("output", "").strip()
    front.drafts[str(source)] = {**values, "output": output}
    return source, output, values


def options_in(front: Front, values: dict[str, str]) -> Options:
    """Return the options; files that they name lie in the roots."""
    for name in _PATHS:
        if values.get(name):
            values[name] = str(front.roots.pasted(values[name]))
    return choices.options_of(values)


def output_in(front: Front, text: str) -> Path:
    """Return the folder to write into; InveonError if it may not be opened."""
    if not text:
        raise InputError("no folder to write into is given", expected="a new or empty folder")
    return front.roots.pasted(text)
