"""NIfTI files, read by nibabel and SimpleITK, beside the header's text and dcm2niix's files of our DICOM."""

from __future__ import annotations

import gzip
import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk

import inveonimaging
from helpers import CT, PET, header_text, inveon, write_small_study
from inveonimaging.errors import DataError, OptionError, OutputError
from inveonimaging.inveon.hdr.enums import DataType, Orientation
from inveonimaging.nifti_files import volume as volumes
from inveonimaging.phantom import PhantomScan, frames_of
from inveonimaging.phantom import write_scan as write_phantom

CODES = sorted(
    "".join(code) for ways in itertools.permutations(("LR", "PA", "SI")) for code in itertools.product(*ways)
)
POSTURES = ("FFP", "HFP", "FFS", "HFS", "FFDR", "HFDR", "FFDL", "HFDL")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_study(tmp_path_factory.mktemp("study") / "in")


@pytest.fixture(scope="module")
def written(study: Path) -> Path:
    folder = study.parent / "nifti"
    inveonimaging.nifti(study, folder)
    return folder


def write_pair(folder: Path, main: dict[str, Any], voxels: npt.NDArray[Any], **how: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "m.img.hdr").write_text(header_text(main, **how), "utf-8")
    voxels.tofile(folder / "m.img")
    return folder / "m.img"


def write_scan(path: Path, scan: PhantomScan) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_phantom(path, scan)


def load(path: Path) -> Any:
    return nibabel.load(path)


