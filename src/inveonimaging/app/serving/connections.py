"""The connections of the server: none may dawdle, and there are only so many.

Any user of this computer can connect. Whoever connects and says nothing, or says it letter by letter, is cut off; and
if there are too many connections, the oldest of those that wait goes, so that a browser, which asks at once, is served.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 100
MOST_HEAD_BYTES = 512 * 1024  # a browser sends what other servers of this computer made it keep as cookies, too
REQUEST_S = 20.0


class Patience(H11Protocol):
    """A connection that gives a request, head and body, so many seconds."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, and let another go if there are too many."""
        if len(self.connections) >= MOST_CONNECTIONS:
            waiting = [each for each in self.connections if isinstance(each, Patience) and each.is_waiting]
            oldest = min(waiting, key=lambda each: each.until, default=None)
            if oldest is None:  # all of them are being answered
                transport.abort()
                return
            oldest.cut_off()
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop()
        if self.transport is not None:  # it was taken
            super().connection_lost(exc)

    @property
    def is_waiting(self) -> bool:
        """Whether a request is not here yet, or not as a whole."""
        return self.conn.their_state in {h11.IDLE, h11.SEND_BODY} and self.conn.our_state is not h11.ERROR

    @property
    def until(self) -> float:
        """When it is cut off, by the loop's clock."""
        return self._limit.when() if self._limit else float("inf")

    def cut_off(self) -> None:
        """End it, without a word."""
        self._stop()
        self.connections.discard(self)
        self.transport.abort()

    def _watch(self) -> None:
        if not self.is_waiting:
            self._stop()
        elif self._limit is None:
            self._limit = self.loop.call_later(REQUEST_S, self.cut_off)

    def _stop(self) -> None:
        if self._limit:
            self._limit.cancel()
            self._limit = None
