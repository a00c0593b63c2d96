"""Findings and times in words, for all pages."""

from __future__ import annotations

from pathlib import Path

from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.remedies import remedies

_LONGEST = 1000


def finding_row(finding: Finding) -> dict[str, str]:
    """Return a finding with what to do about it, as plain texts."""
    known = remedies().get(finding.code)
    place = printable(Path(finding.path).name, 60) if finding.path else ""
    line = f"line {finding.line}" if finding.line else ""
    return {
        "severity": finding.severity.label,
        "code": finding.code,
        "message": printable(finding.message, _LONGEST),
        "where": " ".join(filter(None, (place, line))),
        "todo": known.advice if known else "",
    }
