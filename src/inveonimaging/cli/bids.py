"""`inveon bids`: a BIDS data set, made or added to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inveonimaging.cli.messages import say_findings, shown
from inveonimaging.cli.options import (
    AskedCorrections,
    AskedDeidentification,
    Boxes,
    MaskOthers,
    Recursive,
    takes_corrections,
    takes_deidentification,
)
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.cli.several import end, failed, show_studies
from inveonimaging.cli.usage import swapped
from inveonimaging.units import counted

if TYPE_CHECKING:
    from inveonimaging.commands.bids import BidsPlan, BidsResult

EXAMPLES = """\b
Examples:
  inveon bids mouse_study bids --administration bolus
  inveon bids mouse_1 mouse_2 mouse_3 bids --subjects subjects.csv
  inveon bids hotel bids --subjects hotel.csv --administration bolus
  inveon bids archive bids --recursive --subjects subjects.csv
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
    recursive: Recursive = False,
    boxes: Boxes = None,
    mask_others: MaskOthers = False,
    administration: Annotated[
        Literal["bolus", "infusion", "bolus-infusion"] | None,
        typer.Option(metavar="HOW", help="How the tracer was given: bolus, infusion or bolus-infusion."),
    ] = None,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Write even without values that BIDS requires.")
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
        from inveonimaging.bids_dataset.options import BidsOptions
        from inveonimaging.cli.progress import bar
        from inveonimaging.commands.bids import plan_bids, write_planned

        options = BidsOptions(
            **corrections().values,
            recursive=recursive,
            boxes=boxes,
            mask_others=mask_others,
            deidentify=deidentification(),
            administration=administration,
            incomplete=incomplete,
            overwrite=overwrite,
            dataset_name=name,
            source_datasets=source_dataset or (),
        )
        planned = plan_bids(sources, output, options)
        say_findings(planned.findings)
        if dry_run:
            _show_plan(planned, as_json=as_json)
        else:
            with bar() as advance:
                result = write_planned(planned, options, advance)
            _show(result, as_json=as_json)
            if recursive and not as_json:
                show_studies(_rows(planned), planned.failures)
        end(planned.failures)


def _show(result: BidsResult, *, as_json: bool) -> None:
    if as_json:
        files = [{"path": each.path, "change": each.change} for each in result.files]
        document = {"output": str(result.output), "subjects": result.subjects, "files": files}
        print_json({"dry_run": False, **document, "failures": failed(result.failures), "findings": result.findings})
        return
    for each in result.files:
        typer.echo(f"{shown(result.output / each.path)}: {each.change.value}")
    changed = sum(each.change.value != "same" for each in result.files)
    typer.echo(f"{counted(changed, 'file')} written, {len(result.files) - changed} there already")


def _rows(planned: BidsPlan) -> list[tuple[str, str]]:
    """Return the source of each study, and the animal that it is of."""
    made = zip(planned.dataset.studies, planned.dataset.participants, strict=True)
    return [(str(study.source), row["participant_id"]) for study, row in made]


def _show_plan(planned: BidsPlan, *, as_json: bool) -> None:
    images = planned.dataset.images
    if as_json:
        rows = [
            {"source": str(each.series.image.pair.header), "part": each.series.image.part_name, "file": each.file}
            for each in images
        ]
        print_json(
            {"dry_run": True, "images": rows, "failures": failed(planned.failures), "findings": planned.findings}
        )
        return
    from inveonimaging.cli.table import show_or_list

    table = [[shown(each.series.image.title), shown(each.file)] for each in images]
    show_or_list(f"Would be written to {shown(planned.dataset.output)}", ("Source", "File"), table)
