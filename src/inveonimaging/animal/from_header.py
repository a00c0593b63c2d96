"""What headers say of the animal: one row a value, with its key and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeVar

from inveonimaging.animal.free_text import age_of, birth_date_of, is_no_date, sex_of, text_of
from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header
from inveonimaging.units import plain

T = TypeVar("T")


def _history(header: Header) -> str | None:
    subject = header.subject
    glucose = " at ".join(filter(None, (text_of(subject.glucose_level), text_of(subject.glucose_level_time))))
    parts = {
        "Study model": subject.study_model,
        "Anesthesia": subject.anesthesia,
        "Analgesia": subject.analgesia,
        "Other drugs": subject.other_drugs,
        "Food access": subject.food_access,
        "Water access": subject.water_access,
        "Glucose": glucose,
    }
    return "; ".join(f"{name}: {text}" for name, value in parts.items() if (text := text_of(value))) or None


class UnusableValueError(Exception):
    """A header's value that cannot be used: what it is, and what would be."""


def _sex(header: Header) -> str | None:
    text = text_of(header.subject.sex)
    if text is not None and sex_of(text) is None:
        raise UnusableValueError(f"subject_sex is '{printable(text)}', expected male or female; left empty")
    return text and sex_of(text)


def _birth_date(header: Header) -> date | None:
    text = text_of(header.subject.date_of_birth)
    if text is None or is_no_date(text):
        return None
    if birth_date_of(text) is None:
        raise UnusableValueError(
            f"subject_date_of_birth is '{printable(text)}', expected a date like 'Mar 4 2014'; left empty"
        )
    return birth_date_of(text)


def _age(header: Header) -> str | None:
    text = text_of(header.subject.age)
    if text is not None and age_of(text) is None:
        raise UnusableValueError(f"subject_age is '{printable(text)}', expected an age like '12 weeks'; left out")
    return age_of(text) if text else None


def _weight(header: Header) -> float | None:
    if header.subject.weight is not None and header.subject.weight_kg is None:
        raise UnusableValueError("subject_weight is 0 or has no unit; left out, SUV cannot be computed")
    return header.subject.weight_kg


def _length(header: Header) -> float | None:
    if header.subject.length and header.subject.length_m is None:
        raise UnusableValueError("subject_length has no unit; left out")
    return header.subject.length_m


FROM_HEADER: tuple[tuple[str, str, Callable[[Header], object]], ...] = (
    ("birth_date", "subject_date_of_birth", _birth_date),
    ("sex", "subject_sex", _sex),
    ("age", "subject_age", _age),
    ("species", "subject_genus", lambda header: text_of(header.subject.genus)),
    ("strain", "subject_phenotype", lambda header: text_of(header.subject.phenotype)),
    ("weight_kg", "subject_weight", _weight),
    ("length_m", "subject_length", _length),
    ("investigator", "investigator", lambda header: text_of(header.acquisition.investigator)),
    ("institution", "institution", lambda header: text_of(header.institution)),
    ("history", "anesthesia", _history),
)


_OF_A_SCAN = {"subject_weight", "subject_length", "subject_age"}
_HINTS = {"subject_weight": " (--weight for all, or weight_g in a sheet for --subjects, decides)"}
_UNITS = {"subject_weight": (1e3, "g"), "subject_length": (1e2, "cm")}


def _shown(key: str, value: object) -> str:
    if key in _UNITS and isinstance(value, float):
        factor, unit = _UNITS[key]
        return f"{plain(value * factor)} {unit}"
    return f"'{printable(value, 30)}'"


def first(
    headers: Sequence[Header], key: str, read: Callable[[Header], T], findings: list[Finding]
) -> tuple[T | None, int]:
    """Return the first value that a header gives, and that header's number; unusable and other ones are findings."""
    values: list[T] = []
    seen: set[object] = set()
    number = 0
    for index, header in enumerate(headers):
        try:
            value = read(header)
        except UnusableValueError as reason:
            findings.append(Finding("subject-value-odd", str(reason), key=key))
            continue
        plain = " ".join(value.split()).casefold() if isinstance(value, str) else value
        if value is not None and plain not in seen:
            number = number if values else index
            values.append(value)
            seen.add(plain)
    if len(values) > 1 and any(header.line_of(key) is not None for header in headers):  # a sheet may differ on purpose
        shown = ", ".join(_shown(key, value) for value in values)
        which = "each series has that of its own header" if key in _OF_A_SCAN else "the first counts"
        message = f"{key} differs within the study: {shown}; {which}{_HINTS.get(key, '')}"
        findings.append(Finding("subject-disagrees", message, key=key))
    return (values[0] if values else None), number
