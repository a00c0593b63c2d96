"""Names of a BIDS data set: labels of letters and digits, entities in their order, and who has a label already."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.errors import InputError, printable

_NOT_ALPHANUMERIC = re.compile("[^A-Za-z0-9]+")
_SUBJECT, _SESSION = "sub-", "ses-"


def label_of(text: str, prefix: str = "") -> str:
    """Return a text as a BIDS label: its letters and digits, letters without accents; a typed prefix is left out."""
    plain = unicodedata.normalize("NFKD", text.strip().removeprefix(prefix))
    return _NOT_ALPHANUMERIC.sub("", plain)


def subject_label(identifier: str, source: Path) -> str:
    """Return the label of an animal, `M42` of `M-42`.

    Raises:
        InputError: no letter and no digit is left of its ID.
    """
    label = label_of(identifier, _SUBJECT)
    if not label:
        message = f"no letter or digit is in the animal's ID '{printable(identifier, 40)}'" if identifier else None
        hint = "BIDS names an animal by letters and digits: give an ID with --patient-id, or in the column patient_id"
        raise InputError(message or "the animal has no ID", path=source, hint=hint)
    return label


def session_label(text: str) -> str:
    """Return the label of a session that a sheet names; empty if no letter or digit is in it."""
    return label_of(text, _SESSION)


@dataclass(frozen=True)
class BidsPlace:
    """Where a series goes in a data set.

    Attributes:
        subject, session: labels.
        datatype: name of the folder: `pet`, or `ct`.
        entities: what is in the file's name between session and run: `trc`, `rec`.
        suffix: the end of the name.
        root: what the folder of the subject is in; empty for the data set itself.
    """

    subject: str
    session: str
    datatype: str
    entities: tuple[tuple[str, str], ...]
    suffix: str
    root: str = ""

    @property
    def folder(self) -> str:
        """The folder, as seen from the data set, with forward slashes."""
        inside = f"{_SUBJECT}{self.subject}/{_SESSION}{self.session}/{self.datatype}"
        return f"{self.root}/{inside}" if self.root else inside

    def path(self, run: int | None = None) -> str:
        """Return the path without extension, as seen from the data set: `sub-M42/ses-1/pet/sub-M42_ses-1_pet`."""
        entities = {"sub": self.subject, "ses": self.session, **dict(self.entities)}
        entities |= {} if run is None else {"run": str(run)}
        return f"{self.folder}/{_joined(entities)}_{self.suffix}"


def _joined(entities: Mapping[str, str]) -> str:
    return "_".join(f"{name}-{label}" for name, label in entities.items() if label)
