"""Instances -> bytes of DICOM Part 10 files, but for their pixels.

A series' instances differ in about twenty elements. Each thing is encoded once: what is constant in the series once,
what depends on the frame once a frame, on the slice's place once a place, on the slope once a slope, and the few
elements of the instance itself. An instance is these, in the order of their tags; and so is an item of the Per-Frame
Functional Groups of a multi-frame object. Texts, numbers and sequences of them are encoded here, for pydicom takes
several times as long, and all else by pydicom. The result is byte for byte what pydicom writes from the whole dataset;
the tests hold it to that.
"""

from __future__ import annotations

import struct
from bisect import bisect
from collections.abc import Callable, Iterable
from functools import cache
from io import BytesIO
from itertools import pairwise
from typing import Any, NamedTuple

from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_data_element
from pydicom.tag import Tag
from pydicom.uid import UID

from inveonimaging.dicom.iods.iod import Attributes, Iod, MultiFrameIod, Parts
from inveonimaging.dicom.series import Instance, MultiFrame, Series
from inveonimaging.dicom.uids import IMPLEMENTATION_CLASS
from inveonimaging.version import __version__

UTF8 = "ISO_IR 192"
_PREAMBLE = b"\0" * 128 + b"DICM"
_GROUP_LENGTH = struct.Struct("<HH2sHL")
_FILE_META_VERSION = b"\0\1"
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2s2xL")
_ITEM = struct.Struct("<HHL")
_PER_FRAME = int(Tag("PerFrameFunctionalGroupsSequence"))

Encoded = list[tuple[int, bytes]]
"""Elements by tag; plain numbers, since comparing pydicom's tags takes longer than encoding."""


class Head(NamedTuple):
    """A file up to its pixels: preamble and File Meta Information, and the elements before Pixel Data."""

    meta: bytes
    body: bytes


class SliceEncoder:
    """Encodes what depends on frame and slice: of an instance, or of an item of the functional groups."""

    def __init__(self, parts: Parts, series: Series, charset: list[str]) -> None:
        self._parts, self._series = parts, series
        self._repeated = encoded(parts.repeated_part(series), charset)
        self._of_frame = cache(lambda frame: encoded(parts.frame_part(series, frame), charset))
        self._of_slice = cache(lambda k: encoded_attributes(parts.slice_part(series, k)))
        self._of_slope = cache(lambda slope: encoded(parts.slope_part(series, slope), charset))
        self._groups = [(int(Tag(group.keyword)), SliceEncoder(group, series, charset)) for group in parts.groups]

    def encode(self, instance: Instance) -> Encoded:
        """Return the elements, in the order of their tags."""
        own = encoded_attributes(self._parts.instance_part(self._series, instance))
        of_frame, of_slice = self._of_frame(instance.frame), self._of_slice(instance.k)
        groups = ((tag, encoder.encode(instance)) for tag, encoder in self._groups)
        sequences = [(tag, _sequence(tag, [item])) for tag, item in groups if item]
        return sorted([*self._repeated, *of_frame, *of_slice, *self._of_slope(instance.slope), *own, *sequences])


class InstanceEncoder:
    """Encodes the single-frame instances of one series."""

    def __init__(self, iod: Iod, series: Series, transfer_syntax: UID) -> None:
        constant = constant_part(iod, series)
        charset = convert_encodings(constant.get("SpecificCharacterSet"))
        self._around = _interleaver(encoded(constant, charset))
        self._first = encoded(iod.first_part(series), charset)
        self._meta = meta_encoder(iod.sop_class, transfer_syntax)
        self._slices = SliceEncoder(iod, series, charset)

    def head(self, instance: Instance) -> Head:
        """Return the file of one instance up to its pixels."""
        own = self._slices.encode(instance)
        if instance.number == 1:
            own = sorted([*own, *self._first])
        return Head(self._meta(instance.uid), self._around(own))


class MultiFrameEncoder:
    """Encodes the multi-frame objects of one series."""

    def __init__(self, iod: MultiFrameIod, series: Series, transfer_syntax: UID) -> None:
        constant = constant_part(iod, series)
        if shared := iod.shared_part(series):
            constant.SharedFunctionalGroupsSequence = [shared]
        self._charset = convert_encodings(constant.get("SpecificCharacterSet"))
        self._around = _interleaver(encoded(constant, self._charset))
        self._first = encoded(iod.first_part(series), self._charset)
        self._meta = meta_encoder(iod.sop_class, transfer_syntax)
        self._slices = SliceEncoder(iod, series, self._charset)
        self._iod, self._series = iod, series

    def head(self, multi_frame: MultiFrame, slices: Iterable[Instance]) -> Head:
        """Return the file of one object, which holds these slices, up to its pixels."""
        own = encoded(self._iod.object_part(self._series, multi_frame), self._charset)
        if self._iod.shared:
            own.append((_PER_FRAME, _sequence(_PER_FRAME, map(self._slices.encode, slices))))
        if multi_frame.number == 1:
            own += self._first
        return Head(self._meta(multi_frame.uid), self._around(sorted(own)))


def _sequence(tag: int, items: Iterable[Encoded]) -> bytes:
    """Return a sequence, its items with their lengths (PS3.5 7.5), as pydicom writes it."""
    content = bytearray()
    for elements in items:
        item = b"".join(element for _, element in elements)
        content += _ITEM.pack(0xFFFE, 0xE000, len(item)) + item
    return _LONG.pack(tag >> 16, tag & 0xFFFF, b"SQ", len(content)) + content


