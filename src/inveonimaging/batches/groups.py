"""Pairs of one study: grouped by scanner, subject and day, without copies; rows of a sheet that are about them."""

from __future__ import annotations

import filecmp
import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from inveonimaging.animal.free_text import text_of
from inveonimaging.batches.names import name_of
from inveonimaging.batches.study import Planned, Study
from inveonimaging.batches.walk import Found, SkippedCounts, Step
from inveonimaging.errors import HeaderError, InputError, printable
from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.hdr.lexer import END
from inveonimaging.inveon.pairs import Pair, scan_folder
from inveonimaging.inveon.voxels import file_size
from inveonimaging.sheet.hotels import Hotel, hotel_of
from inveonimaging.sheet.matching import Sheet
from inveonimaging.study.image import LARGEST_HEADER

_PIECE = 64 * 1024
_END = re.compile(rf"^[ \t]*{END}".encode(), re.IGNORECASE | re.MULTILINE)


class Key(NamedTuple):
    """What the headers of a study agree in: texts without case and spaces; `folder` if nothing else is known."""

    scanner: str = ""
    subject: str = ""
    day: str = ""
    folder: str = ""

    @property
    def label(self) -> str:
        """What to call it; the same however the subject is spelled, and in whichever order the headers come."""
        return f"folder {PurePosixPath(self.folder).name}" if self.folder else f"{self.subject} {self.day}"


def grouped(steps: Iterable[Step], root: Path, start: datetime | None, passed: SkippedCounts) -> Iterator[Planned]:
    """Yield a study for each scanner, subject and day, once all headers are read, and what cannot be read at once.

    A pair whose header lacks subject or day, or cannot be read, belongs to the study of such pairs of its folder. Of
    each pair only its names and its group stay in memory.

    Args:
        steps: through the tree.
        root: of the tree.
        start: of scans whose header has none.
        passed: counts the pairs that headers cannot group.
    """
    groups: dict[Key, list[tuple[str, str]]] = {}
    for step in steps:
        if not isinstance(step, Found):
            yield step
            continue
        for pair in step.folder.pairs:
            key = _key_of(pair.header, start) or Key(folder=step.folder.path.relative_to(root).as_posix())
            passed.not_grouped += bool(key.folder)
            groups.setdefault(key, []).append((str(pair.header), str(pair.data)))
            yield None
    for key in sorted(groups):
        yield _study(name_of(key.label, repr(tuple(key))), groups.pop(key))


def _study(output: str, files: list[tuple[str, str]]) -> Study:
    source = os.path.commonpath([os.path.dirname(header) for header, _ in files])  # noqa: PTH120 - paths are texts here
    start = len(source.rstrip(os.sep)) + 1
    return Study(source, output, tuple((header[start:], data[start:]) for header, data in files))


def _key_of(path: Path, start: datetime | None) -> Key | None:
    """Return the group of a header; None if it does not say."""
    try:
        header, _ = parse(main_block(path))
    except HeaderError:
        return None
    scanned = header.acquisition.started_at or start
    identifier = text_of(header.subject.identifier)
    if scanned is None or identifier is None:
        return None
    model = "" if header.model is None else str(int(header.model))
    scanner = f"{model} {_plain(header.institution)}".strip()
    return Key(scanner, _plain(identifier), scanned.date().isoformat())


def _plain(text: str | None) -> str:
    return " ".join((text or "").split()).casefold()


def main_block(path: Path) -> bytes:
    """Return a header up to the end of its main block, or all of it; the blocks of frames may be long.

    Raises:
        HeaderError: it cannot be read.
    """
    file_size(path, HeaderError)  # refuses what is not a regular file
    data, end = b"", None
    try:
        with path.open("rb") as file:
            while end is None and len(data) < LARGEST_HEADER and (piece := file.read(_PIECE)):
                data += piece
                end = _END.search(data)
    except OSError as error:
        raise HeaderError(f"cannot be read: {error.strerror}", path=path) from error
    return data[: end.end()] if end else data


def rows_of(sheet: Sheet, study: Study) -> tuple[int, ...]:
    """Return the numbers of the rows that match scans of a study, whatever they say.

    A header that cannot be read has no subject; rows that name its file or folder match it all the same.
    """
    return tuple(sorted({row for pair in _pairs_of(study) for row in sheet.rows_of(pair, _header_of(pair))}))


def hotel_in(sheet: Sheet, study: Study) -> Hotel | None:
    """Return the hotel that a sheet describes in the scans of a study, None if it describes none.

    Raises:
        InputError: what it says cannot be.
    """
    if not any(row.slot for row in sheet.rows):
        return None
    return hotel_of(sheet, [(pair, _header_of(pair)) for pair in _pairs_of(study)])


def _pairs_of(study: Study) -> tuple[Pair, ...]:
    try:
        return study.pairs or scan_folder(Path(study.source)).pairs
    except InputError:
        return ()


def _header_of(pair: Pair) -> Header:
    try:
        return parse(main_block(pair.header))[0]
    except HeaderError:
        return Header()


def without_copies(pairs: Iterable[Pair], source: Path) -> tuple[tuple[Pair, ...], tuple[Finding, ...]]:
    """Return pairs of which none is a copy of another, the first by path of each, and which were left aside.

    A copy has the same name, the same bytes in the header and the same bytes in the data file.

    Raises:
        OSError: a file cannot be read.
    """
    kept: dict[str, list[Pair]] = {}
    findings = []
    for pair in sorted(pairs, key=lambda each: each.data.as_posix()):
        alike = kept.setdefault(pair.name, [])
        original = next((each for each in alike if _is_copy(pair, each)), None)
        if original is None:
            alike.append(pair)
        else:
            path = original.data.relative_to(source) if source in original.data.parents else original.data
            message = f"skipped: a copy of {printable(path.as_posix())}, header and data"
            findings.append(Finding("skipped", message, path=str(pair.data)))
    return tuple(pair for alike in kept.values() for pair in alike), tuple(findings)


def _is_copy(one: Pair, other: Pair) -> bool:
    return filecmp.cmp(one.header, other.header, shallow=False) and filecmp.cmp(one.data, other.data, shallow=False)
