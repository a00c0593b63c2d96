"""The manifest beside the series of a study, as an earlier conversion left it."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

MANIFEST = "inveon-manifest.json"
PROGRAM = "inveonimaging"
_LONGEST = 256 * 1024 * 1024


def read_manifest(folder: Path, *, follow: bool = False) -> tuple[dict[str, Any], bytes] | None:
    """Return a manifest of this program and its bytes; None if there is none that can be read.

    Args:
        folder: of the study.
        follow: read one that a link leads to, too; such a one is never replaced.
    """
    path = folder / MANIFEST
    try:
        status = path.stat() if follow else path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LONGEST:
            return None
        content = path.read_bytes()
        document = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return None
    return (document, content) if isinstance(document, dict) and document.get("program") == PROGRAM else None


def is_series_folder(name: str) -> bool:
    """Return whether a name is one that the folders of series have: their number."""
    return re.fullmatch("[1-9][0-9]{0,8}", name) is not None


def is_instance_name(name: str) -> bool:
    """Return whether a name is one that the files of series have: a prefix and their number, `CT-000001.dcm`."""
    return is_file_name(name) and re.search("[0-9]{6}[.]dcm$", name) is not None


def is_file_name(name: str) -> bool:
    """Return whether a name is that of a file inside a folder, and one that this system can have."""
    try:
        os.fsencode(name)
    except ValueError:
        return False
    return name not in {"", ".."} and "\0" not in name and name == Path(name).name
