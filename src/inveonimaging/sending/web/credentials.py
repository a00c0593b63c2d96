"""Credentials for a DICOMweb service: from the environment or a netrc file, never from the command line.

They leave this module only as the Authorization header of a request.
"""

from __future__ import annotations

import netrc
import os
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from requests import PreparedRequest
from requests.auth import AuthBase

from inveonimaging.errors import OptionError
from inveonimaging.sending.target import WebTarget

TOKEN, USER, PASSWORD = "INVEON_TOKEN", "INVEON_USER", "INVEON_PASSWORD"


class Credentials(AuthBase):
    """The Authorization header of each request, or none; requests looks nowhere else then."""

    def __init__(self, header: str = "") -> None:
        self._header = header

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the header."""
        if self._header:
            request.headers["Authorization"] = self._header
        return request

    def __bool__(self) -> bool:
        return bool(self._header)


def credentials_for(target: WebTarget, environment: Mapping[str, str], *, plain: bool) -> Credentials:
    """Return what the environment says, else a netrc file, else none.

    Args:
        target: the service.
        environment: variables by name.
        plain: whether they may go over an unencrypted connection to another computer.

    Raises:
        OptionError: they contradict each other, cannot stand in a header, or would go unencrypted.
    """
    found = Credentials(_of_environment(environment) or _of_netrc(target.host, environment))
    if found and not (target.is_encrypted or target.is_loopback or plain):
        hint = "use https://, or --plain-credentials to send them all the same"
        raise OptionError("credentials would go unencrypted over the network", path=target.url, hint=hint)
    return found


def _of_environment(environment: Mapping[str, str]) -> str:
    token, user, password = (environment.get(name, "") for name in (TOKEN, USER, PASSWORD))
    if token and (user or password):
        raise OptionError(f"both {TOKEN} and {USER} are set", hint="set one of them")
    if bool(user) != bool(password):
        raise OptionError(f"one of {USER} and {PASSWORD} is set", hint="set both")
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise OptionError(f"{TOKEN} has characters that no token has", hint="set it again, without line breaks")
    return f"Bearer {token}" if token else _basic(user, password) if user else ""


def _basic(user: str, password: str) -> str:
    """Return the header of RFC 7617, in UTF-8."""
    if ":" in user:
        raise OptionError("the user name has a colon, which HTTP does not allow")
    text = f"{user}:{password}"
    if any("\ud800" <= each <= "\udfff" for each in text):  # bytes that are no text; encoding them would repeat it
        raise OptionError("the user name or the password is not in UTF-8", hint="set it again in UTF-8")
    return "Basic " + b64encode(text.encode()).decode()


def _of_netrc(host: str, environment: Mapping[str, str]) -> str:
    given = environment.get("NETRC")
    home = Path.home() if not given else Path()
    for path in [Path(given)] if given else [home / ".netrc", home / "_netrc"]:
        if os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
            try:
                found = netrc.netrc(path).authenticators(host)
            except (netrc.NetrcParseError, UnicodeError):  # they repeat what the file has, which may be the password
                raise OptionError("is not a netrc file", path=path, hint="see its manual page") from None
            except OSError as error:
                raise OptionError("cannot be read", path=path) from error
            if found and found[0] and found[2]:
                return _basic(found[0], found[2])
    return ""
