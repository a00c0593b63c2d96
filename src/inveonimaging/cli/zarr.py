"""`inveon zarr`: an OME-Zarr store of each series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
    from inveonimaging.zarr_files.writing import ZarrPlan

EXAMPLES = """\b
Examples:
  inveon zarr mouse_study zarr
  inveon zarr scan.ct.img ct.ome.zarr --ome-version 0.4
  inveon zarr hotel zarr --split --subjects hotel.csv
  inveon zarr archive zarr --recursive
"""


@takes_corrections
@takes_deidentification
def zarr(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A folder, or one .img or .hdr file.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder; of one series also a .ome.zarr.")],
    corrections: AskedCorrections,
    *,
    recursive: Recursive = False,
    split: Split = False,
    boxes: Boxes = None,
    mask_others: MaskOthers = False,
    ome_version: Annotated[
        Literal["0.4", "0.5"], typer.Option("--ome-version", help="Of OME-Zarr; 0.4 for older programs.")
    ] = "0.5",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace stores that this program wrote.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be written.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
    deidentification: AskedDeidentification,
) -> None:
    """Write an OME-Zarr store of each series: compressed, in several resolutions, in mm and s."""
    with one_line_errors(as_json=as_json), swapped("zarr", source, output):
        from inveonimaging.cli.progress import bar
        from inveonimaging.commands.studies import gathered
        from inveonimaging.commands.zarr import planned
        from inveonimaging.commands.zarr import zarr as write
        from inveonimaging.zarr_files.options import ZarrOptions

        options = ZarrOptions(
            **corrections().values,
            recursive=recursive,
            split=split,
            boxes=boxes,
            mask_others=mask_others,
            ome_version=ome_version,
            overwrite=overwrite,
            deidentify=deidentification(),
        )
        if dry_run:
            show_plans(gathered(planned(source, output, options), options), _rows, _show_plans, as_json=as_json)
            return
        with bar() as advance:
            result = write(source, output, options, progress=advance)
        show_written(result, {"stores": result.stores}, recursive=recursive, as_json=as_json)


def _rows(plan: ZarrPlan) -> list[dict[str, Any]]:
    return [
        {
            **series_row(each.series, each.volume, store=str(plan.folder / each.name)),
            "levels": [list(level.shape) for level in each.levels],
        }
        for each in plan.files
    ]


def _show_plans(plans: Sequence[ZarrPlan]) -> None:
    from inveonimaging.cli.table import show_or_list

    table = [
        [
            shown(plan.folder / each.name),
            " x ".join(map(str, each.volume.shape)),
            each.volume.dtype.name,
            str(len(each.levels)),
        ]
        for plan in plans
        for each in plan.files
    ]
    show_or_list("Would be written", ("Store", "Voxels", "Type", "Resolutions"), table)
