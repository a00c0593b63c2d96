"""`inveon remove`: take a conversion back, after showing what goes and what stays."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inveonimaging.cli.messages import shown
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.errors import OptionError, listed
from inveonimaging.units import counted

if TYPE_CHECKING:
    from inveonimaging.commands.remove import Removal

EXAMPLES = """\b
Examples:
  inveon remove dicom --dry-run
  inveon remove dicom
"""
_STAYS_SHOWN = 5


def remove(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The folder of a study, with its manifest.")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="All studies below OUTPUT.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all files as JSON on stdout; do not ask.")] = False,
) -> None:
    """Remove what the manifest of a conversion lists, and nothing else, after showing it."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.cli.progress import bar
        from inveonimaging.commands.remove import plan_removal, remove_planned

        with bar("Comparing") as advance:
            removals = plan_removal(output, recursive=recursive, progress=advance)
        if not as_json:
            _show(removals)
        if not dry_run:
            if not yes:
                _ask(removals, as_json=as_json)
            with bar("Removing") as advance:
                remove_planned(removals, advance)
        if as_json:
            print_json({"dry_run": dry_run, "studies": [_document(each) for each in removals]})
        elif not dry_run:
            typer.echo(f"removed {_sum(removals)}")


def _show(removals: tuple[Removal, ...]) -> None:
    for removal in removals:
        for each in removal.series:
            megabytes = f"{each.size / 1e6:.1f} MB"
            typer.echo(f"{shown(each.folder)}: {counted(len(each.files), 'file', 'files')}, {megabytes}")
        typer.echo(shown(removal.files[-1]))
        if removal.gone:
            typer.echo(f"note: {counted(removal.gone, 'file', 'files')} of the manifest no longer there")
        if removal.stays:
            names = listed([shown(path) for path in removal.stays], _STAYS_SHOWN)
            typer.echo(f"note: kept, since no manifest lists it: {names}")


def _sum(removals: tuple[Removal, ...]) -> str:
    files = counted(sum(len(each.files) for each in removals), "file", "files")
    studies = f" of {counted(len(removals), 'study', 'studies')}" if len(removals) > 1 else ""
    return f"{files}{studies}, {sum(each.size for each in removals) / 1e6:.1f} MB"


def _ask(removals: tuple[Removal, ...], *, as_json: bool) -> None:
    """Ask whether to go on, at a terminal.

    Raises:
        OptionError: there is nobody to ask.
        typer.Exit: the answer is no.
    """
    if as_json or not sys.stdin.isatty():
        raise OptionError("nothing was removed", hint="--yes removes what was shown, --dry-run only shows it")
    if not typer.confirm(f"Remove {_sum(removals)}?"):
        typer.echo("nothing was removed")
        raise typer.Exit(1)


def _document(removal: Removal) -> dict[str, object]:
    """Return all names, for programs."""
    files, stays = [str(path) for path in removal.files], [str(path) for path in removal.stays]
    return {"output": str(removal.output), "files": files, "bytes": removal.size, "gone": removal.gone, "stays": stays}
