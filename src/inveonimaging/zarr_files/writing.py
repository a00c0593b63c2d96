"""OME-Zarr stores of a study: which, under what names, and written: all of them whole, or none."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inveonimaging.errors import OutputError
from inveonimaging.inveon.voxels import unchanged
from inveonimaging.nifti_files.volume import Volume
from inveonimaging.nifti_files.writing import AGAIN, FilesPlan, plan_files
from inveonimaging.progress import StepCounter
from inveonimaging.storage.ahead import ahead
from inveonimaging.storage.bounded import read_bounded
from inveonimaging.storage.folders import make_folder, unmade_if_nothing_came
from inveonimaging.storage.interruptions import Interruptions
from inveonimaging.storage.whole_files import draft_in
from inveonimaging.study.reading import Series, Study
from inveonimaging.zarr_files.levels import Level, halved, levels_of
from inveonimaging.zarr_files.metadata import LPS, OURS, attributes_of
from inveonimaging.zarr_files.options import OmeVersion, ZarrOptions

ENDING = ".ome.zarr"
_ENDINGS = (ENDING, ".zarr")
_ATTRIBUTES = ("zarr.json", ".zattrs")
_LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class ZarrStore:
    """A store that is to be written: one series, its voxels as they run, its name and what it says of itself."""

    series: Series
    volume: Volume
    name: str
    attributes: Any = field(repr=False)

    @property
    def levels(self) -> tuple[Level, ...]:
        """The resolutions, the finest first."""
        x, y, z = self.volume.shape[:3]
        return levels_of((z, y, x))


ZarrPlan = FilesPlan[ZarrStore]


def names_one_store(output: Path) -> bool:
    """Return whether an output is the name of a store, else of a folder."""
    return bool(_ending_of(output))


def _ending_of(output: Path) -> str:
    """Return what the name of a store ends in, as it is typed; empty for that of a folder."""
    return next((output.name[-len(each) :] for each in _ENDINGS if output.name.lower().endswith(each)), "")


def plan_zarr(options: ZarrOptions, study: Study, output: Path, is_folder: bool) -> ZarrPlan:
    """Return what is to be written of a study as stores; nothing is.

    Args:
        options: of the stores.
        study: what was read.
        output: a folder, or the name of a store that ends in `.zarr`, of a study of one series.
        is_folder: the output is a folder, whatever its name ends in.

    Raises:
        InveonError: the first reason why the study cannot be written as a whole.
        OutputError: a name is taken.
    """

    def store_of(series: Series, stem: str, ending: str) -> ZarrStore:
        volume = Volume(image=series.image, gating=series.gating, reorient=LPS, has_slope=False)
        x, y, z = volume.shape[:3]
        attributes = attributes_of(series, volume, levels_of((z, y, x)), stem, options.ome_version)
        return ZarrStore(series=series, volume=volume, name=stem + ending, attributes=attributes)

    one = "store", "" if is_folder else _ending_of(output)
    made = plan_files(study, output, "zarr", one, ENDING, store_of)
    _refuse_taken(made.folder, [each.name for each in made.files], overwrite=options.overwrite)
    return made


def _refuse_taken(folder: Path, names: Sequence[str], *, overwrite: bool) -> None:
    """Refuse names that are taken, but for stores of this program that may be replaced.

    Raises:
        OutputError: with the first.
    """
    parent = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    if not parent.is_dir():
        raise OutputError("is not a folder", path=parent, hint="name a new folder")
    for path in (folder / name for name in names):
        if not os.path.lexists(path):
            continue
        if not overwrite:
            hint = "nothing is overwritten; name another output, or replace with --overwrite"
            raise OutputError("exists already", path=path, hint=hint)
        if not _is_ours(path):
            raise OutputError("is not a store that this program wrote", path=path, hint="move it elsewhere")


def _is_ours(path: Path) -> bool:
    """Return whether a folder is a store whose attributes this program wrote."""
    if path.is_symlink() or not path.is_dir():
        return False
    for name in _ATTRIBUTES:
        with contextlib.suppress(OSError, ValueError, RecursionError):
            document = json.loads(read_bounded(path / name, _LARGEST))
            found = document.get("attributes", document) if isinstance(document, dict) else {}
            if isinstance(found, dict) and OURS in found:
                return True
    return False


def write_zarr(plan: ZarrPlan, options: ZarrOptions, counter: StepCounter) -> tuple[Path, ...]:
    """Write what is planned; return the paths of the stores.

    Raises:
        OutputError: a name is taken, or a store cannot be written; nothing is left then.
        DataError: a data file cannot be read any more, or has changed.
    """
    drafts: dict[str, Path] = {}
    with Interruptions() as interruptions, unmade_if_nothing_came(plan.folder):
        try:
            make_folder(plan.folder)
            with unchanged([each.volume.image.source for each in plan.files], AGAIN):
                for each in plan.files:
                    drafts[each.name] = draft_in(plan.folder)
                    _write(drafts[each.name], each, options.ome_version, counter)
            _refuse_taken(plan.folder, tuple(drafts), overwrite=options.overwrite)
            interruptions.wait = True
            _give_names(plan.folder, drafts)
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror or error}", path=plan.folder) from error
        finally:
            interruptions.wait = True
            for draft in drafts.values():
                shutil.rmtree(draft, ignore_errors=True)
    return tuple(plan.folder / each.name for each in plan.files)


def _give_names(folder: Path, drafts: dict[str, Path]) -> None:
    """Rename the drafts; if one cannot be, what was there before is there again."""
    aside: dict[Path, Path] = {}
    given: list[tuple[Path, Path]] = []
    try:
        for name, draft in drafts.items():
            path = folder / name
            if os.path.lexists(path):
                aside[path] = path.rename(draft_in(folder))
            draft.rename(path)
            given.append((path, draft))
    except BaseException:
        for path, draft in given:
            path.rename(draft)
        for path, hidden in aside.items():
            hidden.rename(path)
        raise
    for hidden in aside.values():
        shutil.rmtree(hidden, ignore_errors=True)


def _write(path: Path, store: ZarrStore, version: OmeVersion, counter: StepCounter) -> None:
    """Write one store: the finest resolution as it is read, and each coarser one from that before it."""
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=2 if version is OmeVersion.V04 else 3)
    arrays = [_array(group, number, level, store.volume) for number, level in enumerate(store.levels)]
    _write_finest(arrays[0], store.volume, counter)
    for finer, coarser, level in zip(arrays, arrays[1:], store.levels[1:], strict=False):
        _write_coarser(finer, coarser, level)
    group.attrs.update(store.attributes)  # last: what has them is whole


def _array(group: Any, number: int, level: Level, volume: Volume) -> Any:
    """Return a new array: (z, y, x), or (t, z, y, x), in chunks that are compressed without loss."""
    frames = len(volume.frames)
    lead, axes = ((), ("z", "y", "x")) if frames == 1 else ((frames,), ("t", "z", "y", "x"))
    is_v2 = group.metadata.zarr_format == 2  # noqa: PLR2004
    if is_v2:
        from numcodecs import Blosc

        how: dict[str, Any] = {"compressors": Blosc(cname="zstd", clevel=5, shuffle=Blosc.SHUFFLE)}
    else:
        from zarr.codecs import BloscCodec, BloscShuffle

        how = {
            "compressors": BloscCodec(cname="zstd", clevel=5, shuffle=BloscShuffle.shuffle),
            "dimension_names": axes,
        }
    return group.create_array(
        str(number),
        shape=(*lead, *level.shape),
        chunks=(*(1 for _ in lead), *level.chunk(volume.dtype.itemsize)),
        dtype=volume.dtype,
        fill_value=0,
        chunk_key_encoding={"name": "v2" if is_v2 else "default", "separator": "/"},
        **how,
    )


def _write_finest(array: Any, volume: Volume, counter: StepCounter) -> None:
    """Write the voxels as they are read, as many slices at a time as a chunk has."""
    nz, ny, nx = array.shape[-3:]
    step = array.chunks[-3]
    slab = np.empty((step, ny, nx), volume.dtype)
    with ahead(volume.pieces()) as pieces:
        frame = first = held = 0
        for piece in pieces:
            done = 0
            while done < len(piece):
                count = min(len(piece) - done, min(step, nz - first) - held)
                slab[held : held + count] = piece[done : done + count]
                done, held = done + count, held + count
                if held == min(step, nz - first):
                    array[_at(array, frame, first, first + held)] = slab[:held]
                    first, held = first + held, 0
                if first == nz:
                    frame, first = frame + 1, 0
            counter.step(len(piece))


def _write_coarser(finer: Any, coarser: Any, level: Level) -> None:
    nz, step = coarser.shape[-3], coarser.chunks[-3]
    for frame in range(coarser.shape[0] if coarser.ndim > len(level.shape) else 1):
        for first in range(0, nz, step):
            stop = min(first + step, nz)
            parts = list(_means(finer, frame, first, stop, level))
            coarser[_at(coarser, frame, first, stop)] = np.concatenate(parts)


def _means(finer: Any, frame: int, first: int, stop: int, level: Level) -> Iterator[Any]:
    """Yield the slices of a coarser level from one to another, from no more than a chunk's slices of the finer one."""
    by = level.halved[0]
    step = max(1, finer.chunks[-3] // by)
    for begin in range(first, stop, step):
        end = min(begin + step, stop)
        yield halved(finer[_at(finer, frame, begin * by, end * by)], level.halved)


def _at(array: Any, frame: int, first: int, stop: int) -> tuple[int | slice, ...]:
    """Return the index of some slices of a frame."""
    return (*((frame,) if array.ndim > 3 else ()), slice(first, stop))  # noqa: PLR2004 - axes of space
