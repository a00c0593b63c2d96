"""Which slice of which frame a DICOM plane is: by position and time, not by the order of files.

What is stated may be wrong, which is what is looked for. So planes go where most of what they say puts them; those that
are left over go to the slices that are left over, if their values say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from inveonimaging.dicom_reading.planes import Float, Plane
from inveonimaging.errors import InputError
from inveonimaging.verification.planes.layout import AS_IT_IS, LAYOUTS, Layout, correlation, sample
from inveonimaging.verification.source import SourceScan

Slot = tuple[int, int]
"""Frame and slice of the source, both from 0, in the file's order."""

_NEAR = 0.1  # of the distance between slices
_QUARTER = 0.25
_ALIKE = 0.98  # correlation of planes that are the same but for their scale
_BETTER = 0.02
_MOST_COMPARED = 400
_PROBES = 4


@dataclass(frozen=True)
class Placing:
    """Where the planes of a series belong.

    Attributes:
        slots: of each plane; None for one that has none.
        layout: which way the source's rows and columns run in the planes.
        by_position: whether the stated positions identify the slices; else their order does.
        by_time: whether something stated identifies the frames; else their order does.
    """

    slots: tuple[Slot | None, ...]
    layout: Layout
    by_position: bool
    by_time: bool
    doubles: frozenset[int] = field(default_factory=frozenset)


def place(planes: Sequence[Plane], scan: SourceScan) -> Placing:
    """Return where the planes of a series belong in a scan."""
    return _Placer(planes, scan).placed()


