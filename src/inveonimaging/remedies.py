"""What each finding means and what to do: the table of docs/reference/findings.md, as data in `remedies.json`."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from inveonimaging.findings import Severity

_LINK = re.compile(r"\[([^\]]*)\]\(([^)#]*)(#[^)]*)?\)")


@dataclass(frozen=True)
class Remedy:
    """Of one code: its gravity, what it means and what to do, in the page's Markdown."""

    severity: Severity
    means: str
    remedy: str

    @property
    def advice(self) -> str:
        """What to do, as plain text; a link becomes the name of its page."""
        return plain(self.remedy)


@cache
def remedies() -> Mapping[str, Remedy]:
    """Return all codes, in the page's order."""
    rows = json.loads((resources.files("inveonimaging") / "remedies.json").read_text("utf-8"))
    return MappingProxyType(
        {code: Remedy(Severity(row["severity"]), row["means"], row["remedy"]) for code, row in rows.items()}
    )


def plain(markdown: str) -> str:
    """Return a cell of the page as plain text."""
    return _LINK.sub(lambda link: _page(link[2]) if link[2] else link[1], markdown).replace("`", "")


def _page(link: str) -> str:
    """Return where a page is in the project, of a link in the page of findings."""
    return posixpath.normpath(f"docs/reference/{link}")
