"""The viewer in the page: what it shows in a real browser, and what it is given, both against the files themselves."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import runpy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
import pytest
from PIL import Image as Picture
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

import inveonimaging
from browser import WAIT_S, browser, console, drawn, resize
from conftest import Tool, skip_or_fail
from helpers import ROOT
from inveonimaging import extras
from inveonimaging.errors import OptionError
from inveonimaging.inveon.hdr.enums import DataType, Orientation
from inveonimaging.inveon.pairs import Pair
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, Mouse, PhantomScan, frames_of, write_scan
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports import viewer
from inveonimaging.reports.contents import contents_of
from inveonimaging.reports.page import write_report
from inveonimaging.reports.scales import scale_of
from inveonimaging.reports.voxel_pass import survey_of
from inveonimaging.study.image import Image
from inveonimaging.study.reading import read_study
from truth import Float, Truth, truth_of

pytestmark = pytest.mark.faults

__all__ = ["browser"]  # the fixture

CT = replace(CT_SCAN, shape=(40, 40, 80), spacing_mm=(1.0, 1.0, 1.0))
PET = replace(PET_SCAN, shape=(36, 36, 76), spacing_mm=(1.04, 1.04, 1.03), frames=frames_of(15, 60, 600, 1800))
ORGANS = {  # middle, LPS mm, as mouse.py has them
    "brain": (0.0, 2.33, 25.1),
    "right lung": (-4.47, 0.73, 8.2),
    "left ventricle": (1.53, -0.33, 8.3),
    "liver": (-4.57, -0.87, -1.7),
    "left kidney": (6.27, 3.13, -13.4),
    "bladder": (0.33, -1.07, -27.3),
    "tumour": (-9.53, 1.37, -15.8),
    "syringe": (16.33, 1.57, -3.1),
}
VERSION = json.loads((ROOT / "tools" / "niivue" / "package.json").read_text("utf-8"))["dependencies"]["@niivue/niivue"]
HOSTILE = """<!--<script>'"><img src=x onerror="document.title='owned'">&lt;.img"""
ONE_STEP = 1.2e-7  # relative, of float32
NOTHING_FROM_ELSEWHERE = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; img-src data: blob:"
)


def written(folder: Path, scan: PhantomScan, name: str) -> Path:
    write_scan(folder / name, scan)
    return folder / name


def image_of(folder: Path, scan: PhantomScan, name: str = "scan.img") -> Image:
    return inveonimaging.read(written(folder, scan, name))