class _Placer:
    def __init__(self, planes: Sequence[Plane], scan: SourceScan) -> None:
        self.planes, self.scan = planes, scan
        self.frames = len(scan.frames)
        self.slices = scan.image.grid.shape[2]
        self._compared = 0

    def placed(self) -> Placing:
        layout = stated_layout(self.planes, self.scan)
        frames, by_time = self._frames()
        slices, by_position = self._by_position(), True
        if not _is_complete(frames, slices, self.frames, self.slices):
            slices, by_position, layout = self._by_values(frames, slices, layout)
        slots = self._filled(frames, slices, layout)
        return Placing(tuple(slots), layout, by_position, by_time, frozenset(self._doubles(slots)))

    def _doubles(self, slots: list[Slot | None]) -> Iterator[int]:
        """Yield, and take out of their slots, the planes that are where an earlier one is."""
        taken: set[Slot] = set()
        for index, slot in enumerate(slots):
            if slot in taken:
                slots[index] = None
                yield index
            elif slot is not None:
                taken.add(slot)

    def _by_position(self) -> list[int | None]:
        """Return the slice whose place is that of each plane, along the slice axis."""
        grid = self.scan.image.grid
        axis, first = grid.axes[:, 2], grid.positions[0]
        found: list[int | None] = []
        for plane in self.planes:
            along = None if plane.position is None else float((plane.position - first) @ axis) / grid.spacing_mm[2]
            k = None if along is None else round(along)
            fits = k is not None and along is not None and abs(along - k) < _NEAR and 0 <= k < self.slices
            found.append(k if fits else None)
        return found

    def _frames(self) -> tuple[list[int | None], bool]:
        """Return the frame of each plane, by what distinguishes most of them, and whether anything did."""
        if self.frames == 1:
            return [0] * len(self.planes), True
        ways = [way for way in self._ways() if any(each is not None for each in way)]
        counts = [Counter(frame for frame in way if frame is not None) for way in ways]
        scores = [sum(min(count, self.slices) for count in each.values()) for each in counts]
        if not ways or max(scores) * 2 < len(self.planes):
            ranks = {key: rank for rank, key in enumerate(sorted(self._order()))}
            return [min(ranks[key] // self.slices, self.frames - 1) for key in self._order()], False
        order = sorted(range(len(ways)), key=lambda n: -scores[n])
        best = list(ways[order[0]])
        for index in (index for index, frame in enumerate(best) if frame is None):
            best[index] = next((ways[n][index] for n in order if ways[n][index] is not None), None)
        return best, True

    def _order(self) -> list[tuple[float, int]]:
        """Return keys that sort the planes by Instance Number and, in a file, by their order."""
        return [(plane.number("InstanceNumber") or 0.0, index) for index, plane in enumerate(self.planes)]

    def _ways(self) -> Iterator[list[int | None]]:
        """Yield the value for each plane of each attribute that can distinguish frames, the most specific first."""
        scan, start = self.scan, self.scan.start
        by_step = {step: frame for frame, step in enumerate(scan.steps)}
        if not scan.is_gated:
            milliseconds = [_reference_ms(plane, scan) for plane in self.planes]
            yield _nearest(milliseconds, scan.reference_times_ms) or _ranked(milliseconds, by_step)
            times = [plane.acquired for plane in self.planes]
            seconds = [(time - start).total_seconds() if time and start else None for time in times]
            yield _nearest(seconds, scan.starts_s) or _ranked(seconds, by_step)
        for keyword in ("TriggerTime", "NominalCardiacTriggerDelayTime", "NominalRespiratoryTriggerDelayTime"):
            yield _ranked([plane.number(keyword) for plane in self.planes], by_step)
        yield _ranked([plane.vector("TimeSlotVector") for plane in self.planes], by_step)
        for keyword in ("TemporalPositionIndex", "TemporalPositionIdentifier"):
            yield _ranked([plane.number(keyword) for plane in self.planes], by_step)
        indices = [plane.number("ImageIndex") for plane in self.planes]
        yield [None if each is None else by_step.get((int(each) - 1) // self.slices) for each in indices]
        numbers = [plane.number("AcquisitionNumber") for plane in self.planes]
        yield _nearest(numbers, [frame + 1.0 for frame in range(self.frames)])

    def _by_values(
        self, frames: list[int | None], stated: list[int | None], layout: Layout
    ) -> tuple[list[int | None], bool, Layout]:
        """Return the slices by position, or by the planes' order, whichever the values agree with more."""
        candidates = [(stated, True)] if any(k is not None for k in stated) else []
        candidates += [(each, False) for each in self._orders(frames) if each is not None]
        best, best_score = None, -1.0
        for slices, by_position in candidates:
            scored = [(self._score(frames, slices, each), each) for each in dict.fromkeys((layout, *LAYOUTS))]
            score, chosen = max(scored, key=lambda pair: pair[0])
            if scored[0][0] >= score - _BETTER:
                score, chosen = scored[0]
            if score > best_score + _BETTER:
                best, best_score = (slices, by_position, chosen), score
        return best or (stated, True, layout)

    def _orders(self, frames: list[int | None]) -> Iterator[list[int | None] | None]:
        """Yield the slices by rank within their frames, in both directions: along their own axis, and by number."""
        along = [_along(plane) for plane in self.planes]
        if None not in along:
            keys = [(round(each or 0.0, 3), index) for index, each in enumerate(along)]
            yield self._ranked_in_frames(frames, keys)
            yield self._reversed(self._ranked_in_frames(frames, keys))
        yield self._ranked_in_frames(frames, self._order())
        yield self._reversed(self._ranked_in_frames(frames, self._order()))

    def _ranked_in_frames(self, frames: list[int | None], keys: Sequence[tuple[float, int]]) -> list[int | None] | None:
        found: list[int | None] = [None] * len(self.planes)
        for frame in range(self.frames):
            members = [index for index, each in enumerate(frames) if each == frame]
            if len(members) != self.slices:
                return None
            for rank, index in enumerate(sorted(members, key=keys.__getitem__)):
                found[index] = rank
        return found

    def _reversed(self, slices: list[int | None] | None) -> list[int | None] | None:
        return slices and [None if k is None else self.slices - 1 - k for k in slices]

    def _score(self, frames: list[int | None], slices: list[int | None], layout: Layout) -> float:
        """Return how much the values of a few planes agree with their slots."""
        known = [n for n, (f, k) in enumerate(zip(frames, slices, strict=True)) if f is not None and k is not None]
        probes = sample(known, _PROBES)
        found = [self._correlation(n, (frames[n] or 0, slices[n] or 0), layout) for n in probes]
        return float(np.mean(found)) if found else -1.0

    def _correlation(self, index: int, slot: Slot, layout: Layout) -> float:
        try:
            pixels = self.planes[index].pixels()
        except InputError:
            return 0.0
        return correlation(layout.undone(pixels), self.scan.plane(*slot))

    def _filled(self, frames: list[int | None], slices: list[int | None], layout: Layout) -> list[Slot | None]:
        """Return the slots, those left empty filled with planes left over whose values fit there."""
        slots: list[Slot | None] = [
            None if f is None or k is None else (f, k) for f, k in zip(frames, slices, strict=True)
        ]
        counted = Counter(slot for slot in slots if slot is not None)
        empty = [(f, k) for f in range(self.frames) for k in range(self.slices) if (f, k) not in counted]
        if not empty:
            return slots
        loose = [n for n, slot in enumerate(slots) if slot is None]
        crowded = [n for n, slot in enumerate(slots) if slot is not None and counted[slot] > 1]
        for index in crowded:
            self._move(index, slots, empty, layout)
        for index in loose:
            self._fill(index, slots, empty, layout, frames[index])
        return slots

    def _move(self, index: int, slots: list[Slot | None], empty: list[Slot], layout: Layout) -> None:
        """Move one of several planes in a slot to an empty one that it is like, if it is not like its own."""
        own = slots[index]
        if own is None or sum(slot == own for slot in slots) == 1 or self._correlation(index, own, layout) > _ALIKE:
            return
        self._fill(index, slots, empty, layout, None, must_be_alike=True)

    def _fill(
        self,
        index: int,
        slots: list[Slot | None],
        empty: list[Slot],
        layout: Layout,
        frame: int | None,
        *,
        must_be_alike: bool = False,
    ) -> None:
        """Put a plane into the empty slot that it is most like; into the only one of its frame in any case."""
        possible = [slot for slot in empty if frame is None or slot[0] == frame] or empty
        if not possible or self._compared > _MOST_COMPARED:
            return
        self._compared += len(possible)
        scored = [(self._correlation(index, slot, layout), slot) for slot in possible[:_MOST_COMPARED]]
        score, best = max(scored, key=lambda pair: pair[0])
        if score > _ALIKE or (len(possible) == 1 and not must_be_alike):
            slots[index] = best
            empty.remove(best)


def stated_layout(planes: Sequence[Plane], scan: SourceScan) -> Layout:
    """Return which way rows and columns run in the planes, if the stated corners are those of the source's slices.

    Planes whose corners lie elsewhere are taken to hold the pixels as the source has them.
    """
    grid = scan.image.grid
    probe = next((plane for plane in planes if plane.cosines is not None and plane.position is not None), None)
    if probe is None or probe.cosines is None or probe.position is None or probe.spacing is None:
        return AS_IT_IS
    turned = probe.cosines @ grid.axes[:, :2]  # (row, column) against (i, j)
    for layout in LAYOUTS:
        if np.allclose(turned, layout.cosines, atol=_NEAR):
            away = (probe.position - corner_of(scan, layout, 0)) @ grid.axes[:, :2]
            return layout if np.all(np.abs(away) < np.array(grid.spacing_mm[:2]) / 2) else AS_IT_IS
    return AS_IT_IS


def corner_of(scan: SourceScan, layout: Layout, k: int) -> Float:
    """Return where the first pixel of a slice's plane is, LPS mm."""
    grid = scan.image.grid
    i, j = layout.first(grid.shape[0], grid.shape[1])
    return np.asarray(grid.positions[k] + grid.axes[:, :2] @ (np.array([i, j]) * grid.spacing_mm[:2]))


def _is_complete(frames: list[int | None], slices: list[int | None], frame_count: int, slice_count: int) -> bool:
    """Return whether every slot has exactly one plane."""
    slots = set(zip(frames, slices, strict=True))
    is_full = len(slots) == len(frames) == frame_count * slice_count
    return is_full and None not in frames and None not in slices


def _along(plane: Plane) -> float | None:
    """Return how far a plane lies along its own normal."""
    if plane.position is None or plane.cosines is None:
        return None
    return float(plane.position @ np.cross(*plane.cosines))


def _reference_ms(plane: Plane, scan: SourceScan) -> float | None:
    """Return Frame Reference Time, or what Frame Reference DateTime makes of it."""
    stated = plane.number("FrameReferenceTime")
    time = plane.local_moment("FrameReferenceDateTime")
    if stated is not None or time is None or scan.start is None:
        return stated
    return 1000 * (time - scan.start).total_seconds()


def _nearest(found: Sequence[float | None], true: Sequence[float]) -> list[int | None]:
    """Return for each number the true one that it is near to; nothing if the true ones are not all different."""
    if len(set(true)) < len(true):
        return []
    order = sorted(range(len(true)), key=true.__getitem__)
    gap = min(true[b] - true[a] for a, b in pairwise(order)) if len(true) > 1 else 1.0
    values: Float = np.array(true)
    seen: dict[float | None, int | None] = {None: None}
    for value in found:
        if value is not None and value not in seen:
            nearest = int(np.argmin(np.abs(values - value)))
            seen[value] = nearest if abs(values[nearest] - value) <= gap * _QUARTER else None
    placed = [seen[value] for value in found]
    return placed if sum(each is not None for each in placed) * 2 > len(placed) else []


def _ranked(found: Sequence[float | None], by_step: dict[int, int]) -> list[int | None]:
    """Return frames by the rank of what is found; nothing if there are not as many different ones as frames."""
    ranks = {value: rank for rank, value in enumerate(sorted({value for value in found if value is not None}))}
    if len(ranks) != len(by_step):
        return []
    return [None if value is None else by_step[ranks[value]] for value in found]
