"""Curves as files: a long table (.csv), PMOD's .tac and Turku's .dft.

PMOD's has a line of titles, `start[seconds]`, `end[kBq/cc]` and the regions, and a line for each frame, separated by
tabulators. Turku's has four lines of titles: regions; study; unit; times and volumes in mm3 (TPCCLIB, `dftWrite`); and
what TPCCLIB reads of comments after the values. Both count from the start of the scan, or from the injection.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import NamedTuple

import numpy as np

from inveonimaging.errors import InputError, printable
from inveonimaging.physics.quantification import Unit
from inveonimaging.sheet.values import escaped
from inveonimaging.time_activity.measuring import Curve

COLUMNS = (
    *("series", "region", "frame", "gate", "start_s", "mid_s", "duration_s", "mid_after_injection_s"),
    *("unit", "mean", "sd", "min", "max", "voxels", "volume_mL", "suv_mean"),
)
_BQ_PER_KBQ = 1e3
_MM3_PER_ML = 1e3
_MISSING = "."
_LONGEST_SERIES = 200
_LONGEST = 20  # characters of a region's name in .dft; TPCCLIB takes more for a second name
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9.-]+", re.ASCII)
_TAKEN = {"weight"}  # a column of this name is not taken for a region


class Zero(str, Enum):
    """What times of .tac and .dft count from."""

    SCAN = "scan"
    INJECTION = "injection"


class Notes(NamedTuple):
    """What is written of a series beside its curves; None is not known."""

    isotope: str | None = None
    tracer: str | None = None
    started_at: datetime | None = None
    injected_at: datetime | None = None
    is_decay_corrected: bool | None = None


_NOTHING = Notes()


def csv_of(curves: Sequence[Curve], _zero: Zero = Zero.SCAN, _notes: Notes = _NOTHING) -> str:
    """Return a table with a row for each region and frame, in columns `COLUMNS`; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in curves:
        writer.writerows(_rows(each))
    return text.getvalue()


def _rows(curve: Curve) -> Iterable[list[object]]:
    gates = curve.gates or ("",) * len(curve.frames)
    numbers = (
        *(curve.starts_s, curve.middles_s, curve.durations_s, curve.after_injection_s),
        *(curve.means, curve.deviations, curve.lowest, curve.highest, curve.volumes_ml, curve.suvs),
    )
    for n, (frame, gate) in enumerate(zip(curve.frames, gates, strict=True)):
        start, mid, length, after, mean, sd, low, high, volume, suv = (_number(float(each[n])) for each in numbers)
        names = escaped(printable(curve.series, _LONGEST_SERIES)), escaped(curve.region)
        yield [
            *names,
            frame,
            gate,
            start,
            mid,
            length,
            after,
            curve.unit.value,
            mean,
            sd,
            low,
            high,
            int(curve.voxels[n]),
            volume,
            suv,
        ]


def _number(value: float) -> str:
    return f"{value:.9g}" if math.isfinite(value) else ""


def tac_of(curves: Sequence[Curve], zero: Zero, _notes: Notes) -> str:
    """Return PMOD's table of the curves of one series.

    Raises:
        InputError: frames are gates, or have no times; the injection is not known and is to be zero.
    """
    starts, ends = _times(curves, zero)
    unit = "kBq/cc" if curves[0].unit is Unit.BQML else "1/1"
    lines = [["start[seconds]", f"end[{unit}]", *_names(curves)]]
    return _text([*lines, *_frames(curves, starts, ends)])


def dft_of(curves: Sequence[Curve], zero: Zero, notes: Notes) -> str:
    """Return Turku's table of the curves of one series; errors as `tac_of`."""
    starts, ends = _times(curves, zero)
    unit = "kBq/mL" if curves[0].unit is Unit.BQML else _MISSING
    blank = [_MISSING] * len(curves)
    volumes = [f"{float(each.volumes_ml.max()) * _MM3_PER_ML:.6g}" for each in curves]
    lines = [["DFT1", *_names(curves)], [_MISSING, *blank], [unit, *blank], ["Times (sec)", *volumes]]
    comments = "".join(f"# {name} := {value}\n" for name, value in _comments(zero, notes))
    return _text([*lines, *_frames(curves, starts, ends)]) + comments


def _comments(zero: Zero, notes: Notes) -> Iterable[tuple[str, str]]:
    corrected = None if notes.is_decay_corrected is None else "Yes" if notes.is_decay_corrected else "No"
    comments = {
        "time_zero": "injection" if zero is Zero.INJECTION else "start of the scan",
        "radiopharmaceutical": notes.tracer,
        "isotope": notes.isotope,
        "decay_correction": corrected,
        "scan_start_time": notes.started_at and f"{notes.started_at:%Y-%m-%d %H:%M:%S}",
        "injection_time": notes.injected_at and f"{notes.injected_at:%Y-%m-%d %H:%M:%S}",
    }
    for name, value in comments.items():
        text = printable(value or "", 60).encode("ascii", "replace").decode().replace("#", "?")
        if text:
            yield name, text


def refuse_without_times(curves: Sequence[Curve], zero: Zero) -> None:
    """Refuse curves of one series of which no table of times can be made; errors as `tac_of`."""
    _times(curves, zero)


def _times(curves: Sequence[Curve], zero: Zero) -> tuple[list[float], list[float]]:
    """Return when each frame begins and ends, after the start of the scan or after the injection."""
    first = curves[0]
    if first.gates:
        raise InputError("frames differ by gate, and a table of times has none", path=first.source, hint=_CSV)
    after = first.injection_s if zero is Zero.INJECTION else 0.0
    if after is None or any(each.injection_s != first.injection_s for each in curves if zero is Zero.INJECTION):
        message = "the time of the injection is not known, or differs between animals"
        raise InputError(message, path=first.source, hint="give it with --injected-at, or leave out --time-zero")
    unknown = np.flatnonzero(~np.isfinite(first.starts_s + first.durations_s))
    if unknown.size:
        message = f"the header does not say when frame {first.frames[unknown[0]]} began or how long it was"
        raise InputError(message, path=first.source, hint=_CSV)
    starts = first.starts_s - after
    return starts.tolist(), (starts + first.durations_s).tolist()


_CSV = "write a .csv, which has what is known"


def _frames(curves: Sequence[Curve], starts: Sequence[float], ends: Sequence[float]) -> Iterable[list[str]]:
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        yield [_time(start), _time(end), *_values(curves, n)]


def _names(curves: Sequence[Curve]) -> list[str]:
    """Return names of ASCII letters without blanks, each once."""
    found: list[str] = []
    for each in curves:
        name = stem = _NOT_PLAIN.sub("-", each.region).strip("-")[:_LONGEST] or "region"
        number = 2
        while name.casefold() in {*map(str.casefold, found), *_TAKEN}:
            name, number = f"{stem[: _LONGEST - 3]}-{number}", number + 1
        found.append(name)
    return found


def _values(curves: Sequence[Curve], n: int) -> list[str]:
    values = (float(each.means[n]) / (_BQ_PER_KBQ if each.unit is Unit.BQML else 1.0) for each in curves)
    return [f"{value:.6e}" if math.isfinite(value) else _MISSING for value in values]


def _time(seconds: float) -> str:
    return f"{seconds:.5f}".rstrip("0").rstrip(".")


def _text(lines: Iterable[Sequence[str]]) -> str:
    return "".join("\t".join(line) + "\n" for line in lines)


TABLES: Mapping[str, Callable[[Sequence[Curve], Zero, Notes], str]] = {".csv": csv_of, ".tac": tac_of, ".dft": dft_of}
"""What makes each table, by what its name ends in."""
