"""`inveon zarr`: an OME-Zarr store of each series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
    from inveonimaging.commands.zarr import ZarrResult
    from inveonimaging.zarr_files.options import ZarrOptions
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
            _list(source, output, options, as_json=as_json)
            return
        with bar() as advance:
            result = write(source, output, options, progress=advance)
        say_findings(result.findings)
        _show(result, options, as_json=as_json)
        end(result.failures)


def _show(result: ZarrResult, options: ZarrOptions, *, as_json: bool) -> None:
    if as_json:
        more = {"failures": failed(result.failures), "findings": result.findings}
        print_json({"dry_run": False, "stores": list(map(str, result.stores)), **more})
    elif options.recursive:
        rows = [
            (each.source, f"{counted(len(each.stores), 'store')} in {shown(each.folder)}") for each in result.studies
        ]
        show_studies(rows, result.failures)
    else:
        for path in result.stores:
            typer.echo(shown(path))


def _list(source: Path, output: Path, options: ZarrOptions, *, as_json: bool) -> None:
    """Show what would be written."""
    from inveonimaging.commands.studies import gathered
    from inveonimaging.commands.zarr import planned
    from inveonimaging.sheet.matching import sheet_findings

    plans, failures = gathered(planned(source, output, options))
    matched = (row for plan in plans for row in plan.study.matched_rows)
    found = [
        *sheet_findings(options.corrections.sheet, matched),
        *(finding for plan in plans for finding in plan.findings),
    ]
    say_findings(found)
    rows = [row for plan in plans for row in _rows(plan)]
    if as_json:
        print_json({"dry_run": True, "series": rows, "failures": failed(failures), "findings": found})
    else:
        from inveonimaging.cli.table import show_or_list

        table = [
            [shown(each["store"]), " x ".join(map(str, each["shape"])), each["type"], str(len(each["levels"]))]
            for each in rows
        ]
        show_or_list("Would be written", ("Store", "Voxels", "Type", "Resolutions"), table)
    end(failures)


def _rows(plan: ZarrPlan) -> list[dict[str, Any]]:
    return [
        {
            "source": str(each.series.image.pair.header),
            "part": each.series.image.part_name,
            "store": str(plan.folder / each.name),
            "shape": list(each.volume.shape),
            "type": each.volume.dtype.name,
            "unit": each.series.image.scaling.unit.value,
            "levels": [list(level.shape) for level in each.levels],
        }
        for each in plan.stores
    ]
