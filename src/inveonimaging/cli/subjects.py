"""`inveon subjects`: a sheet of subjects and scans, pre-filled from the headers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inveonimaging.cli.batch import left_aside
from inveonimaging.cli.messages import say_failure, say_findings, shown
from inveonimaging.cli.outcome import one_line_errors
from inveonimaging.errors import InputError

if TYPE_CHECKING:
    from inveonimaging.batches import Passed
    from inveonimaging.inveon.pairs import Pair

EXAMPLES = """\b
Examples:
  inveon subjects archive -o subjects.csv
  inveon subjects archive -o animals.xlsx --by subject
  inveon convert archive dicom --recursive --subjects subjects.csv
"""


def subjects(
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="A folder with Inveon files at any depth, or one .img or .hdr file.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The sheet: .csv, .tsv or .xlsx.")],
    by: Annotated[Literal["scan", "subject"], typer.Option("--by", help="What a row is about.")] = "scan",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of the same name.")] = False,
) -> None:
    """Write a sheet pre-filled from the headers, to be corrected and given to inveon convert --subjects."""
    with one_line_errors():
        from inveonimaging.batches import Passed
        from inveonimaging.prefill.sheet import filled_by_scan, filled_by_subject
        from inveonimaging.prefill.writing import refuse_kind, sheet_bytes
        from inveonimaging.storage.whole_files import refuse_taken, write_whole

        refuse_kind(output)
        refuse_taken(output, overwrite=overwrite)
        passed = Passed()
        looked = _looked_at(root, output, passed)
        filled = filled_by_scan(root, looked) if by == "scan" else filled_by_subject(root, looked)
        if filled.rows:
            write_whole(output, sheet_bytes(filled, output), overwrite=overwrite)
            count = len(filled.rows)
            typer.echo(f"{shown(output)}: {count} row{'' if count == 1 else 's'}, one a {by}")
        for note in left_aside(passed):
            typer.echo(f"note: {note}")
        say_findings(filled.findings)
        codes = [say_failure(error) for error in filled.errors]
        raise typer.Exit(max(codes, default=0))


def _looked_at(root: Path, output: Path, passed: Passed) -> Iterator[Sequence[Pair] | InputError]:
    """Yield the pairs of each folder that a batch would enter, and what cannot be read; or the one pair of a file."""
    from inveonimaging.batches.walk import Found, walk
    from inveonimaging.inveon.pairs import pair_of

    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        yield (pair_of(root),)
        return
    for step in walk(root, output, passed):
        if step is not None:
            yield step.folder.pairs if isinstance(step, Found) else step
