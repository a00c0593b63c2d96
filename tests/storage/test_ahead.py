"""Reading ahead: everything in order, from another thread where there is much, and no thread that stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from inveonimaging.errors import DataError
from inveonimaging.storage.ahead import ahead

MANY, FEW = 2**20, 2**20 - 1  # bytes


def made_by(count: int) -> Iterator[tuple[int, threading.Thread]]:
    """Yield numbers with the thread that makes each, then fail."""
    for number in range(count):
        yield number, threading.current_thread()
    raise DataError("it ends early")


@pytest.mark.parametrize("size", [MANY, FEW])
def test_all_come_in_their_order_and_then_the_error(size: int) -> None:
    before = threading.active_count()
    taken: list[tuple[int, threading.Thread]] = []
    with pytest.raises(DataError, match="it ends early"), ahead(made_by(7), size) as items:
        taken.extend(items)  # raises after the last of them
    assert [number for number, _ in taken] == list(range(7))
    is_other = {thread is not threading.current_thread() for _, thread in taken}
    assert is_other == {size == MANY}
    assert threading.active_count() == before


@pytest.mark.parametrize("size", [MANY, FEW])
def test_who_uses_them_may_stop(size: int) -> None:
    def use_one() -> None:
        with ahead(made_by(7), size) as items:
            assert next(items)[0] == 0
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        use_one()
    assert threading.active_count() == before


def test_without_a_size_there_is_another_thread() -> None:
    with ahead(made_by(1)) as items:
        assert next(items)[1] is not threading.current_thread()
