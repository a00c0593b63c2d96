"""The app ends when a person says so, asks first if something runs, and another start finds the one that runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.driving import change, front_of, opened
from helpers import LAST_RESORT_S
from inveonimaging.app.access.roots import Roots
from inveonimaging.app.jobs import worker
from inveonimaging.app.memory import running
from inveonimaging.app.memory.state import State
from inveonimaging.cli import app as command


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    (tmp_path / "data" / "below").mkdir(parents=True)
    return Roots([tmp_path / "data"])


def test_quit_on_a_page_ends_the_app_and_asks_first_if_something_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    front = front_of(tmp_path / "data")
    client = opened(front)
    assert "Quit inveon?" in client.get("/quit").text  # and it goes on
    assert client.get("/alive").status_code == 204
    jobs = [SimpleNamespace(id="1", title="mouse <b>", is_over=False), SimpleNamespace(id="2", title="x", is_over=True)]
    monkeypatch.setitem(vars(front), "jobs", SimpleNamespace(all=jobs, close=lambda: None))
    assert "mouse &lt;b&gt;" in client.get("/quit").text
    asked = change(client, front, "/quit")
    assert "mouse &lt;b&gt;" in asked.text
    assert not front.ending.is_set()
    assert "hx-retarget" not in asked.headers
    ended = change(client, front, "/quit", {"sure": "yes"})
    assert (ended.headers["hx-retarget"], front.ending.is_set()) == ("body", True)
    assert "can be closed" in ended.text
    front.ending.clear()
    jobs.pop(0)
    assert "can be closed" in change(client, front, "/quit").text
    assert front.ending.is_set()


class Interrupted:
    """An event that is interrupted as often as given, and set then."""

    def __init__(self, times: int) -> None:
        self.left = times

    def wait(self, _: float) -> bool:
        self.left -= 1
        if self.left >= 0:
            raise KeyboardInterrupt
        return True


def waited(times: int, titles: list[str], used_s_ago: float = 0.0) -> Any:
    access = SimpleNamespace(last_use=time.monotonic() - used_s_ago)
    event = Interrupted(times)
    return SimpleNamespace(ending=event, access=access, running=[SimpleNamespace(title=each) for each in titles])


def test_ctrl_c_says_first_what_runs_and_stops_it_the_second_time(capsys: pytest.CaptureFixture[str]) -> None:
    command._wait(waited(1, []))
    assert capsys.readouterr().err == ""
    command._wait(waited(1, ["mouse 3", "mouse 2"]))
    message = "note: not done yet: mouse 2 and 1 more; Ctrl-C again within 10 s stops it\n"
    assert capsys.readouterr().err == message
    with pytest.raises(KeyboardInterrupt):
        command._wait(waited(2, ["mouse 3"]))


def test_a_second_ctrl_c_long_after_the_first_asks_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([100.0, 111.0, 122.0])
    front = waited(3, ["mouse"])
    monkeypatch.setattr("inveonimaging.cli.app.time", SimpleNamespace(monotonic=lambda: next(times)))
    command._wait(front)
    assert capsys.readouterr().err.count("not done yet") == 3


def test_an_app_that_nobody_uses_ends_by_itself_unless_something_runs(capsys: pytest.CaptureFixture[str]) -> None:
    front = waited(0, [], used_s_ago=12 * 3600 + 1)
    front.ending = threading.Event()
    command._wait(front)
    assert capsys.readouterr().err == "note: no page was open for 12 h and nothing runs: the app ends\n"
    for busy in (waited(0, ["mouse"], 1e6), waited(0, [], 12 * 3600 - 9)):
        command._wait(busy)
    assert capsys.readouterr().err == ""


def test_another_start_is_shown_the_one_that_runs(tmp_path: Path, roots: Roots) -> None:
    state = State(tmp_path / "state")
    assert running.address_of_running(state, roots) is None
    meeting, tokens = running.Running(state, roots, 4711), iter(range(9))
    is_over = threading.Event()

    def answer() -> None:
        while not is_over.wait(0.01):
            meeting.answer(lambda: f"http://127.0.0.1:4711/start?token={next(tokens)}")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        for number, wanted in enumerate((roots, Roots([tmp_path / "data" / "below"]))):
            found = running.address_of_running(state, wanted)
            assert found == f"http://127.0.0.1:4711/start?token={number}"
        assert running.address_of_running(state, roots, 4711) is not None
        assert running.address_of_running(state, roots, 4712) is None
        assert running.address_of_running(state, Roots([tmp_path])) is None
        assert running.address_of_running(State(tmp_path / "another user"), roots) is None
        kept = sorted(path.suffix for path in (tmp_path / "state" / "running").iterdir())
        assert kept == [".json", ".lock"]  # no address stays
    finally:
        is_over.set()
        thread.join()
        meeting.close()
    assert list((tmp_path / "state" / "running").iterdir()) == []


@pytest.mark.parametrize("change_of", [{"computer": "another"}, {"version": "0.0.1"}, {"roots": []}, {}])
def test_an_app_of_another_computer_or_version_or_one_that_is_gone_is_not_asked(
    tmp_path: Path, roots: Roots, monkeypatch: pytest.MonkeyPatch, change_of: dict[str, Any]
) -> None:
    state = State(tmp_path / "state")
    meeting = running.Running(state, roots, 1)
    (document,) = (tmp_path / "state" / "running").glob("*.json")
    state.write(f"running/{document.name}", {**state.read(f"running/{document.name}"), **change_of})
    if not change_of:  # it was killed: the lock is free
        meeting._lock.release()
    monkeypatch.setattr(running, "_PATIENCE_S", 2 * LAST_RESORT_S)
    start = time.monotonic()
    assert running.address_of_running(state, roots) is None
    assert time.monotonic() - start < LAST_RESORT_S  # it was not waited for
    assert document.exists() == bool(change_of)
    meeting.close()


def test_an_app_that_does_not_answer_keeps_nobody(
    tmp_path: Path, roots: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path / "state")
    meeting = running.Running(state, roots, 1)
    monkeypatch.setattr(running, "_PATIENCE_S", 0.2)
    assert running.address_of_running(state, roots) is None
    assert not list((tmp_path / "state" / "running").glob("*.ask"))
    meeting.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="modes of files are POSIX's")
def test_an_answer_is_for_this_user_alone(tmp_path: Path, roots: Roots) -> None:
    state = State(tmp_path / "state")
    meeting = running.Running(state, roots, 1)
    (document,) = (tmp_path / "state" / "running").glob("*.json")
    document.with_suffix(".ask").touch()
    meeting.answer(lambda: "http://127.0.0.1:1/start?token=x")
    assert document.with_suffix(".address").stat().st_mode & 0o077 == 0
    meeting.close()


@pytest.mark.skipif(not hasattr(os, "getpgid"), reason="groups of processes are POSIX's")
def test_ctrl_c_of_the_terminal_reaches_no_job() -> None:
    """It goes to all processes of the terminal's group, and the app asks first."""
    message = "import os, signal, sys; from inveonimaging.app.jobs import worker\n"
    message += "sys.stdin.readline(); worker._go_apart()\n"
    message += "print(os.getpgid(0) == os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, []), flush=True)"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with worker.apart():
        process = subprocess.Popen([sys.executable, "-c", message], **pipes)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    process.send_signal(signal.SIGINT)  # before it has gone apart
    assert process.communicate("\n")[0] == "True set()\n"
    assert process.returncode == 0
