"""Pictures' truth: what is where, by the header's text, the stored bytes, and readers of others."""

from __future__ import annotations

import math
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import inveonimaging
from inveonimaging.inveon.frame_groups import frame_groups_of
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.phantom import (
    CT_SCAN,
    PET_SCAN,
    Ellipsoid,
    Exponential,
    Mouse,
    PhantomScan,
    Tissue,
    frames_of,
    write_scan,
)
from inveonimaging.reports.pictures import on_plane
from inveonimaging.reports.planes import AnatomicalPlane, View, stored_axis
from inveonimaging.reports.posture import posture_drawing
from inveonimaging.reports.voxel_pass import HISTOGRAM_HU, Through, survey_of
from inveonimaging.study.image import Image, split
from inveonimaging.study.late_frames import shown_frames
from inveonimaging.units import duration
from truth import AXES, Float, Truth, truth_of

CT = replace(CT_SCAN, shape=(9, 8, 5), spacing_mm=(3.1, 2.9, 13.7), shift_mm=(1.25, -0.75, 3.5))
PET = replace(PET_SCAN, shape=(8, 9, 6), spacing_mm=(3.5, 2.5, 11.5), frames=frames_of(60, 30, 60, 30, 120))
POSTURES = [code for code in Orientation if code]
SIDES = {
    AnatomicalPlane.CORONAL: {"left": "R", "right": "L", "top": "H", "bottom": "F"},
    AnatomicalPlane.AXIAL: {"left": "R", "right": "L", "top": "A", "bottom": "P"},
    AnatomicalPlane.SAGITTAL: {"left": "A", "right": "P", "top": "H", "bottom": "F"},
}
# Patient axis, and its sense, along which a picture's rows go down and its columns go right.
DOWN = {AnatomicalPlane.CORONAL: (2, -1), AnatomicalPlane.AXIAL: (1, 1), AnatomicalPlane.SAGITTAL: (2, -1)}
RIGHT = {AnatomicalPlane.CORONAL: (0, 1), AnatomicalPlane.AXIAL: (0, 1), AnatomicalPlane.SAGITTAL: (1, 1)}
CLOSE_MM = 1e-6


def written(folder: Path, scan: PhantomScan, name: str = "a.img") -> tuple[Image, Truth]:
    write_scan(folder / name, scan)
    return inveonimaging.read(folder / name), truth_of(folder / name)


def places_of(truth: Truth) -> Float:
    """Return (z, y, x, 3) the centres of all voxels, LPS mm."""
    i, j, k = truth.shape
    return np.array([[[truth.position(x, y, z) for x in range(i)] for y in range(j)] for z in range(k)])


def pictured(truth: Truth, values: Float, plane: AnatomicalPlane) -> tuple[Float, Float]:
    """Return (rows, columns, across) values and places of all voxels as a picture has them, by their places alone."""
    places = places_of(truth).reshape(-1, 3)
    (down, down_sense), (right, right_sense) = DOWN[plane], RIGHT[plane]
    across = ({0, 1, 2} - {down, right}).pop()
    keys = (places[:, across], right_sense * places[:, right], down_sense * places[:, down])
    order = np.lexsort([np.round(key, 6) for key in keys])
    counts = [len(np.unique(np.round(places[:, axis], 6))) for axis in (down, right, across)]
    return values.ravel()[order].reshape(counts), places[order].reshape(*counts, 3)


@pytest.mark.parametrize("posture", POSTURES, ids=lambda code: code.name)
@pytest.mark.parametrize("plane", list(AnatomicalPlane))
def test_planes_and_projections_show_each_voxel_at_its_place(
    tmp_path: Path, posture: Orientation, plane: AnatomicalPlane
) -> None:
    image, truth = written(tmp_path, replace(CT, orientation=posture))
    survey = survey_of(image)
    values, places = pictured(truth, truth.values[0], plane)
    shown, highest = survey.planes[plane], survey.highest[plane]
    depth = int(np.argmin(np.abs(places[0, 0, :, plane.normal] - shown.at_mm)))
    # CT: the stored integers, which float32 holds
    assert np.array_equal(shown.values, values[:, :, depth])
    assert np.array_equal(highest.values, values.max(axis=2))
    assert shown.letters == highest.letters == SIDES[plane]
    assert np.allclose(shown.first_mm, places[0, 0, depth], atol=CLOSE_MM)
    assert np.allclose(shown.first_mm + shown.step_down_mm, places[1, 0, depth], atol=CLOSE_MM)
    assert np.allclose(shown.first_mm + shown.step_right_mm, places[0, 1, depth], atol=CLOSE_MM)


