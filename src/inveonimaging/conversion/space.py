"""Which series of a study share one space, and so one Frame of Reference UID (PS3.3 C.7.4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from inveonimaging.errors import printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.hdr import Header
from inveonimaging.hdr.enums import Model, Registration


class Space(str, Enum):
    """Who shares a frame of reference."""

    AUTO = "auto"
    SHARED = "shared"
    SEPARATE = "separate"


def spaces_of(
    headers: Sequence[Header], policy: Space, numbers: Sequence[int] | None = None
) -> tuple[tuple[int, ...], tuple[Finding, ...]]:
    """Return for each image the number of the first image whose frame of reference it shares.

    AUTO shares it where the headers show that the images are registered: both have registration data, the same
    `spatial_identifier`, or both an `image_ref_shift` and no rotation on one Inveon multimodality scanner. The finding
    says why.

    Args:
        headers: of each image.
        policy: who shares.
        numbers: of each image, its series, or the first of them if it becomes several; else they count from 1.
    """
    numbers = numbers or range(1, len(headers) + 1)
    if policy is Space.SEPARATE:
        return tuple(numbers), ()
    if policy is Space.SHARED:
        return (numbers[0],) * len(headers), ()
    spaces: list[int] = []
    findings: list[Finding] = []
    for index, (number, header) in enumerate(zip(numbers, headers, strict=True)):
        earlier = ((other, _why_registered(headers[other], header)) for other in range(index))
        other, why = next(((other, why) for other, why in earlier if why), (index, None))
        spaces.append(spaces[other] if why else number)
        if why:
            message = f"series {number} shares the frame of reference of series {numbers[other]}: {why}"
            findings.append(Finding("space-shared", message, Severity.INFO))
        elif index > 0:
            message = f"series {number} has a frame of reference of its own: no header says that it is registered"
            findings.append(Finding("space-separate", message, Severity.INFO))
    return tuple(spaces), tuple(findings)


def _why_registered(one: Header, other: Header) -> str | None:
    """Return what shows that two images are registered, None if nothing does."""
    if all(header.geometry.registration not in (None, Registration.NONE) for header in (one, other)):
        return "both have registration data"
    identifier = one.geometry.spatial_identifier
    if identifier and identifier == other.geometry.spatial_identifier:
        return f"both have the spatial identifier '{printable(identifier, 30)}'"
    if _is_placed(one) and _is_placed(other):
        return "both have an image_ref_shift on one Inveon MM platform"
    return None


def _is_placed(header: Header) -> bool:
    """Return whether a multimodality scanner placed the image by a shift alone; rotations are not applied."""
    geometry = header.geometry
    is_rotated = any(geometry.image_ref_rotation_deg or ())
    return header.model is Model.INVEON_MM and geometry.image_ref_shift_mm is not None and not is_rotated
