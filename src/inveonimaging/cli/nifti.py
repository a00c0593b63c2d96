"""`inveon nifti`: a NIfTI file of each series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inveonimaging.cli.messages import say_findings, shown
from inveonimaging.cli.options import (
    AskedCorrections,
    AskedDeidentification,
    Boxes,
    MaskOthers,
    Recursive,
    Split,
    takes_corrections,
    takes_deidentification,
)
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.cli.several import end, failed, show_studies
from inveonimaging.cli.usage import swapped
from inveonimaging.units import counted

if TYPE_CHECKING:
    from inveonimaging.commands.nifti import NiftiResult
    from inveonimaging.nifti_files.options import NiftiOptions
    from inveonimaging.nifti_files.writing import NiftiPlan

EXAMPLES = """\b
Examples:
  inveon nifti mouse_study nifti
  inveon nifti scan.pet.img pet.nii --reorient RAS
  inveon nifti hotel nifti --split --subjects hotel.csv
  inveon nifti archive nifti --recursive
  inveon nifti mouse_study nifti --scale-voxels 10
"""


@takes_corrections
@takes_deidentification
def nifti(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A folder, or one .img or .hdr file.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder; of one series also a .nii or .nii.gz.")],
    corrections: AskedCorrections,
    *,
    recursive: Recursive = False,
    split: Split = False,
    boxes: Boxes = None,
    mask_others: MaskOthers = False,
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
        from inveonimaging.commands.nifti import nifti as write
        from inveonimaging.nifti_files.options import NiftiOptions

        options = NiftiOptions(
            **corrections().values,
            recursive=recursive,
            split=split,
            boxes=boxes,
            mask_others=mask_others,
            compressed=gzip,
            reorient=reorient,
            scale_voxels=scale_voxels,
            overwrite=overwrite,
            deidentify=deidentification(),
        )
        if dry_run:
            _list(source, output, options, as_json=as_json)
            return
        with bar() as advance:
            result = write(source, output, options, progress=advance)
        say_findings(result.findings)
        _show(result, options, as_json=as_json)
        end(result.failures)


def _show(result: NiftiResult, options: NiftiOptions, *, as_json: bool) -> None:
    if as_json:
        files, beside = list(map(str, result.files)), list(map(str, result.beside))
        more = {"failures": failed(result.failures), "findings": result.findings}
        print_json({"dry_run": False, "files": files, "beside": beside, **more})
    elif options.recursive:
        rows = [(each.source, f"{counted(len(each.files), 'file')} in {shown(each.folder)}") for each in result.studies]
        show_studies(rows, result.failures)
    else:
        for path in (*result.files, *result.beside):
            typer.echo(shown(path))


def _list(source: Path, output: Path, options: NiftiOptions, *, as_json: bool) -> None:
    """Show what would be written."""
    from inveonimaging.commands.nifti import planned
    from inveonimaging.commands.studies import gathered
    from inveonimaging.sheet.matching import sheet_findings

    plans, failures = gathered(planned(source, output, options))
    rows = (row for plan in plans for row in plan.study.matched_rows)
    found = [
        *sheet_findings(options.corrections.sheet, rows),
        *(finding for plan in plans for finding in plan.findings),
    ]
    say_findings(found)
    if as_json:
        series = [row for plan in plans for row in _rows(plan)]
        print_json({"dry_run": True, "series": series, "failures": failed(failures), "findings": found})
    else:
        for plan in plans:
            _show_plan(plan)
    end(failures)


def _rows(plan: NiftiPlan) -> list[dict[str, Any]]:
    return [
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


def _show_plan(plan: NiftiPlan) -> None:
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
