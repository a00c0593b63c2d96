"""`inveon info`: what is in a file or folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inveonimaging.cli.messages import say_failure, say_findings, shown
from inveonimaging.cli.options import AskedCorrections, takes_corrections
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.errors import InveonError, printable
from inveonimaging.findings import not_convertible
from inveonimaging.units import plain

if TYPE_CHECKING:
    from inveonimaging.cli.table import Cell
    from inveonimaging.inveon.hdr.model import Ct, Header
    from inveonimaging.physics.geometry import Grid
    from inveonimaging.study.image import Image

_COLOURS = {"PET": "magenta", "CT": "cyan", "SPECT": "blue"}

EXAMPLES = """\b
Examples:
  inveon info mouse_study
  inveon info scan.pet.img.hdr --json
"""


@takes_corrections
def info(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder of Inveon files, or one .img or .hdr file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON on stdout.")] = False,
    *,
    corrections: AskedCorrections,
) -> None:
    """Show what is in Inveon files: subject, tracer, times, size, place, units, and how many findings."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.study.reading import read_study

        study = read_study(path, corrections())
        images = [replace(scan.image, findings=scan.all_findings) for scan in study.scans]
        images += (_refused(image, study.errors[image.pair]) for image in study.raw)
        images.sort(key=lambda image: image.pair.name)
        raw = {image.pair for image in study.raw}
        errors = [error for pair, error in study.errors.items() if pair not in raw]
        if as_json:
            files = [_document(image) for image in images]
            print_json({"files": files, "findings": study.findings, "errors": [str(error) for error in errors]})
        else:
            _show(images)
        say_findings((*study.findings, *(finding for image in images for finding in image.findings)))
        codes = [say_failure(error) for error in errors]
        raise typer.Exit(max(codes, default=0))


def _refused(image: Image, error: InveonError) -> Image:
    """Return raw data with why a conversion refuses them."""
    return replace(image, findings=(*image.findings, not_convertible(error, image.pair.header)))


def _show(images: list[Image]) -> None:
    from inveonimaging.cli.table import show_groups, show_or_list

    if len(images) == 1:
        show_groups(shown(images[0].pair.name), _groups(images[0]))
    elif images:
        show_or_list(f"{len(images)} Inveon images", _TITLES, [_row(image) for image in images])


_TITLES = (
    "File",
    "Kind",
    "Subject",
    "Scan time",
    "Dose, weight",
    "Voxels",
    "Voxel size, mm",
    "Frames",
    "Unit",
    "Findings",
)


def _row(image: Image) -> list[Cell]:
    return [
        shown(image.pair.name),
        (image.kind, _COLOURS[image.modality.label]),
        printable(image.header.subject.identifier or ""),
        str(image.header.acquisition.started_at or ""),
        _of_suv(image),
        _by(image.grid.shape),
        " x ".join(f"{size:.4g}" for size in image.grid.spacing_mm),
        str(len(image.frames)),
        image.scaling.unit.value,
        _counts(image) or "",
    ]


def _groups(image: Image) -> list[tuple[str, list[tuple[str, Cell]]]]:
    """Return what people ask first, as names and values in groups; what the header does not say is left out."""
    from inveonimaging.sheet.application import has_tracer

    groups: dict[str, dict[str, object]] = {
        "Animal": _animal(image),
        "Tracer": _tracer(image) if has_tracer(image.header) else {},
        "X-rays": _xrays(image.header.ct) if image.modality.label == "CT" else {},
        "Scan": _scan(image),
        "Image": _image(image),
        "Findings": {
            "Found": _counts(image) or ("nothing", "green"),
            "What to do": image.findings and "see inveon check",
        },
    }
    shown = {
        heading: [(name, _cell(value)) for name, value in facts.items() if value] for heading, facts in groups.items()
    }
    return [(heading, facts) for heading, facts in shown.items() if facts]


def _cell(value: object) -> Cell:
    return value if isinstance(value, tuple) else printable(value, 200)


_NOT_GIVEN = "not given: no SUV", "bold yellow"


def _is_pet(image: Image) -> bool:
    from inveonimaging.checks.facts import is_pet

    return is_pet(image)


def _weight(header: Header) -> str | None:
    return f"{plain(header.subject.weight_kg * 1000)} g" if header.subject.weight_kg else None


def _dose(header: Header) -> str | None:
    return f"{plain(header.tracer.dose_bq / 1e6)} MBq" if header.tracer.dose_bq else None


