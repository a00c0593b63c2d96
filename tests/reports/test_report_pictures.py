"""Drawn pictures, measured in their pixels; curves and decay factors, against the formulas and the stored bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image as Png

import inveonimaging
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import AcquisitionMode, Orientation
from inveonimaging.phantom import (
    CT_SCAN,
    PET_SCAN,
    SPECT_SCAN,
    Ellipsoid,
    Mouse,
    PhantomScan,
    Tissue,
    frames_of,
    write_scan,
)
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports import pictures
from inveonimaging.reports.contents import contents_of
from inveonimaging.reports.curves import curves_of, decay_checks
from inveonimaging.reports.draw import Layer, Panel, Picture, contact_sheet, planes_picture
from inveonimaging.reports.pictures import drawn
from inveonimaging.reports.planes import AnatomicalPlane, View
from inveonimaging.reports.scales import Scale, rounded_up, scale_of
from inveonimaging.reports.voxel_pass import survey_of
from inveonimaging.study.image import Image
from inveonimaging.study.reading import read_study
from truth import Truth, truth_of

BONE = Tissue("bone", 1000, ())
LEFT_BALL, RIGHT_BALL = (
    (9.3, 0.1, 12.2),
    (-8.9, 0.1, -11.7),
)  # LPS mm: left and towards the head, right and towards the feet
BALLS = Mouse(anatomy=tuple(Ellipsoid(BONE, centre, (2.03, 2.03, 2.03)) for centre in (LEFT_BALL, RIGHT_BALL)))
CT = replace(CT_SCAN, shape=(60, 64, 100), spacing_mm=(0.7, 0.6, 0.5), shift_mm=(1.1, -0.4, 2.0))
PET = replace(PET_SCAN, shape=(16, 15, 14), spacing_mm=(3.0, 3.2, 6.1), frames=frames_of(15, 45, 240, 600))
POSTURES = [code for code in Orientation if code]


def written(
    folder: Path, scan: PhantomScan, mouse: Mouse | None = None, change: Callable[[Header], Header] | None = None
) -> Image:
    write_scan(folder / "a.img", scan, mouse=mouse or Mouse(), change=change)
    return inveonimaging.read(folder / "a.img")


def pixels_of(picture: Picture) -> npt.NDArray[np.uint8]:
    with Png.open(io.BytesIO(picture.png)) as opened:
        assert opened.size == (picture.width, picture.height)
        return np.asarray(opened.convert("L"))


def drawn_balls(image: Image) -> Picture:
    survey = survey_of(image)
    return planes_picture("mip", [Layer(survey.highest, Scale(0, 1000, "HU"))], "", projection=True)


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Image, Picture]:
    """Return an image of the two balls, and its picture."""
    image = written(tmp_path_factory.mktemp("balls"), CT, BALLS)
    return image, drawn_balls(image)


@pytest.mark.parametrize("posture", POSTURES, ids=lambda code: code.name)
def test_balls_are_where_letters_and_scale_bar_say(tmp_path: Path, posture: Orientation) -> None:
    picture = drawn_balls(written(tmp_path, replace(CT, orientation=posture), BALLS))
    seen = pixels_of(picture)
    coronal = next(panel for panel in picture.panels if panel.view.plane is AnatomicalPlane.CORONAL)
    assert coronal.view.letters == {"left": "R", "right": "L", "top": "H", "bottom": "F"}
    left, right = (_middle_near(seen, coronal.pixel(centre[0], -centre[2])) for centre in (LEFT_BALL, RIGHT_BALL))
    assert picture.bar is not None
    px_per_mm = _bar_length(seen, picture) / picture.bar.mm
    # 0.5 mm: a voxel; a pixel of rounding at each end of the bar
    assert left[0] - right[0] == pytest.approx(px_per_mm * (9.3 + 8.9), abs=px_per_mm * 0.5)
    assert right[1] - left[1] == pytest.approx(px_per_mm * (12.2 + 11.7), abs=px_per_mm * 0.5)
    assert right[0] < coronal.left + coronal.width / 2 < left[0]  # the animal's right is on the left


def _middle_near(seen: npt.NDArray[np.uint8], place: tuple[float, float]) -> tuple[float, float]:
    """Return the centre of mass of the bright pixels near a place: column, row."""
    column, row = (round(each) for each in place)
    reach = 40
    near = seen[row - reach : row + reach, column - reach : column + reach] > 200
    rows, columns = np.nonzero(near)
    assert rows.size > 100
    return column - reach + columns.mean(), row - reach + rows.mean()


def _bar_length(seen: npt.NDArray[np.uint8], picture: Picture) -> int:
    """Return how many white pixels lie in a row where the scale bar is."""
    assert picture.bar is not None
    row = seen[picture.bar.top + picture.bar.height // 2, : picture.bar.left + 400]
    dark = np.flatnonzero(row[picture.bar.left :] < 250)
    return int(dark[0]) if row[picture.bar.left - 1] < 250 else -1


def test_the_scale_bar_is_as_long_as_it_says_across_and_down(balls: tuple[Image, Picture]) -> None:
    _, picture = balls
    assert picture.bar is not None
    scale = _bar_length(pixels_of(picture), picture) / picture.bar.mm
    assert picture.bar.mm == 10  # of 42 mm, at most two fifths
    for panel in picture.panels:
        width_mm, height_mm = panel.view.size_mm
        # half a pixel of rounding in the panel, and in the bar of some 90 pixels
        assert panel.width == pytest.approx(width_mm * scale, rel=0.01)
        assert panel.height == pytest.approx(height_mm * scale, rel=0.01)
    sizes = {panel.view.plane: panel.view.size_mm for panel in picture.panels}
    assert sizes[AnatomicalPlane.CORONAL] == pytest.approx((42.0, 50.0))  # 60 x 0.7 mm across, 100 x 0.5 mm high
    assert sizes[AnatomicalPlane.SAGITTAL] == pytest.approx((38.4, 50.0))  # 64 x 0.6 mm across
    assert sizes[AnatomicalPlane.AXIAL] == pytest.approx((42.0, 38.4))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 900), (700, 1, 2), (2, 500, 1)])
def test_odd_shapes_are_drawn(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    picture = drawn_balls(written(tmp_path, replace(CT, shape=shape), BALLS))
    seen = pixels_of(picture)
    assert max(seen.shape) <= 2000
    assert min(seen.shape) >= 100


@pytest.fixture
def unsaved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay pictures out, and make no pixels of them."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)


@pytest.fixture
def words(unsaved: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:  # noqa: ARG001
    """Return all that is written into pictures from now on, of which no pixels are made."""
    written_words: list[str] = []
    for owner, name, place in ((Figure, "text", 2), (Axes, "annotate", 0)):
        write = getattr(owner, name)

        def remember(*arguments: Any, write: Any = write, place: int = place, **how: Any) -> Any:
            written_words.append(arguments[1 + place])
            return write(*arguments, **how)

        monkeypatch.setattr(owner, name, remember)
    return written_words


def test_an_unknown_posture_is_reported_in_every_picture(tmp_path: Path, words: list[str]) -> None:
    for name, scan in {"a.ct.img": CT, "a.pet.img": replace(PET, frames=frames_of(60, 60))}.items():
        write_scan(tmp_path / name, replace(scan, orientation=Orientation.UNKNOWN))
    ct, pet = drawn(contents_of(read_study(tmp_path), datetime(2026, 1, 2)))
    with_letters = [each for each in (*ct.pictures, *pet.pictures) if each.name not in ("histogram", "curves")]
    assert len(with_letters) == 7  # slices and mip of both, PET on CT twice, frames
    assert words.count("posture assumed:") == words.count("feet first, supine") == 7
    assert sum(text in {"H?", "F?", "A?", "P?", "L?", "R?"} for text in words) == 6 * 3 * 4 + 4
    assert [text for text in words if text in set("HFAPLR")] == []


@pytest.mark.parametrize("known", [["CT"], ["PET"], ["CT", "PET"]], ids="-".join)
def test_one_posture_that_is_assumed_is_enough_to_doubt_both(words: list[str], known: list[str]) -> None:
    ones = np.ones((2, 2), np.float32)
    ct, pet = (
        {
            plane: View(ones, plane, np.zeros(3), 9 * plane.down, 9 * plane.right, kind not in known)
            for plane in AnatomicalPlane
        }
        for kind in ("CT", "PET")
    )
    planes_picture("on-ct", [Layer(ct, Scale(0, 1, "HU")), Layer(pet, Scale(0, 1, "Bq/mL"), over=True)], "")
    are_known = len(known) == 2
    assert sum(text in set("HFAPLR") for text in words) == (12 if are_known else 0)
    assert words.count("posture assumed:") == (0 if are_known else 1)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pictures of planes that have their words and views, and no pixels."""

    def picture(name: str, layers: list[Layer], alt: str, caption: str = "", **_: bool) -> Picture:
        panels = tuple(Panel(layers[0].views[plane], 0, 0, 0, 0) for plane in AnatomicalPlane)
        return Picture(name, b"", 1, 1, alt, caption, panels)

    monkeypatch.setattr(pictures, "planes_picture", picture)
    for name in ("curves_picture", "contact_sheet", "histogram_picture"):
        monkeypatch.setattr(pictures, name, lambda name, *_: Picture(name, b"", 1, 1, ""))


