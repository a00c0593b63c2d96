"""A group of animals that were scanned together, and where each lies -> what the study of each would be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan, plan_study
from inveonimaging.errors import OptionError
from inveonimaging.findings import Finding
from inveonimaging.hotels.cutting import Animals, animals_of, places_of
from inveonimaging.hotels.splitting import read_group
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.hotels import Hotel


def plan_animals(
    animals: Animals, outputs: Sequence[Path], options: Options, skipped: tuple[Finding, ...] = ()
) -> tuple[StudyPlan, ...]:
    """Return what the study of each animal becomes.

    Args:
        animals: from `animals_of`.
        outputs: where each study goes.
        options: of the conversion.
        skipped: what was found beside the pairs, and how animals were found.

    Raises:
        InveonError: the first reason why an animal cannot be converted as a whole.
    """
    planned = (plan_study(*each, options, skipped) for each in zip(animals.studies, outputs, strict=True))
    return tuple(replace(each, measured=animals.measured) for each in planned)


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
        outputs_of: returns where the study of each animal goes.
        skipped: what was found beside the pairs.

    Raises:
        InveonError: they are not found as the sheet has them; as `read_group` and `plan_animals`.
    """
    refuse_one_route(options)
    group = read_group(pairs, source, options.corrections)
    outputs = outputs_of(group.hotel)
    places = places_of(group, mask_others=options.mask_others)
    animals = animals_of(group, places, options.deidentify)
    return plan_animals(animals, outputs, options, (*skipped, *places.findings))


def refuse_one_route(options: Options) -> None:
    """Refuse one route in XNAT for all animals.

    Raises:
        OptionError: one was typed.
    """
    if options.xnat_route:
        hint = "give each its own in the sheet's columns project, xnat_subject and xnat_session"
        raise OptionError("--xnat-route is for one animal", hint=hint)
