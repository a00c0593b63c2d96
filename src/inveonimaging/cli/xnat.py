"""`inveon xnat`: what XNAT's Container Service runs.

Its options have the names of the inputs in `xnat/command.json`. Texts come in environment variables, since the
Container Service pastes values into its command line as they are, and then splits that at spaces and quotes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inveonimaging.cli.messages import say_findings, shown
from inveonimaging.cli.outcome import one_line_errors
from inveonimaging.errors import OptionError
from inveonimaging.storage.folders import real_path
from inveonimaging.units import counted

if TYPE_CHECKING:
    from inveonimaging.conversion.options import Options

EXAMPLES = """\b
Example:
  inveon xnat /input /output
"""
Text = str | None


def xnat(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="The folder of a resource, a scan or a session.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A new or empty folder.")],
    code_table: Annotated[
        Text, typer.Option(envvar="INVEON_CODE_TABLE", metavar="FILE", help="JSON file with codes, as seen from INPUT.")
    ] = None,
    ct_prefix: Annotated[str, typer.Option(envvar="INVEON_CT_PREFIX", help="Start of CT file names.")] = "CT-",
    pet_prefix: Annotated[str, typer.Option(envvar="INVEON_PET_PREFIX", help="Start of PET file names.")] = "PET-",
    file: Annotated[
        Text, typer.Option(envvar="INVEON_FILE", metavar="NAME", help="Name of multi-frame objects' files.")
    ] = None,
    legacy_converted: Annotated[
        bool, typer.Option("--legacy-converted", help="Write Legacy Converted Enhanced objects.")
    ] = False,
    multiframe: Annotated[bool, typer.Option("--multiframe", help="Write Enhanced objects.")] = False,
    study_description: Annotated[
        Text, typer.Option(envvar="INVEON_STUDY_DESCRIPTION", help="Study Description.")
    ] = None,
    patient_name: Annotated[Text, typer.Option(envvar="INVEON_PATIENT_NAME", help="Patient's Name.")] = None,
    patient_id: Annotated[Text, typer.Option(envvar="INVEON_PATIENT_ID", help="Patient ID.")] = None,
    patient_dob: Annotated[
        Text, typer.Option(envvar="INVEON_PATIENT_DOB", metavar="DATE", help="Birth date, 2014-03-04.")
    ] = None,
    patient_sex: Annotated[Text, typer.Option(envvar="INVEON_PATIENT_SEX", metavar="M|F|O", help="Sex.")] = None,
    ignore_all_extra_files: Annotated[
        bool, typer.Option("--ignore-all-extra-files", help="Skip other files instead of refusing them.")
    ] = False,
    ignore_file_with_ext: Annotated[
        str,
        typer.Option(envvar="INVEON_IGNORE_FILE_WITH_EXT", metavar="EXT...", help="Extensions of other files to skip."),
    ] = ".xml",
    xnat_route: Annotated[
        Text,
        typer.Option(envvar="INVEON_XNAT_ROUTE", metavar="P/S/L", help="Project, subject and session to file it in."),
    ] = None,
    subjects: Annotated[
        Text, typer.Option(envvar="INVEON_SUBJECTS", metavar="FILE", help="Sheet of animals, as seen from INPUT.")
    ] = None,
    mask_others: Annotated[
        bool, typer.Option("--mask-others", help="As for split, if the sheet has positions.")
    ] = False,
    frame_of_reference: Annotated[
        Literal["shared", "auto", "separate"], typer.Option(help="Which series lie in one space, for fusion.")
    ] = "shared",
) -> None:
    """Convert all Inveon files of one scan or session of XNAT to one DICOM study, or to one an animal."""
    with one_line_errors():
        from inveonimaging.animal import given_subject
        from inveonimaging.animal.xnat_route import route_of
        from inveonimaging.cli.published import form_of
        from inveonimaging.conversion.options import Options, suffixes
        from inveonimaging.dicom.codes import CodeTable, read_code_table
        from inveonimaging.inveon.hdr.enums import Modality
        from inveonimaging.sheet.reading import read_sheet
        from inveonimaging.study.registration import RegistrationPolicy

        table = _inside(source, code_table, "code_table") if code_table else None
        sheet = _inside(source, subjects, "subjects") if subjects else None
        options = Options(
            form=form_of(legacy=legacy_converted, multiframe=multiframe, named="legacy_converted and multiframe"),
            manifest=False,
            specified=True,
            allow_long_data=True,
            file_name=file,
            study_description=study_description,
            subject=given_subject(patient_name, patient_id, patient_dob, patient_sex),
            mask_others=mask_others,
            xnat_route=route_of(xnat_route) if xnat_route else None,
            prefixes={Modality.CT: ct_prefix, Modality.PET: pet_prefix, Modality.SPECT: "NM-"},
            codes=read_code_table(table) if table else CodeTable(),
            sheet=read_sheet(sheet) if sheet else None,
            frame_of_reference=RegistrationPolicy.COMPATIBLE
            if frame_of_reference == "shared"
            else RegistrationPolicy(frame_of_reference),
            refuse_strays=True,
            ignored_suffixes=None if ignore_all_extra_files else suffixes(_words(ignore_file_with_ext)),
        )
        _run(source, output, options, own=tuple(filter(None, (table, sheet))))


def _inside(source: Path, name: str, key: str) -> Path:
    """Return a file of what is mounted; who may start a container need not be allowed to read its other files."""
    path = source / name
    if not real_path(path).is_relative_to(real_path(source)):
        raise OptionError(key=key, got=name, expected="a path inside INPUT")
    return path


def _words(text: str) -> list[str]:
    """Return what commas and spaces part."""
    return [word for word in re.split(r"[,\s]+", text) if word]


def _run(source: Path, output: Path, options: Options, own: tuple[Path, ...]) -> None:
    """Convert and print: findings on stderr, what was written on stdout."""
    from inveonimaging.commands.xnat import plan_session
    from inveonimaging.conversion.job import convert_planned
    from inveonimaging.conversion.plan import sheet_findings_of

    planned = plan_session(source, output, options, own)
    say_findings(sheet_findings_of(planned, options))
    for plan, study in zip(planned, convert_planned(planned, output, options), strict=True):
        say_findings(study.all_findings)
        for series in study.series:
            origin = ", ".join(filter(None, (plan.inside(Path(series.source)), series.part)))
            where = Path(study.output, series.folder)
            files = counted(series.instances, f"{series.sop_class} file")
            typer.echo(f"{shown(where)}: {files} from {shown(origin)}")
