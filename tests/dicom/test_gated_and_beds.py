"""Gates, bed positions and what is both: which series and frames they become, with their times and places."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from conftest import Measures
from contract import (
    CT,
    PET,
    SPECT,
    STATIC,
    check_places,
    check_values,
    errors_in,
    files_of,
    groups_of,
    in_file_order,
    planes_of,
    reversed_blocks,
    sources_of,
    validated,
)
from inveonimaging import HeaderError, Options, UnsupportedError, convert, verify
from inveonimaging.conversion.job import StudyResult
from inveonimaging.conversion.plan import plan
from inveonimaging.dicom.iods import Form
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.inveon.hdr.values import GateBins, GateDescription
from inveonimaging.phantom import Mouse, PhantomScan, frames_of, write_scan
from inveonimaging.study.corrections import BedDirection
from truth import Truth, truth_of

Change = Callable[[Header], Header]
Converted = Callable[..., "Study"]

GATED = replace(PET, shape=(5, 4, 3), spacing_mm=(5.5, 5.0, 17.0), frames=STATIC, gates=4)
CARDIAC = replace(GATED, gate_description="ECG R-wave")
BEDS = replace(PET, shape=(5, 4, 6), spacing_mm=(5.5, 5.0, 8.0), frames=frames_of(60.0, 540.0), beds=(312.5, 345.25))


class Study:
    """A converted scan, with the truth of its file."""

    def __init__(self, truth: Truth, result: StudyResult) -> None:
        self.truth = truth
        self.findings = {finding.code for finding in result.all_findings}
        folders = [each.folder for each in result.series]
        assert folders == [str(number) for number in range(1, len(folders) + 1)]
        self.series = [
            [pydicom.dcmread(file) for file in files_of(Path(result.output), number)]
            for number in range(1, len(folders) + 1)
        ]


@pytest.fixture
def converted(tmp_path: Path) -> Converted:
    """Return a function that writes a scan, converts it and reads what was written."""
    numbers = iter(range(100))

    def convert_scan(scan: PhantomScan, change: Change | None = None, **options: object) -> Study:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        write_scan(folder / "a.img", scan, change=change)
        (result,) = convert(folder / "a.img", folder / "out", Options(**options))  # type: ignore[arg-type]
        return Study(truth_of(folder / "a.img"), result)

    return convert_scan


def gates_of(study: Study) -> list[int]:
    """Return the gate of each slice of the first series, by the truth's blocks."""
    sources = sources_of(study.series[0], study.truth)
    return [int(study.truth.frames[frame]["gate"]) for frame, _ in sources]


ORDERS = pytest.mark.parametrize("change", [None, reversed_blocks], ids=["as written", "from last to first"])
FORMS = pytest.mark.parametrize(  # with single frames in the order of the file, the others in an order of their own
    ("form", "change"), [(Form.CLASSIC, None), (Form.CLASSIC, reversed_blocks), (Form.ENHANCED, reversed_blocks)]
)


# Gates.


@ORDERS
@pytest.mark.parametrize("description", ["ECG R-wave", "respiration, pneumatic pillow", "input A"])
def test_classic_gates_have_their_trigger_times(converted: Converted, description: str, change: Change | None) -> None:
    study = converted(replace(GATED, gate_description=description), change)
    (series,) = study.series
    assert study.truth.main["gate_bins"] == "1 4 0.18 0.26"
    for ds, gate in zip(series, gates_of(study), strict=True):
        assert list(ds.SeriesType) == ["GATED", "IMAGE"]
        assert (ds.NumberOfRRIntervals, ds.NumberOfTimeSlots, ds.NumberOfSlices) == (1, 4, 3)
        assert ds.TriggerSourceOrType == description
        assert float(ds.FrameTime) == 55  # a quarter of 220, the middle of 180 and 260
        assert float(ds.TriggerTime) == (0, 55, 110, 165)[gate]
    in_space = sorted(series, key=lambda ds: (ds.TriggerTime, -ds.SliceLocation))  # which runs against the normal
    assert [ds.ImageIndex for ds in in_space] == list(range(1, 13))


