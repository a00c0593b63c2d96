"""The report that `inveon convert --report` leaves beside a study.

It is written once the study stands in its place. `--overwrite` takes an earlier one away with the earlier study
(`conversion.output.written_before`), so that no page stays that shows something else.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from inveonimaging.conversion.job import StudyResult
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan
from inveonimaging.errors import OutputError
from inveonimaging.reports.contents import planned_contents
from inveonimaging.reports.page import write_report
from inveonimaging.storage.staging import REPORT, is_our_report


def refuse_report(output: Path) -> None:
    """Refuse a folder that holds something else by the report's name.

    Raises:
        OutputError: it does.
    """
    path = output / REPORT
    if os.path.lexists(path) and not is_our_report(path):
        raise OutputError("is there already, and is no report of this program", path=path, hint="move it elsewhere")


def write_beside(planned: StudyPlan, result: StudyResult, options: Options, now: datetime) -> Path:
    """Write the report of a study that was converted.

    Raises:
        OutputError: it cannot be written, or something is in its place.
        DataError: a data file cannot be read any more.
    """
    contents = planned_contents(planned, result.all_findings, now, redacted=options.deidentify is not None)
    return write_report(contents, planned.output / REPORT)
