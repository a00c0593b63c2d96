"""SPECT as Nuclear Medicine Image: one object a time frame, or one for all gates, its slices along the normal."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from conftest import Measures
from contract import (
    LAYOUTS,
    POLICIES,
    POSTURES,
    SPECT,
    STATIC,
    TIMES,
    TYPES,
    Case,
    Cases,
    SopClassContract,
    Sources,
    along_the_normal,
    check_places,
    check_values,
    errors_in,
    files_of,
    is_other_storage,
    parametrised,
    planes_of,
    reversed_blocks,
    validated,
)
from inveonimaging import Options, UnsupportedError, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import AcquisitionMode, FileType, GantryRotation, RotationDirection
from inveonimaging.inveon.hdr.values import Indexed
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, PhantomScan, frames_of, write_scan
from truth import Truth, truth_of

DYNAMIC = replace(SPECT, frames=frames_of(600.0, 1200.0))
GATED: Cases = {
    "cardiac gates": {"frames": STATIC, "gates": 3, "gate_description": "ECG R-wave"},
    "gates from last to first": {"frames": STATIC, "gates": 4, "change": reversed_blocks},
    "rescale frame": {"frames": STATIC, "gates": 2, **POLICIES["rescale frame"]},
    "gates after midnight": {"frames": STATIC, "gates": 2, "scan_time": TIMES["over midnight"]["scan_time"]},
}
TIMED: Cases = {**POSTURES, **TYPES, **LAYOUTS, **TIMES, **POLICIES}
RR_INTERVAL_VECTOR, TIME_SLOT_VECTOR, SLICE_VECTOR = 0x00540060, 0x00540070, 0x00540080


class NmContract(SopClassContract):
    """What NM Image objects hold."""

    base, name, sop_class = DYNAMIC, "mouse.spect.img", pydicom.uid.NuclearMedicineImageStorage
    warnings = (
        "Attribute is not present in standard DICOM IOD - (0x0028,0x1052) DS Rescale Intercept",  # for readers that
        "Attribute is not present in standard DICOM IOD - (0x0028,0x1053) DS Rescale Slope",  # know this one alone
        "Standard Extended SOP Class",  # because of them
        "for value 1 of attribute <Trigger Source or Type>",  # what the operator typed; its terms are not all
    )

    def sources(self, truth: Truth) -> Sources:
        return along_the_normal(truth.head_up)

    def seen(self, truth: Truth) -> Truth:
        return truth.head_up

    def test_row_x_column_points_to_the_head(self, case: Case) -> None:
        assert all(np.array_equal(plane.normal, [0, 0, 1]) for plane in planes_of(case.instances))

    def test_slices_follow_each_other_along_the_normal(self, case: Case) -> None:
        slices = case.truth.shape[2]
        places = [plane.along_normal for plane in planes_of(case.instances)]
        for first in range(0, len(places), slices):
            assert np.allclose(np.diff(places[first : first + slices]), case.truth.spacing[2], rtol=0, atol=1e-9)
        assert {float(ds.SpacingBetweenSlices) for ds in case.instances} == {case.truth.spacing[2]}

    def test_values_are_proportional_to_counts(self, case: Case) -> None:
        for ds in case.instances:
            (mapping,) = ds.RealWorldValueMappingSequence
            (unit,) = mapping.MeasurementUnitsCodeSequence
            assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("{propcounts}", "UCUM")
            assert mapping.RealWorldValueSlope == float(ds.RescaleSlope)

    def test_there_is_one_window_detector_and_rotation(self, case: Case) -> None:
        for ds in case.instances:
            assert (ds.NumberOfEnergyWindows, ds.NumberOfDetectors, ds.NumberOfRotations) == (1, 1, 1)
            assert ds.NumberOfSlices == case.truth.shape[2]
            assert (ds.Modality, "PatientPosition" in ds) == ("NM", False)
            assert len(ds.PatientOrientationCodeSequence) == (1 if case.scan.orientation else 0)

    def test_the_tracer_is_in_the_units_of_nuclear_medicine(self, case: Case) -> None:
        main = case.truth.main
        assert (main["isotope"], main["dose_units"]) == ("Tc-99m", "1")
        (item,) = case.instances[0].RadiopharmaceuticalInformationSequence
        assert float(item.RadionuclideTotalDose) == pytest.approx(float(main["dose"]) * 37, rel=1e-9)  # MBq, not Bq
        (code,) = item.RadionuclideCodeSequence
        assert (code.CodeValue, code.CodingSchemeDesignator) == ("72454006", "SCT")
        assert code.CodeMeaning == "^99m^Technetium"
        assert item.Radiopharmaceutical == "tetrofosmin"

    def test_the_energy_window_is_that_of_the_header(self, case: Case) -> None:
        (window,) = case.instances[0].EnergyWindowInformationSequence
        (limits,) = window.EnergyWindowRangeSequence
        assert (case.truth.main["lld"], case.truth.main["uld"]) == ("126", "154")
        assert (limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit) == (126, 154)

    def test_the_rotation_is_that_of_the_header(self, case: Case) -> None:
        (rotation,) = case.instances[0].RotationInformationSequence
        assert case.truth.main["number_of_projections"] == "60"
        assert (rotation.StartAngle, rotation.AngularStep, rotation.ScanArc) == (0, 6, 360)
        assert (rotation.RotationDirection, rotation.NumberOfFramesInRotation) == ("CW", 60)
        assert rotation.ActualFrameDuration == 10_000  # 600 s for 60 projections, in ms

    def test_all_forms_are_this_one(self, case: Case) -> None:
        for form in () if is_other_storage(case, self.base) else (Form.ENHANCED, Form.LEGACY):
            assert case.converted(form=form).instances == case.instances


@parametrised(TIMED)
class TestNmOfTimeFrames(NmContract):
    cases = TIMED

    def test_each_time_frame_is_an_object_with_its_own_start(self, case: Case) -> None:
        truth, slices = case.truth, case.truth.shape[2]
        assert len(case.instances) == len(truth.frames)
        for ds, (frame, _) in zip(case.instances, self.sources(truth)[::slices], strict=True):
            start = truth.start_time(frame)
            assert (ds.AcquisitionDate, ds.AcquisitionTime) == (f"{start:%Y%m%d}", f"{start:%H%M%S}")
            assert (ds.SeriesDate, ds.SeriesTime) == (f"{truth.scan_time:%Y%m%d}", f"{truth.scan_time:%H%M%S}")
            assert ds.CountsAccumulated == int(truth.frames[frame]["prompts"])
            assert list(ds.ImageType) == ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
            assert ds.NumberOfFrames == slices
            assert ds.FrameIncrementPointer == SLICE_VECTOR
            assert not {"TimeSlotVector", "RRIntervalVector", "NumberOfTimeSlots", "GatedInformationSequence"} & set(
                ds.dir()
            )


@parametrised(GATED)
class TestNmOfGates(NmContract):
    cases = GATED

    def test_all_gates_are_one_object(self, case: Case) -> None:
        (ds,) = case.instances
        gates, slices = len(case.truth.frames), case.truth.shape[2]
        assert list(ds.ImageType) == ["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]
        assert ds.NumberOfFrames == gates * slices
        assert list(ds.FrameIncrementPointer) == [RR_INTERVAL_VECTOR, TIME_SLOT_VECTOR, SLICE_VECTOR]
        assert list(ds.RRIntervalVector) == [1] * gates * slices
        assert list(ds.TimeSlotVector) == [gate + 1 for gate in range(gates) for _ in range(slices)]
        assert list(ds.SliceVector) == [1, 2, 3] * gates
        assert (ds.NumberOfRRIntervals, ds.NumberOfTimeSlots) == (1, gates)
        assert ds.TriggerSourceOrType == case.scan.gate_description
        assert len(ds.GatedInformationSequence) == 1
        assert ds.AcquisitionDate + ds.AcquisitionTime == f"{case.truth.scan_time:%Y%m%d%H%M%S}"


def converted(folder: Path, scan: PhantomScan, **options: Any) -> tuple[Truth, list[list[FileDataset]]]:
    """Return the truth of a scan, and its series."""
    write_scan(folder / "a.img", scan)
    (study,) = convert(folder / "a.img", folder / "out", Options(**options))
    numbers = range(1, len(study.series) + 1)
    return truth_of(folder / "a.img"), [
        [pydicom.dcmread(file) for file in files_of(folder / "out", number)] for number in numbers
    ]


def check(series: list[FileDataset], truth: Truth, measures: Measures) -> None:
    check_values(planes_of(series), truth.head_up, along_the_normal(truth.head_up), measures)
    check_places(planes_of(series), truth.head_up, along_the_normal(truth.head_up), measures)


def test_each_energy_window_is_a_series(tmp_path: Path, measures: Measures, dciodvfy: str) -> None:
    truth, windows = converted(tmp_path, replace(DYNAMIC, energy_windows=3))
    assert [len(series) for series in windows] == [2, 2, 2]
    for window, series in enumerate(windows):
        check(series, truth.part(energy_window=window), measures)
        assert all(not ds.EnergyWindowInformationSequence for ds in series)  # the header's limits are of which one?
        assert series[0].SeriesDescription.endswith(f"energy window {window}")
    assert len({ds.FrameOfReferenceUID for series in windows for ds in series}) == 1
    assert len({ds.SeriesInstanceUID for series in windows for ds in series}) == 3
    assert not errors_in(validated(dciodvfy, files_of(tmp_path / "out", 3)[1]))


def test_each_bed_position_is_a_series_at_its_own_place(tmp_path: Path, measures: Measures) -> None:
    truth, beds = converted(tmp_path, replace(DYNAMIC, beds=(312.5, 300.25)))
    assert [len(series) for series in beds] == [2, 2]
    for bed, series in enumerate(beds):
        part = truth.part(bed=bed)
        assert part.bed_mm == pytest.approx((0, -12.25)[bed])
        check(series, part, measures)
        assert [ds.AcquisitionTime for ds in series] == [f"{part.start_time(frame):%H%M%S}" for frame in (0, 1)]


def test_gates_of_time_frames_are_a_series_for_each_time_frame(tmp_path: Path, measures: Measures) -> None:
    truth, times = converted(tmp_path, replace(DYNAMIC, gates=3))
    assert [len(series) for series in times] == [1, 1]
    for series, start in zip(times, (0, 600), strict=True):
        check(series, truth.part(frame_start=start), measures)
        assert series[0].AcquisitionTime == ("160538" if start == 0 else "161538")
        assert series[0].NumberOfTimeSlots == 3


def rotated(header: Header, **gantry: Any) -> Header:
    return replace(header, gantry=replace(header.gantry, **gantry))


UNEVEN = tuple(Indexed(n, angle) for n, angle in enumerate((0.0, 6.0, 13.0)))
ROTATIONS: dict[str, tuple[dict[str, object], dict[str, object] | None]] = {
    "counterclockwise from 90 degrees": (
        {"direction": RotationDirection.COUNTERCLOCKWISE, "start_deg": 90.0},
        {"RotationDirection": "CC", "StartAngle": 90, "AngularStep": 6, "ScanArc": 360},
    ),
    "half a turn": (
        {"projections": 30, "projection_angles_deg": tuple(Indexed(n, 6.0 * n) for n in range(30))},
        {"NumberOfFramesInRotation": 30, "AngularStep": 6, "ScanArc": 180},
    ),
    "a turn with both ends": (  # 0 and 360 degrees are one place: 61 projections, and no more than a turn
        {"projections": 61, "projection_angles_deg": tuple(Indexed(n, 6.0 * n) for n in range(61))},
        {"NumberOfFramesInRotation": 61, "AngularStep": 6, "ScanArc": 360},
    ),
    "steps from the revolutions": (
        {"projection_angles_deg": (), "revolutions": 1.0, "projections": 90},
        {"NumberOfFramesInRotation": 90, "AngularStep": 4, "ScanArc": 360},
    ),
    "continuous": ({"rotation": GantryRotation.CONTINUOUS}, {"AngularStep": 6, "ScanArc": 360}),
    "uneven steps": ({"projection_angles_deg": UNEVEN}, None),
    "no direction": ({"direction": None}, None),
    "no start": ({"start_deg": None}, None),
    "no projections": ({"projections": None}, None),
    "stale projections": ({"projections": -1}, None),
    "more projections than 16 bits count": ({"projections": 65536}, None),
    "no durations": ({"projection_durations": ()}, None),
    "durations that differ": ({"projection_durations": (Indexed(0, 30.0), Indexed(1, 31.0))}, None),
}


@pytest.mark.parametrize("case", ROTATIONS)
def test_a_rotation_is_reported_whole_or_not_at_all(tmp_path: Path, case: str, dciodvfy: str) -> None:
    changes, expected = ROTATIONS[case]
    scan = replace(SPECT, shape=(2, 2, 2))
    write_scan(tmp_path / "a.img", scan, change=lambda header: rotated(header, **changes))
    convert(tmp_path / "a.img", tmp_path / "out")
    (file,) = files_of(tmp_path / "out")
    items = pydicom.dcmread(file).RotationInformationSequence
    if expected is None:
        assert not items
    else:
        assert {keyword: items[0][keyword].value for keyword in expected} == expected
    assert not errors_in(validated(dciodvfy, file))


# What is not an image of a volume.

CONVERTED = {FileType.UNKNOWN, FileType.IMAGE, FileType.MU_MAP}
TOMOGRAPHIC = {AcquisitionMode.UNKNOWN, AcquisitionMode.GATED, AcquisitionMode.SPECT}
TINY = {name: replace(scan, shape=(2, 2, 2), frames=STATIC) for name, scan in (("CT", CT_SCAN), ("PET", PET_SCAN))}


def not_reconstructed(header: Header, kind: FileType) -> Header:
    """Return a header of another kind of file, which names no reconstruction: a PET's with one is taken as an image."""
    return replace(header, file_type=kind, reconstruction=replace(header.reconstruction, algorithm=None))


