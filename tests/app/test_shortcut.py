"""An entry of the menu runs what it was made for, whatever is in its names, and replaces no file of others."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import skip_or_fail
from helpers import assert_one_line_error, inveon
from inveonimaging.app.serving import shortcut
from inveonimaging.errors import InputError, OutputError

NAMES = [
    "mouse 3",
    "it's",
    'say "no"',
    "50 % & more",
    "%f %u",
    "$HOME",
    "`date`",
    "back\\slash",
    "a;b|c>d<e",
    "M\u00e4use \u9f20",
    "line\nbreak",
    "-dash",
    "&calc&",
    "$(calc)",
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "USERPROFILE", "XDG_DATA_HOME", "XDG_STATE_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
        (tmp_path / name.lower()).mkdir()
    return tmp_path / "home"


def words_of(entry: str) -> list[str]:
    """Read `Exec` as the specification says: the value, then arguments in quotation marks, then % for fields."""
    (line,) = [each.removeprefix("Exec=") for each in entry.splitlines() if each.startswith("Exec=")]
    escapes = {"n": "\n", "r": "\r", "t": "\t", "s": " ", "\\": "\\"}
    letters, text = iter(line), ""
    for letter in letters:
        text += letter if letter != "\\" else escapes[next(letters)]
    words: list[str] = []
    letters, is_inside = iter(text), False
    for letter in letters:
        if letter == '"':
            is_inside = not is_inside
            words += [""] if is_inside else []
        elif is_inside:
            words[-1] += next(letters) if letter == "\\" else letter
        else:
            assert letter == " "
    assert not any("%" in each.replace("%%", "") for each in words)
    return [each.replace("%%", "%") for each in words]


def test_an_entry_of_linux_runs_what_it_was_made_for(tmp_path: Path) -> None:
    words = ["/opt/my programs/50 % $x/inveon", "app", *(f"--root=/data/{name}" for name in NAMES)]
    place = shortcut.make_shortcut(words, "linux")
    assert place == tmp_path / "xdg_data_home" / "applications" / "inveon.desktop"
    entry = place.read_text("utf-8")
    assert words_of(entry) == ["/usr/bin/env", *words]  # GLib finds no program with % by itself
    assert "Terminal=false\n" in entry
    (icon,) = [each.removeprefix("Icon=") for each in entry.splitlines() if each.startswith("Icon=")]
    assert Path(icon).read_text("utf-8").startswith("<svg")
    assert shortcut.make_shortcut(["/usr/bin/inveon", "app"], "linux") == place  # one of ours is replaced
    assert words_of(place.read_text("utf-8")) == ["/usr/bin/inveon", "app"]


@pytest.mark.debian
def test_desktops_take_the_entry() -> None:
    program = shutil.which("desktop-file-validate")
    if program is None:
        skip_or_fail("desktop-file-validate is not installed")
    place = shortcut.make_shortcut(["/opt/a b/inveon", "app", *(f"--root={name}" for name in NAMES)], "linux")
    done = subprocess.run([str(program), str(place)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_of_a_mac_runs_what_it_was_made_for(home: Path, tmp_path: Path) -> None:
    """By the shell that is here."""
    shown = tmp_path / "said"
    names = [*NAMES, "\udcff"]
    words = ["sh", "-c", f'cd /; for each; do printf "%s\\0" "$each"; done > {shown}', "sh", *names]
    place = shortcut.make_shortcut(words, "darwin")
    assert place == home / "Desktop" / "inveon.command"
    if sys.platform != "win32":
        assert place.stat().st_mode & 0o111
        subprocess.run([place], check=True)
        assert shown.read_text("utf-8", "surrogateescape") == "".join(f"{each}\0" for each in names)


def test_a_link_of_windows_gets_its_names_as_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is in the script that PowerShell reads."""
    asked: dict[str, Any] = {}

    def run(command: list[str], **how: Any) -> subprocess.CompletedProcess[bytes]:
        asked.update(command=command, **how)
        Path(how["env"]["INVEON_LINK"]).write_bytes(b"link " + how["env"]["INVEON_WORDS"].encode("utf-16-le"))
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr("inveonimaging.app.serving.shortcut.subprocess.run", run)
    words = ["C:\\Users\\M\u00e4x & Co\\inveon.exe", "app", r"--root=D:\a b\$(calc)", "--root=\\\\server\\share x\\"]
    place = shortcut.make_shortcut(words, "win32")
    assert place == tmp_path.joinpath("appdata", "Microsoft", "Windows", "Start Menu", "Programs", "inveon.lnk")
    assert asked["command"][1:] == ["-NoProfile", "-NonInteractive", "-Command", shortcut.POWERSHELL]
    assert asked["command"][0].endswith("powershell.exe")
    given = {name: value for name, value in asked["env"].items() if name.startswith("INVEON_")}
    assert given["INVEON_PROGRAM"] == words[0]
    assert given["INVEON_ARGUMENTS"] == r'app "--root=D:\a b\$(calc)" "--root=\\server\share x\\"'
    used = {each.partition("$env:INVEON_")[2].rstrip(")") for each in shortcut.POWERSHELL.split() if "$env:" in each}
    assert used == {"LINK", "PROGRAM", "ARGUMENTS", "FOLDER", "WORDS"}
    assert "Invoke-Expression" not in shortcut.POWERSHELL
    assert '"' not in shortcut.POWERSHELL  # in which PowerShell would replace variables
    shortcut.make_shortcut(words, "win32")  # one of ours is replaced