@pytest.mark.usefixtures("undrawn")
def test_a_mu_map_is_called_so(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.ct.img", replace(CT, shape=(9, 8, 7)))
    write_scan(tmp_path / "a.mu.img", replace(PET, frames=frames_of(60), mu_map=True))
    write_scan(tmp_path / "a.pet.img", replace(PET, frames=frames_of(60)))
    reported = {
        each.series.image.pair.name: [picture.alt for picture in each.pictures]
        for each in drawn(contents_of(read_study(tmp_path), datetime(2026, 1, 2)))
    }
    highest = "maximum intensity projections"
    assert reported["a.mu.img"] == [
        "mu map: the planes through the middle of what is denser than air",
        f"mu map: {highest}",
    ]
    assert reported["a.pet.img"] == [
        "PET: the planes through the hottest region",
        f"PET: {highest}",
        "PET on CT: the planes of the CT nearest to the hottest region of the PET",
        f"PET on CT: {highest}",
    ]


def test_a_transmission_image_is_not_called_a_pet(tmp_path: Path) -> None:
    def of_a_source(header: Header) -> Header:
        return replace(header, acquisition_mode=AcquisitionMode.SINGLES_TX)

    assert written(tmp_path, PET, change=of_a_source).kind == "PET transmission"


@pytest.mark.usefixtures("undrawn")
def test_pet_on_ct_goes_through_the_hottest_region_of_the_pet(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.ct.img", CT)
    write_scan(tmp_path / "a.pet.img", PET)
    _, pet = drawn(contents_of(read_study(tmp_path), datetime(2026, 1, 2)))
    truth = truth_for(pet.series.image)
    hottest = truth.values[3].argmax()  # the one frame that starts in the second half; 3 mm are a voxel
    k, j, i = map(int, np.unravel_index(hottest, truth.values[3].shape))
    place = truth.position(i, j, k)
    (fused,) = (picture for picture in pet.pictures if picture.name == "on-ct")
    for panel in fused.panels:
        spacing_mm = (0.7, 0.6, 0.5)[panel.view.plane.normal]  # of the CT
        assert panel.view.at_mm == pytest.approx(place[panel.view.plane.normal], abs=spacing_mm / 2 + 1e-6)


def covered(picture: Picture) -> float:
    """Return how much of a picture its panels cover."""
    return sum(panel.width * panel.height for panel in picture.panels) / (picture.width * picture.height)


def test_short_volumes_fill_their_pictures(tmp_path: Path) -> None:
    short = drawn_balls(written(tmp_path, replace(CT, shape=(60, 64, 8)), BALLS))
    axial = next(panel for panel in short.panels if panel.view.plane is AnatomicalPlane.AXIAL)
    assert axial.width > 0.98 * (1200 - 3 * 18) / 2  # two columns, laid out in steps of 2 %; of three it had a third
    assert covered(short) > 0.5  # in three columns it is 0.24
    assert max(short.width / 1200, short.height / 780) <= 1
    for one in short.panels:
        for other in short.panels:
            apart = one.left + one.width <= other.left or one.top + one.height <= other.top
            assert one is other or apart or other.left + other.width <= one.left or other.top + other.height <= one.top


@pytest.mark.usefixtures("unsaved")
@pytest.mark.parametrize(("gates", "columns"), [(2, 2), (3, 3), (8, 4), (48, 10)])
def test_few_gates_fill_their_sheet(gates: int, columns: int) -> None:
    values = np.ones((5, 4), np.float32)
    view = View(
        values, AnatomicalPlane.CORONAL, np.zeros(3), np.array((0, 0, -20.0)), np.array((15.0, 0, 0))
    )  # 60 x 100 mm
    tiles = dict.fromkeys(range(gates), view)
    sheet = contact_sheet("frames", tiles, dict.fromkeys(tiles, ""), Scale(0, 1, "Bq/mL"), "")
    assert len({panel.left for panel in sheet.panels}) == columns
    if gates < 48:
        assert sheet.height == pytest.approx(780, abs=6)
    width, height = sheet.panels[0].width, sheet.panels[0].height
    # 780 px less 18 and 110 px at the edges: one row of 652 - 34 px, or two of 326 - 34; many are 150 px wide
    expected = {2: 618, 3: 618, 8: 292, 48: 250}[gates]
    assert height == pytest.approx(expected, abs=1)
    assert width == pytest.approx(0.6 * expected, abs=1)


def truth_for(image: Image) -> Truth:
    return truth_of(image.pair.data)


def test_curves_are_those_of_the_stored_voxels(tmp_path: Path) -> None:
    image = written(tmp_path, PET)
    truth, survey = truth_for(image), survey_of(image)
    whole, hot = curves_of(image, survey)
    millilitres = 3.0 * 3.2 * 6.1 / 1000
    assert np.allclose(whole.values, truth.values.sum(axis=(1, 2, 3)) * millilitres / 1e6, rtol=1e-6)
    assert whole.unit == "MBq"
    assert whole.starts_s.tolist() == [0, 15, 60, 300]
    assert whole.durations_s.tolist() == [15, 45, 240, 600]
    assert whole.reference == pytest.approx(7.03 * 2 ** (-30 / 6586.2), rel=1e-6)  # injected 30 s before the start
    k, j, i = map(int, np.unravel_index(truth.values[3].argmax(), truth.values[3].shape))  # 3 mm are one voxel here
    assert survey.hottest is not None
    assert [side.start for side in survey.hottest.box] == [k, j, i]
    assert hot.unit == "MBq/mL"
    assert np.allclose(hot.values, truth.values[:, k, j, i] / 1e6, rtol=1e-6)
    assert survey.hottest.centre_mm == pytest.approx(truth.position(i, j, k).tolist())


def test_the_hottest_region_is_the_box_with_the_largest_mean(tmp_path: Path) -> None:
    fine = replace(
        PET, shape=(20, 18, 16), spacing_mm=(1.0, 1.0, 3.1), shift_mm=(0.0, 0.0, -20.0), frames=frames_of(600)
    )
    image = written(tmp_path, fine)
    values, region = truth_for(image).values[0], survey_of(image).hottest
    sums = {
        (k, j, i): values[k, j : j + 3, i : i + 3].mean() for k in range(16) for j in range(16) for i in range(18)
    }  # 3 mm are 3 x 3 x 1 voxels
    assert region is not None
    k, j, i = (side.start for side in region.box)
    assert [side.stop for side in region.box] == [k + 1, j + 3, i + 3]
    assert sums[k, j, i] == pytest.approx(max(sums.values()), rel=1e-6)


def test_frames_in_any_order_make_the_same_curve(tmp_path: Path) -> None:
    turned = written(tmp_path, PET, change=lambda header: replace(header, frames=header.frames[::-1]))
    whole, _ = curves_of(turned, survey_of(turned))
    assert whole.starts_s.tolist() == [0, 15, 60, 300]
    truth = truth_for(turned)
    order = np.argsort([truth.start(frame) for frame in range(4)])
    assert np.allclose(whole.values, truth.values.sum(axis=(1, 2, 3))[order] * 3.0 * 3.2 * 6.1 / 1e9, rtol=1e-6)


def test_no_curves_without_times(tmp_path: Path) -> None:
    timeless = written(
        tmp_path,
        PET,
        change=lambda header: replace(header, frames=tuple(replace(each, duration_s=None) for each in header.frames)),
    )
    assert curves_of(timeless, survey_of(timeless)) == ()


def test_no_dose_beside_values_that_are_not_decay_corrected(tmp_path: Path) -> None:
    image = written(tmp_path, replace(PET, decay_corrected=False))
    whole, _ = curves_of(image, survey_of(image))
    assert whole.reference is None
    assert decay_checks(image) == ()


def test_the_epoch_which_a_console_writes_for_no_time_is_no_injection(tmp_path: Path) -> None:
    def never(header: Header) -> Header:
        tracer = replace(header.tracer, injection_time=datetime(1970, 1, 1), half_life_s=1e9)  # else too long ago
        return replace(header, tracer=tracer)

    image = written(tmp_path, PET, change=never)
    whole, _ = curves_of(image, survey_of(image))
    assert whole.reference is None


def test_decay_factors_are_checked_against_half_life_and_times(tmp_path: Path) -> None:
    def spoiled(header: Header) -> Header:
        first, second, *others = header.frames
        wrong = replace(second, decay_correction=(second.decay_correction or 0) * 1.02)
        return replace(header, frames=(first, wrong, *others))

    image = written(tmp_path, PET, change=spoiled)
    checks = decay_checks(image)
    decay = math.log(2) / 6586.2
    for check, (start, duration) in zip(checks, [(0, 15), (15, 45), (60, 240), (300, 600)], strict=True):
        expected = decay * duration * math.exp(decay * start) / (1 - math.exp(-decay * duration))
        assert check.expected == pytest.approx(expected, rel=1e-9)
    assert [check.fits for check in checks] == [True, False, True, True]
    assert checks[1].difference == pytest.approx(0.02, abs=1e-4)


def test_windows_suit_the_unit(tmp_path: Path) -> None:
    ct = survey_of(written(tmp_path, CT))
    assert scale_of(Unit.HU, ct) == Scale(-500, 1000, "HU")
    assert scale_of(Unit.PER_CM, ct).unit == "1/cm"
    folder = tmp_path / "pet"
    folder.mkdir()
    pet = survey_of(written(folder, PET))
    scale = scale_of(Unit.BQML, pet)
    highest = max(float(view.values.max()) for view in pet.highest.values())
    assert scale.low == 0
    assert 0.1 * highest < scale.high <= 1.2 * highest
    assert (scale.unit, scale.divisor) == ("MBq/mL", 1e6)


def test_values_that_are_no_hounsfield_units_are_seen_all_the_same(tmp_path: Path) -> None:
    def raw(header: Header) -> Header:
        return replace(header, frames=tuple(replace(each, scale_factor=1e-3) for each in header.frames))

    image = written(tmp_path, replace(CT_SCAN, shape=(9, 8, 5), spacing_mm=(4, 4, 12)), change=raw)
    scale = scale_of(Unit.HU, survey_of(image))
    assert (scale.low, scale.high) == (-500, 1000)  # -1 to 2 HU lie in the usual window; nothing to choose
    shifted = survey_of(image)
    far = {plane: replace(view, values=view.values * 0 + 30000) for plane, view in shifted.planes.items()}
    doubtful = scale_of(Unit.HU, replace(shifted, planes=far))
    assert doubtful.low <= 30000 < doubtful.high


@pytest.mark.parametrize(("value", "expected"), [(1.0, 1.0), (1.01, 1.2), (0.0073, 0.008), (8.1e5, 1e6), (2.5, 2.5)])
def test_windows_end_at_round_numbers(value: float, expected: float) -> None:
    assert rounded_up(value) == pytest.approx(expected, rel=1e-12)


def test_an_empty_image_and_one_of_nan_are_drawn(tmp_path: Path) -> None:
    scan = replace(SPECT_SCAN, shape=(5, 4, 3), spacing_mm=(6, 6, 20))
    image = written(tmp_path, scan)
    empty = np.zeros((3, 4, 5), "<f4")
    empty[1, 2, 3] = np.nan
    image.pair.data.write_bytes(empty.tobytes())
    survey = survey_of(image)
    assert survey.not_finite == 1
    picture = planes_picture("mip", [Layer(survey.highest, scale_of(Unit.PROPCNTS, survey))], "", projection=True)
    assert pixels_of(picture).size


def test_the_same_input_gives_the_same_picture(balls: tuple[Image, Picture]) -> None:
    image, picture = balls
    assert drawn_balls(image).png == picture.png


def test_a_style_of_the_users_changes_nothing(balls: tuple[Image, Picture], monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    image, picture = balls
    monkeypatch.setitem(mpl.rcParams, "image.interpolation", "nearest")
    monkeypatch.setitem(mpl.rcParams, "text.color", "red")
    monkeypatch.setitem(mpl.rcParams, "font.size", 30.0)
    assert drawn_balls(image).png == picture.png


def test_suv_of_the_colour_bar(tmp_path: Path) -> None:
    from inveonimaging.study.suv import suv_per_value

    image = written(tmp_path, PET)
    # weight 24.6 g, dose 7.03 MBq, 30 s before the scan, F-18
    assert suv_per_value(image) == pytest.approx(24.6 / (7.03e6 * 2 ** (-30 / 6586.2)), rel=1e-6)
    without = replace(image, header=replace(image.header, subject=replace(image.header.subject, weight=None)))
    assert suv_per_value(without) is None
