"""What each finding means and what to do: docs/reference/findings.md, as data in `remedies.json`."""

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
    """What the page says of one code, in its Markdown.

    Attributes:
        severity: of the finding.
        about: the page's section.
        means: what was found, and what the program did.
        remedy: what to do.
        remarks: what holds for all of the section, and how to do what `remedy` asks for.
    """

    severity: Severity
    about: str
    means: str
    remedy: str
    remarks: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """What to do, as plain text; a link becomes the name of its page."""
        return plain(self.remedy)


@cache
def remedies() -> Mapping[str, Remedy]:
    """Return all codes, in the page's order."""
    rows = json.loads((resources.files("inveonimaging") / "remedies.json").read_text("utf-8"))
    return MappingProxyType(
        {
            code: Remedy(Severity(row.pop("severity")), remarks=tuple(row.pop("remarks")), **row)
            for code, row in rows.items()
        }
    )


@cache
def differences() -> Mapping[str, str]:
    """Return the codes of `inveon verify` with what differs then, in the page's Markdown."""
    rows = json.loads((resources.files("inveonimaging") / "differences.json").read_text("utf-8"))
    return MappingProxyType(rows)


def plain(markdown: str) -> str:
    """Return a cell of the page as plain text."""
    return _LINK.sub(lambda link: _page(link[2]) if link[2] else link[1], markdown).replace("`", "")


def _page(link: str) -> str:
    """Return where a page is in the project, of a link in the page of findings."""
    return posixpath.normpath(f"docs/reference/{link}")
