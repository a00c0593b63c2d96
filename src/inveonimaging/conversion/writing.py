"""One series: slices in their order, quantised, encoded, and written file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inveonimaging.conversion.naming import StudyNames
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.output import write_file
from inveonimaging.conversion.plan import SeriesPlan
from inveonimaging.conversion.survey import Survey
from inveonimaging.dicom.iods import Iod, MultiFrameIod
from inveonimaging.dicom.pixels import transfer_syntax_of
from inveonimaging.dicom.series import Instance, Series
from inveonimaging.dicom.uids import UID
from inveonimaging.dicom.write import Head, InstanceEncoder, MultiFrameEncoder
from inveonimaging.errors import InveonError
from inveonimaging.findings import Finding
from inveonimaging.image import Image
from inveonimaging.quant import Policy, quantise, slopes_of
from inveonimaging.scan import is_mu_map
from inveonimaging.timing import frame_reference_time, utc_offset
from inveonimaging.units import MS_PER_S

Planes = Iterable[npt.NDArray[np.int16]]


def write_series(
    planned: SeriesPlan,
    series: Series,
    named: StudyNames,
    options: Options,
    folder: Path,
    counted: Callable[[Planes], Planes],
) -> None:
    """Write all files of a series into a folder; every plane of pixels passes through `counted`."""
    syntax = transfer_syntax_of(options.compression)
    slices = tuple(_slices(series, planned.iod, named.single_frames(planned)))
    planes = iter(counted(_planes(series, slices)))
    heads = _heads(planned, series, slices, named, syntax.uid)
    try:
        for name, held, head in zip(planned.files, planned.objects, heads, strict=True):
            write_file(folder / name, syntax.file(head, islice(planes, len(held)), len(held)))
    except InveonError as error:
        raise error.at(series.image.pair.header) from error


def series_of(planned: SeriesPlan, survey: Survey, named: StudyNames, options: Options) -> Series:
    """Return a planned series with its UIDs, times and slopes."""
    image, study = planned.image, named.study
    offset, _ = utc_offset(image.header)
    policy = options.rescale
    if planned.iod.holds_one_time_frame:  # and one slope
        policy = Policy.SERIES if planned.gating else Policy.FRAME if policy is Policy.SLICE else policy
    return Series(
        study=study,
        uid=named.series(planned),
        frame_of_reference_uid=named.uids.uid("frame of reference", study.uid, planned.space),
        number=planned.number,
        image=image,
        start=planned.start,
        utc_offset=offset,
        frame_reference_times_ms=_reference_times_ms(image),
        gating=planned.gating,
        slopes=slopes_of(survey.extents, image.scaling.factors, policy),
        window=survey.window,
        uids=named.uids,
        attenuation_series_uid=named.attenuation(planned),
        codes=options.codes,
    )


def slope_findings(series: Series, iod: Iod) -> tuple[Finding, ...]:
    """Return a finding if frames of one object have slopes of their own, which not all programs read."""
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


def _slices(series: Series, iod: Iod, uid: Callable[[int], UID]) -> Iterator[Instance]:
    """Yield the slices of a series in the order in which they are written."""
    frames: Iterable[int] = range(len(series.image.frames))
    ks: Iterable[int] = range(series.image.grid.shape[2])
    if iod.is_in_spatial_order:
        frames, ks = sorted(frames, key=series.steps.__getitem__), sorted(ks, key=series.along_normal)
    for number, (frame, k) in enumerate(product(frames, ks), 1):
        yield Instance(frame, k, number, uid(number), series.slopes[frame][k])


def _heads(
    planned: SeriesPlan, series: Series, slices: Sequence[Instance], named: StudyNames, transfer_syntax: UID
) -> Iterator[Head]:
    """Yield of each file of a series all that stands before its pixels."""
    if not isinstance(planned.iod, MultiFrameIod):
        yield from map(InstanceEncoder(planned.iod, series, transfer_syntax).head, slices)
        return
    encoder = MultiFrameEncoder(planned.iod, series, transfer_syntax)
    for multi_frame in named.multi_frames(planned, series.uid):
        yield encoder.head(multi_frame, slices[multi_frame.slices.start : multi_frame.slices.stop])


def _planes(series: Series, slices: Sequence[Instance]) -> Iterator[npt.NDArray[np.int16]]:
    """Yield the pixels (rows, columns) of slices, reading and quantising a slab of neighbours at a time."""
    image = series.image
    step = image.slices_in_slab
    for frame, of_frame in groupby(slices, key=lambda each: each.frame):
        ks = [each.k for each in of_frame]
        for at in range(0, len(ks), step):
            slab = ks[at : at + step]
            low, high = min(slab), max(slab) + 1
            stored = image.source.slices(frame, low, high)
            pixels = quantise(stored, image.scaling.factors[frame], series.slopes[frame][low:high])
            yield from (pixels[k - low] for k in slab)
