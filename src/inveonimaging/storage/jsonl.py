"""JSON Lines files: one process at a time appends to one, and a kill leaves at most its last line incomplete."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from inveonimaging.errors import OutputError

_LONGEST = 64 * 1024 * 1024
_END = b"\n"


def append(file: BinaryIO, document: dict[str, Any]) -> int:
    """Write a line at the end and flush it to the system; return where it begins. OSError if that fails."""
    begin = file.seek(0, os.SEEK_END)
    if begin:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != _END:  # an editor has left it away
            file.write(_END)
            begin += 1
    file.write(json.dumps(document).encode() + _END)
    file.flush()
    return begin


def whole_lines(file: BinaryIO, start: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each line with where it begins; cut off one at the end that a kill or a power failure tore.

    Args:
        file: open for reading and writing.
        start: how the lines begin that are written into it: another one at the end is somebody's, and stays.

    Raises:
        ValueError: a line is so long that it cannot be ours.
        OSError: it cannot be read.
    """
    begin = file.seek(0)
    while line := _line(file):
        is_zero = begin and not line.strip(b"\0")  # what a power failure leaves
        if not line.endswith(_END) and (is_zero or _is_torn(line, start)):
            file.truncate(begin)
            return
        yield begin, line
        begin += len(line)


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, which is not changed; ValueError and OSError as `whole_lines`, or if it is none."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("no regular file")
    with path.open("rb") as file:
        while line := _line(file):
            yield line


def document_of(line: bytes) -> Any:
    """Return what a line holds as JSON; None if it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _line(file: BinaryIO) -> bytes:
    line = file.readline(_LONGEST)
    if len(line) == _LONGEST:
        raise ValueError("a line is too long")
    return line


def _is_torn(line: bytes, start: bytes) -> bool:
    """Return whether the last line is the beginning of one of ours."""
    return (line.startswith(start) or start.startswith(line)) and document_of(line) is None


@contextlib.contextmanager
def locked(path: Path, busy: OutputError) -> Iterator[None]:
    """Hold a lock file, which is removed when its holder ends, however that ends.

    Raises:
        OutputError: `busy`, since another process holds it; or something else has its name.
        OSError: it cannot be made.
    """
    _refuse_other(path)
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise busy from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        lock.release()
        if os.name == "nt":  # which keeps the file while it is open
            with contextlib.suppress(OSError):
                path.unlink()


def _refuse_other(path: Path) -> None:
    """Refuse what is no lock of ours: it would be removed at the end."""
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size:
            hint = "move it elsewhere: a lock is made by this name"
            raise OutputError("exists already and is not a lock of this program", path=path, hint=hint)
