"""What more programs make of the files: MRtrix, MINC, (X)MedCon, ImageJ, VTK, nibabel, dicom2nifti and PET2BIDS.

The animal has a strain, the PET filters in all directions, and the reconstruction iterations and subsets: each once
made some of these programs stop, or read no voxel. Pixels are square, since MRtrix 3.0.3 and MINC 2 take the spacing of
rows for that of columns. What each of them cannot read is in docs/how-to/viewers.md, and no part of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dicom2nifti
import nibabel
import numpy as np
import pytest
import vtk
from pydicom import dcmread
from vtk.util.numpy_support import vtk_to_numpy

from conftest import Tool
from inveonimaging import Options, convert
from inveonimaging.inveon.hdr.enums import FilterWindow, Modality, Orientation, ReconAlgorithm
from inveonimaging.inveon.hdr.model import Header
from inveonimaging.inveon.hdr.values import Filter, GateBins
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, frames_of, write_scan
from readers.test_readers import half_slope, voxels
from truth import Float, Truth, truth_of

STATIC = replace(PET_SCAN, shape=(10, 11, 9), spacing_mm=(2.5, 2.5, 7.5), frames=frames_of(60.0))
SCANS = {
    "CT": replace(CT_SCAN, shape=(11, 10, 9), spacing_mm=(2.6, 2.6, 8.0)),
    "static": STATIC,
    "dynamic": replace(STATIC, frames=frames_of(15.0, 60.0, 600.0)),
    "gated": replace(STATIC, gates=4, gate_bins=(GateBins(1, 4, 0.8, 1.4),)),
    "SPECT": replace(SPECT_SCAN, shape=(9, 8, 7), spacing_mm=(2.75, 2.75, 8.0)),
}
PET_AND_CT = tuple(scan for scan in SCANS if scan != "SPECT")
FORMS = ("classic", "enhanced", "legacy")
MULTI_FRAME = FORMS[1:]
VOLUMES = [("SPECT", "classic"), *((scan, form) for scan in ("CT", "static") for form in FORMS)]
INJECTED_S = -30  # before the start of the scan


@dataclass(frozen=True)
class Series:
    """A converted scan: its truth, and its files in the order of their numbers."""

    truth: Truth
    files: list[Path]

    @property
    def folder(self) -> Path:
        return self.files[0].parent

    def frame(self, index: int, folder: Path) -> Series:
        """Copy the slices of one time frame of single-frame images into a folder."""
        slices = self.truth.shape[2]
        copies = [folder / file.name for file in self.files[index * slices : (index + 1) * slices]]
        for copy in copies:
            copy.write_bytes((self.folder / copy.name).read_bytes())
        return Series(replace(self.truth, values=self.truth.values[[index]]), copies)


Made = Callable[..., Series]


def reconstructed(header: Header) -> Header:
    """Give a PET an iterative reconstruction and a filter along each axis."""
    if header.modality is not Modality.PET:
        return header
    ramp, hann = Filter(FilterWindow.RAMP, 0.5), Filter(FilterWindow.HANN, 0.5)
    how = replace(
        header.reconstruction,
        algorithm=ReconAlgorithm.OSEM3D,
        map_subsets=16,
        map_osem3d_iterations=2,
        x_filter=ramp,
        y_filter=ramp,
        z_filter=hann,
    )
    return replace(header, reconstruction=how)


@pytest.fixture(scope="module", params=[Orientation.HFP, Orientation.FFS], ids=lambda code: code.name)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a function that converts a scan of a posture into a form, each once, with one slope by default."""
    root = tmp_path_factory.mktemp("made")
    known: dict[tuple[str, ...], Series] = {}

    def series(scan: str, form: str, rescale: str = "series") -> Series:
        data = root / scan / "mouse.img"
        if not data.exists():
            data.parent.mkdir()
            write_scan(data, replace(SCANS[scan], orientation=request.param), change=reconstructed)
        if (scan, form, rescale) not in known:
            output = root / scan / f"{form} {rescale}"
            convert(data, output, Options(form=form, rescale=rescale))
            known[scan, form, rescale] = Series(truth_of(data), sorted(output.rglob("*.dcm")))
        return known[scan, form, rescale]

    return series


