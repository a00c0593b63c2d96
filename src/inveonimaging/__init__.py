"""Siemens Inveon images: read them, and turn them into DICOM.

    >>> import inveonimaging
    >>> image = inveonimaging.read("mouse.pet.img")
    >>> image.values(0)  # Bq/mL, (nz, ny, nx)

Importing does nothing but define names; what needs pydicom is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inveonimaging.version import __version__

if TYPE_CHECKING:
    from inveonimaging.conversion import Options, convert
    from inveonimaging.deidentification.request import Deidentify
    from inveonimaging.errors import (
        DataError,
        HeaderError,
        InputError,
        InveonError,
        OptionError,
        OutputError,
        TargetError,
        UnsupportedError,
    )
    from inveonimaging.findings import Finding, Severity
    from inveonimaging.hdr import Frame, Header
    from inveonimaging.hdr.enums import Modality, Orientation
    from inveonimaging.image import Image, read
    from inveonimaging.report.page import write_report
    from inveonimaging.report.pictures import write_pictures
    from inveonimaging.report.study import read_study
    from inveonimaging.report.survey import survey_of
    from inveonimaging.sheet.reading import read_sheet
    from inveonimaging.subject import GivenSubject
    from inveonimaging.uptake import suv
    from inveonimaging.verification import Overrides, Verification, verify

_HOMES = {
    "conversion": ("Options", "convert"),
    "deidentification.request": ("Deidentify",),
    "errors": (
        "DataError",
        "HeaderError",
        "InputError",
        "InveonError",
        "OptionError",
        "OutputError",
        "TargetError",
        "UnsupportedError",
    ),
    "findings": ("Finding", "Severity"),
    "hdr": ("Frame", "Header"),
    "hdr.enums": ("Modality", "Orientation"),
    "image": ("Image", "read"),
    "report.page": ("write_report",),
    "report.pictures": ("write_pictures",),
    "report.study": ("read_study",),
    "report.survey": ("survey_of",),
    "sheet.reading": ("read_sheet",),
    "subject": ("GivenSubject",),
    "uptake": ("suv",),
    "verification": ("Overrides", "Verification", "verify"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DataError",
    "Deidentify",
    "Finding",
    "Frame",
    "GivenSubject",
    "Header",
    "HeaderError",
    "Image",
    "InputError",
    "InveonError",
    "Modality",
    "OptionError",
    "Options",
    "Orientation",
    "OutputError",
    "Overrides",
    "Severity",
    "TargetError",
    "UnsupportedError",
    "Verification",
    "__version__",
    "convert",
    "read",
    "read_sheet",
    "read_study",
    "survey_of",
    "suv",
    "verify",
    "write_pictures",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'inveonimaging' has no attribute {name!r}")
    return getattr(import_module(f"inveonimaging.{_HOME[name]}"), name)
