"""Who may use the app: whoever has the address that was opened, once; then the browser that opened it."""

from __future__ import annotations

import secrets
import threading
from time import monotonic

_BYTES = 32
_BYTES_OF_PATH = 16


class Access:
    """The secrets of one running app; they are in memory only.

    Cookies know no ports: whatever another server on this computer is asked for would carry the session. So the pages
    lie below a path that is a secret, too, and the cookie is of that path: no other server gets it, and neither of the
    two opens anything alone.

    Attributes:
        last_use: when the session asked for something last, by the clock of `time.monotonic`.
        base: what the path of every page begins with, without a slash at its end.
        token: in the address that is opened; it counts once.
        change_token: in a header of every request that changes something.
    """

    def __init__(self) -> None:
        self.base = f"/{secrets.token_urlsafe(_BYTES_OF_PATH)}"
        self.token = secrets.token_urlsafe(_BYTES)
        self.change_token = secrets.token_urlsafe(_BYTES)
        self._session = secrets.token_urlsafe(_BYTES)
        self.last_use = monotonic()
        self._is_used = self._is_opened = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Return no secret."""
        return "Access()"

    def renew(self) -> str:
        """Return another token for the address; the one before counts no more."""
        with self._lock:
            self.token, self._is_used = secrets.token_urlsafe(_BYTES), False
            return self.token

    def exchange(self, token: str) -> str | None:
        """Return the session for the token of the address; None if it is another one, or was used."""
        with self._lock:
            if self._is_used or not _is_same(token, self.token):
                return None
            self._is_used = self._is_opened = True
            return self._session

    def has_session(self, session: str) -> bool:
        """Return whether this is the session of the browser that opened the address."""
        if not self._is_opened or not _is_same(session, self._session):
            return False
        self.last_use = monotonic()
        return True

    def is_at_base(self, path: str) -> bool:
        """Return whether a path is that of a page."""
        return _is_same("/" + path.removeprefix("/").partition("/")[0], self.base)

    def may_change(self, token: str) -> bool:
        """Return whether this is the token of changes."""
        return _is_same(token, self.change_token)


def _is_same(one: str, other: str) -> bool:
    """Compare in a time that does not depend on the content."""
    return secrets.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8"))
