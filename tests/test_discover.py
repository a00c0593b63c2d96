"""A folder's pairs of header and data file, and what belongs to none."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from inveonimaging.discover import Folder, Pair, pair_of, scan_folder
from inveonimaging.errors import InputError


def made(folder: Path, *names: str) -> Path:
    """Make empty files, in folders where a name has some."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def pairs(folder: Folder) -> list[tuple[str, str]]:
    """Return the names of headers and data files."""
    return [(pair.header.name, pair.data.name) for pair in folder.pairs]


def names(paths: Iterable[Path]) -> list[str]:
    """Return the names of paths."""
    return [path.name for path in paths]


def needs_case(folder: Path) -> None:
    """Skip where `a` and `A` are the same file."""
    if (made(folder, "case_probe") / "CASE_PROBE").exists():
        pytest.skip("the file system does not tell upper from lower case")
    (folder / "case_probe").unlink()


def test_pairs_orphans_strays_and_folders(tmp_path: Path) -> None:
    made(
        tmp_path,
        "b.img",
        "b.img.hdr",
        "a.img.hdr",
        "a.img",
        "alone.img",
        "lost.img.hdr",
        "lost2.hdr",
        "notes.txt",
        "img",
        "sub/c.img",
    )
    folder = scan_folder(tmp_path)
    assert folder.path == tmp_path
    assert pairs(folder) == [("a.img.hdr", "a.img"), ("b.img.hdr", "b.img")]
    assert names(folder.orphans) == ["alone.img", "lost.img.hdr", "lost2.hdr"]
    assert names(folder.strays) == ["img", "notes.txt"]
    assert names(folder.folders) == ["sub"]
    assert {path.parent for pair in folder.pairs for path in (pair.header, pair.data)} == {tmp_path}
    assert [pair.name for pair in folder.pairs] == ["a.img", "b.img"]


def test_empty_folder(tmp_path: Path) -> None:
    assert scan_folder(tmp_path) == Folder(tmp_path, (), (), (), ())


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ("NAME.img.hdr", "NAME.img"),
        ("NAME.hdr", "NAME.img"),
        ("NAME.IMG.HDR", "NAME.IMG"),
        ("NAME.img.HDR", "NAME.img"),
        ("NAME.IMG.hdr", "NAME.img"),
        ("NAME.img.hdr", "NAME.IMG"),
        ("NAME.HDR", "NAME.Img"),
        ("a.ct.img.hdr", "a.ct.img"),
        ("a.b.hdr", "a.b.img"),
        (".img.hdr", ".img"),
        ("mouse 7  v2.img.hdr", "mouse 7  v2.img"),
        ("Mäuschen Ωμ 鼠.img.hdr", "Mäuschen Ωμ 鼠.img"),
        ("#7 'a' $HOME*.img.hdr", "#7 'a' $HOME*.img"),
        ("x.img.img.hdr", "x.img.img"),
        ("x.hdr.img.hdr", "x.hdr.img"),
    ],
)
def test_names_of_a_pair(tmp_path: Path, header: str, data: str) -> None:
    made(tmp_path, header, data)
    folder = scan_folder(tmp_path)
    assert pairs(folder) == [(header, data)]
    assert folder.orphans == folder.strays == ()
    expected = Pair(tmp_path / header, tmp_path / data)
    assert pair_of(tmp_path / header) == expected
    assert pair_of(tmp_path / data) == expected


@pytest.mark.parametrize(
    ("header", "data"),
    [("a.hdr", "b.img"), ("a.img.hdr.hdr", "a.img"), ("a.lst.hdr", "a.lst"), ("ahdr", "a.img"), ("a.img.hdr", "A.img")],
)
def test_no_pair(tmp_path: Path, header: str, data: str) -> None:
    needs_case(tmp_path)
    made(tmp_path, header, data)
    assert scan_folder(tmp_path).pairs == ()


def test_the_longer_header_name_comes_first(tmp_path: Path) -> None:
    folder = scan_folder(made(tmp_path, "a.img", "a.hdr", "a.img.hdr"))
    assert pairs(folder) == [("a.img.hdr", "a.img")]
    assert names(folder.orphans) == ["a.hdr"]


