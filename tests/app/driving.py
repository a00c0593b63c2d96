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


def opened(front: Front) -> TestClient:
    """Return the browser that opened the address."""
    client = stranger(front)
    assert client.get("/start", params={"token": front.access.token}).status_code == 200
    return client


def change(client: TestClient, front: Front, path: str, fields: dict[str, Any] | None = None) -> Any:
    """Send a form as a page of the app does."""
    headers = {**SAME, CHANGE_HEADER: front.access.change_token, "hx-request": "true"}
    return client.post(path, data=fields or {}, headers=headers)
