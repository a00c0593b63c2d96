"""`inveon demo`: a phantom study, written as the scanner would, and converted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from inveonimaging.cli.messages import shown
from inveonimaging.cli.outcome import one_line_errors

EXAMPLES = """\b
Example:
  inveon demo demo
"""
_MOST = 100  # demos beside each other


def demo(output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A new or empty folder.")]) -> None:
    """Write a mouse-like phantom study (CT and dynamic FDG PET) and convert it: try the program without a scanner."""
    with one_line_errors():
        from inveonimaging.cli.convert import planned, run
        from inveonimaging.conversion.options import Options
        from inveonimaging.phantom import write_study
        from inveonimaging.storage.leftovers import DEMO
        from inveonimaging.storage.staging import staged, written

        inveon, dicom = output / DEMO, output / "dicom"
        _refuse_used(output)
        with staged(output) as stage:
            folder = stage.folder(DEMO)
            write_study(folder)
            stage.commit({DEMO: map(written, folder.iterdir())})
        options = Options()
        run(dicom, options, planned(inveon, dicom, options))
    typer.echo(f"\nThe scanner's files are in {shown(inveon)}, the DICOM study is in {shown(dicom)}.")
    typer.echo("Next: open that folder in a DICOM viewer such as 3D Slicer, Horos or Weasis, or run")
    typer.echo(f"  inveon info {shown(inveon)}")


def _refuse_used(output: Path) -> None:
    """Refuse a folder in which something is, and say which one is free.

    Raises:
        OutputError: there is something.
    """
    from inveonimaging.errors import OutputError
    from inveonimaging.storage.staging import refuse_settled, refuse_used

    try:
        refuse_settled(output, lambda: refuse_used(output))
    except OutputError as error:
        named = output if output.name not in ("", "..") else output / "demo"
        others = (named.with_name(f"{named.name}-{number}") for number in range(2, _MOST))
        free = next((each for each in others if not os.path.lexists(each)), None)
        hint = f'nothing is overwritten; type: inveon demo "{shown(free)}"' if free else error.hint
        raise OutputError(error.message, path=error.path, expected=error.expected, hint=hint) from error
