"""A folder -> pairs of header and data file, and what does not belong to a pair."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.errors import InputError, OptionError, listed, printable
from inveonimaging.inveon.foreign import foreign_kind
from inveonimaging.storage.folders import is_folder, nothing_at
from inveonimaging.storage.manifests import MANIFEST
from inveonimaging.storage.system_files import is_system_file

HEADER_SUFFIX = ".hdr"
DATA_SUFFIX = ".img"
SETTINGS_FILE = "inveon.toml"
"""The settings of a site, which may lie beside the files."""
TAKES_ALL = '"inveon batch" converts all that are below'
_MOST_LOOKED_INTO = 500  # folders
_MOST_OPENED = 20  # files
_NAMED = 5
_PREAMBLE = 128  # bytes


@dataclass(frozen=True)
class Pair:
    """A header file and its data file."""

    header: Path
    data: Path

    @property
    def name(self) -> str:
        """The data file's name, which orders the pairs of a study."""
        return self.data.name


@dataclass(frozen=True)
class Foreign:
    """A header of another format, as `an Analyze header`, and the `.img` file that it describes, if it is there."""

    header: Path
    data: Path | None
    kind: str


@dataclass(frozen=True)
class Folder:
    """What one folder holds, each list sorted by name; what the system put there is in none of them."""

    path: Path
    pairs: tuple[Pair, ...]
    orphans: tuple[Path, ...]  # a .img without .hdr, or the reverse
    strays: tuple[Path, ...]  # any other file
    folders: tuple[Path, ...]
    foreign: tuple[Foreign, ...] = ()

    @property
    def hidden(self) -> tuple[Path, ...]:
        """The folders whose name starts with a dot."""
        return tuple(each for each in self.folders if each.name.startswith("."))

    @property
    def entered(self) -> tuple[Path, ...]:
        """The folders that a search of a whole tree looks into: those that are neither hidden nor links."""
        return tuple(each for each in self.folders if each not in self.hidden and not each.is_symlink())

    def without_pairs(self, all_below: str = TAKES_ALL) -> InputError:
        """Return the error that there is no pair here, and what there is instead.

        Args:
            all_below: how the pairs of all folders below are taken.
        """
        if self.orphans:
            return half_error(self.orphans[0], self.orphans[1:])
        first = next(iter(self.foreign), None)
        if first:
            return no_pairs(self.path, hint=f"{printable(first.header.name)} is {first.kind}")
        typed = f'inveon check "{printable(self.path, 300)}"'
        if dicom := next(filter(is_dicom, self.strays[:_MOST_OPENED]), None):
            return no_pairs(self.path, hint=f"{printable(dicom.name)} is DICOM; type: {typed}")
        if any(each.name == MANIFEST for each in self.strays):
            return no_pairs(self.path, hint=f"what a conversion wrote is DICOM; type: {typed}")
        below = first_below(self)
        hint = f'there are some in "{printable(below, 300)}": name it; {all_below}' if below else None
        return no_pairs(self.path, hint=hint)


def first_below(folder: Folder) -> Path | None:
    """Return the first folder below one that holds a pair; only so many are looked into."""
    waiting = deque(folder.entered)
    for _ in range(_MOST_LOOKED_INTO):
        if not waiting:
            break
        try:
            found = scan_folder(waiting.popleft())
        except InputError:
            continue
        if found.pairs:
            return found.path
        waiting.extend(found.entered)
    return None


def half_error(path: Path, others: Sequence[Path] = ()) -> InputError:
    """Return the error that a file is half of a pair: which half is missing, and where it is expected.

    Args:
        path: the half that is there.
        others: more halves in its folder.
    """
    what, name = ("data file", data_name(path)) if _has(path, HEADER_SUFFIX) else ("header", path.name + HEADER_SUFFIX)
    count, names = len(others), listed([printable(each.name) for each in others], _NAMED)
    more = f"{count} more {'file is half' if count == 1 else 'files are halves'} of a pair: {names}" if count else None
    expected = f'"{printable(path.with_name(name), 300)}"'
    return InputError(f"half of a pair: its {what} is missing", path=path, expected=expected, hint=more)


def reason_of_half(path: Path) -> str:
    """Return why a half of a pair is skipped; without its name, which the place of the finding has."""
    missing = (
        ".img, expected beside this header" if _has(path, HEADER_SUFFIX) else ".img.hdr, expected beside this .img"
    )
    return f"half of a pair: there is no {missing}"


def only_named(pairs: Sequence[Pair], names: Sequence[str], source: Path) -> Sequence[Pair]:
    """Return the pairs of these names, of data file or header; all of them if there is no name.

    Raises:
        OptionError: there is no pair of a name.
    """
    if not names:
        return pairs
    for name in names:
        if not any(name in {each.data.name, each.header.name} for each in pairs):
            known = listed([printable(each.name) for each in pairs], _NAMED)
            error = OptionError(f"holds no scan '{printable(name)}'", path=source, expected=f"one of {known}")
            error.attribute = "only"
            raise error
    return [each for each in pairs if {each.data.name, each.header.name} & {*names}]


