"""`inveon xnat`, as a function: what a scan or session of an XNAT archive becomes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from inveonimaging.batches.names import animal_names
from inveonimaging.conversion.animals import plan_found
from inveonimaging.conversion.archive import archived, plan_archive
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan


def plan_session(source: Path, output: Path, options: Options, own: Collection[Path] = ()) -> tuple[StudyPlan, ...]:
    """Return the one study, or one of each animal if the sheet has positions, in a folder of its patient ID.

    Args:
        source: the folder of a resource, a scan or a session.
        output: where the study goes, or the folders of the animals.
        options: of the conversion.
        own: files that are no strays either.

    Raises:
        InveonError: there is no pair; one cannot be converted; animals are not found as the sheet has them.
    """
    sheet = options.corrections.sheet
    if sheet is None or not any(row.slot for row in sheet.rows):
        return (plan_archive(source, output, options, own),)
    pairs, skipped = archived(source, options, own)
    return plan_found(pairs, source, options, lambda hotel: [output / name for name in animal_names(hotel)], skipped)
