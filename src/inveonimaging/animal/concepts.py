"""A coded concept as a person gives it."""

from __future__ import annotations

from typing import NamedTuple


class Concept(NamedTuple):
    """A code: value, coding scheme and meaning."""

    value: str
    scheme: str
    meaning: str
