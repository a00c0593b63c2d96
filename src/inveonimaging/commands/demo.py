"""`inveon demo`, as a function: a phantom study, written as the scanner would, and converted."""

from __future__ import annotations

import os
from pathlib import Path

from inveonimaging.conversion.job import StudyResult, convert
from inveonimaging.errors import OutputError, printable
from inveonimaging.phantom import write_study
from inveonimaging.progress import Progress, no_progress
from inveonimaging.storage.leftovers import DEMO
from inveonimaging.storage.staging import refuse_settled, refuse_used, staged, written

DICOM = "dicom"
_MOST = 100  # demos beside each other


def demo(output: str | os.PathLike[str], *, progress: Progress = no_progress) -> tuple[StudyResult, ...]:
    """Write a mouse-like phantom, CT and dynamic FDG PET, and convert it.

    Args:
        output: a new or empty folder; the scanner's files come into `inveon` in it, the DICOM into `dicom`.
        progress: called with how many slices are converted, and how many there are.

    Raises:
        OutputError: there is something in the folder; it cannot be written.
    """
    return convert(write_demo(Path(output)), Path(output) / DICOM, progress=progress)


def write_demo(output: Path) -> Path:
    """Write the phantom's files, all or none; return their folder. Arguments and errors as `demo`."""
    _refuse_used(output)
    with staged(output) as stage:
        folder = stage.folder(DEMO)
        write_study(folder)
        stage.commit({DEMO: map(written, folder.iterdir())})
    return output / DEMO


def _refuse_used(output: Path) -> None:
    """Refuse a folder in which something is, and say which one is free.

    Raises:
        OutputError: there is something.
    """
    try:
        refuse_settled(output, lambda: refuse_used(output))
    except OutputError as error:
        named = output if output.name not in ("", "..") else output / "demo"
        others = (named.with_name(f"{named.name}-{number}") for number in range(2, _MOST))
        free = next((each for each in others if not os.path.lexists(each)), None)
        hint = f'nothing is overwritten; type: inveon demo "{printable(free, 300)}"' if free else error.hint
        raise OutputError(error.message, path=error.path, expected=error.expected, hint=hint) from error
