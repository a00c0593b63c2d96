"""A folder's pairs of header and data file, and what belongs to none."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest

from helpers import inveon, write_small_study
from inveonimaging.errors import InputError
from inveonimaging.inveon import pairs as module
from inveonimaging.inveon.pairs import Folder, Foreign, Pair, pair_of, scan_folder
from inveonimaging.study.reading import read_study


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
        ("a.img", "half of a pair: its header is missing, expected a.img.hdr"),
        ("a.IMG", "half of a pair: its header is missing, expected a.IMG.hdr"),
        ("a.img.hdr", "half of a pair: its data file is missing, expected a.img"),
        ("a.hdr", "half of a pair: its data file is missing, expected a.img"),
        ("a.HDR", "half of a pair: its data file is missing, expected a.img"),
        ("a.dcm", "is not an Inveon file, expected NAME.img or NAME.img.hdr"),
        ("a", "is not an Inveon file, expected NAME.img or NAME.img.hdr"),
    ],
)
def test_half_a_pair_or_none(tmp_path: Path, name: str, message: str) -> None:
    made(tmp_path, name, "other.img", "other.img.hdr")
    with pytest.raises(InputError) as caught:
        pair_of(tmp_path / name)
    shown = str(caught.value).replace(f'"{tmp_path}{os.sep}a', "a").rstrip('"')  # where it is expected
    assert shown == f"{tmp_path / name}: {message}"


@pytest.mark.parametrize("name", ["nothing.img", "no/folder/a.img", "x" * 5000 + ".img", "a.img/a.img", "\0/a.img"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    made(tmp_path, "a.img")
    with pytest.raises(InputError, match="no such file or folder"):
        pair_of(tmp_path / name)


def test_a_folder_is_no_pair(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not an Inveon file"):
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


INTERFILE = b"!INTERFILE :=\nname of data file := spm.img\n!number format := short float\n"
TEXT = "a text without any key of an Inveon header"
FOREIGN = {
    "analyze-little": (struct.pack("<i", 348) + bytes(344), "an Analyze header"),
    "analyze-big": (struct.pack(">i", 348) + bytes(344), "an Analyze header"),
    "nifti-1": (struct.pack("<i", 348) + bytes(340) + b"ni1\0", "a NIfTI header"),
    "nifti-2": (struct.pack(">i", 540) + b"ni2\0\r\n\x1a\n" + bytes(528), "a NIfTI header"),
    "interfile": (INTERFILE, "an Interfile header"),
    "interfile-later": (b"; made by a program\r\n\r\n!interfile := \r\n", "an Interfile header"),
    "interfile-marked": (b"\xef\xbb\xbf" + INTERFILE, "an Interfile header"),
    "interfile-headless": (
        b"name of data file := a.img\nversion := 3.3\n",
        "a text without any key of an Inveon header",
    ),
    "envi": (b"ENVI\nsamples = 128\nlines = 128\n", "an ENVI header"),
    "esri": (b"NROWS 128\nNCOLS 128\nBYTEORDER I\n", TEXT),
    "dicom": (bytes(128) + b"DICM", "a DICOM file"),
}
DAMAGED = {
    "empty": b"",
    "blank": b" \r\n ",
    "zeros": bytes(2000),
    "noise": bytes(range(256)) * 4,
    "cut in its comments": b"#\n#\n# Header file for data file mouse.img\n#\twith",
    "cut after a key": b"#\nversion 001.910\nmo",
    "zeros after a key": b"version 001.910" + bytes(500),
    "interfile in a comment": b"# an Interfile header is another thing\nversion 001.910\n",
    "utf-16": "version 001.910\r\n".encode("utf-16"),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("header", ["spm.hdr", "spm.img.hdr", "SPM.HDR"])
def test_a_header_of_another_format_is_no_pair(tmp_path: Path, name: str, header: str) -> None:
    content, kind = FOREIGN[name]
    data = header[:3] + (".IMG" if header.isupper() else ".img")
    (made(tmp_path, data, "b.img", "b.img.hdr") / header).write_bytes(content)
    folder = scan_folder(tmp_path)
    assert pairs(folder) == [("b.img.hdr", "b.img")]
    assert folder.foreign == (Foreign(tmp_path / header, tmp_path / data, kind),)
    assert (folder.orphans, folder.strays) == ((), ())
    for each in (header, data):
        with pytest.raises(InputError, match=f"is {kind}"):
            pair_of(tmp_path / each)


@pytest.mark.parametrize("name", DAMAGED)
def test_what_may_be_a_damaged_inveon_header_stays_a_pair(tmp_path: Path, name: str) -> None:
    (made(tmp_path, "a.img") / "a.img.hdr").write_bytes(DAMAGED[name])
    folder = scan_folder(tmp_path)
    assert (pairs(folder), folder.foreign) == ([("a.img.hdr", "a.img")], ())


def test_a_lone_header_of_another_format_is_no_half_of_a_pair(tmp_path: Path) -> None:
    (tmp_path / "spm.hdr").write_bytes(INTERFILE)
    folder = scan_folder(tmp_path)
    assert (folder.foreign, folder.orphans) == ((Foreign(tmp_path / "spm.hdr", None, "an Interfile header"),), ())


@pytest.mark.parametrize("foreign", ["a.hdr", "a.img.hdr"])
def test_a_data_file_with_an_inveon_header_keeps_it_beside_another(tmp_path: Path, foreign: str) -> None:
    own = "a.hdr" if foreign == "a.img.hdr" else "a.img.hdr"
    (made(tmp_path, "a.img", own) / foreign).write_bytes(INTERFILE)
    folder = scan_folder(tmp_path)
    assert pairs(folder) == [(own, "a.img")]
    assert folder.foreign == (Foreign(tmp_path / foreign, None, "an Interfile header"),)


LITTER = [
    *(".DS_Store", "._a.img", "._a.img.hdr", "._notes.txt", ".localized"),
    *("Thumbs.db", "thumbs.db", "ehthumbs.db", "Desktop.ini", "desktop.ini", ".directory"),
]


def test_what_the_system_leaves_in_folders_is_nothing(tmp_path: Path) -> None:
    inside = ("$RECYCLE.BIN", ".Spotlight-V100", ".Trashes", "__MACOSX", ".fseventsd", "@eaDir", ".Trash-1000")
    made(tmp_path, "a.img", "a.img.hdr", *LITTER, *(f"{name}/a.img" for name in inside))
    folder = scan_folder(tmp_path)
    assert pairs(folder) == [("a.img.hdr", "a.img")]
    assert (folder.orphans, folder.strays, folder.folders, folder.foreign) == ((), (), (), ())


def test_hidden_files_of_people_are_strays(tmp_path: Path) -> None:
    made(tmp_path, ".notes", "my.DS_Store", "Thumbs.db.txt", ".backup/a.img")
    folder = scan_folder(tmp_path)
    assert names(folder.strays) == [".notes", "Thumbs.db.txt", "my.DS_Store"]
    assert names(folder.folders) == [".backup"]


@pytest.mark.usefixtures("blank")
@pytest.mark.usefixtures("batches_here")
def test_every_command_passes_over_another_format_and_files_of_systems(tmp_path: Path) -> None:
    study = write_small_study(tmp_path / "in")
    (made(study, "spm.img", *LITTER) / "spm.hdr").write_bytes(FOREIGN["analyze-big"][0])
    out = made(tmp_path / "out", ".DS_Store")
    done = inveon("convert", study, out)
    assert (done.exit_code, done.stderr.count("spm.")) == (0, 1), done.stderr
    assert "spm.hdr: skipped: an Analyze header" in done.stderr
    for command in (
        ("batch", study, tmp_path / "batch"),
        ("check", study),
        ("verify", study, out),
        ("report", study, "-o", tmp_path / "report.html"),
        ("info", study),
        ("subjects", study, "-o", tmp_path / "sheet.csv"),
        ("xnat", study, tmp_path / "xnat", "--ignore-all-extra-files"),
    ):
        done = inveon(*command)
        assert done.exit_code == 0, (command, done.stderr)
        assert not any(name in done.stderr for name in LITTER), done.stderr
    refused = inveon("convert", study, tmp_path / "strict", "--strict")
    assert (refused.exit_code, "spm.hdr (an Analyze header" in refused.stderr) == (1, True)
    asked = inveon("convert", study / "spm.img", tmp_path / "one")
    assert (asked.exit_code, "its header spm.hdr is an Analyze header" in asked.stderr) == (1, True)
    (study / "spm.img").unlink()
    (study / "spm.hdr").unlink()
    assert inveon("convert", study, tmp_path / "litter", "--strict").exit_code == 0
    assert inveon("xnat", study, tmp_path / "clean").exit_code == 0


EVERY_COMMAND = {  # what reads Inveon files: its arguments before and after them
    "info": (),
    "check": (),
    "convert": ("out",),
    "batch": ("out",),
    "subjects": ("-o", "sheet.csv"),
    "report": ("-o", "report.html"),
    "verify": ("dicom",),
}


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_every_command_says_which_half_is_missing_and_where_it_is_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path, "dicom/x", "data/a.img.hdr", "header/a.img")
    for folder, missing in (("data", "data file is missing, expected"), ("header", "header is missing, expected")):
        done = inveon(command, folder, *EVERY_COMMAND[command])
        expected = Path(folder, "a.img" if folder == "data" else "a.img.hdr")
        assert done.exit_code == 1
        assert f"half of a pair: its {missing} " in done.stderr
        assert f'{expected}"' in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["info", "check", "convert", "report", "verify"])
def test_a_folder_above_the_files_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made(
        tmp_path,
        "dicom/x",
        "archive/.old/a.img",
        "archive/.old/a.img.hdr",
        "archive/m/n/a.img",
        "archive/m/n/a.img.hdr",
    )
    line = inveon(command, "archive", *EVERY_COMMAND[command]).stderr
    assert f'there are some in "{Path("archive/m/n")}": name it; ' in line
    expected = {"convert": "--recursive converts", "verify": "--recursive compares"}
    assert expected.get(command, '"inveon batch" converts') in line


def test_the_search_below_a_folder_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "a/b/c/a.img", "a/b/c/a.img.hdr")
    assert scan_folder(tmp_path).without_pairs().hint
    monkeypatch.setattr(module, "_MOST_LOOKED_INTO", 2)
    assert scan_folder(tmp_path).without_pairs().hint is None


def test_a_half_beside_a_pair_is_reported_without_its_name(tmp_path: Path) -> None:
    """The message goes into manifests of de-identified studies; the place before it has the name."""
    study = write_small_study(tmp_path / "in")
    (study / "m1.pet.img.hdr").unlink()
    made(study, "m2.img.hdr")
    found = [finding for finding in read_study(study).findings if finding.code == "skipped"]
    assert [(Path(each.path or "").name, each.message) for each in found] == [
        ("m1.pet.img", "skipped: half of a pair: there is no .img.hdr, expected beside this .img"),
        ("m2.img.hdr", "skipped: half of a pair: there is no .img, expected beside this header"),
    ]
    output = inveon("check", study).stdout
    assert "m1.pet.img: skipped: half of a pair" in output
    assert "note: 1 folder holds halves of pairs; " in inveon("subjects", study, "-o", tmp_path / "s.csv").stdout


@pytest.mark.parametrize("command", [each for each in EVERY_COMMAND if each != "check"])  # which reads it
def test_dicom_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path, "dicom/x")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.dcm").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "converted" / "1").mkdir(parents=True)
    (tmp_path / "converted" / "1" / "x.dcm").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "converted" / "inveon-manifest.json").write_text("{}")
    for source in ("in/x.dcm", "in", "converted"):
        done = inveon(command, source, *EVERY_COMMAND[command])
        assert done.exit_code == 1
        assert "is DICOM" in done.stderr or command in {"batch", "subjects"}
        assert len(done.stderr.splitlines()) == 1


def test_all_halves_are_named(tmp_path: Path) -> None:
    made(tmp_path, *(f"{letter}.img" for letter in "abcdefgh"))
    line = str(scan_folder(tmp_path).without_pairs())
    assert line.endswith("; 7 more files are halves of a pair: b.img, c.img, d.img, e.img, f.img and 2 more")
