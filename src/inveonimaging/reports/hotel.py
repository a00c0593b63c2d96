"""Pictures of a group that was scanned together: where each animal's box lies, before anything is cut."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from inveonimaging.hotels.emission import late
from inveonimaging.hotels.reduced import gantry_mm, reduced
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.physics.geometry import Grid
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports.draw import png_of
from inveonimaging.reports.viewer import templates
from inveonimaging.study.blocks import Blocks
from inveonimaging.study.cut import Extent
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Study

_BLOCK_MM = 0.8
_COLOURS = ("#ffb454", "#59c2ff", "#aad94c", "#f07178", "#d2a6ff", "#95e6cb", "#ffee99", "#e6b673")
_HU = (-300.0, 700.0)  # air is dark, tissue grey, bone bright
_BRIGHTEST = 99.5  # percentile of activity
_DARK, _INK = "#0a0c10", "white"
_AXES = (("i, to the right", "k, to the front"), ("j, down", "k, to the front"), ("i, to the right", "j, down"))
_VIEWS = (("Coronal", 0, 2), ("Sagittal", 1, 2), ("Axial", 0, 1))
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Animals of one scan</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>body{background:#0a0c10;color:#e6e6e6;font:15px/1.5 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}
img{max-width:100%}td,th{padding:.2em 1em;text-align:left;border-bottom:1px solid #333}p.refused{color:#ffb454}</style>
</head><body><h1>Animals of one scan</h1>
{% if refusal %}<p class="refused">{{ refusal }}</p>{% endif %}
<img alt="Projections of the scan with the box of each animal" src="data:image/png;base64,{{ picture }}">
<table><tr><th>Position</th><th>Animal</th><th>From, mm along i, j, k</th><th>To</th></tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% if table %}<h2>What was measured</h2>
<table><tr>{% for title in table[0] %}<th>{{ title }}</th>{% endfor %}</tr>
{% for row in table[1] %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% endif %}
<p>The boxes are mm in the gantry; 3 mm are added on all sides when they are cut. As seen from the front of the scanner,
where the bed enters.</p></body></html>
"""


@mpl.rc_context(mpl.rcParamsDefault)
def hotel_picture(study: Study, boxes: Sequence[tuple[str, Extent]]) -> bytes:
    """Return projections of a group's CT, else of its PET or SPECT, with boxes and their names, as a PNG file.

    Args:
        study: of the group.
        boxes: of each animal a name of our own words, such as `left`, and its extent in the gantry.

    Raises:
        DataError: a data file cannot be read any more.
    """
    image = _shown(study)
    values, edges = _reduced(image)
    is_ct = image.scaling.unit is Unit.HU
    figure = Figure(figsize=(12, 5.6), dpi=100, facecolor=_DARK, layout="constrained")
    FigureCanvasAgg(figure)
    for number, (title, across, down) in enumerate(_VIEWS):
        axes = figure.add_subplot(1, len(_VIEWS), number + 1)
        along = ({0, 1, 2} - {across, down}).pop()
        shown = _projected(values, 2 - along, is_ct=is_ct)
        extent = (edges[across][0], edges[across][1], edges[down][1], edges[down][0])
        axes.imshow(shown, cmap="gray", extent=extent, vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title, color=_INK)
        axes.set_xlabel(f"{_AXES[number][0]}, mm", color=_INK)
        axes.set_ylabel(f"{_AXES[number][1]}, mm", color=_INK)
        axes.tick_params(colors=_INK)
        _draw_boxes(axes, boxes, across, down)
    return png_of(figure)


class View(NamedTuple):
    """What is seen of a volume along one of its axes, as it is drawn by `hotel_picture`.

    Attributes:
        name: of the plane.
        across: which stored axis grows to the right, 0 to 2 for i, j, k.
        down: which one grows downwards.
        words: what both axes are, in words.
        low_mm: where the picture begins, along both, in the gantry.
        size_mm: how far it reaches.
        png: the picture, a pixel a block.
    """

    name: str
    across: int
    down: int
    words: tuple[str, str]
    low_mm: tuple[float, float]
    size_mm: tuple[float, float]
    png: bytes


