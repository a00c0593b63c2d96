"""`inveon report`: a page with pictures of what is in Inveon files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inveonimaging.cli.messages import say_failure, say_findings, shown
from inveonimaging.cli.options import AskedCorrections, takes_corrections
from inveonimaging.cli.outcome import one_line_errors

if TYPE_CHECKING:
    from inveonimaging.conversion.job import StudyResult
    from inveonimaging.conversion.options import Options
    from inveonimaging.conversion.plan import StudyPlan

EXAMPLES = """\b
Examples:
  inveon report mouse_study -o report.html
  inveon report scan.pet.img -o report.html --viewer
  inveon report mouse_study --png pictures
"""


@takes_corrections
def report(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A folder of Inveon files, or one .img or .hdr file.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The page; default report.html.")
    ] = None,
    png: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the single pictures there.")] = None,
    viewer: Annotated[bool, typer.Option("--viewer", help="Put the volumes and a viewer into the page.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
    *,
    corrections: AskedCorrections,
) -> None:
    """Show what is in Inveon files: one HTML page with slices, projections, curves, findings and the whole header."""
    with one_line_errors():
        from inveonimaging.cli.progress import bar
        from inveonimaging.commands.report import report as write
        from inveonimaging.errors import OptionError

        if viewer and png and not output:
            raise OptionError("--viewer is part of the page", hint="name the page, too: -o report.html")
        page = output or (None if png else Path("report.html"))
        given = corrections()
        with bar("Drawing") as advance:
            result = write(
                source, page, pictures=png, viewer=viewer, overwrite=overwrite, corrections=given, progress=advance
            )
        for path in (*result.pictures, *((result.page,) if result.page else ())):
            typer.echo(shown(path))
        say_findings(result.findings)
        codes = [say_failure(error) for error in result.errors]
        raise typer.Exit(max(codes, default=0))


def write_reports(
    studies: tuple[StudyPlan, ...], results: tuple[StudyResult, ...], options: Options
) -> tuple[str, ...]:
    """Write a report beside each study that was converted; return their paths."""
    from inveonimaging.cli.progress import bar
    from inveonimaging.commands import convert

    with bar("Drawing") as advance:
        return tuple(map(str, convert.write_reports(studies, results, options, advance)))
