"""Correlation of two planes: how similar they are, whatever their scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


def correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Return the correlation of two planes, 0 to 1; 1 if both are constant, 0 if one is or their shapes differ."""
    if one.shape != other.shape:
        return 0.0
    first, second = (each.astype(np.float64).ravel() for each in (one, other))
    first, second = first - first.mean(), second - second.mean()
    spread = float(np.linalg.norm(first) * np.linalg.norm(second))
    if spread == 0 or not np.isfinite(spread):
        return 1.0 if not first.any() and not second.any() else 0.0
    return max(0.0, float(first @ second) / spread)


def sample(items: Sequence[T], count: int) -> list[T]:
    """Return so many items, evenly spread, the ends left out where that can be."""
    if len(items) <= count:
        return list(items)
    return [items[int((n + 0.5) * len(items) / count)] for n in range(count)]
