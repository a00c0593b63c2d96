"""Time-activity curves: regions whose means are known by formula, or by SimpleITK on the same mask."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk

import inveonimaging
from helpers import PET, assert_one_line_error, header_text, inveon, write_small_study
from inveonimaging import CurvesOptions, Sphere
from inveonimaging.errors import InputError, InveonError, OptionError, OutputError
from inveonimaging.phantom import SPECT_SCAN, frames_of, write_scan
from inveonimaging.time_activity.measuring import Curve
from inveonimaging.time_activity.tables import COLUMNS

SHAPE, SPACING = (21, 19, 15), (0.5, 0.25, 2.0)  # i, j, k
FACTORS = (4.0, 2.0)
FRAMES = [
    {"data_file_pointer": "0 0", "frame_start": "60", "frame_duration": "30", "scale_factor": "4"},
    {"data_file_pointer": f"0 {21 * 19 * 15 * 4}", "frame_start": "0", "frame_duration": "60", "scale_factor": "2"},
]
DOSED = {
    "isotope_branching_fraction": "1",
    "decay_correction_applied": "1",
    "subject_weight": "20",
    "subject_weight_units": "1",
    "dose": "5",
    "dose_units": "2",
    "injection_time": "Thu Mar  5 10:19:30 2015",  # 60 s before the scan
}


def place(i: float, j: float, k: float) -> tuple[float, float, float]:
    """Return where a voxel is by hand, LPS mm: feet first prone, +i left, +j to the belly, +k to the head."""
    return (i - 10) * 0.5, -(j - 9) * 0.25, (k - 7) * 2.0


def linear() -> npt.NDArray[np.float32]:
    """Return 1000 + 10 x + 20 y + 5 z of each voxel, (nk, nj, ni): the mean of a sphere is the value at its middle."""
    k, j, i = np.meshgrid(*(np.arange(n, dtype=float) for n in SHAPE[::-1]), indexing="ij")
    x, y, z = place(i, j, k)
    return np.asarray(1000 + 10 * x + 20 * y + 5 * z, np.float32)


def write_pair(path: Path, voxels: npt.NDArray[Any], frames: Sequence[Any] = FRAMES, **main: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nk, nj, ni = voxels.shape[-3:]
    sizes = {"x_dimension": str(ni), "y_dimension": str(nj), "z_dimension": str(nk), "data_type": "4"}
    text = header_text({**sizes, "subject_orientation": "1", **DOSED, **main}, frames=frames)
    Path(f"{path}.hdr").write_text(text, "utf-8")
    voxels.astype("<f4").tofile(path)
    return path


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PET of two frames of the linear field; the later one is first in the file, and has twice the factor."""
    return write_pair(tmp_path_factory.mktemp("scan") / "m.img", np.stack([linear(), linear()]))


def curves_of(source: Path, **options: Any) -> dict[str, Curve]:
    result = inveonimaging.curves(source, options=CurvesOptions(**options))
    return {each.region: each for each in result.curves}


def codes_of(source: Path, **options: Any) -> list[str]:
    result = inveonimaging.curves(source, options=CurvesOptions(**options))
    return [each.code for each in result.findings if each.code.startswith(("region", "curve", "frames"))]


def brute(centre: Sequence[float], diameter: float) -> list[tuple[int, int, int]]:
    """Return the voxels (k, j, i) whose centres are in a sphere, one by one."""
    return [
        (k, j, i)
        for k in range(SHAPE[2])
        for j in range(SHAPE[1])
        for i in range(SHAPE[0])
        if math.dist(place(i, j, k), centre) <= diameter / 2 + 1e-9
    ]


def test_the_mean_of_a_sphere_is_the_fields_value_at_its_middle(scan: Path) -> None:
    centre = place(12, 7, 6)
    assert centre == (1.0, 0.5, -2.0)
    curve = curves_of(scan, spheres="a=1,0.5,-2,3.1")["a"]
    at_the_middle = 1000 + 10 * 1.0 + 20 * 0.5 + 5 * -2.0
    voxels = brute(centre, 3.1)
    assert curve.means == pytest.approx([2 * at_the_middle, 4 * at_the_middle], rel=1e-7)  # in the order of time
    assert curve.frames == (1, 0)
    assert (curve.starts_s.tolist(), curve.durations_s.tolist()) == ([0, 60], [60, 30])
    assert (curve.middles_s.tolist(), curve.after_injection_s.tolist()) == ([30, 75], [90, 135])
    assert curve.voxels.tolist() == [len(voxels)] * 2
    assert curve.volumes_ml[0] == pytest.approx(len(voxels) * 0.5 * 0.25 * 2 / 1000)
    values = np.array([float(linear()[each]) for each in voxels]) * 2
    assert curve.deviations[0] == pytest.approx(values.std(ddof=1), rel=1e-9)
    assert (curve.lowest[0], curve.highest[0]) == (values.min(), values.max())
    # 20 g over 5 MBq * 2 ** (-60 s / 6586.2 s): g/mL of 1 Bq/mL
    assert curve.suvs[0] == pytest.approx(2 * at_the_middle * 20 / (5e6 * 2 ** (-60 / 6586.2)), rel=1e-7)


