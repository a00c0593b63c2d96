"""`inveon check`: problems in files that are wrong on purpose, SUV readiness, remedies, terminal and JSON."""

from __future__ import annotations

import ast
import functools
import json
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement

import inveonimaging
from defects import Defect, write_scan
from helpers import CT, PET, ROOT, THIN_PET, assert_harmless, inveon, write_thin_study
from inveonimaging import Options, convert
from inveonimaging.checks import units
from inveonimaging.checks.checked import Checked, check_dicom, check_scan, unreadable
from inveonimaging.checks.marker import Side
from inveonimaging.checks.nuclides import NUCLIDES, nuclide_of
from inveonimaging.checks.readiness import State, SuvVerdict
from inveonimaging.dicom.codes import isotope_of
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom_reading.series import read_series
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import (
    ActivityUnits,
    Attenuation,
    DataType,
    FileType,
    Orientation,
    ReconAlgorithm,
    WeightUnits,
)
from inveonimaging.inveon.hdr.model import Calibration
from inveonimaging.inveon.hdr.values import GateBins
from inveonimaging.inveon.pairs import Pair, pair_of
from inveonimaging.phantom import PET_SCAN, SPECT_SCAN, FrameTime, PhantomScan, frames_of
from inveonimaging.phantom.scan import NCI_PER_CC
from inveonimaging.physics.quantification import Policy
from inveonimaging.remedies import plain, remedies
from inveonimaging.study.reading import read_study

NOW = datetime(2020, 1, 1)
STATIC = replace(THIN_PET, frames=frames_of(600.0))
SPECT = replace(SPECT_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4.0, 9.0))
Change = Callable[[Header], Header]


def looked_at(folder: Path, scan: PhantomScan = PET, *, now: datetime = NOW, **how: Any) -> Checked:
    pair = write_scan(folder / "m.pet.img", scan, **how)
    return checked_pair(pair, now)


def checked_pair(pair: Pair, now: datetime) -> Checked:
    study = read_study(pair.header)
    return check_scan(study.scans[0], (), now) if study.scans else unreadable(pair, study.errors[pair])


def codes(checked: Checked) -> set[str]:
    return {finding.code for finding in checked.findings}


def row(checked: Checked, attribute: str) -> Any:
    assert checked.suv is not None
    return next(row for row in checked.suv.rows if row.attribute == attribute)


def tracer(**values: Any) -> Change:
    return lambda header: replace(header, tracer=replace(header.tracer, **values))


def subject(**values: Any) -> Change:
    return lambda header: replace(header, subject=replace(header.subject, **values))


def scan_at(when: datetime | None) -> Change:
    return lambda header: replace(header, acquisition=replace(header.acquisition, scan_time=when))


def corrections(**values: Any) -> Change:
    return lambda header: replace(header, corrections=replace(header.corrections, **values))


def frame_times(*starts: float) -> Change:
    def change(header: Header) -> Header:
        frames = (replace(frame, start_s=at) for frame, at in zip(header.frames, starts, strict=True))
        return replace(header, frames=tuple(frames))

    return change


def drawn_up(before: float, residual: float) -> Change:
    return tracer(
        dose=190 / 37,
        half_life_s=6586.0,  # whole seconds, as the times have
        activity_units=ActivityUnits.MCI,
        activity_before_injection=before,
        activity_before_injection_time=datetime(2014, 6, 17, 13, 51, 37) - timedelta(seconds=6586),
        residual_activity=residual,
        residual_activity_time=datetime(2014, 6, 17, 13, 51, 37) + timedelta(seconds=6586),
        injection_time=datetime(2014, 6, 17, 13, 51, 37),
    )


# Headers: what is changed, the code, and what its message says.

