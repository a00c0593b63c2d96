"""`inveon report`: a page with pictures of what is in Inveon files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inveonimaging.cli.messages import say_failure, say_findings, shown
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

Posture = Literal["FFP", "HFP", "FFS", "HFS", "FFDR", "HFDR", "FFDL", "HFDL"]


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
    orientation: Annotated[Posture | None, typer.Option(help="The animal's posture, instead of the header's.")] = None,
    flip: Annotated[
        str, typer.Option(metavar="AXES", help="Stored axes to mirror, letters of xyz; see docs/how-to/orientation.md.")
    ] = "",
    bed_direction: Annotated[
        Literal["forward", "reverse"], typer.Option(help="Where a larger bed_offset looks, along the slices.")
    ] = "forward",
    frame_of_reference: Annotated[
        Literal["auto", "shared", "separate"], typer.Option(help="Which series lie in one space, for PET on CT.")
    ] = "auto",
    apply_hounsfield: Annotated[
        bool, typer.Option("--apply-hounsfield", help="CT: apply ct_hounsfield_scale and ct_hounsfield_offset.")
    ] = False,
    subjects: Annotated[
        Path | None, typer.Option("--subjects", metavar="FILE", help="Sheet with a row for each subject or scan.")
    ] = None,
) -> None:
    """Show what is in Inveon files: one HTML page with slices, projections, curves, findings and the whole header."""
    with one_line_errors():
        from inveonimaging.errors import OptionError

        if viewer and png and not output:
            raise OptionError("--viewer is part of the page", hint="name the page, too: -o report.html")
        from inveonimaging.reports.page import write_report
        from inveonimaging.reports.pictures import write_pictures
        from inveonimaging.reports.study import read_study
        from inveonimaging.storage.whole_files import refuse_taken

        page = output or (None if png else Path("report.html"))
        if page:
            refuse_taken(page, overwrite=overwrite)
        study = read_study(
            source,
            orientation=orientation,
            flip=flip,
            bed_direction=bed_direction,
            frame_of_reference=frame_of_reference,
            apply_hounsfield=apply_hounsfield,
            sheet=subjects,
        )
        if png:
            for path in write_pictures(study, png, overwrite=overwrite):
                typer.echo(shown(path))
        if page:
            typer.echo(shown(write_report(study, page, viewer=viewer, overwrite=overwrite)))
        say_findings(study.findings)
        codes = [say_failure(error) for error in study.errors]
        raise typer.Exit(max(codes, default=0))


def refuse_reports(studies: tuple[StudyPlan, ...]) -> None:
    """Refuse to convert where a report could not be written afterwards.

    Raises:
        InveonError: something else has the report's name.
    """
    from inveonimaging.reports.after_convert import refuse_report

    for study in studies:
        refuse_report(study.output)


def write_reports(
    studies: tuple[StudyPlan, ...], results: tuple[StudyResult, ...], options: Options
) -> tuple[str, ...]:
    """Write a report beside each study that was converted; return their paths."""
    from datetime import datetime

    from inveonimaging.reports.after_convert import write_beside

    now = datetime.now()
    return tuple(str(write_beside(study, result, options, now)) for study, result in zip(studies, results, strict=True))
