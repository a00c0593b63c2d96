"""Where DICOM is sent to: `dicom://CALLING@CALLED:host:port`, or the address of a DICOMweb service.

An address that is refused is not repeated in the message: it may have a password in it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from inveonimaging.errors import OptionError, printable

_FORMS = "dicom://CALLING@CALLED:host:port or https://host/dicom-web"
_HIGHEST_PORT = 65535
_TITLE = r"[!-?A-\[\]-~](?:[ -?A-\[\]-~]{0,14}[!-?A-\[\]-~])?"  # AE, PS3.5 6.2: 16 characters, no backslash; no @ here
_DIMSE = re.compile(
    rf"dicom://(?P<calling>{_TITLE})@(?P<called>{_TITLE}):(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+):(?P<port>[0-9]+)/?",
    re.ASCII,
)


@dataclass(frozen=True)
class DicomTarget:
    """A server that speaks DIMSE: the AE titles of this computer and of the server, and where it listens."""

    calling: str
    called: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"dicom://{self.calling}@{self.called}:{host}:{self.port}"


@dataclass(frozen=True)
class WebTarget:
    """A DICOMweb service: its address, without a slash at the end and without a user or password in it."""

    url: str
    host: str

    @property
    def is_encrypted(self) -> bool:
        """Whether it is reached by TLS."""
        return self.url.startswith("https:")

    @property
    def is_loopback(self) -> bool:
        """Whether it runs on this computer."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host.lower() == "localhost"

    def __str__(self) -> str:
        return self.url


Target = DicomTarget | WebTarget


def target_of(text: str) -> Target:
    """Return what an address means.

    Raises:
        OptionError: it is none, or has a user, a password or a token in it.
    """
    scheme = text.partition(":")[0].lower()
    if scheme == "dicom":
        return _dicom_target(text)
    if scheme in {"http", "https"}:
        return _web_target(text)
    raise OptionError("the target is not an address", expected=_FORMS)


def _dicom_target(text: str) -> DicomTarget:
    match = _DIMSE.fullmatch("dicom" + text[5:])
    if match is None:
        hint = "an AE title has 1 to 16 characters"
        raise OptionError("the target is not a DICOM address", expected="dicom://CALLING@CALLED:host:port", hint=hint)
    port = int(match["port"][:9])
    if not 0 < port <= _HIGHEST_PORT:
        raise OptionError(f"the port is {printable(match['port'])}", expected=f"1 to {_HIGHEST_PORT}")
    return DicomTarget(match["calling"], match["called"], match["host"].strip("[]"), port)


def _web_target(text: str) -> WebTarget:
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError:
        port, host = 0, None
    if "@" in text.partition("//")[2].partition("/")[0]:
        hint = "set INVEON_USER and INVEON_PASSWORD, or INVEON_TOKEN, or use a netrc file"
        raise OptionError("the target has a user or password in it, which others can see", hint=hint)
    if not host or port == 0 or not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>^`{|}'):
        raise OptionError("the target is not the address of a DICOMweb service", expected="https://host/dicom-web")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise OptionError("the target has a query or fragment", expected="https://host/dicom-web")
    netloc = parts.netloc.lower()
    return WebTarget(f"{parts.scheme.lower()}://{netloc}{parts.path.rstrip('/')}", host)
