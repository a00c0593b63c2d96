"""`inveon info`: what is in a file or folder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.errors import InputError, InveonError, printable
from inveonimaging.reporting import say_failure, say_findings, shown

if TYPE_CHECKING:
    from inveonimaging.discover import Pair
    from inveonimaging.image import Image


EXAMPLES = """\b
Examples:
  inveon info mouse_study
  inveon info scan.pet.img.hdr --json
"""


def info(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder of Inveon files, or one .img or .hdr file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON on stdout.")] = False,
) -> None:
    """Show what is in Inveon files: subject, tracer, times, size, place, units, and what is odd."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.image import read_pair

        pairs = _pairs(path)
        images: list[Image] = []
        errors: list[InveonError] = []
        for pair in pairs:
            try:
                images.append(read_pair(pair))
            except InveonError as problem:
                errors.append(problem)
        if as_json:
            print_json({"files": [_document(image) for image in images], "errors": [str(error) for error in errors]})
        else:
            _show(images)
        say_findings(finding for image in images for finding in image.findings)
        codes = [say_failure(error) for error in errors]
        raise typer.Exit(max(codes, default=0))


def _pairs(path: Path) -> tuple[Pair, ...]:
    from inveonimaging.discover import pair_of, scan_folder

    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        return (pair_of(path),)
    pairs = scan_folder(path).pairs
    if not pairs:
        raise InputError("no Inveon files here", path=path, expected="pairs of NAME.img and NAME.img.hdr")
    return pairs


def _show(images: list[Image]) -> None:
    from inveonimaging.cli.table import show, show_facts

    if len(images) == 1:
        show_facts(shown(images[0].pair.name), _facts(images[0]))
    elif images:
        titles = ("File", "Kind", "Subject", "Scan time", "Voxels", "Frames", "Unit")
        show("Inveon files", titles, [_row(image) for image in images])


def _row(image: Image) -> list[str]:
    return [
        shown(image.pair.name),
        image.modality.label,
        printable(image.header.subject.identifier or ""),
        str(image.header.acquisition.scan_time or ""),
        " x ".join(map(str, image.grid.shape)),
        str(len(image.frames)),
        image.scaling.unit.value,
    ]


def _facts(image: Image) -> list[tuple[str, str]]:
    """Return what people ask first, as names and values; what the header does not say is left out."""
    header = image.header
    tracer, subject, frames = header.tracer, header.subject, header.frames
    times = [frame.start_s for frame in frames if frame.start_s is not None]
    end = max(((frame.start_s or 0) + (frame.duration_s or 0) for frame in frames), default=0)
    dose = f"{tracer.dose_bq / 1e6:g} MBq" if tracer.dose_bq else None
    mode = (header.acquisition_mode.label,) if header.acquisition_mode else ()
    directions = "+x {}, +y {}, +z {}".format(*image.grid.directions)
    facts: list[tuple[str, object | None]] = [
        ("Kind", ", ".join(dict.fromkeys((image.modality.label, *mode)))),
        ("Scanner", header.model and header.model.label),
        ("Subject", subject.identifier),
        ("Species", subject.genus),
        ("Sex", subject.sex),
        ("Weight", f"{subject.weight_kg * 1000:g} g" if subject.weight_kg else None),
        ("Scan time", header.acquisition.scan_time),
        ("Tracer", " ".join(filter(None, (tracer.isotope, tracer.compound)))),
        ("Dose", " at ".join(str(part) for part in (dose, tracer.injection_time) if part)),
        ("Orientation", f"{image.grid.orientation.label} ({directions})"),
        ("Voxels", " x ".join(map(str, image.grid.shape))),
        ("Voxel size", " x ".join(f"{size:g}" for size in image.grid.spacing_mm) + " mm"),
        ("Frames", f"{len(frames)}, {min(times):g} to {end:g} s" if times and end else len(frames)),
        ("Gates", _several(frame.gate for frame in frames)),
        ("Bed positions", _several(frame.bed for frame in frames)),
        ("Energy windows", _several(frame.energy_window for frame in frames)),
        ("Stored as", header.array.data_type and header.array.data_type.label),
        ("Unit", image.scaling.unit.value),
        ("Reconstruction", header.reconstruction.algorithm and header.reconstruction.algorithm.label),
        ("Study", header.study),
        ("Institution", header.institution),
        ("Operator", header.acquisition.operator),
    ]
    return [(name, printable(value, 200)) for name, value in facts if value]


def _several(numbers: Iterable[int | None]) -> int | None:
    """Return how many different numbers there are, None for one."""
    count = len(set(numbers))
    return count if count > 1 else None


def _document(image: Image) -> dict[str, Any]:
    """Return everything as plain data: the header by groups, geometry, findings."""
    return {
        "header_file": str(image.pair.header),
        "data_file": str(image.pair.data),
        "modality": image.modality.label,
        "unit": image.scaling.unit.value,
        "shape": image.grid.shape,
        "spacing_mm": image.grid.spacing_mm,
        "affine_lps_mm": image.grid.affine.tolist(),
        "directions": image.grid.directions,
        "factors": image.scaling.factors,
        "header": _without_source(image.header),
        "findings": image.findings,
    }


def _without_source(part: Any) -> Any:
    if dataclasses.is_dataclass(part):
        fields = (field.name for field in dataclasses.fields(part) if field.name != "source")
        return {name: _without_source(getattr(part, name)) for name in fields}
    if isinstance(part, tuple) and not hasattr(part, "_fields"):
        return [_without_source(each) for each in part]
    return part._asdict() if hasattr(part, "_asdict") else part