def page(path: Path, images: Sequence[Image], budget: int = viewer.BUDGET) -> str:
    """Write a page of the fragment alone, which may load nothing from anywhere; return its address."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{NOTHING_FROM_ELSEWHERE}">'
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>own</title>{policy}</head><body>'
    path.write_text(f"{head}{viewer.fragment(images, budget)}</body></html>", "utf-8")
    return path.as_uri()


# In the browser.


class Mark(NamedTuple):
    """A letter or a scale bar: its text, and pixels from the middle of the canvas to its own, to the right and down."""

    text: str
    across: int
    down: int
    width: float


class Screen:
    """The page, as a person has it before them."""

    def __init__(self, browser: Chrome) -> None:
        self.browser = browser

    def open(self, address: str) -> None:
        """Open a page and wait until the viewer is there, or says why it is not."""
        self.browser.get(address)
        WebDriverWait(self.browser, WAIT_S, 0.05).until(
            lambda _: self.one("#inveon-viewer").get_attribute("data-ready") or self.all(".viewer-problem")
        )

    def one(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def type(self, selector: str, text: str) -> None:
        """Type into a field and leave it."""
        field = self.one(selector)
        field.clear()
        field.send_keys(text, "\t")

    def slide(self, slider: WebElement, value: float) -> None:
        """Move a slider."""
        self.browser.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
            slider,
            value,
        )

    def go_to(self, place: Sequence[float]) -> None:
        """Put the crosshair somewhere, LPS mm."""
        fields = dict(zip("xyz", place, strict=True))
        self.browser.execute_script(
            "for (const [axis, mm] of Object.entries(arguments[0]))"
            " document.querySelector(`.viewer-${axis}`).value = String(mm)",
            fields,
        )
        self.browser.execute_script("document.querySelector('.viewer-z').dispatchEvent(new Event('change'))")

    @property
    def place(self) -> list[float]:
        return [float(str(self.one(f".viewer-{axis}").get_attribute("value"))) for axis in "xyz"]

    @property
    def values(self) -> list[float]:
        """What is at the crosshair, below and on top, in full."""
        return [float(each.get_attribute("data-value") or "nan") for each in self.all(".viewer-value")]

    @property
    def shown_values(self) -> list[str]:
        return [each.text for each in self.all(".viewer-value")]

    def marks(self, kind: str) -> list[Mark]:
        """Return the letters or scale bars that are on the canvas."""
        found = self.browser.execute_script(
            "const middle = (box) => [box.x + box.width / 2, box.y + box.height / 2];"
            "const whole = middle(document.querySelector('canvas').getBoundingClientRect());"
            "return [...document.querySelectorAll(arguments[0])].map((each) => {"
            "  const box = each.getBoundingClientRect();"
            "  return [each.textContent, ...middle(box).map((at, n) => Math.round(at - whole[n])), box.width];"
            "})",
            f".viewer-{kind}",
        )
        return [Mark(*each) for each in found]

    def click(self, across: int, down: int) -> None:
        """Click on the canvas, so many pixels from its middle."""
        ActionChains(self.browser, 0).move_to_element_with_offset(self.one("canvas"), across, down).click().perform()
        drawn(self.browser)

    def look(self, view: str) -> None:
        self.choose(".viewer-view", view)
        drawn(self.browser)

    def choose(self, selector: str, value: str) -> None:
        """Choose from a list."""
        self.browser.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))",
            self.one(selector),
            value,
        )

    def show_alone(self, name: str) -> None:
        """Choose a volume by its name, and nothing on top; wait until it is drawn."""
        above, below = self.all(".viewer-layer .viewer-line:first-of-type select")[::-1]
        Select(above).select_by_value("")
        Select(below).select_by_visible_text(name)
        self.browser.execute_async_script(
            "const done = arguments[0]; document.querySelector('#inveon-viewer').drawing.then(() => done())"
        )

    def picture(self) -> Float:
        """Return what the canvas shows, (rows, columns, 3)."""
        marks = "document.querySelector('.viewer-marks').style.visibility = arguments[0]"
        self.browser.execute_script(marks, "hidden")
        drawn(self.browser)
        with Picture.open(io.BytesIO(self.one("canvas").screenshot_as_png)) as shot:
            pixels = np.asarray(shot.convert("RGB"), float)
        self.browser.execute_script(marks, "visible")
        return pixels

    def complaints(self) -> list[str]:
        """Return what the console printed, but for the driver, which warns of reading a canvas drawn by software."""
        messages = [str(entry["message"]) for entry in console(self.browser)]
        return [each for each in messages if "GPU stall due to ReadPixels" not in each]


@pytest.fixture(scope="module")
def screen(browser: Chrome) -> Screen:
    browser.get("about:blank")
    resize(browser, 400, 460)
    console(browser)
    return Screen(browser)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    written(folder, CT, "m.ct.img")
    written(folder, PET, "m.pet.img")
    return folder


@pytest.fixture(scope="module")
def truths(study: Path) -> tuple[Truth, Truth]:
    return truth_of(study / "m.ct.img"), truth_of(study / "m.pet.img")


@pytest.fixture(scope="module")
def fused(screen: Screen, study: Path) -> Screen:
    """Return the viewer of a CT with a dynamic PET."""
    images = [inveonimaging.read(study / name) for name in ("m.pet.img", "m.ct.img")]
    screen.open(page(study / "fused.html", images))
    return screen


def nearest(truth: Truth, place: Sequence[float]) -> tuple[int, int, int]:
    """Return the voxel (k, j, i) whose centre is nearest to a place, LPS mm."""
    gantry = truth.axes.T @ (np.array(place) - truth.position(0, 0, 0))
    i, j, k = np.rint(gantry / truth.spacing).astype(int)
    assert np.abs(truth.position(i, j, k) - place).max() <= 0.5001 * truth.spacing.max()
    return int(k), int(j), int(i)


@pytest.mark.parametrize("organ", ORGANS)
def test_the_crosshair_on_an_organ_shows_its_hounsfield_units_and_its_activity(
    fused: Screen, truths: tuple[Truth, Truth], organ: str
) -> None:
    ct, pet = truths
    place = ORGANS[organ]
    fused.go_to(place)
    hounsfield, activity = fused.values
    assert hounsfield == ct.values[0][nearest(ct, place)]
    expected = pet.values[-1][nearest(pet, place)]
    assert activity == pytest.approx(expected, rel=ONE_STEP)
    assert hounsfield == Mouse().hounsfield(place)
    assert activity == pytest.approx(float(Mouse().activity(place, 675, 2475)), rel=1e-5)  # stored as float32
    assert fused.shown_values == [f"{hounsfield:.0f} HU", f"{activity:.0f} Bq/mL"]


def test_places_all_over_the_volume_show_the_nearest_voxel(fused: Screen, truths: tuple[Truth, Truth]) -> None:
    ct, pet = truths
    places = np.random.default_rng(5).uniform((-17, -15, -35), (17, 15, 35), (12, 3)).round(1)
    for place in places:
        fused.go_to(place.tolist())
        assert fused.values[0] == ct.values[0][nearest(ct, place)], place
        assert fused.values[1] == pytest.approx(pet.values[-1][nearest(pet, place)], rel=ONE_STEP), place


def test_where_only_one_volume_reaches_the_other_is_outside(fused: Screen, truths: tuple[Truth, Truth]) -> None:
    ct, pet = truths
    place = ct.position(0, 20, 40)
    assert place[0] > pet.position(0, 18, 38)[0] + 1  # both lie from left to right; the CT begins further left
    fused.go_to(place.tolist())
    assert fused.shown_values == ["-1000 HU", "outside"]


def test_the_time_slider_follows_the_time_activity_curve(fused: Screen) -> None:
    fused.go_to(ORGANS["bladder"])
    slider = fused.all(".viewer-frame")[1]
    shown = []
    for frame, time_ in enumerate(PET.frames):
        fused.slide(slider, frame)
        shown.append(fused.values[1])
        truth = float(Mouse().activity(ORGANS["bladder"], time_.start_s, time_.stop_s))
        assert shown[-1] == pytest.approx(truth, rel=1e-5)
        label = fused.all(".viewer-frame-label")[1].text
        times = ("0 s to 15 s", "15 s to 1 min 15 s", "1 min 15 s to 11 min 15 s", "11 min 15 s to 41 min 15 s")
        assert label == f"frame {frame + 1} of 4: {times[frame]}"
    assert shown == sorted(shown)
    assert shown[0] < 0.1 * shown[-1]
    assert not fused.all(".viewer-frame")[0].is_displayed()  # the CT has one frame


def coloured(pixels: Float) -> int:
    """Return how many pixels are neither grey nor the green of the crosshair."""
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return int(((red - green > 40) | (blue - green > 40)).sum())


def test_the_fusion_slider_goes_from_ct_to_pet(fused: Screen) -> None:
    fused.look("coronal")
    opacity = fused.one(".viewer-opacity")
    counts = []
    for value in (0.0, 0.5, 1.0):
        fused.slide(opacity, value)
        counts.append(coloured(fused.picture()))
    fused.slide(opacity, 0.5)
    assert counts[0] < 50
    assert counts[1] > 1000  # faint values let the CT shine through
    assert counts[2] > 1000


def test_bone_is_grey_where_hardly_anything_is_taken_up(fused: Screen) -> None:
    """The skull has no activity of its own: what shines through is the CT, and no darkened one."""
    fused.look("axial")
    fused.go_to((0.0, 2.33, 25.1))  # within the brain
    bright: dict[float, Float] = {}
    for opacity in (0.0, 1.0):
        fused.slide(fused.one(".viewer-opacity"), opacity)
        bright[opacity] = fused.picture()
    skull = bright[0.0].min(axis=-1) > 200  # white in the CT alone
    assert skull.sum() > 500
    spread = bright[1.0].max(axis=-1) - bright[1.0].min(axis=-1)
    is_grey = (spread < 40) & (bright[1.0].min(axis=-1) > 150)
    assert is_grey[skull].mean() > 0.6


def test_activity_is_shown_as_suv_too(fused: Screen, truths: tuple[Truth, Truth]) -> None:
    fused.go_to(ORGANS["liver"])
    per_bqml = 24.6 / (7.03e6 * 2 ** (-30 / 6586.2))  # g over the dose, decayed for the 30 s until the start
    expected = truths[1].values[-1][nearest(truths[1], ORGANS["liver"])] * per_bqml
    of_ct, of_pet = (each.text for each in fused.all(".viewer-suv"))
    assert of_ct == ""
    assert of_pet.startswith("SUV ")
    assert float(of_pet.removeprefix("SUV ")) == pytest.approx(expected, rel=1e-3)
    low, high = (float(str(fused.all(f".viewer-{end}")[1].get_attribute("value"))) for end in ("low", "high"))
    shown = fused.all(".viewer-suvs")[1].text
    assert [float(each) for each in shown.removeprefix("SUV ").split(" to ")] == pytest.approx(
        [low * per_bqml, high * per_bqml], rel=1e-3
    )


def test_the_syringe_lies_on_the_right_of_the_picture(fused: Screen) -> None:
    fused.look("coronal")
    fused.go_to((0.0, 1.57, 10.0))
    fused.slide(fused.one(".viewer-opacity"), 0.0)
    rows, columns = fused.picture().shape[:2]
    grey = fused.picture()[rows // 2 : rows // 2 + 40].max(axis=(0, 2)) > 60
    right, left = grey[columns // 2 :], grey[: columns // 2][::-1]
    fused.slide(fused.one(".viewer-opacity"), 0.5)
    assert np.flatnonzero(right)[-1] > np.flatnonzero(left)[-1] + 12  # it is the animal's left


def letters(screen: Screen, view: str) -> list[str]:
    screen.look(view)
    return sorted(each.text for each in screen.marks("letter"))


def test_the_sides_of_three_planes_have_their_letters_and_3d_has_none(fused: Screen) -> None:
    assert letters(fused, "render") == []
    assert letters(fused, "planes") == sorted("LRAPLRHFAPHF")


@pytest.mark.parametrize(("view", "sides"), [("axial", "LRAP"), ("coronal", "LRHF"), ("sagittal", "APHF")])
def test_the_sides_have_the_letters_of_dicom_and_a_click_beside_one_is_on_that_side_of_the_animal(
    fused: Screen, view: str, sides: str
) -> None:
    assert letters(fused, view) == sorted(sides)
    fused.go_to((0.0, 0.0, 0.0))
    for mark in fused.marks("letter"):
        axis, sign = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "H": (2, 1), "F": (2, -1)}[mark.text]
        assert sign * fused.place[axis] < 12, "what was clicked before does not lie there"
        fused.click(mark.across, mark.down)
        assert sign * fused.place[axis] > 12, mark.text


def test_the_scale_bar_is_as_long_as_it_says(fused: Screen) -> None:
    fused.look("coronal")
    (bar,) = fused.marks("scale")
    clicked = [round(bar.across + side * bar.width / 2) for side in (-1, 1)]
    ends = []
    for across in clicked:
        fused.click(across, 20)
        ends.append(fused.place[0])
    assert bar.text == "10 mm"
    pixel_mm = (ends[1] - ends[0]) / (clicked[1] - clicked[0])
    assert bar.width * pixel_mm == pytest.approx(10, abs=0.05)  # places are shown in steps of 0.01 mm


def test_place_window_and_colours_can_be_changed(fused: Screen) -> None:
    fused.look("coronal")
    elsewhere = fused.picture()
    fused.go_to(ORGANS["bladder"])
    before = fused.picture()
    assert np.abs(before - elsewhere).max() > 60  # a place that is given is drawn
    fused.type(".viewer-layer:nth-child(2) .viewer-high", "50000")
    brighter = fused.picture()
    assert brighter.mean() > before.mean()
    Select(fused.all(".viewer-colours")[1]).select_by_visible_text("viridis")
    assert np.abs(fused.picture() - brighter).max() > 60


def test_each_view_draws_something_of_its_own(fused: Screen) -> None:
    pictures = []
    for view in ("axial", "coronal", "sagittal", "render", "all", "planes"):
        fused.look(view)
        pictures.append(fused.picture())
        assert pictures[-1].std() > 5
    assert all(np.abs(one - other).max() > 50 for one, other in pairwise(pictures))


def test_one_volume_at_a_time_and_either_way_round(fused: Screen, truths: tuple[Truth, Truth]) -> None:
    ct, pet = truths
    below, top = (Select(each) for each in fused.all(".viewer-layer .viewer-line:first-of-type select"))
    place = ORGANS["brain"]
    fused.go_to(place)
    fused.slide(fused.all(".viewer-frame")[1], 3)
    expected = [ct.values[0][nearest(ct, place)], pet.values[-1][nearest(pet, place)]]
    top.select_by_value("")
    WebDriverWait(fused.browser, WAIT_S).until(lambda _: fused.shown_values[1] == "")
    assert fused.values[0] == expected[0]
    assert not fused.one(".viewer-fusion").is_displayed()
    below.select_by_visible_text("PET: m.pet.img")
    WebDriverWait(fused.browser, WAIT_S).until(lambda _: fused.shown_values[0].endswith("Bq/mL"))
    assert fused.values[0] == pytest.approx(expected[1], rel=ONE_STEP)
    top.select_by_visible_text("CT: m.ct.img")
    WebDriverWait(fused.browser, WAIT_S).until(lambda _: fused.shown_values[1].endswith("HU"))
    assert fused.values[1] == expected[0]
    assert fused.place == pytest.approx(place, abs=0.02)


def test_choosing_again_while_a_volume_is_loaded_shows_the_last_choice_alone(fused: Screen) -> None:
    selects = fused.all(".viewer-layer .viewer-line:first-of-type select")
    fused.browser.execute_async_script(
        "const [selects, chosen, done] = arguments;"
        "for (const [layer, value] of chosen) {"
        "  selects[layer].value = value;"
        "  selects[layer].dispatchEvent(new Event('change'));"
        "}"
        "document.querySelector('#inveon-viewer').drawing.then(() => done())",
        selects,
        [(1, ""), (0, "0"), (0, "1"), (1, "0")],
    )
    drawn = "return document.querySelector('#inveon-viewer').niivue.volumes.map((volume) => volume.name)"
    assert fused.browser.execute_script(drawn) == ["volume1.nii", "volume0.nii"]
    assert [text.split()[-1] for text in fused.shown_values] == ["HU", "Bq/mL"]


def test_nobody_complains_and_nothing_is_loaded_from_elsewhere(fused: Screen) -> None:
    names = fused.browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in names if not name.startswith(("blob:", "data:"))] == []
    assert fused.complaints() == []


@pytest.mark.usefixtures("blank")
def test_the_whole_page_has_the_viewer_in_it_and_runs_it_under_its_policy(
    screen: Screen, study: Path, truths: tuple[Truth, Truth]
) -> None:
    ct, pet = truths
    report = write_report(contents_of(read_study(study), datetime(2026, 1, 1)), study / "report.html", viewer=True)
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', report.read_text("utf-8"))[0]
    assert policy.startswith("default-src 'none'; ")
    assert "'unsafe-inline'" not in re.findall(r"script-src ([^;]*);", policy)[0]
    screen.open(report.as_uri())
    windows = [
        tuple(float(str(each.get_attribute("value"))) for each in screen.all(f".viewer-{end}"))
        for end in ("low", "high")
    ]
    pet_scale = scale_of(Unit.BQML, survey_of(inveonimaging.read(study / "m.pet.img")))
    assert windows == [(-500, 0), (1000, pytest.approx(pet_scale.high, rel=1e-3))]  # as in the still pictures
    k, j, i = np.unravel_index(pet.values[-1].argmax(), pet.values[-1].shape)
    assert np.linalg.norm(np.subtract(screen.place, pet.position(i, j, k))) < 5  # it opens in the bladder
    screen.go_to(ORGANS["tumour"])
    below, top = screen.values
    assert below == ct.values[0][nearest(ct, ORGANS["tumour"])]
    assert top == pytest.approx(pet.values[-1][nearest(pet, ORGANS["tumour"])], rel=ONE_STEP)
    assert screen.all(".viewer-problem") == []
    assert screen.complaints() == []


OTHERS = {
    "gated": replace(PET, frames=frames_of(600), gates=3),
    "one slice": replace(PET, shape=(9, 8, 1), frames=frames_of(60, 60)),
    "SPECT": replace(SPECT_SCAN, shape=(16, 16, 16), spacing_mm=(2, 2, 2)),
    "mu map": replace(PET, mu_map=True, frames=frames_of(60)),
    "no posture": replace(PET, orientation=Orientation.UNKNOWN, frames=frames_of(60)),
}


@pytest.fixture(scope="module")
def others(screen: Screen, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Screen, Path]]:
    """Return the viewer of scans of other kinds, of which one has a hostile name, and their folder."""
    folder = tmp_path_factory.mktemp("others")
    images = [image_of(folder, scan, f"{name}.img") for name, scan in OTHERS.items()]
    hostile = image_of(folder, replace(CT, shape=(9, 8, 7), spacing_mm=(4.0, 5.0, 12.0)), "hostile.img")
    images.append(replace(hostile, pair=Pair(Path(HOSTILE + ".hdr"), Path(HOSTILE))))
    screen.open(page(folder / "page.html", images))
    yield screen, folder
    assert screen.complaints() == []


def test_an_assumed_posture_is_in_doubt(others: tuple[Screen, Path]) -> None:
    screen, _ = others
    screen.show_alone("PET: no posture.img")
    assert letters(screen, "coronal") == ["F?", "H?", "L?", "R?"]
    assert screen.one(".viewer-note").text == "posture assumed: feet first, supine"


def test_names_are_text(others: tuple[Screen, Path]) -> None:
    screen, folder = others
    screen.show_alone(f"CT: {HOSTILE}")
    assert HOSTILE[:8] not in (folder / "page.html").read_text("utf-8")  # no markup of a file's is in the page
    chosen = Select(screen.all(".viewer-layer select")[0]).first_selected_option
    assert chosen.text == f"CT: {HOSTILE}"
    assert screen.browser.title == "own"
    assert screen.all("#inveon-viewer img") == []


@pytest.mark.parametrize(
    ("name", "kind", "label"),
    [
        ("gated", "PET", "frame 3 of 3: gate 2, 0 s to 10 min"),
        ("one slice", "PET", "frame 2 of 2: 1 min to 2 min"),
        ("SPECT", "SPECT", ""),
        ("mu map", "mu map", ""),
    ],
)
def test_other_scans_are_shown(others: tuple[Screen, Path], name: str, kind: str, label: str) -> None:
    screen, folder = others
    screen.show_alone(f"{kind}: {name}.img")
    truth = truth_of(folder / f"{name}.img")
    i, j, k = (count // 2 for count in truth.shape)
    screen.go_to(truth.position(i, j, k).tolist())
    assert screen.values[0] == pytest.approx(truth.values[-1][k, j, i], rel=ONE_STEP)
    assert screen.all(".viewer-frame-label")[0].text == label
    assert [letter for letter in letters(screen, "coronal") if "?" in letter] == []


def test_a_reduced_volume_that_is_alone_says_so_and_is_in_its_place(
    screen: Screen, study: Path, truths: tuple[Truth, Truth]
) -> None:
    _, pet = truths
    image = inveonimaging.read(study / "m.pet.img")
    screen.open(page(study / "reduced.html", [image], budget=18 * 18 * 38 * 4 * 2))
    note = screen.one(".viewer-note").text
    assert "each voxel is the mean of 2 x 2 x 2 voxels" in note
    assert "rounded" in note
    assert not screen.all(".viewer-layer")[1].is_displayed()
    i, j, k = 14, 16, 50
    block = pet.values[-1][k : k + 2, j : j + 2, i : i + 2]
    screen.go_to(pet.position(i + 0.5, j + 0.5, k + 0.5).tolist())
    assert screen.values[0] == pytest.approx(block.mean(), abs=pet.values[-1].max() / 32767)
    assert screen.complaints() == []


def test_a_browser_without_webgl2_is_reported(screen: Screen, study: Path) -> None:
    source = "HTMLCanvasElement.prototype.getContext = () => null"
    script: Any = screen.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    try:
        screen.open(page(study / "plain.html", [inveonimaging.read(study / "m.ct.img")]))
        assert "no WebGL2" in screen.one(".viewer-message").text
        assert not screen.one(".viewer-body").is_displayed()
        assert screen.complaints() == []
    finally:
        screen.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_no_volume_is_reported(screen: Screen, tmp_path: Path) -> None:
    screen.open(page(tmp_path / "none.html", []))
    assert screen.one(".viewer-message").text == "There is no volume to show."


# What is in the page, read with nibabel.


def texts(html: str) -> dict[str, str]:
    """Return the text of the page's script elements that have a name."""
    return dict(re.findall(r'<script type="[^"]*" id="([\w-]+)">([^<]*)</script>', html))


