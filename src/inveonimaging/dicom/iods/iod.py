"""What an IOD is: a SOP class, and modules by what they depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID

from inveonimaging.dicom.series import Instance, Series


@dataclass(frozen=True, kw_only=True)
class Iod:
    """An IOD of single-frame instances (PS3.3 A.3, A.21).

    Attributes:
        name: as people say it.
        sop_class: SOP Class UID.
        constant: modules that are the same in all instances of a series.
        by_frame: modules that depend on the frame.
        by_slice: modules that depend on the slice's place, k.
        by_instance: modules that depend on both.
    """

    name: str
    sop_class: UID
    constant: tuple[Callable[[Series], Dataset], ...]
    by_frame: tuple[Callable[[Series, int], Dataset], ...]
    by_slice: tuple[Callable[[Series, int], Dataset], ...]
    by_instance: tuple[Callable[[Series, Instance], Dataset], ...]

    def constant_part(self, series: Series) -> Dataset:
        """Return the attributes that all instances of a series share."""
        part = _merged(module(series) for module in self.constant)
        part.SOPClassUID = self.sop_class
        return part

    def frame_part(self, series: Series, frame: int) -> Dataset:
        """Return the attributes that all slices of a frame share."""
        return _merged(module(series, frame) for module in self.by_frame)

    def slice_part(self, series: Series, k: int) -> Dataset:
        """Return the attributes that a slice has in all frames."""
        return _merged(module(series, k) for module in self.by_slice)

    def instance_part(self, series: Series, instance: Instance) -> Dataset:
        """Return the attributes of one instance alone, without its pixels."""
        return _merged(module(series, instance) for module in self.by_instance)


def _merged(modules: Iterable[Dataset]) -> Dataset:
    merged = Dataset()
    for module in modules:
        merged.update(module)
    return merged
