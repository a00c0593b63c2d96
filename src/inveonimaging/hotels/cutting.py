"""A group that was scanned together -> where each animal lies, and its study, with what speaks against both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inveonimaging.errors import InputError
from inveonimaging.findings import Finding
from inveonimaging.hotels.boxes import extents_of, read_boxes
from inveonimaging.hotels.checks import swaps_of
from inveonimaging.hotels.locating import locate
from inveonimaging.hotels.splitting import Group, studies_of
from inveonimaging.redaction.request import Deidentify
from inveonimaging.study.cut import Extent
from inveonimaging.study.reading import Study


@dataclass(frozen=True)
class Places:
    """Where the animals of a group lie, in the order of `hotel.animals`.

    Attributes:
        extents: of each.
        volumes_ml: of each body in the CT; none if they are not known.
        findings: on how they were found.
    """

    extents: tuple[Extent, ...]
    volumes_ml: tuple[float | None, ...] = ()
    findings: tuple[Finding, ...] = ()


def places_of(group: Group, boxes: Path | None = None) -> Places:
    """Return where the animals of a group lie: as a file of boxes says, else where they are found.

    Raises:
        InputError: it is not certain; the boxes are not those of the sheet's animals.
        OptionError: SciPy is not installed.
    """
    if boxes:
        return Places(extents_of(read_boxes(boxes), group.hotel, boxes))
    located = locate(group)
    if located.extents is None:
        refusal = located.refusal or InputError("it is not certain where each animal lies", path=group.study.source)
        raise refusal.hinted("inveon split of these scans shows what was found, and writes boxes.json for --boxes")
    return Places(located.extents, tuple(each.volume_ml for each in located.bodies), located.findings)


def animals_of(
    group: Group, extents: Sequence[Extent], volumes_ml: Sequence[float | None], deidentify: Deidentify | None = None
) -> tuple[Study, ...]:
    """Return the study of each animal of a group, in the order of `group.hotel.animals`.

    Args:
        group: what was read.
        extents: where each animal lies.
        volumes_ml: of each body in the CT; none if they are not known.
        deidentify: how headers are redacted; None leaves them as they are.

    Raises:
        InveonError: as `studies_of`.
    """
    parts = studies_of(group, extents, deidentify)
    swaps = swaps_of(group.study, parts, volumes_ml)
    return tuple(replace(part, findings=(*part.findings, *swapped)) for part, swapped in zip(parts, swaps, strict=True))
