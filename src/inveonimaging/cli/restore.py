"""`inveon restore`: DICOM of ours back to the Inveon files that it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inveonimaging.cli.messages import shown
from inveonimaging.cli.outcome import one_line_errors, print_json

if TYPE_CHECKING:
    from inveonimaging.restoring.job import RestoreResult
    from inveonimaging.restoring.plan import RestorePlan

EXAMPLES = """\b
Examples:
  inveon restore dicom mouse_study
  inveon restore dicom/2 pet --dry-run
"""
_NAMED = 4


def restore(
    source: Annotated[Path, typer.Argument(metavar="DICOM", help="A folder with all below it, or one file.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder, which is made if it is missing.")],
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be written.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Write the Inveon files from which DICOM of inveonimaging was made: .img.hdr byte for byte, and .img."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.cli.progress import bar
        from inveonimaging.restoring.job import write_restored
        from inveonimaging.restoring.plan import plan_restore

        plan = plan_restore(source, output, overwrite=overwrite)
        for line in plan.left_out:
            typer.echo(line, err=True)
        if dry_run:
            _show_plan(plan, as_json=as_json)
            return
        with bar() as advance:
            result = write_restored(plan, overwrite=overwrite, progress=advance)
        _show(result, as_json=as_json)


def _show(result: RestoreResult, *, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": False, "pairs": result.pairs, "left_out": result.left_out})
        return
    for pair in result.pairs:
        near = _near(pair.max_error, pair.unit, is_whole=pair.is_whole)
        if pair.is_original:
            near = "byte for byte the files that were converted"
        elif pair.is_original is False:
            near += "; not the file that the manifest names: the pixels, or bytes outside the frames, differ"
        typer.echo(f"{shown(pair.data)}: {near}{_of_header(pair.missing, is_cut=pair.is_cut)}")


def _show_plan(plan: RestorePlan, *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "header": str(plan.folder / pair.header_name),
                "data": str(plan.folder / pair.name),
                "bytes": pair.size,
                "max_error": pair.max_error,
                "unit": pair.scaling.unit.value,
                "is_cut": pair.is_cut,
                "missing": pair.missing,
            }
            for pair in plan.pairs
        ]
        print_json({"dry_run": True, "pairs": rows, "left_out": plan.left_out})
        return
    for pair in plan.pairs:
        near = _near(pair.max_error, pair.scaling.unit.value, is_whole=pair.voxels.dtype.kind == "i")
        about = _of_header(pair.missing, is_cut=pair.is_cut)
        typer.echo(f"{shown(plan.folder / pair.name)}: would have {pair.size} bytes, {near}{about}")


def _near(max_error: float, unit: str, *, is_whole: bool) -> str:
    if not max_error:
        return "voxels bit for bit as they were converted"
    of_unit = f" ({unit})" if " " in unit else f" {unit}"
    steps = "half a step each of the DICOM and of the file" if is_whole else "half a step of the DICOM"
    return f"voxels within {max_error:.3g}{of_unit} of those that were converted, {steps}"


def _of_header(missing: tuple[str, ...], *, is_cut: bool) -> str:
    """Return what to print about a header that is not the original."""
    words = "; the header is that of the part, made from the group's" if is_cut else ""
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        words += f"; the header has what de-identification left, without {', '.join(missing[:_NAMED])}{more}"
    return words
