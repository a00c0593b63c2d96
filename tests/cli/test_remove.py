"""`inveon remove`: exactly what a manifest lists goes, after it was shown, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from filelock import FileLock

from helpers import CT_FILES, PET_FILES, assert_one_line_error, inveon, write_small_study
from inveonimaging import OutputError, convert
from inveonimaging.cli.remove import remove
from inveonimaging.commands.remove import plan_removal, remove_planned
from inveonimaging.storage.manifests import MANIFEST
from storage.test_faults import PARTIAL, posix, tree
from storage.test_leftovers import hide, journal

FILES = [*CT_FILES, *PET_FILES]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a converted study of 6 and 12 files."""
    folder = tmp_path_factory.mktemp("remove")
    convert(write_small_study(folder / "in"), folder / "out")
    return folder / "out"


@pytest.fixture
def out(converted: Path, tmp_path: Path) -> Path:
    """Return a copy of it, with files of somebody."""
    out = Path(shutil.copytree(converted, tmp_path / "out"))
    (out / "notes.txt").write_bytes(b"precious")
    (out / "1" / ".notes").write_bytes(b"precious")
    (out / "seg").mkdir()
    return out


LEFT = {"notes.txt": b"precious", "seg": None, "1": None, "1/.notes": b"precious"}


def refused(*arguments: object, code: int = 1) -> str:
    result = inveon("remove", *arguments)
    return assert_one_line_error(result.exit_code, result.stdout, result.stderr, code)


def test_what_the_manifest_lists_goes_and_nothing_else(out: Path, converted: Path) -> None:
    result = inveon("remove", out, "--yes")
    assert result.exit_code == 0, result.output
    size = sum((converted / name).stat().st_size for name in FILES) / 1e6
    assert result.stdout.splitlines() == [
        f"{out / '1'}: 6 files, {sum((converted / name).stat().st_size for name in CT_FILES) / 1e6:.1f} MB",
        f"{out / '2'}: 12 files, {sum((converted / name).stat().st_size for name in PET_FILES) / 1e6:.1f} MB",
        f"{out / MANIFEST}",
        f"note: kept, since no manifest lists it: {out / 'notes.txt'}, {out / 'seg'}, {out / '1' / '.notes'}",
        f"removed 19 files, {size:.1f} MB",
    ]
    assert tree(out) == LEFT
    assert f"{out}: no {MANIFEST} of a conversion here" in refused(out, "--yes")


def test_a_dry_run_shows_it_and_removes_nothing(out: Path) -> None:
    before = tree(out)
    lines = inveon("remove", out, "-n").stdout.splitlines()
    assert lines[2] == f"{out / MANIFEST}"
    document = json.loads(inveon("remove", out, "-n", "--json").stdout)
    (study,) = document["studies"]
    assert document["dry_run"]
    assert study["files"] == [str(out / name) for name in (*FILES, MANIFEST)]
    assert study["stays"] == [str(out / name) for name in ("notes.txt", "seg", "1/.notes")]
    assert tree(out) == before


