"""Sending: choose a server, see where what goes, try the connection, send. Nothing else leaves this computer."""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from inveonimaging.app.choices.forms import called
from inveonimaging.app.choices.shell import line_of
from inveonimaging.app.jobs.queue import Job
from inveonimaging.app.memory.targets import FILES, Kept, in_words
from inveonimaging.app.pages.front import Front, asked, link, redirected
from inveonimaging.app.pages.make import source_of
from inveonimaging.errors import InveonError, OptionError, TargetError, printable
from inveonimaging.extras import refuse_without_extra
from inveonimaging.sending.job import try_target
from inveonimaging.sending.target import DicomTarget
from inveonimaging.storage.manifests import MANIFEST, read_manifest
from inveonimaging.storage.shapes import fits
from inveonimaging.units import counted

KIND = "send"
_LONGEST = 500
_BUDGET_S = 0.5
_TRY_S = 10.0
_JOURNALS, _MOST_JOURNALS = "sent", 100


def send(front: Front, request: Request) -> Response:
    """Show the servers to choose from; with one chosen, what goes where, to be confirmed."""
    folder = source_of(front, asked(request, "folder"))
    name = asked(request, "target")
    if not name:
        return front.page("send.html", folder=folder, targets=front.targets.all, missing=_missing())
    target = front.targets.get(name)
    files, others = _files_below(folder)
    return front.page(
        "send_to.html",
        folder=folder,
        target=target,
        files=files,
        others=others,
        is_held=bool(front.targets.credentials(name)),
        was_sent=_journal(front, folder, target).exists(),
        line=line_of(target.command(folder), windows=os.name == "nt"),
        missing=_missing(),
    )


