"""Several animals in one scan, on page 3: boxes on the pictures, which are those that `inveon split` takes."""

from __future__ import annotations

import html
import io
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from app.driving import change, front_of, opened
from helpers import write_thin_study
from inveonimaging.app.pages.front import Front, link
from inveonimaging.app.pages.hotel import PART
from inveonimaging.app.pages.looks import Look
from inveonimaging.commands.split import plan_split, see_animals
from inveonimaging.conversion.options import Options
from inveonimaging.hotels import bodies, emission, trunks
from inveonimaging.hotels.boxes import as_many, read_boxes
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.phantom import write_scan
from inveonimaging.progress import Progress
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.study.cut import Extent
from inveonimaging.study.image import read
from several_mice import Hotel, HotelMouse

WAIT_S = 120
HOSTILE = "<script>alert(1)</script>"
LEFT, RIGHT = "@left", "@right"
# The left one lies higher and further to the front, and is smaller: no two axes or ends look alike.
HOTEL = Hotel(
    animals=(
        HotelMouse(place_mm=(-20.0, -5.0, 9.0), weight_g=20),
        HotelMouse(place_mm=(17.0, 4.0, -8.0), weight_g=30),
    )
)
EDGES = ("low0", "high0", "low1", "high1", "low2", "high2")


class Page:
    """The page of a hotel, whose animals were looked for."""

    def __init__(self, root: Path, front: Front | None = None) -> None:
        self.root, self.source = root, root / "hotel"
        self.front = front or front_of(root)
        self.client = opened(self.front)
        self.address = link("/correct/hotel", source=self.source)

    def get(self) -> str:
        end = time.monotonic() + WAIT_S
        while 'id="look"' in (shown := self.client.get(self.address).text) and time.monotonic() < end:
            time.sleep(0.05)
        return str(shown)

    def post(self, what: str, **fields: str) -> str:
        given = {"source": str(self.source), "part": PART, **fields}
        return str(change(self.client, self.front, f"/correct/{what}", given).text)

    def type(self, row: str, title: str, text: str) -> str:
        return self.post("cell", row=row, title=title, text=text)

    def move(self, row: str, *ends: float | str) -> str:
        return self.post("box", row=row, **dict(zip(EDGES, map(str, ends), strict=True)))

    @property
    def boxes(self) -> Any:
        return self.front.sheets.of(self.source).boxes


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Page:
    root = tmp_path_factory.mktemp("hotel") / "data"
    (root / "hotel").mkdir(parents=True)
    write_scan(root / "hotel" / "h.ct.img", HOTEL.scan(Modality.CT, 1.25), mouse=HOTEL.mouse)
    page = Page(root)
    page.get()
    return page


@pytest.fixture
def page(seen: Page, tmp_path: Path) -> Page:
    """Return the page as it is at first; what is saved lies beside the hotel."""
    front = front_of(seen.root, tmp_path / "state")
    front.looks = seen.front.looks
    return Page(seen.root, front)


def drawn(shown: str, view: str) -> dict[str, tuple[float, float, float, float]]:
    """Return x, y, width and height of each box in a picture, mm."""
    svg = re.search(rf"<figcaption[^>]*>{view} .*?<svg(.*?)</svg>", shown, re.DOTALL)
    assert svg is not None
    found = re.findall(r'data-row="([^"]+)".*?<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', svg[1])
    return {row: tuple(map(float, numbers)) for row, *numbers in found}  # type: ignore[misc]


# What is shown.


def test_boxes_lie_in_the_pictures_where_the_animals_do(page: Page) -> None:
    """The truth is the phantom's; across and down of each picture are those of the preview of inveon split."""
    shown = page.get()
    truth = dict(zip((LEFT, RIGHT), HOTEL.boxes_mm, strict=True))
    for view, across, down in (("Coronal", 0, 2), ("Sagittal", 1, 2), ("Axial", 0, 1)):
        for row, (x, y, width, height) in drawn(shown, view).items():
            low, high = truth[row]
            tail = 14.0  # at low k, which is not found to its end
            assert (x, x + width) == pytest.approx((low[across], high[across]), abs=1.5)
            assert y == pytest.approx(low[down], abs=1.5 + (tail if down == 2 else 0))
            assert y + height == pytest.approx(high[down], abs=1.5)


