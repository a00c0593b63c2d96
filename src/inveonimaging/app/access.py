"""Who may use the app: whoever has the address that was opened, once; then the browser that opened it."""

from __future__ import annotations

import secrets
import threading

_BYTES = 32


class Access:
    """The secrets of one running app; they are in memory only.

    Attributes:
        token: in the address that is opened; it counts once.
        change_token: in a header of every request that changes something.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(_BYTES)
        self.change_token = secrets.token_urlsafe(_BYTES)
        self._session = secrets.token_urlsafe(_BYTES)
        self._is_open = True
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Return no secret."""
        return "Access()"

    def exchange(self, token: str) -> str | None:
        """Return the session for the token of the address; None if it is another one, or was used."""
        with self._lock:
            if not self._is_open or not _is_same(token, self.token):
                return None
            self._is_open = False
            return self._session

    def has_session(self, session: str) -> bool:
        """Return whether this is the session of the browser that opened the address."""
        return not self._is_open and _is_same(session, self._session)

    def may_change(self, token: str) -> bool:
        """Return whether this is the token of changes."""
        return _is_same(token, self.change_token)


def _is_same(one: str, other: str) -> bool:
    """Compare in a time that tells nothing."""
    return secrets.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8"))
