"""The published command for a folder: `python3 -m inveonimaging.inveonFolder2DICOM`; `inveon convert` can do more."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from inveonimaging.animal import given_subject
from inveonimaging.cli.published import add_multiframe, convert_and_print, exit_code_of, form_of
from inveonimaging.conversion import Options
from inveonimaging.conversion.options import suffixes
from inveonimaging.dicom.codes import CodeTable, read_code_table
from inveonimaging.inveon.hdr.enums import Modality


def parser() -> argparse.ArgumentParser:
    """Return the published arguments."""
    made = argparse.ArgumentParser(
        prog="inveonFolder2DICOM.py",
        description="Inveon native .img/.hdr file to DICOM original",
        epilog="Example: python3 -m inveonimaging.inveonFolder2DICOM -c CT- -p PET- study dicom",
    )
    made.add_argument("InveonFolder", help="Path to Inveon .hdr/.img file(s)")
    made.add_argument("OutputFolder", help="Path to output folder for DICOM files")
    made.add_argument("-C", "--codetable", dest="code_table", help="JSON file with code table")
    made.add_argument("-c", "--ct", dest="ct_prefix", default="", help="Prefix for a CT file")
    made.add_argument("-p", "--pet", dest="pet_prefix", default="", help="Prefix for a PET file")
    add_multiframe(made)
    made.add_argument("-s", "--studydescription", dest="study_description", help="Set DICOM StudyDescription")
    made.add_argument("--patientname", dest="patient_name", help="Set DICOM PatientName")
    made.add_argument("--patientid", dest="patient_id", help="Set DICOM PatientID")
    made.add_argument("--patientdob", dest="patient_birthdate", help="Set DICOM PatientBirthDate")
    made.add_argument("--patientsex", dest="patient_sex", help="Set DICOM PatientSex")
    made.add_argument(
        "--ignoreAllExtraFiles",
        action="store_true",
        help="Ignore presence of all files with extension other than .img and .hdr",
    )
    made.add_argument(
        "--ignoreFileWithExt",
        action="append",
        default=[],
        metavar="IGNORE_SPECIFIC_EXTRA_FILES",
        help="Ignore presence of files with specific extension other than .img and .hdr; may be given again",
    )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    given = parser().parse_args(arguments)
    return exit_code_of(lambda: _convert(given))


def _convert(given: argparse.Namespace) -> None:
    options = Options(
        form=form_of(legacy=given.legacyconverted, multiframe=given.multiframe, named="-l and -m"),
        manifest=False,
        specified=True,
        beside_others=True,
        allow_long_data=True,
        file_name=given.file or None,
        study_description=given.study_description,
        subject=given_subject(given.patient_name, given.patient_id, given.patient_birthdate, given.patient_sex),
        prefixes={Modality.CT: given.ct_prefix, Modality.PET: given.pet_prefix, Modality.SPECT: ""},
        codes=read_code_table(Path(given.code_table)) if given.code_table else CodeTable(),
        refuse_strays=True,
        ignored_suffixes=None if given.ignoreAllExtraFiles else suffixes(given.ignoreFileWithExt),
    )
    convert_and_print(given.InveonFolder, given.OutputFolder, options)


if __name__ == "__main__":
    sys.exit(main())
