"""Which studies there are below a folder, and how a batch is to do them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from inveonimaging.batches.groups import grouped, hotel_in
from inveonimaging.batches.names import animal_names, folder_name, free_names
from inveonimaging.batches.study import Check, Planned, Study
from inveonimaging.batches.walk import Found, SkippedCounts, Step, walk
from inveonimaging.conversion.options import Options
from inveonimaging.errors import InputError, OptionError
from inveonimaging.inveon.pairs import scan_folder
from inveonimaging.sheet.hotels import refuse_for_several_studies
from inveonimaging.storage.folders import real_path

_MOST_JOBS = 256


class Grouping(str, Enum):
    """Which pairs become one study."""

    FOLDER = "folder"  # those of one folder
    HEADER = "header"  # those of one scanner, subject and day, wherever they lie


@dataclass(frozen=True, kw_only=True)
class Batch:
    """How many studies are done; the default suits one computer.

    Attributes:
        group: which pairs become one study.
        jobs: how many studies are converted at a time; 0 for as many as there are processors. A script that runs a
            batch needs the guard `if __name__ == "__main__":`.
        dask: a Dask scheduler that converts instead: its address, such as `tcp://host:8786`, or its scheduler file.
        dask_cluster: a file that describes a cluster of dask_jobqueue to start and convert on.
        check: how it is found out whether a study is complete and unchanged.
        verify: read back what was written and compare it with its source.
        only_failed: do those studies alone that failed last time, as the ledger says.
    """

    group: Grouping = Grouping.FOLDER
    jobs: int = 0
    dask: str | None = None
    dask_cluster: Path | None = None
    check: Check = Check.QUICK
    verify: bool = False
    only_failed: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.jobs <= _MOST_JOBS:
            raise OptionError(f"the number of jobs is {self.jobs}", expected=f"0 to {_MOST_JOBS}")
        if self.dask is not None and self.dask_cluster is not None:
            raise OptionError("both a Dask scheduler and a Dask cluster are given", expected="one of them")
        if self.jobs and (self.dask is not None or self.dask_cluster is not None):
            hint = "the workers of Dask are as many as were started"
            raise OptionError("a number of jobs and Dask are given", expected="one of them", hint=hint)
        if self.verify and self.group is Grouping.HEADER:
            hint = "leave out --verify, or group by folder"
            raise OptionError("verification goes folder by folder, not by what headers say", hint=hint)


def plan_batch(root: Path, output: Path, options: Options, group: Grouping, passed: SkippedCounts) -> Iterator[Planned]:
    """Yield the studies below a folder, one at a time, with what cannot be read and steps on the way.

    By folder nothing but names is read, and the first study comes at once. By header the beginning of each header is
    read, once, before the first study comes.

    Args:
        root: the folder.
        output: of the batch.
        options: of the conversion.
        group: which pairs become one study.
        passed: counts what is left aside.

    Raises:
        InputError: the root is not a folder, or cannot be read; animals of the sheet would be those of every study.
        OptionError: the output is the root, or the root lies in it; or a secret for the names of studies is missing; or
            single scans are named.
    """
    refuse_batch(root, output, options)
    steps = _checked(walk(root, output, passed), root)
    if group is Grouping.HEADER:
        planned = grouped(steps, root, options.corrections.scan_time, passed)
    else:
        planned = _by_folder(steps, root, options)
    return (
        replace(each, output=folder_name(options, each.output)) if isinstance(each, Study) else each
        for one in planned
        for each in (_animals_of(one, options) if isinstance(one, Study) else (one,))
    )


def refuse_batch(root: Path, output: Path, options: Options) -> None:
    """Refuse what no study of a batch can be done with; as `plan_batch`, and only the folders are looked at."""
    _refuse(root, output)
    if options.corrections.only:
        error = OptionError("single scans are named, and a batch takes many folders", hint="convert that folder alone")
        error.attribute = "only"
        raise error
    refuse_for_several_studies(options.corrections.sheet)
    if options.deidentify is not None and options.deidentify.key is None:
        message = "a batch that de-identifies needs a secret, which names the folders of the studies"
        raise OptionError(message, hint="give it in a file (--key-file) or in the variable INVEON_DEIDENTIFY_KEY")


def _animals_of(study: Study, options: Options) -> Iterator[Study]:
    """Yield the study of each animal if the sheet has several in it, else the one.

    What the sheet says wrongly is left to the conversion, which refuses it as the failure of this study.
    """
    sheet = options.corrections.sheet
    try:
        hotel = sheet and hotel_in(sheet, study)
        names = hotel and animal_names(hotel)
    except InputError:
        hotel = names = None
    if not hotel or not names:
        yield study
        return
    beside = () if study.files else _folders_in(Path(study.source))
    place = "" if study.output == "." else f"{study.output}/"
    for animal, name in zip(hotel.animals, free_names(names, beside, is_root=not place), strict=True):
        yield replace(study, output=f"{place}{name}", position=str(animal.slot))


def _folders_in(folder: Path) -> list[str]:
    with contextlib.suppress(InputError):
        return [each.name for each in scan_folder(folder).folders]
    return []


def _by_folder(steps: Iterable[Step], root: Path, options: Options) -> Iterator[Planned]:
    for step in steps:
        if isinstance(step, Found):
            path = step.folder.path
            # names that are made with a secret do not meet each other, and need no `_`
            place = step.output if options.deidentify is None else path.relative_to(root).as_posix()
            yield Study(str(path), place)
        else:
            yield step


def _checked(steps: Iterable[Step], root: Path) -> Iterator[Step]:
    """Pass on what is found, but raise if the root itself cannot be read."""
    for step in steps:
        if isinstance(step, InputError) and step.path == str(root):
            raise step
        yield step


def _refuse(root: Path, output: Path) -> None:
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        there = os.path.lexists(root)
        raise InputError("is not a folder" if there else "no such folder", path=root, expected="a folder with studies")
    real_root, real_output = real_path(root), real_path(output)
    if real_root == real_output or real_output in real_root.parents:
        hint = "name a folder next to it, or below it"
        raise OptionError("the output is the folder to be read, or contains it", path=output, hint=hint)
