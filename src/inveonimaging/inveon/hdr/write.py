"""Header -> text. What was read and not changed comes back byte for byte; the rest is spelled from the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

from inveonimaging.errors import HeaderError
from inveonimaging.inveon.hdr.fields import FRAME, MAIN, Field
from inveonimaging.inveon.hdr.lexer import END, Block, Line, decode, encode
from inveonimaging.inveon.hdr.lexer import FRAME as OPENING
from inveonimaging.inveon.hdr.model import Extra, Frame, Header


def write(header: Header, *, newline: str = "\n") -> bytes:
    """Return the header's bytes; `newline` is for headers that were not read from a file.

    A header without source lines gets the scanner's dialect: a first comment that names the data file, and a comment
    above each key.

    Raises:
        HeaderError: a text holds a line break or a NUL.
    """
    if header.source and header.source[0].raw.endswith("\r"):
        newline = "\r\n"
    lines = list(_kept(header, header.source, MAIN, header.extras) if header.source else _new_main(header))
    for frame in header.frames:
        extras = tuple(extra for extra in frame.extras if extra.key != OPENING or frame.index is None)
        lines += _kept(frame, frame.source, FRAME, extras) if frame.source else _new_frame(frame, extras)
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
    """Return the text in its encoding; in UTF-8 where that cannot spell it, or would be read as another text."""
    try:
        data = encode(text, encoding)
    except UnicodeEncodeError:
        return text.encode("utf-8")
    return data if decode(data)[0] == text else text.encode("utf-8")


def _new_main(header: Header) -> Iterator[str | Line]:
    yield from (
        "#",
        f"# Header file for data file {header.file_name or ''}".rstrip(),
        f"#\twith {len(header.frames)} frames",
        "#",
    )
    yield from _new_block(header, MAIN, header.extras)


def _new_frame(frame: Frame, extras: tuple[Extra, ...]) -> Iterator[str | Line]:
    if frame.index is None:
        yield _line(OPENING, next((extra.value for extra in extras if extra.key == OPENING), ""))
    yield from _new_block(frame, FRAME, tuple(extra for extra in extras if extra.key != OPENING))


def _new_block(block: Header | Frame, table: Mapping[str, Field], extras: tuple[Extra, ...]) -> Iterator[str | Line]:
    for key, field in _rows(table):
        values = _values(block, field)
        if values:
            yield from _comment(field)
            yield from (_line(key, field.codec.spell(value)) for value in values)
    yield from (_line(*extra) for extra in extras)
    yield from ("#", END)


def _rows(table: Mapping[str, Field]) -> Iterator[tuple[str, Field]]:
    """Yield one row for each attribute: that of its present name."""
    done: set[str] = set()
    for key, field in table.items():
        if field.attribute not in done:
            done.add(field.attribute)
            yield key, field


def _comment(field: Field) -> Iterator[str]:
    yield "#"
    yield f"# {field.comment}"
    for member in field.codec.choices or ():
        yield f"#   {int(member)} - {member.label}"


def _line(key: str, text: str) -> str:
    line = f"{key} {text}".rstrip()
    if "\n" in line or "\0" in line:
        raise HeaderError(key=key, got=text, expected="text in one line")
    return line


def _values(block: Header | Frame, field: Field) -> tuple[Any, ...]:
    value = attrgetter(field.attribute)(block)
    if field.repeats:
        return tuple(value)
    return () if value is None else (value,)


def _kept(
    block: Header | Frame, source: Block, table: Mapping[str, Field], extras: tuple[Extra, ...]
) -> Iterator[str | Line]:
    """Yield the source's lines, with those changed, added or left out that the block's values change."""
    instead: dict[int, list[str | Line]] = {number: [] for number in _dropped(source, table, extras)}
    lines: dict[str, list[Line]] = {}
    for line in source:
        if line.key in table:
            lines.setdefault(table[line.key].attribute, []).append(line)
    added: list[str | Line] = []
    for key, field in _rows(table):
        added += _change(key, field, lines.get(field.attribute, []), _values(block, field), instead)
    added += [_line(*extra) for extra in _new_extras(source, table, extras)]
    end = next((line.number for line in source if line.key == END), None)
    for line in source:
        yield from added if line.number == end else ()
        yield from instead.get(line.number, (line,))
    yield from added if end is None else ()


def _change(
    key: str, field: Field, lines: list[Line], values: tuple[Any, ...], instead: dict[int, list[str | Line]]
) -> list[str | Line]:
    """Put into `instead` what an attribute's values make of its lines; return the lines that find no place there."""
    typed = [line for line in lines if _parsed(line, field) is not None]
    if not field.repeats:
        if not values:
            instead |= {line.number: [line.key] for line in typed}
            return []
        typed = (typed or [line for line in lines if not line.value or line.number in instead])[-1:]
    for line, value in zip(typed, values, strict=False):
        if _parsed(line, field) != value:
            instead[line.number] = [_line(line.key, field.codec.spell(value))]
    instead |= {line.number: [] for line in typed[len(values) :]}
    rest: list[str | Line] = [_line(key, field.codec.spell(value)) for value in values[len(typed) :]]
    if not typed or not rest:
        return rest
    instead[typed[-1].number] = [*instead.get(typed[-1].number, typed[-1:]), *rest]
    return []


def _parsed(line: Line, field: Field) -> Any:
    try:
        return field.codec.parse(line.value) if line.value else None
    except (ValueError, ArithmeticError):
        return None


def _read_extras(source: Block, table: Mapping[str, Field]) -> Iterator[tuple[int, Extra]]:
    """Yield the lines that parsing made extras, with their numbers."""
    for line in source:
        field = table.get(line.key)
        if line.key and line.key != END and (field is None or (line.value and _parsed(line, field) is None)):
            yield line.number, Extra(line.key, line.value)


def _dropped(source: Block, table: Mapping[str, Field], extras: tuple[Extra, ...]) -> Iterator[int]:
    """Yield the numbers of the lines whose extra is there no more."""
    left = Counter(extras)
    for number, extra in _read_extras(source, table):
        if left[extra] <= 0:
            yield number
        left[extra] -= 1


def _new_extras(source: Block, table: Mapping[str, Field], extras: tuple[Extra, ...]) -> Iterator[Extra]:
    """Yield the extras that no line of the source holds."""
    read = Counter(extra for _, extra in _read_extras(source, table))
    for extra in extras:
        if read[extra] <= 0:
            yield extra
        read[extra] -= 1
