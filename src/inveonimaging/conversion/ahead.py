"""Reading ahead: a second thread makes what comes next, while the first one uses what there is.

Reading and writing files, numpy and hashing let go of Python's lock, so that both threads run at once.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class _End:
    """The last thing in a queue, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextlib.contextmanager
def ahead(items: Iterable[T], depth: int = 1) -> Iterator[Iterator[T]]:
    """Give an iterator over what another thread takes from `items`, and raise its errors here.

    Args:
        items: they are made in the other thread.
        depth: how many may wait, which bounds the memory; one more is in the making, and one in use.
    """
    queue: SimpleQueue[T | _End] = SimpleQueue()
    room, stopped = threading.Semaphore(depth), threading.Event()

    def fill() -> None:
        try:
            for item in items:
                room.acquire()
                if stopped.is_set():
                    return
                queue.put(item)
            queue.put(_End())
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are used
            queue.put(_End(error))

    def drawn() -> Iterator[T]:
        while not isinstance(item := queue.get(), _End):
            room.release()
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield drawn()
    finally:
        stopped.set()
        room.release()
        thread.join()
