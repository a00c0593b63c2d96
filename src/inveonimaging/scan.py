"""What kind of scan a header describes, and whether it can be converted."""

from __future__ import annotations

from inveonimaging.errors import UnsupportedError
from inveonimaging.findings import Finding, Severity
from inveonimaging.hdr import Header
from inveonimaging.hdr.enums import AcquisitionMode, FileType, Modality, Model
from inveonimaging.hdr.need import missing

_CT_SCANNERS = {Model.MCAT, Model.MCAT2}
TRANSMISSION = {AcquisitionMode.SINGLES_TX, AcquisitionMode.WINDOWED_TX, AcquisitionMode.NON_WINDOWED_TX}


def modality_of(header: Header) -> tuple[Modality, tuple[Finding, ...]]:
    """Return PET, CT or SPECT; old scanners do not say, and (X)MedCon says -1: both hold PET.

    Raises:
        HeaderError: `modality` is a code that nobody knows.
    """
    given = header.modality
    if given is None and any(extra.key == "modality" for extra in header.extras):
        raise missing(header, "modality")
    if given not in (None, Modality.UNKNOWN):
        return given, ()
    is_ct = header.acquisition_mode is AcquisitionMode.CT or header.model in _CT_SCANNERS
    taken = Modality.CT if is_ct else Modality.PET
    message = f"modality is not given; taken as {taken.label}"
    return taken, (Finding("modality-assumed", message, Severity.INFO, key="modality"),)


def refuse_unconvertible(header: Header, modality: Modality) -> tuple[Finding, ...]:
    """Return findings on the kind of file.

    Raises:
        UnsupportedError: the file holds no image, or one whose SOP class is not written.
        HeaderError: `file_type` is a code that nobody knows.
    """
    kind = header.file_type
    if kind is None and any(extra.key == "file_type" for extra in header.extras):
        raise missing(header, "file_type")
    if kind not in (None, FileType.UNKNOWN, FileType.IMAGE):
        raise _unsupported(header, "file_type", f"file_type is {int(kind)} ({kind.label})", "5 (image)")
    if modality is Modality.SPECT:
        raise _unsupported(header, "modality", "modality is 2 (SPECT)", "0 (PET) or 1 (CT)")
    if header.acquisition_mode is AcquisitionMode.GATED:
        raise _unsupported(
            header, "acquisition_mode", "acquisition_mode is 4 (gated emission)", "static or dynamic frames"
        )
    for key in ("gate", "bed", "energy_window", "detector_panel"):
        if len({getattr(frame, key) for frame in header.frames}) > 1:
            raise _unsupported(header, "total_frames", f"frames differ by {key}", "frames that differ by time only")
    if kind is FileType.IMAGE:
        return ()
    return (Finding("file-type-assumed", "file_type is not given; taken as image", Severity.INFO, key="file_type"),)


def _unsupported(header: Header, key: str, message: str, expected: str) -> UnsupportedError:
    return UnsupportedError(f"{message}, which is not converted", line=header.line_of(key), expected=expected)
