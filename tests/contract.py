"""What every SOP class must hold: values, positions, UIDs, bytes, header and validation, whatever its form.

The truth is worked out in `truth.py` from the header's text and the stored bytes; the files are read with pydicom.
Each class of tests names its SOP class and cases; the fixture `case` (conftest.py) converts one after the other.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset

from conftest import Measures
from inveonimaging import Options, convert
from inveonimaging.dicom.modules.header_text import header_bytes
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import CalibrationUnits, DataType, Orientation
from inveonimaging.inveon.hdr.model import Calibration
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, PhantomScan, frames_of, write_scan
from inveonimaging.phantom.scan import FDG
from inveonimaging.physics.quantification import Policy
from truth import Float, Truth, truth_of

CT = replace(CT_SCAN, shape=(9, 8, 3), spacing_mm=(3.1, 2.9, 13.7), shift_mm=(1.25, -0.75, 3.5))
PET = replace(
    PET_SCAN,
    shape=(8, 9, 3),
    spacing_mm=(3.5, 2.5, 13.5),
    shift_mm=(-0.63, 1.17, -1.31),
    frames=frames_of(15.0, 60.0, 600.0),
)
SPECT = replace(SPECT_SCAN, shape=(8, 9, 3), spacing_mm=(3.5, 2.5, 13.5), frames=frames_of(600.0))
STATIC = frames_of(600.0)
TWO_FRAMES = frames_of(15.0, 600.0)  # of which there are three in PET; two distinguish them, and take less time
BEFORE_MIDNIGHT = datetime(2014, 6, 17, 23, 59, 30)
NOT_CALIBRATED = Calibration(units=CalibrationUnits.UNKNOWN, factor=0.0)
IN_BQ = Calibration(units=CalibrationUnits.BQ_PER_CC, factor=193510.0)


def reversed_blocks(header: Header) -> Header:
    """Return the header with its frame blocks in the opposite order; each keeps its keys and the place of its data."""
    return replace(header, frames=header.frames[::-1])


def with_a_tracer(header: Header) -> Header:
    """Return the header of a mu map with what an emission scan says, which must not touch its values."""
    return replace(
        header,
        tracer=replace(FDG, injection_time=BEFORE_MIDNIGHT),
        calibration=IN_BQ,
        corrections=replace(header.corrections, decay=True),
    )


Cases = dict[str, dict[str, object]]
"""Name of a case: what differs from the class's scan; `options` and `change` (of the header) are no fields of it."""

POSTURES: Cases = {f"posture {code.name}": {"orientation": code} for code in Orientation}
TYPES: Cases = {f"type {code.name}": {"data_type": code} for code in DataType}
LAYOUTS: Cases = {
    "gap": {"gap": 13},
    "one token": {"one_token_pointers": True},
    "late start": {"first_offset": 512},
    "windows text": {"newline": "\r\n"},
    "one voxel": {"shape": (1, 1, 1)},
}
CALIBRATIONS: Cases = {
    "in Bq/cc": {"calibration": IN_BQ},
    "not calibrated": {"calibration": NOT_CALIBRATED},
    "not calibrated int16": {"calibration": NOT_CALIBRATED, "data_type": DataType.INT16_LE},
    "one factor int16": {"data_type": DataType.INT16_BE, "scale_factor": 2e-3},
}
TIMES: Cases = {
    "static": {"frames": STATIC},
    "over midnight": {"scan_time": BEFORE_MIDNIGHT},
    "blocks from last to first": {"change": reversed_blocks},
}
THREE_FRAMES: Cases = {"three frames from last to first": {"frames": PET.frames, "change": reversed_blocks}}
GATES: Cases = {
    "cardiac gates": {"frames": STATIC, "gates": 4, "gate_description": "ECG R-wave"},
    "gates of a breath": {"frames": STATIC, "gates": 3},
    "gates of who knows": {"frames": STATIC, "gates": 2, "gate_description": "input A"},
    "gates from last to first": {
        "frames": STATIC,
        "gates": 4,
        "gate_description": "ECG R-wave",
        "change": reversed_blocks,
    },
}
MU_MAPS: Cases = {
    "mu map": {"mu_map": True},
    "mu map head first, right": {"mu_map": True, "orientation": Orientation.HFDR},
    "mu map int16": {"mu_map": True, "data_type": DataType.INT16_LE},
    "mu map of a tracer": {"mu_map": True, "change": with_a_tracer},
}
POLICIES: Cases = {f"rescale {policy.value}": {"options": Options(rescale=policy)} for policy in Policy}


