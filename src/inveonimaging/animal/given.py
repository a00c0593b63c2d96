"""What a user says of the animal on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from inveonimaging.animal.free_text import birth_date_of, sex_of, text_of
from inveonimaging.errors import OptionError
from inveonimaging.given import Given, day, optional, refused, text

_LONGEST_NAME = 64  # of a Long String and of a Person Name, PS3.5 6.2
_WHAT = {"name": "the patient's name", "id": "the patient ID"}


def _name(name: str, value: Any) -> str | None:
    """Read a text that is not too long; an empty one is none."""
    found = text(_WHAT[name], value)
    if len(found) > _LONGEST_NAME:
        raise OptionError(f"{_WHAT[name]} has {len(found)} characters", expected=f"at most {_LONGEST_NAME}")
    return found or None


def _birth_date(_name: str, value: Any) -> date | None:
    if value == "":
        return None
    born = day(value)
    written = value if born is None else born.isoformat()
    parsed = birth_date_of(written) if isinstance(written, str) else None
    if parsed is None:
        raise refused("the birth date", str(value), "YYYYMMDD, YYYY-MM-DD or unknown, of a year from 1900 to 2200")
    return parsed


def _sex(_name: str, value: Any) -> str | None:
    if value == "":
        return None
    parsed = sex_of(value) if isinstance(value, str) else None
    if parsed is None:
        raise refused("the sex", value, "M, F or O")
    return parsed


@dataclass(frozen=True, kw_only=True)
class GivenSubject:
    """What the user says of the animal; wins over the headers. None, or an empty text, leaves it to them.

    Attributes:
        name: Patient's Name.
        id: Patient ID.
        birth_date: a date, or its text as `given_subject` takes it.
        sex: `M`, `F` or `O`, or the word.
        unknown: what is to be empty, whatever the headers say: `birth_date`, `sex`.
    """

    name: Given[str | None, str | None] = Given(optional(_name), None)
    id: Given[str | None, str | None] = Given(optional(_name), None)
    birth_date: Given[date | str | None, date | None] = Given(optional(_birth_date), None)
    sex: Given[str | None, str | None] = Given(optional(_sex), None)
    unknown: frozenset[str] = frozenset()


def given_subject(name: str | None, identifier: str | None, birth_date: str | None, sex: str | None) -> GivenSubject:
    """Return what a user typed of the animal.

    Raises:
        OptionError: a text is too long, the birth date is no date nor `unknown`, or the sex none of M, F, O and U.
    """
    typed = {
        "birth_date": bool(birth_date) and text_of(birth_date) is None,
        "sex": bool(sex) and (text_of(sex) is None or str(sex).strip().lower() == "u"),
    }
    unknown = frozenset(name for name, is_unknown in typed.items() if is_unknown)
    return GivenSubject(
        name=name,
        id=identifier,
        birth_date=None if "birth_date" in unknown else birth_date,
        sex=None if "sex" in unknown else sex,
        unknown=unknown,
    )


def subject_given(name: str, value: Any) -> GivenSubject:
    """Read what is given of the animal: the object, or a mapping of its attributes; None gives nothing."""
    if isinstance(value, GivenSubject):
        return value
    known = {each.name for each in fields(GivenSubject)} - {"unknown"}
    if value is not None and not isinstance(value, Mapping):
        raise refused(name, value, "GivenSubject(...), or a mapping as {'id': 'M12', 'sex': 'F'}")
    for key in value or ():
        if key not in known:
            raise refused(f"a key of {name}", key, "one of name, id, birth_date, sex")
    return GivenSubject(**(value or {}))