def add(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Keep a server, and choose it."""
    folder = source_of(front, form.get("folder", ""))
    given = {name: form.get(name, "").strip()[:_LONGEST] for name in (*_FORM, *FILES)}
    files: dict[str, Any] = {name: str(front.roots.pasted(given[name])) for name in FILES if given[name]}
    address = given["url"] if form.get("kind") == "web" else str(_dicom(given))
    kept = Kept(
        name=given["name"],
        address=address,
        tls=form.get("tls") == "yes",
        tls_name=given["tls_name"],
        plain=form.get("plain") == "yes",
        **files,
    )
    try:
        front.targets.keep(kept)
    except OptionError as error:
        raise OptionError(in_words(str(error))) from error
    return redirected(link("/send", folder=folder, target=kept.name))


_FORM = ("name", "url", "host", "port", "called", "calling", "tls_name")


def remove(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Remove a server."""
    front.targets.remove(form.get("target", ""))
    return redirected(link("/send", folder=source_of(front, form.get("folder", ""))))


def forget(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Forget the password of a server."""
    front.targets.forget(form.get("target", ""))
    return redirected(link("/send", folder=source_of(front, form.get("folder", "")), target=form.get("target", "")))


def try_it(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Return whether the server is there and lets us in; nothing is sent."""
    target = _target_and_secrets(front, form)
    environment = {**os.environ, **front.targets.credentials(target.name)}
    try:
        try_target(target.address, target.options(timeout_s=_TRY_S, retries=0), environment)
    except (TargetError, OptionError) as error:
        return front.page("tried.html", words=in_words(printable(error, _LONGEST)), is_there=False)
    return front.page("tried.html", words=f"{target.name} answers and accepts this computer.", is_there=True)


def start(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """Start to send."""
    folder = source_of(front, form.get("folder", ""))
    target = _target_and_secrets(front, form)
    return redirected(_started(front, folder, target, anew=form.get("anew") == "yes"))


def again(front: Front, job: Job, _form: dict[str, str]) -> str:
    """Send what the server has not confirmed; return the page of it, or that which asks for a password once more."""
    folder = source_of(front, job.source)
    name = job.fields.get("target", "")
    if name not in {each.name for each in front.targets.all}:
        return link("/send", folder=folder)
    target, is_known = front.targets.get(name), bool(front.targets.credentials(name))
    if target.where != job.fields.get("address") or (job.fields.get("had_secret") == "yes" and not is_known):
        return link("/send", folder=folder, target=name)
    return _started(front, folder, target, anew=False)


def _started(front: Front, folder: Path, target: Kept, *, anew: bool) -> str:
    refuse_without_extra("sending", "send", {"pynetdicom": "pynetdicom", "requests": "requests"})
    credentials = front.targets.credentials(target.name)
    _forget_old_journals(front)
    task = {
        "source": folder,
        "target": target.address,
        "options": target.options(journal=_journal(front, folder, target)),
        "credentials": dict(credentials),
        "anew": anew,
    }
    fields = {"target": target.name, "address": target.where, "had_secret": "yes" if credentials else ""}
    title = f"Sending {called(folder)} to {target.name}"
    return f"/jobs/{front.jobs.start(KIND, task, title=title, source=folder, given=fields).id}"


def _target_and_secrets(front: Front, form: dict[str, str]) -> Kept:
    """Return the server of a form, whose password is held from now on."""
    target = front.targets.get(form.get("target", ""))
    if target.is_web:
        front.targets.hold(target.name, form.get("user", ""), form.get("password", ""), form.get("bearer", ""))
    return target


def _dicom(given: dict[str, str]) -> DicomTarget:
    port = given["port"]
    if not (port.isascii() and port.isdecimal() and len(port) <= 5):  # noqa: PLR2004 - as 65535 has
        raise OptionError("the port is not a number", got=port, expected="1 to 65535")
    for name in ("host", "called", "calling"):
        if not given[name]:
            raise OptionError(f"{_WORDS[name]} is missing", hint="ask the server's administrator")
    return DicomTarget(given["calling"], given["called"], given["host"].strip("[]"), int(port))


_WORDS = {"host": "the server's host", "called": "the server's AE title", "calling": "the AE title of this computer"}


def _journal(front: Front, folder: Path, target: Kept) -> Path:
    """Return the file that says what a server confirmed of a folder, so that a second time goes on."""
    digest = sha256(f"{folder}\0{target.goal}".encode("utf-8", "surrogateescape")).hexdigest()
    return front.state.folder / _JOURNALS / f"{digest[:32]}.jsonl"


def _forget_old_journals(front: Front) -> None:
    """Leave the journals that were written last; what older ones list would be sent again."""
    found = [(each.stat().st_mtime, each) for each in (front.state.folder / _JOURNALS).glob("*.jsonl")]
    for _, path in sorted(found, reverse=True)[_MOST_JOURNALS:]:
        with contextlib.suppress(OSError):
            path.unlink()


def _files_below(folder: Path) -> tuple[str, int]:
    """Return how many DICOM files lie in a folder, in words, and how many of them a study's manifest does not name.

    They are counted by their names, for a moment only. Where no manifest is, none is known to be another's.
    """
    end, count = monotonic() + _BUDGET_S, int(folder.is_file())
    made: set[str] = set()
    others: list[str] = []
    for place, _, names in os.walk(folder):
        if MANIFEST in names:
            made |= _made_in(Path(place))
        found = [os.path.join(place, name) for name in names if name.lower().endswith(".dcm")]  # noqa: PTH118 - many
        count += len(found)
        others += (each for each in found if each not in made)
        if monotonic() > end:
            return f"more than {counted(count, 'file')}", len(others) if made else 0
    return counted(count, "file"), len(others) if made else 0


def _made_in(study: Path) -> set[str]:
    """Return the paths of the files that a study's manifest names; none if it cannot be read."""
    document, _ = read_manifest(study, follow=True) or ({}, b"")
    series = document.get("series")
    known = series if isinstance(series, list) and fits(series, [{"folder": str, "files": [{"name": str}]}]) else []
    return {str(study / each["folder"] / one["name"]) for each in known for one in each["files"]}


def _missing() -> str:
    """Return what is to be installed before anything can be sent; empty if it is there."""
    try:
        refuse_without_extra("sending", "send", {"pynetdicom": "pynetdicom", "requests": "requests"})
    except InveonError as error:
        return printable(error, _LONGEST)
    return ""
