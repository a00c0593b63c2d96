"""Regions of DICOM files, SEG and RTSTRUCT, and the frames of reference that they must be in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from inveonimaging.dicom_reading.contours import STRUCTURES, read_contours
from inveonimaging.dicom_reading.opening import class_of
from inveonimaging.dicom_reading.planes import Reader
from inveonimaging.dicom_reading.segments import LABEL_MAP, SEGMENTATION, read_segmentation
from inveonimaging.errors import InputError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.physics.geometry import Grid
from inveonimaging.storage.manifests import MANIFEST, is_file_name, read_manifest
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Study
from inveonimaging.time_activity.polygons import polygons_of
from inveonimaging.time_activity.region_masks import masks_of
from inveonimaging.time_activity.regions import Region, plain_name

_SAME = 1e-3
_SHOWN = 80


def regions_of_dicom(path: Path) -> tuple[tuple[Region, ...], tuple[Finding, ...]]:
    """Read the regions of a SEG or an RTSTRUCT.

    Raises:
        InputError: it is neither, cannot be read, or holds no region.
    """
    kind = class_of(path)
    if kind in (SEGMENTATION, LABEL_MAP):
        return _of_segmentation(path)
    if kind == STRUCTURES:
        return _of_structures(path)
    raise InputError("is DICOM, and neither a SEG nor an RTSTRUCT", path=path, expected="a file of regions")


def _of_segmentation(path: Path) -> tuple[tuple[Region, ...], tuple[Finding, ...]]:
    found = read_segmentation(path)
    _refuse_without_space(found.space, path)
    regions: list[Region] = []
    for label, numbers, first in found.segments:
        place = found.affine.copy()
        place[:3, 3] = (found.affine @ [*first, 1.0])[:3]
        regions += masks_of(numbers, place, {1: plain_name(label)}.__getitem__, path, found.space)
    if not regions:
        raise InputError("no segment has a voxel", path=path)
    if not found.is_fractional:
        return tuple(regions), ()
    message = "the segmentation has fractions; a voxel is in a region where its fraction is a half or more"
    return tuple(regions), (Finding("region-fractional", message, Severity.INFO, path=str(path)),)


def _of_structures(path: Path) -> tuple[tuple[Region, ...], tuple[Finding, ...]]:
    regions: list[Region] = []
    findings: list[Finding] = []
    for each in read_contours(path):
        name = plain_name(each.name)
        if not each.contours:
            message = f"structure {each.number} has no closed contour, and is left out"
            findings.append(Finding("region-without-contours", message, path=str(path)))
            continue
        _refuse_without_space(each.space, path)
        region = polygons_of(name, each.contours, each.space, str(path))
        regions.append(region)
        if region.has_gaps:
            apart = region.distances_mm
            message = (
                f"the slices of structure {each.number} are {apart.min():.3g} to {apart.max():.3g} mm apart: nothing "
                "is taken from between those that are farther apart than the nearest ones"
            )
            findings.append(Finding("region-with-gaps", message, path=str(path)))
    if not regions:
        raise InputError("no region has a closed contour", path=path)
    return tuple(regions), tuple(findings)


def _refuse_without_space(space: str, path: Path) -> None:
    if not space:
        raise InputError("does not say in which frame of reference it was drawn", path=path)


def spaces_of(study: Study, folder: Path) -> Mapping[int, str]:
    """Return the Frame of Reference UID of each series of a study that a conversion wrote, by its number.

    Args:
        study: as it is read.
        folder: of the conversion, with its manifest.

    Raises:
        InputError: there is no manifest; it is of other files; its slices lie elsewhere.
    """
    read = read_manifest(folder, follow=True)
    if read is None:
        message = f"there is no {MANIFEST} of a conversion here"
        raise InputError(message, path=folder, expected="the folder that inveon convert wrote")
    document, _ = read
    try:
        digests = {each["name"]: each["sha256"] for each in document["sources"]}
        written = {(digests[each["source"]], each["part"]): each for each in document["series"]}
    except (KeyError, TypeError) as error:
        raise InputError("the manifest is damaged", path=folder / MANIFEST) from error
    found: dict[int, str] = {}
    for each in study.series:
        digest = hashlib.sha256(each.image.header_bytes).hexdigest()
        series = written.get((digest, each.image.part_name))
        if series:
            found[each.number] = _space_of(series, each.image, folder)
    if not found:
        hint = "of a de-identified one give --deidentify with its key, too"
        expected = f"that of {printable(study.source)}"
        raise InputError("this conversion is of other files", path=folder, expected=expected, hint=hint)
    return found


def _space_of(series: Mapping[str, Any], image: Image, folder: Path) -> str:
    """Return the frame of reference of a series that was written, whose first file lies where the image does."""
    try:
        space, name = (
            str(series["frame_of_reference_uid"]),
            str(PurePosixPath(series["folder"]) / series["files"][0]["name"]),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise InputError("the manifest is damaged", path=folder / MANIFEST) from error
    parts = PurePosixPath(name).parts
    if not all(map(is_file_name, parts)):
        raise InputError("the manifest is damaged", path=folder / MANIFEST)
    path = folder.joinpath(*parts)
    plane = Reader().read(path).planes[0]
    if plane.get("FrameOfReferenceUID") != space:
        raise InputError("its frame of reference is not that of the manifest", path=path)
    if not _lies_in(image.grid, plane.position, plane.cosines):
        message = "its slices do not lie where those of the Inveon files do"
        hint = "give the options of the conversion: --orientation, --flip, --bed-direction, --subjects"
        raise InputError(message, path=path, hint=hint)
    return space


def _lies_in(grid: Grid, position: Any, cosines: Any) -> bool:
    """Return whether a slice is one of a grid's, with its columns as they are or reversed.

    Args:
        grid: of the image.
        position: of the slice's first pixel, LPS mm.
        cosines: directions of its rows and columns.
    """
    for each in (grid, grid.with_columns_reversed()):
        is_turned = cosines is not None and np.abs(np.ravel(cosines) - each.image_orientation).max() < _SAME
        if is_turned and position is not None and np.abs(each.positions - position).max(axis=1).min() < _SAME:
            return True
    return False
