"""What a user says of the animal on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from inveonimaging.errors import OptionError, printable
from inveonimaging.subject.typed import birth_date_of, sex_of

_LONGEST_NAME = 64  # of a Long String and of a Person Name, PS3.5 6.2


@dataclass(frozen=True, kw_only=True)
class GivenSubject:
    """What the user says of the animal; wins over the headers. None leaves it to them."""

    name: str | None = None
    id: str | None = None
    birth_date: date | None = None
    sex: str | None = None


def given_subject(name: str | None, identifier: str | None, birth_date: str | None, sex: str | None) -> GivenSubject:
    """Return what a user typed of the animal.

    Raises:
        OptionError: a text is too long, the birth date is no date, or the sex none of M, F and O.
    """
    return GivenSubject(
        name=_given_text("the patient's name", name),
        id=_given_text("the patient ID", identifier),
        birth_date=_given_birth_date(birth_date) if birth_date else None,
        sex=_given_sex(sex) if sex else None,
    )


def _given_text(what: str, text: str | None) -> str | None:
    if text and len(text) > _LONGEST_NAME:
        raise OptionError(f"{what} has {len(text)} characters", expected=f"at most {_LONGEST_NAME}")
    return text or None


def _given_birth_date(text: str) -> date:
    parsed = birth_date_of(text)
    if parsed is None:
        raise OptionError(f"the birth date is '{printable(text)}'", expected="YYYYMMDD or YYYY-MM-DD")
    return parsed


def _given_sex(text: str) -> str:
    parsed = sex_of(text)
    if parsed is None:
        raise OptionError(f"the sex is '{printable(text)}'", expected="M, F or O")
    return parsed
