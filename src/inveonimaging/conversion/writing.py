"""One series: slices in their order, quantised, encoded, and written file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, groupby, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import SeriesPlan
from inveonimaging.conversion.sources import Sources
from inveonimaging.conversion.summary import DataSummary
from inveonimaging.conversion.uids import StudyNames
from inveonimaging.dicom.iods import Iod, MultiFrameIod
from inveonimaging.dicom.pixels import Compression, transfer_syntax_of
from inveonimaging.dicom.series import Instance, MultiFrame, Series
from inveonimaging.dicom.uids import UID
from inveonimaging.dicom.write import Head, InstanceEncoder, MultiFrameEncoder
from inveonimaging.errors import InveonError
from inveonimaging.findings import Finding
from inveonimaging.inveon.modality import is_mu_map
from inveonimaging.physics.quantification import Policy, enough_steps, quantise, slopes_of
from inveonimaging.physics.timing import frame_reference_time, utc_offset
from inveonimaging.storage.ahead import ahead
from inveonimaging.storage.staging import Written, write_file
from inveonimaging.study.grey_levels import lost_values
from inveonimaging.study.image import Image
from inveonimaging.units import MS_PER_S

Step = Callable[[int], None]
"""Called with the number of slices that were written since the last call."""


@dataclass(frozen=True)
class SeriesJob:
    """A series on its way to files.

    Attributes:
        planned: what is to be written.
        summary: what its voxels are like.
        series: what the files say.
        findings: beyond those of its image.
        named: gives their UIDs.
        compression: of the pixels.
        files: that were written.
    """

    planned: SeriesPlan
    summary: DataSummary
    series: Series
    findings: tuple[Finding, ...]
    named: StudyNames
    compression: Compression
    files: tuple[Written, ...] = ()

    def written(self, folder: Path, step: Step) -> SeriesJob:
        """Write the files into a folder.

        Raises:
            InveonError: the data file cannot be read, or a codec cannot compress a slice.
            OSError: a file cannot be written.
        """
        syntax = transfer_syntax_of(self.compression)
        instances = tuple(map(self._instance, range(self.planned.objects[-1].stop)))
        written = []
        try:
            with ahead(_slabs(self.series, instances), self.series.image.source.total_bytes) as slabs:
                planes = _counted(chain.from_iterable(slabs), step)
                for number, (held, name) in enumerate(zip(self.planned.objects, self.planned.files, strict=True)):
                    head = self._head(number, instances[held.start : held.stop])
                    parts = syntax.file(head, islice(planes, len(held)), len(held))
                    written.append(write_file(folder / name, parts))
        except InveonError as error:
            raise error.at(self.series.image.pair.header) from error
        return replace(self, files=tuple(written))

    def _instance(self, position: int) -> Instance:
        """Return the slice at a position in the order in which they are written; it is numbered in the file's order."""
        at, within = divmod(position, len(self._ks))
        frame, k = self._frames[at], self._ks[within]
        number = frame * len(self._ks) + k + 1
        return Instance(frame, k, number, self._instance_uid(number), self.series.slopes[frame][k])

    @cached_property
    def _instance_uid(self) -> Callable[[int], UID]:
        return self.named.single_frames(self.planned)

    @cached_property
    def _multi_frames(self) -> tuple[MultiFrame, ...]:
        return self.named.multi_frames(self.planned, self.series.uid)

    @cached_property
    def _frames(self) -> Sequence[int]:
        frames = range(len(self.series.image.frames))
        return sorted(frames, key=self.series.steps.__getitem__) if self.planned.iod.is_in_spatial_order else frames

    @cached_property
    def _ks(self) -> Sequence[int]:
        ks = range(self.series.image.grid.shape[2])
        return sorted(ks, key=self.series.along_normal) if self.planned.iod.is_in_spatial_order else ks

    def _head(self, number: int, instances: Sequence[Instance]) -> Head:
        """Return the bytes of a file before its pixels."""
        if isinstance(self._encoder, InstanceEncoder):
            return self._encoder.head(instances[0])
        return self._encoder.head(self._multi_frames[number], instances)

    @cached_property
    def _encoder(self) -> InstanceEncoder | MultiFrameEncoder:
        syntax = transfer_syntax_of(self.compression).uid
        if isinstance(self.planned.iod, MultiFrameIod):
            return MultiFrameEncoder(self.planned.iod, self.series, syntax)
        return InstanceEncoder(self.planned.iod, self.series, syntax)


