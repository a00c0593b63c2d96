"""Which frame blocks belong together: time frames, gates, beds and energy windows, distinguished by their own keys.

A file holds one block for each time frame, gate, bed position and energy window. DICOM has a series for each bed
position and energy window; in a series, frames differ by time or by gate, and not by both. What a file holds is decided
by its blocks; counts in the main block may be those of the acquisition, and stale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from inveonimaging.errors import HeaderError, UnsupportedError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import AcquisitionMode, BedMotion
from inveonimaging.inveon.hdr.need import missing_in_frame


class FrameKey(NamedTuple):
    """The place of a block: hdr `bed`, `energy_window` and `gate`, and the number of its time frame, from 1.

    `block` is hdr `frame`, of blocks that nothing else distinguishes.
    """

    bed: int | None
    energy_window: int | None
    gate: int | None
    time: int | None
    block: int | None = None


_MOST_PARTS = 1000  # each carries the whole header
_ANYWHERE = FrameKey(None, None, None, None)
SEPARATE_HINT = "--separate-frames makes each of them a series of its own"


@dataclass(frozen=True)
class FrameGroup:
    """The frame blocks of a file that make one series.

    Attributes:
        frames: their indices in the header, in the file's order.
        place: what they share, and other parts of the file do not; None for the rest.
        is_gated: whether they differ by gate, and not by time.
    """

    frames: tuple[int, ...]
    place: FrameKey = _ANYWHERE
    is_gated: bool = False

    @property
    def name(self) -> str:
        """What distinguishes the part from the others of its file, `bed 1`; empty for a whole file."""
        words = {"bed": self.place.bed, "energy window": self.place.energy_window}
        words |= {"gate": self.place.gate, "time frame": self.place.time, "frame": self.place.block}
        return ", ".join(f"{word} {number}" for word, number in words.items() if number is not None)


def frame_groups_of(header: Header, *, split_gates: bool = False, separate: bool = False) -> tuple[FrameGroup, ...]:
    """Return what becomes one series each, in the order of bed, energy window, gate and time.

    Args:
        header: the header.
        split_gates: make a part of each gate, since nobody knows where in its cycle it is. Gates that do not have the
            same time frames are parts of their own in any case.
        separate: make a part of each block.

    Raises:
        HeaderError: blocks are the same by their keys, and are not to be separate.
        UnsupportedError: blocks are of several detector panels, which no image has, and are not to be separate.
    """
    if separate:
        is_one = len({frame.bed for frame in header.frames}) == 1
        blocks = (FrameKey(None if is_one else frame.bed, None, None, None, n) for n, frame in enumerate(header.frames))
        return _grouped(header, dict(enumerate(blocks)), gated=False)
    places = _places(header)
    beds, windows, gates, times = (len(set(numbers)) for numbers in zip(*(place[:4] for place in places), strict=True))
    is_split = split_gates or not _gates_are_alike(header, places)
    is_gated = gates > 1 and not is_split
    shared = {
        index: FrameKey(
            bed=place.bed if beds > 1 else None,
            energy_window=place.energy_window if windows > 1 else None,
            gate=place.gate if gates > 1 and is_split else None,
            time=place.time if times > 1 and is_gated else None,
        )
        for index, place in enumerate(places)
    }
    return _grouped(header, shared, gated=is_gated)


def _grouped(header: Header, places: Mapping[int, FrameKey], *, gated: bool) -> tuple[FrameGroup, ...]:
    groups: dict[FrameKey, list[int]] = {}
    for index, place in places.items():
        groups.setdefault(place, []).append(index)
    if len(groups) > _MOST_PARTS:
        line = header.line_of("total_frames")
        raise UnsupportedError(f"the frames make {len(groups)} series", line=line, expected=f"at most {_MOST_PARTS}")
    ordered = sorted(groups.items(), key=lambda item: [-1 if number is None else number for number in item[0]])
    return tuple(FrameGroup(tuple(frames), place, gated) for place, frames in ordered)


def _places(header: Header) -> tuple[FrameKey, ...]:
    """Return the place of each block."""
    if len({frame.detector_panel for frame in header.frames}) > 1:
        line = header.line_of("total_frames")
        message = "frames differ by detector_panel, which is not converted"
        raise UnsupportedError(message, line=line, hint=SEPARATE_HINT)
    together: dict[FrameKey, list[int]] = {}
    beds, windows, gates = (_given(header, name) for name in ("bed", "energy_window", "gate"))
    for index, (bed, window, gate) in enumerate(zip(beds, windows, gates, strict=True)):
        together.setdefault(FrameKey(bed, window, gate, None), []).append(index)
    places = {}
    for place, indices in together.items():
        for time, index in enumerate(_in_time(header, indices), 1):
            places[index] = place._replace(time=time)
    return tuple(places[index] for index in range(len(header.frames)))


def _given(header: Header, name: str) -> list[int | None]:
    """Return a number of each block; one that is missing is that of the others, if they share one."""
    numbers: list[int | None] = [getattr(frame, name) for frame in header.frames]
    given = {number for number in numbers if number is not None}
    return [min(given)] * len(numbers) if len(given) == 1 else numbers


def _in_time(header: Header, indices: list[int]) -> list[int]:
    """Return blocks that only time can distinguish, in the order of `frame_start`."""
    if len(indices) == 1:
        return indices
    starts: dict[float, int] = {}
    for index in indices:
        frame = header.frames[index]
        if frame.start_s is None:
            error = missing_in_frame(frame, index, "frame_start", "seconds after scan_time")
            error.hint = SEPARATE_HINT
            raise error
        if frame.start_s in starts:
            raise HeaderError(
                f"frames {starts[frame.start_s]} and {index} have the same frame_start, gate, bed and energy_window",
                line=frame.line_of("frame_start"),
                expected="keys that distinguish the frames",
                hint=SEPARATE_HINT,
            )
        starts[frame.start_s] = index
    return [starts[start] for start in sorted(starts)]


def _gates_are_alike(header: Header, places: Sequence[FrameKey]) -> bool:
    """Return whether all bed positions and energy windows have the same gates, and a bed's gates the same times."""
    is_dynamic = len({place.time for place in places}) > 1
    starts: dict[tuple[int | None, int | None], dict[int | None, set[float | None]]] = {}
    for place, frame in zip(places, header.frames, strict=True):
        gates = starts.setdefault((place.bed, place.energy_window), {})
        gates.setdefault(place.gate, set()).add(frame.start_s if is_dynamic else None)
    first, *others = starts.values()
    same_gates = all(set(gates) == set(first) for gates in others)
    return same_gates and all(len(set(map(frozenset, gates.values()))) == 1 for gates in starts.values())


