"""Write what `inveon explain` prints: the pages' words on each code, as data of the package.

`remedies.json` is docs/reference/findings.md, `differences.json` the codes of `inveon verify` in docs/reference/cli.md.
"""

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
    """Read the pages, write the data."""
    for page, made, name in (("findings", entries, "remedies"), ("cli", differences, "differences")):
        data = dict(made((ROOT / "docs" / "reference" / f"{page}.md").read_text("utf-8")))
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        (ROOT / "src" / "inveonimaging" / f"{name}.json").write_text(text, "utf-8")


def differences(page: str) -> Iterator[tuple[str, str]]:
    """Yield each code of `inveon verify` with what differs then."""
    table = page.split("| Code | What differs |")[1].partition("\n\n")[0]
    for codes, text in re.findall(r"^\| (`.+?`) \| (.+) \|$", table, re.MULTILINE):
        yield from ((code, text) for code in re.findall(r"`([a-z-]+)`", codes))


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
