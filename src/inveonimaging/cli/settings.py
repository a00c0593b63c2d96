"""What a site has verified once: `inveon.toml` of the user and of a folder, which options win over.

Data that come from elsewhere bring no target: a file beside them says how they are read, and the one of the user or of
the current folder where DICOM is sent.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from inveonimaging.errors import InveonError, OptionError, printable
from inveonimaging.inveon.pairs import SETTINGS_FILE
from inveonimaging.storage.bounded import read_bounded

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

USER, FOLDER = "user", "folder"
_LARGEST = 16 * 1024  # what reads TOML takes 10 s for a key of 64 KB
_SECRET = re.compile(r"pass|secret|token|user|credential|auth|key", re.IGNORECASE)
_TARGET_NAME = re.compile(r"[A-Za-z][\w-]{0,63}", re.ASCII)
_TARGETS = "targets"


def _posture(value: str, _folder: Path) -> str:
    from inveonimaging.study.corrections import Corrections

    posture = Corrections(orientation=value).orientation
    return posture.name if posture else value


def _bed_direction(value: str, _folder: Path) -> str:
    from inveonimaging.study.corrections import Corrections

    direction = Corrections(bed_direction=value).bed_direction
    return direction.value if direction else value


def _prefix(value: str, _folder: Path) -> str:
    from inveonimaging.conversion.options import Options

    Options(prefixes={"PET": value})
    return value


def _code_table(value: str, folder: Path) -> Path:
    from inveonimaging.dicom.codes import read_code_table

    read_code_table(folder / value)
    return folder / value


def _ae_title(value: str, _folder: Path) -> str:
    from inveonimaging.sending.target import DicomTarget, target_of

    with contextlib.suppress(OptionError):
        target = target_of(f"dicom://{value}@A:host:104")
        if isinstance(target, DicomTarget):
            return target.calling
    raise OptionError(key="ae-title", got=value, expected="1 to 16 characters, without @ and backslash")


class Setting(NamedTuple):
    """What can be set: its name in the file, the argument of the commands, how it is read, and what counts without."""

    name: str
    argument: str
    read: Callable[[str, Path], Any]
    default: str


SETTINGS = (
    Setting("posture", "orientation", _posture, "of each header"),
    Setting("bed-direction", "bed_direction", _bed_direction, "forward, with a warning"),
    Setting("code-table", "code_table", _code_table, "none"),
    Setting("ct-prefix", "ct_prefix", _prefix, "CT-"),
    Setting("pet-prefix", "pet_prefix", _prefix, "PET-"),
    Setting("nm-prefix", "nm_prefix", _prefix, "NM-"),
    Setting("ae-title", "", _ae_title, "none"),
)
_BY_NAME = {each.name: each for each in SETTINGS} | {"orientation": SETTINGS[0]}


@dataclass(frozen=True)
class Value:
    """A value of a file: as it is taken and as the file has it; the file, its line, and whose it is."""

    taken: Any
    text: str
    path: Path
    line: int | None
    whose: str

    @property
    def origin(self) -> str:
        """Where it came from, without a path of this computer: `inveon.toml of the folder, line 3`."""
        return f"{SETTINGS_FILE} of the {self.whose}" + ("" if self.line is None else f", line {self.line}")

    @property
    def place(self) -> str:
        """Where it came from: `/data/inveon.toml:3`."""
        return f"{self.path}" + ("" if self.line is None else f":{self.line}")


@dataclass(frozen=True)
class Settings:
    """What the files say, by name; those of a folder win over those of the user."""

    values: Mapping[str, Value] = field(default_factory=dict)
    targets: Mapping[str, Value] = field(default_factory=dict)

    def filled(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Value]]:
        """Return the options of a command, with what nobody typed taken from here, and what was taken."""
        taken = {
            each.name: self.values[each.name]
            for each in SETTINGS
            if each.name in self.values and each.argument in options and options[each.argument] is None
        }
        return {**options, **{_BY_NAME[name].argument: value.taken for name, value in taken.items()}}, taken

    def target(self, typed: str) -> str:
        """Return the address that was typed, or that has this name, with this side's AE title if it has none.

        Raises:
            OptionError: there is no target of this name.
        """
        if _TARGET_NAME.fullmatch(typed):
            if typed not in self.targets:
                known = ", ".join(map(printable, self.targets))
                expected = f"dicom://CALLING@CALLED:host:port, https://host/dicom-web, or a name in {SETTINGS_FILE}"
                raise OptionError(
                    "the target is not an address", expected=expected, hint=known and f"names are {known}"
                )
            return str(self.targets[typed].taken)
        title = self.values.get("ae-title")
        is_without_title = typed.lower().startswith("dicom://") and "@" not in typed
        return f"dicom://{title.taken}@{typed[len('dicom://') :]}" if title and is_without_title else typed


def files_for(place: Path | None) -> dict[str, Path | None]:
    """Return where the settings stand: the user's file, and the first one above a place, else above this folder."""
    above = (first_above(place) if place is not None else None) or first_above(Path())
    user = user_file()
    is_same = user is not None and above is not None and _is_same(user, above)
    return {USER: user, FOLDER: None if is_same else above}


