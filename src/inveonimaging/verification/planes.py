"""What DICOM files say of their planes, as plain Python values and without the rest of the files.

A plane is one two-dimensional image. What its file, or the groups that all its frames share, says stands once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Sequences
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID
from pydicom.valuerep import DSdecimal, DSfloat

from inveonimaging.dicom_reading.series import Instance, Native, read_instance, read_plane
from inveonimaging.dicom_reading.times import local_moment, moment_of, number_of
from inveonimaging.dicom_reading.workstation import workstation_values
from inveonimaging.errors import InputError

Float = npt.NDArray[np.float64]

WANTED = (
    "AcquisitionDate",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "AcquisitionTime",
    "AttenuationCorrected",
    "BitsAllocated",
    "Columns",
    "CorrectedImage",
    "DeadTimeCorrected",
    "DecayCorrected",
    "DecayCorrection",
    "DecayCorrectionDateTime",
    "DecayFactor",
    "DetectorInformationSequence",
    "DetectorNormalizationCorrection",
    "DimensionIndexValues",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "ActualFrameDuration",
    "FrameAcquisitionDateTime",
    "FrameAcquisitionDuration",
    "FrameOfReferenceUID",
    "FrameReferenceDateTime",
    "FrameReferenceTime",
    "ImageIndex",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "InConcatenationNumber",
    "InStackPositionNumber",
    "InstanceNumber",
    "LongitudinalTemporalInformationModified",
    "Modality",
    "NominalCardiacTriggerDelayTime",
    "NominalRespiratoryTriggerDelayTime",
    "NumberOfFrames",
    "NumberOfSeriesRelatedInstances",
    "NumberOfSlices",
    "NumberOfTimeSlices",
    "NumberOfTimeSlots",
    "PatientBirthDate",
    "PatientID",
    "PatientIdentityRemoved",
    "PatientName",
    "PatientPosition",
    "PatientSex",
    "PatientSpeciesCodeSequence",
    "PatientSpeciesDescription",
    "PatientWeight",
    "PixelSpacing",
    "RadiopharmaceuticalInformationSequence",
    "RandomsCorrected",
    "RealWorldValueMappingSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "Rows",
    "SOPClassUID",
    "SOPInstanceUID",
    "SamplesPerPixel",
    "ScatterCorrected",
    "SeriesDate",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesTime",
    "SliceThickness",
    "SliceVector",
    "SpacingBetweenSlices",
    "StudyDate",
    "StudyInstanceUID",
    "StudyTime",
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "TimeSlotVector",
    "TimezoneOffsetFromUTC",
    "TriggerTime",
    "Units",
)
TRACER = (
    "Radiopharmaceutical",
    "RadiopharmaceuticalCodeSequence",
    "RadionuclideCodeSequence",
    "RadionuclideHalfLife",
    "RadionuclidePositronFraction",
    "RadionuclideTotalDose",
    "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalStartTime",
)
WORKSTATION = "workstation"
"""Stands for a keyword: what the private block of the vendor's workstation says, if there is one."""

_PLACED = ("ImageOrientationPatient", "ImagePositionPatient")
_MAPPED = ("RealWorldValueIntercept", "RealWorldValueSlope")
_TAGS = {keyword: Tag(keyword) for keyword in WANTED}
_CHARACTER_SET = Tag("SpecificCharacterSet")
_IOP = 6

Values = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class File:
    """One file: where its pixels are, and what it says of all its planes."""

    path: Path
    native: Native | None
    values: Values
    planes: int
    is_mislabelled: bool  # the UIDs of the file's meta information are not those of its dataset


