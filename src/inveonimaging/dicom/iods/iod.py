"""What an IOD is: a SOP class, modules that are constant in a series, and modules that vary by instance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID

from inveonimaging.dicom.series import Series, Slot


@dataclass(frozen=True, kw_only=True)
class Iod:
    """An IOD of single-frame instances (PS3.3 A.3, A.21)."""

    name: str
    sop_class: UID
    constant: tuple[Callable[[Series], Dataset], ...]
    varying: tuple[Callable[[Series, Slot], Dataset], ...]

    def constant_part(self, series: Series) -> Dataset:
        """Return the attributes that all instances of a series share."""
        part = _merged(module(series) for module in self.constant)
        part.SOPClassUID = self.sop_class
        return part

    def varying_part(self, series: Series, slot: Slot) -> Dataset:
        """Return the attributes of one instance, without its pixels."""
        return _merged(module(series, slot) for module in self.varying)


def _merged(modules: Iterable[Dataset]) -> Dataset:
    merged = Dataset()
    for module in modules:
        merged.update(module)
    return merged
