"""The complete original header, in a private block; documented in docs/reference/conformance.md."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from inveonimaging.dicom.encode import lo
from inveonimaging.dicom.series import Series
from inveonimaging.inveon.hdr.lexer import decode

GROUP = 0x0099
CREATOR = "INVEONIMAGING HEADER 1"
TEXT, NAME, ENCODING, LENGTH, BYTES = 0x01, 0x02, 0x03, 0x04, 0x05
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")  # PS3.5 6.1.3; ESC would switch the character set


def original_header(series: Series) -> Dataset:
    """Return the header file's text, for the first instance of a series; see `header_bytes` for the way back."""
    module = Dataset()
    image = series.image
    block = module.private_block(GROUP, CREATOR, create=True)
    text, encoding = decode(image.header_bytes)
    if _NO_TEXT.search(text):
        block.add_new(BYTES, "OB", image.header_bytes)
    else:
        block.add_new(TEXT, "UT", text)
    block.add_new(NAME, "LO", lo(image.pair.header.name))
    block.add_new(ENCODING, "LO", encoding)
    block.add_new(LENGTH, "UL", len(image.header_bytes))
    return module


def header_bytes(instance: Dataset) -> bytes:
    """Return the original header file, byte for byte, from an instance that carries it; KeyError if it does not."""
    block = instance.private_block(GROUP, CREATOR)
    length = int(block[LENGTH].value)
    content = block[BYTES].value if BYTES in block else str(block[TEXT].value).encode(str(block[ENCODING].value))
    return bytes(content.ljust(length)[:length])  # readers strip trailing blanks; an odd length is padded
