"""A group of animals that were scanned together, and where each lies -> what the study of each would be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan, plan_study
from inveonimaging.errors import OptionError
from inveonimaging.findings import Finding
from inveonimaging.hotels.cutting import animals_of, places_of
from inveonimaging.hotels.splitting import Group, read_group
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.hotels import Hotel
from inveonimaging.study.cut import Extent
from inveonimaging.study.masking import Mask


def plan_animals(
    group: Group,
    extents: Sequence[Extent],
    volumes_ml: Sequence[float | None],
    outputs: Sequence[Path],
    options: Options,
    skipped: tuple[Finding, ...] = (),
    masks: Sequence[Mask] = (),
) -> tuple[StudyPlan, ...]:
    """Return the study of each animal, in the order of `group.hotel.animals`.

    Args:
        group: what was read.
        extents: where each animal lies.
        volumes_ml: of each body in the CT; none if they are not known.
        outputs: where each study goes.
        options: of the conversion.
        skipped: what was found beside the pairs, and how animals were found.
        masks: what of its neighbours is read as nothing, of each animal; none leaves neighbours.

    Raises:
        InveonError: the first reason why an animal cannot be converted as a whole.
    """
    parts = animals_of(group, extents, volumes_ml, options.deidentify, masks)
    return tuple(plan_study(part, output, options, skipped) for part, output in zip(parts, outputs, strict=True))


def plan_found(
    pairs: Sequence[Pair],
    source: Path,
    options: Options,
    outputs_of: Callable[[Hotel], Sequence[Path]],
    skipped: tuple[Finding, ...] = (),
) -> tuple[StudyPlan, ...]:
    """Return the study of each animal that the sheet has in these scans and that is found in them.

    Args:
        pairs: the scans of one session.
        source: the folder below which they lie.
        options: of the conversion, with the sheet.
        outputs_of: tells where the study of each animal goes.
        skipped: what was found beside the pairs.

    Raises:
        InveonError: they are not found as the sheet has them; as `read_group` and `plan_animals`.
    """
    refuse_one_route(options)
    group = read_group(pairs, source, options.corrections)
    outputs = outputs_of(group.hotel)
    places = places_of(group, mask_others=options.mask_others)
    found = (*skipped, *places.findings)
    return plan_animals(group, places.extents, places.volumes_ml, outputs, options, found, places.masks)


def refuse_one_route(options: Options) -> None:
    """Refuse one route in XNAT for all animals.

    Raises:
        OptionError: one was typed.
    """
    if options.xnat_route:
        hint = "give each its own in the sheet's columns project, xnat_subject and xnat_session"
        raise OptionError("--xnat-route is of one animal", hint=hint)
