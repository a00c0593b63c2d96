"""What a file holds, as one short text."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

_STEP = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; OSError if it cannot be read."""
    found = sha256()
    with path.open("rb") as file:
        while part := file.read(_STEP):
            found.update(part)
    return found.hexdigest()
