"""NIfTI files of a study: which, under what names, and written: voxels, sidecar and times, all or none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inveonimaging.errors import OptionError
from inveonimaging.findings import Finding
from inveonimaging.inveon.voxels import Unchanged
from inveonimaging.nifti_files.options import NiftiOptions
from inveonimaging.nifti_files.packing import gzipped
from inveonimaging.nifti_files.times import sidecar_of, sif_of
from inveonimaging.nifti_files.volume import Volume
from inveonimaging.progress import StepCounter
from inveonimaging.storage.ahead import ahead
from inveonimaging.storage.file_sets import file_set
from inveonimaging.storage.whole_files import RESERVED, file_name
from inveonimaging.study.reading import Series, Study
from inveonimaging.study.redacting import without_paths
from inveonimaging.study.usable import refuse_unusable

_ENDINGS = (".nii.gz", ".nii")
_LONGEST_STEM = 60


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

    @property
    def names(self) -> tuple[str, ...]:
        """All that is written of the series."""
        return (self.name, *self.beside)


@dataclass(frozen=True, kw_only=True)
class NiftiPlan:
    """What is to be written into a folder."""

    study: Study
    folder: Path
    files: tuple[NiftiFile, ...]
    findings: tuple[Finding, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files."""
        return tuple(name for each in self.files for name in each.names)

    @property
    def slices(self) -> int:
        """How many slices of all frames there are to be written."""
        return sum(each.volume.slices for each in self.files)


def plan_nifti(study: Study, output: Path, options: NiftiOptions, *, is_folder: bool = False) -> NiftiPlan:
    """Return what is to be written of a study; nothing is.

    Args:
        study: what was read.
        output: a folder, or the name of a file that ends in `.nii` or `.nii.gz`, of a study of one series.
        options: of the files.
        is_folder: the output is a folder, whatever its name ends in.

    Raises:
        InveonError: the first reason why the study cannot be written as a whole.
    """
    refuse_unusable(study, "nifti")
    ending = None if is_folder else _ending_of(output)
    if ending and len(study.series) > 1:
        message = f"there are {len(study.series)} series, and one file is named"
        raise OptionError(message, path=output, hint="name a folder: each series becomes a file in it")
    if ending:
        stems: Sequence[str] = (output.name[: -len(ending)],)
        folder = output.parent
    else:
        stems, folder, ending = stems_of(study.series), output, ".nii.gz" if options.compressed else ".nii"
    files = tuple(_file(*each, ending, options) for each in zip(study.series, stems, strict=True))
    found = (*study.findings, *(finding for scan in study.scans for finding in scan.all_findings))
    return NiftiPlan(study=study, folder=folder, files=files, findings=without_paths(found, study.redaction))


def names_one_file(output: Path) -> bool:
    """Return whether an output is the name of a NIfTI file, else of a folder."""
    return _ending_of(output) is not None


def _ending_of(output: Path) -> str | None:
    return next((each for each in _ENDINGS if output.name.lower().endswith(each)), None)


def _file(series: Series, stem: str, ending: str, options: NiftiOptions) -> NiftiFile:
    volume = Volume(
        image=series.image, gating=series.gating, reorient=options.reorient, scale=options.scale_voxels or 1.0
    )
    beside = {f"{stem}.json": json.dumps(sidecar_of(series, volume), indent=2, allow_nan=False) + "\n"}
    if sif := sif_of(series, volume):
        beside[f"{stem}.sif"] = sif
    return NiftiFile(series=series, volume=volume, name=stem + ending, beside=beside)


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


def write_nifti(plan: NiftiPlan, counter: StepCounter, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write what is planned; return the paths of the files.

    Raises:
        OutputError: a name is taken, or a file cannot be written; nothing is left then.
        DataError: a data file cannot be read any more, or has changed.
    """
    seen = [Unchanged(each.volume.image.source) for each in plan.files]
    with file_set(plan.folder, plan.names, overwrite=overwrite) as drafts:
        for each in plan.files:
            write_volume(drafts[each.name], each.volume, counter, packed=each.name.lower().endswith(".gz"))
            for name, text in each.beside.items():
                drafts[name].write_bytes(text.encode("ascii"))
        for one in seen:
            one.refuse_changed("write it again when the scanner is done")
    return tuple(plan.folder / name for name in plan.names)


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
