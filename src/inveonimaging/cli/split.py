"""`inveon split`: a group of animals that were scanned together -> one study an animal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from inveonimaging.cli.convert import run
from inveonimaging.cli.options import Asked, takes_conversion_options
from inveonimaging.cli.outcome import one_line_errors
from inveonimaging.cli.send import address_of
from inveonimaging.cli.usage import swapped

EXAMPLES = """\b
Examples:
  inveon split hotel dicom --subjects hotel.csv --boxes boxes.json
  inveon split hotel dicom --subjects hotel.csv --boxes boxes.json -n
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
        Path | None, typer.Option("--boxes", metavar="FILE", help="Where each animal lies: a file of boxes.")
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
        planned = plan_split(source, output, options, boxes)
        run(output, options, planned.studies, report=report, verify=verify, send=send, dry_run=dry_run, as_json=as_json)
