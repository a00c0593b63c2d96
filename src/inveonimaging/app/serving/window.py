"""A window of its own instead of the browser: pywebview, if it is there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from importlib.util import find_spec

from inveonimaging.app.access.rules import START
from inveonimaging.app.pages.front import Front
from inveonimaging.errors import OptionError, printable

_LONGEST = 300
_PAGE_SIZE = (1280, 900)


def refuse_without_pywebview() -> None:
    """Refuse where pywebview is not installed.

    Raises:
        OptionError: it is not.
    """
    if find_spec("webview") is None:
        raise OptionError("--window needs pywebview", hint="pip install pywebview")


def show(address: str, front: Front | None = None) -> None:
    """Show an address in a window until it is closed, or the app is to end.

    A window that is closed while something runs stays, and shows the page that asks.

    Args:
        address: of the app.
        front: of the app, if it is of this process.

    Raises:
        OptionError: pywebview finds nothing that draws a page.
    """
    import webview

    webview.settings["OPEN_EXTERNAL_LINKS_IN_BROWSER"] = False  # a browser has not got the session
    webview.settings["ALLOW_DOWNLOADS"] = True
    width, height = _PAGE_SIZE
    window = webview.create_window("inveon", address, width=width, height=height, min_size=(800, 600), text_select=True)
    if front is None:
        _start(webview.start)
        return

    def may_close() -> bool:
        if front.ending.is_set() or not front.running:
            return True
        question = f"{address.partition(START)[0]}{front.access.base}/quit"
        threading.Thread(target=window.load_url, args=[question], daemon=True).start()  # this one draws the window
        return False

    def close_at_the_end() -> None:
        front.ending.wait()
        if not is_closed.is_set():
            window.destroy()

    is_closed = threading.Event()
    window.events.closing += may_close
    window.events.closed += is_closed.set
    window.events.closed += front.ending.set
    _start(webview.start, close_at_the_end)


def _start(start: Callable[..., None], *also: Callable[[], None]) -> None:
    import webview

    logging.getLogger("pywebview").setLevel(logging.CRITICAL)  # logs each thing that is missing, in many lines
    try:
        start(*also, private_mode=True)
    except webview.errors.WebViewException as error:
        words = printable(error, _LONGEST).rstrip(".")
        hint = 'pip install "pywebview[qt]" installs what draws the window; or leave out --window'
        raise OptionError(f"--window: {words}", hint=hint) from error
