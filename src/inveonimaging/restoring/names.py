"""Names of restored files: those that the DICOM gives, where every system can have them; they are never a path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from inveonimaging.errors import InputError, printable
from inveonimaging.inveon.pairs import DATA_SUFFIX, HEADER_SUFFIX
from inveonimaging.storage.system_files import is_system_file
from inveonimaging.storage.whole_files import RESERVED, file_name

_LONGEST = 200  # bytes
_NOWHERE = frozenset('<>:"/\\|?*')


def safe_name(name: str) -> str:
    """Return the name of a header: as it is, or what is left of it where a system cannot have it."""
    if _is_safe(name):
        return name
    stem = name.lower().removesuffix(HEADER_SUFFIX).removesuffix(DATA_SUFFIX)
    kept = file_name(name[: len(stem)]).lstrip("-._") or "scan"
    return f"{'scan-' if RESERVED.fullmatch(kept) else ''}{kept}{DATA_SUFFIX}{HEADER_SUFFIX}"


def _is_safe(name: str) -> bool:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    is_plain = name.isprintable() and not _NOWHERE & set(name) and name[:1] not in ("", ".", "-", " ")
    is_header = name.lower().endswith(HEADER_SUFFIX) and not is_system_file(name)
    return is_plain and is_header and size <= _LONGEST and not RESERVED.fullmatch(name)


def refuse_alike(names: Iterable[str], source: Path) -> None:
    """Refuse names of which two are the same file, also on systems that ignore case.

    Args:
        names: of all files.
        source: the DICOM, for the message.

    Raises:
        InputError: naming the first.
    """
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            hint = "restore each study into a folder of its own"
            raise InputError(f"two scans are called {printable(name)}", path=source, expected="one", hint=hint)
        seen.add(name.casefold())
