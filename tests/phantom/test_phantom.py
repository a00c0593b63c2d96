"""The phantom: its files hold its truth, our reader and (X)MedCon read them, and each defect is one."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

from conftest import Tool
from defects import Defect, write_scan
from inveonimaging.errors import InveonError, OptionError, OutputError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header, enums, parse
from inveonimaging.inveon.hdr import write as spelled
from inveonimaging.inveon.hdr.enums import AcquisitionMode, BedMotion, CalibrationUnits, DataType, Modality, Orientation
from inveonimaging.inveon.hdr.model import Calibration, Gating, Tracer
from inveonimaging.inveon.hdr.values import GateBins, GateDescription
from inveonimaging.inveon.pairs import Pair
from inveonimaging.phantom import (
    CT_SCAN,
    PET_SCAN,
    SPECT_SCAN,
    Ellipsoid,
    Mouse,
    PhantomScan,
    frames_of,
    header_of,
    write_study,
)
from inveonimaging.study.image import Image, read

MOUSE = Mouse()
FACTOR = 5230 / 0.967 * 37  # Bq/mL of a scaled value of 1: calibration, branching fraction, nCi/cc
FRAMES = frames_of(20, 40, 300)
PET = replace(PET_SCAN, shape=(13, 9, 17), spacing_mm=(3.1, 3.3, 4.3), shift_mm=(0.4, -1.1, 2.3), frames=FRAMES)
CT = replace(CT_SCAN, shape=(19, 17, 29), spacing_mm=(2.1, 2.3, 2.7), shift_mm=(-0.7, 0.9, -1.3))

SPECT = replace(SPECT_SCAN, shape=(11, 13, 15), spacing_mm=(3.1, 2.7, 4.3))
GATED = replace(PET, gates=3, frames=frames_of(20, 40))
BEDS = replace(PET, beds=(300.0, 317.2), frames=frames_of(20, 40))  # four planes apart
MU_MAP = replace(PET, mu_map=True, frames=frames_of(600))
KINDS = {
    "gated": GATED,
    "gated CT": replace(CT, gates=2),
    "gated SPECT": replace(SPECT, gates=4),
    "two beds": BEDS,
    "gated, three beds": replace(GATED, beds=(300.0, 317.2, 290.0)),
    "continuous": replace(PET, continuous=True),
    "mu map": MU_MAP,
    "SPECT": SPECT,
    "dynamic SPECT": replace(SPECT, frames=frames_of(60, 600)),
    "SPECT windows": replace(SPECT, frames=frames_of(60, 600), energy_windows=3, gates=2, beds=(300.0, 317.2)),
}

# Patient directions of the stored axes and types of the stored values: tables of their own, since the phantom shares
# those of the package.
DIRECTIONS = {
    Orientation.UNKNOWN: "RPH",
    Orientation.FFP: "LAH",
    Orientation.HFP: "RAF",
    Orientation.FFS: "RPH",
    Orientation.HFS: "LPF",
    Orientation.FFDR: "ARH",
    Orientation.HFDR: "PRF",
    Orientation.FFDL: "PLH",
    Orientation.HFDL: "ALF",
}
NUMPY_TYPES = {
    DataType.INT8: "i1",
    DataType.INT16_LE: "<i2",
    DataType.INT32_LE: "<i4",
    DataType.FLOAT32_LE: "<f4",
    DataType.FLOAT32_BE: ">f4",
    DataType.INT16_BE: ">i2",
    DataType.INT32_BE: ">i4",
}
LPS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}


def centres(scan: PhantomScan) -> npt.NDArray[np.float64]:
    """Return (nz, ny, nx, 3) voxel centres, LPS mm."""
    points = np.zeros((*scan.shape[::-1], 3))
    for axis, letter in enumerate(DIRECTIONS[scan.orientation]):
        n = scan.shape[axis]
        gantry = (np.arange(n) - (n - 1) / 2) * scan.spacing_mm[axis] + scan.shift_mm[axis]
        along = [1, 1, 1, 1]
        along[2 - axis] = n
        points += gantry.reshape(along) * np.array(LPS[letter])
    return points


def truth_of(scan: PhantomScan, frame: int = 0) -> npt.NDArray[np.float64]:
    """Return (nz, ny, nx) HU or Bq/mL."""
    if scan.modality is Modality.CT:
        return MOUSE.hounsfield(centres(scan))
    start, duration = scan.frames[frame]
    return MOUSE.activity(centres(scan), start, start + duration)


def assert_holds_truth(image: Image, scan: PhantomScan) -> None:
    for index, frame in enumerate(image.frames):
        assert frame.scale_factor is not None
        per_stored = frame.scale_factor * (1 if scan.modality is Modality.CT else FACTOR)
        half_step = per_stored * 0.5 if scan.dtype.kind == "i" else 0.0
        truth = truth_of(scan, index)
        assert len(np.unique(truth)) > 8
        # two roundings to float32: of the stored values, and of the values read
        np.testing.assert_allclose(image.values(index), truth, rtol=2.0**-22, atol=half_step)


@pytest.mark.parametrize("orientation", Orientation)
@pytest.mark.parametrize("scan", [PET, CT], ids=["PET", "CT"])
def test_truth_is_at_the_voxels_in_every_posture(tmp_path: Path, scan: PhantomScan, orientation: Orientation) -> None:
    turned = replace(scan, orientation=orientation)
    image = read(write_scan(tmp_path / "a.img", turned).data)
    assert_holds_truth(image, turned)


@pytest.mark.parametrize("data_type", DataType)
@pytest.mark.parametrize("scan", [PET, CT], ids=["PET", "CT"])
def test_truth_is_held_by_every_data_type(tmp_path: Path, scan: PhantomScan, data_type: DataType) -> None:
    typed = replace(scan, data_type=data_type)
    image = read(write_scan(tmp_path / "a.img", typed).data)
    assert image.header.array.data_type is data_type
    assert_holds_truth(image, typed)
    read_by_hand = np.fromfile(image.pair.data, NUMPY_TYPES[data_type], count=math.prod(scan.shape))
    np.testing.assert_array_equal(read_by_hand, image.voxels().ravel())


@pytest.mark.parametrize("data_type", [DataType.INT8, DataType.INT16_BE, DataType.INT32_LE])
def test_integers_of_a_pet_use_their_range(tmp_path: Path, data_type: DataType) -> None:
    image = read(write_scan(tmp_path / "a.img", replace(PET, data_type=data_type)).data)
    largest = 2 ** (8 * image.voxels().dtype.itemsize - 1) - 1
    assert {int(image.voxels(n).astype(float).max()) for n in range(len(FRAMES))} == {largest}


def test_ct_stores_hounsfield_units_as_they_are(tmp_path: Path) -> None:
    image = read(write_scan(tmp_path / "a.img", CT).data)
    assert image.frames[0].scale_factor == 1
    assert image.voxels().dtype == np.dtype("<i2")
    np.testing.assert_array_equal(image.voxels(), truth_of(CT))


def test_scale_factor_can_be_given(tmp_path: Path) -> None:
    image = read(write_scan(tmp_path / "a.img", replace(CT, scale_factor=0.5)).data)
    np.testing.assert_array_equal(image.voxels(), truth_of(CT) * 2)
    with pytest.raises(OptionError, match="scale_factor is too small for int16"):
        write_scan(tmp_path / "b.img", replace(CT, scale_factor=0.01))
    assert not list(tmp_path.glob("b.*"))


@pytest.mark.parametrize(
    ("calibration", "branching", "per_scaled"),
    [
        (Calibration(units=CalibrationUnits.BQ_PER_CC, factor=2e5), 0.967, 2e5 / 0.967),
        (Calibration(units=CalibrationUnits.NCI_PER_CC, factor=4e3), 0.174, 4e3 / 0.174 * 37),
        (Calibration(units=CalibrationUnits.BQ_PER_CC, factor=2e5), None, 2e5),
        (Calibration(units=CalibrationUnits.BQ_PER_CC, factor=2e5), 1.7, 2e5),
        (Calibration(units=CalibrationUnits.UNKNOWN, factor=2e5), 0.967, 1),
        (Calibration(units=CalibrationUnits.NCI_PER_CC, factor=0.0), 0.967, 1),
    ],
)
def test_truth_is_held_in_every_unit(
    tmp_path: Path, calibration: Calibration, branching: float | None, per_scaled: float
) -> None:
    scan = replace(PET, calibration=calibration, tracer=replace(PET.tracer, branching_fraction=branching))
    image = read(write_scan(tmp_path / "a.img", scan).data)
    scale = image.frames[1].scale_factor
    assert scale is not None
    np.testing.assert_allclose(image.voxels(1).astype(float) * scale * per_scaled, truth_of(scan, 1), rtol=2.0**-22)
    np.testing.assert_allclose(image.values(1), truth_of(scan, 1), rtol=2.0**-22)


def test_the_syringe_is_on_the_left(tmp_path: Path) -> None:
    scan = replace(PET, shape=(41, 29, 57), spacing_mm=(1.1, 1.3, 1.7), orientation=Orientation.HFDR)
    values = read(write_scan(tmp_path / "a.img", scan).data).values(2)
    syringe = centres(scan)[np.isclose(values, 3.1e5)]  # the only activity that stays what it is
    assert len(syringe) > 5
    assert syringe[:, 0].min() > 14  # +x is left, outside the body


@pytest.mark.parametrize(
    ("point", "name"),
    [
        ((0.0, 2.3, 25.1), "brain"),
        ((1.5, -0.3, 8.3), "blood"),
        ((1.5, -0.3, 11.5), "myocardium"),
        ((4.6, 0.8, 9.1), "lung"),
        ((-4.5, 0.7, 8.2), "lung"),
        ((-4.0, 0.0, -2.0), "liver"),
        ((5.8, -0.6, -7.1), "stomach"),
        ((-6.3, 3.0, -8.9), "kidney cortex"),
        ((6.5, 3.1, -13.4), "kidney cortex"),
        ((0.3, -1.1, -27.3), "bladder"),
        ((-11.0, 3.5, -16.0), "tumour"),
        ((16.3, 1.6, -3.1), "syringe"),
        ((-16.3, 1.6, -3.1), "air"),
        ((0.0, 60.0, 0.0), "air"),
    ],
)
def test_organs_are_where_an_anatomist_looks_for_them(point: tuple[float, float, float], name: str) -> None:
    names = ["air", *(tissue.name for tissue in MOUSE.tissues)]
    assert names[int(MOUSE.labels(point))] == name


@pytest.mark.parametrize(("start", "stop"), [(0, 15), (45, 60), (300, 900), (3000, 3600)])
def test_frame_means_are_integrals_of_the_curves(start: float, stop: float) -> None:
    steps = 20_000
    time = start + (np.arange(steps) + 0.5) * (stop - start) / steps + MOUSE.injected_before_s
    for tissue, mean in zip(MOUSE.tissues, MOUSE.activity_of_labels(start, stop)[1:], strict=True):
        curve = sum((term.amplitude_bqml * np.exp(-term.rate_per_s * time) for term in tissue.curve), np.zeros(steps))
        assert np.all(curve >= 0)
        assert mean == pytest.approx(curve.mean(), rel=1e-6)  # the midpoint rule's own error is below 1e-8


def test_activities_follow_a_plausible_course() -> None:
    def course(point: tuple[float, float, float]) -> list[float]:
        return [float(MOUSE.activity(point, start, start + 10)) for start in (0, 60, 300, 1200, 3590)]

    blood, brain, bladder = course((1.5, -0.3, 8.3)), course((0.0, 2.3, 25.1)), course((0.3, -1.1, -27.3))
    assert blood == sorted(blood, reverse=True)
    assert brain[1:] == sorted(brain[1:])  # after the blood's bolus has passed
    assert bladder == sorted(bladder)
    assert bladder[0] < blood[0] / 10
    assert bladder[-1] > blood[-1] * 10


@pytest.mark.parametrize("start", [0, 60, 600, 1800, 3000])
def test_activity_is_about_what_was_injected(start: float) -> None:
    whole = replace(PET_SCAN, shape=(28, 25, 70), spacing_mm=(1.66, 1.66, 1.66))
    activity = MOUSE.activity(centres(whole), start, start + 60)
    injected = header_of(PET).tracer.dose_bq
    assert injected is not None
    assert 0.7 < activity.sum() * 1.66**3 / 1000 / injected < 1  # the rest has left the modelled blood and organs


def test_truth_of_a_moment_is_that_of_a_frame_of_nothing() -> None:
    point = (0.0, 2.3, 25.1)
    assert MOUSE.activity(point, 100, 100) == pytest.approx(MOUSE.activity(point, 100, 100.001), rel=1e-5)


def test_points_of_any_shape() -> None:
    points = np.zeros((4, 1, 5, 3))
    assert MOUSE.hounsfield(points).shape == MOUSE.activity(points, 0, 1).shape == (4, 1, 5)
    assert MOUSE.hounsfield(np.zeros((0, 3))).shape == (0,)


def test_a_later_ellipsoid_replaces_an_earlier_one() -> None:
    muscle, brain = (next(t for t in MOUSE.tissues if t.name == name) for name in ("muscle", "brain"))
    outer = Ellipsoid(muscle, (0, 0, 0), (9, 9, 9))
    inner = Ellipsoid(brain, (2, 0, 0), (2, 3, 5), tilt_deg=90)  # its long axis lies along +x
    both = Mouse(anatomy=(outer, inner))
    points = [(2, 0, 0), (6.9, 0, 0), (7.1, 0, 0), (2, 0, 1.9), (2, 0, 2.1), (2, 2.9, 0), (2, 3.1, 0), (0, 0, 9.1)]
    expected = [brain, brain, muscle, brain, muscle, brain, muscle]
    assert both.hounsfield(points).tolist() == [*(tissue.hounsfield for tissue in expected), -1000]
    assert Mouse(anatomy=(inner, outer)).hounsfield(points[0]) == muscle.hounsfield


def test_tilt_turns_the_head_end_to_the_left() -> None:
    tissue = MOUSE.tissues[0]
    tilted = Mouse(anatomy=(Ellipsoid(tissue, (0, 0, 0), (1, 1, 10), tilt_deg=30),))
    left_and_right = tilted.hounsfield([(4, 0, 4 * math.sqrt(3)), (-4, 0, 4 * math.sqrt(3))])
    assert left_and_right.tolist() == [tissue.hounsfield, -1000]


def test_what_is_read_is_the_header_that_was_written(tmp_path: Path) -> None:
    for scan in (PET, CT):
        pair = write_scan(tmp_path / f"{scan.modality.name}.img", scan)
        header, findings = parse(pair.header.read_bytes())
        assert header == replace(header_of(scan), file_name=pair.data.name)
        assert findings == ()


def test_headers_have_the_scanners_dialect(tmp_path: Path) -> None:
    lines = write_scan(tmp_path / "m.pet.img", PET).header.read_text("utf-8").split("\n")
    assert "# Header file for data file m.pet.img" in lines[:3]
    assert sum(line.startswith("#") for line in lines) > 200
    assert lines.count("end_of_header") == 1 + len(FRAMES)
    assert "scan_time Tue Jun 17 13:52:07 2014" in lines
    assert "gmt_scan_time Tue Jun 17 18:52:07 2014" in lines
    assert "injection_time Tue Jun 17 13:51:37 2014" in lines


def test_scale_factors_hold_decay_and_dead_time() -> None:
    decay = math.log(2) / 6586.2
    frames = header_of(PET).frames
    for frame, (start, duration) in zip(frames, FRAMES, strict=True):
        expected = decay * duration * math.exp(decay * start) / (1 - math.exp(-decay * duration))
        assert frame.decay_correction == pytest.approx(expected, rel=1e-9)
        assert (frame.deadtime_correction or 0) > 1
        assert frame.scale_factor == pytest.approx(expected * (frame.deadtime_correction or 0) / duration, rel=1e-9)
        assert frame.trues == (frame.prompts or 0) - (frame.delays or 0) > 0
    assert all(one.scale_factor != other.scale_factor for one, other in pairwise(frames))


@pytest.mark.parametrize("data_type", [DataType.FLOAT32_BE, DataType.INT16_LE])
def test_extremes_are_those_of_the_stored_values(tmp_path: Path, data_type: DataType) -> None:
    image = read(write_scan(tmp_path / "a.img", replace(PET, data_type=data_type)).data)
    for index, frame in enumerate(image.frames):
        assert (frame.minimum, frame.maximum) == (image.voxels(index).min(), image.voxels(index).max())


@pytest.mark.parametrize("one_token", [False, True])
def test_frames_can_lie_apart(tmp_path: Path, one_token: bool) -> None:
    scan = replace(PET, first_offset=512, gap=96, one_token_pointers=one_token)
    pair = write_scan(tmp_path / "a.img", scan)
    frame_bytes = 13 * 9 * 17 * 4
    assert pair.data.stat().st_size == 512 + 3 * frame_bytes + 2 * 96
    pointer = f"\ndata_file_pointer {'' if one_token else '0 '}{512 + frame_bytes + 96}\n"
    assert pointer.encode() in pair.header.read_bytes()
    assert_holds_truth(read(pair.data), scan)


def test_text_can_be_of_windows_and_of_the_last_century(tmp_path: Path) -> None:
    subject = replace(PET.subject, identifier="Käfig 7")
    scan = replace(PET, newline="\r\n", encoding="latin-1", subject=subject)
    pair = write_scan(tmp_path / "a.img", scan)
    data = pair.header.read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") > 200
    assert "Käfig 7".encode("latin-1") in data
    assert read(pair.data).header.subject.identifier == "Käfig 7"


def test_the_caller_has_the_last_word_on_the_header(tmp_path: Path) -> None:
    def gated(header: Header) -> Header:
        return replace(header, study="gated", frames=tuple(replace(f, gate=f.index) for f in header.frames))

    header = read(write_scan(tmp_path / "a.img", PET, change=gated).data).header
    assert header.study == "gated"
    assert [frame.gate for frame in header.frames] == [0, 1, 2]


def test_an_injection_long_before_the_scan(tmp_path: Path) -> None:
    late = Mouse(injected_before_s=2700)
    header = read(write_scan(tmp_path / "a.img", PET, mouse=late).data).header
    assert header.tracer.injection_time is not None
    assert header.acquisition.scan_time is not None
    assert (header.acquisition.scan_time - header.tracer.injection_time).total_seconds() == 2700
    assert header.tracer.injection_decay_correction == pytest.approx(math.exp(math.log(2) * 2700 / 6586.2))
    assert late.activity((0, 2.3, 25.1), 0, 60) == MOUSE.activity((0, 2.3, 25.1), 2670, 2730)


def test_the_same_files_come_out_every_time(tmp_path: Path) -> None:
    pairs = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        pairs.append(write_scan(tmp_path / name / "a.img", PET))
    one, other = pairs
    assert one.header.read_bytes() == other.header.read_bytes()
    assert one.data.read_bytes() == other.data.read_bytes()


@pytest.mark.parametrize("existing", ["a.img", "a.img.hdr"])
def test_nothing_is_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious", "utf-8")
    with pytest.raises(OutputError, match=rf"{existing}: exists already and is not overwritten"):
        write_scan(tmp_path / "a.img", PET)
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text("utf-8") == "precious"


def test_folders_that_cannot_be_written_are_typed_errors(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_scan(tmp_path / "nowhere" / "a.img", PET)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        write_study(tmp_path / "file" / "study")


@pytest.mark.parametrize(
    "scan",
    [
        replace(PET, modality=Modality.UNKNOWN),
        replace(PET, gates=0),
        replace(PET, beds=()),
        replace(SPECT, energy_windows=0),
        replace(PET, energy_windows=2),
        replace(CT, mu_map=True),
        replace(PET, mu_map=True),  # dynamic
        replace(MU_MAP, gates=2),
    ],
)
def test_scans_that_cannot_be_are_typed_errors_and_leave_nothing(tmp_path: Path, scan: PhantomScan) -> None:
    with pytest.raises(OptionError, match="expected"):
        write_scan(tmp_path / "a.img", scan)
    assert not list(tmp_path.iterdir())


def by_hand(pair: Pair) -> tuple[Header, npt.NDArray[np.generic], npt.NDArray[np.float64]]:
    """Return the header, and stored and scaled values of its frame blocks, (n, nz, ny, nx), without the reader."""
    header, findings = parse(pair.header.read_bytes())
    assert findings == ()
    array, frames = header.array, header.frames
    assert array.data_type is not None
    shape = (array.z or 0, array.y or 0, array.x or 0)
    kind, size = NUMPY_TYPES[array.data_type], math.prod(shape)
    stored = np.stack([np.fromfile(pair.data, kind, size, offset=f.data_offset or 0).reshape(shape) for f in frames])
    scales = np.array([f.scale_factor for f in frames], dtype=float).reshape(-1, 1, 1, 1)
    return header, stored, stored * scales


@pytest.mark.parametrize("scan", KINDS.values(), ids=KINDS)
def test_every_kind_of_scan_is_read_as_it_was_written(tmp_path: Path, scan: PhantomScan) -> None:
    pair = write_scan(tmp_path / "a.img", replace(scan, gap=32))
    header, _, _ = by_hand(pair)
    assert header == replace(header_of(replace(scan, gap=32)), file_name="a.img")
    blocks = len(scan.beds) * scan.energy_windows * len(scan.frames) * scan.gates
    assert (header.total_frames, header.time_frames) == (blocks, len(scan.frames))
    assert [frame.index for frame in header.frames] == list(range(blocks))
    block_bytes = math.prod(scan.shape) * scan.dtype.itemsize
    assert [frame.data_offset for frame in header.frames] == [n * (block_bytes + 32) for n in range(blocks)]
    assert pair.data.stat().st_size == blocks * (block_bytes + 32) - 32


@pytest.mark.parametrize("data_type", [DataType.FLOAT32_LE, DataType.INT16_LE, DataType.INT8], ids=str)
@pytest.mark.parametrize("scan", KINDS.values(), ids=KINDS)
def test_no_two_blocks_are_alike(tmp_path: Path, scan: PhantomScan, data_type: DataType) -> None:
    _, stored, scaled = by_hand(write_scan(tmp_path / "a.img", replace(scan, data_type=data_type)))
    for values in (stored, scaled):
        assert len({block.tobytes() for block in values}) == len(values)


def test_beds_are_slowest_then_windows_then_times_then_gates(tmp_path: Path) -> None:
    scan = replace(SPECT, frames=frames_of(60, 600), energy_windows=2, gates=2, beds=(300.0, 317.2))
    header, _, _ = by_hand(write_scan(tmp_path / "a.img", scan))
    got = [(f.bed, f.energy_window, f.start_s, f.duration_s, f.gate) for f in header.frames]
    times = {0: ((0, 60), (60, 600)), 1: ((660, 60), (720, 600))}
    assert got == [(bed, w, *time, gate) for bed in (0, 1) for w in (0, 1) for time in times[bed] for gate in (0, 1)]


def test_gated_scans_say_so(tmp_path: Path) -> None:
    header, _, _ = by_hand(write_scan(tmp_path / "a.img", GATED))
    assert header.acquisition_mode is AcquisitionMode.GATED
    assert header.gating == Gating(
        inputs=1,
        bins=(GateBins(1, 3, 0.18, 0.26),),
        descriptions=(GateDescription(1, "respiration, pneumatic pillow"),),
    )
    cardiac = GateBins(1, 8, 0.1, -1.0)
    other = header_of(replace(GATED, gate_bins=(cardiac,), gate_description="ECG"))
    assert (other.gating.bins, other.gating.descriptions) == ((cardiac,), (GateDescription(1, "ECG"),))
    assert header_of(PET).gating == Gating()
    gated_ct, gated_spect = header_of(KINDS["gated CT"]), header_of(KINDS["gated SPECT"])
    assert (gated_ct.acquisition_mode, gated_ct.ct.gating) == (AcquisitionMode.CT, 1)
    assert gated_spect.acquisition_mode is AcquisitionMode.SPECT
    assert gated_ct.gating.inputs == gated_spect.gating.inputs == 1


def test_gates_hold_a_breathing_mouse(tmp_path: Path) -> None:
    _, _, scaled = by_hand(write_scan(tmp_path / "a.img", GATED))
    for index, values in enumerate(scaled):
        (start, duration), gate = GATED.frames[index // 3], index % 3
        truth = MOUSE.in_gate(gate).activity(centres(GATED), start, start + duration)
        np.testing.assert_allclose(values * FACTOR, truth, rtol=2.0**-22)


def test_breathing_moves_the_organs_at_the_diaphragm_alone() -> None:
    assert MOUSE.in_gate(0) == MOUSE
    brain, syringe, kidney_top = (0.0, 2.3, 25.1), (16.3, 1.6, -3.1), (-5.6, 3.0, -4.9)
    names = ["air", *(tissue.name for tissue in MOUSE.tissues)]
    breathing = MOUSE.in_gate(3)
    liver = (-2.6, -0.9, -1.7)
    points = [brain, syringe, liver]
    ratios = breathing.activity(points, 0, 60) / MOUSE.activity(points, 0, 60)
    assert ratios.tolist() == [pytest.approx(1.06), 1, 1]
    at_rest, moved = (
        [names[int(label)] for label in mouse.labels([brain, syringe, kidney_top])] for mouse in (MOUSE, breathing)
    )
    assert at_rest == ["brain", "syringe", "kidney cortex"]
    assert moved == ["brain", "syringe", "liver"]
    lower = (kidney_top[0], kidney_top[1], kidney_top[2] - 3 * 0.37)
    assert names[int(breathing.labels(lower))] == "kidney cortex"


def test_a_gates_counts_are_its_share() -> None:
    whole, gated = header_of(replace(PET, frames=frames_of(60))), header_of(replace(PET, frames=frames_of(60), gates=3))
    assert [(f.gate, f.start_s, f.duration_s) for f in gated.frames] == [(0, 0, 60), (1, 0, 60), (2, 0, 60)]
    assert gated.frames[0].trues == pytest.approx((whole.frames[0].trues or 0) / 3, abs=1)
    assert gated.frames[0].scale_factor == pytest.approx((whole.frames[0].scale_factor or 0) * 3)


@pytest.mark.parametrize("orientation", Orientation)
def test_a_bed_further_in_shows_what_lies_further_along_z(tmp_path: Path, orientation: Orientation) -> None:
    planes = 4
    beds = (312.5, 312.5 + planes * CT.spacing_mm[2], 312.5 - planes * CT.spacing_mm[2])
    _, _, (first, further, back) = by_hand(
        write_scan(tmp_path / "a.img", replace(CT, beds=beds, orientation=orientation))
    )
    np.testing.assert_array_equal(first, truth_of(replace(CT, orientation=orientation)))
    np.testing.assert_array_equal(further[:-planes], first[planes:])
    np.testing.assert_array_equal(back[planes:], first[:-planes])
    assert len(np.unique(first)) > 8


def test_a_landmark_moves_against_the_bed(tmp_path: Path) -> None:
    scan = replace(CT, beds=(300.0, 305.4))
    _, _, (first, second) = by_hand(write_scan(tmp_path / "a.img", scan))
    z_mm = [np.mean(np.argwhere(values == 42)[:, 0]) * scan.spacing_mm[2] for values in (first, second)]  # the brain's
    assert z_mm[1] == pytest.approx(z_mm[0] - 5.4)


def test_beds_follow_each_other(tmp_path: Path) -> None:
    header, _, scaled = by_hand(write_scan(tmp_path / "a.img", BEDS))
    assert (header.bed.motion, header.bed.positions) == (BedMotion.STEP_AND_SHOOT, 2)
    assert header.acquisition_mode is AcquisitionMode.DYNAMIC
    assert header.geometry.image_ref_shift_mm == PET.shift_mm
    assert [(f.bed, f.bed_offset_mm) for f in header.frames] == [(0, 300), (0, 300), (1, 317.2), (1, 317.2)]
    assert all(f.ending_bed_offset_mm == f.bed_offset_mm for f in header.frames)
    assert [(f.start_s, f.duration_s) for f in header.frames] == [(0, 20), (20, 40), (60, 20), (80, 40)]
    decay = math.log(2) / 6586.2
    expected = decay * 40 * math.exp(decay * 80) / (1 - math.exp(-decay * 40))
    assert header.frames[3].decay_correction == pytest.approx(expected)
    truth = MOUSE.activity(centres(BEDS) - np.array([0, 0, 17.2]), 80, 120)  # z runs towards the feet
    np.testing.assert_allclose(scaled[3] * FACTOR, truth, rtol=2.0**-22)


def test_a_bed_in_continuous_motion(tmp_path: Path) -> None:
    header, stored, _ = by_hand(write_scan(tmp_path / "a.img", replace(PET, continuous=True)))
    assert (header.acquisition_mode, header.bed.motion) == (AcquisitionMode.CONTINUOUS_BED, BedMotion.CONTINUOUS)
    assert [(f.bed_offset_mm, f.ending_bed_offset_mm) for f in header.frames] == [(312.5, 372.5)] * len(FRAMES)
    at_rest = by_hand(write_scan(tmp_path / "b.img", PET))
    assert (at_rest[0].bed.motion, at_rest[0].bed.positions) == (BedMotion.STATIC, 1)
    np.testing.assert_array_equal(stored, at_rest[1])


@pytest.mark.parametrize("data_type", DataType)
def test_mu_maps_hold_attenuation(tmp_path: Path, data_type: DataType) -> None:
    header, stored, scaled = by_hand(write_scan(tmp_path / "a.img", replace(MU_MAP, data_type=data_type)))
    step = header.frames[0].scale_factor or 0 if stored.dtype.kind == "i" else 0.0
    assert step or header.frames[0].scale_factor == 1
    np.testing.assert_allclose(scaled[0], MOUSE.attenuation(centres(MU_MAP)), rtol=2.0**-23, atol=step * 0.51)


def test_mu_maps_say_so(tmp_path: Path) -> None:
    header, _, _ = by_hand(write_scan(tmp_path / "a.img", MU_MAP))
    assert (header.modality, header.file_type) == (Modality.PET, enums.FileType.MU_MAP)
    assert header.acquisition_mode is AcquisitionMode.EMISSION
    assert header.calibration == Calibration(units=CalibrationUnits.UNKNOWN, factor=0.0)
    assert header.tracer == Tracer()
    assert header.corrections.decay is False
    (frame,) = header.frames
    assert (frame.decay_correction, frame.deadtime_correction, frame.trues) == (None, None, None)


def test_attenuation_is_that_of_tissues_at_511_kev() -> None:
    names = ["air", *(tissue.name for tissue in MOUSE.tissues)]
    attenuation = dict(zip(names, MOUSE.attenuation_of_labels(), strict=True))
    assert attenuation["air"] == 0
    assert attenuation["lung"] == pytest.approx(0.096 * 0.54)
    assert attenuation["muscle"] == pytest.approx(0.0985)
    assert attenuation["bone"] == pytest.approx(0.128)
    assert max(attenuation, key=lambda name: attenuation[name]) == "tooth"


def test_spects_say_what_they_are(tmp_path: Path) -> None:
    header, _, _ = by_hand(write_scan(tmp_path / "a.img", SPECT_SCAN))
    assert (header.modality, header.acquisition_mode) == (Modality.SPECT, AcquisitionMode.SPECT)
    assert header.model is enums.Model.INVEON_MM
    assert (header.tracer.isotope, header.tracer.half_life_s) == ("Tc-99m", 21624.12)
    assert header.tracer.compound == "tetrofosmin"
    assert header.calibration == Calibration(units=CalibrationUnits.UNKNOWN, factor=0.0)
    assert header.corrections.decay is False
    detector, gantry = header.detector, header.gantry
    assert (detector.panels, detector.lower_energy_kev, detector.upper_energy_kev) == (2, 126, 154)
    assert gantry.rotation is enums.GantryRotation.STEPS
    assert gantry.direction is enums.RotationDirection.CLOCKWISE
    assert (gantry.start_deg, gantry.stop_deg, gantry.projections, gantry.revolutions) == (0, 354, 60, 1)
    assert [value for _, value in gantry.projection_angles_deg] == list(range(0, 360, 6))
    assert [value for _, value in gantry.projection_durations] == [30] * 60


def test_spects_are_not_corrected_for_decay_unless_asked(tmp_path: Path) -> None:
    scan = KINDS["dynamic SPECT"]
    header, _, scaled = by_hand(write_scan(tmp_path / "a.img", scan))
    assert [frame.event_type for frame in header.frames] == [enums.EventType.SINGLES] * 2
    assert [frame.decay_correction for frame in header.frames] == [1, 1]
    assert [frame.scale_factor for frame in header.frames] == [1 / 60, 1 / 600]
    assert header.gantry.revolutions == 2
    rate = math.log(2) / 21624.12
    left = (math.exp(-rate * 60) - math.exp(-rate * 660)) / (rate * 600)
    truth = MOUSE.activity(centres(scan), 60, 660)
    np.testing.assert_allclose(scaled[1], truth * left, rtol=2.0**-22)
    corrected, _, values = by_hand(write_scan(tmp_path / "b.img", replace(scan, decay_corrected=True)))
    assert corrected.corrections.decay is True
    assert corrected.frames[1].decay_correction == pytest.approx(1 / left)
    np.testing.assert_allclose(values[1], truth, rtol=2.0**-22)
    assert corrected.frames[1].trues == pytest.approx(header.frames[1].trues, abs=1)  # what was measured is the same


def test_energy_windows_see_ever_less(tmp_path: Path) -> None:
    scan = replace(SPECT, energy_windows=3)
    header, _, (first, second, third) = by_hand(write_scan(tmp_path / "a.img", scan))
    density = 1 + MOUSE.hounsfield(centres(scan)) / 1000
    np.testing.assert_allclose(second, first * density / 2, rtol=2.0**-22)
    np.testing.assert_allclose(third, second * density / 2, rtol=2.0**-22)
    counts = [frame.trues or 0 for frame in header.frames]
    assert 0.4 < counts[1] / counts[0] < 0.6
    assert [frame.energy_window for frame in header.frames] == [0, 1, 2]


# What `read` takes as it is: it is no matter of reading, or is looked at by those who use it.
UNNOTICED = {
    Defect.NAN_VOXELS,
    Defect.ESCAPE_SEQUENCE,
    Defect.SIGNED_LOW_POINTER,
    Defect.STALE_EXTREMES,
    Defect.STALE_FILE_NAME,
    Defect.NO_SCAN_TIME,
    Defect.IMPOSSIBLE_TIME_ZONE,
    Defect.SINOGRAM,
    Defect.NO_WEIGHT,
}


@pytest.mark.parametrize("defect", Defect, ids=lambda defect: defect.name)
def test_every_defect_ends_in_a_typed_error_or_a_finding(tmp_path: Path, defect: Defect) -> None:
    if defect is Defect.SIGNED_LOW_POINTER and sys.platform == "win32":
        pytest.skip("no sparse files")
    pair = write_scan(tmp_path / "a.img", PET, defects=[defect])
    assert bool(_noticed(pair)) == (defect not in UNNOTICED)


def _noticed(pair: Pair) -> tuple[Finding, ...] | InveonError:
    try:
        return read(pair.data if pair.data.exists() else pair.header).findings
    except InveonError as error:
        return error


IN_TWO_FILES = Defect.SIGNED_LOW_POINTER


@pytest.mark.parametrize("defect", [d for d in Defect if d is not IN_TWO_FILES], ids=lambda defect: defect.name)
def test_every_defect_changes_one_file(tmp_path: Path, defect: Defect) -> None:
    (tmp_path / "good").mkdir()
    good = write_scan(tmp_path / "good" / "a.img", replace(PET, newline="\r\n"))
    bad = write_scan(tmp_path / "a.img", replace(PET, newline="\r\n"), defects=[defect])
    changed = [not b.exists() or g.read_bytes() != b.read_bytes() for g, b in zip(paths(good), paths(bad), strict=True)]
    assert sum(changed) == 1


def paths(pair: Pair) -> tuple[Path, Path]:
    return pair.header, pair.data


@pytest.mark.skipif(sys.platform == "win32", reason="no sparse files")
def test_frames_beyond_two_gigabytes_have_a_negative_low_word(tmp_path: Path) -> None:
    pair = write_scan(tmp_path / "a.img", PET, defects=[Defect.SIGNED_LOW_POINTER])
    assert b"data_file_pointer 0 -2147483648\n" in pair.header.read_bytes()
    assert_holds_truth(read(pair.data), PET)


def test_not_finite_voxels_are_in_the_last_frame(tmp_path: Path) -> None:
    for data_type in (DataType.FLOAT32_LE, DataType.FLOAT32_BE):
        pair = write_scan(tmp_path / f"{data_type}.img", replace(PET, data_type=data_type), defects=[Defect.NAN_VOXELS])
        image = read(pair.data)
        assert [int((~np.isfinite(image.voxels(n).astype(float))).sum()) for n in range(3)] == [0, 0, 3]


def test_defects_add_up(tmp_path: Path) -> None:
    pair = write_scan(tmp_path / "a.img", PET, defects=[Defect.NO_WEIGHT, Defect.LONG_DATA, Defect.NO_ORIENTATION])
    image = read(pair.data)
    assert {finding.key for finding in image.findings} == {None, "subject_orientation"}
    assert image.header.subject.weight == 0


@pytest.mark.parametrize(
    ("scan", "defect"),
    [
        (replace(PET, data_type=DataType.INT16_LE), Defect.NAN_VOXELS),
        (replace(PET, frames=frames_of(60)), Defect.OVERLAPPING_FRAMES),
        (CT, Defect.NO_CALIBRATION),
    ],
)
def test_a_defect_that_does_not_fit_is_an_error_and_leaves_nothing(
    tmp_path: Path, scan: PhantomScan, defect: Defect
) -> None:
    with pytest.raises(OptionError, match=defect.name):
        write_scan(tmp_path / "a.img", scan, defects=[defect])
    assert not list(tmp_path.iterdir())


def test_the_demo_is_a_ct_and_a_dynamic_pet_of_one_animal(tmp_path: Path) -> None:
    ct, pet = (read(pair.data) for pair in write_study(tmp_path / "new" / "study"))
    assert (ct.pair.name, pet.pair.name) == ("mouse_ct1_v1.ct.img", "mouse_fdg_v1.pet.img")
    assert (ct.modality, pet.modality) == (Modality.CT, Modality.PET)
    assert ct.header.subject == pet.header.subject
    assert len(pet.frames) == 16
    assert sum(frame.duration_s or 0 for frame in pet.frames) == 3600
    assert sum(path.stat().st_size for path in (tmp_path / "new" / "study").iterdir()) < 60e6
    for image, scan in ((ct, CT_SCAN), (pet, PET_SCAN)):
        some = (slice(3, None, 17), slice(2, None, 7), slice(1, None, 5))
        start, stop = scan.frames[-1].start_s, scan.frames[-1].stop_s
        points = centres(scan)[some]
        truth = MOUSE.hounsfield(points) if image is ct else MOUSE.activity(points, start, stop)
        np.testing.assert_allclose(image.values(len(scan.frames) - 1)[some], truth, rtol=2.0**-22)


def test_a_genuine_ct_is_of_joined_beds_with_blanks_and_placeholders(tmp_path: Path) -> None:
    scan = replace(CT, genuine=True)
    pair = write_scan(tmp_path / "a.ct.img", scan)
    lines = pair.header.read_text("utf-8").splitlines()
    for line in (
        "version 002.000",
        "manufacturer  ",
        "institution  ",
        "transformation_matrix  ",
        "time_frames 0",
        "bed_motion 2",
        "number_of_bed_positions 2",
        "calibration_units 3",
        "number_of_projections 181",
        "projection 180 360",
        "detector_panel -1",
        "energy_window -1",
        "bed 2",
        "frame_duration 186",
        "scale_factor 1.00000",
        "minimum -32767",
        "maximum 32767",
    ):
        assert line in lines, line
    assert lines.count("end_of_header") == 2
    assert lines.index("# Header file for data file a.ct.img") < lines.index("version 002.000")
    image = read(pair.data)
    assert {finding.severity for finding in image.findings} <= {Severity.INFO}
    np.testing.assert_array_equal(image.values(0), read(write_scan(tmp_path / "b.ct.img", CT).data).values(0))
    assert spelled(image.header) == pair.header.read_bytes()


def test_a_genuine_pet_counts_in_three_numbers(tmp_path: Path) -> None:
    plain, genuine = (
        read(write_scan(tmp_path / name, scan).data)
        for name, scan in {"a.pet.img": PET, "b.pet.img": replace(PET, genuine=True)}.items()
    )
    frames = [line for line in genuine.pair.header.read_text("utf-8").splitlines() if line.startswith("prompts ")]
    assert [line.split()[1:3] for line in frames] == [["0", "0"]] * len(PET.frames)
    for one, other in zip(plain.frames, genuine.frames, strict=True):
        assert (other.prompts, other.delays, other.trues) == (one.prompts, one.delays, one.trues)
        assert (other.scale_factor, other.decay_correction) == (one.scale_factor, one.decay_correction)
    assert genuine.findings == ()
    assert replace(genuine.header.tracer) == plain.header.tracer
    assert genuine.header.subject == plain.header.subject


def test_genuine_lines_end_as_they_are_asked_to(tmp_path: Path) -> None:
    text = write_scan(tmp_path / "a.pet.img", replace(PET, genuine=True, newline="\r\n")).header.read_bytes()
    assert text.count(b"\n") == text.count(b"\r\n")
    assert b"\r\nmanufacturer  \r\n" in text


def test_labels_on_a_grid_are_labels_of_its_points(tmp_path: Path) -> None:
    scan = replace(CT_SCAN, shape=(64, 48, 160), spacing_mm=(0.5, 0.5, 0.5), orientation=Orientation.FFDL)
    image = read(write_scan(tmp_path / "a.img", scan).data)
    np.testing.assert_array_equal(MOUSE.labels_on(image.grid), MOUSE.labels(centres(scan)))


@pytest.mark.debian
@pytest.mark.parametrize(
    "scan",
    [
        *(replace(PET, data_type=data_type) for data_type in DataType),
        *(replace(CT, data_type=data_type) for data_type in DataType),
        replace(PET, frames=frames_of(600), newline="\r\n"),
        replace(PET, gap=64),
        replace(PET, calibration=Calibration(units=CalibrationUnits.BQ_PER_CC, factor=2e5)),
    ],
    ids=lambda scan: f"{scan.modality.name}-{scan.data_type.name}-{len(scan.frames)}-{scan.gap}",
)
def test_medcon_reads_the_same_values(tmp_path: Path, tool: Tool, scan: PhantomScan) -> None:
    pair = write_scan(tmp_path / "a.img", scan)
    options = ["-fb-conc", "-n", "-qc", "-c", "nifti", "-o", "out"]  # -n keeps what is below 0, -qc uses all factors
    subprocess.run([tool("medcon"), "-f", pair.header.name, *options], cwd=tmp_path, check=True, capture_output=True)
    nifti = nibabel.Nifti1Image.from_filename(tmp_path / "out.nii")
    assert nifti.shape == (*scan.shape, len(scan.frames), 1)
    assert np.linalg.norm(nifti.header["pixdim"][1:4] - np.array(scan.spacing_mm)) < 1e-6
    values = nifti.get_fdata()[..., 0]
    in_bqml = 37 if scan.calibration.units is CalibrationUnits.NCI_PER_CC and scan.modality is Modality.PET else 1
    image = read(pair.data)
    for index, frame in enumerate(image.frames):
        assert frame.scale_factor is not None
        step = image.scaling.factors[index] if scan.dtype.kind == "i" else 0.0
        truth = truth_of(scan, index).transpose()
        np.testing.assert_allclose(values[..., index] * in_bqml, truth, rtol=1e-6, atol=0.51 * step)


@pytest.mark.debian
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "SPECT windows"])  # it reads the first one alone
def test_medcon_reads_every_kind_of_scan(tmp_path: Path, tool: Tool, kind: str) -> None:
    scan = KINDS[kind]

    def for_medcon(header: Header) -> Header:  # which takes the number of inputs for that of gates
        return replace(header, gating=replace(header.gating, inputs=scan.gates)) if scan.gates > 1 else header

    pair = write_scan(tmp_path / "a.img", scan, change=for_medcon)
    options = ["-fb-conc", "-n", "-qs", "-c", "nifti", "-o", "out"]  # -qs uses the scale factor alone
    subprocess.run([tool("medcon"), "-f", pair.header.name, *options], cwd=tmp_path, check=True, capture_output=True)
    values = nibabel.Nifti1Image.from_filename(tmp_path / "out.nii").get_fdata()
    _, _, scaled = by_hand(pair)
    np.testing.assert_allclose(values.T.reshape(scaled.shape), scaled, rtol=1e-6)  # it has beds as further slices