@dataclass(frozen=True, eq=False)
class Plane:
    """One two-dimensional image: its number in its file, from 0, and what is said of it alone."""

    file: File
    index: int
    own: Values

    def get(self, keyword: str) -> Any:
        """Return a value by keyword: a number, a text, or a tuple of these; None if there is none."""
        value = self.own.get(keyword)
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
        return self.file.path.name if self.file.planes == 1 else f"{self.file.path.name} frame {self.index + 1}"

    def pixels(self) -> npt.NDArray[Any]:
        """Return the stored values, (rows, columns); InputError if they cannot be read."""
        return read_plane(self.file.path, self.file.native, self.index)

    @cached_property
    def cosines(self) -> Float | None:
        """Directions of rows and of columns, (2, 3); None if they are not stated."""
        values = numbers(self.get("ImageOrientationPatient"), _IOP)
        return None if values is None else values.reshape(2, 3)

    @cached_property
    def spacing(self) -> Float | None:
        """Pixel Spacing: between rows, and between columns, mm."""
        return numbers(self.get("PixelSpacing"), 2)

    @cached_property
    def position(self) -> Float | None:
        """Centre of the first pixel, LPS mm; of a plane of an NM stack from that of the first one (PS3.3 C.8.4.15)."""
        first = numbers(self.get("ImagePositionPatient"), 3)
        order = self.vector("SliceVector")
        if order is None or first is None:
            return first
        step = self.number("SpacingBetweenSlices")
        if step is None or self.cosines is None:
            return None
        return np.asarray(first + (float(order) - 1) * step * np.cross(*self.cosines))


@dataclass(frozen=True)
class Found:
    """What was read: planes by series, and files that are no images or cannot be read."""

    series: tuple[tuple[Plane, ...], ...]
    damaged: tuple[InputError, ...]
    others: tuple[Path, ...]


class Reader:
    """Reads files; what many of them say is decoded once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], Any] = {}

    def planes(self, path: Path) -> tuple[Plane, ...]:
        """Return the planes of a file; none if it holds no image.

        Raises:
            InputError: it cannot be read.
        """
        instance = read_instance(path)
        try:
            return self._planes(instance)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"is damaged: {error}", path=path) from error

    def _planes(self, instance: Instance) -> tuple[Plane, ...]:
        header = instance.header
        values = self._values(header)
        if not values.get("Rows") or not values.get("Columns"):
            return _no_planes(instance)
        shared = self._of_groups(instance.shared)
        planes = max(1, int(values.get("NumberOfFrames") or 1))
        if planes > instance.path.stat().st_size:
            raise InputError(f"says that it has {planes} frames, for which it is too small", path=instance.path)
        file = File(instance.path, instance.native, {**values, **shared}, planes, _is_mislabelled(header))
        return tuple(Plane(file, index, self._of_groups(instance.of_frame(index))) for index in range(planes))

    def _values(self, header: Dataset) -> dict[str, Any]:
        texts = header.get_item(_CHARACTER_SET) if _CHARACTER_SET in header else None
        charset = str(getattr(texts, "value", None))
        values: dict[str, Any] = {}
        for keyword, tag in _TAGS.items():
            if tag in header and (value := self._value(header, keyword, tag, charset)) is not None:
                values[keyword] = value
        for keyword in _PLACED:
            if keyword not in values and "DetectorInformationSequence" in values:
                values[keyword] = values["DetectorInformationSequence"].get(keyword)
        workstation = workstation_values(header)
        return values if workstation is None else {**values, WORKSTATION: workstation}

    def _value(self, header: Dataset, keyword: str, tag: BaseTag, charset: object) -> Any:
        raw: object = header.get_item(tag)
        if not isinstance(raw, RawDataElement) or raw.value is None:
            return _plain(keyword, header[tag])
        key = (keyword, raw.VR, charset, bytes(raw.value))
        if key not in self._seen:
            self._seen[key] = _decoded(keyword, header, tag, bytes(raw.value))
        return self._seen[key]

    def _of_groups(self, groups: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is wanted of functional groups; equal texts and numbers are kept once."""
        found = {}
        for keyword in groups.keys() & _TAGS.keys():
            value = _plain_value(keyword, groups[keyword])
            if value is not None:
                key = (keyword, value)
                found[keyword] = self._seen.setdefault(key, value) if _is_hashable(value) else value
        return found


