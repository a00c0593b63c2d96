"""The pictures of a study, series by series: planes, projections, PET on CT, curves, contact sheets, histograms."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_mu_map
from inveonimaging.physics.geometry import Grid
from inveonimaging.physics.quantification import Unit
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.reports.contents import Contents
from inveonimaging.reports.curves import curves_of, curves_picture, curves_table, histogram_picture
from inveonimaging.reports.draw import Layer, Picture, contact_sheet, planes_picture
from inveonimaging.reports.planes import (
    HALF_A_VOXEL,
    AnatomicalPlane,
    View,
    between,
    index_at,
    place_at,
    resampled,
    stored_axis,
)
from inveonimaging.reports.scales import scale_of
from inveonimaging.reports.voxel_pass import Cut, VoxelSurvey, survey_of
from inveonimaging.storage.whole_files import file_name, write_all
from inveonimaging.study.image import Image
from inveonimaging.study.late_frames import is_gated, span_s
from inveonimaging.study.reading import Series
from inveonimaging.study.suv import suv_per_value
from inveonimaging.units import duration

MOST_SERIES = 40  # of which pictures are drawn


@dataclass(frozen=True)
class Drawn:
    """A series with what was found in its voxels, its pictures, and its curves as a table; empty without any."""

    series: Series
    survey: VoxelSurvey
    pictures: tuple[Picture, ...]
    table: str = ""


class _Fusion(NamedTuple):
    """A series on a CT: what was found in its voxels, and through which planes of the CT both are shown."""

    base: Series
    survey: VoxelSurvey
    cut: Cut


def drawn(contents: Contents, progress: Progress = no_progress) -> Iterator[Drawn]:
    """Yield the series of a study with their pictures, one after the other, the first `MOST_SERIES` of them.

    `progress` is called with how many series are read or drawn, and how many of both there are.
    """
    shown = contents.series[:MOST_SERIES]
    counter = StepCounter(progress, 2 * len(shown))
    bases = {series.frame_of_reference: series for series in reversed(shown) if series.image.modality is Modality.CT}
    fusions: dict[int, _Fusion] = {}
    for series in shown:
        if _may_lie_on_ct(series) and series.frame_of_reference in bases:
            fusions[series.number] = _fusion(series.image, bases[series.frame_of_reference])
            counter.step()
    used = {fusion.base.number: fusion.base for fusion in fusions.values()}
    under = {number: _under(base, fusions.values()) for number, base in used.items()}
    for series in shown:
        image, fusion = series.image, fusions.get(series.number)
        survey = fusion.survey if fusion else under.get(series.number) or survey_of(image)
        fused = _fused(image, fusion, under[fusion.base.number]) if fusion else ()
        pictures = (*_planes(image, survey), *fused, *_more(image, survey))
        done = Drawn(series, survey, pictures, curves_table(series, survey))
        counter.step(1 if fusion else 2)
        yield done


def _fusion(image: Image, base: Series) -> _Fusion:
    """Read an image that lies on a CT, with its planes beside those of the CT that go through the same place."""
    onto = base.image.grid
    cuts: list[Cut] = []

    def beside(cut: Cut) -> list[tuple[AnatomicalPlane, int]]:
        cuts.append(
            {plane: _nearest(onto, plane, place_at(image.grid, plane, cut[plane])) for plane in AnatomicalPlane}
        )
        places = {plane: place_at(onto, plane, index) for plane, index in cuts[0].items()}
        return [
            (plane, index) for plane in AnatomicalPlane for index in {*_between(image.grid, plane, places[plane])[:2]}
        ]

    survey = survey_of(image, beside)
    return _Fusion(base, survey, cuts[0])


def _under(series: Series, fusions: Iterable[_Fusion]) -> VoxelSurvey:
    """Read a series with the planes on which others are to be shown."""
    planes = {each for fusion in fusions if fusion.base is series for each in fusion.cut.items()}
    return survey_of(series.image, lambda _: planes)


def _nearest(grid: Grid, plane: AnatomicalPlane, at_mm: float) -> int:
    """Return the index of the plane nearest to a place, LPS mm."""
    count = grid.shape[stored_axis(grid, plane.normal)]
    return min(max(round(index_at(grid, plane, at_mm)), 0), count - 1)


def _may_lie_on_ct(series: Series) -> bool:
    return series.image.modality is not Modality.CT and not is_mu_map(series.image.header)


def _planes(image: Image, survey: VoxelSurvey) -> Iterator[Picture]:
    unit, suv, words = image.scaling.unit, suv_per_value(image), frames_in_words(image, survey.shown)
    planes = Layer(survey.planes, scale_of(unit, survey), suv_per_value=suv)
    highest = Layer(survey.highest, scale_of(unit, survey, projection=True), suv_per_value=suv)
    yield planes_picture("slices", [planes], f"{image.kind}: the planes through {survey.through.value}", words)
    yield planes_picture("mip", [highest], f"{image.kind}: maximum intensity projections", words, projection=True)


def card_picture(image: Image) -> Picture:
    """Return one picture that distinguishes a scan from others: projections of a tracer, planes of a CT.

    Raises:
        DataError: the data file cannot be read.
    """
    planes, highest = _planes(image, survey_of(image))
    return planes if image.modality is Modality.CT else highest


def _more(image: Image, survey: VoxelSurvey) -> Iterator[Picture]:
    curves = curves_of(image, survey)
    if curves and survey.hottest:
        yield curves_picture("curves", curves, "Time-activity curves; a frame is as wide as it is long")
    if survey.tiles:
        gates = f"The coronal plane through {survey.through.value} in each gate"
        what = gates if is_gated(image) else "Coronal projection of each frame, with its start"
        labels = {index: _label(image, index) for index in survey.tiles}
        yield contact_sheet("frames", survey.tiles, labels, scale_of(image.scaling.unit, survey), what)
    if image.modality is Modality.CT:
        yield histogram_picture("histogram", survey.histogram, "Histogram of all voxels; air and water are marked")


def frames_in_words(image: Image, shown: tuple[int, ...]) -> str:
    """Return which frames a still picture is the mean of; empty for a single frame."""
    if len(image.frames) == 1:
        return ""
    if is_gated(image):
        return f"mean of {len(shown)} gates"
    span = span_s([image.frames[index] for index in shown])
    if span is None:
        return f"mean of {len(shown)} frames"
    what = "frame" if len(shown) == 1 else f"mean of the {len(shown)} frames"
    return f"{what} from {duration(span[0])} to {duration(span[1])}"


def _label(image: Image, index: int) -> str:
    """Return what is above a picture of a contact sheet: the gate, or when the frame starts."""
    frame = image.frames[index]
    if is_gated(image):
        return f"gate {frame.gate}"
    return f"frame {index}" if frame.start_s is None else duration(frame.start_s)


def _between(grid: Grid, plane: AnatomicalPlane, at_mm: float) -> tuple[int, int, float]:
    """Return the two planes of a volume beside a place, LPS mm, and how far it is from the first; NaN outside."""
    count = grid.shape[stored_axis(grid, plane.normal)]
    place = index_at(grid, plane, at_mm)
    if not -HALF_A_VOXEL <= place <= count - 1 + HALF_A_VOXEL:
        return 0, 0, math.nan
    held = min(max(place, 0.0), count - 1.0)
    first = min(math.floor(held), max(count - 2, 0))
    return first, min(first + 1, count - 1), held - first


def _fused(image: Image, fusion: _Fusion, under: VoxelSurvey) -> Iterator[Picture]:
    """Yield the emission image on the CT's planes and projections, sampled where the CT's voxels are."""
    survey = fusion.survey
    below = {plane: under.wanted[plane, index] for plane, index in fusion.cut.items()}
    planes = {plane: on_plane(image, survey, view) for plane, view in below.items()}
    highest = {plane: resampled(survey.highest[plane], under.highest[plane]) for plane in AnatomicalPlane}
    if not any(np.isfinite(view.values).any() for view in planes.values()):
        return
    kind, words, suv = image.kind, frames_in_words(image, survey.shown), suv_per_value(image)
    over = Layer(planes, scale_of(image.scaling.unit, survey), over=True, suv_per_value=suv)
    layers = [Layer(below, scale_of(Unit.HU, under)), over]
    through = f"the planes of the CT nearest to {survey.through.value} of the {kind}"
    yield planes_picture("on-ct", layers, f"{kind} on CT: {through}", words)
    layers = [Layer(under.highest, scale_of(Unit.HU, under, projection=True)), replace(over, views=highest)]
    yield planes_picture("on-ct-mip", layers, f"{kind} on CT: maximum intensity projections", words, projection=True)


def on_plane(image: Image, survey: VoxelSurvey, onto: View) -> View:
    """Return an image on the pixels of a CT's plane: linear between voxels, NaN outside the image."""
    first, second, fraction = _between(image.grid, onto.plane, onto.at_mm)
    if math.isnan(fraction):
        return replace(onto, values=np.full(onto.values.shape, np.nan, np.float32))
    between_both = between(survey.wanted[onto.plane, first], survey.wanted[onto.plane, second], fraction)
    return resampled(between_both, onto)


def write_pictures(
    drawings: Iterable[Drawn], folder: str | os.PathLike[str], *, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write the pictures of a study as PNG files, such as `2-mouse.pet.img-mip.png`; return their paths.

    Args:
        drawings: from `drawn`.
        folder: is made if it is missing.
        overwrite: replace files that are there.

    Raises:
        OutputError: a file is there already, or one cannot be written; none is written if one is there already.
        DataError: a data file cannot be read any more.
    """
    named = [
        (f"{file_name(str(each.series.number), image.pair.name, image.part_name, picture.name)}.png", picture.png)
        for each in drawings
        for image in [each.series.image]
        for picture in each.pictures
    ]
    return write_all(Path(folder), named, overwrite=overwrite)
