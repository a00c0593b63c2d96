"""`inveon split`, as a function: one study for each animal of a group that was scanned together."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from inveonimaging.batches.names import plain_name
from inveonimaging.conversion.job import StudyResult, convert_planned
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan, plan_study, strays_of
from inveonimaging.errors import InputError, OptionError, printable
from inveonimaging.findings import Finding
from inveonimaging.hotels.boxes import extents_of, read_boxes
from inveonimaging.hotels.checks import swaps_of
from inveonimaging.hotels.splitting import Group, read_group, studies_of
from inveonimaging.inveon.pairs import TAKES_ALL, Pair, pair_of, scan_folder
from inveonimaging.progress import Progress, no_progress
from inveonimaging.study.cut import Extent


@dataclass(frozen=True)
class SplitPlan:
    """What is to be written: the group, where each animal lies in it, and the study of each."""

    group: Group
    extents: tuple[Extent, ...]
    studies: tuple[StudyPlan, ...]


def split(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: Options | None = None,
    *,
    boxes: str | os.PathLike[str] | None = None,
    progress: Progress = no_progress,
) -> tuple[StudyResult, ...]:
    """Convert a group of animals that were scanned together: one study an animal, in a folder named by its patient ID.

    No voxel is resampled, and each stays in its place. All studies are planned before any is written; each appears
    whole or not at all.

    Args:
        source: a folder of pairs of one session, or one pair.
        output: the folder below which each animal gets one.
        options: of the conversion; the sheet (`options.sheet`) says which animal lies where.
        boxes: a file of boxes: where each animal lies, mm in the gantry.
        progress: called with how many slices are written, and how many there are.

    Raises:
        InveonError: what is wrong, where, and what was expected, in one line.
    """
    options = options or Options()
    planned = plan_split(Path(source), Path(output), options, None if boxes is None else Path(boxes))
    return convert_planned(planned.studies, Path(output), options, progress)


def plan_split(source: Path, output: Path, options: Options, boxes: Path | None) -> SplitPlan:
    """Return what would be written; nothing is. Arguments and errors as `split`."""
    _refuse_one_route(options)
    pairs, folder, skipped = _found(source, options)
    group = read_group(pairs, folder, options.corrections)
    if boxes is None:
        hint = "give the box of each animal: --boxes boxes.json; docs/how-to/hotels.md shows one"
        raise OptionError("where each animal lies is not known", hint=hint)
    extents = extents_of(read_boxes(boxes), group.hotel, boxes)
    folders = _folders(group, options)
    parts = studies_of(group, extents, options.deidentify)
    studies = tuple(
        plan_study(replace(part, findings=(*part.findings, *swapped)), output / name, options, skipped)
        for part, swapped, name in zip(parts, swaps_of(group.study, parts), folders, strict=True)
    )
    return SplitPlan(group, extents, studies)


def _found(source: Path, options: Options) -> tuple[tuple[Pair, ...], Path, tuple[Finding, ...]]:
    """Return the pairs of a folder, or the one, with where they lie and what lies beside them."""
    if not os.path.isdir(source):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        return (pair_of(source),), source, ()
    folder = scan_folder(source)
    if not folder.pairs:
        raise folder.without_pairs(TAKES_ALL)
    return folder.pairs, folder.path, strays_of(folder, options)


def _refuse_one_route(options: Options) -> None:
    if options.xnat_route:
        hint = "give each its own in the sheet's columns project, xnat_subject and xnat_session"
        raise OptionError("--xnat-route is of one animal", hint=hint)


def _folders(group: Group, options: Options) -> tuple[str, ...]:
    """Return the name of each animal's folder: its patient ID, or a number alone if it is de-identified."""
    animals = group.hotel.animals
    if options.deidentify:
        return tuple(f"study-{number}" for number in range(1, len(animals) + 1))
    names: dict[str, str] = {}
    for animal in animals:
        name = plain_name(animal.id)
        other = names.setdefault(name.casefold(), animal.id)
        if other != animal.id:
            message = f"the animals '{printable(other, 40)}' and '{printable(animal.id, 40)}' would share one folder"
            expected = "patient IDs that differ"
            raise InputError(message, path=group.hotel.path, line=animal.rows[0], expected=expected)
    return tuple(plain_name(animal.id) for animal in animals)
