"""What the two published commands share: their options for multi-frame output, and how they end."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from inveonimaging.conversion import Options, convert
from inveonimaging.errors import InveonError, OptionError


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
        for finding in study.findings:
            print(f"{finding.severity.value}: {finding}", file=sys.stderr)
        for series in study.series:
            for finding in series.findings:
                print(f"{finding.severity.value}: {finding}", file=sys.stderr)
            print(f"{series.sop_class}: {series.instances} files in {Path(study.output, series.folder)}")


def end_with(error: InveonError) -> int:
    """Print an error as one line; return the exit code, 2 for wrong usage and 1 for anything else."""
    print(f"error: {error}", file=sys.stderr)
    return 2 if isinstance(error, OptionError) else 1
