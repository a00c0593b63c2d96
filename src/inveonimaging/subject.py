"""Who the animal is: what was given on the command line, else what the headers say, with the source of every value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import TypeVar

from inveonimaging.errors import OptionError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.hdr import Header
from inveonimaging.hdr.values import MONTHS, ctime

T = TypeVar("T")

_NOT_GIVEN = {"", "unknown", "n/a", "na", "none", "-", "?", "00000000", "not specified"}
_SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
_MONTHS = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
_AGE = re.compile(r"(\d{1,4}(?:\.\d+)?)\s*(d|w|wk|m|mo|y|yr|day|week|month|year)s?\.?", re.ASCII)
_DAYS_PER_WEEK = 7
_LONGEST_AGE = 999
_LARGEST_MONTH = 12
_FIRST_YEAR, _LAST_YEAR = 1900, 2200  # two digits tell no century
_GIVEN = ("name", "id", "birth_date", "sex")
_LONGEST_NAME = 64  # of a Long String and of a Person Name, PS3.5 6.2


class Source(str, Enum):
    """Where a value came from."""

    COMMAND_LINE = "command line"
    HEADER = "header"
    DERIVED = "derived from other header values"


@dataclass(frozen=True, kw_only=True)
class GivenSubject:
    """What the user says of the animal; wins over the headers. None leaves it to them."""

    name: str | None = None
    id: str | None = None
    birth_date: date | None = None
    sex: str | None = None


@dataclass(frozen=True, kw_only=True)
class Animal:
    """The animal of a study; None or empty is unknown.

    Attributes:
        name, id: as typed, one line.
        sex: `M`, `F`, `O` or empty.
        age: a DICOM Age String such as `012W`.
        species, strain: as typed.
        weight_kg, length_m: above 0.
        investigator, institution: as typed.
        history: drugs, food, water and the like, one sentence each.
        sources: where each known value came from, by attribute name.
    """

    name: str = ""
    id: str = ""
    birth_date: date | None = None
    sex: str = ""
    age: str | None = None
    species: str | None = None
    strain: str | None = None
    weight_kg: float | None = None
    length_m: float | None = None
    investigator: str | None = None
    institution: str | None = None
    history: str | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)


def animal_of(headers: Sequence[Header], given: GivenSubject) -> tuple[Animal, tuple[Finding, ...]]:
    """Return the one animal of a study's headers: for each value the first header that gives it.

    A DICOM study has one patient: headers that disagree are a finding, and the first counts unless the user says it.
    Headers of several subjects are a finding that is an error, unless the user names the one.
    """
    findings: list[Finding] = []
    typed = {name: value for name in _GIVEN if (value := getattr(given, name)) is not None}
    known = _identity(headers, given, findings)
    for name, key, from_header in _FROM_HEADER:
        value = _first(headers, key, from_header, [] if name in typed else findings)
        if value is not None:
            known[name] = value
    known |= typed
    sources = {name: Source.HEADER for name, value in known.items() if value is not None}
    sources |= dict.fromkeys(typed, Source.COMMAND_LINE)
    derived = "age" not in known and _age_at_scan(known.get("birth_date"), headers)
    if derived:
        known["age"], sources["age"] = derived, Source.DERIVED
    values = {name: value for name, value in known.items() if value is not None}
    return Animal(**values, sources=sources), tuple(dict.fromkeys(findings))  # type: ignore[arg-type]


def _identity(headers: Sequence[Header], given: GivenSubject, findings: list[Finding]) -> dict[str, object]:
    """Return ID and name as the headers have them; what a user gives for several subjects is both."""
    typed = [text for header in headers if (text := _text(header.subject.identifier))]
    subjects = list({" ".join(text.split()).casefold(): text for text in reversed(typed)}.values())[::-1]
    if len(subjects) > 1 and given.id is not None:
        return {"name": given.id}
    if len(subjects) > 1:
        shown = ", ".join(f"'{printable(subject, 30)}'" for subject in subjects)
        message = f"subject_identifier differs within the study: {shown}"
        findings.append(Finding("several-subjects", message, Severity.ERROR, key="subject_identifier"))
    return {"id": subjects[0], "name": subjects[0]} if subjects else {}


def sex_of(text: str) -> str | None:
    """Return `M`, `F` or `O` for the ways people write it, None for anything else."""
    return _SEXES.get(text.strip().lower())


def birth_date_of(text: str) -> date | None:
    """Return the date in one of the forms seen in headers; None if it is none, or day and month could be swapped.

    `Mar 4 2014`, `4 Mar 2014`, `Tue Mar  4 00:00:00 2014`, `2014-03-04`, `20140304`, `2014/03/04`, `25.12.2013`.
    """
    parsed = _date(text)
    return parsed if parsed and _FIRST_YEAR <= parsed.year <= _LAST_YEAR else None


def _date(text: str) -> date | None:
    try:
        return ctime(text).date()
    except ValueError:
        pass
    try:
        return _date_of_words(re.findall(r"[A-Za-z]+|\d+", text))
    except (ValueError, OverflowError):
        return None


def age_of(text: str) -> str | None:
    """Return a DICOM Age String for `12 weeks`, `8w`, `56 d`, `3 months`; None for anything else."""
    match = _AGE.fullmatch(text.strip().lower())
    if not match:
        return None
    number, unit = float(match[1]), match[2][0].upper()
    if number != int(number) and unit == "W" and number * _DAYS_PER_WEEK == int(number * _DAYS_PER_WEEK):
        number, unit = number * _DAYS_PER_WEEK, "D"
    return f"{int(number):03}{unit}" if number == int(number) and number <= _LONGEST_AGE else None


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


def _text(text: str | None) -> str | None:
    return None if text is None or text.strip().lower() in _NOT_GIVEN else text.strip()


def _history(header: Header) -> str | None:
    subject = header.subject
    glucose = " at ".join(filter(None, (_text(subject.glucose_level), _text(subject.glucose_level_time))))
    parts = {
        "Study model": subject.study_model,
        "Anesthesia": subject.anesthesia,
        "Analgesia": subject.analgesia,
        "Other drugs": subject.other_drugs,
        "Food access": subject.food_access,
        "Water access": subject.water_access,
        "Glucose": glucose,
    }
    return "; ".join(f"{name}: {text}" for name, value in parts.items() if (text := _text(value))) or None


class _OddValueError(Exception):
    """A header's value that cannot be used: what it is, and what would be."""


