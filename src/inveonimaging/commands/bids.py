"""`inveon bids`, as a function: a BIDS data set of PET, made or added to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.bids_dataset.job import BidsFile, plan_dataset, write
from inveonimaging.bids_dataset.options import BidsOptions
from inveonimaging.bids_dataset.plan import DatasetDraft, DatasetPlan
from inveonimaging.commands.studies import Failure, Placed, studies_in
from inveonimaging.errors import InveonError, OptionError
from inveonimaging.extras import refuse_without_extra
from inveonimaging.findings import Finding
from inveonimaging.progress import Progress, no_progress
from inveonimaging.sheet.hotels import refuse_for_several_studies
from inveonimaging.sheet.matching import sheet_findings


@dataclass(frozen=True, kw_only=True)
class BidsResult:
    """What was written.

    Attributes:
        output: the data set.
        subjects: labels of the animals, with `sub-`.
        files: all that belong to what was read, and those of the data set that were changed.
        findings: on the sheet, on what was read, and on what BIDS requires.
        failures: studies below the sources that are not in it; none unless the search was recursive.
    """

    output: Path
    subjects: tuple[str, ...]
    files: tuple[BidsFile, ...]
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BidsPlan:
    """What is to be written; attributes as those of `BidsResult`."""

    dataset: DatasetPlan
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]


def bids(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    options: BidsOptions | None = None,
    progress: Progress = no_progress,
) -> BidsResult:
    """Make a BIDS data set of Inveon files, or add to one.

    Scans for which the sheet has positions are cut, and each animal is a participant. Nothing is written when any input
    is refused, or anything in the data set is another one than what is read; with `options.recursive` a folder that is
    refused is among the failures, and the others are written.

    Args:
        sources: a folder with the pairs of one animal, or of one hotel, or a pair; or several of them; with
            `options.recursive` folders of studies.
        output: the data set; a new one is made.
        options: of it.
        progress: called with how many slices are written, and how many there are.

    Raises:
        InveonError: what is wrong, where, and what was expected, in one line.
    """
    options = options or BidsOptions()
    several = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    planned = plan_bids([Path(each) for each in several], Path(output), options)
    return write_planned(planned, options, progress)


def plan_bids(sources: Sequence[Path], output: Path, options: BidsOptions) -> BidsPlan:
    """Return what would be written; arguments and errors as `bids`."""
    refuse_without_extra("inveon bids", "bids", {"nibabel": "nibabel"})
    if not sources:
        raise OptionError("there is no input", expected="one folder or one pair at least")
    if options.boxes and len(sources) > 1:
        raise OptionError("boxes are of one scan, and there are several inputs", hint="add one input after the other")
    if len(sources) > 1:
        refuse_for_several_studies(options.corrections.sheet)
    draft, failures = DatasetDraft(options), list[Failure]()
    for source in sources:
        for each in studies_in(source, output, options, splits=True, is_hotel=options.boxes is not None):
            failures += [each] if isinstance(each, Failure) else _added(draft, each, options)
    dataset = plan_dataset(draft, output, options)
    rows = (row for study in dataset.studies for row in study.matched_rows)
    findings = (*sheet_findings(options.corrections.sheet, rows), *dataset.all_findings)
    return BidsPlan(dataset=dataset, findings=findings, failures=tuple(failures))


def _added(draft: DatasetDraft, studies: Sequence[Placed], options: BidsOptions) -> list[Failure]:
    """Add studies; return those of a recursive search that are refused."""
    failures = []
    for each in studies:
        try:
            draft.add(each.study)
        except InveonError as error:
            if not options.recursive:
                raise
            failures.append(Failure(source=str(each.study.source), error=error))
    return failures


def write_planned(planned: BidsPlan, options: BidsOptions, progress: Progress = no_progress) -> BidsResult:
    """Write what was planned; as `bids`. Nothing is written if no study is left."""
    dataset = planned.dataset
    return BidsResult(
        output=dataset.output,
        subjects=tuple(dict.fromkeys(row["participant_id"] for row in dataset.participants)),
        files=write(dataset, options, progress) if dataset.studies else (),
        findings=planned.findings,
        failures=planned.failures,
    )
