"""Write src/inveonimaging/remedies.json from the tables of docs/reference/findings.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| `([a-z-]+)` \| (\w+) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def main() -> None:
    """Read the page, write the data."""
    rows = ROW.findall((ROOT / "docs" / "reference" / "findings.md").read_text("utf-8"))
    table = {
        code: {"severity": {"note": "info"}.get(gravity, gravity), "means": means, "remedy": remedy}
        for code, gravity, means, remedy in rows
    }
    text = json.dumps(table, indent=2, ensure_ascii=False) + "\n"
    (ROOT / "src" / "inveonimaging" / "remedies.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
