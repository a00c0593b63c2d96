"""Where each animal of a group lies: found in its images, and identified by the sheet's positions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from inveonimaging.errors import InputError
from inveonimaging.findings import Finding, Severity
from inveonimaging.hotels.activity import widened
from inveonimaging.hotels.bodies import Body, Found, find_animals
from inveonimaging.hotels.neighbours import masks_of
from inveonimaging.hotels.positions import assigned, slots_of
from inveonimaging.hotels.splitting import MARGIN_MM, Group
from inveonimaging.inveon.modality import is_transmission
from inveonimaging.physics.geometry import Grid, Mm, mm_of
from inveonimaging.physics.quantification import Unit
from inveonimaging.sheet.hotels import Hotel
from inveonimaging.sheet.positions import Slot
from inveonimaging.study.cut import Extent
from inveonimaging.study.masking import Mask
from inveonimaging.study.reading import Study

_G_PER_KG = 1e3
_AT_THE_END = 1.5  # of a voxel of the image in which animals were found


@dataclass(frozen=True)
class Located:
    """What was found of the animals of a group.

    Attributes:
        extents: of each animal, in the order of `hotel.animals`; None if that is not certain.
        refusal: why it is not.
        candidates: extents of what was found, certain or not, from low to high i.
        bodies: of each animal, likewise in the order of `hotel.animals`; none if that is not certain.
        findings: notes and warnings on how they were found.
        masks: gives what is of its neighbours in the images of each; None if that is not certain.
    """

    extents: tuple[Extent, ...] | None
    refusal: InputError | None
    candidates: tuple[Extent, ...]
    bodies: tuple[Body, ...] = ()
    findings: tuple[Finding, ...] = ()
    masks: Callable[[], tuple[Mask, ...]] | None = None


def locate(group: Group) -> Located:
    """Find the animals of a group, and which is which.

    What reaches an end of the image in which it was found may go on in another that reaches further: so it is taken to
    the end of all images.

    Raises:
        InputError: there is no image to find animals in.
        OptionError: SciPy is not installed.
        DataError: a data file cannot be read, or ends early.
    """
    found = find_animals(group.study, _weight_g(group.hotel))
    grids = [each.image.grid for each in group.study.series]
    candidates = candidates_of(found, group.study)
    softer = tuple(each for each in found.findings if each.severity is not Severity.ERROR)
    try:
        _refuse_doubt(found)
        order = assigned(found.bodies, group.hotel)
    except InputError as error:
        return Located(None, error, candidates, findings=softer)
    bodies = tuple(found.bodies[number] for number in order)
    extents, contradictions = with_activity(
        found, tuple(_whole(each, found.grid, grids) for each in found.bodies), group.study
    )
    findings, masks = (*softer, *contradictions), partial(masks_of, found, order)
    return Located(tuple(extents[number] for number in order), None, extents, bodies, findings, masks)


def candidates_of(found: Found, study: Study) -> tuple[Extent, ...]:
    """Return the extents of what was found, certain or not, taken on to the ends of all images of a study."""
    grids = [each.image.grid for each in study.series]
    return tuple(_whole(each, found.grid, grids) for each in found.candidates or found.bodies)


def reach_of(study: Study) -> Extent:
    """Return from where to where the images of a study reach together."""
    ends = [_ends(each.image.grid) for each in study.series]
    lows, highs = zip(*ends, strict=True)
    return Extent(
        mm_of([min(each) for each in zip(*lows, strict=True)]), mm_of([max(each) for each in zip(*highs, strict=True)])
    )


def with_activity(
    found: Found, extents: tuple[Extent, ...], study: Study
) -> tuple[tuple[Extent, ...], tuple[Finding, ...]]:
    """Return extents with what PET and SPECT show of animals that were found in a CT, and what contradicts it."""
    contradictions: list[Finding] = []
    if any(each.volume_ml is None for each in found.bodies):
        return extents, ()
    images = [each.image for each in study.series]
    for image in images:
        beds = {each.grid.bed_mm for each in images if each.pair == image.pair}
        if image.scaling.unit in (Unit.BQML, Unit.PROPCNTS) and not is_transmission(image.header) and len(beds) == 1:
            extents, of_image = widened(found, extents, image, MARGIN_MM)
            contradictions += of_image
    return extents, tuple(contradictions)


def seen(study: Study) -> tuple[tuple[Slot, Body], ...]:
    """Return the animals that a study shows, each with a position that only it has, in their order.

    Raises:
        InputError: none is found, or how many there are is in doubt; errors as `locate`.
    """
    found = find_animals(study)
    _refuse_doubt(found)
    return tuple(sorted(zip(slots_of(found.bodies), found.bodies, strict=True), key=lambda each: each[0]))


def _weight_g(hotel: Hotel) -> float | None:
    """Return the mean weight of the animals, if that of each is known: rats are larger than mice."""
    weights = [each.of_study.get("weight_kg") for each in hotel.animals]
    return _G_PER_KG * sum(weights) / len(weights) if all(weights) else None


def _refuse_doubt(found: Found) -> None:
    doubt = next((each for each in found.findings if each.severity is Severity.ERROR), None)
    if doubt:
        raise InputError(doubt.message, path=doubt.path)


def _whole(body: Body, grid: Grid, grids: Iterable[Grid]) -> Extent:
    """Return the extent of a body, taken on to the ends of all images where it reaches that of its own."""
    first, last = _ends(grid)
    ends = [_ends(each) for each in grids]
    near = [size * _AT_THE_END for size in grid.spacing_mm]
    low, high = list(body.low_mm), list(body.high_mm)
    for axis in range(3):
        if low[axis] < first[axis] + near[axis]:
            low[axis] = min(low[axis], *(begin[axis] for begin, _ in ends))
        if high[axis] > last[axis] - near[axis]:
            high[axis] = max(high[axis], *(end[axis] for _, end in ends))
    return Extent(mm_of(low), mm_of(high))


def _ends(grid: Grid) -> tuple[Mm, Mm]:
    """Return the outer faces of a volume in the gantry."""
    half = [n * size / 2 for n, size in zip(grid.shape, grid.spacing_mm, strict=True)]
    middle = (*grid.shift_mm[:2], grid.shift_mm[2] + grid.bed_mm)
    return mm_of([a - b for a, b in zip(middle, half, strict=True)]), mm_of(
        [a + b for a, b in zip(middle, half, strict=True)]
    )
