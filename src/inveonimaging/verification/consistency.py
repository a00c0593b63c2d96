"""What all files of a series, and all series of a study, say alike (PS3.3 A.1.2: entities, and modules of each)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pydicom.datadict import dictionary_description, tag_for_keyword

from inveonimaging.dicom_reading.planes import File, Plane
from inveonimaging.dicom_reading.private import WORKSTATION
from inveonimaging.dicom_reading.writer import own_class
from inveonimaging.errors import listed, printable
from inveonimaging.verification.result import Difference, Kind

_NAMED = 3
_OF_PATIENT_AND_STUDY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "PatientIdentityRemoved",
    "StudyID",
    "AccessionNumber",
    "StudyDescription",
    "ReferringPhysicianName",
)
_OF_SERIES = (*_OF_PATIENT_AND_STUDY, "StudyDate", "StudyTime", "SeriesNumber", "SeriesDate", "SeriesTime", "Modality")
_BY_FILE = frozenset(  # what this program writes into each file as it is there
    (
        "SOPInstanceUID",
        "MediaStorageSOPInstanceUID",
        "FileMetaInformationGroupLength",
        "InstanceNumber",
        "AcquisitionNumber",
        "AcquisitionDate",
        "AcquisitionTime",
        "ImagePositionPatient",
        "SliceLocation",
        "ImageIndex",
        "SourceImageSequence",
        "SourceImageEvidenceSequence",
        "FrameReferenceTime",
        "ActualFrameDuration",
        "FrameTime",
        "TriggerTime",
        "DecayFactor",
        "DeadTimeFactor",
        "PrimaryPromptsCountsAccumulated",
        "SecondaryCountsAccumulated",
        "CountsAccumulated",
        "RescaleSlope",
        "RescaleIntercept",
        "RealWorldValueMappingSequence",
        "NumberOfFrames",
        "InConcatenationNumber",
        "ConcatenationFrameOffsetNumber",
        "FrameIncrementPointer",
        "SliceVector",
        "RRIntervalVector",
        "TimeSlotVector",
        "PrivateDataElementCharacteristicsSequence",
    )
)
_IN_BOTH = ("PixelPresentation", "VolumetricProperties", "VolumeBasedCalculationTechnique")
_ELSEWHERE = frozenset(("InstanceNumber", "SOPClassUID"))  # of the object, and of its frames, with another meaning


def inconsistent(planes: Sequence[Plane], reported: Collection[str]) -> Iterator[Difference]:
    """Yield what the files of one series say differently, and functional groups otherwise than their file.

    Of all programs what describes patient, study and series is compared; of this one all but what is of a file.

    Args:
        planes: of the series.
        reported: keywords of what is known to differ from the source.
    """
    files = list({id(plane.file): plane.file for plane in planes}.values())
    is_own = any(own_class(file.planes[0]) for file in files)
    is_vendors = planes[0].get(WORKSTATION) is not None
    differing: dict[str, File] = {}
    for file in files[1:]:
        for keyword in _unlike(files[0].top, file.top) if is_own else _differing(files[0], file):
            if keyword not in reported:
                differing.setdefault(keyword, file)
    if differing and not is_vendors:
        keywords = list(differing)
        yield _difference("series-inconsistent", keywords, "not the same in all files of the series", differing)
    moved = {keyword: file for file in files if is_own for keyword in _moved(file)}
    if moved:
        yield _difference("groups-inconsistent", list(moved), "not the same in the functional groups", moved)


def _unlike(one: Any, other: Any) -> Iterator[str]:
    """Yield keywords whose values differ, one of which may be missing, but for those that are of one file."""
    for keyword in one.keys() | other.keys():
        if keyword not in _BY_FILE and one.get(keyword) != other.get(keyword) and tag_for_keyword(keyword):
            yield keyword


def _differing(one: File, other: File) -> Iterator[str]:
    yield from (keyword for keyword in _OF_SERIES if one.top.get(keyword) != other.top.get(keyword))


def _moved(file: File) -> Iterator[str]:
    """Yield what a file says otherwise than its functional groups do, or does not say."""
    if file.values is not file.top:
        yield from (keyword for keyword in _IN_BOTH if keyword in file.values and keyword not in file.top)
        for keyword, value in file.top.items():
            if keyword not in _ELSEWHERE and file.values.get(keyword) != value:
                yield keyword


def study_inconsistent(series: Sequence[Sequence[Plane]], reported: Collection[str]) -> Iterator[Difference]:
    """Yield what series of one study that this program wrote say differently of patient and study, or number alike.

    Args:
        series: planes of each.
        reported: keywords of what is known to differ from the source.
    """
    files = [planes[0].file for planes in series if own_class(planes[0])]
    differing = {
        keyword: file
        for file in files[1:]
        for keyword in _OF_PATIENT_AND_STUDY
        if keyword not in reported and file.top.get(keyword) != files[0].top.get(keyword)
    }
    if differing:
        yield _difference("study-inconsistent", list(differing), "not the same in all series of the study", differing)
    seen: dict[Any, File] = {}
    for file in files:
        number = file.top.get("SeriesNumber")
        if number is not None and seen.setdefault(number, file) is not file:
            message = f"Series Number is {printable(number)}, as that of another series"
            yield Difference("series-number", Kind.IDENTITY, message, str(file.path))


def _difference(code: str, keywords: Sequence[str], what: str, files: dict[str, File]) -> Difference:
    names = sorted(dictionary_description(keyword) for keyword in keywords)
    message = f"{listed(names, _NAMED)}: {what}"
    return Difference(code, Kind.IDENTITY, message, str(files[keywords[0]].path))