@dataclass(frozen=True)
class Conversion:
    """What was written from a scan with some options; tests only look at it."""

    output: Path
    instances: list[FileDataset] = field(repr=False)

    @cached_property
    def planes(self) -> list[Plane]:
        """The slices of the first series."""
        return planes_of(self.instances)

    @cached_property
    def groups(self) -> list[dict[str, Dataset]]:
        """The functional groups of each frame of the first series' one object."""
        (ds,) = self.instances
        return groups_of(ds)


Change = Callable[[Header], Header] | None


@dataclass(frozen=True)
class Written:
    """A scan on disk: what is true of it, and its conversions, each made once."""

    scan: PhantomScan
    source: Path
    truth: Truth = field(repr=False)
    _conversions: dict[str, Conversion] = field(default_factory=dict, repr=False)

    def converted(self, options: Options) -> Conversion:
        """Return what options give."""
        key = repr(options)  # they have mappings, and no hash
        if key not in self._conversions:
            output = self.source.parent.with_name(f"out {len(self._conversions)}")
            convert(self.source.parent, output, options)
            self._conversions[key] = Conversion(output, [pydicom.dcmread(file) for file in files_of(output)])
        return self._conversions[key]


class Scans:
    """The scans of all cases, each written once: classes of tests look at the same one in several forms."""

    def __init__(self, new_folder: Callable[[], Path]) -> None:
        self._new_folder = new_folder
        self._written: dict[tuple[PhantomScan, str, Change], Written] = {}

    def written(self, scan: PhantomScan, name: str, change: Change) -> Written:
        """Return a scan on disk, with a changed header."""
        key = (scan, name, change)
        if key not in self._written:
            source = self._new_folder() / "in" / name
            source.parent.mkdir()
            write_scan(source, scan, change=change)
            self._written[key] = Written(scan, source, truth_of(source))
        return self._written[key]


@dataclass(frozen=True)
class Case:
    """A converted scan: what is true, what was written, and where."""

    written: Written
    options: Options

    @property
    def scan(self) -> PhantomScan:
        """What was written before the conversion."""
        return self.written.scan

    @property
    def truth(self) -> Truth:
        """What is true of the scan."""
        return self.written.truth

    @property
    def source(self) -> Path:
        """The data file of the scan."""
        return self.written.source

    @property
    def conversion(self) -> Conversion:
        """What the case's own options give."""
        return self.converted()

    @property
    def instances(self) -> list[FileDataset]:
        """The instances of the first series, in the order of their files' names."""
        return self.conversion.instances

    @property
    def files(self) -> list[Path]:
        """The files of the first series, in the order of their names."""
        return files_of(self.conversion.output)

    @property
    def planes(self) -> list[Plane]:
        """The slices of the first series."""
        return self.conversion.planes

    @property
    def groups(self) -> list[dict[str, Dataset]]:
        """The functional groups of each frame of the first series' one object."""
        return self.conversion.groups

    def converted(self, **options: Any) -> Conversion:
        """Return what other options give."""
        return self.written.converted(replace(self.options, **options))


def files_of(output: Path, series: int = 1) -> list[Path]:
    """Return the files of a series, in the order of their names."""
    return sorted((output / str(series)).iterdir())


