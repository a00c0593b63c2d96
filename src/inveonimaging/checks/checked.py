"""What was looked at, and what came of it: a pair of Inveon files, or a series of DICOM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from inveonimaging.checks.facts import facts_of, is_pet
from inveonimaging.checks.from_dicom import facts_of_series, is_pet_series, suv_issues_of_series
from inveonimaging.checks.header import header_findings
from inveonimaging.checks.marker import OrientationTest, Side, orientation_test
from inveonimaging.checks.readiness import Readiness, readiness_of
from inveonimaging.checks.scene import scene_of, scene_of_series
from inveonimaging.checks.suv_issues import Item, SuvIssue, is_suv, suv_issues_of
from inveonimaging.checks.values import value_findings
from inveonimaging.checks.vendor import vendor_findings
from inveonimaging.dicom_reading.series import Series
from inveonimaging.errors import InputError, InveonError, UnsupportedError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.frame_groups import FrameGroup, frame_groups_of
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.pairs import Pair
from inveonimaging.study.image import Image, locate
from inveonimaging.study.reading import Scan


@dataclass(frozen=True)
class Checked:
    """One pair or series.

    Attributes:
        name: what people know it by.
        path: its header file, or the first of its DICOM files.
        kind: `PET`, `CT` or `SPECT`, or DICOM's Modality; empty if it cannot be read.
        findings: all findings.
        suv: of a PET.
        orientation_test: if it was asked for, of a PET or CT.
    """

    name: str
    path: str
    kind: str
    findings: tuple[Finding, ...]
    suv: Readiness | None = None
    orientation_test: OrientationTest | None = None


def check_scan(scan: Scan, known: Sequence[Finding], now: datetime, side: Side | None = None) -> Checked:
    """Return what is wrong in a scan, and the SUV readiness of a PET.

    Args:
        scan: what was read.
        known: what planning a conversion found beyond what reading found.
        now: local time, to recognize times in the future.
        side: of the animal on which a marker should lie; None looks for none.
    """
    image, path = scan.image, str(scan.pair.header)
    refused = {each.message for each in known if each.severity is Severity.ERROR}
    known = (*(each for each in scan.all_findings if each.message not in refused), *known)
    try:
        found, suv = check_image(image, known, now)
        seen = is_pet(image) or image.modality is Modality.CT
        test = orientation_test(image.pair.name, scene_of(image), side) if side and seen else None
    except InveonError as error:
        return unreadable(scan.pair, error, known)
    return Checked(image.pair.name, path, image.modality.label, _with(found, test, path), suv, test)


def unreadable(pair: Pair, error: InveonError, known: Sequence[Finding] = ()) -> Checked:
    """Return that a pair cannot be read, with what was found before."""
    code = "not-convertible" if isinstance(error, UnsupportedError) else "unreadable"
    finding = Finding(code, error.sentence, Severity.ERROR, line=error.line, path=error.path or str(pair.header))
    return Checked(pair.name, str(pair.header), "", (*known, finding))


def check_dicom(series: Series, side: Side | None = None) -> Checked:
    """Return problems in a series, of what SUV needs; and whether left is left, if a side is given."""
    path = str(series.files[0].path)
    name, kind = name_of(series), printable(series.first.get("Modality") or "", 16)
    broken = tuple(_cut_off(series))
    found, suv = check_series(series)
    seen = (kind == "CT" or is_pet_series(series)) and not broken
    try:
        test = orientation_test(name, scene_of_series(series), side) if side and seen else None
    except InputError as error:
        found, test = (*found, _unreadable(error)), None
    return Checked(name, path, kind, (*broken, *_with(found, test, path)), suv, test)


def _cut_off(series: Series) -> Iterator[Finding]:
    """Yield one finding for all files of a series that end before their pixels do."""
    lost = [file.lost for file in series.files if file.lost is not None]
    if lost:
        name = printable(Path(lost[0].path or "").name, 60)
        more = f" ({len(lost) - 1} more of the series do, too)" if len(lost) > 1 else ""
        yield Finding("unreadable", f"{name} {lost[0].sentence}{more}", Severity.ERROR, path=lost[0].path)


def unreadable_dicom(error: InputError) -> Checked:
    """Return that a DICOM file cannot be read."""
    path = error.path or ""
    return Checked(printable(Path(path).name, 100), path, "", (_unreadable(error),))


def _unreadable(error: InputError) -> Finding:
    return Finding("unreadable", error.sentence, Severity.ERROR, path=error.path)


def _with(found: tuple[Finding, ...], test: OrientationTest | None, path: str) -> tuple[Finding, ...]:
    finding = test and test.finding(path)
    return (*found, finding) if finding else found


_OF_ITEM = {
    "decay-factor-disagrees": Item.DECAY,
    "activity-exceeds-dose": Item.DOSE,
    "activity-before-injection": Item.INJECTED,
    "dose-disagrees": Item.DOSE,
    "dose-residual-odd": Item.DOSE,
    "branching-fraction-odd": Item.UNITS,
    "data-type-implausible": Item.UNITS,
}
_SAME_IN_OTHER_WORDS = {"weight-unknown": "subject-value-odd"}  # of the same key


def check_image(
    image: Image, known: Sequence[Finding], now: datetime, *, header_alone: bool = False
) -> tuple[tuple[Finding, ...], Readiness | None]:
    """Return all problems in an image, and the SUV readiness of a PET.

    Args:
        image: the whole file.
        known: what reading and planning a conversion found; it is not repeated. An error among it is why a conversion
            refuses the image, and so it is not ready for SUV.
        now: local time, to recognize times in the future.
        header_alone: the data file is not read.

    Raises:
        DataError: the data file cannot be read, or ends early.
    """
    found = [*known, *header_findings(image, _parts(image), now), *(() if header_alone else value_findings(image))]
    located = [locate(finding, image.pair.header, image.header) for finding in found]
    if not is_pet(image):
        return tuple(dict.fromkeys(located)), None
    facts = facts_of(image)
    issues = [issue for issue in suv_issues_of(facts) if not _is_known(issue.finding, located)]
    located += [locate(issue.finding, image.pair.header, image.header) for issue in issues]
    more = tuple(SuvIssue(_OF_ITEM[finding.code], finding) for finding in located if finding.code in _OF_ITEM)
    refused = tuple(finding for finding in located if finding.severity is Severity.ERROR)
    readiness = readiness_of(image.pair.name, facts, more, refused)
    return tuple(dict.fromkeys(located)), readiness


def _is_known(finding: Finding, known: Sequence[Finding]) -> bool:
    """Return whether a finding repeats another one, with the same code or in other words."""
    other = _SAME_IN_OTHER_WORDS.get(finding.code)
    return any(each.code == finding.code or (each.code == other and each.key == finding.key) for each in known)


def _parts(image: Image) -> tuple[FrameGroup, ...]:
    """Return the parts of an image; all of it as one where they do not fit, which the conversion refuses by itself."""
    try:
        return frame_groups_of(image.header)
    except InveonError:
        return (FrameGroup(tuple(range(len(image.frames)))),)


def check_series(series: Series) -> tuple[tuple[Finding, ...], Readiness | None]:
    """Return problems in a series, and the SUV readiness of a PET; of others, what the workstation wrote."""
    path = str(series.files[0].path)
    vendors = tuple(replace(finding, path=path) for finding in vendor_findings(series))
    if not is_pet_series(series):
        return vendors, None
    facts = facts_of_series(series)
    more = suv_issues_of_series(series, facts)
    if is_suv(facts):  # nothing hangs on the others
        more = tuple(issue for issue in more if issue.item is Item.UNITS)
    found = [issue.finding for issue in (*suv_issues_of(facts), *more)]
    located = (replace(finding, key=None, path=finding.path or path) for finding in found)
    return (*dict.fromkeys(located), *vendors), readiness_of(name_of(series), facts, more)


def name_of(series: Series) -> str:
    """Return what people know a series by: its number, modality and description."""
    first = series.first
    number, kind, description = (first.get(word) for word in ("SeriesNumber", "Modality", "SeriesDescription"))
    words = (f"series {number}" if number is not None else "series", f"({kind})" if kind else "", description or "")
    return printable(" ".join(str(word) for word in words if word), 100)
