"""gzip as one thread makes it while another one reads: equal bytes for equal content, whenever and wherever."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

LEVEL = 1
"""As nibabel has it: noise is not packed better by more work."""
_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no name, no time, unknown system: RFC 1952
_SIZE = 2**32


def gzipped(parts: Iterable[memoryview | bytes]) -> Iterator[bytes]:
    """Yield a gzip file of parts, none of which has a name or a time in it."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    checksum = size = 0
    yield _HEAD
    for part in parts:
        checksum = zlib.crc32(part, checksum)
        size += len(part)
        if packed := packer.compress(part):
            yield packed
    yield packer.flush()
    yield checksum.to_bytes(4, "little") + (size % _SIZE).to_bytes(4, "little")
