"""Errors about keys that somebody needs: absent, empty, or not what they must be."""

from __future__ import annotations

from inveonimaging.errors import HeaderError
from inveonimaging.inveon.hdr.fields import FRAME, MAIN
from inveonimaging.inveon.hdr.model import Frame, Header


def missing(header: Header, key: str, expected: str | None = None) -> HeaderError:
    """Return the error that a key of the main block is missing, or is not what is expected, with what it is."""
    got = next((line.value for line in reversed(header.source) if line.key == key), None)
    return HeaderError(line=header.line_of(key), key=key, got=got, expected=expected or MAIN[key].codec.expected)


def missing_in_frame(frame: Frame, index: int, key: str, expected: str | None = None) -> HeaderError:
    """Return the error that a key of a frame block is missing, or is not what is expected, with what it is."""
    got = next((line.value for line in reversed(frame.source) if line.key == key), None)
    line = frame.line_of(key) or (frame.source[0].number if frame.source else None)
    return HeaderError(
        line=line, key=f"{key} of frame {index}", got=got, expected=expected or FRAME[key].codec.expected
    )
