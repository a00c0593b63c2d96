"""Headers of other formats that lie beside Inveon files: Analyze, NIfTI, Interfile, ENVI, DICOM, plain text."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from inveonimaging.inveon.hdr import fields
from inveonimaging.inveon.hdr.lexer import END

_HEAD = 64 * 1024  # the keys of an Inveon header start long before this
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f]")
_INVEON_COMMENT = re.compile(r"^[^\S\n]*#.*\bheader file for data file\b", re.IGNORECASE | re.MULTILINE)
_KEY = re.compile(r"^[^\S\n]*([a-z]\w*)(?![\w])(?!\s*:?=)", re.IGNORECASE | re.MULTILINE)
_TEXTS = {
    "an Interfile header": re.compile(
        r"^\ufeff?[^\S\n]*(?:![^\S\n]*)?interfile\b\s*:?=?", re.IGNORECASE | re.MULTILINE
    ),
    "an ENVI header": re.compile(r"\A\ufeff?\s*ENVI\b"),
    "a Radiance picture": re.compile(r"\A#\?(?:RADIANCE|RGBE)\b"),
}
_ANALYZE_BYTES, _NIFTI2_BYTES = 348, 540  # the first number of the header, in either byte order: its own size


def foreign_kind(path: Path) -> str | None:
    """Return what a file `NAME.hdr` is if it is certainly no Inveon header, as `an Analyze header`.

    None for an Inveon header, and for what may be a damaged one: an empty file, or binary data of no known kind.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    return _binary_kind(head) or _text_kind(head)


def _binary_kind(head: bytes) -> str | None:
    size = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    if _ANALYZE_BYTES in size:
        return "a NIfTI header" if head[344:347] in {b"ni1", b"n+1"} else "an Analyze header"
    if _NIFTI2_BYTES in size and head[4:7] in {b"ni2", b"n+2"}:
        return "a NIfTI header"
    return "a DICOM file" if head[128:132] == b"DICM" else None


def _text_kind(head: bytes) -> str | None:
    text = head.decode("latin-1").removeprefix("ï»¿")
    kind = next((kind for kind, pattern in _TEXTS.items() if pattern.search(text)), None)
    if kind or not text.strip() or _CONTROL.search(head) or _INVEON_COMMENT.search(text):
        return kind
    keys = (match[1].lower() for match in _KEY.finditer(text))
    if any(key in fields.MAIN or key in fields.FRAME or key == END for key in keys):
        return None
    return "a text without any key of an Inveon header"
