"""Files appear whole or not at all: a study is written into a hidden folder in its place, then renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from inveonimaging.errors import OutputError

_STAGE = ".inveon-"


def refuse_used(folder: Path) -> None:
    """Refuse an output folder that holds anything, or that cannot be one.

    Raises:
        OutputError: there is something.
    """
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise OutputError(
                "the output folder is not empty", path=folder, hint="nothing is overwritten; name a new folder"
            )
        if os.path.lexists(folder) and not folder.is_dir():
            raise OutputError("the output is no folder", path=folder, hint="name a new folder")
    except OSError as error:
        raise _failed(folder, error) from error


class Stage:
    """A hidden folder inside the output folder; its folders go to their final names together."""

    def __init__(self, output: Path, stage: Path) -> None:
        self._output = output
        self._stage = stage

    def folder(self, name: str) -> Path:
        """Make a folder for one series."""
        folder = self._stage / name
        folder.mkdir()
        return folder

    def commit(self) -> None:
        """Give all folders their final names; if one cannot have it, none keeps it."""
        done: list[Path] = []
        try:
            for folder in sorted(self._stage.iterdir()):
                folder.rename(self._output / folder.name)
                done.append(self._output / folder.name)
        except BaseException:
            for folder in done:
                shutil.rmtree(folder, ignore_errors=True)
            raise


@contextlib.contextmanager
def staged(output: Path) -> Iterator[Stage]:
    """Open an output folder for writing; leave nothing behind but what was committed.

    Raises:
        OutputError: the folder is used, cannot be made or cannot be written to, or the disk is full.
    """
    refuse_used(output)
    made = _missing_folders(output)
    stage: Path | None = None
    try:
        output.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=output))
        yield Stage(output, stage)
    except BaseException as error:
        _clean(stage, made)
        if isinstance(error, OSError):
            raise _failed(output, error) from error
        raise
    _clean(stage, ())


def write_file(path: Path, parts: Iterable[bytes]) -> None:
    """Write one new file, part by part."""
    with path.open("xb") as file:
        file.writelines(parts)


def _missing_folders(folder: Path) -> tuple[Path, ...]:
    """Return the folders, innermost first, that making this folder makes."""
    return tuple(each for each in (folder, *folder.parents) if not each.exists())


def _clean(stage: Path | None, made: tuple[Path, ...]) -> None:
    if stage is not None:
        shutil.rmtree(stage, ignore_errors=True)
    for folder in made:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _failed(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot be written: {error.strerror or error}", path=folder)
