"""`inveon demo`: a phantom study, written as the scanner would, and converted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inveonimaging.cli.messages import shown
from inveonimaging.cli.outcome import one_line_errors

EXAMPLES = """\b
Example:
  inveon demo demo
"""


def demo(output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A new or empty folder.")]) -> None:
    """Write a mouse-like phantom study (CT and dynamic FDG PET) and convert it: try the program without a scanner."""
    with one_line_errors():
        from inveonimaging.cli.convert import planned, run
        from inveonimaging.commands.demo import DICOM, write_demo
        from inveonimaging.conversion.options import Options

        inveon, dicom, options = write_demo(output), output / DICOM, Options()
        run(dicom, options, planned(inveon, dicom, options))
    typer.echo(f"\nThe scanner's files are in {shown(inveon)}, the DICOM study is in {shown(dicom)}.")
    typer.echo("Next: open the DICOM study in a viewer such as 3D Slicer, Horos or Weasis, or run")
    typer.echo(f"  inveon info {shown(inveon)}")
