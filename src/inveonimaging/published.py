"""What the two published commands share: their options for multi-frame output, and how they end."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from inveonimaging.conversion import Options, convert
from inveonimaging.errors import OptionError
from inveonimaging.reporting import FAILURES, forgive_encoding, say_failure, say_findings, shown


def add_multiframe(parser: argparse.ArgumentParser) -> None:
    """Add `-f`, `-l` and `-m`."""
    parser.add_argument("-f", "--file", help="Name of output file for multiframe output")
    parser.add_argument(
        "-l", "--legacyconverted", action="store_true", help="Legacy Converted Enhanced objects; not available yet"
    )
    parser.add_argument("-m", "--multiframe", action="store_true", help="Enhanced objects; not available yet")


def refuse_multiframe(arguments: argparse.Namespace) -> None:
    """Refuse `-l` and `-m`, whose SOP classes are not written yet; OptionError."""
    for flag, chosen in (("-l", arguments.legacyconverted), ("-m", arguments.multiframe)):
        if chosen:
            raise OptionError(
                f"{flag} (multi-frame objects) is not available yet", hint="leave it out for single-frame objects"
            )


def convert_and_tell(source: str, output: str, options: Options) -> None:
    """Convert, and print what was written and what was odd, as the published commands do."""
    for study in convert(source, output, options):
        say_findings(study.all_findings)
        for series in study.series:
            where = shown(Path(study.output, series.folder))
            print(f"{series.sop_class}: {series.instances} files in {where}")


def exit_code_of(work: Callable[[], None]) -> int:
    """Do the work; return 0, or the exit code of its failure after one line on stderr."""
    forgive_encoding()
    try:
        work()
    except FAILURES as error:
        return say_failure(error)
    return 0