def volumes_in(html: str) -> list[nibabel.Nifti1Image]:
    """Return the volumes as NIfTI, made as the page's script makes them."""
    blocks = texts(html)
    made = []
    for number, volume in enumerate(json.loads(blocks["inveon-volumes"])):
        packed = gzip.decompress(base64.b64decode(blocks[f"inveon-voxels-{number}"]))
        voxels = np.frombuffer(packed, {2: "<i2", 4: "<f4"}[volume["bytes"]]).reshape(len(volume["factors"]), -1)
        values = (voxels * np.array(volume["factors"])[:, np.newaxis] + volume["intercept"]).astype("<f4")
        made.append(nibabel.Nifti1Image.from_bytes(base64.b64decode(volume["nifti"]) + values.tobytes()))
    return made


def values_in(volume: nibabel.Nifti1Image) -> Float:
    """Return (frame, z, y, x)."""
    data = np.asarray(volume.dataobj, float)
    return data.reshape((*volume.shape[:3], -1)).transpose(3, 2, 1, 0)


def lps(volume: nibabel.Nifti1Image, *index: float) -> Float:
    return np.asarray((volume.affine @ (*index, 1))[:3] * (-1, -1, 1))


SMALL = replace(PET_SCAN, shape=(7, 6, 5), spacing_mm=(4, 4.5, 10), frames=frames_of(20, 40))


