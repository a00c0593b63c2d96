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
    from inveonimaging.image import Image, read
    from inveonimaging.uptake import suv
    from inveonimaging.verification import Overrides, Verification, verify

_HOMES = {
    "conversion": ("Options", "convert"),
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
    "image": ("Image", "read"),
    "uptake": ("suv",),
    "verification": ("Overrides", "Verification", "verify"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DataError",
    "Finding",
    "Frame",
    "Header",
    "HeaderError",
    "Image",
    "InputError",
    "InveonError",
    "OptionError",
    "Options",
    "OutputError",
    "Overrides",
    "Severity",
    "TargetError",
    "UnsupportedError",
    "Verification",
    "__version__",
    "convert",
    "read",
    "suv",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'inveonimaging' has no attribute {name!r}")
    return getattr(import_module(f"inveonimaging.{_HOME[name]}"), name)
