"""Instances -> bytes of DICOM Part 10 files, Explicit VR Little Endian.

A series' instances differ in about twenty elements. pydicom encodes everything, but each thing once: what is constant
in the series once, what depends on the frame once a frame, what depends on the slice's place once a place, and the few
elements of the instance itself. An instance is these, in the order of their tags. The result is byte for byte what
pydicom writes from the whole dataset; the tests hold it to that.
"""

from __future__ import annotations

import struct
from bisect import bisect
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from itertools import pairwise

from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian

from inveonimaging.dicom.iods.iod import Iod
from inveonimaging.dicom.series import Instance, Series
from inveonimaging.dicom.uids import IMPLEMENTATION_CLASS
from inveonimaging.version import __version__

UTF8 = "ISO_IR 192"
_PREAMBLE = b"\0" * 128 + b"DICM"
_PIXEL_DATA = struct.Struct("<HH2s2xL")
_GROUP_LENGTH = struct.Struct("<HH2sHL")
_FILE_META_VERSION = b"\0\1"

Encoded = list[tuple[BaseTag, bytes]]


class SeriesEncoder:
    """Encodes the instances of one series."""

    def __init__(self, iod: Iod, series: Series) -> None:
        constant = constant_part(iod, series)
        charset = convert_encodings(constant.get("SpecificCharacterSet"))
        self._around = _interleaver(encoded(constant, charset))
        self._around_meta = _interleaver(encoded(file_meta(iod.sop_class), charset))
        self._iod, self._series, self._charset = iod, series, charset
        self._of_frame: Callable[[int], Encoded] = cache(lambda frame: encoded(iod.frame_part(series, frame), charset))
        self._of_slice: Callable[[int], Encoded] = cache(lambda k: encoded(iod.slice_part(series, k), charset))

    def encode(self, instance: Instance, pixels: bytes) -> bytes:
        """Return the file of one instance; `pixels` are its rows, int16 little endian."""
        own = encoded(self._iod.instance_part(self._series, instance), self._charset)
        varying = sorted([*self._of_frame(instance.frame), *self._of_slice(instance.k), *own])
        header = _PIXEL_DATA.pack(0x7FE0, 0x0010, b"OW", len(pixels))
        return b"".join((self._file_meta(instance.uid), *self._around(varying), header, pixels))

    def _file_meta(self, uid: UID) -> bytes:
        named = Dataset()
        named.MediaStorageSOPInstanceUID = uid
        body = b"".join(self._around_meta(encoded(named, [])))
        return _PREAMBLE + _GROUP_LENGTH.pack(0x0002, 0x0000, b"UL", 4, len(body)) + body


def _interleaver(constant: Encoded) -> Callable[[Encoded], Iterator[bytes]]:
    """Return a function that gives elements, sorted by tag, in between the constant ones."""
    tags = [tag for tag, _ in constant]

    @cache
    def gaps(varying: tuple[BaseTag, ...]) -> tuple[bytes, ...]:
        """Return the constant bytes before the first of these tags, between them, and after the last."""
        ends = [0, *(bisect(tags, tag) for tag in varying), len(tags)]
        return tuple(b"".join(element for _, element in constant[a:b]) for a, b in pairwise(ends))

    def interleaved(varying: Encoded) -> Iterator[bytes]:
        first, *others = gaps(tuple(tag for tag, _ in varying))
        yield first
        for (_, element), gap in zip(varying, others, strict=True):
            yield element
            yield gap

    return interleaved


def constant_part(iod: Iod, series: Series) -> Dataset:
    """Return what a series' instances share, with Specific Character Set where any text of the series needs it."""
    constant = iod.constant_part(series)
    if not (str(constant).isascii() and series.image.header_bytes.isascii()):
        constant.SpecificCharacterSet = UTF8
    return constant


def file_meta(sop_class: UID) -> Dataset:
    """Return the File Meta Information (PS3.10 7.1), but for group length and SOP Instance UID."""
    meta = Dataset()
    meta.FileMetaInformationVersion = _FILE_META_VERSION
    meta.MediaStorageSOPClassUID = sop_class
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS
    meta.ImplementationVersionName = f"INVEON_{__version__}"[:16]
    return meta


def encoded(dataset: Dataset, charset: list[str]) -> Encoded:
    """Return the elements of a dataset, each with its tag, as pydicom writes them."""
    elements: Encoded = []
    for element in dataset:
        written = BytesIO()
        buffer = DicomIO(written)
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_data_element(buffer, element, charset)
        elements.append((element.tag, written.getvalue()))
    return elements
