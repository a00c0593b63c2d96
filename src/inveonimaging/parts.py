"""Which frame blocks belong together: time frames, gates, beds and energy windows, told apart by their own keys.

A file holds one block for each time frame, gate, bed position and energy window. DICOM has a series for each bed
position and energy window; in a series, frames differ by time or by gate, and not by both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from inveonimaging.errors import HeaderError, UnsupportedError
from inveonimaging.hdr import Header
from inveonimaging.hdr.enums import AcquisitionMode
from inveonimaging.hdr.need import missing_in_frame


class Place(NamedTuple):
    """Where a block stands: hdr `bed`, `energy_window` and `gate`, and the number of its time frame, from 1."""

    bed: int | None
    energy_window: int | None
    gate: int | None
    time: int | None


_MOST_PARTS = 1000  # each carries the whole header
_ANYWHERE = Place(None, None, None, None)


@dataclass(frozen=True)
class Part:
    """The frame blocks of a file that make one series.

    Attributes:
        frames: their indices in the header, in the file's order.
        place: what they share, and other parts of the file do not; None for the rest.
        is_gated: whether they differ by gate, and not by time.
    """

    frames: tuple[int, ...]
    place: Place = _ANYWHERE
    is_gated: bool = False

    @property
    def name(self) -> str:
        """What tells the part from the others of its file, `bed 1`; empty for a whole file."""
        words = {"bed": self.place.bed, "energy window": self.place.energy_window}
        words |= {"gate": self.place.gate, "time frame": self.place.time}
        return ", ".join(f"{word} {number}" for word, number in words.items() if number is not None)


def parts_of(header: Header, *, split_gates: bool = False) -> tuple[Part, ...]:
    """Return what becomes one series each, in the order of bed, energy window, gate and time.

    Args:
        header: the header.
        split_gates: make a part of each gate, since nobody knows where in its cycle it is.

    Raises:
        HeaderError: blocks are the same by their keys, or are not one for each time frame, gate, bed and window.
        UnsupportedError: blocks are of several detector panels, which no image has.
    """
    places = _places(header)
    beds, windows, gates, times = (len(set(numbers)) for numbers in zip(*places, strict=True))
    is_gated = gates > 1 and not split_gates
    groups: dict[Place, list[int]] = {}
    for index, place in enumerate(places):
        shared = Place(
            bed=place.bed if beds > 1 else None,
            energy_window=place.energy_window if windows > 1 else None,
            gate=place.gate if gates > 1 and split_gates else None,
            time=place.time if times > 1 and is_gated else None,
        )
        groups.setdefault(shared, []).append(index)
    if len(groups) > _MOST_PARTS:
        line = header.line_of("total_frames")
        raise UnsupportedError(f"the frames make {len(groups)} series", line=line, expected=f"at most {_MOST_PARTS}")
    ordered = sorted(groups.items(), key=lambda item: [-1 if number is None else number for number in item[0]])
    return tuple(Part(tuple(frames), place, is_gated) for place, frames in ordered)


def _places(header: Header) -> tuple[Place, ...]:
    """Return where each block stands, after checking that there is one block for each combination."""
    if len({frame.detector_panel for frame in header.frames}) > 1:
        line = header.line_of("total_frames")
        raise UnsupportedError("frames differ by detector_panel, which is not converted", line=line)
    together: dict[Place, list[int]] = {}
    for index, frame in enumerate(header.frames):
        together.setdefault(Place(frame.bed, frame.energy_window, frame.gate, None), []).append(index)
    places = {}
    for place, indices in together.items():
        for time, index in enumerate(_in_time(header, indices), 1):
            places[index] = place._replace(time=time)
    ordered = tuple(places[index] for index in range(len(header.frames)))
    _refuse_misfit(header, ordered)
    _refuse_other_times(header, ordered)
    return ordered


def _in_time(header: Header, indices: list[int]) -> list[int]:
    """Return blocks that only time can tell apart, in the order of `frame_start`."""
    if len(indices) == 1:
        return indices
    starts: dict[float, int] = {}
    for index in indices:
        frame = header.frames[index]
        if frame.start_s is None:
            raise missing_in_frame(frame, index, "frame_start", "seconds after scan_time")
        if frame.start_s in starts:
            raise HeaderError(
                f"frames {starts[frame.start_s]} and {index} have the same frame_start, gate, bed and energy_window",
                line=frame.line_of("frame_start"),
                expected="keys that tell the frames apart",
            )
        starts[frame.start_s] = index
    return [starts[start] for start in sorted(starts)]


def _refuse_misfit(header: Header, places: tuple[Place, ...]) -> None:
    """Refuse blocks that are no product of time frames, gates, beds and windows, or not the one that the header says.

    Raises:
        HeaderError: with the counts that were found and those that the header gives.
    """
    beds, windows, gates, times = (len(set(numbers)) for numbers in zip(*places, strict=True))
    found = (
        f"{len(places)} frame blocks of {times} time frames x {gates} gates x {beds} beds x {windows} energy windows"
    )
    said = {
        "time_frames": (header.time_frames, times),
        "gate_bins": (_gates_said(header, gates), gates),
        "number_of_bed_positions": (_beds_said(header), beds),
    }
    for key, (number, counted) in said.items():
        if number and number != counted:
            raise HeaderError(
                f"{found}, but {key} says {number}", line=header.line_of(key), expected=f"{key} that counts the blocks"
            )
    if times * gates * beds * windows != len(places):
        line = header.line_of("total_frames")
        raise HeaderError(found, line=line, expected=f"{times * gates * beds * windows}, one for each combination")


def _refuse_other_times(header: Header, places: tuple[Place, ...]) -> None:
    """Refuse gates and energy windows whose time frames, of which there are several, are not the same ones."""
    starts: dict[tuple[int | None, int | None], float | None] = {}
    if len({place.time for place in places}) == 1:
        return
    for place, frame in zip(places, header.frames, strict=True):
        start = starts.setdefault((place.bed, place.time), frame.start_s)
        if frame.start_s != start:
            raise HeaderError(
                f"time frame {place.time} starts at {frame.start_s:g} s in one gate or energy window, "
                f"at {start:g} s in another",
                line=frame.line_of("frame_start"),
                expected="the same frame_start",
            )


def _gates_said(header: Header, found: int) -> int | None:
    """Return the bins a cycle of the gate input that fits best; None if the scan is not gated or does not say."""
    bins = [each.bins for each in header.gating.bins if each.bins > 0]
    if not bins or (found == 1 and header.acquisition_mode is not AcquisitionMode.GATED):
        return None
    return found if found in bins else bins[0]


def _beds_said(header: Header) -> int | None:
    """Return the number of bed positions; a bed that moves all the time has none."""
    is_continuous = header.acquisition_mode is AcquisitionMode.CONTINUOUS_BED
    return None if is_continuous else header.bed.positions
