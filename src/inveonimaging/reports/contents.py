"""What a report is about: a study, all that was found in it, and whether SUV can be computed from its PET."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from inveonimaging.checks.checked import check_image
from inveonimaging.checks.readiness import Readiness
from inveonimaging.conversion.plan import StudyPlan
from inveonimaging.errors import InveonError
from inveonimaging.findings import Finding, Severity
from inveonimaging.hotels.checks import table_of
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Series, Study

_OF_SHIFTED_DATES = {"scan-time-odd"}  # before there were such scanners
_MOST_SEVERE_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True)
class Contents:
    """What one page shows.

    Attributes:
        study: what was read; at least one series.
        source: the folder or file, by the name that may be shown.
        findings: of the files, the folder and the animal, the most severe first.
        errors: of pairs that cannot be shown.
        readiness: whether an SUV can be computed, of each PET that was checked, by header file.
        group: titles and rows of what was measured of the animals that were scanned together; None if it was one.
    """

    study: Study
    source: Path
    findings: tuple[Finding, ...]
    errors: tuple[InveonError, ...]
    readiness: Mapping[Path, Readiness]
    group: tuple[Sequence[str], Sequence[Sequence[str]]] | None = None

    @property
    def series(self) -> tuple[Series, ...]:
        """The series, in the order of their numbers."""
        return self.study.series

    @property
    def images(self) -> tuple[Image, ...]:
        """The images of its series."""
        return tuple(each.image for each in self.study.series)


def contents_of(study: Study, now: datetime) -> Contents:
    """Return what is shown of a study that was read; its voxels are read.

    A data file that cannot be read any more is among the errors.

    Args:
        study: what was read.
        now: local time, to recognise times in the future.

    Raises:
        InveonError: nothing can be shown.
    """
    errors = list(study.errors.values())
    findings: list[Finding] = []
    readiness: dict[Path, Readiness] = {}
    unread: set[Path] = set()
    for scan in study.scans:
        try:
            found, ready = check_image(scan.image, scan.all_findings, now)
        except InveonError as error:
            errors.append(error.at(scan.pair.header))
            unread.add(scan.pair.header)
            continue
        findings += found
        readiness |= {scan.image.pair.header: ready} if ready else {}
    if len(unread) == len(study.scans):
        raise errors[0]
    shown = tuple(each for each in study.series if each.scan.pair.header not in unread)
    return Contents(
        study=replace(study, series=shown),
        source=study.source,
        findings=_sorted((*study.findings, *findings)),
        errors=tuple(errors),
        readiness=readiness,
    )


def planned_contents(planned: StudyPlan, found: Iterable[Finding], now: datetime, *, redacted: bool) -> Contents:
    """Return what is shown of a study that was converted.

    Args:
        planned: the study.
        found: what was found while it was converted.
        now: local time, to recognise times in the future.
        redacted: whether names and dates are not those of the headers.

    Raises:
        InveonError: a file cannot be read any more.
    """
    findings = [*planned.all_findings, *found]
    readiness: dict[Path, Readiness] = {}
    for scan in planned.study.scans:
        header = scan.image.pair.header
        more, ready = check_image(scan.image, [each for each in findings if each.path == str(header)], now)
        findings += [each for each in more if not (redacted and each.code in _OF_SHIFTED_DATES)]
        readiness |= {header: ready} if ready else {}
    source = Path("De-identified") if redacted else planned.source
    group = table_of(planned.measured, ids=not redacted) if planned.measured else None
    return Contents(planned.study, source, _sorted(findings), (), readiness, group)


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(dict.fromkeys(findings), key=lambda each: _MOST_SEVERE_FIRST.index(each.severity)))
