"""The app as a whole: routes behind the guard, on a port of loopback, and the window that shows it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

from inveonimaging.app.access.rules import OPEN, START, Refusal, cookie_name
from inveonimaging.app.pages import batches, correct, ending, hotel, look, make, sending, watch
from inveonimaging.app.pages.choose import choose, count
from inveonimaging.app.pages.front import Front, asked, changes, message_page, shows, static
from inveonimaging.app.serving.connections import MOST_HEAD_BYTES, Patience
from inveonimaging.app.serving.guard import Guard, TooLargeError, alone
from inveonimaging.app.serving.peers import is_of_others
from inveonimaging.errors import OutputError

LOOPBACK = "127.0.0.1"
_LOOKING = 3  # cards, and folders that are counted, at a time
_FAILED = "An error in the program. The window in which inveon app was started shows details."
_OF_OTHERS = "Another user of this computer started inveon app. Start it yourself, or use the browser of that user."
_STARTED = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={base}/">'
    '<link rel="icon" href="{base}/static/icon.svg"><title>inveon app</title></head>'
    '<body><p><a href="{base}/">inveon app</a></p></body></html>'
)
"""Leads on by itself: a redirection would be of the site that the address was opened from, and get no cookie."""


def application(front: Front, log: Callable[[str], object] = lambda _: None) -> ASGIApp:
    """Return the app behind its guard; `log` is called with faults of the program, in several lines."""
    drawing, looking = asyncio.Semaphore(1), asyncio.Semaphore(_LOOKING)
    routes = [
        shows(front, START, _start),
        shows(front, "/", choose),
        shows(front, "/count", count, looking),
        shows(front, "/static/{name}", static),
        shows(front, "/look", look.look),
        shows(front, "/whole", look.whole, looking),
        shows(front, "/card", look.card, looking),
        shows(front, "/picture", look.picture, drawing),
        changes(front, "/report", look.start_report),
        shows(front, "/correct", correct.correct),
        changes(front, "/correct/cell", correct.cell),
        changes(front, "/correct/paste", correct.paste),
        changes(front, "/correct/take", correct.take),
        changes(front, "/correct/column", correct.column),
        changes(front, "/correct/clear", correct.clear),
        changes(front, "/correct/save", correct.save),
        shows(front, "/correct/hotel", hotel.hotel),
        shows(front, "/correct/view", hotel.view),
        shows(front, "/correct/check", hotel.check),
        changes(front, "/correct/number", hotel.number),
        changes(front, "/correct/side", hotel.side),
        changes(front, "/correct/box", hotel.box),
        shows(front, "/make", make.make),
        changes(front, "/only", look.only),
        changes(front, "/making", make.switch),
        changes(front, "/reset", make.reset),
        changes(front, "/command", make.command),
        changes(front, "/preview", make.preview),
        changes(front, "/convert", make.convert),
        shows(front, "/jobs", watch.jobs),
        changes(front, "/jobs/forget", watch.forget_finished),
        shows(front, "/jobs/{name}", watch.job),
        shows(front, "/jobs/{name}/progress", watch.progress),
        shows(front, "/jobs/{name}/report", watch.report),
        changes(front, "/jobs/{name}/stop", watch.stop),
        changes(front, "/jobs/{name}/again", watch.again),
        changes(front, "/jobs/{name}/forget", watch.forget),
        changes(front, "/jobs/{name}/folder", watch.show_folder),
        shows(front, "/batch", batches.batch),
        changes(front, "/batch", batches.convert),
        shows(front, "/batch/offer", batches.offer),
        changes(front, "/batch/command", batches.command),
        changes(front, "/batch/preview", batches.preview),
        shows(front, "/studies", batches.studies),
        shows(front, "/studies.csv", batches.as_csv),
        shows(front, "/send", sending.send),
        changes(front, "/send", sending.start),
        changes(front, "/send/add", sending.add),
        changes(front, "/send/remove", sending.remove),
        changes(front, "/send/forget", sending.forget),
        changes(front, "/send/try", sending.try_it),
        shows(front, "/alive", ending.alive),
        shows(front, "/quit", ending.question),
        changes(front, "/quit", ending.end),
    ]
    handlers: dict[Any, Any] = {
        TooLargeError: lambda request, _: message_page(front, request, 413, "The form is too large."),
        404: lambda request, _: message_page(front, request, 404, "There is no such page."),
        405: lambda request, _: message_page(front, request, 405, "There is no such page."),
        500: lambda request, _: message_page(front, request, 500, _FAILED),
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    return Guard(app, access=front.access, port=front.port, log=log)


def new_address(front: Front) -> str:
    """Return another address, which is opened once; the one before counts no more."""
    front.access.renew()
    return address_of(front)


def address_of(front: Front) -> str:
    """Return the address that is opened, once."""
    return f"http://{LOOPBACK}:{front.port}{START}?token={front.access.token}"


def listening(port: int = 0) -> socket.socket:
    """Return a socket of loopback that listens; 0 is a port that is free.

    Raises:
        OutputError: it cannot listen there.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # on Windows others could listen on the same port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        made.bind((LOOPBACK, port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise OutputError(f"port {port} cannot be used: {error.strerror}", hint="leave out --port") from error
    return made


@contextlib.contextmanager
def serving(
    front: Front, on: socket.socket, log: Callable[[str], object] = lambda _: None
) -> Iterator[threading.Thread]:
    """Serve in a thread until the context ends; nothing of requests is logged, and `log` is called with faults."""
    import uvicorn

    config = uvicorn.Config(
        application(front, log),
        http=Patience,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
        access_log=False,
        log_config=None,  # the guard logs faults, and nothing else needs logging
        log_level="critical",
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([on],), name="inveon app", daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        server.should_exit = True
        thread.join()
        on.close()


def show_in_browser(address: str) -> bool:
    """Open an address in the browser that people use; return whether there is one."""
    try:
        return webbrowser.open(address)
    except (OSError, webbrowser.Error):
        return False


def _start(front: Front, request: Request) -> Response:
    if request.client and is_of_others(request.client.port, front.port):
        return alone(Refusal(403, _OF_OTHERS))
    session = front.access.exchange(asked(request, "token"))
    if session is None:
        return alone(Refusal(403, OPEN))
    base = front.access.base
    answer = HTMLResponse(_STARTED.format(base=base))
    answer.set_cookie(cookie_name(front.port), session, httponly=True, samesite="strict", path=base)
    return answer
