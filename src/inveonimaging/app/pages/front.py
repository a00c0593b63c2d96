"""The pages: each is a function that takes a request and fills a template with plain values."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import os
import re
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, PackageLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from inveonimaging.app.access.roots import Roots
from inveonimaging.app.access.secrets import Access
from inveonimaging.app.choices.faults import fault_of
from inveonimaging.app.jobs.queue import Job, Jobs
from inveonimaging.app.memory.drafts import Drafts
from inveonimaging.app.memory.sheets import Sheets
from inveonimaging.app.memory.state import State
from inveonimaging.app.memory.targets import Targets
from inveonimaging.app.pages.carried import brought, carried
from inveonimaging.app.pages.looks import Looks
from inveonimaging.app.pages.pictures import Pictures
from inveonimaging.errors import InveonError, printable
from inveonimaging.reports.viewer import templates
from inveonimaging.version import __version__

_LONGEST = 1000
_MOST_FIELDS, _MOST_ASKED, _MOST_DIGITS = 5000, 100, 6
_ADDRESS = re.compile(r"""((?<=\s)(?:href|src|action|formaction|hx-[a-z-]+)=["'])/""")
BAD, NOBODY = 400, 499
_STATIC = {
    "app.css": "text/css",
    "app.js": "text/javascript",
    "correct.css": "text/css",
    "correct.js": "text/javascript",
    "hotel.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "htmx.js": "text/javascript",
    "make.js": "text/javascript",
}
_PLACES = {"htmx.js": "htmx/htmx.min.js"}


class Front:
    """What the pages share: the folders that may be opened, what is remembered, and the secrets.

    Attributes:
        roots: folders that may be opened.
        state: what is remembered between starts.
        access: the secrets.
        port: on which the app listens.
        settings: returns what the settings of a place say, by the names of the form's fields.
        servers: returns the addresses of servers in the settings, by name.
        pictures: of scans.
        ending: is set when the app is to end.
        drafts: what was chosen on pages 2 to 4, by source.
        sheets: what was typed on page 3.
        looks: for animals in scans.
    """

    def __init__(
        self,
        *,
        roots: Roots,
        state: State,
        access: Access,
        port: int,
        settings: Callable[[Path], Mapping[str, str]] = lambda _: {},
        servers: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.roots, self.state, self.access, self.port = roots, state, access, port
        self.settings, self._servers = settings, servers
        self.pictures = Pictures()
        self.ending = threading.Event()
        self.drafts = Drafts(state)
        self.sheets = Sheets(state)
        self.looks = Looks()

    @cached_property
    def jobs(self) -> Jobs:
        """What is done in processes, and what earlier apps left."""
        return Jobs(self.state)

    @cached_property
    def targets(self) -> Targets:
        """Servers that DICOM is sent to, and the passwords that are held for them."""
        return Targets(self.state, self._servers)

    @property
    def running(self) -> list[Job]:
        """The jobs that are not over."""
        return [each for each in self.jobs.all if not each.is_over] if "jobs" in vars(self) else []

    def close(self) -> None:
        """Stop what runs."""
        self.looks.close()
        if "jobs" in vars(self):
            self.jobs.close()

    @cached_property
    def _environment(self) -> Environment:
        made = templates()
        made.loader = _AtBase("inveonimaging.app")
        made.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": False}
        made.filters["shown"] = lambda value: printable(value, _LONGEST)
        made.globals["base"] = self.access.base
        made.globals["link"] = lambda path, **values: self.access.base + link(path, **values)
        made.globals["version"] = __version__
        return made

    def fill(self, name: str, **values: Any) -> str:
        """Return a template, filled; what is put in is escaped."""
        return str(self._environment.get_template(name).render(change_token=self.access.change_token, **values))

    def page(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a template as an answer."""
        return HTMLResponse(carried(self.fill(name, **values)), status)


class _AtBase(PackageLoader):
    """Templates name pages from the app's top, `/look`; where that lies is put before them here."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool] | None]:
        """Return a template."""
        source, place, is_current = super().get_source(environment, template)
        return _ADDRESS.sub(r"\1{{ base }}/", source), place, is_current


def link(path: str, **values: object) -> str:
    """Return an address of the app with values in its query; None is left out."""
    given = {name: carried(str(value)) for name, value in values.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


Page = Callable[[Front, Request], Response]
"""A page that only shows."""

Change = Callable[[Front, Request, dict[str, str]], Response]
"""What a form changes; its fields by their names."""


def shows(front: Front, path: str, page: Page, turn: asyncio.Semaphore | None = None) -> Route:
    """Return the route of a page; what it is asked for and cannot show becomes a page that says why.

    Args:
        front: what pages share.
        path: of the page.
        page: makes it, in a thread.
        turn: of what takes long: so many at a time, which leaves threads to other pages. Who has gone is left out.
    """

    def shown(request: Request) -> Response:
        try:
            return page(front, request)
        except (InveonError, OSError) as error:
            return refused(front, request, error)

    async def in_turn(request: Request) -> Response:
        async with turn or contextlib.nullcontext():
            if turn and await request.is_disconnected():
                return Response(status_code=NOBODY)
            return await run_in_threadpool(shown, request)

    return Route(path, in_turn, methods=["GET"])


def changes(front: Front, path: str, change: Change) -> Route:
    """Return the route of a change; it runs in a thread."""

    async def endpoint(request: Request) -> Response:
        try:
            fields = values_of(await request.body(), _MOST_FIELDS)
        except ValueError:
            return message_page(front, request, BAD, "The form has too many fields.")
        try:
            return await run_in_threadpool(change, front, request, fields)
        except (InveonError, OSError) as error:
            return refused(front, request, error)

    return Route(path, endpoint, methods=["POST"])


def values_of(query: bytes, most: int) -> dict[str, str]:
    """Return the values of a form or a query; bytes of a path that are no UTF-8 are kept.

    Raises:
        ValueError: there are too many.
    """
    text = query.decode("utf-8", "surrogateescape")
    found = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=most)
    return {name: brought(value) for name, value in found}


def redirected(address: str) -> Response:
    """Return that htmx is to go to another page."""
    return Response(headers={"hx-redirect": address})


def refused(front: Front, request: Request, error: InveonError | OSError) -> Response:
    """Return what is wrong, as `message_page`; of the system's errors, with what they are about."""
    if isinstance(error, OSError):
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return message_page(front, request, BAD, f"{place}{error.strerror or error}")
    return message_page(front, request, BAD, fault_of(error).words)


def message_page(front: Front, request: Request, status: int, what: object) -> Response:
    """Return words: as a part of a page where one was asked for, else as a page that leads back."""
    words = printable(what, _LONGEST)
    if request.headers.get("hx-request"):
        return front.page("refused.html", status=200 if status == BAD else status, words=words, field="")
    return front.page("error.html", status=status, words=words)


def asked(request: Request, name: str) -> str:
    """Return a text of a query, empty if it is not there."""
    try:
        return values_of(request.scope["query_string"], _MOST_ASKED).get(name, "")
    except ValueError:
        return ""


def number(request: Request, name: str, default: int = 1) -> int:
    """Return a number of a query; what is none is the default."""
    text = asked(request, name)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else default


def static(_front: Front, request: Request) -> Response:
    """Return a file that pages need."""
    name = request.path_params["name"]
    if name not in _STATIC:
        return Response(status_code=404)
    return Response(static_file(name), media_type=_STATIC[name])


def static_file(name: str) -> bytes:
    """Return a file that pages need."""
    return (importlib.resources.files("inveonimaging.app") / "static" / _PLACES.get(name, name)).read_bytes()
