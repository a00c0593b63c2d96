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


def recorded_digests(folder: Path, series_uid: str) -> tuple[str, str] | None:
    """Return the SHA-256 of header and data file from which a series was made, by the manifest above its folder.

    It is a hint, not evidence: None for what cannot be understood, and if there is no manifest.
    """
    document, _ = read_manifest(folder.parent, follow=True) or ({}, b"")
    try:
        made = next(each for each in document["series"] if each["series_instance_uid"] == series_uid)
        digests = {str(each["name"]).lower(): each["sha256"] for each in document["sources"]}
        header = str(made["source"]).lower()
        stem = header.removesuffix(".hdr")
        data = next(digests[name] for name in (stem, f"{stem}.img") if name in digests and name != header)
        return str(digests[header]), str(data)
    except (LookupError, TypeError, StopIteration):
        return None
