"""A command as people paste it into the shell of their system."""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Sequence

from inveonimaging.errors import printable

_LONGEST = 200_000
_SAFE = (string.ascii_letters + string.digits + "/._-:= ").encode()
_PLAIN = re.compile(r"[A-Za-z0-9_\\/:=-]+")  # by cmd and PowerShell alike; a dot splits an option of PowerShell
_EXPANDED = re.compile(r'["%$`!]')  # within double quotes, by one of the two

_BEFORE_A_MARK, _AT_THE_END = re.compile(r'(\\*)"'), re.compile(r"(\\+)$")


def line_of(words: Sequence[str], *, windows: bool) -> str:
    """Return a command in one line: for cmd and PowerShell, or for a POSIX shell."""
    line = " ".join(map(_quoted if windows else _quoted_for_posix, words))
    return printable(line, _LONGEST)


def is_safe(words: Sequence[str], *, windows: bool) -> bool:
    """Return whether the shell takes the line as it is meant; Windows' shells change some characters in any quotes."""
    return not windows or not any(map(_EXPANDED.search, words))


def _quoted_for_posix(word: str) -> str:
    """Return a word for a POSIX shell; a name that is no text, by its bytes, as bash, ksh and zsh know them."""
    if word.isascii() or not any("\ud800" <= each <= "\udfff" for each in word):
        return shlex.quote(word)
    named = word.encode("utf-8", "surrogateescape")
    return "$'" + "".join(chr(each) if each in _SAFE else f"\\{each:03o}" for each in named) + "'"


def _quoted(word: str) -> str:
    """Return a word as programs of Windows read it: backslashes count double before a quotation mark alone."""
    if _PLAIN.fullmatch(word) and not word.endswith("\\"):
        return word
    inside = _BEFORE_A_MARK.sub(r'\1\1\\"', word)
    return '"' + _AT_THE_END.sub(r"\1\1", inside) + '"'
