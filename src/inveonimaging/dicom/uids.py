"""UIDs as a policy: derived from content, so that the same input gives the same UIDs everywhere, or random.

Both are of the form `2.25.` and a UUID as a decimal number (PS3.5 B.2).
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Protocol

from pydicom.uid import UID

__all__ = ["IMPLEMENTATION_CLASS", "UID", "ContentUids", "RandomUids", "UidPolicy"]

IMPLEMENTATION_CLASS = UID("2.25.43772123228642679789192001305397790367")


class UidPolicy(Protocol):
    """Gives a UID for a name; the same name gets the same UID, another name another one."""

    def uid(self, *name: object) -> UID:
        """Return the UID of a name made of parts."""


class ContentUids:
    """UIDs that depend on the name alone, for names that hold digests of the content."""

    def uid(self, *name: object) -> UID:
        """Return the UID of a name: SHA-256 of its parts, as a UUID of version 5's form."""
        digest = hashlib.sha256("\0".join(map(str, ("inveonimaging", *name))).encode()).digest()
        return UID(f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}")


class RandomUids:
    """Random UIDs, remembered by name."""

    def __init__(self) -> None:
        self._given: dict[tuple[object, ...], UID] = {}

    def uid(self, *name: object) -> UID:
        """Return a random UID, the same again for the same name."""
        return self._given.setdefault(name, UID(f"2.25.{uuid.uuid4().int}"))
