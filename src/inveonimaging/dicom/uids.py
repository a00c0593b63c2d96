"""UIDs as a policy: derived from content, so that the same input gives the same UIDs everywhere, or random.

Both are of the form `2.25.` and a UUID as a decimal number (PS3.5 B.2).
"""

from __future__ import annotations

import hashlib
import uuid

from pydicom.uid import UID

__all__ = ["IMPLEMENTATION_CLASS", "UID", "ContentUids", "RandomUids", "UidPolicy"]

IMPLEMENTATION_CLASS = UID("2.25.43772123228642679789192001305397790367")


class UidPolicy:
    """Gives a UID for a name; the same name gets the same UID, another name another one."""

    _version = 5
    _salt: tuple[str, ...] = ()

    def uid(self, *name: object) -> UID:
        """Return the UID of a name made of parts: their SHA-256, as a UUID of this version's form."""
        digest = hashlib.sha256("\0".join(map(str, ("inveonimaging", *self._salt, *name))).encode()).digest()
        return UID(f"2.25.{uuid.UUID(bytes=digest[:16], version=self._version).int}")


class ContentUids(UidPolicy):
    """UIDs that depend on the name alone, for names that hold digests of the content."""


class RandomUids(UidPolicy):
    """Random UIDs: the same again for the same name, also in a copy in another process."""

    _version = 4

    def __init__(self) -> None:
        self._salt = (uuid.uuid4().hex,)