@pytest.mark.parametrize(
    ("posture", "turn"),
    [
        ("FFP", (1, 1, 1)),
        ("HFP", (-1, 1, -1)),  # head first prone: R, A, F
        ("FFS", (-1, -1, 1)),  # feet first supine: R, P, H
        ("HFS", (1, -1, -1)),
    ],
)
def test_places_are_the_patients_whatever_the_posture(scan: Path, posture: str, turn: tuple[int, int, int]) -> None:
    """The voxel is the same; its place is turned with the animal."""
    x, y, z = (sign * mm for sign, mm in zip(turn, (1.0, 0.5, -2.0), strict=True))
    curve = curves_of(scan, spheres=[Sphere("a", (x, y, z), 3.1)], orientation=posture)["a"]
    assert curve.means[0] == pytest.approx(2 * 1010, rel=1e-7)


def test_slabs_of_a_slice_each_add_up_to_the_same(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = curves_of(scan, spheres="a=1,0.5,-2,9", hottest_mm=2)
    monkeypatch.setattr("inveonimaging.study.image._SLAB_VOXELS", 1)
    sliced = curves_of(scan, spheres="a=1,0.5,-2,9", hottest_mm=2)
    for name in ("a", "hottest"):
        assert sliced[name].means == pytest.approx(whole[name].means, rel=1e-12)
        assert sliced[name].deviations == pytest.approx(whole[name].deviations, rel=1e-9)
        assert sliced[name].voxels.tolist() == whole[name].voxels.tolist()


def test_the_tables_by_hand(tmp_path: Path) -> None:
    """Two voxels of 1 and 3 in frames of factor 4 and 2; one voxel of 3 alone."""
    voxels = np.zeros((2, 2, 3, 4))
    voxels[:, 1, 2, 2:] = [1, 3]
    frames = [{**each, "data_file_pointer": f"0 {96 * n}"} for n, each in enumerate(FRAMES)]
    path = write_pair(tmp_path / "m.img", voxels, frames)
    # 4 x 3 x 2 voxels of 0.5 x 0.25 x 2 mm: (3, 2, 1) lies at 0.75, -0.25, 1, its neighbour at 0.25
    two, one = "two=0.5,-0.25,1,0.5", "the one=0.75 L,0.25 A,1 H,0.1"
    tables = [tmp_path / f"t.{kind}" for kind in ("csv", "tac", "dft")]
    result = inveonimaging.curves(path, tables, CurvesOptions(spheres=[two, one]))
    assert result.files == tuple(tables)
    factor = 20 / (5e6 * 2 ** (-60 / 6586.2))
    lines = tables[0].read_text("ascii").splitlines()
    assert lines[0] == (
        "series,region,frame,gate,start_s,mid_s,duration_s,mid_after_injection_s,"
        "unit,mean,sd,min,max,voxels,volume_mL,suv_mean"
    )
    sd = f"{2 * math.sqrt(2):.9g}"
    assert lines[1] == f"m.img,two,1,,0,30,60,90,Bq/mL,4,{sd},2,6,2,0.0005,{4 * factor:.9g}"
    assert lines[4] == f"m.img,the one,0,,60,75,30,135,Bq/mL,12,,12,12,1,0.00025,{12 * factor:.9g}"
    assert tables[1].read_bytes().decode("ascii") == (
        "start[seconds]\tend[kBq/cc]\ttwo\tthe-one\n"
        "0\t60\t4.000000e-03\t6.000000e-03\n"
        "60\t90\t8.000000e-03\t1.200000e-02\n"
    )
    assert tables[2].read_bytes().decode("ascii") == (
        "DFT1\ttwo\tthe-one\n"
        ".\t.\t.\n"
        "kBq/mL\t.\t.\n"
        "Times (sec)\t0.5\t0.25\n"
        "0\t60\t4.000000e-03\t6.000000e-03\n"
        "60\t90\t8.000000e-03\t1.200000e-02\n"
        "# time_zero := start of the scan\n"
        "# isotope := F-18\n"
        "# decay_correction := Yes\n"
        "# scan_start_time := 2015-03-05 10:20:30\n"
        "# injection_time := 2015-03-05 10:19:30\n"
    )
    again = CurvesOptions(spheres=[two], time_zero="injection", overwrite=True)
    inveonimaging.curves(path, tables[1:], again)
    assert [line.split("\t")[:2] for line in tables[1].read_text().splitlines()[1:]] == [["60", "120"], ["120", "150"]]
    assert "# time_zero := injection\n" in tables[2].read_text()


def test_names_of_tables_are_ascii_and_each_once(scan: Path, tmp_path: Path) -> None:
    names = ["left heart", "left_heart", "weight", "cœur", "a" * 30, "a" * 31]
    spheres = [Sphere(name, (0, 0, 0), 3) for name in names]
    inveonimaging.curves(scan, [tmp_path / "t.tac", tmp_path / "t.csv"], CurvesOptions(spheres=spheres))
    first = (tmp_path / "t.tac").read_text("ascii").splitlines()[0].split("\t")[2:]
    assert first == ["left-heart", "left-heart-2", "weight-2", "c-ur", "a" * 20, "a" * 17 + "-2"]
    assert (tmp_path / "t.csv").read_bytes().startswith(b"\xef\xbb\xbfseries,")  # so that Excel shows the letters
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["region"] for row in csv.DictReader(file)} == set(names)


