"""What takes seconds and writes nothing, as finding animals in a CT: done in a thread, one at a time, and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inveonimaging.errors import InveonError, printable
from inveonimaging.inveon.pairs import Pair
from inveonimaging.progress import Progress

_MOST_KEPT = 8
_LONGEST = 1000


@dataclass
class Look:
    """How far one is.

    Attributes:
        done: steps that are done, as slices that were read.
        total: of how many; 0 if that is not known.
        is_over: whether there is a result, or an error.
        result: what came of it.
        error: why there is none.
    """

    done: int = 0
    total: int = 0
    is_over: bool = False
    result: Any = None
    error: str = ""


class _GivenUpError(Exception):
    """The app ends, or so many others were asked for since that it is not kept."""


class Looks:
    """The looks of an app."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Look] = OrderedDict()
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._is_closed = False

    def of(self, key: Hashable, work: Callable[[Progress], Any]) -> Look:
        """Return how far a look is; the first who asks for it starts it.

        Args:
            key: what it is about, with all that its result hangs on.
            work: gives the result, and reports how many steps are done.
        """
        with self._lock:
            found = self._known.get(key)
            if found is None:
                found = self._known[key] = Look()
                threading.Thread(target=self._do, args=(key, found, work), daemon=True).start()
            self._known.move_to_end(key)
            while len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)
            return found

    def get(self, key: Hashable) -> Look | None:
        """Return a look that was asked for; None if it was not."""
        with self._lock:
            return self._known.get(key)

    def close(self) -> None:
        """Let what runs end with its next step."""
        self._is_closed = True

    def _do(self, key: Hashable, look: Look, work: Callable[[Progress], Any]) -> None:
        def progress(done: int, total: int) -> None:
            look.done, look.total = done, total
            if self._is_closed or self._known.get(key) is not look:
                raise _GivenUpError

        with self._one_at_a_time:
            try:
                progress(0, 0)
                look.result = work(progress)
            except InveonError as error:
                look.error = printable(error, _LONGEST)
            except _GivenUpError:
                look.error = "given up"
            except MemoryError:
                look.error = "the scan is too large for the memory of this computer"
            finally:
                look.error = look.error or ("" if look.result is not None else "an internal error; please report it")
                look.is_over = True


def stamp_of(pairs: list[Pair]) -> tuple[object, ...]:
    """Return what changes when files of pairs do."""
    return tuple(_stamp(path) for pair in pairs for path in (pair.header, pair.data))


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_mtime_ns, found.st_size
