"""What a program gives for an option: a member of an enumeration, or the text that the command line takes.

An attribute of a dataclass is declared with what it takes and what it is read as:

    form: Given[Form | str, Form] = Given(choice(Form), Form.CLASSIC)

Whatever is given is checked and turned when the object is made, so also by `dataclasses.replace`; what makes no sense
is an OptionError that names the option and the choices.
"""

from __future__ import annotations

import math
import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from inveonimaging import units
from inveonimaging.errors import OptionError

E = TypeVar("E", bound=Enum)
Taken = TypeVar("Taken")
Kept = TypeVar("Kept")
Reader = Callable[[str, Any], Kept]
"""Turns what was given for the option of this name into its value; OptionError."""

PathLike = str | os.PathLike[str]

FIRST_YEAR, LAST_YEAR = 1971, 2200
"""Of a moment: 1970 is what consoles write for none, and times count from it; later ones are slips of typing."""
YEARS = f"a year from {FIRST_YEAR} to {LAST_YEAR}"
LOCAL_TIME = "local time without a zone"

_QUANTITY = re.compile(r"([-+]?[\d.,]+(?:[eE][-+]?\d+)?)\s*(\S*)", re.ASCII)


class Given(Generic[Taken, Kept]):
    """An attribute that takes several types and is read as one."""

    def __init__(self, read: Reader[Kept], default: Taken) -> None:
        self._read, self._default, self._name = read, default, ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Taken: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Kept: ...
    def __get__(self, instance: object | None, owner: type) -> Taken | Kept:
        if instance is None:
            return self._default
        kept: Kept = vars(instance)[self._name]
        return kept

    def __set__(self, instance: object, value: Taken) -> None:
        try:
            vars(instance)[self._name] = self._read(self._name, value)
        except OptionError as error:
            error.attribute = error.attribute or self._name
            raise


def refused(name: str, value: object, expected: str) -> OptionError:
    """Return the error for an option that cannot be what was given for it."""
    return OptionError(key=name, got=value if isinstance(value, str) else repr(value), expected=expected)


def optional(read: Reader[Kept]) -> Reader[Kept | None]:
    """Return a reader that leaves None as it is."""
    return lambda name, value: None if value is None else read(name, value)


def choice(kind: type[E]) -> Reader[E]:
    """Return a reader of an enumeration of texts: a member, or its text in any case."""
    return _member_of(kind, {str(member.value): member for member in kind}, has_codes=False)


def named(kind: type[E]) -> Reader[E]:
    """Return a reader of an enumeration of codes: a member, its name in any case, or its code; 0 is no choice."""
    return _member_of(kind, {member.name: member for member in kind if member.value}, has_codes=True)


def _member_of(kind: type[E], texts: Mapping[str, E], *, has_codes: bool) -> Reader[E]:
    def read(name: str, value: Any) -> E:
        if isinstance(value, kind):
            return value
        typed = value.strip().casefold() if isinstance(value, str) else None
        for text, member in texts.items():
            if typed == text.casefold() or (has_codes and type(value) is int and value == member.value):
                return member
        raise refused(name, value, f"one of {', '.join(texts)}")

    return read


def switch(name: str, value: Any) -> bool:
    """Read True or False; a text is neither, since 'no' would count as True."""
    if isinstance(value, bool) or type(value).__name__ in {"bool", "bool_"}:  # numpy's, too
        return bool(value)
    raise refused(name, value, "True or False")


def text(name: str, value: Any) -> str:
    """Read a text, or a path as text."""
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    raise refused(name, value, "text")


def whole_number(name: str, value: Any) -> int:
    """Read a whole number, or its text."""
    try:
        if not isinstance(value, bool):
            return int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        pass
    raise refused(name, value, "a whole number")


