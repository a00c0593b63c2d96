"""Numbers that count planes along space and time, compared with where in the source the planes belong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from inveonimaging.errors import printable
from inveonimaging.verification.plane_matching import Placing, Slot
from inveonimaging.verification.planes import Plane
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import SourceScan

_Count = Callable[[int, int, int], int]
_COUNTS: tuple[tuple[str, str, str, _Count], ...] = (  # of step in time, slice, and slices in all: from 0
    ("image-index", "Image Index", "ImageIndex", lambda step, k, slices: step * slices + k + 1),
    ("stack-position", "In-Stack Position Number", "InStackPositionNumber", lambda _step, k, _slices: k + 1),
    ("temporal-position", "Temporal Position Index", "TemporalPositionIndex", lambda step, _k, _slices: step + 1),
)
_Placed = tuple[Plane, Slot]


def compare_indices(planes: Sequence[Plane], scan: SourceScan, placing: Placing) -> Iterator[Difference]:
    """Yield what planes are counted wrongly; slices may be counted from either end, all of them from the same."""
    placed = [(plane, slot) for plane, slot in zip(planes, placing.slots, strict=True) if slot is not None]
    for code, label, keyword, count in _COUNTS:
        if keyword == "TemporalPositionIndex" and scan.is_gated:
            continue  # other programs count times with it, and gates by their delays
        stated = [each for each in placed if each[0].get(keyword) is not None]
        wrong = min((_wrong(stated, scan, keyword, count, end) for end in (False, True)), key=len)
        if wrong:
            plane, found, true = wrong[0]
            message = f"{label} is {printable(found)}, expected {true}"
            yield _difference(code, message, plane, len(wrong))
    alike = _alike(placed)
    if alike:
        message = f"Dimension Index Values are {_values(alike[0])}, as those of another slice of the same frame"
        yield _difference("dimension-index", message, alike[0], len(alike))


def _wrong(
    stated: Sequence[_Placed], scan: SourceScan, keyword: str, count: _Count, from_the_end: bool
) -> list[tuple[Plane, Any, int]]:
    slices = scan.image.grid.shape[2]
    expected = [
        (plane, plane.get(keyword), count(scan.steps[frame], slices - 1 - k if from_the_end else k, slices))
        for plane, (frame, k) in stated
    ]
    return [each for each in expected if each[1] != each[2]]


def _alike(placed: Sequence[_Placed]) -> list[Plane]:
    """Return planes whose Dimension Index Values, which are to tell slices apart, another one of their frame has."""
    seen: dict[tuple[int, Any], list[Plane]] = defaultdict(list)
    for plane, (frame, _k) in placed:
        if plane.get("DimensionIndexValues") is not None:
            seen[frame, plane.get("DimensionIndexValues")].append(plane)
    return [plane for planes in seen.values() if len(planes) > 1 for plane in planes]


def _values(plane: Plane) -> str:
    return printable("\\".join(map(str, plane.get("DimensionIndexValues"))))


def _difference(code: str, message: str, plane: Plane, planes: int) -> Difference:
    many = f" in {planes} planes" if planes > 1 else ""
    path = str(plane.file.path)
    return Difference(code=code, kind=Kind.INSTANCES, message=f"{message}{many}", path=path, planes=planes)
