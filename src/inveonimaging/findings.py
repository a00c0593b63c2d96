"""Problems in the data: returned to the caller, who prints, logs or refuses; never printed here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from inveonimaging.errors import printable


class Severity(str, Enum):
    """How much a finding matters."""

    INFO = "info"  # worth knowing; nothing to do
    WARNING = "warning"  # a value is missing or doubtful, and left out or taken as the message says
    ERROR = "error"  # not convertible unless an option says so

    @property
    def label(self) -> str:
        """How a line about it starts."""
        return "note" if self is Severity.INFO else self.value


@dataclass(frozen=True)
class Finding:
    """One problem in the data: a stable code, a sentence, and its place.

    Attributes:
        code: stable, in kebab-case, for programs.
        message: one line for people.
        severity: see `Severity`.
        key: header key that it is about, if any.
        line: line in the header file, 1-based.
        path: file that it is about.
    """

    code: str
    message: str
    severity: Severity = Severity.WARNING
    key: str | None = None
    line: int | None = None
    path: str | None = None

    def __str__(self) -> str:
        where = "" if self.path is None else printable(self.path, 300)
        where += "" if self.line is None else f":{self.line}"
        return f"{where}: {self.message}" if where else self.message
