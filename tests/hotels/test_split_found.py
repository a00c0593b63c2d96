"""`inveon split` without boxes: animals are found, and where that is not certain nothing is converted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image as PixelPicture

import inveonimaging
from helpers import CT, assert_one_line_error, inveon
from inveonimaging import Corrections, Options
from inveonimaging.commands import split as command
from inveonimaging.errors import InputError
from inveonimaging.hotels import locating
from inveonimaging.hotels.bodies import Body, Found
from inveonimaging.hotels.locating import Located, locate
from inveonimaging.hotels.splitting import Group, read_group
from inveonimaging.inveon.pairs import scan_folder
from inveonimaging.phantom import write_scan
from inveonimaging.study.cut import Extent
from inveonimaging.study.image import Image
from vendor import Session

SHEET = "patient_id,position\nm12,left\nm13,right\n"
EXTENTS = (Extent((-11.0, -8.0, -18.0), (-4.0, 8.0, 18.0)), Extent((4.0, -8.0, -18.0), (8.0, 8.0, 10.0)))


@pytest.fixture(scope="module")
def hotel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CT in `in`, and a sheet; tests read it only."""
    folder = tmp_path_factory.mktemp("hotel")
    write_scan(_made(folder / "in") / "a.ct.img", CT)
    (folder / "hotel.csv").write_text(SHEET, "ascii")
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def found(monkeypatch: pytest.MonkeyPatch, *, is_certain: bool = True) -> None:
    """Put two animals in the place of what would be found."""
    refusal = None if is_certain else InputError("3 animals were found, and the sheet has 2")
    located = Located(EXTENTS if is_certain else None, refusal, EXTENTS)
    monkeypatch.setattr(command, "locate", lambda _group: located)


def split(hotel: Path, output: Path, *options: object) -> tuple[int, str, str]:
    run = inveon("split", hotel / "in", output, "--subjects", hotel / "hotel.csv", *options)
    return run.exit_code, run.stdout, run.stderr


def test_the_genuine_hotel_becomes_two_studies_of_the_same_voxels(
    genuine: Image, in_genuine: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locating, "find_animals", lambda *_: in_genuine)  # as `locate` finds them, too
    source = genuine.pair.data.parent
    sheet = tmp_path / "hotel.csv"
    sheet.write_text(SHEET, "ascii")
    inveonimaging.split(source, tmp_path / "out", Options(sheet=sheet, form="legacy"))
    files = sorted((tmp_path / "out").rglob("*.dcm"))
    assert [path.parent.parent.name for path in files] == ["m12", "m13"]
    whole = Session().hounsfield
    for path in files:
        ds = pydicom.dcmread(path)
        part = ds.pixel_array  # feet first, supine: x falls with i, y rises with j, z with k
        corner = ds.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient
        x, y, z = map(float, corner)
        places = (-x + 2.49899) / 0.39082 + 127.5, y / 0.39082 + 127.5, (z - 2.93998) / 0.39082 + 169
        i, j, k = (round(each) for each in places)
        assert (i, j, k) == pytest.approx(places, abs=1e-3)
        nz, ny, nx = part.shape
        held = whole[k - nz + 1 : k + 1, j : j + ny, i : i + nx]
        assert np.array_equal(part, held[::-1])  # frames go along the normal, which is -z
        # A mouse of 16 mL lies in it: tissue, bone and a skull.
        assert 10 < (part > -250).sum() * 0.39082**3 / 1000 < 40
        assert (part > 900).sum() * 0.39082**3 / 1000 > 0.3


def test_what_was_found_is_cut(hotel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch)
    code, stdout, _ = split(hotel, tmp_path / "out", "--dry-run", "--preview", tmp_path / "page.html")
    assert code == 0
    assert "-11.0, -8.0, -18.0" in stdout
    assert not (tmp_path / "out").exists()
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "data:image/png;base64," in page
    assert "<td>left</td><td>m12</td><td>-11.0, -8.0, -18.0</td><td>-4.0, 8.0, 18.0</td>" in page
    code, _, _ = split(hotel, tmp_path / "out")
    assert code == 0
    first = pydicom.dcmread(tmp_path / "out" / "m13" / "1" / "CT-000001.dcm")
    assert (first.Columns, first.Rows) == (4, 7)
    line = assert_one_line_error(*split(hotel, tmp_path / "other", "--preview", tmp_path / "page.html"))
    assert "page.html: exists already" in line
    assert not (tmp_path / "other").exists()


def test_a_doubt_leaves_a_picture_and_boxes_to_correct(
    hotel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, is_certain=False)
    assert "3 animals were found" in assert_one_line_error(*split(hotel, tmp_path / "out", "--dry-run"))
    assert list(tmp_path.iterdir()) == []
    line = assert_one_line_error(*split(hotel, tmp_path / "out"))
    assert f'correct it and pass --boxes "{tmp_path / "boxes.json"}"' in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boxes.json", "split.png"]
    with PixelPicture.open(tmp_path / "split.png") as picture:
        assert picture.size == (1200, 560)
    boxes = tmp_path / "boxes.json"
    document = json.loads(boxes.read_text("ascii"))
    assert [each["low_mm"] for each in document["animals"]] == [[-11.0, -8.0, -18.0], [4.0, -8.0, -18.0]]
    line = assert_one_line_error(*split(hotel, tmp_path / "out", "--boxes", boxes))
    assert "entry 1 of animals: position is '?'" in line
    for each, position in zip(document["animals"], ("left", "right"), strict=True):
        each["position"] = position
    boxes.write_text(json.dumps(document), "ascii")
    edited = boxes.read_bytes()
    assert "(boxes.json, split.png was there and stays)" in assert_one_line_error(*split(hotel, tmp_path / "out"))
    assert boxes.read_bytes() == edited
    code, _, _ = split(hotel, tmp_path / "out", "--boxes", boxes)
    assert code == 0


def group_of(hotel: Path) -> Group:
    corrections = Corrections(sheet=hotel / "hotel.csv")
    return read_group(scan_folder(hotel / "in").pairs, hotel / "in", corrections)


def test_what_reaches_the_end_of_its_image_goes_on_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from helpers import PET

    source = _made(tmp_path / "in")
    write_scan(source / "a.ct.img", CT)  # along k from -26.45 to 27.55 mm
    write_scan(source / "b.pet.img", PET)  # from -28.31 to 25.69 mm
    (tmp_path / "hotel.csv").write_text(SHEET, "ascii")
    group = group_of(tmp_path)
    image = group.study.series[0].image
    bodies = (
        Body((-9.0, -8.0, -26.45), (-4.0, 8.0, 0.0), (-8.0, 0.0, 0.0), None),
        Body((4.0, -8.0, 0.0), (8.0, 8.0, 27.55), (6.0, 0.0, 0.0), None),
    )
    values = image.values()
    monkeypatch.setattr(
        locating, "find_animals", lambda *_: Found(bodies, values.astype("u1"), values, image.grid, (), bodies)
    )
    located = locate(group)
    assert located.extents is not None
    ends = [each for extent in located.extents for each in (extent.low_mm[2], extent.high_mm[2])]
    assert ends == pytest.approx([-28.31, 0.0, 0.0, 27.55])
    assert located.extents[0].low_mm[0] == -9.0
