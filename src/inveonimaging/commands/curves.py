"""`inveon curves`, as a function: time-activity curves of regions, as tables."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.findings import Finding
from inveonimaging.progress import Progress, no_progress
from inveonimaging.storage.file_sets import refuse_taken_names
from inveonimaging.time_activity.measuring import Curve
from inveonimaging.time_activity.options import CurvesOptions
from inveonimaging.time_activity.planning import CurvesPlan, plan_curves
from inveonimaging.time_activity.writing import write_curves


@dataclass(frozen=True, kw_only=True)
class CurvesResult:
    """What was measured and written.

    Attributes:
        curves: of each series and region, in the order of the table.
        files: the tables.
        findings: of the files, the animal and the regions.
    """

    curves: tuple[Curve, ...]
    files: tuple[Path, ...]
    findings: tuple[Finding, ...]


def curves(
    source: str | os.PathLike[str],
    outputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    options: CurvesOptions | None = None,
    *,
    progress: Progress = no_progress,
) -> CurvesResult:
    """Measure regions in each frame of PET and SPECT: mean, standard deviation, lowest and highest value, SUV.

    A voxel is in a region if its centre is; nothing is resampled. All files appear whole, or none does.

    Args:
        source: a folder of pairs, or one pair.
        outputs: files that end in `.csv`, `.tac` (PMOD) or `.dft` (Turku), in one folder; none writes nothing.
        options: the regions, and what counts instead of the headers.
        progress: called with how many slices of frames are read, and how many there are.

    Raises:
        InveonError: what is wrong, where, and what was expected, in one line.
    """
    options = options or CurvesOptions()
    several = [outputs] if isinstance(outputs, str | os.PathLike) else list(outputs)
    return write_planned(planned(Path(source), [Path(each) for each in several], options), options, progress)


def planned(source: Path, outputs: list[Path], options: CurvesOptions) -> CurvesPlan:
    """Return what would be measured and written; nothing is. Arguments and errors as `curves`."""
    plan = plan_curves(source, outputs, options)
    if plan.names:
        refuse_taken_names(plan.folder, plan.names, overwrite=options.overwrite)
    return plan


def write_planned(plan: CurvesPlan, options: CurvesOptions, progress: Progress = no_progress) -> CurvesResult:
    """Measure and write what is planned; as `curves`."""
    files, found, more = write_curves(plan, options, progress)
    return CurvesResult(curves=found, files=files, findings=(*plan.findings, *more))
