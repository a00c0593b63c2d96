"""What commands that take several studies tell of them: a table at the end, and what was not taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from inveonimaging.cli.messages import STYLES, say_failure, shown
from inveonimaging.units import counted

if TYPE_CHECKING:
    from inveonimaging.cli.table import Cell
    from inveonimaging.commands.studies import Failure


def show_studies(rows: Sequence[tuple[str, str]], failures: Sequence[Failure]) -> None:
    """Print a table of studies: the source of each, and what became of it."""
    from inveonimaging.cli.table import show_or_list

    table: list[list[Cell]] = [[shown(source), result] for source, result in rows]
    table += [[shown(each.source), ("not written", STYLES["error"])] for each in failures]
    title = f"{counted(len(rows), 'study', 'studies')} written, {len(failures)} not"
    show_or_list(title, ("Study", "Result"), table)


def failed(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """Return studies that were not taken, for programs."""
    return [{"source": each.source, "message": str(each.error)} for each in failures]


def end(failures: Sequence[Failure]) -> None:
    """Say why studies were not taken, a line each, and end the command with exit code 1; none end nothing."""
    for each in failures:
        say_failure(each.error)
    if failures:
        raise typer.Exit(1)
