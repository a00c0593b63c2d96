"""Reconstruction as the CT Image and the PET Series Module state it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inveonimaging.dicom.encode import SH, ds, lo, sh
from inveonimaging.dicom.series import Series
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import FilterWindow, Rebinning, ReconAlgorithm
from inveonimaging.inveon.hdr.values import Filter

_TO_2D = {Rebinning.SSRB, Rebinning.FORE}
_WITH_MAP = {ReconAlgorithm.OSEM3D_MAP, ReconAlgorithm.MAPTR, ReconAlgorithm.MAP3D}
_NOT_NAMED = {ReconAlgorithm.UNKNOWN, ReconAlgorithm.UNUSED}
_IN_WORDS = {  # as PET2BIDS knows them; the reprojection is that of Kinahan and Rogers
    ReconAlgorithm.FBP: "Filtered Back Projection",
    ReconAlgorithm.REPROJECTION_3D: "3D Reprojection (Kinahan-Rogers)",
}
_OF_CT = {  # as the vendor's workstation names it, before it is cut
    ReconAlgorithm.FBP: "Filtered Backprojection",
    ReconAlgorithm.REPROJECTION_3D: "3D Reprojection",
    ReconAlgorithm.FELDKAMP: "Feldkamp Cone Beam",
}
_WINDOWS = {  # at three lengths; without digits, which PET2BIDS would take for a cutoff
    FilterWindow.NONE: ("-", "-", "-"),
    FilterWindow.RAMP: ("Ramp", "Ramp", "Ra"),
    FilterWindow.BUTTERWORTH1: ("ButterworthI", "BwI", "BI"),
    FilterWindow.HANN: ("Hann", "Hann", "Hn"),
    FilterWindow.HAMMING: ("Hamming", "Hamm", "Hm"),
    FilterWindow.PARZEN: ("Parzen", "Parz", "Pa"),
    FilterWindow.SHEPP: ("Shepp", "Shep", "Sh"),
    FilterWindow.BUTTERWORTH2: ("ButterworthII", "BwII", "BII"),
}
_NO_FILTER = Filter(FilterWindow.NONE, None)
_MOST = 99  # iterations and subsets that PET2BIDS can read in their short form


def reconstruction_diameter(series: Series) -> str:
    """Reconstruction Diameter (0018,1100): width of the reconstructed field, mm, whatever was cut from it."""
    return ds(series.uncut.shape[0] * series.uncut.spacing_mm[0])


def ct_kernel(header: Header) -> str:
    """Convolution Kernel (0018,1210) of a CT: name of the reconstruction algorithm, 16 characters; empty if unknown."""
    algorithm = header.reconstruction.algorithm or ReconAlgorithm.UNKNOWN
    return "" if algorithm in _NOT_NAMED else sh(_OF_CT.get(algorithm, algorithm.label))


def pet_kernel(header: Header) -> str:
    """Convolution Kernel (0018,1210) of a PET: filter windows of x, y and z, then the cutoff; empty without a filter.

    One value of 16 characters, `Ramp/-/Hann 0.5`: dcm2niix and PET2BIDS fail on several values. Cutoffs that differ
    follow each window. What is too long has shorter names; what is too long even so has no cutoffs.
    """
    made = header.reconstruction
    filters = [each or _NO_FILTER for each in (made.x_filter, made.y_filter, made.z_filter)]
    if all(each.window is FilterWindow.NONE for each in filters):
        return ""
    return next(kernel for kernel in _kernels(filters) if len(kernel) <= SH)


def _kernels(filters: Sequence[Filter]) -> Iterator[str]:
    """Yield ways to write three filters, the best first; the last one always fits."""
    cutoffs = [None if each.window is FilterWindow.NONE else _cutoff(each.cutoff) for each in filters]
    known = [cutoff for cutoff, each in zip(cutoffs, filters, strict=True) if each.window]
    names = [[_WINDOWS[each.window][length] for each in filters] for length in range(3)]
    if all(known):
        for windows in names:
            each_own = (
                f"{window} {cutoff}" if cutoff else window for window, cutoff in zip(windows, cutoffs, strict=True)
            )
            yield f"{'/'.join(windows)} {known[0]}" if len(set(known)) == 1 else "/".join(each_own)
    for windows in names:
        yield "/".join(windows)


def _cutoff(value: float | None) -> str | None:
    """Return a cutoff with a decimal point, without which PET2BIDS fails; None for one that has no such short form."""
    shown = "" if value is None else f"{value:g}"
    if not shown.replace(".", "", 1).isdigit():
        return None
    return shown if "." in shown else f"{shown}.0"


def reconstruction_method(header: Header) -> str:
    """Reconstruction Method (0054,1103): rebinning to 2D if any, algorithm and its settings, in 64 characters.

    Iterations and subsets have the short form that scanners write and PET2BIDS reads: `OSEM3D, 2i16s`.
    """
    named = reconstruction_name(header)
    return lo(named + _settings(header, header.reconstruction.algorithm or ReconAlgorithm.UNKNOWN)) if named else ""


def reconstruction_name(header: Header) -> str:
    """Return what a reconstruction is called: rebinning to 2D if any, and algorithm; empty if it is not known."""
    algorithm = header.reconstruction.algorithm or ReconAlgorithm.UNKNOWN
    rebinning = header.reconstruction.rebinning_type
    if algorithm in _NOT_NAMED:
        return ""
    name = _IN_WORDS.get(algorithm, algorithm.label)
    return f"{rebinning.label} + {name}" if rebinning in _TO_2D else name


def _settings(header: Header, algorithm: ReconAlgorithm) -> str:
    made = header.reconstruction
    beta = f", beta {made.map_beta:g}" if algorithm in _WITH_MAP and made.map_beta else ""
    if algorithm is ReconAlgorithm.OSEM2D:
        return _separated(_counts(made.osem2d_iterations, made.osem2d_subsets))
    if algorithm is ReconAlgorithm.OSEM3D:
        return _separated(_counts(made.map_osem3d_iterations, made.map_subsets))
    if algorithm is ReconAlgorithm.OSEM3D_MAP:
        first = _counts(made.map_osem3d_iterations, made.map_subsets)
        then = f", {made.map_iterations} MAP iterations" if made.map_iterations else ""
        return (f" {first}" if first else "") + then + beta
    if algorithm in _WITH_MAP:
        return _separated(_counts(made.map_iterations, made.map_subsets)) + beta
    return ""


def _separated(counts: str) -> str:
    return f", {counts}" if counts else ""


def _counts(iterations: int | None, subsets: int | None) -> str:
    """Return `2i16s`; in words where one of them is not known, or PET2BIDS would read other numbers."""
    if iterations and subsets and 0 < iterations <= _MOST and 0 < subsets <= _MOST:
        return f"{iterations}i{subsets}s"
    counts = {"iterations": iterations or 0, "subsets": subsets or 0}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count > 0)