def check(values: Float, to_lps: Float, truth: Truth, error: float | None = None) -> None:
    """Compare volumes with the truth, voxel by voxel at their places.

    Args:
        values: along three axes of space and, if there are several volumes, one of time.
        to_lps: 4 x 4, from indices along the axes of space to mm.
        truth: what the scan shows.
        error: bound on that of a value; half a step of one slope for the series if None.
    """
    error = half_slope(truth.values) if error is None else error
    volumes = values.reshape(*values.shape[:3], -1)
    assert volumes.shape[3] == len(truth.values)
    assert sorted(volumes.shape[:3]) == sorted(truth.shape)
    to_index = np.linalg.inv(to_lps)
    for i, j, k in voxels(truth):
        index = to_index @ [*truth.position(i, j, k), 1]
        near = np.rint(index).astype(int)
        assert near.min() >= 0
        assert np.abs(to_lps @ (index - near))[:3].max() < 1e-3
        for frame, true in enumerate(truth.values[:, k, j, i]):
            # float32 values or slopes, whose rounding adds to half a step of ours
            assert volumes[(*near[:3], frame)] == pytest.approx(true, abs=error, rel=1e-6)


def lps(to_ras: Float) -> Float:
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ to_ras


def planes(series: Series, form: str) -> Float:
    """Return the true values of all planes in the order of the files, or of the frames in the one file."""
    truth = series.truth
    if truth.main["modality"] == str(Modality.SPECT.value):  # planes go to the head, and row x column points there
        stored = np.asarray(truth.values[0])
        return stored[::-1] if truth.axes[2, 2] < 0 else stored[:, :, ::-1]
    ascending = truth.values if form == "classic" else truth.values[:, ::-1]  # frames go along row x column
    return ascending.reshape(-1, *ascending.shape[2:])


