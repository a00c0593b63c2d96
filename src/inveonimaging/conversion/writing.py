"""One series: slices in their order, quantised, encoded, and written file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, groupby, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inveonimaging.conversion.ahead import ahead
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import SeriesPlan
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
from inveonimaging.storage.staging import Written, write_file
from inveonimaging.study.grey_levels import lost_values
from inveonimaging.study.image import Image
from inveonimaging.units import MS_PER_S

Step = Callable[[int], None]
"""Called with the number of slices that were written since the last call."""


@dataclass(frozen=True)
class SeriesWork:
    """All that it takes to write the files of a series.

    Attributes:
        series: what they say.
        iod: their SOP class.
        objects: which slices, in their order, each holds.
        files: their names.
        instance_uid: gives the UID of a single-frame instance by its number.
        multi_frames: the multi-frame objects; none if the instances are single frames.
        compression: of the pixels.
        folder: where they go.
    """

    series: Series
    iod: Iod
    objects: tuple[range, ...]
    files: tuple[str, ...]
    instance_uid: Callable[[int], UID]
    multi_frames: tuple[MultiFrame, ...]
    compression: Compression
    folder: Path

    def write(self, step: Step) -> tuple[Written, ...]:
        """Write the files.

        Raises:
            InveonError: the data file cannot be read, or a codec cannot compress a slice.
            OSError: a file cannot be written.
        """
        syntax = transfer_syntax_of(self.compression)
        instances = tuple(map(self._instance, range(self.objects[-1].stop)))
        written = []
        try:
            with ahead(_slabs(self.series, instances)) as slabs:
                planes = _counted(chain.from_iterable(slabs), step)
                for number, (held, name) in enumerate(zip(self.objects, self.files, strict=True)):
                    head = self._head(number, instances[held.start : held.stop])
                    parts = syntax.file(head, islice(planes, len(held)), len(held))
                    written.append(write_file(self.folder / name, parts))
        except InveonError as error:
            raise error.at(self.series.image.pair.header) from error
        return tuple(written)

    def _instance(self, position: int) -> Instance:
        """Return the slice at a position in the order in which they are written; it is numbered in the file's order."""
        at, within = divmod(position, len(self._ks))
        frame, k = self._frames[at], self._ks[within]
        number = frame * len(self._ks) + k + 1
        return Instance(frame, k, number, self.instance_uid(number), self.series.slopes[frame][k])

    @cached_property
    def _frames(self) -> Sequence[int]:
        frames = range(len(self.series.image.frames))
        return sorted(frames, key=self.series.steps.__getitem__) if self.iod.is_in_spatial_order else frames

    @cached_property
    def _ks(self) -> Sequence[int]:
        ks = range(self.series.image.grid.shape[2])
        return sorted(ks, key=self.series.along_normal) if self.iod.is_in_spatial_order else ks

    def _head(self, number: int, instances: Sequence[Instance]) -> Head:
        """Return all that stands before the pixels of a file."""
        if isinstance(self._encoder, InstanceEncoder):
            return self._encoder.head(instances[0])
        return self._encoder.head(self.multi_frames[number], instances)

    @cached_property
    def _encoder(self) -> InstanceEncoder | MultiFrameEncoder:
        syntax = transfer_syntax_of(self.compression).uid
        if isinstance(self.iod, MultiFrameIod):
            return MultiFrameEncoder(self.iod, self.series, syntax)
        return InstanceEncoder(self.iod, self.series, syntax)


def work_of(planned: SeriesPlan, series: Series, named: StudyNames, options: Options, folder: Path) -> SeriesWork:
    """Return what it takes to write a planned series into a folder."""
    return SeriesWork(
        series=series,
        iod=planned.iod,
        objects=planned.objects,
        files=planned.files,
        instance_uid=named.single_frames(planned),
        multi_frames=named.multi_frames(planned, series.uid),
        compression=options.compression,
        folder=folder,
    )


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


def slope_findings(series: Series, summary: DataSummary, iod: Iod) -> tuple[Finding, ...]:
    """Return what the slopes cost: values that lose their grey levels, and programs that read one slope only."""
    helps = "" if iod.holds_one_time_frame else "--rescale slice keeps those of other slices"
    lost = lost_values(series.image, summary.extents, series.slopes, helps)
    return (*lost, *_several_slopes(series, iod))


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
