"""The apps of this user that run: who starts another one for the same folders is shown the one that is there.

They meet in the folder of the user's state, which no other user reads: the new one leaves a question there, and the one
that runs answers with an address, which counts once.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock

from inveonimaging.app.access.roots import Roots
from inveonimaging.app.memory.state import State, is_held
from inveonimaging.version import __version__

_FOLDER = "running"
_PATIENCE_S = 3.0
_OFTEN_S = 0.05


class Running:
    """One app that runs, as others of the same user see it, until it is closed."""

    def __init__(self, state: State, roots: Roots, port: int) -> None:
        """Say that it runs."""
        self._state, self._name = state, uuid4().hex
        self._lock = FileLock(_in(state, self._name, ".lock"))
        with contextlib.suppress(OSError):  # where nothing can be kept, nobody finds it
            (state.folder / _FOLDER).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock.acquire()
        folders = [str(each) for each in roots.folders]
        document = {"computer": socket.gethostname(), "version": __version__, "port": port, "roots": folders}
        state.write(f"{_FOLDER}/{self._name}.json", document)

    def answer(self, address: Callable[[], str]) -> None:
        """Answer who asked, if anyone did.

        Args:
            address: makes one that counts once.
        """
        question = _in(self._state, self._name, ".ask")
        if question.exists():
            with contextlib.suppress(OSError):
                question.unlink()
                _write_own(_in(self._state, self._name, ".address"), address())

    def close(self) -> None:
        """Say that it runs no more."""
        for suffix in (".json", ".ask", ".address"):
            _remove(_in(self._state, self._name, suffix))
        self._lock.release()
        _remove(_in(self._state, self._name, ".lock"))


def address_of_running(state: State, roots: Roots, port: int = 0) -> str | None:
    """Return an address of an app that runs and opens these folders; None if there is none.

    Args:
        state: of the user.
        roots: that are wanted.
        port: that is wanted; 0 is any.
    """
    for path in sorted((state.folder / _FOLDER).glob("*.json")):
        if not is_held(_in(state, path.stem, ".lock")):
            _remove(path)
        elif _is_wanted(state.read(f"{_FOLDER}/{path.name}"), roots, port):
            answer = _ask(state, path.stem)
            if answer:
                return answer
    return None


def _is_wanted(document: Any, roots: Roots, port: int) -> bool:
    if not isinstance(document, dict) or document.get("computer") != socket.gethostname():
        return False  # a home that several computers share
    if document.get("version") != __version__ or port not in {0, document.get("port")}:
        return False
    known = [Path(each) for each in document.get("roots", ())]
    return all(any(root == each or each in root.parents for each in known) for root in roots.folders)


def _ask(state: State, name: str) -> str | None:
    question, answer = _in(state, name, ".ask"), _in(state, name, ".address")
    with contextlib.suppress(OSError):
        _remove(answer)
        _write_own(question, "")
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            time.sleep(_OFTEN_S)
            with contextlib.suppress(FileNotFoundError):
                return _taken(answer)
        question.unlink()
    return None


def _taken(path: Path) -> str:
    text = path.read_text("utf-8")
    path.unlink()
    return text


def _in(state: State, name: str, suffix: str) -> Path:
    return state.folder / _FOLDER / f"{name}{suffix}"


def _write_own(path: Path, text: str) -> None:
    """Write a file that only this user reads, whole: who reads it sees all of it."""
    draft = path.with_suffix(f"{path.suffix}-new")
    _remove(draft)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