def test_without_an_answer_nothing_is_removed(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(out)
    result = inveon("remove", out)
    assert result.exit_code == 2
    assert result.stderr == "error: nothing was removed; --yes removes what was shown, --dry-run only shows it\n"
    assert "nothing was removed" in inveon("remove", out, "--json").stderr
    terminal = type("Terminal", (), {"isatty": staticmethod(lambda: True)})
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(typer, "confirm", no)
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(typer.Exit):
        remove(out)
    assert len(asked) == 1
    assert asked[0].startswith("Remove 19 files, ")
    assert tree(out) == before
    monkeypatch.setattr(typer, "confirm", lambda _: True)
    remove(out)
    assert tree(out) == LEFT


def edited(out: Path) -> Path:
    path = out / PET_FILES[3]
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")  # of the same size
    return path


def linked(out: Path) -> Path:
    path = out / CT_FILES[0]
    path.rename(out / "elsewhere")
    path.symlink_to(out / "elsewhere")
    return path


def linked_series(out: Path) -> Path:
    (out / "1").rename(out / "elsewhere")
    (out / "1").symlink_to("elsewhere")
    return out / "1"


def a_folder(out: Path) -> Path:
    (out / CT_FILES[0]).unlink()
    (out / CT_FILES[0]).mkdir()
    return out / CT_FILES[0]


@posix
@pytest.mark.parametrize("change", [edited, linked, linked_series, a_folder])
def test_if_one_file_is_not_as_it_was_written_none_goes(out: Path, change: Callable[[Path], Path]) -> None:
    path = change(out)
    before = tree(out)
    line = refused(out, "--yes")
    assert line.startswith(f"error: {path}: ")
    assert "nothing was removed" in line
    assert tree(out) == before


@pytest.mark.parametrize("name", ["../victim", "/tmp/victim", "..", "1/../../victim", "precious", ".inveon-partial"])  # noqa: S108
def test_a_manifest_that_names_other_files_removes_nothing(out: Path, name: str) -> None:
    (out.parent / "victim").mkdir()
    document = json.loads((out / MANIFEST).read_bytes())
    for changed in ({"folder": name}, {"files": [{**document["series"][0]["files"][0], "name": f"{name}/x"}]}):
        series = [{**document["series"][0], **changed}, *document["series"][1:]]
        (out / MANIFEST).write_text(json.dumps({**document, "series": series}))
        before = tree(out.parent)
        assert "is not as a conversion wrote it" in refused(out, "--yes")
        assert tree(out.parent) == before


def first_file_again(series: list[dict[str, Any]]) -> None:
    series[0]["files"].append(series[0]["files"][0])


def first_file_in_capitals(series: list[dict[str, Any]]) -> None:
    file = series[0]["files"][0]
    series[0]["files"].append({**file, "name": file["name"].upper()})


def first_series_again(series: list[dict[str, Any]]) -> None:
    series.append(series[0])


@pytest.mark.parametrize("change", [first_file_again, first_file_in_capitals, first_series_again])
def test_a_manifest_that_lists_something_twice_removes_nothing(
    out: Path, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    document = json.loads((out / MANIFEST).read_text("utf-8"))
    change(document["series"])
    (out / MANIFEST).write_text(json.dumps(document), "utf-8")
    before = tree(out)
    assert "is not as a conversion wrote it" in refused(out, "--yes")
    assert tree(out) == before


def test_a_removal_that_was_broken_off_goes_on(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink, left = Path.unlink, [5]

    def failing(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".dcm":
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", failing)
        assert inveon("remove", out, "--yes").exit_code == 130
    assert len([name for name in tree(out) if name.endswith(".dcm")]) == 13
    result = inveon("remove", out, "--yes")
    assert "note: 5 files of the manifest no longer there" in result.stdout.splitlines()
    assert tree(out) == LEFT


def test_what_changes_after_it_was_shown_stays(out: Path) -> None:
    planned = plan_removal(out)
    (out / "2" / "new.txt").write_bytes(b"precious")
    before = tree(out)
    with pytest.raises(OutputError, match="has changed meanwhile; look again; nothing was removed of it"):
        remove_planned(planned)
    assert tree(out) == before


def test_what_is_edited_while_it_is_shown_stays(out: Path) -> None:
    """Only the time shows it: a weight of 24.6 that becomes 25.1 has as many bytes."""
    planned = plan_removal(out)
    path = out / "2" / PET_FILES[0].partition("/")[2]
    held, seen = path.read_bytes(), path.stat()
    path.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    before = tree(out)
    with pytest.raises(OutputError, match="has changed meanwhile; look again; nothing was removed of it"):
        remove_planned(planned)
    assert tree(out) == before


def test_while_a_conversion_writes_nothing_is_removed(out: Path) -> None:
    hide(out, None)
    with FileLock(out / PARTIAL / "lock"):
        before = tree(out)
        result = inveon("remove", out, "--yes")
        assert "another conversion is writing here; wait until it has ended" in result.stderr
        assert tree(out) == before


def test_a_study_that_is_half_in_its_place_is_not_removed(out: Path) -> None:
    partial = hide(out, journal(out, ["2", MANIFEST]))
    (out / "2").rename(partial / "new" / "2")
    before = tree(out)
    assert "a conversion here is not finished" in refused(out, "--yes")
    assert tree(out) == before


def test_all_studies_below_a_folder_go_after_all_were_looked_at(converted: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("a", "group/b", ".hidden"):
        shutil.copytree(converted, root / name)
    (root / "batch.jsonl").write_bytes(b"precious")
    assert "--recursive removes all studies below it" in refused(root, "--yes")
    edited(root / "group" / "b")
    before = tree(root)
    assert "has changed since it was converted" in refused(root, "-r", "-y")
    assert tree(root) == before
    shutil.copy(converted / PET_FILES[3], root / "group" / "b" / PET_FILES[3])
    result = inveon("remove", root, "-r", "-y")
    assert result.stdout.splitlines()[-1].startswith("removed 38 files of 2 studies, ")
    assert {path.name for path in root.iterdir()} == {"batch.jsonl", ".hidden"}
    assert len(tree(root / ".hidden")) == 21


def test_what_is_no_study_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, message in (("missing", "no such folder"), ("file", "is not a folder"), (".", f"no {MANIFEST}")):
        assert message in refused(tmp_path / path, "-y")
        assert message in refused(tmp_path / path, "-r", "-y")