def _no_planes(instance: Instance) -> tuple[Plane, ...]:
    """Return no planes of what is no image.

    Raises:
        InputError: it should be one.
    """
    stated = instance.header.file_meta.get("MediaStorageSOPClassUID", "")
    if "Image" in UID(stated).name:
        raise InputError("ends before it says how large its image is", path=instance.path)
    return ()


def read_files(files: Sequence[Path], step: Any) -> Found:
    """Read files but for their pixels.

    Args:
        files: DICOM files.
        step: called after each.

    Returns:
        planes by series, in the order in which files name them. Instances of several modalities or sizes that share a
        Series Instance UID are told apart.
    """
    reader = Reader()
    series: dict[tuple[Any, ...], list[Plane]] = {}
    damaged: list[InputError] = []
    others: list[Path] = []
    for path in files:
        try:
            planes = reader.planes(path)
        except InputError as error:
            damaged.append(error)
        else:
            if not planes:
                others.append(path)
            for plane in planes:
                keys = ("SeriesInstanceUID", "Modality", "Rows", "Columns")
                series.setdefault(tuple(plane.get(key) for key in keys), []).append(plane)
        step()
    return Found(tuple(map(tuple, series.values())), tuple(damaged), tuple(others))


def numbers(value: Any, count: int) -> Float | None:
    """Return so many finite numbers; None if they are others."""
    if not isinstance(value, tuple) or len(value) != count:
        return None
    found = [number_of(each) for each in value]
    return None if None in found else np.array(found, dtype=float)


def _decoded(keyword: str, header: Dataset, tag: BaseTag, raw: bytes) -> Any:
    """Return a value; one that its VR does not allow as the text that it is, which then differs from what is true."""
    try:
        return _plain(keyword, header[tag])
    except (ValueError, TypeError, OverflowError):
        return raw.decode("latin-1").strip("\0 ") or None


def _plain(keyword: str, element: DataElement) -> Any:
    return _plain_value(keyword, element.value)


def _plain_value(keyword: str, value: Any) -> Any:
    if keyword == "RadiopharmaceuticalInformationSequence":
        return {name: _simple(value[0].get(name)) for name in TRACER} if value else None
    if keyword == "DetectorInformationSequence":
        return {name: _simple(value[0].get(name)) for name in _PLACED} if value else None
    if keyword == "RealWorldValueMappingSequence":
        return _mapping(value[0]) if value else None
    return _simple(value)


def _mapping(item: Dataset) -> dict[str, Any]:
    codes = item.get("MeasurementUnitsCodeSequence")
    unit = _simple(codes[0].get("CodeValue")) if codes else None
    return {**{name: _simple(item.get(name)) for name in _MAPPED}, "unit": unit}


def _code(item: Dataset) -> tuple[Any, Any]:
    return _simple(item.get("CodeValue")), _simple(item.get("CodeMeaning"))


def _simple(value: Any) -> Any:
    """Return a value as Python's own types, of codes the value and the meaning of the first; None for an empty one."""
    if isinstance(value, Sequences):
        return next(map(_code, value), None)
    if isinstance(value, MultiValue | list | tuple):
        return tuple(_simple(each) for each in value) or None
    if isinstance(value, DSfloat | DSdecimal):
        return float(value)
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return int(value)
    return None if value is None else str(value).strip() or None


def _is_hashable(value: Any) -> bool:
    return not isinstance(value, dict)


def _is_mislabelled(header: Dataset) -> bool:
    meta = header.file_meta
    pairs = (("MediaStorageSOPInstanceUID", "SOPInstanceUID"), ("MediaStorageSOPClassUID", "SOPClassUID"))
    return any(str(meta.get(one, "")) != str(header.get(other, "")) for one, other in pairs)


def values_of(planes: Iterable[Plane], keyword: str) -> tuple[Any, ...]:
    """Return the different values that planes have of an attribute, in the order in which they are met."""
    return tuple(dict.fromkeys(plane.get(keyword) for plane in planes))
