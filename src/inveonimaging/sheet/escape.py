"""Text that a spreadsheet would run as a formula, made harmless in a way that can be undone.

Spreadsheets run what starts with `=`, `+`, `-` or `@`; a file that they part in another place than we did may start a
cell after any comma, semicolon, tab or quotation mark. An apostrophe before it makes it text.
"""

from __future__ import annotations

import re

_AT_RISK = re.compile(r"""((?:^|[,;\t"])\s*)(?='*[=+\-@])""")
_ESCAPED = re.compile(r"""((?:^|[,;\t"])\s*)'(?='*[=+\-@])""")


def escaped(text: str) -> str:
    """Return text in which nothing can start a formula; `unescaped` gives it back."""
    return _AT_RISK.sub(r"\1'", text)


def unescaped(text: str) -> str:
    """Return what was escaped; all other text as it is."""
    return _ESCAPED.sub(r"\1", text)
