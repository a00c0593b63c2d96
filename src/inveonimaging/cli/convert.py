"""`inveon convert`: files or folders -> DICOM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inveonimaging.cli.messages import say_findings, shown
from inveonimaging.cli.options import Asked, takes_conversion_options
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.cli.report import write_reports
from inveonimaging.cli.send import address_of, refuse_target, send_converted, show_sent
from inveonimaging.cli.send import document as sent_document
from inveonimaging.cli.usage import replaceable, swapped
from inveonimaging.cli.verify import document, refuse_differences, show_studies, verify_converted
from inveonimaging.units import counted

if TYPE_CHECKING:
    from inveonimaging.cli.table import Cell
    from inveonimaging.conversion.job import StudyResult
    from inveonimaging.conversion.options import Options
    from inveonimaging.conversion.plan import SeriesPlan, StudyPlan
    from inveonimaging.findings import Finding

EXAMPLES = """\b
Examples:
  inveon convert mouse_study dicom
  inveon convert scan.ct.img dicom --dry-run
  inveon convert archive dicom --recursive -s "FDG pilot"
  inveon convert mouse_study dicom --as enhanced -f mouse.dcm
  inveon convert study dicom --patient-id M12 --orientation HFP
"""


@takes_conversion_options
def convert(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A folder, or one .img or .hdr file.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A new or empty folder; --overwrite replaces.")],
    asked: Asked,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Each sub-folder becomes a study.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier conversion.")] = False,
    manifest: Annotated[bool, typer.Option(help="Write inveon-manifest.json beside the series.")] = True,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the files with INPUT.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write report.html beside the series.")] = False,
    send: Annotated[str | None, typer.Option(metavar="TARGET", help="Send the files to a server.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be written.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Convert Inveon files to DICOM: a folder becomes a study, each pair of files a series."""
    with one_line_errors(as_json=as_json), swapped("convert", source, output), replaceable("convert"):
        options = replace(asked(), recursive=recursive, overwrite=overwrite, manifest=manifest)
        send = send and address_of(send, no_config=bool(ctx.params.get("no_config")))
        run(
            output,
            options,
            planned(source, output, options),
            report=report,
            verify=verify,
            send=send,
            dry_run=dry_run,
            as_json=as_json,
        )


def planned(source: Path, output: Path, options: Options) -> tuple[StudyPlan, ...]:
    """Return what is to be written."""
    from inveonimaging.conversion.plan import plan

    return plan(source, output, options)


def run(
    output: Path,
    options: Options,
    studies: tuple[StudyPlan, ...],
    *,
    report: bool = False,
    verify: bool = False,
    send: str | None = None,
    dry_run: bool = False,
    as_json: bool = False,
    more: Mapping[str, object] | None = None,
) -> None:
    """Convert what is planned and print: a progress bar on a terminal, findings on stderr, the result on stdout.

    `more` is what is added to the JSON.
    """
    from inveonimaging.cli.progress import bar
    from inveonimaging.conversion.job import convert_planned, refuse_planned
    from inveonimaging.conversion.plan import sheet_findings_of

    if report:
        from inveonimaging.commands.convert import refuse_reports

        refuse_reports(studies)
    if send:
        refuse_target(send)
    if dry_run:
        refuse_planned(studies, output, options)
        found = [
            *sheet_findings_of(studies, options),
            *(finding for study in studies for finding in study.all_findings),
        ]
        say_findings(found)
        _show_plan(studies, found, more or {}, as_json=as_json)
        return
    with bar() as advance:
        results = convert_planned(studies, output, options, advance)
    on_sheet = sheet_findings_of(studies, options)
    say_findings((*on_sheet, *(finding for study in results for finding in study.all_findings)))
    if as_json:
        reports = write_reports(studies, results, options) if report else ()
        verified = verify_converted(results, options) if verify else ()
        found_same = {"verification": document(verified)} if verify else {}
        sent = send_converted(results, send) if send and not any(each.all_differences for each in verified) else None
        found_same |= {"sent": sent_document(sent)} if sent else {}
        print_json(
            {"dry_run": False, "studies": _named(results, options), "reports": reports, **found_same, **(more or {})}
        )
        refuse_differences(verified)
        if sent:
            show_sent(sent, as_json=True)
        return
    _show_results(results)
    for path in write_reports(studies, results, options) if report else ():
        typer.echo(shown(path))
    if verify:
        verified = verify_converted(results, options)
        show_studies(verified)
        refuse_differences(verified)
    if send:
        show_sent(send_converted(results, send))


def _show_results(results: tuple[StudyResult, ...]) -> None:
    for study in results:
        for series in study.series:
            where = Path(study.output, series.folder)
            origin = ", ".join(filter(None, (shown(Path(series.source).name), series.part)))
            files = counted(series.instances, f"{series.sop_class} file")
            typer.echo(f"{shown(where)}: {files} from {origin}")


def _named(results: tuple[StudyResult, ...], options: Options) -> tuple[StudyResult, ...]:
    """Return results that do not name their sources if they are de-identified."""
    return tuple(replace(each, source="") for each in results) if options.deidentify else results


def _show_plan(
    studies: tuple[StudyPlan, ...], found: list[Finding], more: Mapping[str, object], *, as_json: bool
) -> None:
    rows = [
        {
            "source": str(series.image.pair.header),
            "part": series.image.part_name,
            "folder": str(study.output / str(series.number)),
            "first_file": series.files[0],
            "sop_class": series.iod.name,
            "frames": len(series.image.frames),
            "shape": list(series.image.grid.shape),
            "instances": len(series.files),
            "unit": series.image.scaling.unit.value,
        }
        for study in studies
        for series in study.series
    ]
    if as_json:
        print_json({"dry_run": True, "series": rows, "findings": found, **more})
        return
    from inveonimaging.cli.table import show_or_list

    for study in studies:
        titles = ("Source", "First file", "Files", "SOP Class", "Voxels", "Unit")
        show_or_list(f"Would be written to {shown(study.output)}", titles, [_row(series) for series in study.series])


def _row(series: SeriesPlan) -> list[Cell]:
    image = series.image
    voxels = " x ".join(map(str, (*image.grid.shape, len(image.frames))))
    first = f"{series.number}/{series.files[0]}"
    return [shown(image.title), first, str(len(series.files)), series.iod.name, voxels, image.scaling.unit.value]
