"""What the two published commands share: their options for multi-frame output, and how they end."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path

from inveonimaging.conversion import Options, convert
from inveonimaging.errors import InveonError, OptionError, printable

_INTERRUPTED = 130
_LONGEST = 1000


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
            _say(finding.severity.label, finding)
        for series in study.series:
            for finding in series.findings:
                _say(finding.severity.label, finding)
            where = printable(Path(study.output, series.folder), _LONGEST)
            print(f"{series.sop_class}: {series.instances} files in {where}")


def exit_code_of(work: Callable[[], None]) -> int:
    """Do the work; return 0, or after one line on stderr 2 for wrong usage, 130 for Ctrl-C, 1 for anything else."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may have characters that the terminal lacks
    try:
        work()
    except InveonError as error:
        _say("error", error)
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        _say("error", "interrupted; nothing half-written is left behind")
        return _INTERRUPTED
    except MemoryError:
        _say("error", "out of memory")
        return 1
    return 0


def _say(kind: str, what: object) -> None:
    print(f"{kind}: {printable(what, _LONGEST)}", file=sys.stderr)
