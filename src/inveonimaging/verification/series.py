"""One series compared with its scan: all kinds of comparison, and what came of each."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from inveonimaging.dicom_reading.planes import Plane, uid_name, values_of
from inveonimaging.dicom_reading.writer import own_class
from inveonimaging.errors import listed, printable
from inveonimaging.units import counted
from inveonimaging.verification.attributes.comparison import FactResults, compare_facts
from inveonimaging.verification.attributes.facts import FACTS, keywords_of
from inveonimaging.verification.attributes.own import NUMBERED
from inveonimaging.verification.attributes.vendor import series_notes
from inveonimaging.verification.consistency import inconsistent
from inveonimaging.verification.planes.layout import AS_IT_IS, Layout
from inveonimaging.verification.planes.plane_matching import Placing, Slot, place
from inveonimaging.verification.planes.positions import PositionCheck, compare_positions
from inveonimaging.verification.planes.values import Compared, compare_values
from inveonimaging.verification.planes.window import compare_window
from inveonimaging.verification.result import Agreement, Check, Difference, Kind, SeriesCheck
from inveonimaging.verification.source import SourceScan

_NAMED = 3
_USUAL_OF_NM = (AS_IT_IS, Layout(flips_columns=True))  # so that slices of a feet first animal go on towards the head
_CONSTANT = {  # what is the same in a series: code and label
    "StudyInstanceUID": ("study-uid", "Study Instance UID"),
    "SeriesInstanceUID": ("series-uid", "Series Instance UID"),
    "FrameOfReferenceUID": ("frame-of-reference", "Frame of Reference UID"),
    "SOPClassUID": ("sop-class-mixed", "SOP Class UID"),
}


def check_series(planes: Sequence[Plane], scan: SourceScan, step: Callable[[], None]) -> SeriesCheck:
    """Compare a series with the scan that it was made from.

    Args:
        planes: of the series.
        scan: the source.
        step: called for each plane.
    """
    placing = place(planes, scan)
    values = compare_values(planes, scan, placing, step)
    placed = compare_positions(planes, scan, placing)
    stated = compare_facts(FACTS, planes, [slot and slot[0] for slot in placing.slots], scan)
    instances = [
        *_instances(planes, scan, placing),
        *compare_indices(planes, scan, placing),
        *_uids(planes),
        *inconsistent(planes, {*_CONSTANT, *keywords_of(stated.differences)}),
        *compare_window(planes, scan, values),
    ]
    differences = (*instances, *values.differences, *placed.differences, *stated.differences)
    notes = (
        *series_notes(planes),
        *_ways(placing, scan, is_same=not values.differences),
        *values.notes,
        *placed.notes,
        *stated.notes,
    )
    return SeriesCheck(
        source=str(scan.image.pair.header),
        part=scan.image.part_name,
        series_instance_uid=str(planes[0].get("SeriesInstanceUID") or ""),
        sop_class=sop_class_of(planes[0]),
        planes=len(planes),
        checks=tuple(_checks(planes, scan, (values, placed, stated), differences)),
        differences=differences,
        notes=tuple(dict.fromkeys(notes)),
    )


def sop_class_of(plane: Plane) -> str:
    """Return the name of a plane's SOP class, without the word that all of them have."""
    return printable(uid_name(plane.get("SOPClassUID")).removesuffix(" Storage") or "no SOP class")


def _instances(planes: Sequence[Plane], scan: SourceScan, placing: Placing) -> Iterator[Difference]:
    """Yield what is missing, too much, or there twice."""
    taken = set(placing.slots)
    slots = [(f, k) for f in range(len(scan.frames)) for k in range(scan.image.grid.shape[2])]
    missing = [slot for slot in slots if slot not in taken]
    if missing:
        named = listed([f"frame {f} slice {k}" for f, k in missing], _NAMED)
        message = f"{len(missing)} of {len(slots)} planes are missing: {named}{_own_count(planes)}"
        yield Difference("instances-missing", Kind.INSTANCES, message, str(planes[0].file.path.parent), len(missing))
    doubles = [planes[index] for index in sorted(placing.doubles)]
    if doubles:
        yield _about(doubles, "instances-double", "are where another plane of the same frame is")
    extra = [p for n, p in enumerate(planes) if placing.slots[n] is None and n not in placing.doubles]
    if extra:
        yield _about(extra, "instances-extra", "fit no slice of the source")


