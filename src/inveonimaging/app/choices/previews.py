"""What would be written, of each kind: as a dry run of its command; nothing is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inveonimaging.app.choices.faults import in_words
from inveonimaging.errors import InveonError, printable
from inveonimaging.findings import Finding

_LONGEST = 1000
_MOST = 200


@dataclass(frozen=True)
class Preview:
    """A table, what was found, and what could not be taken, each in words."""

    titles: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    findings: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def shown(self) -> Sequence[tuple[str, ...]]:
        """The first rows."""
        return self.rows[:_MOST]

    @property
    def more(self) -> int:
        """How many more there are."""
        return max(0, len(self.rows) - _MOST)


def _convert(task: dict[str, Any]) -> Preview:
    from inveonimaging.conversion.job import refuse_planned
    from inveonimaging.conversion.plan import plan

    studies = plan(task["source"], task["output"], task["options"])
    return _of_studies(studies, task, refuse_planned)


def _split(task: dict[str, Any]) -> Preview:
    from inveonimaging.commands.split import inveon_pairs, plan_split, refuse_unverifiable
    from inveonimaging.conversion.job import refuse_planned

    output, options = task["output"], task["options"]
    refuse_unverifiable(options, verify=task["verify"])
    planned = plan_split(task["source"], output, options, task["boxes"], writes=False)
    if not task["inveon"]:
        return _of_studies(planned.studies, task, refuse_planned, planned.left_behind)
    pairs = [(each.name, str(each.data.parent)) for each in inveon_pairs(planned, output)]
    found = (each for study in planned.studies for each in study.all_findings)
    return Preview(("File", "Folder"), pairs, (*planned.left_behind, *found))


def _of_studies(
    studies: Any, task: dict[str, Any], refuse: Callable[..., None], more: Iterable[Finding] = ()
) -> Preview:
    from inveonimaging.commands.convert import refuse_reports
    from inveonimaging.conversion.plan import sheet_findings_of

    if task["report"]:
        refuse_reports(studies)
    refuse(studies, task["output"], task["options"])
    rows = [
        (_scan(each.image), str(study.output / str(each.number)), each.iod.name, str(len(each.files)))
        for study in studies
        for each in study.series
    ]
    found = (*sheet_findings_of(studies, task["options"]), *(one for each in studies for one in each.all_findings))
    return Preview(("Scan", "Folder", "DICOM", "Files"), rows, (*found, *more))


def _nifti(task: dict[str, Any]) -> Preview:
    from inveonimaging.commands.nifti import planned

    return _of_files(planned, ("Scan", "File", "Voxels", "Axes"), lambda each: each.volume.codes, task)


def _zarr(task: dict[str, Any]) -> Preview:
    from inveonimaging.commands.zarr import planned

    return _of_files(planned, ("Scan", "Store", "Voxels", "Resolutions"), lambda each: str(len(each.levels)), task)


def _of_files(
    planned: Callable[..., Any], titles: tuple[str, ...], last: Callable[[Any], str], task: dict[str, Any]
) -> Preview:
    from inveonimaging.commands.studies import gathered

    found = gathered(planned(task["source"], task["output"], task["options"]), task["options"])
    rows = [
        (_scan(each.series.image), str(plan.folder / each.name), _size(each.volume.shape), last(each))
        for plan in found.studies
        for each in plan.files
    ]
    return Preview(titles, rows, found.findings, _words(each.error for each in found.failures))


def _bids(task: dict[str, Any]) -> Preview:
    from inveonimaging.commands.bids import plan_bids

    planned = plan_bids([task["source"]], task["output"], task["options"])
    rows = [(_scan(each.series.image), each.file) for each in planned.dataset.images]
    return Preview(("Scan", "File"), rows, planned.findings, _words(each.error for each in planned.failures))


def _page(task: dict[str, Any]) -> Preview:
    from inveonimaging.storage.whole_files import refuse_taken
    from inveonimaging.study.reading import read_study

    refuse_taken(Path(task["output"]), overwrite=task["overwrite"])
    study = read_study(task["source"], task["options"])
    rows = [(_scan(each.image), each.image.kind, str(len(each.image.frames))) for each in study.series]
    return Preview(("Scan", "Kind", "Frames"), rows, study.all_findings, _words(study.errors.values()))


def _curves(task: dict[str, Any]) -> Preview:
    from inveonimaging.commands.curves import planned

    plan = planned(task["source"], task["outputs"], task["options"])
    rows = [
        (_scan(each.image), printable(wanted.region.name), str(count), str(len(each.image.frames)))
        for each in plan.series
        for wanted, count in zip(each.wanted, each.voxels, strict=True)
    ]
    if plan.hottest_mm:  # where it lies is known when all is read
        rows += [(_scan(each.image), "the hottest sphere", "", str(len(each.image.frames))) for each in plan.series]
    return Preview(("Scan", "Region", "Voxels", "Frames"), rows, plan.findings)


_OF_KIND: dict[str, Callable[[dict[str, Any]], Preview]] = {
    "convert": _convert,
    "split": _split,
    "nifti": _nifti,
    "bids": _bids,
    "zarr": _zarr,
    "page": _page,
    "curves": _curves,
}


def preview_of(kind: str, task: dict[str, Any]) -> Preview:
    """Return what a job of a kind would write.

    Raises:
        InveonError: why it would not, as its command says.
    """
    return _OF_KIND[kind](task)


def _scan(image: Any) -> str:
    return printable(image.title, 200)


def _size(shape: Iterable[int]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(map(str, shape))


def _words(errors: Iterable[InveonError]) -> tuple[str, ...]:
    return tuple(in_words(printable(each, _LONGEST)) for each in errors)
