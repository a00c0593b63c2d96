"""Jobs that make something of scans: each does what its command does, and tells how far it is.

A job is given plain values and options that can be pickled, and returns plain values, which the pages show.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inveonimaging.app.telling import MOST_LISTED, Tell, rows
from inveonimaging.errors import printable

_LONGEST = 1000


def run_convert(task: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Convert, and do what is asked for afterwards.

    Args:
        task: `source`, `output`, `options`, `verify`, `report`.
        tell: hears of it.

    Raises:
        InveonError: as `inveon convert`.
    """
    from inveonimaging.commands import convert
    from inveonimaging.conversion.job import convert_planned
    from inveonimaging.conversion.plan import plan

    tell.phase("Reading headers")
    options = task["options"]
    studies = plan(task["source"], task["output"], options)
    if task["report"]:
        convert.refuse_reports(studies)
    tell.steps((_name(each.image), each.slices) for study in studies for each in study.series)
    tell.phase("Writing DICOM")
    results = convert_planned(studies, task["output"], options, tell.progress)
    tell.steps([])
    found: dict[str, Any] = {
        "series": [
            {
                "source": printable(Path(each.source).name),
                "folder": str(Path(study.output, each.folder)),
                "files": each.instances,
                "class": each.sop_class,
            }
            for study in results
            for each in study.series
        ][:MOST_LISTED],
        "output": str(task["output"]),
        "findings": rows(finding for study in results for finding in study.all_findings),
        "verified": None,
        "differences": [],
        "report": None,
    }
    if task["verify"]:
        tell.phase("Comparing with the scanner's files")
        checks = convert.verify_converted(results, options, tell.progress)
        different = [printable(each.message, _LONGEST) for check in checks for each in check.all_differences]
        found |= {"verified": not different, "differences": different[:MOST_LISTED]}
        found["planes"] = sum(each.planes for check in checks for each in check.series)
    if task["report"]:
        tell.phase("Drawing the report")
        pages = convert.write_reports(studies, results, options, tell.progress)
        found["report"] = str(pages[0]) if pages else None
    return found


def run_report(task: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Write the report of scans.

    Args:
        task: `source`, `page`, `viewer`, `corrections`.
        tell: hears of it.

    Raises:
        InveonError: as `inveon report`.
    """
    from inveonimaging.commands.report import report

    tell.phase("Drawing the report")
    done = report(
        task["source"],
        task["page"],
        viewer=task["viewer"],
        overwrite=True,
        corrections=task["corrections"],
        progress=tell.progress,
    )
    return {"report": str(done.page), "findings": rows(done.findings)}


def _name(image: Any) -> str:
    return printable(" ".join(filter(None, (image.kind, image.pair.name, image.part_name))), 100)
