"""The pictures of a study, series by series: planes, projections, PET on CT, curves, contact sheets, histograms."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inveonimaging.errors import InputError
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_mu_map
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports.charts import curves_picture, histogram_picture
from inveonimaging.reports.contents import Contents
from inveonimaging.reports.curves import curves_of
from inveonimaging.reports.draw import Layer, Picture, contact_sheet, planes_picture
from inveonimaging.reports.planes import HALF_A_VOXEL, Plane, View, between, index_at, resampled, stored_axis
from inveonimaging.reports.scales import Scale, scale_of
from inveonimaging.reports.voxel_pass import VoxelSurvey, survey_of
from inveonimaging.storage.whole_files import file_name, write_all
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Series
from inveonimaging.study.suv import suv_factor

MOST_SERIES = 40  # of which pictures are drawn
_S_PER_MIN = 60.0


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
    surveys = {base.number: survey_of(base.image) for base in bases.values() if _is_wanted(base, shown)}
    for series in shown:
        base = bases.get(series.frame_of_reference) if _may_lie_on_ct(series) else None
        under = surveys[base.number] if base else None
        survey = surveys.get(series.number) or survey_of(series.image, _wanted(series.image, under))
        fused = _fused(series.image, survey, under) if under else ()
        yield Drawn(series, survey, (*_planes(series.image, survey), *fused, *_more(series.image, survey)))


def _is_wanted(base: Series, shown: tuple[Series, ...]) -> bool:
    return any(_may_lie_on_ct(series) and series.frame_of_reference == base.frame_of_reference for series in shown)


def _may_lie_on_ct(series: Series) -> bool:
    return series.image.modality is not Modality.CT and not is_mu_map(series.image.header)


def suv_per_value(image: Image) -> float | None:
    """Return the SUV of 1 Bq/mL, None if the header does not tell."""
    try:
        return suv_factor(image)
    except InputError:
        return None


def _planes(image: Image, survey: VoxelSurvey) -> Iterator[Picture]:
    unit, suv, words = image.scaling.unit, suv_per_value(image), frames_in_words(image, survey.shown)
    still = Layer(survey.middle, scale_of(unit, survey), suv_per_value=suv)
    highest = Layer(survey.highest, scale_of(unit, survey, projection=True), suv_per_value=suv)
    kind = image.modality.label
    yield _told(planes_picture("slices", [still], f"{kind}: the planes through the middle of the volume"), words)
    told = f"{kind}: maximum intensity projections"
    yield _told(planes_picture("mip", [highest], told, projection=True), words)


def _more(image: Image, survey: VoxelSurvey) -> Iterator[Picture]:
    curves = curves_of(image, survey)
    if curves and survey.hottest:
        yield _told(curves_picture("curves", curves, "Time-activity curves; a frame is as wide as it is long"), "")
    if survey.tiles:
        what = (
            "the middle coronal plane of each gate"
            if _is_gated(image)
            else "coronal projection of each frame, with its start"
        )
        yield contact_sheet(
            "frames",
            survey.tiles,
            _labels(image, survey),
            scale_of(image.scaling.unit, survey),
            what[0].upper() + what[1:],
        )
    if image.modality is Modality.CT:
        yield histogram_picture("histogram", survey.histogram, "Histogram of all voxels; air and water are marked")


def _told(picture: Picture, words: str) -> Picture:
    return replace(picture, caption=words)


def _is_gated(image: Image) -> bool:
    return image.part is not None and image.part.is_gated


def frames_in_words(image: Image, shown: tuple[int, ...]) -> str:
    """Return which frames a still picture is the mean of; empty for a single frame."""
    if len(image.frames) == 1:
        return ""
    if _is_gated(image):
        return f"mean of {len(shown)} gates"
    frames = [image.frames[index] for index in shown]
    starts = [frame.start_s for frame in frames if frame.start_s is not None]
    if len(starts) < len(frames):
        return f"mean of {len(shown)} frames"
    stop = max((frame.start_s or 0.0) + (frame.duration_s or 0.0) for frame in frames)
    what = "frame" if len(shown) == 1 else f"mean of the {len(shown)} frames"
    return f"{what} from {min(starts) / _S_PER_MIN:.3g} to {stop / _S_PER_MIN:.3g} min"


def _labels(image: Image, survey: VoxelSurvey) -> Mapping[int, str]:
    """Return what stands above the pictures of a contact sheet: the gate, or when the frame starts."""
    if _is_gated(image):
        return {index: f"gate {image.frames[index].gate}" for index in survey.tiles}
    return {index: _start(image, index) for index in survey.tiles}


def _start(image: Image, index: int) -> str:
    start = image.frames[index].start_s
    if start is None:
        return f"frame {index}"
    return f"{start:g} s" if abs(start) < 2 * _S_PER_MIN else f"{start / _S_PER_MIN:.3g} min"


def _wanted(image: Image, under: VoxelSurvey | None) -> list[tuple[Plane, int]]:
    """Return between which planes of an image those of a CT lie."""
    if under is None:
        return []
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
    ct = Layer(under.middle, _ct_scale(under, projection=False))
    yield _told(planes_picture("on-ct", [ct, over], f"{kind} on CT: the planes through the middle of the CT"), words)
    ct = Layer(under.highest, _ct_scale(under, projection=True))
    layers, told = [ct, replace(over, views=highest)], f"{kind} on CT: maximum intensity projections"
    yield _told(planes_picture("on-ct-mip", layers, told, projection=True), words)


def _ct_scale(under: VoxelSurvey, *, projection: bool) -> Scale:
    return scale_of(Unit.HU, under, projection=projection)


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
        (f"{_file_name(each.series, picture)}.png", picture.png)
        for each in drawn(contents)
        for picture in each.pictures
    ]
    return write_all(Path(folder), named, overwrite=overwrite)


def _file_name(series: Series, picture: Picture) -> str:
    return file_name(str(series.number), series.image.pair.name, series.image.part_name, picture.name)
