"""JSON Lines files: one process at a time appends to one, and a kill leaves at most its last line incomplete."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from inveonimaging.errors import OutputError


def append(file: BinaryIO, document: dict[str, Any]) -> int:
    """Write a line at the end and flush it to the system; return where it begins. OSError if that fails."""
    begin = file.seek(0, os.SEEK_END)
    file.write(json.dumps(document).encode() + b"\n")
    file.flush()
    return begin


def whole_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each line with where it begins; cut off an incomplete one at the end."""
    begin = file.seek(0)
    for line in file:
        if not line.endswith(b"\n"):
            file.truncate(begin)
            return
        yield begin, line
        begin += len(line)


@contextlib.contextmanager
def locked(path: Path, busy: OutputError) -> Iterator[None]:
    """Hold a lock file, which is removed when its holder ends, however that ends.

    Raises:
        OutputError: `busy`, since another process holds it.
        OSError: it cannot be made.
    """
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
