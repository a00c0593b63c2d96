"""The command `inveon`: its sub-commands, its version, and how errors become one line and an exit code."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from inveonimaging.cli import batch, check, convert, demo, explain, info, report, send, subjects, verify, xnat
from inveonimaging.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Turn Siemens Inveon images (NAME.img + NAME.img.hdr) into DICOM.",
    epilog="Exit codes: 0 done, 1 the data cannot be converted, 2 wrong usage, 130 or 143 interrupted.",
)
app.command(short_help="Convert Inveon files to DICOM.", epilog=convert.EXAMPLES)(convert.convert)
app.command(short_help="Convert every study below a folder.", epilog=batch.EXAMPLES)(batch.batch)
app.command(short_help="Show what is in Inveon files.", epilog=info.EXAMPLES)(info.info)
app.command(short_help="Write a sheet of subjects from headers.", epilog=subjects.EXAMPLES)(subjects.subjects)
app.command(short_help="Find problems, and whether SUV can be computed.", epilog=check.EXAMPLES)(check.check)
app.command(short_help="Explain a finding by its code.", epilog=explain.EXAMPLES)(explain.explain)
app.command(short_help="Make a page of pictures of Inveon files.", epilog=report.EXAMPLES)(report.report)
app.command(short_help="Compare DICOM with the Inveon files it was made from.", epilog=verify.EXAMPLES)(verify.verify)
app.command(short_help="Convert a scan or session of an XNAT archive.", epilog=xnat.EXAMPLES)(xnat.xnat)
app.command(short_help="Send DICOM to a PACS or a DICOMweb service.", epilog=send.EXAMPLES)(send.send)
app.command(short_help="Write a phantom study, and convert it.", epilog=demo.EXAMPLES)(demo.demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"inveon {__version__}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Turn Siemens Inveon images (NAME.img + NAME.img.hdr) into DICOM."""
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # numpy would start a thread for each core, for what we never ask
