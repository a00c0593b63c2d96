"""A group that was scanned together -> where each animal lies, and its study, with what contradicts both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from inveonimaging.errors import InputError, OptionError
from inveonimaging.findings import Finding
from inveonimaging.hotels.boxes import extents_of, read_boxes
from inveonimaging.hotels.checks import MeasuredGroup, measured_of
from inveonimaging.hotels.locating import Located, locate
from inveonimaging.hotels.splitting import Group, studies_of
from inveonimaging.redaction.request import Deidentify
from inveonimaging.study.cut import Extent
from inveonimaging.study.masking import Mask
from inveonimaging.study.reading import Study


@dataclass(frozen=True)
class Places:
    """Where the animals of a group lie, in the order of `hotel.animals`.

    Attributes:
        extents: of each.
        volumes_ml: of each body in the CT; none if they are not known.
        findings: on how they were found.
        masks: what of its neighbours is read as nothing, of each; none if that is not asked for.
    """

    extents: tuple[Extent, ...]
    volumes_ml: tuple[float | None, ...] = ()
    findings: tuple[Finding, ...] = ()
    masks: tuple[Mask, ...] = ()


def places_of(group: Group, boxes: Path | None = None, *, mask_others: bool = False) -> Places:
    """Return where the animals of a group lie: as a file of boxes says, else where they are found.

    Raises:
        InputError: it is not certain; the boxes are not those of the sheet's animals; errors as `masks_of`.
        OptionError: SciPy is not installed; neighbours are to be masked, and boxes are given.
    """
    if mask_others:
        refuse_boxes(boxes)
    if boxes:
        return Places(extents_of(read_boxes(boxes), group.hotel, boxes))
    located = locate(group)
    if located.extents is None:
        refusal = located.refusal or InputError("it is not certain where each animal lies", path=group.study.source)
        raise refusal.hinted("inveon split of these scans shows what was found, and writes boxes.json for --boxes")
    masks = masks_of(located) if mask_others else ()
    return Places(located.extents, tuple(each.volume_ml for each in located.bodies), located.findings, masks)


def refuse_boxes(boxes: Path | None) -> None:
    """Refuse boxes where neighbours are to be masked.

    Raises:
        OptionError: boxes are given: they say from where to where an animal reaches, not which voxels are its own.
    """
    if boxes:
        message = "--mask-others needs the outline of each animal, and --boxes gives only a box"
        raise OptionError(message, hint="leave out one of them")


def masks_of(located: Located) -> tuple[Mask, ...]:
    """Return what of its neighbours is to be masked in the images of each animal that was found.

    Raises:
        InputError: the CT is not in HU, so that nobody knows what its air is.
    """
    not_hounsfield = next((each for each in located.findings if each.code == "ct-not-hounsfield"), None)
    if not_hounsfield:
        raise InputError(
            f"nothing is masked: {not_hounsfield.message}", path=not_hounsfield.path, hint="leave out --mask-others"
        )
    return located.masks() if located.masks else ()


@dataclass(frozen=True)
class Animals:
    """The animals of a group, in the order of `group.hotel.animals`: the study of each, and what was measured."""

    studies: tuple[Study, ...]
    measured: MeasuredGroup


def animals_of(group: Group, places: Places, deidentify: Deidentify | None = None) -> Animals:
    """Return the study of each animal of a group, with what contradicts the order of the animals.

    Args:
        group: what was read.
        places: where each animal lies.
        deidentify: how headers are redacted; None leaves them as they are.

    Raises:
        InveonError: a data file cannot be read; as `studies_of`.
    """
    parts = studies_of(group, places.extents, deidentify, places.masks)
    measured = measured_of(parts, [each.id for each in group.hotel.animals], places.volumes_ml)
    swaps = zip(parts, measured.findings, strict=True)
    return Animals(tuple(replace(part, findings=(*part.findings, *swapped)) for part, swapped in swaps), measured)