@pytest.mark.parametrize("orientation", list(Orientation), ids=lambda posture: posture.name)
def test_every_posture_is_in_its_place(tmp_path: Path, orientation: Orientation) -> None:
    image = image_of(tmp_path, replace(SMALL, orientation=orientation))
    truth = truth_of(tmp_path / "scan.img")
    (volume,) = volumes_in(viewer.fragment([image]))
    assert volume.shape == (7, 6, 5, 2)
    assert volume.header.get_zooms()[:3] == (4, 4.5, 10)
    for index in ((0, 0, 0), (6, 0, 0), (0, 5, 0), (0, 0, 4), (6, 5, 4)):
        assert lps(volume, *index) == pytest.approx(truth.position(*index), abs=1e-4)  # float32 of up to 50 mm
    np.testing.assert_allclose(values_in(volume), truth.values, rtol=ONE_STEP)


@pytest.mark.parametrize("data_type", list(DataType), ids=lambda kind: kind.name)
def test_every_type_has_its_values(tmp_path: Path, data_type: DataType) -> None:
    image = image_of(tmp_path, replace(SMALL, data_type=data_type))
    truth = truth_of(tmp_path / "scan.img")
    html = viewer.fragment([image])
    np.testing.assert_allclose(values_in(volumes_in(html)[0]), truth.values, rtol=ONE_STEP)
    assert json.loads(texts(html)["inveon-volumes"])[0]["notes"] == []


