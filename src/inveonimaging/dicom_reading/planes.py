"""What DICOM files say of their planes, as plain Python values and without the rest of the files.

Only pydicom, and nothing that writes, so that it can judge what is written. A plane is one two-dimensional image: an
instance of its own, or a frame of a multi-frame object. What its file, or the groups that all its frames share, says is
kept once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import config
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Sequences
from pydicom.tag import BaseTag
from pydicom.uid import UID
from pydicom.valuerep import DSdecimal, DSfloat

from inveonimaging.dicom_reading.opening import Opened, ends_early, opened
from inveonimaging.dicom_reading.pixels import Native, look_at_pixels, read_plane, read_planes
from inveonimaging.dicom_reading.private import private_values
from inveonimaging.dicom_reading.times import local_moment, moment_of, number_of
from inveonimaging.errors import InputError, printable

Float = npt.NDArray[np.float64]
Element = RawDataElement | DataElement
Values = Mapping[str, Any]
"""By keyword: a number or a text, and where the standard allows several of them a tuple; of codes the first one, as a
`Code`; of another sequence the values of its first item, and of Dimension Index Sequence, `GROUP` and `DERIVATION` a
tuple of those of all, as pairs. What a VR does not allow, and several values where the standard has one, are the text
that they are, which then differs from what is true."""


class Code(NamedTuple):
    """An item of a code sequence (PS3.3 8): value, meaning, scheme, and what modifies it, as a code of its own."""

    value: Any
    meaning: Any
    scheme: Any = None
    modifier: Any = None


_MOST_FRAMES = 2**18  # of a file
_MOST_PIXELS = 2**26  # of a plane
_FARTHEST_MM = 1e9
_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_MAPPING = "RealWorldValueMappingSequence"
_VALUES_OF_CODES = ("CodeValue", "LongCodeValue", "URNCodeValue")
GROUP = "GroupOfPatientsIdentificationSequence"
"""The animals of a scan that is not split."""
DERIVATION = "DerivationCodeSequence"
"""What became of an image, step by step."""
_ITEM_BY_ITEM = ("DimensionIndexSequence", GROUP, DERIVATION)
_OF_INSTANCE = ("DetectorInformationSequence", "RadiopharmaceuticalInformationSequence")
"""Sequences whose first item is about the whole instance: its values count as the instance's own."""


