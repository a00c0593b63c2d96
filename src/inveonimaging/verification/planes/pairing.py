"""Which DICOM series was made from which scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy.typing as npt

from inveonimaging.dicom_reading.planes import Plane
from inveonimaging.errors import InputError
from inveonimaging.verification.planes.layout import LAYOUTS, correlation, sample
from inveonimaging.verification.source import SourceScan

SeriesOfPlanes = tuple[Plane, ...]

_BY_MANIFEST = 1000.0
_SHAPE, _TURNED, _MODALITY, _COUNT, _START, _PLACE, _VALUES = 40.0, 30.0, 30.0, 20.0, 10.0, 10.0, 40.0
_ENOUGH = 60.0  # shape and modality, or shape and values that agree
_ALIKE = 0.8  # correlation; CT and PET of one animal reach 0.7
_SECONDS = 1.0
_PROBES = 3
_MOST_SLOTS = 120
_NEAR = 0.6  # of the distance between slices


class Pairs(NamedTuple):
    """Series with their scans, scans without series, and series without scans; as indices."""

    made: dict[int, int]
    missing: tuple[int, ...]
    extra: tuple[int, ...]


def paired(
    series: Sequence[SeriesOfPlanes], scans: Sequence[SourceScan], sources: Mapping[str, tuple[str, str]]
) -> Pairs:
    """Return which scan each series was made from: by the manifest, else by what they have in common.

    Args:
        series: as they were read.
        scans: what the source holds.
        sources: header file and part of each series, by Series Instance UID, as a manifest records it.
    """
    scores = {(n, m): _score(planes, scan, sources) for n, planes in enumerate(series) for m, scan in enumerate(scans)}
    for pair in _doubtful(scores):
        agreement = _agreement(series[pair[0]], scans[pair[1]])
        scores[pair] += _VALUES * max(0.0, agreement - _ALIKE) / (1 - _ALIKE)
    made: dict[int, int] = {}
    for (n, m), score in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
        if score >= _ENOUGH and n not in made and m not in made.values():
            made[n] = m
    missing = tuple(m for m in range(len(scans)) if m not in made.values())
    return Pairs(made, missing, tuple(n for n in range(len(series)) if n not in made))


def _doubtful(scores: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    """Return the pairs that are possible, of series or scans for which there are several, or without a modality."""
    possible = [pair for pair, score in scores.items() if _TURNED <= score < _BY_MANIFEST]
    return [
        (n, m)
        for n, m in possible
        if scores[n, m] < _ENOUGH or sum(a == n for a, _ in possible) > 1 or sum(b == m for _, b in possible) > 1
    ]


def _score(planes: SeriesOfPlanes, scan: SourceScan, sources: Mapping[str, tuple[str, str]]) -> float:
    first, grid = planes[0], scan.image.grid
    recorded = sources.get(str(first.get("SeriesInstanceUID")))
    if recorded == (scan.image.pair.header.name, scan.image.part_name):
        return _BY_MANIFEST
    columns, rows = first.get("Columns"), first.get("Rows")
    if (columns, rows) not in (grid.shape[:2], grid.shape[1::-1]):
        return 0.0
    score = _SHAPE if (columns, rows) == grid.shape[:2] else _TURNED
    score += _MODALITY * (first.get("Modality") == scan.modality)
    score += _COUNT * (len(planes) == scan.planes)
    return float(score + _START * _starts(planes, scan) + _PLACE * _lies(planes, scan))


def _starts(planes: SeriesOfPlanes, scan: SourceScan) -> bool:
    """Return whether the first plane was acquired when some frame of the scan began."""
    time, start = planes[0].acquired, scan.start
    if time is None or start is None:
        return False
    seconds = (time - start).total_seconds()
    return any(abs(seconds - each) < _SECONDS for each in scan.starts_s)


def _lies(planes: SeriesOfPlanes, scan: SourceScan) -> bool:
    """Return whether the series fills the same range along the slice axis; beds differ in that."""
    grid = scan.image.grid
    along = [float(plane.position @ grid.axes[:, 2]) for plane in planes if plane.position is not None]
    true = grid.positions @ grid.axes[:, 2]
    near = _NEAR * grid.spacing_mm[2]
    return bool(along) and abs(min(along) - true.min()) < near and abs(max(along) - true.max()) < near


def _agreement(planes: SeriesOfPlanes, scan: SourceScan) -> float:
    """Return how much a few planes look like slices of the scan, whatever their order, 0 to 1."""
    slots = [(frame, k) for frame in sample(range(len(scan.frames)), _PROBES) for k in range(scan.image.grid.shape[2])]
    slots = sample(slots, _MOST_SLOTS)
    best = [0.0] * _PROBES
    turned = [_in_all_layouts(plane) for plane in sample(planes, _PROBES)]
    for slot in slots:
        true = scan.plane(*slot)
        for n, layouts in enumerate(turned):
            best[n] = max([best[n], *(correlation(pixels, true) for pixels in layouts)])
    return sum(best[: len(turned)]) / max(1, len(turned))


def _in_all_layouts(plane: Plane) -> list[npt.NDArray[Any]]:
    try:
        pixels = plane.pixels()
    except InputError:
        return []
    return [layout.undone(pixels) for layout in LAYOUTS]
