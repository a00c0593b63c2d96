"""Who writes: this process, or several; files do not depend on who wrote them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Protocol

from inveonimaging.conversion.writing import SeriesWork, Step
from inveonimaging.storage.staging import Written

_MOST = 4  # more of them wait for the disk
_WORTH_IT = 1500  # files below which starting processes takes longer than it saves
_MOST_AT_ALL = 60  # Windows waits for no more at a time


class Team(Protocol):
    """Writes series."""

    def write(self, works: Sequence[SeriesWork], step: Step) -> list[tuple[Written, ...]]:
        """Write all files of each series; return what was written, series by series, in the order of the files."""


@contextlib.contextmanager
def team(jobs: int, files: int) -> Iterator[Team]:
    """Open a team of so many processes; 0 takes what helps for a number of files."""
    wanted = jobs or (min(os.cpu_count() or 1, _MOST) if files >= _WORTH_IT else 1)
    count = min(wanted, files, _MOST_AT_ALL)
    if count <= 1:
        yield _Alone()
        return
    from inveonimaging.conversion.processes import Processes  # multiprocessing takes a while to import

    several = Processes()
    try:
        several.start(count - 1)  # they import while this one reads the voxels
        yield several
    finally:
        several.end()


class _Alone:
    def write(self, works: Sequence[SeriesWork], step: Step) -> list[tuple[Written, ...]]:
        return [work.write(range(len(work.files)), step) for work in works]
