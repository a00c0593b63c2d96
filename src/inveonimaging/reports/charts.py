"""Curves over time, and the histogram of a CT, on white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inveonimaging.reports.curves import Curve
from inveonimaging.reports.draw import Picture, png_of
from inveonimaging.reports.voxel_pass import HISTOGRAM_HU

_DPI = 160
_LINE, _FILL, _GREY, _MARK = "#0b57a4", "#9dc3e6", "#5f6b7a", "#b3261e"
_PLAIN: Any = {
    "font.size": 8.0,
    "axes.edgecolor": "#8a94a1",
    "axes.linewidth": 0.6,
    "axes.labelcolor": "#1f2933",
}
_S_PER_MIN = 60.0


def curves_picture(name: str, curves: Sequence[Curve], words: str) -> Picture:
    """Return time-activity curves side by side; a frame is a bar as wide as it is long."""
    with mpl.rc_context({**mpl.rcParamsDefault, **_PLAIN}):
        figure = _figure(9.0, 2.5)
        for axes, curve in zip(_panels(figure, len(curves)), curves, strict=True):
            _draw_curve(axes, curve)
        return _picture(name, figure, words)


def _draw_curve(axes: Axes, curve: Curve) -> None:
    starts, widths = curve.starts_s / _S_PER_MIN, curve.durations_s / _S_PER_MIN
    axes.bar(starts, curve.values, widths, align="edge", color=_FILL, alpha=0.55, edgecolor="white", linewidth=0.3)
    axes.plot(starts + widths / 2, curve.values, color=_LINE, linewidth=1.1, marker="o", markersize=2.2)
    if curve.reference is not None:
        axes.axhline(curve.reference, color=_MARK, linewidth=0.9, linestyle=(0, (5, 3)))
        axes.annotate(
            curve.reference_name,
            (1.0, curve.reference),
            (-2, -3),
            axes.get_yaxis_transform(),
            "offset points",
            color=_MARK,
            fontsize=7,
            ha="right",
            va="top",
        )
        axes.set_ylim(0, 1.12 * max(curve.reference, float(curve.values.max())))
    axes.set_title(curve.title, loc="left", fontsize=8.5, color="#1f2933")
    axes.set_xlabel("minutes after the start of the scan")
    axes.set_ylabel(curve.unit)
    axes.set_xlim(left=min(0.0, float(starts.min())))


def histogram_picture(name: str, counts: npt.NDArray[np.int64], words: str) -> Picture:
    """Return the histogram of Hounsfield units, with air and water marked."""
    with mpl.rc_context({**mpl.rcParamsDefault, **_PLAIN}):
        figure = _figure(9.0, 2.2)
        axes = _panels(figure, 1)[0]
        low, high, width = HISTOGRAM_HU
        shown = counts.astype(float)
        shown[[0, -1]] = 0  # what lies outside
        edges = np.linspace(low, high, len(counts) + 1)
        axes.stairs(np.maximum(shown, 0.5), edges, baseline=0.5, fill=True, color=_FILL)
        axes.set_yscale("log")
        axes.set(xlim=(low, _last(shown, edges)), ylim=(0.8, 12 * max(10.0, shown.max())))
        for value, what in ((-1000.0, "air"), (0.0, "water")):
            axes.axvline(value, color=_MARK, linewidth=0.9, linestyle=(0, (5, 3)))
            axes.annotate(
                f"{what} {value:g}".replace("-", "\N{MINUS SIGN}"),
                (value, 0.97),
                (3, 0),
                axes.get_xaxis_transform(),
                "offset points",
                color=_MARK,
                fontsize=7,
                va="top",
            )
        axes.set_xlabel(f"HU, bins of {width:g}")
        axes.set_ylabel("voxels")
        return _picture(name, figure, words)


def _last(counts: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> float:
    used = np.flatnonzero(counts)
    return max(400.0, float(edges[min(used[-1] + 6, len(edges) - 1)])) if used.size else float(edges[-1])


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panels(figure: Figure, count: int) -> list[Axes]:
    panels: list[Axes] = list(np.ravel(figure.subplots(1, count)))
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(color="#8a94a1", labelcolor="#1f2933", width=0.6)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color="#e4e8ed", linewidth=0.6)
    return panels


def _picture(name: str, figure: Figure, words: str) -> Picture:
    png = png_of(figure)
    width, height = (round(each * _DPI) for each in figure.get_size_inches())
    return Picture(name, png, width, height, words)
