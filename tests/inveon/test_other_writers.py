"""Files of other hands: an R4's header, in cm and without modality, and what (X)MedCon writes; through to DICOM."""

from __future__ import annotations

import math
import re
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from conftest import Tool
from helpers import ROOT
from inveonimaging import HeaderError, Options, convert, read, verify
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.phantom import CT_SCAN, PET_SCAN, PhantomScan, frames_of, write_scan

R4_MAIN = r"""#
# Header file for data file r4scan.img
#	with 2 frames
#
version 001.200
model 2001
institution Old Lab
study  FDG
file_name E:\data\r4scan.img
file_type 5
acquisition_mode 3
total_frames 2
time_frames 2
isotope F-18
isotope_half_life 6586.2
isotope_branching_fraction 0.967
axial_crystal_pitch 0.2425
data_type 2
x_dimension 4
y_dimension 3
z_dimension 2
w_dimension 2
x_filter 1 0.5
recon_algorithm 2
osem2d_subsets 16
osem2d_iterations 4
decay_correction_applied 1
attenuation_applied 0
pixel_size 0.0845
calibration_units 1
calibration_factor 123.5
scan_time Tue Mar  4 14:05:09 2003
injected_compound FDG
dose_units 1
dose 0.35
injection_time Tue Mar 4 13:35:09 2003
subject_identifier rat 12
subject_genus rat
subject_orientation 2
subject_weight_units 1
subject_weight 310
end_of_header
"""
VOXELS = np.arange(48, dtype="<i2").reshape(2, 2, 3, 4) * 600


def r4_frame(index: int) -> str:
    decay = math.log(2) / 6586.2
    factor = decay * 300 * math.exp(decay * index * 300) / (1 - math.exp(-decay * 300))
    return f"""#
frame {index}
event_type 4
data_file_pointer {index * 48}
frame_start {index * 300}
frame_duration 300
scale_factor {0.001 * (index + 1)}
minimum 0
maximum 0
decay_correction {factor:.7f}
prompts 1000000
delays 1000
end_of_header
"""


@pytest.fixture(scope="module")
def r4(tmp_path_factory: pytest.TempPathFactory) -> list[FileDataset]:
    """The instances of an R4's study, in file order."""
    folder = tmp_path_factory.mktemp("r4")
    (folder / "r4scan.img").write_bytes(VOXELS.tobytes())
    (folder / "r4scan.img.hdr").write_text(R4_MAIN + r4_frame(0) + r4_frame(1))
    convert(folder / "r4scan.img", folder / "dicom")
    return [pydicom.dcmread(file) for file in sorted((folder / "dicom").rglob("*.dcm"))]


def test_an_r4_gives_pet_in_bqml(r4: list[FileDataset]) -> None:
    assert len(r4) == 4
    for number, ds in enumerate(r4):
        frame, k = divmod(number, 2)
        true = VOXELS[frame, k] * (0.001 * (frame + 1) * 123.5 / 0.967 * 37)
        assert np.abs(ds.pixel_array * float(ds.RescaleSlope) - true).max() <= 0.5 * float(ds.RescaleSlope) * (1 + 1e-9)
        assert (ds.Modality, ds.Units, list(ds.SeriesType)) == ("PT", "BQML", ["DYNAMIC", "IMAGE"])
        assert "ATTN" not in ds.CorrectedImage


def test_an_r4_is_placed_by_its_sizes_in_cm(r4: list[FileDataset]) -> None:
    # head first, prone: x runs to the right, y to the front, z to the feet; 0.845 mm, and half of 2.425 mm
    assert [float(s) for s in r4[0].PixelSpacing] == [0.845, 0.845]
    assert float(r4[0].SliceThickness) == 1.2125
    assert [float(c) for c in r4[0].ImageOrientationPatient] == [-1, 0, 0, 0, -1, 0]
    assert [float(c) for c in r4[0].ImagePositionPatient] == pytest.approx([1.5 * 0.845, 0.845, 1.2125 / 2])


def test_an_r4_shows_animal_tracer_and_reconstruction(r4: list[FileDataset]) -> None:
    ds = r4[0]
    item = ds.RadiopharmaceuticalInformationSequence[0]
    assert float(item.RadionuclideTotalDose) == pytest.approx(0.35 * 37e6)
    assert item.RadiopharmaceuticalStartDateTime == "20030304133509"
    assert ds.PatientSpeciesCodeSequence[0].CodeMeaning == "Rattus norvegicus"
    assert float(ds.PatientWeight) == 0.31
    assert ds.ReconstructionMethod == "OSEM2D, 4i16s"
    assert ds.ManufacturerModelName == "microPET R4"


