"""Columns of the table of facts: where a plane has a value, for which scans it is expected, and who must state it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inveonimaging.dicom_reading.times import number_of
from inveonimaging.verification.planes import Plane
from inveonimaging.verification.sop_classes import ENHANCED, LEGACY, NM
from inveonimaging.verification.source import SourceScan

Found = Callable[[Plane], Any]
"""What a plane states; None if it does not. What cannot be read is its text, which then differs from what is true."""
Expected = Callable[[SourceScan, int], Any]
"""What the header says, of a frame; None if it does not."""


# Where a value is found.


def stated(keyword: str) -> Found:
    """Find a value as it is."""
    return lambda plane: plane.get(keyword)


def number_at(keyword: str) -> Found:
    """Find a number."""
    return lambda plane: number_or_text(plane.get(keyword))


def moment_at(keyword: str) -> Found:
    """Find a DateTime, by the clock of the Dates and Times beside it."""
    return lambda plane: plane.local_moment(keyword) or plane.get(keyword)


def date_and_time(day: str, clock: str) -> Found:
    """Find the moment of a Date and a Time."""

    def found(plane: Plane) -> Any:
        values = plane.get(day), plane.get(clock)
        return None if None in values else plane.moment(day, clock) or f"{values[0]} {values[1]}"

    return found


def in_tracer(keyword: str) -> Found:
    """Find a value in the item of Radiopharmaceutical Information Sequence (0054,0016)."""
    return lambda plane: (plane.get("RadiopharmaceuticalInformationSequence") or {}).get(keyword)


def number_in_tracer(keyword: str) -> Found:
    """Find a number in that item."""
    found = in_tracer(keyword)
    return lambda plane: number_or_text(found(plane))


def number_or_text(value: Any) -> Any:
    """Return a value as a number, or as it is."""
    number = number_of(value)
    return value if number is None else number


# For which scans a value is expected.


def of_pet(value: Callable[[SourceScan], Any]) -> Expected:
    """Expect it of PET alone."""
    return lambda scan, _frame: value(scan) if scan.modality == "PT" else None


def of_ct(value: Callable[[SourceScan], Any]) -> Expected:
    """Expect it of CT alone."""
    return lambda scan, _frame: value(scan) if scan.modality == "CT" else None


def of_emission(value: Callable[[SourceScan], Any]) -> Expected:
    """Expect it of PET and SPECT of a tracer in the animal."""
    return lambda scan, _frame: value(scan) if scan.has_tracer else None


def of_scan(value: Callable[[SourceScan], Any]) -> Expected:
    """Expect it of every scan; an empty text is none."""

    def expected(scan: SourceScan, _frame: int) -> Any:
        found = value(scan)
        return None if found == "" else found

    return expected


def positive(value: float | None) -> float | None:
    """Return a number above 0; any other is none."""
    return float(value) if value and value > 0 else None


# Which planes must state a value that the header gives.


def always(_scan: SourceScan, _plane: Plane) -> bool:
    """Every plane."""
    return True


def never(_scan: SourceScan, _plane: Plane) -> bool:
    """No plane."""
    return False


def pet(scan: SourceScan, _plane: Plane) -> bool:
    """PET."""
    return scan.modality == "PT"


def traced_pet(scan: SourceScan, _plane: Plane) -> bool:
    """PET of a tracer in the animal."""
    return scan.modality == "PT" and scan.has_tracer


def plain_pet(scan: SourceScan, plane: Plane) -> bool:
    """PET Image and Legacy Converted Enhanced PET, which have the attributes of a PET Image."""
    return scan.modality == "PT" and plane.get("SOPClassUID") not in ENHANCED | NM


def enhanced_pet(scan: SourceScan, plane: Plane) -> bool:
    """Enhanced PET."""
    return scan.modality == "PT" and plane.get("SOPClassUID") in ENHANCED


def enhanced(_scan: SourceScan, plane: Plane) -> bool:
    """Enhanced CT and PET."""
    return plane.get("SOPClassUID") in ENHANCED


def functional(_scan: SourceScan, plane: Plane) -> bool:
    """Whatever has functional groups."""
    return plane.get("SOPClassUID") in ENHANCED | LEGACY