def encoded_attributes(attributes: Attributes) -> Encoded:
    """Return the elements of values by keyword, each with its tag, as pydicom writes them."""
    elements: Encoded = []
    for keyword, value in attributes.items():
        tag, representation, encode = _how(keyword)
        content = encode(value)
        elements.append((tag, _SHORT.pack(tag >> 16, tag & 0xFFFF, representation, len(content)) + content))
    return elements


@cache
def _how(keyword: str) -> tuple[int, bytes, Callable[[Any], bytes]]:
    """Return tag and value representation of a keyword, and what encodes its values."""
    tag = int(Tag(keyword))
    representation = dictionary_VR(tag)
    return tag, representation.encode(), _VALUES[representation]


def _text(padding: bytes) -> Callable[[str | list[str]], bytes]:
    def encode(value: str | list[str]) -> bytes:
        content = (value if isinstance(value, str) else "\\".join(value)).encode("ascii")
        return content + padding * (len(content) % 2)

    return encode


def _numbers(code: str) -> Callable[[int | list[int]], bytes]:
    def encode(value: int | list[int]) -> bytes:
        values = value if isinstance(value, list) else [value]
        return struct.pack(f"<{len(values)}{code}", *values)

    return encode


_VALUES: dict[str, Callable[[Any], bytes]] = {
    **dict.fromkeys(("AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "SH", "ST", "TM"), _text(b" ")),
    "UI": _text(b"\0"),
    "UL": _numbers("L"),
    "US": _numbers("H"),
}
_TEXTS = _VALUES.keys() - {"UL", "US"}
_LONGEST_TEXT = 0xFFFF


def _interleaver(constant: Encoded) -> Callable[[Encoded], bytes]:
    """Return a function that gives elements, sorted by tag, in between the constant ones."""
    tags = [tag for tag, _ in constant]

    @cache
    def gaps(varying: tuple[int, ...]) -> tuple[bytes, ...]:
        """Return the constant bytes before the first of these tags, between them, and after the last."""
        ends = [0, *(bisect(tags, tag) for tag in varying), len(tags)]
        return tuple(b"".join(element for _, element in constant[a:b]) for a, b in pairwise(ends))

    def interleaved(varying: Encoded) -> bytes:
        pieces = [b""] * (2 * len(varying) + 1)
        pieces[::2] = gaps(tuple([tag for tag, _ in varying]))
        pieces[1::2] = [element for _, element in varying]
        return b"".join(pieces)

    return interleaved


def constant_part(iod: Iod, series: Series) -> Dataset:
    """Return what a series' instances share, with Specific Character Set where any text of the series needs it."""
    constant = iod.constant_part(series)
    image = series.image
    texts = (str(element.value) for element in constant.iterall() if element.VR != "SQ")
    if not (all(map(str.isascii, texts)) and image.header_bytes.isascii() and image.pair.header.name.isascii()):
        constant.SpecificCharacterSet = UTF8
    return constant


def meta_encoder(sop_class: UID, transfer_syntax: UID) -> Callable[[UID], bytes]:
    """Return a function that gives preamble and File Meta Information (PS3.10 7.1) of a SOP Instance UID."""
    meta = Dataset()
    meta.FileMetaInformationVersion = _FILE_META_VERSION
    meta.MediaStorageSOPClassUID = sop_class
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS
    meta.ImplementationVersionName = f"INVEON_{__version__}"[:16]
    around = _interleaver(encoded(meta, []))

    def encode(uid: UID) -> bytes:
        body = around(encoded_attributes({"MediaStorageSOPInstanceUID": uid}))
        return _PREAMBLE + _GROUP_LENGTH.pack(0x0002, 0x0000, b"UL", 4, len(body)) + body

    return encode


def encoded(dataset: Dataset, charset: list[str]) -> Encoded:
    """Return the elements of a dataset, each with its tag, as pydicom writes them."""
    return [(int(element.tag), _written(element, charset)) for element in dataset]


def _written(element: DataElement, charset: list[str]) -> bytes:
    """Return one element: texts, of which there are most, and sequences here, in a fraction of pydicom's time."""
    tag, vr, value = int(element.tag), element.VR, element.value
    if vr == "SQ" and all(map(_is_plain, value)):
        return _sequence(tag, (encoded(item, charset) for item in value))
    text = _spelled(value) if vr in _TEXTS else None
    if text is not None and text.isascii() and len(text) < _LONGEST_TEXT:
        content = _VALUES[vr](text)
        return _SHORT.pack(tag >> 16, tag & 0xFFFF, vr.encode(), len(content)) + content
    written = BytesIO()
    buffer = DicomIO(written)
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, element, charset)
    return written.getvalue()


def _spelled(value: Any) -> str | None:
    """Return a text as it was given, also of a number; None of what is none, or several."""
    text = value if isinstance(value, str) else getattr(value, "original_string", None)
    return text if isinstance(text, str) else None


def _is_plain(item: Dataset) -> bool:
    """Return whether all value representations are known, and it has the character set of the whole."""
    return "SpecificCharacterSet" not in item and all(" or " not in str(element.VR) for _, element in item.items())
