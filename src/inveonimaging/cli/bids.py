"""`inveon bids`: a BIDS data set, made or added to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inveonimaging.cli.messages import say_findings, shown
from inveonimaging.cli.options import (
    AskedCorrections,
    AskedDeidentification,
    takes_corrections,
    takes_deidentification,
)
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.cli.usage import swapped
from inveonimaging.units import counted

if TYPE_CHECKING:
    from inveonimaging.bids_dataset.job import BidsResult
    from inveonimaging.bids_dataset.options import BidsOptions
    from inveonimaging.bids_dataset.plan import DatasetPlan
    from inveonimaging.findings import Finding

EXAMPLES = """\b
Examples:
  inveon bids mouse_study bids --administration bolus
  inveon bids mouse_1 mouse_2 mouse_3 bids --subjects subjects.csv
  inveon bids mouse_study bids --incomplete --dry-run
"""


@takes_corrections
@takes_deidentification
def bids(
    sources: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Folders of one animal each, or .img or .hdr files.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The data set: a new folder, or one to add to.")],
    corrections: AskedCorrections,
    *,
    administration: Annotated[
        Literal["bolus", "infusion", "bolus-infusion"] | None,
        typer.Option(metavar="HOW", help="How the tracer was given: bolus, infusion or bolus-infusion."),
    ] = None,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Write without what BIDS requires and nothing tells.")
    ] = False,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Name of a new data set, else its folder's.")] = None,
    source_dataset: Annotated[
        list[str] | None, typer.Option(metavar="DOI|URL", help="What a new data set is made from; repeatable.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there and differs.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be written.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
    deidentification: AskedDeidentification,
) -> None:
    """Make a BIDS data set of PET, with the CT beside it, or add to one."""
    with one_line_errors(as_json=as_json), swapped("bids", sources[0], output):
        from inveonimaging.bids_dataset.job import plan_bids, write
        from inveonimaging.bids_dataset.options import BidsOptions
        from inveonimaging.cli.progress import bar

        options = BidsOptions(
            **corrections().values,
            deidentify=deidentification(),
            administration=administration,
            incomplete=incomplete,
            overwrite=overwrite,
            dataset_name=name,
            source_datasets=source_dataset or (),
        )
        planned = plan_bids(sources, output, options)
        if dry_run:
            _show_plan(planned, options, as_json=as_json)
            return
        with bar() as advance:
            result = write(planned, options, advance)
        _show(result, options, as_json=as_json)


def _show(result: BidsResult, options: BidsOptions, *, as_json: bool) -> None:
    findings = [*_of_sheet(result.rows, options), *result.findings]
    say_findings(findings)
    if as_json:
        files = [{"path": each.path, "change": each.change} for each in result.files]
        document = {"output": str(result.output), "subjects": result.subjects, "files": files, "findings": findings}
        print_json({"dry_run": False, **document})
        return
    for each in result.files:
        typer.echo(f"{shown(result.output / each.path)}: {each.change.value}")
    changed = sum(each.change.value != "same" for each in result.files)
    typer.echo(f"{counted(changed, 'file')} written, {len(result.files) - changed} there already")


def _show_plan(planned: DatasetPlan, options: BidsOptions, *, as_json: bool) -> None:
    rows = [row for study in planned.studies for row in study.sheet_values.rows]
    findings = [*_of_sheet(rows, options), *planned.all_findings]
    say_findings(findings)
    if as_json:
        images = [
            {"source": str(each.series.image.pair.header), "part": each.series.image.part_name, "file": each.file}
            for each in planned.images
        ]
        print_json({"dry_run": True, "images": images, "findings": findings})
        return
    from inveonimaging.cli.table import show_or_list

    table = [
        [", ".join(filter(None, (shown(each.series.image.pair.name), each.series.image.part_name))), shown(each.file)]
        for each in planned.images
    ]
    show_or_list(f"Would be written to {shown(planned.output)}", ("Source", "File"), table)


def _of_sheet(rows: list[int] | tuple[int, ...], options: BidsOptions) -> tuple[Finding, ...]:
    """Return how the sheet of subjects was read, and which of its rows no scan matched."""
    if options.corrections.sheet is None:
        return ()
    from inveonimaging.sheet.matching import unused_rows

    return (*options.corrections.sheet.findings, *unused_rows(options.corrections.sheet, rows))
