"""How DICOM is sent, as one frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inveonimaging.errors import OptionError

MIB = 2**20
_LARGEST_CHUNK = 4095 * MIB
_HIGHEST_PORT = 65535
_MOST_RETRIES = 20
_LONGEST_TIMEOUT_S = 86_400  # a day: what all systems can wait for


@dataclass(frozen=True, kw_only=True)
class SendOptions:
    """Options of sending; the default suits most servers.

    Attributes:
        tls: encrypt DIMSE; any of the next four does so, too. HTTPS is encrypted anyway.
        tls_ca: PEM file of the authorities that are trusted, instead of the system's.
        tls_cert: PEM file of the certificate that this side shows.
        tls_key: PEM file of its key.
        tls_name: name that the server's certificate must have, instead of the host; DIMSE only.
        commit: ask the server to commit to keep what was sent (PS3.4 J); DIMSE only.
        commit_port: where to listen for the answer, for servers that connect back.
        chunk_size: of a STOW-RS request, in bytes; an instance that is larger goes alone.
        journal: file that says what the server confirmed; what it lists is not sent again.
        retries: how often a lost connection is made anew before giving up.
        first_wait_s: before the first of them; each next one waits twice as long, at most 30 s.
        timeout_s: how long the server may be silent, at most a day.
        plain_credentials: send credentials unencrypted to another computer.
    """

    tls: bool = False
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_name: str | None = None
    commit: bool = False
    commit_port: int | None = None
    chunk_size: int = 32 * MIB
    journal: Path | None = None
    retries: int = 4
    first_wait_s: float = 1.0
    timeout_s: float = 120.0
    plain_credentials: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.chunk_size <= _LARGEST_CHUNK:
            raise OptionError(f"the chunk size is {self.chunk_size}", expected=f"1 to {_LARGEST_CHUNK} bytes")
        if not 0 <= self.retries <= _MOST_RETRIES:
            raise OptionError(f"retries is {self.retries}", expected=f"0 to {_MOST_RETRIES}")
        if not 0 < self.timeout_s <= _LONGEST_TIMEOUT_S:
            raise OptionError(f"the timeout is {self.timeout_s:g} s", expected=f"above 0, to {_LONGEST_TIMEOUT_S} s")
        if not self.first_wait_s >= 0:
            raise OptionError(f"the first wait is {self.first_wait_s:g} s", expected="0 s or more")
        if self.tls_key and not self.tls_cert:
            raise OptionError("--tls-key without --tls-cert", hint="give the certificate, too")
        if self.commit_port is not None and not 0 < self.commit_port <= _HIGHEST_PORT:
            raise OptionError(f"the port is {self.commit_port}", expected=f"1 to {_HIGHEST_PORT}")

    @property
    def is_encrypted(self) -> bool:
        """Whether DIMSE is encrypted."""
        return self.tls or any((self.tls_ca, self.tls_cert, self.tls_key, self.tls_name))

    @property
    def is_commitment_asked(self) -> bool:
        """Whether the server is asked to commit."""
        return self.commit or self.commit_port is not None