def run(*command: object, **environment: str) -> str:
    """Run a program that must succeed; return what it prints."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_animal_has_what_made_programs_stop(made: Made) -> None:
    first = dcmread(made("static", "classic").files[0])
    assert "Strain: C57BL/6J" in first.AdditionalPatientHistory
    assert first.ConvolutionKernel == "Ra/Ra/Hn 0.5"
    assert first.ReconstructionMethod == "OSEM3D, 2i16s"


# MRtrix.


def mrtrix(program: str, series: Series, folder: Path) -> nibabel.Nifti1Image:
    run(program, "-quiet", series.folder, folder / "mrtrix.nii", "-datatype", "float32")
    return nibabel.Nifti1Image.from_filename(folder / "mrtrix.nii")


@pytest.mark.debian
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scan", ["static", "dynamic", "gated"])
def test_mrtrix_reads_places_values_and_frames(made: Made, tool: Tool, tmp_path: Path, scan: str, form: str) -> None:
    series = made(scan, form)
    image = mrtrix(tool("mrconvert"), series, tmp_path)
    check(np.asarray(image.dataobj, dtype=float), lps(image.affine), series.truth)


@pytest.mark.debian
@pytest.mark.parametrize("form", FORMS)
def test_mrtrix_reads_a_slope_for_each_frame(made: Made, tool: Tool, tmp_path: Path, form: str) -> None:
    series = made("dynamic", form, "frame")
    image = mrtrix(tool("mrconvert"), series, tmp_path)
    check(np.asarray(image.dataobj, dtype=float), lps(image.affine), series.truth)


@pytest.mark.debian
@pytest.mark.parametrize("form", FORMS)
def test_mrtrix_reads_a_ct_but_for_the_sign(made: Made, tool: Tool, tmp_path: Path, form: str) -> None:
    """MRtrix 3.0.3 takes stored values for unsigned ones: -1000 becomes 64536, which the remainder mends."""
    series = made("CT", form)
    image = mrtrix(tool("mrconvert"), series, tmp_path)
    values = np.asarray(image.dataobj, dtype=float)
    check((values + 32768) % 65536 - 32768, lps(image.affine), series.truth)


# MINC.


@pytest.mark.debian
@pytest.mark.parametrize(("scan", "rescale"), [*((scan, "series") for scan in PET_AND_CT), ("dynamic", "frame")])
def test_minc_reads_single_frame_images(made: Made, tool: Tool, tmp_path: Path, scan: str, rescale: str) -> None:
    series = made(scan, "classic", rescale)
    run(tool("dcm2mnc"), series.folder, tmp_path)
    [whole] = tmp_path.rglob("*.mnc")
    files = [whole]
    if len(series.truth.values) > 1:  # nibabel reads no times that are irregular
        files = [tmp_path / f"{index}.mnc" for index in range(len(series.truth.values))]
        for index, file in enumerate(files):
            run(tool("mincreshape"), "-quiet", "-dimrange", f"time={index},0", whole, file)
    images = [nibabel.Minc1Image.from_filename(file) for file in files]
    values = np.stack([np.asarray(image.dataobj, dtype=float) for image in images], axis=-1)
    for image in images:  # MINC rounds once more
        check(values, lps(image.affine), series.truth, 2 * half_slope(series.truth.values))


# (X)MedCon, which knows sizes and values, and centres every volume.


@pytest.mark.debian
@pytest.mark.parametrize(("scan", "form"), VOLUMES)
def test_medcon_reads_sizes_and_values(made: Made, tool: Tool, tmp_path: Path, scan: str, form: str) -> None:
    series = made(scan, form)
    stacked = ["-stack3d"] if len(series.files) > 1 else []
    # -n keeps what is below 0, -qc uses all factors
    options = [*stacked, "-n", "-qc", "-c", "nifti", "-noprefix", "-o", tmp_path / "medcon"]
    run(tool("medcon"), "-f", *series.files, *options)
    image = nibabel.Nifti1Image.from_filename(tmp_path / "medcon.nii")
    assert image.header.get_zooms() == pytest.approx(SCANS[scan].spacing_mm, abs=1e-3)
    # it rounds to steps of its own
    error = 2 * half_slope(series.truth.values)
    np.testing.assert_allclose(image.get_fdata(), planes(series, form).transpose(2, 1, 0), rtol=0, atol=error)


# ImageJ, which opens one file as a stack.

MACRO = """
files = split(File.openAsString(getArgument()), "\\n");
for (f = 0; f < files.length; f++) {
    open(files[f]);
    getVoxelSize(w, h, d, unit);
    getDimensions(columns, rows, channels, slices, times);
    print("file", columns, rows, channels * slices * times, w, h, d, unit);
    for (s = 1; s <= nSlices; s++) {
        setSlice(s);
        line = "";
        for (y = 0; y < rows; y++) for (x = 0; x < columns; x++) line += d2s(calibrate(getPixel(x, y)), 6) + " ";
        print(line);
    }
    close();
}
"""
OPENED = [*VOLUMES, ("dynamic", "enhanced"), ("gated", "legacy")]


@pytest.fixture(scope="module")
def opened(made: Made, tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[str]]:
    """Return what ImageJ, started once, prints about each file."""
    folder = tmp_path_factory.mktemp("imagej")
    (folder / "tell.ijm").write_text(MACRO)
    (folder / "files").write_text("\n".join(str(made(*each).files[0]) for each in OPENED))
    java = [tool("java"), "-cp", "/usr/share/java/ij.jar", "ij.ImageJ"]
    macro = folder / "tell.ijm", folder / "files"
    shown = run(tool("xvfb-run"), "-a", *java, "-batch", *macro, HOME=str(folder))
    return dict(zip(OPENED, (part.splitlines() for part in shown.split("file ")[1:]), strict=True))


@pytest.mark.debian
@pytest.mark.parametrize(("scan", "form"), OPENED)
def test_imagej_opens_a_file_with_its_values_in_mm(
    made: Made, opened: dict[tuple[str, str], list[str]], scan: str, form: str
) -> None:
    series = made(scan, form)
    first, *lines = opened[scan, form]
    *sizes, unit = first.split()
    expected = planes(series, form)[: 1 if form == "classic" and scan != "SPECT" else None]
    assert [float(size) for size in sizes] == pytest.approx([*expected.shape[::-1], *SCANS[scan].spacing_mm], abs=1e-3)
    assert unit == "mm"
    values = np.array([line.split() for line in lines], dtype=float).reshape(expected.shape)
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=half_slope(series.truth.values))


# VTK, and so PyVista: it reads a folder of single-frame images of one volume.


@pytest.mark.parametrize("scan", ["CT", "static", "frame 2 of dynamic"])
def test_vtk_reads_a_volume_of_single_frame_images(made: Made, tmp_path: Path, scan: str) -> None:
    series = made(scan, "classic") if scan in SCANS else made("dynamic", "classic", "frame").frame(1, tmp_path)
    reader = vtk.vtkDICOMImageReader()
    reader.SetDirectoryName(str(series.folder))
    reader.Update()
    image = reader.GetOutput()
    cells = vtk_to_numpy(image.GetPointData().GetScalars()).astype(float)
    values = cells.reshape(image.GetDimensions(), order="F")[:, ::-1]  # its rows go upwards
    directions = np.reshape(reader.GetImageOrientationPatient(), (2, 3))
    axes = np.array([*directions, -np.cross(*directions)]).T * image.GetSpacing()
    last = np.array(reader.GetImagePositionPatient())  # its slices go against row x column, and it keeps the last place
    to_lps = np.eye(4)
    to_lps[:3] = np.column_stack([axes, last - (values.shape[2] - 1) * axes[:, 2]])
    check(values, to_lps, series.truth)


# nibabel's own reader of multi-frame objects.


@pytest.mark.parametrize("form", MULTI_FRAME)
@pytest.mark.parametrize("scan", PET_AND_CT)
def test_nibabel_reads_multi_frame_objects(made: Made, scan: str, form: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The DICOM readers are highly experimental", UserWarning)
        from nibabel.nicom.dicomwrappers import MultiframeWrapper

    series = made(scan, form)
    [file] = series.files
    wrapper = MultiframeWrapper(dcmread(file))
    check(np.asarray(wrapper.get_data(), dtype=float), np.asarray(wrapper.affine), series.truth)


# dicom2nifti.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scan", ["CT", "static"])
def test_dicom2nifti_mirrors_no_slice(made: Made, scan: str, form: str) -> None:
    series = made(scan, form)
    image = dicom2nifti.dicom_series_to_nifti(str(series.folder), None, reorient_nifti=False)["NII"]
    check(np.asarray(image.dataobj, dtype=float), lps(image.affine), series.truth)


# PET2BIDS, which runs dcm2niix.


ALL_OF_THEM = """
import json, sys
from pypet2bids.dcm2niix4pet import main

