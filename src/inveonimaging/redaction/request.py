"""What is asked of a de-identification, and the secret that pseudonyms and shifts of dates are made with."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b32encode
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from inveonimaging.errors import OptionError
from inveonimaging.given import Given, choice, optional, refused, whole_number
from inveonimaging.storage.bounded import encoding_of, read_bounded

KEY_VARIABLE = "INVEON_DEIDENTIFY_KEY"
_SHORTEST_KEY = 16
_LONGEST_KEY = 64 * 1024
_LEAST_DAYS = 1461  # four years: no shifted date is another true one of a small animal's life
_SPAN_DAYS = 3652
_MOST_DAYS = 36525
_PSEUDONYM_BYTES = 10


class Dates(str, Enum):
    """What happens to dates."""

    KEEP = "keep"
    SHIFT = "shift"


def _key(name: str, value: Any) -> bytes:
    """Read a secret: its bytes, its text, or the path of the file that holds it."""
    if isinstance(value, Path):
        return _key_in(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return value
    raise refused(name, type(value).__name__, "bytes, text, or the Path of a file with the secret")


@dataclass(frozen=True, kw_only=True)
class Deidentify:
    """What is asked of a de-identification.

    Attributes:
        dates: what happens to them.
        key: the secret: bytes, text, or the Path of the file that holds it; None if there is none.
        shift_days: by how many days dates are moved, instead of by a number made from the key.
    """

    dates: Given[Dates | str, Dates] = Given(choice(Dates), Dates.SHIFT)
    key: Given[bytes | str | Path | None, bytes | None] = Given(optional(_key), None)
    shift_days: Given[int | str | None, int | None] = Given(optional(whole_number), None)

    def __repr__(self) -> str:
        """Return what is asked for, without the secret and the shift."""
        return f"Deidentify(dates={self.dates!r})"

    def __post_init__(self) -> None:
        if self.key is not None and len(self.key) < _SHORTEST_KEY:
            raise OptionError(
                f"the key of the de-identification has {len(self.key)} characters",
                expected=f"at least {_SHORTEST_KEY}",
            )
        if self.shift_days is None:
            return
        if self.dates is Dates.KEEP:
            raise OptionError("dates cannot be both kept and shifted", hint="leave out --shift-days, or --dates keep")
        if not 0 < abs(self.shift_days) <= _MOST_DAYS:
            raise OptionError(
                f"dates cannot be shifted by {self.shift_days} days", expected=f"1 to {_MOST_DAYS}, or negative"
            )

    def pseudonym(self, subject: str) -> str:
        """Return the pseudonym of a subject, the same for each way of typing its case and blanks.

        Raises:
            OptionError: there is no key.
        """
        if self.key is None:
            hint = f"give --patient-id, or a secret in the variable {KEY_VARIABLE} or a file (--key-file)"
            raise OptionError("de-identification needs a name for the subject", hint=hint)
        return f"ANON-{b32encode(self._digest('pseudonym', subject)[:_PSEUDONYM_BYTES]).decode()}"

    def days_for(self, subject: str | None) -> int:
        """Return how many days are added to each date of a subject; 0 if they are kept.

        Raises:
            OptionError: there is neither a number of days nor a key and a subject.
        """
        if self.dates is Dates.KEEP:
            return 0
        if self.shift_days is not None:
            return self.shift_days
        if self.key is None:
            hint = f"put one into the variable {KEY_VARIABLE} or a file (--key-file), or say --dates keep"
            raise OptionError("dates cannot be shifted without a secret or --shift-days", hint=hint)
        if not subject:
            hint = "give --patient-id, --shift-days, or say --dates keep"
            raise OptionError("dates are shifted by subject, and no header names it", hint=hint)
        number = int.from_bytes(self._digest("days", subject)[:8], "big")
        return -(_LEAST_DAYS + number % _SPAN_DAYS)

    def _digest(self, purpose: str, subject: str) -> bytes:
        text = f"inveonimaging {purpose}\0{' '.join(subject.split()).casefold()}"
        return hmac.new(self.key or b"", text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def request_of(
    wanted: bool,
    dates: str | None = None,
    shift_days: int | None = None,
    key_file: Path | None = None,
) -> Deidentify | None:
    """Return what is asked for on the command line, with the secret of a file or of the environment.

    Raises:
        OptionError: what makes no sense; the file cannot be read.
    """
    given = {"--dates": dates, "--shift-days": shift_days, "--key-file": key_file}
    if not wanted:
        for name, value in given.items():
            if value is not None:
                raise OptionError(f"{name} has no effect without --deidentify")
        return None
    key = _key_in(key_file) if key_file else os.environ.get(KEY_VARIABLE, "").strip().encode("utf-8", "surrogateescape")
    return Deidentify(dates=Dates(dates or Dates.SHIFT.value), key=key or None, shift_days=shift_days)


def deidentify_given(name: str, value: Any) -> Deidentify | None:
    """Read what is asked for; True is what `--deidentify` alone asks for, False and None are nothing."""
    if value is None or isinstance(value, Deidentify):
        return value
    if isinstance(value, bool):
        return request_of(value)
    raise refused(name, value, "Deidentify(...), True or False")


def _key_in(path: Path) -> bytes:
    try:
        key = _plain(read_bounded(path, _LONGEST_KEY)).strip()
    except OSError as error:
        raise OptionError(f"the key cannot be read: {error.strerror}", path=path) from error
    if not key:
        raise OptionError("is not a key", path=path, expected=f"{_SHORTEST_KEY} to {_LONGEST_KEY} characters")
    return key


def _plain(data: bytes) -> bytes:
    """Return text in UTF-8 without a mark, however it was saved; other bytes as they are."""
    try:
        return data.decode(encoding_of(data)).encode()
    except UnicodeError:  # bytes that are no text
        return data
