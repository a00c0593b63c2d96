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
    from inveonimaging.animal import GivenSubject
    from inveonimaging.conversion import Options, convert
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
    from inveonimaging.inveon.hdr import Frame, Header
    from inveonimaging.inveon.hdr.enums import Modality, Orientation
    from inveonimaging.redaction.request import Deidentify
    from inveonimaging.reports.page import write_report
    from inveonimaging.reports.pictures import write_pictures
    from inveonimaging.reports.study import read_study
    from inveonimaging.reports.voxel_pass import survey_of
    from inveonimaging.sheet.reading import read_sheet
    from inveonimaging.study.image import Image, read
    from inveonimaging.study.suv import suv
    from inveonimaging.verification import Overrides, Verification, verify

_HOMES = {
    "conversion": ("Options", "convert"),
    "redaction.request": ("Deidentify",),
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
    "inveon.hdr": ("Frame", "Header"),
    "inveon.hdr.enums": ("Modality", "Orientation"),
    "study.image": ("Image", "read"),
    "reports.page": ("write_report",),
    "reports.pictures": ("write_pictures",),
    "reports.study": ("read_study",),
    "reports.voxel_pass": ("survey_of",),
    "sheet.reading": ("read_sheet",),
    "animal": ("GivenSubject",),
    "study.suv": ("suv",),
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
