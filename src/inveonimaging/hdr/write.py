"""Header -> text. What was read and not changed comes back byte for byte; the rest is spelled from the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

from inveonimaging.hdr.fields import FRAME, MAIN, Field
from inveonimaging.hdr.lexer import END, Block, Line
from inveonimaging.hdr.model import Extra, Frame, Header


def write(header: Header, *, newline: str = "\n") -> bytes:
    """Return the header's bytes; `newline` is for headers that were not read from a file.

    A header without source lines gets the scanner's dialect: a first comment that names the data file, and a comment
    above each key.
    """
    if header.source and header.source[0].raw.endswith("\r"):
        newline = "\r\n"
    lines = list(_kept(header, header.source, MAIN, header.extras) if header.source else _new_main(header))
    for frame in header.frames:
        lines += _kept(frame, frame.source, FRAME, frame.extras) if frame.source else _new_block(frame, FRAME, frame.extras)
    if not (header.frames[-1] if header.frames else header).source:
        lines.append("")
    ending = newline.removesuffix("\n")
    text = "\n".join(line if isinstance(line, str) else line.raw for line in _ended(lines, ending))
    return _encoded(text, header.encoding)


def _ended(lines: list[str | Line], ending: str) -> Iterator[str | Line]:
    for line in lines[:-1]:
        yield line + ending if isinstance(line, str) else line
    yield lines[-1]


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode("utf-8")


def _new_main(header: Header) -> Iterator[str | Line]:
    yield from ("#", f"# Header file for data file {header.file_name or ''}".rstrip(), f"#\twith {len(header.frames)} frames", "#")
    yield from _new_block(header, MAIN, header.extras)


def _new_block(block: Header | Frame, table: Mapping[str, Field], extras: tuple[Extra, ...]) -> Iterator[str | Line]:
    written: set[str] = set()
    for key, field in table.items():
        values = _values(block, field)
        if field.attribute in written or not values:
            continue
        written.add(field.attribute)
        yield from _comment(field)
        yield from (f"{key} {field.codec.spell(value)}" for value in values)
    yield from (f"{extra.key} {extra.value}".rstrip() for extra in extras)
    yield from ("#", END)


def _comment(field: Field) -> Iterator[str]:
    yield "#"
    yield f"# {field.comment}"
    for member in field.codec.choices or ():
        yield f"#   {int(member)} - {member.label}"


def _values(block: Header | Frame, field: Field) -> tuple[Any, ...]:
    value = attrgetter(field.attribute)(block)
    if field.repeats:
        return tuple(value)
    return () if value is None else (value,)


def _kept(
    block: Header | Frame, source: Block, table: Mapping[str, Field], extras: tuple[Extra, ...]
) -> Iterator[str | Line]:
    """Yield the source's lines, with those changed, added or left out that the block's values change."""
    left = list(extras)
    last = {line.key: line.number for line in source if line.key}
    done: set[str] = set()
    rest = _Rest(block, table, source, left)
    for line in source:
        field = table.get(line.key)
        if line.key == END:
            yield from rest.lines()
            yield line
        elif not line.key:
            yield line
        elif Extra(line.key, line.value) in left:
            left.remove(Extra(line.key, line.value))
            yield line
        elif field is not None and field.repeats:
            yield from _repeats(line, field, source, _values(block, field), done)
        elif field is not None:
            yield _same_or_new(line, field, _values(block, field), is_last=line.number == last[line.key])
    yield from rest.lines()


def _repeats(line: Line, field: Field, source: Block, values: tuple[Any, ...], done: set[str]) -> Iterator[str | Line]:
    read = tuple(_parsed(other, field) for other in source if other.key == line.key)
    if tuple(value for value in read if value is not None) == values:
        yield line
    elif line.key not in done:
        yield from (f"{line.key} {field.codec.spell(value)}" for value in values)
    done.add(line.key)


def _same_or_new(line: Line, field: Field, values: tuple[Any, ...], *, is_last: bool) -> str | Line:
    value = values[0] if values else None
    if not is_last or _parsed(line, field) == value:
        return line
    return line.key if value is None else f"{line.key} {field.codec.spell(value)}"


def _parsed(line: Line, field: Field) -> Any:
    try:
        return field.codec.parse(line.value) if line.value else None
    except (ValueError, ArithmeticError):
        return None


class _Rest:
    """What a block holds beyond its source's lines: written once, before its end_of_header."""

    def __init__(self, block: Header | Frame, table: Mapping[str, Field], source: Block, extras: list[Extra]) -> None:
        self._block = block
        self._table = table
        self._seen = {table[line.key].attribute for line in source if line.key in table}
        self._extras = extras
        self._written = False

    def lines(self) -> Iterator[str]:
        if self._written:
            return
        self._written = True
        for key, field in self._table.items():
            if field.attribute not in self._seen:
                self._seen.add(field.attribute)
                yield from (f"{key} {field.codec.spell(value)}" for value in _values(self._block, field))
        yield from (f"{extra.key} {extra.value}".rstrip() for extra in self._extras)
