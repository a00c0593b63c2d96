"""`inveon zarr`, as a function: an OME-Zarr store of each series, in several resolutions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inveonimaging.commands.studies import Failure, Written, planned_files, written_each
from inveonimaging.extras import refuse_without_extra
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.zarr_files.options import ZarrOptions
from inveonimaging.zarr_files.writing import ZarrPlan, names_one_store, plan_zarr, write_zarr


@dataclass(frozen=True, kw_only=True)
class ZarrStudy:
    """What was written of one study, or of one animal of a scan of several: its stores, in the order of the series."""

    source: str
    folder: Path
    stores: tuple[Path, ...]


class ZarrResult(Written[ZarrStudy]):
    """What was written; attributes as those of `Written`."""

    @property
    def stores(self) -> tuple[Path, ...]:
        """All stores."""
        return tuple(path for each in self.studies for path in each.stores)


def zarr(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: ZarrOptions | None = None,
    *,
    progress: Progress = no_progress,
) -> ZarrResult:
    """Write an OME-Zarr store of each series: a bed position, an energy window, or all time frames or gates.

    Values are physical: the int16 of a CT where that is HU, else float32. Axes run to the left, to the back and to the
    head, in mm of the patient as in DICOM; no voxel of the finest resolution is resampled. All stores of a study appear
    whole, or none does.

    Args:
        source: a folder of pairs, or one pair; with `options.recursive` a folder of studies.
        output: a folder, which is made if it is missing; or, of one series, a store that ends in `.zarr`.
        options: how stores are written, which studies are read, and what counts instead of the headers.
        progress: called with how many slices are written, and how many there are as far as is known.

    Raises:
        InveonError: what is wrong, where, and what was expected, in one line; of one study among several it is among
            the failures.
    """
    options, counter = options or ZarrOptions(), StepCounter(progress)

    def write(plan: ZarrPlan) -> ZarrStudy:
        stores = write_zarr(plan, options, counter)
        return ZarrStudy(source=str(plan.study.source), folder=plan.folder, stores=stores)

    return ZarrResult(**vars(written_each(planned(Path(source), Path(output), options), write, options, counter)))


def planned(source: Path, output: Path, options: ZarrOptions) -> Iterator[tuple[ZarrPlan, ...] | Failure]:
    """Return what would be written, of the animals of one scan together; arguments and errors as `zarr`."""
    refuse_without_extra("inveon zarr", "zarr", {"zarr": "zarr"})
    one = "store" if names_one_store(output) else ""
    return planned_files(source, output, options, partial(plan_zarr, options), one)
