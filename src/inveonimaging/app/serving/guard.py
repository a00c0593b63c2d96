"""The check before every page: it refuses by `rules`, and puts its headers on every answer, errors too."""

from __future__ import annotations

import base64
import hashlib
import traceback
from collections.abc import Callable
from functools import cache
from html import escape

from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inveonimaging.app.access.rules import HEADERS, MOST_BYTES, POLICY, START, Head, Refusal, refusal_of
from inveonimaging.app.access.secrets import Access
from inveonimaging.app.pages.front import static_file

_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>inveon</title>'
    "<style>{style}</style></head>"
    '<body><main><p class="brand">inveon</p><h1>{title}</h1><p>{words}</p></main></body></html>'
)
_PART = '<p class="problem" role="alert">{words}</p>'
_POLICY = b"content-security-policy"
_LEADING = {b"location", b"hx-redirect", b"hx-location", b"hx-push-url", b"hx-replace-url"}


class TooLargeError(Exception):
    """A body is longer than any form."""


class Guard:
    """Passes on the requests that keep the rules."""

    def __init__(
        self, app: ASGIApp, *, access: Access, port: int, log: Callable[[str], object] = lambda _: None
    ) -> None:
        """Stand before an app.

        Args:
            app: gets what passes.
            access: the secrets.
            port: on which the app listens.
            log: is called with faults of the program, in several lines.
        """
        self._app, self._access, self._port, self._log = app, access, port, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _with_headers(send)
        head = head_of(scope)
        refusal = refusal_of(head, self._port, self._access)
        if refusal:
            await (_part if head.one("hx-request") else alone)(refusal)(scope, receive, answer)
            return
        if scope["path"] != START:
            scope, answer = {**scope, "root_path": self._access.base}, _at(self._access.base, answer)
        try:
            await self._app(scope, _bounded(receive), answer)
        except ClientDisconnect:  # it went before it had sent all
            pass
        except Exception as error:  # noqa: BLE001 - a fault of the program; there is an answer already
            path = head.path.removeprefix(self._access.base)
            self._log(f"{head.method} {path}: " + "".join(traceback.format_exception(error)))


def head_of(scope: Scope) -> Head:
    """Return the head of a request."""
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    return Head(scope["method"], scope["path"], headers)


def alone(refusal: Refusal, title: str = "This page cannot be shown") -> HTMLResponse:
    """Return a page that needs nothing else, for those who get no other file; its style is that of all pages."""
    style = static_file("app.css").decode()
    answer = HTMLResponse(_PAGE.format(style=style, title=title, words=escape(refusal.words)), refusal.status)
    answer.headers["content-security-policy"] = policy_alone()
    return answer


@cache
def policy_alone() -> str:
    """Return the policy of a page that is alone: its style is the one that it may have."""
    digest = base64.b64encode(hashlib.sha256(static_file("app.css")).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _part(refusal: Refusal) -> HTMLResponse:
    return HTMLResponse(_PART.format(words=escape(refusal.words)), refusal.status)


def _bounded(receive: Receive) -> Receive:
    """Return what gives a body that is no longer than any form; one in pieces gives no length before."""
    seen = 0

    async def given() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise TooLargeError
        return message

    return given


def _at(base: str, send: Send) -> Send:
    """Return what sends a browser on to pages where they lie; pages name each other from the app's top."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [_header_at(base, *each) for each in message["headers"]]}
        await send(message)

    return answer


def _header_at(base: str, name: bytes, value: bytes) -> tuple[bytes, bytes]:
    return name, base.encode() + value if name.lower() in _LEADING and value.startswith(b"/") else value


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [each for each in message["headers"] if each[0].lower() not in _OURS]
            policies = [value for name, value in message["headers"] if name.lower() == _POLICY]
            ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            policy = policies[0] if policies else POLICY.encode()
            message = {**message, "headers": [*own, *ours, (_POLICY, policy)]}
        await send(message)

    return answer


_OURS = {name.encode() for name in HEADERS} | {_POLICY}
