"""`inveon app`: pages in a browser of this computer, for people who use no terminal."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inveonimaging.cli.messages import say, shown
from inveonimaging.cli.outcome import one_line_errors
from inveonimaging.errors import OptionError, printable
from inveonimaging.units import duration

if TYPE_CHECKING:
    from inveonimaging.app.memory.running import Running
    from inveonimaging.app.pages.front import Front

IDLE_S = 12 * 3600.0

EXAMPLES = """\b
Examples:
  inveon app
  inveon app --root /data/inveon --no-browser
  inveon app --root /data/inveon --shortcut
"""
_OFTEN_S, _ASKED_S = 0.25, 10.0
_LONGEST_LINE = 500
_PACKAGES = {"starlette": "starlette", "uvicorn": "uvicorn"}


def app(
    root: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder that may be opened; repeatable. Default: this one, home and drives."),
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port of this computer; 0 is any.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    window: Annotated[bool, typer.Option("--window", help="Show it in a window of its own (pywebview).")] = False,
    shortcut: Annotated[
        bool, typer.Option("--shortcut", help="Only make an entry in the menu, which starts it with these options.")
    ] = False,
) -> None:
    """Show Inveon files in a browser, convert and send them; nothing else leaves this computer."""
    with one_line_errors(), contextlib.ExitStack() as stack:
        from inveonimaging.errors import InputError
        from inveonimaging.extras import refuse_without_extra

        refuse_without_extra("inveon app", "app", _PACKAGES)
        from inveonimaging.app.access.roots import Roots, usual_roots
        from inveonimaging.app.access.secrets import Access
        from inveonimaging.app.memory import running
        from inveonimaging.app.memory.state import State, user_folder
        from inveonimaging.app.pages.front import Front
        from inveonimaging.app.serving import server
        from inveonimaging.app.serving import window as own_window

        if window:
            own_window.refuse_without_pywebview()
        for each in root or ():
            if not each.is_dir():
                raise InputError("there is no such folder", path=each)
        if shortcut:
            typer.echo(shown(_make_shortcut(root or (), port=port, window=window)))
            return
        roots, state = Roots(root or usual_roots()), State(user_folder())
        there = running.address_of_running(state, roots, port)
        if there:
            say("note", "inveon app runs already: this opens it, and --port N starts another one")
            _show(there, browser=browser, window=window)
            return
        listener = server.listening(port)
        port = listener.getsockname()[1]
        front = Front(roots=roots, state=state, access=Access(), port=port, settings=_settings, servers=_servers)
        stack.callback(front.close)
        meeting = running.Running(state, roots, port)
        stack.callback(meeting.close)
        stack.enter_context(server.serving(front, listener, _say_fault))
        answering = threading.Thread(target=_answer, args=(meeting, front), daemon=True)
        answering.start()
        stack.callback(front.ending.set)
        _show(server.address_of(front), browser=browser, window=window, front=front)
        if not window:
            say("note", "Ctrl-C ends the app, as does Quit on the page")
            _wait(front)


def _make_shortcut(roots: Iterable[Path], *, port: int, window: bool) -> Path:
    """Make an entry that starts the app with these options; return where it lies."""
    from inveonimaging.app.serving.shortcut import make_shortcut, program

    options = [f"--root={each.absolute()}" for each in roots]
    options += [f"--port={port}"] if port else []
    options += ["--window"] if window else []
    return make_shortcut([*program(), "app", *options])


def _show(address: str, *, browser: bool, window: bool, front: Front | None = None) -> None:
    """Print an address and open it."""
    from inveonimaging.app.serving import server
    from inveonimaging.app.serving import window as own_window

    typer.echo(address)
    if window:
        own_window.show(address, front)
    elif browser and not server.show_in_browser(address):
        say("note", "no browser was found; open the address above in one")


def _answer(meeting: Running, front: Front) -> None:
    """Answer those who start another app, until this one ends."""
    from inveonimaging.app.serving import server

    while not front.ending.wait(_OFTEN_S):
        meeting.answer(lambda: server.new_address(front))


def _wait(front: Front) -> None:
    """Wait for the end: a person's, who is asked first if something runs, or that of an app that nobody uses."""
    asked_at = -math.inf
    while True:
        try:
            while not front.ending.wait(_OFTEN_S):
                if time.monotonic() - front.access.last_use > IDLE_S and not front.running:
                    say("note", f"no page was open for {duration(IDLE_S)} and nothing runs: the app ends")
                    return
        except KeyboardInterrupt:
            running, now = front.running, time.monotonic()
            if not running:
                return
            if now - asked_at < _ASKED_S:
                raise
            asked_at = now
            others = f" and {len(running) - 1} more" if running[1:] else ""
            say("note", f"not done yet: {running[-1].title}{others}; Ctrl-C again within {_ASKED_S:.0f} s stops it")
        else:
            return


def _say_fault(text: str) -> None:
    """Say a fault of this program, line by line."""
    say("error", "a page failed, which is a fault of this program; please report what follows")
    for line in text.splitlines():
        typer.echo(printable(line, _LONGEST_LINE), err=True)


def _settings(place: Path) -> dict[str, str]:
    """Return what `inveon.toml` says for a place, by the names of the form's fields."""
    from inveonimaging.cli.settings import SETTINGS, settings_for

    values = settings_for(place).values
    return {each.argument: str(values[each.name].taken) for each in SETTINGS if each.argument and each.name in values}


def _servers() -> dict[str, str]:
    """Return the addresses of servers in `inveon.toml`, by name; none if it makes no sense, which other pages say."""
    from inveonimaging.cli.settings import settings_for

    try:
        return {name: str(value.taken) for name, value in settings_for(None).targets.items()}
    except OptionError:
        return {}
