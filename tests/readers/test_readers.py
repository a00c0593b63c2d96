"""What independent programs make of the files: SimpleITK (GDCM), dcm2niix, dicom-validator, DCMTK and GDCM's tools."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from conftest import Tool
from inveonimaging import convert
from inveonimaging.inveon.hdr.enums import DataType, Modality, Orientation
from inveonimaging.phantom import CT_SCAN, PET_SCAN, PhantomScan, frames_of, write_scan
from truth import Float, Truth, truth_of

if TYPE_CHECKING:
    from dicom_validator.validator.dicom_info import DicomInfo

CT = replace(CT_SCAN, shape=(11, 10, 9), spacing_mm=(2.6, 2.4, 8.0))
PET = replace(PET_SCAN, shape=(10, 11, 9), spacing_mm=(2.75, 2.25, 7.5), frames=frames_of(15.0, 60.0, 600.0))
CT_FOLDER, PET_FOLDER = "1", "2"
X_RAY_TUBE_CURRENT_IN_UA = 0x00188151


@dataclass(frozen=True)
class Study:
    """A study of a CT and a dynamic PET: its truth, and its DICOM files by series."""

    ct: Truth
    pet: Truth
    dicom: Path

    def files(self, series: str) -> list[str]:
        return [str(file) for file in sorted((self.dicom / series).iterdir())]


def study_of(folder: Path, orientation: Orientation, ct: PhantomScan = CT, pet: PhantomScan = PET) -> Study:
    source = folder / "in"
    source.mkdir()
    truths = {}
    for name, scan in {"mouse.ct.img": ct, "mouse.pet.img": pet}.items():
        write_scan(source / name, replace(scan, orientation=orientation))
        truths[scan.modality] = truth_of(source / name)
    convert(source, folder / "dicom")
    return Study(truths[Modality.CT], truths[Modality.PET], folder / "dicom")


@pytest.fixture(scope="module", params=list(Orientation), ids=lambda code: code.name)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return study_of(tmp_path_factory.mktemp("study"), request.param)


def voxels(truth: Truth) -> list[tuple[int, int, int]]:
    """Return the indices of a lattice of voxels, all corners among them."""
    axes = [sorted({0, size // 3, size - 1}) for size in truth.shape]
    return [(i, j, k) for i in axes[0] for j in axes[1] for k in axes[2]]


def half_slope(values: Float) -> float:
    """Return a bound on the error of one slope for the series: half a step of its largest value over 32767."""
    return 0.5 * float(np.abs(values).max()) / 32767 * 1.0001


def check_volume(image: sitk.Image, truth: Truth, frame: int) -> None:
    for i, j, k in voxels(truth):
        index = image.TransformPhysicalPointToIndex(truth.position(i, j, k).tolist())
        there = np.array(image.TransformIndexToPhysicalPoint(index))
        assert np.abs(there - truth.position(i, j, k)).max() < 1e-4
        assert image[index] == pytest.approx(truth.values[frame, k, j, i], abs=half_slope(truth.values))


def read_sorted(files: list[str]) -> sitk.Image:
    """Read a volume with its slices in the order of their positions along the normal, as GDCM sorts them."""
    folder = Path(files[0]).parent
    wanted = {Path(file).name for file in files}
    names = [n for n in sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)) if Path(n).name in wanted]
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    image: sitk.Image = reader.Execute()
    return image


def test_simpleitk_reads_the_ct_at_its_place_with_its_values(study: Study) -> None:
    check_volume(read_sorted(study.files(CT_FOLDER)), study.ct, 0)


def test_simpleitk_reads_each_time_frame_at_its_place_with_its_values(study: Study) -> None:
    files, slices = study.files(PET_FOLDER), study.pet.shape[2]
    for frame in range(len(study.pet.frames)):
        check_volume(read_sorted(files[frame * slices : (frame + 1) * slices]), study.pet, frame)


def nifti(study: Study, series: str, folder: Path) -> tuple[nibabel.Nifti1Image, dict[str, object]]:
    program = Path(sys.prefix) / ("Scripts/dcm2niix.exe" if sys.platform == "win32" else "bin/dcm2niix")
    options = ["-f", "image", "-o", str(folder), "-ba", "n"]
    subprocess.run([str(program), *options, str(study.dicom / series)], check=True, capture_output=True)
    assert sorted(file.name for file in folder.iterdir()) == ["image.json", "image.nii"]
    return nibabel.Nifti1Image.from_filename(folder / "image.nii"), json.loads((folder / "image.json").read_text())


def check_nifti(image: nibabel.Nifti1Image, truth: Truth) -> None:
    values = np.asarray(image.dataobj, dtype=float).reshape(*image.shape[:3], -1)
    to_index = np.linalg.inv(image.affine)
    for i, j, k in voxels(truth):
        x, y, z = truth.position(i, j, k)
        index = to_index @ [-x, -y, z, 1]
        near = np.rint(index).astype(int)
        assert np.abs(image.affine @ (index - near))[:3].max() < 1e-4  # float32 in the NIfTI header
        for frame in range(len(truth.frames)):
            true = truth.values[frame, k, j, i]
            # dcm2niix keeps one float32 slope, whose rounding adds to half a step of ours
            assert values[(*near[:3], frame)] == pytest.approx(true, abs=half_slope(truth.values), rel=1e-6)


def test_dcm2niix_converts_the_ct(study: Study, tmp_path: Path) -> None:
    image, _ = nifti(study, CT_FOLDER, tmp_path)
    check_nifti(image, study.ct)


def test_dcm2niix_converts_the_dynamic_pet_with_its_frame_times(study: Study, tmp_path: Path) -> None:
    image, sidecar = nifti(study, PET_FOLDER, tmp_path)
    check_nifti(image, study.pet)
    frames = range(len(study.pet.frames))
    assert sidecar["FrameTimesStart"] == [study.pet.start(frame) for frame in frames]
    assert sidecar["FrameDuration"] == [study.pet.duration(frame) for frame in frames]
    assert sidecar["Units"] == "Bq/mL"
    assert sidecar["TracerRadionuclide"] == "18Fluorine"
    assert sidecar["ManufacturersModelName"] == "Inveon MM Platform"


@pytest.fixture(scope="module")
def one_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose PET has a slope of its own for each frame, over midnight, with text beyond ASCII."""
    subject = replace(PET.subject, identifier="Mäuschen 7")
    pet = replace(PET, data_type=DataType.INT16_LE, subject=subject)
    return study_of(tmp_path_factory.mktemp("one"), Orientation.HFP, replace(CT, subject=subject), pet)