def _own_count(planes: Sequence[Plane]) -> str:
    """Return that the series says itself how many images it had, where these are more than there are."""
    stated = planes[0].number("NumberOfSeriesRelatedInstances") or 0.0
    lost = stated - len({id(plane.file) for plane in planes})
    return f"; the series says itself that it has {stated:g} images: {lost:g} were lost since" if lost > 0 else ""


def _about(planes: Sequence[Plane], code: str, words: str) -> Difference:
    message = (
        f"{counted(len(planes), 'plane')} {words}: {listed([printable(plane.name, 60) for plane in planes], _NAMED)}"
    )
    return Difference(code, Kind.INSTANCES, message, str(planes[0].file.path), len(planes))


def _uids(planes: Sequence[Plane]) -> Iterator[Difference]:
    """Yield UIDs that are missing, or are not the same in the whole series."""
    for keyword, (code, label) in _CONSTANT.items():
        values = values_of(planes, keyword)
        path = str(planes[0].file.path)
        if len(values) > 1:
            message = f"the planes of the series have {len(values)} different values of {label}, expected one"
            yield Difference(code, Kind.IDENTITY, message, path, len(planes))
        elif values == (None,) and keyword != "SOPClassUID":
            message = f"{label} is not stated"
            yield Difference(f"{code}-missing", Kind.IDENTITY, message, path, len(planes))
    wrong = list(dict.fromkeys(plane.file for plane in planes if plane.file.is_mislabelled)) if planes else []
    if wrong:
        message = (
            f"SOP Class or SOP Instance UID of {counted(len(wrong), 'file')} is not that of their file meta information"
        )
        yield Difference("file-meta", Kind.IDENTITY, message, str(wrong[0].path), len(wrong))


def _ways(placing: Placing, scan: SourceScan, *, is_same: bool) -> Iterator[str]:
    """Yield how planes were identified, if not by what they should state."""
    if not placing.by_position:
        yield "positions do not show which slice a plane is; matched by order and values"
    if not placing.by_time:
        yield "nothing shows which frame a plane is; matched by Instance Number"
    usual = _USUAL_OF_NM if scan.modality == "NM" else (AS_IT_IS,)
    if is_same and placing.layout not in usual:
        yield f"the planes hold the source's slices with {placing.layout.words}, and say so"


def _checks(
    planes: Sequence[Plane],
    scan: SourceScan,
    results: tuple[Compared, PositionCheck, FactResults],
    differences: Sequence[Difference],
) -> Iterator[Check]:
    values, placed, stated = results
    differing = {difference.kind for difference in differences}

    def check(kind: Kind, compared: str, largest: str = "", *, something: bool = True) -> Check:
        same = Agreement.SAME if something else Agreement.NOT_STATED
        return Check(
            kind=kind, compared=compared, largest=largest, verdict=Agreement.DIFFERS if kind in differing else same
        )

    files = len({id(plane.file) for plane in planes})
    yield check(Kind.INSTANCES, f"{counted(len(planes), 'plane')} in {counted(files, 'file')}, expected {scan.planes}")
    unit = scan.image.scaling.unit.value
    largest = f"{values.largest:.4g} {unit} ({values.largest_steps:.3g} steps)" if values.planes else ""
    yield check(Kind.VOXELS, counted(values.voxels, "voxel"), largest, something=values.planes > 0)
    distance = f"{placed.largest:.2g} mm" if placed.planes else ""
    yield check(Kind.POSITIONS, f"corners of {counted(placed.planes, 'plane')}", distance, something=placed.planes > 0)
    for kind in (Kind.TIMES, Kind.UNITS, Kind.TRACER, Kind.CORRECTIONS, Kind.IDENTITY, Kind.DISPLAY, Kind.HEADER):
        facts = [fact for fact in FACTS if fact.kind is kind]
        compared_facts = [fact for fact in facts if stated.tallies[fact.label].compared]
        if compared_facts or kind in differing:
            worst = [f for f in compared_facts if stated.tallies[f.label].differing]
            compared = ", ".join(fact.label for fact in compared_facts)
            shown = ", ".join(_largest(fact.label, stated.tallies[fact.label].largest) for fact in worst[:_NAMED])
            yield check(kind, compared, shown, something=bool(compared_facts))


