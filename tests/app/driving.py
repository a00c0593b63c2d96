"""The app, driven: without a server, as whoever opened its address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from inveonimaging.app.access import Access
from inveonimaging.app.pages import Front
from inveonimaging.app.roots import Roots
from inveonimaging.app.rules import CHANGE_HEADER
from inveonimaging.app.server import application
from inveonimaging.app.state import State

PORT = 49152
SITE = f"http://127.0.0.1:{PORT}"
SAME = {"origin": SITE, "sec-fetch-site": "same-origin"}


def front_of(root: Path, state: Path | None = None) -> Front:
    """Return what an app with one root is made from; its state lies beside the root."""
    return Front(
        roots=Roots([root]), state=State(state or root.parent / f"{root.name}-state"), access=Access(), port=PORT
    )


def stranger(front: Front) -> TestClient:
    """Return a browser that did not open the address."""
    return TestClient(application(front), base_url=SITE, follow_redirects=False)


class Opened(TestClient):
    """The browser that opened the address: it is asked for `/look`, and shows pages as if they lay at the top."""

    def __init__(self, front: Front) -> None:
        super().__init__(application(front), base_url=SITE + front.access.base, follow_redirects=False)
        self._base = front.access.base

    def request(self, *args: Any, **how: Any) -> Any:
        answer = super().request(*args, **how)
        answer._content = answer.content.replace(self._base.encode(), b"")
        for name in {"location", "hx-redirect"} & set(answer.headers):
            assert answer.headers[name].startswith(self._base)
            answer.headers[name] = answer.headers[name].removeprefix(self._base)
        return answer


def opened(front: Front) -> TestClient:
    """Return the browser that opened the address."""
    client = Opened(front)
    assert client.get(f"{SITE}/start", params={"token": front.access.token}).status_code == 200
    return client


def change(client: TestClient, front: Front, path: str, fields: dict[str, Any] | None = None) -> Any:
    """Send a form as a page of the app does."""
    headers = {**SAME, CHANGE_HEADER: front.access.change_token, "hx-request": "true"}
    return client.post(path, data=fields or {}, headers=headers)
