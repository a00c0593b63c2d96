"""`inveon split`: a group of animals that were scanned together -> one study an animal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inveonimaging.cli.convert import run
from inveonimaging.cli.messages import shown
from inveonimaging.cli.options import Asked, takes_conversion_options
from inveonimaging.cli.outcome import one_line_errors
from inveonimaging.cli.send import address_of
from inveonimaging.cli.usage import swapped

if TYPE_CHECKING:
    from inveonimaging.commands.split import SplitPlan

EXAMPLES = """\b
Examples:
  inveon split hotel dicom --subjects hotel.csv
  inveon split hotel dicom --subjects hotel.csv -n --preview boxes.html
  inveon split hotel dicom --subjects hotel.csv --boxes boxes.json
"""


@takes_conversion_options
def split(
    ctx: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A folder of Inveon files of one session, or one of them.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder: each animal gets one below it.")],
    asked: Asked,
    boxes: Annotated[
        Path | None, typer.Option("--boxes", metavar="FILE", help="Where each animal lies, instead of finding them.")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that shows the boxes, before anything else.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what an earlier conversion wrote there.")
    ] = False,
    manifest: Annotated[bool, typer.Option(help="Write inveon-manifest.json beside the series.")] = True,
    verify: Annotated[bool, typer.Option("--verify", help="Read the files back and compare them with INPUT.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write report.html beside the series.")] = False,
    send: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Send the files to a server, as `inveon send` does.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show what would be written; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Cut a scan of several animals into one study each; the sheet says which animal lies where."""
    with one_line_errors(as_json=as_json), swapped("split", source, output):
        from inveonimaging.commands.split import plan_split

        options = replace(asked(), overwrite=overwrite, manifest=manifest)
        send = send and address_of(send, no_config=bool(ctx.params.get("no_config")))
        planned = plan_split(source, output, options, boxes, preview=preview, writes=not dry_run)
        if dry_run and not as_json:
            _show(planned)
        run(output, options, planned.studies, report=report, verify=verify, send=send, dry_run=dry_run, as_json=as_json)


def _show(planned: SplitPlan) -> None:
    """Show where each animal lies."""
    from inveonimaging.cli.table import show_or_list

    titles = ("Position", "Animal", "From, mm along i, j, k", "To")
    ids = [shown(each.id) for each in planned.group.hotel.animals]
    rows = [
        [position, id_, *(", ".join(f"{each:.1f}" for each in place) for place in (extent.low_mm, extent.high_mm))]
        for (position, extent), id_ in zip(planned.boxes, ids, strict=True)
    ]
    show_or_list("Boxes in the gantry, without their margin", titles, rows)
