"""Activity over time, whether the header's decay factors fit the frame times, and the charts: curves and histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inveonimaging.inveon.modality import is_transmission
from inveonimaging.physics.geometry import Box, Grid
from inveonimaging.physics.quantification import Unit
from inveonimaging.physics.timing import expected_decay_factor, factor_to_injection
from inveonimaging.progress import StepCounter, no_progress
from inveonimaging.reports.draw import Picture, png_of
from inveonimaging.reports.planes import Float
from inveonimaging.reports.scales import unit_of
from inveonimaging.reports.voxel_pass import HISTOGRAM_HU, VoxelSurvey
from inveonimaging.study.image import Image
from inveonimaging.study.late_frames import is_gated
from inveonimaging.study.reading import Series
from inveonimaging.time_activity.measuring import frames_in_order, measured, unmeasured
from inveonimaging.time_activity.planning import wanted_of
from inveonimaging.time_activity.tables import csv_of
from inveonimaging.units import S_PER_MINUTE

_MBQ = 1e6
_ML_PER_MM3 = 1e-3
_SAME_FACTOR = 1e-3  # headers print factors with 4 to 7 digits
_DPI = 160
_LINE, _FILL, _MARK = "#0b57a4", "#9dc3e6", "#b3261e"
_drawn = mpl.rc_context(
    {
        **mpl.rcParamsDefault,
        "font.size": 8.0,
        "axes.edgecolor": "#8a94a1",
        "axes.linewidth": 0.6,
        "axes.labelcolor": "#1f2933",
    }
)


@dataclass(frozen=True)
class Curve:
    """A value for each frame.

    Attributes:
        title: what it is.
        unit: of the values.
        starts_s: (frames,) start of each frame after the scan's.
        durations_s: (frames,) how long each is.
        values: (frames,).
        reference: a value to compare with, if there is one.
        reference_name: what that is.
    """

    title: str
    unit: str
    starts_s: Float
    durations_s: Float
    values: Float
    reference: float | None = None
    reference_name: str = ""


@dataclass(frozen=True)
class DecayCheck:
    """A frame's decay factor: as the header has it, and as half-life and frame times give it; None if not known."""

    given: float | None
    expected: float | None

    @property
    def difference(self) -> float | None:
        """The header's over the expected one, less 1."""
        return self.given / self.expected - 1 if self.given is not None and self.expected else None

    @property
    def fits(self) -> bool | None:
        """Whether both are the same, within what headers print."""
        return None if self.difference is None else abs(self.difference) <= _SAME_FACTOR


def curves_of(image: Image, survey: VoxelSurvey) -> tuple[Curve, ...]:
    """Return the curves of a dynamic scan; none if its frames differ by something else than time, or have no times.

    The activity in the field of view has the dose beside it if the values are corrected for decay to the scan's start.
    """
    frames = image.frames
    if len(frames) == 1 or is_gated(image) or survey.hottest is None:
        return ()
    if any(frame.start_s is None or not frame.duration_s for frame in frames):
        return ()
    starts = np.array([frame.start_s for frame in frames], dtype=float)
    durations = np.array([frame.duration_s for frame in frames], dtype=float)
    order = np.argsort(starts, kind="stable")
    times = starts[order], durations[order]
    unit, divisor = unit_of(image.scaling.unit, float(survey.hot.max()))
    hot = Curve("Hottest region", unit, *times, survey.hot[order] / divisor)
    sums = survey.sums[order]
    if image.scaling.unit is not Unit.BQML:
        voxels = float(np.prod(image.grid.shape))
        return Curve("Whole field of view, mean", image.scaling.unit.value, *times, sums / voxels), hot
    activity_mbq = sums * math.prod(image.grid.spacing_mm) * _ML_PER_MM3 / _MBQ
    dose = dose_at_start_bq(image)
    moment = "injection" if factor_to_injection(image.header) else "start of the scan"
    reference = None if dose is None else dose / _MBQ
    return Curve("Activity in the field of view", "MBq", *times, activity_mbq, reference, f"dose at the {moment}"), hot