@dataclass(frozen=True)
class Plane:
    """One slice, of a single-frame instance or of a multi-frame one, as pydicom reads it.

    Attributes:
        stored: (rows, columns) pixels.
        slope: Rescale Slope, as it is written.
        intercept: Rescale Intercept.
        mapping: item of Real World Value Mapping, if there is one.
        cosines: directions of rows and columns.
        spacing: between rows and between columns, mm.
        thickness: of a slice, mm.
        position: of the first pixel, LPS mm.
    """

    stored: np.ndarray
    slope: str
    intercept: float
    mapping: Dataset | None
    cosines: Float
    spacing: Float
    thickness: float
    position: Float

    def place(self, i: int, j: int) -> Float:
        """Return the place of a pixel as PS3.3 C.7.6.2.1.1 has it: i columns and j rows from the first."""
        (row, column), (between_rows, between_columns) = self.cosines, self.spacing
        return np.asarray(self.position + row * between_columns * i + column * between_rows * j)

    @property
    def normal(self) -> Float:
        """Row x column."""
        return np.asarray(np.cross(*self.cosines))

    @property
    def along_normal(self) -> float:
        """How far along row x column the slice lies."""
        return float(np.dot(self.position, self.normal))


def planes_of(instances: Sequence[FileDataset]) -> list[Plane]:
    """Return the slices of a series, in the order in which they stand in its files."""
    return [plane for ds in instances for plane in _planes(ds)]


def _planes(ds: FileDataset) -> list[Plane]:
    pixels = ds.pixel_array.reshape(-1, ds.Rows, ds.Columns)
    if "PerFrameFunctionalGroupsSequence" in ds:
        return [_plane_of_groups(groups, plane) for groups, plane in zip(groups_of(ds), pixels, strict=True)]
    if "DetectorInformationSequence" in ds:
        return [_plane_of_stack(ds, number, plane) for number, plane in zip(_vector(ds), pixels, strict=True)]
    return [_plane(ds, ds, ds, ds, pixels[0], _numbers(ds.ImagePositionPatient))]


def groups_of(ds: Dataset) -> list[dict[str, Dataset]]:
    """Return the functional groups of each frame, shared ones and its own, by keyword; each has one item."""
    (shared,) = ds.SharedFunctionalGroupsSequence
    found = []
    for own in ds.PerFrameFunctionalGroupsSequence:
        assert not set(own.keys()) & set(shared.keys())
        elements = [*shared, *own]
        assert all(len(element.value) == 1 for element in elements)
        found.append({element.keyword: element.value[0] for element in elements})
    return found


def _plane_of_groups(groups: dict[str, Dataset], stored: np.ndarray) -> Plane:
    return _plane(
        groups["PixelValueTransformationSequence"],
        groups,
        groups["PlaneOrientationSequence"],
        groups["PixelMeasuresSequence"],
        stored,
        _numbers(groups["PlanePositionSequence"].ImagePositionPatient),
    )


def _plane_of_stack(ds: Dataset, number: int, stored: np.ndarray) -> Plane:
    """Return a slice of an NM object: they follow the first one along the normal, in the order of Slice Vector."""
    (detector,) = ds.DetectorInformationSequence
    row, column = _numbers(detector.ImageOrientationPatient).reshape(2, 3)
    step = float(ds.SpacingBetweenSlices) * np.cross(row, column)
    return _plane(ds, ds, detector, ds, stored, _numbers(detector.ImagePositionPatient) + (number - 1) * step)


def _plane(
    rescale: Dataset,
    mapped: Dataset | dict[str, Dataset],
    orientation: Dataset,
    measures: Dataset,
    stored: np.ndarray,
    position: Float,
) -> Plane:
    mapping = mapped.get("RealWorldValueMappingSequence")
    if isinstance(mapping, pydicom.Sequence):
        (mapping,) = mapping
    return Plane(
        stored=stored,
        slope=str(rescale["RescaleSlope"].value.original_string),
        intercept=float(rescale.RescaleIntercept),
        mapping=mapping,
        cosines=_numbers(orientation.ImageOrientationPatient).reshape(2, 3),
        spacing=_numbers(measures.PixelSpacing),
        thickness=float(measures.SliceThickness),
        position=position,
    )


def _vector(ds: Dataset) -> list[int]:
    """Return Slice Vector (0054,0080); one value is not a list."""
    value = ds.SliceVector
    return [value] if isinstance(value, int) else list(value)


def _numbers(values: Sequence[float]) -> Float:
    return np.array([float(value) for value in values])


Sources = list[tuple[int, int]]
"""Of each slice of a series: the frame block and the stored slice that it was made from."""


