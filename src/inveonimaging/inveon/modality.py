"""What kind of scan a header describes, and whether it can be converted."""

from __future__ import annotations

from inveonimaging.errors import UnsupportedError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import AcquisitionMode, FileType, Modality, Model, ReconAlgorithm
from inveonimaging.inveon.hdr.need import missing

_CT_SCANNERS = {Model.MCAT, Model.MCAT2}
_CONVERTED = {None, FileType.UNKNOWN, FileType.IMAGE, FileType.MU_MAP}
_TOMOGRAPHIC_SPECT = {None, AcquisitionMode.UNKNOWN, AcquisitionMode.SPECT, AcquisitionMode.GATED}
TRANSMISSION = {AcquisitionMode.SINGLES_TX, AcquisitionMode.WINDOWED_TX, AcquisitionMode.NON_WINDOWED_TX}


def modality_of(header: Header) -> tuple[Modality, tuple[Finding, ...]]:
    """Return PET, CT or SPECT; old scanners do not say, and (X)MedCon says -1: both hold PET.

    A mu map is made for a PET image and has its geometry, whatever scanner measured it.

    Raises:
        HeaderError: `modality` is a code that nobody knows.
    """
    given = header.modality
    if given is None and any(extra.key == "modality" for extra in header.extras):
        raise missing(header, "modality")
    if is_mu_map(header):
        return Modality.PET, ()
    if given not in (None, Modality.UNKNOWN):
        return given, ()
    is_ct = header.acquisition_mode is AcquisitionMode.CT or header.model in _CT_SCANNERS
    taken = Modality.CT if is_ct else Modality.PET
    message = f"modality is not given; taken as {taken.label}"
    return taken, (Finding("modality-assumed", message, Severity.INFO, key="modality"),)


def is_mu_map(header: Header) -> bool:
    """Return whether the voxels are linear attenuation coefficients, 1/cm."""
    return header.file_type is FileType.MU_MAP


def is_transmission(header: Header) -> bool:
    """Return whether a source outside the animal was measured: a mu map or a transmission image, without a tracer."""
    return is_mu_map(header) or header.acquisition_mode in TRANSMISSION


def kind_of(header: Header, modality: Modality) -> str:
    """Return what people call a scan: `PET`, `CT`, `SPECT`, `mu map`, or `PET transmission`."""
    if is_mu_map(header):
        return "mu map"
    return f"{modality.label} transmission" if is_transmission(header) else modality.label


def refuse_unconvertible(header: Header, modality: Modality) -> tuple[Finding, ...]:
    """Return findings on the kind of file.

    Raises:
        UnsupportedError: the file holds no image, or a planar one.
        HeaderError: `file_type` is a code that nobody knows.
    """
    kind, mode = header.file_type, header.acquisition_mode
    if kind is None and any(extra.key == "file_type" for extra in header.extras):
        raise missing(header, "file_type")
    if _is_image_all_the_same(header, modality):
        named = header.reconstruction.algorithm
        message = (
            f"file_type is 2 (sinogram), but the header names a reconstruction ({named.label if named else ''}) and "
        )
        return (Finding("file-type-odd", message + "the data have an image's size; taken as image", key="file_type"),)
    if kind not in _CONVERTED:
        what = f"file_type is {int(kind or 0)} ({kind.label if kind else ''})"
        raise _unsupported(header, "file_type", what, "5 (image) or 8 (mu map)")
    if modality is Modality.SPECT and mode not in _TOMOGRAPHIC_SPECT:
        what = f"acquisition_mode of this SPECT is {int(mode or 0)} ({mode.label if mode else ''})"
        raise _unsupported(header, "acquisition_mode", what, "12 (SPECT multi-projection)")
    if kind in (FileType.IMAGE, FileType.MU_MAP):
        return ()
    return (Finding("file-type-assumed", "file_type is not given; taken as image", Severity.INFO, key="file_type"),)


def _is_image_all_the_same(header: Header, modality: Modality) -> bool:
    """Return whether a file that is called a sinogram is an image of PET: it was reconstructed, and has voxel sizes.

    That the data have an image's size was seen before, when they were opened.
    """
    geometry, algorithm = header.geometry, header.reconstruction.algorithm
    sizes = (geometry.pixel_size_mm or geometry.pixel_size_x_mm, header.detector.axial_crystal_pitch_mm)
    is_reconstructed = algorithm not in (None, ReconAlgorithm.UNKNOWN, ReconAlgorithm.UNUSED)
    return header.file_type is FileType.SINOGRAM and modality is Modality.PET and is_reconstructed and any(sizes)


def _unsupported(header: Header, key: str, message: str, expected: str) -> UnsupportedError:
    return UnsupportedError(f"{message}, which is not converted", line=header.line_of(key), expected=expected)
