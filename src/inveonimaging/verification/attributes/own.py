"""What files of this program hold, and other programs may choose for themselves: by keyword, of which SOP classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

from pydicom import uid
from pydicom.datadict import keyword_for_tag

from inveonimaging.dicom_reading.planes import Code, Plane
from inveonimaging.dicom_reading.times import clock_of
from inveonimaging.inveon.frame_groups import beds_are_joined
from inveonimaging.inveon.hdr.enums import CalibrationUnits, EventType, Labelled, RotationDirection
from inveonimaging.physics.quantification import Unit
from inveonimaging.units import BQ_PER_NCI
from inveonimaging.verification.attributes.comparison import ONE_OF, Comparison, Fact, numbers
from inveonimaging.verification.attributes.concepts import COMPOUND_CODES, coded, codes_of_species, compound_of, isotope
from inveonimaging.verification.result import Kind
from inveonimaging.verification.source import SourceScan

CT = frozenset({uid.CTImageStorage})
PET = frozenset({uid.PositronEmissionTomographyImageStorage})
NM_IMAGE = frozenset({uid.NuclearMedicineImageStorage})
ENHANCED_CT = frozenset({uid.EnhancedCTImageStorage})
ENHANCED_PET = frozenset({uid.EnhancedPETImageStorage})
LEGACY_CT = frozenset({uid.LegacyConvertedEnhancedCTImageStorage})
LEGACY_PET = frozenset({uid.LegacyConvertedEnhancedPETImageStorage})
SINGLE = CT | PET
GROUPED = ENHANCED_CT | ENHANCED_PET | LEGACY_CT | LEGACY_PET
"""SOP classes with functional groups."""

PLAIN_PET = PET | LEGACY_PET
"""Those with the attributes of a PET Image."""

NUMBERED = SINGLE | LEGACY_CT | LEGACY_PET
"""Those in which each slice has an Instance Number."""

PLAIN_CT = CT | LEGACY_CT
ANY_PET = PLAIN_PET | ENHANCED_PET
NEVER: frozenset[str] = frozenset()
ALL = SINGLE | NM_IMAGE | GROUPED

_ALL_THERE = "all"
_HALF = Comparison(numbers, 0.5 + 1e-6)  # of an Integer String
_LONGEST_CODE = 16  # of a Code Value; longer ones are written on request only
_LARGEST_IS = 2**31 - 1
_LOWEST, _HIGHEST = -(2**15), 2**15 - 1  # of signed pixels
_DIRECTIONS = {RotationDirection.CLOCKWISE: "CW", RotationDirection.COUNTERCLOCKWISE: "CC"}
_LABELS = {Unit.BQML: "BQML", Unit.PROPCNTS: "PROPCNTS", Unit.PER_CM: "1CM", Unit.HU: "HU"}
_RANDOMS = {EventType.TRUES: "DLYD", EventType.PROMPTS: "NONE"}
_MAPPING = "RealWorldValueMappingSequence"
_WINDOW_OF_NM = "EnergyWindowInformationSequence.EnergyWindowRangeSequence"


class _Held(NamedTuple):
    """Attributes that are always there: with a value, or with one or empty; of scans for which `of` is true."""

    classes: frozenset[str]
    filled: str = ""
    held: str = ""
    of: Callable[[SourceScan], bool] = lambda _scan: True


def _is_animal(scan: SourceScan) -> bool:
    return bool(scan.animal.species) and scan.animal.species not in ("Homo sapiens", "human")


_HELD = (
    _Held(
        ALL,
        "SOPInstanceUID SOPClassUID ImageType Modality SeriesNumber InstanceNumber Rows Columns BitsAllocated "
        "BitsStored HighBit PixelRepresentation SamplesPerPixel PhotometricInterpretation "
        "ContributingEquipmentSequence.Manufacturer",
        "AccessionNumber Manufacturer ReferringPhysicianName StudyID StudyDate StudyTime PatientID PatientName "
        "PatientBirthDate PatientSex PositionReferenceIndicator",
    ),
    _Held(ALL, "StudyDate StudyTime", of=lambda scan: scan.start is not None),
    _Held(
        ALL,
        "AnatomicalOrientationType PatientSpeciesDescription",
        "PatientSexNeutered PatientBreedDescription PatientBreedCodeSequence BreedRegistrationSequence "
        "ResponsiblePerson ResponsibleOrganization",
        of=_is_animal,
    ),
    _Held(SINGLE | NM_IMAGE | GROUPED, "RescaleSlope RescaleIntercept SliceThickness SpacingBetweenSlices"),
    _Held(SINGLE | NM_IMAGE, "AcquisitionNumber", "AcquisitionDate AcquisitionTime"),
    _Held(SINGLE | LEGACY_CT | LEGACY_PET, "SliceLocation"),
    _Held(CT, "RescaleType", "KVP"),
    _Held(CT | GROUPED, "PatientPosition", of=lambda scan: bool(scan.image.grid.orientation) and scan.modality == "CT"),
    _Held(ENHANCED_PET, "PatientPosition", of=lambda scan: bool(scan.image.grid.orientation)),
    _Held(PLAIN_PET, "ImageIndex NumberOfSlices SeriesType"),
    _Held(PET, held="CorrectedImage RadiopharmaceuticalInformationSequence"),
    _Held(PET | NM_IMAGE, held="PatientOrientationCodeSequence PatientGantryRelationshipCodeSequence"),
    _Held(PET | NM_IMAGE, held="ContentDate ContentTime", of=lambda scan: len(scan.frames) > 1 and not scan.is_gated),
    _Held(PET, held="ContentDate ContentTime", of=lambda scan: len(scan.frames) > 1),
    _Held(
        NM_IMAGE,
        "NumberOfFrames FrameIncrementPointer SliceVector NumberOfSlices NumberOfEnergyWindows NumberOfDetectors "
        f"NumberOfRotations DetectorInformationSequence {_MAPPING}.RealWorldValueSlope "
        f"{_MAPPING}.RealWorldValueIntercept",
        "EnergyWindowInformationSequence RadiopharmaceuticalInformationSequence RotationInformationSequence",
    ),
    _Held(
        ENHANCED_CT | ENHANCED_PET | LEGACY_PET,
        f"{_MAPPING}.RealWorldValueSlope {_MAPPING}.RealWorldValueIntercept {_MAPPING}.LUTExplanation",
    ),
    _Held(ENHANCED_CT | ENHANCED_PET, "DeviceSerialNumber ManufacturerModelName SoftwareVersions Manufacturer"),
    _Held(
        GROUPED,
        "NumberOfFrames ContentQualification FrameType RescaleType StackID InStackPositionNumber TemporalPositionIndex "
        "DimensionIndexValues FrameAcquisitionNumber DimensionOrganizationSequence.DimensionOrganizationUID "
        "WindowCenter WindowWidth",
        "AcquisitionContextSequence",
    ),
    _Held(
        ENHANCED_PET,
        "AcquisitionStartCondition AcquisitionTerminationCondition TypeOfDetectorMotion CollimatorType TableMotion "
        "TimeOfFlightInformationUsed RadiopharmaceuticalAgentNumber "
        "RadiopharmaceuticalCodeSequence RadionuclideCodeSequence "
        "AdministrationRouteCodeSequence ViewCodeSequence",
    ),
)


def own_facts() -> Iterator[Fact]:
    """Yield what is compared in files of this program alone."""
    for each in _HELD:
        yield Fact(
            Kind.IDENTITY,
            "attribute-missing",
            "what inveonimaging writes into each such file",
            _constant(_ALL_THERE),
            of=each.of,
            found=partial(_there, each),
            own=each.classes,
            is_own=True,
        )
    yield from _of_images()
    yield from _of_tracer()
    yield from _of_methods()
    yield from _of_counts()
    yield from _of_mapping()


def _there(held: _Held, plane: Plane) -> str:
    """Return `all`, or what is missing."""
    missing = [keyword for keyword in _words(held.held) if keyword not in plane.file.held]
    missing += [path for path in _words(held.filled) if at(path)(plane) is None]
    return f"{_ALL_THERE} but {', '.join(path.rpartition('.')[2] for path in missing)}" if missing else _ALL_THERE


@cache
def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@cache
def at(path: str) -> Callable[[Plane], Any]:
    """Return what gives a value in sequences: keywords with a dot between them."""
    first, *rest = path.split(".")
    if not rest:
        return lambda plane: plane.get(first)

    def found(plane: Plane) -> Any:
        value = plane.get(first)
        for keyword in rest:
            value = value.get(keyword) if isinstance(value, dict) else None
        return value

    return found


def text_at(path: str) -> Callable[[Plane], str | None]:
    """Return what gives all values of an attribute as DICOM has them, with backslashes between them."""
    value_at = at(path)

    def found(plane: Plane) -> str | None:
        values = value_at(plane)
        return "\\".join(map(str, values)) if isinstance(values, tuple) else None if values is None else str(values)

    return found


def _constant(value: Any) -> Callable[[SourceScan, int], Any]:
    return lambda _scan, _frame: value


def _own(
    kind: Kind, code: str, path: str, true: Callable[[SourceScan, int], Any], classes: frozenset[str], **more: Any
) -> Fact:
    """Return a fact of files of these SOP classes; an attribute in sequences is called by its own name."""
    keyword = path.rpartition(".")[2]
    return Fact(kind, code, keyword, true, **{"found": text_at(path), "own": classes, "is_own": True, **more})


def _number(code: str, path: str, true: Callable[[SourceScan, int], Any], classes: frozenset[str], **more: Any) -> Fact:
    return _own(Kind.HEADER, code, path, true, classes, **{"found": at(path), **more})


def _origin(scan: SourceScan) -> str:
    """Return value 1 of Image Type where the header gives all that it needs."""
    return "DERIVED" if scan.image.whole else "ORIGINAL"


def _of_images() -> Iterator[Fact]:
    kind = partial(_own, Kind.DISPLAY, "image-type", how=ONE_OF)
    yield kind("ImageType", lambda scan, _: (f"{_origin(scan)}\\PRIMARY\\AXIAL",), CT)
    yield kind("ImageType", lambda scan, _: (f"{_origin(scan)}\\PRIMARY",), PET)
    yield kind(
        "ImageType", lambda scan, _: (f"{_origin(scan)}\\PRIMARY\\RECON {_gated(scan)}TOMO\\EMISSION",), NM_IMAGE
    )
    yield kind("ImageType", lambda scan, _: (f"{_origin(scan)}\\PRIMARY\\VOLUME\\NONE",), LEGACY_CT | LEGACY_PET)
    yield kind(
        "ImageType",
        lambda scan, _: tuple(f"{each}\\PRIMARY\\VOLUME\\NONE" for each in {_origin(scan), "DERIVED"}),
        ENHANCED_CT | ENHANCED_PET,
    )
    yield kind("FrameType", _constant(("that of Image Type",)), GROUPED, found=_frame_type)
    yield kind("VolumetricProperties", _constant(("VOLUME",)), GROUPED)
    yield kind("VolumeBasedCalculationTechnique", _constant(("NONE",)), GROUPED)
    dimension = partial(_own, Kind.DISPLAY, "dimension-organization", classes=GROUPED)
    yield dimension("DimensionOrganizationType", lambda scan, _: "3D_TEMPORAL" if len(scan.frames) > 1 else "3D")
    yield dimension("StackID", _constant("1"))
    yield dimension("DimensionIndexSequence", _dimensions, found=_indices, how=ONE_OF)
    yield _own(
        Kind.DISPLAY,
        "dimension-organization",
        "FrameIncrementPointer",
        _constant("SliceVector"),
        NM_IMAGE,
        of=lambda scan: not scan.is_gated,
        found=lambda plane: _keyword_of(plane.get("FrameIncrementPointer")),
    )
    yield dimension("DimensionIndexValues", _constant(("the positions",)), found=_index_values, how=ONE_OF)
    when = partial(_own, Kind.TIMES, classes=GROUPED)
    yield when("content-time", "ContentDate", lambda scan, _: scan.start and f"{scan.start:%Y%m%d}")
    yield when("content-time", "ContentTime", lambda scan, _: scan.start and scan.start.time(), found=_content_time)
    yield _own(Kind.TIMES, "acquisition-duration", "AcquisitionDuration", _duration_s, GROUPED, found=_acquisition_s)
    pixels = partial(_own, Kind.DISPLAY, "pixel-format", classes=ALL)
    yield pixels("BitsAllocated", _constant(16.0), found=at("BitsAllocated"))
    yield pixels("BitsStored", _constant(16.0), found=at("BitsStored"))
    yield _number("series-number", "SeriesNumber", lambda scan, _: scan.number, ALL)
    instance = partial(_number, "instance-number", "InstanceNumber")
    yield instance(_constant(1), GROUPED, found=lambda plane: plane.file.top.get("InstanceNumber"))
    yield instance(lambda scan, frame: 1 if scan.is_gated else scan.steps[frame] + 1, NM_IMAGE)
    yield _number("slice-count", "NumberOfSlices", lambda scan, _: scan.image.grid.shape[2], NM_IMAGE)
    for keyword in ("NumberOfEnergyWindows", "NumberOfDetectors", "NumberOfRotations"):
        yield _number("technique", keyword, _constant(1), NM_IMAGE)
    numbered = partial(_number, "acquisition-number", true=lambda _scan, frame: frame + 1)
    yield numbered(path="AcquisitionNumber", classes=SINGLE)
    yield numbered(path="AcquisitionNumber", classes=NM_IMAGE, of=lambda scan: not scan.is_gated)
    yield numbered(path="FrameAcquisitionNumber", classes=GROUPED)


def _gated(scan: SourceScan) -> str:
    return "GATED " if scan.is_gated else ""


def _frame_type(plane: Plane) -> Any:
    frame_type = text_at("FrameType")(plane)
    return "that of Image Type" if frame_type == text_at("ImageType")(plane) else frame_type


def _dimensions(scan: SourceScan, _frame: int) -> tuple[str] | None:
    """Return which attributes order the frames; by which one gates are ordered depends on their trigger."""
    return None if scan.is_gated else (_ORDER,)


_ORDER = "StackID, InStackPositionNumber, TemporalPositionIndex by FrameContentSequence"


def _index_values(plane: Plane) -> Any:
    values = plane.get("DimensionIndexValues")
    positions = (1, plane.get("InStackPositionNumber"), plane.get("TemporalPositionIndex"))
    return "the positions" if values == positions else text_at("DimensionIndexValues")(plane)


def _indices(plane: Plane) -> str | None:
    items = plane.get("DimensionIndexSequence")
    if not isinstance(items, tuple):
        return None
    pointers = [[_keyword_of(dict(item).get(name)) for item in items] for name in _POINTERS]
    uids = {str(dict(item).get("DimensionOrganizationUID")) for item in items}
    whole = at("DimensionOrganizationSequence.DimensionOrganizationUID")(plane)
    found = f"{', '.join(pointers[0])} by {', '.join(dict.fromkeys(pointers[1]))}"
    return found if uids == {str(whole)} else f"{found} of another organization"


_POINTERS = ("DimensionIndexPointer", "FunctionalGroupPointer")


def _keyword_of(tag: Any) -> str:
    return (keyword_for_tag(tag) if isinstance(tag, int) else "") or str(tag)


def _content_time(plane: Plane) -> Any:
    return clock_of(plane.get("ContentTime")) or plane.get("ContentTime")


def _duration_s(scan: SourceScan, _frame: int) -> float | None:
    """Return from the first frame's start to the last one's end, s; of joined beds the time of all of them."""
    if scan.start is None:
        return None
    if beds_are_joined(scan.header):
        return scan.header.ct.scan_s or None
    ends = [start + (frame.duration_s or 0.0) for start, frame in zip(scan.starts_s, scan.frames, strict=True)]
    return (max(ends) - min(scan.starts_s)) or None


def _acquisition_s(plane: Plane) -> Any:
    return at("AcquisitionDuration")(plane)


def _of_tracer() -> Iterator[Fact]:
    code, keyword = "species-code", "PatientSpeciesCodeSequence"
    yield _own(Kind.IDENTITY, code, keyword, _species_codes, ALL, found=_code_at(keyword), how=ONE_OF)
    named = PLAIN_PET | NM_IMAGE
    yield _own(
        Kind.TRACER,
        "compound",
        "Radiopharmaceutical",
        lambda scan, _: scan.header.tracer.compound,
        named,
        of=lambda scan: scan.has_tracer,
    )
    code = "RadiopharmaceuticalCodeSequence"
    yield _own(Kind.TRACER, "compound-code", code, _compound_code, ANY_PET, found=_code_at(code))


def _species_codes(scan: SourceScan, _frame: int) -> tuple[str, ...] | None:
    """Return the codes for the species, or that which a sheet gives; None if none is known, or is too long."""
    given = scan.animal.species_code
    codes = codes_of_species(scan.animal.species or "") if given is None else (coded(given.value, given.scheme),)
    is_long = given is not None and len(given.value) > _LONGEST_CODE
    return codes if codes and not is_long and _is_animal(scan) else None


def _compound_code(scan: SourceScan, _frame: int) -> str | None:
    tracer = scan.header.tracer
    known = COMPOUND_CODES.get(compound_of(tracer.compound or ""), ("", ""))
    return known[1] if scan.has_tracer and known[0] == isotope(tracer.isotope) else None


def _code_at(path: str) -> Callable[[Plane], Any]:
    def found(plane: Plane) -> Any:
        code = at(path)(plane)
        return coded(code.value, code.scheme) if isinstance(code, Code) else code

    return found


def _of_methods() -> Iterator[Fact]:
    method = partial(_own, Kind.CORRECTIONS, "correction-method", of=lambda scan: scan.modality == "PT")
    yield method("RandomsCorrectionMethod", _randoms, PLAIN_PET)
    yield method("AttenuationCorrectionMethod", _named(lambda scan: scan.header.corrections.attenuation), PLAIN_PET)
    yield method("ScatterCorrectionMethod", _named(lambda scan: scan.header.corrections.scatter), PLAIN_PET)
    yield method(
        "SecondaryCountsType", lambda scan, _: "DLYD" if scan.frames[0].delays is not None else None, PLAIN_PET
    )
    yield method("CollimatorType", _constant("NONE"), ANY_PET)
    for keyword in ("GantryMotionCorrected", "PatientMotionCorrected", "CountLossNormalizationCorrected"):
        yield method(keyword, _constant("NO"), ENHANCED_PET)
    yield method(
        "NonUniformRadialSamplingCorrected", _yes_or_no(lambda scan: bool(scan.header.corrections.arc)), ENHANCED_PET
    )
    yield method("SensitivityCalibrated", _yes_or_no(lambda scan: scan.image.scaling.unit is Unit.BQML), ENHANCED_PET)
    yield method("RandomsCorrectionMethod", lambda scan, _: "DLYD" if _is_done(scan, "RAN") else None, ENHANCED_PET)
    scatter = _named(lambda scan: scan.header.corrections.scatter if _is_done(scan, "SCAT") else None)
    yield method("ScatterCorrectionMethod", scatter, ENHANCED_PET)
    yield method("TimeOfFlightInformationUsed", _constant("FALSE"), ENHANCED_PET)
    factor = partial(_number, "correction-factor")
    yield factor("DoseCalibrationFactor", _calibration, PLAIN_PET)
    for keyword, value in (("SliceSensitivityFactor", 1.0), ("ScatterFractionFactor", 0.0)):
        yield factor(keyword, _constant(value), ENHANCED_PET, of=has_factors)
    dead_time = partial(factor, "DeadTimeFactor", lambda scan, frame: scan.frames[frame].deadtime_correction or None)
    yield dead_time(PLAIN_PET)
    yield dead_time(ENHANCED_PET, of=has_factors)


def _is_done(scan: SourceScan, term: str) -> bool:
    return bool(scan.corrected[term]) and not scan.is_mu_map


def has_factors(scan: SourceScan) -> bool:
    """Return whether the header gives all that the correction factors of an Enhanced PET frame need."""
    return all(frame.prompts is not None and frame.deadtime_correction for frame in scan.frames)


def _yes_or_no(is_done: Callable[[SourceScan], bool]) -> Callable[[SourceScan, int], str]:
    return lambda scan, _frame: "YES" if is_done(scan) and not scan.is_mu_map else "NO"


def _randoms(scan: SourceScan, _frame: int) -> str | None:
    kinds = {frame.event_type for frame in scan.header.frames}
    return _RANDOMS.get(kinds.pop() or EventType.UNKNOWN) if len(kinds) == 1 else None


def _named(method: Callable[[SourceScan], Labelled | None]) -> Callable[[SourceScan, int], str | None]:
    def true(scan: SourceScan, _frame: int) -> str | None:
        found = method(scan)
        return None if found is None else found.label if found else "NONE"

    return true


def _calibration(scan: SourceScan, _frame: int) -> float | None:
    """Return the calibration in Bq/mL of one unit of the scaled values."""
    calibration = scan.header.calibration
    if scan.image.scaling.unit is not Unit.BQML or not calibration.factor:
        return None
    return calibration.factor * (BQ_PER_NCI if calibration.units is CalibrationUnits.NCI_PER_CC else 1)


def _of_counts() -> Iterator[Fact]:
    counts = partial(_number, "counts", how=_HALF)
    yield counts("PrimaryPromptsCountsAccumulated", _count(lambda frame: frame.prompts), PLAIN_PET)
    prompts = _count(lambda frame: frame.prompts)
    yield counts("PrimaryPromptsCountsAccumulated", prompts, ENHANCED_PET, of=has_factors)
    yield counts("SecondaryCountsAccumulated", _count(lambda frame: frame.delays), PLAIN_PET)
    yield counts("CountsAccumulated", _count(lambda frame: frame.prompts), NM_IMAGE, of=lambda scan: not scan.is_gated)
    how = partial(_number, "technique")
    yield how("KVP", lambda scan, _: scan.header.ct.voltage_kv or None, PLAIN_CT)
    yield how("XRayTubeCurrentInuA", lambda scan, _: scan.header.ct.anode_current_ua or None, PLAIN_CT)
    yield how("ExposureTime", lambda scan, _: scan.header.ct.exposure_time_ms or None, PLAIN_CT, how=_HALF)
    yield how("ReconstructionDiameter", _field_mm, PLAIN_CT | PLAIN_PET)
    yield how("CoincidenceWindowWidth", lambda scan, _: scan.header.detector.timing_window_ns or None, ANY_PET)
    for number, limit in enumerate(("Lower", "Upper")):
        keyword = f"EnergyWindow{limit}Limit"
        yield how(f"EnergyWindowRangeSequence.{keyword}", _energy_kev(number), ANY_PET)
        yield how(f"{_WINDOW_OF_NM}.{keyword}", _energy_kev(number), NM_IMAGE)
    yield _own(
        Kind.HEADER,
        "technique",
        "RotationDirection",
        lambda scan, _: None if (way := scan.header.gantry.direction) is None else _DIRECTIONS.get(way),
        PLAIN_CT,
    )


def _count(of: Callable[[Any], int | None]) -> Callable[[SourceScan, int], int | None]:
    """Return what gives a count of a frame that an Integer String can hold."""

    def true(scan: SourceScan, frame: int) -> int | None:
        value = of(scan.frames[frame])
        return value if value is not None and abs(value) <= _LARGEST_IS else None

    return true


def _field_mm(scan: SourceScan, _frame: int) -> float:
    grid = (scan.image.whole or scan.image).grid
    return float(grid.shape[0] * grid.spacing_mm[0])


def _energy_kev(number: int) -> Callable[[SourceScan, int], float | None]:
    def true(scan: SourceScan, _frame: int) -> float | None:
        limits = scan.header.detector.lower_energy_kev, scan.header.detector.upper_energy_kev
        is_one_of_several = scan.image.part is not None and scan.image.part.place.energy_window is not None
        is_known = all(limits) and not (is_one_of_several and scan.modality == "NM")
        return limits[number] if is_known else None

    return true


def _of_mapping() -> Iterator[Fact]:
    classes = ENHANCED_CT | ENHANCED_PET | LEGACY_PET | NM_IMAGE
    unit = partial(_own, Kind.UNITS, "mapped-unit", classes=classes)
    yield unit(f"{_MAPPING}.LUTLabel", lambda scan, _: _LABELS[scan.image.scaling.unit])
    for end, value in (("First", _LOWEST), ("Last", _HIGHEST)):
        path = f"{_MAPPING}.RealWorldValue{end}ValueMapped"
        yield _number("mapped-range", path, _constant(value), classes)
