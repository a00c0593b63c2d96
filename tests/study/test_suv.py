"""SUV: worked out by hand, and as @cornerstonejs/calculate-suv computes it from our DICOM."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

import inveonimaging
from conftest import Measures, Tool, skip_or_fail
from helpers import CT, PET, ROOT
from inveonimaging import InputError, Options, convert, read
from inveonimaging.checks.checked import check_series
from inveonimaging.checks.readiness import SuvVerdict
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom_reading.series import read_series
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import CalibrationUnits, WeightUnits
from inveonimaging.inveon.hdr.model import Calibration
from inveonimaging.phantom import SPECT_SCAN, PhantomScan, frames_of, write_scan
from inveonimaging.phantom.scan import FDG, SUBJECT
from inveonimaging.study.suv import suv_factor

JS = ROOT / "tests" / "js"
START = datetime(2014, 6, 17, 0, 20, 0)
STATIC = replace(PET, frames=frames_of(600.0))
CASES: dict[str, tuple[PhantomScan, Form]] = {
    "static": (STATIC, Form.CLASSIC),
    "dynamic": (PET, Form.CLASSIC),
    "late first frame": (replace(PET, frames=frames_of(10.0, 20.0, 40.0)[1:]), Form.CLASSIC),
    "injected the evening before": (
        replace(STATIC, scan_time=START, tracer=replace(FDG, injection_time=START - timedelta(minutes=55))),
        Form.CLASSIC,
    ),
    "frames over midnight": (
        replace(PET, scan_time=datetime(2014, 6, 17, 23, 59, 45), frames=frames_of(10.0, 20.0, 40.0)),
        Form.CLASSIC,
    ),
    "long half-life": (
        replace(
            STATIC,
            tracer=replace(FDG, isotope="Zr-89", half_life_s=282276.0, injection_time=datetime(2014, 6, 12, 10, 0, 0)),
        ),
        Form.CLASSIC,
    ),
    "odd numbers": (
        replace(
            STATIC,
            tracer=replace(FDG, dose=0.203456789123, half_life_s=6583.68),
            subject=replace(SUBJECT, weight=0.87654321987, weight_units=WeightUnits.OUNCE),
        ),
        Form.CLASSIC,
    ),
    "legacy": (PET, Form.LEGACY),
}


def image_of(folder: Path, scan: PhantomScan = STATIC, **changes: Callable[[Header], Header]) -> inveonimaging.Image:
    return read(write_scan(folder / "m.pet.img", scan, **changes).data)  # type: ignore[arg-type]


# By hand.


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    # 7.03e6 Bq * 2 ** (-30 s / 6586.2 s) / 24.6 g = 284 871.5 Bq/mL; the logarithm of 2 ** ... is -0.00315729
    one = 1 / suv_factor(image_of(tmp_path))
    assert one == pytest.approx(7.03e6 * 0.99684769 / 24.6, rel=1e-7)
    assert round(one, -1) == 284870


def test_suv_is_activity_times_weight_over_decayed_dose(tmp_path: Path) -> None:
    image = image_of(tmp_path, PET)
    for frame in range(2):
        suv = inveonimaging.suv(image, frame)
        assert suv.dtype == np.float32
        assert suv.shape == (6, 7, 8)
        expected = image.values(frame) * 24.6 / (7.03e6 * 0.99684769)
        assert np.allclose(suv, expected, rtol=1e-6, atol=0)
        assert suv.max() > 0.1


def test_the_public_name_stays_a_function_after_its_module_is_imported() -> None:
    assert callable(inveonimaging.suv)
    assert inveonimaging.suv is inveonimaging.suv


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda h: replace(h, tracer=replace(h.tracer, dose=0.0)), "no dose"),
        (lambda h: replace(h, tracer=replace(h.tracer, injection_time=None)), "no injection_time"),
        (lambda h: replace(h, tracer=replace(h.tracer, injection_time=datetime(1970, 1, 1))), "no injection_time"),
        (lambda h: replace(h, tracer=replace(h.tracer, half_life_s=None)), "no isotope_half_life"),
        (lambda h: replace(h, subject=replace(h.subject, weight=None)), "no weight"),
        (lambda h: replace(h, subject=replace(h.subject, weight_units=WeightUnits.UNKNOWN)), "no weight"),
        (lambda h: replace(h, acquisition=replace(h.acquisition, scan_time=None)), "no scan_time"),
        (lambda h: replace(h, acquisition=replace(h.acquisition, scan_time=datetime(1970, 1, 1))), "no scan_time"),
        (lambda h: replace(h, corrections=replace(h.corrections, decay=False)), "not corrected for decay"),
        (lambda h: replace(h, calibration=Calibration(units=CalibrationUnits.UNKNOWN)), "not calibrated in Bq"),
        (
            lambda h: replace(h, tracer=replace(h.tracer, injection_time=datetime(1999, 1, 1))),
            "half-lives before scan_time",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, change: Callable[[Header], Header], named: str) -> None:
    with pytest.raises(InputError, match=named) as raised:
        inveonimaging.suv(image_of(tmp_path, change=change))
    assert "m.pet.img.hdr: SUV cannot be computed" in str(raised.value)


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    def poor(header: Header) -> Header:
        return replace(header, tracer=replace(header.tracer, dose=None), subject=replace(header.subject, weight=None))

    with pytest.raises(InputError, match=r"no dose.*; no weight"):
        inveonimaging.suv(image_of(tmp_path, change=poor))


@pytest.mark.parametrize(
    ("scan", "what"),
    [(CT, "CT"), (replace(SPECT_SCAN, shape=(4, 4, 4)), "SPECT"), (replace(STATIC, mu_map=True), "a mu map")],
)
def test_only_a_pet_has_suv(tmp_path: Path, scan: PhantomScan, what: str) -> None:
    with pytest.raises(InputError, match=f"this is {what}"):
        inveonimaging.suv(image_of(tmp_path, scan))


# As others compute it.


@pytest.fixture(scope="module")
def calculated(tmp_path_factory: pytest.TempPathFactory, tool: Tool) -> Callable[[Any], Any]:
    """Return a function that gives metadata to calculate-suv, which npm installs as the lock file says."""
    node, npm = tool("node"), tool("npm")
    folder = tmp_path_factory.mktemp("js")
    for name in ("package.json", "package-lock.json", "suv.cjs"):
        shutil.copy(JS / name, folder)
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--cache", str(folder / "cache"))
    installed = subprocess.run([npm, "ci", *options], cwd=folder, capture_output=True, check=False, encoding="utf-8")
    if installed.returncode:
        skip_or_fail(f"npm ci failed: {installed.stderr}")

    def run(series: Any) -> Any:
        done = subprocess.run(
            [node, "suv.cjs"],
            cwd=folder,
            input=json.dumps(series),
            capture_output=True,
            check=False,
            encoding="utf-8",
            env={**os.environ, "NODE_PATH": ""},
        )
        if done.returncode:
            raise ValueError(done.stderr)
        return json.loads(done.stdout)

    return run


NUMBERS = (
    "RadionuclideHalfLife",
    "RadionuclideTotalDose",
    "PatientWeight",
    "FrameReferenceTime",
    "ActualFrameDuration",
)
TEXTS = (
    "Units",
    "DecayCorrection",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalStartTime",
    "PatientSex",
)


def metadata(dataset: Dataset) -> dict[str, Any]:
    """Return what the library asks for, wherever in the object it is first."""
    found: dict[str, Any] = {}
    for element in dataset.iterall():
        if element.keyword in NUMBERS:
            found.setdefault(element.keyword, float(element.value))
        elif element.keyword in TEXTS:
            found.setdefault(element.keyword, str(element.value))
        elif element.keyword == "CorrectedImage":
            found.setdefault(element.keyword, [str(term) for term in element.value])
        elif element.keyword == "FrameAcquisitionDateTime":  # what a multi-frame object has instead
            found.setdefault("AcquisitionDate", str(element.value)[:8])
            found.setdefault("AcquisitionTime", str(element.value)[8:])
    return found


def converted(folder: Path, scan: PhantomScan, form: Form) -> list[Path]:
    convert(write_scan(folder / "m.pet.img", scan).data, folder / "dicom", Options(form=form))
    return sorted((folder / "dicom").rglob("*.dcm"))


@pytest.mark.npm
@pytest.mark.parametrize("case", CASES)
def test_calculate_suv_agrees(tmp_path: Path, case: str, calculated: Callable[[Any], Any], measures: Measures) -> None:
    scan, form = CASES[case]
    files = converted(tmp_path, scan, form)
    (factors,) = calculated([[metadata(pydicom.dcmread(file)) for file in files]])
    ours = suv_factor(read(tmp_path / "m.pet.img"))
    assert len(factors) == len(files) > 0
    for factor in factors:
        measures.largest("relative difference to calculate-suv", abs(factor / ours - 1))
        assert abs(factor / ours - 1) < 1e-4


@pytest.mark.npm
def test_values_in_suv_agree_by_way_of_the_files(tmp_path: Path, calculated: Callable[[Any], Any]) -> None:
    files = converted(tmp_path, STATIC, Form.CLASSIC)
    datasets = [pydicom.dcmread(file) for file in files]
    (factors,) = calculated([[metadata(dataset) for dataset in datasets]])
    ours = inveonimaging.suv(read(tmp_path / "m.pet.img"))
    for k, (dataset, factor) in enumerate(zip(datasets, factors, strict=True)):
        theirs = dataset.pixel_array * float(dataset.RescaleSlope) * factor
        half_a_step = 0.5 * float(dataset.RescaleSlope) * factor
        assert np.abs(theirs - ours[k]).max() <= 1.01 * half_a_step


@pytest.mark.npm
def test_calculate_suv_refuses_what_we_call_not_ready(tmp_path: Path, calculated: Callable[[Any], Any]) -> None:
    files = converted(tmp_path, STATIC, Form.CLASSIC)
    whole = [metadata(pydicom.dcmread(file)) for file in files]
    for keyword in ("PatientWeight", "RadionuclideTotalDose", "RadionuclideHalfLife", "SeriesTime"):
        poor = [{name: value for name, value in each.items() if name != keyword} for each in whole]
        with pytest.raises(ValueError, match="Error"):
            calculated([poor])
        other = tmp_path / keyword
        other.mkdir()
        for file in files:
            dataset = pydicom.dcmread(file)
            for place in (dataset, dataset.RadiopharmaceuticalInformationSequence[0]):
                if keyword in place:
                    delattr(place, keyword)
            dataset.save_as(other / file.name)
        _, readiness = check_series(read_series([other]).series[0])
        assert readiness is not None
        assert readiness.verdict is SuvVerdict.NOT_READY


@pytest.mark.npm
def test_calculate_suv_refuses_an_injection_within_the_scan(tmp_path: Path, calculated: Callable[[Any], Any]) -> None:
    scan = replace(PET, frames=frames_of(120.0, 600.0))
    files = converted(
        tmp_path,
        replace(scan, tracer=replace(FDG, injection_time=scan.scan_time + timedelta(seconds=208))),
        Form.CLASSIC,
    )
    with pytest.raises(ValueError, match="Decay time cannot be less than zero"):
        calculated([[metadata(pydicom.dcmread(file)) for file in files]])


@pytest.mark.npm
def test_calculate_suv_agrees_on_a_series_time_after_the_acquisition(
    tmp_path: Path, calculated: Callable[[Any], Any]
) -> None:
    files = converted(tmp_path, STATIC, Form.CLASSIC)
    for file in files:
        dataset = pydicom.dcmread(file)
        dataset.SeriesTime = "235959"
        dataset.save_as(file)
    (factors,) = calculated([[metadata(pydicom.dcmread(file)) for file in files]])
    _, readiness = check_series(read_series(files).series[0])
    assert readiness is not None
    assert factors == pytest.approx([readiness.suv_per_bqml] * len(files), rel=1e-9)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("case", ["static", "dynamic", "injected the evening before"])
def test_check_reads_the_same_factor_from_every_form(tmp_path: Path, case: str, form: Form) -> None:
    files = converted(tmp_path, CASES[case][0], form)
    found, readiness = check_series(read_series(files).series[0])
    assert readiness is not None
    assert readiness.verdict is SuvVerdict.READY
    assert found == ()
    assert readiness.suv_per_bqml == pytest.approx(suv_factor(read(tmp_path / "m.pet.img")), rel=1e-9)
