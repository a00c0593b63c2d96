"""What every single-frame instance must hold, over postures, data types, units, frame schemes and gates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from contract import (
    CALIBRATIONS,
    CT,
    GATES,
    LAYOUTS,
    MU_MAPS,
    PET,
    POLICIES,
    POSTURES,
    STATIC,
    THREE_FRAMES,
    TIMES,
    TWO_FRAMES,
    TYPES,
    Case,
    Cases,
    SopClassContract,
    parametrised,
)
from inveonimaging import convert
from inveonimaging.dicom.modules.header_text import header_bytes
from inveonimaging.inveon.hdr.enums import DataType
from inveonimaging.phantom import write_scan
from truth import POSITIONS

SMALL_FACTOR: Cases = {"factor of 0.1": {"data_type": DataType.INT16_LE, "scale_factor": 0.1}}
CT_CASES: Cases = {**POSTURES, **TYPES, **LAYOUTS, **POLICIES, **SMALL_FACTOR}
PET_CASES: Cases = {**POSTURES, **TYPES, **LAYOUTS, **TIMES, **THREE_FRAMES, **CALIBRATIONS, **POLICIES}
FREE_TRIGGER = "for value 1 of attribute <Trigger Source or Type>"  # what the operator typed; its terms are not all


class SingleFrameContract(SopClassContract):
    """What single-frame instances hold on top of the contract of all."""

    def test_there_is_one_instance_a_slice_and_frame(self, case: Case) -> None:
        assert len(case.instances) == len(case.truth.frames) * case.truth.shape[2]
        assert all(ds.pixel_array.shape == (ds.Rows, ds.Columns) for ds in case.instances)

    def test_slice_location_is_the_place_along_the_stored_axis(self, case: Case) -> None:
        slices = case.truth.shape[2]
        for number, ds in enumerate(case.instances):
            gantry = (number % slices - (slices - 1) / 2) * case.truth.spacing[2] + case.scan.shift_mm[2]
            assert float(ds.SliceLocation) == pytest.approx(gantry, abs=1e-9)
            assert float(ds.SliceThickness) == case.truth.spacing[2]


@parametrised(CT_CASES)
class TestCtImage(SingleFrameContract):
    base, name, sop_class, cases = CT, "mouse.ct.img", pydicom.uid.CTImageStorage, CT_CASES
    warnings = (
        "X-Ray Tube Current in uA",  # the exact value beside the one in whole mA, which is coarse
        "Standard Extended SOP Class",  # because of it
    )

    def test_values_are_hounsfield_units_in_the_posture_of_the_header(self, case: Case) -> None:
        for ds in case.instances:
            assert (ds.RescaleType, ds.Modality) == ("HU", "CT")
            assert ds.PatientPosition == POSITIONS[case.scan.orientation]

    def test_int16_with_factor_1_goes_through_bit_for_bit(self, case: Case) -> None:
        if case.truth.main["data_type"] != "2" or float(case.truth.frames[0]["scale_factor"]) != 1:
            assert case.scan.data_type is not DataType.INT16_LE or case.scan.scale_factor is not None
            return
        stored = case.source.read_bytes()[case.scan.first_offset :]
        is_same = b"".join(ds.PixelData for ds in case.instances) == stored
        assert is_same
        assert {str(ds.RescaleSlope) for ds in case.instances} == {"1"}


class PetContract(SingleFrameContract):
    """What PET Image instances hold, gated or not."""

    base, name = replace(PET, frames=TWO_FRAMES), "mouse.pet.img"
    sop_class = pydicom.uid.PositronEmissionTomographyImageStorage

    def test_units_are_bqml_only_for_calibrated_data(self, case: Case) -> None:
        assert {ds.Units for ds in case.instances} == {"BQML" if case.truth.calibrated else "PROPCNTS"}
        assert all(("DCAL" in ds.CorrectedImage) == case.truth.calibrated for ds in case.instances)

    def test_patient_position_is_a_code_and_not_an_attribute(self, case: Case) -> None:
        for ds in case.instances:
            assert "PatientPosition" not in ds
            assert len(ds.PatientOrientationCodeSequence) == (1 if case.scan.orientation else 0)

    def test_frames_are_at_their_times(self, case: Case) -> None:
        truth = case.truth
        for ds, (frame, _) in zip(case.instances, self.sources(truth), strict=True):
            start = truth.start_time(frame)
            assert (ds.AcquisitionDate, ds.AcquisitionTime) == (f"{start:%Y%m%d}", f"{start:%H%M%S}")
            assert (ds.SeriesDate, ds.SeriesTime) == (f"{truth.scan_time:%Y%m%d}", f"{truth.scan_time:%H%M%S}")
            assert ds.ActualFrameDuration == round(truth.duration(frame) * 1000)
            assert float(ds.DecayFactor) == pytest.approx(float(truth.frames[frame]["decay_correction"]), rel=1e-9)
            assert float(ds.FrameReferenceTime) == pytest.approx(truth.reference_time_ms(frame), abs=1e-3)

    def test_image_index_counts_along_the_normal_within_each_time_slice_or_gate(self, case: Case) -> None:
        slices, steps = case.truth.shape[2], case.truth.steps
        planes = case.planes
        volumes = {frame: planes[frame * slices : (frame + 1) * slices] for frame in range(len(steps))}
        for number, (ds, (frame, _)) in enumerate(zip(case.instances, self.sources(case.truth), strict=True)):
            along = 1 + sum(other.along_normal < planes[number].along_normal for other in volumes[frame])
            assert ds.ImageIndex == (steps[frame] - 1) * slices + along
        assert {int(ds.ImageIndex) for ds in case.instances} == set(range(1, len(planes) + 1))

    def test_dose_half_life_and_weight_are_in_the_units_of_the_standard(self, case: Case) -> None:
        ds, main = case.instances[0], case.truth.main
        item = ds.RadiopharmaceuticalInformationSequence[0]
        assert main["dose_units"] == "1"
        assert float(item.RadionuclideTotalDose) == pytest.approx(float(main["dose"]) * 37e6, rel=1e-9)
        assert float(item.RadionuclideHalfLife) == float(main["isotope_half_life"])
        assert item.RadiopharmaceuticalStartTime == item.RadiopharmaceuticalStartDateTime[8:14]
        assert main["subject_weight_units"] == "1"
        assert float(ds.PatientWeight) == pytest.approx(float(main["subject_weight"]) / 1000, rel=1e-9)


@parametrised(PET_CASES)
class TestPetImage(PetContract):
    cases = PET_CASES

    def test_the_series_shows_its_kind(self, case: Case) -> None:
        frames = len(case.truth.frames)
        for ds in case.instances:
            assert list(ds.SeriesType) == ["DYNAMIC" if frames > 1 else "STATIC", "IMAGE"]
            assert ds.NumberOfSlices == case.truth.shape[2]
            assert ds.get("NumberOfTimeSlices") == (frames if frames > 1 else None)


@parametrised(GATES)
class TestGatedPetImage(PetContract):
    cases = GATES
    warnings = (FREE_TRIGGER,)

    def test_the_series_shows_its_gates(self, case: Case) -> None:
        gates = len(case.truth.frames)
        for ds, (frame, _) in zip(case.instances, self.sources(case.truth), strict=True):
            assert list(ds.SeriesType) == ["GATED", "IMAGE"]
            assert (ds.NumberOfSlices, ds.NumberOfRRIntervals, ds.NumberOfTimeSlots) == (case.truth.shape[2], 1, gates)
            assert "NumberOfTimeSlices" not in ds
            assert (ds.CardiacFramingType, ds.BeatRejectionFlag) == ("PCNT", "")
            assert ds.TriggerSourceOrType == case.scan.gate_description
            assert case.truth.main["gate_bins"] == f"1 {gates} 0.18 0.26"
            slot_ms = 220 / gates  # the middle of 180 and 260
            assert float(ds.FrameTime) == pytest.approx(slot_ms, rel=1e-12)
            gate = int(case.truth.frames[frame]["gate"])
            assert float(ds.TriggerTime) == pytest.approx(gate * slot_ms, rel=1e-12)


@parametrised(MU_MAPS)
class TestMuMap(SingleFrameContract):
    base, name, cases = replace(PET, frames=STATIC), "mouse.mu.img", MU_MAPS
    sop_class = pydicom.uid.PositronEmissionTomographyImageStorage

    def test_values_are_attenuation_that_does_not_decay(self, case: Case) -> None:
        for ds in case.instances:
            assert (ds.Units, ds.CountsSource, ds.DecayCorrection) == ("1CM", "TRANSMISSION", "NONE")
            assert not ds.CorrectedImage
            assert not {"DecayFactor", "DoseCalibrationFactor"} & set(ds.dir())
            assert float(ds.FrameReferenceTime) == 300_000  # the middle of 600 s
        largest = max(float((ds.pixel_array * ds.RescaleSlope).max()) for ds in case.instances)
        assert 0.09 < largest < 0.2  # water has 0.096 / cm, bone a little more


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
