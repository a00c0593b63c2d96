"""DICOM files -> what is sent of them: their UIDs, as the File Meta Information says; no pixels are read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydicom import config
from pydicom.uid import UID, MediaStorageDirectoryStorage

from inveonimaging.dicom_reading.opening import file_meta_of, one_error
from inveonimaging.dicom_reading.series import dicom_files
from inveonimaging.errors import InputError, printable
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.sending.result import Failure, Item
from inveonimaging.storage.digest import sha256_of
from inveonimaging.storage.folders import real_path


def survey(
    paths: Iterable[str | os.PathLike[str]], progress: Progress = no_progress
) -> tuple[tuple[Item, ...], tuple[Failure, ...], int]:
    """Look at files, and all DICOM files below folders; a DICOMDIR is passed over, and what is no DICOM in folders.

    Args:
        paths: files and folders.
        progress: called with how many files were looked at, and how many there are.

    Returns:
        what can be sent, in its order; what cannot, and why; how many files occur twice.

    Raises:
        InputError: as `dicom_files`.
    """
    items: dict[str, Item] = {}
    failures: list[Failure] = []
    seen: set[Path] = set()
    again = 0
    files = dicom_files(paths)
    counter = StepCounter(progress, len(files))
    for path in files:
        counter.step()
        known = real_path(path) in seen
        seen.add(real_path(path))
        found = None if known else _look(path)
        if isinstance(found, Item) and found.uid in items:
            found = _twin(found, items[found.uid])
        if isinstance(found, Item):
            items[found.uid] = found
        elif isinstance(found, Failure):
            failures.append(found)
        else:
            again += 1
    return tuple(items.values()), tuple(failures), again


def _look(path: Path) -> Item | Failure | None:
    try:
        meta, _ = file_meta_of(path)
        with one_error(path):
            status = path.stat()
            uids = [str(meta.get(name) or "") for name in _NEEDED]
    except InputError as error:
        return Failure(str(path), "", error.sentence)
    if uids[0] == MediaStorageDirectoryStorage:
        return None
    for name, uid in zip(_NEEDED.values(), uids, strict=True):
        if not UID(uid, config.IGNORE).is_valid:
            return Failure(str(path), "", f"has no valid {name} in its File Meta Information")
    return Item(path, uids[0], uids[1], uids[2], status.st_size, status.st_mtime_ns)


_NEEDED = {
    "MediaStorageSOPClassUID": "SOP Class UID",
    "MediaStorageSOPInstanceUID": "SOP Instance UID",
    "TransferSyntaxUID": "Transfer Syntax UID",
}


def _twin(item: Item, other: Item) -> Failure | None:
    """Return nothing for a copy of another file, and a failure for another file that has its UID."""
    try:
        if item.size == other.size and sha256_of(item.path) == sha256_of(other.path):
            return None
    except OSError as error:
        return Failure(str(item.path), item.uid, f"cannot be read: {error.strerror or error}")
    return Failure(
        str(item.path), item.uid, f"has the SOP Instance UID of {printable(other.path, 300)}, but is another file"
    )
