"""Which series of a study share one space, and so one Frame of Reference UID (PS3.3 C.7.4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from inveonimaging.errors import listed, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Model, Orientation, Registration
from inveonimaging.physics.geometry import ASSUMED
from inveonimaging.study.sessions import session_findings, sessions_of

_NAMED = 8


class RegistrationPolicy(str, Enum):
    """Who shares a frame of reference."""

    AUTO = "auto"
    SHARED = "shared"
    SEPARATE = "separate"
    COMPATIBLE = "compatible"  # all series, but those whose posture or session contradicts; the default for XNAT


@dataclass(frozen=True)
class _Scan:
    """A scan: its header, series number, posture (UNKNOWN is placed like feet first, supine) and session."""

    header: Header
    number: int
    posture: Orientation
    session: int | None

    @property
    def placed(self) -> Orientation:
        """The posture that it is placed by."""
        return self.posture or ASSUMED


def frames_of_reference(
    headers: Sequence[Header],
    policy: RegistrationPolicy,
    numbers: Sequence[int] | None = None,
    *,
    orientation: Orientation | None = None,
    scan_time: datetime | None = None,
) -> tuple[tuple[int, ...], tuple[Finding, ...]]:
    """Return for each image the number of the first image whose frame of reference it shares.

    AUTO shares it where the headers show that the images are registered: both have registration data, the same
    `spatial_identifier`, or both an `image_ref_shift` and no rotation on one Inveon multimodality scanner. The finding
    says why. Neither AUTO nor COMPATIBLE shares it between images that are placed by different postures, or between
    sessions: the animal was taken off the bed. A common `spatial_identifier` counts for more than a session.

    Args:
        headers: of each image.
        policy: who shares.
        numbers: of each image, its series, or the first of them if it becomes several; else they count from 1.
        orientation: posture of all, instead of `subject_orientation`.
        scan_time: start of the scans whose header has none.
    """
    numbers = numbers or range(1, len(headers) + 1)
    sessions = sessions_of(headers, scan_time)
    scans = [
        _Scan(header, number, orientation or header.geometry.orientation or Orientation.UNKNOWN, session)
        for header, number, session in zip(headers, numbers, sessions, strict=True)
    ]
    spaces, findings = _shared(scans, policy)
    warnings = (*_postures(scans, policy), *session_findings(headers, numbers, sessions, scan_time))
    return spaces, (*findings, *(replace(each, message=each.message + _as_asked(policy)) for each in warnings))


def _as_asked(policy: RegistrationPolicy) -> str:
    return (
        "; they share a Frame of Reference UID all the same, as was asked for"
        if policy is RegistrationPolicy.SHARED
        else ""
    )


def _shared(scans: Sequence[_Scan], policy: RegistrationPolicy) -> tuple[tuple[int, ...], tuple[Finding, ...]]:
    """Return the space of each scan, with notes on who shares and who does not, where the user did not decide."""
    if policy is RegistrationPolicy.SEPARATE:
        return tuple(each.number for each in scans), ()
    if policy is RegistrationPolicy.SHARED:
        return tuple(scans[0].number for _ in scans), ()
    spaces: list[int] = []
    findings: list[Finding] = []
    for index, scan in enumerate(scans):
        joined, message = scan.number, f"series {scan.number} has a frame of reference of its own: "
        hindrance = "no header says that it is registered"
        for other, space in zip(scans[:index], spaces, strict=True):
            why = _why_registered(other.header, scan.header)
            if why is None and policy is RegistrationPolicy.AUTO:
                continue
            members = [each for each, of_it in zip(scans, spaces, strict=False) if of_it == space]
            apart = next((why_not for each in members if (why_not := _why_apart(each, scan, scans))), None)
            if apart is None:
                message = f"series {scan.number} shares the frame of reference of series {other.number}"
                joined, hindrance = space, f": {why or 'no header contradicts'}"
                break
            hindrance = apart
        spaces.append(joined)
        if index:
            code = "space-separate" if joined == scan.number else "space-shared"
            findings.append(Finding(code, message + hindrance, Severity.INFO))
    return tuple(spaces), tuple(findings)


def _why_registered(one: Header, other: Header) -> str | None:
    """Return what shows that two images are registered, None if nothing does."""
    if all(header.geometry.registration not in (None, Registration.NONE) for header in (one, other)):
        return "both have registration data"
    identifier = _common_identifier(one, other)
    if identifier:
        return f"both have the spatial identifier '{printable(identifier, 30)}'"
    if _is_placed(one) and _is_placed(other):
        return "both have an image_ref_shift on one Inveon MM platform"
    return None


def _common_identifier(one: Header, other: Header) -> str | None:
    identifier = one.geometry.spatial_identifier
    return identifier if identifier and identifier == other.geometry.spatial_identifier else None


def _is_placed(header: Header) -> bool:
    """Return whether a multimodality scanner placed the image by a shift alone; rotations are not applied."""
    geometry = header.geometry
    is_rotated = any(geometry.image_ref_rotation_deg or ())
    return header.model is Model.INVEON_MM and geometry.image_ref_shift_mm is not None and not is_rotated


def _why_apart(one: _Scan, other: _Scan, scans: Sequence[_Scan]) -> str | None:
    """Return what shows that two images of a study cannot lie in one space, None if nothing does."""
    if one.placed is not other.placed:
        return f"its posture is not that of series {one.number}"
    if one.session == other.session or _common_identifier(one.header, other.header):
        return None
    if None not in (one.session, other.session):
        return f"it is of another session than series {one.number}, and the animal was taken off the bed between them"
    if len({each.session for each in scans} - {None}) <= 1:
        return None
    return "the study has several sessions, and without scan_time it is not known which one is meant"


def _postures(scans: Sequence[_Scan], policy: RegistrationPolicy) -> Iterator[Finding]:
    """Yield one warning if images of one session, in which the bed holds one posture, are placed by several."""
    pairs = [(one, other) for n, one in enumerate(scans) for other in scans[:n]]
    is_doubtful = any(
        one.placed is not other.placed
        and (one.session == other.session or None in (one.session, other.session))
        and (
            policy in (RegistrationPolicy.SHARED, RegistrationPolicy.COMPATIBLE)
            or _why_registered(one.header, other.header)
        )
        for one, other in pairs
    )
    if is_doubtful:
        named = listed([f"series {each.number} {_named(each)}" for each in scans], _NAMED)
        message = (
            f"the headers of one session contradict each other about the posture: {named}. Images of different "
            "postures are not placed in one space; --orientation gives the posture of all"
        )
        yield Finding("postures-disagree", message, key="subject_orientation")


def _named(scan: _Scan) -> str:
    if not scan.posture:
        return f"unknown (placed like {ASSUMED.name})"
    return f"{scan.posture.name} ({scan.posture.label})"
