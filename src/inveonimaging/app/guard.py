"""What stands before every page: it refuses by `rules`, and puts its headers on every answer, errors too."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inveonimaging.app.access import Access
from inveonimaging.app.rules import HEADERS, MOST_BYTES, POLICY, START, Head, refusal_of

_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>inveon app</title></head>'
    "<body><main><h1>inveon app</h1><p>{words}</p></main></body></html>"
)
_POLICY = b"content-security-policy"
_LEADING = {b"location", b"hx-redirect", b"hx-location", b"hx-push-url", b"hx-replace-url"}


class TooLargeError(Exception):
    """A body is longer than any form."""


class Guard:
    """Passes on the requests that keep the rules."""

    def __init__(self, app: ASGIApp, *, access: Access, port: int) -> None:
        """Stand before an app.

        Args:
            app: gets what passes.
            access: the secrets.
            port: on which the app listens.
        """
        self._app, self._access, self._port = app, access, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _with_headers(send)
        refusal = refusal_of(head_of(scope), self._port, self._access)
        if refusal:
            await plain_page(refusal.words, refusal.status)(scope, receive, answer)
            return
        if scope["path"] != START:
            scope, answer = {**scope, "root_path": self._access.base}, _at(self._access.base, answer)
        await self._app(scope, _bounded(receive), answer)


def head_of(scope: Scope) -> Head:
    """Return the head of a request."""
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    return Head(scope["method"], scope["path"], headers)


def plain_page(words: str, status: int) -> HTMLResponse:
    """Return a page of a sentence, for those who see none of the app's."""
    return HTMLResponse(_PAGE.format(words=escape(words)), status)


def _bounded(receive: Receive) -> Receive:
    """Return what gives a body that is no longer than any form; one in pieces tells no length before."""
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
