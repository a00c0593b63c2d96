"""Names of files as pages and forms carry them.

A name need not be text: Linux takes any bytes, and Windows any 16-bit units. Python has what is no text in them as
single surrogates, which no page can hold. In a page each of them is a character for private use, and what a form brings
back is turned back. Where a name has such a character itself, another one before it says so.
"""

from __future__ import annotations

import re

_SURROGATES, _PRIVATE, _ITSELF = 0xD800, 0x10F000, "\U0010f800"
_OUT = re.compile("[\ud800-\udfff\U0010f000-\U0010f800]")
_BACK = re.compile(f"{_ITSELF}(.)|([\U0010f000-\U0010f7ff])", re.DOTALL)


def carried(text: str) -> str:
    """Return a text that UTF-8 can hold."""
    return _OUT.sub(_carry, text)


def brought(text: str) -> str:
    """Return the text that was carried."""
    return _BACK.sub(lambda found: found[1] or chr(ord(found[2]) - _PRIVATE + _SURROGATES), text)


def _carry(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _ITSELF + found[0] if code >= _PRIVATE else chr(code - _SURROGATES + _PRIVATE)