@pytest.mark.parametrize("code", [0, 1])
def test_a_link_that_is_not_made_leaves_nothing(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    done = subprocess.CompletedProcess([], code, b"", b"Access is denied.\r\n" if code else b"")
    monkeypatch.setattr("inveonimaging.app.serving.shortcut.subprocess.run", lambda *_, **__: done)
    with pytest.raises(OutputError, match="Access is denied" if code else "wrote nothing"):
        shortcut.make_shortcut(["inveon.exe", "app"], "win32")
    assert not shortcut.place_of("win32").exists()


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_a_file_of_others_stays(system: str) -> None:
    place = shortcut.place_of(system)
    place.parent.mkdir(parents=True)
    place.write_text("[Desktop Entry]\nName=another\n", "utf-8")
    with pytest.raises(OutputError, match="is not of this program"):
        shortcut.make_shortcut(["/usr/bin/inveon", "app"], system)
    assert place.read_text("utf-8") == "[Desktop Entry]\nName=another\n"


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("linux", ["/opt/a=b/inveon", "app"]),
        ("linux", ["/opt/inveon", "app", "--root=/data/\udcff"]),
        ("win32", ["inveon.exe", "app", r"--root=C:\%TEMP%\x"]),
        ("win32", ["inveon.exe", "app", "--root=" + "x" * 1000]),
    ],
)
def test_what_an_entry_cannot_hold_is_refused(system: str, words: list[str]) -> None:
    with pytest.raises(InputError):
        shortcut.make_shortcut(words, system)
    assert not shortcut.place_of(system).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the entry of Linux")
def test_the_command_says_where_and_puts_its_options_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my data").mkdir()
    monkeypatch.chdir(tmp_path)
    done = inveon("app", "--shortcut", "--root", "my data", "--port", "8123")
    place = tmp_path / "xdg_data_home" / "applications" / "inveon.desktop"
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{place}\n", "")
    words = words_of(place.read_text("utf-8"))
    assert words[-3:] == ["app", f"--root={tmp_path / 'my data'}", "--port=8123"]
    assert Path(words[0]).is_absolute()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/inveon/inveon")
    assert inveon("app", "--shortcut").exit_code == 0
    assert words_of(place.read_text("utf-8")) == ["/opt/inveon/inveon", "app"]
    place.write_text("another", "utf-8")
    done = inveon("app", "--shortcut")
    assert_one_line_error(done.exit_code, done.stdout, done.stderr)
