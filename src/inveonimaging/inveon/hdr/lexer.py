"""Bytes of a header -> lines in blocks: one main block, then one block a frame; nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from inveonimaging.errors import HeaderError

LONGEST_LINE = 64 * 1024
MOST_LINES = 250_000  # a thousand frames with the singles of all blocks and a comment to each key are half of it
MOST_FRAMES = 65_536
FRAME = "frame"
END = "end_of_header"
_CONSOLE = "cp1252"
_WINDOWS = {byte: bytes([byte]).decode(_CONSOLE, "ignore") or chr(byte) for byte in range(0x80, 0xA0)}
_TO_BYTES = {ord(letter): byte for byte, letter in _WINDOWS.items()}


class Line(NamedTuple):
    """One line as it was read; `key` is empty for a comment or an empty line, `raw` has no newline."""

    number: int
    key: str
    value: str
    raw: str


Block = tuple[Line, ...]


@dataclass(frozen=True)
class Blocks:
    """A lexed header: `blocks[0]` is the main block, the others start with their line `frame N`."""

    encoding: str
    blocks: tuple[Block, ...]


def lex(data: bytes) -> Blocks:
    """Split a header; HeaderError when the bytes cannot be text of this kind."""
    if not data.strip():
        raise HeaderError("the file is empty", expected="an Inveon header")
    if b"\0" in data:
        raise HeaderError("this is binary data", expected="an Inveon header, which is text")
    text, encoding = decode(data)
    blocks: list[list[Line]] = [[]]
    for line in _lines(text):
        if line.key == FRAME:
            if len(blocks) > MOST_FRAMES:
                raise HeaderError("one frame block too many", line=line.number, expected=f"at most {MOST_FRAMES}")
            blocks.append([])
        blocks[-1].append(line)
    return Blocks(encoding, tuple(tuple(block) for block in blocks))


def decode(data: bytes) -> tuple[str, str]:
    """Return the text and its encoding: UTF-8, else Windows-1252, which consoles write.

    Windows-1252 leaves five bytes undefined; they become control characters, and come back by `encode`.
    """
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1").translate(_WINDOWS), _CONSOLE


def encode(text: str, encoding: str) -> bytes:
    """Return the bytes that `decode` read; UnicodeEncodeError for letters that the encoding lacks."""
    return text.translate(_TO_BYTES).encode("latin-1") if encoding == _CONSOLE else text.encode(encoding)


def _lines(text: str) -> Iterator[Line]:
    if text.count("\n") > MOST_LINES:
        raise HeaderError(f"the header has {text.count(chr(10))} lines", expected=f"at most {MOST_LINES}")
    make, is_marked = Line._make, "\ufeff" in text
    for number, raw in enumerate(text.split("\n"), 1):
        if len(raw) > LONGEST_LINE:
            raise HeaderError(f"the line has {len(raw)} characters", line=number, expected=f"at most {LONGEST_LINE}")
        words = (raw.lstrip("\ufeff") if is_marked else raw).split(None, 1)
        if not words or words[0][0] == "#":
            yield make((number, "", "", raw))
        else:
            yield make((number, words[0].lower(), words[1].rstrip() if len(words) > 1 else "", raw))
