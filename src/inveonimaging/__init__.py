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
    from inveonimaging.batches import Batch, BatchResult, batch
    from inveonimaging.bids_dataset.job import BidsFile
    from inveonimaging.bids_dataset.options import BidsOptions
    from inveonimaging.commands.bids import BidsResult, bids
    from inveonimaging.commands.check import CheckResult, check
    from inveonimaging.commands.curves import CurvesResult, curves
    from inveonimaging.commands.demo import demo
    from inveonimaging.commands.explain import Explanation, explain
    from inveonimaging.commands.nifti import NiftiResult, nifti
    from inveonimaging.commands.remove import Removal, remove
    from inveonimaging.commands.report import ReportResult, report
    from inveonimaging.commands.split import split
    from inveonimaging.commands.subjects import SheetResult, subjects
    from inveonimaging.commands.zarr import ZarrResult, zarr
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
    from inveonimaging.nifti_files.options import NiftiOptions
    from inveonimaging.redaction.request import Deidentify
    from inveonimaging.reports.voxel_pass import survey_of
    from inveonimaging.restoring import RestoredPair, RestoreResult, restore
    from inveonimaging.sending import SendOptions, SendResult, send
    from inveonimaging.sheet.reading import read_sheet
    from inveonimaging.study.corrections import Corrections
    from inveonimaging.study.image import Image, read
    from inveonimaging.study.reading import Study, read_study
    from inveonimaging.study.suv import suv
    from inveonimaging.time_activity.options import CurvesOptions
    from inveonimaging.time_activity.regions import Sphere
    from inveonimaging.verification import Verification, verify
    from inveonimaging.zarr_files.options import ZarrOptions

_HOMES = {
    "animal": ("GivenSubject",),
    "batches": ("Batch", "BatchResult", "batch"),
    "bids_dataset.job": ("BidsFile",),
    "bids_dataset.options": ("BidsOptions",),
    "commands.bids": ("BidsResult", "bids"),
    "commands.check": ("CheckResult", "check"),
    "commands.curves": ("CurvesResult", "curves"),
    "commands.demo": ("demo",),
    "commands.explain": ("Explanation", "explain"),
    "commands.nifti": ("NiftiResult", "nifti"),
    "commands.remove": ("Removal", "remove"),
    "commands.report": ("ReportResult", "report"),
    "commands.split": ("split",),
    "commands.subjects": ("SheetResult", "subjects"),
    "commands.zarr": ("ZarrResult", "zarr"),
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
    "inveon.hdr": ("Frame", "Header"),
    "inveon.hdr.enums": ("Modality", "Orientation"),
    "nifti_files.options": ("NiftiOptions",),
    "redaction.request": ("Deidentify",),
    "reports.voxel_pass": ("survey_of",),
    "restoring": ("RestoredPair", "RestoreResult", "restore"),
    "sending": ("SendOptions", "SendResult", "send"),
    "sheet.reading": ("read_sheet",),
    "study.corrections": ("Corrections",),
    "study.image": ("Image", "read"),
    "study.reading": ("Study", "read_study"),
    "study.suv": ("suv",),
    "time_activity.options": ("CurvesOptions",),
    "time_activity.regions": ("Sphere",),
    "verification": ("Verification", "verify"),
    "zarr_files.options": ("ZarrOptions",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Batch",
    "BatchResult",
    "BidsFile",
    "BidsOptions",
    "BidsResult",
    "CheckResult",
    "Corrections",
    "CurvesOptions",
    "CurvesResult",
    "DataError",
    "Deidentify",
    "Explanation",
    "Finding",
    "Frame",
    "GivenSubject",
    "Header",
    "HeaderError",
    "Image",
    "InputError",
    "InveonError",
    "Modality",
    "NiftiOptions",
    "NiftiResult",
    "OptionError",
    "Options",
    "Orientation",
    "OutputError",
    "Removal",
    "ReportResult",
    "RestoreResult",
    "RestoredPair",
    "SendOptions",
    "SendResult",
    "Severity",
    "SheetResult",
    "Sphere",
    "Study",
    "TargetError",
    "UnsupportedError",
    "Verification",
    "ZarrOptions",
    "ZarrResult",
    "__version__",
    "batch",
    "bids",
    "check",
    "convert",
    "curves",
    "demo",
    "explain",
    "nifti",
    "read",
    "read_sheet",
    "read_study",
    "remove",
    "report",
    "restore",
    "send",
    "split",
    "subjects",
    "survey_of",
    "suv",
    "verify",
    "zarr",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'inveonimaging' has no attribute {name!r}")
    return getattr(import_module(f"inveonimaging.{_HOME[name]}"), name)
