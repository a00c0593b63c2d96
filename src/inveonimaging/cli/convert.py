"""`inveon convert`: files or folders -> DICOM."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.cli.report import refuse_reports, write_reports
from inveonimaging.cli.verify import document, refuse_differences, show_studies, verify_converted
from inveonimaging.reporting import say_findings, shown

if TYPE_CHECKING:
    from inveonimaging.conversion.options import Options
    from inveonimaging.conversion.plan import SeriesPlan, StudyPlan
    from inveonimaging.findings import Finding

Posture = Literal["FFP", "HFP", "FFS", "HFS", "FFDR", "HFDR", "FFDL", "HFDL"]

EXAMPLES = """\b
Examples:
  inveon convert mouse_study dicom
  inveon convert scan.ct.img dicom --dry-run
  inveon convert archive dicom --recursive -s "FDG pilot"
  inveon convert mouse_study dicom --as enhanced -f mouse.dcm
  inveon convert study dicom --patient-id M12 --orientation HFP
"""


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A folder of Inveon files, or one .img or .hdr file.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A new or empty folder; --overwrite replaces.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Each sub-folder with pairs becomes a study.")
    ] = False,
    strict: Annotated[bool, typer.Option(help="Refuse strays and nested folders; fail on warnings.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="EXT", help="Extension that --strict lets pass; repeatable.")
    ] = None,
    form: Annotated[
        Literal["classic", "enhanced", "legacy"],
        typer.Option("--as", help="One object a slice; an Enhanced one a series; or a Legacy Converted Enhanced one."),
    ] = "classic",
    file_name: Annotated[
        str | None, typer.Option("--file", "-f", metavar="NAME", help="Name of multi-frame objects' files.")
    ] = None,
    max_object_size: Annotated[
        str, typer.Option(metavar="SIZE", help="Larger multi-frame objects become a concatenation of several.")
    ] = "2GiB",
    compress: Annotated[
        Literal["none", "rle", "jpegls", "j2k", "deflated"], typer.Option(help="Compress the pixels without loss.")
    ] = "none",
    study_description: Annotated[
        str | None, typer.Option("--study-description", "-s", help="Study Description.")
    ] = None,
    patient_name: Annotated[str | None, typer.Option(help="Patient's Name.")] = None,
    patient_id: Annotated[str | None, typer.Option(help="Patient ID.")] = None,
    patient_birth_date: Annotated[str | None, typer.Option(metavar="DATE", help="Birth date, 2014-03-04.")] = None,
    patient_sex: Annotated[str | None, typer.Option(metavar="M|F|O", help="Sex.")] = None,
    scan_time: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME",
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
            help="Start of scans whose header has none, 2014-03-04T14:05:09.",
        ),
    ] = None,
    orientation: Annotated[Posture | None, typer.Option(help="The animal's posture, instead of the header's.")] = None,
    flip: Annotated[
        str, typer.Option(metavar="AXES", help="Stored axes to mirror, letters of xyz; see docs/geometry.md.")
    ] = "",
    bed_direction: Annotated[
        Literal["forward", "reverse"] | None, typer.Option(help="Where a larger bed_offset looks, along the slices.")
    ] = None,
    cycle_length: Annotated[
        float | None, typer.Option(metavar="MS", help="Nominal length of a heart beat or breath of gated scans.")
    ] = None,
    frame_of_reference: Annotated[
        Literal["auto", "shared", "separate"], typer.Option(help="Which series lie in one space, for fusion.")
    ] = "auto",
    rescale: Annotated[
        Literal["auto", "series", "frame", "slice"], typer.Option(help="What shares one rescale slope.")
    ] = "auto",
    uids: Annotated[Literal["content", "random"], typer.Option(help="UIDs from the content, or random.")] = "content",
    code_table: Annotated[
        Path | None, typer.Option("--code-table", "-C", help="JSON file with codes for isotopes.")
    ] = None,
    ct_prefix: Annotated[str, typer.Option("--ct-prefix", "-c", help="Start of CT file names.")] = "CT-",
    pet_prefix: Annotated[str, typer.Option("--pet-prefix", "-p", help="Start of PET file names.")] = "PET-",
    nm_prefix: Annotated[str, typer.Option(help="Start of SPECT file names.")] = "NM-",
    apply_hounsfield: Annotated[
        bool, typer.Option("--apply-hounsfield", help="CT: apply ct_hounsfield_scale and ct_hounsfield_offset.")
    ] = False,
    allow_long_data: Annotated[
        bool, typer.Option(help="Take .img files that are longer than the header says.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, max=256, help="Processes that write; 0 takes what helps.")
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what an earlier conversion wrote there.")
    ] = False,
    manifest: Annotated[bool, typer.Option(help="Write inveon-manifest.json beside the series.")] = True,
    verify: Annotated[bool, typer.Option("--verify", help="Read the files back and compare them with INPUT.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write report.html beside the series.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Show what would be written; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Convert Inveon files to DICOM: a folder becomes a study, each pair of files a series."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.conversion import options as asked
        from inveonimaging.conversion.objects import object_size
        from inveonimaging.conversion.space import Space
        from inveonimaging.dicom.codes import CodeTable, read_code_table
        from inveonimaging.dicom.iods import Form
        from inveonimaging.dicom.pixels import Compression
        from inveonimaging.hdr.enums import Modality, Orientation
        from inveonimaging.quant import Policy
        from inveonimaging.subject import given_subject

        chosen = asked.Options(
            form=Form(form),
            file_name=file_name,
            largest_object=object_size(max_object_size),
            compression=Compression(compress),
            jobs=jobs,
            overwrite=overwrite,
            manifest=manifest,
            cycle_ms=cycle_length,
            bed_direction=asked.BedDirection(bed_direction) if bed_direction else None,
            study_description=study_description,
            subject=given_subject(patient_name, patient_id, patient_birth_date, patient_sex),
            scan_time=scan_time,
            orientation=Orientation[orientation] if orientation else None,
            flip=flip,
            rescale=Policy(rescale),
            uids=asked.Uids(uids),
            prefixes={Modality.CT: ct_prefix, Modality.PET: pet_prefix, Modality.SPECT: nm_prefix},
            codes=read_code_table(code_table) if code_table else CodeTable(),
            frame_of_reference=Space(frame_of_reference),
            recursive=recursive,
            refuse_strays=strict,
            ignored_suffixes=asked.suffixes(ignore or []),
            fail_on_warnings=strict,
            apply_hounsfield=apply_hounsfield,
            allow_long_data=allow_long_data,
        )
        run(source, output, chosen, report=report, verify=verify, dry_run=dry_run, as_json=as_json)


def run(
    source: Path,
    output: Path,
    options: Options,
    *,
    report: bool = False,
    verify: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
) -> None:
    """Convert and tell: a progress bar on a terminal, findings on stderr, the result on stdout."""
    from inveonimaging.cli.progress import bar
    from inveonimaging.conversion.job import convert_planned, refuse_planned
    from inveonimaging.conversion.plan import plan

    studies = plan(source, output, options)
    if report:
        refuse_reports(studies)
    if dry_run:
        refuse_planned(studies, output, options)
        found = [finding for study in studies for finding in study.all_findings]
        say_findings(found)
        _show_plan(studies, found, as_json=as_json)
        return
    with bar() as advance:
        results = convert_planned(studies, output, options, advance)
    say_findings(finding for study in results for finding in study.all_findings)
    if as_json:
        reports = write_reports(studies, results, options) if report else ()
        verified = verify_converted(results, options) if verify else ()
        found_same = {"verification": document(verified)} if verify else {}
        print_json({"dry_run": False, "studies": results, "reports": reports, **found_same})
        refuse_differences(verified)
        return
    for study in results:
        for series in study.series:
            where = Path(study.output, series.folder)
            origin = ", ".join(filter(None, (shown(Path(series.source).name), series.part)))
            typer.echo(f"{shown(where)}: {series.instances} {series.sop_class} files from {origin}")
    for path in write_reports(studies, results, options) if report else ():
        typer.echo(shown(path))
    if verify:
        verified = verify_converted(results, options)
        show_studies(verified)
        refuse_differences(verified)


def _show_plan(studies: tuple[StudyPlan, ...], found: list[Finding], *, as_json: bool) -> None:
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
        print_json({"dry_run": True, "series": rows, "findings": found})
        return
    from inveonimaging.cli.table import show

    for study in studies:
        titles = ("Source", "First file", "Files", "SOP Class", "Voxels", "Unit")
        show(f"Would be written to {shown(study.output)}", titles, [_row(series) for series in study.series])


def _row(series: SeriesPlan) -> list[str]:
    image = series.image
    voxels = " x ".join(map(str, (*image.grid.shape, len(image.frames))))
    first = f"{series.number}/{series.files[0]}"
    source = ", ".join(filter(None, (shown(image.pair.name), image.part_name)))
    return [source, first, str(len(series.files)), series.iod.name, voxels, image.scaling.unit.value]
