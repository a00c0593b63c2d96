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


def spaces_of(headers: Sequence[Header], policy: Space) -> tuple[tuple[int, ...], tuple[Finding, ...]]:
    """Return for each series the number (from 1) of the first series whose frame of reference it shares.

    AUTO shares it where the headers show that the images are registered: both have registration data, the same
    `spatial_identifier`, or both an `image_ref_shift` and no rotation on one Inveon multimodality scanner. The finding
    says why.
    """
    if policy is not Space.AUTO:
        shared = policy is Space.SHARED
        return tuple(1 if shared else number for number in range(1, len(headers) + 1)), ()
    spaces: list[int] = []
    findings: list[Finding] = []
    for number, header in enumerate(headers, 1):
        earlier = ((other, _why_registered(headers[other - 1], header)) for other in range(1, number))
        other, why = next(((other, why) for other, why in earlier if why), (number, None))
        spaces.append(spaces[other - 1] if why else number)
        if why:
            message = f"series {number} shares the frame of reference of series {other}: {why}"
            findings.append(Finding("space-shared", message, Severity.INFO))
        elif number > 1:
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
