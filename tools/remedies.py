"""Write src/inveonimaging/remedies.json: all that docs/reference/findings.md says of each code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| `([a-z-]+)` \| (\w+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
COPY = re.compile(r"\b(in|correct|into) a copy\b", re.IGNORECASE)


def main() -> None:
    """Read the page, write the data."""
    page = (ROOT / "docs" / "reference" / "findings.md").read_text("utf-8")
    text = json.dumps(dict(entries(page)), indent=2, ensure_ascii=False) + "\n"
    (ROOT / "src" / "inveonimaging" / "remedies.json").write_text(text, "utf-8")


def entries(page: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each code with its severity, section, meaning, remedy, and what the page says of its whole section."""
    above, remark = "", ""
    how_to_copy = paragraph(page, "How to correct a copy of the header")
    for level, heading, text in sections(page):
        if level == "##":
            above, remark = heading, prose(text)
        about = heading if level == "##" else f"{above}: {heading}"
        for code, severity, means, remedy in ROW.findall(text):
            yield (
                code,
                {
                    "severity": {"note": "info"}.get(severity, severity),
                    "about": about,
                    "means": means,
                    "remedy": remedy,
                    "remarks": [each for each in (remark, how_to_copy if COPY.search(remedy) else "") if each],
                },
            )


def sections(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield level, heading and text of each section."""
    parts = re.split(r"^(##+) (.+)$", page, flags=re.MULTILINE)
    return zip(parts[1::3], parts[2::3], parts[3::3], strict=True)


def prose(text: str) -> str:
    """Return the paragraphs before a section's table, as one."""
    return " ".join(text.partition("\n|")[0].split())


def paragraph(page: str, heading: str) -> str:
    """Return the paragraph under a heading."""
    return next(prose(text) for _, each, text in sections(page) if each == heading)


if __name__ == "__main__":
    main()
