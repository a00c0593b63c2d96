"""What people see at a terminal: colours, progress, and no line of a table or bar wider than the window."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from forked import on_terminal
from helpers import CT, PET, assert_harmless
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.phantom import write_scan

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")

COLUMNS = 60
RED, YELLOW, CYAN, DIM, RESET = "\x1b[1;31m", "\x1b[33m", "\x1b[36m", "\x1b[2m", "\x1b[0m"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COMMANDS = """
import json, sys
from inveonimaging.cli.main import app
for arguments in json.loads(sys.argv[1]):
    try:
        app(arguments, standalone_mode=False)
    except Exception as end:
        assert type(end).__name__ == "Exit", repr(end)
    sys.stdout.flush()
    sys.stderr.flush()
    print("END", flush=True)
"""


def typed(*commands: tuple[object, ...], **environment: str) -> list[str]:
    """Return what a terminal of 60 columns gets from each of some commands, which one process runs."""
    asked = json.dumps([[str(each) for each in command] for command in commands])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        both, variables = {"stdout", "stderr"}, {"TERM": "xterm-256color"} | environment
        done, got = on_terminal(both, "-c", COMMANDS, asked, size=(40, COLUMNS), environment=variables)
    assert done.returncode == 0, got
    return got.replace("\r\n", "\n").split("END\n")[:-1]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what the commands show of a study whose posture is not known."""
    study, out = tmp_path_factory.mktemp("study"), tmp_path_factory.mktemp("out")
    for name, scan in {"m.ct.img": CT, "m.pet.img": PET}.items():
        write_scan(study / name, replace(scan, orientation=Orientation.UNKNOWN))
    commands: dict[str, tuple[object, ...]] = {
        "convert": ("convert", study, out / "dicom"),
        "refused": ("convert", study, out / "dicom"),
        "check": ("check", study),
        "verify": ("verify", study, out / "dicom"),
        "other": ("verify", study / "m.pet.img", out / "dicom" / "2", "--orientation", "HFP"),
        "send": ("send", out / "dicom", "dicom://A@B:127.0.0.1:1", "--retries", "0"),
        "report": ("report", study / "m.pet.img", "-o", out / "report.html"),
    }
    return dict(zip(commands, typed(*commands.values()), strict=True))


def test_errors_warnings_and_notes_are_distinguished_by_colour(seen: dict[str, str]) -> None:
    assert f"{YELLOW}warning:{RESET} " in seen["convert"]
    assert f"{CYAN}note:{RESET} " in seen["convert"]
    assert f"{DIM} [orientation-unknown]{RESET}" in seen["convert"]
    assert f"{RED}error:{RESET} " in seen["refused"]
    assert f"{RED}error:{RESET} " in seen["send"]
    assert f"{RED}differs:{RESET} " in seen["other"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("convert", "Writing"),
        ("report", "Drawing"),
        ("check", "Checking"),
        ("verify", "Comparing"),
        ("send", "Sending"),
    ],
)
def test_whatever_takes_long_shows_how_far_it_is_and_leaves_no_trace(
    seen: dict[str, str], command: str, message: str
) -> None:
    bars = [line for line in re.split(r"[\r\n]", seen[command]) if message in line]
    assert bars
    assert command == "send" or any("100%" in line for line in bars)
    assert "\x1b[?25l" in seen[command]  # the cursor is away
    assert seen[command].count("\x1b[?25h") == seen[command].count("\x1b[?25l")  # and there again
    assert "\x1b[2K" in seen[command].split(bars[-1])[-1]  # and the bar is not


def test_no_bar_and_no_table_is_wider_than_the_window(seen: dict[str, str]) -> None:
    lines = [ESCAPE.sub("", line) for text in seen.values() for line in re.split(r"[\r\n]", text)]
    drawn = [line for line in lines if set(line) & set("━╸│┃")]
    assert len(drawn) > 20
    assert max(map(len, drawn)) <= COLUMNS


def test_nothing_but_the_colours_steers_the_terminal(seen: dict[str, str]) -> None:
    for text in seen.values():
        assert_harmless(ESCAPE.sub("", text).replace("\r", ""))


def test_who_wants_no_colours_gets_none(tmp_path: Path) -> None:
    (reported,) = typed(("info", tmp_path / "none"), NO_COLOR="1")
    assert "error: " in re.sub(r"\x1b\[[01]m", "", reported)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", reported)