def test_ct_intercept_is_added(tmp_path: Path) -> None:
    path = written(tmp_path, replace(CT, shape=(6, 5, 4), spacing_mm=(4, 4, 9)), "scan.img")
    header = path.with_name("scan.img.hdr")
    text = re.sub(r"(?m)^ct_hounsfield_(scale|offset) .*\n", "", header.read_text("utf-8"))
    header.write_text(text.replace("\nmodality ", "\nct_hounsfield_scale 2.5\nct_hounsfield_offset -7\nmodality ", 1))
    image = inveonimaging.read(path, apply_hounsfield=True)
    (volume,) = volumes_in(viewer.fragment([image]))
    np.testing.assert_allclose(values_in(volume), truth_of(path).values * 2.5 - 7, rtol=ONE_STEP)


def test_rounding_keeps_half_a_step_of_each_frame(tmp_path: Path) -> None:
    image = image_of(tmp_path, SMALL)
    truth = truth_of(tmp_path / "scan.img")
    html = viewer.fragment([image], budget=7 * 6 * 5 * 2 * 2)
    shown = values_in(volumes_in(html)[0])
    for frame, values in zip(shown, truth.values, strict=True):
        assert np.abs(frame - values).max() <= 0.5001 * values.max() / 32767
    assert json.loads(texts(html)["inveon-volumes"])[0]["notes"] == [
        "rounded to 32767 steps of each frame's largest value"
    ]