@pytest.mark.parametrize("name", TINY)
def test_other_file_types_are_refused_by_name(tmp_path: Path, name: str) -> None:
    others = sorted(set(FileType) - CONVERTED)
    assert len(others) == 17
    for kind, form in zip(others, cycle(Form), strict=False):
        path = tmp_path / f"{int(kind)}.img"
        write_scan(path, TINY[name], change=partial(not_reconstructed, kind=kind))
        with pytest.raises(UnsupportedError) as refused:
            convert(path, tmp_path / "out", Options(form=form))
        assert f"file_type is {int(kind)} ({kind.label}), which is not converted" in str(refused.value)
        assert "5 (image) or 8 (mu map)" in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_planar_spect_and_calibrations_are_refused_by_name(tmp_path: Path) -> None:
    scan = replace(SPECT_SCAN, shape=(2, 2, 2))
    for mode in AcquisitionMode:
        path = tmp_path / f"{int(mode)}.img"
        write_scan(path, scan, change=partial(replace, acquisition_mode=mode))
        if mode in TOMOGRAPHIC:
            assert convert(path, tmp_path / f"out{int(mode)}")
            continue
        with pytest.raises(UnsupportedError) as refused:
            convert(path, tmp_path / "out")
        assert f"acquisition_mode of this SPECT is {int(mode)} ({mode.label})" in str(refused.value)
    assert not (tmp_path / "out").exists()
