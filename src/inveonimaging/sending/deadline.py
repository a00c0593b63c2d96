"""Moments until which a server must have answered, or taken what it is sent."""

from __future__ import annotations

import time

from inveonimaging.sending.result import LostError

_SLOWEST = 2**14  # bytes a second: less is no rate at which anybody waits for the end


class Deadline:
    """A moment; once it has come, the server counts as lost.

    Args:
        seconds: from now.
        reason: what is said of the server then.
    """

    def __init__(self, seconds: float, reason: str) -> None:
        self._reason = reason
        self._end = time.monotonic() + seconds

    def left_s(self) -> float:
        """Return how many seconds are left, more than none.

        Raises:
            LostError: there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.lost()
        return left

    def lost(self) -> LostError:
        """Return what is to be raised if it has come."""
        return LostError(self._reason, while_connecting=True)


def of_answer(timeout_s: float) -> Deadline:
    """Return until when a whole answer must be there: however it dribbles, it is waited for no longer than silence."""
    return Deadline(timeout_s, f"gave no answer within {timeout_s:g} s")


def of_data(timeout_s: float, size: int) -> Deadline:
    """Return until when a server must have taken so many bytes; slower than 16 KiB a second is as good as never."""
    seconds = timeout_s + size / _SLOWEST
    return Deadline(seconds, f"took no more than {_SLOWEST // 2**10} KiB a second")