def test_the_pictures_show_the_animals_under_their_boxes(page: Page) -> None:
    shown = page.get()
    for view, box in re.findall(r'<figcaption[^>]*>(\w+) .*?viewBox="([^"]+)"', shown, re.DOTALL):
        picture = page.client.get(link("/correct/view", source=page.source, name=view))
        assert picture.headers["content-type"] == "image/png"
        values = imread(io.BytesIO(picture.content))[..., 0]
        x0, y0, width, height = map(float, box.split())
        inside = np.zeros(values.shape, bool)
        for x, y, w, h in drawn(shown, view).values():
            rows, columns = values.shape
            top, bottom = ((each - y0) / height * rows for each in (y, y + h))
            left, right = ((each - x0) / width * columns for each in (x, x + w))
            inside[round(top) : round(bottom), round(left) : round(right)] = True
        assert values[inside].mean() > 5 * values[~inside].mean()
        mirrored = inside[:, ::-1]
        assert values[inside].mean() > 1.1 * values[mirrored].mean() or view == "Sagittal"
        assert values[inside].mean() > 1.02 * values[inside[::-1]].mean()
    assert page.client.get(link("/correct/view", source=page.source, name="../x")).status_code == 404


def test_while_it_is_looked_for_the_page_says_so_and_then_leads_on(page: Page) -> None:
    def reported(progress: Progress) -> str:
        progress(1, 4)
        return "done"

    look = page.front.looks.of(("another",), reported)
    assert (
        page.client.get(link("/correct/hotel", source=page.source, wait="yes"))
        .headers["hx-redirect"]
        .endswith(page.address)
    )
    end = time.monotonic() + WAIT_S
    while not look.is_over and time.monotonic() < end:
        time.sleep(0.01)
    assert (look.result, look.done, look.total) == ("done", 1, 4)
    page.front.sheets.change(page.source, lambda kept: kept)
    waits = page.front.page("waits_part.html", source=page.source, look=look, way=("/correct/hotel", {}))
    assert b'value="1"' in waits.body


def test_what_cannot_be_looked_into_says_why(tmp_path: Path) -> None:
    other = Page(tmp_path / "data", front_of(write_thin_study(tmp_path / "data" / "hotel").parent))
    shown = other.get()
    assert "number of animals is in doubt" in shown or "no animal was found" in shown
    assert 'id="views"' in shown


# Boxes.

MOVED = (-33.0, -9.0, -18.0, 6.5, -21.0, 27.25)
OTHER = (4.0, 30.0, -8.0, 16.0, -30.0, 20.0)


def named(page: Page) -> None:
    page.type(LEFT, "patient_id", "m12")
    page.type(RIGHT, "patient_id", "m13")


def test_what_was_moved_is_what_split_cuts_to_the_voxel(page: Page, tmp_path: Path) -> None:
    named(page)
    assert 'class="problem"' not in page.move(LEFT, *MOVED)
    page.move(RIGHT, *OTHER)
    sheet = page.root / f"{tmp_path.name}.csv"
    shown = page.post("save", path=str(sheet))
    assert "Saved" in shown
    boxes = sheet.with_name(f"{tmp_path.name}-boxes.json")
    assert json.loads(boxes.read_text("utf-8"))["animals"] == [
        {"position": "left", "low_mm": [-33.0, -18.0, -21.0], "high_mm": [-9.0, 6.5, 27.25]},
        {"position": "right", "low_mm": [4.0, -8.0, -30.0], "high_mm": [30.0, 16.0, 20.0]},
    ]
    assert page.front.drafts.of(page.source) == {"subjects": str(sheet), "boxes": str(boxes), "make": "split"}
    assert str(boxes) in page.client.get(link("/make", source=page.source)).text
    planned = plan_split(page.source, tmp_path / "out", Options(sheet=sheet), boxes)
    assert [(name, extent.low_mm, extent.high_mm) for name, extent in planned.boxes] == [
        ("left", (-33.0, -18.0, -21.0), (-9.0, 6.5, 27.25)),
        ("right", (4.0, -8.0, -30.0), (30.0, 16.0, 20.0)),
    ]
    assert [each.output.name for each in planned.studies] == ["m12", "m13"]
    whole = read(page.source / "h.ct.img").grid
    image = planned.studies[0].series[0].image
    low = [whole.shift_mm[axis] - 1.25 * whole.shape[axis] / 2 for axis in range(3)]  # of its lower faces
    ends = list(zip((-36.0, -21.0, -24.0), (-6.0, 9.5, 30.25), strict=True))  # 3 mm around
    first = [max(0, int(np.floor((a - edge) / 1.25))) for (a, _), edge in zip(ends, low, strict=True)]
    last = [min(n, int(np.ceil((b - edge) / 1.25))) for (_, b), edge, n in zip(ends, low, whole.shape, strict=True)]
    assert image.grid.shape == tuple(b - a for a, b in zip(first, last, strict=True))
    assert image.source.first == tuple(first[::-1])