def in_file_order(truth: Truth) -> Sources:
    """Return the slices as they stand in the data file, if its blocks lie in the header's order."""
    return [(frame, k) for frame in range(len(truth.frames)) for k in range(truth.shape[2])]


def along_the_normal(truth: Truth) -> Sources:
    """Return time frames or gates in their order, and in them slices along row x column."""
    i, j, k = truth.axes.T
    ks = range(truth.shape[2])[:: 1 if np.dot(np.cross(i, j), k) > 0 else -1]
    frames = sorted(range(len(truth.frames)), key=truth.steps.__getitem__)
    return [(frame, k) for frame in frames for k in ks]


def sources_of(instances: Sequence[FileDataset], truth: Truth) -> Sources:
    """Return what the slices of a series were made from, in the order in which its form has them."""
    return along_the_normal(truth) if "NumberOfFrames" in instances[0] else in_file_order(truth)


def check_values(planes: list[Plane], truth: Truth, sources: Sources, measures: Measures) -> None:
    """Compare every voxel with the truth, by Rescale Slope and by Real World Value Mapping."""
    assert len(planes) == len(sources)
    for plane, (frame, k) in zip(planes, sources, strict=True):
        slope, true = float(plane.slope), truth.values[frame, k]
        assert len(plane.slope) <= 16
        assert plane.intercept == 0
        assert plane.stored.dtype == np.int16
        error = float(np.abs(plane.stored * slope - true).max() / slope)
        measures.largest("value error, in rescale slopes", error)
        assert error <= 0.5 + 1e-9  # half a slope, and the rounding of the comparison itself
        if plane.mapping is not None:
            check_mapping(plane, true)


def check_mapping(plane: Plane, true: Float) -> None:
    """Compare every voxel with the truth, by Real World Value Mapping, which maps all that is stored."""
    item = plane.mapping
    assert item is not None
    first, last = item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped
    assert first <= plane.stored.min()
    assert plane.stored.max() <= last
    mapped = plane.stored * item.RealWorldValueSlope + item.RealWorldValueIntercept
    assert np.abs(mapped - true).max() <= (0.5 + 1e-9) * item.RealWorldValueSlope


def check_places(planes: list[Plane], truth: Truth, sources: Sources, measures: Measures) -> None:
    """Compare the corners of every slice with the truth."""
    nx, ny, _ = truth.shape
    for plane, (_, k) in zip(planes, sources, strict=True):
        assert plane.thickness == truth.spacing[2]
        for i, j in ((0, 0), (nx - 1, 0), (0, ny - 1), (nx - 1, ny - 1)):
            error = float(np.abs(plane.place(i, j) - truth.position(i, j, k)).max())
            measures.largest("position error, mm", error)
            assert error < 1e-4


