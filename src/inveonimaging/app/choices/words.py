"""Findings in the words of the pages, for all pages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from inveonimaging.app.choices.faults import in_words
from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.remedies import remedies

_LONGEST = 1000
_PAGE = re.compile(r" \(docs/\S+?\.md\)|; see docs/\S+?\.md|\. See docs/\S+?\.md|: docs/\S+?\.md(?=$|[;,.])")


def finding_row(finding: Finding, about: Path | None = None) -> dict[str, str]:
    """Return a finding with what to do about it, as plain texts; a scan that all of them are about is not named."""
    known = remedies().get(finding.code)
    name = Path(finding.path).name if finding.path else ""
    place = "" if about is not None and name.startswith(about.name) else printable(name, 60)
    line = f"line {finding.line}" if finding.line else ""
    return {
        "severity": finding.severity.label,
        "code": finding.code,
        "message": in_words(printable(finding.message, _LONGEST)),
        "where": " ".join(filter(None, (place, line))),
        "todo": advice(known.advice) if known else "",
    }


@cache
def advice(text: str) -> str:
    """Return what to do, with the form's labels for the options of commands, and without pages of the documentation."""
    return in_words(_PAGE.sub("", text))
