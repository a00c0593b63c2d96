"""`inveon nifti`: a NIfTI file of each series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inveonimaging.cli.messages import shown
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
from inveonimaging.cli.outcome import one_line_errors
from inveonimaging.cli.several import series_row, show_plans, show_written
from inveonimaging.cli.usage import swapped

if TYPE_CHECKING:
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
        from inveonimaging.commands.nifti import planned
        from inveonimaging.commands.studies import gathered
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
            show_plans(gathered(planned(source, output, options), options), _rows, _show_plans, as_json=as_json)
            return
        with bar() as advance:
            result = write(source, output, options, progress=advance)
        show_written(result, {"files": result.files, "beside": result.beside}, recursive=recursive, as_json=as_json)


def _rows(plan: NiftiPlan) -> list[dict[str, Any]]:
    return [
        {
            **series_row(
                each.series,
                each.volume,
                file=str(plan.folder / each.name),
                beside=[str(plan.folder / name) for name in each.beside],
            ),
            "axes": each.volume.codes,
        }
        for each in plan.files
    ]


def _show_plans(plans: Sequence[NiftiPlan]) -> None:
    from inveonimaging.cli.table import show_or_list

    for plan in plans:
        table = [
            [
                shown(each.series.image.title),
                shown(each.name),
                " x ".join(map(str, each.volume.shape)),
                each.volume.dtype.name,
                each.series.image.scaling.unit.value,
                each.volume.codes,
            ]
            for each in plan.files
        ]
        titles = ("Source", "File", "Voxels", "Type", "Unit", "Axes")
        show_or_list(f"Would be written to {shown(plan.folder)}", titles, table)
