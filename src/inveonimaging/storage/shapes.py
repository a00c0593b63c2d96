"""What JSON of our own must look like: people edit such files, and disks tear them."""

from __future__ import annotations

from typing import Any

Shape = Any
"""A type, as `str`; None; a set of texts; `[shape]`, a list of such; a mapping of the names that must be there; a tuple
of shapes, any of which will do."""


def fits(value: Any, shape: Shape) -> bool:
    """Return whether a value that was read from JSON has a shape; True and False are no numbers."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            name in value and fits(value[name], each) for name, each in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(each, shape[0]) for each in value)
    if isinstance(shape, tuple):
        return any(fits(value, each) for each in shape)
    if isinstance(shape, set | frozenset):
        return isinstance(value, str) and value in shape
    return value is None if shape is None else type(value) is shape
