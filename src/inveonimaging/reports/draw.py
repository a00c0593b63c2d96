"""Pictures of planes: matplotlib without its state, on figures whose every pixel is accounted for.

Nothing that comes from a file's text is ever drawn: titles and letters are our own words.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import ColorbarBase
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from inveonimaging.physics.geometry import ASSUMED
from inveonimaging.reports.planes import AnatomicalPlane, View
from inveonimaging.reports.scales import Scale

_DPI = 100
_WIDTH, _HEIGHT = 1200, 780  # at most, px
_GAP, _TITLE, _FOOT = 18, 40, 14
_LOW, _NARROW = 110, 60  # px; a panel below that has its letters and scale bar outside
_BELOW_LOW, _COLUMN = 40, 190  # px, for them, and for a panel's titles
_KEY_WIDTH, _KEY_HEIGHT = 250, 26  # of the colour bar, px
_SMALLEST = 4
_MOST_PX_PER_MM, _SHRINK = 60.0, 0.98
_INK, _DIM, _DARK = "white", "#b8bec7", "#0a0c10"
_BARS_MM = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
_FONT = 15.0
_MOST_COLUMNS = 10
_TILE = (150, 300)  # px, size of a contact sheet's picture where there are many
_LABEL, _KEY = 34, 110  # px, above such a picture, and below all of them
_ASSUMED = ("posture assumed:", ASSUMED.label)
_WARNING = "#ffb454"
_BLACK = withStroke(linewidth=3, foreground="black")


@dataclass(frozen=True)
class Panel:
    """Where a view is in its picture.

    Attributes:
        view: what is shown.
        left, top: px, of the panel's corner.
        width, height: px.
        column: px, where its titles begin and end.
    """

    view: View
    left: int
    top: int
    width: int
    height: int
    column: tuple[int, int] = (0, 0)

    @property
    def is_low(self) -> bool:
        """Whether there is no room for letters and a scale bar inside."""
        return self.height < _LOW

    def pixel(self, right_mm: float, down_mm: float) -> tuple[float, float]:
        """Return the column and row of a place: LPS coordinates along the picture's right and down."""
        left, right, bottom, top = self.view.extent_mm
        column = self.left + (right_mm - left) / (right - left) * self.width
        return column, self.top + (down_mm - top) / (bottom - top) * self.height


@dataclass(frozen=True)
class Bar:
    """A scale bar: its length, and where its pixels are."""

    mm: float
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """A PNG file's content.

    Attributes:
        name: what it is, for a file's name.
        png: the file.
        width, height: px.
        alt: what it shows, for who cannot see it.
        caption: likewise, below it.
        panels: its views.
        bar: its scale bar.
    """

    name: str
    png: bytes
    width: int
    height: int
    alt: str
    caption: str = ""
    panels: tuple[Panel, ...] = ()
    bar: Bar | None = None


@dataclass(frozen=True)
class Layer:
    """Views of the three planes, and how they are shown; a layer above another one lets it shine through."""

    views: Mapping[AnatomicalPlane, View]
    scale: Scale
    over: bool = False
    suv_per_value: float | None = None


class _Sheet:
    """A figure in pixels, from the top left."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=_DARK)
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return axes at a place."""
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)

    def text(self, left: float, top: float, text: str, **how: Any) -> None:
        """Write at a place."""
        kinds: dict[str, Any] = {"color": _INK, "fontsize": _FONT, "ha": "left", "va": "top", **how}
        self.figure.text(left / self.width, 1 - top / self.height, text, parse_math=False, **kinds)

    def bar(self, bar: Bar) -> None:
        """Draw a scale bar with its length."""
        box = (bar.left / self.width, 1 - (bar.top + bar.height) / self.height)
        size = (bar.width / self.width, bar.height / self.height)
        shape = Rectangle(box, *size, facecolor=_INK, edgecolor="none", antialiased=False, transform=None)
        shape.set_transform(self.figure.transFigure)
        self.figure.add_artist(shape)
        middle = bar.left + bar.width / 2
        how: dict[str, Any] = {"ha": "center", "va": "bottom", "path_effects": [_BLACK]}
        self.text(middle, bar.top - 5, f"{bar.mm:g} mm", **how)


