"""What a command is given -> studies: of a folder or a pair, of each folder below one, of each animal of a scan."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from inveonimaging.batches.names import animal_names, free_names
from inveonimaging.batches.walk import Found, SkippedCounts, walk
from inveonimaging.errors import InputError, InveonError, OptionError
from inveonimaging.findings import Finding
from inveonimaging.hotels.cutting import animals_of, places_of
from inveonimaging.hotels.splitting import read_group
from inveonimaging.inveon.pairs import Pair, half_error, no_pairs
from inveonimaging.progress import StepCounter, no_progress
from inveonimaging.sheet.hotels import refuse_for_several_studies
from inveonimaging.sheet.matching import sheet_findings
from inveonimaging.study.asked import FilesOptions, StudyOptions
from inveonimaging.study.folder import pairs_at, skipped, skipped_findings
from inveonimaging.study.reading import Study, read_pairs

_ALL_BELOW = "--recursive takes all that are below"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A study, and where its output goes: a folder below that of all, with forward slashes; `.` for that itself."""

    study: Study
    place: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a study among several was not taken; the others were."""

    source: str
    error: InveonError


def studies_in(
    source: Path, output: Path, options: StudyOptions, *, splits: bool, is_hotel: bool = False
) -> Iterator[tuple[Placed, ...] | Failure]:
    """Yield the studies of a folder, of one pair, or of each folder below one; those of a folder's animals together.

    Args:
        source: a folder of pairs, or one pair; of a recursive search the root of all.
        output: where the outputs go, which is not searched.
        options: which studies are read.
        splits: whether scans for which the sheet has positions become a study an animal; else they stay whole.
        is_hotel: refuse what has no positions, unless the search is recursive.

    Raises:
        InveonError: the one study cannot be read; there is none; a sheet would be about every study.
        OptionError: boxes are given for several studies.
    """
    if not options.recursive or not os.path.isdir(source):  # noqa: PTH112 - Path.is_dir raises for names of no file
        yield _alone(source, options, splits=splits, is_hotel=is_hotel)
        return
    if options.boxes:
        raise OptionError("boxes are of one scan, and --recursive takes many", hint="give --boxes for each scan alone")
    refuse_for_several_studies(options.corrections.sheet)
    number, passed = 0, SkippedCounts()
    for step in walk(source, output, passed):
        if isinstance(step, InputError) and step.path == str(source):
            raise step
        if isinstance(step, InputError):
            yield Failure(source=step.path or str(source), error=step)
        elif step is not None:
            number += 1
            yield _one_of_several(step, number, options, splits=splits)
    if not number:
        raise half_error(passed.first_half) if passed.first_half else no_pairs(source, "below it")


def _alone(source: Path, options: StudyOptions, *, splits: bool, is_hotel: bool) -> tuple[Placed, ...]:
    pairs, place, left_out = pairs_at(source, _ALL_BELOW)
    return _taken(pairs, place, options, left_out, splits=splits, is_hotel=is_hotel)


def _one_of_several(found: Found, number: int, options: StudyOptions, *, splits: bool) -> tuple[Placed, ...] | Failure:
    folder, place = found.folder, f"study-{number}" if options.deidentify else found.output
    left_out = skipped_findings(skipped(folder, is_nested=True))
    try:
        placed = _taken(
            folder.pairs, folder.path, options, left_out, place, [each.name for each in folder.folders], splits=splits
        )
    except InveonError as error:
        return Failure(source=str(folder.path), error=error)
    return placed


def _taken(
    pairs: Sequence[Pair],
    source: Path,
    options: StudyOptions,
    left_out: tuple[Finding, ...] = (),
    place: str = ".",
    beside: Collection[str] = (),
    *,
    splits: bool,
    is_hotel: bool = False,
) -> tuple[Placed, ...]:
    """Return the study of these pairs, or that of each animal; `beside` are the names of folders beside them."""
    whole = read_pairs(pairs, source, options, options.deidentify)
    if not is_hotel and not (splits and whole.hotel):
        return (Placed(study=replace(whole, findings=(*left_out, *whole.findings)), place=place),)
    group = read_group(pairs, source, options.corrections)
    places = places_of(group, options.boxes, mask_others=options.mask_others)
    studies = animals_of(group, places, options.deidentify).studies
    names = [f"study-{number}" for number in range(1, len(studies) + 1)]
    if not options.deidentify:
        names = list(free_names(animal_names(group.hotel), beside, is_root=place == "."))
    above = "" if place == "." else f"{place}/"
    found = (*left_out, *places.findings)
    return tuple(
        Placed(study=replace(study, findings=(*found, *study.findings)), place=above + name)
        for study, name in zip(studies, names, strict=True)
    )


class Planned(Protocol):
    """What is to be written of a study."""

    @property
    def study(self) -> Study:
        """What was read."""

    @property
    def slices(self) -> int:
        """How many slices of all frames there are to be written."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of its files, its folder and its animal."""


