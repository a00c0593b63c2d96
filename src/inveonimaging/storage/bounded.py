"""Files that people name, read into memory: a regular file of a bounded size, and nothing that is waited for."""

from __future__ import annotations

import codecs
import errno
import os
import stat
from pathlib import Path

_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)  # for who writes into a pipe


def read_bounded(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: of the file, or of a link to it.
        most: how many bytes it may have.

    Raises:
        OSError: it cannot be read, is not a regular file (a folder, a device, a pipe), or is larger; see `strerror`.
    """
    with open(path, "rb", opener=_opened) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes", str(path))
    return data


def encoding_of(data: bytes) -> str:
    """Return UTF-16 for text with its mark, as PowerShell writes it; for any other UTF-8, with or without one."""
    return "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | _WITHOUT_WAITING)
