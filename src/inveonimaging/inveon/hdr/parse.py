"""Header text -> (Header, findings): the lexer's lines through the table of fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inveonimaging.errors import HeaderError, listed, printable
from inveonimaging.findings import Finding, Severity, more_of
from inveonimaging.inveon.hdr import fields, model
from inveonimaging.inveon.hdr.lexer import END, Block, Line, lex
from inveonimaging.inveon.hdr.values import Codec

_NAMED = 8
_LIKE_EACH_OTHER = 16
_EMPTY = model.Header()


class _Findings:
    """Findings as they come up; of those with one code and key only the first few, and how many more there are."""

    def __init__(self) -> None:
        self._shown: list[Finding] = []
        self._counts: Counter[tuple[str, str | None]] = Counter()
        self._more: dict[tuple[str, str | None], Finding] = {}

    def append(self, finding: Finding) -> None:
        kind = finding.code, finding.key
        self._counts[kind] += 1
        if self._counts[kind] <= _LIKE_EACH_OTHER:
            self._shown.append(finding)
        else:
            self._more.setdefault(kind, finding)

    def all(self) -> tuple[Finding, ...]:
        return (*self._shown, *(self._counted(kind, finding) for kind, finding in self._more.items()))

    def _counted(self, kind: tuple[str, str | None], first: Finding) -> Finding:
        count = self._counts[kind] - _LIKE_EACH_OTHER
        return more_of(first, count)


def parse(data: bytes) -> tuple[model.Header, tuple[Finding, ...]]:
    """Return the header that the bytes spell, and problems in it.

    Values that cannot be typed and unknown keys become findings and stand in `extras`, as they were written.

    Raises:
        HeaderError: the bytes are no header at all.
    """
    lexed = lex(data)
    findings = _Findings()
    main, *frames = _without_cut_line(lexed.blocks, findings)
    values, extras = _block(main, fields.MAIN, findings)
    if not values:
        raise HeaderError("no key of an Inveon header in it", expected="lines like 'x_dimension 128'")
    header = model.Header(
        **_grouped(values),
        frames=tuple(_frame(block, findings) for block in frames),
        extras=extras,
        source=main,
        encoding=lexed.encoding,
    )
    _check_whole((main, *frames), findings)
    _name_unknown(header, findings)
    return header, findings.all()


def _without_cut_line(blocks: tuple[Block, ...], findings: _Findings) -> tuple[Block, ...]:
    """Return the blocks without the value of a last line that neither ends nor is the end: it may lack digits."""
    *others, block = blocks
    last = block[-1]
    if not last.key or last.key == END or any(line.key == END for line in block):
        return blocks
    message = f"the file ends within the line '{printable(last.raw.strip(), 60)}': it is cut off, the line is not used"
    findings.append(Finding("header-cut-off", message, key=last.key, line=last.number))
    return (*others, (*block[:-1], last._replace(key="", value="")))


def _frame(block: Block, findings: _Findings) -> model.Frame:
    values, extras = _block(block, fields.FRAME, findings)
    return model.Frame(**values, extras=extras, source=block)


def _block(
    block: Block, table: Mapping[str, fields.Field], findings: _Findings
) -> tuple[dict[str, Any], tuple[model.Extra, ...]]:
    values: dict[str, Any] = {}
    extras: list[model.Extra] = []
    for line in block:
        if not line.key or line.key == END:
            continue
        field = table.get(line.key)
        if field is None:
            extras.append(model.Extra(line.key, line.value))
        elif line.value:
            _take(line, field, values, extras, findings)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}, tuple(extras)


def _take(
    line: Line, field: fields.Field, values: dict[str, Any], extras: list[model.Extra], findings: _Findings
) -> None:
    try:
        value = field.codec.parse(line.value)
    except (ValueError, ArithmeticError):
        extras.append(model.Extra(line.key, line.value))
        findings.append(_untypable(line, field.codec))
        return
    if value is None:
        extras.append(model.Extra(line.key, line.value))
        return
    if field.repeats:
        values.setdefault(field.attribute, []).append(value)
        return
    if values.get(field.attribute, value) != value:
        findings.append(
            Finding("repeated-key", f"{line.key} is given again, the last one counts", key=line.key, line=line.number)
        )
    values[field.attribute] = value


def _untypable(line: Line, codec: Codec) -> Finding:
    kind = "unknown-code" if codec.choices and line.value.lstrip("+-").isdigit() else "bad-value"
    message = f"{line.key} is '{printable(line.value)}', expected {codec.expected}; taken as unknown"
    return Finding(kind, message, key=line.key, line=line.number)


def _grouped(values: Mapping[str, Any]) -> dict[str, Any]:
    top: dict[str, Any] = {}
    grouped: dict[str, dict[str, Any]] = {}
    for attribute, value in values.items():
        group, _, name = attribute.rpartition(".")
        (grouped.setdefault(group, {}) if group else top)[name] = value
    return top | {group: replace(getattr(_EMPTY, group), **members) for group, members in grouped.items()}


def _check_whole(blocks: tuple[Block, ...], findings: _Findings) -> None:
    for block in blocks:
        if not any(line.key == END for line in block):
            name = f"frame {block[0].value}" if block and block[0].key == "frame" else "the main block"
            number = block[-1].number if block else None
            findings.append(
                Finding(
                    "no-end-of-header", f"{printable(name)} has no end_of_header: is the file cut off?", line=number
                )
            )


def _name_unknown(header: model.Header, findings: _Findings) -> None:
    blocks = [(header.extras, fields.MAIN), *((frame.extras, fields.FRAME) for frame in header.frames)]
    unknown = list(dict.fromkeys(extra.key for extras, table in blocks for extra in extras if extra.key not in table))
    if unknown:
        shown = listed([printable(key, 40) for key in unknown], _NAMED)
        findings.append(
            Finding("unknown-key", f"unknown keys, kept as they are: {shown}", Severity.INFO, key=unknown[0])
        )
