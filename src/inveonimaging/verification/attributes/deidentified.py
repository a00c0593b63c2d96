"""DICOM that says it is de-identified: what it must not hold any more, and the source as it must then be.

Dates may be moved by whole days, all of a study by as many: times of day and all intervals are compared as ever.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from inveonimaging.animal import Animal, Source
from inveonimaging.animal.free_text import text_of
from inveonimaging.dicom_reading.opening import opened
from inveonimaging.dicom_reading.planes import Plane
from inveonimaging.errors import InputError
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair
from inveonimaging.redaction.context import neutral
from inveonimaging.redaction.free_text import folded, has_date_or_place, is_nuclide, names_in, pattern_of, people_in
from inveonimaging.verification.attributes.comparison import plain
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import SourceScan

_PEOPLE = (
    "investigator",
    "operator",
    "acquisition_user_id",
    "histogram_user_id",
    "reconstruction_user_id",
    "scatter_correction_user_id",
)
_NOTES = "acquisition_notes"
_IDENTIFYING = (*_PEOPLE, "institution", "subject_identifier", _NOTES)  # whatever the profile of who removed it
KEPT = (
    "manufacturer",
    "isotope",
    "injected_compound",
    "gate_description",
    "subject_genus",
    "subject_phenotype",
    "subject_scan_region",
)
"""Keys whose text is kept for its meaning."""

_KEPT_LINE = re.compile(rf"^[ \t]*({'|'.join(KEPT)})[ \t]+(.*)$", re.IGNORECASE | re.MULTILINE)
_TELLING = {  # attributes that name the subject, or say what it is in words
    "AdditionalPatientHistory",
    "BodyPartExamined",
    "Manufacturer",
    "PatientID",
    "PatientSpeciesDescription",
    "Radiopharmaceutical",
    "StrainDescription",
}
_NUMBERS = {"AT", "DS", "FD", "FL", "IS", "SL", "SS", "SV", "UI", "UL", "US", "UV"}
_CHARSET = BaseTag(0x00080005)
_PER_FRAME = tag_for_keyword("PerFrameFunctionalGroupsSequence")  # large, and without any of these
_SHORTEST = 4  # shorter texts, and numbers, are in other attributes too, and mean something else


@dataclass(frozen=True)
class Name:
    """What the header says in a key and must be gone, as it is compared.

    Attributes:
        key: of the header.
        text: what must be gone.
        is_anywhere: whether it is sought in all attributes; else in those alone that name the subject or describe it.
    """

    key: str
    text: str
    is_anywhere: bool

    def is_in(self, texts: Iterable[str]) -> bool:
        """Return whether it is in one of several texts, as these are compared."""
        return any(re.search(pattern_of(self.text), text) for text in texts)

    def may_be_in(self, texts: Iterable[str]) -> bool:
        """Return whether bytes look like it; what they are next to says nothing, and character sets differ."""
        longest = max(re.split("[ -]", self.text), key=len)
        return not self.text.isascii() or any(longest in text for text in texts)


def names_of(key: str, value: str) -> Iterator[Name]:
    """Yield what must be gone of what a header says in a key."""
    if not text_of(value):
        return
    is_long = len(value) >= _SHORTEST and not value.isdigit() and not is_nuclide(value)
    is_name = key in _IDENTIFYING and (is_long or key != _NOTES)
    if is_name or (key in KEPT and has_date_or_place(_free(key, value))):
        for spelling in (value, plain(value)):
            yield from (Name(key, text, is_long) for text in names_in(spelling))
    if key in _PEOPLE:
        yield from (Name(key, text, is_anywhere=False) for text in people_in(value))


class Search:
    """Looks for names in files; what many files hold alike is looked at once."""

    def __init__(self, names: Sequence[Name]) -> None:
        self._names = names
        self._seen: dict[Hashable, tuple[str, ...]] = {}

    def keys_in(self, path: Path) -> tuple[str, ...]:
        """Return the keys whose value is in a file; InputError if it cannot be read as a whole."""
        with opened(path, is_whole=True) as file:
            dataset = file.header
            charset = str(dataset.get_item(_CHARSET) if _CHARSET in dataset else None)
            tags = list(dataset.keys())
            return tuple(dict.fromkeys(key for tag in tags for key in self._keys_at(dataset, tag, charset)))

    def _keys_at(self, dataset: Dataset, tag: BaseTag, charset: str) -> tuple[str, ...]:
        raw: object = dataset.get_item(tag)
        if not isinstance(raw, RawDataElement) or raw.value is None:
            return _keys_of(dataset[tag], self._names_at(tag))
        if raw.VR in _NUMBERS:
            return ()
        seen = (tag, charset, raw.value)
        if seen not in self._seen:
            bare = [folded(text) for text in _text(raw.value)]
            likely = [name for name in self._names_at(tag) if name.may_be_in(bare)]
            self._seen[seen] = _keys_read(dataset, tag, raw.value, likely) if likely else ()
        return self._seen[seen]

    def _names_at(self, tag: BaseTag) -> Sequence[Name]:
        return [name for name in self._names if name.is_anywhere] if tag == _PER_FRAME else self._names


def _keys_read(dataset: Dataset, tag: BaseTag, raw: bytes, names: Sequence[Name]) -> tuple[str, ...]:
    try:
        return _keys_of(dataset[tag], names)
    except Exception:  # noqa: BLE001 - pydicom raises all sorts of errors for damaged values, whose bytes are text too
        return _keys_of(DataElement(tag, "UN", raw), names)


def _keys_of(element: DataElement, names: Sequence[Name]) -> tuple[str, ...]:
    elements = list(_all_of(element))
    anywhere = [folded(text) for each in elements for text in _text(each.value)]
    telling = [folded(text) for each in elements for text in _telling(each)]
    return tuple(name.key for name in names if name.is_in(anywhere if name.is_anywhere else telling))


def _all_of(element: DataElement) -> Iterator[DataElement]:
    """Yield an element, or all that a sequence holds."""
    if element.VR != "SQ":
        yield element
        return
    for item in element.value:
        yield from (each for each in item.iterall() if each.VR != "SQ")


def _telling(element: DataElement) -> Iterator[str]:
    """Yield what names the subject or somebody, and what is kept for its meaning: in attributes, and of the header."""
    if element.keyword in _TELLING or element.VR == "PN":
        yield from _text(element.value)
    elif element.tag.is_private:
        for text in _text(element.value):
            yield from (_free(line[1].lower(), line[2].strip()) for line in _KEPT_LINE.finditer(text))


def _free(key: str, value: str) -> str:
    """Return what of a value that is kept is words; the number of a gate input and a nuclide are not."""
    if key == "gate_description":
        return re.sub(r"^\d{1,2}(?:\s+|$)", "", value)
    return "" if key == "isotope" and is_nuclide(value) else value


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
        yield value.decode("latin-1")
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _text(each)
    elif value is not None:
        yield str(value)


_MOST_DAYS = 100 * 366

DEIDENTIFIED = "the DICOM is de-identified: files have numbers in the order of their names, and patients pseudonyms"

Series = Sequence[Plane]


def is_deidentified(series: Sequence[Series]) -> bool:
    """Return whether anything says that the identity was removed."""
    return any(planes[0].get("PatientIdentityRemoved") == "YES" for planes in series)


@dataclass(frozen=True)
class Hidden:
    """What the DICOM says of its de-identification, and what the source must then be.

    Attributes:
        days: that all dates are moved by; 0 if they are not.
        is_moved: whether it says that dates are modified.
        names: what must be gone.
        pairs: what the files are called, by what they were.
    """

    days: int
    is_moved: bool
    names: tuple[Name, ...]
    pairs: dict[Pair, Pair]

    def scan(self, scan: SourceScan) -> SourceScan:
        """Return a scan as it is after the de-identification."""
        days = timedelta(days=self.days)
        image = replace(scan.image, header=_moved(scan.header, days), pair=self.pairs[scan.image.pair])
        start = None if scan.start is None else scan.start + days
        return replace(scan, image=image, start=start, animal=self._animal(scan.animal))

    def _animal(self, animal: Animal) -> Animal:
        """Return an animal with what was given instead of the headers, and with its birth date if that is moved too."""
        given = _given(animal)
        born = animal.birth_date if self.is_moved or "birth_date" in given else None
        return replace(
            animal,
            id=animal.id if "id" in given else "",
            name=animal.name if "name" in given else "",
            birth_date=born and born + timedelta(days=self.days),
        )

    def left(self, series: Sequence[Series]) -> Iterator[Difference]:
        """Yield what is still there and should not be."""
        files = {id(plane.file): plane.file for planes in series for plane in planes}.values()
        found: dict[str, list[Path]] = {}
        search = Search(self.names)
        for file in files:
            try:
                keys = search.keys_in(file.path)
            except InputError as error:
                yield Difference("file-unreadable", Kind.INSTANCES, error.sentence, str(file.path))
                continue
            for key in keys:
                found.setdefault(key, []).append(file.path)
        for key, paths in found.items():
            what = f"what the header says in {key}{', with a date or a path,' if key in KEPT else ''}"
            message = f"{what} is still there, in {len(paths)} files that say otherwise"
            yield Difference("identity-left", Kind.IDENTITY, message, str(paths[0]), len(paths))
        if self.is_moved and not self.days and series:
            message = "dates are marked as modified, but are those of the header"
            yield Difference("dates-left", Kind.IDENTITY, message, str(series[0][0].file.path))


def hidden_of(scans: Sequence[SourceScan], series: Sequence[Series]) -> Hidden:
    """Return what de-identified DICOM made of these scans must be."""
    is_moved = any(planes[0].get("LongitudinalTemporalInformationModified") == "MODIFIED" for planes in series)
    days = _days(scans, series) if is_moved else 0
    pairs = {pair: neutral(n) for n, pair in enumerate(dict.fromkeys(scan.image.pair for scan in scans), 1)}
    return Hidden(days, is_moved, _names(scans), pairs)


def _days(scans: Sequence[SourceScan], series: Sequence[Series]) -> int:
    """Return how many days the earliest series was moved by; the others, and all else, must agree."""
    true = [scan.start.date() for scan in scans if scan.start is not None]
    stated = [day for planes in series if (day := _day(planes[0]))]
    days = (min(stated) - min(true)).days if true and stated else 0
    return days if abs(days) <= _MOST_DAYS else 0


def _day(plane: Plane) -> date | None:
    moment = plane.moment("SeriesDate", "SeriesTime") or plane.acquired
    return moment.date() if moment else None


def _names(scans: Sequence[SourceScan]) -> tuple[Name, ...]:
    """Return what must be gone, but for what was given anew."""
    given = [folded(str(getattr(scan.animal, name))) for scan in scans for name in _given(scan.animal)]
    lines = (line for scan in scans for line in scan.header.source)
    names = dict.fromkeys(name for line in lines for name in names_of(line.key, line.value))
    return tuple(name for name in names if not name.is_in(given))


def _given(animal: Animal) -> frozenset[str]:
    """Return what of an animal is not from the headers."""
    own = (Source.COMMAND_LINE, Source.SHEET)
    return frozenset(name for name, origin in animal.sources.items() if origin.source in own)


def _moved(header: Header, days: timedelta) -> Header:
    def later(moment: datetime | None) -> datetime | None:
        return None if moment is None else moment + days

    acquisition, tracer = header.acquisition, header.tracer
    if tracer.injected_at is not None:  # the epoch means no time, and is moved by none
        tracer = replace(tracer, injection_time=later(tracer.injection_time))
    return replace(
        header,
        acquisition=replace(
            acquisition, scan_time=later(acquisition.started_at), gmt_scan_time=later(acquisition.started_at_gmt)
        ),
        tracer=replace(
            tracer,
            activity_before_injection_time=later(tracer.activity_before_injection_time),
            residual_activity_time=later(tracer.residual_activity_time),
        ),
    )