def views_of(values: npt.NDArray[np.float32], grid: Grid, *, is_ct: bool) -> tuple[View, ...]:
    """Return projections of a volume without anything drawn into them.

    Args:
        values: (nz, ny, nx) HU or activity.
        grid: where they lie in the gantry.
        is_ct: whether they are HU.
    """
    low, high = gantry_mm(grid, (-0.5, -0.5, -0.5)), gantry_mm(grid, [n - 0.5 for n in grid.shape])
    views = []
    for words, (name, across, down) in zip(_AXES, _VIEWS, strict=True):
        along = ({0, 1, 2} - {across, down}).pop()
        file = io.BytesIO()
        shown = _projected(values, 2 - along, is_ct=is_ct)
        imsave(file, shown, cmap="gray", vmin=0, vmax=1, format="png", metadata={"Software": ""})
        begin, size = (low[across], low[down]), (high[across] - low[across], high[down] - low[down])
        views.append(View(name, across, down, words, begin, size, file.getvalue()))
    return tuple(views)


def views_of_study(study: Study) -> tuple[View, ...]:
    """Return projections of the scan of a study that `hotel_picture` shows.

    Raises:
        DataError: a data file cannot be read any more.
    """
    image = _shown(study)
    is_ct = image.scaling.unit is Unit.HU
    frames = (0,) if is_ct else late(image.frames)
    values, grid = reduced(image, frames, _BLOCK_MM, _HU[0] if is_ct else 0.0)
    return views_of(values, grid, is_ct=is_ct)


def hotel_page(
    picture: bytes,
    rows: Sequence[Sequence[str]],
    refusal: str = "",
    table: tuple[Sequence[str], Sequence[Sequence[str]]] | None = None,
) -> bytes:
    """Return a page with the picture and a table of position, animal, and where its box begins and ends.

    Args:
        picture: from `hotel_picture`.
        rows: of the boxes.
        refusal: why nothing is cut.
        table: titles and rows of what was measured of each animal.
    """
    encoded = base64.b64encode(picture).decode("ascii")
    page = templates().from_string(_PAGE).render(picture=encoded, rows=rows, refusal=refusal, table=table)
    return page.encode("utf-8")


def _shown(study: Study) -> Image:
    images = [each.image for each in study.series]
    return max(images, key=lambda each: (each.scaling.unit is Unit.HU, each.modality is Modality.PET))


def _reduced(image: Image) -> tuple[npt.NDArray[np.float32], list[tuple[float, float]]]:
    """Return (nz, ny, nx) means over blocks, and where the volume begins and ends along i, j and k, mm."""
    blocks = Blocks(image.grid.shape, image.grid.spacing_mm, _BLOCK_MM)
    is_ct = image.scaling.unit is Unit.HU
    for frame in (0,) if is_ct else late(image.frames):
        k = 0
        for slab in image.slabs(frame):
            blocks.add(range(k, k + len(slab)), slab, image.scaling.factors[frame], image.scaling.intercept)
            k += len(slab)
    grid = image.grid
    middles = (*grid.shift_mm[:2], grid.shift_mm[2] + grid.bed_mm)
    halves = [n * size / 2 for n, size in zip(grid.shape, grid.spacing_mm, strict=True)]
    edges = [(middle - half, middle + half) for middle, half in zip(middles, halves, strict=True)]
    return blocks.means(_HU[0] if is_ct else 0.0), edges


def _projected(values: npt.NDArray[np.float32], axis: int, *, is_ct: bool) -> npt.NDArray[np.float64]:
    """Return what is seen along an axis of (k, j, i), 0 to 1: tissue and bone of a CT, the brightest of activity."""
    if is_ct:
        low, high = _HU
        clipped = np.clip((values - low) / (high - low), 0, 1)
        return np.asarray(0.5 * clipped.max(axis=axis) + 0.5 * clipped.mean(axis=axis) / max(clipped.mean(), 0.05) / 4)
    brightest = values.max(axis=axis)
    top = float(np.percentile(brightest, _BRIGHTEST)) or 1.0
    return np.asarray(np.clip(brightest / top, 0, 1), dtype=np.float64)


def _draw_boxes(axes: Axes, boxes: Sequence[tuple[str, Extent]], across: int, down: int) -> None:
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for number, (name, extent) in enumerate(boxes):
        colour = _COLOURS[number % len(_COLOURS)]
        low, high = extent.low_mm, extent.high_mm
        width, height = high[across] - low[across], high[down] - low[down]
        axes.add_patch(Rectangle((low[across], low[down]), width, height, fill=False, edgecolor=colour, linewidth=2))
        axes.text(
            low[across] + 1,
            low[down] + 1,
            name,
            color=colour,
            va="top",
            clip_on=True,
            path_effects=[withStroke(linewidth=3, foreground="black")],
        )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