class SopClassContract:
    """The contract; a subclass names the SOP class, its options and its cases.

    Attributes:
        base: the scan that cases differ from.
        name: of its data file.
        sop_class: UID.
        cases: what the fixture `case` converts.
        options: of the conversion; those of a case come first.
        validation: options of dciodvfy.
        warnings: what dciodvfy may say, with the reason.
    """

    base: ClassVar[PhantomScan]
    name: ClassVar[str]
    sop_class: ClassVar[str]
    cases: ClassVar[Cases]
    options: ClassVar[dict[str, Any]] = {}
    validation: ClassVar[tuple[str, ...]] = ()
    warnings: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def case_of(cls, scans: Scans, name: str) -> Case:
        """Return a case; it is converted when a test first looks at what was written."""
        changes = dict(cls.cases[name])
        options: Any = changes.pop("options", Options())
        change: Any = changes.pop("change", None)
        scan = replace(cls.base, **changes)  # type: ignore[arg-type]  # each case changes other fields
        return Case(scans.written(scan, cls.name, change), replace(options, **cls.options))

    def sources(self, truth: Truth) -> Sources:
        """Return what each slice was made from."""
        return in_file_order(truth)

    def seen(self, truth: Truth) -> Truth:
        """Return the truth with rows and columns in the order in which the form has them."""
        return truth

    def test_instances_are_numbered_and_of_their_class(self, case: Case) -> None:
        numbers = [int(ds.InstanceNumber) for ds in case.instances]
        assert numbers == list(range(1, len(case.instances) + 1))
        assert {ds.SOPClassUID for ds in case.instances} == {self.sop_class}
        assert {ds.file_meta.MediaStorageSOPClassUID for ds in case.instances} == {self.sop_class}
        assert {ds.file_meta.TransferSyntaxUID for ds in case.instances} == {pydicom.uid.ExplicitVRLittleEndian}

    def test_every_voxel_is_within_half_a_slope(self, case: Case, measures: Measures) -> None:
        check_values(case.planes, self.seen(case.truth), self.sources(case.truth), measures)

    def test_every_slice_is_in_its_place(self, case: Case, measures: Measures) -> None:
        check_places(case.planes, self.seen(case.truth), self.sources(case.truth), measures)

    def test_uids_are_unique_valid_and_repeat(self, case: Case, tmp_path: Path) -> None:
        uids = [ds.SOPInstanceUID for ds in case.instances]
        assert len(set(uids)) == len(uids)
        assert all(uid.is_valid and len(uid) <= 64 for uid in uids)
        assert [ds.file_meta.MediaStorageSOPInstanceUID for ds in case.instances] == uids
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            assert len({ds[keyword].value for ds in case.instances}) == 1
        if is_other_storage(case, self.base):  # on which no UID depends
            return
        again = tmp_path / "elsewhere"
        again.mkdir()
        for file in case.source.parent.iterdir():
            (again / file.name).write_bytes(file.read_bytes())
        convert(again, tmp_path / "out", case.options)
        made, before = ([file.read_bytes() for file in each] for each in (files_of(tmp_path / "out"), case.files))
        is_same = made == before
        assert is_same, "another conversion wrote other bytes"

    def test_files_are_what_pydicom_writes(self, case: Case) -> None:
        for file in case.files[:2]:
            written = BytesIO()
            pydicom.dcmread(file).save_as(written, enforce_file_format=True)
            is_same = written.getvalue() == file.read_bytes()
            assert is_same, file

    def test_the_header_travels_whole_in_the_first_instance(self, case: Case) -> None:
        header = case.source.with_name(case.source.name + ".hdr").read_bytes()
        is_whole = header_bytes(case.instances[0]) == header
        assert is_whole
        assert all((0x0099, 0x0010) not in ds for ds in case.instances[1:])

    def test_dciodvfy_finds_no_error(self, case: Case, dciodvfy: str) -> None:
        for file in case.files[:: max(1, len(case.files) - 1)]:
            report = validated(dciodvfy, file, *self.validation)
            assert not errors_in(report)
            assert not unexpected_warnings(report, self.warnings)


def is_other_storage(case: Case, base: PhantomScan) -> bool:
    """Return whether a case differs from the base in its posture, data type or layout."""
    names = ("orientation", "data_type", "gap", "one_token_pointers", "first_offset", "newline", "shape")
    return any(getattr(case.scan, name) != getattr(base, name) for name in names)


ALLOWED_WARNINGS = (
    "Unrecognized tag",  # the private block, which no dictionary but our own knows
    "Retired Person Name form",  # names are written as they were typed, without carets
)


def validated(dciodvfy: str, file: Path, *options: str) -> str:
    """Return what dciodvfy says; its exit code means nothing."""
    return subprocess.run([dciodvfy, *options, str(file)], capture_output=True, text=True, check=False).stderr


def errors_in(report: str) -> list[str]:
    """Return the errors that dciodvfy found; a file that it cannot read is one."""
    lines = report.splitlines()
    assert lines, "dciodvfy names the IOD at least"
    return [line for line in lines if "Error" in line]


def unexpected_warnings(report: str, allowed: Sequence[str] = ()) -> list[str]:
    """Return the warnings of dciodvfy that are not allowed for a reason."""
    warnings = [line for line in report.splitlines() if "Warning" in line]
    return [line for line in warnings if not any(each in line for each in (*ALLOWED_WARNINGS, *allowed))]


def parametrised(cases: Cases) -> Callable[[type], type]:
    """Return a decorator that runs a class's tests over its cases."""
    return pytest.mark.parametrize("case", list(cases), indirect=True, scope="class")
