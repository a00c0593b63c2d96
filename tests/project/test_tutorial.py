"""The commands of the tutorial and of the README run as they are written, and do what the pages say."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import Result

from helpers import ROOT, coarse, draw_one_pixel, inveon
from inveonimaging.phantom import files

TUTORIAL = ROOT / "docs" / "start" / "tutorial.md"
README = ROOT / "README.md"
APPS_PAGE = ROOT / "docs" / "how-to" / "app.md"


def commands_of(page: Path) -> list[str]:
    """Return the lines of a page's blocks of commands, without their comments."""
    lines = re.findall(r"^    (\S.*)$", page.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"\s+# .*", "", line) for line in lines]


def run(command: str) -> Result:
    """Run a command line of `inveon` in this process."""
    program, *arguments = shlex.split(command)
    assert program == "inveon", command
    return inveon(*arguments, columns=100)


@dataclass(frozen=True)
class Walk:
    """The folder in which the tutorial was walked through, and what each of its commands gave."""

    folder: Path
    results: dict[str, Result]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Run the tutorial, one command after the other, with a demo of fewer voxels and reports without pictures."""
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "STUDY", {name: coarse(scan) for name, scan in files.STUDY.items()})
        draw_one_pixel(patch)
        patch.chdir(folder)
        return Walk(folder, {command: run(command) for command in commands_of(TUTORIAL)})


def test_every_command_of_the_tutorial_runs(walk: Walk) -> None:
    assert len(walk.results) >= 11
    assert {command: each.output for command, each in walk.results.items() if each.exit_code} == {}


def test_the_tutorials_study_has_notes_only_and_is_ready_for_suv(walk: Walk) -> None:
    for command in ("inveon check demo/inveon", "inveon check mouse_dicom"):
        shown = walk.results[command].stdout
        assert "0 errors, 0 warnings" in shown
        assert ": ready" in shown
    assert "[beds-joined]" in walk.results["inveon info demo/inveon"].stderr
    assert "nothing" in walk.results["inveon explain beds-joined"].stdout


def test_the_tutorials_conversion_has_a_file_for_each_slice_or_for_each_series(walk: Walk) -> None:
    names = sorted(path.relative_to(walk.folder).as_posix() for path in walk.folder.rglob("*.dcm"))
    assert sum(name.startswith("mouse_dicom/1/CT-") for name in names) == 320 // 8  # slices of the CT
    assert sum(name.startswith("mouse_dicom/2/PET-") for name in names) == 98 // 8 * 16  # slices and frames of the PET
    assert [name for name in names if "enhanced" in name] == [
        "mouse_enhanced/1/CT-000001.dcm",
        "mouse_enhanced/2/PET-000001.dcm",
    ]


def test_the_tutorials_dicom_is_right_and_not_overwritten(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(walk.folder)
    assert (
        walk.results["inveon verify demo/inveon mouse_dicom"]
        .stdout.splitlines()[-1]
        .startswith("no difference: 2 series, ")
    )
    again = run("inveon convert demo/inveon mouse_dicom")
    assert again.exit_code == 1
    assert "not empty" in again.stderr


@pytest.mark.parametrize(("page", "fewest", "most_bytes"), [(TUTORIAL, 3, 300_000), (APPS_PAGE, 9, 120_000)])
def test_a_walks_pictures_are_there_and_small_and_have_words(page: Path, fewest: int, most_bytes: int) -> None:
    pictures = re.findall(r"!\[([^\]]{10,})\]\(([^)]+)\)", page.read_text("utf-8"))
    assert len(pictures) == page.read_text("utf-8").count("![") >= fewest
    for _, picture in pictures:
        data = (page.parent / picture).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < most_bytes, picture


def test_each_picture_of_the_app_is_shown() -> None:
    shown = set(re.findall(r"images/(app-[a-z-]+\.png)", APPS_PAGE.read_text("utf-8")))
    made = re.findall(r'photograph\("(app-[a-z-]+)"', (ROOT / "tools" / "app_pictures.py").read_text("utf-8"))
    assert shown == {f"{each}.png" for each in made} == {path.name for path in (ROOT / "docs" / "images").glob("app-*")}


README_COMMANDS = [each for each in commands_of(README) if each.startswith(("inveon", "python3"))]
APP = "inveon app"  # goes on until it is ended; app/test_browser.py has it


def test_the_readme_names_every_way_to_work() -> None:
    verbs = {command.split()[1] for command in README_COMMANDS if command.startswith("inveon")}
    ways = {
        "app",
        "demo",
        "convert",
        "info",
        "check",
        "explain",
        "batch",
        "subjects",
        "report",
        "send",
        "verify",
        "remove",
        "config",
        "nifti",
        "bids",
        "curves",
        "restore",
        "zarr",
    }
    assert verbs == ways


@pytest.mark.usefixtures("batches_here")
def test_every_command_of_the_readme_runs_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, after the demo that the first block makes, each into an output of its own."""
    monkeypatch.setattr(files, "STUDY", {name: coarse(scan) for name, scan in files.STUDY.items()})
    draw_one_pixel(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert commands_of(README)[:2] == ["pip install .", "inveon demo demo"]
    for command in (each for each in README_COMMANDS if each != APP):
        if command.startswith("inveon zarr") and not find_spec("zarr"):
            continue  # on Python 3.10, which it says
        if command.startswith("inveon"):
            result = run(command)
            assert result.exit_code == 0, (command, result.output)
        else:
            _, _, module, *arguments = shlex.split(command)
            monkeypatch.setattr(sys, "argv", [module, *arguments])
            assert import_module(module).main() == 0, capsys.readouterr().err
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    exec(compile(block, "README.md", "exec"), {"__name__": "page"})  # noqa: S102 - our own page
    made = {path.parts[0] for each in tmp_path.rglob("*.dcm") if (path := each.relative_to(tmp_path))}
    assert made == {"demo", "dicom", "tree", "archive", "corrected", "enhanced", "legacy", "published", "from_python"}
    assert (tmp_path / "published" / "1" / "CT-000001.dcm").exists()
    assert (tmp_path / "report.html").exists()
