"""`inveon verify`: what is as the source has it passes, whatever its form, and each fault is caught and named."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage, generate_uid

import contract
from helpers import ROOT, assert_harmless, inveon
from inveonimaging import Options, convert, verification, verify
from inveonimaging.animal import GivenSubject
from inveonimaging.conversion import writing
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.pixels import Compression
from inveonimaging.errors import InputError, OptionError
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.phantom import PhantomScan, frames_of, write_scan
from inveonimaging.physics.quantification import Policy, quantise
from inveonimaging.study.corrections import NOT_IN_A_MANIFEST, BedDirection, Corrections
from inveonimaging.verification import Agreement, Kind, Verification, series
from inveonimaging.verification.attributes import concepts, facts
from inveonimaging.verification.manifest import manifest_beside
from inveonimaging.verification.planes import positions
from truth import Truth, truth_of

PET = replace(contract.PET, shape=(8, 9, 5), frames=frames_of(60.0, 600.0))
CT = replace(contract.CT, shape=(9, 8, 5))
SHORT = replace(contract.PET, frames=contract.TWO_FRAMES)
GATED = replace(contract.PET, frames=contract.STATIC, gates=3)
SLICES, FRAMES = 5, 2
CODE_TABLES = Path(verification.__file__).parents[1] / "dicom" / "code_tables"
NAMES = {Modality.PET: "m.pet.img", Modality.CT: "m.ct.img", Modality.SPECT: "m.spect.img"}


def written(
    folder: Path, *scans: PhantomScan, change: Callable[[Header], Header] | None = None, **options: Any
) -> Path:
    """Write scans into `in` and convert them into `out`; return the folder of both."""
    (folder / "in").mkdir(parents=True)
    for scan in scans:
        write_scan(folder / "in" / NAMES[scan.modality], scan, change=change)
    convert(folder / "in", folder / "out", Options(**options))
    return folder


def checked(folder: Path, overrides: Corrections | None = None) -> Verification:
    return verify(folder / "in", folder / "out", overrides)


def codes(result: Verification) -> set[str]:
    return {difference.code for difference in result.differences}


# What the manifest says.

CORRECTIONS: dict[str, Any] = {
    "orientation": "FFP",
    "flip": "x",
    "bed_direction": "reverse",
    "cycle_ms": 250.0,
    "separate_frames": True,
    "scan_time": "2014-06-17T13:00:00",
    "apply_hounsfield": True,
    "allow_long_data": True,
    "frame_of_reference": "separate",
    "weight_kg": 0.03,
    "dose_mbq": 5.0,
    "injected_at": "2014-06-17T12:59:00",
    "species": "rat",
    "strain": "Wistar",
}


def test_every_correction_of_a_conversion_is_taken_from_its_manifest(tmp_path: Path) -> None:
    assert CORRECTIONS.keys() == Corrections().values.keys() - NOT_IN_A_MANIFEST
    written(tmp_path / "one", CT, **CORRECTIONS)
    found = manifest_beside([tmp_path / "one" / "out"]).corrections
    assert found == Corrections(**CORRECTIONS)


# What is right passes.

Varied = dict[str, tuple[PhantomScan, dict[str, Any]]]


def unsized(header: Header) -> Header:
    """Return the header without gate limits, so that each gate is a series of its own."""
    return replace(header, gating=replace(header.gating, bins=()))


def _varied() -> Iterator[tuple[str, PhantomScan, dict[str, Any]]]:
    for orientation in Orientation:
        yield f"PET {orientation.name}", replace(SHORT, orientation=orientation), {}
    for name, cases in (("PET", {**contract.TIMES, **contract.GATES, **contract.CALIBRATIONS}), ("CT", contract.TYPES)):
        base = contract.CT if name == "CT" else SHORT
        for case, changes in cases.items():
            rest = {key: value for key, value in changes.items() if key != "change"}
            yield f"{name} {case}", replace(base, **rest), {"change": changes.get("change")}  # type: ignore[arg-type]
    for case, changes in contract.MU_MAPS.items():
        rest = {key: value for key, value in changes.items() if key != "change"}
        scan = replace(SHORT, frames=contract.STATIC, **rest)  # type: ignore[arg-type]
        yield f"PET {case}", scan, {"change": changes.get("change")}
    yield "beds", replace(SHORT, beds=(100.0, 140.0, 180.0)), {}
    reverse = {"bed_direction": BedDirection.REVERSE}
    yield "beds in reverse", replace(SHORT, beds=(100.0, 140.0, 180.0)), reverse
    yield "moving bed", replace(SHORT, frames=contract.STATIC, continuous=True), {}
    yield "gates and times", replace(SHORT, gates=3), {}
    yield "gates apart", replace(SHORT, frames=contract.STATIC, gates=3), {"change": unsized}
    yield "not decay corrected", replace(SHORT, decay_corrected=False), {}
    yield "overridden", SHORT, {"orientation": Orientation.HFS, "flip": "yz"}
    yield "Hounsfield applied", contract.CT, {"apply_hounsfield": True}
    yield "SPECT", contract.SPECT, {}
    yield "SPECT over time", replace(contract.SPECT, frames=frames_of(15.0, 60.0)), {}
    yield "SPECT windows", replace(contract.SPECT, energy_windows=3), {}
    yield "SPECT gates", replace(contract.SPECT, gates=4, gate_description="ECG"), {}
    for policy in Policy:
        yield f"rescale {policy.value}", SHORT, {"rescale": policy}


VARIED: Varied = {name: (scan, options) for name, scan, options in _varied()}
COMPRESSIONS = (Compression.NONE, Compression.RLE, Compression.DEFLATED)
ALIKE = re.compile(r"(PET [HF]F|CT type|PET rescale|PET .*calibrated|rescale)")  # in any form: each in one, in turn
CONVERTED = [
    (name, form)
    for number, name in enumerate(VARIED)
    for index, form in enumerate(Form)
    if not ALIKE.match(name) or index == number % len(Form)
]


@pytest.mark.parametrize(("name", "form"), CONVERTED)
def test_what_is_converted_is_as_the_source_has_it(name: str, form: Form, tmp_path: Path) -> None:
    scan, options = VARIED[name]
    compression = COMPRESSIONS[(list(VARIED).index(name) + list(Form).index(form)) % len(COMPRESSIONS)]
    result = checked(written(tmp_path, scan, form=form, compression=compression, **options))
    assert result.differences == ()
    assert result.same
    (study,) = result.studies
    assert all(check.verdict is Agreement.SAME for series in study.series for check in series.checks)
    parts = len(scan.beds) * scan.energy_windows * (len(scan.frames) if scan.gates > 1 else 1)
    series = 3 if name == "gates apart" else parts
    assert len(study.series) == series
    assert sum(each.planes for each in study.series) == len(scan.blocks) * scan.shape[2]


@pytest.mark.parametrize("compression", [Compression.JPEG_LS, Compression.JPEG_2000])
@pytest.mark.parametrize("form", [Form.CLASSIC, Form.ENHANCED])
def test_codecs_of_other_hands_pass_too(form: Form, compression: Compression, tmp_path: Path) -> None:
    scan = replace(contract.CT, shape=(40, 36, 3))
    assert checked(written(tmp_path, scan, form=form, compression=compression)).same


@pytest.mark.parametrize("form", [Form.ENHANCED, Form.LEGACY])
def test_concatenations_pass_and_a_lost_part_is_missed(form: Form, tmp_path: Path) -> None:
    scan = replace(contract.PET, shape=(64, 64, 5))
    folder = written(tmp_path, scan, form=form, largest_object=150_000)
    files = sorted((folder / "out" / "1").iterdir())
    assert len(files) > 1
    assert checked(folder).same
    files[1].unlink()
    assert codes(checked(folder)) == {"instances-missing"}


def test_values_without_a_slope_of_their_own_are_compared_by_real_world_value_mapping(tmp_path: Path) -> None:
    folder = written(tmp_path, contract.SPECT)
    (file,) = (folder / "out" / "1").iterdir()
    ds = pydicom.dcmread(file)
    del ds.RescaleSlope
    del ds.RescaleIntercept
    ds.save_as(file)
    assert codes(checked(folder)) == {"attribute-missing"}, "this program always writes them"
    by_another_program(ds)
    ds.save_as(file)
    assert checked(folder).same
    ds.RealWorldValueMappingSequence[0].RealWorldValueSlope *= 2
    ds.save_as(file)
    assert codes(checked(folder)) == {"scaled"}


# Faults, each put into good files.


class Study:
    """A converted study that a test may spoil: files by series, read and written with pydicom."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[Path, FileDataset] | None = None

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Read and write each file once, whatever is changed in it meanwhile."""
        self._open = {}
        yield
        for file, ds in self._open.items():
            ds.save_as(file)
        self._open = None

    def files(self, series: int) -> list[Path]:
        return sorted((self.folder / "out" / str(series)).iterdir())

    def each(self, change: Callable[[FileDataset], object], series: int = 2, only: slice = slice(None)) -> None:
        for file in self.files(series)[only]:
            ds = self._read(file)
            change(ds)
            self._save(ds, file)

    def one(self, number: int, change: Callable[[FileDataset], object], series: int = 2) -> None:
        self.each(change, series, slice(number, number + 1))

    def exchange(self, numbers: Sequence[tuple[int, int]], *keywords: str, series: int = 2) -> None:
        """Let pairs of files change the values of some attributes."""
        files = self.files(series)
        for a, b in numbers:
            one, other = self._read(files[a]), self._read(files[b])
            for keyword in keywords:
                one[keyword].value, other[keyword].value = other[keyword].value, one[keyword].value
            self._save(one, files[a])
            self._save(other, files[b])

    def _read(self, file: Path) -> FileDataset:
        return (self._open or {}).get(file) or pydicom.dcmread(file)

    def _save(self, ds: FileDataset, file: Path) -> None:
        if self._open is None:
            ds.save_as(file)
        else:
            self._open[file] = ds


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[Form, Path]:
    """A CT and a PET over time, in all forms."""
    return {form: written(tmp_path_factory.mktemp(form.value) / "study", CT, PET, form=form) for form in Form}


@pytest.fixture
def classic(originals: dict[Form, Path], tmp_path: Path) -> Study:
    return Study(Path(shutil.copytree(originals[Form.CLASSIC], tmp_path / "study")))


@pytest.fixture
def enhanced(originals: dict[Form, Path], tmp_path: Path) -> Study:
    return Study(Path(shutil.copytree(originals[Form.ENHANCED], tmp_path / "study")))


@pytest.fixture
def legacy(originals: dict[Form, Path], tmp_path: Path) -> Study:
    return Study(Path(shutil.copytree(originals[Form.LEGACY], tmp_path / "study")))


def plus(keyword: str, amount: float) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        ds[keyword].value = f"{float(ds[keyword].value) + amount:.10g}"

    return change


def times(keyword: str, factor: float) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        ds[keyword].value = f"{float(ds[keyword].value) * factor:.10g}"

    return change


def put(**values: Any) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


def without(*keywords: str) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        for keyword in keywords:
            del ds[keyword]

    return change


def in_tracer(change: Callable[[Dataset], None]) -> Callable[[Dataset], None]:
    return lambda ds: change(ds.RadiopharmaceuticalInformationSequence[0])


def coded(keyword: str, value: str, meaning: str) -> Callable[[Dataset], None]:
    return lambda ds: put(CodeValue=value, CodeMeaning=meaning)(ds[keyword].value[0])


def pixels(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Dataset], None]:
    def changed(ds: Dataset) -> None:
        ds.PixelData = np.ascontiguousarray(change(ds.pixel_array.copy())).astype("<i2").tobytes()

    return changed


def one_voxel(stored: np.ndarray) -> np.ndarray:
    stored[2, 3] += 1
    return stored


def moved(ds: Dataset) -> None:
    x, y, z = ds.ImagePositionPatient
    ds.ImagePositionPatient = [x + 0.5, y, z]


def mirrored_cosines(ds: Dataset) -> None:
    cosines = [float(each) for each in ds.ImageOrientationPatient]
    ds.ImageOrientationPatient = [-each for each in cosines[:3]] + cosines[3:]


def exchanged_spacing(ds: Dataset) -> None:
    ds.PixelSpacing = list(ds.PixelSpacing)[::-1]


def cut_off(study: Study) -> None:
    """Store the whole steps of the true values, as a conversion from floating point numbers does."""
    true = truth_of(study.folder / "in" / "m.pet.img").values

    def change(ds: Dataset) -> None:
        frame, k = divmod(int(ds.InstanceNumber) - 1, SLICES)
        ds.PixelData = (true[frame, k] / float(ds.RescaleSlope)).astype("<i2").tobytes()

    study.each(change)


def without_a_frame(study: Study) -> None:
    for file in study.files(2)[SLICES : 2 * SLICES]:
        file.unlink()


def new_uid(ds: FileDataset) -> None:
    ds.SOPInstanceUID = generate_uid()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID


def by_another_program(ds: FileDataset) -> None:
    """Leave out what shows that this program wrote a file."""
    del ds.ContributingEquipmentSequence
    ds.file_meta.ImplementationClassUID = UID("1.2.3")


def doubled_slice(study: Study) -> None:
    shutil.copy(study.files(2)[6], study.folder / "out" / "2" / "Z.dcm")
    study.one(SLICES * FRAMES, new_uid)


def padded(ds: Dataset) -> None:
    ds.add_new("PixelPaddingValue", "SS", 0)
    ds.ShutterShape = "CIRCULAR"


def overlaid(ds: Dataset) -> None:
    ds.add_new(0x60000010, "US", 8)  # Overlay Rows
    ds.add_new(0x60000011, "US", 9)


def extra_series(study: Study) -> None:
    shutil.copytree(study.folder / "out" / "2", study.folder / "out" / "3")
    study.each(put(SeriesInstanceUID="1.2.3.4"), 3)


FAULTS: dict[str, tuple[Callable[[Study], object], set[str], str]] = {
    "slope": (lambda study: study.each(times("RescaleSlope", 2)), {"scaled"}, "2 times the true ones"),
    "slope of one slice": (lambda study: study.one(7, times("RescaleSlope", 1.01)), {"scaled"}, "1.01 times"),
    "intercept": (lambda study: study.each(put(RescaleIntercept="24"), 1), {"offset"}, "+24 is added"),
    "unsigned pixels": (lambda study: study.each(put(PixelRepresentation=0), 1), {"pixel-sign"}, "signed and unsigned"),
    "one voxel changed by one": (
        lambda study: study.one(2, pixels(one_voxel), 1),
        {"voxels-differ"},
        "1 voxel in frame 0, slice 2, the worst at column 3, row 2",
    ),
    "one voxel changed by one beside large ones": (
        lambda study: study.one(2, pixels(one_voxel)),
        {"voxels-differ"},
        "1 voxel in frame 0, slice 2, the worst at column 3, row 2",
    ),
    "the largest value changed by one": (
        lambda study: study.one(2, pixels(lambda stored: np.where(stored == stored.max(), stored - 1, stored))),
        {"voxels-differ"},
        "in frame 0, slice 2, the worst",
    ),
    "one lower in all voxels": (
        lambda study: study.each(put(RescaleIntercept="-1"), 1),
        {"offset"},
        "-1 is added to every value",
    ),
    "a tenth of a step more": (
        lambda study: study.each(lambda ds: setattr(ds, "RescaleIntercept", f"{0.1 * float(ds.RescaleSlope):.10g}")),
        {"offset"},
        "is added to every value",
    ),
    "slope by little": (lambda study: study.each(times("RescaleSlope", 1.0002)), {"scaled"}, "1.0002 times"),
    "cut off to whole steps": (cut_off, {"rounding"}, "cut off to whole steps"),
    "cut off at a value": (
        lambda study: study.each(pixels(lambda stored: np.minimum(stored, 500)), 1),
        {"clipped"},
        "cut off there",
    ),
    "slices exchanged": (
        lambda study: study.exchange([(1, 3)], "ImagePositionPatient", series=1),
        {"slices-exchanged", "slice-location", "instance-number"},
        "slice 3 holds what the source has in frame 0, slice 1",
    ),
    "all slices in reverse": (
        lambda study: study.exchange([(0, 4), (1, 3)], "ImagePositionPatient", series=1),
        {"slices-exchanged", "instance-number"},
        "slice 4 holds what the source has in frame 0, slice 0",
    ),
    "frames exchanged": (
        lambda study: study.exchange(
            [(k, k + SLICES) for k in range(SLICES)],
            "FrameReferenceTime",
            "AcquisitionTime",
            "AcquisitionNumber",
            "ImageIndex",
            "ActualFrameDuration",
            "DecayFactor",
        ),
        {"frames-exchanged", "correction-factor", "counts", "instance-number"},
        "frame 1, slice",
    ),
    "one position moved": (lambda study: study.one(3, moved), {"position"}, "0.5 mm away"),
    "all positions moved": (lambda study: study.each(moved), {"position"}, "all moved by 0.5\\0\\0 mm"),
    "one slice moved along the body": (
        lambda study: study.one(3, lambda ds: setattr(ds, "ImagePositionPatient", [*ds.ImagePositionPatient[:2], 999])),
        {"position"},
        "mm away",
    ),
    "mirrored by its directions": (
        lambda study: study.each(mirrored_cosines),
        {"orientation"},
        "rows run the other way: the image is mirrored",
    ),
    "mirrored pixels": (
        lambda study: study.each(pixels(lambda stored: stored[:, ::-1]), 1),
        {"mirrored"},
        "the order of columns reversed",
    ),
    "pixel spacing transposed": (lambda study: study.each(exchanged_spacing), {"pixel-spacing"}, "columns are swapped"),
    "slice thickness": (lambda study: study.each(put(SliceThickness="1")), {"slice-thickness"}, "expected 13.5"),
    "spacing between slices": (lambda study: study.each(put(SpacingBetweenSlices="1")), {"slice-spacing"}, "13.5"),
    "posture": (lambda study: study.each(put(PatientPosition="HFS"), 1), {"patient-position"}, "'HFP'"),
    "unit": (lambda study: study.each(put(Units="CNTS")), {"units"}, "Units is CNTS, expected BQML"),
    "rescale type": (lambda study: study.each(put(RescaleType="US"), 1), {"rescale-type"}, "expected HU"),
    "dose x 1000": (
        lambda study: study.each(in_tracer(times("RadionuclideTotalDose", 1000))),
        {"dose"},
        "a thousand times as much",
    ),
    "dose in MBq": (
        lambda study: study.each(in_tracer(times("RadionuclideTotalDose", 1e-6))),
        {"dose"},
        "as if in MBq",
    ),
    "injection time": (
        lambda study: study.each(
            in_tracer(put(RadiopharmaceuticalStartDateTime="20140617120000", RadiopharmaceuticalStartTime="120000"))
        ),
        {"injection-time", "injection-clock-time"},
        "2014-06-17 12:00:00",
    ),
    "another isotope": (
        lambda study: study.each(in_tracer(coded("RadionuclideCodeSequence", "3932008", "^64^Copper"))),
        {"isotope"},
        "Radionuclide Code is Cu-64, expected F-18",
    ),
    "another isotope by its code alone": (
        lambda study: study.each(in_tracer(coded("RadionuclideCodeSequence", "3932008", "^18^Fluorine"))),
        {"isotope"},
        "is Cu-64 or F-18, expected F-18",
    ),
    "another tracer": (
        lambda study: study.each(in_tracer(put(Radiopharmaceutical="ATSM"))),
        {"compound"},
        "Radiopharmaceutical is ATSM or Fluorodeoxyglucose F^18^, expected FDG",
    ),
    "time zone": (
        lambda study: study.each(put(TimezoneOffsetFromUTC="+0900")),
        {"time-zone"},
        "is +0900, expected -0500",
    ),
    "species": (
        lambda study: study.each(put(PatientSpeciesDescription="Rattus norvegicus")),
        {"species"},
        "Patient Species is Rattus norvegicus or Mus musculus or mus musculus, expected Mus musculus",
    ),
    "number of slices": (lambda study: study.each(put(NumberOfSlices=7)), {"slice-count"}, "is 7, expected 5"),
    "number of time slices": (
        lambda study: study.each(put(NumberOfTimeSlices=1)),
        {"time-slice-count"},
        "is 1, expected 2",
    ),
    "one image index for all": (
        lambda study: study.each(put(ImageIndex=1)),
        {"image-index"},
        "Image Index is 1, expected",
    ),
    "two image indices exchanged": (
        lambda study: study.exchange([(1, 2)], "ImageIndex"),
        {"image-index"},
        "in 2 planes",
    ),
    "half-life": (
        lambda study: study.each(in_tracer(put(RadionuclideHalfLife="1223"))),
        {"half-life"},
        "1223 s, expected 6586.2 s",
    ),
    "positron fraction": (
        lambda study: study.each(in_tracer(put(RadionuclidePositronFraction="0.5"))),
        {"branching-fraction"},
        "0.5",
    ),
    "SOP class": (
        lambda study: study.each(put(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), 1),
        {"sop-class", "file-meta"},
        "SOP Class",
    ),
    "weight in grams": (lambda study: study.each(times("PatientWeight", 1000)), {"weight"}, "a thousand times"),
    "series time": (lambda study: study.each(put(SeriesTime="135208")), {"series-time"}, "13:52:08"),
    "acquisition time of one": (
        lambda study: study.one(4, put(AcquisitionTime="135255")),
        {"acquisition-time"},
        "13:52:55",
    ),
    "study time": (lambda study: study.each(put(StudyTime="140000")), {"study-time", "study-date-time"}, "14:00:00"),
    "frame reference time": (
        lambda study: study.each(plus("FrameReferenceTime", 5000)),
        {"frame-reference-time"},
        "Frame Reference Time",
    ),
    "frame duration": (lambda study: study.each(put(ActualFrameDuration="60")), {"frame-duration"}, "expected 60"),
    "decay correction": (
        lambda study: study.each(put(DecayCorrection="NONE")),
        {"decay-correction"},
        "is NONE, expected START",
    ),
    "decay factor": (lambda study: study.each(put(DecayFactor="1")), {"decay-factor"}, "Decay Factor is 1"),
    "corrections": (
        lambda study: study.each(lambda ds: setattr(ds, "CorrectedImage", ["NORM", "ATTN"])),
        {"corrected-image"},
        "DECY, DTIM",
    ),
    "missing slice": (lambda study: study.files(2)[6].unlink(), {"instances-missing"}, "frame 1 slice 1"),
    "missing frame": (
        without_a_frame,
        {"instances-missing"},
        "5 of 10 planes are missing",
    ),
    "doubled slice": (
        doubled_slice,
        {"instances-double"},
        "Z.dcm",
    ),
    "one file twice": (
        lambda study: shutil.copy(study.files(2)[6], study.folder / "out" / "2" / "Z.dcm"),
        {"instances-double", "sop-instance-uid"},
        "PET-000007.dcm and Z.dcm",
    ),
    "one UID for two": (
        lambda study: study.one(
            3, lambda ds: setattr(ds, "SOPInstanceUID", pydicom.dcmread(study.files(2)[2]).SOPInstanceUID)
        ),
        {"sop-instance-uid", "file-meta"},
        "PET-000003.dcm and PET-000004.dcm",
    ),
    "other patient ID": (
        lambda study: study.each(put(PatientID="M0043")),
        {"patient-id"},
        "is M0043, expected M0042",
    ),
    "other name": (lambda study: study.each(put(PatientName="Mickey")), {"patient-name"}, "Mickey"),
    "inverted display": (
        lambda study: study.each(put(PhotometricInterpretation="MONOCHROME1")),
        {"photometric-interpretation"},
        "Photometric Interpretation is MONOCHROME1, expected MONOCHROME2 in 10 planes",
    ),
    "inverted by a shape": (
        lambda study: study.each(put(PresentationLUTShape="INVERSE")),
        {"lut-shape"},
        "Presentation LUT Shape is INVERSE, expected IDENTITY",
    ),
    "S-shaped window": (
        lambda study: study.each(put(VOILUTFunction="SIGMOID")),
        {"lut-function"},
        "VOI LUT Function is SIGMOID, expected LINEAR or LINEAR_EXACT",
    ),
    "colours": (
        lambda study: study.each(put(PixelPresentation="COLOR")),
        {"pixel-presentation"},
        "Pixel Presentation is COLOR",
    ),
    "neither signed nor unsigned": (
        lambda study: study.each(put(PixelRepresentation=2), 1),
        {"pixel-format", "pixel-sign"},
        "Pixel Representation is 2, expected 0 or 1",
    ),
    "high bit": (
        lambda study: study.each(put(HighBit=11)),
        {"high-bit"},
        "High Bit is 11, expected the last of the bits stored in 10 planes",
    ),
    "lossy": (
        lambda study: study.each(put(LossyImageCompression="01")),
        {"lossy-compression"},
        "Lossy Image Compression is 01, expected 00",
    ),
    "a localizer": (
        lambda study: study.each(put(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), 1),
        {"display-altered", "image-type"},
        "what alters the display is Image Type LOCALIZER, expected nothing",
    ),
    "padding and a shutter": (
        lambda study: study.each(padded, 1),
        {"display-altered"},
        "what alters the display is Pixel Padding Value, Shutter Shape, expected nothing",
    ),
    "an overlay": (
        lambda study: study.each(overlaid, 1),
        {"display-altered"},
        "what alters the display is Overlay, expected nothing",
    ),
    "on four legs": (
        lambda study: study.each(put(AnatomicalOrientationType="QUADRUPED")),
        {"anatomical-orientation"},
        "Anatomical Orientation Type is QUADRUPED, expected BIPED",
    ),
    "feet first by a code": (
        lambda study: study.each(coded("PatientGantryRelationshipCodeSequence", "102541007", "feet-first")),
        {"gantry-relationship"},
        "Patient Gantry Relationship is 102541007, expected 102540008 or F-10470",
    ),
    "static": (
        lambda study: study.each(put(SeriesType=["STATIC", "IMAGE"])),
        {"series-type"},
        "Series Type is STATIC\\IMAGE, expected DYNAMIC\\IMAGE",
    ),
    "transmission": (
        lambda study: study.each(put(CountsSource="TRANSMISSION")),
        {"counts-source"},
        "Counts Source is TRANSMISSION, expected EMISSION",
    ),
    "slice location": (
        lambda study: study.one(2, plus("SliceLocation", 5), 1),
        {"slice-location"},
        "Slice Location is '",
    ),
    "slice location that is none": (
        lambda study: study.one(2, put(SliceLocation="1e300"), 1),
        {"slice-location"},
        "Slice Location is '1e+300', expected '",
    ),
    "instance number": (
        lambda study: study.one(2, put(InstanceNumber="7"), 1),
        {"instance-number"},
        "Instance Number is 4, out of the order of the slices",
    ),
    "older": (lambda study: study.each(put(PatientAge="005Y")), {"patient-age"}, "is 005Y, expected 015W"),
    "larger": (lambda study: study.each(put(PatientSize="1.75")), {"patient-size"}, "is 1.75 m, expected 0.075 m"),
    "other sex": (lambda study: study.each(put(PatientSex="M")), {"patient-sex"}, "is M, expected F"),
    "other birth date": (
        lambda study: study.each(put(PatientBirthDate="20140305")),
        {"patient-birth-date"},
        "20140304",
    ),
    "other modality": (lambda study: study.each(put(Modality="NM")), {"modality"}, "is NM, expected PT"),
    "no weight": (lambda study: study.each(without("PatientWeight")), {"weight-missing"}, "not stated in 10 planes"),
    "no unit": (lambda study: study.each(without("Units")), {"units-missing"}, "expected BQML"),
    "no tracer": (
        lambda study: study.each(without("RadiopharmaceuticalInformationSequence")),
        {
            "attribute-missing",
            "branching-fraction-missing",
            "compound-missing",
            "compound-code-missing",
            "dose-missing",
            "half-life-missing",
            "injection-clock-time-missing",
            "injection-time-missing",
            "isotope-missing",
        },
        "Radionuclide Total Dose is not stated",
    ),
    "no positions": (
        lambda study: study.each(without("ImagePositionPatient")),
        {"position-missing"},
        "Image Position (Patient) is not stated",
    ),
    "several frames of reference": (
        lambda study: study.one(1, lambda ds: setattr(ds, "FrameOfReferenceUID", generate_uid())),
        {"frame-of-reference"},
        "2 different values of Frame of Reference UID",
    ),
    "several studies": (
        lambda study: study.each(lambda ds: setattr(ds, "StudyInstanceUID", "1.2.3"), 1),
        {"study-uid"},
        "Study Instance UID",
    ),
    "missing series": (lambda study: shutil.rmtree(study.folder / "out" / "1"), {"series-missing"}, "m.ct.img"),
    "extra series": (
        extra_series,
        {"series-extra", "sop-instance-uid"},
        "a series that fits no scan",
    ),
    "truncated file": (
        lambda study: study.files(1)[2].write_bytes(study.files(1)[2].read_bytes()[:-30]),
        {"pixels-unreadable"},
        "pixels of 1 plane cannot be read",
    ),
    "file cut in its header": (
        lambda study: study.files(1)[2].write_bytes(study.files(1)[2].read_bytes()[:300]),
        {"file-unreadable", "instances-missing"},
        "",
    ),
    "more frames than a file can hold": (
        lambda study: study.one(0, put(NumberOfFrames=2_000_000_000)),
        {"file-unreadable", "instances-missing"},
        "says that it has 2000000000 frames",
    ),
    "another frame of reference in all files of a series": (
        lambda study: study.each(put(FrameOfReferenceUID="1.2.3.4")),
        {"frame-of-reference"},
        "Frame of Reference UID is not that of CT-000001.dcm, but the scans of the two series lie in one space",
    ),
    "study time of one file": (
        lambda study: study.one(2, put(StudyTime="101010", StudyDate="20200101"), 1),
        {"series-inconsistent"},
        "Study Date, Study Time: not the same in all files of the series",
    ),
    "identity removed from one file": (
        lambda study: study.one(2, put(PatientIdentityRemoved="YES"), 1),
        {"series-inconsistent"},
        "Patient Identity Removed: not the same in all files",
    ),
    "series UID of one file": (
        lambda study: study.one(2, put(SeriesInstanceUID="1.2.3.4"), 1),
        {"instances-missing", "series-extra"},
        "a series that fits no scan: 1 plane",
    ),
    "one series UID for both": (
        lambda study: study.each(put(SeriesInstanceUID=pydicom.dcmread(study.files(1)[0]).SeriesInstanceUID)),
        {"series-uid"},
        "share the Series Instance UID",
    ),
    "instance UID unlike that of the file": (
        lambda study: study.one(2, put(SOPInstanceUID="1.2.3.4"), 1),
        {"file-meta"},
        "SOP Instance UID of 1 file is not that of their file meta information",
    ),
    "study ID of one series": (
        lambda study: study.each(put(StudyID="7")),
        {"study-inconsistent"},
        "Study ID: not the same in all series of the study",
    ),
    "no series number": (
        lambda study: study.each(without("SeriesNumber")),
        {"attribute-missing", "series-number-missing"},
        "what inveonimaging writes into each such file is all but SeriesNumber, expected all in 10 planes",
    ),
    "one series number for both": (
        lambda study: study.each(put(SeriesNumber="1")),
        {"series-number"},
        "Series Number is 1, expected 2",
    ),
    "no instance number": (
        lambda study: study.each(without("InstanceNumber"), 1),
        {"attribute-missing"},
        "all but InstanceNumber",
    ),
    "instance numbers from elsewhere": (
        lambda study: study.each(plus("InstanceNumber", 100), 1),
        {"instance-number"},
        "Instance Number is 101, expected 1 in 5 planes",
    ),
    "a secondary image": (
        lambda study: study.each(put(ImageType=["DERIVED", "SECONDARY"])),
        {"image-type"},
        "Image Type is DERIVED\\SECONDARY, expected ORIGINAL\\PRIMARY",
    ),
    "no posture": (
        lambda study: study.each(without("PatientOrientationCodeSequence")),
        {"attribute-missing", "posture-code-missing"},
        "Patient Orientation is not stated in 10 planes",
    ),
    "another posture by its code": (
        lambda study: study.each(
            lambda ds: coded("PatientOrientationModifierCodeSequence", "40199007", "supine")(
                ds.PatientOrientationCodeSequence[0]
            )
        ),
        {"posture-code"},
        "Patient Orientation is 102538003 modified by 40199007, expected",
    ),
    "no head first": (
        lambda study: study.each(put(PatientGantryRelationshipCodeSequence=[])),
        {"gantry-relationship-missing"},
        "Patient Gantry Relationship is not stated",
    ),
    "no isotope": (
        lambda study: study.each(in_tracer(put(RadionuclideCodeSequence=[]))),
        {"isotope-missing"},
        "Radionuclide Code is not stated in 10 planes, expected F-18",
    ),
    "no code of the tracer": (
        lambda study: study.each(in_tracer(put(RadiopharmaceuticalCodeSequence=[]))),
        {"compound-code-missing"},
        "Radiopharmaceutical Code Sequence is not stated in 10 planes, expected 35321007",
    ),
    "SUV": (lambda study: study.each(put(SUVType="BW")), {"suv-type"}, "SUV Type is BW, expected none"),
    "HU of a PET": (
        lambda study: study.each(put(RescaleType="HU")),
        {"pet-rescale-type"},
        "Rescale Type is HU, expected US or BQML",
    ),
    "no type of the rescaling": (
        lambda study: study.each(without("RescaleType"), 1),
        {"attribute-missing"},
        "all but RescaleType",
    ),
    "burned in": (
        lambda study: study.each(put(BurnedInAnnotation="YES")),
        {"burned-in"},
        "Burned In Annotation is YES, expected NO",
    ),
    "code of another species": (
        lambda study: study.each(coded("PatientSpeciesCodeSequence", "371565004", "Mus musculus")),
        {"species", "species-code"},
        "Patient Species Code Sequence is 371565004, expected 447612001",
    ),
    "code of the species in another scheme": (
        lambda study: study.each(
            lambda ds: put(CodingSchemeDesignator="99LAB")(ds.PatientSpeciesCodeSequence[0]),
        ),
        {"species-code"},
        "is 447612001 of the scheme 99LAB",
    ),
    "another strain": (
        lambda study: study.each(put(AdditionalPatientHistory="Strain: BALB/c; fasted")),
        {"strain"},
        "Strain is BALB/c, expected C57BL/6J",
    ),
    "no decay factor": (
        lambda study: study.each(without("DecayFactor")),
        {"decay-factor-missing"},
        "Decay Factor is not stated in 10 planes",
    ),
    "counts": (
        lambda study: study.each(put(PrimaryPromptsCountsAccumulated="7")),
        {"counts"},
        "Primary (Prompts) Counts Accumulated is 7, expected",
    ),
    "calibration": (
        lambda study: study.each(times("DoseCalibrationFactor", 37)),
        {"correction-factor"},
        "Dose Calibration Factor is 7159870, expected 193510",
    ),
    "randoms": (
        lambda study: study.each(put(RandomsCorrectionMethod="NONE")),
        {"correction-method"},
        "Randoms Correction Method is NONE, expected DLYD",
    ),
    "tube voltage": (lambda study: study.each(put(KVP="40"), 1), {"technique"}, "KVP is 40, expected 80"),
    "acquisition number": (
        lambda study: study.each(put(AcquisitionNumber="9"), 1),
        {"acquisition-number"},
        "Acquisition Number is 9, expected 1",
    ),
    "a window of no width": (
        lambda study: study.each(put(WindowWidth="-1500"), 1),
        {"window"},
        "Window Center and Width are 250.0 and -1500.0 in 5 planes, expected a width of 1 and more",
    ),
    "a window beside the values": (
        lambda study: study.each(put(WindowCenter="30000"), 1),
        {"window"},
        "which shows nothing of the values",
    ),
    "a window of few values": (
        lambda study: study.each(put(WindowCenter="5", WindowWidth="10")),
        {"window"},
        "expected one of the values, 0 to",
    ),
    "a window of one file": (
        lambda study: study.one(2, put(WindowWidth="1400"), 1),
        {"series-inconsistent", "window"},
        "Window Width: not the same in all files of the series",
    ),
    "no window": (lambda study: study.each(without("WindowCenter", "WindowWidth")), {"window"}, "expected a window"),
    "values that no VR allows": (
        lambda study: study.files(2)[0].write_bytes(study.files(2)[0].read_bytes().replace(b"135207", b"xx5207")),
        {"series-time", "acquisition-time", "series-inconsistent"},
        "xx5207",
    ),
}


ALONE = re.compile(  # what moves, hides or doubles values and planes, so that others could not be seen beside it
    r"offset|scaled|rounding|clipped|voxels|.*(exchanged|unreadable|inconsistent|meta|uid|sign)|mirrored|position"
    r"|instances|series-(missing|extra)|series-time|orientation|frame-of-reference|pixel-spacing|attribute-missing"
)


def in_turn(codes: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """Return faults, by their names, that one study may have at once: no two are of one attribute or its code."""
    groups: list[tuple[set[str], list[str]]] = []
    for name, given in codes.items():
        attributes = {code.removesuffix("-missing").removesuffix("-code") for code in given}
        of = {"all"} if any(map(ALONE.match, given)) else attributes
        for taken, names in groups:
            if "all" not in taken | of and not taken & of:
                taken.update(of)
                names.append(name)
                break
        else:
            groups.append((of, [name]))
    return [tuple(names) for _, names in groups]


def some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


@pytest.mark.parametrize("names", in_turn({name: codes for name, (_, codes, _) in FAULTS.items()}), ids=some)
def test_each_fault_is_caught_and_named(classic: Study, names: tuple[str, ...]) -> None:
    with classic.at_once():
        for name in names:
            FAULTS[name][0](classic)
    result = checked(classic.folder)
    assert not result.same
    assert codes(result) == set().union(*(FAULTS[name][1] for name in names))
    for name in names:
        _, expected, words = FAULTS[name]
        messages = [difference.message for difference in result.differences if difference.code in expected]
        assert any(words in message for message in messages), (name, messages)
    assert all("\n" not in difference.message for difference in result.differences)


def test_the_unspoilt_study_is_the_same(classic: Study) -> None:
    assert checked(classic.folder).same


# The same in one object of many frames.


def own(group: str, change: Callable[[Dataset], None], only: slice = slice(None)) -> Callable[[Dataset], None]:
    """Change the item of a functional group of each frame."""

    def changed(ds: Dataset) -> None:
        for groups in ds.PerFrameFunctionalGroupsSequence[only]:
            change(groups[group].value[0])

    return changed


def shared(group: str, change: Callable[[Dataset], None]) -> Callable[[Dataset], None]:
    return lambda ds: change(ds.SharedFunctionalGroupsSequence[0][group].value[0])


def exchanged_frames(group: str) -> Callable[[Dataset], None]:
    def changed(ds: Dataset) -> None:
        frames = ds.PerFrameFunctionalGroupsSequence
        for a, b in zip(range(SLICES), range(SLICES, 2 * SLICES), strict=True):
            frames[a][group].value, frames[b][group].value = frames[b][group].value, frames[a][group].value

    return changed


def exchanged_planes(ds: Dataset) -> None:
    stored = ds.pixel_array.copy()
    stored[[1, 3]] = stored[[3, 1]]
    ds.PixelData = stored.tobytes()


def first_frames(count: int) -> Callable[[Dataset], None]:
    def changed(ds: Dataset) -> None:
        ds.PixelData = ds.pixel_array[:count].tobytes()
        ds.PerFrameFunctionalGroupsSequence = ds.PerFrameFunctionalGroupsSequence[:count]
        ds.NumberOfFrames = count

    return changed


def both_slopes(item: Dataset) -> None:
    """Double the slope of either way to the values."""
    keyword = "RescaleSlope" if "RescaleSlope" in item else "RealWorldValueSlope"
    item[keyword].value = 2 * float(item[keyword].value)


PARAMETERS = "PixelValueTransformationSequence"
MAPPING = "RealWorldValueMappingSequence"
MULTI_FRAME: dict[str, tuple[Callable[[Dataset], Any], set[str]]] = {
    "slope": (own(PARAMETERS, times("RescaleSlope", 2)), {"scaled"}),
    "mapping": (own(MAPPING, both_slopes), {"scaled"}),
    "unit of the mapping": (
        own(MAPPING, lambda item: put(CodeValue="/cm")(item.MeasurementUnitsCodeSequence[0])),
        {"mapped-unit"},
    ),
    "one position": (own("PlanePositionSequence", moved, slice(3, 4)), {"position"}),
    "directions": (own("PlaneOrientationSequence", mirrored_cosines), {"orientation"}),
    "pixel spacing": (shared("PixelMeasuresSequence", exchanged_spacing), {"pixel-spacing"}),
    "slices exchanged": (exchanged_planes, {"slices-exchanged"}),
    "last frame lost": (first_frames(SLICES * FRAMES - 1), {"instances-missing"}),
    "fewer pixels than frames": (
        lambda ds: setattr(ds, "PixelData", ds.PixelData[: -2 * 8 * 9 * 2]),
        {"pixels-unreadable"},
    ),
    "time zone": (put(TimezoneOffsetFromUTC="+0900"), {"time-zone"}),
    "indices": (
        own(
            "FrameContentSequence",
            put(DimensionIndexValues=[1, 1, 1], TemporalPositionIndex=1, InStackPositionNumber=1),
        ),
        {"dimension-index", "temporal-position", "stack-position"},
    ),
    "duration": (own("FrameContentSequence", put(FrameAcquisitionDuration=1.0)), {"frame-acquisition-duration"}),
    "frame start": (
        own("FrameContentSequence", put(FrameAcquisitionDateTime="20140617135212"), slice(SLICES)),
        {"acquisition-time"},
    ),
    "reference time": (
        own("FrameContentSequence", put(FrameReferenceDateTime="20140617135212"), slice(SLICES)),
        {"frame-reference-datetime"},
    ),
    "series time": (put(SeriesTime="135208"), {"series-time"}),
    "weight": (times("PatientWeight", 1000), {"weight"}),
    "content time": (put(ContentTime="101010"), {"content-time"}),
    "acquisition duration": (put(AcquisitionDuration=7.0), {"acquisition-duration"}),
    "order of the frames": (
        lambda ds: put(DimensionIndexPointer=0x00209128)(ds.DimensionIndexSequence[0]),
        {"dimension-organization"},
    ),
    "range of the mapping": (own(MAPPING, put(RealWorldValueLastValueMapped=1)), {"mapped-range"}),
    "scheme of the mapping's unit": (
        own(MAPPING, lambda item: put(CodingSchemeDesignator="99X")(item.MeasurementUnitsCodeSequence[0])),
        {"mapped-unit"},
    ),
    "presentation at the top": (put(VolumetricProperties="MIXED"), {"groups-inconsistent"}),
    "type of the frames": (
        shared("PETFrameTypeSequence", put(FrameType=["DERIVED", "PRIMARY", "VOLUME", "NONE"])),
        {"image-type"},
    ),
    "rescale type": (own(PARAMETERS, put(RescaleType="HU")), {"pet-rescale-type"}),
    "patient ID": (put(PatientID="M0043"), {"patient-id"}),
}
ENHANCED_ONLY: dict[str, tuple[Callable[[Dataset], Any], set[str]]] = {
    "isotope": (in_tracer(coded("RadionuclideCodeSequence", "3932008", "^64^Copper")), {"isotope"}),
    "tracer": (
        in_tracer(coded("RadiopharmaceuticalCodeSequence", "422855001", "ATSM Cu^64^")),
        {"compound", "compound-code"},
    ),
    "dose": (in_tracer(times("RadionuclideTotalDose", 1e-6)), {"dose"}),
    "injection": (in_tracer(put(RadiopharmaceuticalStartDateTime="20140617120000")), {"injection-time"}),
    "half-life": (in_tracer(put(RadionuclideHalfLife="1223")), {"half-life"}),
    "frames exchanged": (
        exchanged_frames("FrameContentSequence"),
        {"frames-exchanged", "correction-factor", "counts", "decay-factor"},
    ),
    "decay correction": (put(DecayCorrected="NO"), {"corrected-image"}),
    "acquisition": (put(AcquisitionDateTime="20140617120000"), {"acquisition-datetime"}),
    "decay correction time": (put(DecayCorrectionDateTime="20140617120000"), {"decay-correction-time"}),
    "attenuation correction": (put(AttenuationCorrected="NO"), {"corrected-image"}),
}
UNASSIGNED = "UnassignedSharedConvertedAttributesSequence"
OF_FRAME = "UnassignedPerFrameConvertedAttributesSequence"
LEGACY_ONLY: dict[str, tuple[Callable[[Dataset], Any], set[str]]] = {
    "unit": (shared(UNASSIGNED, put(Units="CNTS")), {"units"}),
    "dose": (shared(UNASSIGNED, in_tracer(times("RadionuclideTotalDose", 1e-6))), {"dose"}),
    "decay correction": (shared(UNASSIGNED, put(DecayCorrection="NONE")), {"decay-correction"}),
    "frame reference time": (own(OF_FRAME, plus("FrameReferenceTime", 5000)), {"frame-reference-time"}),
    "frame duration": (own(OF_FRAME, put(ActualFrameDuration="60")), {"frame-duration"}),
    "frames exchanged": (  # the unassigned attributes still say which frame is which
        exchanged_frames("FrameContentSequence"),
        {
            "acquisition-number",
            "acquisition-time",
            "frame-acquisition-duration",
            "frame-reference-datetime",
            "temporal-position",
        },
    ),
}


@pytest.mark.parametrize("form", [Form.ENHANCED, Form.LEGACY], ids=str)
def test_each_fault_of_a_multi_frame_object_is_caught(originals: dict[Form, Path], tmp_path: Path, form: Form) -> None:
    faults = [*MULTI_FRAME.items(), *(ENHANCED_ONLY if form is Form.ENHANCED else LEGACY_ONLY).items()]
    named = {f"{number}: {name}": each for number, (name, each) in enumerate(faults)}
    for number, names in enumerate(in_turn({name: codes for name, (_, codes) in named.items()})):
        study = Study(Path(shutil.copytree(originals[form], tmp_path / str(number))))
        with study.at_once():
            for name in names:
                study.each(named[name][0])
        assert codes(checked(study.folder)) == set().union(*(named[name][1] for name in names)), names


def test_one_index_where_several_are_expected_is_a_difference(enhanced: Study) -> None:
    enhanced.each(own("FrameContentSequence", put(DimensionIndexValues=1)))
    assert codes(checked(enhanced.folder)) == {"dimension-index", "dimension-organization"}


@pytest.mark.parametrize(
    ("offset", "expected"), [("185137+0000", set()), ("135137-0500", set()), ("135137+0000", {"injection-time"})]
)
def test_a_date_time_with_an_offset_is_read_by_the_zone_of_the_file(
    enhanced: Study, offset: str, expected: set[str]
) -> None:
    enhanced.each(in_tracer(put(RadiopharmaceuticalStartDateTime=f"20140617{offset}")))  # the file's zone is -0500
    assert codes(checked(enhanced.folder)) == expected


def test_another_trigger_time_is_caught(tmp_path: Path) -> None:
    study = Study(written(tmp_path, GATED))
    study.one(1, put(TriggerTime="30"), 1)
    assert codes(checked(study.folder)) == {"trigger-time"}


def test_another_number_of_gates_is_caught(tmp_path: Path) -> None:
    study = Study(written(tmp_path, GATED))
    study.each(put(NumberOfTimeSlots=2), 1)
    assert codes(checked(study.folder)) == {"time-slot-count"}


@pytest.mark.parametrize("organ", ["Cardiac", "Respiratory"])
def test_another_delay_after_the_trigger_is_caught(tmp_path: Path, organ: str) -> None:
    scan = replace(GATED, gate_description="ECG R-wave" if organ == "Cardiac" else "respiration")
    study = Study(written(tmp_path, scan, form=Form.ENHANCED))
    study.each(own(f"{organ}SynchronizationSequence", put(**{f"Nominal{organ}TriggerDelayTime": 30.0}), slice(0, 1)), 1)
    assert codes(checked(study.folder)) == {f"{organ.lower()}-delay"}


# DICOM of another program from the same source.


def naive(folder: Path, change: Callable[[FileDataset, int, int], object] | None = None) -> Study:
    """Write the PET as a simple script might: unsigned pixels with a slope for each slice, and few attributes."""
    (folder / "in").mkdir(parents=True)
    (folder / "out" / "1").mkdir(parents=True)
    write_scan(folder / "in" / "m.pet.img", PET)
    truth = truth_of(folder / "in" / "m.pet.img")
    for frame in range(FRAMES):
        for k in range(SLICES):
            ds = naive_slice(truth, frame, k)
            if change:
                change(ds, frame, k)
            ds.save_as(folder / "out" / "1" / f"image{frame * SLICES + k:03}", enforce_file_format=True)
    return Study(folder)


def naive_slice(truth: Truth, frame: int, k: int) -> FileDataset:
    values = truth.values[frame, k]
    slope = f"{max(values.max(), 1.0) / 65535 * 1.001:.8g}"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["naive", str(frame), str(k)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3", "1.2.3.1", "1.2.3.9"
    ds.Modality, ds.PatientID, ds.InstanceNumber = "PT", "M0042", frame * SLICES + k + 1
    ds.Units = "BQML"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    nx, ny, _ = truth.shape
    ds.Rows, ds.Columns = ny, nx
    x, y, z = truth.spacing
    ds.PixelSpacing, ds.SliceThickness = [y, x], z
    ds.ImageOrientationPatient = [*truth.axes[:, 0], *truth.axes[:, 1]]
    ds.ImagePositionPatient = [f"{each:.10g}" for each in truth.position(0, 0, k)]
    ds.RescaleSlope, ds.RescaleIntercept = slope, "0"
    ds.PixelData = np.rint(values / float(slope)).clip(0).astype("<u2").tobytes()
    return ds


UNSTATED = {
    "acquisition-time-missing",
    "corrected-image-missing",
    "decay-correction-missing",
    "dose-missing",
    "frame-duration-missing",
    "frame-reference-time-missing",
    "half-life-missing",
    "injection-time-missing",
    "series-time-missing",
    "weight-missing",
}


def test_a_simple_conversion_is_right_in_what_it_states_and_what_it_leaves_out_is_named(tmp_path: Path) -> None:
    result = checked(naive(tmp_path / "study").folder)
    assert codes(result) == UNSTATED
    (series,) = result.studies[0].series
    verdicts = {check.kind: check.verdict for check in series.checks}
    assert verdicts[Kind.VOXELS] is verdicts[Kind.POSITIONS] is verdicts[Kind.INSTANCES] is Agreement.SAME
    assert "nothing shows which frame a plane is; matched by Instance Number" in series.notes
    assert any("Patient's Name is not stated" in note for note in series.notes)


def in_other_words(ds: FileDataset, frame: int, k: int) -> None:
    """State what the header says by other names and codes, and count the slices from the other end."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-111A1", "SRT", "^18^Fluorine"
    item = Dataset()
    item.RadionuclideCodeSequence, item.Radiopharmaceutical = [code], "[18F] Fludeoxyglucose"
    ds.RadiopharmaceuticalInformationSequence = [item]
    ds.PatientSpeciesDescription = "Mouse"
    ds.ImageIndex = frame * SLICES + k + 1  # ours runs against k


