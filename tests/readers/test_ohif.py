"""What OHIF makes of our files in an archive: volumes in time, the factor for SUV, and where slices are."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait

import ohif
import orthanc
from browser import WAIT_S, started
from conftest import Tool, skip_or_fail
from inveonimaging import Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.inveon.hdr import Header
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan
from inveonimaging.sending.job import send
from truth import Truth, truth_of

pytestmark = [pytest.mark.faults, pytest.mark.npm, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]

SHAPE: dict[str, Any] = {"shape": (24, 22, 10), "spacing_mm": (1.5, 1.6, 6.0)}
STARTS = (60.0, 60.0, 120.0, 240.0, 600.0)
SCANS = {
    1: replace(CT_SCAN, **SHAPE),
    2: replace(PET_SCAN, **SHAPE, frames=frames_of(*STARTS)),
    3: replace(PET_SCAN, **SHAPE, frames=frames_of(600.0), gates=4, gate_description="ECG R-wave"),
}
Shown = dict[int, dict[str, Any]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two mice with the same scans, of which each becomes a study of another form."""
    folder = tmp_path_factory.mktemp("ohif")
    for form in (Form.CLASSIC, Form.ENHANCED):
        for number, scan in SCANS.items():
            (folder / form.value).mkdir(exist_ok=True)
            write_scan(folder / form.value / f"{number}.img", scan, change=partial(named, form.value))
    return folder


def named(name: str, header: Header) -> Header:
    return replace(header, subject=replace(header.subject, identifier=name))


@pytest.fixture(scope="module")
def shown(source: Path, tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> dict[Form, Shown]:
    """Convert, send, open both studies in OHIF; return what it knows, by series."""
    found = orthanc.find_orthanc()
    if found is None:
        skip_or_fail("Orthanc or its DICOMweb plugin is not installed")
    assert found
    folder = tmp_path_factory.mktemp("page")
    try:
        page = ohif.fetched(tool("npm"), folder)
    except OSError as error:
        skip_or_fail(str(error))
    studies: dict[str, Form] = {}
    for form in (Form.CLASSIC, Form.ENHANCED):
        convert(source / form.value, folder / form.value, Options(form=form))
        first = pydicom.dcmread(next((folder / form.value).rglob("*.dcm")), stop_before_pixels=True)
        studies[first.StudyInstanceUID] = form
    with (
        orthanc.running(folder / "orthanc", found) as archive,
        ohif.served(page, archive) as address,
        started(folder / "profile", may_reach="127.0.0.1") as browser,
    ):
        send([folder / form.value for form in studies.values()], archive.target)
        browser.get(f"{address}/viewer?StudyInstanceUIDs={','.join(studies)}")
        sets = display_sets(browser, len(studies) * len(SCANS))
    shutil.rmtree(folder / "package", ignore_errors=True)
    return {form: {each["number"]: each for each in sets if each["study"] == study} for study, form in studies.items()}


def display_sets(browser: Chrome, expected: int) -> list[dict[str, Any]]:
    """Return what OHIF knows of the series, once all are there."""

    def all_of_them(_: Chrome) -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = browser.execute_script(ohif.DISPLAY_SETS)
        return found if len(found) == expected else None

    return WebDriverWait(browser, WAIT_S, 0.2).until(all_of_them) or []


def suv_factor(truth: Truth) -> float:
    """Return the animal's weight in g by the dose that is left at the start of the scan, in g/Bq."""
    main = truth.main
    assert (main["dose_units"], main["subject_weight_units"]) == ("1", "1")  # mCi and g
    injected = datetime.strptime(main["injection_time"], "%a %b %d %H:%M:%S %Y")
    waited = (truth.scan_time - injected).total_seconds()
    decay = 2 ** (waited / float(main["isotope_half_life"]))
    return float(main["subject_weight"]) / (float(main["dose"]) * 37e6) * float(decay)


def check_places(volume: list[dict[str, Any]], truth: Truth) -> None:
    """Compare the places of all slices of a volume, in whatever order OHIF has them."""
    slices = range(truth.shape[2])
    found = sorted(plane["position"] for plane in volume)
    np.testing.assert_allclose(found, sorted(truth.position(0, 0, k).tolist() for k in slices), atol=1e-4)
    i, j, _ = truth.axes.T
    for plane in volume:
        assert plane["orientation"] == [*i, *j]
        assert plane["spacing"] == [1.6, 1.5]


def test_a_dynamic_and_a_gated_pet_are_volumes_in_time_with_suv(shown: dict[Form, Shown], source: Path) -> None:
    found = shown[Form.CLASSIC]
    assert {number: len(each["volumes"]) for number, each in found.items()} == {1: 1, 2: 5, 3: 4}
    assert {number: each["is_dynamic"] for number, each in found.items()} == {1: False, 2: True, 3: True}
    for number, each in found.items():
        truth = truth_of(source / "classic" / f"{number}.img")
        assert each["is_volume"]
        for volume in each["volumes"]:
            assert len(volume) == 10
            check_places(volume, truth)
            factors = [plane["suv"] for plane in volume]
            assert factors == [None] * 10 if number == 1 else factors == pytest.approx([suv_factor(truth)] * 10)


def test_enhanced_objects_are_one_volume_without_suv(shown: dict[Form, Shown]) -> None:
    """What OHIF cannot do, so that a version that can is noticed: docs/how-to/viewers.md says to send classic."""
    found = shown[Form.ENHANCED]
    assert {number: each["frames"] for number, each in found.items()} == {1: 10, 2: 50, 3: 40}
    assert not any(each["is_dynamic"] for each in found.values())
    assert {plane["suv"] for each in found.values() for volume in each["volumes"] for plane in volume} == {None}
