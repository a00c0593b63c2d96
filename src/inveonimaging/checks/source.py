"""One pair of Inveon files, checked: its header, its voxels, and the SUV readiness of what it would become."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from inveonimaging.checks.facts import facts_of, is_pet
from inveonimaging.checks.header import header_findings
from inveonimaging.checks.readiness import Readiness, readiness_of
from inveonimaging.checks.suv_issues import Item, SuvIssue, suv_issues_of
from inveonimaging.checks.values import value_findings
from inveonimaging.errors import InveonError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.frame_groups import FrameGroup, frame_groups_of
from inveonimaging.study.image import Image, locate

_OF_ITEM = {
    "decay-factor-disagrees": Item.DECAY,
    "activity-exceeds-dose": Item.DOSE,
    "activity-before-injection": Item.INJECTED,
    "dose-disagrees": Item.DOSE,
    "dose-residual-odd": Item.DOSE,
    "branching-fraction-odd": Item.UNITS,
    "data-type-implausible": Item.UNITS,
}
_SAYS_THE_SAME = {"weight-unknown": "subject-value-odd"}  # of the same key


def check_image(image: Image, told: Sequence[Finding], now: datetime) -> tuple[tuple[Finding, ...], Readiness | None]:
    """Return all problems in an image, and the SUV readiness of a PET.

    Args:
        image: the whole file.
        told: what reading and planning a conversion found; it is not said again. An error among it is why a conversion
            refuses the image, and so it is not ready for SUV.
        now: local time, to tell times in the future.

    Raises:
        DataError: the data file cannot be read, or ends early.
    """
    found = [*told, *header_findings(image, _parts(image), now), *value_findings(image)]
    located = [locate(finding, image.pair.header, image.header) for finding in found]
    if not is_pet(image):
        return tuple(dict.fromkeys(located)), None
    facts = facts_of(image)
    issues = [issue for issue in suv_issues_of(facts) if not _is_told(issue.finding, located)]
    located += [locate(issue.finding, image.pair.header, image.header) for issue in issues]
    more = tuple(SuvIssue(_OF_ITEM[finding.code], finding) for finding in located if finding.code in _OF_ITEM)
    refused = tuple(finding for finding in located if finding.severity is Severity.ERROR)
    readiness = readiness_of(image.pair.name, facts, more, refused)
    return tuple(dict.fromkeys(located)), readiness


def _is_told(finding: Finding, told: Sequence[Finding]) -> bool:
    """Return whether a finding says what another one has said, with the same code or in other words."""
    other = _SAYS_THE_SAME.get(finding.code)
    return any(each.code == finding.code or (each.code == other and each.key == finding.key) for each in told)


def _parts(image: Image) -> tuple[FrameGroup, ...]:
    """Return the parts of an image; all of it as one where they do not fit, which the conversion refuses by itself."""
    try:
        return frame_groups_of(image.header)
    except InveonError:
        return (FrameGroup(tuple(range(len(image.frames)))),)