@pytest.mark.debian
def test_what_medcon_writes_becomes_pet_with_a_scan_time(tmp_path: Path, tool: Tool) -> None:
    values = np.random.default_rng(7).normal(100, 30, (5, 4, 3)).astype(np.float32)
    image = nibabel.Nifti1Image(values, np.diag([0.8, 0.9, 1.1, 1]))
    image.to_filename(tmp_path / "a.nii")
    command = [tool("medcon"), "-f", "a.nii", "-n", "-c", "conc", "-noprefix", "-o", "made"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    [header] = tmp_path.glob("*.hdr")
    assert "modality -1" in header.read_text()
    assert read(header).modality is Modality.PET

    with pytest.raises(HeaderError, match=r"scan_time is missing.*inveon convert --scan-time 2014-03-04T14:05:09"):
        convert(header, tmp_path / "out")
    assert not (tmp_path / "out").exists()

    convert(header, tmp_path / "out", Options(scan_time=datetime(2014, 3, 4, 14, 5, 9)))
    files = [pydicom.dcmread(file) for file in sorted((tmp_path / "out").rglob("*.dcm"))]
    assert {(ds.SeriesDate, ds.SeriesTime, ds.Units) for ds in files} == {("20140304", "140509", "PROPCNTS")}
    assert [float(s) for s in files[0].PixelSpacing] == [0.9, 0.8]
    written = np.array([ds.pixel_array * float(ds.RescaleSlope) for ds in files])
    # MedCon may store the rows in another order: what is compared is the set of values
    assert np.sort(written.ravel()) == pytest.approx(np.sort(values.ravel()), abs=float(files[0].RescaleSlope))


COMPARISON = ROOT / "docs" / "why" / "comparison.md"
MEDCON_SCANS = {
    "CT": replace(CT_SCAN, shape=(20, 20, 40), spacing_mm=(2.0, 2.0, 2.0)),
    "PET": replace(PET_SCAN, shape=(12, 12, 20), spacing_mm=(3.0, 3.0, 4.0), frames=frames_of(60)),
}


def by_medcon(folder: Path, tool: Tool, scan: PhantomScan) -> Path:
    """Let (X)MedCon make DICOM of a scan; return the folder in which it is."""
    write_scan(folder / "a.img", scan)
    (folder / "out").mkdir()
    command = [tool("medcon"), "-f", "a.img.hdr", "-fb-conc", "-c", "dicom", "-n", "-qc", "-o", "out/x"]
    subprocess.run(command, cwd=folder, check=False, capture_output=True)  # its exit code is 252 if it reads nothing
    return folder / "out"


@pytest.mark.debian
@pytest.mark.parametrize(("kind", "column"), [("CT", 1), ("PET", 2)])
def test_the_page_says_what_medcon_makes_of_inveon_files(tmp_path: Path, tool: Tool, kind: str, column: int) -> None:
    found = {
        each.code for each in verify(tmp_path / "a.img", by_medcon(tmp_path, tool, MEDCON_SCANS[kind])).differences
    }
    table = COMPARISON.read_text("utf-8").split("| What | CT | PET |")[1].split("\n\n")[0]
    cells = [line.split("|")[column + 1] for line in table.splitlines()[2:]]
    assert found - {"voxels-differ"} == set(re.findall(r"`([a-z-]+)`", " ".join(cells)))
    if kind == "CT":
        assert "voxels-differ" not in found


@pytest.mark.debian
def test_medcons_pet_is_in_the_headers_unit(tmp_path: Path, tool: Tool) -> None:
    """The header's unit is nCi/cc, and 1 nCi/cc is 37 Bq/mL."""
    [file] = by_medcon(tmp_path, tool, MEDCON_SCANS["PET"]).iterdir()
    ds = pydicom.dcmread(file, force=True)
    image = read(tmp_path / "a.img")
    assert image.header["calibration_units"] == "1"
    step = 37 * float(ds.RescaleSlope)
    assert ds.pixel_array * step == pytest.approx(image.values(0), abs=1.001 * step)  # cut off; slope of 7 digits


@pytest.mark.debian
def test_medcon_does_not_read_a_ct_of_joined_bed_positions(tmp_path: Path, tool: Tool) -> None:
    assert list(by_medcon(tmp_path, tool, replace(MEDCON_SCANS["CT"], genuine=True)).iterdir()) == []
