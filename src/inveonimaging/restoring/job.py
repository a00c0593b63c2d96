"""`inveon restore`, as a function: DICOM of this program back to the pairs that it was made from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from inveonimaging.errors import InputError
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.restoring.plan import PairPlan, RestorePlan, plan_restore
from inveonimaging.storage.ahead import ahead
from inveonimaging.storage.digest import sha256_of
from inveonimaging.storage.file_sets import file_set
from inveonimaging.storage.manifests import recorded_digests


@dataclass(frozen=True, kw_only=True)
class RestoredPair:
    """A pair that was written.

    Attributes:
        header, data: paths of its files.
        max_error: how far a value may be from that which was converted, in the unit; 0 if it is that one.
        unit: of it: Bq/mL, HU, 1/cm, or proportional to counts.
        is_whole: whether the file holds integers.
        is_original: whether both files are byte for byte those that were converted, by the digests in the manifest
            beside the DICOM; None if that does not say.
        is_cut: whether it is a part of a group's image, which has a header of its own.
        missing: keys of the header that de-identification took away.
    """

    header: Path
    data: Path
    max_error: float
    unit: str
    is_whole: bool
    is_original: bool | None
    is_cut: bool
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RestoreResult:
    """What was written.

    Attributes:
        pairs: in the order of their names.
        left_out: DICOM that another program made, in a line each.
    """

    pairs: tuple[RestoredPair, ...]
    left_out: tuple[str, ...]


def restore(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> RestoreResult:
    """Write the Inveon files from which this program made DICOM, of any form, compressed or not.

    Headers come back byte for byte. Integers that were converted without loss come back bit for bit, others within half
    a step of their DICOM; what is in the DICOM is what is written, also if it was changed since. All files appear
    whole, or none does.

    Args:
        source: a DICOM file, or a folder with all that is below it.
        output: a folder, which is made if it is missing.
        overwrite: replace files of the same names.
        progress: called with how many slices are written, and how many there are.

    Raises:
        InveonError: what is wrong, where, and what was expected, in one line.
    """
    return write_restored(plan_restore(Path(source), Path(output), overwrite=overwrite), overwrite, progress)


def write_restored(plan: RestorePlan, overwrite: bool, progress: Progress = no_progress) -> RestoreResult:
    """Write what is planned; as `restore`."""
    counter = StepCounter(progress, sum(pair.slices for pair in plan.pairs))
    done = []
    with file_set(plan.folder, plan.names, overwrite=overwrite) as drafts:
        for pair in plan.pairs:
            drafts[pair.header_name].write_bytes(pair.header)
            with drafts[pair.name].open("xb") as file:
                _write(file, pair, counter)
            done.append(_restored(pair, plan.folder, drafts[pair.header_name], drafts[pair.name]))
    return RestoreResult(pairs=tuple(done), left_out=plan.left_out)


def _write(file: BinaryIO, pair: PairPlan, counter: StepCounter) -> None:
    """Write a data file, plane by plane, wherever they lie in it; what is between frames is zero."""
    file.truncate(pair.size)
    with ahead(_planes(pair)) as planes:
        for offset, stored in planes:
            file.seek(offset)
            file.write(stored)
            counter.step()


def _planes(pair: PairPlan) -> Iterator[tuple[int, memoryview]]:
    """Yield each plane in the type of the file, and where it goes.

    Raises:
        InputError: the pixels cannot be read, or are of another size.
    """
    _, ny, nx = pair.voxels.shape
    plane_bytes = nx * ny * pair.voxels.dtype.itemsize
    for piece in pair.pieces:
        read = 0
        for pixels, plane, (frame, k) in zip(piece.file.pixels(), piece.file.planes, piece.places, strict=False):
            if pixels.shape != (ny, nx):
                raise InputError("its pixels are of another size", path=piece.file.path, expected=f"{nx} x {ny}")
            stored = pair.scale(plane, frame).stored(pixels, pair.voxels.dtype)
            lying = stored[:, ::-1] if piece.has_columns_reversed else stored
            read += 1
            yield (
                pair.voxels.offsets[frame] + k * plane_bytes,
                np.ascontiguousarray(lying).reshape(-1).view(np.uint8).data,
            )
        if read < len(piece.places):
            raise InputError(f"holds {read} planes", path=piece.file.path, expected=f"{len(piece.places)}")


def _restored(pair: PairPlan, folder: Path, header: Path, data: Path) -> RestoredPair:
    """Return what was written into drafts."""
    return RestoredPair(
        header=folder / pair.header_name,
        data=folder / pair.name,
        max_error=pair.max_error,
        unit=pair.scaling.unit.value,
        is_whole=pair.voxels.dtype.kind == "i",
        is_original=_is_original(pair, header, data),
        is_cut=pair.is_cut,
        missing=pair.missing,
    )


def _is_original(pair: PairPlan, header: Path, data: Path) -> bool | None:
    """Return whether drafts hold what the manifest of the conversion lists; None if there is none that lists them."""
    if pair.is_cut or pair.missing:
        return None
    file = pair.pieces[0].file
    known = recorded_digests(file.path.parent, str(file.values.get("SeriesInstanceUID")))
    if known is None:
        return None
    return (not pair.max_error or None) and known == (sha256_of(header), sha256_of(data))
