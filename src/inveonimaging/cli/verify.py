"""`inveon verify`: DICOM compared with the Inveon files that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inveonimaging.cli.messages import say, say_findings, shown
from inveonimaging.cli.options import AskedCorrections, takes_typed_corrections
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.cli.usage import swapped
from inveonimaging.errors import printable
from inveonimaging.units import counted

if TYPE_CHECKING:
    from inveonimaging.cli.table import Cell
    from inveonimaging.conversion.job import StudyResult
    from inveonimaging.conversion.options import Options
    from inveonimaging.verification import Difference, StudyCheck
    from inveonimaging.verification.result import Check

EXAMPLES = """\b
Examples:
  inveon verify mouse_study dicom
  inveon verify scan.pet.img dicom/2 --json
  inveon verify mouse_study made_by_another_program --patient-id M12
"""
_LONGEST = 500
_NAMES_SHOWN = 2
_STYLES = {"same": "green", "differs": "bold red", "not stated": "yellow"}


@takes_typed_corrections
def verify(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A folder of Inveon files, or one .img or .hdr file.")
    ],
    dicom: Annotated[Path, typer.Argument(metavar="DICOM", help="What was made from them: a folder, or one file.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Compare sub-folders with those of the same names.")
    ] = False,
    details: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show what was compared, and how close it is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
    *,
    corrections: AskedCorrections,
) -> None:
    """Compare DICOM with the Inveon files: every voxel, position, time, unit, dose and identity."""
    with one_line_errors(as_json=as_json), swapped("verify", source, dicom):
        from inveonimaging.cli.progress import bar
        from inveonimaging.verification import verify as compare

        given = corrections()
        with bar("Comparing") as advance:
            result = compare(source, dicom, given, recursive=recursive, progress=advance)
        say_findings(doubt for study in result.studies for doubt in study.doubts)
        if as_json:
            print_json(document(result.studies))
        else:
            show_studies(result.studies, details=details)
        refuse_differences(result.studies)


def verify_converted(studies: Sequence[StudyResult], options: Options) -> tuple[StudyCheck, ...]:
    """Compare what was just written with what it was made from."""
    from inveonimaging.cli.progress import bar
    from inveonimaging.commands import convert

    with bar("Comparing") as advance:
        return convert.verify_converted(studies, options, advance)


def document(studies: Sequence[StudyCheck]) -> dict[str, Any]:
    """Return the result for programs."""
    return {"same": not any(study.all_differences for study in studies), "studies": studies}


def show_studies(studies: Sequence[StudyCheck], *, details: bool = False) -> None:
    """Show what differs and what is to be noted, with details before it what was compared; equal data are one line."""
    for assumption in dict.fromkeys(filter(None, (study.assumption for study in studies))):
        say("note", assumption)
    for study in studies:
        if details:
            _show_compared(study)
        for note in study.all_notes:
            say("note", note)
    differences = [difference for study in studies for difference in study.all_differences]
    for difference in differences:
        _show_difference(difference)
    typer.echo(counted(len(differences), "difference") if differences else _equal(studies, details=details))


def _show_difference(difference: Difference) -> None:
    """Show a difference on stdout: it is the result."""
    from inveonimaging.cli.table import say as say_result

    say_result(("differs:", _STYLES["differs"]), f" {printable(_sentence(difference), _LONGEST)}")


def _equal(studies: Sequence[StudyCheck], *, details: bool) -> str:
    series = [each for study in studies for each in study.series]
    planes = sum(each.planes for each in series)
    hint = "" if details else "; -v shows what was compared"
    return f"no difference: {counted(len(series), 'series', 'series')}, {counted(planes, 'plane')}{hint}"


def _show_compared(study: StudyCheck) -> None:
    from inveonimaging.cli.table import show_groups

    groups: list[tuple[Cell, list[tuple[str, Cell]]]] = [
        (each.name, [(check.kind.value, _compared(check)) for check in each.checks]) for each in study.series
    ]
    show_groups(f"{shown(study.source)} and {shown(study.dicom)}", groups)


def _compared(check: Check) -> Cell:
    verdict = check.verdict.value
    return "; ".join(filter(None, (verdict, _short(check.compared), check.largest))), _STYLES[verdict]


def _short(compared: str) -> str:
    """Return what was compared in a few words; JSON has all names."""
    names = compared.split(", ")
    return compared if len(names) <= _NAMES_SHOWN else f"{len(names)} attributes"


def _sentence(difference: Difference) -> str:
    where = f"{shown(difference.path)}: " if difference.path else ""
    return f"{where}{difference.message} [{difference.code}]"


def refuse_differences(studies: Sequence[StudyCheck]) -> None:
    """End the command with exit code 1 if anything differs."""
    if any(study.all_differences for study in studies):
        raise typer.Exit(1)
