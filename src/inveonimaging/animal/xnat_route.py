r"""Where XNAT is to file a study: project, subject and session, as the text that XNAT routes received DICOM by.

XNAT and its plug-in PIXI take the three labels from Patient Comments before they look elsewhere. They look for
`Project:`, `Subject:` and `Session:`, each at the start or after a space, comma or semicolon, and take the letters of
`[\w-]*` that follow.

Sources: "How XNAT Scans DICOM to Map to Project/Subject/Session" (wiki.xnat.org/documentation); in XNAT's source
`org.nrg.dcm.ContainedAssignmentExtractor` (dicom-xnat-util), used by `org.nrg.dcm.id.XnatDefaultDicomObjectIdentifier`
and `Xnat15DicomProjectIdentifier`, and by PIXI's `HotelSubjectDicomObjectIdentifier`, which takes the subject from the
Patient's Name instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from inveonimaging.errors import OptionError, printable
from inveonimaging.given import refused

_LABEL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LONGEST = 255  # three of them fit into Patient Comments, of 10,240 characters
_CHARACTERS = "letters from A to Z, digits, _ and -"
_KINDS = ("project", "subject", "session")


@dataclass(frozen=True)
class Route:
    """Labels of XNAT; each is checked."""

    project: str
    subject: str
    session: str

    def __post_init__(self) -> None:
        for kind in _KINDS:
            checked_label(getattr(self, kind), kind)

    def __str__(self) -> str:
        return f"{self.project}/{self.subject}/{self.session}"

    @property
    def comments(self) -> str:
        """The text of Patient Comments (0010,4000)."""
        return f"Project: {self.project} Subject: {self.subject} Session: {self.session}"


def route_of(text: str) -> Route:
    """Return the route that `PROJECT/SUBJECT/SESSION` names.

    Raises:
        OptionError: there are not three labels, or one has characters that XNAT's labels cannot have.
    """
    labels = text.split("/")
    if len(labels) != len(_KINDS):
        raise OptionError(key="the XNAT route", got=text, expected="PROJECT/SUBJECT/SESSION")
    return Route(*labels)


def route_given(name: str, value: Any) -> Route:
    """Read a route, `PROJECT/SUBJECT/SESSION`, or the three labels; OptionError."""
    if isinstance(value, Route):
        return value
    if isinstance(value, str):
        return route_of(value)
    if isinstance(value, tuple | list) and len(value) == len(_KINDS):
        return Route(*value)
    raise refused(name, value, "PROJECT/SUBJECT/SESSION")


def checked_label(text: str, kind: str = "project") -> str:
    """Return a label of XNAT as it is.

    Args:
        text: the label.
        kind: what it names, for the error: project, subject or session.

    Raises:
        OptionError: it is empty, longer than 255 characters, or has a character at which XNAT would cut or miss it.
    """
    if not isinstance(text, str) or not _LABEL.fullmatch(text):
        raise OptionError(f"the XNAT {kind} is '{printable(text)}'", expected=_CHARACTERS)
    if len(text) > _LONGEST:
        raise OptionError(f"the XNAT {kind} has {len(text)} characters", expected=f"at most {_LONGEST}")
    return text
