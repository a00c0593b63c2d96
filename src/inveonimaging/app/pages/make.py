"""Page 4: choose what to make, see the command for it, and start it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from inveonimaging.app.choices.faults import Fault, fault_of
from inveonimaging.app.choices.forms import (
    called,
    chosen,
    command_of,
    defaults,
    free_beside,
    is_inveon,
    options_of,
    output_for,
)
from inveonimaging.app.choices.previews import preview_of
from inveonimaging.app.choices.shell import is_safe, line_of
from inveonimaging.app.choices.table import (
    BOXES,
    DICOM,
    ONLY,
    PRODUCTS,
    RECURSIVE,
    SUBJECTS,
    YES,
    Field,
    Product,
    missing,
    product_of,
)
from inveonimaging.app.jobs.queue import Job
from inveonimaging.app.jobs.status import rows
from inveonimaging.app.pages.front import Change, Front, asked, redirected
from inveonimaging.app.pages.site import NO_CONFIG, site_of
from inveonimaging.errors import InputError, InveonError, OutputError
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.pairs import Pair, pair_of, scan_folder
from inveonimaging.storage.folders import is_same_folder, real_path
from inveonimaging.storage.staging import refuse_settled, refuse_used
from inveonimaging.storage.whole_files import refuse_taken
from inveonimaging.study.image import read_pair

_OF_OTHER_PAGES = (SUBJECTS.name, BOXES.name, ONLY.name)
_ADDING = {"bids"}  # what is there grows
_OF_FOLDERS = (ONLY, RECURSIVE)
_REPORTS = product_of("page")
_FEW = 20  # scans, whose headers are read at once


def source_of(front: Front, text: str) -> Path:
    """Return the folder or the scan that a page is about.

    Raises:
        InputError: it may not be opened, or is not there.
    """
    path = front.roots.inside(text)
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
        raise InputError("no such file or folder", path=path)
    return path


def options_kept(front: Front, source: Path, product: Product = _REPORTS) -> Any:
    """Return the options that were chosen for a folder, or are its settings; None if there are none, or make no sense.

    Those of a report are `Corrections`: what counts instead of the headers. What was kept may name any file, since it
    is kept before it is refused.
    """
    kept, set_here = front.drafts.of(source), site_of(front, source).values
    try:
        known = {**defaults(product), **set_here, **kept}
        return options_in(front, known, product) if kept or set_here else None
    except InveonError:
        return None


def options_in(front: Front, values: dict[str, str], product: Product = DICOM) -> Any:
    """Return the options of what is chosen; files that it names lie in the roots.

    Raises:
        InveonError: a value makes no sense, or a path may not be opened.
    """
    for each in product.fields:
        if each.is_path:
            several = each.lines(values.get(each.name, ""))
            values[each.name] = "\n".join(str(front.roots.pasted(path)) for path in several)
    return options_of(values, product)


def output_in(front: Front, text: str, product: Product = DICOM) -> Path:
    """Return what is written into.

    Raises:
        InputError: it may not be opened, or is not named.
    """
    if not text:
        expected = "a new file" if product.is_file else "a new or empty folder"
        raise InputError("nothing to write into is given", path="", expected=expected)
    return front.roots.pasted(text)


def output_kept(front: Front, source: Path) -> Path:
    """Return where what is made of a source goes, as it was chosen or is suggested."""
    draft = front.drafts.of(source)
    product = product_of(draft.get("make", ""))
    return Path(draft.get(_output_name(product)) or _suggested(front, source, product))


# The pages.


def make(front: Front, request: Request) -> Response:
    """Show the form, as it was left, or as the settings of the folder have it."""
    source = source_of(front, asked(request, "source"))
    draft = front.drafts.of(source)
    wanted = asked(request, "make") or draft.get("make") or ("split" if draft.get(BOXES.name) else "")
    product = product_of(wanted)
    is_ct = _is_ct_alone(source)
    products = [(each, is_ct and each.of_activity, missing(each)) for each in PRODUCTS]
    if any(each is product and (is_idle or lacks) for each, is_idle, lacks in products):
        product = DICOM
    unsaved = front.sheets.of(source).is_unsaved
    return front.page(
        "make.html",
        products=products,
        is_unsaved=unsaved,
        is_above=_is_above_scans(source),
        **_shown(front, source, product),
    )


def shows_faults(change: Change) -> Change:
    """Return what a form changes; an error is shown beside the form, with its field."""

    @wraps(change)
    def answered(front: Front, request: Request, form: dict[str, str]) -> Response:
        try:
            return change(front, request, form)
        except InveonError as error:
            fault = fault_of(error, product_of(form.get("make", "")), form)
            answer = front.page("refused.html", words=fault.words, field=fault.field)
            answer.headers["hx-retarget"] = "#refusal"  # which stays in sight
            return answer

    return answered


@shows_faults
def switch(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return the form of another kind; what was chosen in the one that is left is kept."""
    asked_for = _Asked(front, {**form, "make": form.get("shown", "")})
    product = product_of(form.get("make", ""))
    front.drafts.keep(asked_for.source, {"make": product.name})
    return front.page("making.html", **_shown(front, asked_for.source, product))


