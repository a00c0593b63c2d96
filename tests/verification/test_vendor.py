"""Pairs rebuilt from the facts of a genuine session say what the vendor's workstation wrote of it in its own DICOM."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

import inveonimaging
from conftest import skip_or_fail
from helpers import CT, assert_harmless, inveon
from inveonimaging.conversion import writing
from inveonimaging.phantom import write_scan
from inveonimaging.storage.staging import Written, write_file
from inveonimaging.verification import verify
from vendor import CT_MM, CT_SHAPE, PET_FRAMES, PET_MM, PET_SHAPE, REAL, Session

SIDE = 16  # pixels of the middle of a slice
SMALL = 8
HALF_LIFE_S = 6586.2
PLACE_MM = 1e-4  # the vendor prints eight digits
FIVE_DECIMALS = 5e-6  # to which it prints decay factors


@pytest.fixture(scope="module")
def session() -> Session:
    """Return the facts of the session; they stand beside the checkout, not in it."""
    if not REAL.is_dir():
        skip_or_fail(f"{REAL} is not there")
    return Session()


class Converted:
    """The session's CT and PET, the middle of each slice, converted; of the PET's 6360 images those of the facts."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.pair, self.output = folder / "pair", folder / "dicom"
        session.write_ct(self.pair, SIDE, session.ct_values(SIDE))
        session.write_pet(self.pair, SIDE, session.pet_values(SIDE))
        known = {f"PET-{int(each['InstanceNumber']):06}.dcm" for each in session.pet["instances"]}

        def write_known(path: Path, parts: Iterable[bytes | memoryview]) -> Written:
            if path.name in known or path.name.startswith("CT"):
                return write_file(path, parts)
            return Written(path.name, sum(map(len, parts)), "")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writing, "write_file", write_known)
            done = inveon("convert", self.pair, self.output)
        assert done.exit_code == 0, done.output
        assert len(list((self.output / "2").iterdir())) == len(known)

    def ct(self, number: int) -> pydicom.FileDataset:
        """Return the slice that has a number in the vendor's export, where the first one is 0."""
        return pydicom.dcmread(self.output / "1" / f"CT-{number + 1:06}.dcm")

    def pet(self, number: int) -> pydicom.FileDataset:
        """Return the image that has a number in the vendor's export, where the first one is 1."""
        return pydicom.dcmread(self.output / "2" / f"PET-{number:06}.dcm")


