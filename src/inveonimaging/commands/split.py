"""`inveon split`, as a function: one study for each animal of a group that was scanned together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from inveonimaging.batches.existing import ExistingStudy, stated_study
from inveonimaging.batches.names import animal_names
from inveonimaging.conversion.animals import plan_animals, refuse_one_route
from inveonimaging.conversion.job import StudyResult, convert_planned
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan, strays_of
from inveonimaging.errors import InputError, InveonError, OptionError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.hotels.bodies import find_animals
from inveonimaging.hotels.boxes import AnimalBox, as_many, boxes_json, extents_of, read_boxes
from inveonimaging.hotels.checks import MeasuredGroup, table_of
from inveonimaging.hotels.cutting import Animals, Places, animals_of, masks_of, refuse_boxes
from inveonimaging.hotels.inveon_files import files_of, write_files
from inveonimaging.hotels.locating import Located, candidates_of, locate, reach_of, with_activity
from inveonimaging.hotels.positions import slots_of
from inveonimaging.hotels.splitting import Group, read_group, refuse_several_sessions
from inveonimaging.inveon.pairs import Pair
from inveonimaging.physics.geometry import Mm
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.sheet.matching import Sheet
from inveonimaging.storage.folders import is_same_folder, real_path
from inveonimaging.storage.staging import refuse_settled, refuse_used
from inveonimaging.storage.whole_files import refuse_taken, write_all, write_whole
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.cut import Extent
from inveonimaging.study.folder import Listed, pairs_at
from inveonimaging.study.masking import Mask
from inveonimaging.study.reading import read_pairs

if TYPE_CHECKING:
    from inveonimaging.reports.hotel import View

PICTURE, BOXES = "split.png", "boxes.json"
_UNNAMED = "?"


@dataclass(frozen=True)
class SplitPlan:
    """What is to be written: the group, where each animal lies in it, what was measured of each, and its study.

    `left_behind` names studies of these scans in the output that an earlier sheet asked for, and that stay.
    """

    group: Group
    extents: tuple[Extent, ...]
    measured: MeasuredGroup
    studies: tuple[StudyPlan, ...]
    left_behind: tuple[Finding, ...] = ()

    @property
    def boxes(self) -> tuple[tuple[str, Extent], ...]:
        """The position of each animal, as the sheet says it, and where it lies."""
        return _named(self.group, self.extents)


def split(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: Options | None = None,
    *,
    boxes: str | os.PathLike[str] | None = None,
    progress: Progress = no_progress,
) -> tuple[StudyResult, ...]:
    """Convert a group of animals that were scanned together: one study an animal, in a folder named by its patient ID.

    Without boxes the animals are found in the CT, else in PET or SPECT. If they are not as many as the sheet has, or do
    not lie as it says, nothing is converted: `split.png` shows what was found, and `boxes.json`, to be corrected, has
    it; both are written beside the output, unless they are there.

    No voxel is resampled, and each stays in its place. All studies are planned before any is written; each appears
    whole or not at all.

    Args:
        source: a folder of pairs of one session, or one pair.
        output: the folder below which each animal gets one.
        options: of the conversion; the sheet (`options.sheet`) says which animal lies where.
        boxes: a file of boxes: where each animal lies, mm in the gantry; None finds them, which needs SciPy.
        progress: called with how many slices are written, and how many there are.

    Raises:
        OptionError: neighbours are to be masked (`options.mask_others`), and boxes are given.
        InveonError: what is wrong, where, and what was expected, in one line.
    """
    options = options or Options()
    planned = plan_split(Path(source), Path(output), options, None if boxes is None else Path(boxes))
    first, *others = convert_planned(planned.studies, Path(output), options, progress)
    return (replace(first, findings=(*first.findings, *planned.left_behind)), *others)


def split_inveon(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: Options | None = None,
    *,
    boxes: str | os.PathLike[str] | None = None,
    progress: Progress = no_progress,
) -> tuple[Pair, ...]:
    """Write the cut images as pairs of Inveon files, `OUTPUT/m12/inveon/NAME.img`; arguments and errors as `split`.

    Stored values are untouched. A header's lines stay as they are, but for those on size, place and animal.
    """
    planned = plan_split(Path(source), Path(output), options or Options(), None if boxes is None else Path(boxes))
    return write_inveon(planned, Path(output), progress)


def inveon_pairs(planned: SplitPlan, output: Path) -> tuple[Pair, ...]:
    """Return the pairs of Inveon files that would be written; errors as `split_inveon`."""
    refuse_settled(output, partial(refuse_used, output))
    return tuple(each.pair_in(study.output) for study in planned.studies for each in files_of(study.study))


def write_inveon(planned: SplitPlan, output: Path, progress: Progress = no_progress) -> tuple[Pair, ...]:
    """Write what was planned as pairs of Inveon files; as `split_inveon`."""
    files = [(files_of(each.study), each.output) for each in planned.studies]
    refuse_settled(output, partial(refuse_used, output))
    counter = StepCounter(progress, sum(each.slices for of_one, _ in files for each in of_one))
    return tuple(pair for of_one, folder in files for pair in write_files(of_one, folder, counter.step))


def plan_split(
    source: Path,
    output: Path,
    options: Options,
    boxes: Path | None,
    *,
    preview: Path | None = None,
    writes: bool = True,
) -> SplitPlan:
    """Return what would be written. Arguments and errors as `split`.

    Args:
        source: see there.
        output: see there.
        options: see there.
        boxes: see there.
        preview: a page that shows the boxes, also those that are in doubt; it is written before anything else.
        writes: whether a refusal leaves picture and boxes beside the output.
    """
    if preview:
        refuse_taken(preview, overwrite=options.overwrite)
    refuse_one_route(options)
    if options.mask_others:
        refuse_boxes(boxes)
    pairs, folder, skipped = _found(source, options)
    group = read_group(pairs, folder, options.corrections)
    folders = _folders(group, options)
    found, volumes, masks = tuple[Finding, ...](), tuple[float | None, ...](), tuple[Mask, ...]()
    if boxes:
        extents = extents_of(read_boxes(boxes), group.hotel, boxes)
    else:
        located = locate(group)
        if located.refusal or located.extents is None:
            raise _refused(group, located, output, options, preview, writes=writes)
        extents, found = located.extents, located.findings
        masks = masks_of(located) if options.mask_others else ()
        volumes = tuple(each.volume_ml for each in located.bodies)
    animals = _animals(group, Places(extents, volumes, found, masks), options, preview)
    studies = plan_animals(animals, [output / name for name in folders], options, (*skipped, *found))
    left = tuple(_left_behind(studies, output)) if options.overwrite else ()
    return SplitPlan(group, extents, animals.measured, studies, left)


@dataclass(frozen=True)
class Seen:
    """What is seen of the animals of a group, to be corrected by hand.

    Attributes:
        views: projections of the scan.
        boxes: where each may lie, with the position that distinguishes it from the others, from low to high i.
        findings: what contradicts it, and other notes.
    """

    views: tuple[View, ...]
    boxes: tuple[tuple[str, Extent], ...]
    findings: tuple[Finding, ...]


def see_animals(source: Path, number: int | None = None, progress: Progress = no_progress) -> Seen:
    """Look for the animals of a group without a sheet.

    Args:
        source: a folder of pairs of one session, or one pair.
        number: how many boxes there are to be, if someone sees how many animals there are.
        progress: called with how many slices were read, and how many there are.

    Raises:
        InputError: there is no image to find animals in; the scans are of several sessions.
        InveonError: no scan can be read.
    """
    from inveonimaging.reports.hotel import views_of, views_of_study

    pairs, folder, _ = _found(source, Options())
    study = read_pairs(pairs, folder, Corrections())
    if not study.series:
        raise next(iter(study.errors.values()), InputError("has no CT, PET or SPECT", path=source))
    refuse_several_sessions(study)
    try:
        found = find_animals(study, number=number, progress=progress)
    except OptionError as error:  # SciPy is not installed: boxes are drawn by hand
        views, extents = views_of_study(study), tuple[Extent, ...]()
        findings: tuple[Finding, ...] = (Finding("animals-not-found", error.sentence, Severity.ERROR),)
    else:
        views = views_of(found.values, found.grid, is_ct=found.is_ct)
        extents, findings = candidates_of(found, study), found.findings
        if found.is_certain:
            extents, of_activity = with_activity(found, extents, study)
            findings = (*findings, *of_activity)
    if number:
        extents = as_many(extents, number, reach_of(study))
    return Seen(views, tuple(zip(_positions(extents), extents, strict=True)), findings)


def _positions(extents: Sequence[Extent]) -> tuple[str, ...]:
    """Return a position that distinguishes each box from the others; numbers from the left if there is none."""
    try:
        return tuple(map(str, slots_of(extents)))
    except InputError:
        return tuple(f"{number},1" for number in range(1, len(extents) + 1))


def check_boxes(source: Path, sheet: Sheet, boxes: Sequence[AnimalBox], path: Path) -> Group:
    """Return the group that a sheet describes, if boxes are those of its animals; no voxel is read.

    Args:
        source: as for `split`.
        sheet: which animal lies where.
        boxes: where each position lies in the gantry.
        path: of the boxes, for messages.

    Raises:
        InputError: what does not fit.
    """
    pairs, folder, _ = _found(source, Options())
    group = read_group(pairs, folder, Corrections(sheet=sheet))
    extents_of(boxes, group.hotel, path)
    return group


def refuse_unverifiable(options: Options, *, verify: bool) -> None:
    """Refuse to compare afterwards if it would not be known how to compare.

    Raises:
        OptionError: neighbours are masked, and no manifest says where.
    """
    if options.mask_others and verify and not options.manifest:
        message = "the manifest says what is masked, and --verify compares by it"
        raise OptionError(message, hint="leave out --no-manifest, --verify or --mask-others")


def _animals(group: Group, places: Places, options: Options, preview: Path | None) -> Animals:
    """Return the study of each animal; the preview is written, also of boxes that cannot be cut out."""
    try:
        animals = animals_of(group, places, options.deidentify)
    except InveonError as error:
        if preview:
            _write_preview(preview, group, _named(group, places.extents), options, error.sentence)
        raise
    if preview:
        _write_preview(preview, group, _named(group, places.extents), options, measured=animals.measured)
    return animals


def _left_behind(studies: Sequence[StudyPlan], output: Path) -> Iterator[Finding]:
    """Yield studies in an output that were cut from these scans, and that none of those to be written replaces.

    So it is when a patient ID was corrected in the sheet: the folder of the old one stays.
    """
    try:
        folders = sorted(each for each in output.iterdir() if each.is_dir() and not each.is_symlink())
    except OSError:  # there is none yet
        return
    headers = {sha256(each.image.header_bytes).hexdigest() for study in studies for each in study.series}
    wholes = {(each.image.whole or each.image).grid.shape for study in studies for each in study.series}
    for folder in folders:
        earlier = None if any(is_same_folder(folder, real_path(each.output)) for each in studies) else _stated(folder)
        is_of_these = earlier and not headers.isdisjoint(content for _, content in earlier.sources.values())
        if earlier and is_of_these and _is_cut(earlier, wholes):
            shown = printable(folder, 300)
            message = f'has an animal that is not in the sheet, and is kept; to remove it: inveon remove "{shown}"'
            yield Finding("animal-left-behind", message, path=str(folder))


def _stated(folder: Path) -> ExistingStudy | None:
    """Return the study that a manifest states; None if there is none that can be read."""
    with contextlib.suppress(InveonError):
        return stated_study(folder)
    return None


def _is_cut(study: ExistingStudy, wholes: Collection[tuple[int, int, int]]) -> bool:
    """Return whether a study is not that of the whole scans, by the shapes of its series."""
    return any(each.get("shape") not in [list(whole) for whole in wholes] for each in study.listed)


def _named(group: Group, extents: Sequence[Extent]) -> tuple[tuple[str, Extent], ...]:
    return tuple((str(each.slot), extent) for each, extent in zip(group.hotel.animals, extents, strict=True))


def _refused(
    group: Group, located: Located, output: Path, options: Options, preview: Path | None, *, writes: bool
) -> InveonError:
    """Return why it is not known where each animal lies, with what helps to say it: picture and boxes to correct."""
    refusal = located.refusal or InputError("it is not certain where each animal lies")
    boxes = tuple((_UNNAMED, each) for each in located.candidates)
    if preview:
        numbered = tuple((str(n), extent) for n, (_, extent) in enumerate(boxes, 1))
        _write_preview(preview, group, numbered, options, refusal.sentence)
    if not writes or not boxes:
        return refusal
    from inveonimaging.reports.hotel import hotel_picture

    beside = Path(os.path.abspath(output)).parent  # noqa: PTH100 - links stay as they are
    picture = hotel_picture(group.study, [(str(n), extent) for n, (_, extent) in enumerate(boxes, 1)])
    contents = {PICTURE: picture, BOXES: boxes_json(boxes)}
    free = {name: content for name, content in contents.items() if not os.path.lexists(beside / name)}
    write_all(beside, free.items())
    where = printable(beside / BOXES, 300)
    there = "" if len(free) == len(contents) else f" ({', '.join(sorted(contents.keys() - free))} was there and stays)"
    hint = f'{PICTURE} and {BOXES} beside the output show what was found{there}: correct it and pass --boxes "{where}"'
    return refusal.hinted(hint)


def _write_preview(
    path: Path,
    group: Group,
    boxes: Sequence[tuple[str, Extent]],
    options: Options,
    refusal: str = "",
    measured: MeasuredGroup | None = None,
) -> None:
    from inveonimaging.reports.hotel import hotel_page, hotel_picture

    animals = {str(each.slot): "" if options.deidentify else each.id for each in group.hotel.animals}
    rows = [(name, animals.get(name, ""), _shown(extent.low_mm), _shown(extent.high_mm)) for name, extent in boxes]
    table = table_of(measured, ids=options.deidentify is None) if measured else None
    page = hotel_page(hotel_picture(group.study, boxes), rows, refusal, table)
    write_whole(path, page, overwrite=options.overwrite)


def _shown(place: Mm) -> str:
    return ", ".join(f"{each:.1f}" for each in place)


def _found(source: Path, options: Options) -> Listed:
    """Return the pairs of a folder, or the one, with where they lie and what lies beside them."""
    return pairs_at(source, notes_of=partial(strays_of, options=options))


def _folders(group: Group, options: Options) -> tuple[str, ...]:
    """Return the name of each animal's folder: its patient ID, or a number alone if it is de-identified."""
    if options.deidentify:
        return tuple(f"study-{number}" for number in range(1, len(group.hotel.animals) + 1))
    return animal_names(group.hotel)
