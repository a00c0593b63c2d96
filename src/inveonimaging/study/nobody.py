"""What a header says of one animal, taken away where several were scanned together: it is nobody's."""

from __future__ import annotations

from dataclasses import replace

from inveonimaging.inveon.hdr import Header

_SUBJECT = {
    "identifier": "subject_identifier",
    "animal_number": "animal_number",
    "length_units": "subject_length_units",
    "length": "subject_length",
    "weight_units": "subject_weight_units",
    "weight": "subject_weight",
    "date_of_birth": "subject_date_of_birth",
    "age": "subject_age",
    "sex": "subject_sex",
    "glucose_level": "subject_glucose_level",
    "glucose_level_time": "subject_glucose_level_time",
}
_TRACER = (
    "dose_units",
    "dose",
    "injection_time",
    "activity_units",
    "activity_before_injection",
    "activity_before_injection_time",
    "residual_activity",
    "residual_activity_time",
)
"""Attributes, with the keys that are not called like them."""
KEYS = frozenset((*_SUBJECT.values(), *_TRACER))


def of_no_animal(header: Header) -> Header:
    """Return a header of a group without what can only be one animal's: who it is, its weight, dose and injection.

    Species, strain, tracer and isotope stay, and so does posture. What is taken away is in no line of `source`.
    """
    return replace(
        header,
        subject=replace(header.subject, **dict.fromkeys(_SUBJECT)),
        tracer=replace(header.tracer, **dict.fromkeys(_TRACER)),
        extras=tuple(each for each in header.extras if each.key not in KEYS),
        source=tuple(line for line in header.source if line.key not in KEYS),
    )
