"""What de-identified DICOM must not hold any more of the headers that it was made from, and the search for it."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from inveonimaging.animal.free_text import text_of
from inveonimaging.redaction.free_text import folded, is_nuclide, names_in, pattern_of, people_in, tells_more
from inveonimaging.verification.comparison import plain

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
_PER_FRAME = tag_for_keyword("PerFrameFunctionalGroupsSequence")  # large, and without any of these
_SHORTEST = 4  # shorter texts, and numbers, stand in other attributes too, and mean something else


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

    def stands_in(self, texts: Iterable[str]) -> bool:
        """Return whether it stands in one of several texts, as these are compared."""
        return any(re.search(pattern_of(self.text), text) for text in texts)

    def may_stand_in(self, texts: Iterable[str]) -> bool:
        """Return whether bytes look like it; what they are next to says nothing, and character sets differ."""
        longest = max(re.split("[ -]", self.text), key=len)
        return not self.text.isascii() or any(longest in text for text in texts)


def names_of(key: str, value: str) -> Iterator[Name]:
    """Yield what must be gone of what a header says in a key."""
    if not text_of(value):
        return
    is_long = len(value) >= _SHORTEST and not value.isdigit() and not is_nuclide(value)
    is_name = key in _IDENTIFYING and (is_long or key != _NOTES)
    if is_name or (key in KEPT and tells_more(_free(key, value))):
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
        """Return the keys whose value stands in a file."""
        dataset = dcmread(path, stop_before_pixels=True)
        charset = str(dataset.get("SpecificCharacterSet"))
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
            likely = [name for name in self._names_at(tag) if name.may_stand_in(bare)]
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
    return tuple(name.key for name in names if name.stands_in(anywhere if name.is_anywhere else telling))


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