@pytest.mark.parametrize(
    "typed",
    [
        "a=1,2,3",
        "a=1,2,3,0",
        "a=1,2,3,-1",
        "a=1,2,3,nan",
        "a=1,2,3,inf",
        "a=1 P,2,3,4",  # back is no side of left and right
        "a=-1 L,2,3,4",  # which of both?
        "a=1;2;3;4",
        "a=1e9,2,3,4",
        "=1,2,3,4",
        "=cmd=1,2,3,4",
        "a\nb=1,2,3,4",
        "1,2,3,4",
    ],
)
def test_a_sphere_that_makes_no_sense_is_refused(scan: Path, tmp_path: Path, typed: str) -> None:
    done = inveon("curves", scan, "--sphere", typed, "-o", tmp_path / "t.csv")
    assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert not list(tmp_path.iterdir())


def test_sides_and_signs_are_one(scan: Path) -> None:
    found = curves_of(scan, spheres=["a=1,-0.5,-2,3", "b=1 l, 0.5 A,2F,3", "c=1,\N{MINUS SIGN}0.5,\N{MINUS SIGN}2,3"])
    assert len({tuple(each.means) for each in found.values()}) == 1


def test_lists_of_spheres(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Name;x_mm;y_mm;z_mm;diameter_mm\nheart;1;0.5;-2;3.1\n\n", "utf-8-sig")
    sphere = {"name": "liver", "centre_mm": [1, 0.5, -2], "diameter_mm": 3.1}
    document = {"schema": 1, "program": "inveonimaging", "spheres": [sphere]}
    (tmp_path / "b.json").write_text(json.dumps(document), "ascii")
    found = curves_of(scan, regions=[tmp_path / "a.csv", tmp_path / "b.json"])
    assert [each.means[0] for each in found.values()] == pytest.approx([2020, 2020], rel=1e-7)
    assert list(found) == ["heart", "liver"]


LISTS = {
    "x.csv": ("name,x,y,z,d\nheart,1,2,3,4\n", "titles"),
    "y.csv": ("name,x_mm,y_mm,z_mm,diameter_mm\nheart,1,2,3,4\nliver,1,2,3\n", "'liver, 1, 2, 3, ' is not a sphere"),
    "z.csv": ("name,x_mm,y_mm,z_mm,diameter_mm\n=1+1,1,2,3,4\n", ":2: name is '=1+1'"),
    "e.csv": ("name,x_mm,y_mm,z_mm,diameter_mm\n", "has no sphere"),
    "d.csv": ("name;x_mm;y_mm;z_mm;diameter_mm\nheart;1,5;2;3;4\n", "decimal mark"),
    "q.csv": ('name,x_mm,y_mm,z_mm,diameter_mm\n"heart,1,2,3,4\n', "text in columns"),
    "a.json": ("[1, 2", "is not JSON"),
    "b.json": ("[]", "is not a list of spheres"),
    "c.json": (
        '{"schema": 1, "program": "inveonimaging", "spheres": [{"name": "a", "centre_mm": [1, 2], "diameter_mm": 3}]}',
        "entry 1 of spheres: 'a, 1, 2, 3'",
    ),
    "d.json": ('{"schema": 1, "program": "inveonimaging", "spheres": [{"name": "a"}]}', "entry 1 of spheres"),
    "n.txt": ("a", "is not a file of regions"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_makes_no_sense_is_one_line(scan: Path, tmp_path: Path, name: str) -> None:
    text, words = LISTS[name]
    (tmp_path / name).write_text(text, "utf-8")
    done = inveon("curves", scan, "--regions", tmp_path / name, "-o", tmp_path / "t.csv")
    assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert words in done.stderr


# Masks.


def write_mask(path: Path, numbers: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> Path:
    """Write a mask, (nk, nj, ni), with index -> RAS mm."""
    nibabel.save(nibabel.Nifti1Image(numbers.T, affine), path)
    return path


def by_simpleitk(
    values: npt.NDArray[Any], mask: npt.NDArray[Any], number: int
) -> tuple[float, float, float, float, int]:
    found = sitk.LabelStatisticsImageFilter()
    found.Execute(sitk.GetImageFromArray(values), sitk.GetImageFromArray(mask.astype(np.uint8)))
    return (
        found.GetMean(number),
        found.GetSigma(number),
        found.GetMinimum(number),
        found.GetMaximum(number),
        found.GetCount(number),
    )


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(1)
    voxels = random.gamma(2, 500, (2, *SHAPE[::-1])).astype(np.float32)
    return write_pair(tmp_path_factory.mktemp("noisy") / "m.img", voxels)


def test_a_mask_on_the_same_grid_is_simpleitks_average(noisy: Path, tmp_path: Path) -> None:
    image = inveonimaging.read(noisy)
    numbers = np.random.default_rng(2).integers(0, 4, SHAPE[::-1]).astype(np.int16)
    write_mask(tmp_path / "organs.nii.gz", numbers, image.affine)
    found = curves_of(noisy, regions=tmp_path / "organs.nii.gz")
    assert list(found) == ["organs-1", "organs-2", "organs-3"]
    for number, curve in enumerate(found.values(), 1):
        for place, frame in enumerate(curve.frames):
            mean, sigma, low, high, count = by_simpleitk(image.values(frame), numbers, number)
            assert curve.means[place] == pytest.approx(mean, rel=1e-9)
            assert curve.deviations[place] == pytest.approx(sigma, rel=1e-9)
            assert (curve.lowest[place], curve.highest[place], curve.voxels[place]) == (low, high, count)
    assert codes_of(noisy, regions=tmp_path / "organs.nii.gz") == []


def test_a_mask_on_another_grid_is_taken_at_the_nearest_voxel_as_simpleitk_does(noisy: Path, tmp_path: Path) -> None:
    """Finer, turned (RAS order of axes reversed) and larger than the image, with an oblique affine."""
    image = inveonimaging.read(noisy)
    random = np.random.default_rng(3)
    numbers = (random.random((40, 30, 33)) < 0.4).astype(np.uint8)
    angle = math.radians(17)
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-0.41, 0.23, -0.77])
    affine[:3, 3] = [7.3, -3.1, 14.7]
    write_mask(tmp_path / "m.nii", numbers, affine)
    curve = curves_of(noisy, regions=tmp_path / "m.nii")["m-1"]
    mask = sitk.ReadImage(str(tmp_path / "m.nii"))
    grid = image.to_sitk(1)
    onto = sitk.GetArrayFromImage(sitk.Resample(mask, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0))
    mean, _, _, _, count = by_simpleitk(image.values(1), onto, 1)
    assert curve.voxels[0] == count > 100
    assert curve.means[0] == pytest.approx(mean, rel=1e-9)


MASKS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "fractions": (lambda n: n * 0.5, "other values than whole numbers"),
    "negative": (lambda n: -n, "other values than whole numbers"),
    "empty": (lambda n: n * 0, "is empty"),
    "flat": (lambda n: n[0], "three dimensions"),
    "of four dimensions": (lambda n: np.stack([n, n]), "three dimensions"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_that_makes_no_sense_is_refused(scan: Path, tmp_path: Path, kind: str) -> None:
    change, words = MASKS[kind]
    numbers = np.ones((4, 3, 2), np.float32)
    write_mask(tmp_path / "m.nii", change(numbers), np.eye(4))
    with pytest.raises(InputError, match=words):
        curves_of(scan, regions=tmp_path / "m.nii")


def test_damaged_masks_are_one_line(scan: Path, tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.nii.gz", np.ones((4, 3, 2), np.uint8), np.eye(4))
    whole = path.read_bytes()
    random = np.random.default_rng(4)
    for _ in range(60):
        data = bytearray(whole[: random.integers(1, len(whole) + 1)])
        data[random.integers(len(data))] ^= 1 << random.integers(8)
        path.write_bytes(data)
        with contextlib.suppress(InveonError):  # any other error fails the test
            curves_of(scan, regions=path)


def test_a_mask_that_says_no_place_is_refused(scan: Path, tmp_path: Path) -> None:
    image: Any = nibabel.Nifti1Image(np.ones((2, 3, 4), np.uint8), np.eye(4))
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    nibabel.save(image, tmp_path / "m.nii")
    with pytest.raises(InputError, match="does not say where it lies"):
        curves_of(scan, regions=tmp_path / "m.nii")


# The hottest sphere.


@pytest.mark.parametrize("diameter", [0.6, 2.1, 4.4])
def test_the_hottest_sphere_is_the_best_of_all(noisy: Path, diameter: float) -> None:
    """Of the later frame, which begins in the second half of the scan; tried at each voxel in turn."""
    values = inveonimaging.read(noisy).values(0).astype(float)  # of 60 to 90 s
    reach = [int(diameter / 2 / mm) for mm in SPACING]
    best = (0.0, (0, 0, 0))
    ball = [
        (k, j, i)
        for k in range(-reach[2], reach[2] + 1)
        for j in range(-reach[1], reach[1] + 1)
        for i in range(-reach[0], reach[0] + 1)
        if math.hypot(i * 0.5, j * 0.25, k * 2) <= diameter / 2
    ]
    for k in range(reach[2], SHAPE[2] - reach[2]):
        for j in range(reach[1], SHAPE[1] - reach[1]):
            for i in range(reach[0], SHAPE[0] - reach[0]):
                mean = sum(values[k + dk, j + dj, i + di] for dk, dj, di in ball) / len(ball)
                best = max(best, (mean, (i, j, k)))
    result = inveonimaging.curves(noisy, options=CurvesOptions(hottest_mm=diameter))
    (curve,) = result.curves
    assert curve.means[1] == pytest.approx(best[0], rel=1e-9)
    assert curve.voxels.tolist() == [len(ball)] * 2
    shown = ", ".join(f"{mm:.2f}" for mm in place(*best[1]))
    (note,) = (each for each in result.findings if each.code == "region-hottest")
    assert shown in note.message.replace("-0.00", "0.00")


def test_no_sphere_is_hot_where_none_fits_or_nothing_is_there(scan: Path, tmp_path: Path) -> None:
    assert codes_of(scan, hottest_mm=30, spheres="a=0,0,0,3") == ["region-not-hot"]
    path = write_pair(tmp_path / "m.img", np.zeros((2, *SHAPE[::-1])))
    assert codes_of(path, hottest_mm=1, spheres="a=0,0,0,3") == ["region-not-hot"]


# What is to be known of regions.


def test_what_lies_outside_is_reported_and_has_no_row(scan: Path) -> None:
    """The image reaches to 5.25 mm of the left, 2.375 of the back and 15 mm of the head."""
    spheres = {"in": (0, 0, 0, 4), "out": (8, 0, 0, 4), "edge": (5, 0, 0, 2), "tiny": (0.2, 0.1, 0.9, 0.05)}
    options = {"spheres": [f"{name}={','.join(map(str, where))}" for name, where in spheres.items()]}
    assert codes_of(scan, **options) == ["region-outside", "region-partly-outside", "region-empty"]
    found = curves_of(scan, **options)
    assert list(found) == ["in", "edge"]
    assert found["edge"].voxels[0] == len(brute((5, 0, 0), 2))
    with pytest.raises(InputError, match="'out' lies outside the image"):
        curves_of(scan, spheres="out=8,0,0,4")


def test_a_sphere_that_touches_the_faces_is_inside(scan: Path) -> None:
    assert codes_of(scan, spheres="a=4.25,0,0,2") == []
    assert codes_of(scan, spheres="a=4.26,0,0,2") == ["region-partly-outside"]


def test_values_that_are_no_numbers_are_left_out_and_counted(tmp_path: Path) -> None:
    voxels = np.stack([linear(), linear()])
    voxels[0, 7, 9, 10] = np.nan
    voxels[1, 7, 9, 10:12] = np.inf, -np.inf
    path = write_pair(tmp_path / "m.img", voxels)
    result = inveonimaging.curves(path, options=CurvesOptions(spheres="a=0,0,0,2"))
    (curve,) = result.curves
    known = [each for each in brute((0, 0, 0), 2) if each != (7, 9, 10)]
    assert curve.voxels.tolist() == [len(known) - 1, len(known)]
    assert curve.means[1] == pytest.approx(4 * np.mean([linear()[each] for each in known], dtype=float), rel=1e-7)
    (reported,) = (each for each in result.findings if each.code == "curve-values-not-finite")
    assert reported.message.startswith("3 values in 'a'")


def test_frames_that_leave_gaps_keep_their_times_and_are_reported(tmp_path: Path) -> None:
    frames = [{**FRAMES[0], "frame_start": "100"}, FRAMES[1]]
    path = write_pair(tmp_path / "m.img", np.stack([linear(), linear()]), frames)
    assert codes_of(path, spheres="a=0,0,0,2") == ["frames-gap"]
    inveonimaging.curves(path, tmp_path / "t.tac", CurvesOptions(spheres="a=0,0,0,2"))
    assert [line.split("\t")[:2] for line in (tmp_path / "t.tac").read_text().splitlines()[1:]] == [
        ["0", "60"],
        ["100", "130"],
    ]


def test_without_times_there_is_a_table_and_no_tac(tmp_path: Path) -> None:
    frames = [FRAMES[0], {**FRAMES[1], "frame_duration": None}]
    path = write_pair(tmp_path / "m.img", np.stack([linear(), linear()]), frames)
    curve = curves_of(path, spheres="a=0,0,0,2")["a"]
    assert math.isnan(curve.durations_s[0])
    with pytest.raises(InputError, match="when frame 1 began or how long it was"):
        inveonimaging.curves(path, tmp_path / "t.tac", CurvesOptions(spheres="a=0,0,0,2"))
    assert not (tmp_path / "t.tac").exists()
    later = write_pair(tmp_path / "n.img", np.stack([linear(), linear()]), injection_time="")
    with pytest.raises(InputError, match="injection is not known"):
        inveonimaging.curves(later, tmp_path / "t.tac", CurvesOptions(spheres="a=0,0,0,2", time_zero="injection"))


def test_suv_is_empty_with_what_is_missing(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "m.img", np.stack([linear(), linear()]), subject_weight="")
    result = inveonimaging.curves(path, options=CurvesOptions(spheres="a=0,0,0,2"))
    assert np.isnan(result.curves[0].suvs).all()
    (reported,) = (each for each in result.findings if each.code == "curve-without-suv")
    assert "no weight" in reported.message
    weighed = CurvesOptions(spheres="a=0,0,0,2", weight_kg="20g")
    assert not [each for each in inveonimaging.curves(path, options=weighed).findings if "suv" in each.code]


# Kinds of scan.


def test_a_ct_has_no_curve(tmp_path: Path) -> None:
    study = write_small_study(tmp_path / "in")
    assert codes_of(study, spheres="a=0,0,0,20") == ["curve-left-out"]
    with pytest.raises(InputError, match="no PET and no SPECT here, but CT"):
        curves_of(study / "m1.ct.img", spheres="a=0,0,0,20")


def test_gates_are_rows_and_no_times(tmp_path: Path) -> None:
    write_scan(tmp_path / "g.img", replace(PET, gates=3, frames=frames_of(60)))
    options = CurvesOptions(spheres="a=0,0,0,20", cycle_ms=900)
    result = inveonimaging.curves(tmp_path / "g.img", tmp_path / "t.csv", options)
    (curve,) = result.curves
    assert len(curve.gates) == 3 == len(set(curve.gates))
    image = inveonimaging.read(tmp_path / "g.img")
    inside = np.linalg.norm(
        np.stack(np.meshgrid(*map(np.arange, image.grid.shape), indexing="ij"), -1) @ image.grid.affine[:3, :3].T
        + image.grid.affine[:3, 3],
        axis=-1,
    )
    by_hand = [image.values(frame).T[inside <= 10].mean(dtype=float) for frame in curve.frames]
    assert curve.means == pytest.approx(by_hand, rel=1e-6)
    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["gate"] for row in rows] == [str(each) for each in curve.gates]
    assert {row["start_s"] for row in rows} == {""}
    with pytest.raises(InputError, match="differ by gate"):
        inveonimaging.curves(tmp_path / "g.img", tmp_path / "t.tac", options)


def test_each_bed_is_measured_where_it_lies(tmp_path: Path) -> None:
    """The second bed lies 60 mm further, so that a sphere near its end is in it alone."""
    write_scan(tmp_path / "b.img", replace(PET, beds=(100.0, 160.0), frames=frames_of(20)))
    one, two = inveonimaging.read(tmp_path / "b.img").series()
    x, y, z = (two.grid.affine @ [4, 3, 5, 1])[:3]
    sphere = Sphere("a", (x, y, z), 1.0)
    result = inveonimaging.curves(tmp_path / "b.img", tmp_path / "t.csv", CurvesOptions(spheres=sphere))
    (curve,) = result.curves
    assert curve.part == two.part_name
    assert curve.means[0] == pytest.approx(float(two.values()[5, 3, 4]))
    both = CurvesOptions(spheres=[sphere, Sphere("b", tuple((one.grid.affine @ [4, 3, 0, 1])[:3]), 1.0)])
    with pytest.raises(OptionError, match="2 series are measured"):
        inveonimaging.curves(tmp_path / "b.img", tmp_path / "t.tac", both)
    inveonimaging.curves(tmp_path / "b.img", tmp_path / "t.tac", replace(both, series=1))
    with pytest.raises(OptionError, match=r"--series is '7', expected one of 1 \(b.img, bed 0\)"):
        inveonimaging.curves(tmp_path / "b.img", options=replace(both, series=7))


def test_spect_is_proportional_to_counts(tmp_path: Path) -> None:
    scan = replace(SPECT_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4.0, 9.0), frames=frames_of(60.0))
    write_scan(tmp_path / "s.img", scan)
    inveonimaging.curves(
        tmp_path / "s.img", [tmp_path / "t.tac", tmp_path / "t.dft"], CurvesOptions(spheres="a=0,0,0,20")
    )
    assert (tmp_path / "t.tac").read_text().startswith("start[seconds]\tend[1/1]\ta\n")
    assert (tmp_path / "t.dft").read_text().splitlines()[2] == ".\t."
    curve = curves_of(tmp_path / "s.img", spheres="a=0,0,0,20")["a"]
    assert float((tmp_path / "t.tac").read_text().splitlines()[1].split("\t")[2]) == pytest.approx(curve.means[0])
    assert codes_of(tmp_path / "s.img", spheres="a=0,0,0,20") == []


def test_scans_that_share_no_space_are_reported(tmp_path: Path) -> None:
    for name in "ab":
        write_pair(tmp_path / f"{name}.img", np.stack([linear(), linear()]))
    options = {"spheres": "a=0,0,0,2", "frame_of_reference": "separate"}
    assert codes_of(tmp_path, **options) == ["region-in-several-spaces"]


# Files.


def test_all_files_appear_or_none(scan: Path, tmp_path: Path) -> None:
    options = CurvesOptions(spheres="a=0,0,0,2")
    (tmp_path / "t.dft").write_text("mine", "ascii")
    with pytest.raises(OutputError, match="exists already"):
        inveonimaging.curves(scan, [tmp_path / "t.csv", tmp_path / "t.dft"], options)
    assert [each.name for each in tmp_path.iterdir()] == ["t.dft"]

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inveonimaging.curves(scan, [tmp_path / "new" / "t.csv"], options, progress=stop)
    assert [each.name for each in tmp_path.iterdir()] == ["t.dft"]
    inveonimaging.curves(scan, [tmp_path / "t.csv", tmp_path / "t.dft"], replace(options, overwrite=True))
    assert (tmp_path / "t.dft").read_text().startswith("DFT1\t")


def test_progress_counts_all_slices_of_all_frames(scan: Path) -> None:
    seen: list[tuple[int, int]] = []
    options = CurvesOptions(spheres="a=0,0,0,3", hottest_mm=2)
    inveonimaging.curves(scan, options=options, progress=lambda *each: seen.append(each))
    done, total = seen[-1]
    assert done == total
    assert [each for each, _ in seen] == sorted(each for each, _ in seen)


def test_what_is_read_is_never_replaced(scan: Path, tmp_path: Path) -> None:
    path = tmp_path / "regions.csv"
    path.write_text("name,x_mm,y_mm,z_mm,diameter_mm\nheart,0,0,0,3\n", "ascii")
    done = inveon("curves", scan, "--regions", path, "-o", path, "--overwrite")
    assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert "is an input" in done.stderr
    assert path.read_text().endswith("heart,0,0,0,3\n")


@pytest.mark.parametrize(
    ("outputs", "words"),
    [(["a.txt"], "no such table"), (["a.csv", "b/c.csv"], "several folders"), (["a.csv", "a.csv"], "named twice")],
)
def test_outputs_that_make_no_sense_are_refused(scan: Path, tmp_path: Path, outputs: list[str], words: str) -> None:
    (tmp_path / "b").mkdir()
    typed = [each for name in outputs for each in ("-o", tmp_path / name)]
    done = inveon("curves", scan, "--sphere", "a=0,0,0,3", *typed)
    assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert words in done.stderr


def test_two_regions_of_one_name_are_refused(scan: Path) -> None:
    for typed in (["a=0,0,0,2", "A=0,0,0,3"], ["hottest=0,0,0,2"]):
        with pytest.raises(OptionError, match="two regions are called"):
            curves_of(scan, spheres=typed, hottest_mm=2)


def test_json_and_dry_run_say_the_same(scan: Path, tmp_path: Path) -> None:
    typed = ("curves", scan, "--sphere", "a=1,0.5,-2,3.1", "-o", tmp_path / "t.csv", "--json")
    planned = json.loads(inveon(*typed, "--dry-run").stdout)
    assert not list(tmp_path.iterdir())
    assert planned["files"] == [str(tmp_path / "t.csv")]
    (row,) = planned["regions"]
    done = json.loads(inveon(*typed).stdout)
    (curve,) = done["curves"]
    assert curve["voxels"] == [row["voxels"]] * 2
    assert (curve["region"], curve["unit"], curve["frames"]) == ("a", "Bq/mL", [1, 0])
    assert curve["mean"] == pytest.approx([2020, 4040], rel=1e-7)
    assert curve["mid_after_injection_s"] == [90, 135]
    shown = inveon("curves", scan, "--sphere", "a=1,0.5,-2,3.1", "-o", tmp_path / "u.csv", "-n")
    assert str(row["voxels"]) in shown.stdout
    error = json.loads(inveon("curves", tmp_path / "none", *typed[2:]).stdout)
    assert "none" in error["error"]["message"]


def test_deidentified_tables_name_nobody(scan: Path, tmp_path: Path) -> None:
    study = tmp_path / "in"
    for suffix in ("", ".hdr"):
        target = study / f"Smith_mouse.img{suffix}"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(Path(f"{scan}{suffix}").read_bytes())
    image = inveonimaging.read(study / "Smith_mouse.img")
    mask = write_mask(tmp_path / "Smith_mask.nii", np.ones(SHAPE[::-1], np.uint8), image.affine)
    key = tmp_path / "key"
    key.write_text("a secret of some length", "ascii")
    tables = [each for kind in ("csv", "tac", "dft") for each in ("-o", tmp_path / "out" / f"t.{kind}")]
    typed = ["--regions", mask, "--sphere", "heart=0,0,0,3", "--deidentify", "--key-file", key]
    done = inveon("curves", study, *typed, *tables)
    assert done.exit_code == 0, done.stderr
    found = "".join(each.read_text() for each in (tmp_path / "out").iterdir())
    assert "region-1" in found
    assert "heart" in found
    assert "Smith" not in found + done.stderr
    assert "2015" not in found


@pytest.mark.skipif(sys.platform == "win32", reason="no such name")
def test_no_cell_of_the_table_is_a_formula(scan: Path, tmp_path: Path) -> None:
    name = "=HYPERLINK(1)\x1b.img"
    for suffix in ("", ".hdr"):
        (tmp_path / f"{name}{suffix}").write_bytes(Path(f"{scan}{suffix}").read_bytes())
    inveonimaging.curves(tmp_path / name, tmp_path / "t.csv", CurvesOptions(spheres="a=0,0,0,3"))
    cells = [cell for row in csv.reader((tmp_path / "t.csv").read_text("utf-8").splitlines()) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@", "\t")]
    assert r"HYPERLINK(1)\x1b.img" in cells[len(COLUMNS)]
