"""`inveon check`, as a function: problems in Inveon files or DICOM, SUV readiness, and whether left is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from inveonimaging.checks.checked import Checked, check_dicom, check_scan, unreadable, unreadable_dicom
from inveonimaging.checks.marker import Side
from inveonimaging.checks.vendor import vendor_study_findings
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import plan_study, scan_findings
from inveonimaging.dicom_reading.series import read_series
from inveonimaging.errors import InputError, InveonError, OptionError
from inveonimaging.findings import Finding, Severity, not_convertible
from inveonimaging.inveon.pairs import Folder, pair_of, scan_folder
from inveonimaging.progress import Progress, no_progress
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.reading import Scan, Study, read_study


class Kind(str, Enum):
    """What was checked."""

    INVEON = "inveon"
    DICOM = "dicom"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What a check found.

    Attributes:
        kind: Inveon files or DICOM.
        findings: on the folder as a whole.
        files: what came of each pair of files, or of each DICOM series.
    """

    kind: Kind
    findings: tuple[Finding, ...]
    files: tuple[Checked, ...]

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of the folder and of its files."""
        return (*self.findings, *(finding for each in self.files for finding in each.findings))


def check(
    path: str | os.PathLike[str],
    corrections: Corrections | None = None,
    *,
    orientation_test: Side | str | None = None,
    now: datetime | None = None,
    progress: Progress = no_progress,
) -> CheckResult:
    """Check Inveon files, or DICOM: problems in the data, what SUV needs, and whether left is left.

    What a conversion would refuse is a finding of severity error. Nothing is written.

    Args:
        path: a folder of pairs or of DICOM, one pair, or one DICOM file.
        corrections: of Inveon files: what counts instead of the headers.
        orientation_test: side of the animal on which a marker, such as a syringe, lies: `"left"` or `"right"`.
        now: local time, to recognize times in the future; None takes the clock's.
        progress: called with how many files or series are done, and how many there are.

    Raises:
        InputError: there is nothing to check.
        OptionError: a correction makes no sense.
    """
    place, side = Path(path), _side(orientation_test)
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        if place.name.lower().endswith((".img", ".hdr")) or not os.path.exists(path):  # noqa: PTH110 - likewise
            return _inveon(place, corrections or Corrections(), side, now, progress)
        return _dicom(place, side, progress)
    folder = scan_folder(place)
    if folder.pairs:
        return _inveon(place, corrections or Corrections(), side, now, progress)
    return _dicom(place, side, progress, folder)


def _side(side: Side | str | None) -> Side | None:
    try:
        return None if side is None else Side(side)
    except ValueError as error:
        raise OptionError(f"orientation_test is '{side}'", expected="left or right") from error


def _dicom(path: Path, side: Side | None, progress: Progress, folder: Folder | None = None) -> CheckResult:
    try:
        found = read_series([path])
    except InputError as error:
        if folder is None or error.message != "no DICOM files here":
            raise
        without = folder.without_pairs()
        if folder.orphans or without.hint:
            raise without from error
        raise InputError("neither Inveon nor DICOM files here", path=path, hint=error.hint) from error
    files = []
    for each in found.series:
        files.append(check_dicom(each, side))
        progress(len(files), len(found.series))
    files += map(unreadable_dicom, found.damaged)
    return CheckResult(kind=Kind.DICOM, findings=tuple(vendor_study_findings(found.series)), files=tuple(files))


def check_folder(path: Path, corrections: Corrections | None = None) -> tuple[Finding, ...]:
    """Return what a check finds in a folder of pairs as a whole, such as scans that share no space; no voxel is read.

    Of what is found in the headers of an animal together, each says the first such header.

    Args:
        path: the folder.
        corrections: what counts instead of the headers.

    Raises:
        InputError: there is nothing to check.
    """
    return _headers_of(path, corrections or Corrections()).whole


def check_in_folder(path: Path, corrections: Corrections | None = None, now: datetime | None = None) -> Checked:
    """Return what a check of a folder finds in one of its pairs, without what is found in the folder as a whole.

    So it has what other headers of the folder say of the animal. The data file of this pair alone is read.

    Args:
        path: the data file, or the header.
        corrections: what counts instead of the headers.
        now: local time, to recognize times in the future; None takes the clock's.

    Raises:
        InputError: there is no such pair.
    """
    pair = pair_of(path)
    study, whole, _, found = _headers_of(path.parent, corrections or Corrections())
    scan = next((each for each in study.scans if each.pair.name == pair.name), None)
    if scan is None:
        return unreadable(pair, next(error for other, error in study.errors.items() if other.name == pair.name))
    own = [each for each in found[str(scan.pair.header)] if each not in whole]
    return check_scan(scan, own, now or datetime.now())


class _Headers(NamedTuple):
    """What the headers of scans say.

    Attributes:
        study: of them.
        whole: findings that no scan has by itself.
        general: of those the ones that name no header.
        found: by the path of each header, all that name it, but for those of reading it.
    """

    study: Study
    whole: tuple[Finding, ...]
    general: tuple[Finding, ...]
    found: dict[str, list[Finding]]


def _inveon(
    path: Path, corrections: Corrections, side: Side | None, now: datetime | None, progress: Progress
) -> CheckResult:
    study, _, general, found = _headers_of(path, corrections)
    files: list[Checked] = []
    for scan in study.scans:
        files.append(check_scan(scan, found[str(scan.pair.header)], now or datetime.now(), side))
        progress(len(files), len(study.scans))
    files += [unreadable(pair, error) for pair, error in study.errors.items()]
    files.sort(key=lambda each: each.name)
    return CheckResult(kind=Kind.INVEON, findings=general, files=tuple(files))


def _headers_of(path: Path, corrections: Corrections) -> _Headers:
    general: list[Finding] = []
    try:
        study = read_study(path, corrections)
    except InputError as error:
        if corrections.sheet is None or error.path != str(corrections.sheet.path):
            raise
        general.append(not_convertible(error, path))  # rows that contradict each other
        study = read_study(path, replace(corrections, sheet=None))
    options = Options(**(study.corrections.values | {"allow_long_data": True}))
    found = {str(scan.pair.header): list(_of_scan(scan, options)) for scan in study.scans}
    is_refused = any(each.code == "not-convertible" for each in chain.from_iterable(found.values()))
    own = {*chain.from_iterable(found.values()), *(each for scan in study.scans for each in scan.all_findings)}
    whole = [*general]
    for finding in _of_study(study, path, options, is_refused=is_refused):
        found.get(finding.path or "", general).append(finding)
        whole += () if finding in own else (finding,)
    return _Headers(study, tuple(dict.fromkeys(whole)), tuple(dict.fromkeys(general)), found)


def _of_scan(scan: Scan, options: Options) -> Iterator[Finding]:
    """Yield what a conversion finds in a scan beyond what reading found; what it refuses is an error."""
    try:
        known = set(scan.all_findings)
        yield from (each for each in scan_findings(scan, options) if each not in known)
    except InveonError as error:
        yield not_convertible(error, scan.pair.header)


def _of_study(study: Study, path: Path, options: Options, *, is_refused: bool) -> Iterator[Finding]:
    """Yield what a conversion finds in a study as a whole."""
    for each in study.findings:  # an error is of all headers
        yield replace(each, path=str(path), line=None) if each.severity is Severity.ERROR else each
    if is_refused or study.errors or any(each.severity is Severity.ERROR for each in study.findings):
        return
    try:
        yield from plan_study(study, path, options).findings
    except InveonError as error:
        yield not_convertible(error, path)
