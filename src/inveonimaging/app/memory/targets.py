"""Servers that DICOM is sent to: what is kept of each, and what is held in memory alone.

Of a server its name, address and certificates' files are kept in the app's state. Passwords and tokens are held while
the app runs, and are given to the process that sends; they are in no file, no page and no message.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from inveonimaging.app.memory.state import State
from inveonimaging.errors import InputError, InveonError, OptionError, printable
from inveonimaging.sending.options import SendOptions
from inveonimaging.sending.target import DicomTarget, WebTarget, target_of

USER, PASSWORD, TOKEN = "INVEON_USER", "INVEON_PASSWORD", "INVEON_TOKEN"
FILES = ("tls_ca", "tls_cert", "tls_key")
_FILE = "targets.json"
_LONGEST_NAME, _MOST = 60, 50


@dataclass(frozen=True)
class Kept:
    """A server, as it is kept; nothing secret is in it.

    Attributes:
        name: what people call it.
        address: as `inveon send` takes it.
        tls: whether a PACS is reached encrypted.
        tls_ca: file of the authority that is trusted.
        tls_cert: file of the certificate of this side.
        tls_key: file of its key.
        tls_name: name in the server's certificate.
        plain: whether a password may go unencrypted.
        is_set: whether it is one of the settings, which are not changed here.
    """

    name: str
    address: str
    tls: bool = False
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_name: str = ""
    plain: bool = False
    is_set: bool = False

    @property
    def goal(self) -> DicomTarget | WebTarget:
        """What the address means."""
        return target_of(self.address)

    @property
    def is_web(self) -> bool:
        """Whether it is a DICOMweb service."""
        return isinstance(self.goal, WebTarget)

    @property
    def is_encrypted(self) -> bool:
        """Whether others on the way can read nothing."""
        goal = self.goal
        return goal.is_encrypted if isinstance(goal, WebTarget) else self.options().is_encrypted

    @property
    def where(self) -> str:
        """Where it is, in words."""
        goal = self.goal
        if isinstance(goal, WebTarget):
            return goal.url
        return f"{goal.host}, port {goal.port}; {goal.calling} calls {goal.called}"

    def options(self, **more: Any) -> SendOptions:
        """Return how it is sent to.

        Raises:
            OptionError: a key is given without its certificate.
        """
        files: dict[str, Any] = {name: Path(text) for name in FILES if (text := getattr(self, name))}
        return SendOptions(tls=self.tls, tls_name=self.tls_name or None, plain_credentials=self.plain, **files, **more)

    def command(self, folder: Path) -> list[str]:
        """Return the words of the command that sends a folder there; a password is not among them."""
        words = ["inveon", "send", str(folder), self.address]
        words += ["--tls"] if self.tls else []
        named = (("--tls-ca", self.tls_ca), ("--tls-cert", self.tls_cert), ("--tls-key", self.tls_key))
        words += [f"{option}={value}" for option, value in (*named, ("--tls-name", self.tls_name)) if value]
        return [*words, "--plain-credentials"] if self.plain else words


_LABELS = {
    "a client certificate (--tls-cert, --tls-key)": "a certificate of this computer",
    "--tls-key without --tls-cert": "a key without its certificate",
    "--tls-cert and --tls-key name PEM files that": "the files of certificate and key must be in PEM, and",
    "--tls-cert and --tls-key": "the files of certificate and key",
    "--tls-ca names the file of": "give the file of",
    "--tls-ca names": "give the file of",
    "--tls-ca": "the file of the authority",
    "--tls-name gives the name that it has": "give the name in the server's certificate",
    "try without --tls": "try without encryption",
    "TLS (--tls)": "encryption",
    "convert without --compress": "convert without compression",
    "another form (--as)": "another kind of DICOM",
    "or --plain-credentials to send them all the same": "or tick that the password goes also without encryption",
    f"set {USER} and {PASSWORD}, or {TOKEN}, or use a netrc file": "leave them out: they are asked for later",
    f"set {TOKEN}, or {USER} and {PASSWORD}, or a netrc file; what is set there": "give another password; this one",
    f"both {TOKEN} and {USER} are set; set one of them": "both a token and a user are given; give one of them",
    f"one of {USER} and {PASSWORD} is set; set both": "only one of user and password is given; give both",
    TOKEN: "the token",
}


def in_words(text: str) -> str:
    """Return a message of `inveon send` in the words of the pages."""
    for typed, words in _LABELS.items():
        text = text.replace(typed, words)
    return text


class Targets:
    """The servers that are kept, those of the settings, and the secrets that are held."""

    def __init__(self, state: State, settings: Callable[[], Mapping[str, str]] = dict) -> None:
        """Keep servers in a state; the settings give the addresses of more, by name."""
        self._state, self._settings = state, settings
        self._lock = threading.Lock()
        self._secrets: dict[str, Mapping[str, str]] = {}

    @property
    def all(self) -> list[Kept]:
        """All servers, by name; one that is kept wins over one of the settings of the same name."""
        found = {name: Kept(name, address, is_set=True) for name, address in self._settings().items()}
        found |= {each.name: each for each in self._kept}
        return sorted(found.values(), key=lambda each: each.name.casefold())

    @property
    def _kept(self) -> list[Kept]:
        """Those of the file; what is no server there is left out."""
        document = self._state.read(_FILE)
        found = [kept for each in document if (kept := _kept(each))] if isinstance(document, list) else []
        return found[:_MOST]

    def get(self, name: str) -> Kept:
        """Return a server.

        Raises:
            InputError: there is none of this name.
        """
        for each in self.all:
            if each.name == name:
                return each
        raise InputError(f"no server is called '{printable(name)}'", hint="add it again")

    def keep(self, new: Kept) -> None:
        """Keep a server, in place of one of the same name; a password of that is forgotten.

        Raises:
            OptionError: its name or its address makes no sense, or there are too many.
        """
        if not _can_be_name(new.name):
            raise OptionError("the server needs a name", expected=f"1 to {_LONGEST_NAME} characters")
        new = replace(new, address=str(new.goal))
        new.options()
        with self._lock:
            others = [each for each in self._kept if each.name != new.name]
            if len(others) >= _MOST:
                raise OptionError(f"{_MOST} servers are kept already", hint="remove one")
            self._secrets.pop(new.name, None)
            self._state.write(_FILE, [asdict(each) for each in (*others, new)])

    def remove(self, name: str) -> None:
        """Remove a server, and forget its password."""
        with self._lock:
            self._secrets.pop(name, None)
            self._state.write(_FILE, [asdict(each) for each in self._kept if each.name != name])

    def hold(self, name: str, user: str, password: str, token: str) -> None:
        """Hold what a server asks for, while the app runs; nothing given changes nothing."""
        if user or password or token:
            with self._lock:
                self._secrets[name] = {USER: user, PASSWORD: password, TOKEN: token}

    def forget(self, name: str) -> None:
        """Forget what a server asks for."""
        with self._lock:
            self._secrets.pop(name, None)

    def credentials(self, name: str) -> Mapping[str, str]:
        """Return the variables that stand for what is held; empty if nothing is."""
        return self._secrets.get(name, {})


def _can_be_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable()


def _kept(document: object) -> Kept | None:
    """Return a server as the file has it; None if it is none."""
    if not isinstance(document, dict):
        return None
    kinds = {each.name: bool if each.type == "bool" else str for each in fields(Kept)}
    given: dict[str, Any] = {name: value for name, value in document.items() if type(value) is kinds.get(name)}
    given.pop("is_set", None)
    try:
        found = Kept(**given)
        is_one = bool(found.goal and found.options()) and _can_be_name(found.name)
    except (TypeError, InveonError):
        return None
    return found if is_one else None
