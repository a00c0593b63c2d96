"""`inveon nifti`, as a function: a NIfTI file of each series, with its times beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inveonimaging.commands.studies import Failure, Written, planned_files, written_each
from inveonimaging.extras import refuse_without_extra
from inveonimaging.nifti_files.options import NiftiOptions
from inveonimaging.nifti_files.writing import NiftiPlan, names_one_file, plan_nifti, write_nifti
from inveonimaging.progress import Progress, StepCounter, no_progress


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


class NiftiResult(Written[NiftiStudy]):
    """What was written; attributes as those of `Written`."""

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
    options, counter = options or NiftiOptions(), StepCounter(progress)

    def write(plan: NiftiPlan) -> NiftiStudy:
        files, beside = write_nifti(plan, counter, overwrite=options.overwrite)
        return NiftiStudy(source=str(plan.study.source), folder=plan.folder, files=files, beside=beside)

    return NiftiResult(**vars(written_each(planned(Path(source), Path(output), options), write, options, counter)))


def planned(source: Path, output: Path, options: NiftiOptions) -> Iterator[tuple[NiftiPlan, ...] | Failure]:
    """Return what would be written, of the animals of one scan together; arguments and errors as `nifti`."""
    refuse_without_extra("inveon nifti", "nifti", {"nibabel": "nibabel"})
    one = "file" if names_one_file(output) else ""
    return planned_files(source, output, options, partial(plan_nifti, options), one)