def job_of(
    planned: SeriesPlan,
    summary: DataSummary,
    description: str,
    named: StudyNames,
    options: Options,
    sources: Sources | None = None,
) -> SeriesJob:
    """Return what it takes to write a planned series, with what was found in its voxels."""
    series = series_of(planned, summary, description, named, options)
    if sources:
        steps = [series.steps[frame] for frame in range(len(planned.image.frames))]
        series = replace(series, source=sources.of_series(planned, steps))
    helps = "" if planned.iod.holds_one_time_frame else "--rescale slice keeps those of other slices"
    lost = lost_values(series.image, summary.extents, series.slopes, helps)
    findings = (*summary.findings, *lost, *_several_slopes(series, planned.iod))
    return SeriesJob(planned, summary, series, findings, named, options.compression)


def _counted(planes: Iterable[npt.NDArray[np.int16]], step: Step) -> Iterator[npt.NDArray[np.int16]]:
    for plane in planes:
        step(1)
        yield plane


def series_of(
    planned: SeriesPlan, summary: DataSummary, description: str, named: StudyNames, options: Options
) -> Series:
    """Return a planned series with its description, UIDs, times and slopes."""
    image, study = planned.image, replace(named.study, animal=planned.animal)
    turns = planned.iod.points_to_head and image.grid.points_to_feet
    offset, _ = utc_offset(image.header)
    policy = options.rescale
    if planned.iod.holds_one_time_frame:  # and one slope
        policy = Policy.SERIES if planned.gating else Policy.FRAME if policy is Policy.SLICE else policy
    return Series(
        study=study,
        uid=named.series(planned),
        frame_of_reference_uid=named.frame_of_reference_uid(planned),
        number=planned.number,
        image=replace(image, grid=image.grid.with_columns_reversed()) if turns else image,
        start=planned.start,
        utc_offset=offset,
        frame_reference_times_ms=_reference_times_ms(image),
        gating=planned.gating,
        slopes=slopes_of(
            summary.extents,
            image.scaling.factors,
            policy,
            enough=enough_steps(image.scaling.unit),
            slices_share=planned.iod.holds_one_time_frame,
        ),
        window=summary.window,
        uids=named.uids,
        attenuation_series_uid=named.attenuation(planned),
        codes=options.codes,
        description=description,
        protocol=planned.sheet_values.get("protocol") or "",
        has_columns_reversed=turns,
    )


def _several_slopes(series: Series, iod: Iod) -> tuple[Finding, ...]:
    slopes = {slope for frame in series.slopes for slope in frame}
    if len(slopes) == 1 or not isinstance(iod, MultiFrameIod) or iod.holds_one_time_frame:
        return ()
    message = (
        f"the frames of one object have {len(slopes)} rescale slopes; programs that use GDCM (ITK, 3D Slicer), and "
        "dcm2niix, apply the first to all (--rescale series writes one)"
    )
    return (Finding("several-slopes", message, path=str(series.image.pair.header)),)


def _reference_times_ms(image: Image) -> tuple[float, ...]:
    half_life = None if is_mu_map(image.header) else image.header.tracer.half_life_s
    return tuple(
        MS_PER_S * frame_reference_time(frame.start_s or 0.0, frame.duration_s or 0.0, half_life)
        for frame in image.frames
    )


def _slabs(series: Series, slices: Sequence[Instance]) -> Iterator[list[npt.NDArray[np.int16]]]:
    """Yield the pixels (rows, columns) of slices, a slab of neighbours at a time."""
    image = series.image
    step = image.slices_in_slab
    for frame, of_frame in groupby(slices, key=lambda each: each.frame):
        ks = [each.k for each in of_frame]
        for at in range(0, len(ks), step):
            slab = ks[at : at + step]
            low, high = min(slab), max(slab) + 1
            stored = image.source.slices(frame, low, high)
            pixels = quantise(stored, image.scaling.factors[frame], series.slopes[frame][low:high])
            if series.has_columns_reversed:
                pixels = np.ascontiguousarray(pixels[:, :, ::-1])
            yield [pixels[k - low] for k in slab]