def _largest(label: str, away: float) -> str:
    return label if math.isinf(away) else f"{label}: {away:.4g}"


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
    elif unordered := _unordered(placed, lambda plane: plane.get("DimensionIndexValues")):
        message = f"Dimension Index Values are {_values(unordered[0])}, out of the order of the slices"
        yield _difference("dimension-index", message, unordered[0], len(unordered))
    single = [each for each in placed if len(each[0].file.own) == 1 and not placing.doubles]
    if unordered := _unordered(single, lambda plane: plane.number("InstanceNumber")):
        message = f"Instance Number is {printable(unordered[0].get('InstanceNumber'))}, out of the order of the slices"
        yield _difference("instance-number", message, unordered[0], len(unordered))
    elif misnumbered := _misnumbered(placed, scan):
        plane, true = misnumbered[0]
        message = f"Instance Number is {printable(plane.get('InstanceNumber'))}, expected {true}"
        yield _difference("instance-number", message, plane, len(misnumbered))


def _misnumbered(placed: Sequence[_Placed], scan: SourceScan) -> list[tuple[Plane, int]]:
    """Return planes that this program numbers otherwise, frame by frame and slice by slice, with their numbers."""
    slices = scan.image.grid.shape[2]
    expected = [(plane, frame * slices + k + 1) for plane, (frame, k) in placed if own_class(plane) in NUMBERED]
    return [(plane, true) for plane, true in expected if plane.number("InstanceNumber") not in (None, true)]


def _unordered(placed: Sequence[_Placed], value_of: Callable[[Plane], Any]) -> list[Plane]:
    """Return planes whose value is not between those of the slices beside them, in whichever direction most go."""
    frames: dict[int, list[tuple[int, Any, Plane]]] = defaultdict(list)
    for plane, (frame, k) in placed:
        value = value_of(plane)
        if value is not None:
            frames[frame].append((k, value, plane))
    wrong: list[Plane] = []
    for members in frames.values():
        ordered = sorted(members, key=lambda member: member[0])
        steps = [_step(one, other) for (_, one, _), (_, other, _) in pairwise(ordered)]
        usual = 1 if sum(steps) >= 0 else -1
        wrong += [member[2] for member, step in zip(ordered[1:], steps, strict=True) if step != usual]
    return wrong


def _step(one: Any, other: Any) -> int:
    """Return whether values rise or fall, 1 or -1; 0 if they are the same, or cannot be compared."""
    try:
        return int(other > one) - int(other < one)
    except TypeError:
        return 0


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
    """Return planes whose Dimension Index Values, which are to distinguish slices, another one of their frame has."""
    seen: dict[tuple[int, Any], list[Plane]] = defaultdict(list)
    for plane, (frame, _k) in placed:
        if plane.get("DimensionIndexValues") is not None:
            seen[frame, plane.get("DimensionIndexValues")].append(plane)
    return [plane for planes in seen.values() if len(planes) > 1 for plane in planes]


def _values(plane: Plane) -> str:
    found = plane.get("DimensionIndexValues")
    return printable("\\".join(map(str, found)) if isinstance(found, tuple) else found)


def _difference(code: str, message: str, plane: Plane, planes: int) -> Difference:
    many = f" in {planes} planes" if planes > 1 else ""
    return Difference(code, Kind.INSTANCES, f"{message}{many}", str(plane.file.path), planes)
