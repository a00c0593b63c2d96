"""Rows of a sheet of subjects that are about a study that failed, before or after it was known which they are."""

from __future__ import annotations

from pathlib import Path

from inveonimaging.batches.groups import main_block
from inveonimaging.batches.study import Study
from inveonimaging.errors import HeaderError, InputError
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.pairs import Pair, scan_folder
from inveonimaging.sheet.matching import Sheet


def rows_of(sheet: Sheet, study: Study) -> tuple[int, ...]:
    """Return the numbers of the rows that match scans of a study, whatever they say.

    A header that cannot be read has no subject; rows that name its file or folder match it all the same.
    """
    return tuple(sorted({row for pair in _pairs(study) for row in sheet.rows_of(pair, _header(pair))}))


def _pairs(study: Study) -> tuple[Pair, ...]:
    try:
        return study.pairs or scan_folder(Path(study.source)).pairs
    except InputError:
        return ()


def _header(pair: Pair) -> Header:
    try:
        return parse(main_block(pair.header))[0]
    except HeaderError:
        return Header()
