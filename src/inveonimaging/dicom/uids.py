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
        return _uid(name, version=5)


class RandomUids:
    """Random UIDs: the same again for the same name, also in a copy in another process."""

    def __init__(self) -> None:
        self._salt = uuid.uuid4().hex

    def uid(self, *name: object) -> UID:
        """Return the UID of a name: of its parts and a random one, as a UUID of version 4's form."""
        return _uid((self._salt, *name), version=4)


def _uid(name: tuple[object, ...], version: int) -> UID:
    digest = hashlib.sha256("\0".join(map(str, ("inveonimaging", *name))).encode()).digest()
    return UID(f"2.25.{uuid.UUID(bytes=digest[:16], version=version).int}")
