"""The end of the app, from a page: it asks first if something runs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from inveonimaging.app.pages.front import Front


def alive(_front: Front, _request: Request) -> Response:
    """Say nothing: a page asks now and then whether the app is there, and so the app knows that a page is."""
    return Response(status_code=204)


def question(front: Front, _request: Request) -> Response:
    """Ask whether the app is to end."""
    return front.page("quit.html", running=front.running)


def end(front: Front, _request: Request, form: dict[str, str]) -> Response:
    """End the app, or ask whether what runs is to be stopped."""
    running = front.running
    if running and form.get("sure") != "yes":
        return front.page("asked.html", running=running)
    front.ending.set()
    answer = front.page("ended.html")
    answer.headers["hx-retarget"] = "body"
    return answer