def test_other_names_and_another_way_to_count_are_no_difference(tmp_path: Path) -> None:
    assert codes(checked(naive(tmp_path / "study", in_other_words).folder)) == UNSTATED


def test_names_of_the_code_tables_are_known() -> None:
    tables = {
        name: json.loads((CODE_TABLES / f"{name}.json").read_text("utf-8"))["codes"]
        for name in ("isotope", "radionuclide", "radiopharmaceutical", "species")
    }
    values = {row["isotope"]: row["value"] for name in ("isotope", "radionuclide") for row in tables[name]}
    assert {isotope: value for value, isotope in concepts.ISOTOPE_CODES.items()}.items() <= values.items()
    for name, same in (("radiopharmaceutical", concepts.same_compound), ("species", concepts.same_species)):
        for row in tables[name]:
            assert all(same(row["meaning"], alias) for alias in row.get("aliases", ()))
    assert not concepts.same_compound("FDG", "FLT")
    assert not concepts.same_compound("Sodium fluoride F^18^", "Sodium iodide I^124^")
    assert not concepts.same_species("mouse", "Rattus norvegicus")


def flipped(ds: FileDataset, _frame: int, _k: int) -> None:
    """Store the rows from the other end, and say so, as a program may well do."""
    rows, spacing = ds.Rows, float(ds.PixelSpacing[0])
    cosines = [float(each) for each in ds.ImageOrientationPatient]
    position = np.array(ds.ImagePositionPatient, dtype=float) + (rows - 1) * spacing * np.array(cosines[3:])
    ds.ImagePositionPatient = [f"{each:.10g}" for each in position]
    ds.ImageOrientationPatient = [*cosines[:3], *(-each for each in cosines[3:])]
    ds.PixelData = ds.pixel_array[::-1].tobytes()


