"""Findings on stderr: one line a problem, however many lines, frames or files it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers import header_text, inveon, write_thin_study
from inveonimaging.cli.messages import say_findings
from inveonimaging.findings import Finding, Severity, in_few_lines

FRAMES = 40


@pytest.fixture(scope="module")
def many_frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PET of 40 frames whose event_type nobody knows."""
    folder = tmp_path_factory.mktemp("frames")
    frames = [{"event_type": "8", "data_file_pointer": f"0 {48 * frame}"} for frame in range(FRAMES)]
    (folder / "a.img.hdr").write_text(header_text(frames=frames))
    (folder / "a.img").write_bytes(bytes(4 * 3 * 2 * 2 * FRAMES))
    return folder


def lines_of(path: Path, word: str) -> list[int]:
    return [number for number, line in enumerate(path.read_text().splitlines(), 1) if line.startswith(word)]


@pytest.mark.parametrize("command", ["info", "check"])
def test_an_unknown_code_of_all_frames_is_one_line(many_frames: Path, command: str) -> None:
    result = inveon(command, many_frames)
    messages = [line for line in (result.stdout + result.stderr).splitlines() if "event_type is '8'" in line]
    first, second, third, *rest = lines_of(many_frames / "a.img.hdr", "event_type ")
    assert len(rest) == 37
    assert len(messages) == 1
    assert f"({FRAMES} times: lines {first}, {second}, {third} and 37 more)" in messages[0]
    assert str(first) in messages[0]


def finding(line: int | None, message: str, path: str = "a.hdr", code: str = "c") -> Finding:
    return Finding(code, message, line=line, path=path)


def test_what_is_reported_of_other_lines_with_other_numbers_is_one_line() -> None:
    found = in_few_lines([finding(3, "frame 0 is 1.5"), finding(9, "frame 1 is -2"), finding(5, "another")])
    assert [str(each) for each in found] == [
        "a.hdr:3: frame 0 is 1.5 (and 1 more like this: lines 3, 9)",
        "a.hdr:5: another",
    ]


def test_without_lines_other_numbers_are_other_problems() -> None:
    found = [finding(None, "series 2 has no space"), finding(None, "series 3 has no space")]
    assert in_few_lines(found) == tuple(found)
    severe = Finding("c", "m", Severity.ERROR, line=1, path="a"), Finding("c", "m", Severity.INFO, line=2, path="a")
    assert in_few_lines(severe) == severe


def test_a_problem_of_many_files_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    few = [finding(None, "skipped", path=f"d/{name}") for name in "abc"]
    assert in_few_lines(few) == tuple(few)
    say_findings([finding(None, "skipped", path=f"d/{number}\x1b.txt") for number in range(77)])
    assert capsys.readouterr().err == (
        "warning: d/0\\x1b.txt: skipped (and in 76 more: 1\\x1b.txt, 2\\x1b.txt, 3\\x1b.txt and 73 more) [c]\n"
    )


def test_a_folder_of_strays_is_one_line_in_every_command(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path / "in")
    for number in range(77):
        (study / f"{number:02}.txt").touch()
    for command in (("info",), ("check",), ("convert", tmp_path / "out"), ("report", "--png", tmp_path / "png")):
        name, *rest = command
        result = inveon(name, study, *rest[:-1], *rest[-1:]) if name != "convert" else inveon(name, study, *rest, "-n")
        messages = [
            line for line in (result.stdout + result.stderr).splitlines() if "neither .img nor .img.hdr" in line
        ]
        assert len(messages) == 1, command
        assert "(and in 76 more: 01.txt, 02.txt, 03.txt and 73 more)" in messages[0]


@pytest.mark.parametrize("columns", [60, 80])
def test_the_plan_keeps_file_names_whole(tmp_path: Path, columns: int) -> None:
    study = write_thin_study(tmp_path / "in")
    name = "a_rather_long_name_of_a_mouse_v1.pet.img"
    for suffix in ("", ".hdr"):
        (study / f"m1.pet.img{suffix}").rename(study / f"{name}{suffix}")
    shown = inveon("convert", study, tmp_path / "out", "-n", columns=columns).stdout
    assert name in shown.split()
    assert "1/CT-000001.dcm" in shown.replace("2/", "1/") or "1/PET-000001.dcm" in shown
    assert not re.search(r"\b1 (files|studies|series\b.*are)", shown)


@pytest.mark.usefixtures("batches_here")
def test_one_study_is_no_studies(tmp_path: Path) -> None:
    write_thin_study(tmp_path / "in" / "a")
    shown = inveon("batch", tmp_path / "in", tmp_path / "out").stdout
    assert re.match(r"1 study in \d+ s", shown.strip())
