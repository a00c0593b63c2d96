"""Reading ahead: a second thread makes what comes next, while the first one uses what there is.

Reading files, numpy and hashing let go of Python's lock, so that both threads run at once.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")
_DEPTH = 2  # bounds the memory
_LOOK_S = 0.1


class _End:
    """The last thing in a queue, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextlib.contextmanager
def ahead(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Give an iterator over what another thread takes from `items`, at most a few ahead; its errors are raised here."""
    queue: Queue[T | _End] = Queue(_DEPTH)
    stopped = threading.Event()

    def put(item: T | _End) -> None:
        while not stopped.is_set():
            with contextlib.suppress(Full):
                queue.put(item, timeout=_LOOK_S)
                return

    def fill() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(_End())
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are used
            put(_End(error))

    def drawn() -> Iterator[T]:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield drawn()
    finally:
        stopped.set()
        with contextlib.suppress(Empty):
            queue.get_nowait()
        thread.join()