HEADERS: dict[str, tuple[Change, str, str]] = {
    "no scan time": (scan_at(None), "scan-time-unknown", "missing"),
    "the epoch": (scan_at(datetime(1970, 1, 1)), "scan-time-unknown", "1970"),
    "an old scan": (scan_at(datetime(1999, 12, 31)), "scan-time-odd", "before there were"),
    "a scan to come": (scan_at(datetime(2020, 1, 3)), "scan-time-odd", "in the future"),
    "another name": (lambda h: replace(h, file_name=r"D:\data\other.img"), "file-renamed", "'other.img'"),
    "overlap": (frame_times(0, 15), "frames-overlap", "begins 5 s before"),
    "gap": (frame_times(0, 25), "frames-gap", "begins 5 s after"),
    "no species": (subject(genus=None), "species-unknown", "missing"),
    "no sex": (subject(sex="unknown"), "sex-unknown", "missing"),
    "unborn": (subject(date_of_birth="Jun 18 2014"), "birth-after-scan", "2014-06-18"),
    "kg for g": (subject(weight=24.6, weight_units=WeightUnits.KILOGRAM), "weight-implausible", "24600 g"),
    "1 g": (subject(weight=1.0), "weight-implausible", "the weight is 1 g, and a mouse has 3 to 100 g"),
    "no weight": (subject(weight=None), "weight-unknown", "missing"),
    "200 MBq": (tracer(dose=200.0, dose_units=ActivityUnits.MBQ), "dose-implausible", "200 MBq, and a mouse"),
    "0.02 MBq": (tracer(dose=0.02, dose_units=ActivityUnits.MBQ), "dose-implausible", "0.02 MBq"),
    "no dose": (tracer(dose=None), "dose-unknown", "missing"),
    "no injection": (tracer(injection_time=None), "injection-time-unknown", "missing"),
    "no half-life": (tracer(half_life_s=None), "half-life-unknown", "missing"),
    "another's half-life": (tracer(half_life_s=1221.8), "half-life-disagrees", "F-18 is 6586.2 s"),
    "another's fraction": (tracer(branching_fraction=0.1752), "branching-fraction-disagrees", "F-18 is 0.967"),
    "with its residual": (drawn_up(16.0, 0.5), "dose-disagrees", "259 MBq"),  # (16 / 2 - 2 * 0.5) * 37
    "within the scan": (
        tracer(injection_time=datetime(2014, 6, 17, 13, 52, 37)),
        "injection-within-scan",
        "30 s after",
    ),
    "at midnight": (tracer(injection_time=datetime(2014, 6, 17)), "injection-time-cut", "to the second"),
    "after the scan": (tracer(injection_time=datetime(2014, 6, 17, 13, 53, 8)), "injection-after-end", "after the end"),
    # 12 half-lives are 21.95 h
    "the day before": (tracer(injection_time=datetime(2014, 6, 16, 15, 52, 7)), "injection-long-before", "12 half"),
    "of copper, no fraction": (
        tracer(isotope="Cu-64", half_life_s=45721.0, branching_fraction=0.0),
        "branching-fraction-disagrees",
        "missing, and counted as 1, but that of Cu-64 is 0.1752",
    ),
    "no attenuation": (corrections(attenuation=Attenuation.NONE), "attenuation-not-corrected", "refuse"),
    "no decay": (corrections(decay=False), "decay-not-corrected", "refuse"),
    "decay who knows": (corrections(decay=None), "decay-not-corrected", "NONE"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_doubtful_headers_are_reported(tmp_path: Path, case: str) -> None:
    change, code, says = HEADERS[case]
    checked = looked_at(tmp_path, change=change)
    messages = [finding.message for finding in checked.findings if finding.code == code]
    assert any(says in message for message in messages), checked.findings
    assert code not in codes(looked_at(_fresh(tmp_path)))


def _fresh(folder: Path) -> Path:
    (folder / "sound").mkdir()
    return folder / "sound"


def test_a_sound_scan_is_not_doubtful(tmp_path: Path) -> None:
    for number, scan in enumerate((PET, STATIC, CT, SPECT)):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert codes(looked_at(folder, scan)) <= {"hounsfield-not-applied"}


def test_a_scan_of_today_is_not_in_the_future(tmp_path: Path) -> None:
    assert "scan-time-odd" not in codes(looked_at(tmp_path, now=datetime(2014, 6, 17, 2, 0)))


@pytest.mark.parametrize(
    ("species", "weight_g", "is_odd"),
    [
        ("Mus musculus", 150, True),
        ("Rattus norvegicus", 150, False),
        ("rat", 1500, True),
        ("New Zealand white rabbit", 3000, False),
        ("Callithrix jacchus", 350, False),
        ("", 25000, True),
    ],
)
def test_weights_are_those_of_the_species(tmp_path: Path, species: str, weight_g: float, is_odd: bool) -> None:
    checked = looked_at(tmp_path, change=subject(genus=species or None, weight=float(weight_g)))
    assert ("weight-implausible" in codes(checked)) is is_odd


def test_the_net_dose_is_that_at_the_injection(tmp_path: Path) -> None:
    # drawn up one half-life before: half of it; left over one half-life after: twice that
    image = inveonimaging.read(write_scan(tmp_path / "m.pet.img", PET, change=drawn_up(12.0, 0.5)).data)
    assert image.header.tracer.measured_dose_bq == pytest.approx((12.0 / 2 - 0.5 * 2) * 37e6, rel=1e-9)


@pytest.mark.parametrize(("fraction", "isotope"), [(0.0, "F-18"), (None, "unobtainium"), (1.5, "Cu-64")])
def test_values_that_were_not_divided_by_a_fraction_make_suv_doubtful(
    tmp_path: Path, fraction: float | None, isotope: str
) -> None:
    checked = looked_at(tmp_path, change=tracer(branching_fraction=fraction, isotope=isotope))
    assert "branching-fraction-odd" in {finding.code for finding in row(checked, "Units").findings}
    assert row(checked, "Units").state is State.DOUBTFUL


# An injection within the scan: the scan starts at 13:52:07.

START = datetime(2014, 6, 17, 13, 52, 7)
LONG = replace(PET, frames=frames_of(120, 120, 600))


@pytest.mark.parametrize("form", Form)
def test_an_injection_within_a_dynamic_scan_is_a_note(tmp_path: Path, form: Form) -> None:
    # 2 ** (208 s / 6586.2 s) is 1.0221321: 208 / 6586.2 = 0.03158118, times ln 2 is 0.02189041, of which exp
    change = tracer(injection_time=START + timedelta(seconds=208))
    expected = pytest.approx(24.6 / (7.03e6 * 1.0221321), rel=1e-6)
    checked = looked_at(tmp_path, LONG, change=change)
    files = written(_fresh(tmp_path), LONG, form, change=change)
    for each in (checked, check_dicom(read_series(files).series[0])):
        found = {finding.code: finding.severity.value for finding in each.findings}
        assert found.get("injection-within-scan") == "info"
        assert "warning" not in found.values()
        assert each.suv is not None
        assert each.suv.verdict is SuvVerdict.READY
        assert each.suv.suv_per_bqml == expected
        assert row(each, "Radiopharmaceutical Start DateTime").state is State.PRESENT
    image = inveonimaging.read(tmp_path / "m.pet.img")
    assert inveonimaging.suv(image, 2).max() == pytest.approx(image.values(2).max() * 24.6 / (7.03e6 * 1.0221321))


def test_an_injection_within_the_only_frame_is_a_warning(tmp_path: Path) -> None:
    checked = looked_at(tmp_path, STATIC, change=tracer(injection_time=START + timedelta(seconds=208)))
    assert "injection-after-start" in codes(checked)
    assert checked.suv is not None
    assert checked.suv.verdict is SuvVerdict.DOUBTFUL
    assert checked.suv.suv_per_bqml == pytest.approx(24.6 / (7.03e6 * 1.0221321), rel=1e-6)


def test_an_injection_within_the_scan_and_over_midnight(tmp_path: Path) -> None:
    late = replace(LONG, scan_time=datetime(2014, 6, 17, 23, 58, 52), utc_offset=timedelta(0))
    change = tracer(injection_time=datetime(2014, 6, 18, 0, 2, 20))  # 208 s later
    checked = altered(written(tmp_path, late, change=change), lambda _dataset, _number: None)
    assert {finding.severity.value for finding in checked.findings} == {"info"}
    assert checked.suv is not None
    assert checked.suv.suv_per_bqml == pytest.approx(24.6 / (7.03e6 * 1.0221321), rel=1e-6)


def test_suv_is_refused_after_the_end(tmp_path: Path) -> None:
    pair = write_scan(tmp_path / "m.pet.img", LONG, change=tracer(injection_time=START + timedelta(seconds=841)))
    with pytest.raises(inveonimaging.InputError, match="injection_time is after the end of the scan"):
        inveonimaging.suv(inveonimaging.read(pair.data))


@pytest.mark.parametrize(("left_over", "code"), [(0.0, None), (0.01, None), (1.0, "activity-before-injection")])
def test_frames_before_the_injection_hold_nothing(tmp_path: Path, left_over: float, code: str | None) -> None:
    def empty(stored: Any) -> Any:
        return np.concatenate([stored[:1] * left_over, stored[1:]])

    change = tracer(injection_time=START + timedelta(seconds=130))
    checked = with_voxels(tmp_path, empty, replace(LONG, data_type=DataType.FLOAT32_LE), change=change)
    found = {finding.code: finding.severity.value for finding in checked.findings}
    assert ("activity-before-injection" in found) is (code is not None)
    assert "warning" not in found.values()
    assert checked.suv is not None
    assert checked.suv.verdict is SuvVerdict.READY


# What it is that viewers refuse, and whether the formula holds all the same.
REFUSED: dict[str, tuple[PhantomScan, Change, str, bool]] = {
    "O-15, a day early": (
        STATIC,
        tracer(isotope="O-15", half_life_s=122.24, injection_time=datetime(2014, 6, 16, 13, 51, 37)),
        "Radiopharmaceutical Start DateTime",
        False,
    ),
    "another year": (
        STATIC,
        tracer(injection_time=datetime(2013, 6, 17, 13, 51, 37)),
        "Radiopharmaceutical Start DateTime",
        False,
    ),
    "after the end": (
        STATIC,
        tracer(injection_time=datetime(2014, 6, 17, 18, 53)),
        "Radiopharmaceutical Start DateTime",
        False,
    ),
    "not corrected for decay": (STATIC, corrections(decay=False), "Decay Correction", False),
    "not calibrated": (replace(STATIC, calibration=Calibration()), lambda header: header, "Units", False),
    "no attenuation": (STATIC, corrections(attenuation=Attenuation.NONE), "Corrected Image", True),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_ready_has_a_factor_only_if_the_formula_holds(tmp_path: Path, case: str) -> None:
    scan, change, attribute, holds = REFUSED[case]
    checked = looked_at(tmp_path, scan, change=change)
    assert checked.suv is not None
    assert checked.suv.verdict is SuvVerdict.NOT_READY
    assert row(checked, attribute).state is State.UNUSABLE
    assert (checked.suv.suv_per_bqml is not None) is holds


def test_a_dose_beyond_all_reason_is_not_ready(tmp_path: Path) -> None:
    checked = looked_at(tmp_path, change=tracer(dose=1e-320))
    assert checked.suv is not None
    assert (checked.suv.verdict, checked.suv.suv_per_bqml) == (SuvVerdict.NOT_READY, None)


@pytest.mark.parametrize(("before", "is_odd"), [(12.0, False), (16.0, True)])
def test_a_dose_with_its_residual_is_reported(tmp_path: Path, before: float, is_odd: bool) -> None:
    # 12 / 2 - 2 * 0.5 is 5 mCi, and 190 / 37 mCi is 5.135: 2.7 % more
    assert ("dose-disagrees" in codes(looked_at(tmp_path, change=drawn_up(before, 0.5)))) is is_odd


# Voxels.


def with_voxels(folder: Path, alter: Callable[[Any], Any], scan: PhantomScan = PET, **how: Any) -> Checked:
    """Check a scan whose stored values (frame, z, y, x) are changed."""
    pair = write_scan(folder / "m.img", scan, **how)
    stored = np.fromfile(pair.data, scan.dtype).reshape(len(scan.blocks), *scan.shape[::-1])
    alter(stored).astype(scan.dtype).tofile(pair.data)
    return checked_pair(pair, NOW)


def in_frame(number: int, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def changed(stored: Any) -> Any:
        copy = stored.copy()
        copy[number] = change(copy[number])
        return copy

    return changed


def wild(stored: Any) -> Any:
    copy = stored.copy()
    copy[0, 1, 2, 3] = 1e6 * copy.max()
    return copy


VOXELS: dict[str, tuple[PhantomScan, Callable[[Any], Any], str, str]] = {
    "all zero": (PET, lambda v: v * 0, "all-zero", "all voxels are 0"),
    "a frame zero": (PET, in_frame(1, lambda v: v * 0), "all-zero", "frames 1 are 0"),
    "constant": (PET, in_frame(0, lambda v: v * 0 + 3), "values-constant", "frames 0"),
    "twice the same": (PET, lambda v: v[[0, 0]], "frames-identical", "frames 1"),
    "NaN": (PET, in_frame(0, lambda v: np.where(v == v.max(), np.nan, v)), "not-finite", "NaN or infinite (frames 0)"),
    "negative": (PET, lambda v: v - 0.1 * v.max(), "activity-negative", "frames 0"),
    "too bright": (PET, lambda v: 20 * v, "activity-exceeds-dose", "MBq was left"),
    "other extremes": (PET, lambda v: 2 * v, "extremes-disagree", "minimum and maximum of frame 0"),
    "bytes turned about": (PET, lambda v: v.byteswap(), "data-type-implausible", "data_type 5 (float32, big endian)"),
    "a wild voxel": (PET, wild, "values-lost", "voxel (3, 2, 1) is"),
    "no air": (CT, lambda v: v + 1000, "hounsfield-odd", "air is not near -1000 HU: nearly all values are above"),
    "all air": (CT, lambda v: np.minimum(v, -900), "hounsfield-odd", "nothing but air"),
    "less than air": (CT, lambda v: v - 1000, "hounsfield-odd", "air is not near -1000 HU: many values are lower"),
}


@pytest.mark.parametrize("case", VOXELS)
def test_doubtful_voxels_are_reported(tmp_path: Path, case: str) -> None:
    scan, change, code, says = VOXELS[case]
    checked = with_voxels(tmp_path, change, scan)
    messages = [finding.message for finding in checked.findings if finding.code == code]
    assert len(messages) == 1, checked.findings
    assert says in messages[0]


def test_filtered_back_projection_may_be_negative(tmp_path: Path) -> None:
    def fbp(header: Header) -> Header:
        return replace(header, reconstruction=replace(header.reconstruction, algorithm=ReconAlgorithm.FBP))

    checked = with_voxels(tmp_path, lambda v: v - 0.1 * v.max(), PET, change=fbp)
    assert "activity-negative" not in codes(checked)


def test_a_frame_is_read_slab_by_slab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = looked_at(tmp_path, replace(PET, shape=(8, 7, 6)), defects=[Defect.NAN_VOXELS])
    monkeypatch.setattr("inveonimaging.study.image._SLAB_VOXELS", 56)  # one slice
    pair = pair_of(tmp_path / "m.pet.img")
    assert checked_pair(pair, NOW) == whole
    assert "not-finite" in codes(whole)


# The command: what a conversion finds is there, too.


def document(*arguments: object) -> tuple[int, dict[str, Any]]:
    result = inveon("check", *arguments, "--json")
    assert result.stderr == ""
    parsed: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, parsed


def all_findings(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [*found["findings"], *(finding for file in found["files"] for finding in file["findings"])]


def test_json_is_complete(tmp_path: Path) -> None:
    write_thin_study(tmp_path / "study")
    code, found = document(tmp_path / "study")
    assert code == 0
    assert (found["schema"], found["kind"]) == (1, "inveon")
    assert [file["modality"] for file in found["files"]] == ["CT", "PET"]
    assert set(found["files"][1]) == {"name", "path", "modality", "findings", "suv", "orientation_test"}
    assert found["files"][0]["suv"] is None
    suv = found["files"][1]["suv"]
    assert suv["verdict"] == "ready"
    assert suv["suv_per_bqml"] == pytest.approx(24.6 / (7.03e6 * 0.99684769), rel=1e-7)
    names = [row["name"] for row in suv["attributes"]]
    assert names == [
        "Units",
        "Corrected Image",
        "Decay Correction",
        "Series Date and Time",
        "Acquisition Date and Time",
        "Radiopharmaceutical Start DateTime",
        "Radiopharmaceutical Start Time",
        "Radionuclide Total Dose",
        "Radionuclide Half Life",
        "Patient's Weight",
    ]
    assert {row["state"] for row in suv["attributes"]} == {"present"}
    shared = next(finding for finding in found["findings"] if finding["code"] == "space-shared")
    assert shared["remedy"] == "check once whether they overlay correctly; --frame-of-reference separate if not"
    assert set(shared) == {"code", "severity", "message", "key", "line", "path", "means", "remedy"}


DEFECTS = [
    ([Defect.SHORT_DATA], "unreadable", "error"),
    ([Defect.LONG_DATA], "data-too-long", "error"),
    ([Defect.SINOGRAM], "not-convertible", "error"),
    ([Defect.NO_SCAN_TIME], "not-convertible", "error"),
    ([Defect.NO_WEIGHT], "subject-value-odd", "warning"),
    ([Defect.NO_CALIBRATION], "not-calibrated", "warning"),
    ([Defect.OTHER_DECAY], "decay-factor-disagrees", "warning"),
    ([Defect.NO_ORIENTATION], "orientation-unknown", "warning"),
    ([Defect.STALE_EXTREMES], "extremes-disagree", "info"),
    ([Defect.STALE_FILE_NAME], "file-renamed", "info"),
]


@pytest.mark.parametrize(("defects", "code", "severity"), DEFECTS)
def test_every_defect_is_a_finding_once(tmp_path: Path, defects: list[Defect], code: str, severity: str) -> None:
    write_scan(tmp_path / "m.pet.img", PET, defects=defects)
    exit_code, found = document(tmp_path)
    messages = [finding for finding in all_findings(found) if finding["code"] == code]
    assert [finding["severity"] for finding in messages] == [severity]
    assert messages[0]["remedy"]
    assert exit_code == (1 if severity == "error" else 0)


@pytest.mark.parametrize(
    "defect", [Defect.SINOGRAM, Defect.NO_SCAN_TIME, Defect.LONG_DATA, Defect.ZERO_SCALE_FACTOR], ids=str
)
def test_what_convert_refuses_is_never_ready(tmp_path: Path, defect: Defect) -> None:
    pair = write_scan(tmp_path / "m.pet.img", PET, defects=[defect])
    with pytest.raises(inveonimaging.InveonError):
        convert(pair.data, tmp_path / "dicom")
    code, found = document(tmp_path)
    suv = found["files"][0]["suv"]
    assert code == 1
    assert suv is None or (suv["verdict"], suv["suv_per_bqml"]) == ("not ready", None)


def test_what_is_reported_in_other_words_is_not_reported_again(tmp_path: Path) -> None:
    write_scan(tmp_path / "m.pet.img", PET, defects=[Defect.NO_WEIGHT])
    _, found = document(tmp_path)
    assert "weight-unknown" not in {finding["code"] for finding in all_findings(found)}
    assert found["files"][0]["suv"]["verdict"] == "not ready"


def test_one_bad_file_hides_nothing_of_the_others(tmp_path: Path) -> None:
    write_thin_study(tmp_path)
    write_scan(tmp_path / "n.pet.img", PET, defects=[Defect.SHORT_DATA])
    write_scan(tmp_path / "o.pet.img", PET, change=tracer(compound="a new one"))
    code, found = document(tmp_path)
    by_name = {file["name"]: {finding["code"] for finding in file["findings"]} for file in found["files"]}
    assert code == 1
    assert "unreadable" in by_name["n.pet.img"]
    assert "compound-not-coded" in by_name["o.pet.img"]


def test_several_animals_in_a_folder_keep_their_code(tmp_path: Path) -> None:
    write_thin_study(tmp_path)
    write_scan(tmp_path / "n.pet.img", PET, change=subject(identifier="another"))
    code, found = document(tmp_path)
    assert code == 1
    assert [each["code"] for each in found["findings"] if each["severity"] == "error"] == ["several-subjects"]


def test_exit_codes(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    write_scan(tmp_path / "odd" / "m.pet.img", PET, change=subject(weight=None))
    assert inveon("check", tmp_path / "odd").exit_code == 0
    assert inveon("check", tmp_path / "odd", "--strict").exit_code == 1
    (tmp_path / "sound").mkdir()
    write_scan(tmp_path / "sound" / "m.pet.img", PET)
    assert inveon("check", tmp_path / "sound", "--strict").exit_code == 0
    assert inveon("check", tmp_path / "sound" / "m.pet.img.hdr", "--flip", "q").exit_code == 2
    assert inveon("check", tmp_path / "nothing").exit_code == 1
    (tmp_path / "empty").mkdir()
    nothing = inveon("check", tmp_path / "empty")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert "neither Inveon nor DICOM files here" in nothing.stderr


# The terminal.


def test_the_terminal_shows_what_is_doubtful_and_what_to_do(tmp_path: Path) -> None:
    write_scan(tmp_path / "m.pet.img", PET, change=subject(weight=24.6, weight_units=WeightUnits.KILOGRAM))
    result = inveon("check", tmp_path)
    assert "weight-implausible" in result.stdout
    assert re.search(r"line \d+: the weight is 24600 g, and a mouse has 3 to 100 g", result.stdout)
    assert "-> --weight 24.6g; for many scans weight_g in a sheet (docs/how-to/subjects.md)" in result.stdout
    assert "SUV of m.pet.img: ready with doubts" in result.stdout
    assert result.stdout.endswith("0 errors, 1 warning, 0 notes\n")
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("columns", [30, 60, 80, 200])
def test_narrow_terminals_lose_nothing(tmp_path: Path, columns: int) -> None:
    write_scan(tmp_path / "m.pet.img", PET, change=subject(weight=None))
    result = inveon("check", tmp_path, columns=columns)
    tables = [line for line in result.stdout.splitlines() if line.startswith(("│", "┃", "┏", "└"))]
    assert tables
    assert max(map(len, tables)) <= columns
    letters = re.sub(r"[^a-z]", "", result.stdout.lower())
    assert "weightunknown" in letters


def test_colours_are_for_terminals_that_want_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scan(tmp_path / "m.pet.img", PET, change=subject(weight=None))
    assert "\x1b" not in inveon("check", tmp_path).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a terminal does
    assert "\x1b[33mwarning" in inveon("check", tmp_path).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search("\x1b\\[[0-9;]*3[0-7]m", inveon("check", tmp_path).stdout)


def test_header_text_is_inert(tmp_path: Path) -> None:
    change = subject(genus="[bold]mouse[/bold] \x1b[31m", identifier="[red]x[/red]", sex="\x1b]0;t\x07")
    write_scan(tmp_path / "m.pet.img", PET, change=change)
    assert_harmless(inveon("check", tmp_path).stdout)
    assert_harmless(inveon("check", tmp_path, "--json").stdout)


# DICOM.


@functools.cache
def converted(scan: PhantomScan, form: Form) -> dict[str, bytes]:
    """Return what the files hold that a scan becomes."""
    with tempfile.TemporaryDirectory() as folder:
        return {path.name: path.read_bytes() for path in written(Path(folder), scan, form, change=None)}


def written(folder: Path, scan: PhantomScan = THIN_PET, form: Form = Form.CLASSIC, **how: Any) -> list[Path]:
    dicom = folder / "dicom"
    if how:
        convert(write_scan(folder / "m.pet.img", scan, **how).data, dicom, Options(form=form))
    else:
        dicom.mkdir()
        for name, held in converted(scan, form).items():
            (dicom / name).write_bytes(held)
    return sorted(dicom.rglob("*.dcm"))


def altered(files: Iterable[Path], change: Callable[[Any, int], None]) -> Checked:
    paths = list(files)
    for number, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        change(dataset, number)
        dataset.save_as(path)
    return check_dicom(read_series(paths).series[0])


def put(**values: Any) -> Callable[[Any, int], None]:
    def change(dataset: Any, _number: int) -> None:
        for keyword, value in values.items():
            place = dataset.RadiopharmaceuticalInformationSequence[0] if keyword.startswith("Radio") else dataset
            if value is None:
                delattr(place, keyword)
            else:
                setattr(place, keyword, value)

    return change


def without_a_day(dataset: Any, _number: int) -> None:
    mode = pydicom.config.IGNORE
    doubtful = DataElement("RadiopharmaceuticalStartDateTime", "DT", "20149917135137", validation_mode=mode)
    dataset.RadiopharmaceuticalInformationSequence[0].add(doubtful)


def of_copper(dataset: Any, _number: int) -> None:
    tracer_item = dataset.RadiopharmaceuticalInformationSequence[0]
    tracer_item.RadionuclideCodeSequence[0].CodeMeaning = "^64^Copper"
    tracer_item.RadionuclideHalfLife = "45721"
    del tracer_item.RadionuclidePositronFraction
    dataset.DecayFactor = "1"


def differing(dataset: Any, number: int) -> None:
    dataset.PatientWeight = 0.0246 if number else 0.0346


DICOM: dict[str, tuple[Callable[[Any, int], None], str, str, State, SuvVerdict]] = {
    "no weight": (put(PatientWeight=None), "weight-unknown", "Patient's Weight", State.MISSING, SuvVerdict.NOT_READY),
    "weight in g": (
        put(PatientWeight="24.6"),
        "weight-implausible",
        "Patient's Weight",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "dose in MBq": (
        put(RadionuclideTotalDose="7.03"),
        "dose-implausible",
        "Radionuclide Total Dose",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "no dose": (
        put(RadionuclideTotalDose=None),
        "dose-unknown",
        "Radionuclide Total Dose",
        State.MISSING,
        SuvVerdict.NOT_READY,
    ),
    "half-life in min": (
        put(RadionuclideHalfLife="109.77"),
        "half-life-disagrees",
        "Radionuclide Half Life",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "counts": (put(Units="CNTS"), "not-calibrated", "Units", State.UNUSABLE, SuvVerdict.NOT_READY),
    "no ATTN": (
        put(CorrectedImage=["NORM", "DECY"]),
        "attenuation-not-corrected",
        "Corrected Image",
        State.UNUSABLE,
        SuvVerdict.NOT_READY,
    ),
    "no decay": (
        put(DecayCorrection="NONE"),
        "decay-not-corrected",
        "Decay Correction",
        State.UNUSABLE,
        SuvVerdict.NOT_READY,
    ),
    "saved again": (
        put(SeriesTime="170000"),
        "series-time-late",
        "Series Date and Time",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "no series time": (
        put(SeriesTime=None),
        "scan-time-unknown",
        "Series Date and Time",
        State.MISSING,
        SuvVerdict.NOT_READY,
    ),
    "of the day after": (
        put(SeriesDate="20140618"),
        "series-time-late",
        "Series Date and Time",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "of the day before": (
        put(SeriesDate="20140616"),
        "series-time-early",
        "Series Date and Time",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "injection cut to its date": (
        put(RadiopharmaceuticalStartDateTime="20140617"),
        "injection-time-cut",
        "Radiopharmaceutical Start DateTime",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "injection cut to its date, and nothing else": (
        put(RadiopharmaceuticalStartDateTime="20140617", RadiopharmaceuticalStartTime=None),
        "injection-time-cut",
        "Radiopharmaceutical Start DateTime",
        State.MISSING,
        SuvVerdict.NOT_READY,
    ),
    "injection cut to its hour, and nothing else": (
        put(RadiopharmaceuticalStartDateTime="2014061713", RadiopharmaceuticalStartTime=None),
        "injection-time-cut",
        "Radiopharmaceutical Start DateTime",
        State.MISSING,
        SuvVerdict.NOT_READY,
    ),
    "injection cut to its year": (
        put(RadiopharmaceuticalStartDateTime="2014"),
        "injection-time-unknown",
        "Radiopharmaceutical Start DateTime",
        State.MISSING,
        SuvVerdict.NOT_READY,
    ),
    "another hour": (
        put(RadiopharmaceuticalStartDateTime="2014061712"),
        "injection-times-disagree",
        "Radiopharmaceutical Start Time",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "kBq": (put(Units="KBQML"), "units-other", "Units", State.UNUSABLE, SuvVerdict.NOT_READY),
    "rates": (put(Units="CPS"), "not-calibrated", "Units", State.UNUSABLE, SuvVerdict.NOT_READY),
    "SUV": (put(Units="GML"), "already-suv", "Units", State.PRESENT, SuvVerdict.ALREADY),
    "SUV by surface in g/mL": (
        put(Units="GML", SUVType="BSA"),
        "suv-type-contradicts",
        "Units",
        State.DOUBTFUL,
        SuvVerdict.ALREADY,
    ),
    "two injections": (
        put(RadiopharmaceuticalStartTime="125137"),
        "injection-times-disagree",
        "Radiopharmaceutical Start Time",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "no time of injection, and none of its time alone": (
        put(RadiopharmaceuticalStartDateTime=None, RadiopharmaceuticalStartTime=None),
        "injection-time-unknown",
        "Radiopharmaceutical Start Time",
        State.MISSING,
        SuvVerdict.NOT_READY,
    ),
    "time of injection alone, of the day before": (
        put(RadiopharmaceuticalStartDateTime=None, RadiopharmaceuticalStartTime="231500"),
        "injection-after-end",
        "Radiopharmaceutical Start DateTime",
        State.MISSING,
        SuvVerdict.NOT_READY,
    ),
    "a date of injection that is none": (
        without_a_day,
        "injection-time-unknown",
        "Radiopharmaceutical Start DateTime",
        State.MISSING,
        SuvVerdict.NOT_READY,
    ),
    "copper, no fraction": (
        of_copper,
        "branching-fraction-disagrees",
        "Units",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
    "two weights": (differing, "series-mixed", "Patient's Weight", State.UNUSABLE, SuvVerdict.NOT_READY),
    "another decay": (
        put(DecayFactor="1.5"),
        "decay-factor-disagrees",
        "Decay Correction",
        State.DOUBTFUL,
        SuvVerdict.DOUBTFUL,
    ),
}


@pytest.mark.parametrize("case", DICOM)
def test_doubtful_dicom_is_reported(tmp_path: Path, case: str) -> None:
    change, code, attribute, state, verdict = DICOM[case]
    checked = altered(written(tmp_path), change)
    assert code in codes(checked)
    assert row(checked, attribute).state is state
    assert checked.suv is not None
    assert checked.suv.verdict is verdict


def test_decay_corrected_to_the_injection_is_ready(tmp_path: Path) -> None:
    checked = altered(written(tmp_path), put(DecayCorrection="ADMIN"))
    assert checked.suv is not None
    assert checked.suv.verdict is SuvVerdict.READY
    assert checked.suv.suv_per_bqml == pytest.approx(24.6 / 7.03e6, rel=1e-9)  # the dose is not decayed


def test_an_empty_start_time_is_not_called_present(tmp_path: Path) -> None:
    checked = altered(written(tmp_path), put(RadiopharmaceuticalStartTime=""))
    found = row(checked, "Radiopharmaceutical Start Time")
    assert (found.state.value, found.value) == ("not needed", "")  # the one with a date is there
    assert checked.suv is not None
    assert checked.suv.verdict is SuvVerdict.READY


def test_what_is_missing_is_reported_once(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path / "in")
    for path in study.glob("*.hdr"):
        path.write_bytes(re.sub(rb"\nsubject_weight .*", b"", path.read_bytes()))
    output = inveon("check", study).stdout
    assert output.count("the weight is missing") == 1
    [line] = (line for line in output.splitlines() if "Patient's Weight" in line)
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["Patient's Weight", "missing", "weight-unknown"]


def test_quantities_are_in_the_units_of_the_other_commands(tmp_path: Path) -> None:
    found = check_pair_rows(tmp_path)
    assert (found["Radionuclide Total Dose"], found["Patient's Weight"]) == ("7.03 MBq", "24.6 g")


def check_pair_rows(folder: Path) -> dict[str, str]:
    write_scan(folder / "a.pet.img", PET)
    checked = checked_pair(pair_of(folder / "a.pet.img"), NOW)
    assert checked.suv is not None
    return {row.attribute: row.value for row in checked.suv.rows}


def test_time_of_injection_alone_is_one_of_the_day_of_the_scan(tmp_path: Path) -> None:
    checked = altered(written(tmp_path), put(RadiopharmaceuticalStartDateTime=None))
    assert checked.suv is not None
    assert checked.suv.suv_per_bqml == pytest.approx(24.6 / (7.03e6 * 0.99684769), rel=1e-7)


@pytest.mark.parametrize(
    ("stated", "kind", "says"),
    [
        ("GML", None, "body weight"),
        ("GML", "BW", "body weight"),
        ("GML", "LBMJANMA", "lean body mass"),
        ("GML", "IBW", "ideal body weight"),
        ("CM2ML", "BSA", "body surface"),
        ("CM2ML", None, "body surface"),
    ],
)
def test_values_that_are_suv_already(tmp_path: Path, stated: str, kind: str | None, says: str) -> None:
    def change(dataset: Any, _number: int) -> None:
        dataset.Units = stated
        if kind:
            dataset.SUVType = kind
        del dataset.PatientWeight  # nothing hangs on it

    (finding,) = altered(written(tmp_path), change).findings
    assert (finding.code, finding.severity.value) == ("already-suv", "info")
    assert says in finding.message


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("g/ml{SUVbw}", ("GML", "BW")),
        ("g/ml{SUVlbm}", ("GML", "LBM")),
        ("cm2/ml{SUVbsa}", ("CM2ML", "BSA")),
        ("Bq/ml", ("BQML", None)),
        ("{propcounts}", ("PROPCNTS", None)),
    ],
)
def test_units_of_enhanced_pet(code: str, known: tuple[str, str | None]) -> None:
    assert units.of_code(code) == known


def test_units_are_known_as_people_write_them() -> None:
    assert units.suv_type("g/ml", None) == units.suv_type("G/ML", None) == "BW"
    assert units.suv_type("BQML", None) is None


@pytest.mark.parametrize(
    ("isotope", "half_life_s", "before", "percent"),
    [
        ("Cu-64", 45721.0, timedelta(hours=48), "5.6 %"),  # 2 ** (3600 / 45721) is 1.0561
        ("F-18", 6586.2, timedelta(hours=14), "46 %"),  # 2 ** (3600 / 6586.2) is 1.4606
        ("Cu-64", 45721.0, timedelta(hours=3), None),
        ("Na-22", 82105000.0, timedelta(hours=48), None),
    ],
)
def test_clocks_may_have_been_changed_in_a_night(
    tmp_path: Path, isotope: str, half_life_s: float, before: timedelta, percent: str | None
) -> None:
    change = tracer(isotope=isotope, half_life_s=half_life_s, injection_time=START - before)
    checked = looked_at(tmp_path, STATIC, change=change)
    messages = [finding for finding in checked.findings if finding.code == "clock-change-possible"]
    assert [percent in each.message for each in messages if percent] == ([True] if percent else [])
    assert bool(messages) is (percent is not None)
    assert all(each.severity.value == "info" for each in messages)


# Times that were altered or cut. All these scans were injected 30 s before 13:52:07, and 2 ** (-30 / 6586.2) is
# 0.99684769; calculate-suv and QIBA's pseudo-code have the same, or refuse.
SAME_FACTOR: dict[str, Callable[[Any, int], None]] = {
    "series time after the acquisition": put(SeriesTime="141234"),
    "series date of the day after": put(SeriesDate="20140618"),
    "series date of the day before": put(SeriesDate="20140616"),
    "series time in UTC, five hours earlier": put(SeriesTime="085207"),
    "no date of injection": put(RadiopharmaceuticalStartDateTime=None),
    "injection cut to its date": put(RadiopharmaceuticalStartDateTime="20140617"),
    "injection filled up with midnight": put(RadiopharmaceuticalStartDateTime="20140617000000.00"),
    "injection cut to its hour": put(RadiopharmaceuticalStartDateTime="2014061713"),
    "injection cut to its minute": put(RadiopharmaceuticalStartDateTime="201406171351"),
    "injection cut to its date, with a zone": put(RadiopharmaceuticalStartDateTime="20140617-0500"),
}


@pytest.mark.parametrize("case", SAME_FACTOR)
@pytest.mark.parametrize("scan", [STATIC, THIN_PET], ids=["static", "dynamic"])
def test_altered_times_do_not_change_the_factor(tmp_path: Path, case: str, scan: PhantomScan) -> None:
    checked = altered(written(tmp_path, scan), SAME_FACTOR[case])
    assert checked.suv is not None
    assert checked.suv.suv_per_bqml == pytest.approx(24.6 / (7.03e6 * 0.99684769), rel=1e-7)


def test_the_start_of_the_scan_is_counted_back_from_a_late_first_frame(tmp_path: Path) -> None:
    late = replace(THIN_PET, frames=frames_of(600, 20, 40)[1:])  # what is left of it starts 600 s after 13:52:07
    checked = altered(written(tmp_path, late), put(SeriesTime="180000", DecayFactor=None))
    assert checked.suv is not None
    assert checked.suv.suv_per_bqml == pytest.approx(24.6 / (7.03e6 * 0.99684769), rel=1e-5)


def test_what_ge_states_is_the_start_of_the_scan(tmp_path: Path) -> None:
    def of_ge(dataset: Any, _number: int) -> None:
        dataset.SeriesTime = "180000"
        del dataset.DecayFactor
        dataset.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20140617135137")

    checked = altered(written(tmp_path), of_ge)
    assert checked.suv is not None
    assert checked.suv.suv_per_bqml == pytest.approx(24.6 / 7.03e6, rel=1e-9)  # stated to have begun at the injection


@pytest.mark.parametrize(
    ("scan_time", "clock", "after_s"),
    [
        (datetime(2014, 6, 17, 0, 20), "235500", 1500),
        (datetime(2014, 6, 17, 23, 59, 30), "000010", -40),
        (datetime(2014, 6, 17, 14, 0), "010000", 46800),
    ],
)
def test_a_time_of_injection_without_a_date_beside_midnight(
    tmp_path: Path, scan_time: datetime, clock: str, after_s: float
) -> None:
    def without_date(dataset: Any, _number: int) -> None:
        put(RadiopharmaceuticalStartDateTime=None, RadiopharmaceuticalStartTime=clock)(dataset, 0)

    checked = altered(written(tmp_path, replace(PET, scan_time=scan_time)), without_date)
    assert ("injection-day-assumed" in codes(checked)) is (after_s < 40000)
    assert checked.suv is not None
    assert checked.suv.suv_per_bqml == pytest.approx(24.6 / (7.03e6 * 2 ** (-after_s / 6586.2)), rel=1e-7)


def test_enhanced_needs_no_series_time_and_no_true_one(tmp_path: Path) -> None:
    files = written(tmp_path, form=Form.ENHANCED)
    for change in (put(SeriesTime="180000"), put(SeriesDate=None, SeriesTime=None)):
        checked = altered(files, change)
        assert checked.suv is not None
        assert checked.suv.suv_per_bqml == pytest.approx(24.6 / (7.03e6 * 0.99684769), rel=1e-7)
        assert (checked.suv.verdict is SuvVerdict.READY) is ("series-time-late" not in codes(checked))


@pytest.mark.parametrize("form", Form)
def test_a_zone_of_the_injection_counts_where_the_other_times_have_one(tmp_path: Path, form: Form) -> None:
    def in_london(dataset: Any, _number: int) -> None:
        for place in dataset.iterall():
            if place.keyword == "RadiopharmaceuticalStartDateTime":
                place.value = "20140617185137+0000"  # 13:51:37 of the phantom's clock, which is five hours behind
            elif place.keyword == "RadiopharmaceuticalStartTime":
                place.value = None

    checked = altered(written(tmp_path, form=form), in_london)
    assert checked.suv is not None
    assert checked.suv.verdict is SuvVerdict.READY
    assert row(checked, "Radiopharmaceutical Start DateTime").value == "2014-06-17 13:51:37"
    assert checked.suv.suv_per_bqml == pytest.approx(24.6 / (7.03e6 * 0.99684769), rel=1e-7)


def test_enhanced_that_is_corrected_to_another_time_is_not_ready(tmp_path: Path) -> None:
    files = written(tmp_path, form=Form.ENHANCED)
    checked = altered(files, put(DecayCorrectionDateTime="20140617120000"))
    assert "decay-not-corrected" in codes(checked)
    assert row(checked, "Decay Correction DateTime").value == "2014-06-17 12:00:00"


def test_values_that_are_none_count_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ("writing_validation_mode", "reading_validation_mode"):
        monkeypatch.setattr(pydicom.config.settings, setting, pydicom.config.IGNORE)
    doubtful = {
        "RadiopharmaceuticalStartDateTime": "yesterday",
        "RadiopharmaceuticalStartTime": "9",
        "SeriesTime": "9999",
    }
    files = written(tmp_path)
    altered(files, put(**doubtful))
    for mode in (pydicom.config.WARN, pydicom.config.RAISE):
        monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", mode)
        assert {"scan-time-unknown", "injection-time-unknown"} <= codes(check_dicom(read_series(files).series[0]))


@pytest.mark.parametrize(
    "change",
    [put(PixelSpacing=["1"]), put(Rows=None), put(ImageOrientationPatient=["1", "0"]), put(ImagePositionPatient=None)],
)
def test_damaged_places_are_a_finding(tmp_path: Path, change: Callable[[Any, int], None]) -> None:
    files = written(tmp_path)
    altered(files, change)
    checked = check_dicom(read_series(files).series[0], Side.LEFT)
    assert codes(checked) == {"unreadable"}
    assert checked.findings[0].path in list(map(str, files))


def test_a_folder_of_dicom(tmp_path: Path) -> None:
    write_thin_study(tmp_path / "study")
    convert(tmp_path / "study", tmp_path / "dicom")
    code, found = document(tmp_path / "dicom")
    assert (code, found["kind"]) == (0, "dicom")
    assert [(file["modality"], file["suv"] and file["suv"]["verdict"]) for file in found["files"]] == [
        ("CT", None),
        ("PT", "ready"),
    ]
    one = min((tmp_path / "dicom" / "2").glob("*.dcm"))
    assert document(one)[1]["files"][0]["suv"]["verdict"] == "ready"
    assert "not looked at" in inveon("check", tmp_path / "dicom").stdout


def test_a_mu_map_has_no_suv(tmp_path: Path) -> None:
    (series,) = read_series(written(tmp_path, replace(STATIC, mu_map=True))).series
    assert check_dicom(series).suv is None
    assert looked_at(_fresh(tmp_path), replace(STATIC, mu_map=True)).suv is None


# Physics.


@pytest.mark.parametrize("typed", ["F-18", "F18", "18F", "18-F", "^18^Fluorine", "fluorine-18", "f 18"])
def test_isotopes_are_known_as_people_write_them(typed: str) -> None:
    known = nuclide_of(typed)
    assert known is not None
    assert known.name == "F-18"
    assert known.half_life_s == pytest.approx(6586.2)


ICRP_107_S = {
    "C-11": 1223.4,
    "N-13": 597.9,
    "O-15": 122.24,
    "F-18": 6586.2,
    "Sc-44": 14292.0,
    "Cu-64": 45720.0,
    "Ga-68": 4062.6,
    "Rb-82": 76.38,
    "Y-86": 53064.0,
    "Zr-89": 282276.0,
    "Tc-99m": 21654.0,
    "I-124": 360806.4,
}


@pytest.mark.parametrize("isotope", ICRP_107_S)
def test_headers_with_another_evaluation_are_not_doubtful(tmp_path: Path, isotope: str) -> None:
    change = tracer(isotope=isotope, half_life_s=ICRP_107_S[isotope])
    assert "half-life-disagrees" not in codes(looked_at(tmp_path, change=change))
    wrong = tracer(isotope=isotope, half_life_s=1.03 * ICRP_107_S[isotope])
    assert "half-life-disagrees" in codes(looked_at(_fresh(tmp_path), change=wrong)) or isotope == "Sc-44"


def test_the_isotopes_are_those_of_the_code_tables() -> None:
    for nuclide in NUCLIDES:
        assert isotope_of(nuclide.name) in (nuclide.name, None)
    for doubtful in ("", None, "water", "18", "Xx-99", "F-18-FDG"):
        assert nuclide_of(doubtful) is None


# The catalogue: page, data, source and tests say the same.


def test_page_and_data_are_in_step() -> None:
    page = (ROOT / "docs" / "reference" / "findings.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    data = [(code, known.severity.label, known.means, known.remedy) for code, known in remedies().items()]
    assert rows == data


def test_advice_is_plain_text() -> None:
    assert plain("see [geometry.md](../why/geometry.md#x): `--flip`") == "see docs/why/geometry.md: --flip"
    for known in remedies().values():
        assert not set("`[]") & set(known.advice)


# Every code of the catalogue is provoked: above, or here by the command.


def text_edit(old: str, new: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        pair = write_scan(folder / "m.pet.img", PET)
        text = pair.header.read_text("utf-8")
        assert old in text
        pair.header.write_text(text.replace(old, new, 1), "utf-8")

    return write


def scan_of(scan: PhantomScan, **how: Any) -> Callable[[Path], object]:
    return lambda folder: write_scan(folder / "m.img", scan, **how)


def frames_with(**values: Any) -> Change:
    return lambda header: replace(header, frames=tuple(replace(frame, **values) for frame in header.frames))


def geometry(**values: Any) -> Change:
    return lambda header: replace(header, geometry=replace(header.geometry, **values))


def two_of(change: Change) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        write_scan(folder / "m.pet.img", PET)
        write_scan(folder / "n.pet.img", PET, change=change)

    return write


def with_a_stray(folder: Path) -> None:
    write_scan(folder / "m.pet.img", PET)
    (folder / "notes.txt").write_text("", "utf-8")


GATED = replace(STATIC, gates=4, gate_description="ECG")
OPEN = (GateBins(input=1, bins=4, minimum_s=-1.0, maximum_s=-1.0),)
COMMAND: dict[str, Callable[[Path], object]] = {
    "bad-value": text_edit("subject_weight 24.6", "subject_weight heavy"),
    "unknown-code": scan_of(PET, defects=[Defect.UNKNOWN_ORIENTATION]),
    "repeated-key": text_edit("isotope F-18", "isotope F-18\nisotope C-11"),
    "no-end-of-header": scan_of(PET, defects=[Defect.NO_END_OF_HEADER]),
    "unknown-key": scan_of(PET, defects=[Defect.UNKNOWN_KEYS]),
    "modality-assumed": text_edit("modality 0", "modality -1"),
    "file-type-odd": scan_of(PET, change=lambda h: replace(h, file_type=FileType.SINOGRAM)),
    "file-type-assumed": scan_of(PET, change=lambda h: replace(h, file_type=FileType.UNKNOWN)),
    "skipped": with_a_stray,
    "offsets-derived": scan_of(PET, defects=[Defect.MISSING_POINTERS]),
    "rotation-not-applied": scan_of(PET, defects=[Defect.ROTATED]),
    "space-shared": two_of(lambda header: header),
    "space-separate": two_of(geometry(spatial_identifier="bed 2", image_ref_rotation_deg=(1.0, 0.0, 0.0))),
    "pixel-size-disagrees": scan_of(PET, defects=[Defect.PIXEL_SIZES_DISAGREE]),
    "slice-spacing-derived": scan_of(PET, change=geometry(pixel_size_z_mm=None)),
    "voxel-size-implausible": scan_of(PET, change=geometry(pixel_size_z_mm=7.96)),
    "bed-direction-assumed": scan_of(replace(STATIC, beds=(312.5, 362.5))),
    "branching-fraction-odd": scan_of(PET, defects=[Defect.NO_BRANCHING_FRACTION]),
    "spect-calibration-not-applied": scan_of(replace(SPECT, calibration=NCI_PER_CC)),
    "hounsfield-not-applied": scan_of(CT),
    "gate-times-nominal": scan_of(GATED),
    "gate-cycle-unknown": scan_of(replace(GATED, gate_bins=OPEN)),
    "gate-trigger-unknown": scan_of(replace(GATED, gate_description="input A")),
    "decay-correction-unknown": scan_of(PET, change=corrections(decay=None)),
    "frame-duration-unknown": scan_of(PET, change=frames_with(duration_s=None)),
    "time-zone-odd": scan_of(PET, defects=[Defect.IMPOSSIBLE_TIME_ZONE]),
    "isotope-not-coded": scan_of(PET, change=tracer(isotope="unobtainium")),
    "compound-not-coded": scan_of(PET, change=tracer(compound="a new one")),
    "counts-too-large": scan_of(PET, change=frames_with(prompts=2**31)),
    "subject-unknown": scan_of(PET, change=subject(identifier=None)),
    "several-animals": scan_of(PET, change=subject(identifier="m1 & m2")),
    "weight-of-study": two_of(subject(weight=None)),
    "postures-disagree": two_of(geometry(orientation=Orientation.FFS)),
    "several-sessions": two_of(scan_at(datetime(2014, 6, 19))),
    "several-subjects": two_of(subject(identifier="another")),
    "subject-disagrees": two_of(subject(sex="male")),
    "species-not-coded": scan_of(PET, change=subject(genus="dragon")),
    "left-right-wrong": scan_of(replace(PET_SCAN, frames=frames_of(600.0))),
    "left-right-unclear": scan_of(PET),
}
WRITING = {
    "mu-map-not-enhanced": replace(STATIC, mu_map=True),
    "several-slopes": replace(PET, frames=(FrameTime(0.0, 1.0), FrameTime(1e5, 1.0)), data_type=DataType.INT16_LE),
}


@pytest.mark.parametrize("code", COMMAND)
def test_the_command_prints_every_code(tmp_path: Path, code: str) -> None:
    COMMAND[code](tmp_path)
    side = ("--orientation-test", "right") if code.startswith("left-right") else ()
    exit_code, found = document(tmp_path, *side)
    messages = [finding for finding in all_findings(found) if finding["code"] == code]
    assert messages, all_findings(found)
    assert {finding["severity"] for finding in messages} == {remedies()[code].severity.value}
    assert exit_code == int(any(each["severity"] == "error" for each in all_findings(found)))


@pytest.mark.parametrize("code", WRITING)
def test_codes_that_only_writing_reports(tmp_path: Path, code: str) -> None:
    pair = write_scan(tmp_path / "m.img", WRITING[code])
    options = Options(form=Form.ENHANCED, rescale=Policy.FRAME)
    found = {finding.code for study in convert(pair.data, tmp_path / "d", options) for finding in study.all_findings}
    assert code in found


def test_placeholders_of_extremes_are_no_finding(tmp_path: Path) -> None:
    """Genuine CT headers say -32767 and 32767 whatever the voxels are; another pair is a finding as ever."""
    for name, extremes, expected in (("a", (-32767.0, 32767.0), 0), ("b", (-32767.0, 32000.0), 1)):

        def stale(header: Header, extremes: tuple[float, float] = extremes) -> Header:
            low, high = extremes
            return replace(header, frames=tuple(replace(each, minimum=low, maximum=high) for each in header.frames))

        pair = write_scan(tmp_path / f"{name}.ct.img", CT, change=stale)
        found = json.loads(inveon("check", pair.data, "--json").stdout)["files"][0]["findings"]
        assert sum(each["code"] == "extremes-disagree" for each in found) == expected


def test_every_code_of_the_catalogue_is_provoked() -> None:
    provoked = {code for _, code, _ in HEADERS.values()} | {code for *_, code, _ in VOXELS.values()}
    provoked |= (
        {code for _, code, *_ in DICOM.values()} | {code for _, code, _ in DEFECTS} | set(COMMAND) | set(WRITING)
    )
    provoked |= {"value-removed"}  # in test_deidentify.py
    provoked |= {"posture-overruled"}  # in test_settings.py
    provoked |= {"scan-not-in-sheet", "sheet-row-unused", "sheet-encoding", "scan-without-subject", "species-needed"}
    provoked |= {
        "beds-joined",
        "count-stale",
        "frame-blocks-missing",
        "frames-alike",
        "header-cut-off",
    }  # test_genuine.py
    provoked |= {"dose-from-activities", "dose-residual-odd"}  # in test_sheet*.py, in test_dose.py
    provoked |= {"clock-change-possible"}  # above, on its own
    provoked |= {"decay-from-injection"}  # in test_decay_reference.py
    provoked |= {"code-left-out"}  # in test_sheet_convert.py
    provoked |= {"group-of-animals", "group-weight-disagrees", "group-dose-disagrees"}  # in test_group.py
    provoked |= {"animals-not-found", "animals-in-doubt", "ct-not-hounsfield"}  # in test_bodies.py
    provoked |= {"animals-disagree", "activity-beside-animals"}  # in test_activity.py
    provoked |= {"animal-beside-image", "animal-values-unknown"}  # in test_boxes.py, test_split.py
    provoked |= {"animal-left-behind", "others-masked", "others-not-masked"}  # in test_split.py, test_mask.py
    provoked |= {"sheet-fields-left-out", "swapped-by-weight", "swapped-by-dose"}  # in test_records.py, test_checks.py
    provoked |= {"activity-before-injection", "injection-after-start", "injection-day-assumed"}  # above, on their own
    provoked |= {"vendor-dicom", "vendor-known", "vendor-identity", "images-missing"}  # in test_vendor.py
    provoked |= {
        f"bids-{each}" for each in ("no-form", "no-species", "value-missing", "value-unknown", "weight-differs")
    }
    regions = ("outside", "partly-outside", "empty", "hottest", "not-hot", "in-several-spaces")  # in test_curves.py
    drawn = ("fractional", "without-contours", "with-gaps")  # in test_dicom_regions.py
    provoked |= {f"region-{each}" for each in (*regions, *drawn)}
    provoked |= {f"curve-{each}" for each in ("left-out", "without-suv", "values-not-finite")}  # in test_curves.py
    assert provoked == set(remedies())  # those of BIDS in test_bids.py


def test_every_finding_of_the_source_has_the_severity_of_the_catalogue() -> None:
    """Findings made in tests above are of the catalogue's severity; this holds all calls in the source against it."""
    made = {
        (str(node.args[0].value), node)
        for path in (ROOT / "src").rglob("*.py")
        if "Finding(" in (text := path.read_text("utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "Finding"
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(made) > 50
    for code, call in made:
        values = [*call.args[2:3], *(keyword.value for keyword in call.keywords if keyword.arg == "severity")]
        severity = values[0].attr if values and isinstance(values[0], ast.Attribute) else "WARNING"
        assert severity == remedies()[code].severity.name, code


def test_rows_of_a_sheet_that_match_no_scan_are_reported(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path / "in")
    sheet = tmp_path / "s.csv"
    sheet.write_text("subject,weight_g\nmouse 7,24\nM0043,25\n")
    codes = {
        each["code"] for each in json.loads(inveon("check", study, "--subjects", sheet, "--json").stdout)["findings"]
    }
    assert "sheet-row-unused" in codes
