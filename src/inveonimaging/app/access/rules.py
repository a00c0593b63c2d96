"""The rules that every request keeps, as pure functions of its head; and what every answer says.

Sources: Fetch Metadata (W3C), RFC 6265bis for cookies, the Content Security Policy of level 3, and what is known of DNS
rebinding: the name in `Host` is the attacker's, though the address is this computer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

from inveonimaging.app.access.secrets import Access

START = "/start"
OPEN = "Start inveon app again: it opens the one that runs. The address that it prints works once."
CHANGE_HEADER = "x-inveon-token"
MOST_BYTES = 1024 * 1024  # of a request's body
_HOSTS = ("127.0.0.1", "localhost")
_OUR_SITES = {"same-origin", "none"}

POLICY = "; ".join(
    f"{name} {value}"
    for name, value in {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }.items()
)
"""Of the app's own pages: nothing inside the markup runs, and nothing from elsewhere is loaded."""

REPORT_POLICY = "sandbox allow-scripts allow-downloads; frame-ancestors 'none'"
"""Of a report, which brings a policy of its own: it belongs to no site, so its script can reach no page of the app."""

HEADERS = MappingProxyType(
    {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "x-frame-options": "DENY",
        "cache-control": "no-store",
    }
)
"""Of every answer; there is none that lets another site read anything."""


class Head(NamedTuple):
    """Method, path and headers of a request; names of headers are in lower case."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str | None:
        """Return the value of a header that is there once; None if it is missing; several are no value, but empty."""
        found = self.all(name)
        return None if not found else found[0] if len(found) == 1 else ""


class Refusal(NamedTuple):
    """Why a request gets no page: HTTP's status, and words for people."""

    status: int
    words: str


def cookie_name(port: int) -> str:
    """Return what the session's cookie is called: by the port, since cookies know none."""
    return f"inveon-{port}"


def refusal_of(head: Head, port: int, access: Access) -> Refusal | None:
    """Return why a request is refused; None lets it pass.

    Args:
        head: of the request.
        port: on which the app listens.
        access: the app's secrets.
    """
    return _of_site(head, port) or _of_method(head) or _of_session(head, port, access) or _of_change(head, access)


def _of_site(head: Head, port: int) -> Refusal | None:
    """Refuse other names of this computer, and what pages of other sites ask for."""
    host = head.one("host")
    if host not in {f"{name}:{port}" for name in _HOSTS}:
        return Refusal(421, "This address is not that of the app.")
    origin = head.one("origin")
    if origin is not None and origin != f"http://{host}":
        return Refusal(403, "The request comes from another site.")
    site = head.one("sec-fetch-site")
    is_opened = head.path == START and head.one("sec-fetch-mode") == "navigate"  # from a terminal, or an e-mail
    if site is not None and site not in _OUR_SITES and not is_opened:
        return Refusal(403, "The request comes from another site.")
    return None


def _of_method(head: Head) -> Refusal | None:
    if head.method not in {"GET", "POST"}:
        return Refusal(405, "There is no such request.")
    if head.path == START and (head.method != "GET" or head.one("sec-purpose") or head.one("purpose")):
        return Refusal(403, "Open this address yourself; it cannot be loaded in advance.")
    length = head.one("content-length")
    if length is not None and not (length.isascii() and length.isdecimal() and int(length[:20]) <= MOST_BYTES):
        return Refusal(413, "The request is too large.")
    return None


def _of_session(head: Head, port: int, access: Access) -> Refusal | None:
    if head.path == START:
        return None
    pairs = [each.strip().partition("=") for value in head.all("cookie") for each in value.split(";")]
    given = [value for name, _, value in pairs if name == cookie_name(port)]
    if not (access.is_at_base(head.path) and any(map(access.has_session, given))):  # another server may set one, too
        return Refusal(403, OPEN)
    return None


def _of_change(head: Head, access: Access) -> Refusal | None:
    if head.method != "POST":
        return None
    if head.one("origin") is None or not access.may_change(head.one(CHANGE_HEADER) or ""):
        return Refusal(403, "The request does not come from a page of the app; load the page again.")
    return None
