"""The data set itself: planned, written beside its place, compared with what is there, and given its names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.bids_dataset.dataset import PARTICIPANTS, SESSIONS, json_bytes, root_files
from inveonimaging.bids_dataset.merging import Change, change_of, give_names
from inveonimaging.bids_dataset.options import BidsOptions
from inveonimaging.bids_dataset.plan import DatasetDraft, DatasetPlan, ImagePlan
from inveonimaging.bids_dataset.tables import Table, merged, read_table, rows_of
from inveonimaging.errors import OutputError
from inveonimaging.inveon.voxels import unchanged
from inveonimaging.nifti_files.volume import Volume
from inveonimaging.nifti_files.writing import AGAIN, write_volume
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.storage.folders import unmade_if_nothing_came
from inveonimaging.storage.interruptions import Interruptions
from inveonimaging.storage.staging import held
from inveonimaging.storage.whole_files import draft_in, remove_drafts

_PARTICIPANTS = "participants.tsv"


@dataclass(frozen=True, kw_only=True)
class BidsFile:
    """A file of a data set: its path in it, and what became of it: `new`, `same` or `replaced`."""

    path: str
    change: Change


def plan_dataset(draft: DatasetDraft, output: Path, options: BidsOptions) -> DatasetPlan:
    """Return what would be written of the studies that were collected.

    Raises:
        OutputError: what is there cannot be added to, or says something else.
    """
    if os.path.lexists(output) and not output.is_dir():
        raise OutputError("the output is not a folder", path=output, hint="name a new folder, or that of a data set")
    planned = draft.planned(output)
    _texts(planned, options)  # what cannot be added to is refused
    return planned


def write(planned: DatasetPlan, options: BidsOptions, progress: Progress = no_progress) -> tuple[BidsFile, ...]:
    """Write what was planned; return all files that belong to it, and those of the data set that were changed.

    Args:
        planned: what is to be written.
        options: of it.
        progress: called with how many slices are written, and how many there are.

    Raises:
        OutputError: a file is there and holds something else, or cannot be written; nothing is changed then.
        DataError: a data file cannot be read any more, or has changed.
    """
    output = planned.output
    drafts: dict[str, Path] = {}
    try:
        with unmade_if_nothing_came(output), held(output), Interruptions() as interruptions:
            remove_drafts(output)
            try:
                changes = _written(planned, options, drafts, progress)
                interruptions.wait = True
                give_names(output, drafts, changes)
            finally:
                interruptions.wait = True
                for draft in drafts.values():
                    with contextlib.suppress(OSError):
                        draft.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror or error}", path=output) from error
    return tuple(BidsFile(path=name, change=change) for name, change in changes.items())


def _written(
    planned: DatasetPlan, options: BidsOptions, drafts: dict[str, Path], progress: Progress
) -> dict[str, Change]:
    """Write all drafts; return what becomes of each file.

    Raises:
        OutputError: a file exists already and has other content.
    """
    output = planned.output
    volumes = [Volume(image=each.series.image, gating=each.series.gating) for each in planned.images]
    counter = StepCounter(progress, sum(each.slices for each in volumes))
    changes: dict[str, Change] = {}
    with unchanged([each.image.source for each in volumes], AGAIN):
        for image, volume in zip(planned.images, volumes, strict=True):
            for name, write_one in _files(image, volume, counter):
                drafts[name] = draft_in(output)
                write_one(drafts[name])
                changes[name] = change_of(output / name, drafts[name], overwrite=options.overwrite)
    for name, content in _texts(planned, options).items():
        drafts[name] = draft_in(output)
        drafts[name].write_bytes(content)
        changes[name] = change_of(output / name, drafts[name], overwrite=True)
    return changes


def _files(image: ImagePlan, volume: Volume, counter: StepCounter) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Yield the files of an image, each with what writes it."""
    yield image.file, lambda path: write_volume(path, volume, counter, packed=True)
    yield f"{image.path}.json", lambda path: path.write_bytes(json_bytes(image.sidecar))


def _texts(planned: DatasetPlan, options: BidsOptions) -> dict[str, bytes]:
    """Return the tables and files of the data set as a whole that are new or change, by their paths.

    Raises:
        OutputError: what is there cannot be added to, or says something else.
    """
    output = planned.output
    tables = {_PARTICIPANTS: ("participant_id", PARTICIPANTS, planned.participants)}
    for subject, rows in planned.sessions.items():
        tables[f"sub-{subject}/sub-{subject}_sessions.tsv"] = ("session_id", SESSIONS, rows)
    found: dict[str, bytes] = {}
    for name, (key, columns, rows) in tables.items():
        path = output / name
        there = read_table(path, key)
        new = rows_of((key, *columns), rows, path)
        table = merged(there, new, path, overwrite=options.overwrite)
        if name == _PARTICIPANTS:
            _refuse_other_animals(there, table, path)
        if table != there:
            found[name] = table.content
    name = options.dataset_name or output.resolve().name or "data set"
    return found | root_files(output, name, options.source_datasets, has_ct=planned.has_ct)


def _refuse_other_animals(there: Table | None, table: Table, path: Path) -> None:
    """Refuse labels that differ by case alone from one that is there: they are one folder on some systems."""
    known = {row["participant_id"].casefold(): row["participant_id"] for row in (there.rows if there else ())}
    for row in table.rows:
        own = row["participant_id"]
        if known.get(own.casefold(), own) != own:
            hint = "give the animal another ID: --patient-id, or the sheet's column patient_id"
            message = f"has {known[own.casefold()]} already, and {own} differs from it only in upper and lower case"
            raise OutputError(message, path=path, hint=hint)