def count_findings(header: Header) -> Iterator[Finding]:
    """Yield the counts of the main block that are not those of the frame blocks, which decide."""
    blocks = len(header.frames)
    if header.total_frames and header.total_frames != blocks:
        yield _stale("total_frames", header.total_frames, blocks, "frame block")
    if (header.array.w or 0) > 1 and header.array.w not in (blocks, _most_times(header)):
        yield _stale("w_dimension", header.array.w or 0, blocks, "frame block")
    beds, gates = (len(set(_given(header, name))) for name in ("bed", "gate"))
    times = _most_times(header)
    if header.time_frames and header.time_frames not in (times, blocks):
        yield _stale("time_frames", header.time_frames, times, "time frame")
    expected = _stated_gates(header, gates)
    if expected and expected != gates:
        yield _stale("gate_bins", expected, gates, "gate")
    positions = _stated_beds(header)
    if positions and positions > beds == 1:
        message = (
            f"number_of_bed_positions is {positions} and the file holds one: the bed positions were joined by the "
            "reconstruction"
        )
        yield Finding("beds-joined", message, Severity.INFO, key="number_of_bed_positions")
    elif positions and positions != beds:
        yield _stale("number_of_bed_positions", positions, beds, "bed position")


def beds_are_joined(header: Header) -> bool:
    """Return whether the volume was made of several bed positions: the bed stopped elsewhere than where it began."""
    first = header.frames[0]
    is_elsewhere = first.ending_bed_offset_mm not in (None, first.bed_offset_mm)
    return is_elsewhere and (_stated_beds(header) or 1) > 1 and header.bed.motion is not BedMotion.CONTINUOUS


def _stale(key: str, number: int, found: int, noun: str) -> Finding:
    are = f"the file holds {found} {noun}{'' if found == 1 else 's'}"
    return Finding("count-stale", f"{key} is {number}, but {are}, which decides", key=key)


def _most_times(header: Header) -> int:
    """Return how many time frames one gate of one bed position and energy window has."""
    keys = ("bed", "energy_window", "gate", "detector_panel")
    counts = Counter(zip(*(_given(header, key) for key in keys), strict=True))
    return max(counts.values(), default=0)


def _stated_gates(header: Header, found: int) -> int | None:
    """Return the bins a cycle of the gate input that fits best; None if the scan is not gated or does not say."""
    bins = [each.bins for each in header.gating.bins if each.bins > 0]
    if not bins or (found == 1 and header.acquisition_mode is not AcquisitionMode.GATED):
        return None
    return found if found in bins else bins[0]


def _stated_beds(header: Header) -> int | None:
    """Return the number of bed positions; a bed that moves all the time has none."""
    is_continuous = header.acquisition_mode is AcquisitionMode.CONTINUOUS_BED
    return None if is_continuous else header.bed.positions