def test_boxes_in_the_other_order_than_their_positions_are_reported_at_once(page: Page, tmp_path: Path) -> None:
    named(page)
    page.move(LEFT, *MOVED)
    shown = page.move(RIGHT, -60.0, -50.0, *OTHER[2:])
    assert "do not lie as the positions say" in shown
    assert "do not lie as the positions say" in page.get()
    sheet = page.root / f"{tmp_path.name}.csv"
    assert "do not lie as the positions say" in page.post("save", path=str(sheet))
    assert not sheet.exists()
    assert 'class="problem"' not in page.post("side", side="back")
    assert "Saved" in page.post("save", path=str(sheet))
    (one, other) = read_sheet(sheet).rows
    assert [row.cells["seen_from"].value.value for row in (one, other)] == ["back", "back"]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (("nan", *MOVED[1:]), "Left is &#39;nan&#39;, expected a number of mm"),
        (("inf", *MOVED[1:]), "expected a number of mm"),
        (("1e9", *MOVED[1:]), "expected a number of mm"),
        ((HOSTILE, *MOVED[1:]), "expected a number of mm"),
        ((-9.0, -33.0, *MOVED[2:]), "a box has no size"),
        ((*MOVED[:5], MOVED[4]), "a box has no size"),
    ],
)
def test_a_box_that_is_none_is_refused_and_nothing_is_kept(page: Page, ends: Any, expected: str) -> None:
    shown = page.move(LEFT, *ends)
    assert expected in shown
    assert HOSTILE not in shown
    assert page.boxes == {}
    assert "no longer in the table" in page.move("@nowhere", *MOVED)


def test_a_place_without_a_name_is_empty_and_has_no_box(page: Page, tmp_path: Path) -> None:
    shown = page.type(LEFT, "patient_id", "m12")
    assert "missing: no animal at this position" in shown
    sheet = page.root / f"{tmp_path.name}.csv"
    assert "Saved" in page.post("save", path=str(sheet))
    assert [str(each.slot) for each in read_boxes(sheet.with_name(f"{tmp_path.name}-boxes.json"))] == ["left"]
    assert sheet.read_text("utf-8-sig").splitlines() == ["position,patient_id", "left,m12", "right,"]


def test_rows_of_animals_are_pasted_and_checked_by_the_rules_of_the_sheet(page: Page) -> None:
    shown = page.post("paste", row=LEFT, title="position", text="left\tm12\t18,4 g\n right \tm12\theavy\n")
    assert page.front.sheets.of(page.source).typed == {
        LEFT: {"position": "left", "patient_id": "m12", "weight_g": "18.4"},
        RIGHT: {"position": "right", "patient_id": "m12", "weight_g": "heavy"},
    }
    assert "expected a number like 24.6" in shown
    assert "is at &#39;right&#39; and, in row 1, at &#39;left&#39;" in shown  # one ID in two places
    shown = page.type(RIGHT, "patient_id", HOSTILE)
    assert HOSTILE not in shown
    assert html.escape(HOSTILE) in shown
    shown = page.type(RIGHT, "position", "upstairs")
    assert "expected a position such as left" in shown


def test_a_sheet_with_positions_fills_the_rows_of_its_animals(page: Page, tmp_path: Path) -> None:
    sheet = page.root / f"{tmp_path.name}.csv"
    sheet.write_text("position,patient_id,weight_g,seen_from\nl,m13,30 g,back\nr,m12,20 g,back\nmiddle,,,\n", "utf-8")
    page.post("take", sheet=str(sheet))
    kept = page.front.sheets.of(page.source)
    assert kept.typed == {
        LEFT: {"position": "right", "patient_id": "m12", "weight_g": "20"},  # from the back
        RIGHT: {"position": "left", "patient_id": "m13", "weight_g": "30"},
    }
    assert kept.side == "back"
    sheet.write_text("position,patient_id\ntop,m13\nbottom,m12\n", "utf-8")
    assert "the animals do not lie as the positions say" in page.post("take", sheet=str(sheet))
    assert page.front.sheets.of(page.source) == kept


