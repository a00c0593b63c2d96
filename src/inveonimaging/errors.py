"""Everything that can go wrong, as one tree; each error is one line that says where, what and what to do.

    InveonError
    ├── HeaderError        the text of a .hdr file
    ├── DataError          the voxels of a .img file
    ├── InputError         the file or folder that was given
    ├── UnsupportedError   understood, but not convertible
    ├── OutputError        what cannot be written
    ├── TargetError        the server that DICOM is sent to
    └── OptionError        what was asked for: wrong usage

An error carries facts (path, line, key, what was found, what was expected, what to do); its text is made from
them in one place, so that all messages read alike and no byte of a file reaches a terminal unescaped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

E = TypeVar("E", bound="InveonError")

_SHOWN = 80


def printable(text: object, limit: int = _SHOWN) -> str:
    """Return text as one harmless line: control characters escaped, at most `limit` characters."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def one_line(text: str) -> str:
    """Return text as one line, with blanks for control characters and for several blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names, at most `most`, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def place_of(path: str | None, line: int | None) -> str:
    """Return where something is, as messages begin with it: `m1.img.hdr:12`, `line 12` of what is not named, or ``."""
    if path is None:
        return "" if line is None else f"line {line}"
    return printable(path, 300) + ("" if line is None else f":{line}")


class InveonError(Exception):
    """The base of all errors that this package raises on purpose."""

    def __init__(
        self,
        message: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        line: int | None = None,
        key: str | None = None,
        got: object | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.path = None if path is None else os.fspath(path)
        self.line = line
        self.key = key
        self.got = got
        self.expected = expected
        self.hint = hint
        super().__init__(self._line())

    def at(self: E, path: str | os.PathLike[str], hint: str | None = None) -> E:  # noqa: PYI019 - Self: Python 3.11
        """Return this error with a path, unless it has one, and with a hint, unless it has one."""
        if self.path is not None:
            return self
        return type(self)(
            self.message,
            path=path,
            line=self.line,
            key=self.key,
            got=self.got,
            expected=self.expected,
            hint=self.hint or hint,
        )

    def hinted(self: E, hint: str | None) -> E:  # noqa: PYI019 - Self: Python 3.11
        """Return this error with one more hint."""
        hints = "; ".join(filter(None, (self.hint, hint)))
        return type(self)(
            self.message,
            path=self.path,
            line=self.line,
            key=self.key,
            got=self.got,
            expected=self.expected,
            hint=hints or None,
        )

    def _found(self) -> str:
        if self.got is None:
            return "missing"
        return f"'{printable(self.got)}'" if self.got != "" else "empty"

    @property
    def sentence(self) -> str:
        """What is wrong, what was expected and what to do, without the place."""
        parts = [self.message] if self.message else []
        if self.key is not None and self.message is None:
            parts.append(f"{self.key} is {self._found()}")
        if self.expected:
            parts.append(f"expected {self.expected}")
        text = ", ".join(parts)
        if self.hint:
            text = f"{text}; {self.hint}"
        return text

    def _line(self) -> str:
        where = place_of(self.path, self.line)
        return f"{where}: {self.sentence}" if where else self.sentence


class HeaderError(InveonError):
    """The header's text is not what it must be."""


class DataError(InveonError):
    """The data file does not hold what the header says."""


class InputError(InveonError):
    """The given file or folder cannot be taken as a whole: strays, orphans, nothing there."""


class UnsupportedError(InveonError):
    """The input is understood, but is of a kind that is not converted."""


class OutputError(InveonError):
    """The output cannot be written, or would overwrite something."""


class TargetError(InveonError):
    """The server that DICOM is sent to cannot be reached, or does not take it."""


class OptionError(InveonError):
    """What was asked for makes no sense; the commands exit with code 2.

    Attributes:
        attribute: of an object of options, if it is that which makes no sense; the commands name its option.
    """

    attribute: str | None = None

    def named(self, name: str) -> OptionError:
        """Return this error for a value that people know by another name, as by its option."""
        message = self.message and f"{name}: {self.message}"
        return OptionError(message, key=name, got=self.got, expected=self.expected, hint=self.hint)
