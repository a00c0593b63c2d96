"""The manifest says what was read and written; the same input gives the same bytes; --overwrite replaces only that."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from defects import Defect, write_scan
from helpers import (
    CT,
    PET,
    assert_one_line_error,
    digests,
    files_below,
    held_by,
    in_time,
    inveon,
    published,
    python,
    write_small_study,
)
from inveonimaging import Options, OutputError, convert
from inveonimaging.animal.sheet_values import Code
from inveonimaging.conversion.options import Uids
from inveonimaging.dicom.codes import CodeTable
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.pixels import Compression
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, frames_of
from inveonimaging.physics.quantification import Policy
from inveonimaging.storage.manifests import MANIFEST
from inveonimaging.study.corrections import BedDirection
from inveonimaging.version import __version__
from truth import truth_of

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
SHAPE: dict[str, Any] = {"shape": (6, 5, 2), "spacing_mm": (5.0, 5.0, 28.0)}
STATIC = frames_of(60.0)
KINDS = {
    "a.ct": replace(CT_SCAN, **SHAPE),
    "b.dynamic": replace(PET_SCAN, **SHAPE, frames=frames_of(20, 40, 80)),
    "c.gated": replace(PET_SCAN, **SHAPE, frames=STATIC, gates=3),
    "d.beds": replace(PET_SCAN, **SHAPE, frames=frames_of(20, 40), beds=(312.5, 345.25)),
    "e.spect": replace(SPECT_SCAN, **SHAPE, frames=STATIC),
}
FORMS: dict[str, dict[str, Any]] = {
    "classic": {},
    "enhanced": {"form": Form.ENHANCED},
    "concatenations": {"form": Form.ENHANCED, "largest_object": 120_000},
    "legacy": {"form": Form.LEGACY},
    "compressed": {"compression": Compression.RLE},
}


def write_all_kinds(folder: Path) -> Path:
    """Write a CT, a dynamic PET, a gated PET, one of two beds, and a SPECT."""
    folder.mkdir(parents=True)
    for name, scan in KINDS.items():
        write_scan(folder / f"{name}.img", scan)
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a folder with a small CT and a small PET."""
    return write_small_study(tmp_path / "in")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder that does not exist."""
    return tmp_path / "out"


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return all that is below a folder, hidden or not: what `held_by` makes of files, None for folders."""
    found = folder.rglob("*")
    return {path.relative_to(folder).as_posix(): held_by(path) if path.is_file() else None for path in found}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder; it is JSON as other languages read it, in ASCII."""

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    document = json.loads((folder / MANIFEST).read_bytes().decode("ascii"), parse_constant=refuse)
    assert isinstance(document, dict)
    return document


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# The same bytes.


@pytest.mark.parametrize("form", ["concatenations", "compressed"])  # the others: below
def test_the_same_study_gives_the_same_bytes_each_time(tmp_path: Path, form: str) -> None:
    if form == "compressed":
        pytest.importorskip("rle")
    study = write_all_kinds(tmp_path / "in")
    trees = []
    for name in ("one", "two"):
        convert(study, tmp_path / name, Options(**FORMS[form]))
        trees.append(tree(tmp_path / name))
    assert trees[0] == trees[1]
    assert {name for name in trees[0] if "/" not in name} == {"1", "2", "3", "4", "5", "6", MANIFEST}


IN_ALL_FORMS = """
import sys
from inveonimaging.cli.main import app

for form in ("classic", "enhanced", "legacy"):
    app(["convert", "--as", form, sys.argv[1], f"{sys.argv[2]}/{form}"], standalone_mode=False)
