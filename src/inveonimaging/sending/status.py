"""What the codes of servers mean."""

from __future__ import annotations

from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS


def coded(word: str, code: int, *more: str) -> str:
    """Return a status of the storage service (PS3.4 B.2.3) or a Failure Reason with its meaning, if known, and more."""
    known = STORAGE_SERVICE_CLASS_STATUS.get(code)
    meaning = str(known[1]).lower() if known and known[1] else ""
    return ", ".join(filter(None, (f"{word} {code:04X}", meaning, *more)))
