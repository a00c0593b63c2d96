"""What the two published commands share: their options for multi-frame output, and how they end."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from inveonimaging.cli.messages import FAILURES, prepare, say_failure, say_findings, shown
from inveonimaging.conversion import Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.errors import OptionError
from inveonimaging.units import counted


def add_multiframe(parser: argparse.ArgumentParser) -> None:
    """Add `-f`, `-l` and `-m`."""
    parser.add_argument("-f", "--file", help="Name of output file for multiframe output")
    parser.add_argument(
        "-l", "--legacyconverted", action="store_true", help="Write Legacy Converted Enhanced objects, one a series"
    )
    parser.add_argument("-m", "--multiframe", action="store_true", help="Write Enhanced objects, one a series")


def form_of(*, legacy: bool, multiframe: bool, named: str) -> Form:
    """Return the form that two switches ask for; OptionError for both, by what they are called."""
    if legacy and multiframe:
        raise OptionError(f"{named} are given", expected="one of them: an object is Legacy Converted, or Enhanced")
    return Form.LEGACY if legacy else Form.ENHANCED if multiframe else Form.CLASSIC


def convert_and_print(source: str, output: str, options: Options) -> None:
    """Convert, and print what was written and the findings, as the published commands do."""
    for study in convert(source, output, options):
        say_findings(study.all_findings)
        for series in study.series:
            where = shown(Path(study.output, series.folder))
            print(f"{series.sop_class}: {counted(series.instances, 'file')} in {where}")


def exit_code_of(work: Callable[[], None]) -> int:
    """Do the work; return 0, or the exit code of its failure after one line on stderr."""
    prepare()
    try:
        work()
    except FAILURES as error:
        return say_failure(error)
    return 0
