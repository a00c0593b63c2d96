"""`inveon app`: pages in a browser of this computer, for people who use no terminal."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Annotated

import typer

from inveonimaging.cli.messages import say
from inveonimaging.cli.outcome import one_line_errors

EXAMPLES = """\b
Examples:
  inveon app
  inveon app --root /data/inveon --no-browser
"""
_PACKAGES = {"starlette": "starlette", "uvicorn": "uvicorn"}


def app(
    root: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder that may be opened; repeatable. Default: this one, home and drives."),
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port of this computer; 0 is any.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    window: Annotated[bool, typer.Option("--window", help="Show it in a window of its own (pywebview).")] = False,
) -> None:
    """Show Inveon files in a browser, convert and send them; nothing else leaves this computer."""
    with one_line_errors(), contextlib.ExitStack() as stack:
        from inveonimaging.errors import InputError, OptionError
        from inveonimaging.extras import refuse_without_extra

        refuse_without_extra("inveon app", "app", _PACKAGES)
        from inveonimaging.app import server
        from inveonimaging.app.access import Access
        from inveonimaging.app.pages import Front
        from inveonimaging.app.roots import Roots, usual_roots
        from inveonimaging.app.state import State, user_folder

        show = server.window() if window else None
        if window and show is None:
            raise OptionError("--window needs pywebview", hint="pip install pywebview")
        for each in root or ():
            if not each.is_dir():
                raise InputError("there is no such folder", path=each)
        listener = server.listening(port)
        front = Front(
            roots=Roots(root or usual_roots()),
            state=State(user_folder()),
            access=Access(),
            port=listener.getsockname()[1],
            settings=_settings,
        )
        address = server.address_of(front)
        stack.callback(front.close)
        with server.serving(front, listener) as thread:
            typer.echo(address)
            if show:
                show(address)
                return
            if browser and not server.show_in_browser(address):
                say("note", "no browser was found; open the address above in one")
            say("note", "Ctrl-C ends the app")
            with contextlib.suppress(KeyboardInterrupt):  # the way to end it
                while thread.is_alive():
                    time.sleep(0.2)


def _settings(place: Path) -> dict[str, str]:
    """Return what `inveon.toml` says for a place, by the names of the form's fields."""
    from inveonimaging.cli.settings import SETTINGS, settings_for

    values = settings_for(place).values
    return {each.argument: str(values[each.name].taken) for each in SETTINGS if each.argument and each.name in values}
