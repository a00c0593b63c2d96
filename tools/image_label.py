"""Write the image's label `org.nrg.commands` in the Dockerfile from `xnat/command.json`.

XNAT's Container Service reads its commands from that label: a list of them as JSON. In a Dockerfile the text is in
double quotes, in which a backslash, a quote and a dollar sign are escaped.

    python tools/image_label.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
_LABEL = re.compile(r"^LABEL org\.nrg\.commands=.*$", re.MULTILINE)


def label_of(command: str) -> str:
    """Return the line of the Dockerfile for a command, given as JSON."""
    text = json.dumps([json.loads(command)], separators=(",", ":"))
    return 'LABEL org.nrg.commands="' + re.sub(r'([\\"$])', r"\\\1", text) + '"'


def labelled(dockerfile: str, command: str) -> str:
    """Return a Dockerfile with its one label `org.nrg.commands` made anew."""
    made, times = _LABEL.subn(lambda _: label_of(command), dockerfile)
    if times != 1:
        message = f"the Dockerfile has {times} lines LABEL org.nrg.commands=, expected 1"
        raise SystemExit(message)
    return made


def main() -> None:
    """Write the Dockerfile."""
    path = ROOT / "Dockerfile"
    path.write_text(labelled(path.read_text("utf-8"), (ROOT / "xnat" / "command.json").read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