def test_animals_that_differ_in_case_keep_their_own_headers(tmp_path: Path) -> None:
    needs_case(tmp_path)
    folder = scan_folder(made(tmp_path, "M1.img", "M1.img.hdr", "m1.img", "m1.img.hdr", "M2.img", "m2.img.hdr"))
    assert pairs(folder) == [("M1.img.hdr", "M1.img"), ("m1.img.hdr", "m1.img")]
    assert names(folder.orphans) == ["M2.img", "m2.img.hdr"]


def test_the_header_of_the_same_spelling_comes_first(tmp_path: Path) -> None:
    needs_case(tmp_path)
    folder = scan_folder(made(tmp_path, "a.IMG", "a.IMG.HDR", "a.img", "a.img.hdr"))
    assert pairs(folder) == [("a.IMG.HDR", "a.IMG"), ("a.img.hdr", "a.img")]


def test_nested_folders_are_named_and_not_entered(tmp_path: Path) -> None:
    made(tmp_path, "day 1/a.img", "day 1/a.img.hdr", "day 2/deep/b.img", "day 2/deep/b.hdr", "c.img/inside")
    folder = scan_folder(tmp_path)
    assert names(folder.folders) == ["c.img", "day 1", "day 2"]
    assert (folder.pairs, folder.orphans, folder.strays) == ((), (), ())
    assert pairs(scan_folder(tmp_path / "day 1")) == [("a.img.hdr", "a.img")]
    assert names(scan_folder(tmp_path / "day 2").folders) == ["deep"]


def test_links(tmp_path: Path) -> None:
    made(tmp_path, "real/a.img", "real/a.img.hdr")
    (tmp_path / "a.img").symlink_to(tmp_path / "real" / "a.img")
    (tmp_path / "a.img.hdr").symlink_to(tmp_path / "real" / "a.img.hdr")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "broken.img").symlink_to(tmp_path / "nowhere")
    folder = scan_folder(tmp_path)
    assert pairs(folder) == [("a.img.hdr", "a.img")]
    assert names(folder.orphans) == ["broken.img"]
    assert names(folder.folders) == ["linked", "real"]


def test_a_relative_path_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "sub/a.img", "sub/a.img.hdr")
    monkeypatch.chdir(tmp_path)
    assert pair_of(Path("sub/a.img")) == Pair(Path("sub/a.img.hdr"), Path("sub/a.img"))
    monkeypatch.chdir(tmp_path / "sub")
    assert pair_of(Path("a.img.hdr")) == Pair(Path("a.img.hdr"), Path("a.img"))
    assert pairs(scan_folder(Path())) == [("a.img.hdr", "a.img")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.img", "has no header beside it, expected a.img.hdr"),
        ("a.IMG", "has no header beside it, expected a.IMG.hdr"),
        ("a.img.hdr", "has no data file beside it, expected a.img"),
        ("a.hdr", "has no data file beside it, expected a.img"),
        ("a.HDR", "has no data file beside it, expected a.img"),
        ("a.dcm", "is no Inveon file, expected NAME.img or NAME.img.hdr"),
        ("a", "is no Inveon file, expected NAME.img or NAME.img.hdr"),
    ],
)
def test_half_a_pair_or_none(tmp_path: Path, name: str, message: str) -> None:
    made(tmp_path, name, "other.img", "other.img.hdr")
    with pytest.raises(InputError) as caught:
        pair_of(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {message}"


@pytest.mark.parametrize("name", ["nothing.img", "no/folder/a.img", "x" * 5000 + ".img", "a.img/a.img"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    made(tmp_path, "a.img")
    with pytest.raises(InputError, match="no such file or folder"):
        pair_of(tmp_path / name)


def test_a_folder_is_no_pair(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no Inveon file"):
        pair_of(tmp_path)


@pytest.mark.parametrize(("name", "why"), [("nowhere", "No such file or directory"), ("a.img", "Not a directory")])
def test_folder_that_cannot_be_read(tmp_path: Path, name: str, why: str) -> None:
    made(tmp_path, "a.img")
    with pytest.raises(InputError) as caught:
        scan_folder(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: cannot be read: {why}"


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX only")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9\x1b[2J.img")
    made(tmp_path, name, f"{name}.hdr")
    assert pairs(scan_folder(tmp_path)) == [(f"{name}.hdr", name)]
    (tmp_path / f"{name}.hdr").unlink()
    with pytest.raises(InputError) as caught:
        pair_of(tmp_path / name)
    assert str(caught.value).isprintable()
