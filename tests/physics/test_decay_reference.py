"""To when values are corrected for decay: the start of the scan, or the injection where the factors contain that."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest

from helpers import PET, inveon
from inveonimaging import Options, convert, read, suv
from inveonimaging.dicom.iods import Form
from inveonimaging.inveon.hdr import Header
from inveonimaging.phantom import PhantomScan, frames_of, write_scan
from inveonimaging.reports.curves import decay_checks, dose_at_start_bq
from inveonimaging.study.suv import suv_factor

HOUR_LATER = 1.4606400  # 2 ** (3600 / 6586.2): 0.54659743 times ln 2 is 0.37887246, of which exp
SCANS = {
    "static": replace(PET, frames=frames_of(600.0)),
    "dynamic": replace(PET, frames=frames_of(60.0, 60.0, 300.0)),
    "gated": replace(PET, frames=frames_of(600.0), gates=3, gate_description="ECG"),
    "beds": replace(PET, frames=frames_of(600.0), beds=(0.0, 50.0)),
}


def injected_an_hour_before(times: float, stated: float) -> Callable[[Header], Header]:
    """Return what multiplies the frames' factors, and states `injection_decay_correction`."""

    def change(header: Header) -> Header:
        assert header.acquisition.scan_time
        injected = header.acquisition.scan_time - timedelta(hours=1)
        tracer = replace(header.tracer, injection_time=injected, injection_decay_correction=stated)
        frames = tuple(replace(each, decay_correction=(each.decay_correction or 0.0) * times) for each in header.frames)
        return replace(header, tracer=tracer, frames=frames)

    return change


def written(
    folder: Path, scan: PhantomScan, change: Callable[[Header], Header], form: Form = Form.CLASSIC
) -> list[pydicom.Dataset]:
    data = write_scan(folder / "m.img", scan, change=change).data
    convert(data, folder / "dicom", Options(form=form))
    return [pydicom.dcmread(path) for path in sorted((folder / "dicom").rglob("*.dcm"))]


def first(dataset: pydicom.Dataset, keyword: str) -> object:
    return next((element.value for element in dataset.iterall() if element.keyword == keyword), None)


@pytest.mark.parametrize(
    ("scan", "form"),
    [(scan, form) for number, scan in enumerate(SCANS) for place, form in enumerate(Form) if (number + place) % 3],
)
def test_factors_that_contain_the_injection_are_admin(tmp_path: Path, scan: str, form: Form) -> None:
    datasets = written(tmp_path, SCANS[scan], injected_an_hour_before(HOUR_LATER, 1.46064), form)
    for dataset in datasets:
        if form is Form.ENHANCED:
            assert str(dataset.DecayCorrectionDateTime).startswith("20140617125207")  # an hour before 13:52:07
        else:
            assert first(dataset, "DecayCorrection") == "ADMIN"
    x = math.log(2) / 6586.2 * float(SCANS[scan].frames[0].duration_s)
    assert float(str(first(datasets[0], "DecayFactor"))) == pytest.approx(HOUR_LATER * x / -math.expm1(-x), rel=1e-6)
    for path in (tmp_path / "m.img", tmp_path / "dicom"):
        for each in json.loads(inveon("check", path, "--json").stdout)["files"]:
            assert each["suv"]["suv_per_bqml"] == pytest.approx(24.6 / 7.03e6, rel=1e-7)  # the dose does not decay
            assert "decay-factor-disagrees" not in {finding["code"] for finding in each["findings"]}
    assert inveon("verify", tmp_path / "m.img", tmp_path / "dicom").exit_code == 0


def test_suv_and_report_count_from_the_whole_dose(tmp_path: Path) -> None:
    pair = write_scan(tmp_path / "m.img", SCANS["dynamic"], change=injected_an_hour_before(HOUR_LATER, 1.46064))
    image = read(pair.data)
    assert suv_factor(image) == pytest.approx(24.6 / 7.03e6, rel=1e-9)
    assert suv(image, 1).max() == pytest.approx(image.values(1).max() * 24.6 / 7.03e6, rel=1e-6)
    assert dose_at_start_bq(image) == pytest.approx(7.03e6, rel=1e-9)
    assert all(check.fits for check in decay_checks(image))


OTHERS = {
    "the key alone, as scanners write it": (1.0, 1.46064, False),
    "an injection within the scan has a key below 1": (1.0, 0.978347, False),
    "factors alone": (HOUR_LATER, 1.0, True),
    "factors of something else": (1.2, 1.46064, True),
    "a key of something else": (1.2, 1.2, True),
}


@pytest.mark.parametrize("case", OTHERS)
def test_anything_else_is_the_start_of_the_scan(tmp_path: Path, case: str) -> None:
    times, stated, is_odd = OTHERS[case]
    (dataset, *_) = written(tmp_path, SCANS["dynamic"], injected_an_hour_before(times, stated))
    assert dataset.DecayCorrection == "START"
    found = {each.code for each in read(tmp_path / "m.img").findings}
    assert ("decay-factor-disagrees" in found) is is_odd
    assert "decay-from-injection" not in found


def test_verify_shows_start_from_admin(tmp_path: Path) -> None:
    written(tmp_path, SCANS["static"], injected_an_hour_before(HOUR_LATER, 1.46064))
    for path in (tmp_path / "dicom").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.DecayCorrection = "START"
        dataset.save_as(path)
    result = inveon("verify", tmp_path / "m.img", tmp_path / "dicom", "--json")
    assert result.exit_code == 1
    assert "decay-correction" in result.stdout


def test_another_injection_in_a_sheet_contradicts_the_factors(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_scan(folder / "m.img", SCANS["static"], change=injected_an_hour_before(HOUR_LATER, 1.46064))
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("file,injection_time\nm.img,2014-06-17 13:00:00\n", "utf-8")
    found = json.loads(inveon("check", folder, "--subjects", sheet, "--json").stdout)["files"][0]
    codes = {finding["code"] for finding in found["findings"]}
    assert "decay-factor-disagrees" in codes
    assert "decay-from-injection" not in codes
    assert found["suv"]["verdict"] == "ready with doubts"