@dataclass(frozen=True)
class _Voxels:
    """Voxels of the image itself, as a region."""

    name: str
    box: Box
    space: str | None = None

    def bounds(self, _grid: Grid) -> tuple[Float, Float]:
        """Return the first and the last index along i, j and k."""
        return np.array(self.box.first, dtype=float), np.array(self.box.stop, dtype=float) - 1

    def inside(self, _grid: Grid, box: Box) -> npt.NDArray[np.bool_]:
        """Return that all voxels of a box within its bounds are in it."""
        return np.ones(box.shape[::-1], np.bool_)


def curves_table(series: Series, survey: VoxelSurvey) -> str:
    """Return the curves of a dynamic scan as the table of `inveon curves`; empty if there are none.

    Of the whole field of view only means, and how many voxels there are.

    Raises:
        DataError: the data file cannot be read any more.
    """
    image = series.image
    if survey.hottest is None or not curves_of(image, survey):
        return ""
    (k, j, i), (nx, ny, nz) = survey.hottest.box, image.grid.shape
    box = Box((i.start, j.start, k.start), (i.stop, j.stop, k.stop))
    known = wanted_of(_Voxels("hottest region", box), series, ())
    (hot,) = measured(image, [known], StepCounter(no_progress))
    whole = _Voxels("field of view", Box((0, 0, 0), image.grid.shape))
    blank = unmeasured(image, replace(known, region=whole, suv_per_value=None))
    voxels = nx * ny * nz
    order = list(frames_in_order(image))
    counts = np.full(len(order), voxels)
    return csv_of([replace(blank, means=survey.sums[order] / voxels, voxels=counts), hot])


def dose_at_start_bq(image: Image) -> float | None:
    """Return the dose at the moment to which values are corrected, the scan's start or the injection.

    It is None if that is not known, or not comparable.

    An injection after the start counts as it is: `2 ** (-seconds / half-life)` is above 1 then.
    """
    header = image.header
    if is_transmission(header):
        return None
    dose, injected, start = header.tracer.dose_bq, header.tracer.injected_at, header.acquisition.started_at
    half_life = header.tracer.half_life_s or 0.0
    if not header.corrections.decay or dose is None or injected is None or start is None or half_life <= 0:
        return None
    if factor_to_injection(header):
        return dose
    halves = (start - injected).total_seconds() / half_life
    return dose * 2.0**-halves if abs(halves) < 100 else None  # noqa: PLR2004 - beyond any use


def decay_checks(image: Image) -> tuple[DecayCheck, ...]:
    """Return a check for each frame, none of an image that is not corrected for decay."""
    if not image.header.corrections.decay or image.scaling.unit in (Unit.HU, Unit.PER_CM):
        return ()
    half_life, since = image.header.tracer.half_life_s, factor_to_injection(image.header) or 1.0
    expected = (expected_decay_factor(frame, half_life) for frame in image.frames)
    return tuple(
        DecayCheck(frame.decay_correction, factor and factor * since)
        for frame, factor in zip(image.frames, expected, strict=True)
    )


@_drawn
def curves_picture(name: str, curves: Sequence[Curve], words: str) -> Picture:
    """Return time-activity curves side by side; a frame is a bar as wide as it is long."""
    figure, panels = _figure(9.0, 2.5, len(curves))
    for axes, curve in zip(panels, curves, strict=True):
        _draw_curve(axes, curve)
    return _picture(name, figure, words)


def _draw_curve(axes: Axes, curve: Curve) -> None:
    starts, widths = curve.starts_s / S_PER_MINUTE, curve.durations_s / S_PER_MINUTE
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


@_drawn
def histogram_picture(name: str, counts: npt.NDArray[np.int64], words: str) -> Picture:
    """Return the histogram of Hounsfield units, with air and water marked."""
    figure, (axes,) = _figure(9.0, 2.2, 1)
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


def _figure(width: float, height: float, count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure, inches, with so many panels side by side."""
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels: list[Axes] = list(np.ravel(figure.subplots(1, count)))
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(color="#8a94a1", labelcolor="#1f2933", width=0.6)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color="#e4e8ed", linewidth=0.6)
    return figure, panels


def _picture(name: str, figure: Figure, words: str) -> Picture:
    png = png_of(figure)
    width, height = (round(each * _DPI) for each in figure.get_size_inches())
    return Picture(name, png, width, height, words)
