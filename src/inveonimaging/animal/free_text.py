"""What people type of an animal -> values: sex, birth date, age; words that mean "not known"."""

from __future__ import annotations

import re
from datetime import date

from inveonimaging.inveon.hdr.values import MONTHS, ctime

NOT_GIVEN = {"", "unknown", "n/a", "na", "none", "-", "?", "00000000", "not specified"}
LONGEST_AGE = 999  # of a DICOM Age String
_SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
_MONTHS = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
_AGE = re.compile(r"(\d{1,4}(?:\.\d+)?)\s*(d|w|wk|m|mo|y|yr|day|week|month|year)s?\.?", re.ASCII)
_DAYS_PER_WEEK = 7
_LARGEST_MONTH = 12
_EPOCH_YEAR = 1970  # what a console writes for no date at all
_FIRST_YEAR, _LAST_YEAR = 1900, 2200  # two digits give no century


def text_of(text: str | None) -> str | None:
    """Return text without blanks around it; None for the words that mean "not known"."""
    return None if text is None or text.strip().lower() in NOT_GIVEN else text.strip()


def sex_of(text: str) -> str | None:
    """Return `M`, `F` or `O` for the ways people write it, None for anything else."""
    return _SEXES.get(text.strip().lower())


def birth_date_of(text: str) -> date | None:
    """Return the date in one of the forms seen in headers; None if it is none, or day and month could be swapped.

    `Mar 4 2014`, `4 Mar 2014`, `Tue Mar  4 00:00:00 2014`, `2014-03-04`, `20140304`, `2014/03/04`, `25.12.2013`.
    """
    parsed = _date(text)
    return parsed if parsed and _FIRST_YEAR <= parsed.year <= _LAST_YEAR else None


def is_no_date(text: str) -> bool:
    """Return whether a date is the epoch or before it, which a console writes for none."""
    parsed = _date(text)
    return parsed is not None and parsed.year <= _EPOCH_YEAR


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
    return f"{int(number):03}{unit}" if number == int(number) and number <= LONGEST_AGE else None


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
