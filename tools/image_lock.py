"""Pin what goes into the image: exact versions with the SHA-256 of their files, for all systems and Pythons.

    python tools/image_lock.py

`xnat/requirements.txt` holds what the package needs with its extras `compress` and `split`,
`xnat/build-requirements.txt` what builds it. What is pinned stays as it is while it fits pyproject.toml; `--upgrade`
takes the newest.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
_OPTIONS = ("--universal", "--python-version", "3.10", "--generate-hashes", "--no-annotate", "--quiet")
_SAID = "python tools/image_lock.py"


def lock(name: str, *source: str, given: str = "") -> None:
    """Write one file of pinned requirements from those of `source`, or from `given` where that is `-`."""
    command = ["uv", "pip", "compile", *source, *_OPTIONS, "--output-file", f"xnat/{name}", *sys.argv[1:]]
    subprocess.run([*command, "--custom-compile-command", _SAID], cwd=ROOT, input=given, text=True, check=True)


def main() -> None:
    """Write both files."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    needed = re.search(r"^\[build-system\]\nrequires = \[(.+)\]$", project, re.MULTILINE)
    if needed is None:
        message = "pyproject.toml: [build-system] requires is not one line, as this script expects"
        raise SystemExit(message)
    lock("requirements.txt", "pyproject.toml", "--extra", "compress", "--extra", "split")
    lock("build-requirements.txt", "-", given="\n".join(re.findall('"([^"]+)"', needed[1])))


if __name__ == "__main__":
    main()
