"""The pictures of a study, series by series: planes, projections, PET on CT, curves, contact sheets, histograms."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inveonimaging.errors import InputError
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_mu_map
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports.contents import Contents
from inveonimaging.reports.curves import curves_of, curves_picture, histogram_picture
from inveonimaging.reports.draw import Layer, Picture, contact_sheet, planes_picture
from inveonimaging.reports.planes import HALF_A_VOXEL, Plane, View, between, index_at, resampled, stored_axis
from inveonimaging.reports.scales import scale_of
from inveonimaging.reports.voxel_pass import VoxelSurvey, is_gated, span_s, survey_of
from inveonimaging.storage.whole_files import file_name, write_all
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Series
from inveonimaging.study.suv import suv_factor
from inveonimaging.units import S_PER_MINUTE

MOST_SERIES = 40  # of which pictures are drawn


@dataclass(frozen=True)
class Drawn:
    """A series with what was found in its voxels, and its pictures."""

    series: Series
    survey: VoxelSurvey
    pictures: tuple[Picture, ...]


def drawn(contents: Contents) -> Iterator[Drawn]:
    """Yield the series of a study with their pictures, one after the other, the first `MOST_SERIES` of them."""
    shown = contents.series[:MOST_SERIES]
    bases = {series.frame_of_reference: series for series in reversed(shown) if series.image.modality is Modality.CT}
    on_ct = {series.frame_of_reference for series in shown if _may_lie_on_ct(series)}
    surveys = {base.number: survey_of(base.image) for base in bases.values() if base.frame_of_reference in on_ct}
    for series in shown:
        image = series.image
        base = bases.get(series.frame_of_reference) if _may_lie_on_ct(series) else None
        under = surveys[base.number] if base else None
        survey = surveys.get(series.number) or survey_of(image, _wanted(image, under) if under else ())
        fused = _fused(image, survey, under) if under else ()
        yield Drawn(series, survey, (*_planes(image, survey), *fused, *_more(image, survey)))


def _may_lie_on_ct(series: Series) -> bool:
    return series.image.modality is not Modality.CT and not is_mu_map(series.image.header)


def suv_per_value(image: Image) -> float | None:
    """Return the SUV of 1 Bq/mL, None if the header does not give what it takes."""
    try:
        return suv_factor(image)
    except InputError:
        return None


def _planes(image: Image, survey: VoxelSurvey) -> Iterator[Picture]:
    unit, suv, words = image.scaling.unit, suv_per_value(image), frames_in_words(image, survey.shown)
    middle = Layer(survey.middle, scale_of(unit, survey), suv_per_value=suv)
    highest = Layer(survey.highest, scale_of(unit, survey, projection=True), suv_per_value=suv)
    kind = image.modality.label
    yield planes_picture("slices", [middle], f"{kind}: the planes through the middle of the volume", words)
    yield planes_picture("mip", [highest], f"{kind}: maximum intensity projections", words, projection=True)


def _more(image: Image, survey: VoxelSurvey) -> Iterator[Picture]:
    curves = curves_of(image, survey)
    if curves and survey.hottest:
        yield curves_picture("curves", curves, "Time-activity curves; a frame is as wide as it is long")
    if survey.tiles:
        gates = "The middle coronal plane of each gate"
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
    return f"{what} from {span[0] / S_PER_MINUTE:.3g} to {span[1] / S_PER_MINUTE:.3g} min"


def _label(image: Image, index: int) -> str:
    """Return what is above a picture of a contact sheet: the gate, or when the frame starts."""
    frame = image.frames[index]
    if is_gated(image):
        return f"gate {frame.gate}"
    return f"frame {index}" if frame.start_s is None else time_words(frame.start_s, 3)


def time_words(seconds: float, digits: int) -> str:
    """Return a time in s, or from two minutes on in min."""
    return f"{seconds:g} s" if abs(seconds) < 2 * S_PER_MINUTE else f"{seconds / S_PER_MINUTE:.{digits}g} min"


def _wanted(image: Image, under: VoxelSurvey) -> list[tuple[Plane, int]]:
    """Return between which planes of an image those of a CT lie."""
    return [(plane, index) for plane in Plane for index in {*_between(image, under, plane)[:2]}]


def _between(image: Image, under: VoxelSurvey, plane: Plane) -> tuple[int, int, float]:
    """Return the two planes of an image beside a CT's middle plane, and how far it is from the first; else NaN."""
    count = image.grid.shape[stored_axis(image.grid, plane.normal)]
    place = index_at(image.grid, plane, under.middle[plane].at_mm)
    if not -HALF_A_VOXEL <= place <= count - 1 + HALF_A_VOXEL:
        return 0, 0, math.nan
    held = min(max(place, 0.0), count - 1.0)
    first = min(math.floor(held), max(count - 2, 0))
    return first, min(first + 1, count - 1), held - first


def _fused(image: Image, survey: VoxelSurvey, under: VoxelSurvey) -> Iterator[Picture]:
    """Yield the emission image on the CT's planes and projections, sampled where the CT's voxels are."""
    planes = {plane: on_plane(image, survey, under, plane) for plane in Plane}
    highest = {plane: resampled(survey.highest[plane], under.highest[plane]) for plane in Plane}
    if not any(np.isfinite(view.values).any() for view in planes.values()):
        return
    kind, words, suv = image.modality.label, frames_in_words(image, survey.shown), suv_per_value(image)
    over = Layer(planes, scale_of(image.scaling.unit, survey), over=True, suv_per_value=suv)
    layers = [Layer(under.middle, scale_of(Unit.HU, under)), over]
    yield planes_picture("on-ct", layers, f"{kind} on CT: the planes through the middle of the CT", words)
    layers = [Layer(under.highest, scale_of(Unit.HU, under, projection=True)), replace(over, views=highest)]
    yield planes_picture("on-ct-mip", layers, f"{kind} on CT: maximum intensity projections", words, projection=True)


def on_plane(image: Image, survey: VoxelSurvey, under: VoxelSurvey, plane: Plane) -> View:
    """Return an image on the pixels of a CT's middle plane: linear between voxels, NaN outside the image."""
    first, second, fraction = _between(image, under, plane)
    onto = under.middle[plane]
    if math.isnan(fraction):
        return replace(onto, values=np.full(onto.values.shape, np.nan, np.float32))
    return resampled(between(survey.wanted[plane, first], survey.wanted[plane, second], fraction), onto)


def write_pictures(contents: Contents, folder: str | os.PathLike[str], *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write the pictures of a study as PNG files, such as `2-mouse.pet.img-mip.png`; return their paths.

    Args:
        contents: from `contents_of`.
        folder: is made if it is missing.
        overwrite: replace files that are there.

    Raises:
        OutputError: a file is there already, or one cannot be written; none is written if one is there already.
        DataError: a data file cannot be read any more.
    """
    named = [
        (f"{file_name(str(each.series.number), image.pair.name, image.part_name, picture.name)}.png", picture.png)
        for each in drawn(contents)
        for image in [each.series.image]
        for picture in each.pictures
    ]
    return write_all(Path(folder), named, overwrite=overwrite)
