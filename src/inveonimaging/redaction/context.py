"""What the headers of one study are changed by: the same shift, pseudonyms and names for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path, PureWindowsPath

from inveonimaging.animal.free_text import birth_date_of, text_of
from inveonimaging.errors import InveonError
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.hdr.fields import MAIN
from inveonimaging.inveon.hdr.lexer import lex
from inveonimaging.inveon.hdr.redaction import Redaction
from inveonimaging.inveon.modality import modality_of
from inveonimaging.inveon.pairs import Pair
from inveonimaging.redaction.free_text import names_in, pattern_of, people_in
from inveonimaging.redaction.request import Dates, Deidentify

_MOST_DAYS = 999  # of an Age String
_DAYS_PER_WEEK = 7
_NAMES = {Redaction.PERSON, Redaction.NAME, Redaction.SUBJECT}  # sought in what is kept as typed


@dataclass(frozen=True)
class RedactionContext:
    """What the headers of a study are changed by.

    Attributes:
        request: what is asked for.
        days: added to each date.
        pseudonyms: the pseudonym of each `subject_identifier`.
        spaces: the neutral name of each `spatial_identifier`.
        computed: the new name of the CT that an `attenuation_filename` names, by its stem.
        named: people, places and subjects that the headers name, as text is compared.
        scanned: the day of the earliest scan, to give the age.
    """

    request: Deidentify
    days: int
    pseudonyms: Mapping[str, str]
    spaces: Mapping[str, str]
    computed: Mapping[str, str]
    named: tuple[str, ...]
    scanned: date | None

    @cached_property
    def names(self) -> re.Pattern[str] | None:
        """What finds what must not be in text that is kept, as that is compared; None if the headers name nobody."""
        return re.compile(pattern_of(*self.named)) if self.named else None

    @property
    def dates_are_kept(self) -> bool:
        """Whether dates stay as they are."""
        return self.request.dates is Dates.KEEP

    def age_at_scan(self, birth: str) -> str | None:
        """Return the age at the earliest scan, `105 d`; None if that is not known."""
        born = birth_date_of(birth)
        if not born or not self.scanned or self.scanned < born:
            return None
        days = (self.scanned - born).days
        return f"{days} d" if days <= _MOST_DAYS else f"{days // _DAYS_PER_WEEK} w"


def neutral(number: int) -> Pair:
    """Return the new names of the pair with this number in its study, which are of no folder."""
    return Pair(Path(f"{number}.img.hdr"), Path(f"{number}.img"))


def redaction_context_of(
    sources: Sequence[tuple[Pair, bytes]], request: Deidentify, patient_id: str | None, start: date | None = None
) -> RedactionContext:
    """Return the redaction of the headers of a study.

    Args:
        sources: each pair with its header's text, in the order of their numbers.
        request: what is asked for.
        patient_id: what the user calls the subject.
        start: day of scans whose header has none.

    Raises:
        HeaderError: a text is no header.
        OptionError: a secret is needed and not there.
    """
    headers = [parsed(*source) for source in sources]
    subjects = [text for header in headers if (text := text_of(header.subject.identifier))]
    pseudonyms = {text: patient_id or request.pseudonym(text) for text in subjects}
    spaces = dict.fromkeys(header.geometry.spatial_identifier for header in headers)
    scans = [when.date() for header in headers if (when := header.acquisition.started_at)]
    return RedactionContext(
        request=request,
        days=request.days_for(patient_id or next(iter(subjects), None)),
        pseudonyms=pseudonyms,
        spaces={text: f"space-{number}" for number, text in enumerate(filter(None, spaces), 1)},
        computed=_computed([pair for pair, _ in sources], headers),
        named=_named(data for _, data in sources),
        scanned=min(scans, default=start),
    )


def parsed(pair: Pair, data: bytes) -> Header:
    """Return the header of a pair; HeaderError with its path."""
    try:
        return parse(data)[0]
    except InveonError as error:
        raise error.at(pair.header) from error


def stem(name: str | None) -> str:
    """Return the file name of a path of any system, in lower case, up to its first dot."""
    return PureWindowsPath(name or "").name.partition(".")[0].lower()


def _computed(pairs: Sequence[Pair], headers: Sequence[Header]) -> dict[str, str]:
    """Return the new name of the first CT by the stem of each of its names."""
    found: dict[str, str] = {}
    for number, (pair, header) in enumerate(zip(pairs, headers, strict=True), 1):
        if _is_ct(header):
            for name in (header.acquisition_file_name, pair.name):
                found.setdefault(stem(name), neutral(number).name)
    return {name: new for name, new in found.items() if name}


def _is_ct(header: Header) -> bool:
    try:
        return modality_of(header)[0] is Modality.CT
    except InveonError:  # it is refused when it is read
        return False


def _named(texts: Iterator[bytes]) -> tuple[str, ...]:
    """Return the people, places and subjects that headers name, as text is compared."""
    names: dict[str, None] = {}
    for data in texts:
        for line in lex(data).blocks[0]:  # also one that the header does not count, since it is cut off
            field = MAIN.get(line.key)
            if field is None or field.redacted not in _NAMES or not text_of(line.value):
                continue
            names |= dict.fromkeys(names_in(line.value))
            if field.redacted is Redaction.PERSON:
                names |= dict.fromkeys(people_in(line.value))
    return tuple(names)
