"""The published command for one pair: `python3 -m inveonimaging.inveonFile2DICOM`; `inveon convert` can do more."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from inveonimaging.cli.published import add_multiframe, convert_and_print, exit_code_of, form_of
from inveonimaging.conversion import Options
from inveonimaging.errors import InputError
from inveonimaging.inveon.hdr.enums import Modality


def parser() -> argparse.ArgumentParser:
    """Return the published arguments."""
    made = argparse.ArgumentParser(
        prog="inveonFile2DICOM.py",
        description="Inveon native .img/.hdr file to DICOM original",
        epilog="Example: python3 -m inveonimaging.inveonFile2DICOM scan.ct.img dicom",
    )
    made.add_argument("InveonImage", help="Path to Inveon .img file")
    made.add_argument("OutputFolder", help="Path to output folder for DICOM files")
    add_multiframe(made)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    given = parser().parse_args(arguments)
    return exit_code_of(lambda: _convert(given))


def _convert(given: argparse.Namespace) -> None:
    if os.path.isdir(given.InveonImage):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        raise InputError("is a folder", path=given.InveonImage, expected="one .img file", hint="see inveonFolder2DICOM")
    options = Options(
        prefixes=dict.fromkeys((Modality.CT, Modality.PET, Modality.SPECT), ""),
        manifest=False,
        specified=True,
        beside_others=True,
        allow_long_data=True,
        form=form_of(legacy=given.legacyconverted, multiframe=given.multiframe, named="-l and -m"),
        file_name=given.file or None,
    )
    convert_and_print(given.InveonImage, given.OutputFolder, options)


if __name__ == "__main__":
    sys.exit(main())