@pytest.fixture(scope="module")
def converted(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    return Converted(session, tmp_path_factory.mktemp("vendor"))


def numbers(session: Session) -> Iterator[int]:
    """Yield an Instance Number of each frame of the PET."""
    return (int(each["InstanceNumber"]) for each in session.frames)


# Places.


def test_slices_of_the_whole_ct_and_pet_are_where_the_vendor_has_them(session: Session, tmp_path: Path) -> None:
    for data, facts, first in (
        (session.write_ct(tmp_path), session.ct, 0),
        (session.write_pet(tmp_path), session.pet, 1),
    ):
        grid = inveonimaging.read(data).grid
        instances = facts["instances"]
        slices = [(int(each["InstanceNumber"]) - first) % grid.shape[2] for each in instances]
        true = np.array([[float(each) for each in instance["ImagePositionPatient"]] for instance in instances])
        np.testing.assert_allclose(grid.positions[slices], true, rtol=0, atol=PLACE_MM)
        assert {tuple(each["ImageOrientationPatient"]) for each in instances} == {("-1", "0", "0", "0", "1", "0")}
        np.testing.assert_array_equal(grid.axes[:, :2].T, [[-1, 0, 0], [0, 1, 0]])
    assert len(session.ct["instances"]) == CT_SHAPE[2] - 2
    assert len({each["ImagePositionPatient"][2] for each in session.pet["instances"]}) > PET_SHAPE[2] / 2


def test_converted_slices_are_where_the_vendor_has_them(session: Session, converted: Converted) -> None:
    for facts, read, moved in (
        (session.ct, converted.ct, (CT_SHAPE[0] - SIDE) / 2 * CT_MM),
        (session.pet, converted.pet, (PET_SHAPE[0] - SIDE) / 2 * PET_MM),
    ):
        for instance in facts["instances"][::4]:  # of all of them, the test above has the grid's
            written = read(int(instance["InstanceNumber"]))
            x, y, z = (float(each) for each in instance["ImagePositionPatient"])
            found = [float(each) for each in written.ImagePositionPatient]
            np.testing.assert_allclose(found, [x - moved, y + moved, z], rtol=0, atol=PLACE_MM)
            assert [float(each) for each in written.ImageOrientationPatient] == [-1, 0, 0, 0, 1, 0]
            assert [float(each) for each in written.PixelSpacing] == [
                float(each) for each in facts["common"]["PixelSpacing"]
            ]
            assert float(written.SliceThickness) == float(facts["common"]["SliceThickness"])


def test_ct_and_pet_lie_in_one_space(session: Session, converted: Converted) -> None:
    """The reference shift is the registration; the vendor writes two UIDs nevertheless."""
    assert converted.ct(0).FrameOfReferenceUID == converted.pet(1).FrameOfReferenceUID
    assert session.ct["common"]["FrameOfReferenceUID"] != session.pet["common"]["FrameOfReferenceUID"]


# Values.


def test_hounsfield_units_are_the_stored_integers(session: Session, tmp_path: Path) -> None:
    hounsfield = session.hounsfield
    size = dict(zip(("x_dimension", "y_dimension", "z_dimension"), map(str, hounsfield.shape[::-1]), strict=True))
    spacing = {f"pixel_size_{axis}": "0.39082" for axis in "xyz"}
    data = session.write_ct(tmp_path / "pair", values=hounsfield, keys=size | spacing)
    done = inveon("convert", data, tmp_path / "dicom")
    assert done.exit_code == 0, done.output
    files = sorted((tmp_path / "dicom").rglob("*.dcm"))
    assert len(files) == len(hounsfield)
    for path, true in zip(files, hounsfield, strict=True):
        written = pydicom.dcmread(path)
        assert (written.RescaleSlope, written.RescaleIntercept) == (1, 0)
        np.testing.assert_array_equal(written.pixel_array, true)


def test_values_of_the_ct_are_the_vendors_within_its_step(session: Session, converted: Converted) -> None:
    """The vendor stretches HU to 16 bits, and cuts off towards 0."""
    stretched = session.ct["instances"][0]
    slope, intercept = float(stretched["RescaleSlope"]), float(stretched["RescaleIntercept"])
    for number in range(0, CT_SHAPE[2], 20):
        found = converted.ct(number).pixel_array.astype(float)
        theirs = np.trunc((session.ct_values(SIDE)[number] - intercept) / slope) * slope + intercept
        assert np.abs(found - theirs).max() < slope


def test_values_of_the_pet_are_the_vendors(session: Session, converted: Converted) -> None:
    compared = 0
    for instance in session.pet["instances"][::3]:
        number = int(instance["InstanceNumber"])
        written = converted.pet(number)
        true = session.pet_values(SIDE)[number] * float(instance["RescaleSlope"])
        slope = float(written.RescaleSlope)
        assert written.Units == "BQML"
        assert written.RescaleIntercept == 0
        np.testing.assert_allclose(written.pixel_array * slope, true, rtol=1e-9, atol=slope / 2)
        compared += int(np.count_nonzero(true))
    assert compared > 10_000


# Times and decay.


def test_decay_factors_are_the_vendors(session: Session, converted: Converted, tmp_path: Path) -> None:
    """Worked out here once more: lambda d e^(lambda t) / (1 - e^(-lambda d))."""
    decay = math.log(2) / HALF_LIFE_S
    compared = 0
    for number, facts in zip(numbers(session), session.frames, strict=True):
        duration = float(facts["ActualFrameDuration"]) / 1000
        start = float(facts["FrameReferenceTime"]) / 1000 - duration / 2
        true = decay * duration * math.exp(decay * start) / (1 - math.exp(-decay * duration))
        assert true == pytest.approx(float(facts["DecayFactor"]), abs=FIVE_DECIMALS)
        assert float(converted.pet(number).DecayFactor) == pytest.approx(true, rel=1e-9)
        compared += 1
    assert compared == PET_FRAMES
    found = inveonimaging.read(session.write_pet(tmp_path, 2, has_decay=True)).findings
    assert "decay-factor-disagrees" not in {finding.code for finding in found}


def test_frames_begin_and_last_as_the_vendor_has_them(session: Session, converted: Converted) -> None:
    for number, facts in zip(numbers(session), session.frames, strict=True):
        written = converted.pet(number)
        assert written.AcquisitionDate == facts["AcquisitionDate"]
        assert float(written.AcquisitionTime) == float(facts["AcquisitionTime"])
        assert written.ActualFrameDuration == int(facts["ActualFrameDuration"])
        assert written.SeriesTime == "124638"


def test_reference_times_are_those_of_the_mean_activity(session: Session, converted: Converted) -> None:
    """The vendor has the middle of the frame: at most 0.4 s later."""
    decay = math.log(2) / HALF_LIFE_S
    for number, facts in zip(numbers(session), session.frames, strict=True):
        middle, duration = float(facts["FrameReferenceTime"]) / 1000, float(facts["ActualFrameDuration"]) / 1000
        mean = middle - duration / 2 - math.log((1 - math.exp(-decay * duration)) / (decay * duration)) / decay
        found = float(converted.pet(number).FrameReferenceTime) / 1000
        assert found == pytest.approx(mean, abs=1e-5)
        assert 0 < middle - found < 0.395


@pytest.mark.parametrize("name", ["TimezoneOffsetFromUTC", "StudyDate", "PatientWeight", "Modality", "SOPClassUID"])
def test_both_series_say_what_the_vendor_says(session: Session, converted: Converted, name: str) -> None:
    for written, facts in ((converted.ct(0), session.ct["common"]), (converted.pet(1), session.pet["common"])):
        found = written[name].value
        assert found == (float(facts[name]) if name == "PatientWeight" else facts[name])
    assert session.ct["common"]["TimezoneOffsetFromUTC"] == "-0500"


def test_the_pet_says_of_its_tracer_what_the_vendor_says(session: Session, converted: Converted) -> None:
    written = converted.pet(1)
    true, found = (
        session.pet["common"]["RadiopharmaceuticalInformationSequence"][0],
        written.RadiopharmaceuticalInformationSequence[0],
    )
    for name in ("RadionuclideTotalDose", "RadionuclideHalfLife", "RadionuclidePositronFraction"):
        assert float(found[name].value) == float(true[name])
    assert float(found.RadiopharmaceuticalStartTime) == float(true["RadiopharmaceuticalStartTime"])
    assert found.RadiopharmaceuticalStartDateTime[:14] == true["RadiopharmaceuticalStartDateTime"][:14]
    assert found.Radiopharmaceutical.lower() == true["Radiopharmaceutical"]
    assert "Fluorine" in found.RadionuclideCodeSequence[0].CodeMeaning
    common = session.pet["common"]
    assert written.DecayCorrection == common["DecayCorrection"] == "START"
    assert set(written.CorrectedImage) == {*common["CorrectedImage"], "DCAL", "RAN"}  # trues, calibrated
    assert list(written.SeriesType) == common["SeriesType"]
    assert written.CountsSource == common["CountsSource"]
    assert (written.NumberOfSlices, written.NumberOfTimeSlices) == (159, 40)
    window = written.EnergyWindowRangeSequence[0]
    assert (window.EnergyWindowLowerLimit, window.EnergyWindowUpperLimit) == (350, 650)


def test_the_injection_is_208_s_after_the_start(session: Session) -> None:
    """The private block has e^(-lambda 208 s)."""
    expected = math.exp(-math.log(2) / HALF_LIFE_S * 208)
    assert float(session.pet["common"]["(0079,1006)"]) == pytest.approx(expected, abs=1e-6)


def test_the_ct_says_of_its_scan_what_the_vendor_says(session: Session, converted: Converted) -> None:
    written, facts = converted.ct(0), session.ct["common"]
    assert written.PatientPosition == facts["PatientPosition"] == "FFS"
    assert float(written.KVP) == float(facts["KVP"]) == 60
    assert int(written.ExposureTime) == int(facts["ExposureTime"]) == 300
    assert written.RotationDirection == facts["RotationDirection"] == "CC"
    assert written.ConvolutionKernel == facts["ConvolutionKernel"]
    for name in ("DistanceSourceToDetector", "DistanceSourceToPatient"):
        assert 10 * float(written[name].value) == pytest.approx(float(facts[name]))  # the vendor takes mm for cm


# The vendor's DICOM, compared with the pairs.


class Export:
    """The session's pairs and the vendor's DICOM of them, the middle of each slice; the CT with all its slices."""

    def __init__(self, session: Session, folder: Path) -> None:
        self.ct, self.pet = folder / "dicom" / "ct", folder / "dicom" / "pet"
        self.ct_pair = session.write_ct(folder / "pair", SMALL, session.ct_values(SMALL))
        self.pet_pair = session.write_pet(folder / "pair", SMALL, session.pet_values(SMALL), has_decay=True)
        session.write_vendor_ct(self.ct, session.ct_values(SMALL))
        session.write_vendor_pet(self.pet, session.pet_values(SMALL))


@pytest.fixture(scope="module")
def export(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Export:
    return Export(session, tmp_path_factory.mktemp("export"))


LOST = {"instances-missing"}  # 2 slices of the CT, most of the PET: the facts are not of all files


def compared(pair: Path, dicom: Path) -> tuple[set[str], str]:
    """Return the codes of what differs, and all notes."""
    result = verify(pair, dicom)
    notes = [*(note for study in result.studies for note in study.notes)]
    notes += [note for study in result.studies for series in study.series for note in series.notes]
    return {difference.code for difference in result.differences}, "\n".join(notes)


def test_verify_knows_what_the_vendor_writes_otherwise(export: Export) -> None:
    done = inveon("verify", export.ct_pair.parent, export.ct.parent)
    assert done.exit_code == 1
    differences = [line for line in done.stdout.splitlines() if line.startswith("differs: ")]
    assert len(differences) == 2
    assert "2 of 679 planes are missing: frame 0 slice 43, frame 0 slice 107; " in differences[0]
    assert differences[0].endswith("itself that it has 679 images: 2 were lost since [instances-missing]")
    assert "6181 of 6360 planes are missing" in differences[1]
    for message in (
        "Frame of Reference UID of its own",
        "Study Time of each series is that of its own scan",
        "the vendor's workstation stretched the values to 16 bits, in steps of 0.289204 HU",
        "ten times what they are",
        "are the file's name 'mpet3967b_em1_v1.pet'",
        "Frame Reference Time is the middle of each frame",
        "up to 395 ms earlier",
        "Corrected Image never names RAN",
        "Instance Number counts from 0",
    ):
        assert done.stderr.count(message) == 1, message


def test_a_series_of_the_vendor_without_gaps_does_not_differ(session: Session, export: Export, tmp_path: Path) -> None:
    """The export's slices 43 and 107, which are not among the facts, lie between their neighbours."""
    for number in (43, 107):
        slices = [pydicom.dcmread(export.ct / f"CT{each:05}.dcm") for each in (number - 1, number + 1)]
        between = [sum(float(each.ImagePositionPatient[axis]) for each in slices) / 2 for axis in range(3)]
        lost = slices[0]
        lost.ImagePositionPatient = [f"{each:.6f}" for each in between]
        lost.InstanceNumber, lost.SOPInstanceUID = number, f"{lost.SOPInstanceUID}.{number}"
        lost.file_meta.MediaStorageSOPInstanceUID = lost.SOPInstanceUID
        slope, intercept = float(lost.RescaleSlope), float(lost.RescaleIntercept)
        stored = np.trunc((session.ct_values(SMALL)[number] - intercept) / slope)
        lost.PixelData = stored.astype("<i2").tobytes()
        lost.save_as(tmp_path / f"{number}.dcm")
    for path in export.ct.iterdir():
        (tmp_path / path.name).symlink_to(path)
    done = inveon("verify", export.ct_pair, tmp_path)
    assert (done.exit_code, done.stdout.splitlines()[-1].partition(":")[0]) == (0, "no difference"), done.stdout


def _position(dataset: pydicom.Dataset) -> None:
    dataset.ImagePositionPatient = [dataset.ImagePositionPatient[0], dataset.ImagePositionPatient[1], "1.5"]


def _value(keyword: str, value: object) -> Callable[[pydicom.Dataset], None]:
    return lambda dataset: setattr(dataset, keyword, value)


def _private(element: int, value: str) -> Callable[[pydicom.Dataset], None]:
    def change(dataset: pydicom.Dataset) -> None:
        dataset[0x0079, 0x1000 + element].value = value.encode()

    return change


def _of_tracer(keyword: str, value: object) -> Callable[[pydicom.Dataset], None]:
    return lambda dataset: setattr(dataset.RadiopharmaceuticalInformationSequence[0], keyword, value)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("CT00300", _value("RescaleSlope", "0.2895"), "offset"),
        ("CT00300", _value("RescaleIntercept", "8478.9"), "offset"),
        ("CT00300", _position, "position"),
        ("CT00300", _value("DistanceSourceToDetector", "1698.25"), "source-distance"),
        ("CT00300", _value("PatientID", "mpet3967b_ct1_v1"), "note: Patient ID is stated"),
        ("CT00300", _value("AcquisitionTime", "123820"), "acquisition-time"),
        ("CT00300", _private(0x02, "0"), "private-block"),
        ("CT00300", _private(0x0C, "2.05"), "private-block"),
        ("CT00300", _private(0x17, "2"), "private-block"),
        ("PT05679", _value("RescaleSlope", "262"), "scaled"),
        ("PT03029", _value("FrameReferenceTime", "90000"), "frame-reference-time"),
        ("PT03029", _value("AcquisitionDateTime", "20190412124638.000000-0500"), "acquisition-datetime"),
        ("PT03029", _value("ActualFrameDuration", "9000"), "frame-duration"),
        ("PT03029", _value("DecayFactor", "1.01006"), "decay-factor"),
        ("PT03029", _value("CorrectedImage", ["NORM", "SCAT", "DECY", "DTIM"]), "corrected-image"),
        ("PT03029", _value("PatientWeight", "0.0378"), "weight"),
        ("PT03029", _value("PatientSex", "F"), "note: Patient's Sex is stated"),
        ("PT03029", _of_tracer("RadionuclideTotalDose", "14.689"), "dose"),
        ("PT03029", _private(0x06, "1.02213"), "private-block"),
        ("PT03029", _private(0x07, "C-11"), "private-block"),
        ("PT03029", _private(0x15, "1"), "private-block"),
    ],
)
def test_what_is_wrong_in_the_vendors_dicom_is_found(
    export: Export, tmp_path: Path, name: str, change: Callable[[pydicom.Dataset], None], code: str
) -> None:
    """What is known of the vendor excuses the very values that it writes, and no others."""
    pair, dicom = (export.ct_pair, export.ct) if name.startswith("CT") else (export.pet_pair, export.pet)
    for path in sorted(dicom.iterdir())[::60]:
        (tmp_path / path.name).symlink_to(path)
    dataset = pydicom.dcmread(dicom / f"{name}.dcm")
    change(dataset)
    (tmp_path / f"{name}.dcm").unlink(missing_ok=True)
    dataset.save_as(tmp_path / f"{name}.dcm")
    found, notes = compared(pair, tmp_path)
    if code.startswith("note: "):
        assert code.removeprefix("note: ") in notes
    else:
        assert code in found - LOST


