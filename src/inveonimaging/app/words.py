"""Findings and times in words, for all pages."""

from __future__ import annotations

from pathlib import Path

from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.remedies import remedies

_LONGEST = 1000


def finding_row(finding: Finding, about: Path | None = None) -> dict[str, str]:
    """Return a finding with what to do about it, as plain texts; the scan that they are all about is not named again."""
    known = remedies().get(finding.code)
    name = Path(finding.path).name if finding.path else ""
    place = "" if about is not None and name.startswith(about.name) else printable(name, 60)
    line = f"line {finding.line}" if finding.line else ""
    return {
        "severity": finding.severity.label,
        "code": finding.code,
        "message": printable(finding.message, _LONGEST),
        "where": " ".join(filter(None, (place, line))),
        "todo": known.advice if known else "",
    }
