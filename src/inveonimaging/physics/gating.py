"""Gates: what triggers them, and where in the cycle they are.

A header gives the bins of a cycle (`gate_bins`), the shortest and longest cycle that was accepted, and a text; it does
not give the cycle itself. Gates are taken as even parts of a nominal cycle: the middle of the two limits, or what the
user says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from inveonimaging.errors import printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.values import GateBins
from inveonimaging.units import MS_PER_S


class Trigger(str, Enum):
    """What a gate is triggered by."""

    CARDIAC = "cardiac"
    RESPIRATORY = "respiratory"
    UNKNOWN = "unknown"


_WORDS = {
    Trigger.CARDIAC: re.compile(r"card|heart|\be[ck]g|\br[- ]?r\b|\br[- ]?wave|\bbeat|pulse", re.IGNORECASE),
    Trigger.RESPIRATORY: re.compile(r"resp|breath|belt|bellows|pillow|pneum|ventil", re.IGNORECASE),
}


@dataclass(frozen=True)
class Gating:
    """The gates of a scan.

    Attributes:
        trigger: heart or breath, by `gate_description`.
        description: `gate_description` of the gate input.
        slots: gates a cycle.
        cycle_ms: nominal length of a cycle.
        shortest_ms: the shortest cycle that was accepted; None if there is no such limit.
        longest_ms: the longest one, likewise.
    """

    trigger: Trigger
    description: str
    slots: int
    cycle_ms: float
    shortest_ms: float | None
    longest_ms: float | None

    @property
    def slot_ms(self) -> float:
        """Nominal length of a gate: `cycle_ms / slots`, as all gates are equal parts of a cycle."""
        return self.cycle_ms / self.slots

    def delay_ms(self, slot: int) -> float:
        """Return Trigger Time (0018,1060) of a gate, ms: `slot * slot_ms` after the trigger; slots count from 0."""
        return slot * self.slot_ms


def gating_of(header: Header, slots: int, cycle_ms: float | None = None) -> tuple[Gating | None, tuple[Finding, ...]]:
    """Return the gating of frames of so many gates; None if the length of a cycle is not known.

    Args:
        header: the header.
        slots: number of gates.
        cycle_ms: length of a cycle, instead of the middle of the limits in `gate_bins`.
    """
    bins = next((each for each in header.gating.bins if each.bins == slots), None)
    shortest, longest = _limits_ms(bins)
    nominal = cycle_ms or (None if shortest is None or longest is None else (shortest + longest) / 2)
    if nominal is None:
        return None, (_unknown_cycle(),)
    text = _description(header, bins)
    trigger = next((each for each, words in _WORDS.items() if words.search(text)), Trigger.UNKNOWN)
    gating = Gating(trigger, text, slots, nominal, shortest, longest)
    return gating, tuple(_findings(gating, is_given=cycle_ms is not None))


def _unknown_cycle() -> Finding:
    message = (
        "the length of a cycle is not known, since gate_bins gives no two limits; each gate becomes a series of its own"
        " (--cycle-length makes one gated series)"
    )
    return Finding("gate-cycle-unknown", message, key="gate_bins")


def _findings(gating: Gating, *, is_given: bool) -> list[Finding]:
    found = []
    if not is_given:
        message = (
            f"trigger times are nominal: {gating.slots} even gates of a cycle of {gating.cycle_ms:g} ms, the middle of "
            "the limits in gate_bins (--cycle-length sets it)"
        )
        found.append(Finding("gate-times-nominal", message, Severity.INFO, key="gate_bins"))
    if gating.trigger is Trigger.UNKNOWN:
        found_text = f"is '{printable(gating.description, 40)}'" if gating.description else "is missing"
        message = f"gate_description {found_text}, which names neither heart nor breath"
        found.append(Finding("gate-trigger-unknown", message, key="gate_description"))
    return found


def _limits_ms(bins: GateBins | None) -> tuple[float | None, float | None]:
    """Return the shortest and the longest cycle in ms; a limit of 0 or below is open."""
    if bins is None:
        return None, None
    shortest, longest = (each * MS_PER_S if each > 0 else None for each in (bins.minimum_s, bins.maximum_s))
    is_upside_down = shortest is not None and longest is not None and shortest > longest
    return (None, None) if is_upside_down else (shortest, longest)


def _description(header: Header, bins: GateBins | None) -> str:
    """Return the text of the input that was used, else the only one there is."""
    texts = {each.input: each.text for each in header.gating.descriptions}
    if bins is not None and bins.input in texts:
        return texts[bins.input]
    return next(iter(texts.values())) if len(texts) == 1 else ""