def png_of(figure: Figure) -> bytes:
    """Return a figure as a PNG file; the same figure gives the same bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=figure.dpi, metadata={"Software": None}, facecolor=figure.get_facecolor())
    return file.getvalue()


@mpl.rc_context(mpl.rcParamsDefault)
def planes_picture(
    name: str, layers: Sequence[Layer], words: str, caption: str = "", *, projection: bool = False
) -> Picture:
    """Return the three planes side by side, at one scale, with letters, scale bar and colour bars.

    Args:
        name: of the picture.
        layers: from the lowest up; the first one gives the frame.
        words: what is shown, for people.
        caption: what else is to be known.
        projection: whether these are projections, which have no place.
    """
    panels, key, sheet = _laid_out(layers)
    for panel in panels:
        plane = panel.view.plane
        _draw_panel(sheet, panel, layers, _FONT)
        at_mm = round(panel.view.at_mm, 1) + 0.0
        place = f"{'xyz'[plane.normal]} {at_mm:+.1f} mm".replace("-", "\N{MINUS SIGN}")
        place = "projection" if projection else place
        left, right = panel.column
        sheet.text(left, panel.top - 9, plane.value, va="bottom")
        sheet.text(right, panel.top - 9, place, va="bottom", ha="right", color=_DIM, fontsize=13)
    bar = _bar_in(panels[0])
    sheet.bar(bar)
    below = key[1]
    for layer in layers:
        below = _draw_key(sheet, key[0], below, layer)
    if panels[0].view.is_assumed:
        _say_assumed(sheet, key[0], below)
    return Picture(name, png_of(sheet.figure), sheet.width, sheet.height, words, caption, panels, bar)


def _say_assumed(sheet: _Sheet, left: float, top: float) -> None:
    for line, words in enumerate(_ASSUMED):
        sheet.text(left, top - 16 + 20 * line, words, color=_WARNING, fontsize=13)


def _laid_out(layers: Sequence[Layer]) -> tuple[tuple[Panel, ...], tuple[float, float], _Sheet]:
    """Return the panels, where the colour bars go, and a sheet for both, as large as the better of two layouts allows.

    The planes stand in three columns, the colour bars below the axial one; or, which suits short volumes, the coronal
    and the sagittal one stand below each other. If one layer's posture is assumed, that of all is.
    """
    assumed = any(view.is_assumed for layer in layers for view in layer.views.values())
    views = [replace(layers[0].views[plane], is_assumed=assumed) for plane in AnatomicalPlane]
    keys = 10 + sum(156 if layer.suv_per_value is not None else 110 for layer in layers) + 40 * assumed
    scale = _MOST_PX_PER_MM
    while True:
        for columns in ([views[:1], views[1:2], views[2:]], [views[:2], views[2:]]):
            panels, key, width, height = _placed(columns, scale, keys)
            if width <= _WIDTH and height <= _HEIGHT:
                return panels, key, _Sheet(width, height)
        scale *= _SHRINK


def _placed(
    columns: Sequence[Sequence[View]], scale: float, keys: int
) -> tuple[tuple[Panel, ...], tuple[float, float], int, int]:
    """Return panels in columns at so many px per mm, where the colour bars are, and the width and height of all."""
    panels: list[Panel] = []
    left, bottoms = _GAP, dict[int, int]()
    for views in columns:
        sizes = [tuple(max(_SMALLEST, round(mm * scale)) for mm in view.size_mm) for view in views]
        is_last = views is columns[-1]
        wide = max(_COLUMN, _KEY_WIDTH * is_last, *(width for width, _ in sizes))
        top = _TITLE
        for view, (width, height) in zip(views, sizes, strict=True):
            aside = 0 if width >= _NARROW else (wide - width) // 2
            panels.append(Panel(view, left + aside, top, width, height, (left, left + max(width, _COLUMN))))
            top += height + (_BELOW_LOW if height < _LOW else 0) + _TITLE
        bottoms[left] = top - _TITLE
        left += wide + _GAP
    last = panels[-1].column[0]
    at = last if len(columns) == len(panels) else min(bottoms, key=lambda column: bottoms[column])
    key = (float(at), float(bottoms[at] + 40))
    width = max(left, at + _KEY_WIDTH + _GAP)
    bottoms[at] += keys + 40
    return tuple(panels), key, width, max(bottoms.values()) + _FOOT


def _draw_panel(sheet: _Sheet, panel: Panel, layers: Sequence[Layer], letters: float = 0.0) -> None:
    """Show a panel's plane of all layers, with the letters of its sides in a font size; few voxels are drawn smooth."""
    axes = sheet.axes(panel.left, panel.top, panel.width, panel.height)
    axes.set_axis_off()
    for layer in layers:
        view, scale = layer.views[panel.view.plane], layer.scale
        colours: Colormap = mpl.colormaps[scale.colours]
        axes.imshow(
            np.ma.masked_invalid(view.values),
            cmap=see_through(colours) if layer.over else colours,
            norm=Normalize(scale.low, scale.high),
            extent=view.extent_mm,
            interpolation="antialiased" if scale.colours == "gray" else "bilinear",
        )
    left, right, bottom, top = panel.view.extent_mm
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="auto")
    how: dict[str, Any] = {"color": _INK, "fontsize": letters, "fontweight": "bold", "path_effects": [_BLACK]}
    for side, (place, shift, inside, outside) in _SIDES.items() if letters else ():
        is_out = panel.is_low if side in ("top", "bottom") else panel.width < _NARROW
        across, down = outside if is_out else inside
        offset = (-shift[0], -shift[1]) if is_out else shift
        axes.annotate(
            panel.view.letters[side], place, offset, "axes fraction", "offset pixels", ha=across, va=down, **how
        )


