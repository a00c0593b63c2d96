"""Reading ahead: a second thread makes what comes next, while the first one uses what there is.

Reading and writing files, numpy and hashing let go of Python's lock, so that both threads run at once.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_AHEAD = 2  # items beside the one in use, which bounds the memory
_LEAST = 2**20  # bytes: fewer are made in the time that it takes to start a thread and to change between the two
LIVE = _AHEAD + 1
"""How many items there are at a time: what makes them may use the memory of one again for the next but two."""


@contextlib.contextmanager
def ahead(items: Iterable[T], size: int = _LEAST) -> Iterator[Iterator[T]]:
    """Give an iterator over what another thread takes from `items`, none of which is None; raise its errors.

    Args:
        items: to be taken.
        size: of all of them, in bytes; few are taken without another thread.
    """
    source = iter(items)
    if size < _LEAST:
        yield source
        return
    pool = ThreadPoolExecutor(1)
    try:
        coming = deque(pool.submit(next, source, None) for _ in range(_AHEAD))

        def drawn() -> Iterator[T]:
            while (item := coming.popleft().result()) is not None:
                coming.append(pool.submit(next, source, None))
                yield item

        yield drawn()
    finally:
        pool.shutdown(cancel_futures=True)
