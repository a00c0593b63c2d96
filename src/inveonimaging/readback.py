"""DICOM read back: files -> series -> planes.

Only pydicom, and nothing that writes, so that it can judge what is written.
A plane is one two-dimensional image, wherever it stands: an instance of its own, or a frame of a multi-frame object.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import iter_pixels

from inveonimaging.errors import InputError

_SMALL = 64 * 1024  # larger elements stay in the file until they are asked for
_MAGIC = b"DICM"
_PREAMBLE = 128


@dataclass(frozen=True)
class Instance:
    """One DICOM file; `header` is all of it but the pixels."""

    path: Path
    header: Dataset

    @property
    def planes(self) -> tuple[Plane, ...]:
        """Its planes, in their order."""
        return tuple(Plane(self, index) for index in range(int(self.header.get("NumberOfFrames") or 1)))

    def pixels(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the stored values of each plane, (rows, columns), decoded one by one.

        Raises:
            InputError: they cannot be decoded.
        """
        try:
            yield from iter_pixels(self.path, raw=True)
        except (ValueError, RuntimeError, NotImplementedError, AttributeError, OSError) as error:
            raise InputError(f"the pixels cannot be read: {error}", path=self.path) from error

    @cached_property
    def shared(self) -> Mapping[str, Any]:
        """Attributes of the shared functional groups, by keyword."""
        groups = self.header.get("SharedFunctionalGroupsSequence")
        return _flat(groups[0]) if groups else {}

    def of_frame(self, index: int) -> Mapping[str, Any]:
        """Return the attributes of a frame's functional groups, by keyword."""
        groups = self.header.get("PerFrameFunctionalGroupsSequence")
        return _flat(groups[index]) if groups and index < len(groups) else {}


@dataclass(frozen=True)
class Plane:
    """One two-dimensional image of an instance: its number in it, from 0."""

    instance: Instance
    index: int

    @cached_property
    def _own(self) -> Mapping[str, Any]:
        return self.instance.of_frame(self.index)

    def get(self, keyword: str) -> Any:
        """Return an attribute by keyword: of the frame's groups, the shared ones, the instance; or None."""
        for place in (self._own, self.instance.shared):
            if keyword in place:
                return place[keyword]
        return self.instance.header.get(keyword)


@dataclass(frozen=True)
class Series:
    """Instances that share a Series Instance UID, in the order of their files' names."""

    uid: str
    instances: tuple[Instance, ...]

    @property
    def first(self) -> Plane:
        """The first plane of the first instance."""
        return Plane(self.instances[0], 0)


def read_series(paths: Iterable[str | os.PathLike[str]]) -> tuple[Series, ...]:
    """Read DICOM files, and all below folders, but for their pixels; what is not DICOM is left aside in folders.

    Returns:
        the series, in the order in which they are met.

    Raises:
        InputError: a file that is named cannot be read or is not DICOM; there is none.
    """
    found: dict[str, list[Instance]] = {}
    asked = [Path(path) for path in paths]
    for path in asked:
        files = sorted(each for each in path.rglob("*") if _is_dicom(each)) if path.is_dir() else [path]
        for file in files:
            instance = read_instance(file)
            found.setdefault(str(instance.header.get("SeriesInstanceUID", "")), []).append(instance)
    if not found:
        raise InputError("no DICOM files here", path=asked[0] if asked else None)
    return tuple(Series(uid, tuple(instances)) for uid, instances in found.items())


def read_instance(path: Path) -> Instance:
    """Read one file but for its pixels.

    Raises:
        InputError: it cannot be read or is not DICOM.
    """
    try:
        return Instance(path, dcmread(path, defer_size=_SMALL, stop_before_pixels=True))
    except InvalidDicomError as error:
        raise InputError("is not a DICOM file", path=path) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from error
    except Exception as error:
        raise InputError(f"is damaged: {error}", path=path) from error


def _is_dicom(path: Path) -> bool:
    """Tell a DICOM file by its first bytes (PS3.10 7.1), without reading the rest."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] == _MAGIC
    except OSError:
        return False


def _flat(groups: Dataset) -> Mapping[str, Any]:
    """Return the attributes of functional groups by keyword, whatever group they stand in (PS3.3 C.7.6.16)."""
    values: dict[str, Any] = {}
    for group in groups:
        if group.VR == "SQ" and group.value:
            values[group.keyword] = group.value
            values.update({element.keyword: element.value for element in group.value[0] if element.keyword})
    return values
