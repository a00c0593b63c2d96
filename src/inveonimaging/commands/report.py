"""`inveon report`, as a function: a page of pictures of Inveon files, and the single pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inveonimaging.errors import InveonError, OptionError
from inveonimaging.findings import Finding
from inveonimaging.progress import Progress, no_progress
from inveonimaging.reports.contents import contents_of
from inveonimaging.storage.whole_files import refuse_taken
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.reading import read_study


@dataclass(frozen=True, kw_only=True)
class ReportResult:
    """What was written.

    Attributes:
        page: the HTML file; None if none was asked for.
        pictures: the PNG files.
        findings: of the files, the folder and the animal, the most severe first.
        errors: of pairs that are not shown.
    """

    page: Path | None
    pictures: tuple[Path, ...]
    findings: tuple[Finding, ...]
    errors: tuple[InveonError, ...]


def report(
    source: str | os.PathLike[str],
    page: str | os.PathLike[str] | None = None,
    *,
    pictures: str | os.PathLike[str] | None = None,
    viewer: bool = False,
    overwrite: bool = False,
    corrections: Corrections | None = None,
    now: datetime | None = None,
    progress: Progress = no_progress,
) -> ReportResult:
    """Show what is in Inveon files: one HTML page, and the single pictures as PNG files.

    Args:
        source: a folder of pairs, or one pair.
        page: the HTML file, which appears whole or not at all; None writes none.
        pictures: a folder for the PNG files; it is made if it is missing; None writes none.
        viewer: put the volumes and a viewer into the page; it is some tens of megabytes large then.
        overwrite: replace files of the same names.
        corrections: what counts instead of the headers.
        now: local time, to recognize times in the future; None takes the clock's.
        progress: called with how many series are read or drawn, and how many of both there are; after an exception of
            it nothing half is left.

    Raises:
        InveonError: nothing can be shown; a file is there already, or cannot be written.
        OptionError: neither a page nor pictures are asked for; a viewer without a page, or without what it needs.
    """
    if page is None and pictures is None:
        raise OptionError("neither a page nor pictures are asked for", expected="page, pictures, or both")
    if viewer and page is None:
        raise OptionError("the viewer is part of the page, and no page is asked for", expected="page")
    from inveonimaging.reports.page import write_report
    from inveonimaging.reports.pictures import drawn, write_pictures
    from inveonimaging.reports.viewer import refuse_without_viewer

    if viewer:
        refuse_without_viewer()
    if page is not None:
        refuse_taken(Path(page), overwrite=overwrite)
    contents = contents_of(read_study(source, corrections), now or datetime.now())
    drawings = tuple(drawn(contents, progress))
    written = () if pictures is None else write_pictures(drawings, pictures, overwrite=overwrite)
    target = None
    if page is not None:
        target = write_report(contents, page, drawings=drawings, viewer=viewer, overwrite=overwrite)
    return ReportResult(page=target, pictures=written, findings=contents.findings, errors=contents.errors)