@ORDERS
def test_enhanced_cardiac_gates_have_delay_percentage_and_interval(converted: Converted, change: Change | None) -> None:
    study = converted(CARDIAC, change, form=Form.ENHANCED)
    ((ds,),) = study.series
    assert (ds.CardiacSynchronizationTechnique, ds.CardiacSignalSource) == ("RETROSPECTIVE", "ECG")
    assert (ds.CardiacBeatRejectionTechnique, ds.CardiacFramingType) == ("RR_INTERVAL", "PCNT")
    assert (ds.LowRRValue, ds.HighRRValue, ds.CardiacRRIntervalSpecified) == (180, 260, 220)
    assert "RespiratorySignalSource" not in ds
    assert [dimension.DimensionIndexPointer for dimension in ds.DimensionIndexSequence][2] == 0x00209153
    for groups, gate in zip(groups_of(ds), gates_of(study), strict=True):
        item = groups["CardiacSynchronizationSequence"]
        assert item.NominalCardiacTriggerDelayTime == (0, 55, 110, 165)[gate]
        assert item.NominalPercentageOfCardiacPhase == (0, 25, 50, 75)[gate]
        assert item.RRIntervalTimeNominal == 220
        assert groups["FrameContentSequence"].TemporalPositionIndex == gate + 1
        assert "RespiratorySynchronizationSequence" not in groups


@ORDERS
def test_enhanced_respiratory_gates_have_delay_percentage_and_interval(
    converted: Converted, change: Change | None
) -> None:
    study = converted(GATED, change, form=Form.ENHANCED, cycle_ms=600.0)
    ((ds,),) = study.series
    assert (ds.RespiratoryMotionCompensationTechnique, ds.RespiratorySignalSource) == ("RETROSPECTIVE", "UNKNOWN")
    assert "CardiacSignalSource" not in ds
    for groups, gate in zip(groups_of(ds), gates_of(study), strict=True):
        item = groups["RespiratorySynchronizationSequence"]
        assert item.NominalRespiratoryTriggerDelayTime == (0, 150, 300, 450)[gate]
        assert item.NominalPercentageOfRespiratoryPhase == (0, 25, 50, 75)[gate]
        assert item.RespiratoryIntervalTime == 600
        assert "CardiacSynchronizationSequence" not in groups


def test_gates_of_who_knows_are_distinguished_by_position_in_time_alone(converted: Converted) -> None:
    study = converted(replace(GATED, gate_description="input A"), form=Form.ENHANCED)
    ((ds,),) = study.series
    assert "gate-trigger-unknown" in study.findings
    assert not [element.keyword for element in ds if re.match("Cardiac|Respiratory", element.keyword)]
    for groups, gate in zip(groups_of(ds), gates_of(study), strict=True):
        assert not {"CardiacSynchronizationSequence", "RespiratorySynchronizationSequence"} & groups.keys()
        assert groups["FrameContentSequence"].DimensionIndexValues[2] == gate + 1


def test_the_cycle_can_be_given(converted: Converted) -> None:
    assert "gate-times-nominal" in converted(CARDIAC).findings
    study = converted(CARDIAC, cycle_ms=140.0)
    assert "gate-times-nominal" not in study.findings
    (series,) = study.series
    assert [float(ds.TriggerTime) for ds in series] == [35.0 * gate for gate in gates_of(study)]
    assert {float(ds.FrameTime) for ds in series} == {35.0}


def test_of_several_gate_inputs_the_one_with_as_many_bins_counts(converted: Converted) -> None:
    def with_two_inputs(header: Header) -> Header:
        bins = (GateBins(1, 8, 0.5, 0.7), GateBins(2, 4, 0.1, 0.14))
        texts = (GateDescription(1, "pillow"), GateDescription(2, "ECG"))
        return replace(header, gating=replace(header.gating, inputs=2, bins=bins, descriptions=texts))

    (series,) = converted(CARDIAC, with_two_inputs).series
    assert {ds.TriggerSourceOrType for ds in series} == {"ECG"}
    assert {float(ds.FrameTime) for ds in series} == {30.0}  # a quarter of 120 ms


@FORMS
def test_gates_of_an_unknown_cycle_become_a_series_each(
    converted: Converted, measures: Measures, form: Form, change: Change | None
) -> None:
    study = converted(replace(CARDIAC, gate_bins=(GateBins(1, 4, -1, -1),)), change, form=form)
    assert "gate-cycle-unknown" in study.findings
    assert len(study.series) == 4
    for gate, series in enumerate(study.series):
        check(series, study.truth.part(gate=gate), measures)
        assert series[0].SeriesDescription.endswith(f"gate {gate}")
        if form is Form.CLASSIC:
            assert {tuple(ds.SeriesType) for ds in series} == {("STATIC", "IMAGE")}
            assert all("TriggerTime" not in ds and "NumberOfTimeSlots" not in ds for ds in series)
    assert_one_space(study)