def test_dicom_validator_finds_no_error(one_study: Study, dicom_edition: DicomInfo) -> None:
    from dicom_validator.validator.iod_validator import IODValidator
    from pydicom import dcmread

    for series, beyond_the_iod in ((CT_FOLDER, {X_RAY_TUBE_CURRENT_IN_UA}), (PET_FOLDER, set())):
        for file in one_study.files(series)[:2]:
            errors = IODValidator(dcmread(file), dicom_edition).validate().module_errors
            assert {tag.tag for tags in errors.values() for tag in tags} == beyond_the_iod


def test_dcentvfy_finds_the_files_of_a_study_consistent(one_study: Study, dciodvfy: str) -> None:
    files = [file for series in (CT_FOLDER, PET_FOLDER) for file in one_study.files(series)]
    program = str(Path(dciodvfy).with_name("dcentvfy"))
    found = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert not found.stderr + found.stdout


@pytest.mark.debian
@pytest.mark.parametrize("program", ["dcmdump", "gdcmdump", "gdcminfo"])
@pytest.mark.parametrize("series", [CT_FOLDER, PET_FOLDER])
def test_debian_tools_read_the_files_without_complaint(one_study: Study, tool: Tool, program: str, series: str) -> None:
    found = subprocess.run([tool(program), one_study.files(series)[0]], capture_output=True, check=True)
    assert not re.search(rb"^[WEF]:|error|warning", found.stderr, re.IGNORECASE | re.MULTILINE)
    assert found.stdout


@pytest.mark.debian
def test_non_ascii_names_arrive(one_study: Study, tool: Tool) -> None:
    for series in (CT_FOLDER, PET_FOLDER):
        for file in one_study.files(series)[:2]:
            command = [tool("dcmdump"), "+P", "PatientName", "+P", "SpecificCharacterSet", file]
            found = subprocess.run(command, capture_output=True, check=True)
            assert "Mäuschen 7" in found.stdout.decode()
            assert b"ISO_IR 192" in found.stdout
