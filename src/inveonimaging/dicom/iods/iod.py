"""What an IOD is: a SOP class, and modules by what they depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID

from inveonimaging.dicom.encode import merged
from inveonimaging.dicom.modules.deidentification import safe_private
from inveonimaging.dicom.modules.header_text import original_header
from inveonimaging.dicom.series import Instance, MultiFrame, Series
from inveonimaging.physics.quantification import Slope

Constant = tuple[Callable[[Series], Dataset], ...]
Attributes = Mapping[str, str | int | list[str] | list[int]]
"""Values by keyword, of what there is much of: what changes with every slice or instance; no sequences."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Attributes of a slice of a frame, by what they depend on, so that each is encoded once.

    Attributes:
        repeated: modules or functional groups that depend on neither, and yet are in each.
        by_frame: those that depend on the frame (time, gate).
        by_slice: those that depend on the slice's place, k.
        by_slope: those that depend on the rescale slope.
        by_instance: those that depend on frame and slice.
        groups: sequences of one item, whose attributes depend on several of these.
    """

    repeated: Constant = ()
    by_frame: tuple[Callable[[Series, int], Dataset], ...] = ()
    by_slice: tuple[Callable[[Series, int], Attributes], ...] = ()
    by_slope: tuple[Callable[[Series, Slope], Dataset], ...] = ()
    by_instance: tuple[Callable[[Series, Instance], Attributes], ...] = ()
    groups: tuple[Group, ...] = ()

    def repeated_part(self, series: Series) -> Dataset:
        """Return the attributes that all slices of all frames repeat."""
        return merged(module(series) for module in self.repeated)

    def frame_part(self, series: Series, frame: int) -> Dataset:
        """Return the attributes that all slices of a frame share."""
        return merged(module(series, frame) for module in self.by_frame)

    def slice_part(self, series: Series, k: int) -> Attributes:
        """Return the attributes that a slice has in all frames."""
        return {key: value for module in self.by_slice for key, value in module(series, k).items()}

    def slope_part(self, series: Series, slope: Slope) -> Dataset:
        """Return the attributes that slices of one rescale slope share."""
        return merged(module(series, slope) for module in self.by_slope)

    def instance_part(self, series: Series, instance: Instance) -> Attributes:
        """Return the attributes of one slice of one frame alone, without its groups."""
        return {key: value for module in self.by_instance for key, value in module(series, instance).items()}

    def of_slice(self, series: Series, instance: Instance) -> Dataset:
        """Return all attributes of one slice of one frame."""
        whole = merged(
            (
                self.repeated_part(series),
                self.frame_part(series, instance.frame),
                self.slope_part(series, instance.slope),
            )
        )
        own = {**self.slice_part(series, instance.k), **self.instance_part(series, instance)}
        for keyword, value in own.items():
            setattr(whole, keyword, value)
        for group in self.groups:
            if item := group.of_slice(series, instance):
                setattr(whole, group.keyword, [item])
        return whole


@dataclass(frozen=True, kw_only=True)
class Group(Parts):
    """A sequence of one item, which is left out if the item is empty."""

    keyword: str


@dataclass(frozen=True, kw_only=True)
class Iod(Parts):
    """A SOP class, and what its instances, or their frames, are made of: by itself, an instance for each slice.

    Attributes:
        name: as people say it.
        sop_class: SOP Class UID.
        constant: modules that are the same in all instances of a series.
        may_be_concatenated: whether several objects may hold one series (PS3.3 C.7.6.16).
        holds_one_time_frame: whether a multi-frame object holds one time frame, or all gates of it, with one slope.
        is_in_spatial_order: whether slices are in the order of time or gate and, in it, along the row x column
            normal; else in the order of the file.
        points_to_head: whether columns are reversed where row x column would point towards the feet.
    """

    name: str
    sop_class: UID
    constant: Constant
    may_be_concatenated: bool = False
    holds_one_time_frame: bool = False
    is_in_spatial_order: bool = False
    points_to_head: bool = False

    def constant_part(self, series: Series) -> Dataset:
        """Return the attributes that all instances of a series share."""
        part = merged(module(series) for module in self.constant)
        part.SOPClassUID = self.sop_class
        return part

    def first_part(self, series: Series) -> Dataset:
        """Return the attributes of the first instance of a series alone."""
        return merged(module(series) for module in (original_header, safe_private))


@dataclass(frozen=True, kw_only=True)
class MultiFrameIod(Iod):
    """An IOD of one instance for a series, or for a time frame of it.

    What is by frame, by slice, by slope and by instance, and what is grouped, are functional groups of a slice;
    without any, the object has no Multi-frame Functional Groups (PS3.3 C.7.6.16).

    Attributes:
        by_object: modules that depend on which slices the object holds.
        shared: functional groups that all slices share.
    """

    by_object: tuple[Callable[[Series, MultiFrame], Dataset], ...]
    shared: Constant = ()
    may_be_concatenated: bool = True
    is_in_spatial_order: bool = True

    def object_part(self, series: Series, multi_frame: MultiFrame) -> Dataset:
        """Return the attributes of one object alone, without those of its slices and their pixels."""
        return merged(module(series, multi_frame) for module in self.by_object)

    def shared_part(self, series: Series) -> Dataset:
        """Return the functional groups that all slices share; empty for an IOD that has none."""
        return merged(module(series) for module in self.shared)