_SIDES = {  # where its letter is: fraction of the axes, px from there, alignment across and down, in and outside
    "left": ((0.0, 0.5), (9, 0), ("left", "center"), ("right", "center")),
    "right": ((1.0, 0.5), (-9, 0), ("right", "center"), ("left", "center")),
    "top": ((0.5, 1.0), (0, -6), ("center", "top"), ("center", "bottom")),
    "bottom": ((0.5, 0.0), (0, 6), ("center", "bottom"), ("center", "top")),
}


def see_through(colours: Colormap) -> Colormap:
    """Return colours that are clear at their lower end and nearly solid from the middle on."""
    level = np.linspace(0, 1, 256)
    rgba = colours(level)
    rgba[:, 3] = np.clip(2.4 * level - 0.2, 0, 0.85)
    return ListedColormap(rgba)


def _bar_in(panel: Panel) -> Bar:
    """Return a scale bar of a round length, at most two fifths of a panel wide."""
    width_mm, _ = panel.view.size_mm
    fitting = [mm for mm in _BARS_MM if mm <= 0.4 * width_mm]
    mm = fitting[-1] if fitting else _BARS_MM[0]
    width = max(1, round(mm * panel.width / width_mm))
    top = panel.top + panel.height + (31 if panel.is_low else -18)
    return Bar(mm, panel.left + 14, top, width, 5)