@pytest.mark.parametrize("limits", [(-1.0, -1.0), (0.18, -1.0), (-1.0, 0.26), (0.0, 0.26), (0.26, 0.18)])
def test_a_cycle_without_two_limits_must_be_given(converted: Converted, limits: tuple[float, float]) -> None:
    scan = replace(CARDIAC, shape=(1, 1, 1), gate_bins=(GateBins(1, 4, *limits),))
    assert len(converted(scan).series) == 4
    (series,) = converted(scan, cycle_ms=200.0).series
    assert sorted(float(ds.TriggerTime) for ds in series) == [0, 50, 100, 150]


@FORMS
def test_gates_of_time_frames_become_a_series_for_each_time_frame(
    converted: Converted, measures: Measures, form: Form, change: Change | None
) -> None:
    study = converted(replace(CARDIAC, gates=3, frames=frames_of(60.0, 540.0)), change, form=form)
    assert len(study.series) == 2
    for number, (series, start) in enumerate(zip(study.series, (0, 60), strict=True), 1):
        truth = study.truth.part(frame_start=start)
        assert len(truth.frames) == 3
        check(series, truth, measures)
        assert series[0].SeriesDescription.endswith(f"time frame {number}")
        assert (series[0].SeriesDate, series[0].SeriesTime) == ("20140617", "135207")
        if form is Form.CLASSIC:
            assert {ds.AcquisitionTime for ds in series} == {("135207", "135307")[number - 1]}
            assert {tuple(ds.SeriesType) for ds in series} == {("GATED", "IMAGE")}
            gates = [int(truth.frames[frame]["gate"]) for frame, _ in in_file_order(truth)]
            assert [float(ds.TriggerTime) for ds in series] == pytest.approx([gate * 220 / 3 for gate in gates])
        else:
            (ds,) = series
            starts = {groups["FrameContentSequence"].FrameAcquisitionDateTime for groups in groups_of(ds)}
            assert starts == {("20140617135207", "20140617135307")[number - 1]} == {ds.AcquisitionDateTime}
            assert ds.AcquisitionDuration == (60, 540)[number - 1]
    assert_one_space(study)


def test_gates_that_share_no_time_frames_are_series_of_their_own(converted: Converted) -> None:
    """The first gate lacks the last of three time frames, and the second one lacks the first."""

    def without_the_corners(header: Header) -> Header:
        lost = {(0, 60.0), (1, 0.0)}
        kept = tuple(frame for frame in header.frames if (frame.gate, frame.start_s) not in lost)
        return replace(header, frames=kept, total_frames=4, time_frames=2)

    study = converted(replace(CARDIAC, gates=2, frames=frames_of(20.0, 40.0, 60.0)), without_the_corners)
    assert len(study.series) == 2


# Bed positions.


@pytest.mark.parametrize(
    ("orientation", "direction"),
    list(zip(Orientation, cycle([None, BedDirection.REVERSE, BedDirection.FORWARD]), strict=False)),
)
def test_each_bed_position_is_a_series_at_its_own_place(
    converted: Converted, measures: Measures, orientation: Orientation, direction: BedDirection | None
) -> None:
    study = converted(replace(BEDS, frames=STATIC, orientation=orientation), bed_direction=direction)
    assert ("bed-direction-assumed" in study.findings) == (direction is None)
    sign = -1 if direction is BedDirection.REVERSE else 1
    check_beds(study, sign, measures)
    origins = [{tuple(plane.position) for plane in planes_of(series)} for series in study.series]
    moved = study.truth.axes @ [0, 0, sign * 32.75]  # 345.25 - 312.5
    assert origins[1] == {tuple(np.round(np.add(origin, moved), 9)) for origin in origins[0]}


@FORMS
def test_bed_positions_are_distinguished_by_their_keys(
    converted: Converted, measures: Measures, form: Form, change: Change | None
) -> None:
    check_beds(converted(BEDS, change, form=form), 1, measures)


def check_beds(study: Study, sign: int, measures: Measures) -> None:
    assert len(study.series) == 2
    for bed, series in enumerate(study.series):
        check(series, study.truth.part(sign, bed=bed), measures)
        assert series[0].SeriesDescription.endswith(f"bed {bed}")
    assert_one_space(study)


def test_bed_positions_start_when_they_start(converted: Converted) -> None:
    study = converted(BEDS)
    for bed, series in enumerate(study.series):
        truth = study.truth.part(bed=bed)
        assert truth.start(0) == bed * 600
        for ds, (frame, _) in zip(series, in_file_order(truth), strict=True):
            assert ds.AcquisitionTime == f"{truth.start_time(frame):%H%M%S}"
            assert float(ds.FrameReferenceTime) == pytest.approx(truth.reference_time_ms(frame), abs=1e-3)
        assert {ds.SeriesTime for ds in series} == {"135207"}


