"""Jobs that make something of scans: each does what its command does, and reports how far it is.

A job is given plain values and options that can be pickled, and returns plain values, which the pages show: `output`,
`findings`, `report`; of DICOM `series`, `verified`, `differences`, `planes`; of all others `made`, a table with its
titles; of several studies `failures`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inveonimaging.app.choices.faults import in_words
from inveonimaging.app.jobs.status import COMPARING, DRAWING, MOST_LISTED, WRITING, JobStatus, rows
from inveonimaging.errors import OutputError, printable
from inveonimaging.findings import Finding
from inveonimaging.study.folder import below

if TYPE_CHECKING:
    from inveonimaging.commands.studies import Failure
    from inveonimaging.conversion.job import StudyResult
    from inveonimaging.conversion.options import Options
    from inveonimaging.conversion.plan import StudyPlan
    from inveonimaging.verification.result import Difference

_LONGEST = 1000


def run_convert(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Convert, and do what is asked for afterwards.

    Args:
        task: `source`, `output`, `options`, `verify`, `report`; `replaces`, if what the same wrote before gives way.
        status: is called as it goes on.

    Raises:
        InveonError: as `inveon convert`.
    """
    from inveonimaging.conversion.plan import plan

    status.phase("Reading headers")
    return _converted(plan(task["source"], task["output"], task["options"]), task, status)


