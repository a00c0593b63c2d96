"""`inveon nifti`: a NIfTI file of each series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inveonimaging.cli.messages import say_findings, shown
from inveonimaging.cli.options import (
    AskedCorrections,
    AskedDeidentification,
    takes_corrections,
    takes_deidentification,
)
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.cli.usage import swapped

if TYPE_CHECKING:
    from inveonimaging.commands.nifti import NiftiResult
    from inveonimaging.nifti_files.writing import NiftiPlan

EXAMPLES = """\b
Examples:
  inveon nifti mouse_study nifti
  inveon nifti scan.pet.img pet.nii --reorient RAS
  inveon nifti mouse_study nifti --scale-voxels 10
"""


@takes_corrections
@takes_deidentification
def nifti(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A folder, or one .img or .hdr file.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder; of one series also a .nii or .nii.gz.")],
    corrections: AskedCorrections,
    *,
    gzip: Annotated[bool, typer.Option("--gzip/--no-gzip", help="Write .nii.gz, or .nii.")] = True,
    reorient: Annotated[
        str | None, typer.Option(metavar="RAS", help="Permute and flip axes to run so; nothing is resampled.")
    ] = None,
    scale_voxels: Annotated[
        float | None, typer.Option(metavar="N", help="Write voxels N times as large, for programs made for humans.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be written.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
    deidentification: AskedDeidentification,
) -> None:
    """Write a NIfTI file of each series, in true mm, with its frame times beside it as .json and .sif."""
    with one_line_errors(as_json=as_json), swapped("nifti", source, output):
        from inveonimaging.cli.progress import bar
        from inveonimaging.commands.nifti import planned, write_planned
        from inveonimaging.nifti_files.options import NiftiOptions

        options = NiftiOptions(
            **corrections().values,
            compressed=gzip,
            reorient=reorient,
            scale_voxels=scale_voxels,
            overwrite=overwrite,
            deidentify=deidentification(),
        )
        plan = planned(source, output, options)
        if dry_run:
            say_findings(plan.findings)
            _show_plan(plan, as_json=as_json)
            return
        with bar() as advance:
            result = write_planned(plan, options, advance)
        say_findings(result.findings)
        _show(result, as_json=as_json)


def _show(result: NiftiResult, *, as_json: bool) -> None:
    if as_json:
        files, beside = list(map(str, result.files)), list(map(str, result.beside))
        print_json({"dry_run": False, "files": files, "beside": beside, "findings": result.findings})
        return
    for path in (*result.files, *result.beside):
        typer.echo(shown(path))


def _show_plan(plan: NiftiPlan, *, as_json: bool) -> None:
    rows = [
        {
            "source": str(each.series.image.pair.header),
            "part": each.series.image.part_name,
            "file": str(plan.folder / each.name),
            "beside": [str(plan.folder / name) for name in each.beside],
            "shape": list(each.volume.shape),
            "type": each.volume.dtype.name,
            "unit": each.series.image.scaling.unit.value,
            "axes": each.volume.codes,
        }
        for each in plan.files
    ]
    if as_json:
        print_json({"dry_run": True, "series": rows, "findings": plan.findings})
        return
    from inveonimaging.cli.table import show_or_list

    titles = ("Source", "File", "Voxels", "Type", "Unit", "Axes")
    table = [
        [
            ", ".join(filter(None, (shown(each.series.image.pair.name), each.series.image.part_name))),
            shown(each.name),
            " x ".join(map(str, each.volume.shape)),
            each.volume.dtype.name,
            each.series.image.scaling.unit.value,
            each.volume.codes,
        ]
        for each in plan.files
    ]
    show_or_list(f"Would be written to {shown(plan.folder)}", titles, table)
