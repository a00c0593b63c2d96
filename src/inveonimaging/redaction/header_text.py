"""A header's text without what identifies someone.

The lines that stay keep their numbers, so that a finding's line is that of the file; the others become empty lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from inveonimaging.animal.free_text import age_of, birth_date_of, sex_of, text_of
from inveonimaging.errors import HeaderError
from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr import fields
from inveonimaging.inveon.hdr.lexer import END, Line, lex
from inveonimaging.inveon.hdr.lexer import FRAME as OPENING
from inveonimaging.inveon.hdr.redaction import Redaction
from inveonimaging.inveon.hdr.values import GateDescription, ctime, spell_ctime
from inveonimaging.redaction.context import RedactionContext, stem
from inveonimaging.redaction.free_text import folded, has_date_or_place, is_dated_number, is_nuclide

UNREADABLE = "removed"
"""Replaces a value that is not what its key should hold, so that reading the header finds the same fault."""

_EPOCH_YEAR = 1970  # what a console writes for no time at all: shifted, it would show by how much
_LONGEST_CODE = 5
_LONGEST_WORDS = 64
_LARGEST_INPUT = 99  # of a gate
_MEASURE = re.compile(r"(?:[-+.,:;\s\d]|[eE][-+]?\d)*(?:mmol/l|mg/dl|mg%)?", re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\s*[ap]m)?", re.IGNORECASE | re.ASCII)


def redacted(data: bytes, context: RedactionContext) -> tuple[bytes, tuple[Finding, ...]]:
    """Return the text of a header as the rows of `fields` leave it, in UTF-8, and findings on what was removed.

    Raises:
        HeaderError: the bytes are no header, or a shifted date is beyond the calendar.
    """
    text = _Text(context)
    main, *frames = lex(data).blocks
    ages = any(line.key == "subject_age" and age_of(line.value) for line in main)
    lines = [text.line(line, fields.MAIN, is_aged=ages) for line in main]
    for block in frames:
        lines += [text.line(line, fields.FRAME, is_aged=True) for line in block]
    return "\n".join(lines).encode("utf-8"), tuple(text.findings)


class _Text:
    def __init__(self, context: RedactionContext) -> None:
        self._context = context
        self.findings: list[Finding] = []

    def line(self, line: Line, table: dict[str, fields.Field], *, is_aged: bool) -> str:
        """Return what becomes of a line."""
        if line.key == END or (line.key == OPENING and not line.value):
            return line.key
        field = table.get(line.key)
        if field is None or field.redacted not in _CHANGES or not line.value:
            return ""
        if field.redacted is Redaction.BIRTH and self._context.dates_are_kept:
            age = None if is_aged else self._context.age_at_scan(line.value)
            return f"subject_age {age}" if age else ""
        value = _CHANGES[field.redacted](self, line, field)
        if value is None:
            self._note(line)
        return f"{line.key} {value}" if value else ""

    def _note(self, line: Line) -> None:
        message = f"{line.key} holds more than it should, such as a name or a date, and was removed"
        self.findings.append(Finding("value-removed", message, key=line.key, line=line.number))

    def number(self, line: Line, field: fields.Field) -> str:
        """Return a number or a code as it is written."""
        if _is_of(field, line.value):
            return line.value
        is_code = line.value.lstrip("+-").isdigit() and len(line.value) <= _LONGEST_CODE
        return line.value if is_code else UNREADABLE

    def words(self, line: Line, field: fields.Field) -> str | None:
        """Return text that names nobody."""
        try:
            parsed = field.codec.parse(line.value)
        except (ValueError, ArithmeticError):
            return UNREADABLE
        if line.key == "isotope" and is_nuclide(line.value):
            return line.value
        is_numbered = isinstance(parsed, GateDescription) and 0 <= parsed.input <= _LARGEST_INPUT
        text = parsed.text if is_numbered else line.value
        is_removed = len(line.value) > _LONGEST_WORDS or has_date_or_place(text) or self._names_somebody(text)
        return None if is_removed else line.value

    def _names_somebody(self, text: str) -> bool:
        names = self._context.names
        return names is not None and names.search(folded(text)) is not None

    def measure(self, line: Line, _field: fields.Field) -> str | None:
        """Return numbers, with a unit of glucose."""
        return line.value if _MEASURE.fullmatch(line.value) and not is_dated_number(line.value) else None

    def age(self, line: Line, _field: fields.Field) -> str | None:
        """Return an age."""
        return line.value if age_of(line.value) else self._unless_unknown(line)

    def sex(self, line: Line, _field: fields.Field) -> str | None:
        """Return a sex."""
        return line.value if sex_of(line.value) else self._unless_unknown(line)

    def moment(self, line: Line, _field: fields.Field) -> str:
        """Return a date with its time of day."""
        try:
            return self._shifted(ctime(line.value), line)
        except ValueError:
            return UNREADABLE

    def clock(self, line: Line, field: fields.Field) -> str | None:
        """Return a time of day, with a date if that can be shifted."""
        if _CLOCK.fullmatch(line.value):
            return line.value
        moment = self.moment(line, field)
        return self._unless_unknown(line) if moment == UNREADABLE else moment

    def birth(self, line: Line, _field: fields.Field) -> str | None:
        """Return a day of birth."""
        born = birth_date_of(line.value)
        if born is None or born.year <= _EPOCH_YEAR:
            return self._unless_unknown(line)
        return self._moved(datetime(born.year, born.month, born.day), line).date().isoformat()

    def subject(self, line: Line, _field: fields.Field) -> str:
        """Return a pseudonym."""
        return self._context.pseudonyms.get(line.value, "")

    def space(self, line: Line, _field: fields.Field) -> str:
        """Return the neutral name of a space."""
        return self._context.spaces.get(line.value, "")

    def attenuation(self, line: Line, _field: fields.Field) -> str:
        """Return the new name of a CT."""
        return self._context.computed.get(stem(line.value), "")

    def _unless_unknown(self, line: Line) -> str | None:
        """Return nothing for what people type when they know nothing, else None: it is worth a finding."""
        return None if text_of(line.value) else ""

    def _shifted(self, moment: datetime, line: Line) -> str:
        return spell_ctime(self._moved(moment, line)) if moment.year > _EPOCH_YEAR else ""

    def _moved(self, moment: datetime, line: Line) -> datetime:
        try:
            moved = moment + timedelta(days=self._context.days)
        except OverflowError:
            moved = datetime.min
        if moved.year <= _EPOCH_YEAR:
            message = f"{line.key} cannot be shifted by so many days"
            raise HeaderError(message, line=line.number, expected=f"a shifted year after {_EPOCH_YEAR}")
        return moved


def _is_of(field: fields.Field, value: str) -> bool:
    """Return whether a value is what its key should hold."""
    try:
        field.codec.parse(value)
    except (ValueError, ArithmeticError):
        return False
    return True


_CHANGES: dict[Redaction, Callable[[_Text, Line, fields.Field], str | None]] = {
    Redaction.NUMBER: _Text.number,
    Redaction.WORDS: _Text.words,
    Redaction.MEASURE: _Text.measure,
    Redaction.AGE: _Text.age,
    Redaction.SEX: _Text.sex,
    Redaction.DATE: _Text.moment,
    Redaction.CLOCK: _Text.clock,
    Redaction.BIRTH: _Text.birth,
    Redaction.SUBJECT: _Text.subject,
    Redaction.SPACE: _Text.space,
    Redaction.ATTENUATION: _Text.attenuation,
}
"""Without those that remove the value."""
