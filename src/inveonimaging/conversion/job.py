"""The conversion itself: plan, survey the voxels, quantise, encode, write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.conversion.naming import StudyNames
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.output import Stage, refuse_used, staged
from inveonimaging.conversion.plan import SeriesPlan, StudyPlan, plan
from inveonimaging.conversion.survey import Survey, survey_of
from inveonimaging.conversion.writing import Planes, series_of, slope_findings, write_series
from inveonimaging.dicom.pixels import transfer_syntax_of
from inveonimaging.errors import InputError
from inveonimaging.findings import Finding, Severity

Progress = Callable[[int, int], None]
"""Called with the number of slices written and their total."""


def no_progress(_done: int, _total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, kw_only=True)
class SeriesResult:
    """One series that was written; `part` names what part of its file it is, findings are of its image."""

    source: str
    part: str
    folder: str
    modality: str
    sop_class: str
    series_instance_uid: str
    instances: int
    frames: int
    unit: str
    rescale_slopes: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """One study that was written; findings are of its folder and its animal."""

    source: str
    output: str
    study_instance_uid: str
    series: tuple[SeriesResult, ...]
    findings: tuple[Finding, ...]

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of the study and of its series."""
        return (*self.findings, *(finding for each in self.series for finding in each.findings))


def convert(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: Options | None = None,
    progress: Progress = no_progress,
) -> tuple[StudyResult, ...]:
    """Convert a pair of files, a folder, or a tree of folders into DICOM studies below `output`.

    Nothing is written when any input is refused, and a study appears whole or not at all.

    Raises:
        InveonError: what is wrong, where, and what was expected, in one line.
    """
    options = options or Options()
    studies = plan(Path(source), Path(output), options)
    return convert_planned(studies, Path(output), options, progress)


def convert_planned(
    studies: tuple[StudyPlan, ...], output: Path, options: Options, progress: Progress = no_progress
) -> tuple[StudyResult, ...]:
    """Convert what was planned; as `convert`."""
    refuse_planned(studies, output, options)
    total = sum(series.slices for study in studies for series in study.series)
    counter = _Counter(progress, total)
    return tuple(_convert_study(study, options, counter) for study in studies)


def refuse_planned(studies: tuple[StudyPlan, ...], output: Path, options: Options) -> None:
    """Refuse what can be refused before any voxel is read: a used output, and warnings if they are to fail.

    Raises:
        InveonError: what stands in the way.
    """
    refuse_used(output)
    transfer_syntax_of(options.compression)
    if options.fail_on_warnings:
        _refuse_warnings(finding for study in studies for finding in study.all_findings)


def _refuse_warnings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        if finding.severity is not Severity.INFO:
            raise InputError(finding.message, path=finding.path, line=finding.line, hint="--strict fails on warnings")


class _Counter:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def counted(self, planes: Planes) -> Planes:
        """Yield planes and count each as it goes."""
        for plane in planes:
            yield plane
            self._done += 1
            self._progress(self._done, self._total)


def _convert_study(study: StudyPlan, options: Options, counter: _Counter) -> StudyResult:
    with staged(study.output) as stage:
        surveys = [survey_of(series.image) for series in study.series]
        named = StudyNames(study, [survey.digest for survey in surveys], options)
        results = tuple(
            _convert_series(planned, survey, named, options, stage, counter)
            for planned, survey in zip(study.series, surveys, strict=True)
        )
        stage.commit()
    return StudyResult(
        source=str(study.source),
        output=str(study.output),
        study_instance_uid=named.study.uid,
        series=results,
        findings=study.findings,
    )


def _convert_series(
    planned: SeriesPlan, survey: Survey, named: StudyNames, options: Options, stage: Stage, counter: _Counter
) -> SeriesResult:
    series = series_of(planned, survey, named, options)
    findings = (*survey.findings, *slope_findings(series, planned.iod))
    if options.fail_on_warnings:
        _refuse_warnings(findings)
    folder = stage.folder(str(planned.number))
    write_series(planned, series, named, options, folder, counter.counted)
    image = planned.image
    return SeriesResult(
        source=str(image.pair.header),
        part=image.part_name,
        folder=folder.name,
        modality=image.modality.label,
        sop_class=planned.iod.name,
        series_instance_uid=series.uid,
        instances=len(planned.files),
        frames=len(image.frames),
        unit=image.scaling.unit.value,
        rescale_slopes=len({slope for frame in series.slopes for slope in frame}),
        findings=(*image.findings, *findings),
    )
