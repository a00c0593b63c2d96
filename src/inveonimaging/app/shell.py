"""A command as people paste it into the shell of their system."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from inveonimaging.errors import printable

_LONGEST = 200_000
_PLAIN = re.compile(r"[A-Za-z0-9_\\/:=-]+")  # by cmd and PowerShell alike; a dot splits an option of PowerShell
_EXPANDED = re.compile(r'["%$`!]')  # within double quotes, by one of the two

_BEFORE_A_MARK, _AT_THE_END = re.compile(r'(\\*)"'), re.compile(r"(\\+)$")


def line_of(words: Sequence[str], *, windows: bool) -> str:
    """Return a command in one line: for cmd and PowerShell, or for a POSIX shell."""
    line = " ".join(map(_quoted, words)) if windows else shlex.join(words)
    return printable(line, _LONGEST)


def is_safe(words: Sequence[str], *, windows: bool) -> bool:
    """Return whether the shell takes the line as it is meant; Windows' shells change some characters in any quotes."""
    return not windows or not any(map(_EXPANDED.search, words))


def _quoted(word: str) -> str:
    """Return a word as programs of Windows read it: backslashes count double before a quotation mark alone."""
    if _PLAIN.fullmatch(word) and not word.endswith("\\"):
        return word
    inside = _BEFORE_A_MARK.sub(r'\1\1\\"', word)
    return '"' + _AT_THE_END.sub(r"\1\1", inside) + '"'
