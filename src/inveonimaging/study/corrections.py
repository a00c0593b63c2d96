"""What counts instead of the headers when Inveon files are read: one object for every command that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import Enum
from typing import Any

from inveonimaging.animal import GivenSubject
from inveonimaging.animal.given import subject_given
from inveonimaging.errors import OptionError, printable
from inveonimaging.given import (
    Given,
    PathLike,
    axes,
    choice,
    kept_or_read,
    local_time,
    named,
    number,
    optional,
    quantity,
    refused,
    switch,
    text,
    texts,
)
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.sheet.matching import Sheet
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.sheet.values import line
from inveonimaging.study.registration import RegistrationPolicy
from inveonimaging.units import KG_PER, MBQ_PER

_LONGEST_CYCLE_MS = 60_000
_LARGEST = 1e300  # a Decimal String and a float hold it in any unit; what makes no sense below it is a finding
_weight = quantity("the weight", KG_PER, "24.6g", largest=_LARGEST)
_dose = quantity("the dose", MBQ_PER, "7.03MBq", largest=_LARGEST)
_LONGEST_TEXT = 64  # of a Long String, PS3.5 6.2
NOT_IN_A_MANIFEST = {"subject", "sheet", "only"}
"""Corrections that no manifest holds: they are in the instances, or listed as sources."""


class BedDirection(str, Enum):
    """Which way along the stored slice axis a larger `bed_offset` looks."""

    FORWARD = "forward"
    REVERSE = "reverse"

    @property
    def sign(self) -> int:
        """1 or -1."""
        return 1 if self is BedDirection.FORWARD else -1


def _cycle_ms(_name: str, value: Any) -> float:
    cycle_ms = number("the cycle length", value)
    if not 0 < cycle_ms <= _LONGEST_CYCLE_MS:
        raise OptionError(key="the cycle length", got=f"{cycle_ms:g}", expected="milliseconds above 0, up to a minute")
    return cycle_ms


def _injection(_name: str, value: Any) -> datetime:
    return local_time("the injection time", value)


def _words(name: str, value: Any) -> str | None:
    """Read one line of text; an empty one is none."""
    try:
        return line(_LONGEST_TEXT)(text(name, value)) or None
    except ValueError as error:
        raise refused(f"the {name}", value, str(error)) from None


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What counts instead of the headers; None, or the default, leaves it to them.

    Texts are taken as the command line takes them, such as `orientation="HFP"`, and checked at once: an OptionError
    names the choices.

    Attributes:
        orientation: posture instead of the headers' `subject_orientation`.
        flip: stored axes, letters of `xyz`, whose patient direction is reversed.
        bed_direction: which way along the slice axis a larger `bed_offset` looks; None takes FORWARD, with a finding.
        cycle_ms: nominal length of a cycle of gated scans, ms, instead of the middle of the limits in `gate_bins`.
        separate_frames: make each frame block a series of its own, for files whose blocks are not distinguished.
        scan_time: start of the scan, local time without a zone, for headers that have none.
        apply_hounsfield: apply `ct_hounsfield_scale` and `ct_hounsfield_offset` of a CT.
        allow_long_data: take a data file that is longer than its header says.
        frame_of_reference: which series of a study share one Frame of Reference UID.
        weight_kg: of the animal at all scans, in kg, or with its unit: `24.6g`.
        dose_mbq: at the injection, in MBq, or with its unit: `7.03MBq`, `0.19mCi`.
        injected_at: when the tracer was injected, local time without a zone.
        species: of the animal, as people call it; `unknown` is none, whatever the headers say.
        strain: likewise.
        subject: who the animal is: name, ID, birth date, sex.
        sheet: rows on subjects and scans; what is given here otherwise wins over it.
        only: file names of the scans of a folder that are read, `.img` or header; none reads all. The others count for
            nothing.
    """

    orientation: Given[Orientation | str | None, Orientation | None] = Given(optional(named(Orientation)), None)
    flip: Given[str | Iterable[str] | None, str | None] = Given(optional(axes), None)
    bed_direction: Given[BedDirection | str | None, BedDirection | None] = Given(optional(choice(BedDirection)), None)
    cycle_ms: Given[float | str | None, float | None] = Given(optional(_cycle_ms), None)
    separate_frames: Given[bool | None, bool | None] = Given(optional(switch), None)
    scan_time: Given[datetime | str | None, datetime | None] = Given(optional(local_time), None)
    apply_hounsfield: Given[bool | None, bool | None] = Given(optional(switch), None)
    allow_long_data: Given[bool | None, bool | None] = Given(optional(switch), None)
    frame_of_reference: Given[RegistrationPolicy | str, RegistrationPolicy] = Given(
        choice(RegistrationPolicy), RegistrationPolicy.AUTO
    )
    weight_kg: Given[float | str | None, float | None] = Given(optional(_weight), None)
    dose_mbq: Given[float | str | None, float | None] = Given(optional(_dose), None)
    injected_at: Given[datetime | str | None, datetime | None] = Given(optional(_injection), None)
    species: Given[str | None, str | None] = Given(optional(_words), None)
    strain: Given[str | None, str | None] = Given(optional(_words), None)
    subject: Given[GivenSubject | Mapping[str, Any] | None, GivenSubject] = Given(subject_given, None)
    sheet: Given[Sheet | PathLike | None, Sheet | None] = Given(
        optional(kept_or_read(Sheet, read_sheet, "the path of a sheet, or what read_sheet returns")), None
    )
    only: Given[Iterable[str] | str, tuple[str, ...]] = Given(texts, ())

    @property
    def corrections(self) -> Corrections:
        """Itself, for type checkers, which lose an attribute's type in a subclass."""
        return self

    @property
    def values(self) -> dict[str, Any]:
        """The corrections by name, without what a subclass adds."""
        return {each.name: getattr(self, each.name) for each in fields(Corrections)}

    @property
    def shown(self) -> dict[str, str]:
        """Those that are not left to the headers, as text."""
        values = {name: value for name, value in self.values.items() if name not in NOT_IN_A_MANIFEST}
        values["frame_of_reference"] = (
            None if self.frame_of_reference is RegistrationPolicy.AUTO else self.frame_of_reference
        )
        values |= {f"subject.{name}": value for name, value in vars(self.subject).items()}
        values["subjects"] = self.sheet and self.sheet.name
        return {name: printable(_text(value)) for name, value in values.items() if value}

    def completed(self, other: Corrections) -> Corrections:
        """Return these, and where they leave something to the headers, the other ones."""
        left = (None, RegistrationPolicy.AUTO)
        names = (name for name, value in self.values.items() if value in left and name not in NOT_IN_A_MANIFEST)
        return replace(self, **{name: getattr(other, name) for name in names})


def _text(value: Any) -> str:
    if isinstance(value, Orientation):
        return value.name
    return str(value.value) if isinstance(value, Enum) else str(value)