def test_other_programs_are_not_excused(export: Export, tmp_path: Path) -> None:
    for path in [*sorted(export.ct.iterdir())[::20], *sorted(export.pet.iterdir())[::20]]:
        dataset = pydicom.dcmread(path)
        del dataset[0x0079, 0x0010]
        dataset.save_as(tmp_path / path.name)
    found, _ = compared(export.ct_pair.parent, tmp_path)
    assert {"source-distance", "frame-reference-time", "corrected-image", "study-date-time"} <= found
    assert found & {"rounding", "slices-exchanged"}  # two slices of the facts are one block, and nearly alike


def test_a_study_time_that_is_no_series_own_is_found(export: Export, tmp_path: Path) -> None:
    for path in [*sorted(export.ct.iterdir())[::20], *sorted(export.pet.iterdir())[::20]]:
        dataset = pydicom.dcmread(path)
        if dataset.Modality == "PT":
            dataset.StudyTime = "124639"
        dataset.save_as(tmp_path / path.name)
    found, _ = compared(export.ct_pair.parent, tmp_path)
    assert {"study-date-time", "study-time"} <= found


def test_check_says_what_the_vendor_writes_otherwise(export: Export) -> None:
    document = json.loads(inveon("check", export.ct.parent, "--json").stdout)
    (space,) = document["findings"]
    assert space["code"] == "vendor-known"
    assert "2 series of the vendor's workstation have 2 Frame of Reference UIDs" in space["message"]
    reported = {
        each["modality"]: [(one["code"], one["message"]) for one in each["findings"]] for each in document["files"]
    }
    ct = "\n".join(f"{code}: {message}" for code, message in reported["CT"])
    pet = "\n".join(f"{code}: {message}" for code, message in reported["PT"])
    for expected in (
        "images-missing: the series says that it has 679 images, and 677 are here",
        "vendor-identity: Patient ID is the file's name, 'mpet3967b_ct1_v1.ct'",
        "vendor-dicom: written by the vendor's workstation apla 4.2.0.8; of the header it says: bed_motion 2",
        "recon_algorithm 9 (Feldkamp cone beam), recon_version 2.04, injected_compound fdg, version 2",
        "subject_orientation 3 (feet first, supine)",
        "vendor-known: HU are stretched to 16 bits with slope 0.289204242",
        "vendor-known: Distance Source to Detector is 3396.5 mm, ten times what it is",
    ):
        assert expected in ct
    for expected in (
        "images-missing: the series says that it has 6360 images, and 179 are here",
        "injection_decay_correction 9.78347E-1, isotope F-18, rebinning_type 1 (full 3D), rebinning_version 2.6",
        "zoom 9.7045E-1",
        "vendor-known: Frame Reference Time is the middle of the frame",
        "vendor-known: Corrected Image never names RAN",
    ):
        assert expected in pet


