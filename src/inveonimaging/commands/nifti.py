"""`inveon nifti`, as a function: a NIfTI file of each series, with its times beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.findings import Finding
from inveonimaging.nifti_files.options import NiftiOptions
from inveonimaging.nifti_files.writing import NiftiPlan, plan_nifti, write_nifti
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.storage.file_sets import refuse_taken_names
from inveonimaging.study.reading import read_study


@dataclass(frozen=True, kw_only=True)
class NiftiResult:
    """What was written.

    Attributes:
        files: the NIfTI files, in the order of the series.
        beside: the other files: sidecars (`.json`), and times (`.sif`).
        findings: of the files, the folder and the animal.
    """

    files: tuple[Path, ...]
    beside: tuple[Path, ...]
    findings: tuple[Finding, ...]


def nifti(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: NiftiOptions | None = None,
    *,
    progress: Progress = no_progress,
) -> NiftiResult:
    """Write a NIfTI file of each series: a bed position, an energy window, or all time frames or gates.

    Values are physical: float32 of PET and SPECT, the stored int16 of a CT. No voxel is resampled. All files appear
    whole, or none does.

    Args:
        source: a folder of pairs, or one pair.
        output: a folder, which is made if it is missing; or, of one series, a file that ends in `.nii` or `.nii.gz`.
        options: how files are written, and what counts instead of the headers.
        progress: called with how many slices are written, and how many there are.

    Raises:
        InveonError: what is wrong, where, and what was expected, in one line.
    """
    options = options or NiftiOptions()
    return write_planned(planned(Path(source), Path(output), options), options, progress)


def planned(source: Path, output: Path, options: NiftiOptions) -> NiftiPlan:
    """Return what would be written; nothing is. Arguments and errors as `nifti`."""
    study = read_study(source, options, deidentify=options.deidentify)
    plan = plan_nifti(study, output, options)
    refuse_taken_names(plan.folder, plan.names, overwrite=options.overwrite)
    return plan


def write_planned(plan: NiftiPlan, options: NiftiOptions, progress: Progress = no_progress) -> NiftiResult:
    """Write what is planned; as `nifti`."""
    counter = StepCounter(progress, sum(each.volume.slices for each in plan.files))
    paths = write_nifti(plan, counter, overwrite=options.overwrite)
    named = {each.name for each in plan.files}
    return NiftiResult(
        files=tuple(path for path in paths if path.name in named),
        beside=tuple(path for path in paths if path.name not in named),
        findings=plan.findings,
    )
