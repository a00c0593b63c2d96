"""Links that lead in a circle, and folders so deep that no recursion reaches their ground."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import PET, assert_one_line_error, in_time, inveon, write_small_study
from inveonimaging import convert
from inveonimaging.dicom_reading.series import dicom_files
from inveonimaging.phantom import write_scan
from storage.test_faults import posix

pytestmark = [posix, pytest.mark.usefixtures("batches_here")]
CALLS = 330  # within each other, beside those of pytest: a third of Python's own limit, and of its time
DEPTH = CALLS + 30  # folders
NOBODY = ("dicom://A@B:127.0.0.1:9", "--timeout", 1, "--retries", 0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small CT and a small PET, and links in a circle beside them."""
    folder = write_small_study(tmp_path_factory.mktemp("links") / "in")
    for name in ("loop", "loop.img", "loop.img.hdr"):
        (folder / name).symlink_to(name)
    (folder / "here").symlink_to(".")
    (folder / "there").symlink_to("back")
    (folder / "back").symlink_to("there")
    return folder


def test_a_circle_of_links_beside_the_files_is_passed_over(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "root" / "m1", symlinks=True)
    for name in ("loop.img", "loop.img.hdr"):  # which is half of a study that cannot be read
        (tmp_path / "root" / "m1" / name).unlink()
    root, out = tmp_path / "root", tmp_path / "out"
    for command in (
        ("info", root / "m1"),
        ("convert", root / "m1", out),
        ("convert", "-r", root, tmp_path / "tree"),
        ("batch", root, tmp_path / "batch"),
        ("subjects", root, "-o", tmp_path / "s.csv"),
        ("verify", root / "m1", out),
        ("verify", "-r", root, tmp_path / "tree"),
    ):
        with in_time():
            result = inveon(*command)
        assert result.exit_code == 0, result.output
        assert "Traceback" not in result.output
    assert "loop" in inveon("info", root / "m1").output + inveon("convert", root / "m1", tmp_path / "x").output


@pytest.mark.parametrize("command", ["info", "convert", "check", "batch"])
def test_a_pair_of_links_in_a_circle_is_one_line(study: Path, tmp_path: Path, command: str) -> None:
    outputs = {"convert": [tmp_path / "out"], "batch": [tmp_path / "out"]}
    root = study.parent if command == "batch" else study
    with in_time():
        result = inveon(command, root, *outputs.get(command, []))
    assert result.exit_code == 1
    assert "loop.img" in result.output
    assert "Traceback" not in result.output


@pytest.fixture
def dicom(study: Path, tmp_path: Path) -> Path:
    """Return a converted study."""
    for name in study.iterdir():
        if not name.is_symlink():
            (tmp_path / "in").mkdir(exist_ok=True)
            shutil.copy(name, tmp_path / "in" / name.name)
    convert(tmp_path / "in", tmp_path / "dicom")
    return tmp_path / "dicom"


def test_a_circle_of_links_among_dicom_is_a_line_of_its_own(dicom: Path) -> None:
    (dicom / "1" / "loop.dcm").symlink_to("loop.dcm")
    (dicom / "here").symlink_to(".")
    assert len(dicom_files([dicom])) == 18 + 1  # it may be DICOM, so it is not left out unsaid
    for command in (("send", dicom, *NOBODY), ("check", dicom), ("verify", dicom.parent / "in", dicom)):
        with in_time():
            result = inveon(*command)
        assert result.exit_code == 1
        assert "Traceback" not in result.output
        if command[0] != "send":
            assert "loop.dcm" in result.output
            assert "cannot be read: Too many levels of symbolic links" in result.output


def test_what_is_named_and_is_a_circle_is_one_line(study: Path, dicom: Path, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    for command in (
        ("info", loop),
        ("convert", loop, tmp_path / "out"),
        ("convert", dicom.parent / "in", loop),
        ("convert", "--overwrite", dicom.parent / "in", loop),
        ("convert", "--dry-run", dicom.parent / "in", loop),
        ("convert", dicom.parent / "in", loop / "below"),
        ("batch", loop, tmp_path / "out"),
        ("batch", dicom.parent / "in", loop),
        ("check", loop),
        ("verify", dicom.parent / "in", loop),
        ("verify", "-r", dicom.parent / "in", loop),
        ("verify", loop, dicom),
        ("send", loop, *NOBODY),
        ("send", dicom, *NOBODY, "--resume", loop),
        ("send", dicom, *NOBODY, "--resume", loop / "journal"),
        ("subjects", loop, "-o", tmp_path / "s.csv"),
        ("subjects", dicom.parent / "in", "-o", loop),
        ("report", dicom.parent / "in", "-o", loop),
        ("demo", loop),
    ):
        with in_time():
            result = inveon(*command)
        assert_one_line_error(result.exit_code, result.stdout, result.stderr, result.exit_code)
        assert result.exit_code in (1, 2), command
    assert study.exists()


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with folders in each other, deeper than Python's calls may be, and a pair on the ground."""
    write_scan(tmp_path / "a.img", PET)
    before, limit = Path.cwd(), sys.getrecursionlimit()
    (tmp_path / "deep").mkdir()
    os.chdir(tmp_path / "deep")
    try:
        for _ in range(DEPTH):
            os.mkdir("d")  # noqa: PTH102 - in the working folder
            os.chdir("d")
        for name in ("a.img", "a.img.hdr"):
            os.link(tmp_path / name, name)
        sys.setrecursionlimit(len(inspect.stack(0)) + CALLS)
        yield tmp_path / "deep"
    finally:
        sys.setrecursionlimit(limit)
        os.chdir(before)
        subprocess.run(["rm", "-rf", tmp_path], check=True)  # which is quick, and does not call itself


@pytest.mark.faults
def test_the_ground_of_a_deep_tree_is_reached(deep: Path, tmp_path: Path) -> None:
    def below(folder: str) -> int:
        return 1 + below(f"{folder}/d") if os.path.isdir(f"{folder}/d") else 0  # noqa: PTH112 - as who knows no better

    with pytest.raises(RecursionError):
        below(str(deep))
    for command in (
        ("convert", "-r", deep, tmp_path / "tree"),
        ("batch", deep, tmp_path / "batch", "--jobs", 1),
        ("subjects", deep, "-o", tmp_path / "s.csv"),
        ("verify", "-r", deep, tmp_path / "tree"),
        ("check", tmp_path / "tree"),
    ):
        with in_time():
            result = inveon(*command)
        assert result.exit_code == 0, result.output[-2000:]
    for more in (("send", tmp_path / "tree", *NOBODY), ("convert", "-r", deep, deep / "out"), ("info", deep)):
        with in_time():
            result = inveon(*more)
        assert "Traceback" not in result.output
    ground = dicom_files([tmp_path / "tree"])
    assert len(ground) == 12
    assert {len(path.relative_to(tmp_path / "tree").parts) for path in ground} == {DEPTH + 2}
