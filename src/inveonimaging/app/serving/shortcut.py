"""An entry of the system's menu that starts the app: a .desktop file, a link of the start menu, a file on the desktop.

Sources: the Desktop Entry Specification 1.5 (how `Exec` is quoted), and what CommandLineToArgvW reads.
"""

from __future__ import annotations

import importlib.resources
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from inveonimaging.app.memory.state import user_folder
from inveonimaging.errors import InputError, OutputError, printable
from inveonimaging.storage.whole_files import write_whole

_MADE_BY = "Made by inveon app --shortcut"
"""In every entry of ours; a file without it is another's."""

POWERSHELL = """\
$ErrorActionPreference = 'Stop'
$file = Get-Item -LiteralPath $env:INVEON_LINK
$folder = (New-Object -ComObject Shell.Application).NameSpace($file.DirectoryName)
$link = $folder.ParseName($file.Name).GetLink
$link.Path = $env:INVEON_PROGRAM
$link.Arguments = $env:INVEON_ARGUMENTS
$link.WorkingDirectory = $env:INVEON_FOLDER
$link.Description = $env:INVEON_WORDS
$link.ShowCommand = 7
$link.Save()
"""
"""Takes all that is a name from the environment, so that none is read as a command. 7: small, in the task bar."""

_LONGEST_ARGUMENTS = 1000  # of a link
_TIME_LIMIT_S = 60
_VARIABLE = re.compile("%[^%]+%")
_RESERVED = re.compile(r'(["`$\\])')


def program() -> list[str]:
    """Return what starts `inveon`: the frozen program, the command that pip made, or the module."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    command = Path(sys.executable).with_name("inveon.exe" if sys.platform == "win32" else "inveon")
    return [str(command)] if command.is_file() else [sys.executable, "-m", "inveonimaging"]


def make_shortcut(words: Sequence[str], system: str = sys.platform) -> Path:
    """Make an entry that runs a command; one of ours is replaced.

    Args:
        words: the command's program and its arguments.
        system: as `sys.platform` names it.

    Returns:
        where the entry lies.

    Raises:
        InputError: the system has no way to write such a name there.
        OutputError: the place holds a file of others, or cannot be written.
    """
    place = place_of(system)
    _refuse_others(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if system == "win32":
            _make_link(place, words)
        elif system == "darwin":
            write_whole(place, os.fsencode(command_file(words)), overwrite=True)
            place.chmod(0o755)
        else:
            write_whole(place, desktop_entry(words, _icon()).encode(), overwrite=True)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", path=place) from error
    return place


def place_of(system: str) -> Path:
    """Return where the entry lies: in the menu of this user."""
    if system == "win32":
        base = os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming"
        return Path(base, "Microsoft", "Windows", "Start Menu", "Programs", "inveon.lnk")
    if system == "darwin":
        return Path.home() / "Desktop" / "inveon.command"
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base, "applications", "inveon.desktop")


def desktop_entry(words: Sequence[str], icon: Path | None) -> str:
    """Return an entry as Linux' desktops read it.

    Raises:
        InputError: a name is no text, or the program's has a character that may not be there.
    """
    for each in (*words, str(icon or "")):
        if any("\ud800" <= letter <= "\udfff" for letter in each):
            raise InputError("its name is not UTF-8, which an entry of the menu must be", path=each)
    if "=" in words[0]:
        raise InputError("a program with = in its path cannot be in an entry of the menu", path=words[0])
    if "%" in words[0]:  # GLib looks for the program by its name before it reads %%
        words = ["/usr/bin/env", *words]
    rows = {
        "Type": "Application",
        "Version": "1.0",
        "Name": "inveon",
        "Comment": "Look at scans of Siemens Inveon and convert them to DICOM",
        "Exec": _as_value(" ".join(map(_as_argument, words))),
        "Icon": _as_value(str(icon)) if icon else "applications-science",
        "Terminal": "false",
        "Categories": "Science;MedicalSoftware;",
    }
    return "\n".join(["[Desktop Entry]", f"# {_MADE_BY}", *(f"{name}={value}" for name, value in rows.items()), ""])


def command_file(words: Sequence[str]) -> str:
    """Return a file that the Finder opens in a terminal."""
    return f'#!/bin/sh\n# {_MADE_BY}\ncd "$HOME" && exec {shlex.join(words)}\n'


def _as_argument(word: str) -> str:
    """Return an argument of `Exec`."""
    return '"' + _RESERVED.sub(r"\\\1", word).replace("%", "%%") + '"'


def _as_value(text: str) -> str:
    """Return the text of a value."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _icon() -> Path | None:
    """Return where the icon lies: a copy that stays when the program is moved; None if there can be none."""
    path = user_folder() / "icon.svg"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes((importlib.resources.files("inveonimaging.app") / "static" / "icon.svg").read_bytes())
    except OSError:
        return None
    return path


def _make_link(place: Path, words: Sequence[str]) -> None:
    arguments = subprocess.list2cmdline(words[1:])
    if len(arguments) > _LONGEST_ARGUMENTS:
        raise InputError(f"a link takes {_LONGEST_ARGUMENTS} characters after the program", got=len(arguments))
    for each in words:
        if _VARIABLE.search(each):  # Windows would put a variable in its place
            raise InputError("a path with % twice cannot be in a link", path=each)
    place.write_bytes(b"")
    given = {"LINK": place, "PROGRAM": words[0], "ARGUMENTS": arguments, "FOLDER": Path.home(), "WORDS": _MADE_BY}
    environment = {**os.environ, **{f"INVEON_{name}": str(value) for name, value in given.items()}}
    shell = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "WindowsPowerShell", "v1.0", "powershell.exe")
    command = [str(shell), "-NoProfile", "-NonInteractive", "-Command", POWERSHELL]
    try:
        done = subprocess.run(  # noqa: S603 - the script is our own, and names are in the environment
            command, check=False, env=environment, capture_output=True, timeout=_TIME_LIMIT_S
        )
        failed = printable(done.stderr.decode("utf-8", "replace").strip(), 300) if done.returncode else ""
    except subprocess.TimeoutExpired:
        failed = f"PowerShell did not end within {_TIME_LIMIT_S} s"
    if failed or not place.stat().st_size:
        place.unlink(missing_ok=True)
        raise OutputError(f"the link cannot be made: {failed or 'PowerShell wrote nothing'}", path=place)


def _refuse_others(place: Path) -> None:
    try:
        content = place.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"cannot be read: {error.strerror}", path=place) from error
    if content and _MADE_BY.encode() not in content and _MADE_BY.encode("utf-16-le") not in content:
        raise OutputError("exists, and is not of this program", path=place, hint="move it away, and try again")
