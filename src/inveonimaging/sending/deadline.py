"""Moments until which a server must have answered, or taken what it is sent."""

from __future__ import annotations

import time

from inveonimaging.sending.result import LostError

_SLOWEST = 2**14  # bytes a second: less is no rate at which anybody waits for the end


class Deadline:
    """A moment; once it has come, the server counts as lost.

    Args:
        seconds: from now.
        reason: what the message then says of the server.
        is_final: whether nothing more is sent then.
    """

    def __init__(self, seconds: float, reason: str, *, is_final: bool = False) -> None:
        self._reason, self._is_final = reason, is_final
        self._end = time.monotonic() + seconds

    def left_s(self) -> float:
        """Return how many seconds are left, more than none.

        Raises:
            LostError: there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise LostError(self._reason, while_connecting=self._is_final)
        return left


def of_answer(timeout_s: float, *, is_final: bool = False) -> Deadline:
    """Return until when a whole answer must be there: however it dribbles, it is waited for no longer than silence."""
    return Deadline(timeout_s, f"gave no answer within {timeout_s:g} s", is_final=is_final)


def of_data(timeout_s: float, size: int) -> Deadline:
    """Return until when a server must have taken so many bytes; slower than 16 KiB a second is as good as never."""
    seconds = timeout_s + size / _SLOWEST
    return Deadline(seconds, f"took no more than {_SLOWEST // 2**10} KiB a second")
