"""Several animals in one scan that is not split: who they are, and whether what is known of each adds up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from inveonimaging.animal.sheet_values import SheetValues
from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.sheet.application import has_tracer, with_sheet_values
from inveonimaging.sheet.hotels import Hotel
from inveonimaging.study.nobody import of_no_animal
from inveonimaging.units import plain

_SAME_WEIGHT, _SAME_DOSE = 0.02, 0.05  # scales show tenths of a gram, dose calibrators two or three digits
_MOST_HALF_LIVES = 100.0  # bounds the power of 2
_G_PER_KG, _BQ_PER_MBQ = 1e3, 1e6


class Member(NamedTuple):
    """An animal of a group that was scanned together.

    Attributes:
        id: Patient ID.
        position: as the sheet names it.
        place: Subject Relative Position in Image: to the right, down and away from the front, from 1.
        posture: of the sheet, else of the scan.
        weight_kg, dose_bq: of this animal alone; None if they are not known. The dose is that at its injection.
        injected_at: as the sheet says; None is when the header's injection was.
    """

    id: str
    position: str
    place: tuple[int, int, int]
    posture: Orientation
    weight_kg: float | None = None
    dose_bq: float | None = None
    injected_at: datetime | None = None

    def __str__(self) -> str:
        """Return it as messages name it: `m12 (left)`."""
        return f"{printable(self.id, 30)} ({self.position})"


def members_of(hotel: Hotel | None, number: int, header: Header, posture: Orientation) -> tuple[Member, ...]:
    """Return the animals in a scan, in the order of the sheet; none unless they are several.

    Args:
        hotel: as a sheet describes it.
        number: of the scan among those that the hotel was made for, from 0.
        header: of the scan.
        posture: that counts for it.

    Raises:
        InputError: of a dose that a row gives a part is missing; with the row.
    """
    if hotel is None or len(hotel.animals) < 2:  # noqa: PLR2004 - one is no group
        return ()
    places = hotel.relative_positions
    members = []
    for each in hotel.animals:
        values = each.of_scans[number]
        own = of_one(header, values)
        members.append(
            Member(
                id=each.id,
                position=str(each.slot),
                place=places[each.slot],
                posture=values.get("posture") or posture,
                weight_kg=own.subject.weight_kg,
                dose_bq=own.tracer.dose_bq if has_tracer(header) else None,
                injected_at=own.tracer.injected_at,
            )
        )
    return tuple(members)


def of_one(header: Header, values: SheetValues) -> Header:
    """Return a group's header with what a sheet says of one animal, and nothing else that can only be one animal's.

    Raises:
        InputError: of a dose that a row gives a part is missing; with the row.
    """
    return with_sheet_values(of_no_animal(header), values)


def group_findings(members: Sequence[Member]) -> Iterator[Finding]:
    """Yield that a study is of several animals."""
    if members:
        shown = ", ".join(map(str, members))
        message = (
            f"{len(members)} animals lie in one scan: {shown}; its weight and dose are the sums of all, and no SUV can "
            "be computed from them"
        )
        yield Finding("group-of-animals", message, key="subject_identifier")


def sum_findings(header: Header, members: Sequence[Member]) -> Iterator[Finding]:
    """Yield weights and doses of a sheet that do not add up to those of the header; doses at the header's injection."""
    if not members:
        return
    weight, weights = header.subject.weight_kg, [each.weight_kg for each in members]
    if weight and all(weights):
        total = sum(each or 0.0 for each in weights)
        if abs(total / weight - 1) > _SAME_WEIGHT:
            parts = _sum([(each.weight_kg or 0.0) * _G_PER_KG for each in members])
            message = f"the weights of the animals are {parts} g, but that of the scan is {plain(weight * _G_PER_KG)} g"
            yield Finding("group-weight-disagrees", message, key="subject_weight")
    dose = header.tracer.dose_bq if has_tracer(header) else None
    doses = [dose_at(each, header) for each in members]
    if dose and all(doses):
        total = sum(each or 0.0 for each in doses)
        if abs(total / dose - 1) > _SAME_DOSE:
            parts = _sum([(each or 0.0) / _BQ_PER_MBQ for each in doses])
            when = f" at {header.tracer.injected_at}" if header.tracer.injected_at else ""
            message = f"the doses of the animals are {parts} MBq{when}, but that of the scan is "
            message += f"{plain(dose / _BQ_PER_MBQ)} MBq"
            yield Finding("group-dose-disagrees", message, key="dose")


def dose_at(member: Member, header: Header) -> float | None:
    """Return an animal's dose, decayed from its injection to that of the header, Bq; None if it is not known."""
    at, half_life = header.tracer.injected_at, header.tracer.half_life_s or 0.0
    if member.dose_bq is None or at is None or member.injected_at is None or member.injected_at == at:
        return member.dose_bq
    if half_life <= 0:
        return None
    passed = (at - member.injected_at).total_seconds() / half_life
    return member.dose_bq * 2.0**-passed if abs(passed) < _MOST_HALF_LIVES else None


def _sum(values: Sequence[float]) -> str:
    """Return numbers and their sum as people write them: `18.4 + 19.5 = 37.9`."""
    return f"{' + '.join(f'{each:.4g}' for each in values)} = {sum(values):.4g}"
