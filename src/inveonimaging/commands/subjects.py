"""`inveon subjects`, as a function: a sheet of subjects and scans, filled in from the headers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inveonimaging.batches import SkippedCounts
from inveonimaging.batches.walk import Found, walk
from inveonimaging.errors import InputError, InveonError
from inveonimaging.findings import Finding
from inveonimaging.inveon.pairs import Pair, half_error, pair_of
from inveonimaging.prefill import basic, filled_by_animal, filled_by_scan, filled_by_subject, refuse_kind, sheet_bytes
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.storage.whole_files import refuse_taken, write_whole
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.folder import pairs_at


@dataclass(frozen=True, kw_only=True)
class SheetResult:
    """What was written.

    Attributes:
        path: the sheet; None if no scan could be read.
        rows: how many it has.
        passed: what was passed over below the folder.
        findings: on the headers.
        errors: of headers, or folders, that cannot be read.
    """

    path: Path | None
    rows: int
    passed: SkippedCounts
    findings: tuple[Finding, ...]
    errors: tuple[InveonError, ...]


def subjects(
    root: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    by: Literal["scan", "subject", "animal"] = "scan",
    columns: Literal["basic", "all"] = "basic",
    overwrite: bool = False,
    corrections: Corrections | None = None,
    progress: Progress = no_progress,
) -> SheetResult:
    """Write a sheet filled in from the headers, to be corrected and given to a conversion.

    It appears whole or not at all.

    Args:
        root: a folder with pairs at any depth, or one pair; for animals, those of one session.
        output: the sheet: `.csv`, `.tsv` or `.xlsx`.
        by: what a row is about; of animals that were scanned together, one each that is found, which needs SciPy.
        columns: those that people need, or all that are known; those that people need are first.
        overwrite: replace a file of the same name.
        corrections: what counts instead of the headers.
        progress: called with how many folders were looked at, twice: how many there are is known at the end only.

    Raises:
        InputError: there is no pair; no animal is found, or how many there are is in doubt.
        OptionError: what was typed is of one animal, or a sheet; the name has no ending of a sheet, or what is needed
            is not installed.
        OutputError: the file is there already, or cannot be written.
    """
    place, target, passed = Path(root), Path(output), SkippedCounts()
    refuse_kind(target)
    refuse_taken(target, overwrite=overwrite)
    corrections = corrections or Corrections()
    if by == "animal":
        filled = filled_by_animal(place, pairs_at(place).pairs, corrections)
    else:
        fill = filled_by_scan if by == "scan" else filled_by_subject
        filled = fill(place, _looked_at(place, target, passed, StepCounter(progress)), corrections)
    if columns == "basic":
        filled = basic(filled)
    if filled.rows:
        write_whole(target, sheet_bytes(filled, target), overwrite=overwrite)
    return SheetResult(
        path=target if filled.rows else None,
        rows=len(filled.rows),
        passed=passed,
        findings=filled.findings,
        errors=filled.errors,
    )


def _looked_at(
    root: Path, output: Path, passed: SkippedCounts, counter: StepCounter
) -> Iterator[Sequence[Pair] | InputError]:
    """Yield the pairs of each folder that a batch would enter, and what cannot be read; or the one pair of a file."""
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        yield (pair_of(root),)
        return
    found = False
    for step in walk(root, output, passed):
        counter.step()
        if step is not None:
            found = True
            yield step.folder.pairs if isinstance(step, Found) else step
    if passed.first_half and not found:
        raise half_error(passed.first_half)
