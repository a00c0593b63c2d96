"""What a conversion is asked to do, as one short text that is the same in every process and on every computer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

from inveonimaging.conversion.options import Options

_NOT_ASKED = {"overwrite", "manifest", "recursive"}  # of a batch they are always the same, or change nothing


def fingerprint(options: Options) -> str:
    """Return the SHA-256 of all options that decide what is written, or refused."""
    values = {each.name: _canonical(getattr(options, each.name)) for each in fields(options)}
    asked = {name: value for name, value in values.items() if name not in _NOT_ASKED}
    return sha256(json.dumps(asked, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Return a value as JSON has it, whatever it is made of."""
    if isinstance(value, Enum):
        return _canonical(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _canonical(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return sorted(([_canonical(key), _canonical(each)] for key, each in value.items()), key=repr)
    if isinstance(value, set | frozenset):
        return sorted((_canonical(each) for each in value), key=repr)
    if isinstance(value, list | tuple):
        return [_canonical(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