def at(image: Any, world: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the values of the voxels whose centres lie at places, (n, 3) RAS mm; they must be centres."""
    index = nibabel.affines.apply_affine(np.linalg.inv(image.affine), world)
    nearest = np.rint(index).astype(int)
    assert np.allclose(index, nearest, atol=2e-3)
    return np.asarray(image.get_fdata()[tuple(nearest.T)])


def centres(image: Any) -> npt.NDArray[np.float64]:
    """Return the places of all voxels, (n, 3) RAS mm."""
    index = np.stack(np.meshgrid(*map(np.arange, image.shape[:3]), indexing="ij"), -1).reshape(-1, 3)
    return np.asarray(nibabel.affines.apply_affine(image.affine, index))


def test_a_file_has_values_and_place_of_the_header_by_hand(tmp_path: Path) -> None:
    """Feet first prone: +i left, +j anterior, +k head; 4 x 3 x 2 voxels of 0.5 x 0.25 x 2 mm around the centre."""
    stored = np.arange(24, dtype="<i2").reshape(2, 3, 4)
    main = {"subject_orientation": "1", "calibration_factor": "2.5", "isotope_branching_fraction": "0.5"}
    path = write_pair(tmp_path / "in", main, stored, frames=[{"scale_factor": "0.5"}])
    inveonimaging.nifti(path, tmp_path / "out")
    image = load(tmp_path / "out" / "m.nii.gz")
    posture = inveonimaging.read(path).grid.orientation
    assert posture is Orientation.FFP
    assert image.affine.tolist() == [[-0.5, 0, 0, 0.75], [0, 0.25, 0, -0.25], [0, 0, 2, -1], [0, 0, 0, 1]]
    assert image.get_data_dtype() == np.float32
    assert image.get_fdata()[3, 2, 1] == 23 * 0.5 * 2.5 / 0.5  # Bq/mL
    assert image.get_fdata()[1, 0, 0] == 2.5
    assert [int(image.header[key]) for key in ("qform_code", "sform_code")] == [1, 1]
    assert np.allclose(image.get_qform(), image.get_sform())
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert image.header["pixdim"][4] == 60
    assert image.shape == (4, 3, 2)


def test_a_ct_keeps_its_integers_and_one_factor_becomes_slope_and_intercept(tmp_path: Path) -> None:
    stored = np.arange(-12, 12, dtype=">i2").reshape(2, 3, 4)
    main = {"modality": "1", "acquisition_mode": "9", "data_type": "6"}
    main |= {"ct_hounsfield_scale": "0.5", "ct_hounsfield_offset": "-3"}
    path = write_pair(tmp_path / "in", main, stored)
    inveonimaging.nifti(path, tmp_path / "plain.nii")
    plain = load(tmp_path / "plain.nii")
    assert plain.get_data_dtype() == np.dtype("<i2")
    assert plain.dataobj.slope == 1
    assert np.array_equal(plain.get_fdata().T, stored)
    inveonimaging.nifti(path, tmp_path / "hu.nii", inveonimaging.NiftiOptions(apply_hounsfield=True))
    scaled = load(tmp_path / "hu.nii")
    assert (scaled.dataobj.slope, scaled.dataobj.inter) == (0.5, -3)
    assert np.array_equal(scaled.get_fdata().T, stored * 0.5 - 3)


def test_frames_are_in_the_order_of_time_and_each_has_its_own_factor(tmp_path: Path) -> None:
    """Written as 2, 0, 1 in the file; the steps differ, so that one number cannot say them."""
    frames = [
        {"data_file_pointer": f"0 {96 * n}", "frame_start": start, "frame_duration": length, "scale_factor": factor}
        for n, (start, length, factor) in enumerate([("90", "30", "4"), ("0", "30", "1"), ("30", "60", "2")])
    ]
    stored = np.ones((3, 2, 3, 4), "<f4")
    path = write_pair(tmp_path / "in", {"data_type": "4", "isotope_branching_fraction": "1"}, stored, frames=frames)
    result = inveonimaging.nifti(path, tmp_path / "out", inveonimaging.NiftiOptions(compressed=False))
    image = load(result.files[0])
    assert image.get_fdata()[0, 0, 0].tolist() == [1, 2, 4]
    assert (image.header["pixdim"][4], image.header["toffset"]) == (0, 0)
    side = json.loads((tmp_path / "out" / "m.json").read_text())
    assert side["FrameTimesStart"] == [0, 30, 90]
    assert side["FrameDuration"] == [30, 60, 30]
    assert side["TimeZero"] == "10:20:30"
    text = (tmp_path / "out" / "m.sif").read_text().splitlines()
    assert text == ["5/3/2015 10:20:30 3 2 1 m F-18", "0 30", "30 90", "90 120"]


def test_counts_are_columns_of_the_sif(written: Path) -> None:
    first, *lines = (written / "m1.pet.sif").read_text().splitlines()
    assert first.split()[2:4] == ["2", "4"]
    assert [each.split()[:2] for each in lines] == [["0", "20"], ["20", "60"]]


def test_nibabel_and_simpleitk_read_the_same_values_at_the_same_places(written: Path, study: Path) -> None:
    for name in ("m1.ct", "m1.pet"):
        mine = inveonimaging.read(study / f"{name}.img")
        other = sitk.ReadImage(str(written / f"{name}.nii.gz"))
        frames = len(mine.frames)
        values = sitk.GetArrayFromImage(other).reshape(frames, *mine.source.shape)
        assert np.array_equal(values, np.asarray(mine).reshape(values.shape))
        place = other.TransformIndexToPhysicalPoint([1, 2, 3] + [0] * (frames > 1))
        assert np.allclose(place[:3], (mine.grid.affine @ [1, 2, 3, 1])[:3], atol=1e-4)  # both LPS mm
        assert np.allclose(load(written / f"{name}.nii.gz").affine, mine.affine, atol=1e-5)


def dcm2niix(dicom: Path, output: Path) -> list[Any]:
    program = Path(sys.prefix) / ("Scripts/dcm2niix.exe" if sys.platform == "win32" else "bin/dcm2niix")
    output.mkdir()
    subprocess.run([program, "-z", "n", "-f", "%s", "-o", output, dicom], check=True, capture_output=True)
    return [load(path) for path in sorted(output.glob("*.nii"))]


@pytest.mark.parametrize("posture", POSTURES)
def test_dcm2niix_of_our_dicom_has_the_same_values_at_the_same_places(tmp_path: Path, posture: str) -> None:
    """A CT, whose values are integers; every second posture is mirrored, too."""
    write_scan(tmp_path / "in" / "m.img", CT)
    flip = "x" if POSTURES.index(posture) % 2 else ""
    inveonimaging.convert(tmp_path / "in", tmp_path / "dicom", inveonimaging.Options(orientation=posture, flip=flip))
    (theirs,) = dcm2niix(tmp_path / "dicom", tmp_path / "theirs")
    options = inveonimaging.NiftiOptions(orientation=posture, flip=flip)
    ours = load(inveonimaging.nifti(tmp_path / "in", tmp_path / "ours", options).files[0])
    places = centres(ours)
    assert np.array_equal(at(theirs, places), at(ours, places))
    assert len(np.unique(at(ours, places))) > 10


def test_dcm2niix_of_a_dynamic_pet_has_the_same_values_within_half_a_step(tmp_path: Path, written: Path) -> None:
    study = write_small_study(tmp_path / "in")
    (study / "m1.ct.img").unlink()
    (study / "m1.ct.img.hdr").unlink()
    inveonimaging.convert(study, tmp_path / "dicom", inveonimaging.Options(rescale="series"))
    (theirs,) = dcm2niix(tmp_path / "dicom", tmp_path / "theirs")
    ours = load(written / "m1.pet.nii.gz")
    places = centres(ours)
    step = float(theirs.dataobj.slope)
    assert theirs.shape == ours.shape
    assert np.abs(at(theirs, places) - at(ours, places)).max() <= 0.5001 * step + 1e-6 * np.abs(ours.get_fdata()).max()


@pytest.mark.parametrize(("name", "limit"), [("m1.pet", 1), ("m1.pet", 10**9), ("m1.ct", 10**9)])
def test_all_48_ways_to_reorient_keep_each_value_at_its_place(
    study: Path, written: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: int
) -> None:
    """Also where a frame is read a row or a column at a time."""
    monkeypatch.setattr(volumes, "_PIECE", limit)
    monkeypatch.setattr("inveonimaging.study.image._SLAB_VOXELS", 100 if limit == 1 else 10**6)
    stored = load(written / f"{name}.nii.gz")
    (series,) = inveonimaging.read(study / f"{name}.img").series()
    for code in CODES:
        volume = volumes.Volume(image=series, reorient=code)
        assert "".join(nibabel.aff2axcodes(volume.affine)) == code
        turned = nibabel.as_closest_canonical(stored)  # RAS, by nibabel
        way = nibabel.orientations.ornt_transform(
            nibabel.orientations.axcodes2ornt("RAS"), nibabel.orientations.axcodes2ornt(code)
        )
        expected = turned.as_reoriented(way)
        values = np.concatenate([each.flatten() for each in volume.pieces()]).reshape(volume.shape[::-1]).T
        assert np.array_equal(values, expected.get_fdata(dtype=np.float32))
        assert np.allclose(volume.affine, expected.affine, atol=1e-5)


def test_reorient_and_scale_are_in_the_file_and_in_its_sidecar(study: Path, tmp_path: Path, written: Path) -> None:
    done = inveon("nifti", study / "m1.pet.img", tmp_path / "x.nii", "--reorient", "ras", "--scale-voxels", 10)
    assert done.exit_code == 0
    image, true = load(tmp_path / "x.nii"), load(written / "m1.pet.nii.gz")
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
    canonical = nibabel.as_closest_canonical(true)
    assert np.allclose(image.affine[:3], 10 * canonical.affine[:3], atol=1e-4)
    assert np.array_equal(image.get_fdata(), canonical.get_fdata())
    side = json.loads((tmp_path / "x.json").read_text())
    assert (side["VoxelScale"], side["AxisCodes"], side["VoxelSizeMm"]) == (10, "RAS", [3.5, 4.0, 9.0])
    assert b"voxel sizes x 10" in bytes(image.header["descrip"])
    assert "VoxelScale" not in json.loads((written / "m1.pet.json").read_text())


def test_each_bed_is_a_file_at_its_place_and_gates_are_frames_of_one(tmp_path: Path) -> None:
    write_scan(tmp_path / "in" / "beds.img", replace(PET, beds=(100.0, 127.0), frames=frames_of(20)))
    write_scan(tmp_path / "in" / "gates.img", replace(PET, gates=3, frames=frames_of(60)))
    options = inveonimaging.NiftiOptions(cycle_ms=900, bed_direction="forward")
    result = inveonimaging.nifti(tmp_path / "in", tmp_path / "out", options)
    assert [path.name for path in result.files] == ["beds-bed_0.nii.gz", "beds-bed_1.nii.gz", "gates.nii.gz"]
    first, second, gates = map(load, result.files)
    assert np.allclose(np.linalg.norm((second.affine - first.affine)[:3, 3]), 27)
    assert gates.shape[3] == 3
    assert gates.header["pixdim"][4] == pytest.approx(0.3)
    side = json.loads((tmp_path / "out" / "gates.json").read_text())
    assert side["GateTimesStart"] == pytest.approx([0, 0.3, 0.6])
    assert not (tmp_path / "out" / "gates.sif").exists()


@pytest.mark.parametrize("kind", [DataType.INT16_BE, DataType.INT32_BE, DataType.FLOAT32_BE, DataType.INT8])
def test_any_type_and_byte_order_gives_the_product(tmp_path: Path, kind: DataType) -> None:
    write_scan(tmp_path / "in" / "m.img", replace(PET, data_type=kind, frames=frames_of(20)))
    result = inveonimaging.nifti(tmp_path / "in", tmp_path / "out")
    image = load(result.files[0])
    values = np.asarray(inveonimaging.read(tmp_path / "in" / "m.img"))
    assert image.header.endianness == "<"
    assert np.array_equal(image.get_fdata(dtype=np.float32).T, values)


def test_equal_input_gives_equal_bytes_without_a_time(written: Path, study: Path, tmp_path: Path) -> None:
    again = inveonimaging.nifti(study, tmp_path / "again")
    for path in (*again.files, *again.beside):
        assert path.read_bytes() == (written / path.name).read_bytes()
    packed = (written / "m1.ct.nii.gz").read_bytes()
    assert packed[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF])
    inveonimaging.nifti(study, tmp_path / "plain", inveonimaging.NiftiOptions(compressed=False))
    assert gzip.decompress(packed) == (tmp_path / "plain" / "m1.ct.nii").read_bytes()


def test_a_dimension_beyond_16_bits_is_nifti_2(tmp_path: Path) -> None:
    main = {"x_dimension": "40000", "y_dimension": "1", "z_dimension": "1"}
    path = write_pair(tmp_path / "in", main, np.arange(40000, dtype="<i2"))
    image = load(inveonimaging.nifti(path, tmp_path / "x.nii").files[0])
    assert isinstance(image, nibabel.Nifti2Image)
    assert image.shape == (40000, 1, 1)
    assert image.get_fdata()[32767, 0, 0] == pytest.approx(32767 / 0.967)


def test_nothing_is_overwritten_unasked_and_nothing_half_is_left(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "m1.pet.json").write_text("mine")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        inveonimaging.nifti(study, out)
    assert [path.name for path in out.iterdir()] == ["m1.pet.json"]
    inveonimaging.nifti(study, out, inveonimaging.NiftiOptions(overwrite=True))
    before = sorted(path.name for path in out.iterdir())
    assert before == ["m1.ct.json", "m1.ct.nii.gz", "m1.pet.json", "m1.pet.nii.gz", "m1.pet.sif"]

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    for folder in (out, tmp_path / "new" / "deep"):
        with pytest.raises(KeyboardInterrupt):
            inveonimaging.nifti(study, folder, inveonimaging.NiftiOptions(overwrite=True), progress=stop)
    assert sorted(path.name for path in out.iterdir()) == before
    assert not (tmp_path / "new").exists()


def test_if_one_name_cannot_be_given_all_is_as_before(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    inveonimaging.nifti(study, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    rename = Path.rename
    left = iter([True])

    def fails_once(self: Path, target: Path) -> Path:
        if Path(target).name == "m1.pet.json" and next(left, False):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_once)
    with pytest.raises(OutputError, match="No space left"):
        inveonimaging.nifti(study, out, inveonimaging.NiftiOptions(overwrite=True, scale_voxels=2))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_data_file_that_changes_is_refused(tmp_path: Path) -> None:
    study = write_small_study(tmp_path / "in")
    touched: list[bool] = []

    def touch(_done: int, _total: int) -> None:
        if not touched:
            touched.append(True)
            with (study / "m1.pet.img").open("ab") as file:
                file.write(b"more")

    with pytest.raises(DataError, match="has changed while it was read"):
        inveonimaging.nifti(study, tmp_path / "out", progress=touch)
    assert not (tmp_path / "out").exists()


def test_names_are_those_of_every_system_and_no_two_are_one(tmp_path: Path) -> None:
    for name in ("CON.img", "a b.img", "a_b.img", "A;b.img", "-rf.img"):
        write_scan(tmp_path / "in" / name, replace(CT, shape=(8, 7, 2), spacing_mm=(3.5, 4.0, 27.0)))
    result = inveonimaging.nifti(tmp_path / "in", tmp_path / "out", inveonimaging.NiftiOptions(compressed=False))
    assert sorted(path.name for path in result.files) == [
        "A_b.nii",
        "CON-series_3.nii",
        "a_b-series_4.nii",
        "a_b-series_5.nii",
        "rf.nii",
    ]


def test_a_deidentified_file_names_nothing(tmp_path: Path) -> None:
    write_scan(tmp_path / "in" / "Jane_Doe_mouse.img", replace(PET, frames=frames_of(20)))
    secret = "a secret of this laboratory"  # noqa: S105 - of this test
    options = inveonimaging.NiftiOptions(deidentify=inveonimaging.Deidentify(key=secret))
    result = inveonimaging.nifti(tmp_path / "in", tmp_path / "out", options)
    for path in (*result.files, *result.beside):
        held = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert b"Jane" not in held + path.name.encode()
        assert b"2014" not in held or path.suffix == ".gz"


# Several animals, several folders.

HOTEL = """patient_id,position,weight_g,dose_MBq,injection_time,posture,seen_from
m12,left,20.5,7.1,2014-06-17 13:51:37,,{side}
m13,right,17.4,6.9,2014-06-17 13:50:00,{posture},{side}
"""
LOW_I, HIGH_I = ([-11, -8, -18], [-4, 8, 18]), ([4, -8, -18], [8, 8, 10])


def hotel_options(folder: Path, side: str = "", posture: str = "") -> inveonimaging.NiftiOptions:
    """Return options with a sheet of two animals and their boxes; seen from the back, left is at high i."""
    places = (HIGH_I, LOW_I) if side == "back" else (LOW_I, HIGH_I)
    boxes = [
        {"position": name, "low_mm": low, "high_mm": high}
        for name, (low, high) in zip(("left", "right"), places, strict=True)
    ]
    folder.mkdir(exist_ok=True)
    (folder / "hotel.csv").write_text(HOTEL.format(side=side, posture=posture))
    (folder / "boxes.json").write_text(json.dumps({"schema": 1, "program": "inveonimaging", "animals": boxes}))
    return inveonimaging.NiftiOptions(split=True, sheet=folder / "hotel.csv", boxes=folder / "boxes.json")


@pytest.mark.parametrize("side", ["", "back"])
def test_each_animal_of_a_hotel_has_its_files_at_the_places_of_the_whole(
    study: Path, written: Path, tmp_path: Path, side: str
) -> None:
    """The CT's voxels of 3.5 mm begin at -15.45 mm: -14 to -1 mm touch 0 to 5, 1 to 11 mm 4 to 8; seen from the back
    the low ones are those of the right animal."""
    result = inveonimaging.nifti(study, tmp_path / "out", hotel_options(tmp_path / "sheet", side))
    assert [each.folder.name for each in result.studies] == ["m12", "m13"]
    assert [len(each.files) for each in result.studies] == [2, 2]
    columns = [0, 4] if side != "back" else [4, 0]
    for animal, first, dose in zip(("m12", "m13"), columns, (7.1, 6.9), strict=True):
        for name in ("m1.ct", "m1.pet"):
            part, whole = load(tmp_path / "out" / animal / f"{name}.nii.gz"), load(written / f"{name}.nii.gz")
            places = centres(part)
            assert len(places) < len(centres(whole))
            assert np.array_equal(at(part, places), at(whole, places))
        side_car = json.loads((tmp_path / "out" / animal / "m1.pet.json").read_text())
        assert side_car["SourceFirstVoxel"][0] == first
        assert side_car["InjectedRadioactivity"] == pytest.approx(dose)
    assert part.get_data_dtype() == np.float32


def test_an_animal_that_lies_the_other_way_has_its_own_axes(study: Path, written: Path, tmp_path: Path) -> None:
    """The phantom is HFP; an animal that lies HFS is turned by half a turn about the bed's axis."""
    inveonimaging.nifti(study, tmp_path / "out", hotel_options(tmp_path / "sheet", posture="HFS"))
    part, whole = load(tmp_path / "out" / "m13" / "m1.ct.nii.gz"), load(written / "m1.ct.nii.gz")
    places = centres(part)
    assert np.array_equal(at(part, places), at(whole, places * [-1, -1, 1]))


def test_a_hotel_is_refused_before_anything_is_written(study: Path, tmp_path: Path) -> None:
    options = hotel_options(tmp_path / "sheet")
    for wrong, message in (
        ({"sheet": None}, "a sheet that says which animal lies where is missing"),
        ({"boxes": None}, "inveon split of these scans shows what was found"),  # no animal, in this phantom
        ({"recursive": True}, "boxes are of one scan"),
    ):
        with pytest.raises(inveonimaging.InveonError, match=message):
            inveonimaging.nifti(study, tmp_path / "out", replace(options, **wrong))
    with pytest.raises(OptionError, match="the output names one file"):
        inveonimaging.nifti(study, tmp_path / "out.nii", options)
    (tmp_path / "out" / "m13").mkdir(parents=True)
    (tmp_path / "out" / "m13" / "m1.pet.json").write_text("mine")
    with pytest.raises(OutputError, match="nothing is overwritten"):
        inveonimaging.nifti(study, tmp_path / "out", options)
    assert not (tmp_path / "out" / "m12").exists()


def test_deidentified_animals_are_numbers(study: Path, tmp_path: Path) -> None:
    secret = "a secret of this laboratory"  # noqa: S105 - of this test
    options = replace(hotel_options(tmp_path / "sheet"), deidentify=inveonimaging.Deidentify(key=secret))
    result = inveonimaging.nifti(study, tmp_path / "out", options)
    assert [each.folder.name for each in result.studies] == ["study-1", "study-2"]
    for path in result.beside:
        assert b"m12" not in path.read_bytes()
        assert b"m13" not in path.read_bytes()


def test_a_bad_folder_stops_no_other(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    for name in ("a", "deep/b.nii", "c", "hotel"):
        write_small_study(root / name)
    (root / "c" / "m1.pet.img").write_bytes(b"short")
    hotel_options(tmp_path / "sheet")
    sheet = (tmp_path / "sheet" / "hotel.csv").read_text().splitlines()
    lines = [("folder," if n == 0 else "hotel,") + line for n, line in enumerate(sheet)]
    (root / "hotels.csv").write_text("\n".join(lines))
    arguments = ("nifti", root, root / "out", "--recursive", "--no-gzip")
    listed = inveon(*arguments, "--dry-run", "--json")
    assert [len(json.loads(listed.stdout)[key]) for key in ("series", "failures")] == [6, 1]
    done = inveon(*arguments)
    assert done.exit_code == 1
    assert "3 studies written, 1 not" in done.stdout
    assert done.stderr.count("error: ") == 1
    assert "has 5 bytes" in done.stderr
    out = root / "out"
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("m1*.nii")) == [
        *("a/m1.ct.nii", "a/m1.pet.nii", "deep/b.nii/m1.ct.nii", "deep/b.nii/m1.pet.nii"),
        *("hotel/m1.ct.nii", "hotel/m1.pet.nii"),
    ]
    split = inveon("nifti", root, tmp_path / "parts", "-r", "--split", "--subjects", root / "hotels.csv", "--json")
    messages = {Path(each["source"]).name: each["message"] for each in json.loads(split.stdout)["failures"]}
    assert sorted(messages) == ["c", "hotel"]
    assert "inveon split of these scans" in messages["hotel"]
    nothing = inveon("nifti", tmp_path / "sheet", tmp_path / "none", "-r")
    assert (nothing.exit_code, nothing.stderr.count("\n")) == (1, 1)


def test_what_makes_no_sense_is_one_line(study: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("--reorient", "RAX"), "three letters, one each of LR, PA and SI"),
        (("--reorient", "RLA"), "three letters"),
        (("--scale-voxels", "0"), "above 0"),
        (("--scale-voxels", "nan"), "number"),
        (("--deidentify", "--dates", "never"), "keep"),
    ):
        done = inveon("nifti", study, tmp_path / "out", *arguments)
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr
    done = inveon("nifti", study, tmp_path / "one.nii.gz")
    assert "there are 2 series, and one file is named" in done.stderr
    with pytest.raises(OptionError):
        inveonimaging.NiftiOptions(reorient="up")
    assert not any(path.name.startswith(("out", "one")) for path in tmp_path.iterdir())


