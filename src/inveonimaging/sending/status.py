"""What the codes of servers mean."""

from __future__ import annotations

from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS


def meaning(code: int) -> str:
    """Return what a status of the storage service (PS3.4 B.2.3) or a Failure Reason means; nothing if it is unknown."""
    known = STORAGE_SERVICE_CLASS_STATUS.get(code)
    return str(known[1]).lower() if known and known[1] else ""


def told(word: str, code: int, *more: str) -> str:
    """Return a code with what it means, and more."""
    return ", ".join(filter(None, (f"{word} {code:04X}", meaning(code), *more)))
