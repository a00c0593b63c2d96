"""`inveon help`: the help of a command, as `inveon COMMAND --help` shows it."""

from __future__ import annotations

from typing import Annotated

import typer

from inveonimaging.cli.usage import help_of

EXAMPLES = """\b
Examples:
  inveon help
  inveon help convert
"""


def show(
    ctx: typer.Context,
    command: Annotated[
        str | None, typer.Argument(metavar="[COMMAND]", help="Name of a command; none lists them.")
    ] = None,
) -> None:
    """Show what a command does, and its options."""
    typer.echo(help_of(ctx, command), color=ctx.color)
