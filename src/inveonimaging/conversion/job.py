"""The conversion itself: plan, survey the voxels, quantise, encode, write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inveonimaging.conversion.options import Options, Uids
from inveonimaging.conversion.output import Stage, refuse_used, staged, write_file
from inveonimaging.conversion.plan import SeriesPlan, StudyPlan, plan
from inveonimaging.conversion.survey import Survey, survey_of
from inveonimaging.dicom.series import Instance, Series, Study
from inveonimaging.dicom.uids import ContentUids, RandomUids, UidPolicy
from inveonimaging.dicom.write import SeriesEncoder
from inveonimaging.errors import InputError
from inveonimaging.findings import Finding, Severity
from inveonimaging.hdr.enums import Modality
from inveonimaging.image import Image
from inveonimaging.quant import quantise, slopes_of
from inveonimaging.timing import frame_reference_time, utc_offset
from inveonimaging.version import __version__

_SLAB_BYTES = 8 * 1024 * 1024  # of float64 while quantising: bounds the memory whatever the frame's size

Progress = Callable[[int, int], None]
"""Called with the number of instances written and their total."""


def no_progress(_done: int, _total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, kw_only=True)
class SeriesResult:
    """One series that was written; findings are of its image."""

    source: str
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
    uids: UidPolicy = RandomUids() if options.uids is Uids.RANDOM else ContentUids()
    total = sum(series.instances for study in studies for series in study.series)
    counter = _Counter(progress, total)
    return tuple(_convert_study(study, options, uids, counter) for study in studies)


def refuse_planned(studies: tuple[StudyPlan, ...], output: Path, options: Options) -> None:
    """Refuse what can be refused before any voxel is read: a used output, and warnings if they are to fail.

    Raises:
        InveonError: what stands in the way.
    """
    refuse_used(output)
    if options.fail_on_warnings:
        _refuse_warnings(finding for study in studies for finding in study.all_findings)


def _refuse_warnings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        if finding.severity is not Severity.INFO:
            raise InputError(finding.message, path=finding.path, line=finding.line, hint="--strict fails on warnings")


class _Counter:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def step(self, instances: int) -> None:
        self._done += instances
        self._progress(self._done, self._total)


def _convert_study(study: StudyPlan, options: Options, uids: UidPolicy, counter: _Counter) -> StudyResult:
    with staged(study.output) as stage:
        surveys = [survey_of(series.image) for series in study.series]
        if options.fail_on_warnings:
            _refuse_warnings(finding for survey in surveys for finding in survey.findings)
        identity = (*(survey.digest for survey in surveys), _identity(study, options))
        shared = Study(
            uid=uids.uid("study", *identity),
            id=study.id,
            description=study.description,
            start=study.start,
            animal=study.animal,
        )
        results = tuple(
            _convert_series(planned, survey, shared, options, uids, stage, counter)
            for planned, survey in zip(study.series, surveys, strict=True)
        )
        stage.commit()
    return StudyResult(
        source=str(study.source),
        output=str(study.output),
        study_instance_uid=shared.uid,
        series=results,
        findings=study.findings,
    )


def _identity(study: StudyPlan, options: Options) -> str:
    """Return what the instances say beyond headers and voxels, as text: options where they took effect, and version."""
    series = [
        (
            each.start,
            each.space,
            each.image.grid,
            each.image.scaling,
            options.codes.radionuclide(each.image.header.tracer.isotope or ""),
        )
        for each in study.series
    ]
    animal = replace(study.animal, sources={})
    return repr((__version__, study.description, study.id, animal, options.rescale.value, series))


def _convert_series(
    planned: SeriesPlan,
    survey: Survey,
    study: Study,
    options: Options,
    uids: UidPolicy,
    stage: Stage,
    counter: _Counter,
) -> SeriesResult:
    series = _series(planned, survey, study, options, uids)
    folder = stage.folder(str(planned.number))
    encoder = SeriesEncoder(planned.iod, series)
    for instances, pixels in _instances(series, uids):
        for instance, plane in zip(instances, pixels, strict=True):
            write_file(folder / planned.file_name(instance.number), encoder.encode(instance, plane.tobytes()))
        counter.step(len(instances))
    image = planned.image
    return SeriesResult(
        source=str(image.pair.header),
        folder=folder.name,
        modality=image.modality.label,
        sop_class=planned.iod.name,
        series_instance_uid=series.uid,
        instances=planned.instances,
        frames=len(image.frames),
        unit=image.scaling.unit.value,
        rescale_slopes=len({slope for frame in series.slopes for slope in frame}),
        findings=(*image.findings, *survey.findings),
    )


def _series(planned: SeriesPlan, survey: Survey, study: Study, options: Options, uids: UidPolicy) -> Series:
    image = planned.image
    offset, _ = utc_offset(image.header)
    name = (study.uid, planned.number)
    return Series(
        study=study,
        uid=uids.uid("series", *name),
        frame_of_reference_uid=uids.uid("frame of reference", study.uid, planned.space),
        number=planned.number,
        image=image,
        start=planned.start,
        utc_offset=offset,
        frame_reference_times_ms=_reference_times_ms(image) if image.modality is Modality.PET else (),
        slopes=slopes_of(survey.extents, image.scaling.factors, options.rescale),
        window=survey.window,
        codes=options.codes,
    )


def _reference_times_ms(image: Image) -> tuple[float, ...]:
    half_life = image.header.tracer.half_life_s
    return tuple(
        1000 * frame_reference_time(frame.start_s or 0.0, frame.duration_s or 0.0, half_life) for frame in image.frames
    )


def _instances(series: Series, uids: UidPolicy) -> Iterator[tuple[list[Instance], npt.NDArray[np.int16]]]:
    """Yield the instances of a series in file order, a slab of slices at a time, with their pixels (n, ny, nx)."""
    image = series.image
    columns, rows, slices = image.grid.shape
    step = max(1, _SLAB_BYTES // (8 * rows * columns))
    for frame, factor in enumerate(image.scaling.factors):
        stored = image.voxels(frame)
        for first in range(0, slices, step):
            ks = range(first, min(first + step, slices))
            slopes = [series.slopes[frame][k] for k in ks]
            numbers = [frame * slices + k + 1 for k in ks]
            instances = [
                Instance(frame, k, number, uids.uid("instance", series.uid, number), slope)
                for k, number, slope in zip(ks, numbers, slopes, strict=True)
            ]
            yield instances, quantise(stored[first : ks.stop], factor, slopes)