def test_slices_that_are_stored_the_other_way_and_say_so_are_the_same(tmp_path: Path) -> None:
    result = checked(naive(tmp_path / "study", flipped).folder)
    assert codes(result) == UNSTATED
    assert "the planes hold the source's slices with the order of rows reversed, and say so" in (
        result.studies[0].series[0].notes
    )


def turned(ds: FileDataset, _frame: int, _k: int) -> None:
    """Exchange rows and columns, and say so."""
    cosines = list(ds.ImageOrientationPatient)
    ds.ImageOrientationPatient, ds.PixelSpacing = cosines[3:] + cosines[:3], list(ds.PixelSpacing)[::-1]
    stored = ds.pixel_array.T
    ds.Rows, ds.Columns = stored.shape
    ds.PixelData = np.ascontiguousarray(stored).tobytes()


def test_slices_with_rows_and_columns_exchanged_that_say_so_are_the_same(tmp_path: Path) -> None:
    assert codes(checked(naive(tmp_path / "study", turned).folder)) == UNSTATED


def older(ds: FileDataset, _frame: int, k: int) -> None:
    """Make the mistakes of an older conversion: places from 0, slices the other way, no branching fraction."""
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [0, 0, (SLICES - 1 - k) * 13.5]
    ds.RescaleSlope = f"{float(ds.RescaleSlope) * 0.967:.10g}"
    ds.PatientID = "12345"


