"""Who the animal is: the command line, else a sheet, else the headers, with the source of every value."""

from inveonimaging.animal.animal import (
    Animal,
    animal_number_of,
    animal_of,
    animals_of_scans,
    birth_findings,
    completed_headers,
    several_animals,
    stem_of,
)
from inveonimaging.animal.free_text import age_of, birth_date_of, sex_of
from inveonimaging.animal.given import GivenSubject, given_subject
from inveonimaging.animal.sheet_values import Code, Origin, Source

__all__ = [
    "Animal",
    "Code",
    "GivenSubject",
    "Origin",
    "Source",
    "age_of",
    "animal_number_of",
    "animal_of",
    "animals_of_scans",
    "birth_date_of",
    "birth_findings",
    "completed_headers",
    "given_subject",
    "several_animals",
    "sex_of",
    "stem_of",
]
