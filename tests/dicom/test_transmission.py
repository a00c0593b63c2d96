"""Mu maps and transmission images: no tracer of the PET that their headers were copied from, in whatever form."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from helpers import PET, draw_one_pixel, inveon
from inveonimaging import InputError, Options, convert, read, suv
from inveonimaging.dicom.iods import Form
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import AcquisitionMode, FileType
from inveonimaging.phantom import frames_of, write_scan

TRACER = {
    "RadionuclideTotalDose",
    "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalStartTime",
    "RadionuclideHalfLife",
    "RadionuclidePositronFraction",
    "Radiopharmaceutical",
    "RadiopharmaceuticalCodeSequence",
}
KINDS = {
    "mu map": {"file_type": FileType.MU_MAP},
    "PET singles transmission": {"acquisition_mode": AcquisitionMode.SINGLES_TX},
    "PET windowed coincidence transmission": {"acquisition_mode": AcquisitionMode.WINDOWED_TX},
    "PET non-windowed coincidence transmission": {"acquisition_mode": AcquisitionMode.NON_WINDOWED_TX},
}


def written(folder: Path, kind: str) -> Path:
    """Write a pair whose header was copied from that of a PET, tracer and all; return the data file."""
    folder.mkdir(parents=True, exist_ok=True)

    def change(header: Header) -> Header:
        return replace(header, **KINDS[kind])  # type: ignore[arg-type]

    return write_scan(folder / "m.img", replace(PET, frames=frames_of(600.0)), change=change).data


def stated(dataset: pydicom.Dataset) -> set[str]:
    """Return which attributes of a tracer stand anywhere in a dataset."""
    return {element.keyword for element in dataset.iterall() if element.keyword in TRACER and element.value}


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("kind", KINDS)
def test_no_tracer_is_written(tmp_path: Path, kind: str, form: Form) -> None:
    convert(written(tmp_path / "in", kind), tmp_path / "out", Options(form=form))
    datasets = [pydicom.dcmread(path) for path in sorted((tmp_path / "out").rglob("*.dcm"))]
    assert datasets
    for dataset in datasets:
        assert stated(dataset) == set()
        (item,) = next(
            each.value for each in dataset.iterall() if each.keyword == "RadiopharmaceuticalInformationSequence"
        )
        assert len(item.RadionuclideCodeSequence) == 0
        assert dataset.SeriesDescription == kind
        assert "Enhanced PET" not in dataset.SOPClassUID.name or "Legacy" in dataset.SOPClassUID.name
    assert inveon("verify", tmp_path / "in" / "m.img", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    "options", [("--deidentify", "--patient-id", "m", "--shift-days", "10"), ("--subjects", "sheet.csv")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_nor_with_a_sheet_or_de_identified(
    tmp_path: Path, kind: str, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "in", kind)
    (tmp_path / "sheet.csv").write_text("file,dose_MBq,injection_time\nm.img,5,2014-06-17 13:00:00\n", "utf-8")
    assert inveon("convert", tmp_path / "in", tmp_path / "out", *options).exit_code == 0
    for path in (tmp_path / "out").rglob("*.dcm"):
        assert stated(pydicom.dcmread(path)) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_commands_say_nothing_of_a_tracer(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_one_pixel(monkeypatch)
    data = written(tmp_path / "in", kind)
    assert json.loads(inveon("check", data, "--json").stdout)["files"][0]["suv"] is None
    convert(data, tmp_path / "out")
    assert json.loads(inveon("check", tmp_path / "out", "--json").stdout)["files"][0]["suv"] is None
    assert "7.03" not in inveon("info", data).stdout
    assert inveon("report", tmp_path / "in", "-o", tmp_path / "r.html").exit_code == 0
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "<th>Dose</th>" not in page
    assert "7.03 MBq" not in page
    with pytest.raises(InputError, match="this is a "):
        suv(read(data))


@pytest.mark.parametrize("kind", KINDS)
def test_verify_finds_a_tracer_that_is_stated(tmp_path: Path, kind: str) -> None:
    data = written(tmp_path / "in", kind)
    convert(data, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = "7030000"
        dataset.save_as(path)
    result = inveon("verify", data, tmp_path / "out", "--json")
    assert result.exit_code == 1
    assert "tracer-of-transmission" in result.stdout