@pytest.mark.parametrize("orientation", [Orientation.FFP, Orientation.HFDR, Orientation.HFS])
def test_what_two_beds_see_is_at_one_place_in_the_patient(converted: Converted, orientation: Orientation) -> None:
    """Beds 24 mm apart, three slices of 8 mm: where they overlap, both show the same animal, and where it is."""
    scan = replace(CT, shape=(14, 13, 9), spacing_mm=(2.3, 2.1, 8.0), beds=(312.5, 336.5), orientation=orientation)
    first, second = (hounsfield(series) for series in converted(scan).series)
    both = first.keys() & second.keys()
    assert len(both) == 14 * 13 * 6
    seen = [first[place] for place in both]
    assert len(set(seen)) > 8, "not air alone"
    assert seen == [second[place] for place in both]
    truth = Mouse().hounsfield_of_labels()[Mouse().labels(np.array(sorted(first)))]
    assert [first[place] for place in sorted(first)] == truth.tolist()

    first, second = (hounsfield(series) for series in converted(scan, bed_direction=BedDirection.REVERSE).series)
    assert [first[place] for place in both & second.keys()] != [second[place] for place in both & second.keys()]


def hounsfield(series: list[FileDataset]) -> dict[tuple[float, ...], float]:
    """Return the value at each place in the patient, mm."""
    values = {}
    for plane in planes_of(series):
        for j, i in np.ndindex(plane.stored.shape):
            values[tuple(np.round(plane.place(i, j), 6))] = float(plane.stored[j, i]) * float(plane.slope)
    return values


@pytest.mark.parametrize("index", [0, 1])
def test_a_bed_position_without_an_offset_is_refused(converted: Converted, index: int) -> None:
    def without(header: Header) -> Header:
        frames = list(header.frames)
        frames[index] = replace(frames[index], bed_offset_mm=None)
        return replace(header, frames=tuple(frames))

    with pytest.raises(HeaderError, match=rf"bed_offset of frame {index} is missing"):
        converted(replace(BEDS, frames=STATIC), without)


def test_one_bed_position_is_where_the_file_says_whatever_its_offset(converted: Converted, measures: Measures) -> None:
    study = converted(replace(BEDS, beds=(123.4,)))
    assert "bed-direction-assumed" not in study.findings
    check(study.series[0], study.truth, measures)


# Products that do not fit.


def without_the_last_block(header: Header) -> Header:
    return replace(header, frames=header.frames[:-1], total_frames=len(header.frames) - 1)


def with_the_second_like_the_first(header: Header) -> Header:
    first, second, *rest = header.frames
    keys = {key: getattr(first, key) for key in ("start_s", "gate", "bed", "energy_window")}
    return replace(header, frames=(first, replace(second, **keys), *rest))