def no_pairs(path: Path, where: str = "here", hint: str | None = None) -> InputError:
    """Return the error that no pair is where some were expected."""
    return InputError(f"no Inveon files {where}", path=path, expected="pairs of NAME.img and NAME.img.hdr", hint=hint)


def scan_folder(path: Path) -> Folder:
    """Return what a folder holds.

    A header `NAME.img.hdr` or `NAME.hdr` belongs to `NAME.img`; upper and lower case of the suffixes do not matter.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            kept = (each for each in entries if each.name != SETTINGS_FILE and not is_system_file(each.name))
            found = sorted(kept, key=lambda entry: entry.name)
            folders = tuple(Path(entry) for entry in found if is_folder(entry))
            files = [Path(entry) for entry in found if not is_folder(entry)]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from error
    headers = [file for file in files if _has(file, HEADER_SUFFIX)]
    kinds = {file: kind for file in headers if (kind := foreign_kind(file))}
    data = [file for file in files if _has(file, DATA_SUFFIX)]
    pairs = _pairs([file for file in headers if file not in kinds], data)
    paired = {file for pair in pairs for file in (pair.header, pair.data)}
    described = {pair.header: pair.data for pair in _pairs(list(kinds), [file for file in data if file not in paired])}
    foreign = tuple(Foreign(file, described.get(file), kind) for file, kind in kinds.items())
    known = {*paired, *kinds, *described.values()}
    orphans = tuple(file for file in files if file not in known and _has(file, HEADER_SUFFIX, DATA_SUFFIX))
    strays = tuple(file for file in files if not _has(file, HEADER_SUFFIX, DATA_SUFFIX))
    return Folder(path, pairs, orphans, strays, folders, foreign)


def count_pairs(path: Path) -> int:
    """Return how many pairs a folder seems to hold, by their names alone: no file is opened.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            files = [Path(each.name) for each in entries if not is_system_file(each.name)]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from error
    headers = [file for file in files if _has(file, HEADER_SUFFIX)]
    return len(_pairs(headers, [file for file in files if _has(file, DATA_SUFFIX)]))


def _pairs(headers: list[Path], data: list[Path]) -> tuple[Pair, ...]:
    stems = _by_stem(headers)
    return tuple(Pair(header, file) for file in data if (header := _header_for(file, stems)))


def pair_of(path: Path) -> Pair:
    """Return the pair that a path of its header or of its data file names.

    Raises:
        InputError: there is no such file, or its other half is missing.
    """
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
        raise nothing_at(path)
    siblings = scan_folder(path.parent)
    for pair in siblings.pairs:
        if path.name in (pair.header.name, pair.data.name):
            return Pair(path.with_name(pair.header.name), path.with_name(pair.data.name))
    for each in siblings.foreign:
        if path.name == each.header.name:
            raise InputError(f"is {each.kind}", path=path, expected="an Inveon header, NAME.img.hdr")
        if each.data is not None and path.name == each.data.name:
            header = f"its header {printable(each.header.name)} is {each.kind}"
            raise InputError(header, path=path, expected="an Inveon header, NAME.img.hdr")
    if _has(path, HEADER_SUFFIX, DATA_SUFFIX):
        raise half_error(path)
    if is_dicom(path):
        hint = f'type: inveon check "{printable(path, 300)}"'
        raise InputError("is DICOM", path=path, expected="an Inveon file, NAME.img or NAME.img.hdr", hint=hint)
    raise InputError("is not an Inveon file", path=path, expected="NAME.img or NAME.img.hdr")


def is_dicom(path: Path) -> bool:
    """Return whether a regular file begins as DICOM files do (PS3.10 7.1)."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError:
        return False


def _has(path: Path, *suffixes: str) -> bool:
    return path.name.lower().endswith(suffixes) and not is_system_file(path.name)


def _by_stem(headers: list[Path]) -> dict[str, Path]:
    """Return headers by their names without .hdr: as they are, and with the .img in lower case."""
    stems = {file.name[: -len(HEADER_SUFFIX)]: file for file in headers}
    return {_folded(stem): file for stem, file in stems.items()} | stems


def _folded(name: str) -> str:
    stem = name[: -len(DATA_SUFFIX)]
    return stem + DATA_SUFFIX if name.lower().endswith(DATA_SUFFIX) else name


def _header_for(data: Path, headers: dict[str, Path]) -> Path | None:
    stems = (data.name, _folded(data.name), data.name[: -len(DATA_SUFFIX)])
    return next((headers[stem] for stem in stems if stem in headers), None)


def data_name(header: Path) -> str:
    """Return the name of the data file that belongs to a header."""
    name = header.name[: -len(HEADER_SUFFIX)]
    return name if name.lower().endswith(DATA_SUFFIX) else name + DATA_SUFFIX


def reason_of(foreign: Foreign) -> str:
    """Return why a header of another format is skipped."""
    data = " of the .img beside it" if foreign.data else ""
    return f"{foreign.kind}{data}, no Inveon header"