def test_reduction_is_the_mean_of_blocks_also_at_the_ends(tmp_path: Path) -> None:
    image = image_of(tmp_path, SMALL)
    truth = truth_of(tmp_path / "scan.img")
    (volume,) = volumes_in(viewer.fragment([image], budget=4 * 3 * 3 * 2 * 2))
    shown = values_in(volume)
    assert shown.shape == (2, 3, 3, 4)
    for frame, values in zip(shown, truth.values, strict=True):
        step = values.max() / 32767
        assert frame[0, 0, 0] == pytest.approx(values[0:2, 0:2, 0:2].mean(), abs=step)
        assert frame[1, 2, 1] == pytest.approx(values[2:4, 4:6, 2:4].mean(), abs=step)
        assert frame[2, 1, 3] == pytest.approx(values[4:5, 2:4, 6:7].mean(), abs=step)  # 7 columns and 5 slices are odd
    assert lps(volume, 0, 0, 0) == pytest.approx(truth.position(0.5, 0.5, 0.5), abs=1e-4)
    assert lps(volume, 2, 1, 1) == pytest.approx(truth.position(4.5, 2.5, 2.5), abs=1e-4)


def test_the_largest_gives_way_first(tmp_path: Path) -> None:
    small = image_of(tmp_path, SMALL, "small.img")
    large = image_of(tmp_path, replace(SMALL, shape=(14, 12, 10)), "large.img")
    one, other = volumes_in(viewer.fragment([small, large], budget=7 * 6 * 5 * 2 * (4 + 2)))
    assert one.shape == other.shape == (7, 6, 5, 2)
    np.testing.assert_allclose(values_in(one), truth_of(tmp_path / "small.img").values, rtol=ONE_STEP)


