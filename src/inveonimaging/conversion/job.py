"""The conversion itself: plan, look at the voxels, quantise, encode, write."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from inveonimaging.conversion.describing import descriptions_of
from inveonimaging.conversion.manifest import manifest_of
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import SeriesPlan, StudyPlan, plan
from inveonimaging.conversion.sources import sources_of
from inveonimaging.conversion.summary import DataSummary, data_summaries
from inveonimaging.conversion.uids import StudyNames
from inveonimaging.conversion.writing import SeriesJob, job_of
from inveonimaging.dicom.pixels import transfer_syntax_of
from inveonimaging.errors import InputError, OutputError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.voxels import unchanged
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.storage.staging import free_names, refuse_settled, refuse_used, staged, written_before


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
    """One study that was written; findings are of its folder and its animal, rows those of a sheet that it matched."""

    source: str
    output: str
    study_instance_uid: str
    series: tuple[SeriesResult, ...]
    findings: tuple[Finding, ...]
    rows: tuple[int, ...] = ()

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

    Nothing is written when any input is refused, and a study appears whole or not at all. `progress` is called with how
    many slices are written, and how many there are.

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
    counter = StepCounter(progress, total)
    return tuple(_convert_study(study, options, counter) for study in studies)


def refuse_planned(studies: tuple[StudyPlan, ...], output: Path, options: Options) -> None:
    """Refuse what can be refused before any voxel is read: a used output, and warnings if they are to fail.

    Raises:
        InveonError: why it cannot be converted.
    """
    if options.overwrite or options.beside_others:
        for study in studies:
            refuse_settled(study.output, partial(_giving_way, study, options))
    else:
        refuse_settled(output, partial(refuse_used, output))
    transfer_syntax_of(options.compression)
    if options.fail_on_warnings:
        _refuse_warnings(finding for study in studies for finding in study.all_findings)


def _refuse_warnings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        if finding.severity is not Severity.INFO:
            raise InputError(finding.message, path=finding.path, line=finding.line, hint="--strict fails on warnings")


def _convert_study(study: StudyPlan, options: Options, counter: StepCounter) -> StudyResult:
    with staged(study.output, may_be_used=options.overwrite or options.beside_others) as stage:
        replaced = _giving_way(study, options)
        with unchanged([each.image.source for each in study.series], "convert again when the scanner is done"):
            summaries = tuple(_summaries(study.series))
            named = StudyNames(study, [summary.digest for summary in summaries], options)
            described = descriptions_of(study.series, specified=options.specified)
            read = {each.image.source.path: one.data_sha256 for each, one in zip(study.series, summaries, strict=True)}
            sources = sources_of(study, read, options)
            several = zip(study.series, summaries, described, strict=True)
            jobs = [job_of(*each, named, options, sources) for each in several]
            if options.fail_on_warnings:
                _refuse_warnings(finding for each in jobs for finding in each.findings)
            done = [each.written(stage.folder(str(each.planned.number)), counter.step) for each in jobs]
        if options.manifest:
            stage.write_manifest(manifest_of(study, named, done, options))
        stage.commit({str(each.planned.number): each.files for each in done}, replaced)
    return StudyResult(
        source=str(study.source),
        output=str(study.output),
        study_instance_uid=named.study.uid,
        series=tuple(map(_result, done)),
        findings=study.findings,
        rows=study.sheet_values.rows,
    )


def _summaries(series: Sequence[SeriesPlan]) -> Iterator[DataSummary]:
    """Yield the summary of each series; the frame groups of a file are read together."""
    for _, parts in groupby(series, key=lambda each: each.image.pair):
        yield from data_summaries([planned.image for planned in parts])


def _giving_way(study: StudyPlan, options: Options) -> tuple[str, ...]:
    """Return the names in the output that give way to what is written.

    Raises:
        OutputError: a name is taken by something else.
    """
    if options.beside_others and not options.overwrite:
        return _refuse_taken(study)
    replaced = written_before(study.output) if options.overwrite else ()
    _refuse_kept(study, replaced)
    return replaced


def _refuse_taken(study: StudyPlan) -> tuple[str, ...]:
    """Return the names of series that are free in the output; refuse it if another is taken."""
    names = [str(planned.number) for planned in study.series]
    free = free_names(study.output, names)
    if os.path.lexists(study.output) and not study.output.is_dir():
        raise OutputError("the output is not a folder", path=study.output, hint="name a new folder")
    for name in names:
        if name not in free and os.path.lexists(study.output / name):
            hint = "nothing is overwritten; name another output folder"
            raise OutputError("exists already and is not empty", path=study.output / name, hint=hint)
    return free


def _refuse_kept(study: StudyPlan, replaced: Sequence[str]) -> None:
    """Refuse names that are taken by something that no earlier conversion wrote.

    Raises:
        OutputError: naming the first.
    """
    for planned in study.series:
        path = study.output / str(planned.number)
        if os.path.lexists(path) and path.name not in replaced:
            hint = "only what the manifest of an earlier conversion lists is replaced; move it elsewhere"
            raise OutputError("exists already", path=path, hint=hint)


def _result(done: SeriesJob) -> SeriesResult:
    planned, image = done.planned, done.planned.image
    return SeriesResult(
        source=str(image.pair.header),
        part=image.part_name,
        folder=str(planned.number),
        modality=image.modality.label,
        sop_class=planned.iod.name,
        series_instance_uid=done.series.uid,
        instances=len(planned.files),
        frames=len(image.frames),
        unit=image.scaling.unit.value,
        rescale_slopes=len({slope for frame in done.series.slopes for slope in frame}),
        findings=(*image.findings, *done.findings),
    )
