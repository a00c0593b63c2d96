"""NIfTI files of a study: which, under what names, and written: voxels, sidecar and times, all or none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from inveonimaging.errors import OptionError
from inveonimaging.findings import Finding
from inveonimaging.inveon.voxels import unchanged
from inveonimaging.nifti_files.options import NiftiOptions
from inveonimaging.nifti_files.packing import gzipped
from inveonimaging.nifti_files.times import sidecar_of, sif_of
from inveonimaging.nifti_files.volume import Volume
from inveonimaging.progress import StepCounter
from inveonimaging.storage.ahead import ahead
from inveonimaging.storage.file_sets import file_set, refuse_taken_names
from inveonimaging.storage.whole_files import RESERVED, file_name
from inveonimaging.study.reading import Series, Study
from inveonimaging.study.redacting import without_paths
from inveonimaging.study.usable import refuse_unusable

_ENDINGS = (".nii.gz", ".nii")
_LONGEST_STEM = 60
AGAIN = "write it again when the scanner is done"
"""What to do about a data file that changes meanwhile."""


@dataclass(frozen=True, kw_only=True)
class NiftiFile:
    """A file that is to be written, with what is beside it.

    Attributes:
        series: of the study.
        volume: its voxels, as they are written.
        name: of the file.
        beside: texts of the files beside it, by their names.
    """

    series: Series
    volume: Volume
    name: str
    beside: dict[str, str] = field(repr=False)


class _OfSeries(Protocol):
    """What is to be written of a series."""

    @property
    def volume(self) -> Volume:
        """Its voxels."""

    @property
    def name(self) -> str:
        """Of the file or the folder."""


F = TypeVar("F", bound=_OfSeries)


@dataclass(frozen=True, kw_only=True)
class FilesPlan(Generic[F]):
    """What is to be written of a study into a folder: of each series a file, or a folder of files."""

    study: Study
    folder: Path
    files: tuple[F, ...]
    findings: tuple[Finding, ...]

    @property
    def slices(self) -> int:
        """How many slices of all frames there are to be written."""
        return sum(each.volume.slices for each in self.files)


NiftiPlan = FilesPlan[NiftiFile]


def plan_files(
    study: Study, output: Path, command: str, one: tuple[str, str], ending: str, make: Callable[[Series, str, str], F]
) -> FilesPlan[F]:
    """Return what is to be written of a study; nothing is.

    Args:
        study: what was read.
        output: a folder, or the name of what is made of a study of one series.
        command: that writes it.
        one: what the output names if it is none of a folder, `file` or `store`, and what that name ends in.
        ending: of the names in a folder.
        make: a series, its name without ending, and that -> what is to be written of it.

    Raises:
        InveonError: the first reason why the study cannot be written as a whole.
    """
    refuse_unusable(study, command)
    what, typed = one
    if typed and len(study.series) > 1:
        message = f"there are {len(study.series)} series, and one {what} is named"
        raise OptionError(message, path=output, hint=f"name a folder: each series becomes a {what} in it")
    stems = (output.name[: -len(typed)],) if typed else stems_of(study.series)
    files = tuple(make(*each, typed or ending) for each in zip(study.series, stems, strict=True))
    found = without_paths(study.all_findings, study.redaction)
    return FilesPlan(study=study, folder=output.parent if typed else output, files=files, findings=found)


def plan_nifti(options: NiftiOptions, study: Study, output: Path, is_folder: bool) -> NiftiPlan:
    """Return what is to be written of a study as NIfTI files; nothing is.

    Args:
        options: of the files.
        study: what was read.
        output: a folder, or the name of a file that ends in `.nii` or `.nii.gz`, of a study of one series.
        is_folder: the output is a folder, whatever its name ends in.

    Raises:
        InveonError: the first reason why the study cannot be written as a whole.
        OutputError: a name is taken.
    """

    def file_of(series: Series, stem: str, ending: str) -> NiftiFile:
        volume = Volume(
            image=series.image, gating=series.gating, reorient=options.reorient, scale=options.scale_voxels or 1.0
        )
        beside = {f"{stem}.json": json.dumps(sidecar_of(series, volume), indent=2, allow_nan=False) + "\n"}
        if sif := sif_of(series, volume):
            beside[f"{stem}.sif"] = sif
        return NiftiFile(series=series, volume=volume, name=stem + ending, beside=beside)

    one = "file", "" if is_folder else _ending_of(output)
    made = plan_files(study, output, "nifti", one, ".nii.gz" if options.compressed else ".nii", file_of)
    refuse_taken_names(made.folder, _names(made), overwrite=options.overwrite)
    return made


def names_one_file(output: Path) -> bool:
    """Return whether an output is the name of a NIfTI file, else of a folder."""
    return bool(_ending_of(output))


def _ending_of(output: Path) -> str:
    return next((each for each in _ENDINGS if output.name.lower().endswith(each)), "")


def _names(plan: NiftiPlan) -> tuple[str, ...]:
    """Return the names of all files."""
    return tuple(name for each in plan.files for name in (each.name, *each.beside))


def stems_of(series: Sequence[Series]) -> tuple[str, ...]:
    """Return the name of each series' files, without what they end in: of its source and its part, on every system."""
    stems: list[str] = []
    for each in series:
        stem = file_name(each.image.pair.data.stem, each.image.part_name).lstrip("-.") or "series"
        taken = set(map(str.casefold, stems))
        if RESERVED.fullmatch(stem) or stem.casefold() in taken:
            stem = f"{stem[:_LONGEST_STEM]}-series_{each.number}"
        while stem.casefold() in taken:
            stem += "_"
        stems.append(stem)
    return tuple(stems)


def write_nifti(
    plan: NiftiPlan, counter: StepCounter, *, overwrite: bool = False
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Write what is planned; return the paths of the files, and of those beside them.

    Raises:
        OutputError: a name is taken, or a file cannot be written; nothing is left then.
        DataError: a data file cannot be read any more, or has changed.
    """
    sources = [each.volume.image.source for each in plan.files]
    with file_set(plan.folder, _names(plan), overwrite=overwrite) as drafts, unchanged(sources, AGAIN):
        for each in plan.files:
            write_volume(drafts[each.name], each.volume, counter, packed=each.name.lower().endswith(".gz"))
            for name, text in each.beside.items():
                drafts[name].write_bytes(text.encode("ascii"))
    beside = tuple(plan.folder / name for each in plan.files for name in each.beside)
    return tuple(plan.folder / each.name for each in plan.files), beside


def write_volume(path: Path, volume: Volume, counter: StepCounter, *, packed: bool) -> None:
    """Write one file, piece by piece.

    Args:
        path: that is not there yet.
        volume: its voxels.
        counter: counts slices.
        packed: compress it with gzip.
    """
    with path.open("xb") as out, ahead(volume.pieces()) as pieces:

        def parts() -> Iterator[bytes | memoryview]:
            yield volume.header()
            for piece in pieces:
                yield piece.data.cast("B")
                counter.step(len(piece))

        for part in gzipped(parts()) if packed else parts():
            out.write(part)
