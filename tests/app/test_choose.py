"""Page 1: folders of the roots and nothing else, with how many scans they hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.driving import front_of, opened
from inveonimaging.app.access.roots import Roots
from inveonimaging.app.pages import folders
from inveonimaging.app.pages.front import link
from inveonimaging.errors import InputError
from inveonimaging.inveon.pairs import count_pairs

HOSTILE = "<img src=x onerror=alert(1)>&'\""


def pairs(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"m{number:04}.img").touch()
        (folder / f"m{number:04}.img.hdr").touch()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    pairs(tmp_path / "data" / "one", 3)
    pairs(tmp_path / "data", 1)
    (tmp_path / "data" / ".hidden").mkdir()
    (tmp_path / "secret").mkdir()
    return tmp_path / "data"


def test_a_folder_is_shown_with_its_folders_and_their_scans(root: Path) -> None:
    listing = folders.listing_of(root, Roots([root]))
    assert (listing.scans, [(each.name, each.scans) for each in listing.folders]) == (1, [("one", 3)])
    html = opened(front_of(root)).get("/").text
    assert "Look at 1 scan<" in html
    assert ".hidden" not in html


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("{outside}", "is not in a folder that the app may open"),
        ("{root}/../secret", "goes upwards"),
        ("{root}/one/../../secret", "goes upwards"),
        ("{root}/link", "is not in a folder that the app may open"),
        ("{root}/link/below", "is not in a folder that the app may open"),
        ("{root}-other", "is not in a folder that the app may open"),
        ("/", "is not in a folder that the app may open"),
        ("/etc/passwd", "is not in a folder that the app may open"),
        ("one", "is not a full path"),
        ("~root", "is not a full path"),
        ("file:///etc", "is not a full path"),
        ("\\\\server\\share", "is not a full path" if os.name != "nt" else "is not in a folder"),
        ("", "no folder is given"),
        ("{root}\0", "NUL"),
        ("{root}/nothing", "cannot be read: No such file or directory"),
        ("{root}/circle", "is not in a folder that the app may open|cannot be"),
        ("{root}/" + "x" * 5000, "cannot be read"),
    ],
)
def test_a_path_elsewhere_is_refused_also_behind_links(root: Path, tmp_path: Path, typed: str, why: str) -> None:
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "circle").symlink_to(root / "circle")
    text = typed.format(root=root, outside=tmp_path / "secret")
    with pytest.raises(InputError, match=why):
        folders.listing_of(Roots([root]).inside(text), Roots([root]))
    if text:
        answer = opened(front_of(root)).get("/", params={"folder": text})
        assert answer.status_code == 400
        assert 'class="problem"' in answer.text


def test_a_link_inside_the_roots_is_followed_and_one_outside_is_not_shown(root: Path, tmp_path: Path) -> None:
    (root / "inside").symlink_to(root / "one")
    (root / "outside").symlink_to(tmp_path / "secret")
    listing = folders.listing_of(root, Roots([root]))
    assert [(each.name, each.scans) for each in listing.folders] == [("inside", 3), ("one", 3)]


def test_a_root_that_is_a_link_is_a_root(root: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(root)
    roots = Roots([tmp_path / "way"])
    assert roots.inside(str(tmp_path / "way" / "one")) == tmp_path / "way" / "one"
    assert roots.inside(str(root / "one")) == root / "one"


@pytest.mark.parametrize("typed", ['"{path}"', " {path}  ", "'{path}'", "{path}/"])
def test_a_path_as_it_is_pasted_is_taken(root: Path, typed: str) -> None:
    assert Roots([root]).pasted(typed.format(path=root / "one")) == root / "one"


def test_a_pasted_file_leads_to_its_scan(root: Path) -> None:
    answer = opened(front_of(root)).get("/", params={"folder": str(root / "m0000.img")})
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/look")


@pytest.mark.skipif(os.name == "nt", reason="no such names on Windows")
def test_names_of_files_are_inert(root: Path) -> None:
    (root / HOSTILE).mkdir()
    (root / "line\nbreak\x1b[31m").mkdir()
    (root / os.fsdecode(b"latin-\xe9")).mkdir()
    client = opened(front_of(root))
    html = client.get("/").text
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "\x1b" not in html
    listing = folders.listing_of(root, Roots([root]))
    assert len(listing.folders) == 4
    for each in listing.folders:
        assert client.get(link("/", folder=each.path)).status_code == 200, each


def test_many_scans_and_many_folders_are_quick_and_paged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = pairs(tmp_path / "data", 2000)
    for number in range(120):
        (root / f"day{number:03}").mkdir()
    client, looked = opened(front_of(root)), list[Path]()

    def counted(path: Path) -> int:
        looked.append(path)
        return count_pairs(path)

    monkeypatch.setattr(folders, "count_pairs", counted)
    html = client.get("/").text
    assert len(looked) <= 1 + folders.PER_PAGE  # the folder, and those of the page
    assert "Look at 2000 scans" in html
    assert "Page 1 of 3" in html
    assert html.count('<td class="number">') == folders.PER_PAGE
    last = client.get("/", params={"folder": str(root), "page": "3"}).text
    assert last.count('<td class="number">') == 20
    for doubtful in ("0", "-1", "99999999999999999999999", "x", "²"):
        assert client.get("/", params={"folder": str(root), "page": doubtful}).status_code == 200


def test_what_takes_long_is_counted_when_it_is_on_the_screen(root: Path) -> None:
    pairs(root / "two", 2)
    clock = iter([0.0, 0.1, 5.0, 6.0])
    listing = folders.listing_of(root, Roots([root]), clock=lambda: next(clock))
    assert [(each.name, each.scans) for each in listing.folders] == [("one", 3), ("two", None)]
    counted = opened(front_of(root)).get("/count", params={"folder": str(root / "two")}).text
    assert counted.strip().endswith(">2</a>")
    assert "Look at 2 scans of two" in counted


def test_recent_folders_are_kept_between_starts_and_those_outside_are_not_shown(root: Path, tmp_path: Path) -> None:
    front = front_of(root)
    for each in (root / "one", tmp_path / "secret", root / "one"):
        front.state.visited(each)
    assert front_of(root).state.recent == (str(root / "one"), str(tmp_path / "secret"))
    html = opened(front_of(root)).get("/").text
    assert "Recent" in html
    assert "secret" not in html
    (front.state.folder / "recent.json").write_text("[[[[", "utf-8")
    assert front_of(root).state.recent == ()
