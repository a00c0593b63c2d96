"""The window of --window: what it asks when it is closed, and where nothing draws it. pywebview is played."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from app.driving import front_of
from inveonimaging.app.serving import window
from inveonimaging.errors import OptionError

ADDRESS = "http://127.0.0.1:49152/start?token=x"


class Event:
    """An event of pywebview, to which functions are added."""

    def __init__(self) -> None:
        self.functions: list[Callable[[], Any]] = []

    def __iadd__(self, function: Callable[[], Any]) -> Any:
        self.functions.append(function)
        return self


class Player:
    """A window that is closed as often as given, each time after something was done."""

    def __init__(self, *before: Callable[[], object]) -> None:
        self.events = SimpleNamespace(closing=Event(), closed=Event())
        self.before, self.loaded = before, threading.Event()
        self.asked: list[str] = []
        self.is_closed = threading.Event()

    def load_url(self, address: str) -> None:
        self.asked.append(address)
        self.loaded.set()

    def destroy(self) -> None:
        if all(each() is not False for each in self.events.closing.functions):
            self.is_closed.set()
            for each in self.events.closed.functions:
                each()

    def start(self, also: Callable[[], None] | None = None, **how: Any) -> None:
        assert how == {"private_mode": True}
        if also:
            threading.Thread(target=also, daemon=True).start()
        for each in self.before:
            each()
            self.destroy()
        assert self.is_closed.wait(60)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[[Player], None]:
    def play(player: Player) -> None:
        made: Any = ModuleType("webview")
        made.__spec__ = ModuleSpec("webview", None)
        made.settings, made.errors = {}, SimpleNamespace(WebViewException=RuntimeError)
        made.create_window, made.start = (lambda *_, **__: player), player.start
        monkeypatch.setitem(sys.modules, "webview", made)

    return play


def test_a_window_that_is_closed_while_something_runs_asks_and_stays(
    tmp_path: Path, played: Callable[[Player], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    front = front_of(tmp_path)
    job = SimpleNamespace(is_over=False)
    monkeypatch.setitem(vars(front), "jobs", SimpleNamespace(all=[job]))
    closed_early: list[bool] = []

    def over() -> None:
        closed_early.append(player.is_closed.is_set())
        assert player.loaded.wait(60)
        job.is_over = True

    player = Player(lambda: None, over)
    played(player)
    window.show(ADDRESS, front)
    assert closed_early == [False]
    assert player.asked == [f"http://127.0.0.1:49152{front.access.base}/quit"]
    assert front.ending.is_set()


def test_quit_on_the_page_closes_the_window_whatever_runs(
    tmp_path: Path, played: Callable[[Player], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    front = front_of(tmp_path)
    monkeypatch.setitem(vars(front), "jobs", SimpleNamespace(all=[SimpleNamespace(is_over=False)]))
    player = Player()
    played(player)
    front.ending.set()
    window.show(ADDRESS, front)
    assert (player.is_closed.is_set(), player.asked) == (True, [])


def test_where_nothing_draws_a_page_it_is_one_line(played: Callable[[Player], None]) -> None:
    def fail() -> None:
        raise RuntimeError("You must have either QT or GTK\n installed.")

    played(Player(fail))
    with pytest.raises(OptionError) as caught:
        window.show(ADDRESS)
    message = '--window: You must have either QT or GTK installed; pip install "pywebview[qt]" installs what draws the'
    assert str(caught.value).replace("\\n", "").startswith(message)
    assert "\n" not in str(caught.value)