def test_check_says_nothing_of_the_workstation_in_our_own_dicom(converted: Converted, tmp_path: Path) -> None:
    for path in sorted(converted.output.rglob("*.dcm"))[::50]:
        (tmp_path / path.name).symlink_to(path)
    files = json.loads(inveon("check", tmp_path, "--json").stdout)["files"]
    assert len(files) == 2
    codes = {finding["code"] for each in files for finding in each["findings"]}
    assert not [code for code in codes if code.startswith(("vendor", "images"))]


@pytest.mark.parametrize("vr", ["LO", "DS", "UN", "SQ", "US"])
def test_a_private_block_that_is_damaged_is_no_error(export: Export, tmp_path: Path, vr: str) -> None:
    """Of elements that nobody documents any VR may come, and any value."""
    dataset = pydicom.dcmread(export.ct / "CT00300.dcm")
    values = {"LO": "a\\b", "DS": "1", "UN": b"\x1b[31m\xff", "SQ": [pydicom.Dataset()], "US": 7}
    dataset[0x0079, 0x1002] = pydicom.DataElement(0x00791002, vr, values[vr])
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(tmp_path / "a.dcm")
    held = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(held.replace(b"\x02\x10DS\x02\x001 ", b"\x02\x10DS\x02\x00x "))
    checked = inveon("check", tmp_path)
    assert checked.exit_code == 0, checked.output
    assert_harmless(checked.stdout)
    found, _ = compared(export.ct_pair, tmp_path)
    assert found - LOST == {"private-block"}


# The phantom's dialect.


def _keys_of(text: str) -> list[str]:
    keys = [line.split()[0] for line in text.splitlines() if line and not line.startswith("#")]
    return [key for n, key in enumerate(keys) if n == 0 or key != keys[n - 1]]


@pytest.mark.usefixtures("session")
def test_the_phantoms_ct_has_the_keys_of_a_genuine_header_in_their_order(tmp_path: Path) -> None:
    (path,) = REAL.glob("*.ct.img.hdr")
    true = path.read_text("latin-1")
    written = write_scan(tmp_path / "a.ct.img", replace(CT, genuine=True)).header.read_text("utf-8")
    assert [key for key in _keys_of(written) if key != "subject_glucose_level"] == _keys_of(true)
    blank = {line for line in true.splitlines() if line.endswith("  ") and not line.startswith("#")}
    assert {"manufacturer  ", "institution  "} <= blank & set(written.splitlines())
    sentences = {line for line in true.splitlines() if line.startswith("#") and len(line.split()) > 6}
    assert not sentences & set(written.splitlines())  # the words are the project's own