def test_a_dry_run_writes_nothing_and_json_names_files(study: Path, tmp_path: Path) -> None:
    done = inveon("nifti", study, tmp_path / "out", "-n", "--json")
    rows = json.loads(done.stdout)["series"]
    assert [(Path(row["file"]).name, row["shape"], row["type"]) for row in rows] == [
        ("m1.ct.nii.gz", [8, 7, 6], "int16"),
        ("m1.pet.nii.gz", [8, 7, 6, 2], "float32"),
    ]
    assert not (tmp_path / "out").exists()
    assert "m1.pet.nii.gz" in inveon("nifti", study, tmp_path / "out", "-n").stdout
    done = inveon("nifti", study, tmp_path / "out", "--json")
    assert [Path(each).name for each in json.loads(done.stdout)["files"]] == ["m1.ct.nii.gz", "m1.pet.nii.gz"]
    assert inveon("nifti", study, tmp_path / "out").exit_code == 1


def test_swapped_arguments_and_a_pair_that_cannot_be_read_say_what_to_type(study: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert f'inveon nifti "{study}"' in inveon("nifti", tmp_path / "none", study).stderr
    broken = write_small_study(tmp_path / "broken")
    (broken / "m1.pet.img").write_bytes(b"short")
    assert 'name one file: inveon nifti "' in inveon("nifti", broken, tmp_path / "out").stderr
