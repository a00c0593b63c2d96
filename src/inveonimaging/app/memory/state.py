"""What the app remembers between starts, in the user's folder for such files: recent folders, and jobs."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from inveonimaging.errors import InveonError
from inveonimaging.storage.bounded import read_bounded
from inveonimaging.storage.whole_files import write_whole

_RECENT = "recent.json"
_MOST_RECENT = 8
_LARGEST = 64 * 1024 * 1024  # all cells of thousands of scans


def user_folder() -> Path:
    """Return where the system has the state of a user's programs."""
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base, "inveon", "app")


def is_held(lock: Path) -> bool:
    """Whether an app that runs holds a lock; the file of one that is gone is removed."""
    if not lock.exists():
        return False
    asked = FileLock(lock)
    try:
        asked.acquire(blocking=False)
    except (Timeout, OSError):
        return True
    asked.release()
    with contextlib.suppress(OSError):
        lock.unlink()
    return False


class State:
    """A folder of small JSON files that only this user reads; what cannot be written is forgotten."""

    def __init__(self, folder: Path) -> None:
        """Keep state in a folder, which is made if it is missing."""
        self.folder = folder
        self._lock = threading.Lock()
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)  # it may have been there, for all to read

    def read(self, name: str) -> Any:
        """Return a document; None if it is not there, or damaged."""
        try:
            return json.loads(read_bounded(self.folder / name, _LARGEST))
        except (OSError, ValueError, RecursionError, InveonError):
            return None

    def write(self, name: str, document: object) -> None:
        """Write a document, whole or not at all."""
        path = self.folder / name
        with contextlib.suppress(InveonError, OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, json.dumps(document).encode(), overwrite=True)

    @property
    def recent(self) -> tuple[str, ...]:
        """The folders that were looked at last, the latest first."""
        found = self.read(_RECENT)
        return tuple(each for each in found if isinstance(each, str))[:_MOST_RECENT] if isinstance(found, list) else ()

    def visited(self, folder: Path) -> None:
        """Remember that a folder was looked at."""
        with self._lock:
            known = [each for each in self.recent if each != str(folder)]
            self.write(_RECENT, [str(folder), *known][:_MOST_RECENT])