def _of_suv(image: Image) -> Cell:
    """Return dose and weight of a PET, and what of them and of the injection time is missing for SUV."""
    if not _is_pet(image):
        return ""
    header = image.header
    values = {"dose": _dose(header), "weight": _weight(header), "injection time": header.tracer.injected_at}
    missing = [name for name, value in values.items() if value is None]
    given = [values[name] for name in ("dose", "weight") if values[name]]
    why = [f"the sums of {len(image.group)} animals: no SUV"] if image.group else []
    why += [f"no {' and no '.join(missing)}: no SUV"] if missing else []
    text = ", ".join([*map(str, given), *why])
    return (text, _NOT_GIVEN[1]) if why else text


def _animal(image: Image) -> dict[str, object]:
    header, subject = image.header, image.header.subject
    return {
        "Subject": subject.identifier,
        "Species": subject.genus,
        "Strain": subject.phenotype,
        "Sex": subject.sex,
        "Age": subject.age,
        "Weight": _weight(header) or (_is_pet(image) and _NOT_GIVEN),
    }


def _tracer(image: Image) -> dict[str, object]:
    tracer, missing = image.header.tracer, _is_pet(image) and _NOT_GIVEN
    return {
        "Tracer": " ".join(filter(None, (tracer.isotope, tracer.compound))),
        "Half-life": tracer.half_life_s and f"{plain(tracer.half_life_s)} s",
        "Dose": _dose(image.header) or missing,
        "Injected": tracer.injected_at or missing,
    }


def _xrays(ct: Ct) -> dict[str, object]:
    return {
        "Voltage": ct.voltage_kv and f"{ct.voltage_kv:g} kV",
        "Current": ct.anode_current_ua and f"{ct.anode_current_ua:g} uA",
        "Exposure": ct.exposure_time_ms and f"{ct.exposure_time_ms:g} ms",
    }


def _scan(image: Image) -> dict[str, object]:
    header, frames = image.header, image.frames
    times = [frame.start_s for frame in frames if frame.start_s is not None]
    end = max(((frame.start_s or 0) + (frame.duration_s or 0) for frame in frames), default=0)
    mode = (header.acquisition_mode.label,) if header.acquisition_mode else ()
    return {
        "Kind": ", ".join(dict.fromkeys((image.kind, *mode))),
        "Scanner": header.model and header.model.label,
        "Scan time": header.acquisition.started_at,
        "Frames": f"{len(frames)}, {plain(min(times))} to {plain(end)} s" if times and end else len(frames),
        "Gates": _several(frame.gate for frame in frames),
        "Bed positions": _several(frame.bed for frame in frames),
        "Energy windows": _several(frame.energy_window for frame in frames),
        "Study": header.study,
        "Institution": header.institution,
        "Operator": header.acquisition.operator,
    }


def _image(image: Image) -> dict[str, object]:
    header, grid = image.header, image.grid
    return {
        "Unit": image.scaling.unit.value,
        "Voxels": _by(grid.shape),
        "Voxel size": f"{_by(grid.spacing_mm)} mm",
        "Size": f"{_by(round(n * mm, 1) for n, mm in zip(grid.shape, grid.spacing_mm, strict=True))} mm",
        "Orientation": _posture(grid),
        "Stored as": header.array.data_type and header.array.data_type.label,
        "Reconstruction": header.reconstruction.algorithm and header.reconstruction.algorithm.label,
    }


def _posture(grid: Grid) -> Cell:
    """Return the animal's posture and where the axes point; with question marks if it is only assumed."""
    from inveonimaging.inveon.hdr.enums import Orientation

    is_known = grid.orientation is not Orientation.UNKNOWN
    mark = "" if is_known else "?"
    axes = ", ".join(f"+{axis} {letter}{mark}" for axis, letter in zip("xyz", grid.directions, strict=True))
    if is_known:
        return f"{grid.orientation.label} ({axes})"
    return f"not known, placed as {Orientation.FFS.label} ({axes})", "bold yellow"


def _counts(image: Image) -> Cell | None:
    """Return how many findings of each severity there are, in the colour of the most severe."""
    order = ("error", "warning", "note")
    labels = [finding.severity.label for finding in dict.fromkeys(image.findings)]
    counts = {label: labels.count(label) for label in order if label in labels}
    if not counts:
        return None
    text = ", ".join(f"{count} {label}{'s' if count > 1 else ''}" for label, count in counts.items())
    return text, {"error": "bold red", "warning": "yellow", "note": ""}[next(iter(counts))]


def _by(numbers: Iterable[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


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