def number(name: str, value: Any) -> float:
    """Read a finite number, or its text."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise refused(name, value, "a number")
    return found


def quantity(what: str, factors: Mapping[str, Decimal], example: str, *, largest: float = math.inf) -> Reader[float]:
    """Return a reader of a number above 0 with its unit, as `24.6g`; a number alone is in the attribute's own unit.

    Args:
        what: is measured, as messages name it.
        factors: how much of the attribute's own unit one of each unit is. Upper and lower case do not matter but for a
            first m, which is milli, and M, which is mega.
        example: as people type it.
        largest: of the attribute's own unit, so that no unit of DICOM makes it infinite.
    """
    names = [name for name in factors if name.isascii()]
    expected = f"a number above 0 and its unit ({', '.join(names)}), as {example}"

    def read(_name: str, value: Any) -> float:
        parts = in_unit(value, factors) if isinstance(value, str) else None
        if isinstance(value, str) and parts is None:
            raise refused(what, value, expected).hinted(_meant_prefix(_QUANTITY.fullmatch(value.strip()), factors))
        try:
            found = number(what, value) if parts is None else units.number(*parts)
        except (ValueError, ArithmeticError) as error:
            point = ", with a point as decimal mark" if isinstance(value, str) and "," in value else ""
            raise refused(what, value, expected + point) from error
        if found <= 0:
            raise refused(what, value, expected)
        if found > largest:
            raise refused(what, value, f"{expected}, of a size that DICOM can hold")
        return found

    return read


def in_unit(text: str, factors: Mapping[str, Decimal]) -> tuple[str, Decimal] | None:
    """Return the number that text begins with, as it is typed, and the factor of the unit behind it.

    None if there is no such unit: see `quantity`.
    """
    match = _QUANTITY.fullmatch(text.strip())
    factor = {_folded(name): factor for name, factor in factors.items()}.get(_folded(match[2])) if match else None
    return None if match is None or factor is None else (match[1], factor)


def _folded(unit: str) -> str:
    """Return a unit as units are compared: `m`, which is milli, and `M`, which is mega, are two."""
    return unit[:1] + unit[1:].casefold() if unit[:1] in {"m", "M"} else unit.casefold()


def _meant_prefix(match: re.Match[str] | None, known: Mapping[str, Decimal]) -> str | None:
    """Return what to type for a unit that would be known with the other m."""
    if match is None or _folded(match[2].swapcase()) not in map(_folded, known):
        return None
    unit = next(name for name in known if _folded(name) == _folded(match[2].swapcase()))
    return f"m is milli and M is mega: {match[1]}{unit}, if that is meant"


def local_time(name: str, value: Any) -> datetime:
    """Read local time without a zone: a datetime, or `2014-03-04T14:05:09`."""
    expected = f"{LOCAL_TIME}, as 2014-03-04T14:05:09"
    try:
        found = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        is_day_alone = isinstance(value, str) and ":" not in value
    except ValueError as error:
        raise refused(name, value, expected) from error
    if not isinstance(found, datetime) or found.tzinfo is not None or is_day_alone:
        raise refused(name, value, expected)
    if not is_possible(found):
        raise refused(name, value if isinstance(value, str) else str(value), f"{expected}, of {YEARS}")
    return found


def is_possible(moment: datetime) -> bool:
    """Return whether a moment may be that of a scan or an injection."""
    return FIRST_YEAR <= moment.year <= LAST_YEAR


def day(value: Any) -> date | None:
    """Return the day of a date or of a datetime; None for anything else."""
    return value.date() if isinstance(value, datetime) else value if isinstance(value, date) else None


def axes(name: str, value: Any) -> str:
    """Read stored axes, letters of `xyz`, each once: a text, or a collection of letters; None is none."""
    letters = texts(name, () if value is None else value)
    found = "".join(letters).lower()
    if not set(found) <= set("xyz") or len(set(found)) != len(found):
        raise refused(name, value, "letters of xyz, each once")
    return found


def texts(name: str, value: Any) -> tuple[str, ...]:
    """Read a collection of texts; a text alone is a collection of one."""
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (None,)
    if isinstance(value, Mapping | bytes) or not all(isinstance(each, str) for each in found):
        raise refused(name, value, "a text, or several")
    return tuple(each for each in found if isinstance(each, str))


def kept_or_read(kind: type[Kept], read: Callable[[Path], Kept], expected: str) -> Reader[Kept]:
    """Return a reader of an object, or of the path of the file that holds it."""

    def take(name: str, value: Any) -> Kept:
        if isinstance(value, kind):
            return value
        if isinstance(value, str | os.PathLike) and os.fspath(value):
            return read(Path(value))
        raise refused(name, value, expected)

    return take
