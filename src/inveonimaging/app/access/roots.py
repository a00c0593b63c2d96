"""Which folders the app opens: the roots and what is in them, after links are followed."""

from __future__ import annotations

import os
import string
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from time import monotonic

from inveonimaging.errors import InputError, printable

_QUOTES = ("'", '"')
_PATIENCE_S = 2.0


class Roots:
    """The folders that may be opened, with all below them."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Take folders; what is not a folder is left out, and each counts once."""
        kept = {Path(os.path.abspath(each)): None for each in folders if _is_folder(each)}  # noqa: PTH100 - links stay
        self.folders = tuple(kept)
        self._real = tuple(dict.fromkeys(Path(os.path.realpath(each)) for each in self.folders))

    def pasted(self, typed: str) -> Path:
        """Return the path that was typed or pasted, with quotes around it or blanks, as `inside`."""
        text = typed.strip()
        if text[:1] in _QUOTES and text[-1:] == text[:1]:
            text = text[1:-1]
        if text == "~" or text.startswith(("~/", "~\\")):
            text = str(Path(Path.home(), text[2:]))
        return self.inside(text)

    def inside(self, text: str) -> Path:
        """Return a path, if it is in a root, also when its links are followed.

        A path elsewhere is refused before the disk, or a server that it names, is asked for it.

        Raises:
            InputError: it is in no root; it is not a full path; it goes upwards.
        """
        if not text:
            raise InputError("no folder is given", expected="the path of a folder or of an .img file")
        if "\0" in text:
            raise InputError("a path holds no NUL character", path=printable(text))
        path = Path(text)
        if not path.is_absolute():
            raise InputError("is not a full path", path=text, expected=f"one that begins as {self._example()}")
        if ".." in path.parts:
            raise InputError("goes upwards with ..", path=text, expected="the folder's own path")
        is_named = _is_below(path, (*self.folders, *self._real))
        if not is_named or not _is_below(self._resolved(path), self._real):
            wanted = self._resolved(path) if is_named else path  # where a link leads
            folder = printable(wanted.parent if wanted.suffix else wanted, 300)
            hint = f'end the app, and type: inveon app --root "{folder}"'
            raise InputError("is not in a folder that the app may open", path=text, hint=hint)
        return path

    def holds(self, path: Path) -> bool:
        """Return whether a path that was found on the disk may be opened."""
        return _is_below(self._resolved(path), self._real)

    @staticmethod
    def _resolved(path: Path) -> Path:
        try:
            return Path(os.path.realpath(path))
        except (OSError, ValueError) as error:  # a circle of links; a name that no file can have
            raise InputError(f"cannot be opened: {error}", path=path) from error

    def _example(self) -> str:
        return f'"{printable(self.folders[0] if self.folders else Path.home(), 200)}"'


def usual_roots() -> tuple[Path, ...]:
    """Return where people's data lie: the current folder, home, and drives."""
    try:
        home = [Path.home()]
    except RuntimeError:  # nobody's home
        home = []
    return (Path.cwd(), *home, *_drives())


def _drives() -> list[Path]:
    if sys.platform == "win32":
        return answering([Path(f"{letter}:\\") for letter in string.ascii_uppercase])
    if sys.platform == "darwin":
        return answering(_in(Path("/Volumes")))
    user = os.environ.get("USER", "")
    own = [each for base in ("/media", "/run/media") if user for each in _in(Path(base, user))]
    return answering([*own, *_in(Path("/mnt"))])


def answering(folders: Iterable[Path], within_s: float = _PATIENCE_S) -> list[Path]:
    """Return those that are folders; a drive whose server is gone would keep the start, and is left out."""
    found: dict[Path, bool] = {}
    threads = []
    for each in folders:
        threads.append(threading.Thread(target=lambda path=each: found.update({path: _is_folder(path)}), daemon=True))
        threads[-1].start()
    end = monotonic() + within_s
    for thread in threads:
        thread.join(max(0.0, end - monotonic()))
    return sorted(path for path, is_folder in dict(found).items() if is_folder)


def _in(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path == each or each in path.parents for each in folders)
