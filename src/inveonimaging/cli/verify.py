"""`inveon verify`: DICOM compared with the Inveon files that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inveonimaging.cli.messages import shown
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.errors import printable

if TYPE_CHECKING:
    from inveonimaging.cli.table import Cell
    from inveonimaging.conversion.job import StudyResult
    from inveonimaging.conversion.options import Options
    from inveonimaging.verification import Difference, StudyCheck
    from inveonimaging.verification.overrides import Overrides

Posture = Literal["FFP", "HFP", "FFS", "HFS", "FFDR", "HFDR", "FFDL", "HFDL"]

EXAMPLES = """\b
Examples:
  inveon verify mouse_study dicom
  inveon verify scan.pet.img dicom/2 --json
  inveon verify mouse_study made_by_another_program --patient-id M12
"""
_LONGEST = 500
_NAMES_SHOWN = 2
_STYLES = {"same": "green", "differs": "bold red", "not stated": "yellow"}


def verify(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A folder of Inveon files, or one .img or .hdr file.")
    ],
    dicom: Annotated[Path, typer.Argument(metavar="DICOM", help="What was made from them: a folder, or one file.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Compare sub-folders with those of the same names.")
    ] = False,
    patient_name: Annotated[str | None, typer.Option(help="Patient's Name that was given at conversion.")] = None,
    patient_id: Annotated[str | None, typer.Option(help="Patient ID that was given at conversion.")] = None,
    patient_birth_date: Annotated[
        str | None, typer.Option(metavar="DATE", help="Birth date that was given at conversion.")
    ] = None,
    patient_sex: Annotated[str | None, typer.Option(metavar="M|F|O", help="Sex that was given at conversion.")] = None,
    subjects: Annotated[
        Path | None, typer.Option("--subjects", metavar="FILE", help="Sheet that was given at conversion.")
    ] = None,
    scan_time: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME",
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
            help="Start that was given for scans whose header has none.",
        ),
    ] = None,
    orientation: Annotated[Posture | None, typer.Option(help="Posture that was given at conversion.")] = None,
    flip: Annotated[str | None, typer.Option(metavar="AXES", help="Stored axes that were mirrored.")] = None,
    bed_direction: Annotated[
        Literal["forward", "reverse"] | None, typer.Option(help="Where a larger bed_offset looks.")
    ] = None,
    cycle_length: Annotated[
        float | None, typer.Option(metavar="MS", help="Nominal length of a cycle of gated scans.")
    ] = None,
    separate_frames: Annotated[
        bool | None, typer.Option("--separate-frames", help="Each frame block was made a series of its own.")
    ] = None,
    apply_hounsfield: Annotated[
        bool | None, typer.Option("--apply-hounsfield/--no-apply-hounsfield", help="CT: how it was converted.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Compare DICOM with the Inveon files: every voxel, position, time, unit, dose and identity."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.animal import given_subject
        from inveonimaging.cli.progress import bar
        from inveonimaging.verification import Overrides
        from inveonimaging.verification import verify as compare

        overrides = Overrides(
            orientation=orientation,
            flip=flip,
            bed_direction=bed_direction,
            scan_time=scan_time,
            cycle_ms=cycle_length,
            separate_frames=separate_frames,
            apply_hounsfield=apply_hounsfield,
            subject=given_subject(patient_name, patient_id, patient_birth_date, patient_sex),
            sheet=subjects,
        )
        with bar("Comparing") as advance:
            result = compare(source, dicom, overrides, recursive=recursive, progress=advance)
        if as_json:
            print_json(document(result.studies))
        else:
            show_studies(result.studies)
        refuse_differences(result.studies)


def verify_converted(studies: Sequence[StudyResult], options: Options) -> tuple[StudyCheck, ...]:
    """Compare what was just written with what it was made from."""
    from inveonimaging.cli.progress import bar
    from inveonimaging.verification.job import verify_written

    told = _told(options)
    with bar("Comparing") as advance:
        checks = tuple(
            verify_written(
                Path(study.source),
                Path(study.output),
                [Path(study.output, series.folder) for series in study.series],
                told,
                advance,
            )
            for study in studies
        )
    if options.deidentify is None:
        return checks
    return tuple(replace(each, source="the source", assumed={}) for each in checks)


def _told(options: Options) -> Overrides:
    """Return what a conversion was told instead of the headers."""
    from inveonimaging.verification.overrides import Overrides

    return Overrides(
        orientation=options.orientation or None,
        flip=options.flip,
        bed_direction=options.bed_direction,
        scan_time=options.scan_time,
        cycle_ms=options.cycle_ms,
        separate_frames=options.separate_frames,
        apply_hounsfield=options.apply_hounsfield,
        subject=options.subject,
        sheet=options.sheet,
    )


def document(studies: Sequence[StudyCheck]) -> dict[str, Any]:
    """Return the result for programs."""
    return {"same": not any(study.all_differences for study in studies), "studies": studies}


def show_studies(studies: Sequence[StudyCheck]) -> None:
    """Show what was compared as a table of each study, then what differs, and what is to be noted."""
    from inveonimaging.cli.table import show

    for study in studies:
        titles = ("Series", "Compared", "What", "Largest difference", "Agreement")
        show(f"{shown(study.source)} and {shown(study.dicom)}", titles, _rows(study))
        if study.assumed:
            told = ", ".join(f"{name} {value}" for name, value in study.assumed.items())
            _say("note", f"as told at conversion: {told}")
        for each in study.series:
            for note in each.notes:
                _say("note", f"{_name(each.source, each.part)}: {note}")
        for note in study.notes:
            _say("note", note)
    differences = [difference for study in studies for difference in study.all_differences]
    for difference in differences:
        _say("differs", _sentence(difference))
    count = len(differences)
    typer.echo("no difference" if not count else f"{count} difference{'s' if count > 1 else ''}")


def _rows(study: StudyCheck) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for each in study.series:
        name = _name(each.source, each.part)
        for check in each.checks:
            rows.append(
                [
                    name,
                    check.kind.value,
                    _short(check.compared),
                    check.largest,
                    (check.verdict.value, _STYLES[check.verdict.value]),
                ]
            )
            name = ""
    return rows


def _short(compared: str) -> str:
    """Return what was compared in a few words; JSON has all names."""
    names = compared.split(", ")
    return compared if len(names) <= _NAMES_SHOWN else f"{len(names)} attributes"


def _name(source: str, part: str) -> str:
    name = Path(source).name
    return printable(", ".join(filter(None, (name, part))), 120)


def _sentence(difference: Difference) -> str:
    where = f"{shown(difference.path)}: " if difference.path else ""
    return f"{where}{difference.message} [{difference.code}]"


def _say(kind: str, text: str) -> None:
    typer.echo(f"{kind}: {printable(text, _LONGEST)}")


def refuse_differences(studies: Sequence[StudyCheck]) -> None:
    """End the command with exit code 1 if anything differs."""
    if any(study.all_differences for study in studies):
        raise typer.Exit(1)
