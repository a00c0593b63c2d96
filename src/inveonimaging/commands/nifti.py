"""`inveon nifti`, as a function: a NIfTI file of each series, with its times beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.commands.studies import Failure, Placed, planned_each, studies_in, written_each
from inveonimaging.errors import OptionError
from inveonimaging.extras import refuse_without_extra
from inveonimaging.findings import Finding
from inveonimaging.nifti_files.options import NiftiOptions
from inveonimaging.nifti_files.writing import NiftiPlan, names_one_file, plan_nifti, write_nifti
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.storage.file_sets import refuse_taken_names


@dataclass(frozen=True, kw_only=True)
class NiftiStudy:
    """What was written of one study, or of one animal of a scan of several.

    Attributes:
        source: the folder or file.
        folder: where the files are.
        files: the NIfTI files, in the order of the series.
        beside: the other files: sidecars (`.json`), and times (`.sif`).
    """

    source: str
    folder: Path
    files: tuple[Path, ...]
    beside: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class NiftiResult:
    """What was written.

    Attributes:
        studies: in the order of their folders, or of the animals in the sheet.
        findings: of the files, the folders and the animals.
        failures: studies below the source that were not written; none unless the search was recursive.
    """

    studies: tuple[NiftiStudy, ...]
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All NIfTI files."""
        return tuple(path for each in self.studies for path in each.files)

    @property
    def beside(self) -> tuple[Path, ...]:
        """All other files."""
        return tuple(path for each in self.studies for path in each.beside)


def nifti(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: NiftiOptions | None = None,
    *,
    progress: Progress = no_progress,
) -> NiftiResult:
    """Write a NIfTI file of each series: a bed position, an energy window, or all time frames or gates.

    Values are physical: float32 of PET and SPECT, the stored int16 of a CT. No voxel is resampled. All files of a study
    appear whole, or none does; the animals of one scan are planned before any is written.

    Args:
        source: a folder of pairs, or one pair; with `options.recursive` a folder of studies.
        output: a folder, which is made if it is missing; or, of one series, a file that ends in `.nii` or `.nii.gz`.
        options: how files are written, which studies are read, and what counts instead of the headers.
        progress: called with how many slices are written, and how many there are as far as is known.

    Raises:
        InveonError: what is wrong, where, and what was expected, in one line; of one study among several it is among
            the failures.
    """
    options = options or NiftiOptions()
    counter = StepCounter(progress)
    done = written_each(
        planned(Path(source), Path(output), options), lambda plan: _written(plan, options, counter), options, counter
    )
    return NiftiResult(studies=done.studies, findings=done.findings, failures=done.failures)


def planned(source: Path, output: Path, options: NiftiOptions) -> Iterator[tuple[NiftiPlan, ...] | Failure]:
    """Return what would be written, of the animals of one scan together; arguments and errors as `nifti`."""
    refuse_without_extra("inveon nifti", "nifti", {"nibabel": "nibabel"})
    is_hotel = options.split or options.boxes is not None
    if names_one_file(output) and (options.recursive or is_hotel):
        raise OptionError("the output names one file", path=output, expected="a folder, in which each study gets one")
    if options.mask_others and not is_hotel:
        raise OptionError("neighbours are masked only where a scan is split", hint="add --split")

    def plan(one: Placed) -> NiftiPlan:
        made = plan_nifti(one.study, output / one.place, options, is_folder=one.place != ".")
        refuse_taken_names(made.folder, made.names, overwrite=options.overwrite)
        return made

    studies = studies_in(source, output, options, splits=is_hotel, is_hotel=is_hotel)
    return planned_each(studies, plan, recursive=options.recursive)


def _written(plan: NiftiPlan, options: NiftiOptions, counter: StepCounter) -> NiftiStudy:
    paths = write_nifti(plan, counter, overwrite=options.overwrite)
    named = {each.name for each in plan.files}
    return NiftiStudy(
        source=str(plan.study.source),
        folder=plan.folder,
        files=tuple(path for path in paths if path.name in named),
        beside=tuple(path for path in paths if path.name not in named),
    )
