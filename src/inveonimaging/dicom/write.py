"""Instances -> bytes of DICOM Part 10 files, Explicit VR Little Endian.

A series' instances differ in about twenty elements. What is constant is encoded once by pydicom; for each instance
pydicom encodes the few that vary, and both are merged in the order of their tags. The result is byte for byte what
pydicom writes from the whole dataset; the tests hold it to that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from heapq import merge
from io import BytesIO
from operator import itemgetter

from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian

from inveonimaging.dicom.iods.iod import Iod
from inveonimaging.dicom.series import Series, Slot
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
        self._iod = iod
        self._series = series
        constant = constant_part(iod, series)
        self._charset = convert_encodings(constant.get("SpecificCharacterSet"))
        self._constant = list(_elements(constant, self._charset))
        self._meta = file_meta(iod.sop_class)

    def encode(self, slot: Slot, pixels: bytes) -> bytes:
        """Return the file of one instance; `pixels` are its rows, int16 little endian."""
        varying = _elements(self._iod.varying_part(self._series, slot), self._charset)
        elements = merge(self._constant, varying, key=itemgetter(0))
        header = _PIXEL_DATA.pack(0x7FE0, 0x0010, b"OW", len(pixels))
        return b"".join((self._file_meta(slot.uid), *(encoded for _, encoded in elements), header, pixels))

    def _file_meta(self, uid: UID) -> bytes:
        self._meta.MediaStorageSOPInstanceUID = uid
        body = b"".join(encoded for _, encoded in _elements(self._meta, self._charset))
        return _PREAMBLE + _GROUP_LENGTH.pack(0x0002, 0x0000, b"UL", 4, len(body)) + body


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


def _elements(dataset: Dataset, charset: list[str]) -> Iterator[tuple[BaseTag, bytes]]:
    for element in dataset:
        written = BytesIO()
        buffer = DicomIO(written)
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_data_element(buffer, element, charset)
        yield element.tag, written.getvalue()