def _sex(header: Header) -> str | None:
    text = _text(header.subject.sex)
    if text is not None and sex_of(text) is None:
        raise _OddValueError(f"subject_sex is '{printable(text)}', expected male or female; left empty")
    return text and sex_of(text)


def _birth_date(header: Header) -> date | None:
    text = _text(header.subject.date_of_birth)
    if text is not None and birth_date_of(text) is None:
        raise _OddValueError(
            f"subject_date_of_birth is '{printable(text)}', expected a date like 'Mar 4 2014'; left empty"
        )
    return birth_date_of(text) if text else None


def _age(header: Header) -> str | None:
    text = _text(header.subject.age)
    if text is not None and age_of(text) is None:
        raise _OddValueError(f"subject_age is '{printable(text)}', expected an age like '12 weeks'; left out")
    return age_of(text) if text else None


def _weight(header: Header) -> float | None:
    if header.subject.weight is not None and header.subject.weight_kg is None:
        raise _OddValueError("subject_weight is 0 or has no unit; left out, SUV cannot be computed")
    return header.subject.weight_kg


def _length(header: Header) -> float | None:
    if header.subject.length and header.subject.length_m is None:
        raise _OddValueError("subject_length has no unit; left out")
    return header.subject.length_m


_FROM_HEADER: tuple[tuple[str, str, Callable[[Header], object]], ...] = (
    ("birth_date", "subject_date_of_birth", _birth_date),
    ("sex", "subject_sex", _sex),
    ("age", "subject_age", _age),
    ("species", "subject_genus", lambda header: _text(header.subject.genus)),
    ("strain", "subject_phenotype", lambda header: _text(header.subject.phenotype)),
    ("weight_kg", "subject_weight", _weight),
    ("length_m", "subject_length", _length),
    ("investigator", "investigator", lambda header: _text(header.acquisition.investigator)),
    ("institution", "institution", lambda header: _text(header.institution)),
    ("history", "anesthesia", _history),
)


def _first(headers: Sequence[Header], key: str, read: Callable[[Header], T], findings: list[Finding]) -> T | None:
    values: list[T] = []
    for header in headers:
        try:
            value = read(header)
        except _OddValueError as odd:
            findings.append(Finding("subject-value-odd", str(odd), key=key))
            continue
        if value is not None and value not in values:
            values.append(value)
    if len(values) > 1:
        shown = ", ".join(f"'{printable(value, 30)}'" for value in values)
        findings.append(
            Finding("subject-disagrees", f"{key} differs within the study: {shown}; the first counts", key=key)
        )
    return values[0] if values else None


def _date_of_words(words: list[str]) -> date | None:
    numbers = [int(word) for word in words if word.isdigit()]
    names = [_MONTHS.get(word[:3].lower()) for word in words if word.isalpha()]
    if len(words) == 1 and len(words[0]) == len("20140304"):
        return date(int(words[0][:4]), int(words[0][4:6]), int(words[0][6:]))
    if len(names) == 1 and names[0] and len(numbers) == 2:  # noqa: PLR2004 - day and year
        day, year = sorted(numbers)
        return date(year, names[0], day)
    if not names and len(numbers) == 3:  # noqa: PLR2004 - day, month and year
        if len(words[0]) == len("2014"):
            return date(*numbers)
        first, second, year = numbers
        if first > _LARGEST_MONTH or first == second:
            return date(year, second, first)
        if second > _LARGEST_MONTH:
            return date(year, first, second)
    return None


def _age_at_scan(birth: object, headers: Sequence[Header]) -> str | None:
    scan = min((h.acquisition.scan_time for h in headers if h.acquisition.scan_time), default=None)
    if not isinstance(birth, date) or scan is None:
        return None
    days = (scan.date() - birth).days
    return f"{days:03}D" if 0 <= days <= _LONGEST_AGE else None