for sys.argv in json.loads(sys.argv[1]):
    main()
"""
RECONSTRUCTIONS: dict[str, tuple[dict[str, Any], str, dict[str, int]]] = {
    "FBP": ({"algorithm": ReconAlgorithm.FBP}, "Filtered Back Projection", {}),
    "OSEM3D": ({}, "3D Ordered Subset Expectation Maximization", {"subsets": 16, "iterations": 2}),
    "OSEM3D-MAP": (
        {"algorithm": ReconAlgorithm.OSEM3D_MAP, "map_iterations": 18, "map_beta": 0.1},
        "3D Ordered Subset Expectation Maximization",
        {"subsets": 16, "iterations": 2},
    ),
    "OSEM2D": (
        {"algorithm": ReconAlgorithm.OSEM2D, "osem2d_subsets": 14, "osem2d_iterations": 4},
        "2D Ordered Subset Expectation Maximization",
        {"subsets": 14, "iterations": 4},
    ),
}


@pytest.fixture(scope="module")
def pet2bids(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what PET2BIDS writes beside a volume of each reconstruction; its settings stand in a home of their own."""
    folder = tmp_path_factory.mktemp("pet2bids")
    scripts = Path(sys.prefix) / ("Scripts" if sys.platform == "win32" else "bin")
    suffix = ".exe" if sys.platform == "win32" else ""
    (folder / ".pet2bidsconfig").write_text(f"DCM2NIIX_PATH={scripts / 'dcm2niix'}{suffix}\n")
    commands = []
    for name, (how, _, _) in RECONSTRUCTIONS.items():

        def change(header: Header, how: dict[str, Any] = how) -> Header:
            made = reconstructed(header)
            return replace(made, reconstruction=replace(made.reconstruction, **how))

        (folder / name).mkdir()
        write_scan(folder / name / "mouse.img", SCANS["dynamic"], change=change)
        convert(folder / name / "mouse.img", folder / name / "dicom")
        places = [folder / name / "dicom" / "1", "--notrack", "-d", folder / name / "bids" / "sub-01" / "pet"]
        commands.append(["dcm2niix4pet", *map(str, places), "--kwargs", f"InjectionStart={INJECTED_S}"])
    run(sys.executable, "-c", ALL_OF_THEM, json.dumps(commands), HOME=str(folder), USERPROFILE=str(folder))
    found = {}
    for name in RECONSTRUCTIONS:
        [sidecar] = (folder / name / "bids").rglob("*.json")
        found[name] = json.loads(sidecar.read_text("utf-8"))
    return found


def test_pet2bids_knows_times_and_dose(pet2bids: dict[str, dict[str, Any]]) -> None:
    for found in pet2bids.values():
        assert found["FrameTimesStart"] == [0, 15, 75]
        assert found["FrameDuration"] == [15, 60, 600]
        assert found["InjectionStart"] == INJECTED_S
        assert (found["InjectedRadioactivity"], found["InjectedRadioactivityUnits"]) == (7.03, "MBq")
        assert (found["Units"], found["TracerRadionuclide"]) == ("Bq/mL", "18Fluorine")


@pytest.mark.parametrize("how", RECONSTRUCTIONS)
def test_pet2bids_knows_the_reconstruction(pet2bids: dict[str, dict[str, Any]], how: str) -> None:
    found, (_, name, numbers) = pet2bids[how], RECONSTRUCTIONS[how]
    assert found["ReconMethodName"] == name
    labels, values = found["ReconMethodParameterLabels"], found["ReconMethodParameterValues"]
    assert dict(zip(labels, values, strict=True)) == numbers
    assert found["ReconMethodParameterUnits"] == ["none"] * len(numbers)