def test_an_older_conversion_is_reported_what_is_wrong_with_it(tmp_path: Path) -> None:
    result = checked(naive(tmp_path / "study", older).folder)
    assert codes(result) - UNSTATED == {"scaled", "position", "orientation", "patient-id"}
    reported = " ".join(difference.message for difference in result.differences)
    assert "0.967 times the true ones (isotope_branching_fraction)" in reported
    assert "rows and columns run the other way" in reported


def test_dicom_without_anything_but_pixels_is_no_crash(tmp_path: Path) -> None:
    study = naive(tmp_path / "study")
    kept = {"Rows", "Columns", "PixelData", "SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation"}
    kept |= {"BitsAllocated", "BitsStored", "HighBit", "SOPClassUID", "SOPInstanceUID", "InstanceNumber"}

    def bare(ds: Dataset) -> None:
        for element in list(ds):
            if element.keyword not in kept:
                del ds[element.tag]

    study.each(bare, 1)
    found = codes(checked(study.folder))
    assert {"patient-id-missing", "modality-missing", "position-missing", "units-missing"} <= found
    assert "series-missing" not in found, "its values tell which scan it is"


@pytest.mark.debian
def test_what_medcon_makes_of_the_scan_is_reported(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """(X)MedCon writes one NM object, with places from 0 and without the unit, dead time or scatter."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    write_scan(tmp_path / "in" / "m.pet.img", replace(PET, shape=(20, 18, 5)))
    command = [tool("medcon"), "-f", "../in/m.pet.img.hdr", "-c", "dicom", "-noprefix", "-o", "made", "-n"]
    subprocess.run(command, cwd=tmp_path / "out", check=True, capture_output=True)
    result = checked(tmp_path)
    assert {"sop-class", "modality", "position", "orientation", "patient-id", "corrected-image"} <= codes(result)
    assert not codes(result) & {"instances-missing", "instances-extra", "series-missing", "slices-exchanged"}
    assert result.studies[0].series[0].planes == SLICES * FRAMES


# What was given at conversion is no difference.


def test_what_was_given_of_the_animal_is_to_be_given_again(tmp_path: Path) -> None:
    folder = written(tmp_path, PET, subject=GivenSubject(id="M12", sex="M"))
    assert codes(checked(folder)) == {"patient-id", "patient-sex"}
    assert checked(folder, Corrections(subject=GivenSubject(id="M12", sex="M"))).same


def test_the_manifest_shows_what_else_was_given_and_the_user_may_give_another(tmp_path: Path) -> None:
    folder = written(tmp_path, PET, orientation=Orientation.HFS, flip="x")
    result = checked(folder)
    assert result.same
    assert result.studies[0].assumed == {"orientation": "HFS", "flip": "x"}
    assert codes(checked(folder, Corrections(flip=""))) == {"mirrored", "position"}
    (folder / "out" / "inveon-manifest.json").unlink()
    assert "orientation" in codes(checked(folder))
    assert checked(folder, Corrections(orientation="HFS", flip="x")).same


@pytest.mark.parametrize("text", ["", "[]", "{", '{"program": "inveonimaging", "options": 3, "series": [1, {}]}'])
def test_a_manifest_that_makes_no_sense_is_left_aside(tmp_path: Path, text: str) -> None:
    folder = written(tmp_path, PET)
    (folder / "out" / "inveon-manifest.json").write_text(text)
    assert checked(folder).same


def test_scan_time_that_was_given(tmp_path: Path) -> None:
    def untimed(header: Header) -> Header:
        return replace(header, acquisition=replace(header.acquisition, scan_time=None, gmt_scan_time=None))

    folder = written(tmp_path, PET, change=untimed, scan_time=datetime(2014, 6, 17, 10))
    assert checked(folder).same
    assert codes(checked(folder, Corrections(scan_time=datetime(2014, 6, 17, 11)))) >= {
        "series-time",
        "acquisition-time",
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"strain": "BALB/c"}, {"strain"}),
        ({"species": "rat"}, {"species", "species-code"}),
        ({"subject": GivenSubject(sex="M")}, {"patient-sex"}),
        ({"frame_of_reference": "separate"}, {"frame-of-reference"}),
    ],
)
def test_what_is_typed_is_compared(classic: Study, message: dict[str, Any], expected: set[str]) -> None:
    assert codes(checked(classic.folder, Corrections(**message))) == expected


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"scan_time": datetime(2014, 6, 17, 10)}, "scan_time has no effect: each header has a start"),
        ({"cycle_ms": 100}, "cycle_ms has no effect: no scan is gated"),
        ({"bed_direction": "reverse"}, "bed_direction has no effect: no scan has several bed positions"),
    ],
)
def test_what_is_typed_without_effect_is_refused_by_name(classic: Study, message: dict[str, Any], why: str) -> None:
    with pytest.raises(OptionError, match=why):
        checked(classic.folder, Corrections(**message))


def test_the_manifest_shows_the_frame_of_reference(tmp_path: Path) -> None:
    folder = written(tmp_path, CT, PET, frame_of_reference="separate")
    assert checked(folder).same
    (folder / "out" / "inveon-manifest.json").unlink()
    assert codes(checked(folder)) == {"frame-of-reference"}


def test_files_that_another_program_stored_are_still_known(classic: Study) -> None:
    classic.each(lambda ds: setattr(ds.file_meta, "ImplementationClassUID", UID("1.2.3")))
    assert checked(classic.folder).same
    classic.each(without("AccessionNumber"))
    assert codes(checked(classic.folder)) == {"attribute-missing"}
    classic.each(by_another_program)
    assert checked(classic.folder).same


def test_looking_for_folders_is_counted(originals: dict[Form, Path], tmp_path: Path) -> None:
    study, seen = originals[Form.ENHANCED], list[tuple[int, int]]()
    (tmp_path / "in" / "a" / "b").mkdir(parents=True)
    shutil.copytree(study / "in", tmp_path / "in" / "c")
    shutil.copytree(study / "out", tmp_path / "out" / "c")
    verify(tmp_path / "in", tmp_path / "out", recursive=True, progress=lambda done, total: seen.append((done, total)))
    assert seen[:2] == [(1, 3), (2, 4)]
    assert seen[-1][0] == seen[-1][1] == 4 + 2 + SLICES * (FRAMES + 1)


def test_nonsense_is_refused() -> None:
    with pytest.raises(OptionError, match="bed_direction is 'sideways'"):
        Corrections(bed_direction="sideways")


# Which series is which.


def test_series_are_distinguished_without_a_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    (folder / "in").mkdir(parents=True)
    for name, orientation in (("a", Orientation.HFP), ("b", Orientation.FFS)):
        write_scan(folder / "in" / f"{name}.pet.img", replace(PET, orientation=orientation))
    write_scan(folder / "in" / "c.pet.img", replace(PET, frames=frames_of(60.0, 300.0), beds=(0.0, 50.0)))
    convert(folder / "in", folder / "out", Options(manifest=False))
    result = checked(folder)
    assert result.same
    assert [(Path(each.source).name, each.part) for each in result.studies[0].series] == [
        ("a.pet.img.hdr", ""),
        ("b.pet.img.hdr", ""),
        ("c.pet.img.hdr", "bed 0"),
        ("c.pet.img.hdr", "bed 1"),
    ]


def test_one_pair_and_one_file_and_a_tree(originals: dict[Form, Path], tmp_path: Path) -> None:
    study = originals[Form.ENHANCED]
    assert verify(study / "in" / "m.pet.img", study / "out" / "2" / "PET-000001.dcm").same
    assert codes(verify(study / "in" / "m.pet.img", study / "out" / "1")) == {"series-extra", "series-missing"}
    tree, out = tmp_path / "tree", tmp_path / "out"
    shutil.copytree(study / "in", tree)
    shutil.copytree(study / "in", tree / "deeper" / "still")
    convert(tree, out, Options(recursive=True))
    result = verify(tree, out, recursive=True)
    assert result.same
    assert [len(each.series) for each in result.studies] == [2, 2]
    shutil.rmtree(out / "deeper" / "still" / "1")
    assert codes(verify(tree, out, recursive=True)) == {"series-missing"}


def test_of_a_tree_all_studies_are_compared_whatever_is_wrong_with_one(
    originals: dict[Form, Path], tmp_path: Path
) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    for name in ("a", "b", "c", ".hidden"):
        shutil.copytree(originals[Form.ENHANCED] / "in", tree / name)
    convert(tree, out, Options(recursive=True))
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "c"]
    assert verify(tree, out, recursive=True).same
    shutil.rmtree(out / "a")
    header = tree / "b" / "m.pet.img.hdr"
    header.write_bytes(header.read_bytes().replace(b"x_dimension", b"x_dimensiom"))
    result = verify(tree, out, recursive=True)
    assert [Path(each.source).name for each in result.studies] == ["a", "b", "c"]
    assert [[each.code for each in study.all_differences] for study in result.studies] == [
        ["series-missing", "series-missing"],
        ["source-unreadable"],
        [],
    ]
    assert "x_dimension is missing" in result.studies[1].differences[0].message
    with pytest.raises(InputError, match="no such folder"):
        verify(tree, tmp_path / "nowhere", recursive=True)


def test_other_files_are_left_aside_or_named(classic: Study) -> None:
    (classic.folder / "out" / "notes.txt").write_text("DICM")
    (classic.folder / "in" / "raw.pet.img").write_bytes(b"")
    (classic.folder / "in" / "raw.pet.img.hdr").write_bytes(
        (classic.folder / "in" / "m.pet.img.hdr").read_bytes().replace(b"file_type 5", b"file_type 3")
    )
    with pytest.raises(InputError, match="no DICOM files here"):
        verify(classic.folder / "in" / "m.ct.img", classic.folder / "in")


def test_progress_counts_files_and_planes(classic: Study) -> None:
    seen: list[tuple[int, int]] = []
    verify(classic.folder / "in", classic.folder / "out", progress=lambda done, total: seen.append((done, total)))
    planes = SLICES * (FRAMES + 1)
    assert seen[-1] == (2 * planes, 2 * planes)
    assert [done for done, _ in seen] == list(range(1, 2 * planes + 1))


# The command.


def test_equal_data_are_one_line(classic: Study) -> None:
    done = inveon("verify", classic.folder / "in", classic.folder / "out")
    planes = SLICES * (FRAMES + 1)
    assert done.stdout == f"no difference: 2 series, {planes} planes; -v shows what was compared\n"


@pytest.mark.parametrize("columns", [60, 100])
def test_details_fit_narrow_terminals_and_names_are_whole(classic: Study, columns: int) -> None:
    done = inveon("verify", classic.folder / "in", classic.folder / "out", "-v", columns=columns)
    assert max(map(len, done.stdout.splitlines())) <= max(columns, len("no difference: 2 series, 15 planes"))
    assert {"m.ct.img.hdr", "m.pet.img.hdr"} <= set(done.stdout.split())
    assert "1 planes" not in done.stdout


def test_the_command_shows_details_and_ends_with_0(classic: Study) -> None:
    done = inveon("verify", classic.folder / "in", classic.folder / "out", "--verbose")
    assert done.exit_code == 0
    assert "no difference" in done.stdout
    for words in (
        "m.ct.img.hdr",
        "m.pet.img.hdr",
        "voxels",
        "positions",
        "times",
        "units",
        "tracer",
        "identity",
        "same",
    ):
        assert words in done.stdout
    assert "differs" not in done.stdout


def test_the_command_names_what_differs_and_ends_with_1(classic: Study) -> None:
    classic.each(put(PatientID="M0043"))
    classic.files(2)[3].unlink()
    done = inveon("verify", classic.folder / "in", classic.folder / "out")
    assert done.exit_code == 1
    assert "Patient ID is M0043, expected M0042" in done.stdout
    assert "[instances-missing]" in done.stdout
    assert "2 differences" in done.stdout
    assert inveon("verify", classic.folder / "in" / "m.ct.img", classic.folder / "out" / "1").exit_code == 0


def test_the_command_gives_json(classic: Study) -> None:
    classic.each(put(PatientID="M0043"))
    done = inveon("verify", classic.folder / "in", classic.folder / "out", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (document["schema"], document["same"]) == (1, False)
    (study,) = document["studies"]
    ct, pet = study["series"]
    assert ct["differences"] == []
    assert pet["differences"][0] == {
        "code": "patient-id",
        "kind": "identity",
        "message": "Patient ID is M0043, expected M0042 in 10 planes",
        "path": str(classic.files(2)[0]),
        "planes": 10,
    }
    assert {check["kind"]: check["verdict"] for check in pet["checks"]}["voxels"] == "same"


def test_options_of_the_command_say_what_was_given(tmp_path: Path) -> None:
    folder = written(tmp_path, PET, subject=GivenSubject(id="M12"), orientation=Orientation.HFS, manifest=False)
    options = ("--patient-id", "M12", "--orientation", "HFS")
    assert inveon("verify", folder / "in", folder / "out").exit_code == 1
    assert inveon("verify", folder / "in", folder / "out", *options).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code"), [(("nowhere", "out"), 1), (("in", "nowhere"), 1), (("in", "out", "--flip", "q"), 2)]
)
def test_what_cannot_be_compared_is_one_line(classic: Study, arguments: tuple[str, ...], code: int) -> None:
    paths = [classic.folder / each for each in arguments[:2]]
    done = inveon("verify", *paths, *arguments[2:])
    assert done.exit_code == code
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_hostile_text_stays_text(classic: Study) -> None:
    def hostile(ds: FileDataset) -> None:
        ds.PatientID = "[bold red]x[/]"
        ds.PatientName = "a^b"

    classic.each(hostile)
    done = inveon("verify", classic.folder / "in", classic.folder / "out")
    assert "[bold red]x[/]" in done.stdout
    assert_harmless(done.stdout)


@pytest.mark.parametrize("form", ["classic", "enhanced"])
def test_convert_verifies_what_it_wrote(originals: dict[Form, Path], tmp_path: Path, form: str) -> None:
    source = originals[Form.CLASSIC] / "in"
    options = ("--patient-id", "M12", "--orientation", "HFS", "--no-manifest")
    done = inveon("convert", source, tmp_path / "out", "--as", form, "--verify", *options)
    assert done.exit_code == 0, done.stdout
    assert "no difference" in done.stdout
    document = json.loads(inveon("convert", source, tmp_path / "again", "--verify", "--json").stdout)
    assert document["verification"]["same"] is True


def test_convert_says_so_if_what_it_wrote_differs(
    originals: dict[Form, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer whose pixels are one step too high is caught."""
    monkeypatch.setattr(writing, "quantise", lambda *arguments: quantise(*arguments) + np.int16(1))
    done = inveon("convert", originals[Form.CLASSIC] / "in", tmp_path / "out", "--verify")
    assert done.exit_code == 1
    assert "[offset]" in done.stdout


# The documentation.


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    package = Path(verification.__file__).parent
    text = "".join(module.read_text("utf-8") for module in package.rglob("*.py"))
    made = set(re.findall(r'(?:Difference\(\s*|Diagnosis\(\s*|yield _about\(\w+, )"([a-z-]+)"', text)) | {
        fact.code for fact in facts.FACTS
    }
    made |= set(positions._LABELS) | {code for code, _ in series._CONSTANT.values()}
    made |= {"slices-exchanged", "frames-exchanged", "study-date-time", "dimension-index", "instance-number"}
    made |= {code for code, *_ in series._COUNTS}
    made |= {"series-inconsistent", "groups-inconsistent", "study-inconsistent"}
    page = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    table = page.split("Each difference is one line with a code:")[1].split("A code with `missing`")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`([a-z-]+)`", " ".join(rows))) == sorted(made)


def test_every_code_is_in_some_test() -> None:
    """Each documented code is one that a fault above gives, but for those that name a kind of their own."""
    tested = set().union(*(each[1] for each in FAULTS.values()))
    for faults in (MULTI_FRAME, ENHANCED_ONLY, LEGACY_ONLY):
        tested |= set().union(*(each[1] for each in faults.values()))
    tested = {code.removesuffix("-missing") if code not in KEPT else code for code in tested}
    known = {fact.code for fact in facts.FACTS}
    assert {"series-inconsistent", "study-inconsistent", "groups-inconsistent", "window", "series-number"} <= tested
    own_tests = {"cardiac-delay", "respiratory-delay", "time-slot-count", "trigger-time"}
    vendors = {"private-block", "source-distance"}  # in test_vendor.py
    transmission = {"tracer-of-transmission"}  # in test_transmission.py
    groups = {"patient-group"}  # in test_group.py
    assert known - tested == own_tests | vendors | transmission | groups


KEPT = {"attribute-missing", "instances-missing", "series-missing"}


def without_animal(header: Header) -> Header:
    """Return the header of an animal of which nothing is known."""
    subject = replace(header.subject, weight=None, sex=None, date_of_birth=None, length=None, age=None)
    return replace(header, subject=subject, tracer=replace(header.tracer, dose=None, injection_time=None))


def test_what_is_stated_nowhere_is_a_difference(tmp_path: Path) -> None:
    """Such as a weight that somebody wrote into the files, from which viewers then compute SUV."""
    typed: dict[str, Any] = {"weight_kg": "24.6g", "dose_mbq": 7.03, "injected_at": "2014-06-17T13:51:37"}
    subject = {"sex": "F", "birth_date": "20140304"}
    folder = written(tmp_path, CT, PET, change=without_animal, subject=subject, **typed)
    given = Corrections(subject=subject, **typed)
    assert checked(folder, given).same
    assert codes(checked(folder)) == {"patient-sex", "patient-birth-date", "patient-age"}  # the manifest has the others
    (folder / "out" / "inveon-manifest.json").unlink()
    found = checked(folder)
    assert codes(found) == {
        "weight",
        "dose",
        "injection-time",
        "injection-clock-time",
        "patient-sex",
        "patient-birth-date",
        "patient-age",
    }
    (dose,) = (each for each in found.differences if each.code == "dose")
    assert "Radionuclide Total Dose is 7030000 Bq" in dose.message
    assert "no header or option gives it" in dose.message
