"""Every attribute that a conversion writes is compared, or is in the list of those that may differ, with a reason.

What verification knows of a file is read once; then each value of it, in sequences too, is taken away, emptied and
changed in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

import contract
from inveonimaging import Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom_reading.planes import Code, File, Values
from inveonimaging.dicom_reading.private import HAS_HEADER
from inveonimaging.dicom_reading.series import dicom_files, read_files
from inveonimaging.phantom import PhantomScan, frames_of, write_scan
from inveonimaging.progress import StepCounter, no_progress
from inveonimaging.study.corrections import Corrections
from inveonimaging.verification import job
from inveonimaging.verification.manifest import Manifest
from inveonimaging.verification.source import read_source, scans_of

PET = replace(contract.PET, shape=(4, 5, 1), frames=frames_of(60.0, 600.0))
CT = replace(contract.CT, shape=(5, 4, 2))
SPECT = replace(contract.SPECT, shape=(4, 5, 2))
KINDS: dict[str, tuple[PhantomScan, str, Form]] = {
    "CT": (CT, "m.ct.img", Form.CLASSIC),
    "PET": (PET, "m.pet.img", Form.CLASSIC),
    "NM": (SPECT, "m.spect.img", Form.CLASSIC),
    "Enhanced CT": (CT, "m.ct.img", Form.ENHANCED),
    "Enhanced PET": (PET, "m.pet.img", Form.ENHANCED),
    "Legacy CT": (CT, "m.ct.img", Form.LEGACY),
    "Legacy PET": (PET, "m.pet.img", Form.LEGACY),
}
WAYS = ("taken away", "emptied", "changed")
EVERYWHERE = ("Patient", "Study", "Responsible", "Contributing", "Institution", "Manufacturer", "Operators", "Software")
WHOLE = ("CT", "Enhanced PET")  # of which all is tried; of the others what is not the same in all of them
MAY_DIFFER = {  # why: attributes, by their keywords
    "words for people: nothing is computed of them, or sorted and grouped by them": """
        SeriesDescription StudyDescription CommentsOnThePerformedProcedureStep ImageComments ScanOptions
        BodyPartExamined
        RealWorldValueMappingSequence.LUTExplanation ContributingEquipmentSequence.ContributionDescription
        ContributingEquipmentSequence.PurposeOfReferenceCodeSequence
        ContributingEquipmentSequence.PurposeOfReferenceCodeSequence.value
        ContributingEquipmentSequence.PurposeOfReferenceCodeSequence.meaning
        ContributingEquipmentSequence.PurposeOfReferenceCodeSequence.scheme ContentQualification
        ReconstructionMethod""",
    "people and places, and the number of a study: a site may fill them in by its own rules": """
        InstitutionName OperatorsName ReferringPhysicianName ResponsiblePerson ResponsiblePersonRole
        ResponsibleOrganization StudyID""",
    "the scanner and its programs, which others may name more exactly": """
        Manufacturer ManufacturerModelName SoftwareVersions DeviceSerialNumber""",
    "who wrote the file: another program that stores it says so": """
        ImplementationClassUID ImplementationVersionName FileMetaInformationGroupLength TransferSyntaxUID
        ContributingEquipmentSequence.Manufacturer""",
    "UIDs that any program may give; that they are the same within a series or study is compared by files": """
        StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID IrradiationEventUID ReferencedSOPClassUID
        ReferencedSOPInstanceUID""",
    "found while reading: a file with another number of frames cannot be read": "NumberOfFrames",
    "Slice Location counts from any place (PS3.3 C.7.6.2.1.2); its steps are compared": "SliceLocation",
    "words beside a code, whose value and scheme are compared": """
        PatientGantryRelationshipCodeSequence.meaning PatientOrientationCodeSequence.meaning
        PatientSpeciesCodeSequence.meaning RadiopharmaceuticalCodeSequence.meaning
        RealWorldValueMappingSequence.MeasurementUnitsCodeSequence.meaning""",
    "how the radiation was taken and the image reconstructed: no place, value or time depends on it": """
        AcquisitionStartCondition AcquisitionTerminationCondition AcquisitionType AttenuationCorrectionSource
        AttenuationCorrectionTemporalRelationship AxialDetectorDimension ConstantVolumeFlag ConvolutionKernel
        ConvolutionKernelGroup DataCollectionCenterPatient DataCollectionDiameter DetectorGeometry
        DistanceSourceToDataCollectionCenter DistanceSourceToDetector ExposureInmAs ExposureModulationType
        ExposureTimeInms FilterMaterial FilterType FluoroscopyFlag FocalSpots GantryDetectorSlew GantryDetectorTilt
        ImageFilter IterativeReconstructionMethod KVP NumberOfIterations NumberOfSubsets ReconstructionAlgorithm
        ReconstructionAngle ReconstructionDiameter ReconstructionPixelSpacing ReconstructionTargetCenterPatient
        ReconstructionType RevolutionTime RotationDirection SingleCollimationWidth TableHeight TableMotion
        TablePosition TotalCollimationWidth TransverseDetectorSeparation TypeOfDetectorMotion XRayTubeCurrentInmA
        RotationInformationSequence.ActualFrameDuration RotationInformationSequence.AngularStep
        RotationInformationSequence.NumberOfFramesInRotation RotationInformationSequence.RotationDirection
        RotationInformationSequence.ScanArc RotationInformationSequence.StartAngle""",
    "what no header tells, and the standard wants": """
        AdministrationRouteCodeSequence.value AdministrationRouteCodeSequence.meaning
        AdministrationRouteCodeSequence.scheme ViewCodeSequence.value ViewCodeSequence.meaning ViewCodeSequence.scheme
        AnatomicRegionSequence.CodeMeaning AnatomicRegionSequence.CodeValue
        AnatomicRegionSequence.CodingSchemeDesignator FrameLaterality RadiopharmaceuticalAgentNumber""",
}
TOLD = {keyword for keywords in MAY_DIFFER.values() for keyword in keywords.split()}
NOT_COMPARED = {"SeriesDescription", "SeriesInstanceUID"}  # two of them show it; the others need not be tried

Place = tuple[str | int, ...]


@dataclass
class Converted:
    """A converted scan as verification reads it, and how it compares what it reads."""

    kind: str
    files: tuple[File, ...]
    compare: Callable[[tuple[File, ...]], bool]


@pytest.fixture(scope="module", params=KINDS)
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Converted]:
    scan, name, form = KINDS[request.param]
    folder = tmp_path_factory.mktemp("attributes")
    (folder / "in").mkdir()
    write_scan(folder / "in" / name, scan)
    convert(folder / "in", folder / "out", Options(form=form))
    files, _ = read_files(dicom_files([folder / "out"]))
    source = read_source(folder / "in", Corrections())
    sizes = [(scan.shape[0], scan.shape[1], scan.shape[2] * len(scan.frames))]
    with pytest.MonkeyPatch.context() as patch:
        scans = scans_of(source, sizes)
        given = [files]
        patch.setattr(job, "read_source", lambda *_: source)
        patch.setattr(job, "scans_of", lambda *_: scans)
        patch.setattr(job, "manifest_beside", lambda _: Manifest())
        patch.setattr(job, "_dicom_files", lambda *_, **__: ())
        patch.setattr(job, "read_files", lambda *_: (given[0], ()))

        def same(changed: tuple[File, ...]) -> bool:
            given[0] = changed
            (result,) = job.compare(
                folder / "in", [folder / "out"], Corrections(), StepCounter(no_progress), set(), name=folder / "out"
            )
            return not result.all_differences

        yield Converted(request.param, files, same)


def places(values: Any, path: Place = ()) -> Iterator[Place]:
    """Yield where each value is: keywords, and numbers in codes."""
    for keyword, value in values.items():
        if keyword == HAS_HEADER:  # no attribute, but that there is a block of them, in the first file
            continue
        yield (*path, keyword)
        if isinstance(value, dict):
            yield from places(value, (*path, keyword))
        if isinstance(value, Code):
            yield from ((*path, keyword, number) for number, part in enumerate(value) if part is not None)


def other(value: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, Code):
        return value
    if isinstance(value, tuple):
        return tuple(map(other, value))
    if isinstance(value, str):
        return "20010203010203" if value.isdigit() and len(value) > 5 else "ODD"
    return 2 * value + 7


def spoilt(values: Any, place: Place, way: str) -> Any:
    """Return values of which one is spoilt; a part of a code cannot be taken away alone, but is None then."""
    first, *rest = place
    if isinstance(values, Code):
        parts = list(values)
        parts[int(first)] = None if way != "changed" else other(parts[int(first)])
        return Code(*parts)
    if rest:
        return {**values, first: spoilt(values[first], tuple(rest), way)}
    if way == "changed":
        return {**values, first: other(values[first])}
    return {keyword: value for keyword, value in values.items() if keyword != first}


def spoilt_file(file: File, part: str, place: Place, way: str) -> File:
    held = file.held - {place[0]} if way == "taken away" and len(place) == 1 else file.held
    if part == "own":
        return replace(file, own=tuple(spoilt(each, place, way) for each in file.own))
    if part == "shared":
        return replace(file, values=spoilt(file.values, place, way))
    top = spoilt(file.top, place, way)
    if file.values is file.top:
        return replace(file, top=top, values=top, held=held)
    groups = shared_of(file)
    return replace(file, top=top, values={**top, **groups}, held=held)


PROMOTED = ("RadiopharmaceuticalInformationSequence", "DetectorInformationSequence")  # whose values are at the top, too


def shared_of(file: File) -> Values:
    """Return what the functional groups say that all frames share."""
    return {keyword: value for keyword, value in file.values.items() if file.top.get(keyword) is not value}


def parts_of(file: File) -> Iterator[tuple[str, Place]]:
    yield from (("top", place) for place in places(file.top))
    if file.values is not file.top:
        yield from (("shared", place) for place in places(shared_of(file)))
        yield from (("own", place) for place in places(file.own[0]))


def test_each_attribute_is_compared_or_may_differ(converted: Converted) -> None:
    assert converted.compare(converted.files)
    unnoticed = {".".join(map(named, place)) for place in unnoticed_in(converted)}
    assert unnoticed - TOLD == set(), "compare them, or tell why they may differ"
    assert unnoticed >= NOT_COMPARED, "the list is of what is not compared"


def named(part: str | int) -> str:
    return Code._fields[part] if isinstance(part, int) else part


def unnoticed_in(converted: Converted) -> Iterator[Place]:
    for part, place, way in spoils(converted):
        if converted.compare(tuple(spoilt_file(file, part, place, way) for file in converted.files)):
            yield place


def spoils(converted: Converted) -> Iterator[tuple[str, Place, str]]:
    """Yield what is spoilt, and how."""
    for part, place in parts_of(converted.files[0]):
        keyword, value = str(place[0]), value_at(converted, part, place)
        is_known = converted.kind not in WHOLE and part == "top" and keyword.startswith(EVERYWHERE)
        name = ".".join(map(named, place))
        if (
            is_known
            or (name in TOLD and name not in NOT_COMPARED)
            or keyword in PROMOTED
            or isinstance(value, dict)
            or (part == "own" and keyword in mapped(converted))
        ):
            continue
        for way in WAYS:
            is_empty = way == "emptied" and (part != "top" or len(place) > 1 or converted.kind not in WHOLE)
            if not is_empty and not (way == "changed" and isinstance(value, Code)):
                yield part, place, way


def value_at(converted: Converted, part: str, place: Place) -> Any:
    file = converted.files[0]
    found: Any = {"top": file.top, "shared": file.values, "own": file.own[0]}[part]
    for each in place:
        found = found[each]
    return found


def mapped(converted: Converted) -> Any:
    return converted.files[0].own[0].get("RealWorldValueMappingSequence", {})
