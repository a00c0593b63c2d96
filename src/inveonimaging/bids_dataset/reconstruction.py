"""Reconstruction as the sidecar of a PET has it: name, parameters with values and units, and the last filter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from inveonimaging.dicom.modules.reconstruction import reconstruction_name
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import FilterWindow, ReconAlgorithm, Smoothing
from inveonimaging.inveon.hdr.model import Reconstruction

_NONE = "none"
_WITHOUT_ITERATIONS = {ReconAlgorithm.FBP, ReconAlgorithm.REPROJECTION_3D, ReconAlgorithm.FELDKAMP}
_WITH_MAP = {ReconAlgorithm.OSEM3D_MAP, ReconAlgorithm.MAPTR, ReconAlgorithm.MAP3D}


class _Parameter(NamedTuple):
    label: str
    value: float
    unit: str = _NONE


def reconstruction_of(header: Header) -> dict[str, Any]:
    """Return what BIDS says of a reconstruction; None where the header does not say.

    Windows of x, y and z filters are parameters of the reconstruction. What was filtered after it is the workstation's
    smoothing, whose kernels have no size in mm.
    """
    name = reconstruction_name(header)
    parameters = list(_parameters(header.reconstruction))
    is_plain = header.reconstruction.algorithm in _WITHOUT_ITERATIONS
    labels = [each.label for each in parameters] or ([_NONE] if is_plain else None)
    version = header.reconstruction.version
    return {
        "ReconMethodName": name or None,
        "ReconMethodParameterLabels": labels,
        "ReconMethodParameterValues": [each.value for each in parameters] or None,
        "ReconMethodParameterUnits": [each.unit for each in parameters] or None,
        "ReconMethodImplementationVersion": f"{version:g}" if version else None,
        "ReconFilterType": _filter(header),
    }


def _parameters(made: Reconstruction) -> Iterator[_Parameter]:
    algorithm = made.algorithm
    counts: dict[str, float | None] = {}
    if algorithm is ReconAlgorithm.OSEM2D:
        counts = {"iterations": made.osem2d_iterations, "subsets": made.osem2d_subsets}
    elif algorithm is ReconAlgorithm.OSEM3D:
        counts = {"iterations": made.map_osem3d_iterations, "subsets": made.map_subsets}
    elif algorithm is ReconAlgorithm.OSEM3D_MAP:
        counts = {
            "OSEM3D iterations": made.map_osem3d_iterations,
            "subsets": made.map_subsets,
            "MAP iterations": made.map_iterations,
        }
    elif algorithm in _WITH_MAP:
        counts = {"iterations": made.map_iterations, "subsets": made.map_subsets}
    if algorithm in _WITH_MAP:
        counts["beta"] = made.map_beta
    yield from (_Parameter(label, value) for label, value in counts.items() if value and value > 0)
    for axis, each in (("x", made.x_filter), ("y", made.y_filter), ("z", made.z_filter)):
        if each and each.window is not FilterWindow.NONE and each.cutoff is not None:
            yield _Parameter(f"cutoff of {axis} filter {each.window.label}", each.cutoff, "cycles/pixel")


def _filter(header: Header) -> str | None:
    """Return the filter that was run after the reconstruction; `none` where a header gives filters, and no such one."""
    smoothing, made = header.smoothing, header.reconstruction
    if smoothing.filter and smoothing.filter is not Smoothing.UNKNOWN and smoothing.iterations != 0:
        return smoothing.filter.label
    return _NONE if any((made.x_filter, made.y_filter, made.z_filter)) else None
