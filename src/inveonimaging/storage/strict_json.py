"""JSON that people edit, or servers answer, read strictly: nothing in it may be given twice or be read in two ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from inveonimaging.errors import printable

_MOST_DIGITS = 20  # of a whole number: more take long to decode


def json_of(data: bytes, *, texts: bool = False) -> Any:
    """Return what UTF-8 JSON means; a mark at its start is no matter.

    Args:
        data: of a file, or an answer.
        texts: return numbers as the texts that they are, so that no digit is lost.

    Raises:
        ValueError: it is none, says something twice, or has numbers that are none or of very many digits.
        RecursionError: it is nested too deep.
    """
    whole: Callable[[str], Any] = str if texts else _whole
    fraction: Callable[[str], Any] = str if texts else float
    text = data.decode("utf-8-sig")
    return json.loads(
        text, object_pairs_hook=once, parse_int=whole, parse_float=fraction, parse_constant=_refuse_constant
    )


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of its members; ValueError if one is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for number, name in enumerate(names) if name in names[:number])
        raise ValueError(f"'{printable(again, 40)}' is given twice")
    return found


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number has very many digits")
    return int(text)


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a number")