def settings_for(place: Path | None) -> Settings:
    """Return what counts for files at a place; None is for what is sent.

    Raises:
        OptionError: a file cannot be read, or says what makes no sense; with its line.
    """
    files = files_for(place)
    found = [_read(path, whose) for whose, path in files.items() if path is not None and os.path.lexists(path)]
    values, targets = dict[str, Value](), dict[str, Value]()
    for each in found:
        values.update(each.values)
        targets.update(each.targets)
    if "ae-title" in values:
        title = str(values["ae-title"].taken)
        targets = {name: _with_title(value, title) for name, value in targets.items()}
    for value in targets.values():
        try:
            _refuse_target(str(value.taken))
        except OptionError as error:
            raise _at(error, value.path, value.line) from None
    return Settings(values, targets)


def user_file() -> Path | None:
    """Return where the user's settings are: in the folder that the system has for such files."""
    folder = os.environ.get("APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME")
    if folder:
        return Path(folder, "inveon", SETTINGS_FILE)
    try:
        return Path.home() / ".config" / "inveon" / SETTINGS_FILE
    except RuntimeError:  # nobody's home
        return None


def first_above(place: Path) -> Path | None:
    """Return the first file of settings in a folder, or in those above it, that may be trusted."""
    start = Path(os.path.abspath(place))  # noqa: PTH100 - links stay, as typed
    for folder in (start, *start.parents):
        path = folder / SETTINGS_FILE
        if os.path.lexists(path) and not _is_of_others(path):
            return path
    return None


def _is_of_others(path: Path) -> bool:
    """Return whether a file was put by another user into a folder that everybody may write to, as /tmp."""
    if not hasattr(os, "getuid"):
        return False
    try:
        is_open = bool(path.parent.stat().st_mode & stat.S_IWOTH)
        return is_open and path.lstat().st_uid not in {0, os.getuid()}
    except OSError:
        return True


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _read(path: Path, whose: str) -> Settings:
    try:
        text = read_bounded(path, _LARGEST).decode("utf-8-sig").replace("\r\n", "\n")
        document = tomllib.loads(text)
    except OSError as error:
        raise OptionError(f"the settings cannot be read: {error.strerror}", path=path) from error
    except UnicodeDecodeError as error:
        raise OptionError("the settings are not in UTF-8", path=path) from error
    except (ValueError, RecursionError) as error:
        line = re.search(r"\(at line (\d+)", str(error))
        number = int(line[1]) if line else None
        hint = (
            "write paths with /, and not with a backslash" if number and "\\" in text.split("\n")[number - 1] else None
        )
        message, expected = "the settings are not valid TOML", 'lines as posture = "HFP"'
        raise OptionError(message, path=path, line=number, expected=expected, hint=hint) from error
    values, targets = dict[str, Value](), dict[str, Value]()
    for name, value in _values(document, path, text):
        line_number = _line_of(text, name)
        if name.startswith(f"{_TARGETS}."):
            own = name.partition(".")[2]
            targets[own] = Value(value, value, path, line_number, whose)
            continue
        try:
            taken = _setting(name).read(value, path.parent)
        except InveonError as error:
            raise _at(error, path, line_number, name) from error
        if _setting(name).name in values:  # TOML knows only that of two keys that are spelled alike
            other = values[_setting(name).name]
            message = f"{_setting(name).name} is given twice, on line {other.line}, too"
            raise OptionError(message, path=path, line=line_number, expected="it once")
        values[_setting(name).name] = Value(taken, value, path, line_number, whose)
    return Settings(values, targets)


