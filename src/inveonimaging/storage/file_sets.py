"""Several files that appear together, whole, or not at all, beside others in a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from inveonimaging.errors import OutputError
from inveonimaging.storage.folders import make_folder, unmade_if_nothing_came
from inveonimaging.storage.interruptions import Interruptions
from inveonimaging.storage.set_records import SetRecord, names_begun, recorded, take_back
from inveonimaging.storage.whole_files import draft_in, refuse_taken


def refuse_taken_names(folder: Path, names: Sequence[str], *, overwrite: bool) -> None:
    """Refuse a folder in which files of these names cannot be written.

    Names that a run that was killed had given are free: who writes there takes them back.

    Raises:
        OutputError: something else has a name, or there can be no such folder.
    """
    parent = next((each for each in (folder, *folder.parents) if each.exists() or each.is_symlink()), folder)
    if not parent.is_dir():
        raise OutputError("is not a folder", path=parent, hint="name a new folder")
    if parent == folder:
        for name in {*names} - names_begun(folder):
            refuse_taken(folder / name, overwrite=overwrite)


@contextlib.contextmanager
def file_set(folder: Path, names: Sequence[str], *, overwrite: bool = False) -> Iterator[Mapping[str, Path]]:
    """Give a draft for each name, to be written; afterwards all get their names, or none does.

    A process that is killed outright leaves hidden files, and, while names are given, some of them; who writes there
    next takes that back.

    Args:
        folder: where the files go; it is made if it is missing, and taken away again if nothing came of it.
        names: of the files.
        overwrite: files of these names are replaced.

    Raises:
        OutputError: a name is taken, or a file cannot be written.
    """
    refuse_taken_names(folder, names, overwrite=overwrite)
    drafts: dict[str, Path] = {}
    with Interruptions() as interruptions, unmade_if_nothing_came(folder):
        try:
            make_folder(folder)
            take_back(folder)
            refuse_taken_names(folder, names, overwrite=overwrite)
            drafts |= {name: draft_in(folder) for name in names}
            with recorded(folder, drafts) as record:
                yield drafts
                interruptions.wait = True
                _give_names(folder, drafts, record, overwrite=overwrite)
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror or error}", path=folder) from error
        finally:
            interruptions.wait = True
            for draft in drafts.values():
                with contextlib.suppress(OSError):
                    draft.unlink(missing_ok=True)


def _give_names(folder: Path, drafts: Mapping[str, Path], record: SetRecord, *, overwrite: bool) -> None:
    """Rename the drafts; if one cannot be, what was there before is there again."""
    hiding = {name: draft_in(folder) for name in drafts if os.path.lexists(folder / name)}
    aside: dict[Path, Path] = {}
    given: list[Path] = []
    record.begin(hiding)
    try:
        for name, draft in drafts.items():
            path = folder / name
            refuse_taken(path, overwrite=overwrite)
            if name in hiding:
                path.rename(hiding[name])
                aside[path] = hiding[name]
            draft.rename(path)
            given.append(path)
    except BaseException:
        for path in given:
            path.unlink(missing_ok=True)
        for path, hidden in aside.items():
            hidden.rename(path)
        raise
    for hidden in aside.values():
        with contextlib.suppress(OSError):
            hidden.unlink()
