"""Sockets that pynetdicom leaves are collected with the tests that made them, and not at the end of the process."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _left_sockets() -> Iterator[None]:
    """Collect them after the last test of a file; found later, they would end pytest with an internal error."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
