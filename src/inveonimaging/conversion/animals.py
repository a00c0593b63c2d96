"""A group of animals that were scanned together, and where each lies -> what the study of each would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan, plan_study
from inveonimaging.errors import OptionError
from inveonimaging.findings import Finding
from inveonimaging.hotels.checks import swaps_of
from inveonimaging.hotels.splitting import Group, studies_of
from inveonimaging.study.cut import Extent


def plan_animals(
    group: Group,
    extents: Sequence[Extent],
    volumes_ml: Sequence[float | None],
    outputs: Sequence[Path],
    options: Options,
    skipped: tuple[Finding, ...] = (),
) -> tuple[StudyPlan, ...]:
    """Return the study of each animal, in the order of `group.hotel.animals`.

    Args:
        group: what was read.
        extents: where each animal lies.
        volumes_ml: of each body in the CT; none if they are not known.
        outputs: where each study goes.
        options: of the conversion.
        skipped: what was found beside the pairs, and how animals were found.

    Raises:
        InveonError: the first reason why an animal cannot be converted as a whole.
    """
    parts = studies_of(group, extents, options.deidentify)
    return tuple(
        plan_study(replace(part, findings=(*part.findings, *swapped)), output, options, skipped)
        for part, swapped, output in zip(parts, swaps_of(group.study, parts, volumes_ml), outputs, strict=True)
    )


def refuse_one_route(options: Options) -> None:
    """Refuse one route in XNAT for all animals.

    Raises:
        OptionError: one was typed.
    """
    if options.xnat_route:
        hint = "give each its own in the sheet's columns project, xnat_subject and xnat_session"
        raise OptionError("--xnat-route is of one animal", hint=hint)
