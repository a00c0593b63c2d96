"""`inveon split`: a group of animals that were scanned together -> one study an animal."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inveonimaging.cli.convert import run
from inveonimaging.cli.messages import say_findings, shown
from inveonimaging.cli.options import Asked, MaskOthers, takes_conversion_options
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.cli.send import address_of
from inveonimaging.cli.usage import as_typed, replaceable, swapped
from inveonimaging.errors import OptionError

if TYPE_CHECKING:
    from inveonimaging.commands.split import SplitPlan
    from inveonimaging.conversion.plan import StudyPlan

EXAMPLES = """\b
Examples:
  inveon split hotel dicom --subjects hotel.csv
  inveon split hotel dicom --subjects hotel.csv -n --preview boxes.html
  inveon split hotel dicom --subjects hotel.csv --boxes boxes.json
"""


def _writes_pairs(command: Callable[..., None]) -> Callable[..., None]:
    """Give `--as` one more choice, `inveon`, which the options of a conversion do not have."""
    signature = inspect.signature(command)
    parameters = dict(signature.parameters)
    option = typer.Option("--as", help="A form of DICOM, or pairs of .img and .hdr.")
    form = Annotated[Literal["classic", "enhanced", "legacy", "inveon"], option]
    parameters["form"] = parameters["form"].replace(annotation=form)

    @functools.wraps(command)
    def with_pairs(**given: Any) -> None:
        given["ctx"].meta[_AS_INVEON] = given["form"] == "inveon"
        given["form"] = "classic" if given["form"] == "inveon" else given["form"]
        command(**given)

    with_pairs.__signature__ = signature.replace(parameters=list(parameters.values()))  # type: ignore[attr-defined]
    with_pairs.__annotations__ = {name: each.annotation for name, each in parameters.items()}
    return with_pairs


_AS_INVEON = "inveonimaging.as_inveon"
_OF_DICOM = (  # what means nothing for pairs of Inveon files
    *("compress", "file_name", "max_object_size", "study_description", "rescale", "uids", "code_table", "ct_prefix"),
    *("pet_prefix", "nm_prefix", "unlimited_text", "xnat_route", "overwrite", "manifest", "verify", "report", "send"),
)


def _refuse_of_dicom(ctx: Any) -> None:
    """Refuse options that are of DICOM, if they were typed.

    Raises:
        OptionError: naming the first.
    """
    for param in ctx.command.params:
        source = ctx.get_parameter_source(param.name)
        if param.name in _OF_DICOM and source is not None and source.name == "COMMANDLINE":
            raise OptionError(f"{as_typed(ctx, param)} is of DICOM, and --as inveon writes none", hint="leave it out")


@_writes_pairs
@takes_conversion_options
def split(
    ctx: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A folder of Inveon files of one session, or one of them.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A folder: each animal gets one below it.")],
    asked: Asked,
    boxes: Annotated[
        Path | None, typer.Option("--boxes", metavar="FILE", help="Where each animal lies, instead of finding them.")
    ] = None,
    mask_others: MaskOthers = False,
    preview: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that shows the boxes, before anything else.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what an earlier conversion wrote there.")
    ] = False,
    manifest: Annotated[bool, typer.Option(help="Write inveon-manifest.json beside the series.")] = True,
    verify: Annotated[bool, typer.Option("--verify", help="Read the files back and compare them with INPUT.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write report.html beside the series.")] = False,
    send: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Send the files to a server, as `inveon send` does.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show what would be written; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Cut a scan of several animals into one study each; the sheet says which animal lies where."""
    with one_line_errors(as_json=as_json), swapped("split", source, output):
        from inveonimaging.commands.split import plan_split, refuse_unverifiable

        is_inveon = bool(ctx.meta.get(_AS_INVEON))
        if is_inveon:
            _refuse_of_dicom(ctx)
        options = replace(asked(), overwrite=overwrite, manifest=manifest, mask_others=mask_others)
        refuse_unverifiable(options, verify=verify)
        send = send and address_of(send, no_config=bool(ctx.params.get("no_config")))
        planned = plan_split(source, output, options, boxes, preview=preview, writes=not dry_run)
        say_findings(planned.left_behind)
        if dry_run and not as_json:
            _show(planned)
        if is_inveon:
            _write_inveon(planned, output, dry_run=dry_run, as_json=as_json)
            return
        with replaceable("split"):
            run(
                output,
                options,
                planned.studies,
                report=report,
                verify=verify,
                send=send,
                dry_run=dry_run,
                as_json=as_json,
                more={**_more(planned), "left_behind": planned.left_behind},
            )


def _write_inveon(planned: SplitPlan, output: Path, *, dry_run: bool, as_json: bool) -> None:
    """Write pairs of Inveon files, and print which."""
    from inveonimaging.cli.progress import bar
    from inveonimaging.commands.split import inveon_pairs, write_inveon

    if dry_run:
        pairs = inveon_pairs(planned, output)
    else:
        with bar() as advance:
            pairs = write_inveon(planned, output, advance)
    say_findings([finding for study in planned.studies for finding in study.all_findings])
    if as_json:
        written = [{"header": str(each.header), "data": str(each.data)} for each in pairs]
        print_json({"dry_run": dry_run, "pairs": written, **_more(planned)})
        return
    for each in pairs:
        typer.echo(shown(each.data))


def _more(planned: SplitPlan) -> dict[str, object]:
    """Return what JSON has beside the result: where each animal lies, and what was measured of it."""
    from inveonimaging.hotels.checks import document_of

    return {"boxes": _boxes(planned), "measured": document_of(planned.measured)}


def _boxes(planned: SplitPlan) -> list[dict[str, object]]:
    """Return where each animal lies, as a file of boxes has it, with its patient ID."""
    ids = [each.id for each in planned.group.hotel.animals]
    return [
        {
            "position": position,
            "patient_id": id_,
            "low_mm": list(extent.low_mm),
            "high_mm": list(extent.high_mm),
            **({"masked": masked} if (masked := list(_masked(study))) else {}),
        }
        for (position, extent), id_, study in zip(planned.boxes, ids, planned.studies, strict=True)
    ]


def _masked(study: StudyPlan) -> Iterator[dict[str, object]]:
    """Yield how much of each image of an animal is masked; nothing if neighbours stay."""
    from inveonimaging.study.masking import masked_ml

    for image in (each.image for each in study.series if each.image.source.hidden):
        of_image = {"source": str(image.pair.header), "part": image.part_name}
        yield {**of_image, "voxels": image.source.hidden_voxels, "volume_ml": masked_ml(image)}


def _show(planned: SplitPlan) -> None:
    """Show where each animal lies."""
    from inveonimaging.cli.table import show_or_list
    from inveonimaging.hotels.checks import table_of

    titles = ("Position", "Animal", "From, mm along i, j, k", "To")
    ids = [shown(each.id) for each in planned.group.hotel.animals]
    rows = [
        [position, id_, *(", ".join(f"{each:.1f}" for each in place) for place in (extent.low_mm, extent.high_mm))]
        for (position, extent), id_ in zip(planned.boxes, ids, strict=True)
    ]
    show_or_list("Boxes in the gantry, without their margin", titles, rows)
    show_or_list("What was measured", *table_of(planned.measured))
