"""Stored values of DICOM -> stored values of an Inveon file, and how far these may be from what was converted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_RANGE = 2**15  # of the pixels that are converted
_HALF = 0.5
_ROUNDED = 2**-9  # of a step: 2**15 of them, each a number of float32


@dataclass(frozen=True)
class Scale:
    """What a stored 1 of DICOM and one of the file are, and what is added to each, in the same unit."""

    slope: float
    intercept: float
    factor: float
    offset: float

    @property
    def is_same(self) -> bool:
        """Whether stored integers are the same in both; the slope is the factor as a Decimal String."""
        return self.intercept == self.offset and abs(self.slope / self.factor - 1) * _RANGE < _HALF

    def error(self, dtype: np.dtype[np.generic]) -> float:
        """Return how far a restored value may be from the one that was converted, in the unit; 0 if it is that one."""
        if dtype.kind == "f":
            return self.slope * (_HALF + _ROUNDED)
        is_finer = self.intercept == self.offset and self.slope < self.factor
        return 0.0 if self.is_same or is_finer else (self.slope + self.factor) * _HALF

    def stored(self, pixels: npt.NDArray[np.generic], dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
        """Return the file's stored values of pixels; what the type cannot hold is the nearest that it can."""
        if dtype.kind == pixels.dtype.kind and self.is_same and dtype.itemsize >= pixels.dtype.itemsize:
            return pixels.astype(dtype)
        values: npt.NDArray[np.float64] = np.multiply(pixels, self.slope / self.factor, dtype=np.float64)
        values += (self.intercept - self.offset) / self.factor
        if dtype.kind == "i":
            highest = 2.0 ** (8 * dtype.itemsize - 1) - 1
            values = np.clip(np.rint(values), -highest - 1, highest)
        with np.errstate(over="ignore"):
            return np.asarray(values.astype(dtype))
