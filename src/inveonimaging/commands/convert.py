"""What follows a conversion: reports beside the studies, and the comparison of what was written with its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from inveonimaging.conversion.job import StudyResult
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan
from inveonimaging.progress import Progress, no_progress
from inveonimaging.verification.job import verify_written
from inveonimaging.verification.result import StudyCheck


def verify_converted(
    studies: Sequence[StudyResult], options: Options, progress: Progress = no_progress
) -> tuple[StudyCheck, ...]:
    """Compare what was just written with what it was made from; of de-identified studies no source is named.

    Raises:
        InveonError: the source cannot be read any more.
    """
    checks = tuple(
        verify_written(
            Path(study.source),
            Path(study.output),
            [Path(study.output, series.folder) for series in study.series],
            options,
            progress,
        )
        for study in studies
    )
    if options.deidentify is None:
        return checks
    return tuple(replace(each, source="the source", assumed={}, doubts=()) for each in checks)


def refuse_reports(studies: Sequence[StudyPlan]) -> None:
    """Refuse to convert where a report could not be written afterwards.

    Raises:
        OutputError: something else has the report's name.
    """
    from inveonimaging.reports.page import refuse_report

    for study in studies:
        refuse_report(study.output)


def write_reports(
    studies: Sequence[StudyPlan], results: Sequence[StudyResult], options: Options, progress: Progress = no_progress
) -> tuple[Path, ...]:
    """Write a report beside each study that was converted; return their paths.

    Raises:
        OutputError: one cannot be written, or something is in its place.
        DataError: a data file cannot be read any more.
    """
    from inveonimaging.reports.page import write_beside

    now = datetime.now()
    return tuple(
        write_beside(study, result, options, now, progress) for study, result in zip(studies, results, strict=True)
    )
