"""What was looked at, and what came of it: a pair of Inveon files, or a series of DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inveonimaging.checks.dicom_scene import scene_of_series
from inveonimaging.checks.facts import is_pet
from inveonimaging.checks.from_dicom import is_pet_series
from inveonimaging.checks.marker import OrientationTest, Side, orientation_test
from inveonimaging.checks.readiness import Readiness
from inveonimaging.checks.scene import scene_of
from inveonimaging.checks.series import check_series, name_of
from inveonimaging.checks.source import check_image
from inveonimaging.dicom_reading.series import Series
from inveonimaging.errors import InveonError, UnsupportedError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.pairs import Pair
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


def check_scan(scan: Scan, told: Sequence[Finding], now: datetime, side: Side | None = None) -> Checked:
    """Return what is wrong in a scan, and the SUV readiness of a PET.

    Args:
        scan: what was read.
        told: what planning a conversion found beyond what reading found.
        now: local time, to tell times in the future.
        side: of the animal on which a marker should lie; None looks for none.
    """
    image, path = scan.image, str(scan.pair.header)
    try:
        found, suv = check_image(image, (*scan.all_findings, *told), now)
        seen = is_pet(image) or image.modality is Modality.CT
        test = orientation_test(image.pair.name, scene_of(image), side) if side and seen else None
    except InveonError as error:
        return unreadable(scan.pair, error, (*scan.all_findings, *told))
    return Checked(image.pair.name, path, image.modality.label, _with(found, test, path), suv, test)


def unreadable(pair: Pair, error: InveonError, told: Sequence[Finding] = ()) -> Checked:
    """Return that a pair cannot be read, with what was found before."""
    code = "not-convertible" if isinstance(error, UnsupportedError) else "unreadable"
    finding = Finding(code, error.sentence, Severity.ERROR, line=error.line, path=error.path or str(pair.header))
    return Checked(pair.name, str(pair.header), "", (*told, finding))


def check_dicom(series: Series, side: Side | None = None) -> Checked:
    """Return problems in a series, of what SUV needs; and whether left is left, if a side is given."""
    path = str(series.instances[0].path)
    try:
        return _series(series, path, side)
    except InveonError as error:
        told = error.sentence
    except _DAMAGED as error:  # what pydicom raises for values that are none
        told = f"the file is damaged: {printable(error, _LONGEST)}"
    return Checked(Path(path).name, path, "", (Finding("unreadable", told, Severity.ERROR, path=path),))


_DAMAGED = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)
_LONGEST = 200


def _series(series: Series, path: str, side: Side | None) -> Checked:
    name, kind = name_of(series), str(series.first.get("Modality") or "")
    found, suv = check_series(series)
    seen = side is not None and (kind == "CT" or is_pet_series(series))
    test = orientation_test(name, scene_of_series(series), side) if side and seen else None
    return Checked(name, path, kind, _with(found, test, path), suv, test)


def _with(found: tuple[Finding, ...], test: OrientationTest | None, path: str) -> tuple[Finding, ...]:
    finding = test and test.finding(path)
    return (*found, finding) if finding else found
