"""The eight ways in which rows and columns of a plane can be those of the source, and how similar two planes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Layout:
    """How a DICOM plane is made from a slice of the source, (rows, columns) = (j, i).

    Attributes:
        is_turned: rows and columns are swapped.
        flips_rows, flips_columns: the order of the DICOM plane's rows, or columns, is then turned about.
    """

    is_turned: bool = False
    flips_rows: bool = False
    flips_columns: bool = False

    def undone(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a DICOM plane as the source would have it."""
        pixels = pixels[::-1] if self.flips_rows else pixels
        pixels = pixels[:, ::-1] if self.flips_columns else pixels
        return pixels.T if self.is_turned else pixels

    @property
    def cosines(self) -> npt.NDArray[np.float64]:
        """Direction of a row and of a column, as rows, in terms of the source's i and j."""
        row = (0.0, 1.0) if self.is_turned else (1.0, 0.0)
        column = row[::-1]
        return np.array([row, column]) * [[-1.0 if self.flips_columns else 1.0], [-1.0 if self.flips_rows else 1.0]]

    def first(self, columns: int, rows: int) -> tuple[int, int]:
        """Return the source's (i, j) of the DICOM plane's first pixel, of a source of so many columns and rows."""
        along_row, along_column = (rows, columns) if self.is_turned else (columns, rows)
        first = (along_row - 1 if self.flips_columns else 0, along_column - 1 if self.flips_rows else 0)
        return (first[1], first[0]) if self.is_turned else first

    @property
    def words(self) -> str:
        """What was done to the plane."""
        done = [
            *(["rows and columns exchanged"] if self.is_turned else []),
            *(["the order of rows reversed"] if self.flips_rows else []),
            *(["the order of columns reversed"] if self.flips_columns else []),
        ]
        return " and ".join(done) or "as it is"


LAYOUTS = tuple(
    Layout(is_turned, flips_rows, flips_columns)
    for is_turned in (False, True)
    for flips_rows in (False, True)
    for flips_columns in (False, True)
)
AS_IT_IS = LAYOUTS[0]


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
