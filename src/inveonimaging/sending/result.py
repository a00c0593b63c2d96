"""What became of what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from inveonimaging.errors import printable

_LONGEST_REASON = 300


class Fate(str, Enum):
    """What the server did with an instance."""

    ACCEPTED = "accepted"
    FAILED = "failed"
    UNDECIDED = "undecided"  # it was in a request that failed as a whole: to be sent alone


@dataclass(frozen=True)
class Item:
    """One DICOM file to send.

    Attributes:
        path: where it is.
        sop_class, uid, syntax: SOP Class, SOP Instance and Transfer Syntax UID, as its File Meta Information says.
        size: bytes of the file.
        changed_ns: when it was changed last.
    """

    path: Path
    sop_class: str
    uid: str
    syntax: str
    size: int
    changed_ns: int


@dataclass(frozen=True)
class Verdict:
    """The server's answer for one instance; `reason` of a failure, or of what was accepted with a warning."""

    item: Item
    fate: Fate
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """A file, and the server's answer, or why it was not sent."""

    path: str
    sop_instance_uid: str
    reason: str

    def __str__(self) -> str:
        return f"{printable(self.path, _LONGEST_REASON)}: {printable(self.reason, _LONGEST_REASON)}"


@dataclass(frozen=True)
class SendResult:
    """What became of all files.

    Attributes:
        target: where they were sent.
        files: number of DICOM files that were found.
        accepted: number that the server accepted now.
        skipped: number that it accepted before, as the journal says, or that occur twice.
        bytes: of the files that were accepted now.
        seconds: from the first to the last of them.
        committed: number that the server committed to keep; None if it was not asked.
        failures: files that were refused or cannot be sent, and those without a commitment.
        warnings: files that were accepted with a warning.
        unsent: files that were not sent, since the server was lost.
        stopped: why.
    """

    target: str
    files: int
    accepted: int = 0
    skipped: int = 0
    bytes: int = 0
    seconds: float = 0.0
    committed: int | None = None
    failures: tuple[Failure, ...] = ()
    warnings: tuple[Failure, ...] = ()
    unsent: tuple[str, ...] = ()
    stopped: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether the server has all files."""
        return not self.failures and not self.unsent and not self.stopped


class LostError(Exception):
    """The server was lost on the way; it may come back.

    Attributes:
        reason: one line.
        while_connecting: whether no connection came about.
        wait_s: how long it asks to wait.
        hint: what may be the cause.
        is_lasting: whether trying again is of no use.
    """

    def __init__(
        self,
        reason: str,
        *,
        while_connecting: bool = False,
        wait_s: float = 0.0,
        hint: str = "",
        is_lasting: bool = False,
    ) -> None:
        self.reason, self.while_connecting, self.wait_s = reason, while_connecting, wait_s
        self.hint, self.is_lasting = hint, is_lasting
        super().__init__(reason)
