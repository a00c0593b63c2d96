"""What de-identification makes of the value of a key; each key's row in `fields` says which.

`docs/how-to/deidentify.md` says the same, with the reasons.
"""

from __future__ import annotations

from enum import Enum


class Redaction(str, Enum):
    """What happens to the value of a key."""

    NUMBER = "kept if it is a number or a code"
    WORDS = "kept as typed, if it is short and holds no date, address or removed name"
    MEASURE = "kept if it is numbers, with a unit"
    AGE = "kept if it is an age"
    SEX = "kept if it is a sex"
    DATE = "kept or shifted"
    CLOCK = "kept if it is a time of day; kept or shifted with a date"
    BIRTH = "shifted; with dates that are kept, replaced by the age"
    SUBJECT = "replaced by a pseudonym; sought in what is kept as typed"
    SPACE = "replaced by a number that is the same for the same text"
    ATTENUATION = "replaced by the new name of the CT that it names, else removed"
    PERSON = "removed; it and its longer words are sought in what is kept as typed"
    NAME = "removed; sought in what is kept as typed"
    REMOVE = "removed"
