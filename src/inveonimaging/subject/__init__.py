"""Who the animal is: the command line, else a sheet, else the headers, with the source of every value."""

from inveonimaging.sheet.told import Origin, Source
from inveonimaging.subject.animal import Animal, animal_number_of, animal_of, birth_findings, several_animals, stem_of
from inveonimaging.subject.concepts import Concept
from inveonimaging.subject.given import GivenSubject, given_subject
from inveonimaging.subject.scans import animals_of_scans, completed_headers
from inveonimaging.subject.typed import age_of, birth_date_of, sex_of

__all__ = [
    "Animal",
    "Concept",
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
