"""Work of a conversion that is not finished is no work: nothing sends, checks or compares it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers import assert_one_line_error, inveon, write_small_study
from inveonimaging import convert
from inveonimaging.dicom_reading.series import dicom_files
from inveonimaging.storage.manifests import MANIFEST
from storage.test_faults import PARTIAL
from storage.test_leftovers import journal

SERVER = "dicom://A@B:127.0.0.1:9"  # where nobody listens: sending ends before it is asked
NOBODY_IN_TIME = ("--timeout", 1, "--retries", 0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small CT and a small PET."""
    return write_small_study(tmp_path_factory.mktemp("unfinished") / "in")


@pytest.fixture
def out(study: Path, tmp_path: Path) -> Path:
    """Return a converted study."""
    if not (study.parent / "out").exists():
        convert(study, study.parent / "out")
    shutil.copytree(study.parent / "out", tmp_path / "out")
    return tmp_path / "out"


def begin(out: Path) -> Path:
    """Put all of a study where a conversion writes it, and return that place."""
    new = out / PARTIAL / "new"
    new.mkdir(parents=True)
    (out / PARTIAL / "old").mkdir()
    for name in ("1", "2", MANIFEST):
        shutil.move(out / name, new / name)
    return new


def commands(study: Path, path: Path) -> list[tuple[object, ...]]:
    """Return the commands that read DICOM."""
    return [("send", path, SERVER, *NOBODY_IN_TIME), ("check", path), ("verify", study, path)]


def refusals(study: Path, path: Path) -> list[str]:
    results = [inveon(*command) for command in commands(study, path)]
    return [assert_one_line_error(each.exit_code, each.stdout, each.stderr) for each in results]


def test_a_study_that_is_being_written_is_not_there(study: Path, out: Path) -> None:
    begin(out)
    for line in refusals(study, out):
        assert line.startswith(f"error: {out}: ")
        assert "DICOM files here; a conversion has not finished there: wait, or convert again" in line


@pytest.mark.parametrize("inside", ["", "new", "new/1", "new/1/CT-000001.dcm"])
def test_what_is_being_written_is_not_read_when_it_is_named(study: Path, out: Path, inside: str) -> None:
    begin(out)
    path = out / PARTIAL / inside
    for line in refusals(study, path):
        assert line.startswith(f"error: {path}: is unfinished work of a conversion; name the output")


def test_a_link_to_it_is_no_way_in(study: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(begin(out))
    for line in refusals(study, tmp_path / "link"):
        assert "is unfinished work of a conversion" in line


def test_the_earlier_study_is_read_while_another_is_written(study: Path, out: Path) -> None:
    earlier = dicom_files([out])
    shutil.copytree(out, out.parent / "earlier")
    begin(out)
    for name in ("1", "2"):
        shutil.copytree(out.parent / "earlier" / name, out / name)
    assert dicom_files([out]) == earlier
    assert dicom_files([out.parent]) != earlier  # but for the copy
    assert inveon("verify", study, out).exit_code == 0


@pytest.mark.parametrize("inside", ["", "1", "1/CT-000001.dcm"])
def test_a_study_that_is_half_in_its_place_is_not_read(study: Path, out: Path, inside: str) -> None:
    new = begin(out)
    (out / PARTIAL / "journal").write_text(journal(new, ["1", "2", MANIFEST]))
    shutil.move(new / "1", out / "1")
    for line in refusals(study, out / inside):
        assert line.startswith(f"error: {out}: a conversion here is not finished; wait until it has ended, or")


def test_a_study_that_is_wholly_in_its_place_is_read(study: Path, out: Path) -> None:
    (out / PARTIAL / "new").mkdir(parents=True)
    (out / PARTIAL / "journal").write_text(journal(out, ["1", "2", MANIFEST]))
    assert len(dicom_files([out])) == 18
    assert inveon("verify", study, out).exit_code == 0
