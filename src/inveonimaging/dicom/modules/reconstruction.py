"""Reconstruction as the CT Image and the PET Series Module tell it."""

from __future__ import annotations

from inveonimaging.dicom.encode import ds, lo, sh
from inveonimaging.dicom.series import Series
from inveonimaging.hdr import Header
from inveonimaging.hdr.enums import FilterWindow, Rebinning, ReconAlgorithm
from inveonimaging.hdr.model import Filter

_TO_2D = {Rebinning.SSRB, Rebinning.FORE}
_WITH_OSEM3D = {ReconAlgorithm.OSEM3D, ReconAlgorithm.OSEM3D_MAP}
_WITH_MAP = {ReconAlgorithm.OSEM3D_MAP, ReconAlgorithm.MAPTR, ReconAlgorithm.MAP3D}


def reconstruction_diameter(series: Series) -> str:
    """Reconstruction Diameter (0018,1100): width of the reconstructed field, mm."""
    return ds(series.image.grid.shape[0] * series.image.grid.spacing_mm[0])


def convolution_kernel(header: Header) -> list[str]:
    """Convolution Kernel (0018,1210): the filter windows of x, y and z with their cutoffs; none if there was none."""
    reconstruction = header.reconstruction
    filters = (reconstruction.x_filter, reconstruction.y_filter, reconstruction.z_filter)
    kernels = [_kernel(each) for each in filters]
    return kernels if any(kernel != "NONE" for kernel in kernels) else []


def reconstruction_method(header: Header) -> str:
    """Reconstruction Method (0054,1103): rebinning to 2D if any, algorithm and its settings, in 64 characters."""
    algorithm = header.reconstruction.algorithm
    rebinning = header.reconstruction.rebinning_type
    if not algorithm:
        return ""
    name = f"{rebinning.label} + {algorithm.label}" if rebinning in _TO_2D else algorithm.label
    return lo(", ".join([name, *_settings(header, algorithm)]))


def _kernel(each: Filter | None) -> str:
    if each is None or each.window is FilterWindow.NONE:
        return "NONE"
    return sh(each.window.label if each.cutoff is None else f"{each.window.label} {each.cutoff:g}")


def _settings(header: Header, algorithm: ReconAlgorithm) -> list[str]:
    made = header.reconstruction
    settings: dict[str, int | None] = {}
    if algorithm is ReconAlgorithm.OSEM2D:
        settings = {"subsets": made.osem2d_subsets, "iterations": made.osem2d_iterations}
    if algorithm in _WITH_OSEM3D:
        settings = {"subsets": made.map_subsets, "OSEM": made.map_osem3d_iterations}
    if algorithm in _WITH_MAP:
        settings |= {"MAP": made.map_iterations}
    told = [f"{count} {name}" for name, count in settings.items() if count]
    return [*told, f"beta {made.map_beta:g}"] if algorithm in _WITH_MAP and made.map_beta else told