def dense(*balls: tuple[Tissue, tuple[float, float, float]]) -> Mouse:
    """Return balls of 2 mm, in the phantom's coordinates, LPS mm, and nothing else."""
    return Mouse(anatomy=tuple(Ellipsoid(tissue, centre, (2.05, 2.05, 2.05)) for tissue, centre in balls))


def fine(scan: PhantomScan) -> PhantomScan:
    return replace(scan, shape=(30, 28, 26), spacing_mm=(1.5, 1.5, 1.5), shift_mm=(0.0, 0.0, 0.0))


ASIDE = (13.0, -11.0, 9.0)  # LPS mm: none of the planes through the middle of the volume meets it


def test_planes_go_through_the_hottest_region(tmp_path: Path) -> None:
    hot, warm = Tissue("hot", 0, (Exponential(9e5, 0.0),)), Tissue("warm", 0, (Exponential(1e5, 0.0),))
    write_scan(
        tmp_path / "a.img", fine(replace(PET, frames=frames_of(60))), mouse=dense((warm, (0, 0, 0)), (hot, ASIDE))
    )
    image, truth = inveonimaging.read(tmp_path / "a.img"), truth_of(tmp_path / "a.img")
    survey = survey_of(image)
    assert survey.through is Through.HOTTEST
    assert [survey.planes[plane].at_mm for plane in AnatomicalPlane] == pytest.approx(
        [ASIDE[plane.normal] for plane in AnatomicalPlane], abs=1.5
    )
    for plane in AnatomicalPlane:
        assert survey.planes[plane].values.max() == pytest.approx(truth.values.max(), rel=1e-6)
    across_the_middle = truth.values[0][13], truth.values[0][:, 14], truth.values[0][:, :, 15]
    assert max(each.max() for each in across_the_middle) < truth.values.max() / 5  # there is the warm one only


@pytest.mark.parametrize("kind", ["CT", "mu map"])
def test_planes_of_densities_go_through_what_is_denser_than_air(tmp_path: Path, kind: str) -> None:
    scan = fine(CT) if kind == "CT" else fine(replace(PET, mu_map=True, frames=frames_of(60)))
    write_scan(tmp_path / "a.img", scan, mouse=dense((Tissue("water", 0, ()), ASIDE)))
    image, truth = inveonimaging.read(tmp_path / "a.img"), truth_of(tmp_path / "a.img")
    survey = survey_of(image)
    assert survey.through is Through.BODY
    # of 26 slices every second one is looked at
    assert [survey.planes[plane].at_mm for plane in AnatomicalPlane] == pytest.approx(
        [ASIDE[plane.normal] for plane in AnatomicalPlane], abs=3.0
    )
    for plane in AnatomicalPlane:
        assert survey.planes[plane].values.max() == pytest.approx(truth.values.max(), rel=1e-6)


def test_two_animals_side_by_side_are_no_gap(tmp_path: Path) -> None:
    water = Tissue("water", 0, ())
    write_scan(tmp_path / "a.img", fine(CT), mouse=dense((water, (-9, 0, 0)), (water, (9, 0, 0))))
    sagittal = survey_of(inveonimaging.read(tmp_path / "a.img")).planes[AnatomicalPlane.SAGITTAL]
    assert sagittal.values.max() == 0  # HU; in the middle between them is air, -1000


