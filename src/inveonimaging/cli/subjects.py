"""`inveon subjects`: a sheet of subjects and scans, pre-filled from the headers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from inveonimaging.cli.messages import say_failure, say_findings, shown
from inveonimaging.cli.options import AskedCorrections, takes_corrections
from inveonimaging.cli.outcome import one_line_errors
from inveonimaging.errors import OptionError
from inveonimaging.units import counted

EXAMPLES = """\b
Examples:
  inveon subjects archive -o subjects.csv
  inveon subjects archive -o animals.xlsx --by subject
  inveon subjects session -o hotel.csv --hotel
  inveon convert archive dicom --recursive --subjects subjects.csv
"""


@takes_corrections
def subjects(
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="A folder with Inveon files at any depth, or one .img or .hdr file.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The sheet: .csv, .tsv or .xlsx.")],
    by: Annotated[Literal["scan", "subject"], typer.Option("--by", help="What a row is about.")] = "scan",
    columns: Annotated[
        Literal["basic", "all"], typer.Option("--columns", help="Columns that people need, or all.")
    ] = "basic",
    hotel: Annotated[
        bool, typer.Option("--hotel", help="A row an animal that the scans of one session show, for inveon split.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of the same name.")] = False,
    *,
    corrections: AskedCorrections,
) -> None:
    """Write a sheet pre-filled from the headers, to be corrected and given to inveon convert --subjects."""
    with one_line_errors():
        from inveonimaging.batches.walk import left_aside
        from inveonimaging.cli.progress import bar
        from inveonimaging.commands.subjects import subjects as write

        if hotel and by != "scan":
            raise OptionError("--hotel and --by are given", expected="one of them")
        with bar("Reading") as advance:
            result = write(
                root,
                output,
                by="animal" if hotel else by,
                columns=columns,
                overwrite=overwrite,
                corrections=corrections(),
                progress=advance,
            )
        if result.path:
            typer.echo(
                f"{shown(result.path)}: {counted(result.rows, 'row')}, one {'an animal' if hotel else f'a {by}'}"
            )
        for note in left_aside(result.passed):
            typer.echo(f"note: {note}")
        say_findings(result.findings)
        codes = [say_failure(error) for error in result.errors]
        raise typer.Exit(max(codes, default=0))