def _draw_key(sheet: _Sheet, left: float, top: float, layer: Layer) -> float:
    """Draw a colour bar with its unit, SUV above it if that is known; return where the next one may be."""
    scale = layer.scale
    shown = Normalize(scale.low / scale.divisor, scale.high / scale.divisor)
    suv = layer.suv_per_value
    top += 46 if suv else 0
    axes = sheet.axes(left + 24, top, _KEY_WIDTH - 40, _KEY_HEIGHT)
    bar = ColorbarBase(
        axes,
        cmap=mpl.colormaps[scale.colours],
        norm=shown,
        orientation="horizontal",
        extend="max" if scale.is_cut else "neither",
    )
    bar.outline.set_visible(False)
    scales = [axes]
    sheet.text(left + _KEY_WIDTH, top + _KEY_HEIGHT + 34, scale.unit, color=_DIM, fontsize=13, ha="right")
    if suv:
        upper = axes.twiny()
        upper.set_xlim(scale.low * suv, scale.high * suv)
        upper.spines[:].set_visible(False)
        scales.append(upper)
        sheet.text(left + _KEY_WIDTH, top - 28, "SUV", color=_DIM, fontsize=13, ha="right", va="bottom")
    for each in scales:
        each.tick_params(colors=_INK, labelsize=13, length=4)
        each.locator_params(nbins=4)
    return top + _KEY_HEIGHT + 76


@mpl.rc_context(mpl.rcParamsDefault)
def contact_sheet(name: str, tiles: Mapping[int, View], labels: Mapping[int, str], scale: Scale, words: str) -> Picture:
    """Return small pictures of one plane, frame after frame, under one scale.

    Args:
        name: of the picture.
        tiles: views of one plane and size, by frame.
        labels: what is above each.
        scale: of all of them.
        words: what is shown, for people.
    """
    first = next(iter(tiles.values()))
    columns, px_per_mm = _tiled(len(tiles), *first.size_mm)
    width, height = (max(_SMALLEST, round(mm * px_per_mm)) for mm in first.size_mm)
    cell, row = max(width, 110) + 8, height + _LABEL
    rows = math.ceil(len(tiles) / columns)
    sheet = _Sheet(max(columns * cell + 2 * _GAP, _KEY_WIDTH + 3 * _GAP + 400), rows * row + _GAP + _KEY)
    panels: list[Panel] = []
    for place, (frame, view) in enumerate(tiles.items()):
        down, across = divmod(place, columns)
        panel = Panel(view, _GAP + across * cell, _GAP + down * row + 22, width, height)
        _draw_panel(sheet, panel, [Layer({view.plane: view}, scale)], 0.0 if panels else _FONT - 4.0)
        sheet.text(panel.left, panel.top - 5, labels[frame], fontsize=12, va="bottom", color=_DIM)
        panels.append(panel)
    bottom = rows * row + _GAP + 18
    _draw_key(sheet, _GAP, bottom, Layer({}, scale))
    bar = replace(_bar_in(panels[0]), left=_GAP + _KEY_WIDTH + 60, top=bottom + 12)
    sheet.bar(bar)
    if first.is_assumed:
        _say_assumed(sheet, bar.left + bar.width + 40, bottom + 18)
    return Picture(name, png_of(sheet.figure), sheet.width, sheet.height, words, panels=tuple(panels), bar=bar)


def _tiled(count: int, width_mm: float, height_mm: float) -> tuple[int, float]:
    """Return in how many columns pictures stand, and how large, px per mm: few fill a sheet, many make it longer."""
    most = 1, 0.0
    for columns in range(1, count + 1):
        rows = math.ceil(count / columns)
        across = ((_WIDTH - 2 * _GAP) / columns - 8) / width_mm
        down = ((_HEIGHT - _GAP - _KEY) / rows - _LABEL) / height_mm
        most = max(most, (columns, min(across, down)), key=lambda each: each[1])
    columns, px_per_mm = most
    many = min(size / mm for size, mm in zip(_TILE, (width_mm, height_mm), strict=True))
    if px_per_mm < many:
        return min(count, _MOST_COLUMNS), min(many, _MOST_PX_PER_MM)
    return columns, min(px_per_mm, _MOST_PX_PER_MM)
