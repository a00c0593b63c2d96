"""`inveon batch`: every study below a folder -> DICOM, in parallel, again and again until all is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inveonimaging.cli.messages import say_findings, shown
from inveonimaging.cli.options import Asked, MaskOthers, takes_conversion_options
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.cli.usage import swapped
from inveonimaging.errors import listed
from inveonimaging.units import counted, duration

if TYPE_CHECKING:
    from inveonimaging.batches import Batch, BatchResult
    from inveonimaging.conversion.options import Options

EXAMPLES = """\b
Examples:
  inveon batch archive dicom --dry-run
  inveon batch archive dicom
  inveon batch archive dicom --jobs 8 --group header
  inveon batch /data/inveon /data/dicom --dask tcp://head:8786
"""
_FAILURES_SHOWN = 20
_LINES_SHOWN = 5
_STYLES = {"converted": "green", "skipped": "", "failed": "bold red"}


@takes_conversion_options
def batch(
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="The folder below which the Inveon files lie.", readable=False)
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Where the studies go, and batch.jsonl.")],
    asked: Asked,
    group: Annotated[
        Literal["folder", "header"],
        typer.Option(metavar="WHAT", help="A study is a folder, or header."),
    ] = "folder",
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", min=0, max=256, help="Studies at a time; 0: one per core.")
    ] = 0,
    dask: Annotated[
        str | None, typer.Option(metavar="SCHEDULER", help="Convert on Dask: tcp://HOST:PORT, or a scheduler file.")
    ] = None,
    dask_cluster: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Convert on a cluster of dask_jobqueue that the file describes.")
    ] = None,
    check: Annotated[
        Literal["quick", "digest"],
        typer.Option(help="Find what has changed by sizes and times, or by the SHA-256 of all files."),
    ] = "quick",
    only_failed: Annotated[
        bool, typer.Option("--only-failed", help="Convert only those that failed last time, by batch.jsonl.")
    ] = False,
    mask_others: MaskOthers = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the files with ROOT.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only list the studies.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Convert every study below ROOT, each on its own; run again, it does what is new, changed or failed."""
    with one_line_errors(as_json=as_json), swapped("batch", root, output):
        from inveonimaging.batches import Batch, Check, Grouping

        options = replace(asked(), mask_others=mask_others)
        how = Batch(
            group=Grouping(group),
            jobs=jobs,
            dask=dask,
            dask_cluster=dask_cluster,
            check=Check(check),
            verify=verify,
            only_failed=only_failed,
        )
        if dry_run:
            _list(root, output, options, how, as_json=as_json)
        else:
            _run(root, output, options, how, as_json=as_json)


def _run(root: Path, output: Path, options: Options, how: Any, *, as_json: bool) -> None:
    from inveonimaging.batches import run_batch
    from inveonimaging.cli.batch_progress import progress_watch

    with progress_watch() as watch:
        result = run_batch(root, output, options, how, watch)
    say_findings(result.sheet)
    if as_json:
        print_json({"dry_run": False, "batch": result})
    else:
        _show(result)
    if not result.is_fine:
        raise typer.Exit(1)


def _show(result: BatchResult) -> None:
    from inveonimaging.batches.walk import left_aside
    from inveonimaging.cli.table import show

    rate = f"{counted(result.instances, 'file')}, {result.per_minute:.1f} studies a minute" if result.converted else ""
    rows: list[list[Any]] = [
        [("converted", _STYLES["converted"]), str(result.converted), rate],
        [("skipped", _STYLES["skipped"]), str(result.skipped), "complete and unchanged" if result.skipped else ""],
        [("failed", _STYLES["failed"] if result.failed else ""), str(result.failed), ""],
    ]
    if result.unread:
        rows.append([("folders not read", _STYLES["failed"]), str(result.unread), ""])
    took = f"{counted(result.found, 'study', 'studies')} in {duration(round(result.seconds))}"
    show(took, ("Result", "Studies", ""), rows)
    if result.finding_counts:
        found = [[each.code, each.severity, str(each.studies)] for each in result.finding_counts]
        show("Findings: inveon explain CODE says what to do", ("Finding", "Severity", "Studies"), found)
    for failure in result.failures[:_FAILURES_SHOWN]:
        typer.echo(f"failed: {shown(failure.message)}")
    more = result.failed + result.unread - _FAILURES_SHOWN
    if more > 0:
        typer.echo(f"and {more} more")
    for note in (*left_aside(result.passed, result.gone), *_left_out(result.unread_lines)):
        typer.echo(f"note: {note}")
    typer.echo(f"all lines: {shown(result.ledger)}")


def _left_out(numbers: tuple[int, ...]) -> list[str]:
    """Return which lines of the ledger do not count, in one line; none if all do."""
    what = f"{counted(len(numbers), 'line', 'lines')} of batch.jsonl left out, written by no batch: "
    return [what + listed([str(number) for number in numbers], _LINES_SHOWN)] if numbers else []


def _list(root: Path, output: Path, options: Options, how: Batch, *, as_json: bool) -> None:
    """List the studies as they are found."""
    from inveonimaging.batches import Outcome, SkippedCounts, Study, plan_batch
    from inveonimaging.batches.ledger import last_results
    from inveonimaging.batches.walk import left_aside
    from inveonimaging.cli.messages import say_failure

    passed, (before, unread_lines) = SkippedCounts(), last_results(output)
    rows: list[dict[str, Any]] = []
    unread, count = 0, 0
    for planned in plan_batch(root, output, options, how.group, passed):
        if isinstance(planned, Study):
            earlier = before.get(planned.output)
            if how.only_failed and earlier != Outcome.FAILED:
                continue
            count += 1
            if as_json:
                files = [header for header, _ in planned.files] or None
                rows.append({"source": planned.source, "output": planned.output, "headers": files, "before": earlier})
            else:
                names = f" ({counted(len(planned.files), 'pair')})" if planned.files else ""
                typer.echo(f"{shown(planned.source)}{names} -> {shown(planned.output)} [{earlier or 'new'}]")
        elif planned is not None:
            unread += 1
            say_failure(planned)
    if as_json:
        print_json({"dry_run": True, "studies": rows, "passed": passed})
    else:
        for note in (*left_aside(passed), *_left_out(unread_lines)):
            typer.echo(f"note: {note}")
        typer.echo(counted(count, "study", "studies"))
    if unread:
        raise typer.Exit(1)
