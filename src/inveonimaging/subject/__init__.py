"""Who the animal is: the command line, else a sheet, else the headers, with the source of every value."""

from inveonimaging.sheet.told import Origin, Source
from inveonimaging.subject.animal import Animal, animal_of, birth_findings
from inveonimaging.subject.concepts import Concept
from inveonimaging.subject.given import GivenSubject, given_subject
from inveonimaging.subject.typed import age_of, birth_date_of, sex_of

__all__ = [
    "Animal",
    "Concept",
    "GivenSubject",
    "Origin",
    "Source",
    "age_of",
    "animal_of",
    "birth_date_of",
    "birth_findings",
    "given_subject",
    "sex_of",
]