"""


def test_the_same_study_elsewhere_gives_the_same_bytes(tmp_path: Path) -> None:
    """In another folder, in another process with another order of sets, later, and by a user with other settings."""
    study = write_all_kinds(tmp_path / "in")
    other = tmp_path / "elsewhere, with another name" / "Kopie"
    shutil.copytree(study, other, copy_function=shutil.copyfile)  # with other times
    for form in ("classic", "enhanced", "legacy"):
        convert(study, tmp_path / "out" / form, Options(**FORMS[form]))
    environment = {"PYTHONHASHSEED": "2", "TZ": "Pacific/Chatham", "LC_ALL": "C"}
    done = python("-c", IN_ALL_FORMS, other, tmp_path / "other out", environment=environment)
    assert done.returncode == 0, done.stderr
    trees = [tree(tmp_path / name) for name in ("out", "other out")]
    assert trees[0] == trees[1]
    assert sum(name.endswith(MANIFEST) for name in trees[0]) == 3
    assert len(trees[0]) > 30


def test_other_names_and_orders_of_files_in_a_folder_do_not_matter(tmp_path: Path) -> None:
    study = write_all_kinds(tmp_path / "in")
    (tmp_path / "other").mkdir()
    for file in sorted(study.iterdir(), reverse=True):
        shutil.copyfile(file, tmp_path / "other" / file.name)
    convert(study, tmp_path / "one")
    convert(tmp_path / "other", tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def texts(document: Any) -> list[str]:
    """Return all texts in a document."""
    if isinstance(document, dict):
        return [text for each in document.items() for part in each for text in texts(part)]
    if isinstance(document, list):
        return [text for part in document for text in texts(part)]
    return [document] if isinstance(document, str) else []


@pytest.mark.parametrize("defect", [Defect.NO_ORIENTATION, Defect.NO_WEIGHT, Defect.LONG_DATA, Defect.NAN_VOXELS])
def test_the_manifest_has_no_path_of_this_computer_and_no_time(tmp_path: Path, defect: Defect) -> None:
    study = write_all_kinds(tmp_path / "very own name")
    write_scan(study / "f.img", PET, defects=(defect,))
    (study / "stray.txt").touch()
    convert(study, tmp_path / "out", Options(allow_long_data=True))
    found = texts(read_manifest(tmp_path / "out"))
    assert [text for text in found if "very own name" in text or str(tmp_path) in text] == []
    assert [text for text in found if text.startswith(("/", "\\")) or re.match(r"[A-Za-z]:\\", text)] == []
    year = str(datetime.now().year)
    messages = [text for text in found if not text.startswith("2.25.")]  # a UID may hold any digits
    assert [text for text in messages if re.search(rf"{year}-?\d\d-?\d\d|\d\d:\d\d", text)] == []
    assert any("f.img" in text for text in found)


# What it says.


@pytest.mark.parametrize(
    ("options", "uids"),
    [*((each, Uids.CONTENT) for each in FORMS.values()), (FORMS["classic"], Uids.RANDOM)],
    ids=[*FORMS, "random UIDs"],
)
def test_it_lists_what_was_read_and_written(tmp_path: Path, options: dict[str, Any], uids: Uids) -> None:
    if "compression" in options:
        pytest.importorskip("rle")
    study, out = write_all_kinds(tmp_path / "in"), tmp_path / "out"
    (result,) = convert(study, out, Options(uids=uids, **options))
    found = read_manifest(out)
    assert (found["schema"], found["program"], found["version"]) == (1, "inveonimaging", __version__)
    assert found["study_instance_uid"] == result.study_instance_uid

    sources = {each["name"]: (each["size"], each["sha256"]) for each in found["sources"]}
    assert len(sources) == len(found["sources"])
    assert sources == {
        path.name: (path.stat().st_size, sha256(path.read_bytes())) for path in study.iterdir() if path.is_file()
    }
    listed = {
        f"{series['folder']}/{file['name']}": (file["size"], file["sha256"])
        for series in found["series"]
        for file in series["files"]
    }
    written = {name: (out / name).read_bytes() for name in files_below(out)}
    assert listed == {name: (len(content), sha256(content)) for name, content in written.items()}

    assert [each["folder"] for each in found["series"]] == ["1", "2", "3", "4", "5", "6"]
    spaces = set()
    for series, message in zip(found["series"], result.series, strict=True):
        read = [pydicom.dcmread(out / series["folder"] / file["name"]) for file in series["files"]]
        assert {ds.StudyInstanceUID for ds in read} == {found["study_instance_uid"]}
        assert {ds.SeriesInstanceUID for ds in read} == {series["series_instance_uid"]} == {message.series_instance_uid}
        assert {ds.FrameOfReferenceUID for ds in read} == {series["frame_of_reference_uid"]}
        assert {ds.SOPClassUID for ds in read} == {series["sop_class_uid"]}
        assert series["sop_class"] == message.sop_class
        assert series["part"] == message.part
        assert study / series["source"] == Path(message.source)
        assert series["unit"] == message.unit
        assert series["shape"] == [6, 5, 2]
        assert sum(int(ds.get("NumberOfFrames", 1)) for ds in read) == 2 * series["frames"]
        assert series["modality"] == message.modality
        spaces.add(series["frame_of_reference_uid"])
    assert found["frames_of_reference"] == sorted(spaces)
    assert [each["frames"] for each in found["series"]] == [1, 3, 3, 2, 2, 1]
    objects = [len(each["files"]) for each in found["series"]]
    assert (max(objects[1:]) > 1) == (options.get("form", Form.CLASSIC) is Form.CLASSIC or "largest_object" in options)


def test_it_shows_the_range_of_the_values(tmp_path: Path) -> None:
    study = write_all_kinds(tmp_path / "in")
    convert(study, tmp_path / "out")
    found = read_manifest(tmp_path / "out")["series"]
    ranges = {(each["source"], each["part"]): (each["lowest"], each["highest"]) for each in found}
    assert len(ranges) == 6
    for (name, part), span in ranges.items():
        truth = truth_of(study / name.removesuffix(".hdr"))
        values = truth.part(bed=int(part.rpartition(" ")[2])).values if part else truth.values
        assert span == pytest.approx((values.min(), values.max()), rel=1e-12), name


@pytest.mark.parametrize("filled", ["whole", "a frame"])
def test_a_range_without_a_finite_value_is_json(tmp_path: Path, filled: str) -> None:
    (tmp_path / "in").mkdir()
    pair = write_scan(tmp_path / "in" / "a.img", PET)
    values = np.fromfile(pair.data, "<f4")
    values[: len(values) // (1 if filled == "whole" else 2)] = np.nan
    values.tofile(pair.data)
    convert(tmp_path / "in", tmp_path / "out")
    (series,) = read_manifest(tmp_path / "out")["series"]
    expected = 0.0 if filled == "whole" else truth_of(pair.data).values[1].max()
    assert (series["lowest"], series["highest"]) == pytest.approx((0, expected))


def test_it_has_the_findings_that_are_reported(study: Path, out: Path) -> None:
    write_scan(study / "z.img", PET, defects=(Defect.NO_WEIGHT, Defect.NAN_VOXELS, Defect.ROTATED))
    (result,) = convert(study, out, Options(rescale=Policy.FRAME, form=Form.ENHANCED))
    found = read_manifest(out)
    messages = [(each.code, each.severity.label, each.message, each.line) for each in result.all_findings]
    own = [found["findings"], *(series["findings"] for series in found["series"])]
    assert [
        (each["code"], each["severity"], each["message"], each["line"]) for part in own for each in part
    ] == messages
    codes = {each["code"] for each in own[3]}
    assert {"not-finite", "several-slopes"} < codes
    assert {each["file"] for part in own[1:] for each in part} <= {path.name for path in study.iterdir()}


OPTIONS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "default": ({}, {"form": "classic", "rescale": "auto", "uids": "content", "compression": "none", "flip": ""}),
    "form": ({"form": Form.LEGACY, "file_name": "x.dcm"}, {"form": "legacy", "file_name": "x.dcm"}),
    "size": ({"form": Form.ENHANCED, "largest_object": 500_000}, {"largest_object": 500_000}),
    "orientation": ({"orientation": Orientation.HFS, "flip": "x"}, {"orientation": 4, "flip": "x"}),
    "rescale": ({"rescale": Policy.SLICE}, {"rescale": "slice"}),
    "beds": ({"bed_direction": BedDirection.REVERSE}, {"bed_direction": "reverse"}),
    "study": ({"study_description": "Müsli"}, {"study_description": "Müsli"}),
    "time": ({"scan_time": datetime(2014, 3, 4, 14, 5, 9)}, {"scan_time": "2014-03-04 14:05:09"}),
    "codes": ({"codes": CodeTable({"F-18": Code("X", "99X", "x")})}, {}),
}


@pytest.mark.parametrize(("options", "expected"), OPTIONS.values(), ids=OPTIONS)
def test_it_shows_the_options(study: Path, out: Path, options: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    convert(study, out, Options(**options))
    found = read_manifest(out)["options"]
    assert {name: found[name] for name in expected} == expected
    assert not {"overwrite", "manifest", "recursive"} & set(found)


def test_each_study_of_a_tree_has_its_own(study: Path, out: Path) -> None:
    shutil.copytree(study, study / "mouse 2")
    convert(study, out, Options(recursive=True))
    assert sorted(out.rglob(MANIFEST)) == [out / MANIFEST, out / "mouse 2" / MANIFEST]
    assert len(read_manifest(out)["series"]) == len(read_manifest(out / "mouse 2")["series"]) == 2


def test_who_wants_none_gets_none(study: Path, out: Path, tmp_path: Path) -> None:
    assert inveon("convert", "--no-manifest", study, out).exit_code == 0
    assert {path.name for path in out.iterdir()} == {"1", "2"}
    assert inveon("convert", study, tmp_path / "with").exit_code == 0
    assert digests(out) == digests(tmp_path / "with")


@pytest.mark.parametrize("command", ["inveonFolder2DICOM", "inveonFile2DICOM"])
def test_the_published_commands_write_none(
    study: Path, out: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = study if command == "inveonFolder2DICOM" else study / "m1.ct.img"
    assert published(monkeypatch, f"inveonimaging.{command}", source, out) == 0
    assert {path.name for path in out.iterdir()} <= {"1", "2"}
    assert (out / "1").is_dir()


# What --overwrite replaces.


def test_fewer_and_more_series_replace_the_earlier_ones_and_nothing_else(study: Path, out: Path) -> None:
    write_scan(study / "m2.ct.img", CT)
    foreign = {"notes.txt": b"precious", "4": b"", "seg": None, "seg/1.nii": b"x", ".hidden": b"", "10": None}
    expected = {}
    convert(study, out)
    for name, content in foreign.items():
        (out / name).mkdir() if content is None else (out / name).write_bytes(content)
    for number, keep in enumerate((3, 1, 2, 3)):
        source = study.parent / f"in{number}"
        shutil.copytree(study, source)
        for stem in ("m1.ct.img", "m1.pet.img", "m2.ct.img")[keep:]:
            (source / stem).unlink()
            (source / f"{stem}.hdr").unlink()
        convert(source, source.with_suffix(".out"))
        expected = tree(source.with_suffix(".out"))
        assert inveon("convert", "--overwrite", source, out).exit_code == 0
        assert tree(out) == expected | foreign
    assert {"1", "2", "3"} < set(expected)


def test_into_a_new_or_empty_folder_overwrite_writes_as_usual(study: Path, out: Path, tmp_path: Path) -> None:
    convert(study, tmp_path / "expected")
    out.mkdir()
    for target in (out, tmp_path / "deep" / "new"):
        assert inveon("convert", "--overwrite", study, target).exit_code == 0
        assert tree(target) == tree(tmp_path / "expected")


def refused(study: Path, out: Path) -> str:
    """Show that --overwrite refuses, and changes nothing."""
    before = tree(out.parent)
    result = inveon("convert", "--overwrite", study, out)
    line = assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert tree(out.parent) == before
    return line


@pytest.mark.parametrize("name", ["1", "2"])
@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_no_conversion_wrote_is_refused(study: Path, out: Path, name: str, make: Callable[[Path], None]) -> None:
    out.mkdir()
    make(out / name)
    assert f"{out / name}: exists already; only what the manifest" in refused(study, out)


def test_a_conversion_without_a_manifest_is_not_overwritten(study: Path, out: Path) -> None:
    convert(study, out, Options(manifest=False))
    assert f"{out / '1'}: exists already" in refused(study, out)


def test_a_foreign_file_in_a_series_folder_is_refused(study: Path, out: Path) -> None:
    convert(study, out)
    (out / "2" / "segmentation.dcm").write_bytes(b"precious")
    assert f"{out / '2' / 'segmentation.dcm'}: is of no earlier conversion" in refused(study, out)
    (out / "2" / "segmentation.dcm").rename(out / "segmentation.dcm")
    (out / "2" / ".DS_Store").write_bytes(b"litter")
    (out / "1" / "CT-000001.dcm").unlink()  # a study that somebody damaged
    (out / "1" / "CT-000002.dcm").write_bytes(b"damaged")
    assert inveon("convert", "--overwrite", study, out).exit_code == 0
    assert len(files_below(out)) == 18 + 1


@pytest.mark.parametrize("name", ["thesis.docx", "segmentation.dcm", "CT-000001.dcm.bak"])
def test_a_name_that_was_written_into_a_manifest_is_not_replaced(study: Path, out: Path, name: str) -> None:
    (out / "1").mkdir(parents=True)
    (out / "1" / name).write_bytes(b"precious")
    (out / MANIFEST).write_bytes(ours("1", files=[{"name": name}]))
    assert f"{out / '1' / name}: is of no earlier conversion" in refused(study, out)
    assert (out / "1" / name).read_bytes() == b"precious"


@posix
def test_a_series_folder_that_has_become_a_link_is_refused(study: Path, out: Path, tmp_path: Path) -> None:
    convert(study, out)
    (out / "1").rename(tmp_path / "archive")
    (out / "1").symlink_to(tmp_path / "archive")
    assert f"{out / '1'}: exists already" in refused(study, out)


def ours(*folders: Any, files: Any = ()) -> bytes:
    series = [{"folder": folder, "files": files} for folder in folders]
    return json.dumps({"schema": 1, "program": "inveonimaging", "series": series}).encode()


HOSTILE = {
    "outside": ours("../victim"),
    "outside, among others": ours("1", "../victim", "2"),
    "absolute": ours("/tmp/victim"),  # noqa: S108 - nothing is written there
    "the folder itself": ours("."),
    "the one above": ours(".."),
    "empty": ours(""),
    "the hidden folder": ours(".inveon-partial"),
    "another name": ours("victim"),
    "zeros": ours("01"),
    "Arabic digits": ours("\u0661"),
    "a line's end": ours("1\n"),
    "a number": ours(1),
    "no finite number": b'{"program": "inveonimaging", "series": [{"folder": Infinity, "files": []}]}',
    "null": ours(None),
    "files are no list": ours("1", files=5),
    "files have no names": ours("1", files=[{"size": 1}]),
    "files have odd names": ours("1", files=[{"name": [1]}]),
    "another program": ours("1").replace(b"inveonimaging", b"another"),
    "no JSON": b"precious",
    "nothing": b"",
    "bytes": bytes(range(256)),
    "no object": b"[1, 2]",
    "deep": b"[" * 200_000,
    "a long number": b'{"series": ' + b"9" * 100_000 + b"}",
    "huge": b'{"program": "inveonimaging", "series": [' + b" " * 2_000_000 + b"]}",
}


@pytest.mark.parametrize("manifest", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_manifest_removes_nothing(study: Path, out: Path, manifest: bytes) -> None:
    for folder in (out / "1", out / "victim", out.parent / "victim"):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"precious")
    (out / MANIFEST).write_bytes(manifest)
    refused(study, out)
    shutil.rmtree(out / "1")
    assert f"{MANIFEST}: exists already" in refused(study, out)


def test_a_manifest_of_terabytes_is_not_read(study: Path, out: Path) -> None:
    out.mkdir()
    (out / MANIFEST).touch()
    os.truncate(out / MANIFEST, 1 << 40)  # sparse
    result = inveon("convert", "--overwrite", study, out)
    assert "exists already" in assert_one_line_error(result.exit_code, result.stdout, result.stderr)


@posix
@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_manifest_that_is_no_file_is_refused_without_waiting(study: Path, out: Path, kind: str) -> None:
    convert(study, out)
    (out / MANIFEST).rename(out.parent / "manifest")
    if kind == "pipe":
        os.mkfifo(out / MANIFEST)
    elif kind == "folder":
        (out / MANIFEST).mkdir()
    else:
        (out / MANIFEST).symlink_to("../manifest")
    with in_time():
        done = inveon("convert", "--overwrite", study, out)
    assert "exists already" in assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert len(files_below(out)) >= 18


def test_without_being_asked_nothing_is_overwritten(study: Path, out: Path) -> None:
    convert(study, out)
    before = tree(out)
    with pytest.raises(OutputError, match="the output folder is not empty"):
        convert(study, out)
    assert tree(out) == before


def test_overwriting_with_a_refused_study_keeps_the_earlier_one(study: Path, out: Path) -> None:
    convert(study, out)
    write_scan(study / "m2.img", PET, defects=(Defect.SHORT_DATA,))
    assert "m2.img" in refused(study, out)


def test_of_a_tree_each_study_is_replaced_by_itself(study: Path, out: Path) -> None:
    shutil.copytree(study, study / "mouse 2")
    convert(study, out, Options(recursive=True))
    before = tree(out)
    (out / "1" / "CT-000003.dcm").unlink()
    (out / "mouse 2" / "2" / "PET-000003.dcm").unlink()
    convert(study, out, Options(recursive=True, overwrite=True))
    assert tree(out) == before
