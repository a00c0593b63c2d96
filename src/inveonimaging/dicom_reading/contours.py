"""DICOM RT Structure Set (PS3.3 A.19) read as plain values: the contours of each region, LPS mm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from inveonimaging.dicom_reading.opening import opened
from inveonimaging.errors import InputError, printable

STRUCTURES = UID("1.2.840.10008.5.1.4.1.1.481.3")
_CONTOUR_DATA = Tag(0x3006, 0x0050)
_CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
_FEWEST = 3  # points of a closed contour
_FARTHEST_MM = 1e6
_MOST_POINTS = 1_000_000  # of a file


@dataclass(frozen=True, eq=False)
class Contoured:
    """A region that is drawn as closed contours.

    Attributes:
        number: ROI Number.
        name: ROI Name.
        space: UID of the frame of reference that it is in.
        contours: (n, 3) points of each, LPS mm; the last one is joined to the first.
        others: how many contours are no closed ones: points and open lines.
    """

    number: int
    name: str
    space: str
    contours: tuple[npt.NDArray[np.float64], ...]
    others: int = 0


def read_contours(path: Path) -> tuple[Contoured, ...]:
    """Read the regions of a structure set, in the order in which it names them.

    Raises:
        InputError: it cannot be read, or a contour holds no points.
    """
    with opened(path) as file:
        header = file.header
        if header.get("SOPClassUID") != STRUCTURES:
            raise InputError("is not a DICOM RT Structure Set", path=path)
        drawn = {_number(item.get("ReferencedROINumber")): item for item in _items(header, "ROIContourSequence")}
        found = tuple(_region(item, drawn, path) for item in _items(header, "StructureSetROISequence"))
    points = sum(len(each) for region in found for each in region.contours)
    if points > _MOST_POINTS:
        raise InputError(f"its contours have {points} points", path=path, expected=f"at most {_MOST_POINTS}")
    return found


def _region(item: Dataset, drawn: dict[int, Dataset], path: Path) -> Contoured:
    number = _number(item.get("ROINumber"))
    contours, others = [], 0
    for contour in _items(drawn.get(number, Dataset()), "ContourSequence"):
        kind = str(contour.get("ContourGeometricType") or "").strip().upper()
        if kind not in _CLOSED:
            others += 1
            continue
        contours.append(_points(contour, path))
    space = str(item.get("ReferencedFrameOfReferenceUID") or "")
    name = str(item.get("ROIName") or "") or f"region {number}"
    return Contoured(number, name, space, tuple(contours), others)


def _points(contour: Dataset, path: Path) -> npt.NDArray[np.float64]:
    element: Any = contour.get_item(_CONTOUR_DATA)
    value = getattr(element, "value", None)
    try:
        if isinstance(element, RawDataElement) and isinstance(value, bytes):
            numbers = np.array([float(each) for each in value.decode("ascii").strip("\0 ").split("\\")])
        else:
            numbers = np.array([float(each) for each in value or ()])
        points = numbers.reshape(-1, 3)
    except (ValueError, TypeError) as error:
        raise InputError(f"a contour is not a list of points: {printable(error, 80)}", path=path) from error
    if len(points) < _FEWEST or not np.all(np.abs(points) < _FARTHEST_MM):
        expected = f"at least {_FEWEST} points in mm"
        raise InputError(f"a closed contour has {len(points)} points, or some far away", path=path, expected=expected)
    return points


def _items(header: Dataset, keyword: str) -> Iterator[Dataset]:
    found = header.get(keyword)
    yield from found if found is not None and not isinstance(found, str | bytes) else ()


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return -1
