"""What every instance must hold, for both SOP classes, over postures, data types, units and frame schemes.

The truth is worked out in `truth.py` from the header's text and the stored bytes; the files are read with pydicom.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from conftest import Measures
from inveonimaging import Options, convert
from inveonimaging.dicom.modules.header_text import header_bytes
from inveonimaging.hdr.enums import CalibrationUnits, DataType, Orientation
from inveonimaging.hdr.model import Calibration
from inveonimaging.phantom import CT_SCAN, PET_SCAN, Scan, frames_of, write_scan
from inveonimaging.quant import Policy
from truth import POSITIONS, Truth, truth_of

CT = replace(CT_SCAN, shape=(9, 8, 7), spacing_mm=(3.1, 2.9, 9.7), shift_mm=(1.25, -0.75, 3.5))
PET = replace(
    PET_SCAN,
    shape=(8, 9, 7),
    spacing_mm=(3.5, 2.5, 9.5),
    shift_mm=(-0.63, 1.17, -1.31),
    frames=frames_of(15.0, 60.0, 600.0),
)
BEFORE_MIDNIGHT = datetime(2014, 6, 17, 23, 59, 30)
NOT_CALIBRATED = Calibration(units=CalibrationUnits.UNKNOWN, factor=0.0)
IN_BQ = Calibration(units=CalibrationUnits.BQ_PER_CC, factor=193510.0)

Cases = dict[str, dict[str, object]]

POSTURES: Cases = {f"posture {code.name}": {"orientation": code} for code in Orientation}
TYPES: Cases = {f"type {code.name}": {"data_type": code} for code in DataType}
LAYOUTS: Cases = {
    "gap": {"gap": 13},
    "one token": {"one_token_pointers": True},
    "late start": {"first_offset": 512},
    "windows text": {"newline": "\r\n"},
    "one voxel": {"shape": (1, 1, 1)},
}
SCHEMES: Cases = {
    "static": {"frames": frames_of(600.0)},
    "over midnight": {"scan_time": BEFORE_MIDNIGHT},
    "in Bq/cc": {"calibration": IN_BQ},
    "not calibrated": {"calibration": NOT_CALIBRATED},
    "not calibrated int16": {"calibration": NOT_CALIBRATED, "data_type": DataType.INT16_LE},
    "one factor int16": {"data_type": DataType.INT16_BE, "scale_factor": 2e-3},
}
POLICIES: Cases = {f"rescale {policy.value}": {"policy": policy} for policy in Policy}


@dataclass(frozen=True)
class Case:
    """A converted scan: what is true, what was written, and the output folder."""

    scan: Scan
    policy: Policy
    truth: Truth
    instances: list[FileDataset]
    source: Path
    output: Path

    def slice(self, number: int) -> tuple[int, int]:
        """Return frame and slice of the instance at a place in file order."""
        return divmod(number, self.truth.shape[2])


def converted(folder: Path, scan: Scan, name: str, policy: Policy = Policy.AUTO) -> Case:
    source = folder / "in" / name
    source.parent.mkdir()
    write_scan(source, scan)
    convert(source.parent, folder / "out", Options(rescale=policy))
    files = sorted((folder / "out" / "1").iterdir())
    return Case(scan, policy, truth_of(source), [pydicom.dcmread(file) for file in files], source, folder / "out")


@pytest.fixture(scope="class")
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    contract: type[SopClassContract] = request.cls
    changes = dict(contract.cases[request.param])
    policy = changes.pop("policy", Policy.AUTO)
    assert isinstance(policy, Policy)
    scan = replace(contract.base, **changes)  # type: ignore[arg-type]  # each case changes other fields
    return converted(tmp_path_factory.mktemp("case"), scan, contract.name, policy)


class SopClassContract:
    """The contract; a subclass names the SOP class and its cases."""

    base: ClassVar[Scan]
    name: ClassVar[str]
    sop_class: ClassVar[str]
    cases: ClassVar[Cases]

    def test_there_is_one_instance_a_slice_and_frame(self, case: Case) -> None:
        count = len(case.truth.frames) * case.truth.shape[2]
        assert len(case.instances) == count
        assert [ds.InstanceNumber for ds in case.instances] == list(range(1, count + 1))
        assert {ds.SOPClassUID for ds in case.instances} == {self.sop_class}
        assert {ds.file_meta.TransferSyntaxUID for ds in case.instances} == {pydicom.uid.ExplicitVRLittleEndian}

    def test_every_voxel_is_within_half_a_slope(self, case: Case, measures: Measures) -> None:
        for number, ds in enumerate(case.instances):
            frame, k = case.slice(number)
            slope, true = float(ds.RescaleSlope), case.truth.values[frame, k]
            assert len(str(ds["RescaleSlope"].value.original_string)) <= 16
            assert float(ds.RescaleIntercept) == 0
            error = float(np.abs(ds.pixel_array * slope - true).max() / slope)
            measures.largest("value error, in rescale slopes", error)
            assert error <= 0.5 + 1e-9  # half a slope, and the rounding of the comparison itself

    def test_every_slice_is_in_its_place(self, case: Case, measures: Measures) -> None:
        truth = case.truth
        for number, ds in enumerate(case.instances):
            _, k = case.slice(number)
            nx, ny, _ = truth.shape
            for i, j in ((0, 0), (nx - 1, 0), (0, ny - 1), (nx - 1, ny - 1)):
                error = float(np.abs(place(ds, i, j) - truth.position(i, j, k)).max())
                measures.largest("position error, mm", error)
                assert error < 1e-4
            gantry = (k - (truth.shape[2] - 1) / 2) * truth.spacing[2] + case.scan.shift_mm[2]
            assert float(ds.SliceLocation) == pytest.approx(gantry, abs=1e-9)
            assert float(ds.SliceThickness) == truth.spacing[2]

    def test_uids_are_unique_valid_and_repeat(self, case: Case, tmp_path: Path) -> None:
        uids = [ds.SOPInstanceUID for ds in case.instances]
        assert len(set(uids)) == len(uids)
        assert all(uid.is_valid and len(uid) <= 64 for uid in uids)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            assert len({ds[keyword].value for ds in case.instances}) == 1
        again = tmp_path / "elsewhere" / case.source.name
        again.parent.mkdir()
        write_scan(again, case.scan)
        convert(again.parent, tmp_path / "out", Options(rescale=case.policy))
        repeated = [pydicom.dcmread(file).SOPInstanceUID for file in sorted((tmp_path / "out" / "1").iterdir())]
        assert repeated == uids

    def test_files_are_what_pydicom_writes(self, case: Case) -> None:
        for file in sorted((case.output / "1").iterdir())[:2]:
            written = BytesIO()
            pydicom.dcmread(file).save_as(written, enforce_file_format=True)
            assert written.getvalue() == file.read_bytes()

    def test_the_header_travels_whole_in_the_first_instance(self, case: Case) -> None:
        header = case.source.with_name(case.source.name + ".hdr").read_bytes()
        assert header_bytes(case.instances[0]) == header
        assert all((0x0099, 0x0010) not in ds for ds in case.instances[1:])

    def test_dciodvfy_finds_no_error(self, case: Case, dciodvfy: str) -> None:
        for file in (sorted((case.output / "1").iterdir()))[:: max(1, len(case.instances) - 1)]:
            found = subprocess.run([dciodvfy, str(file)], capture_output=True, text=True, check=False).stderr
            assert not [line for line in found.splitlines() if line.startswith("Error")]
            assert not unexpected_warnings(found)


def place(ds: FileDataset, i: int, j: int) -> np.ndarray:
    """Return the place of a pixel as PS3.3 C.7.6.2.1.1 has it: i columns and j rows from the first."""
    row, column = np.reshape([float(c) for c in ds.ImageOrientationPatient], (2, 3))
    between_rows, between_columns = (float(s) for s in ds.PixelSpacing)
    origin = np.array([float(c) for c in ds.ImagePositionPatient])
    return np.asarray(origin + row * between_columns * i + column * between_rows * j)


ALLOWED_WARNINGS = (
    "Unrecognized tag",  # the private block, which no dictionary but our own knows
    "Retired Person Name form",  # names are written as they were typed, without carets
    "X-Ray Tube Current in uA",  # the exact value beside the one in whole mA, which is coarse
    "Standard Extended SOP Class",  # because of it
)


def unexpected_warnings(report: str) -> list[str]:
    warnings = [line for line in report.splitlines() if "Warning" in line]
    return [line for line in warnings if not any(allowed in line for allowed in ALLOWED_WARNINGS)]


def parametrised(cases: Cases) -> Callable[[type], type]:
    return pytest.mark.parametrize("case", list(cases), indirect=True, scope="class")


SMALL_FACTOR: Cases = {"factor of 0.1": {"data_type": DataType.INT16_LE, "scale_factor": 0.1}}
CT_CASES: Cases = {**POSTURES, **TYPES, **LAYOUTS, **POLICIES, **SMALL_FACTOR}
PET_CASES: Cases = {**POSTURES, **TYPES, **LAYOUTS, **SCHEMES, **POLICIES}


@parametrised(CT_CASES)
class TestCtImage(SopClassContract):
    base, name, sop_class, cases = CT, "mouse.ct.img", pydicom.uid.CTImageStorage, CT_CASES

    def test_values_are_hounsfield_units_in_the_posture_of_the_header(self, case: Case) -> None:
        for ds in case.instances:
            assert (ds.RescaleType, ds.Modality) == ("HU", "CT")
            assert ds.PatientPosition == POSITIONS[case.scan.orientation]

    def test_int16_with_factor_1_goes_through_bit_for_bit(self, case: Case) -> None:
        if case.truth.main["data_type"] != "2" or float(case.truth.frames[0]["scale_factor"]) != 1:
            assert case.scan.data_type is not DataType.INT16_LE or case.scan.scale_factor is not None
            return
        stored = case.source.read_bytes()[case.scan.first_offset :]
        assert b"".join(ds.PixelData for ds in case.instances) == stored
        assert {str(ds.RescaleSlope) for ds in case.instances} == {"1"}


@parametrised(PET_CASES)
class TestPetImage(SopClassContract):
    base, name, sop_class, cases = PET, "mouse.pet.img", pydicom.uid.PositronEmissionTomographyImageStorage, PET_CASES

    def test_units_are_bqml_only_for_calibrated_data(self, case: Case) -> None:
        assert {ds.Units for ds in case.instances} == {"BQML" if case.truth.calibrated else "PROPCNTS"}
        assert all(("DCAL" in ds.CorrectedImage) == case.truth.calibrated for ds in case.instances)

    def test_patient_position_is_a_code_and_not_an_attribute(self, case: Case) -> None:
        for ds in case.instances:
            assert "PatientPosition" not in ds
            assert len(ds.PatientOrientationCodeSequence) == (1 if case.scan.orientation else 0)

    def test_frames_are_at_their_times(self, case: Case) -> None:
        truth = case.truth
        for number, ds in enumerate(case.instances):
            frame, _ = case.slice(number)
            start = truth.scan_time + timedelta(seconds=truth.start(frame))
            assert (ds.AcquisitionDate, ds.AcquisitionTime) == (f"{start:%Y%m%d}", f"{start:%H%M%S}")
            assert (ds.SeriesDate, ds.SeriesTime) == (f"{truth.scan_time:%Y%m%d}", f"{truth.scan_time:%H%M%S}")
            assert ds.ActualFrameDuration == round(truth.duration(frame) * 1000)
            assert float(ds.DecayFactor) == pytest.approx(float(truth.frames[frame]["decay_correction"]), rel=1e-9)
            assert float(ds.FrameReferenceTime) == pytest.approx(reference_time_ms(truth, frame), abs=1e-3)

    def test_image_index_counts_along_the_normal_within_each_time_slice(self, case: Case) -> None:
        by_index = sorted(case.instances, key=lambda ds: int(ds.ImageIndex))
        assert [ds.ImageIndex for ds in by_index] == list(range(1, len(by_index) + 1))
        slices = case.truth.shape[2]
        for first in range(0, len(by_index), slices):
            volume = by_index[first : first + slices]
            assert len({float(ds.FrameReferenceTime) for ds in volume}) == 1
            row, column = np.reshape([float(c) for c in volume[0].ImageOrientationPatient], (2, 3))
            along = [np.dot(np.cross(row, column), [float(c) for c in ds.ImagePositionPatient]) for ds in volume]
            assert along == sorted(along)

    def test_the_series_tells_its_kind(self, case: Case) -> None:
        frames = len(case.truth.frames)
        for ds in case.instances:
            assert list(ds.SeriesType) == ["DYNAMIC" if frames > 1 else "STATIC", "IMAGE"]
            assert ds.NumberOfSlices == case.truth.shape[2]
            assert ds.get("NumberOfTimeSlices") == (frames if frames > 1 else None)

    def test_dose_half_life_and_weight_are_in_the_units_of_the_standard(self, case: Case) -> None:
        ds, main = case.instances[0], case.truth.main
        item = ds.RadiopharmaceuticalInformationSequence[0]
        assert main["dose_units"] == "1"
        assert float(item.RadionuclideTotalDose) == pytest.approx(float(main["dose"]) * 37e6, rel=1e-9)
        assert float(item.RadionuclideHalfLife) == float(main["isotope_half_life"])
        assert item.RadiopharmaceuticalStartTime == item.RadiopharmaceuticalStartDateTime[8:14]
        assert main["subject_weight_units"] == "1"
        assert float(ds.PatientWeight) == pytest.approx(float(main["subject_weight"]) / 1000, rel=1e-9)


def reference_time_ms(truth: Truth, frame: int) -> float:
    """Return when the activity equals its mean over the frame, found by bisection on the decaying activity."""
    start, duration = truth.start(frame), truth.duration(frame)
    constant = np.log(2) / float(truth.main["isotope_half_life"])
    times = np.linspace(0, duration, 20001)
    mean = np.trapezoid(np.exp(-constant * times), times) / duration
    low, high = 0.0, duration
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if np.exp(-constant * middle) > mean else (low, middle)
    return 1000 * (start + low)


ODD_HEADERS = {
    "latin-1": "# Universität Zürich, 20 µL\n".encode("latin-1"),
    "utf-8": "# Universität Zürich, 20 µL\n".encode(),
    "escape sequences": b"# \x1b$B%F%9%H\x1b(B and \x1b[31m\n",
    "blanks at the end": b"#   \n   ",
    "odd length": b"#\n",
    "windows": b"# a\r\n\r\n",
}


@pytest.mark.parametrize("text", ODD_HEADERS.values(), ids=ODD_HEADERS)
def test_any_header_comes_back_byte_for_byte(tmp_path: Path, text: bytes) -> None:
    pair = write_scan(tmp_path / "mouse.ct.img", CT)
    for tail in (text, text + b"#\n"):
        header = pair.header.read_bytes() + tail
        pair.header.write_bytes(header)
        convert(pair.header, tmp_path / str(len(header)))
        first, second, *_ = sorted((tmp_path / str(len(header)) / "1").iterdir())
        assert header_bytes(pydicom.dcmread(first)) == header
        assert (0x0099, 0x0010) not in pydicom.dcmread(second)
