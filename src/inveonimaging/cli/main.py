"""The command `inveon`: its sub-commands, its version, and how errors become one line and an exit code."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

import typer

from inveonimaging.cli import (
    app as app_,
)
from inveonimaging.cli import (
    batch,
    bids,
    check,
    config,
    convert,
    curves,
    demo,
    explain,
    help_,
    info,
    nifti,
    remove,
    report,
    restore,
    send,
    split,
    subjects,
    verify,
    xnat,
    zarr,
)
from inveonimaging.cli.usage import HELP_OPTIONS, Command, Commands
from inveonimaging.version import __version__

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    context_settings=HELP_OPTIONS,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Turn Siemens Inveon images (NAME.img + NAME.img.hdr) into DICOM.",
    epilog="Exit codes: 0 done, 1 the data cannot be converted, 2 wrong usage, 130 or 143 interrupted.",
)


def _add(what: Callable[..., None], short_help: str, epilog: str, name: str | None = None) -> None:
    app.command(name, cls=Command, context_settings=HELP_OPTIONS, short_help=short_help, epilog=epilog)(what)


_add(convert.convert, "Convert Inveon files to DICOM.", convert.EXAMPLES)
_add(split.split, "Cut a scan of several animals into one study each.", split.EXAMPLES)
_add(batch.batch, "Convert every study below a folder.", batch.EXAMPLES)
_add(nifti.nifti, "Write a NIfTI file of each series.", nifti.EXAMPLES)
_add(bids.bids, "Make a BIDS data set, or add to one.", bids.EXAMPLES)
_add(curves.curves, "Measure time-activity curves of regions.", curves.EXAMPLES)
_add(restore.restore, "Write the Inveon files that DICOM was made from.", restore.EXAMPLES)
_add(zarr.zarr, "Write an OME-Zarr store of each series.", zarr.EXAMPLES)
_add(info.info, "Show what is in Inveon files.", info.EXAMPLES)
_add(subjects.subjects, "Write a sheet of subjects from headers.", subjects.EXAMPLES)
_add(check.check, "Find problems, and whether SUV can be computed.", check.EXAMPLES)
_add(explain.explain, "Explain a finding by its code.", explain.EXAMPLES)
_add(report.report, "Make a page of pictures of Inveon files.", report.EXAMPLES)
_add(verify.verify, "Compare DICOM with the Inveon files it was made from.", verify.EXAMPLES)
_add(xnat.xnat, "Convert a scan or session of an XNAT archive.", xnat.EXAMPLES)
_add(send.send, "Send DICOM to a PACS or a DICOMweb service.", send.EXAMPLES)
_add(config.config, "Show settings and where they come from.", config.EXAMPLES)
_add(app_.app, "Show and convert scans in a browser.", app_.EXAMPLES)
_add(demo.demo, "Write a phantom study, and convert it.", demo.EXAMPLES)
_add(remove.remove, "Take a conversion back.", remove.EXAMPLES)
_add(help_.show, "Show the help of a command.", help_.EXAMPLES, "help")


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