def test_what_webgl_cannot_hold_is_reduced(tmp_path: Path) -> None:
    image = image_of(tmp_path, replace(SMALL, shape=(2, 2, 1500), spacing_mm=(10, 10, 0.04)))
    (volume,) = volumes_in(viewer.fragment([image]))
    assert volume.shape == (1, 1, 750, 2)


def test_what_is_no_number_is_zero(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL, "scan.img")
    stored = np.fromfile(path, "<f4")
    stored[[0, 1, 2]] = np.nan, np.inf, -np.inf
    stored.tofile(path)
    for budget in (viewer.BUDGET, 7 * 6 * 5 * 2 * 2, 4 * 3 * 3 * 2 * 2):
        shown = values_in(volumes_in(viewer.fragment([inveonimaging.read(path)], budget=budget))[0])
        assert np.isfinite(shown).all()
    exact = values_in(volumes_in(viewer.fragment([inveonimaging.read(path)]))[0])
    assert exact.reshape(-1)[:3].tolist() == [0, 0, 0]


def test_an_empty_volume_can_be_shown(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL, "scan.img")
    np.zeros_like(np.fromfile(path, "<f4")).tofile(path)
    for budget in (viewer.BUDGET, 7 * 6 * 5 * 2 * 2):
        html = viewer.fragment([inveonimaging.read(path)], budget=budget)
        assert not values_in(volumes_in(html)[0]).any()
        low, high = json.loads(texts(html)["inveon-volumes"])[0]["shown"]
        assert low < high


def test_the_licences_of_niivue_and_of_what_is_in_it_go_with_it(tmp_path: Path) -> None:
    html = viewer.fragment([image_of(tmp_path, SMALL)])
    assert f"@niivue/niivue {VERSION}" in html
    assert "Redistributions in binary form must reproduce the above copyright" in html
    for name in ("fflate", "gl-matrix", "nifti-reader-js", "zarrita"):
        assert re.search(rf"^{name} [\d.]+$", html, re.MULTILINE)


@pytest.mark.npm
def test_niivue_is_what_npm_has_of_the_version_that_is_pinned(tmp_path: Path, tool: Tool) -> None:
    made = runpy.run_path(str(ROOT / "tools" / "niivue.py"))["made"]
    try:
        fetched: dict[str, bytes] = made(tool("npm"), tmp_path)
    except OSError as error:
        skip_or_fail(str(error))
    folder = ROOT / "src" / "inveonimaging" / "reports" / "niivue"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == fetched, "run tools/niivue.py"


def test_without_nibabel_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _name: None)
    with pytest.raises(OptionError, match=r'^--viewer needs nibabel; pip install "inveonimaging\[viewer\]"$'):
        viewer.fragment([])
