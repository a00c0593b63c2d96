"""Rows of the tables of a data set: the animal, and how it was at each session."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

from inveonimaging.animal import Animal
from inveonimaging.bids_dataset.tables import NOT_KNOWN, smaller
from inveonimaging.dicom import codes
from inveonimaging.sheet.application import has_tracer
from inveonimaging.study.reading import Scan, Study
from inveonimaging.units import plain

_DAYS_PER_YEAR = 365.25
_DAYS = {"D": 1.0, "W": 7.0, "M": _DAYS_PER_YEAR / 12, "Y": _DAYS_PER_YEAR}
_AGE = re.compile(r"(\d{3})([DWMY])")


def participant_of(subject: str, study: Study, ages: Sequence[str]) -> Mapping[str, str]:
    """Return the row of an animal.

    Args:
        subject: its label.
        study: of it.
        ages: at each session, in years.
    """
    animal, age = study.animal, NOT_KNOWN
    for each in ages:
        age = each if age == NOT_KNOWN else smaller(age, each)
    return {
        "participant_id": f"sub-{subject}",
        "animal_id": animal.id,
        "species": _species(animal) or NOT_KNOWN,
        "strain": animal.strain or NOT_KNOWN,
        "strain_rrid": study.sheet_values.get("strain_rrid") or NOT_KNOWN,
        "sex": animal.sex or NOT_KNOWN,
        "age": age,
    }


def session_of(session: str, scans: Sequence[Scan]) -> Mapping[str, str]:
    """Return the row of a session; the weight is that of the first scan with a tracer, else of the first scan.

    Args:
        session: its label.
        scans: the earliest first.
    """
    weighed = [each for each in scans if each.animal.weight_kg]
    of_weight = next((each for each in weighed if has_tracer(each.image.header)), weighed[0] if weighed else None)
    start = scans[0].start
    return {
        "session_id": f"ses-{session}",
        "acq_time": f"{start:%Y-%m-%dT%H:%M:%S}" if start else NOT_KNOWN,
        "age": age_years(scans[0].animal, start.date() if start else None) or NOT_KNOWN,
        "body_weight": plain(of_weight.animal.weight_kg) if of_weight and of_weight.animal.weight_kg else NOT_KNOWN,
    }


def _species(animal: Animal) -> str | None:
    """Return the species in two words of Latin where a code gives them, else as it was typed."""
    code = animal.species_code or codes.species(animal.species or "")
    return code.meaning if code else animal.species


def age_years(animal: Animal, day: date | None) -> str | None:
    """Return the age on a day in years, to a thousandth, by the birth date, else as it was typed; None if unknown."""
    if animal.birth_date and day and day >= animal.birth_date:
        days = float((day - animal.birth_date).days)
    elif match := _AGE.fullmatch(animal.age or ""):
        days = int(match[1]) * _DAYS[match[2]]
    else:
        return None
    return f"{days / _DAYS_PER_YEAR:.3f}"