P = TypeVar("P", bound=Planned)
W = TypeVar("W")


def planned_files(
    source: Path,
    output: Path,
    options: FilesOptions,
    plan: Callable[[Study, Path, bool], P],
    one: str,
) -> Iterator[tuple[P, ...] | Failure]:
    """Return what studies become, those of the animals of one scan together; nothing is written.

    Args:
        source: as of `studies_in`.
        output: a folder, or what is made of the one series of a study.
        options: of the command.
        plan: a study, the output, and whether that is a folder whatever it is called -> what is to be written.
        one: `file` or `store`, if the output names one; empty for a folder.

    Raises:
        OptionError: one is named for several studies; neighbours are to be masked, and nothing is split.
        InveonError: why a study cannot be written; of a recursive search it is a failure instead.
    """
    if one and (options.recursive or options.is_hotel):
        raise OptionError(f"the output names one {one}", path=output, expected="a folder, in which each study gets one")
    if options.mask_others and not options.is_hotel:
        raise OptionError("neighbours are masked only where a scan is split", hint="add --split")
    return _planned(
        studies_in(source, output, options, splits=options.is_hotel, is_hotel=options.is_hotel), output, options, plan
    )


def _planned(
    studies: Iterable[tuple[Placed, ...] | Failure],
    output: Path,
    options: FilesOptions,
    plan: Callable[[Study, Path, bool], P],
) -> Iterator[tuple[P, ...] | Failure]:
    for each in studies:
        if isinstance(each, Failure):
            yield each
            continue
        try:
            plans = tuple(plan(one.study, output / one.place, one.place != ".") for one in each)
        except InveonError as error:
            if not options.recursive:
                raise
            yield Failure(source=str(each[0].study.source), error=error)
        else:
            yield plans


@dataclass(frozen=True, kw_only=True)
class Written(Generic[W]):
    """What was written.

    Attributes:
        studies: in the order of their folders, or of the animals in the sheet; of a dry run what would be written.
        findings: of the files, the folders and the animals.
        failures: studies below the source that were not written; none unless the search was recursive.
    """

    studies: tuple[W, ...]
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...] = ()


def written_each(
    planned: Iterable[tuple[P, ...] | Failure], write: Callable[[P], W], options: StudyOptions, counter: StepCounter
) -> Written[W]:
    """Write what was planned, one study after the other.

    Raises:
        InveonError: why one cannot be written; of a recursive search it is a failure instead.
    """
    studies: list[W] = []
    findings: list[Finding] = []
    failures: list[Failure] = []
    rows: list[int] = []
    for each in planned:
        if isinstance(each, Failure):
            failures.append(each)
            continue
        rows += (row for plan in each for row in plan.study.matched_rows)
        counter.expect(sum(plan.slices for plan in each))
        for plan in each:
            try:
                studies.append(write(plan))
                findings += plan.findings
            except InveonError as error:
                if not options.recursive:
                    raise
                failures.append(Failure(source=str(plan.study.source), error=error))
    found = (*sheet_findings(options.corrections.sheet, rows), *findings)
    return Written(studies=tuple(studies), findings=found, failures=tuple(failures))


def gathered(planned: Iterable[tuple[P, ...] | Failure], options: StudyOptions) -> Written[P]:
    """Return what would be written of all studies, what was found in them, and those of which nothing can be."""
    return written_each(planned, lambda plan: plan, options, StepCounter(no_progress))