GATED_DYNAMIC = replace(CARDIAC, gates=3, frames=frames_of(60.0, 540.0))
SAME = r"frames 0 and 1 have the same frame_start, gate, bed and energy_window"
INCOMPLETE: dict[
    str, tuple[PhantomScan, Change, list[tuple[int, ...]], str]
] = {  # the frames of each series, and the finding
    "a gate of a time frame is missing": (GATED_DYNAMIC, without_the_last_block, [(0, 3), (1, 4), (2,)], ""),
    "a time frame of a bed is missing": (BEDS, without_the_last_block, [(0, 1), (2,)], ""),
    "an energy window of a time frame is missing": (
        replace(SPECT, frames=frames_of(60.0, 540.0), energy_windows=2),
        without_the_last_block,
        [(0, 1), (2,)],
        "",
    ),
    "a gate is missing": (
        CARDIAC,
        without_the_last_block,
        [(0,), (1,), (2,)],
        "gate_bins is 4, but the file holds 3 gates",
    ),
    "a time frame is missing": (
        PET,
        without_the_last_block,
        [(0, 1)],
        "time_frames is 3, but the file holds 2 time frames",
    ),
    "a bed position is missing": (
        replace(BEDS, frames=STATIC),
        without_the_last_block,
        [(0,)],
        "number_of_bed_positions is 2 and the file holds one",
    ),
    "time_frames": (
        PET,
        lambda header: replace(header, time_frames=4),
        [(0, 1, 2)],
        "time_frames is 4, but the file holds 3 time frames",
    ),
    "number_of_bed_positions": (
        BEDS,
        lambda header: replace(header, bed=replace(header.bed, positions=3)),
        [(0, 1), (2, 3)],
        "number_of_bed_positions is 3, but the file holds 2 bed positions",
    ),
    "gate_bins": (
        CARDIAC,
        lambda header: replace(header, gating=replace(header.gating, bins=(GateBins(1, 8, 0.18, 0.26),))),
        [(0,), (1,), (2,), (3,)],
        "gate_bins is 8, but the file holds 4 gates",
    ),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_blocks_decide_and_counts_that_differ_are_findings(tmp_path: Path, name: str) -> None:
    scan, change, series, message = INCOMPLETE[name]
    pair = write_scan(tmp_path / "a.img", scan, change=change)
    options = Options(allow_long_data=True)  # the data of a block that is missing are still there
    (study,) = plan(pair.data, tmp_path / "out", options)
    assert sorted(each.image.part.frames for each in study.series if each.image.part) == sorted(series)
    stale = [each for each in study.all_findings if each.code in ("count-stale", "beds-joined")]
    messages = [each.message for each in stale if each.key != "w_dimension"]  # which counts the blocks, too
    assert len(messages) == bool(message)
    assert message in "".join(messages)
    convert(pair.data, tmp_path / "out", options)
    assert verify(pair.data, tmp_path / "out").same


ALIKE: dict[str, tuple[PhantomScan, Change]] = {
    "two time frames": (PET, with_the_second_like_the_first),
    "two gates": (CARDIAC, with_the_second_like_the_first),
    "two beds": (replace(BEDS, frames=STATIC), with_the_second_like_the_first),
}


@pytest.mark.parametrize("name", ALIKE)
def test_blocks_that_nothing_distinguishes_are_refused(tmp_path: Path, name: str) -> None:
    scan, change = ALIKE[name]
    pair = write_scan(tmp_path / "a.img", scan, change=change)
    with pytest.raises(HeaderError) as refused:
        convert(pair.data, tmp_path / "out")
    assert SAME in str(refused.value)
    assert "--separate-frames" in str(refused.value)
    assert refused.value.line is not None
    assert pair.header.read_text().splitlines()[refused.value.line - 1].startswith("frame_start ")
    assert not (tmp_path / "out").exists()


def test_detector_panels_are_refused(converted: Converted) -> None:
    def of_two_panels(header: Header) -> Header:
        first, *rest = header.frames
        return replace(header, frames=(replace(first, detector_panel=1), *rest))

    with pytest.raises(UnsupportedError, match="detector_panel"):
        converted(PET, of_two_panels)


# All together.


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(  # each two of them together
    ("trigger", "beds", "frames"),
    [
        *(("", beds, frames) for beds in (1, 2) for frames in (1, 2)),
        *(
            ("ECG R-wave", 1, 1),
            ("ECG R-wave", 2, 2),
            ("pillow", 1, 2),
            ("pillow", 2, 1),
            ("input A", 1, 1),
            ("input A", 2, 2),
        ),
    ],
)
def test_dciodvfy_finds_no_error_in_any_product(
    tmp_path: Path, dciodvfy: str, beds: int, frames: int, trigger: str, form: Form
) -> None:
    gates = 3 if trigger else 1
    times, offsets = frames_of(*[60.0] * frames), (312.5, 345.25)[:beds]
    scan = replace(BEDS, shape=(3, 2, 2), frames=times, beds=offsets, gates=gates, gate_description=trigger)
    (result,) = write_and_convert(tmp_path, scan, form)
    assert len(result.series) == beds * (frames if gates > 1 else 1)
    options = () if form is Form.CLASSIC else ("-allpffgitems",)
    for series in result.series:
        file = files_of(Path(result.output), int(series.folder))[-1]
        assert not errors_in(validated(dciodvfy, file, *options))


def write_and_convert(folder: Path, scan: PhantomScan, form: Form) -> tuple[StudyResult, ...]:
    write_scan(folder / "a.img", scan)
    return convert(folder / "a.img", folder / "out", Options(form=form))


def check(series: list[FileDataset], truth: Truth, measures: Measures) -> None:
    """Compare values and places of a series with the truth of its part of the file."""
    planes, sources = planes_of(series), sources_of(series, truth)
    check_values(planes, truth, sources, measures)
    check_places(planes, truth, sources, measures)


def assert_one_space(study: Study) -> None:
    """Show that all series are of one study and one frame of reference, and otherwise their own."""
    instances = [ds for series in study.series for ds in series]
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        assert len({ds[keyword].value for ds in instances}) == 1
    assert len({ds.SeriesInstanceUID for ds in instances}) == len(study.series)
    assert len({ds.SOPInstanceUID for ds in instances}) == len(instances)
    assert [int(series[0].SeriesNumber) for series in study.series] == list(range(1, len(study.series) + 1))