def _values(document: Mapping[str, Any], path: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yield names and values of a file; what cannot be there is refused, and a value that may be secret never shown."""
    for name, value in document.items():
        rows = {name: value}
        if name == _TARGETS and isinstance(value, dict):
            rows = {f"{_TARGETS}.{own}": each for own, each in value.items()}
        for key, each in rows.items():
            own = key.rpartition(".")[2]
            line = _line_of(text, key)
            if key.startswith(f"{_TARGETS}.") and not _TARGET_NAME.fullmatch(own):
                expected = "a name of letters, digits, - and _"
                raise OptionError(f"the target's name is '{printable(own)}'", path=path, line=line, expected=expected)
            if key == _TARGETS:
                expected = 'a line [targets], and below it lines as pacs = "dicom://CALLING@CALLED:host:port"'
                raise OptionError(f"{_TARGETS} is not a table", path=path, line=line, expected=expected)
            if not key.startswith(f"{_TARGETS}.") and _plain(key) not in _BY_NAME:
                raise _unknown(key, path, line)
            if not isinstance(each, str):
                what = "an address" if key.startswith(_TARGETS) else "a text"
                raise OptionError(f"{printable(own)} is not text", path=path, line=line, expected=f'{what} in "..."')
            yield key, each


def _unknown(name: str, path: Path, line: int | None) -> OptionError:
    if _SECRET.search(name):
        hint = "set INVEON_USER and INVEON_PASSWORD, INVEON_TOKEN, or INVEON_DEIDENTIFY_KEY, or use a netrc file"
        return OptionError(f"{printable(name, 30)}: secrets do not belong here", path=path, line=line, hint=hint)
    names = [*(each.name for each in SETTINGS), f"[{_TARGETS}]"]
    near = difflib.get_close_matches(_plain(name)[:100], names, n=1)
    hint_text = f"did you mean {near[0]}?" if near else None
    message = f"there is no setting '{printable(name, 30)}'"
    return OptionError(message, path=path, line=line, expected=f"one of {', '.join(names)}", hint=hint_text)


def _setting(name: str) -> Setting:
    return _BY_NAME[_plain(name)]


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _line_of(text: str, name: str) -> int | None:
    """Return the line of a key; None if it is written in an unusual way."""
    own = name.rpartition(".")[2] if name.startswith(f"{_TARGETS}.") else name
    key = re.compile(rf"""\s*(?:{_TARGETS}\s*\.\s*)?["']?{re.escape(own)}["']?\s*(?:=|\.)""")
    return next((number for number, line in enumerate(text.split("\n"), 1) if key.match(line)), None)


def _at(error: InveonError, path: Path, line: int | None, name: str | None = None) -> OptionError:
    """Return an error with its place in a file, about a value of this name as the file has it."""
    if error.path is not None:  # of a file that the settings name
        return OptionError(f"{printable(name)}: {error}", path=path, line=line)
    message, key = error.message, name and printable(name)
    return OptionError(message, path=path, line=line, key=key, got=error.got, expected=error.expected, hint=error.hint)


def _with_title(value: Value, title: str) -> Value:
    address = Settings({"ae-title": Value(title, title, value.path, None, value.whose)}).target(str(value.taken))
    return Value(address, value.text, value.path, value.line, value.whose)


def _refuse_target(text: str) -> None:
    from inveonimaging.sending.target import target_of

    target_of(text)
