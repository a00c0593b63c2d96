"""What a store says of itself: axes, units and places as OME-Zarr has them, and our sidecar beside that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inveonimaging.nifti_files.times import sidecar_of
from inveonimaging.nifti_files.volume import Volume
from inveonimaging.study.nifti_header import even_step
from inveonimaging.study.reading import Series
from inveonimaging.units import MS_PER_S
from inveonimaging.zarr_files.levels import Level
from inveonimaging.zarr_files.options import OmeVersion

OURS = "inveonimaging"
"""The name of what only this program writes into a store's attributes."""
LPS = "LPS"
"""Which way x, y and z run: to the left, to the back (posterior) and to the head, as in DICOM."""
_TOWARDS = {"x": "left", "y": "posterior", "z": "head"}


def attributes_of(series: Series, volume: Volume, levels: Sequence[Level], name: str, version: OmeVersion) -> Any:
    """Return the attributes of a store: `multiscales`, and under our own name what the header says.

    Args:
        series: of the study.
        volume: its voxels; they run to `LPS`.
        levels: of the store; each is an array whose name is its number.
        name: of the image.
        version: of OME-Zarr.
    """
    times = _times(volume)
    axes = [{"name": "t", "type": "time", **({"unit": "second"} if times.get("unit") else {})}] if times else []
    axes += [{"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"]
    sizes = tuple(reversed([float(series.image.grid.spacing_mm[axis]) for axis in volume.axes]))
    x, y, z = (float(each) for each in volume.affine[:3, 3])
    datasets = []
    for number, level in enumerate(levels):
        scale, moved = level.place(sizes, (z, -y + 0.0, -x + 0.0))  # RAS to LPS
        placed = [
            {"type": "scale", "scale": [times["scale"], *scale] if times else scale},
            {"type": "translation", "translation": [times["start"], *moved] if times else moved},
        ]
        datasets.append({"path": str(number), "coordinateTransformations": placed})
    image = {"name": name, "axes": axes, "datasets": datasets, "type": "mean"}
    own = {**sidecar_of(series, volume), "AxesTowards": _TOWARDS}
    if version is OmeVersion.V04:
        return {"multiscales": [{"version": version.value, **image}], OURS: own}
    return {"ome": {"version": version.value, "multiscales": [image]}, OURS: own}


def _times(volume: Volume) -> Mapping[str, Any]:
    """Return start and step of the axis t, s, where frames follow each other evenly; else they are counted from 0."""
    if len(volume.frames) == 1:
        return {}
    if volume.gating:
        return {"unit": "second", "scale": volume.gating.slot_ms / MS_PER_S, "start": 0.0}
    frames = [volume.image.frames[index] for index in volume.frames]
    starts = [each.start_s for each in frames if each.start_s is not None]
    step = even_step(starts, frames[0].duration_s) if len(starts) == len(frames) else None
    return {"unit": "second", "scale": step, "start": starts[0]} if step else {"scale": 1.0, "start": 0.0}
