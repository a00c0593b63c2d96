"""DICOM that the vendor's own workstation wrote: what its private block says, and what is known to be otherwise in it.

What is known is that of one export (docs/reference/cli.md, "The vendor's own DICOM"). `inveon verify` compares such
DICOM with the scanner's files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inveonimaging.checks.from_dicom import facts_of_series
from inveonimaging.dicom_reading.planes import Plane
from inveonimaging.dicom_reading.private import WORKSTATION
from inveonimaging.dicom_reading.series import Series
from inveonimaging.errors import printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr.fields import MAIN

_A_MILLISECOND = 1.0
_NO_SCANNER_MM = 1000.0  # from source to detector; in an Inveon it is 300 to 400 mm


def vendor_findings(series: Series) -> Iterator[Finding]:
    """Yield what is worth knowing of a series; nothing of other programs' series, but for images that are lost."""
    yield from _lost(series)
    plane = series.first
    values = plane.get(WORKSTATION)
    if values is None:
        return
    shown = ", ".join(f"{key} {_shown(key, text)}" for key, text in values.items())
    message = f"written by the vendor's workstation{_program(plane)}; of the header it says: {shown}"
    yield Finding("vendor-dicom", message, Severity.INFO)
    for message in (*_stretched(plane), *_distances(plane), *_reference_time(series), *_randoms(plane)):
        yield Finding("vendor-known", message, Severity.INFO)
    yield from _names(plane)


def vendor_study_findings(series: Sequence[Series]) -> Iterator[Finding]:
    """Yield what is worth knowing of several series that the workstation wrote."""
    planes = [each.first for each in series if each.first.get(WORKSTATION) is not None]
    spaces = {str(plane.get("FrameOfReferenceUID")) for plane in planes}
    if len(planes) > 1 and len(spaces) == len(planes):
        message = (
            f"{len(planes)} series of the vendor's workstation have {len(spaces)} Frame of Reference UIDs; their "
            "positions are those of one space, but viewers that overlay by UID do not overlay them"
        )
        yield Finding("vendor-known", message, Severity.INFO)


def _lost(series: Series) -> Iterator[Finding]:
    stated = series.first.number("NumberOfSeriesRelatedInstances") or 0
    if stated > len(series.files) > 1:  # a single file may have been asked for
        message = f"the series says that it has {stated:g} images, and {len(series.files)} are here"
        yield Finding("images-missing", message)


def _program(plane: Plane) -> str:
    item = plane.get("ContributingEquipmentSequence") or {}
    words = (item.get("ManufacturerModelName"), item.get("SoftwareVersions"))
    return "".join(f" {printable(str(word), 40)}" for word in words if word)


def _shown(key: str, text: str) -> str:
    """Return a value, and of a code what it means."""
    codec = MAIN[key].codec
    try:
        value = codec.parse(text)
    except (ValueError, ArithmeticError):
        return printable(text, 40)
    return f"{int(value)} ({value.label})" if codec.choices else printable(text, 40)


def _stretched(plane: Plane) -> Iterator[str]:
    slope = plane.number("RescaleSlope")
    if plane.get("Modality") == "CT" and slope is not None and slope != 1:
        yield (
            f"HU are stretched to 16 bits with slope {slope:.9g}, and cut off: they are less than {slope:.3g} HU from "
            "the scanner's, which are whole numbers"
        )


def _distances(plane: Plane) -> Iterator[str]:
    distance = plane.number("DistanceSourceToDetector") or 0.0
    if distance > _NO_SCANNER_MM:
        yield f"Distance Source to Detector is {distance:g} mm, ten times what it is: mm were taken for cm"


def _reference_time(series: Series) -> Iterator[str]:
    one = Series(series.files[:1])
    facts = facts_of_series(one)
    time, duration = one.first.number("FrameReferenceTime"), one.first.number("ActualFrameDuration")
    if time is None or duration is None or facts.start is None or facts.first is None:
        return
    begun = 1000 * (facts.first - facts.start).total_seconds()
    if abs(begun + duration / 2 - time) <= _A_MILLISECOND:
        yield "Frame Reference Time is the middle of the frame, not the time when the activity equals its mean over it"


def _randoms(plane: Plane) -> Iterator[str]:
    corrected = plane.get("CorrectedImage")
    if plane.get("Modality") == "PT" and corrected and "RAN" not in corrected:
        yield "Corrected Image never names RAN: the header's event_type shows whether randoms were subtracted"


def _names(plane: Plane) -> Iterator[Finding]:
    stated, description = (str(plane.get(each) or "") for each in ("PatientID", "SeriesDescription"))
    if stated and stated == description:
        message = f"Patient ID is the file's name, '{printable(stated, 60)}': PET and CT of one animal are two patients"
        yield Finding("vendor-identity", message)
