"""What commands that take several studies print: a table at the end, and what was not taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from inveonimaging.cli.messages import STYLES, say_failure, say_findings, shown
from inveonimaging.cli.outcome import print_json
from inveonimaging.units import counted

if TYPE_CHECKING:
    from inveonimaging.cli.table import Cell
    from inveonimaging.commands.studies import Failure, Written
    from inveonimaging.nifti_files.volume import Volume
    from inveonimaging.nifti_files.writing import FilesPlan
    from inveonimaging.study.reading import Series


def show_studies(rows: Sequence[tuple[str, str]], failures: Sequence[Failure]) -> None:
    """Print a table of studies: the source of each, and what became of it."""
    from inveonimaging.cli.table import show_or_list

    table: list[list[Cell]] = [[shown(source), result] for source, result in rows]
    table += [[shown(each.source), ("not written", STYLES["error"])] for each in failures]
    title = f"{counted(len(rows), 'study', 'studies')} written, {len(failures)} not"
    show_or_list(title, ("Study", "Result"), table)


def show_plans(
    found: Written[FilesPlan[Any]],
    rows_of: Callable[[FilesPlan[Any]], list[dict[str, Any]]],
    show: Callable[[Sequence[FilesPlan[Any]]], None],
    *,
    as_json: bool,
) -> None:
    """Show what would be written of studies, as a table or for programs, and end the command if some cannot be."""
    say_findings(found.findings)
    if as_json:
        series = [row for plan in found.studies for row in rows_of(plan)]
        print_json({"dry_run": True, "series": series, **_more(found)})
    else:
        show(found.studies)
    end(found.failures)


def show_written(result: Written[Any], paths: Mapping[str, Sequence[Path]], *, recursive: bool, as_json: bool) -> None:
    """Show what was written of studies; a table of them if they were searched for.

    Args:
        result: of the command.
        paths: by their names in the JSON document: those of the studies' attributes.
        recursive: whether they were searched for.
        as_json: print it for programs.
    """
    say_findings(result.findings)
    if as_json:
        print_json({"dry_run": False, **{name: list(map(str, each)) for name, each in paths.items()}, **_more(result)})
    elif recursive:
        name = next(iter(paths))
        counts = ((each, counted(len(getattr(each, name)), name.removesuffix("s"))) for each in result.studies)
        show_studies([(each.source, f"{count} in {shown(each.folder)}") for each, count in counts], result.failures)
    else:
        for path in chain.from_iterable(paths.values()):
            typer.echo(shown(path))
    end(result.failures)


def series_row(series: Series, volume: Volume, **more: object) -> dict[str, Any]:
    """Return a series that would be written, as JSON has it."""
    image = series.image
    what = {"shape": list(volume.shape), "type": volume.dtype.name, "unit": image.scaling.unit.value}
    return {"source": str(image.pair.header), "part": image.part_name, **more, **what}


def _more(found: Written[Any]) -> dict[str, Any]:
    return {"failures": failed(found.failures), "findings": found.findings}


def failed(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """Return studies that were not taken, for programs."""
    return [{"source": each.source, "message": str(each.error)} for each in failures]


def end(failures: Sequence[Failure]) -> None:
    """Say why studies were not taken, a line each, and end the command with exit code 1; none end nothing."""
    for each in failures:
        say_failure(each.error)
    if failures:
        raise typer.Exit(1)