@shows_faults
def reset(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return the form with its defaults; the sheet, the boxes and the scans of other pages stay."""
    asked_for = _Asked(front, form)
    names = {each.name for each in asked_for.product.fields} - {*_OF_OTHER_PAGES}
    front.drafts.keep(asked_for.source, {}, without={*names, _output_name(asked_for.product)})
    return front.page("making.html", **_shown(front, asked_for.source, asked_for.product))


def command(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return the command for what is chosen, and what is wrong with it; it is kept for this folder."""
    asked_for = _Asked(front, form)
    fault = Fault("", "")
    try:
        asked_for.task()
    except InveonError as error:
        fault = fault_of(error, asked_for.product, asked_for.fields)
    return front.page("command.html", **_command(asked_for), problem=fault.words, field=fault.field)


@shows_faults
def preview(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return what would be written."""
    asked_for = _Asked(front, form)
    found = preview_of(asked_for.product.name, asked_for.task())
    return front.page("preview.html", found=found, findings=rows(found.findings), output=asked_for.output)


@shows_faults
def convert(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Start what was chosen; what its plan refuses is shown at once, if that takes no time."""
    asked_for = _Asked(front, form)
    task = asked_for.task()
    asked_for.refuse_used_output()
    if (
        asked_for.product.name != "split"
        and asked_for.values.get(RECURSIVE.name) != YES
        and _few(asked_for.source) is not None
    ):
        preview_of(asked_for.product.name, task)
    return redirected(f"/jobs/{_start(front, asked_for)}")


def again(front: Front, job: Job) -> str:
    """Start a job again, with what was chosen for it; return the new one.

    What it had written itself before it ended is replaced.

    Raises:
        InveonError: that makes no sense any more.
    """
    known = defaults(product_of(job.kind))  # an earlier app may have kept less
    form = {**known, "output": job.output, **job.fields, "source": job.source, "make": job.kind}
    return _start(front, _Asked(front, form), replaces=job.has_written)


def _start(front: Front, asked_for: _Asked, *, replaces: bool = False) -> str:
    product, task = asked_for.product, asked_for.task()
    if replaces and asked_for.values["overwrite"] != YES:
        task["replaces"] = True
    else:
        asked_for.refuse_used_output()
    output = Path(asked_for.output)
    job = front.jobs.start(
        product.name,
        task,
        title=f"{product.label} of {called(asked_for.source)}",
        source=asked_for.source,
        output=str(output.parent if product.is_file else output),
        given=asked_for.fields,
    )
    return job.id


# What was asked for.


class _Asked:
    """A form that was sent: what is made of which source, with which values; they are kept.

    Raises:
        InputError: the source may not be opened.
    """

    def __init__(self, front: Front, form: Mapping[str, str]) -> None:
        self._front = front
        self.source = source_of(front, form.get("source", ""))
        self.product = product_of(form.get("make", ""))
        self.values = chosen(form, self.product)
        self.output = form.get("output", "").strip()
        self.site = site_of(front, self.source, form)
        first = {**defaults(self.product), **self.site.values}
        more = {"make": self.product.name, _output_name(self.product): self.output}
        front.drafts.keep_own(self.source, self.values, first, more)

    @property
    def fields(self) -> dict[str, str]:
        """All of the form, to do it again."""
        left = {NO_CONFIG: YES} if self.site.is_left else {}
        return {**self.values, "make": self.product.name, "output": self.output, **left}

    def task(self) -> dict[str, Any]:
        """Return what the job is given.

        Raises:
            InveonError: a value makes no sense, or a path may not be opened.
        """
        self.site.refuse()
        values, options = self.values, options_in(self._front, self.values, self.product)
        output = self._output()
        self.output = str(output)
        task = {"source": self.source, "output": output, "options": options}
        return task | _BESIDE.get(self.product.name, dict)(values) | self._outputs(output)

    def _output(self) -> Path:
        output = output_in(self._front, self.output, self.product)
        written = (
            each for field in self.product.fields if field.is_written for each in field.lines(self.values[field.name])
        )
        if os.path.isdir(self.source):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
            for path in (output, *map(Path, written)):
                if _is_in(path, self.source):
                    expected = "a folder next to it: nothing is written there"
                    raise InputError("is inside the folder that is read", path=path, expected=expected)
        return output

    def _outputs(self, output: Path) -> dict[str, Any]:
        """Return all files of curves."""
        if self.product.name != "curves":
            return {}
        return {"outputs": [output, *map(Path, self.values["more_outputs"].splitlines())]}

    def refuse_used_output(self) -> None:
        """Refuse, before anything is read, what is there already and is not to be replaced.

        Raises:
            OutputError: there is something.
        """
        output, is_replaced = Path(self.output), self.values["overwrite"] == YES
        if self.product.is_file:
            refuse_taken(output, overwrite=is_replaced)
        elif self.product.name in {"convert", "split"} and not is_replaced:
            refuse_settled(output, partial(refuse_used, output))


def _of_dicom(values: Mapping[str, str]) -> dict[str, Any]:
    return {"verify": values["verify"] == YES, "report": values["report"] == YES}


def _of_split(values: Mapping[str, str]) -> dict[str, Any]:
    is_pairs = is_inveon(values, product_of("split"))
    afterwards = {"verify": False, "report": False} if is_pairs else _of_dicom(values)
    return {
        **afterwards,
        "inveon": is_pairs,
        "boxes": _path_or_none(values["boxes"]),
        "preview": _path_or_none(values["preview"]),
    }


def _of_page(values: Mapping[str, str]) -> dict[str, Any]:
    is_viewer, is_replaced = values["viewer"] == YES, values["overwrite"] == YES
    return {"viewer": is_viewer, "overwrite": is_replaced, "pictures": _path_or_none(values["png"])}


def _path_or_none(text: str) -> Path | None:
    return Path(text) if text else None


_BESIDE: dict[str, Callable[..., dict[str, Any]]] = {"convert": _of_dicom, "split": _of_split, "page": _of_page}
"""What jobs take beside the options."""


# What the page shows.


def _shown(front: Front, source: Path, product: Product) -> dict[str, Any]:
    """Return what the form is filled with."""
    draft, site = front.drafts.of(source), site_of(front, source)
    values = {
        each.name: each.taken(draft.get(each.name, site.values.get(each.name, each.first))) for each in product.fields
    }
    asked_for = {"make": product.name, "source": str(source), **values}
    output = _offered(front, draft, source, product)
    words = command_of(source, output, values, product, without_settings=site.is_without)
    is_folder = os.path.isdir(source)  # noqa: PTH112 - raises for no name
    groups = [(name, [each for each in fields if _is_of(each, is_folder)]) for name, fields in product.groups]
    return {
        "source": source,
        "site": site,
        "product": product,
        "values": asked_for,
        "output": output,
        "groups": groups,
        "experts": product.experts,
        **shown_line(words),
    }


def _is_ct_alone(source: Path) -> bool:
    """Return whether a scan, or all of the few of a folder, is CT; what cannot be read may be anything."""
    try:
        pairs = _few(source)
        return bool(pairs) and all(read_pair(each).modality is Modality.CT for each in pairs or ())
    except InveonError:
        return False


def _is_above_scans(source: Path) -> bool:
    """Return whether a folder holds no scan itself, but folders that may."""
    if not os.path.isdir(source):  # noqa: PTH112 - raises for no name
        return False
    folder = scan_folder(source)
    return not folder.pairs and bool(folder.entered)


def _few(source: Path) -> tuple[Pair, ...] | None:
    """Return the pairs of a folder, or the one, if they are so few that their headers are read at once; else None.

    Raises:
        InputError: the folder cannot be read, or the file is no scan.
    """
    is_folder = os.path.isdir(source)  # noqa: PTH112 - raises for no name
    pairs = scan_folder(source).pairs if is_folder else (pair_of(source),)
    return pairs if len(pairs) <= _FEW else None


def _is_of(field: Field, is_folder: bool) -> bool:
    return is_folder or field not in _OF_FOLDERS


def _command(asked_for: _Asked) -> dict[str, Any]:
    without, product = asked_for.site.is_without, asked_for.product
    return shown_line(
        command_of(asked_for.source, asked_for.output, asked_for.values, product, without_settings=without)
    )


def shown_line(words: list[str]) -> dict[str, Any]:
    """Return a command as the page shows it, and whether this system's shell takes it as it is meant."""
    windows = os.name == "nt"
    return {"line": line_of(words, windows=windows), "is_safe": is_safe(words, windows=windows)}


def _output_name(product: Product) -> str:
    return f"output-{product.name}"


def _suggested(front: Front, source: Path, product: Product) -> Path:
    """Return a place beside the source's folder that is not there yet; in it, of a scan that alone is open."""
    output = output_for(source, product)
    return output if front.roots.holds(output) else output_for(source, product, beside=source.parent)


def _offered(front: Front, draft: Mapping[str, str], source: Path, product: Product) -> str:
    """Return where to write: where it was chosen; a free place beside that once it is filled, as by an earlier run."""
    kept = draft.get(_output_name(product))
    if not kept:
        return str(_suggested(front, source, product))
    adds = product.name in _ADDING or draft.get("overwrite") == YES
    return kept if adds or not _is_filled(Path(kept)) else str(free_beside(Path(kept), is_file=product.is_file))


def _is_filled(output: Path) -> bool:
    try:
        refuse_settled(output, partial(refuse_used, output))
    except OutputError:
        return True
    return False


def _is_in(path: Path, folder: Path) -> bool:
    """Return whether a path that may not be there yet is a folder, or lies in it."""
    real, place = real_path(folder), real_path(path)
    return any(is_same_folder(each, real) for each in (place, *place.parents))
