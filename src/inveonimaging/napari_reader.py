"""Inveon files in napari: a layer of each series, all in one space, so that PET lies on CT. Needs nothing of napari.

World coordinates are (time,) z, y, x in LPS mm, so that napari, which draws y downwards, shows an axial slice with the
animal's left on the right. Axes are permuted and flipped; nothing is resampled. Frames are read when they are shown.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from inveonimaging.errors import InveonError, printable
from inveonimaging.physics.quantification import Unit
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Series, Study, read_study
from inveonimaging.study.usable import refuse_several_animals

Layer = tuple[Any, dict[str, Any], str]
_AXES = ("LR", "PA", "HF")  # x, y and z, each towards its larger LPS coordinate first
_CT_SHOWN = (-500.0, 1000.0)
_LONGEST_NAME = 80


def reader_of(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[Layer]] | None:
    """Return what reads the files, as napari asks for it; None if they are not of an Inveon scanner.

    Args:
        path: a folder, a `.img` or a `.hdr` file; or several of them.
    """
    paths = [path] if isinstance(path, str) else list(path)
    try:
        studies = [_read(each) for each in paths]
    except (InveonError, OSError, ValueError):
        return None
    return layers_of if studies and all(each.series for each in studies) else None


def layers_of(path: str | Sequence[str]) -> list[Layer]:
    """Return a layer of each series: data, the properties for napari, and the kind of layer.

    What cannot be read is a warning, which napari shows; what was found in a scan is in the metadata of its layers.

    Raises:
        InveonError: there are several animals; Dask or xarray is not installed: extra `arrays`.
    """
    layers: list[Layer] = []
    for each in [path] if isinstance(path, str) else path:
        study = _read(each)
        refuse_several_animals(study)
        for error in study.errors.values():
            warnings.warn(f"not shown: {error}", stacklevel=2)
        layers += map(_layer_of, study.series)
    return layers


def _layer_of(series: Series) -> Layer:
    data, properties, kind = layer_of(series.image)
    found = [str(each) for each in series.scan.all_findings]
    return data, properties | {"metadata": {**properties["metadata"], "findings": found}}, kind


def _read(path: str) -> Study:
    return read_study(Path(path))


def layer_of(image: Image) -> Layer:
    """Return the layer of an image: (z, y, x), or (frames, z, y, x) of several frames; lazy by frame."""
    values = image.to_xarray().data
    directions = image.grid.directions
    stored = [next(n for n, letter in enumerate(directions) if letter in pair) for pair in _AXES]  # of x, y, z
    values = values.transpose([0, *(3 - axis for axis in reversed(stored))])
    turns = [
        slice(None, None, -1) if directions[axis] != pair[0] else slice(None)
        for axis, pair in zip(stored, _AXES, strict=True)
    ]
    values = values[(slice(None), *reversed(turns))]
    affine, shape = image.grid.affine, image.grid.shape
    corners = [affine[:3, 3], affine[:3, :3] @ [count - 1 for count in shape] + affine[:3, 3]]
    scale = [image.grid.spacing_mm[axis] for axis in reversed(stored)]
    translate = [float(min(one[axis] for one in corners)) for axis in (2, 1, 0)]
    if len(image.frames) == 1:
        values = values[0]
    else:
        scale, translate = [1.0, *scale], [0.0, *translate]
    is_ct = image.scaling.unit is Unit.HU
    properties = {
        "name": printable(" ".join(filter(None, (image.kind, image.pair.name, image.part_name))), _LONGEST_NAME),
        "scale": scale,
        "translate": translate,
        "colormap": "gray" if is_ct else "inferno",
        "blending": "translucent" if is_ct else "additive",
        "metadata": {"unit": image.scaling.unit.value, "axes": "time z y x, LPS mm"},
    }
    return values, properties | ({"contrast_limits": _CT_SHOWN} if is_ct else {}), "image"