def test_what_was_typed_of_an_animal_stays_with_its_position_when_boxes_are_laid_anew(page: Page) -> None:
    named(page)
    page.type(RIGHT, "position", "middle")
    page.post("number", number="2")
    assert page.front.sheets.of(page.source).typed == {LEFT: {"patient_id": "m12"}}
    page.front.sheets.change(page.source, lambda kept: replace(kept, number=0))  # what was looked for already
    page.type(LEFT, "weight_g", "20")
    assert page.front.sheets.of(page.source).typed[LEFT] == {"patient_id": "m12", "position": "left", "weight_g": "20"}


def test_what_split_would_do_is_checked_after_saving(page: Page, tmp_path: Path) -> None:
    address = link("/correct/check", source=page.source)
    assert page.client.get(address).status_code == 400
    named(page)
    page.type(LEFT, "weight_g", "2000")
    assert address.partition("?")[0] in page.post("save", path=str(page.root / f"{tmp_path.name}.csv"))
    end = time.monotonic() + WAIT_S
    while "Checking what" in (shown := page.client.get(address).text) and time.monotonic() < end:
        time.sleep(0.05)
    assert "the weight is 2000 g" in shown
    assert "<td>m12</td>" in shown


def test_a_check_that_ends_while_its_page_is_made_is_not_shown_without_its_result(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ending(Look):
        """Ends right after its result was looked at."""

        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            if name == "result":
                self.is_over = True
            return found

    named(page)
    page.post("save", path=str(page.root / "ending.csv"))
    monkeypatch.setattr(page.front.looks, "of", lambda *_: Ending())
    assert "Checking what" in page.client.get(link("/correct/check", source=page.source)).text


# How many there are.


def test_a_number_that_someone_sees_is_that_of_the_boxes() -> None:
    one = Extent((0.0, 0.0, 0.0), (8.0, 1.0, 1.0))
    small = Extent((20.0, 0.0, 0.0), (22.0, 1.0, 1.0))
    reach = Extent((-4.0, 0.0, 0.0), (4.0, 2.0, 2.0))
    assert as_many((one, small), 1, reach) == (one,)
    assert as_many((small, one), 2, reach) == (one, small)
    assert [(each.low_mm[0], each.high_mm[0]) for each in as_many((one, small), 3, reach)] == [(0, 4), (4, 8), (20, 22)]
    assert [(each.low_mm[0], each.high_mm[0]) for each in as_many((), 2, reach)] == [(-4, 0), (0, 4)]


def test_a_way_of_counting_that_gives_the_number_gives_the_boxes(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    image = read(page.source / "h.ct.img")
    real = trunks.trunks

    def ways(volume: Any, tissue: Any, *way: float) -> Any:
        found = real(volume, tissue, *way)
        return np.minimum(found, 1) if way == trunks.DEPTHS_MM[0] else found

    monkeypatch.setattr(trunks, "trunks", ways)
    assert len(bodies.find_in_ct(image, number=1).candidates) == 1
    values = np.zeros((12, 12, 40), np.float32)
    values[4:8, 4:8, 4:14] = values[4:8, 4:8, 26:36] = 1.0
    values[4:8, 4:8, 14:26] = 0.06  # joins them up to 5 %
    for number, expected in ((None, 2), (1, 1), (2, 2), (5, 2)):
        assert emission.counted(values, (1.0, 1.0, 1.0), number)[1].max() == expected


def test_the_number_is_kept_and_one_that_makes_no_sense_is_refused(page: Page) -> None:
    for text in ("0", "13", "-1", "two", "", "1e9", "²"):
        assert "1 to 12" in page.post("number", number=text)
    page.move(LEFT, *MOVED)
    page.post("number", number="3")
    kept = page.front.sheets.of(page.source)
    assert (kept.number, kept.boxes) == (3, {})
    assert front_of(page.root, page.front.state.folder).sheets.of(page.source).number == 3
    (state,) = (page.front.state.folder / "sheets").glob("*.json")
    document = json.loads(state.read_text("utf-8"))
    for box in ([float("nan")] * 6, [0, 0, 0, 1, 1], [0, 0, 0, -1, 1, 1], [0, 0, 0, 1, 1, 1e9], "x", None):
        state.write_text(json.dumps({**document, "boxes": {LEFT: box}}), "utf-8")
        assert front_of(page.root, page.front.state.folder).sheets.of(page.source).boxes == {}


def test_boxes_are_laid_without_scipy(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy", None)
    seen = see_animals(page.source, 2)
    assert [name for name, _ in seen.boxes] == ["left", "right"]
    assert len(seen.views) == 3
    assert "split" in seen.findings[0].message