@dataclass(frozen=True, eq=False)
class File:
    """One file.

    Attributes:
        path: of it.
        native: where its pixels are if they are not compressed.
        lost: that it ends before its pixels do, or does not say how large its image is.
        values: what it says of all its planes.
        own: what it says of each.
        top: what it says outside the groups that its planes share.
        held: keywords of what it holds, empty or not, outside functional groups.
    """

    path: Path
    native: Native | None
    lost: InputError | None
    values: Values
    own: tuple[Values, ...]
    top: Values
    held: frozenset[str]

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """Its planes, in their order."""
        return tuple(Plane(self, index) for index in range(len(self.own)))

    @property
    def size(self) -> tuple[int, int] | None:
        """Rows and columns; None if it holds no image."""
        return _size(self.values)

    @property
    def is_mislabelled(self) -> bool:
        """Whether the UIDs of the file's meta information are not those of its dataset."""
        return any(self.values.get(f"MediaStorage{uid}") != self.values.get(uid) for uid in _UIDS)

    def pixels(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the stored values of each plane, (rows, columns), one by one; InputError if they cannot be read."""
        return read_planes(self.path, self.native)


_UIDS = ("SOPClassUID", "SOPInstanceUID")


@dataclass(frozen=True, eq=False)
class Plane:
    """One two-dimensional image: its number in its file, from 0."""

    file: File
    index: int

    def get(self, keyword: str) -> Any:
        """Return a value by keyword, see `Values`: of the frame's groups, the shared ones, the file; None if none."""
        value = self.file.own[self.index].get(keyword)
        return self.file.values.get(keyword) if value is None else value

    def vector(self, keyword: str) -> Any:
        """Return the value of an NM vector (PS3.3 C.8.4.8) for this plane."""
        values = self.get(keyword)
        values = values if isinstance(values, tuple) else (values,)
        return values[self.index] if self.index < len(values) else None

    def number(self, keyword: str) -> float | None:
        """Return a value as a finite number; None if it is none."""
        return number_of(self.get(keyword))

    def moment(self, day: str, clock: str) -> datetime | None:
        """Return the moment of a Date and a Time, by keyword; None if one is missing or senseless."""
        return moment_of(self.get(day), self.get(clock))

    def local_moment(self, keyword: str) -> datetime | None:
        """Return a DateTime by the clock of the Dates and Times beside it; None if it is missing or senseless."""
        return local_moment(self.get(keyword), self.get("TimezoneOffsetFromUTC"))

    @property
    def acquired(self) -> datetime | None:
        """When its acquisition began."""
        return self.local_moment("FrameAcquisitionDateTime") or self.moment("AcquisitionDate", "AcquisitionTime")

    @property
    def name(self) -> str:
        """The file's name, and of several planes in it the number of this one, from 1."""
        return self.file.path.name if len(self.file.own) == 1 else f"{self.file.path.name} frame {self.index + 1}"

    def pixels(self) -> npt.NDArray[Any]:
        """Return the stored values, (rows, columns); InputError if they cannot be read."""
        return read_plane(self.file.path, self.file.native, self.index)

    @cached_property
    def cosines(self) -> Float | None:
        """Directions of rows and of columns, (2, 3); None if they are not stated."""
        values = _numbers(self.get("ImageOrientationPatient"), 6)
        return None if values is None else values.reshape(2, 3)

    @cached_property
    def spacing(self) -> Float | None:
        """Pixel Spacing: between rows, and between columns, mm."""
        return _numbers(self.get("PixelSpacing"), 2)

    @cached_property
    def position(self) -> Float | None:
        """Centre of the first pixel, LPS mm; of a plane of an NM stack from that of the first one (PS3.3 C.8.4.15)."""
        first = _numbers(self.get("ImagePositionPatient"), 3)
        vector = self.vector("SliceVector")
        if vector is None or first is None:
            return first
        order, step = number_of(vector), self.number("SpacingBetweenSlices")
        if order is None or step is None or abs(step) > _FARTHEST_MM or self.cosines is None:
            return None
        return np.asarray(first + (order - 1) * step * np.cross(*self.cosines))


class Reader:
    """Reads files; what many of them say is decoded once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], Any] = {}

    def read(self, path: Path) -> File:
        """Read one file but for its pixels.

        Raises:
            InputError: it cannot be read or is not DICOM.
        """
        with opened(path) as file:
            return self._file(path, file)

    def _file(self, path: Path, file: Opened) -> File:
        header = file.header
        values = _with_nested({**self._values(header.file_meta), **self._values(header)})
        planes, size = _frames(values), _size(values)
        if planes > min(file.size, _MOST_FRAMES):
            raise InputError(f"says that it has {planes} frames, for which it is too small", path=path)
        if size is not None and size[0] * size[1] > _MOST_PIXELS:
            raise InputError(f"says that its image has {size[0]} x {size[1]} pixels", path=path, expected="fewer")
        native, error = _pixels(path, file, values, (planes, *size)) if size else (None, _without_size(path, values))
        charset = _charset_of(header)
        shared = [self._of_groups(groups, charset) for groups in _items(header, _SHARED)[:1]]
        own = [self._of_groups(groups, charset) for groups in _items(header, _PER_FRAME)[:planes]]
        own += [_NOTHING] * (planes - len(own))
        together = {**values, **shared[0]} if shared else values
        return File(path, native, error, together, tuple(own), values, self._held(header))

    def _held(self, header: Dataset) -> frozenset[str]:
        """Return the keywords of what a file holds; equal ones are kept once."""
        held = frozenset(keyword for _, keyword in _named(header))
        kept: frozenset[str] = self._seen.setdefault((_HELD, held), held)
        return kept

    def _values(self, dataset: Dataset) -> dict[str, Any]:
        charset = _charset_of(dataset)
        values = {keyword: self._value(dataset, element, charset) for element, keyword in _named(dataset)}
        return {**{keyword: value for keyword, value in values.items() if value is not None}, **private_values(dataset)}

    def _value(self, dataset: Dataset, element: Element, charset: str) -> Any:
        if not isinstance(element, RawDataElement) or element.value is None:
            return _decoded(dataset, element.tag)
        key = (element.tag, element.VR, charset, bytes(element.value))
        if key not in self._seen:
            self._seen[key] = _decoded(dataset, element.tag)
        return self._seen[key]

    def _of_groups(self, groups: Dataset, charset: str) -> dict[str, Any]:
        """Return the values of functional groups, whatever group they are in (PS3.3 C.7.6.16); equal ones kept once."""
        found: dict[str, Any] = {}
        for element, keyword in _named(groups):
            if isinstance(item := self._value(groups, element, _charset_of(groups, charset)), dict):
                found.update(item, **({_MAPPING: item} if keyword == _MAPPING else {}))
        known = {k: v if isinstance(v, dict) else self._seen.setdefault((k, v), v) for k, v in found.items()}
        return _with_nested(known)


def _pixels(
    path: Path, file: Opened, values: Values, shape: tuple[int, int, int]
) -> tuple[Native | None, InputError | None]:
    native, lost = look_at_pixels(file, values, shape)
    return native, ends_early(path, lost) if lost else None


def _without_size(path: Path, values: Values) -> InputError | None:
    """Return what is wrong with a file that should hold an image and does not say how large it is."""
    if "Image" not in uid_name(values.get("MediaStorageSOPClassUID")):
        return None
    return InputError("does not say how large its image is", path=path)


def _charset_of(dataset: Dataset, around: str = "") -> str:
    """Return what texts of a dataset are read by; of an item without one what those around it are read by."""
    return str(_decoded(dataset, _CHARSET)) if _CHARSET in dataset else around


_CHARSET = BaseTag(0x00080005)
_HELD = "held"
_NOTHING: dict[str, Any] = {}


def _items(header: Dataset, keyword: str) -> Sequence[Dataset]:
    """Return the items of a sequence; none if it is missing, or is no sequence."""
    found = header.get(keyword)
    return found if isinstance(found, Sequences) else ()


def _frames(values: Values) -> int:
    """Return how many planes a file has by what it says."""
    stated = values.get("NumberOfFrames")
    if stated is not None and not isinstance(stated, int):
        raise InputError(f"Number of Frames is '{printable(stated)}'", expected="a whole number")
    return max(1, stated or 1)


def _size(values: Values) -> tuple[int, int] | None:
    """Return rows and columns; None if they are not both known."""
    rows, columns = values.get("Rows"), values.get("Columns")
    if not isinstance(rows, int) or not isinstance(columns, int) or rows < 1 or columns < 1:
        return None
    return rows, columns


def _with_nested(values: dict[str, Any]) -> dict[str, Any]:
    """Return values with those of sequences that are about the whole instance."""
    for keyword in _OF_INSTANCE:
        values = {**(values.get(keyword) or {}), **values}
    return values


def _numbers(value: Any, count: int) -> Float | None:
    """Return so many finite numbers; None if they are others."""
    if not isinstance(value, tuple) or len(value) != count:
        return None
    found = [number for each in value if (number := number_of(each)) is not None and abs(number) < _FARTHEST_MM]
    return np.array(found, dtype=float) if len(found) == count else None


_keyword = cache(keyword_for_tag)


def _named(dataset: Dataset) -> Iterator[tuple[Element, str]]:
    """Yield the elements that the standard names, but for functional groups, which are read frame by frame."""
    for tag, element in dataset.items():  # as they are: a Dataset iterates over its elements, and decodes them
        if (keyword := _keyword(tag)) and keyword not in (_SHARED, _PER_FRAME):
            yield element, keyword


def _item(dataset: Dataset) -> dict[str, Any]:
    """Return the values of an item of a sequence."""
    values = {keyword: _decoded(dataset, element.tag) for element, keyword in _named(dataset)}
    return {keyword: value for keyword, value in values.items() if value is not None}


def _decoded(dataset: Dataset, tag: BaseTag) -> Any:
    """Return a value; one that its VR does not allow as the text that it is, which then differs from what is true."""
    raw = getattr(dataset.get_item(tag, keep_deferred=True), "value", None)
    try:
        value = dataset[tag].value
        if isinstance(value, Sequences) is not _is_sequence(tag):
            return None
        plain = _plain(_keyword(tag), value)
    except Exception:  # noqa: BLE001 - pydicom raises all sorts of errors for damaged values
        return None if _is_sequence(tag) or not isinstance(raw, bytes) else raw.decode("latin-1").strip("\0 ") or None
    is_several = isinstance(plain, tuple) and not _is_sequence(tag) and _is_single(tag)
    return "\\".join(map(str, plain)) if is_several else plain


@cache
def _is_sequence(tag: BaseTag) -> bool:
    return dictionary_VR(tag) == "SQ"


@cache
def _is_single(tag: BaseTag) -> bool:
    return dictionary_VM(tag) == "1"


def _plain(keyword: str, value: Any) -> Any:
    """Return a value as Python's own types, see `Values`; None for an empty one, and for bytes."""
    if isinstance(value, Sequences):
        return _plain_items(keyword, value)
    if isinstance(value, MultiValue | list | tuple):
        return tuple(_plain(keyword, each) for each in value) or None
    if isinstance(value, DSfloat | DSdecimal):
        return float(value)
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return int(value)
    return None if value is None or isinstance(value, bytes) else str(value).strip() or None


def _plain_items(keyword: str, items: Sequences) -> Any:
    if keyword in _ITEM_BY_ITEM:
        return tuple(tuple(_item(each).items()) for each in items) or None
    item = _item(items[0]) if items else None
    return _code(item) if item is not None and keyword.endswith("CodeSequence") else item


def _code(item: Mapping[str, Any]) -> Code:
    value = next((item[keyword] for keyword in _VALUES_OF_CODES if keyword in item), None)
    modifier = next((item[keyword] for keyword in item if keyword.endswith("ModifierCodeSequence")), None)
    return Code(value, item.get("CodeMeaning"), item.get("CodingSchemeDesignator"), modifier)


def derivations(plane: Plane) -> tuple[tuple[Any, Any], ...]:
    """Return code and scheme of each step of what became of an image."""
    items = [dict(each) for each in plane.get(DERIVATION) or () if isinstance(each, tuple)]
    return tuple((_code(each).value, _code(each).scheme) for each in items)


def uid_name(value: Any) -> str:
    """Return the name of a UID; itself if it has none, and an empty text for none."""
    return UID(str(value or ""), config.IGNORE).name


def values_of(planes: Iterable[Plane], keyword: str) -> tuple[Any, ...]:
    """Return the different values that planes have of an attribute, in the order in which they are met."""
    return tuple(dict.fromkeys(plane.get(keyword) for plane in planes))