def run_split(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Convert a scan of several animals to a study each, or cut it into pairs of files.

    Args:
        task: as of `run_convert`; `boxes` and `preview`, which may be None; `inveon`: pairs of files, and no DICOM.
        status: is called as it goes on.

    Raises:
        InveonError: as `inveon split`.
    """
    from inveonimaging.commands.split import plan_split, refuse_unverifiable, write_inveon
    from inveonimaging.storage.whole_files import refuse_taken

    output, options = task["output"], task["options"]
    if task.get("replaces"):
        if task["preview"]:
            refuse_taken(task["preview"], overwrite=False)
        options = replace(options, overwrite=True)  # so that animals that stay behind are reported
    refuse_unverifiable(options, verify=task["verify"])
    status.phase("Looking for the animals")
    planned = plan_split(task["source"], output, options, task["boxes"], preview=task["preview"])
    if not task["inveon"]:
        return _converted(planned.studies, task, status, planned.left_behind)
    status.phase("Writing files")
    pairs = write_inveon(planned, output, status.progress)
    found = (*planned.left_behind, *(each for study in planned.studies for each in study.all_findings))
    titles, files = ("File", "Folder"), [(each.name, str(each.data.parent)) for each in pairs]
    return {"output": str(output), "findings": rows(found), "made": _table(titles, files)}


def _converted(
    studies: tuple[StudyPlan, ...], task: dict[str, Any], status: JobStatus, more: Iterable[Finding] = ()
) -> dict[str, Any]:
    """Convert what is planned, and do what is asked for afterwards."""
    from inveonimaging.commands import convert
    from inveonimaging.conversion.job import convert_planned
    from inveonimaging.conversion.plan import sheet_findings_of

    options = task["options"]
    if task["report"]:
        convert.refuse_reports(studies)
    if task.get("replaces"):
        status.phase("Looking at what is there")
        _refuse_others(studies, options)
        options = replace(options, overwrite=True)
    status.steps((_name(each.image), each.slices) for study in studies for each in study.series)
    status.phase(WRITING)
    results = convert_planned(studies, task["output"], options, status.progress)
    status.steps([])
    findings = (
        *sheet_findings_of(studies, options),
        *(each for study in results for each in study.all_findings),
        *more,
    )
    found: dict[str, Any] = {
        "series": _series(results)[:MOST_LISTED],
        "more_series": len(_series(results)[MOST_LISTED:]),
        "output": str(task["output"]),
        "findings": rows(findings),
        "verified": None,
        "differences": [],
        "report": None,
    }
    if task["verify"]:
        status.phase(COMPARING)
        checks = convert.verify_converted(results, options, status.progress)
        different = [_difference(each, task["output"]) for check in checks for each in check.all_differences]
        found |= {"verified": not different, "differences": different[:MOST_LISTED]}
        found["more_differences"] = len(different[MOST_LISTED:])
        notes = dict.fromkeys(note for each in checks for note in (each.assumption, *each.all_notes) if note)
        found["compared"] = [in_words(printable(each, _LONGEST)) for each in notes][:MOST_LISTED]
        found["planes"] = sum(each.planes for check in checks for each in check.series)
    if task["report"]:
        status.phase(DRAWING)
        pages = convert.write_reports(studies, results, options, status.progress)
        found["report"] = str(pages[0]) if pages else None
    return found


def _refuse_others(studies: Sequence[StudyPlan], options: Options) -> None:
    """Refuse studies in the places of others that are not what the same conversion has written there.

    Raises:
        OutputError: one is of other scans, of other choices, or was changed.
    """
    from inveonimaging.commands.convert import changed_studies

    for output in changed_studies(studies, options):
        hint = "choose another place, or tick Replace what an earlier run wrote there"
        raise OutputError("has files that an earlier run did not write", path=output, hint=hint)


def _difference(found: Difference, output: Path) -> str:
    """Return a difference, with the first file that it is about."""
    place = f"{below(Path(found.path), output)}: " if found.path else ""
    return printable(f"{place}{found.message}", _LONGEST)


def _series(results: Sequence[StudyResult]) -> list[dict[str, Any]]:
    return [
        {
            "source": printable(Path(each.source).name),
            "folder": str(Path(study.output, each.folder)),
            "files": each.instances,
            "class": each.sop_class,
        }
        for study in results
        for each in study.series
    ]


def run_nifti(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Write NIfTI files.

    Args:
        task: `source`, `output`, `options`.
        status: is called as it goes on.

    Raises:
        InveonError: as `inveon nifti`.
    """
    from inveonimaging.commands.nifti import nifti

    status.phase("Writing NIfTI")
    done = nifti(task["source"], task["output"], task["options"], progress=status.progress)
    files = [(path.name, str(path.parent)) for path in (*done.files, *done.beside)]
    return _several(task, done.findings, done.failures) | {"made": _table(("File", "Folder"), files)}


def run_zarr(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Write OME-Zarr stores; as `run_nifti`."""
    from inveonimaging.commands.zarr import zarr

    status.phase("Writing OME-Zarr")
    done = zarr(task["source"], task["output"], task["options"], progress=status.progress)
    stores = [(path.name, str(path.parent)) for path in done.stores]
    return _several(task, done.findings, done.failures) | {"made": _table(("Store", "Folder"), stores)}


def run_bids(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Make a BIDS data set, or add to one; as `run_nifti`."""
    from inveonimaging.commands.bids import bids

    status.phase("Writing the data set")
    done = bids(task["source"], task["output"], task["options"], status.progress)
    files = [(str(each.path), each.change.value) for each in done.files]
    return _several(task, done.findings, done.failures) | {"made": _table(("File", "Written"), files)}


def run_page(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Write a report that is kept, and its single pictures.

    Args:
        task: `source`, `output`: the page, `options`: the corrections, `pictures`: a folder or None, `viewer`,
            `overwrite`.
        status: is called as it goes on.

    Raises:
        InveonError: as `inveon report`.
    """
    from inveonimaging.commands.report import report

    status.phase(DRAWING)
    done = report(
        task["source"],
        task["output"],
        pictures=task["pictures"],
        viewer=task["viewer"],
        overwrite=task["overwrite"],
        corrections=task["options"],
        progress=status.progress,
    )
    files = [(path.name, str(path.parent)) for path in (Path(task["output"]), *done.pictures)]
    return {
        "output": str(Path(task["output"]).parent),
        "report": str(done.page),
        "findings": rows(done.findings),
        "made": _table(("File", "Folder"), files),
        "failures": [{"source": "", "error": in_words(printable(each, _LONGEST))} for each in done.errors],
    }


def run_curves(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Measure curves.

    Args:
        task: `source`, `outputs`: files in one folder, `options`.
        status: is called as it goes on.

    Raises:
        InveonError: as `inveon curves`.
    """
    from inveonimaging.commands.curves import curves

    status.phase("Measuring")
    done = curves(task["source"], task["outputs"], task["options"], progress=status.progress)
    regions = [
        (printable(each.region), printable(Path(each.source).name), str(len(each.frames)), each.unit.value)
        for each in done.curves
    ]
    return {
        "output": str(Path(task["outputs"][0]).parent),
        "files": [str(path) for path in done.files],
        "findings": rows(done.findings),
        "made": _table(("Region", "Scan", "Frames", "Unit"), regions),
    }


def run_report(task: dict[str, Any], status: JobStatus) -> dict[str, Any]:
    """Write the report of scans that is looked at, and not kept.

    Args:
        task: `source`, `page`, `viewer`, `corrections`.
        status: is called as it goes on.

    Raises:
        InveonError: as `inveon report`.
    """
    shown = {"output": task["page"], "options": task["corrections"], "pictures": None, "overwrite": True}
    done = run_page(task | shown, status)
    return {"report": done["report"], "findings": done["findings"]}


def _several(task: dict[str, Any], findings: Iterable[Finding], failures: Sequence[Failure]) -> dict[str, Any]:
    """Return what is reported of several studies, also those that could not be written."""
    lines = [
        {"source": printable(each.source, 300), "error": in_words(printable(each.error, _LONGEST))} for each in failures
    ]
    return {"output": str(task["output"]), "findings": rows(findings), "failures": lines[:MOST_LISTED]}


def _table(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return a table, the first of its rows, and how many more there are."""
    shown = [list(each) for each in cells[:MOST_LISTED]]
    return {"titles": list(titles), "rows": shown, "more": len(cells) - len(shown)}


def _name(image: Any) -> str:
    return printable(" ".join(filter(None, (image.kind, image.pair.name, image.part_name))), 100)
