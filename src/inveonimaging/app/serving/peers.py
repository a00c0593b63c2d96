"""Whose program a connection comes from, as the system knows it: an address that someone else read opens nothing.

The address that is opened is on the browser's command line, which on Linux every user of the computer reads.

Source: proc(5), `/proc/net/tcp` and `/proc/net/tcp6`; of each socket its two ends, in hexadecimal, and its user.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F")  # of IPv4, and as an IPv6 socket has it
_ROOT = 0  # who can do all that anyone can, and relays what Windows asks of Linux in it
_OWN_END, _OTHER_END, _USER = 1, 2, 7  # columns


def is_of_others(port: int, to: int, tables: Iterable[Path] = _TABLES) -> bool:
    """Return whether a connection of this computer is one of another user; False where the system does not say.

    Args:
        port: of the other end of the connection.
        to: port on which the app listens.
        tables: of the system.
    """
    ours = {f"{each}:{port:04X}" for each in _LOOPBACK}
    theirs = {f"{each}:{to:04X}" for each in _LOOPBACK}
    for table in tables:
        with contextlib.suppress(OSError):
            rows = map(str.split, table.read_text("ascii").splitlines()[1:])
            for row in rows:
                if row[_OWN_END] in ours and row[_OTHER_END] in theirs:
                    return int(row[_USER]) not in {_ROOT, os.getuid()}
    return False
