"""What was looked at, and what came of it: a pair of Inveon files, or a series of DICOM."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from inveonimaging.animal import completed_headers
from inveonimaging.checks.dicom_scene import scene_of_series
from inveonimaging.checks.facts import is_pet
from inveonimaging.checks.from_dicom import is_pet_series
from inveonimaging.checks.marker import OrientationTest, Side, orientation_test
from inveonimaging.checks.readiness import Readiness
from inveonimaging.checks.scene import scene_of
from inveonimaging.checks.series import check_series, name_of
from inveonimaging.checks.source import check_image
from inveonimaging.dicom_reading.series import Series
from inveonimaging.errors import InveonError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.inveon.hdr.model import Subject
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.application import applied
from inveonimaging.sheet.matching import Sheet, told_of
from inveonimaging.study.image import header_bytes, read_pair, with_header


@dataclass(frozen=True)
class Checked:
    """One pair or series.

    Attributes:
        name: what people know it by.
        path: its header file, or the first of its DICOM files.
        kind: `PET`, `CT` or `SPECT`, or DICOM's Modality; empty if it cannot be read.
        findings: all that is odd.
        suv: of a PET.
        orientation_test: if it was asked for, of a PET or CT.
    """

    name: str
    path: str
    kind: str
    findings: tuple[Finding, ...]
    suv: Readiness | None = None
    orientation_test: OrientationTest | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What to look for, and how to read: `now` is local time; posture, flip and sheet are those of a conversion."""

    now: datetime
    side: Side | None = None
    orientation: Orientation | None = None
    flip: str = ""
    sheet: Sheet | None = None


def check_pairs(pairs: Sequence[Pair], told: Mapping[Pair, Sequence[Finding]], asked: Asked) -> list[Checked]:
    """Return what is odd in the pairs of a study, in their order; arguments as `check_pair`."""
    of_study = _subjects(pairs, asked.sheet)
    return [check_pair(pair, told.get(pair, ()), asked, of_study.get(pair)) for pair in pairs]


def _subjects(pairs: Sequence[Pair], sheet: Sheet | None) -> dict[Pair, Subject]:
    """Return what the headers of a study say of the animal, each completed by the others; without those unreadable."""
    scans: list[tuple[Pair, Header]] = []
    for pair in pairs:
        with contextlib.suppress(InveonError):
            scans.append((pair, parse(header_bytes(pair.header))[0]))
    try:
        told, _ = told_of(sheet, scans)
        given = [applied(header, said) for (_, header), said in zip(scans, told, strict=True)]
    except InveonError:  # told where it stands
        return {}
    headers, _ = completed_headers(given, told)
    return {pair: header.subject for (pair, _), header in zip(scans, headers, strict=True)}


def check_pair(pair: Pair, told: Sequence[Finding], asked: Asked, subject: Subject | None = None) -> Checked:
    """Return what is odd in a pair of Inveon files; one that cannot be read is a finding.

    Args:
        pair: the files.
        told: what planning a conversion found in them.
        asked: what to look for.
        subject: what a conversion takes of the animal, of which other headers of the study may say a part.
    """
    name, path = pair.name, str(pair.header)
    try:
        image = read_pair(pair, orientation=asked.orientation, flip=asked.flip)
        (said,), _ = told_of(asked.sheet, [(pair, image.header)])
        header = applied(image.header, said)
        image = with_header(image, replace(header, subject=subject or header.subject))
        found, suv = check_image(image, (*image.findings, *told), asked.now)
        seen = is_pet(image) or image.modality is Modality.CT
        test = orientation_test(name, scene_of(image), asked.side) if asked.side and seen else None
    except InveonError as error:
        unreadable = Finding("unreadable", sentence_of(error), Severity.ERROR, line=error.line, path=error.path)
        return Checked(name, path, "", (*told, unreadable))
    return Checked(name, path, image.modality.label, _with(found, test, path), suv, test)


def check_dicom(series: Series, side: Side | None = None) -> Checked:
    """Return what is odd in a series, of what SUV needs; and whether left is left, if a side is given."""
    path = str(series.instances[0].path)
    try:
        return _series(series, path, side)
    except InveonError as error:
        told = sentence_of(error)
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


def sentence_of(error: InveonError) -> str:
    """Return an error's sentence without its place."""
    bare = type(error)(error.message, key=error.key, got=error.got, expected=error.expected, hint=error.hint)
    return str(bare)
