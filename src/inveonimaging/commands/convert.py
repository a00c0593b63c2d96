"""What goes with a conversion: what lies in its place, reports beside studies, what was written against its source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inveonimaging.batches.existing import existing_study, is_made_from, is_whole
from inveonimaging.conversion.job import StudyResult
from inveonimaging.conversion.manifest import recorded_options, recorded_sheet
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan
from inveonimaging.errors import TargetError
from inveonimaging.progress import Progress, no_progress
from inveonimaging.storage.leftovers import REPORT
from inveonimaging.verification.job import verify_written
from inveonimaging.verification.result import StudyCheck

if TYPE_CHECKING:
    from inveonimaging.sending import SendResult


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


def changed_studies(studies: Sequence[StudyPlan], options: Options) -> Iterator[Path]:
    """Yield the places of planned studies where one lies that is not what the same conversion writes there.

    It is of other scans or of other choices, a written file differs by its SHA-256, or a report lies there, into which
    somebody may have written.
    """
    choices = recorded_options(options), recorded_sheet(options)
    for each in studies:
        there = existing_study(each.output)
        if there is None:
            continue
        is_own = (there.document["options"], there.document.get("subjects")) == choices and is_made_from(there, each)
        is_alone = not os.path.lexists(each.output / REPORT)
        if not (is_own and is_alone and is_whole(each.output, there, by_digest=True)):
            yield each.output


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


def send_converted(studies: Sequence[StudyResult], target: str, progress: Progress = no_progress) -> SendResult:
    """Send what was just converted; the result says if the server cannot be reached, since the files are there.

    Raises:
        OptionError: the address, or the credentials in the environment, make no sense.
    """
    from inveonimaging.sending.job import plan_sending, send_planned
    from inveonimaging.sending.result import SendResult

    folders = [Path(study.output, series.folder) for study in studies for series in study.series]
    planned = plan_sending(folders, target)
    try:
        return send_planned(planned, progress)
    except TargetError as error:
        unsent = tuple(str(item.path) for item in planned.items)
        reason = ", ".join(filter(None, (error.message, error.hint)))
        return SendResult(str(planned.target), len(unsent), unsent=unsent, stopped=reason)