def test_planes_of_nothing_go_through_the_middle_of_the_volume(tmp_path: Path) -> None:
    for name, scan in {"ct": CT, "pet": replace(PET, frames=frames_of(60, 60))}.items():
        write_scan(tmp_path / f"a.{name}.img", scan, mouse=dense())
        image, truth = inveonimaging.read(tmp_path / f"a.{name}.img"), truth_of(tmp_path / f"a.{name}.img")
        survey = survey_of(image)
        assert (survey.through, survey.hottest) == (Through.MIDDLE, None)
        place = truth.position(*[count // 2 for count in truth.shape])
        assert [survey.planes[plane].at_mm for plane in AnatomicalPlane] == pytest.approx(
            [place[plane.normal] for plane in AnatomicalPlane]
        )


def test_letters_come_from_the_steps() -> None:
    steps = np.array([0.0, 0.0, 2.0]), np.array([-1.0, 0.0, 0.0])  # down to the head, right to the right side
    view = View(np.zeros((2, 2), np.float32), AnatomicalPlane.CORONAL, np.zeros(3), *steps)
    assert view.letters == {"left": "L", "right": "R", "top": "F", "bottom": "H"}
    assert view.size_mm == (2.0, 4.0)


def test_letters_that_rest_on_an_assumed_posture_are_in_doubt(tmp_path: Path) -> None:
    image, _ = written(tmp_path, replace(PET, orientation=Orientation.UNKNOWN))
    survey = survey_of(image)
    for view in (*survey.planes.values(), *survey.highest.values(), *survey.tiles.values()):
        assert view.letters == {side: f"{letter}?" for side, letter in SIDES[view.plane].items()}
    known = survey_of(inveonimaging.read(tmp_path / "a.img", orientation="FFS"))
    assert known.planes[AnatomicalPlane.AXIAL].letters == SIDES[AnatomicalPlane.AXIAL]


def test_a_still_picture_is_the_mean_of_the_late_frames_by_duration(tmp_path: Path) -> None:
    image, truth = written(tmp_path, PET)  # 300 s; the frames that start at 150 and 180 s are late
    frames, weights = shown_frames(image)
    assert frames == (3, 4)
    assert weights.tolist() == [0.2, 0.8]
    mean = 0.2 * truth.values[3] + 0.8 * truth.values[4]
    values, _ = pictured(truth, mean, AnatomicalPlane.SAGITTAL)
    survey = survey_of(image)
    assert np.allclose(survey.highest[AnatomicalPlane.SAGITTAL].values, values.max(axis=2), rtol=1e-6)  # float32
    assert survey.not_finite == 0


def test_gates_are_shown_together_and_one_by_one(tmp_path: Path) -> None:
    whole, truth = written(tmp_path, replace(PET, frames=frames_of(600), gates=3))
    (image,) = split(whole, frame_groups_of(whole.header))
    survey = survey_of(image)
    assert survey.shown == (0, 1, 2)
    values, places = pictured(truth, truth.values[1], AnatomicalPlane.CORONAL)
    depth = int(np.argmin(np.abs(places[0, 0, :, 1] - survey.tiles[1].at_mm)))
    assert np.allclose(survey.tiles[1].values, values[:, :, depth], rtol=1e-6)
    assert np.allclose(
        survey.highest[AnatomicalPlane.AXIAL].values,
        pictured(truth, truth.values.mean(0), AnatomicalPlane.AXIAL)[0].max(2),
    )


def test_time_frames_are_shown_one_by_one_as_projections(tmp_path: Path) -> None:
    image, truth = written(tmp_path, PET)
    tiles = survey_of(image).tiles
    assert list(tiles) == [0, 1, 2, 3, 4]
    for frame, tile in tiles.items():
        values, _ = pictured(truth, truth.values[frame], AnatomicalPlane.CORONAL)
        assert np.allclose(tile.values, values.max(axis=2), rtol=1e-6)


def test_the_histogram_counts_every_voxel(tmp_path: Path) -> None:
    image, truth = written(tmp_path, CT)
    low, high, width = HISTOGRAM_HU
    expected, _ = np.histogram(truth.values[0], bins=round((high - low) / width), range=(low, high))
    assert np.array_equal(survey_of(image).histogram, expected)
    assert expected[round((-1000 - low) / width)] > 0  # there is air


def sitk_image(truth: Truth, values: Float) -> sitk.Image:
    image = sitk.GetImageFromArray(values.astype(np.float64))
    image.SetSpacing(truth.spacing.tolist())
    image.SetOrigin(truth.position(0, 0, 0).tolist())
    image.SetDirection(truth.axes.ravel().tolist())
    return image


@pytest.mark.parametrize("posture", [Orientation.HFP, Orientation.FFDL, Orientation.FFS], ids=lambda code: code.name)
def test_pet_on_ct_is_sampled_by_position(tmp_path: Path, posture: Orientation) -> None:
    """SimpleITK samples the same PET at the same CT voxels; it knows nothing of planes."""
    ct_image, ct = written(tmp_path, replace(CT, orientation=posture), "a.ct.img")
    small = replace(PET, orientation=posture, shape=(6, 7, 5), spacing_mm=(3.3, 2.7, 11.3), frames=frames_of(60))
    image, pet = written(tmp_path, small, "b.pet.img")
    shapes = [sitk_image(truth, truth.values[0]) for truth in (ct, pet)]
    resampled = sitk.Resample(shapes[1], shapes[0], sitk.Transform(), sitk.sitkLinear, -1.0)
    expected = sitk.GetArrayFromImage(resampled)
    under = survey_of(ct_image).planes
    wanted = [
        (plane, index)
        for plane in AnatomicalPlane
        for index in range(image.grid.shape[stored_axis(image.grid, plane.normal)])
    ]
    survey = survey_of(image, lambda _: wanted)
    for plane in AnatomicalPlane:
        view = on_plane(image, survey, under[plane])
        values, places = pictured(ct, expected, plane)
        depth = int(np.argmin(np.abs(places[0, 0, :, plane.normal] - under[plane].at_mm)))
        seen = np.nan_to_num(view.values, nan=-1.0)
        assert np.allclose(seen, values[:, :, depth], rtol=1e-5, atol=1e-2)  # float32 of up to 1e6 Bq/mL
        assert np.isnan(view.values).any()
        assert (view.values > 0).any()


def test_memory_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    image, _ = written_only(tmp_path, replace(PET_SCAN, shape=(96, 96, 40), frames=frames_of(*[60.0] * 12)))
    frame = 96 * 96 * 40 * 4  # bytes, of 12 such frames
    tracemalloc.start()
    survey_of(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * frame  # slabs of 28 slices as they are read, as float64 and float32, and planes


def written_only(folder: Path, scan: PhantomScan) -> tuple[Image, None]:
    write_scan(folder / "a.img", scan)
    return inveonimaging.read(folder / "a.img"), None


@pytest.mark.parametrize("posture", list(Orientation), ids=lambda code: code.name)
def test_the_drawing_of_the_posture_has_the_letters_where_they_are(posture: Orientation) -> None:
    """Who is before the bore sees the first stored axis go right, the second down, the third come nearer."""
    names: dict[tuple[int, ...], str] = {
        (1, 0, 0): "L",
        (-1, 0, 0): "R",
        (0, 1, 0): "P",
        (0, -1, 0): "A",
        (0, 0, 1): "H",
        (0, 0, -1): "F",
    }
    right, down, nearer = AXES[int(posture)]
    into = tuple(-part for part in nearer)
    assert tuple(np.cross(into, [-part for part in down])) == right  # right-handed: what is up, ahead and right
    drawing, doubt = posture_drawing(posture), "" if posture else "?"
    assert len(re.findall(r"<text [^>]*>[LRAPHF]\?", drawing)) == (8 if doubt else 0)
    assert f'<text x="401" y="80">{names[right]}{doubt}</text>' in drawing
    assert f'<text x="340" y="141">{names[down]}{doubt}</text>' in drawing
    assert f'<text x="257" y="86">{names[into]}{doubt}</text>' in drawing
    assert f'<text x="-4" y="86">{names[nearer]}{doubt}</text>' in drawing
    angle = math.radians(float(re.findall(r"rotate\((-?\d+)\)", drawing)[0]))  # clockwise; the legs point down at 0
    belly = -math.sin(angle) * np.array(right) + math.cos(angle) * np.array(down)
    assert np.allclose(belly, (0, -1, 0))  # anterior
    assert ("?" in drawing) == (posture is Orientation.UNKNOWN)
    upside_down = names[tuple(-part for part in down)] == "A"
    assert ("-1)" in drawing.split("<g class")[1].split(">")[0]) == upside_down


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (7.5, "7.5 s"),
        (40, "40 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (100, "1 min 40 s"),
        (119.7, "2 min"),
        (3599.6, "1 h"),
        (3661, "1 h 1 min"),
        (90000, "1 d 1 h"),
        (-100, "-1 min 40 s"),
    ],
)
def test_durations_are_in_the_unit_that_people_use(seconds: float, words: str) -> None:
    assert duration(seconds) == words
