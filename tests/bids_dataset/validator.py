"""What the BIDS validator says of a data set; it runs without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from helpers import LAST_RESORT_S


def errors_of(dataset: Path) -> list[str]:
    """Return the errors, each with its code, key and file."""
    found = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent)) or "bids-validator-deno"
    done = subprocess.run(
        [found, str(dataset), "--format", "json"],
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=LAST_RESORT_S,
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    shown = ("code", "subCode", "location", "issueMessage")
    return [" ".join(str(each.get(key) or "") for key in shown) for each in issues if each["severity"] == "error"]
